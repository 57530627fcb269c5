"""What a loss asks of every logit, at several temperatures, for one picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from kdcourse.plots.base import COLOURS, figure, show, signed

if TYPE_CHECKING:  # torch, which a figure of numbers does not need
    from kdcourse.data import DataSet

GREY = "#9AA3AD"


def pulls(
    data_set: DataSet,
    example: int,
    by_temperature: Mapping[float, ArrayLike],
    *,
    title: str,
    marked: int | None = None,
    split: str = "validation",
) -> None:
    """A picture, and beside it the pull on each logit, in a panel for each temperature.

    Parameters
    ----------
    data_set : DataSet
        Of square pictures.
    example : int
        Index into the split.
    by_temperature : {T: [C]}
        Minus the gradients: what is positive raises a logit.
    title : str
        The finding.
    marked : int, optional
        The class that it is about.
    split : str
        "train", "validation" or "test".

    Examples
    --------
    >>> import torch
    >>> from kdcourse.data import DataSet, Split
    >>> split = Split(torch.tensor([0]), torch.zeros(1, 2), inputs=torch.zeros(1, 4))
    >>> one = DataSet("tiny", split, split, split, class_names=("hat", "sock"))
    >>> pulls(one, 0, {1: [0.5, -0.5], 10: [-1.0, 1.0]}, title="It turns", marked=0)
    [figure] It turns. A hat. T = 1: hat +0.50, sock −0.50. T = 10: hat −1.00, sock +1.00.
    """
    part, names = getattr(data_set, split), data_set.class_names
    side, label = int(part.inputs.shape[1] ** 0.5), names[int(part.labels[example])]
    columns = 1 + len(by_temperature)
    fig, axes = figure(9.2, 3.7, ncols=columns, width_ratios=[0.75, *[1] * len(by_temperature)])
    axes[0].imshow(part.inputs[example].view(side, side).numpy(), cmap="gray_r")
    axes[0].set_title(f"label: {label}", fontsize=11)
    axes[0].axis("off")
    reach = 1.1 * max(np.abs(np.asarray(values)).max() for values in by_temperature.values())
    said = [f"A {label}"]
    for ax, (temperature, values) in zip(axes[1:], by_temperature.items(), strict=True):
        values = np.asarray(values)
        bars = ax.barh(names, values, color=[COLOURS[1] if c == marked else GREY for c in range(len(names))])
        ax.axvline(0, color="#666666", linewidth=1)
        ax.set_xlim(-reach, reach)
        ax.invert_yaxis()
        ax.set_title(f"T = {temperature:g}", fontsize=11)
        ax.set_xlabel("← lowers   raises →")
        if ax is not axes[1]:
            ax.set_yticklabels([])
        if marked is not None:
            labels = [signed(value) if c == marked else "" for c, value in enumerate(values)]
            ax.bar_label(bars, labels, padding=3, fontsize=9)
        written = ", ".join(f"{name} {signed(value)}" for name, value in zip(names, values, strict=True))
        said.append(f"T = {temperature:g}: {written}")
    fig.suptitle(title, x=0.01, ha="left", fontsize=12)
    show(fig, f"{title}. " + ". ".join(said) + ".")
