"""The explorer of forward and reverse KL: what a student that is too weak for its teacher makes up, or gives up."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
import traitlets

from kdcourse._arguments import number
from kdcourse._examples import home_of, in_mode
from kdcourse.data.cmudict import END, LONGEST, PAD, START, TOKENS, encode
from kdcourse.lm import Transformer, load_teacher
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._traits import Bounded, Place

# Words of the validation split that the teacher reads in two ways: of each word's twelve likeliest pronunciations
# (`beam`), two differ at the same two places, and what mixes them is seldom said.
WORDS = {
    "doused": "D AW S/Z T/D",
    "bungey": "B AH N/NG JH/G IY",
    "renegade": "R IY/EH N IH/AH G EY D",
    "galanti": "G AA/AH L AA/AE N T IY",
}


def forward_reverse(
    words: Mapping[str, str] | None = None, teacher: Transformer | None = None, *, beta: float = 0.0
) -> "ForwardReverse":
    """A widget with a word's likeliest pronunciations, and those of a student between forward and reverse KL.

    The student has one distribution for each of two phonemes, whatever it said first: it is the product of the two that
    is nearest to the teacher. `kdcourse.losses.jsd_loss` is what it minimises, over whole pronunciations.

    Parameters
    ----------
    words : dict, optional
        Of each word its pronunciations as `joint` takes them; otherwise `WORDS`.
    teacher : Transformer, optional
        Otherwise `kdcourse.lm.load_teacher()`.
    beta : float
        Where the slider stands at first, from 0, forward KL, to 1, reverse KL.

    Returns
    -------
    ForwardReverse

    Raises
    ------
    TypeError, ValueError
        The message names the argument.
    kdcourse.data.DataError
        If the teacher's checkpoint is missing or altered.

    Examples
    --------
    >>> teacher = Transformer(69, width=8, layers=1, heads=1, seed=0)
    >>> explorer = forward_reverse({"minute": "M IH/AY N AH/UW T"}, teacher)
    >>> explorer.beta = 1
    >>> explorer.words[0]["pronunciations"]
    [['M'], ['IH', 'AY'], ['N'], ['AH', 'UW'], ['T']]
    """
    words = WORDS if words is None else words
    if not words:
        raise ValueError(f"words must be one or more, got {words}")
    teacher = load_teacher() if teacher is None else teacher
    made = []
    for word, said in words.items():
        shares = joint(teacher, word, said)
        covered = float(shares.sum())
        made.append(
            {
                "word": word,
                "pronunciations": [phoneme.split("/") for phoneme in said.split()],
                "joint": (shares / covered).tolist(),
                "covered": covered,
            }
        )
    return ForwardReverse(words=made, beta=beta)


def joint(teacher: Transformer, word: str, said: str) -> torch.Tensor:
    """The probabilities of a word's pronunciations that differ at two places, each scored whole by the teacher.

    Parameters
    ----------
    teacher : Transformer
    word : str
    said : str
        Phonemes between blanks, alternatives between slashes, at two places: "M IH/AY N AH/UW T".

    Returns
    -------
    float64 Tensor [A, B]
        Of each alternative at the first place with each at the second. The sum is what these pronunciations hold of all
        that the teacher might say.

    Raises
    ------
    ValueError
        For letters and phonemes that are none, for a word or a pronunciation that is too long, and where other than two
        places are open.

    Examples
    --------
    >>> joint(Transformer(69, width=8, layers=1, heads=1, seed=0), "minute", "M IH/AY N AH/UW T").shape
    torch.Size([2, 2])
    """
    options = [phoneme.split("/") for phoneme in said.split()]
    sizes = [len(some) for some in options if len(some) > 1]
    if len(sizes) != 2:
        raise ValueError(f"said must leave two phonemes open, as in 'M IH/AY N AH/UW T', got {said!r}")
    targets = encode([(*one, TOKENS[END]) for one in itertools.product(*options)], LONGEST + 1).to(home_of(teacher))
    letters = encode([word], LONGEST).to(targets.device).expand(len(targets), -1)
    before = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
    with torch.no_grad(), in_mode(teacher, training=False):
        surprise = F.cross_entropy(teacher(letters, before), targets, ignore_index=PAD, reduction="none")
    return surprise.double().sum(1).neg().exp().view(sizes).cpu()


class _Words(traitlets.List):
    """What `forward_reverse` makes of each word: dicts of word, pronunciations, joint and covered."""

    def validate(self, owner: Any, value: Any) -> list[dict[str, Any]]:
        for one in super().validate(owner, value) or []:
            shape, rows = [len(some) for some in one["pronunciations"] if len(some) > 1], one["joint"]
            if len(shape) != 2 or [len(row) for row in rows] != [shape[1]] * shape[0]:
                raise ValueError(
                    f"words must have a joint of shape {shape}, two sizes, for {one['word']!r}, got {rows}"
                )
            shares = [number("words", share) for row in rows for share in row]
            # A probability of 0 would make the reverse divergence infinite.
            if not min(shares) > 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
                raise ValueError(f"words must have joint probabilities > 0 with the sum 1, got {shares}")
        return value


class ForwardReverse(Explorer):
    """What `forward_reverse` returns.

    Attributes
    ----------
    words : list of dict
        word; pronunciations, the alternatives of each phoneme; joint, [A, B] of those at the two places that have
        several, sum 1; covered, the share of all that the teacher says.
    word_number : int
        Place of the word among them, from 0.
    beta : float
        From 0, forward KL, to 1, reverse KL.
    """

    title = "Forward or reverse"
    lesson = "08_language_models"
    question = (
        "The teacher knows two ways to say a word, and they differ in two phonemes that go together. The student "
        "forgets the first before it says the second. Forward KL matches the distribution of each: what does the "
        "student then say that nobody says? Drag to reverse KL: where does that end, and what has it given up?"
    )

    words = _Words().tag(sync=True)
    word_number = Place("words").tag(sync=True)
    beta = Bounded(0.0, 0.0, 1.0).tag(sync=True)
