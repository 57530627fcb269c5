"""The exercise `direction_of`, and three losses with names that do not say what they compute."""

import torch
import torch.nn.functional as F

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import divergence, logs
from kdcourse.losses import LossFunction

FORWARD, REVERSE = "forward", "reverse"
# What can be said of a probe that is to tell the two apart and does not, whatever was concluded from it.
NEVER, INFINITE, EQUAL = "loss never called", "infinite logits", "equal inputs"
PROBABILITIES, SAME, PERFECT = "probabilities", "same both ways", "a perfect student"


def three_losses() -> dict[str, LossFunction]:
    """Three losses as one meets them, each announced as the reverse divergence times a factor.

    Returns
    -------
    dict
        From "A", "B" and "C" to a loss function (student_logits, teacher_logits, labels) -> one value per token.

    Examples
    --------
    >>> same = torch.tensor([[2.0, 0.0, 1.0]])
    >>> [loss(same, same, None).tolist() for loss in three_losses().values()]
    [[0.0], [0.0], [0.0]]
    """

    def of(first, second, factor):
        """What F.kl_div makes of two logarithms: its second argument is the distribution that is averaged under."""
        return factor * F.kl_div(first, second, reduction="none", log_target=True).sum(1)

    return {
        "A": lambda student_logits, teacher_logits, labels: of(logs(student_logits), logs(teacher_logits), 16),
        "B": lambda student_logits, teacher_logits, labels: of(logs(teacher_logits), logs(student_logits), 1),
        "C": lambda student_logits, teacher_logits, labels: of(logs(student_logits), logs(teacher_logits), 1 / 69),
    }


def _asked_of_both(direction_of, factor):
    """What an answer says of the forward loss and of the reverse one; if it is wrong, first what its probe lacks."""
    asked = []  # student's and teacher's logits of every call, and both divergences of them

    def loss_of(direction):
        def loss(student_logits, teacher_logits, labels=None):
            q, p = logs(student_logits), logs(teacher_logits)
            both = divergence(p, q), divergence(q, p)
            asked.append((student_logits.detach(), teacher_logits.detach(), *(one.detach().double() for one in both)))
            return factor * both[direction == REVERSE]

        return loss

    said = []
    for direction in (FORWARD, REVERSE):
        word = direction_of(loss_of(direction))
        if not issubclass(type(word), str):
            return word
        said.append(word)
    return said if said == [FORWARD, REVERSE] else _lacks(asked) or said


def _lacks(asked):
    """What keeps a probe from telling the directions apart, or None."""
    if not asked:
        return [NEVER]
    logits = [rows for call in asked for rows in call[:2]]
    forward, reverse = (torch.cat([call[k].flatten() for call in asked]) for k in (2, 3))
    if not all(rows.isfinite().all() for rows in logits):
        return [INFINITE]
    perfect = (forward.abs() < 1e-5) & (reverse.abs() < 1e-5)
    if perfect.all():
        return [EQUAL]
    if all((rows >= 0).all() and ((rows.sum(1) - 1).abs() < 1e-4).all() for rows in logits):
        return [PROBABILITIES]
    if torch.allclose(forward, reverse, rtol=1e-3, atol=1e-5):
        return [SAME]
    return [PERFECT] if perfect.any() else None


def _rows(*rows):
    return [torch.tensor([row]) for row in rows]


# The teacher has two modes. One student has some of everything, the other has one mode alone.
TEACHER, COVERS, SEEKS = _rows([0.0, 0.0, -8.0], [0.0, 0.0, 0.0], [0.0, -8.0, -8.0])


def _probe(teacher=TEACHER, covers=COVERS, seeks=SEEKS, says=(FORWARD, REVERSE)):
    """An answer: `says` what follows if the student that covers wins, and what if the other does."""
    return lambda loss: says[int(loss(seeks, teacher, None) <= loss(covers, teacher, None))]


def _by_size(holds, otherwise):
    """An answer that reads a single value."""
    return lambda loss: FORWARD if holds(loss(SEEKS, TEACHER, None).item()) else otherwise


_AS_FORWARD = divergence(logs(TEACHER), logs(SEEKS)).item()
_AS_REVERSE = divergence(logs(SEEKS), logs(TEACHER)).item()


def _factor(generator):
    """Far above 1 or far below."""
    power = 3 + 3 * torch.rand((), generator=generator)
    return (float(2 ** (power if torch.randint(2, (), generator=generator) else -power)),)


direction_of = Exercise(
    "direction_of",
    lesson="08_language_models",
    order=1,
    reference=_probe(),
    through=_asked_of_both,
    inputs=_factor,
    small=[(1.0,), (16.0,), (1 / 64,)],
    words=(FORWARD, REVERSE, NEVER, INFINITE, EQUAL, PROBABILITIES, SAME, PERFECT),
    praise="It asks the loss itself, and no factor misleads it. Keep it as a unit test.",
    hints=[
        "A teacher with two modes: two tokens share nearly all of its probability. What can a student do that cannot "
        "have both?",
        "One student has some of everything, another has one mode alone. Which of them does KL(teacher ‖ student) "
        "prefer, which KL(student ‖ teacher)?",
        "Compare the loss of the two students under the same teacher: a factor changes both values and not their "
        "order. Where the student with one mode is the worse one, the loss is forward.",
        "teacher = torch.tensor([[0.0, 0.0, -8.0]]); the one student is torch.zeros(1, 3), the other "
        "torch.tensor([[0.0, -8.0, -8.0]]). Call loss(student, teacher, None) for both, and compare.",
    ],
    bugs={
        "loss never called": Bug(
            lambda loss: FORWARD,
            "You never call the loss. Its name proves nothing: hand it logits that you choose, and look at the values.",
            lambda loss: REVERSE,
        ),
        "student equal to teacher": Bug(
            lambda loss: FORWARD if loss(TEACHER, TEACHER, None) > 0 else REVERSE,
            "Student and teacher are equal in all your probes. Both directions are 0 there: make them differ.",
            _probe(TEACHER, TEACHER, TEACHER),
        ),
        "a pair that is the same both ways": Bug(
            lambda loss: FORWARD if loss(*_rows([3.0, 0.0], [0.0, 3.0]), None) > 1 else REVERSE,
            "Both directions have the same value at your probes, as they have where student and teacher are each "
            "other's mirror image. Take a teacher with two modes, and a student that has one of them.",
            lambda loss: FORWARD if loss(*_rows([3.0, 0.0], [0.0, 3.0]), None).item() < 1 else REVERSE,
        ),
        "a student that equals the teacher": Bug(
            _probe(*_rows([0.0, -8.0, -8.0], [0.0, 0.0, 0.0], [0.0, -8.0, -8.0])),
            "One of your students equals the teacher, so it wins in both directions. Both students should miss "
            "something: one has too much, the other too little.",
            _probe(covers=TEACHER),
        ),
        "probabilities in place of logits": Bug(
            _probe(*_rows([0.5, 0.5, 0.0], [0.34, 0.33, 0.33], [1.0, 0.0, 0.0])),
            "Your probes are probabilities, and a loss takes logits. The softmax of numbers between 0 and 1 is nearly "
            "flat, too flat to tell. Take their logarithms, or logits such as 0 and −8.",
        ),
        "infinite logits": Bug(
            _probe(*_rows([0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0], [0.0, -torch.inf, -torch.inf])),
            "Your probes have infinite logits, and the loss is infinite or NaN there. −8 is nearly impossible, and "
            "finite.",
        ),
        "exchanged": Bug(
            _probe(says=(REVERSE, FORWARD)),
            "The two are exchanged. Forward, KL(teacher ‖ student), punishes a student for what it leaves out. Or are "
            "your arguments? The student's logits come first.",
            lambda loss: _probe()(lambda student_logits, teacher_logits, labels: loss(teacher_logits, student_logits)),
        ),
        "by the size of a value": Bug(
            _by_size(lambda value: value > 2, REVERSE),
            "You go by the size of a value, and a loss may carry a factor, such as T² or 1/V. Compare two students "
            "under the same teacher: no factor changes which of them is better.",
            _by_size(lambda value: abs(value - _AS_FORWARD) < 0.01, REVERSE),
            lambda loss: REVERSE if abs(loss(SEEKS, TEACHER, None).item() - _AS_REVERSE) < 0.01 else FORWARD,
        ),
        "the same of every loss": Bug(
            lambda loss: FORWARD if loss(SEEKS, TEACHER, None) > 0 else REVERSE,
            "You say the same of every loss, although your probes differ. Both directions are positive, and both grow "
            "as a student gets worse: compare two students that err in opposite ways, one that leaves out a mode of "
            "the teacher and one that spreads beyond its modes.",
            lambda loss: REVERSE if loss(SEEKS, TEACHER, None) > 0 else FORWARD,
        ),
    },
    rules=[
        Rule(
            lambda places, factor: places.ndim == 1 and ((places == 0) | (places == 1)).all(),
            'Return one of two words: "forward" or "reverse".',
        ),
    ],
)
