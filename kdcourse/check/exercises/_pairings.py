"""For exercises that give each run its bug's name: mistakes and rules about wrong pairings."""

from collections.abc import Callable, Mapping, Sequence

from kdcourse.check.core import Rule


def exchanged(name_of: Mapping[str, str], one: str, other: str) -> Callable[[str], str]:
    """A mistake: two runs taken for each other."""
    return lambda run: name_of[{one: other, other: one}.get(run, run)]


def wrong_pairings(
    name_of: Mapping[str, str], names: Sequence[str], would: Mapping[str, str], seen: Mapping[str, str]
) -> list[Rule]:
    """A rule against every wrong pairing, which is told both: what that name would look like, and what the run does."""

    def told(run, name):
        place = names.index(name)
        message = f"Run {run}, {name}? {would[name]} Run {run} {seen[run]}"
        return Rule(lambda answer, asked: asked != run or answer != place, message)

    return [told(run, name) for run, right in name_of.items() for name in names if name != right]
