"""Benchmarks run, and say what they found: as their users call them, never imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # whole benchmarks

ROOT = Path(__file__).resolve().parent.parent


def run(script, *arguments, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, str(ROOT / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_the_benchmark_of_stacks_checks_its_ways_and_writes_whole_tables(tmp_path):
    done = run("benchmarks/stack.py", "--quick", "--results", str(tmp_path), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    (numbers,), (page,) = tmp_path.glob("stack-cpu-*-quick.json"), tmp_path.glob("*.md")
    found = json.loads(numbers.read_text(encoding="utf-8"))
    rates = [row for block in found["widths"] for row in block["rates"]]
    assert {row["way"] for row in rates} == {
        "teacher in the loop", "cached logits", "resident", "vmap", "stack", "product",
    }  # fmt: skip
    assert all(len(row["rounds"]) == 1 and row["rounds"][0] > 0 for row in rates)
    text = page.read_text(encoding="utf-8")
    assert "quick run" in text
    for title in ("Students in one stack", "A stack of 64 against other ways", "Aims, for width 32"):
        assert f"## {title}\n" in text
    for part in text.split("\n\n"):
        if part.startswith("|"):
            assert len({line.count("|") for line in part.splitlines()}) == 1, part


def test_measuring_a_claim_again_finds_what_is_stored_says_how_long_it_took_and_is_not_done_twice(tmp_path):
    where = ["--kept", str(tmp_path / "kept"), "--results", str(tmp_path / "claims.json")]
    folder = ROOT / "data" / "results"
    before = (folder / "t-squared-keeps-gradients.json").read_bytes()
    done = run("benchmarks/claims.py", *where, "--only", "t-squared-keeps-gradients", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    first = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    (found,) = first.values()
    stored = json.loads(before)["parts"]
    counted = [found[name] for name in ("parts", "same_verdict", "inside", "opposite", "unmatched", "changed")]
    assert counted == [len(stored)] * 3 + [0, 0, []]
    assert found["seconds"] > 0
    assert (folder / "t-squared-keeps-gradients.json").read_bytes() == before
    assert (tmp_path / "kept" / "data" / "results" / "t-squared-keeps-gradients.json").exists()
    again = run("benchmarks/claims.py", *where, "--only", "t-squared-keeps-gradients", OMP_NUM_THREADS="1")
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "claims.json").read_text(encoding="utf-8")) == first


def test_a_random_split_of_cmudict_leaves_relatives_on_both_sides(tmp_path):
    where = ["--kept", str(tmp_path / "kept.safetensors"), "--results", str(tmp_path / "split.json")]
    done = run("benchmarks/cmudict_split.py", "--quick", *where, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "split.json").read_text(encoding="utf-8"))
    assert found["words"] == 100
    assert 0 < found["with_relatives"] < 0.3  # of 512 training words; of all, most have one
    assert 0.3 < found["errors"]["phonemes"] <= found["errors"]["words"] <= 1  # after two steps
    assert found["recipe"]["epochs"] == 1


@pytest.mark.parametrize("script", ["tools/gpu.py", "benchmarks/stack.py --device cuda"])
def test_without_a_card_it_says_so_in_one_sentence(script):
    done = run(*script.split(), CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "no CUDA card" in done.stderr
