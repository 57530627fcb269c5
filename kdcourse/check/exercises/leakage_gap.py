"""The exercise `leakage_gap`: how much more a model loses on new words than one that has seen neither set."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule

Z = 1.96  # standard normal, 97.5 %


def _variance(errors, unbiased=True):
    """Of the mean of errors."""
    return errors.var(correction=int(unbiased)) / len(errors)


def _estimate(theirs_test, theirs_new, ours_test, ours_new):
    return (theirs_new - ours_new).mean() - (theirs_test - ours_test).mean()


def _half(theirs_test, theirs_new, ours_test, ours_new, unbiased=True):
    """Half the width of the 95 % interval: errors on one word are paired, the two sets of words are independent."""
    sets = (theirs_new - ours_new, theirs_test - ours_test)
    return Z * sum(_variance(one, unbiased) for one in sets).sqrt()


def _reference(theirs_test, theirs_new, ours_test, ours_new):
    four = theirs_test, theirs_new, ours_test, ours_new
    return _estimate(*four), _half(*four)


def _bug(message, *answers):
    """A mistake, from (gap, half) of the four arrays."""
    return Bug(answers[0], message, *answers[1:])


def _on_new(theirs_test, theirs_new, ours_test, ours_new):
    """The two on the new words alone, and the half width of that."""
    return (theirs_new - ours_new).mean(), Z * _variance(theirs_new - ours_new).sqrt()


def _on_test(theirs_test, theirs_new, ours_test, ours_new):
    return _on_new(ours_test, theirs_test, theirs_new, ours_test)


def _with(estimate=_estimate, half=_half):
    return lambda *four: (estimate(*four), half(*four))


def _each(theirs_test, theirs_new, ours_test, ours_new):
    """The half width as if all four arms were of words of their own."""
    return Z * sum(_variance(one) for one in (theirs_test, theirs_new, ours_test, ours_new)).sqrt()


def _spread(theirs_test, theirs_new, ours_test, ours_new):
    """The half width without the division by the numbers of words."""
    sets = (theirs_new - ours_new, theirs_test - ours_test)
    return Z * sum(one.var() for one in sets).sqrt()


def _summed(theirs_test, theirs_new, ours_test, ours_new):
    """The half width with standard errors that are added as they are."""
    sets = (theirs_new - ours_new, theirs_test - ours_test)
    return Z * sum(_variance(one).sqrt() for one in sets)


def _rise(theirs_test, theirs_new, *ours):
    return theirs_new.mean() - theirs_test.mean()


def _half_of_rise(theirs_test, theirs_new, *ours):
    return Z * (_variance(theirs_new) + _variance(theirs_test)).sqrt()


def _words(generator):
    """Errors of two models on words of two sets, which are harder for both where they are hard for one."""
    number = torch.randint(20, 60, (2,), generator=generator).tolist()
    arrays = []
    for rate in (0.6, 1.2):
        hard = rate * 2 * torch.rand(number[len(arrays) // 2], generator=generator)
        arrays += [torch.poisson(hard * scale, generator=generator) for scale in (0.5 + rate / 2, 0.9)]
    theirs_test, ours_test, theirs_new, ours_new = arrays
    theirs_test[:3], ours_test[:3] = torch.tensor([0.0, 1, 2]), torch.tensor([1.0, 0, 2])
    theirs_new[:3], ours_new[:3] = torch.tensor([3.0, 1, 0]), torch.tensor([0.0, 2, 0])
    return theirs_test, theirs_new, ours_test, ours_new


leakage_gap = Exercise(
    "leakage_gap",
    lesson="10_capstone",
    order=4,
    reference=_reference,
    inputs=_words,
    small=[
        (
            torch.tensor([0.0, 0, 1, 0]),
            torch.tensor([2.0, 1, 3]),
            torch.tensor([1.0, 0, 1, 2]),
            torch.tensor([2.0, 0, 1]),
        ),
        (
            torch.tensor([0.0, 2, 1, 0, 1]),
            torch.tensor([1.0, 3, 0, 2]),
            torch.tensor([0.0, 1, 3, 0, 1]),
            torch.tensor([2.0, 1, 0, 0]),
        ),
    ],
    praise="A model whose split you know says how much harder the new words are. What is left over needs a reason.",
    hints=[
        "New words may be harder for anybody. Whose rise says how much? Theirs minus ours is the gap.",
        "Both models read the same words, so take theirs − ours word by word: once on the test words, once on the new.",
        "gap = new.mean() − test.mean(). The variance of a mean is var / n; those of two sets of words add up.",
        "half = 1.96 * (new.var() / len(new) + test.var() / len(test)) ** 0.5, with new = theirs_new − ours_new",
    ],
    bugs={
        "no reference": _bug(
            "That is how much their error rises. New words are harder for everybody: subtract how much ours rises.",
            _with(_rise, _half_of_rise),
            _with(_rise),
            _with(_rise, _each),
        ),
        "the test set alone": _bug(
            "You compare the two models on the test words alone, which one of them may have learned by heart.",
            _on_test,
            _with(lambda *four: _on_test(*four)[0]),
        ),
        "the new words alone": _bug(
            "You compare the two on the new words alone. A model may be worse everywhere: subtract the test words' "
            "difference.",
            _on_new,
            _with(lambda *four: _on_new(*four)[0]),
        ),
        "turned round": _bug(
            "The sign is turned round: a model that has seen the test words loses more on new ones, a gap above 0.",
            _with(lambda *four: -_estimate(*four)),
            _with(lambda *four: -_estimate(*four), _each),
        ),
        "added": _bug(
            "You add the two rises. Our rise is what is explained by harder words: subtract it.",
            _with(lambda a, b, c, d: _rise(a, b) + _rise(c, d)),
            _with(lambda a, b, c, d: _rise(a, b) + _rise(c, d), _each),
        ),
        "not paired": _bug(
            "The gap is right, its interval is not: you take four independent means. Both models read the same words: "
            "subtract word by word first, and then take the variance.",
            _with(half=_each),
        ),
        "standard deviation": _bug(
            "The gap is right, its interval is not: that is the spread of single words. Divide each variance by its "
            "number of words.",
            _with(half=_spread),
        ),
        "standard errors added": _bug(
            "The gap is right, its interval is not: of independent sets the variances add up. Take the root after the "
            "sum.",
            _with(half=_summed),
        ),
        "one standard error": _bug(
            "The gap is right, its interval is not: that is one standard error. For 95 % take 1.96 of them.",
            _with(half=lambda *four: _half(*four) / Z),
        ),
        "whole width": _bug(
            "The gap is right. Return half the width of the interval, what stands behind ±.",
            _with(half=lambda *four: 2 * _half(*four)),
        ),
        "variance over n": _bug(
            "The gap is right, its interval is a little narrow: divide a variance by n − 1, as `tensor.var()` does.",
            _with(half=lambda *four: _half(*four, unbiased=False)),
        ),
        "one set": _bug(
            "The gap is right, its interval is not: both sets of words are samples. Add the variance of the other set.",
            _with(half=lambda *four: _on_new(*four)[1]),
            _with(half=lambda *four: _on_test(*four)[1]),
        ),
    },
    rules=[
        Rule(lambda found, *four: len(found) == 2, "Two numbers are due: the gap, and half the width of its interval."),
        Rule(lambda found, *four: found[1] > 0, "Half the width of an interval is above 0."),
        Rule(
            lambda found, *four: torch.isclose(found[0].double(), _estimate(*four).double(), rtol=1e-4, atol=1e-6),
            "The gap is off: (theirs − ours) on the new words, minus (theirs − ours) on the test words, on average.",
        ),
    ],
)
