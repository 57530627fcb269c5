"""What a check has to say about one answer."""

import dis
import inspect
import types

import torch

from kdcourse.check import text
from kdcourse.check.outcome import call, close, fresh, right
from kdcourse.check.result import Result
from kdcourse.check.worker import attempt

RANDOM_CASES = 4
# All that is compiled for a function whose body is a docstring, `...`, `pass` or `return None`.
NOTHING_DONE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}


def judge(exercise, answer, now):
    """The Result for one answer. `now.case` holds the arguments that the answer is working on."""
    name = exercise.name
    if answer is ... or answer is NotImplemented:
        return not_attempted(name)
    if not callable(answer):
        return not_yet(
            f"{name} should be a function; this is {text.kind(answer)}. Pass the function itself: "
            f"check.{name}({name}), without calling it."
        )
    generator = torch.Generator()
    generator.seed()  # fresh inputs every time; the global generator is the learner's
    cases = [*exercise.small, *(exercise.inputs(generator) for _ in range(RANDOM_CASES))]
    outcomes = []
    for case in cases:
        now.case = case
        outcomes.append(call(answer, case, exercise.words))
        if len(outcomes) == 1 and _is_stub(answer, outcomes[0]):
            return not_attempted(name)
        if outcomes[-1].numbers is None:
            break  # one error, or one thing that is not numbers, is enough; so a `print` in it is not repeated
    cases = cases[: len(outcomes)]
    return _verdict(exercise, answer, cases, outcomes)


def _verdict(exercise, answer, cases, outcomes):
    """Right; or the first that applies: arguments changed, a known bug, not numbers as expected, a broken rule."""
    name = exercise.name
    for outcome, case in zip(outcomes, cases, strict=True):
        if outcome.changed and outcome.error is None:
            return not_yet(
                f"Your {name} changed its arguments in place, and the caller's data with them. "
                "Look for a method that ends in an underscore, or for `-=`.",
                details=text.called_with(exercise.parameters, case),
            )
    wanted = [call(exercise.reference, fresh(case, torch.float64), exercise.words) for case in cases]
    pairs = zip(outcomes, wanted, strict=True)
    wrong = [k for k, pair in enumerate(pairs) if not right(*pair, exercise.tolerance)]
    if not wrong:
        return correct(f"{name} is correct. {exercise.praise}", _cautions(exercise, answer, cases[-1]))

    def not_yet_at(k, why, bug=None):
        return not_yet(why, bug, _difference(exercise, cases[k], wanted[k], outcomes[k]))

    # A known bug and a NaN may come together: if all cases fit no bug, those without NaN and inf may.
    finite = [k for k, outcome in enumerate(outcomes) if outcome.numbers is not None and _is_finite(outcome)]
    for fitted in (range(len(cases)), finite):
        bug = _known_bug(exercise, [cases[k] for k in fitted], [outcomes[k] for k in fitted])
        seen = [k for k in wrong if k in fitted]
        if bug is not None and seen:
            return not_yet_at(seen[0], bug.message, bug.name)
    why = _what_it_is(exercise, answer, outcomes[wrong[0]], wanted[wrong[0]])
    if why is not None:
        return not_yet_at(wrong[0], why)
    for k in wrong:
        for rule in exercise.rules:
            kept, _ = attempt(lambda: bool(rule.holds(outcomes[k].numbers, *cases[k])))  # noqa: B023
            if kept is False:
                return not_yet_at(k, rule.message)
    return not_yet_at(
        wrong[0], f"The values differ, in a way that this check has no name for. check.{name}.hint() gives a hint."
    )


def not_attempted(name, how=""):
    return Result(False, "not attempted", None, text.wrapped(f"{name}: not attempted yet. {how}"))


def not_yet(why, bug=None, details=""):
    return Result(False, "not yet", bug, "\n".join(filter(None, [text.wrapped(f"Not yet. {why}"), details])))


def correct(praise, cautions):
    return Result(True, "correct", None, "\n".join(map(text.wrapped, [praise, *cautions])))


def _known_bug(exercise, cases, outcomes):
    """The first bug that does in every case what the answer does."""
    if any(outcome.numbers is None for outcome in outcomes):
        return None
    for bug in exercise.bugs:
        for function in (bug.function, *bug.variants):
            made = (_made(exercise, function, case) for case in cases)
            pairs = zip(made, outcomes, strict=True)
            if all(close(*pair, exercise.tolerance) for pair in pairs):
                return bug
    return None


def _made(exercise, function, case):
    """What a wrong answer makes of a case. Kept for the small cases: every check has to go through those."""
    if not any(case is small for small in exercise.small):
        return call(function, case, exercise.words)
    key = function, id(case)
    if key not in exercise.kept:
        exercise.kept[key] = call(function, case, exercise.words)
    return exercise.kept[key]


def _is_stub(answer, outcome):
    if outcome.error is not None:
        return type(outcome.error) is NotImplementedError
    if outcome.output is None:
        code, _ = attempt(lambda: answer.__code__)
        return type(code) is types.CodeType and {i.opname for i in dis.get_instructions(code)} <= NOTHING_DONE
    return outcome.output is ... or outcome.output is NotImplemented


def _difference(exercise, case, wanted, outcome):
    """The arguments, a line each; then what was expected and what came."""
    if outcome.error is not None:
        return text.called_with(exercise.parameters, case)
    got = outcome.output if outcome.numbers is None else _as_they_are(exercise, outcome)
    return "\n".join(
        [text.called_with(exercise.parameters, case), text.expected_and_got(_as_they_are(exercise, wanted), got)]
    )


def _is_finite(outcome):
    return bool(outcome.numbers.isfinite().all())


def _as_they_are(exercise, outcome):
    if exercise.words:
        listed, _ = attempt(lambda: [str.__str__(word) for word in outcome.output])
        return listed if listed and outcome.numbers.ndim else outcome.output
    return outcome.numbers.long() if outcome.whole else outcome.numbers


def _form(exercise, outcome):
    """What an answer like this one looks like."""
    if exercise.words:
        return "one word" if outcome.numbers.ndim == 0 else f"a list of {len(outcome.numbers)} words"
    if type(outcome.output) is tuple and outcome.numbers.ndim == 1:
        return f"a tuple of {len(outcome.numbers)} numbers"
    return text.form(outcome.numbers)


def _what_it_is(exercise, answer, outcome, wanted):
    """What can be said before any value is looked at; None if it is numbers of the right shape and kind."""
    name, output, numbers = exercise.name, outcome.output, outcome.numbers
    form = _form(exercise, wanted)
    if outcome.error is not None:
        return _about_an_error(exercise, answer, outcome.error)
    if output is None or output is ...:
        return f"Your {name} returned {output}. Is there a `return` on every way through it?"
    if issubclass(type(output), (types.CoroutineType, types.AsyncGeneratorType)):
        attempt(lambda: output.close())  # or Python complains that nobody waited for it
        return f"Your {name} returned {text.kind(output)}. Write `def`, without `async`."
    if issubclass(type(output), types.GeneratorType):
        return f"Your {name} returned a generator. Is there a `yield` where a `return` belongs?"
    if issubclass(type(output), tuple) and (numbers is None or numbers.shape != wanted.numbers.shape):
        only = "" if type(wanted.output) is tuple else "only "
        return f"Your {name} returned {tuple.__len__(output)} things ({text.kind(output)}). Return {only}{form}."
    if numbers is None:
        called = " Is a pair of parentheses missing?" if callable(output) else ""
        return f"Your {name} returned {text.kind(output)} that cannot be read as {form}.{called}"
    if numbers.shape != wanted.numbers.shape:
        return f"The shape is wrong: {form} is expected, and {_form(exercise, outcome)} came back."
    if outcome.whole and not wanted.whole and not wanted.numbers.equal(wanted.numbers.round()):
        return (
            "These are whole numbers, where fractions are due. Look for `//`, `round`, `.long()` or an integer dtype."
        )
    if _is_finite(wanted) and not _is_finite(outcome):
        if numbers.isnan().any():
            return "There is NaN in the result. It comes of 0 · log 0, inf − inf, inf / inf or 0 / 0."
        return "There is inf in the result. It comes of exp of a large number, log of 0, or a division by 0."
    return None


def _about_an_error(exercise, answer, error):
    if type(error) is TypeError:
        _, misfit = attempt(lambda: inspect.signature(answer).bind(*exercise.parameters))
        theirs = text.parameters_of(answer)
        if type(misfit) is TypeError and theirs is not None:
            return (
                f"{exercise.name} should take ({', '.join(exercise.parameters)}), in this order; yours takes {theirs}."
            )
    if issubclass(type(answer), type):
        return f"{exercise.name} should be a function, and this is a class: calling it only makes an object."
    return f"Your {exercise.name} stopped with {text.error_text(error)}"


def _cautions(exercise, answer, case):
    """What would go wrong in training although the value is right: one sentence for each, or none."""
    if exercise.gradient_to is None:
        return []
    student, teacher = map(exercise.parameters.index, (exercise.gradient_to, exercise.no_gradient_to))
    expected = _gradients(exercise.reference, fresh(case, torch.float64, (student, teacher)), (student, teacher))
    found, _ = attempt(_gradients, answer, fresh(case, None, (student, teacher)), (student, teacher))
    to_student, to_teacher = found or (None, None)
    cautions = []
    if to_student is None or not to_student.any():
        cautions.append(
            f"A caution: no gradient reaches {exercise.gradient_to}, so nothing would train with it. "
            "Stay with tensors from the logits to the result: no NumPy, no .item(), no .detach() on the way."
        )
    elif not torch.allclose(to_student.double(), expected[0], rtol=1e-3, atol=1e-4):
        cautions.append(
            f"A caution: the value is right, but its gradient to {exercise.gradient_to} is not. "
            "Is a part of it detached, or turned into a number by .item()?"
        )
    if to_teacher is not None and to_teacher.any():
        cautions.append(
            f"A caution: a gradient flows into {exercise.no_gradient_to} as well, and would train the teacher too. "
            "Detach them, or hand in logits that were cached."
        )
    return cautions


def _gradients(function, case, places):
    """The gradients of a loss with respect to the arguments at `places`; None where none arrives."""
    with torch.enable_grad():
        loss = function(*case)
        return torch.autograd.grad(loss, [case[place] for place in places], allow_unused=True)
