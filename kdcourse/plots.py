"""The figures of the lessons: a title that states the finding, intervals drawn, and alternative text.

Colours are Okabe and Ito's palette, which colour-blind readers can tell apart; every arm has a marker of its own too.
"""

import base64
import html
import io
import textwrap

import numpy as np

from kdcourse.losses import soften
from kdcourse.stats import mean_interval

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = ["o", "s", "D", "^", "v", "P", "X"]
DPI = 110


def figure(width=8.0, height=3.6, **options):
    """(figure, axes) of `plt.subplots` in the course's style; sizes in inches."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(width, height), layout="constrained", **options)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return fig, axes


def _set_title(ax, title):
    """The finding, from the left edge of the axes, wrapped so that the figure does not cut it off."""
    characters = int(9 * (ax.figure.get_figwidth() - 0.9))
    ax.set_title(textwrap.fill(title, characters), fontsize=12, loc="left")


def show(fig, alt):
    """Display a figure with alternative text, and close it.

    No notebook front end carries the text of an image to a screen reader, so it also comes folded up under the picture.

    alt  what the figure shows, in words and numbers, for somebody who cannot see it
    """
    import matplotlib.pyplot as plt
    from IPython.display import HTML, display

    if not alt or not alt.strip():
        raise ValueError(f"alt must describe the figure, got {alt!r}")
    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=DPI, facecolor="white")
    plt.close(fig)
    display(
        {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": f"[figure] {alt}"},
        raw=True,
        metadata={"image/png": {"alt": alt}},
    )
    display(HTML(f"<details><summary>This figure in words</summary>{html.escape(alt)}</details>"))


def gallery(data_set, split="train", rows=2):
    """The first few pictures of every class, one class a column."""
    part = getattr(data_set, split)
    side = int(part.inputs.shape[1] ** 0.5)
    names = data_set.class_names
    fig, axes = figure(0.95 * len(names), 1.0 + 0.9 * rows, nrows=rows, ncols=len(names), squeeze=False)
    for label, name in enumerate(names):
        of_class = (part.labels == label).nonzero().flatten()[:rows]
        for row, index in enumerate(of_class):
            axes[row, label].imshow(part.inputs[index].view(side, side).numpy(), cmap="gray_r")
        axes[0, label].set_title(name, fontsize=10)
    for ax in axes.flat:
        ax.axis("off")
    fig.suptitle(f"{len(names)} kinds of garment, {side} × {side} pixels each", fontsize=12)
    show(fig, f"{rows} pictures of each class: {', '.join(names)}.")


def pictures(data_set, examples, split="validation"):
    """Pictures and their labels, side by side. `examples` are indices into the split."""
    part, side, names = _chosen(data_set, examples, split)
    fig, axes = figure(max(4.0, 2.0 * len(part)), 2.4, ncols=len(part), squeeze=False)
    labels = [names[int(label)] for label in part.labels]
    for ax, pixels, label in zip(axes.flat, part.inputs, labels, strict=True):
        ax.imshow(pixels.view(side, side).numpy(), cmap="gray_r")
        ax.set_title(label, fontsize=11)
        ax.axis("off")
    show(fig, f"{len(part)} pictures of {side} by {side} pixels, labelled {', '.join(labels)}.")


def predictions(data_set, examples, temperature=1.0, *, title, split="validation"):
    """Pictures, and under each what the teacher says about it at a temperature.

    examples  indices into the split
    title     the finding
    """
    part, side, names = _chosen(data_set, examples, split)
    probabilities = soften(part.teacher_logits, temperature).numpy()
    fig, axes = figure(max(4.0, 2.7 * len(part)), 5.2, nrows=2, ncols=len(part), squeeze=False, height_ratios=[1, 1.5])
    words = []
    for k in range(len(part)):
        label, row = int(part.labels[k]), probabilities[k]
        axes[0, k].imshow(part.inputs[k].view(side, side).numpy(), cmap="gray_r")
        axes[0, k].set_title(f"label: {names[label]}", fontsize=11)
        axes[0, k].axis("off")
        bars = axes[1, k].barh(names, row, color=[COLOURS[1] if c == label else COLOURS[0] for c in range(len(names))])
        axes[1, k].bar_label(bars, [f"{p:.2f}" if p >= 0.005 else "" for p in row], padding=2, fontsize=9)
        axes[1, k].set_xlim(0, 1.18)
        axes[1, k].set_xlabel("probability")
        axes[1, k].invert_yaxis()
        if k:
            axes[1, k].set_yticklabels([])
        ranked = ", ".join(f"{names[c]} {row[c]:.2f}" for c in row.argsort()[::-1][:3])
        words.append(f"label {names[label]}, teacher: {ranked}")
    fig.suptitle(f"{title} (orange: the label)", fontsize=12)
    show(fig, f"{title}. The teacher's probabilities at T = {temperature:g}: " + "; ".join(words) + ".")


def _chosen(data_set, examples, split):
    import torch

    part = getattr(data_set, split)[torch.as_tensor(list(examples))]
    return part, int(part.inputs.shape[1] ** 0.5), data_set.class_names


def intervals(table, *, x, y, hue, title, ylabel=None, percent=False, reference=None):
    """Every run as a dot, and its arm's mean with a 95 % t-interval, in groups along the x axis.

    table      a DataFrame with one row per run
    x, hue, y  its columns: the group, the arm within the group, the result
    title      the finding
    percent    results are shares; show them as percentages
    reference  (name, value) of a horizontal line, such as the teacher, or None
    """
    groups, arms = list(dict.fromkeys(table[x])), list(dict.fromkeys(table[hue]))
    scale, unit, digits = (100, " %", ".1f") if percent else (1, "", ".3g")
    fig, ax = figure(min(max(7.0, 1.0 + 0.55 * len(groups) * len(arms)), 9.5), 4.0)
    words = []
    for a, arm in enumerate(arms):
        colour, marker = COLOURS[a % len(COLOURS)], MARKERS[a % len(MARKERS)]
        for g, group in enumerate(groups):
            runs = scale * table[(table[x] == group) & (table[hue] == arm)][y].to_numpy()
            if len(runs) == 0:
                continue
            at = g + (a - (len(arms) - 1) / 2) * 0.8 / len(arms)
            spread = np.linspace(-0.05, 0.05, len(runs))
            ax.plot(at + spread, runs, ".", color=colour, alpha=0.35, markersize=5)
            mean, low, high = mean_interval(runs)
            if percent:
                low, high = max(low, 0.0), min(high, 100.0)
            label = arm if g == 0 else None
            error = [[mean - low], [high - mean]]
            ax.errorbar(at, mean, error, fmt=marker, color=colour, capsize=4, markersize=7, label=label)
            words.append(f"{group}, {arm}: {mean:{digits}}{unit} [{low:{digits}}, {high:{digits}}], n = {len(runs)}")
    if reference is not None:
        ax.axhline(scale * reference[1], color="#666666", linestyle="--", linewidth=1, label=reference[0])
        words.append(f"{reference[0]}: {scale * reference[1]:{digits}}{unit}")
    ax.set_xticks(range(len(groups)), groups)
    cut = " (cut at 0 and 100 %)" if percent else ""
    ax.set_xlabel(f"{x}\nmean and 95 % interval{cut}; each dot is one run")
    ax.set_ylabel((ylabel or y) + (" (%)" if percent else ""))
    _set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    show(fig, f"{title}. Means with 95 % intervals. " + "; ".join(words) + ".")


def differences(comparisons, *, title, xlabel, scale=1.0, margin=0.0, pairs=None):
    """One line per comparison: the paired difference, its interval, and the verdict in words beside it.

    comparisons  {name: Comparison}
    pairs        {name: differences of the single pairs} to draw as dots, or None
    scale        what to multiply by for display, such as 100 for points; margin is in the comparisons' own units
    """
    fig, ax = figure(8.0, 1.7 + 0.5 * len(comparisons))
    names, words = list(comparisons), []
    ax.axvline(0, color="#666666", linewidth=1)
    if margin:
        ax.axvspan(-scale * margin, scale * margin, color="#dddddd", zorder=0, label="too small to matter")
    styles = {"better": 0, "worse": 1, "equivalent": 2, "inconclusive": 6}
    for k, (name, result) in enumerate(comparisons.items()):
        style = styles[result.verdict]
        mean, low, high = (scale * value for value in (result.mean, result.low, result.high))
        error = [[mean - low], [high - mean]]
        if pairs is not None:
            single = scale * np.asarray(pairs[name])
            ax.plot(single, np.full(len(single), k + 0.22), ".", color=COLOURS[style], alpha=0.5, markersize=6)
        ax.errorbar(mean, k, xerr=error, fmt=MARKERS[style], color=COLOURS[style], capsize=4, markersize=7)
        ax.annotate(
            result.verdict,
            (1.01, k),
            xycoords=("axes fraction", "data"),
            va="center",
            color=COLOURS[style],
            annotation_clip=False,
        )
        words.append(f"{name}: {mean:+.2f} [{low:+.2f}, {high:+.2f}], n = {result.n}, {result.verdict}")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    counts = sorted({result.n for result in comparisons.values()})
    dots = "; each dot is one pair" if pairs is not None else ""
    ax.set_xlabel(f"{xlabel}\nmean and 95 % interval of {' or '.join(map(str, counts))} pairs{dots}")
    _set_title(ax, title)
    show(fig, f"{title}. Paired differences with 95 % intervals, {xlabel}. " + "; ".join(words) + ".")


def matrix(values, names, *, title, xlabel, ylabel, alt):
    """A square table of shares in [0, 1] as shades of percent, each cell that rounds to 1 % or more with its number.

    values  [C, C], rows of `ylabel`, columns of `xlabel`
    alt     what there is to see, since a table of a hundred numbers read aloud is no help
    """
    values = 100 * np.asarray(values)
    fig, ax = figure(7.4, 6.0)
    image = ax.imshow(values, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(values.shape):
        share = values[row, column]
        if share >= 0.5:
            colour = "white" if share > 50 else "black"
            ax.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    _set_title(ax, title)
    fig.colorbar(image, ax=ax, shrink=0.8, label="%")
    show(fig, f"{title}. {alt}")
