"""The exercise `louder_loss`: a control with the direction of T = 1 and the size of T = 4."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import kl, logits_and_temperature

HIGH = 4.0  # the temperature whose gradient sets the size
NEAR = 0.02  # how far that size may be off, relative


def _pull(student_logits, teacher_logits, T):
    """The gradient of T² · KL with respect to the student's logits."""
    return T * ((student_logits / T).softmax(1) - (teacher_logits / T).softmax(1))


def _size(student_logits, teacher_logits, T):
    """The mean norm of that gradient over the examples, the last axis."""
    return _pull(student_logits, teacher_logits, T).norm(dim=1).mean(-1, keepdim=True)


def _ratio(student_logits, teacher_logits):
    return _size(student_logits, teacher_logits, HIGH) / _size(student_logits, teacher_logits, 1)


def _at(T):
    return lambda z, v, y: T**2 * kl(z, v, T)


def _scaled(factor, T=1):
    """An answer: the loss at T, times what `factor` makes of both logits."""
    return lambda z, v, y: factor(z, v) * _at(T)(z, v, y)


def _louder(student_logits, teacher_logits, labels):
    return _ratio(student_logits, teacher_logits).detach() * kl(student_logits, teacher_logits, 1)


def _gradient(answer, student_logits, teacher_logits, labels):
    """What an answer is judged by: the gradient of its sum, as training takes it."""
    z = student_logits.detach().requires_grad_()
    return torch.autograd.grad(answer(z, teacher_logits, labels).sum(), z)[0]


def _points_as_at_1(gradient, z, v, y):
    wanted = _pull(z.double(), v.double(), 1)
    return (torch.cosine_similarity(gradient, wanted, dim=1) > 1 - 1e-3).all()


def _is_as_large(gradient, z, v, y):
    ratio = gradient.norm(dim=1).mean() / _size(z.double(), v.double(), HIGH).mean()
    return abs(ratio - 1) < NEAR


def _logits_and_labels(generator):
    student, teacher, _ = logits_and_temperature(generator)
    return student / 4, teacher, torch.randint(student.shape[1], student.shape[:1], generator=generator)


louder_loss = Exercise(
    "louder_loss",
    lesson="02_temperature",
    order=2,
    reference=_louder,
    through=_gradient,
    open_ended=True,
    inputs=_logits_and_labels,
    small=[
        (torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[5.0, 3.0, 0.0]]), torch.tensor([0])),
        (
            torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]),
            torch.tensor([[5.0, 3.0, 0.0], [1.0, 1.0, 6.0]]),
            torch.tensor([0, 2]),
        ),
        # One student and two examples: [M, C, B], as a stack calls it.
        (
            torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]]]),
            torch.tensor([[[6.0, 1.0], [3.0, 0.0], [0.0, 5.0]]]),
            torch.tensor([[0, 1]]),
        ),
    ],
    praise="Direction of T = 1, size of T = 4: whatever this control gains, the size alone explains.",
    hints=[
        "The direction of a gradient stays if the loss is multiplied by a number. Which number makes it as large as at "
        "T = 4?",
        "The gradient at T is T · (q − p), with q = (student_logits / T).softmax(1), and p of the teacher. Take its "
        "norm over the classes, axis 1, and the mean over the batch, the last axis; once at T = 4, once at T = 1.",
        "The ratio of the two depends on the student's logits, so it has a gradient of its own: .detach() it.",
        "q, p = ((logits / T).softmax(1) for logits in (student_logits, teacher_logits)); "
        "size = (T * (q - p)).norm(dim=1).mean(-1, keepdim=True); factor = (size at 4 / size at 1).detach()",
    ],
    bugs={
        "T = 4 itself": Bug(
            _at(HIGH),
            "That is T = 4 itself, the arm that is to be explained. A control keeps the direction of T = 1.",
        ),
        "T = 1 as it is": Bug(
            _at(1), "That is T = 1 as it is: its gradient has not grown. Multiply the loss by a factor."
        ),
        "times T²": Bug(
            _scaled(lambda z, v: HIGH**2),
            "You multiply by T² = 16. The gradient at T = 4 is not 16 times as large: T² is there already, and q − p "
            "changes too. Measure the two norms.",
        ),
        "times T": Bug(
            _scaled(lambda z, v: HIGH),
            "You multiply by T = 4. Only if q − p stayed the same would that be the ratio. Measure the two norms.",
        ),
        "factor with a gradient": Bug(
            _scaled(_ratio),
            "The factor depends on the student's logits, and its own gradient bends the direction. .detach() it.",
        ),
        "factor upside down": Bug(
            _scaled(lambda z, v: 1 / _ratio(z, v).detach()),
            "The factor is upside down: the gradient at T = 1 is to become as large as at T = 4.",
        ),
        "T = 4 made as small as T = 1": Bug(
            _scaled(lambda z, v: 1 / _ratio(z, v).detach(), HIGH),
            "That is the direction of T = 4 with the size of T = 1: a good second control, but the other one.",
        ),
        "ratio of the losses": Bug(
            _scaled(lambda z, v: (_at(HIGH)(z, v, 0) / _at(1)(z, v, 0)).detach()),
            "You match the values of the losses. What moves weights are gradients: match their norms.",
            _scaled(lambda z, v: (_at(HIGH)(z, v, 0).mean() / _at(1)(z, v, 0).mean()).detach()),
        ),
        "size without T²": Bug(
            _scaled(lambda z, v: _ratio(z, v).detach() / HIGH**2),
            "The size at T = 4 is taken without T²: 16 times too small. The gradient of T² · KL is T · (q − p).",
        ),
        "size without T": Bug(
            _scaled(lambda z, v: _ratio(z, v).detach() / HIGH),
            "You compare q − p at the two temperatures. The gradient is T · (q − p): the T is missing.",
        ),
        "one value for the batch": Bug(
            lambda z, v, y: (_ratio(z, v).detach() * _at(1)(z, v, y)).mean(),
            "You average over the batch. Return one value per example: the training loop averages.",
        ),
    },
    rules=[
        Rule(
            _points_as_at_1,
            "Its gradient does not point where that of T = 1 points. Multiply the loss at T = 1 by a number, or by one "
            "per example, and do nothing else to it.",
        ),
        Rule(
            _is_as_large,
            "The direction is right; its mean norm over the batch is not that of T = 4. Is the factor computed from "
            "these logits, over axis 1?",
        ),
    ],
)
