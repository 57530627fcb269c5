"""The tables of workshop/classroom.md, and the values for Zero to JupyterHub, against what was measured."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import classroom_tables  # noqa: E402

MEASURED = json.loads((ROOT / "benchmarks" / "results" / "classroom.json").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((ROOT / "workshop" / "zero-to-jupyterhub.yaml").read_text(encoding="utf-8"))


def runs(*waits):
    return [{"learners": 2**k, "median_wait_seconds": wait} for k, wait in enumerate(waits)]


@pytest.mark.parametrize("waits", [(10, 11, 24, 50), (10, 19.9, 20.1), (10, 12, 20, 31)])
def test_the_wait_doubles_between_the_runs_around_it(waits):
    learners = [2**k for k in range(len(waits))]
    assert classroom_tables.doubling(runs(*waits)) == pytest.approx(np.interp(20, waits, learners))


def test_a_wait_that_never_doubles_has_no_number():
    assert classroom_tables.doubling(runs(10, 12, 19)) is None


def test_the_class_that_fits_fits_and_one_more_does_not():
    each = classroom_tables.gigabytes(MEASURED)["02"]
    fixed = classroom_tables.SYSTEM + MEASURED["together"][-1]["megabytes"]["hub"] / 1000
    learners = classroom_tables.fit(MEASURED, 24, each)
    assert fixed + learners * each <= 24 < fixed + (learners + 1) * each


def test_sizes_that_nobody_measured_say_so():
    largest = max(run["learners"] for run in MEASURED["together"])
    assert max(classroom_tables.CLASSES) > largest
    assert "**Extrapolated**" in classroom_tables.sizing()


def test_every_learner_of_every_run_ran_every_cell():
    steps = [run for name in ("together", "whole", "settings", "own pace") for run in MEASURED.get(name, [])]
    assert {len(run["cell_seconds"]) for run in steps} == {len(MEASURED["together"][0]["cell_seconds"])}
    assert all(min(run["cell_seconds"]) > 0 for run in steps)


def test_a_learner_on_kubernetes_is_promised_what_lesson_02_takes_and_allowed_what_the_heaviest_does():
    need = classroom_tables.gigabytes(MEASURED)
    promised, allowed = (
        float(VALUES["singleuser"]["memory"][name].removesuffix("G")) for name in ("guarantee", "limit")
    )
    assert need["02"] <= promised
    assert need["heaviest"] <= allowed
    assert VALUES["singleuser"]["extraEnv"]["OMP_NUM_THREADS"] == "1"
