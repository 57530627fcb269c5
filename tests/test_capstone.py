"""The capstone is one cell that a learner changes: every task and teacher that it offers runs to the memo."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kdcourse.data import load

SOURCE = Path(__file__).resolve().parent.parent / "notebooks" / "source" / "10_capstone.py"
CELL = re.compile(r"^# %%([^\n]*)\n", re.M)


def cells():
    """(tags, text) of every cell."""
    parts = CELL.split(SOURCE.read_text(encoding="utf-8"))[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def offered():
    """The blocks of code that can be pasted into the one cell."""
    (folded,) = [text for tags, text in cells() if "Other tasks and teachers" in text]
    return re.findall(r"```python\n(.*?)```", re.sub(r"^# ?", "", folded, flags=re.M), re.S)


def test_there_are_a_module_a_table_and_a_model_of_another_library():
    assert [("load_teacher" in code, "softmax" in code, "sklearn" in code) for code in offered()] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


@pytest.mark.slow  # half a minute
def test_other_tasks_and_teachers_run_to_the_memo(tmp_path, monkeypatch):
    """With a tenth of the examples; what stands before the one cell runs once for all."""

    def fewer(name):
        data = load(name)
        return replace(data, validation=data.validation[:1_000], test=data.test[:1_000])

    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    code = [(tags, text) for tags, text in cells() if "markdown" not in tags and '"exercise"' not in tags]
    (one,) = [k for k, (_, text) in enumerate(code) if text.startswith("data, teacher = ")]
    before = {}
    for tags, text in code[: one + 1]:
        exec("FAST, DEVICE = True, 'cpu'" if "parameters" in tags else text, before)
    for pasted in offered():
        names = before | {"load": fewer}
        exec(pasted.replace("5_000", "500"), names)
        for _, text in code[one + 1 :]:
            exec(text, names)
        assert len(names["taught"].test) == len(names["data"].test)
        assert names["page"].recommendation in ("ship", "do not ship")
        assert (names["folder"] / "memo.html").stat().st_size > 1_000
