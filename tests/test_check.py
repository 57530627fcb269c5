"""What holds of every exercise, by what its own module says of it; a new one is tested without being named here."""

import ast
import importlib
import sys
import types

import pytest
import torch

import kdcourse
from kdcourse import check
from kdcourse._course import find
from kdcourse.check import core, exercises
from kdcourse.check.outcome import call, close
from kdcourse.check.text import called_with

each_exercise = pytest.mark.parametrize("exercise", check.EXERCISES, ids=lambda exercise: exercise.name)


def on_one_line(text):
    return " ".join(text.split())


def defined(exercise, tag):
    """The learner's function as a cell of the lesson defines it, after all imports and earlier solutions there."""
    source = find(f"notebooks/source/{exercise.lesson}.py").read_text(encoding="utf-8")
    imports = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {}
    exec(ast.unparse(ast.Module(imports, [])), names)
    for earlier in check.EXERCISES:
        if earlier.lesson == exercise.lesson and earlier.order < exercise.order:
            exec(core.cell_of(earlier, "solution"), names)
    exec(core.cell_of(exercise, tag), names)
    return names[exercise.name]


# ---- found by itself ----


def test_importing_the_checks_imports_no_exercise(monkeypatch):
    monkeypatch.setattr(kdcourse, "check", check)  # put back afterwards
    for name in [name for name in sys.modules if name.startswith("kdcourse.check")]:
        monkeypatch.delitem(sys.modules, name)
    importlib.import_module("kdcourse.check")
    assert [name for name in sys.modules if name.startswith("kdcourse.check.exercises.")] == []


def test_new_module_is_an_exercise(tmp_path, monkeypatch, capsys):
    (tmp_path / "triple.py").write_text(
        "from kdcourse.check.core import Bug, Exercise\n"
        "triple = Exercise('triple', lesson='01_soft_labels', order=99, reference=lambda value: 3 * value,\n"
        "    inputs=lambda generator: (2.5,), small=[(1.5,)], praise='', hints=['3'], bugs={})\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(exercises, "__path__", [*exercises.__path__, str(tmp_path)])
    assert check.triple(lambda value: value + value + value).passed
    assert "triple" in dir(check)
    assert [exercise.name for exercise in check.EXERCISES if exercise.lesson == "01_soft_labels"][-1] == "triple"
    check.triple.solution()
    assert "solution of triple stands in lesson 01_soft_labels" in capsys.readouterr().out


def test_unknown_exercise_is_an_error_that_names_those_there_are():
    with pytest.raises(AttributeError, match="there is no exercise 'sofen'; there are .*soften"):
        _ = check.sofen


@each_exercise
def test_exercise_has_its_place(exercise):
    assert getattr(check, exercise.name) is exercise
    assert exercise.name in dir(check)
    assert f"check.{exercise.name}.hint()" in repr(exercise)
    lesson = [other.name for other in check.EXERCISES if other.lesson == exercise.lesson]
    source = find(f"notebooks/source/{exercise.lesson}.py").read_text(encoding="utf-8")
    assert lesson == sorted(lesson, key=lambda name: source.index(f"def {name}("))
    assert {len(case) for case in exercise.small} == {len(exercise.parameters)}
    assert all(len(name) > 2 for name in exercise.parameters if name != "n")  # no z, v, T; n is a column of an audit


# ---- right answers, and none ----


@each_exercise
def test_stub_in_the_lesson_is_not_attempted_and_its_solution_is_right(exercise, capsys):
    assert exercise(defined(exercise, "exercise")).status == "not attempted"
    assert capsys.readouterr().out == f"{exercise.name}: not attempted yet.\n"
    for _ in range(2):  # fresh inputs each time
        result = exercise(defined(exercise, "solution"))
        assert result.passed
        assert on_one_line(result.message) == f"{exercise.name} is correct. {exercise.praise}"  # and no caution
    capsys.readouterr()
    exercise.solution()
    assert f"def {exercise.name}(" in capsys.readouterr().out


@each_exercise
def test_right_answer_breaks_no_rule(exercise):
    generator = torch.Generator().manual_seed(0)
    for case in [*exercise.small, *(exercise.inputs(generator) for _ in range(20))]:
        numbers = call(exercise.called(exercise.reference), case, exercise.words).numbers
        assert [rule for rule in exercise.rules if not rule.holds(numbers, *case)] == []


# ---- known bugs ----


@each_exercise
def test_known_bug_is_rejected_with_its_own_message_on_a_small_input(exercise, capsys):
    small = [on_one_line(called_with(exercise.parameters, case)) for case in exercise.small]
    for name, bug in exercise.bugs.items():
        for function in (bug.functions[0], *bug.functions):  # the first twice: whatever the random inputs are
            result = exercise(function)
            assert (result.passed, result.status, result.bug) == (False, "not yet", name), result
            assert "a tensor of shape" not in capsys.readouterr().out, name
            said = on_one_line(result.message)
            assert said.startswith(f"Not yet. {bug.message} called with "), said
            shown, _, got = said.removeprefix(f"Not yet. {bug.message} ").partition(" got ")
            if not exercise.open_ended:  # what is expected there is one of many
                shown, _, expected = shown.partition(" expected ")
                assert expected != got, name
            assert shown in small, name


@each_exercise
def test_no_two_bugs_have_the_same_message_or_do_the_same(exercise):
    assert len({bug.message for bug in exercise.bugs.values()}) == len(exercise.bugs) >= 5
    made = [
        (name, [call(exercise.called(function), case, exercise.words) for case in exercise.small])
        for name, bug in exercise.bugs.items()
        for function in bug.functions
    ]
    for k, (name, one) in enumerate(made):
        for other_name, other in made[:k]:
            same = all(close(*pair, exercise.tolerance) for pair in zip(one, other, strict=True))
            assert name == other_name or not same, (name, other_name)


def test_wrong_answers_are_listed():
    rows = check.wrong_answers()
    assert len(rows) == len(set(rows)) == sum(len(exercise.bugs) for exercise in check.EXERCISES)
    assert not any("|" in cell for row in rows for cell in row)  # instructors read them in a table


# ---- what is printed, and what is recorded ----


@each_exercise
def test_hints_come_one_at_a_time_and_start_again_and_no_line_is_wider_than_a_hundred_columns(exercise, capsys):
    exercise._hints_given = 0
    for _ in range(len(exercise.hints) + 1):
        exercise.hint()
    printed = capsys.readouterr().out
    count = len(exercise.hints)
    assert count >= 3
    heads = [f"Hint {k % count + 1} of {count}: {on_one_line(exercise.hints[k % count])}" for k in range(count + 1)]
    assert on_one_line(printed) == " ".join(heads)
    wrong = [bug.functions[0] for bug in exercise.bugs.values()]
    for answer in [exercise.reference, *wrong, lambda *a: "x" * 500, lambda *a: 1 / 0]:
        exercise(answer)
    exercise()
    assert [line for line in (printed + capsys.readouterr().out).splitlines() if len(line) > 100] == []


def test_result_says_what_was_printed_and_repeats_nothing(capsys):
    result = check.soften(lambda z, t: z.softmax(1))
    assert capsys.readouterr().out == f"{result}\n"
    assert repr(result) == "Result(passed=False, status='not yet', bug='temperature ignored')"
    assert result._ipython_display_() is None


def test_success_and_only_success_is_recorded_and_a_failure_to_record_does_not_cost_the_verdict(monkeypatch):
    recorded = []
    stand_in = types.ModuleType("kdcourse.progress")
    stand_in.passed_exercise = lambda *arguments: recorded.append(arguments)
    monkeypatch.setitem(sys.modules, "kdcourse.progress", stand_in)
    monkeypatch.setattr("kdcourse.progress", stand_in, raising=False)
    check.soften(lambda z, t: z.softmax(1))
    assert recorded == []
    check.soften(check.soften.reference)
    check.kd_loss(check.kd_loss.reference)  # its caution does not count against it
    assert recorded == [("soften", "01_soft_labels"), ("kd_loss", "03_blended_loss")]
    stand_in.passed_exercise = None  # calling it raises
    assert check.soften(check.soften.reference).passed
