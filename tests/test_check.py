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
        for function in bug.functions:
            result = exercise(function)
            assert (result.passed, result.status, result.bug) == (False, "not yet", name), result
            printed = capsys.readouterr().out
            assert "a tensor of shape" not in printed, name
            assert [line for line in printed.splitlines() if len(line) > 100] == []
            said = on_one_line(result.message)
            assert said.startswith(f"Not yet. {bug.message} called with "), said
            shown, _, got = said.removeprefix(f"Not yet. {bug.message} ").partition(" got ")
            shown, _, expected = shown.partition(" expected ")
            assert shown in small, name
            assert expected != got, name
            assert bool(expected) != exercise.open_ended, name  # where many are right, none is expected


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


# ---- answers that take models, and answers of which many are right ----


def a_step():
    """An exercise whose answer takes a model and changes it: judged by the weights that it leaves."""

    def through(step, weights, gradient):
        model = torch.nn.Linear(len(weights), 1, bias=False, dtype=weights.dtype)
        with torch.no_grad():
            model.weight[:] = weights
        step(model, gradient)
        return model.weight[0]

    def reference(model, gradient):
        with torch.no_grad():
            model.weight -= 0.1 * gradient

    def uphill(model, gradient):
        with torch.no_grad():
            model.weight += 0.1 * gradient

    return core.Exercise(
        "step", lesson="00_start_here", order=99, reference=reference, through=through, praise="Down.", hints=["minus"],
        inputs=lambda generator: (torch.rand(3, generator=generator), torch.ones(3)),
        small=[(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))], bugs={"uphill": core.Bug(uphill, "That is up.")},
    )  # fmt: skip


def test_an_answer_that_changes_a_model_is_judged_by_what_it_leaves(capsys):
    step = a_step()

    def down(model, gradient):
        with torch.no_grad():
            model.weight.sub_(gradient / 10)

    assert step(down).passed
    assert step(step.bugs["uphill"].functions[0]).bug == "uphill"
    assert "called with weights = [1.0, 2.0]" in on_one_line(capsys.readouterr().out)
    assert step(lambda model, gradient: ...).status == "not attempted"
    assert "step should take (model, gradient), in this order; yours takes (model)" in str(step(lambda model: 1 / 0))


def halves():
    """An exercise with many right answers: two numbers, not equal, that add up to the one given."""
    return core.Exercise(
        "halves", lesson="00_start_here", order=99, open_ended=True, praise="So they do.", hints=["half"],
        reference=lambda total: torch.stack([total / 3, 2 * total / 3]),
        inputs=lambda generator: (torch.rand((), generator=generator) + 1,), small=[(torch.tensor(4.0),)],
        bugs={"equal": core.Bug(lambda total: torch.stack([total / 2, total / 2]), "They are equal.")},
        rules=[core.Rule(lambda found, total: (found.sum() - total).abs() < 1e-4, "They should add up."),
               core.Rule(lambda found, total: found[0] != found[1], "One should be larger.")],
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.2, 0.4, 0.9])
def test_where_many_answers_are_right_each_that_keeps_the_rules_is(share):
    assert halves()(lambda total: [share * total, (1 - share) * total]).passed


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda total: [total / 2, total / 2], "Not yet. They are equal. called with total = 4.0 got [2.0, 2.0]"),
        (lambda total: [total, total / 2], "Not yet. They should add up. called with total = 4.0 got [4.0, 2.0]"),
        (lambda total: "no", "Not yet. Your halves returned a str that cannot be read as a tensor of shape [2]."),
    ],
)
def test_where_many_answers_are_right_a_wrong_one_is_told_why_and_nothing_is_expected(answer, said):
    assert on_one_line(str(halves()(answer))).startswith(said)


def test_a_check_hands_on_the_learners_function_or_ours_and_says_whose(capsys):
    def mine(logits, temperature):
        return torch.softmax(logits / temperature, 1)

    assert check.soften(mine).use() is mine
    assert capsys.readouterr().out.endswith("What follows uses your soften.\n")
    for wrong in (lambda logits, temperature: ..., lambda logits, temperature: logits):
        assert check.soften(wrong).use() is check.soften.reference
        assert capsys.readouterr().out.endswith("What follows uses our soften.\n")


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
    for answer in [exercise.reference, lambda *a: "x" * 500, lambda *a: 1 / 0]:
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
