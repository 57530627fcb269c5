"""The exercise `recommend`: what a memo says follows from its verdicts."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule

_WORDS = ["ship", "do not ship"]
_VERDICTS = ["pass", "flag", "alarm", "watch", "too few"]
_WAIVER = "till March: fallback"
_LACKS, _WATCHES = ["mails after 2006"], ["share handed on"]


def _recommend(keeps, written=lambda not_tested, monitoring: bool(not_tested and monitoring), every=all):
    """ "ship" where every slice is kept, each by its verdict and its waiver, and both lists are written."""

    def answer(verdicts, waivers, not_tested, monitoring):
        kept = every(keeps(*pair) for pair in zip(verdicts, waivers, strict=True))
        return _WORDS[0] if kept and written(not_tested, monitoring) else _WORDS[1]

    return answer


def _keeps(verdict, waiver):
    return verdict == "pass" or (verdict != "flag" and waiver != "")


def _passes_as(*verdicts):
    return lambda verdict, waiver: verdict in verdicts or _keeps(verdict, waiver)


def _most(kept):
    kept = list(kept)
    return sum(kept) > len(kept) / 2


def _one_waiver_for_all(verdicts, waivers, *written):
    waivers = [max(waivers, key=len)] * len(verdicts)
    return _right(verdicts, waivers, *written)


_right = _recommend(_keeps)


def _a_right_one(verdicts, waivers, not_tested, monitoring):
    return _right(verdicts, waivers, not_tested, monitoring)


def _audits(generator):
    """Four slices, most of which pass or are waived; now and then nothing is written down."""

    def draw(high):
        return int(torch.randint(high, (), generator=generator))

    verdicts = [_VERDICTS[max(0, draw(9) - 4)] for _ in range(4)]
    waivers = ["" if verdict == "pass" or draw(3) == 0 else _WAIVER for verdict in verdicts]
    return verdicts, waivers, _LACKS[: draw(8)], _WATCHES[: draw(8)]


def _case(verdicts, waived=(), not_tested=_LACKS, monitoring=_WATCHES):
    return verdicts, [_WAIVER if place in waived else "" for place in range(len(verdicts))], not_tested, monitoring


recommend = Exercise(
    "recommend",
    lesson="10_capstone",
    order=3,
    reference=_a_right_one,
    inputs=_audits,
    small=[
        _case(["pass", "pass", "watch"]),
        _case(["pass", "too few"]),
        _case(["pass", "pass", "alarm"]),
        _case(["pass", "flag"], waived=[1]),
        _case(["pass", "watch"], waived=[1]),
        _case(["pass", "too few", "watch"], waived=[1]),
        _case(["pass", "pass"]),
        _case(["pass", "pass"], not_tested=[]),
        _case(["pass", "pass"], monitoring=[]),
        _case(["pass", "flag", "pass"]),
        _case(["alarm", "pass", "too few"], waived=[0, 2]),
    ],
    words=_WORDS,
    praise="The memo says ship where its rules do, and nobody has to like the student for it.",
    hints=[
        "Go through the slices one by one. Which of the five verdicts says that a slice is safe?",
        "A waiver is a person's word for a slice that is undecided. Against a flag it counts for nothing.",
        'all(verdict == "pass" or (verdict != "flag" and waiver) for …), and both lists have to hold something.',
    ],
    bugs={
        "only flags stop": Bug(
            _recommend(lambda verdict, waiver: verdict != "flag"),
            "You ship what is undecided. Not shown to lose too much is not shown to be safe.",
        ),
        "too few is a pass": Bug(
            _recommend(_passes_as("too few")),
            "You ship a slice with too few examples to be judged. Nothing at all is known about it.",
        ),
        "watch is a pass": Bug(
            _recommend(_passes_as("watch")),
            "You ship a slice on watch. Its interval reaches beyond the margin, so it may lose too much.",
        ),
        "alarm is a pass": Bug(
            _recommend(_passes_as("alarm")),
            "You ship a slice in alarm. By its own test it loses too much; only among so many tests is that not shown.",
        ),
        "watch and too few are passes": Bug(
            _recommend(_passes_as("watch", "too few")),
            "Two undecided verdicts, watch and too few, do not stop you. Only a pass is shown to be safe.",
        ),
        "a flag is waived": Bug(
            _recommend(lambda verdict, waiver: verdict == "pass" or waiver != ""),
            "A waiver lets a flag through. What is shown to lose too much cannot be waived, only mended or handed on.",
        ),
        "waivers ignored": Bug(
            _recommend(lambda verdict, waiver: verdict == "pass"),
            "An undecided slice that somebody has waived by name still stops you. Look at its waiver.",
        ),
        "one waiver for all": Bug(
            _one_waiver_for_all,
            "The waiver of one slice lets another one through. Each is waived by its own name.",
        ),
        "most slices": Bug(
            _recommend(_keeps, every=_most),
            "You ship when most slices are fine. Those who are in the others will not be consoled.",
        ),
        "one good slice": Bug(
            _recommend(_keeps, every=any),
            "One good slice is enough for you. Every single one has to be: all, not any.",
        ),
        "nothing was not tested": Bug(
            _recommend(_keeps, written=lambda not_tested, monitoring: bool(monitoring)),
            "The memo names nothing that was not tested. There always is something: do not ship before it says what.",
        ),
        "no monitoring": Bug(
            _recommend(_keeps, written=lambda not_tested, monitoring: bool(not_tested)),
            "The memo says of nothing how it will be watched. Do not ship before it does.",
        ),
        "the lists ignored": Bug(
            _recommend(_keeps, written=lambda *written: True),
            "You ship without looking at not_tested and monitoring. Where either is empty, the memo is not finished.",
        ),
        "exchanged": Bug(
            lambda *case: _WORDS[1 - _WORDS.index(_right(*case))],
            "The two words are exchanged.",
        ),
        "never": Bug(lambda *case: _WORDS[1], "You never ship. That is safe, and nobody needs a memo for it."),
    },
    rules=[
        Rule(lambda place, *case: place >= 0, 'Return one of two texts: "ship" or "do not ship".'),
        Rule(
            lambda place, verdicts, *case: place == 1 or "flag" not in verdicts,
            "You ship although a slice is flagged.",
        ),
        Rule(
            lambda place, verdicts, waivers, *lists: (
                place == 1 or _right(verdicts, waivers, _LACKS, _WATCHES) == "ship"
            ),
            "You ship although a slice is undecided and nobody has waived it.",
        ),
        Rule(
            lambda place, verdicts, waivers, *lists: place == 1 or all(lists),
            "You ship although the memo does not say what was not tested, or what will be watched.",
        ),
        Rule(
            lambda place, *case: place == 0 or _right(*case) != "ship",
            "You hold back a student of which every slice passes or is waived, with a memo that says what it has to.",
        ),
    ],
)
