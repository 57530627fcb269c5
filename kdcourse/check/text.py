"""What a check prints: plain text, at most 100 columns wide, whatever it is about."""

import inspect
import reprlib
import textwrap

import torch

from kdcourse.check.outcome import attempt

WIDTH = 100
SHOWN_WHOLE = 8  # numbers in a tensor; larger ones are shown by their shape


def say(text):
    """Print, also where the terminal lacks a character."""
    try:
        print(text)
    except UnicodeEncodeError:
        print(text.encode("ascii", "replace").decode())
    except (ValueError, OSError):
        pass  # standard output is closed; the Result still says it


def wrapped(text, indent=""):
    """Lines of at most WIDTH columns; those after the first begin with `indent`."""
    return "\n".join(textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False))


def plain(text, limit=200):
    """`text` on one line, without control characters and lone surrogates, cut at `limit` characters."""
    text = " ".join(text[: 10 * limit].split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def kind(value):
    """The name of the type of a value, with its article."""
    name, _ = attempt(lambda: plain(type.__getattribute__(type(value), "__name__"), 40))
    name = name or "thing"
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"


def error_text(error):
    """An exception as a learner knows it: its type, and what it says."""
    name = kind(error).split()[1]
    said, _ = attempt(lambda: plain(str(error)))
    return f"{name}: {said}" if said else name


def parameters_of(function):
    """The names of the parameters of a function, as one writes them after `def`; None where they cannot be found."""

    def listed():
        parameters = inspect.signature(function).parameters.values()
        bare = [one.replace(default=one.empty, annotation=one.empty) for one in parameters]
        return plain(str(inspect.Signature(bare)))

    return attempt(listed)[0]


def called_with(names, case):
    """The arguments of one call, a line each."""
    width = max(map(len, names))
    lines = [f"{name:<{width}} = {brief(value)}" for name, value in zip(names, case, strict=True)]
    head = "  called with "
    indent = " " * (len(head) + width + 3)
    return "\n".join(
        wrapped((head if number == 0 else " " * len(head)) + line, indent) for number, line in enumerate(lines)
    )


def expected_and_got(wanted, got):
    """Two lines. Numbers are rounded, but never so far that a difference cannot be seen."""
    indent = " " * 14
    for digits in (4, 6, 8, 17):
        lines = brief(wanted, digits), brief(got, digits)
        if lines[0] != lines[1]:
            break
    return "\n".join(
        wrapped(f"  {head:<11} {line}", indent) for head, line in zip(("expected", "got"), lines, strict=True)
    )


def got(value):
    """One line."""
    return wrapped(f"  {'got':<11} {brief(value)}", " " * 14)


def brief(value, digits=4):
    """A value in as few characters as it can be read in. Never runs the code of a class that is not known."""
    if issubclass(type(value), torch.Tensor):
        return attempt(_brief_tensor, value, digits)[0] or kind(value)
    if type(value) in (bool, int, float, complex, str, bytes, type(None), type(...)):
        return attempt(lambda: plain(reprlib.repr(_rounded(value, digits)), 80))[0] or kind(value)
    if type(value) is list and 0 < len(value) <= SHOWN_WHOLE and all(type(item) is str for item in value):
        return str([plain(item, 20) for item in value])
    return kind(value)


def _brief_tensor(value, digits):
    if not 0 < value.numel() <= SHOWN_WHOLE:
        return f"a tensor of shape {list(value.shape)}"
    return str(_rounded(value.tolist(), digits))


def _rounded(value, digits):
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    return round(value, digits) + 0.0 if isinstance(value, float) else value  # + 0.0 makes a plain zero of -0.0
