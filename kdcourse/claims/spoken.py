"""What the full run of lesson 08 says of each arm: what it gets right, and how far it is from soft targets."""

import pandas as pd

from kdcourse.claims.ledger import CLAIMS, result
from kdcourse.claims.verdicts import setting_of
from kdcourse.claims.ways import BUDGET, WAYS
from kdcourse.plots.base import signed
from kdcourse.stats import Comparison

SETTING, REFERENCE = "cmudict", "soft targets"
# A metric of the ledger, in which more is better -> what a reader is told, and how it is made of that.
TOLD = {
    "phoneme accuracy": ("phonemes right, %", lambda value: 100 * value),
    "word accuracy": ("words right, %", lambda value: 100 * value),
    "log-likelihood": ("log-likelihood, nats", lambda value: value),
    "calibration": ("calibration error, points", lambda value: -100 * value),
    "pronunciations said": ("pronunciations said, %", lambda value: 100 * value),
}


def measured_arms() -> pd.DataFrame:
    """Every arm of the full run on words, the best first: means over blocks, on test.

    Returns
    -------
    DataFrame
        Indexed by arm: phonemes right and words right (percent), log-likelihood (nats per token of a listed
        pronunciation), calibration error (points), and of words with several pronunciations the share that is among 16
        samples (percent). Then in words what is compared with soft targets: the difference in phonemes right, with its
        interval, and the verdict. Empty, if there was no such run.

    Examples
    --------
    >>> measured_arms().columns[0]
    'phonemes right, %'
    """
    rows: dict[str, dict[str, float]] = {}
    for part in _parts():
        for one in (part, *part["also"]):
            if one["metric"] not in TOLD:  # a slice
                continue
            name, told = TOLD[one["metric"]]
            for side, arm in part["arms"].items():
                mean = one["arms"][side]
                rows.setdefault(arm["name"], {})[name] = told(mean["mean"] if isinstance(mean, dict) else mean)
    columns = [name for name, _ in TOLD.values()]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).sort_values(columns[0], ascending=False)
    against = against_soft_targets()
    pairs = [against.get(name) for name in table.index]
    table["against soft targets, points"] = [
        f"{signed(one.mean, 1)} [{signed(one.low, 1)}, {signed(one.high, 1)}]" if one else "" for one in pairs
    ]
    table["verdict"] = [one.verdict if one else "" for one in pairs]
    return table


def against_soft_targets() -> dict[str, Comparison]:
    """{arm: phonemes that it gets right more often than soft targets do, in points, with its interval}, best first.

    Examples
    --------
    >>> "soft targets" in against_soft_targets()
    False
    """
    found = {}
    for part in _parts():
        names = [part["arms"][side]["name"] for side in "ab"]
        if REFERENCE not in names:
            continue
        sign = 1 if names[1] == REFERENCE else -1
        low, high = sorted(sign * part[end] for end in ("low", "high"))
        verdict = "better" if low > 0 else "worse" if high < 0 else "inconclusive"
        found[names[names[0] == REFERENCE]] = Comparison(sign * part["mean"], low, high, part["n"], verdict)
    return dict(sorted(found.items(), key=lambda one: -one[1].mean))


def _parts():
    """Those of arms that spend the same; some of the ledger's spend more, and belong into no table with the others."""
    for claim in CLAIMS:
        for part in (result(claim.name) or {"parts": []})["parts"]:
            if setting_of(part) == SETTING and all(WAYS[arm["name"]].budget == BUDGET for arm in part["arms"].values()):
                yield part
