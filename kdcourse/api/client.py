"""Asking an API: each answer once, none of them lost, and a look at the version now and then."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import torch

from kdcourse import store
from kdcourse._arguments import bad_value, integer
from kdcourse.api.reading import targets, version_changed
from kdcourse.api.simulated import REFUSAL, Answer, SimulatedAPI

LEVEL = 0.01  # how often an API that stays as it is is said to have changed, all checks together (Bonferroni)


class Client:
    """Asks an API, keeps each answer on disk, and counts what was paid.

    Parameters
    ----------
    api
        With `ask(split, row, call) -> Answer`, `key` and `data`: a `SimulatedAPI`, or yours.
    path : str or Path, optional
        Of the answers, one line of JSON each; left out, a file in this user's cache that is named by `api.key`.

    Attributes
    ----------
    answers : dict
        (split, row, repetition): its Answer, in the order of the calls.
    checks : list of dict
        Of the last `until_changed`: rows asked so far, the p-value, its limit, and whether it is below that.

    Examples
    --------
    >>> import tempfile
    >>> from kdcourse.data import DataSet, Split
    >>> part = Split(torch.tensor([1]), torch.tensor([[0.0, 4.0]]), inputs=torch.zeros(1, 1))
    >>> task = DataSet("mails", part, part, part, class_names=("ham", "spam"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     client = Client(SimulatedAPI(task), f"{folder}/answers.jsonl")
    ...     same = client("test", [0]) == client("test", [0])
    >>> same, len(client.answers)
    (True, 1)

    One of your own:

    >>> class Mine:
    ...     key, data = "mine-2026-11", task  # the version that you buy; answers are kept under its name
    ...
    ...     def ask(self, split, row, call):
    ...         mail = getattr(self.data, split).inputs[row]
    ...         said = "spam" if mail.sum() > 0 else "ham"  # here, send the mail and read what comes back
    ...         return Answer(f"It is {said}.", {said: -0.2}, price=0.001)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Client(Mine(), f"{folder}/answers.jsonl")("test", [0])[0].text
    'It is ham.'
    """

    def __init__(self, api: SimulatedAPI, path: str | Path | None = None) -> None:
        self.api = api
        self.path = store.cache_folder("api") / f"{api.key}.jsonl" if path is None else Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # what a killed process left behind is no answer
        if whole != text:
            self.path.write_text(whole, encoding="utf-8")
        self.checks: list[dict] = []
        lines = map(json.loads, whole.splitlines())
        self.answers = {(line["split"], line["row"], line["repetition"]): Answer(**line["answer"]) for line in lines}

    def __call__(self, split: str, rows: Iterable[int], repetition: int | str = 0) -> list[Answer]:
        """The answers about these rows of a split; what has been asked before is not asked again.

        A canary is asked again, and paid again, under another `repetition`: a number, or the name of a check.
        """
        keys = [(split, int(row), repetition) for row in rows]
        with open(self.path, "a", encoding="utf-8", buffering=1) as file:  # a line at a time: paid is kept
            for key in keys:
                if key not in self.answers:
                    answer = self.api.ask(split, key[1], call=len(self.answers))
                    line = {"split": split, "row": key[1], "repetition": repetition, "answer": answer._asdict()}
                    file.write(json.dumps(line) + "\n")
                    self.answers[key] = answer
        return [self.answers[key] for key in keys]

    def until_changed(
        self, split: str, *, canaries: Sequence[int], check_every: int = 250, rest: str = "spread"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ask about a whole split, and stop when the canaries find another version.

        Parameters
        ----------
        split : str
        canaries : sequence of int
            Rows of validation, of which an answer is there; asked again before the first call, and after every so many.
            What they say at a check is kept under the split and the number of its rows that are asked by then.
        check_every : int
            Calls between two checks. What was asked since the last check that found nothing is thrown away.
        rest : str
            Of `targets`.

        Returns
        -------
        logits : Tensor [N, C]
        kept : bool Tensor [N]
            False for what was refused or unclear, thrown away or not asked.

        Raises
        ------
        ValueError
            For a `check_every` that is no count, and for so few canaries with an answer that no change could be found.
        """
        names, rows = self.api.data.class_names, range(len(getattr(self.api.data, split)))
        asked, starts = [], range(0, len(rows), integer("check_every", check_every, at_least=1))
        limit = LEVEL / max(len(starts), 1)
        first = targets(self("validation", canaries), names)
        count, needed = int(first[1].sum()), math.floor(-math.log2(limit)) + 1
        if count < needed:  # the smallest p-value of K canaries is 2^-K, where each lies further off
            checks = f"{len(starts)} check{'s' * (len(starts) != 1)}"
            raise bad_value(
                "canaries", f"must be at least {needed} rows of validation with an answer for {checks}, got {count}"
            )
        second = targets(self("validation", canaries, 1), names)
        self.checks, self._watched = [], split
        for start in starts:
            block = self(split, rows[start : start + check_every])
            later = targets(self("validation", canaries, f"{split} {start + len(block)}"), names)
            all_three = first[1] & second[1] & later[1]
            p = version_changed(*(logits[all_three] for logits, _ in (first, second, later)))
            self.checks.append({"rows": start + len(block), "p": p, "limit": limit, "changed": p < limit})
            if self.checks[-1]["changed"]:
                break
            asked += block
        logits, kept = targets(asked, names, rest=rest)
        missing = len(rows) - len(kept)
        pad = torch.nn.functional.pad
        return pad(logits, (0, 0, 0, missing)), pad(kept, (0, missing))

    @property
    def ledger(self) -> pd.DataFrame:
        """What was asked and paid: a row per split, and one for the canaries; calls, refused, unclear, paid.

        Unclear is an answer that was not refused and of which `targets` makes nothing.
        """
        rows = [
            {
                "asked": "canaries, again" if repetition else split,
                "calls": 1,
                "refused": (missing := self._missing(answer)) == "refused",
                "unclear": missing == "unclear",
                "paid": answer.price,
            }
            for (split, _, repetition), answer in self.answers.items()
        ]
        return pd.DataFrame(rows, columns=["asked", "calls", "refused", "unclear", "paid"]).groupby("asked").sum()

    def _missing(self, answer):
        if not answer.logprobs and answer.text == REFUSAL:
            return "refused"
        return "" if targets([answer], self.api.data.class_names)[1].item() else "unclear"

    def gaps(self, split: str = "test") -> list[str]:
        """What these answers leave out, as sentences for a memo: what was refused or unclear, and a new version.

        Parameters
        ----------
        split : str
            Whose refused and unclear answers are counted, by the examples' labels.

        Returns
        -------
        list of str
            Empty where nothing is left out.
        """
        data = self.api.data
        labels = getattr(data, split).labels.tolist()
        found = [
            (self._missing(answer), data.class_names[labels[row]])
            for (where, row, repetition), answer in self.answers.items()
            if where == split and not repetition
        ]
        said = []
        for why in ("refused", "unclear"):
            counts = Counter(name for missing, name in found if missing == why)
            listed = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
            said += [f"{counts.total():,} {split} examples whose answer was {why}: {listed}."] if counts else []
        if self.checks and self.checks[-1]["changed"]:
            asked, clean = self.checks[-1]["rows"], ([0] + [check["rows"] for check in self.checks])[-2]
            total = len(getattr(data, self._watched))
            said.append(
                f"The teacher's new version, found after {asked:,} of {total:,} {self._watched} examples; "
                f"{asked - clean:,} answers were thrown away."
            )
        return said
