"""Pictures of garments, and what the teacher says about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from kdcourse.plots.base import COLOURS, figure, looks, show

if TYPE_CHECKING:  # torch, which a figure of numbers does not need
    from numpy.typing import ArrayLike

    from kdcourse.data import DataSet


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

    Examples
    --------
    >>> from kdcourse.data import load
    >>> picks(load("fashion-mnist"), {"soft": [0, 1], "hard": [2, 3]}, "sneaker", title="Neither finds one")
    [figure] Neither finds one. The pictures picked as sneaker. soft: ankle boot, pullover; hard: trouser, trouser.
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
    temperatures: tuple[float, float] = (1.0, 4.0),
    *,
    title: str,
    split: str = "validation",
) -> None:
    """Pictures, and under each what the teacher says about it, at two temperatures side by side.

    Parameters
    ----------
    data_set : DataSet
        Of square pictures, with teacher logits.
    examples : iterable of int
        Indices into the split.
    temperatures : (float, float)
        > 0. Numbers stand beside the bars of the second.
    title : str
        The finding.
    split : str
        "train", "validation" or "test".

    Examples
    --------
    >>> from kdcourse.data import load
    >>> predictions(load("fashion-mnist"), [0], title="A boot, and nothing else")  # doctest: +ELLIPSIS
    [figure] A boot, and nothing else. The teacher's probabilities: label ankle boot, T = 1: ankle boot 1.00, ...
    """
    from kdcourse.losses import soften

    part, side, names = _chosen(data_set, examples, split)
    fig, axes = figure(max(4.0, 2.7 * len(part)), 6.2, nrows=2, ncols=len(part), squeeze=False, height_ratios=[1, 2])
    words = []
    for k in range(len(part)):
        axes[0, k].imshow(part.inputs[k].view(side, side).numpy(), cmap="gray_r")
        axes[0, k].set_title(f"label: {names[int(part.labels[k])]}", fontsize=11)
        axes[0, k].axis("off")
        for place, T, colour in zip((-0.2, 0.2), temperatures, ("#999999", COLOURS[0]), strict=True):
            row = soften(part.teacher_logits[k : k + 1], T)[0].numpy()
            where = [c + place for c in range(len(names))]
            bars = axes[1, k].barh(where, row, height=0.4, color=colour, label=f"T = {T:g}")
            axes[1, k].bar_label(bars, [f"{p:.2f}" if p >= 0.005 else "" for p in row], padding=2, fontsize=8)
            ranked = ", ".join(f"{names[c]} {row[c]:.2f}" for c in row.argsort()[::-1][:3])
            words.append(f"label {names[int(part.labels[k])]}, T = {T:g}: {ranked}")
        axes[1, k].set_xlim(0, 1.2)
        axes[1, k].set_xlabel("probability")
        axes[1, k].invert_yaxis()
        axes[1, k].set_yticks(range(len(names)), [] if k else names)
    fig.legend(*axes[1, 0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2)
    fig.suptitle(title, fontsize=12)
    show(fig, f"{title}. The teacher's probabilities: " + "; ".join(words) + ".")


def recognised(data_set: DataSet, class_name: str, called: Mapping[str, ArrayLike], *, title: str) -> None:
    """The first test pictures of a class, once for each student: framed if it calls them by their name, else faded.

    Parameters
    ----------
    data_set : DataSet
        Of square pictures.
    class_name : str
    called : {student: int [N]}
        The class that a student names for each of all test pictures.
    title : str
        The finding.

    Examples
    --------
    >>> from kdcourse.data import load
    >>> garments = load("fashion-mnist")
    >>> recognised(garments, "bag", {"the label": garments.test.labels}, title="A label knows")  # doctest: +ELLIPSIS
    [figure] A label knows. Test pictures of the class bag that are called so, the label: 100% of 1,000.
    """
    from matplotlib.patches import Rectangle

    label, columns = data_set.class_index(class_name), 12
    own = (data_set.test.labels == label).nonzero().flatten()
    part, side, _ = _chosen(data_set, own[: 2 * columns].tolist(), "test")
    shades = part.inputs - part.inputs.min()  # 0 is the background
    fig, axes = figure(8.0, 0.4 + 1.65 * len(called), nrows=len(called), squeeze=False)
    words = []
    for ax, (student, named) in zip(axes.flat, called.items(), strict=True):
        right = np.asarray(named)[own.numpy()] == label
        words.append(f"{student}: {right.mean():.0%} of {len(right):,}")
        for k, pixels in enumerate(shades):
            left, top = side * (k % columns), side * (k // columns)
            shade = pixels.view(side, side).numpy() * (1.0 if right[k] else 0.2)
            place = (left, left + side, top + side, top)
            ax.imshow(shade, cmap="gray_r", vmin=0, vmax=float(shades.max()), extent=place)
            if right[k]:
                frame = Rectangle((left + 1, top + 1), side - 2, side - 2, fill=False, linewidth=2)
                frame.set_edgecolor(COLOURS[0])
                ax.add_patch(frame)
        ax.set(xlim=(0, side * columns), ylim=(2 * side, 0))
        ax.axis("off")
        ax.set_title(words[-1], fontsize=11, loc="left")
    fig.suptitle(title, fontsize=12)
    show(fig, f"{title}. Test pictures of the class {class_name} that are called so, {'; '.join(words)}.")


def strips(rows: Mapping[str, tuple[ArrayLike, Iterable[str]]], *, title: str) -> None:
    """A row of pictures for each name, and under each picture what it is called.

    Parameters
    ----------
    rows : {name: (square pictures [K, D], K captions)}
        The same K in each.
    title : str
        The finding.

    Examples
    --------
    >>> strips({"noise": (np.eye(4).reshape(1, 16), ["bag"])}, title="Noise is a bag")
    [figure] Noise is a bag. Pictures, and what they are called. noise: bag.
    """
    pairs = {
        name: list(zip(np.asarray(pictures), captions, strict=True)) for name, (pictures, captions) in rows.items()
    }
    columns = max(map(len, pairs.values()))
    fig, axes = figure(1.9 + 0.85 * columns, 0.5 + 1.0 * len(rows), nrows=len(rows), ncols=columns, squeeze=False)
    words = []
    for own, (name, strip) in zip(axes, pairs.items(), strict=True):
        for ax, (picture, caption) in zip(own, strip, strict=True):
            side = int(len(picture) ** 0.5)
            ax.imshow(picture.reshape(side, side), cmap="gray_r", interpolation="nearest")  # noise packs better so
            ax.set_xlabel(caption, fontsize=8, labelpad=2)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(visible=True, color="#dddddd")
        style = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 10}
        own[0].set_ylabel(name, **style)
        words.append(f"{name}: {', '.join(caption for _, caption in strip)}")
    fig.suptitle(title, fontsize=12, x=0.01, ha="left")
    show(fig, f"{title}. Pictures, and what they are called. {'; '.join(words)}.")


def _chosen(data_set, examples, split):
    import torch

    part = getattr(data_set, split)[torch.as_tensor(list(examples))]
    return part, int(part.inputs.shape[1] ** 0.5), data_set.class_names
