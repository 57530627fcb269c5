"""The teacher of CMUdict, from its checkpoint."""

from kdcourse import data, store
from kdcourse.lm.model import Transformer

CHECKPOINT = "cmudict/teacher-transformer.safetensors"


def load_teacher() -> Transformer:
    """The teacher of `data.load("cmudict")`, in eval mode; its card lies beside the checkpoint.

    Raises `kdcourse.data.DataError` if the file is missing or altered.
    """
    tensors, about = store.load_tensors(data.checked(CHECKPOINT))
    teacher = Transformer(**about["transformer"])
    teacher.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return teacher.eval()
