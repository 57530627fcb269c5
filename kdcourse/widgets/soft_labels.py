"""The soft-label explorer: choose a picture, drag the temperature or a logit, watch the teacher's probabilities."""

import base64
import io
from collections.abc import Iterable

import numpy as np
import torch
import traitlets

from kdcourse.data import DataSet
from kdcourse.losses import soften
from kdcourse.widgets._examples import chosen, rounded, split_with_teacher
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._traits import Logits, Place, Temperature


def soft_labels(
    data_set: DataSet, examples: Iterable[int] = range(20), split: str = "test", temperature: float = 1.0
) -> "SoftLabels":
    """A widget with a picture, its label, and the teacher's probabilities at a temperature that can be dragged.

    Parameters
    ----------
    data_set : DataSet
        Square pictures, with teacher logits.
    examples : iterable of int
        Indices into the split that can be chosen.
    split : str
        "train", "validation" or "test".
    temperature : float
        Where the slider stands at first, in [0.5, 32].

    Returns
    -------
    SoftLabels

    Raises
    ------
    TypeError, ValueError
        The message names the argument.

    Examples
    --------
    >>> from kdcourse.data import DataSet, Split
    >>> split = Split(torch.tensor([0, 1]), torch.tensor([[2.0, 0.0], [0.0, 0.0]]), inputs=torch.zeros(2, 4))
    >>> explorer = soft_labels(DataSet("tiny", split, split, split, class_names=("hat", "sock")), examples=[0, 1])
    >>> explorer.temperature = 2
    >>> explorer.probabilities.round(2)
    array([0.73, 0.27])
    """
    part = split_with_teacher(data_set, split)
    pictures = [
        {
            "index": k,
            "label": int(part.labels[k]),
            "picture": _png(part.inputs[k]),
            "logits": rounded(part.teacher_logits[k]),
        }
        for k in chosen(examples, len(part))
    ]
    names = list(data_set.class_names)
    return SoftLabels(class_names=names, pictures=pictures, logits=pictures[0]["logits"], temperature=temperature)


class SoftLabels(Explorer):
    """What `soft_labels` returns.

    Attributes
    ----------
    picture_number : int
        Place of the picture among those that can be chosen, from 0.
    temperature : float
        In [0.5, 32].
    logits : list of float
        [C], as they stand; choosing a picture makes them the teacher's own.
    """

    title = "Soft labels"
    lesson = "01_soft_labels"
    question = (
        "Choose a picture, and drag the temperature from 0.5 to 32. Near the low end the teacher says one word; at "
        "which temperature can you first see the runners-up? Then drag single logits: how many points does the second "
        "choice need to overtake the first?"
    )
    opening = {"temperature": 4}  # at T = 1 the runners-up cannot be seen

    class_names = traitlets.List().tag(sync=True)
    pictures = traitlets.List().tag(sync=True)
    picture_number = Place("pictures").tag(sync=True)
    temperature = Temperature(1.0).tag(sync=True)
    logits = Logits().tag(sync=True)

    @property
    def probabilities(self) -> np.ndarray:
        """The soft label, [C]: `soften(logits, temperature)`."""
        return soften(torch.tensor([self.logits], dtype=torch.float64), self.temperature)[0].numpy()

    @traitlets.observe("picture_number")
    def _take_its_logits(self, _):
        self.logits = self.pictures[self.picture_number]["logits"]


def _png(pixels):
    """A square picture, black on white, as a data URI."""
    from PIL import Image

    side = int(pixels.numel() ** 0.5)
    low, high = float(pixels.min()), float(pixels.max())
    grey = 255 - (pixels.view(side, side).numpy() - low) * (255 / max(high - low, 1e-9))
    file = io.BytesIO()
    Image.fromarray(grey.round().astype(np.uint8), mode="L").save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
