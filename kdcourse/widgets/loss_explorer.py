"""The loss explorer: one example, the two terms of the blended loss, and what each asks of the student's logits."""

import ipywidgets
import numpy as np

from kdcourse import losses
from kdcourse.plots import COLOURS, MARKERS
from kdcourse.widgets import _loss_parts
from kdcourse.widgets._figure import paragraphs, render, reused_figure

PROBABILITIES = {
    "teacher, p": {"color": COLOURS[0]},
    "student, q": {"color": COLOURS[1], "hatch": "////", "edgecolor": "white"},
    "label": {"facecolor": "none", "edgecolor": "black"},
}
GRADIENTS = {
    "soft part": {"color": COLOURS[2]},
    "hard part": {"color": COLOURS[4], "hatch": "////", "edgecolor": "white"},
}


def blended_loss(data_set, student_logits, examples=range(20), split="validation", soft_weight=None):
    """A widget with the probabilities of teacher and student at a temperature to drag, and the gradient of the loss.

    The gradient is with respect to the student's logits: soft_weight · T · (q_T − p_T) of the soft term, which is
    T² · KL, and (1 − soft_weight) · (q_1 − label) of the hard term. Its axis stays while T and the weight are dragged.

    data_set        DataSet with teacher logits
    student_logits  [N, C], finite: what some student says about this split
    examples        indices into the split that can be chosen
    split           "train", "validation" or "test"
    soft_weight     in [0, 1]: fixed; None: there is a slider for it
    returns         an ipywidgets box: example, T, soft weight (unless it is fixed), picture, words

    Raises TypeError or ValueError that names the argument.
    """
    student, teacher, labels = _loss_parts.check(data_set, student_logits, split, soft_weight)
    names = data_set.class_names
    wide = {"style": {"description_width": "initial"}}
    example = ipywidgets.Dropdown(
        options=[(f"{k}: {names[int(labels[k])]}", k) for k in _loss_parts.indices(examples, len(labels))],
        description="example",
        **wide,
    )
    temperature = ipywidgets.FloatLogSlider(
        value=1.0, base=2, min=-1, max=5, step=0.1, description="T", readout_format=".1f", **wide
    )
    weight = ipywidgets.FloatSlider(value=0.5, min=0, max=1, step=0.05, description="soft weight", **wide)
    image, words = ipywidgets.Image(format="png"), ipywidgets.HTML()

    fig, (left, right) = reused_figure(9.0, 1.8 + 0.36 * len(names), ncols=2, sharey=True)
    left_bars, right_bars = _bars(left, PROBABILITIES, names), _bars(right, GRADIENTS, names)
    (both,) = right.plot(np.zeros(len(names)), range(len(names)), MARKERS[2], color=COLOURS[6], label="both together")
    left.set_xlim(0, 1.02)
    left.invert_yaxis()
    right.axvline(0, color="#666666", linewidth=1)
    right.set_xlabel("gradient with respect to the student's logit\n(negative: training raises it)")
    for ax, shown in [(left, left_bars), (right, [*right_bars, both])]:
        ax.legend(handles=shown, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)

    def parts(temperature, soft_weight):
        row = student[example.value], teacher[example.value], int(labels[example.value])
        return _loss_parts.parts_of(*row, temperature, soft_weight)

    def choose(_=None):
        soft = [parts(2.0**exponent, 1.0).soft for exponent in np.arange(-1, 5.05, 0.1)]
        limit = 1.05 * max(np.abs([*soft, parts(1.0, 0.0).hard]).max(), 1e-6)
        right.set_xlim(-limit, limit)
        draw()

    def draw(_=None):
        row, t = slice(example.value, example.value + 1), temperature.value
        w = weight.value if soft_weight is None else float(soft_weight)
        now = parts(t, w)
        for bars, lengths in zip([*left_bars, *right_bars], now, strict=True):
            for bar, length in zip(bars, lengths, strict=True):
                bar.set_width(length)
        both.set_xdata(now.soft + now.hard)
        left.set_xlabel(f"probability at T = {t:.1f}")
        image.value = render(fig)
        terms = losses.blended_loss(student[row], teacher[row], labels[row], t, w)
        words.value = paragraphs(*_loss_parts.say(names, t, w, now, terms))

    example.observe(choose, names="value")
    for slider in (temperature, weight):
        slider.observe(draw, names="value")
    choose()
    return ipywidgets.VBox([example, temperature, *([weight] if soft_weight is None else []), image, words])


def _bars(ax, series, names):
    """One container of horizontal bars per series, side by side within each class."""
    height = 0.8 / len(series)
    places = [np.arange(len(names)) + (k - (len(series) - 1) / 2) * height for k in range(len(series))]
    styles = zip(places, series.items(), strict=True)
    bars = [ax.barh(at, np.zeros(len(names)), height, label=label, **style) for at, (label, style) in styles]
    ax.set_yticks(range(len(names)), names)
    return bars
