"""The soft-label explorer: choose a picture, drag the temperature or a logit, watch the teacher's probabilities."""

import base64
import io

import numpy as np
import torch
import traitlets

from kdcourse._arguments import integer
from kdcourse._javascript import bundle
from kdcourse.losses import soften
from kdcourse.plots import COLOURS
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._figure import reused_figure
from kdcourse.widgets._loss_parts import indices, teacher_of
from kdcourse.widgets._traits import Logits, Temperature


def soft_labels(data_set, examples=range(20), split="test", temperature=1.0):
    """A widget with a picture, its label, and the teacher's probabilities at a temperature that can be dragged.

    data_set     DataSet of square pictures, with teacher logits
    examples     indices into the split that can be chosen
    split        "train", "validation" or "test"
    temperature  where the slider stands at first, in [0.5, 32]
    returns      SoftLabels

    Raises TypeError or ValueError that names the argument.
    """
    part = teacher_of(data_set, split)
    examples = indices(examples, len(part))
    return SoftLabels(
        class_names=list(data_set.class_names),
        pictures=[
            {
                "index": k,
                "label": int(part.labels[k]),
                "picture": _png(part.inputs[k]),
                "logits": [round(logit, 4) for logit in part.teacher_logits[k].tolist()],
            }
            for k in examples
        ],
        temperature=temperature,
    )


class SoftLabels(Explorer):
    """What `soft_labels` returns.

    picture_number  place of the picture among those that can be chosen, from 0
    temperature     in [0.5, 32]
    logits          [C], as they stand; choosing a picture makes them the teacher's own
    probabilities   [C], the soft label: `soften(logits, temperature)`
    """

    module = "soft_labels"
    _esm = bundle("soft_labels")
    class_names = traitlets.List().tag(sync=True)
    pictures = traitlets.List().tag(sync=True)
    picture_number = traitlets.Int(0).tag(sync=True)
    temperature = Temperature(1.0).tag(sync=True)
    logits = Logits().tag(sync=True)

    def __init__(self, **values):
        values.setdefault("logits", values["pictures"][values.get("picture_number", 0)]["logits"])
        super().__init__(**values)

    @property
    def probabilities(self):
        return soften(torch.tensor([self.logits], dtype=torch.float64), self.temperature)[0].numpy()

    @traitlets.validate("picture_number")
    def _is_there(self, proposal):
        number = integer("picture_number", proposal["value"], at_least=0)
        if number >= len(self.pictures):
            raise ValueError(f"picture_number must be in [0, {len(self.pictures)}), got {number}")
        return number

    @traitlets.observe("picture_number")
    def _take_its_logits(self, _):
        self.logits = self.pictures[self.picture_number]["logits"]

    def picture(self):
        chosen, names, soft = self.pictures[self.picture_number], self.class_names, self.probabilities
        fig, (left, right) = reused_figure(7.0, 3.2, ncols=2, width_ratios=[1, 1.6])
        left.imshow(_pixels(chosen["picture"]), cmap="gray", vmin=0, vmax=255)
        left.set_title(f"hard label: {names[chosen['label']]}", fontsize=11)
        left.axis("off")
        colours = [COLOURS[1] if c == chosen["label"] else COLOURS[0] for c in range(len(names))]
        bars = right.barh(names, soft, color=colours)
        right.bar_label(bars, [f"{p:.2f}" for p in soft], padding=2, fontsize=8)
        right.set_xlim(0, 1.12)
        right.set_xlabel("teacher's probability (orange: the label)")
        right.invert_yaxis()
        order = np.argsort(-soft, kind="stable")[:3]
        first, *others = (f"{names[c]} {soft[c]:.2f}" for c in order)
        right.set_title(f"soft label at T = {self.temperature:.1f}: {first}", fontsize=11, loc="left")
        alt = (
            f"A garment labelled {names[chosen['label']]}. At T = {self.temperature:.1f}, the teacher says {first}, "
            f"then {', '.join(others)}."
        )
        return fig, alt


def _png(pixels):
    """A square picture, black on white, as a data URI."""
    from PIL import Image

    side = int(pixels.numel() ** 0.5)
    low, high = float(pixels.min()), float(pixels.max())
    grey = 255 - (pixels.view(side, side).numpy() - low) * (255 / max(high - low, 1e-9))
    file = io.BytesIO()
    Image.fromarray(grey.round().astype(np.uint8), mode="L").save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _pixels(uri):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
