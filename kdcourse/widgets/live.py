"""Live training: release the slider, and a handful of students is trained and compared while you wait."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import ipywidgets

from kdcourse._arguments import integer
from kdcourse.data import DataSet
from kdcourse.stats import compare
from kdcourse.widgets import _points, _students
from kdcourse.widgets._points import paragraphs, render


def live(
    data: DataSet,
    *,
    control: str,
    values: Iterable[float],
    settings: Mapping[str, Any],
    against: Mapping[str, Any],
    epochs: int,
    batch_size: int = 64,
    repeats: int = 8,
    start: float | None = None,
    description: str | None = None,
    device: str = "auto",
) -> ipywidgets.VBox:
    """A widget that trains students at the value chosen, and shows by how much they beat a baseline, or do not.

    Parameters
    ----------
    data : DataSet
        With teacher logits. Accuracy is on the first 5,000 validation examples; the test split is not looked at.
    control : str
        The column of `grid` that the slider sets: "temperature", "soft_weight" or "width".
    values : iterable of float
        Its values, in the order of the slider and of the x axis.
    settings : dict
        Other columns of `grid`, each with one value.
    against : dict
        The columns in which the baseline differs, such as ``{"soft_weight": 0, "temperature": 1}``. It follows the
        slider too, unless it overrides that column.
    epochs, batch_size, device
        As in `sweep`.
    repeats : int
        Pairs of students, >= 2; a pair shares its init_seed: 0, 1, ..., repeats - 1.
    start : float, optional
        The value that is trained at once; otherwise the first.
    description : str, optional
        What the control is called; otherwise as its column.

    Returns
    -------
    ipywidgets.VBox
        Slider, picture and words. Its `.results` is {value: Comparison}, in points of accuracy, of the values tried so
        far; nothing is trained twice.

    Raises
    ------
    TypeError, ValueError
        The message names the argument. What goes wrong in training is said in the words instead.

    Notes
    -----
    All students see the same order of batches, so the intervals speak only of the luck in the initial weights.

    Examples
    --------
    >>> import torch
    >>> from kdcourse.data import Split
    >>> split = Split(torch.tensor([0, 1] * 8), torch.eye(2).repeat(8, 1), inputs=torch.eye(2).repeat(8, 1))
    >>> box = live(
    ...     DataSet("tiny", split, split, split, class_names=("a", "b")),
    ...     control="temperature", values=[1, 4], settings={"width": 3}, against={"soft_weight": 0},
    ...     epochs=1, repeats=2,
    ... )
    >>> box.children[0].value = 4
    >>> list(box.results)
    [1, 4]
    """
    if not isinstance(data, DataSet):
        raise TypeError(f"data must be a DataSet, got {type(data).__name__}")
    how = {"epochs": integer("epochs", epochs, at_least=1), "device": device}
    how["batch_size"] = integer("batch_size", batch_size, at_least=1)
    pairs = _students.pairs(control, list(values), settings, against, integer("repeats", repeats, at_least=2))
    start = next(iter(pairs)) if start is None else start
    if start not in pairs:
        raise ValueError(f"start must be one of {', '.join(map(str, pairs))}; got {start!r}")
    data = replace(data, validation=data.validation[:5000], test=data.validation[:8])
    name, baseline = description or control.replace("_", " "), _students.title(against)
    kept, results, said = {}, {}, {}

    slider = ipywidgets.SelectionSlider(
        options=[(f"{value:g}", value) for value in pairs],
        value=start,
        description=name,
        continuous_update=False,
        style={"description_width": "initial"},
    )
    image, words = ipywidgets.Image(format="png"), ipywidgets.HTML()
    fig, ax = _points.axes(list(pairs), name, baseline, repeats)

    def train(value):
        started = time.perf_counter()
        missing = {key: table for key, table in pairs[value] if key not in kept}
        if missing:
            kept.update(_students.train(missing, data, **how))
        arm, other = (key for key, _ in pairs[value])
        results[value] = result = compare(kept[arm], kept[other])
        seconds = time.perf_counter() - started
        verdict = "this is the baseline itself." if arm == other else f"{result.verdict}. {result.note}".strip()
        said[value] = (
            f"{name} {value:g}: {result.mean:+.2f} points [{result.low:+.2f}, {result.high:+.2f}] against {baseline} "
            f"({result.n} pairs, {seconds:.1f} s): {verdict}"
        )

    def move(_=None):
        value, trouble = slider.value, None
        if value not in results:
            words.value = paragraphs(f"{name} {value:g}: training …")
            try:
                train(value)
            except KeyboardInterrupt:
                words.value = paragraphs(f"{name} {value:g}: interrupted. Move the slider to train again.")
                raise
            except Exception as error:
                trouble = f"{name} {value:g} could not be trained. {type(error).__name__}: {error}"
        _points.draw(ax, list(pairs), results, value)
        image.value = render(fig)
        lines = [trouble or said[value], *(said[other] for other in pairs if other in said and other != value)]
        if len(said) > 1:
            lines.append("Each interval is for one value chosen beforehand: the best of several looks too good.")
        words.value = paragraphs(*lines)

    slider.observe(move, names="value")
    move()
    box = ipywidgets.VBox([slider, image, words])
    box.results = results
    return box
