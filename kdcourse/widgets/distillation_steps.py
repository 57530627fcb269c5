"""The step-through explorer: distillation from the data to the result, on a toy problem trained in the browser."""

from functools import lru_cache

import numpy as np
import traitlets

from kdcourse._arguments import describe, integer
from kdcourse._javascript import bundle
from kdcourse.plots import COLOURS
from kdcourse.widgets import _toy
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._figure import reused_figure
from kdcourse.widgets._traits import Bounded, Temperature

STAGES = 7
TRANSFER_SIZES = 10, 200
PIE = 0.075  # its radius, where the map is 3 wide
MARKERS = ["o", "^", "s"]  # circles, triangles, squares, as in the browser


def distillation_steps(seed=0, *, temperature=2.0, soft_weight=0.9, transfer_size=40):
    """A widget that shows distillation step by step, on points in the plane: from the data to the result.

    Nothing moves before its Play is pressed. Teacher and students are trained in the browser, in a second or less.

    seed           of the data, of the networks' starts, >= 0
    temperature    of the soft labels, in [0.5, 32]
    soft_weight    of T² · KL in the distilled student's loss, in [0, 1]; cross-entropy has the rest
    transfer_size  points that the students learn from, in [10, 200]; the teacher learns from 600
    returns        DistillationSteps

    Raises TypeError or ValueError that names the argument.
    """
    return DistillationSteps(seed=seed, temperature=temperature, soft_weight=soft_weight, transfer_size=transfer_size)


class Whole(traitlets.Int):
    """An integer from `low` to `high`. Raises ValueError that names the trait."""

    def __init__(self, default, low, high, **options):
        self.low, self.high = low, high
        super().__init__(default, **options)

    def validate(self, owner, value):
        value = integer(self.name, value, at_least=self.low)
        if value > self.high:
            raise ValueError(f"{self.name} must be in [{self.low}, {self.high}], got {value}")
        return value


class Flag(traitlets.Bool):
    """True or False. Raises TypeError, that names the trait, for anything else."""

    def validate(self, owner, value):
        if not isinstance(value, bool):
            raise TypeError(f"{self.name} must be True or False, got {describe(value)}")
        return value


class DistillationSteps(Explorer):
    """What `distillation_steps` returns.

    stage          1 the data, 2 train the teacher, 3 run the teacher, 4 soften, 5 match, 6 add cross-entropy and train,
                   7 result. A stage that is set shows what it ends with; the same seed and settings end the same
    playing        True moves from stage to stage; False is a pause
    seed, temperature, soft_weight, transfer_size  as in `distillation_steps`
    point          of the transfer set, whose numbers are shown, from 0
    speed          of playing, in [0.25, 8]

    The browser adds what it has measured, and nobody else can set it:
    accuracies        {"teacher", "hard", "distilled"}, in [0, 1], each as soon as that network is trained
    differences       distilled minus hard, in points, of every seed that was trained at the present settings
    difference_seeds  those seeds, in the same order
    """

    module = "distillation_steps"
    _esm = bundle("distillation_steps")
    seed = Whole(0, 0, 99_999).tag(sync=True)
    temperature = Temperature(2.0).tag(sync=True)
    soft_weight = Bounded(0.9, 0.0, 1.0).tag(sync=True)
    transfer_size = Whole(40, *TRANSFER_SIZES).tag(sync=True)
    # At first one of which the teacher of seed 0 is unsure: a soft label of 1.00, 0.00, 0.00 shows little.
    point = Whole(5, 0, TRANSFER_SIZES[1] - 1).tag(sync=True)
    speed = Bounded(1.0, 0.25, 8.0).tag(sync=True)
    stage = Whole(1, 1, STAGES).tag(sync=True)
    playing = Flag(False).tag(sync=True)
    accuracies = traitlets.Dict(read_only=True).tag(sync=True)
    differences = traitlets.List(read_only=True).tag(sync=True)
    difference_seeds = traitlets.List(read_only=True).tag(sync=True)

    @traitlets.validate("point")
    def _is_in_the_transfer_set(self, proposal):
        point = proposal["value"]
        if point >= self.transfer_size:
            raise ValueError(f"point must be in [0, {self.transfer_size}), got {point}")
        return point

    # Before the new value reaches the browser, not after: what the browser then measures must not be wiped out.
    @traitlets.validate("seed", "temperature", "soft_weight", "transfer_size")
    def _forget_what_was_measured(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        if value != getattr(self, name):
            self.set_trait("accuracies", {})
            if name != "seed":
                self.set_trait("differences", [])
                self.set_trait("difference_seeds", [])
        return value

    @traitlets.observe("transfer_size")
    def _stay_in_the_transfer_set(self, _):
        self.point = min(self.point, self.transfer_size - 1)

    def picture(self):
        """The result for the seed, whatever the stage: three maps with their accuracies."""
        settings = self.seed, self.temperature, self.soft_weight, self.transfer_size
        result, shares = _finished(*settings)
        share = {name: f"{100 * value:.1f} %" for name, value in result.accuracies.items()}
        difference = 100 * (result.accuracies["distilled"] - result.accuracies["hard"])
        titles = {
            "teacher": f"teacher: {share['teacher']} right",
            "hard": f"student on labels: {share['hard']}",
            "distilled": f"distilled student: {share['distilled']}",
        }
        fig, axes = reused_figure(8.0, 3.4, ncols=3, sharey=True)
        for (name, title), ax in zip(titles.items(), axes, strict=True):
            _draw_map(ax, shares[name])
            if name == "hard":
                _draw_labels(ax, result.transfer)
            else:
                soft = _toy.logits(result.teacher, result.transfer.inputs)
                _draw_pies(ax, result.transfer, soft, self.temperature if name == "distilled" else 1.0)
            ax.set_title(title, fontsize=10, loc="left")
        verb = "ahead of" if difference > 0 else "behind" if difference < 0 else "level with"
        gap = f"{abs(difference):.1f} points {verb}" if difference else verb
        finding = f"Seed {self.seed}: the distilled student is {gap} the one on labels. One seed proves nothing."
        fig.suptitle(finding, fontsize=11, x=0.01, ha="left")
        alt = (
            f"Three maps of the plane with the decision regions of a teacher and two students, and the "
            f"{self.transfer_size} points that the students learned from. On {_toy.TEST_POINTS:,} new points the "
            f"teacher is right on {share['teacher']}, the student on labels on {share['hard']}, the distilled student "
            f"(T = {self.temperature:.1f}, soft weight {self.soft_weight:.2f}) on {share['distilled']}: "
            f"{difference:+.1f} points. It is one seed, {self.seed}."
        )
        return fig, alt


@lru_cache(maxsize=32)
def _finished(seed, temperature, soft_weight, transfer_size):
    """(result, {name: probabilities [rows, columns, classes] all over the map}) of the pipeline."""
    result = _toy.run(seed, temperature, soft_weight, transfer_size)
    line = np.linspace(-_toy.EDGE, _toy.EDGE, 120)
    places = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    nets = {"teacher": result.teacher, "hard": result.hard, "distilled": result.distilled}
    side = len(line)
    return result, {
        name: np.exp(_toy.log_softmax(_toy.logits(net, places))).reshape(side, side, -1) for name, net in nets.items()
    }


def _draw_map(ax, shares):
    colours = np.array([[int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)] for colour in COLOURS[: _toy.CLASSES]])
    extent = 2 * [-_toy.EDGE, _toy.EDGE]
    ax.imshow(shares @ colours, origin="lower", extent=extent, alpha=0.45, interpolation="bilinear")
    for c in range(_toy.CLASSES):
        lead = shares[..., c] - np.delete(shares, c, axis=-1).max(-1)
        ax.contour(lead, levels=[0], extent=extent, colors="black", linewidths=0.8)
    ax.set_xlim(-_toy.EDGE, _toy.EDGE)
    ax.set_ylim(-_toy.EDGE, _toy.EDGE)
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])


def _draw_labels(ax, transfer):
    for c in range(_toy.CLASSES):
        x, y = transfer.inputs[transfer.labels == c].T
        ax.scatter(x, y, 22, color=COLOURS[c], marker=MARKERS[c], edgecolors="white", linewidths=0.8)


def _draw_pies(ax, transfer, logits, temperature):
    """Each point as a pie of the teacher's probabilities at a temperature, clockwise from the top."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle, Wedge

    ends = 90 - 360 * np.exp(_toy.log_softmax(logits, temperature)).cumsum(1)
    starts = np.column_stack([np.full(len(ends), 90.0), ends[:, :-1]])
    for c in range(_toy.CLASSES):
        where = zip(transfer.inputs, ends[:, c], starts[:, c], strict=True)
        wedges = [Wedge(middle, PIE, low, high) for middle, low, high in where if high - low > 0.5]
        ax.add_collection(PatchCollection(wedges, facecolor=COLOURS[c], edgecolor="none", zorder=3))
    rims = [Circle(middle, PIE) for middle in transfer.inputs]
    ax.add_collection(PatchCollection(rims, facecolor="none", edgecolor="white", linewidths=0.8, zorder=4))
