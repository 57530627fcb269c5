"""The table of lesson 08's arms, from stored comparisons: each arm once, and every difference on the same side."""

from types import SimpleNamespace

import pytest

from kdcourse.claims import spoken


def stored(a, b, mean, low, high, setting="cmudict"):
    """A part of two arms, (name, {metric: mean}) each, as it is kept: the first metric and, beside it, the others."""
    sides = {"a": a, "b": b}
    first, *others = [
        {"metric": metric, "arms": {side: one[1][metric] for side, one in sides.items()}} for metric in a[1]
    ]
    arms = {side: {"name": one[0], "mean": first["arms"][side]} for side, one in sides.items()}
    rare = {"metric": "phoneme accuracy, rare words", "arms": {"a": 0.0, "b": 0.0}}
    interval = {"mean": mean, "low": low, "high": high, "n": 4}
    return {**first, **interval, "setting": setting, "key": {}, "arms": arms, "also": [*others, rare]}


def values(phonemes, words=0.5, likelihood=-1.0, calibration=-0.1, said=0.5):
    return {
        "phoneme accuracy": phonemes, "word accuracy": words, "log-likelihood": likelihood,
        "calibration": calibration, "pronunciations said": said,
    }  # fmt: skip


@pytest.fixture
def ledger(monkeypatch):
    soft, few = ("soft targets", values(0.9)), ("1 sample", values(0.8, words=0.25, calibration=-0.2))
    own = ("on-policy", values(0.95, likelihood=-2.0))
    longer = stored(("soft targets for longer", values(0.99)), ("pseudo-labels of more words", values(0.98)), 1, 0, 2)
    garments = stored(("CNN", {"accuracy": 1}), ("MLP", {"accuracy": 0}), 1, 0, 2, "fashion-mnist")
    results = {
        "first": {"parts": [stored(soft, few, 10.0, 9.0, 11.0), garments, longer]},
        "second": {"parts": [stored(own, soft, 5.0, 4.0, 6.0), stored(own, few, 15.0, 14.0, 16.0)]},
    }
    monkeypatch.setattr(spoken, "CLAIMS", [SimpleNamespace(name=name) for name in ("first", "second", "third")])
    monkeypatch.setattr(spoken, "result", results.get)


def test_every_arm_stands_once_with_all_that_is_measured_the_best_first(ledger):
    table = spoken.measured_arms()
    assert list(table.index) == ["on-policy", "soft targets", "1 sample"]
    assert table["phonemes right, %"].tolist() == pytest.approx([95.0, 90.0, 80.0])
    assert table["words right, %"].tolist() == pytest.approx([50.0, 50.0, 25.0])
    assert table["log-likelihood, nats"].tolist() == [-2.0, -1.0, -1.0]
    assert table["calibration error, points"].tolist() == pytest.approx([10.0, 10.0, 20.0])
    assert table["pronunciations said, %"].tolist() == [50.0] * 3
    assert table.iloc[:, 5].tolist() == ["+5.0 [+4.0, +6.0]", "", "−10.0 [−11.0, −9.0]"]
    assert table["verdict"].tolist() == ["better", "", "worse"]


def test_differences_are_all_taken_from_soft_targets(ledger):
    found = spoken.against_soft_targets()
    assert {name: (one.mean, one.low, one.high, one.verdict) for name, one in found.items()} == {
        "1 sample": (-10.0, -11.0, -9.0, "worse"),
        "on-policy": (5.0, 4.0, 6.0, "better"),
    }
