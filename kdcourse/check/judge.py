"""What a check has to say about one answer."""

import dis
import inspect
import types

import torch

from kdcourse.check import text
from kdcourse.check.outcome import attempt, call, close, fresh, right
from kdcourse.check.result import Result

RANDOM_CASES = 4
# All that is compiled for a function whose body is a docstring, `...`, `pass` or `return None`.
NOTHING_DONE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}


def judge(exercise, answer):
    """The Result for one answer."""
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
    if _has_dots(answer):
        return not_attempted(name)
    cases, outcomes = [*exercise.small, *(exercise.inputs(generator) for _ in range(RANDOM_CASES))], []
    for case in cases:
        outcomes.append(call(exercise.called(answer), case, exercise.words))
        if len(outcomes) == 1 and _is_stub(answer, outcomes[0]):
            return not_attempted(name)
        if outcomes[-1].numbers is None:
            break  # one error, or one thing that is not numbers, is enough; so a `print` in it is not repeated
    return _verdict(exercise, answer, cases[: len(outcomes)], outcomes)


def not_attempted(name, how=""):
    return Result(False, "not attempted", None, text.wrapped(f"{name}: not attempted yet. {how}"))


def not_yet(why, bug=None, details=""):
    return Result(False, "not yet", bug, "\n".join(filter(None, [text.wrapped(f"Not yet. {why}"), details])))


def correct(praise, cautions):
    return Result(True, "correct", None, "\n".join(map(text.wrapped, [praise, *cautions])))


def _has_dots(answer):
    """Whether a function still has an `...` that somebody is to replace."""
    code, _ = attempt(lambda: answer.__code__)
    return type(code) is types.CodeType and any(one is ... for one in code.co_consts)


def _is_stub(answer, outcome):
    if outcome.error is not None:
        return type(outcome.error) is NotImplementedError
    if outcome.output is None:
        code, _ = attempt(lambda: answer.__code__)
        return type(code) is types.CodeType and {i.opname for i in dis.get_instructions(code)} <= NOTHING_DONE
    return outcome.output is ... or outcome.output is NotImplemented


def _verdict(exercise, answer, cases, outcomes):
    """Right; or the first that applies: arguments changed, a known bug, not numbers as expected, a broken rule."""
    for case, outcome in zip(cases, outcomes, strict=True):
        if outcome.changed and outcome.error is None:
            return not_yet(
                f"Your {exercise.name} changed its arguments in place, and the caller's data with them. "
                "Look for a method that ends in an underscore, or for `-=`.",
                details=text.called_with(exercise.parameters, case),
            )
    reference = exercise.called(exercise.reference)
    wanted = [call(reference, fresh(case, torch.float64), exercise.words) for case in cases]
    if exercise.open_ended:
        wrong = [k for k in range(len(cases)) if not _keeps_all(exercise.rules, outcomes[k], cases[k])]
    else:
        wrong = [k for k in range(len(cases)) if not right(outcomes[k], wanted[k], exercise.tolerance)]
    if not wrong:
        praise = f"{exercise.name} is correct. {exercise.praise}"
        return correct(praise, _cautions(exercise, answer, cases[-1]) if exercise.gradient_to else [])

    bug, seen = _known_bug(exercise, cases, outcomes, wrong)
    if bug is not None:
        details = _difference(exercise, cases[seen], wanted[seen], outcomes[seen])
        return not_yet(exercise.bugs[bug].message, bug, details)
    first = wrong[0]
    why = _what_it_is(exercise, answer, outcomes[first], wanted[first])
    if why is None:
        first, why = _broken_rule(exercise, cases, outcomes, wrong)
    return not_yet(why, details=_difference(exercise, cases[first], wanted[first], outcomes[first]))


def _known_bug(exercise, cases, outcomes, wrong):
    """(the name of the first bug that does in every case what the answer does, the place of a case that shows it).

    A known bug and a NaN or an error may come together: where no bug fits all cases, it has to fit those without.
    """
    finite = [k for k, outcome in enumerate(outcomes) if _is_finite(outcome)]
    for fitted in (range(len(cases)), finite):
        seen = [k for k in wrong if k in fitted and outcomes[k].numbers is not None]
        for name, bug in exercise.bugs.items() if seen else ():
            for function in bug.functions:
                made = ((call(exercise.called(function), cases[k], exercise.words), outcomes[k]) for k in fitted)
                if all(close(*pair, exercise.tolerance) for pair in made):
                    return name, seen[0]
    return None, None


def _keeps_all(rules, outcome, case):
    kept, _ = attempt(lambda: all(rule.holds(outcome.numbers, *case) for rule in rules))
    return outcome.numbers is not None and kept is True


def _broken_rule(exercise, cases, outcomes, wrong):
    """(the place of a case in which the answer breaks a rule, what to say about it)."""
    for k in wrong:
        for rule in exercise.rules:
            kept, _ = attempt(lambda: bool(rule.holds(outcomes[k].numbers, *cases[k])))  # noqa: B023
            if kept is False:
                return k, rule.message
    name = exercise.name
    return wrong[0], f"The values differ, in a way that this check has no name for. check.{name}.hint() gives a hint."


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
    if numbers.shape != wanted.numbers.shape and not exercise.open_ended:
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
        _, misfit = attempt(lambda: inspect.signature(answer).bind(*exercise.takes))
        theirs = text.parameters_of(answer)
        if type(misfit) is TypeError and theirs is not None:
            wanted = ", ".join(exercise.takes)
            return f"{exercise.name} should take ({wanted}), in this order; yours takes {theirs}."
    if issubclass(type(answer), type):
        return f"{exercise.name} should be a function, and this is a class: calling it only makes an object."
    return f"Your {exercise.name} stopped with {text.error_text(error)}"


def _difference(exercise, case, wanted, outcome):
    """The arguments, a line each; then what was expected and what came."""
    called = text.called_with(exercise.parameters, case)
    if outcome.error is not None:
        return called
    got = outcome.output if outcome.numbers is None else _as_they_are(exercise, outcome)
    if exercise.open_ended:  # what was expected is one of many
        return f"{called}\n{text.got(got)}"
    return f"{called}\n{text.expected_and_got(_as_they_are(exercise, wanted), got)}"


def _as_they_are(exercise, outcome):
    if exercise.words:
        listed, _ = attempt(lambda: [str.__str__(word) for word in outcome.output])
        return listed if listed and outcome.numbers.ndim else outcome.output
    return outcome.numbers.long() if outcome.whole else outcome.numbers


def _form(exercise, outcome):
    """What an answer like this one looks like."""
    numbers = outcome.numbers
    if exercise.words:
        return "one word" if numbers.ndim == 0 else f"a list of {len(numbers)} words"
    if type(outcome.output) is tuple and numbers.ndim == 1:
        return f"a tuple of {len(numbers)} numbers"
    return "one number" if numbers.ndim == 0 else f"a tensor of shape {list(numbers.shape)}"


def _is_finite(outcome):
    return outcome.numbers is not None and bool(outcome.numbers.isfinite().all())


def _cautions(exercise, answer, case):
    """What would go wrong in training although the value is right: one sentence for each, or none."""
    places = [exercise.parameters.index(name) for name in (exercise.gradient_to, exercise.no_gradient_to)]
    expected, _ = _gradients(exercise.reference, fresh(case, torch.float64, places), places)
    found, _ = attempt(_gradients, answer, fresh(case, None, places), places)
    to_student, to_teacher = found or (None, None)
    cautions = []
    if to_student is None or not to_student.any():
        cautions.append(
            f"A caution: no gradient reaches {exercise.gradient_to}, so nothing would train with it. "
            "Stay with tensors from the logits to the result: no NumPy, no .item(), no .detach() on the way."
        )
    elif not torch.allclose(to_student.double(), expected, rtol=1e-3, atol=1e-4):
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
        loss = function(*case).sum()
        return torch.autograd.grad(loss, [case[place] for place in places], allow_unused=True)
