"""What the experiments chose on validation data, kept in their records: measuring again need not search again."""

import datetime
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any


class Choices:
    """The choices of one experiment: those that its record holds are taken, all others are searched for.

    Parameters
    ----------
    known : iterable of dict
        As `made` lists them.

    Attributes
    ----------
    made : list of dict
        What was asked for, in order: `what` was chosen (in words), `among` what, what was `chosen`, and its `date`.

    Examples
    --------
    >>> first = Choices()
    >>> first({"rate": [0.1, 1]}, lambda missing: [0.1 for _ in missing])
    [0.1]
    >>> again = Choices(first.made)
    >>> again({"rate": [0.1, 1]}, lambda missing: 1 / len(missing))  # nothing is missing
    [0.1]
    """

    def __init__(self, known: Iterable[dict] = ()):
        self.made: list[dict] = []
        self._known = [*known]

    def __call__(self, asked: Mapping[str, Any], search: Callable[[list[str]], Iterable]) -> list:
        """What was chosen for each of {what: among what}; `search` gets those that are not known, and chooses for each.

        Raises
        ------
        ValueError
            If the same was asked for before: two searches of an experiment must not share a choice.
        """
        wanted = _as_stored(asked)
        for what, among in wanted.items():
            if _find(self.made, what, among):
                raise ValueError(f"asked must be new to this experiment, got {what!r} twice, among {among}")
        found = {what: _find(self._known, what, among) for what, among in wanted.items()}
        missing = [what for what, one in found.items() if one is None]
        today = str(datetime.date.today())
        for what, chosen in zip(missing, search(missing) if missing else (), strict=True):
            found[what] = {"what": what, "among": wanted[what], "chosen": _as_stored(chosen), "date": today}
        self.made += found.values()
        return [one["chosen"] for one in found.values()]


def _as_stored(value):
    return json.loads(json.dumps(value, default=lambda number: number.item()))


def _find(choices, what, among):
    return next((one for one in choices if (one["what"], one["among"]) == (what, among)), None)
