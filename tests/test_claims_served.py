"""What the benchmark of shipping has stored, as lesson 09 shows it: every number is the stored one, rounded."""

import pytest

from kdcourse import store
from kdcourse.claims import served

WAITS = {"p50_ms": 0.01234, "p95_ms": 0.02, "p99_ms": 0.5}


def row(model, **more):
    right = {"accuracy": 0.8456, "low": 0.84, "high": 0.8512, "examples": 10_000}
    return {"model": model, "bytes": 207_981, "worst": {"class": "Shirt"} | right | {"accuracy": 0.6}} | right | more


@pytest.fixture(autouse=True)
def stored(tmp_path, monkeypatch):
    monkeypatch.setenv("KDCOURSE_COURSE", str(tmp_path))
    timed = {"batch 1": WAITS, "batch 64": WAITS | {"p50_ms": 0.0254}}
    students = [f"{kind}, {how}" for kind in ("MLP", "CNN") for how in ("labels", "half cut, int8 dynamic")]
    garments = [row(name, **timed) for name in ["teacher", *students, "MLP, half cut, int8 static"]]
    ways = [{"way": "torchao, int8", "batch 1": 3.0, "batch 64": 4.0}]
    ways += [{"way": "ONNX Runtime, MLP, distilled", "batch 1": 2.0, "batch 64": 8.0}]
    found = {"settings": {"fashion-mnist": garments, "glosses": [row("teacher")]}, "other ways": {"median_ms": ways}}
    store.save_json(tmp_path / "benchmarks/results/ship.json", found)


def test_the_table_has_the_students_of_one_kind_and_one_method_in_their_order():
    table = served.served()
    models = [("fashion-mnist", name) for name in ("teacher", "labels", "half cut, int8")]
    assert table.index.tolist() == [*models, ("glosses", "teacher")]
    assert table.loc["fashion-mnist", "labels"].to_dict() == {
        "KB": 208, "ms, 1": 0.012, "ms, 64": 0.025, "right": "84.6 [84.0, 85.1]", "worst class": "Shirt 60.0",
    }  # fmt: skip
    assert (table.loc["glosses", "teacher"] == "–").sum() == 2  # it ships as logits
    assert len(served.served("CNN")) == 4
    assert len(served.served(method="static")) == 4


def test_other_ways_are_indexed_by_their_names_and_compared_with_onnx_runtime_in_float32():
    assert served.other_ways().loc["torchao, int8"].to_dict() == {"batch 1": pytest.approx(2 / 3), "batch 64": 2}
