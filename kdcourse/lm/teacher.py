"""The models that ship with CMUdict, from their checkpoints: its teacher, and a student on its way."""

from kdcourse import data, store
from kdcourse.lm.model import Transformer

CHECKPOINT = "cmudict/teacher-transformer.safetensors"
WARM_START = "cmudict/student-warm-start.safetensors"


def load_teacher() -> Transformer:
    """The teacher of `data.load("cmudict")`, in eval mode; its card lies beside the checkpoint.

    Raises `kdcourse.data.DataError` if the file is missing or altered.

    >>> import torch
    >>> load_teacher()(torch.tensor([[5, 3, 22]]), torch.tensor([[1]])).shape  # one word, one place: [B, V, P]
    torch.Size([1, 69, 1])
    """
    return _load(CHECKPOINT)


def load_student() -> Transformer:
    """A student with a seventeenth of the teacher's parameters, in eval mode, halfway through lesson 08.

    It has learned from the teacher's distributions on the first 2,000 training words, and spent about half of what a
    student of that lesson may spend: where training on its own words begins.

    Raises `kdcourse.data.DataError` if the file is missing or altered.

    >>> from kdcourse.models import count_parameters
    >>> round(count_parameters(load_teacher()) / count_parameters(load_student()))
    17
    """
    return _load(WARM_START)


def _load(path):
    tensors, about = store.load_tensors(data.checked(path))
    model = Transformer(**about["transformer"])
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model.eval()
