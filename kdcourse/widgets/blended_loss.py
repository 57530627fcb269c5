"""The loss explorer: one example, the two terms of the blended loss, and what each asks of the student's logits."""

import numpy as np
import torch
import traitlets

from kdcourse import losses
from kdcourse._arguments import integer
from kdcourse._javascript import bundle
from kdcourse.plots import COLOURS, MARKERS
from kdcourse.widgets import _loss_parts
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._figure import reused_figure
from kdcourse.widgets._traits import Bounded, Logits, Temperature

PROBABILITIES = {
    "teacher, p": {"color": COLOURS[0]},
    "student, q": {"color": COLOURS[1], "hatch": "////", "edgecolor": "white"},
    "label": {"facecolor": "none", "edgecolor": "black"},
}
GRADIENTS = {
    "soft part": {"color": COLOURS[2]},
    "hard part": {"color": COLOURS[1], "hatch": "////", "edgecolor": "white"},
}


def blended_loss(data_set, student_logits, examples=range(20), split="validation", soft_weight=None):
    """A widget with the probabilities of teacher and student at a temperature to drag, and the gradient of the loss.

    The gradient is with respect to the student's logits: soft_weight · T · (q_T − p_T) of the soft term, which is
    T² · KL, and (1 − soft_weight) · (q_1 − label) of the hard term; without T², the soft part is divided by T². Its
    axis stays while T and the weight are dragged.

    data_set        DataSet with teacher logits
    student_logits  [N, C], finite: what some student says about this split
    examples        indices into the split that can be chosen
    split           "train", "validation" or "test"
    soft_weight     in [0, 1]: fixed; None: there is a slider for it
    returns         BlendedLoss

    Raises TypeError or ValueError that names the argument.
    """
    student, teacher, labels = _loss_parts.check(data_set, student_logits, split, soft_weight)
    return BlendedLoss(
        class_names=list(data_set.class_names),
        examples=[
            {"index": k, "label": int(labels[k]), "teacher": _rounded(teacher[k]), "student": _rounded(student[k])}
            for k in _loss_parts.indices(examples, len(labels))
        ],
        fixed_weight=soft_weight is not None,
        soft_weight=0.5 if soft_weight is None else float(soft_weight),
    )


class BlendedLoss(Explorer):
    """What `blended_loss` returns.

    example_number  place of the example among those that can be chosen, from 0
    temperature     in [0.5, 32];  soft_weight  in [0, 1];  squared  whether the soft term has its factor T²
    logits          [C], the student's, as they stand; choosing an example makes them its own
    terms           LossTerms(total, soft, hard), as numbers;  parts  probabilities and gradients, [C] each
    """

    module = "blended_loss"
    _esm = bundle("blended_loss")
    class_names = traitlets.List().tag(sync=True)
    examples = traitlets.List().tag(sync=True)
    example_number = traitlets.Int(0).tag(sync=True)
    temperature = Temperature(1.0).tag(sync=True)
    soft_weight = Bounded(0.5, 0, 1).tag(sync=True)
    fixed_weight = traitlets.Bool(False).tag(sync=True)
    squared = traitlets.Bool(True).tag(sync=True)
    logits = Logits().tag(sync=True)

    def __init__(self, **values):
        values.setdefault("logits", values["examples"][values.get("example_number", 0)]["student"])
        super().__init__(**values)

    @property
    def terms(self):
        student, teacher, label = self._tensors()
        settings = self.temperature, self.soft_weight
        found = losses.blended_loss(student[None], teacher[None], torch.tensor([label]), *settings)
        soft, hard = found.soft.item(), found.hard.item()
        if not self.squared:
            soft /= self.temperature**2
        return losses.LossTerms(self.soft_weight * soft + (1 - self.soft_weight) * hard, soft, hard)

    @property
    def parts(self):
        parts = _loss_parts.parts_of(*self._tensors(), self.temperature, self.soft_weight)
        return parts if self.squared else parts._replace(soft=parts.soft / self.temperature**2)

    @traitlets.validate("example_number")
    def _is_there(self, proposal):
        number = integer("example_number", proposal["value"], at_least=0)
        if number >= len(self.examples):
            raise ValueError(f"example_number must be in [0, {len(self.examples)}), got {number}")
        return number

    @traitlets.observe("example_number")
    def _take_its_logits(self, _):
        self.logits = self.examples[self.example_number]["student"]

    def _tensors(self):
        """(student, teacher, label) of the example, the student's logits as they stand."""
        chosen = self.examples[self.example_number]
        student, teacher = (torch.tensor(logits, dtype=torch.float64) for logits in (self.logits, chosen["teacher"]))
        return student, teacher, chosen["label"]

    def picture(self):
        names, parts = self.class_names, self.parts
        lines = _loss_parts.say(names, self.temperature, self.soft_weight, self.squared, parts, self.terms)
        fig, (left, right) = reused_figure(9.0, 2.1 + 0.36 * len(names), ncols=2, sharey=True)
        left_bars = _bars(left, PROBABILITIES, names, parts[:3])
        right_bars = _bars(right, GRADIENTS, names, parts[3:])
        (both,) = right.plot(
            parts.soft + parts.hard, range(len(names)), MARKERS[2], color=COLOURS[6], label="both together"
        )
        left.set_xlim(0, 1.02)
        left.invert_yaxis()
        left.set_xlabel(f"probability at T = {self.temperature:.1f}")
        limit = 1.1 * max(np.abs([*parts.soft, *parts.hard, *(parts.soft + parts.hard)]).max(), 1e-6)
        right.set_xlim(-limit, limit)
        right.axvline(0, color="#666666", linewidth=1)
        right.set_xlabel("gradient with respect to the student's logit\n(negative: training raises it)")
        for ax, shown in [(left, left_bars), (right, [*right_bars, both])]:
            ax.legend(handles=shown, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)
        fig.suptitle(lines[2].rstrip("."), fontsize=11, x=0.01, ha="left")
        return fig, " ".join(lines)


def _rounded(logits):
    return [round(logit, 4) for logit in logits.tolist()]


def _bars(ax, series, names, values):
    """One container of horizontal bars per series, side by side within each class."""
    height = 0.8 / len(series)
    places = [np.arange(len(names)) + (k - (len(series) - 1) / 2) * height for k in range(len(series))]
    styles = zip(places, series.items(), values, strict=True)
    bars = [ax.barh(at, lengths, height, label=label, **style) for at, (label, style), lengths in styles]
    ax.set_yticks(range(len(names)), names)
    return bars
