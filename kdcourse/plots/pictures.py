"""Pictures of garments, and what the teacher says about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kdcourse.plots.base import COLOURS, figure, looks, show

if TYPE_CHECKING:  # torch, which a figure of numbers does not need
    from kdcourse.data import DataSet


def pictures(data_set: DataSet, examples: Iterable[int], split: str = "validation") -> None:
    """Pictures and their labels, side by side.

    Parameters
    ----------
    data_set : DataSet
        Of square pictures.
    examples : iterable of int
        Indices into the split.
    split : str
        "train", "validation" or "test".
    """
    part, side, names = _chosen(data_set, examples, split)
    fig, axes = figure(max(4.0, 2.0 * len(part)), 2.4, ncols=len(part), squeeze=False)
    labels = [names[int(label)] for label in part.labels]
    for ax, pixels, label in zip(axes.flat, part.inputs, labels, strict=True):
        ax.imshow(pixels.view(side, side).numpy(), cmap="gray_r")
        ax.set_title(label, fontsize=11)
        ax.axis("off")
    show(fig, f"{len(part)} pictures of {side} by {side} pixels, labelled {', '.join(labels)}.")


def picks(data_set: DataSet, chosen: Mapping[str, Iterable[int]], wanted: str, *, title: str) -> None:
    """A row of test pictures for each arm, those it picked as one class: the right ones framed, the others faint.

    Parameters
    ----------
    data_set : DataSet
        Of square pictures.
    chosen : {arm: indices into the test split}
    wanted : str
        Name of the class that was asked for.
    title : str
        The finding.
    """
    label, words = data_set.class_index(wanted), []
    rows = {arm: _chosen(data_set, examples, "test") for arm, examples in chosen.items()}
    many = max(len(part) for part, _, _ in rows.values())
    fig, axes = figure(0.75 * many, 0.8 + 1.1 * len(rows), nrows=len(rows), ncols=many, squeeze=False)
    for own, (arm, (part, side, names)), (colour, _) in zip(axes, rows.items(), looks(list(rows)), strict=True):
        right = part.labels == label
        for ax, pixels, of, good in zip(own, part.inputs, part.labels, right, strict=False):
            ax.imshow(pixels.view(side, side).numpy(), cmap="gray_r", alpha=1.0 if good else 0.35)
            ax.set_xlabel("" if good else names[int(of)], fontsize=8, color="#666666")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(visible=True, color=colour if good else "#dddddd", linewidth=2.5 if good else 0.8)
        heading = f"{arm}: {int(right.sum())} of {len(part)}"
        # A title would make its column as wide as itself.
        style = {"color": colour, "fontweight": "bold", "fontsize": 12, "in_layout": False}
        own[0].text(0, 1.15, heading, transform=own[0].transAxes, **style)
        words.append(f"{arm}: {', '.join(names[int(of)] for of in part.labels)}")
    fig.set_layout_engine("constrained", hspace=0.1)
    fig.suptitle(title, fontsize=12, x=0.01, ha="left")
    show(fig, f"{title}. The pictures picked as {wanted}. {'; '.join(words)}.")


def predictions(
    data_set: DataSet,
    examples: Iterable[int],
    temperature: float = 1.0,
    *,
    title: str,
    split: str = "validation",
) -> None:
    """Pictures, and under each what the teacher says about it at a temperature.

    Parameters
    ----------
    data_set : DataSet
        Of square pictures, with teacher logits.
    examples : iterable of int
        Indices into the split.
    temperature : float
        > 0.
    title : str
        The finding.
    split : str
        "train", "validation" or "test".
    """
    from kdcourse.losses import soften

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
