"""The exercise `mended_term`: judged by the term, and by what it would move in the student and in the teacher."""

import itertools

import torch
import torch.nn.functional as F

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import kl, logs

FAULTS = {  # what is wrong with `gallery.broken_term`, and what to say where it is left
    "wrong axis": "The teacher's softmax still runs over axis 0, the pictures of the batch: dim=1 is the classes.",
    "log missing": "F.kl_div still gets the student's probabilities. It wants their logarithms: log_softmax.",
    "teacher in train mode": "The teacher is still in training mode, in which dropout takes units away. Begin with "
    "teacher.eval().",
    "gradient into the teacher": "The gradient still reaches the teacher (the third number): ask it under "
    "torch.no_grad(), or detach its logits.",
}


class _Teacher(torch.nn.Module):
    """Says of each picture what is given; in training mode it drops every second unit, and doubles the others."""

    def __init__(self, pictures, logits):
        super().__init__()
        self.pictures, self.logits = pictures, torch.nn.Parameter(logits)

    def forward(self, pictures):
        said = self.logits[torch.cdist(pictures, self.pictures).argmin(1)]
        return said * (2 * (torch.arange(said.shape[1]) % 2)) if self.training else said


def _term_and_pulls(mended_term, pictures, teacher_logits, temperature):
    """The term of two small models, and the size of its gradient in the student and in the teacher."""
    student, teacher = (
        torch.nn.Linear(pictures.shape[1], teacher_logits.shape[1], bias=False),
        _Teacher(pictures, teacher_logits),
    )
    with torch.no_grad():
        student.weight.copy_(torch.arange(1.0, student.weight.numel() + 1).reshape(student.weight.shape).cos())
    term = mended_term(student.to(pictures.dtype), teacher, pictures, temperature)
    if issubclass(type(term), float):
        term = torch.tensor(term)
    if not issubclass(type(term), torch.Tensor):
        return term
    if term.numel() != 1:
        raise ValueError(f"one number is due, the mean over the batch, got a tensor of shape {list(term.shape)}")
    if term.requires_grad:
        term.sum().backward()
    return torch.stack([term.detach().sum(), _size(student.weight), _size(teacher.logits)])


def _size(weights):
    return torch.zeros((), dtype=weights.dtype) if weights.grad is None else weights.grad.norm()


def _term(left=(), soft=None, student_mode=None):
    """An answer with the faults that are left in it; or with another loss of the two models' logits."""

    def answer(student, teacher, pictures, temperature):
        teacher.train("teacher in train mode" in left)
        with torch.set_grad_enabled("gradient into the teacher" in left):
            said = teacher(pictures)
        if soft:
            return soft(student(pictures), said, temperature)
        p = (said / temperature).softmax(0 if "wrong axis" in left else 1)
        q = (student(pictures) / temperature).softmax(1)
        return temperature**2 * F.kl_div(q if "log missing" in left else q.log(), p, reduction="batchmean")

    return answer


def _left(faults):
    sentences = [FAULTS[fault] for fault in faults]
    count = {1: "", 2: "Two are left. ", 3: "Three are left. ", 4: "Nothing is mended yet: four are left. "}[
        len(faults)
    ]
    return Bug(_term(faults), count + " ".join(sentences))


def _no_student(student, teacher, pictures, temperature):
    return _term()(student, teacher, pictures, temperature).detach()


def _case(generator):
    def draw(low, high):
        return int(torch.randint(low, high, (), generator=generator))

    count, features, classes = draw(3, 6), draw(2, 5), draw(3, 6)
    pictures = 2 * torch.randn(count, features, generator=generator)
    return (
        pictures,
        3 * torch.randn(count, classes, generator=generator),
        float(1.5 + 4 * torch.rand((), generator=generator)),
    )


mended_term = Exercise(
    "mended_term",
    lesson="06_when_distillation_fails",
    order=3,
    reference=_term(),
    through=_term_and_pulls,
    inputs=_case,
    small=[
        (torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0]]), 2.0),
        _case(torch.Generator().manual_seed(0)),  # of more than two classes, and no square
    ],
    praise="Zero for a copy, the same alone and in a batch, the same twice, and the teacher stays as it was.",
    hints=[
        "Four faults in three lines: two in how the teacher is asked, one on its softmax, one on the student's.",
        "Ask the teacher in evaluation mode and without a gradient; then no dropout draws, and nothing moves it.",
        "A distribution over the classes is a softmax over axis 1, on both sides.",
        "F.kl_div takes logarithms first: F.log_softmax(student(pictures) / temperature, dim=1).",
        "teacher.eval(); with torch.no_grad(): said = teacher(pictures). The last line may stay as it is.",
    ],
    bugs={
        **{
            " and ".join(faults): _left(faults)
            for count in range(1, 5)
            for faults in itertools.combinations(FAULTS, count)
        },
        "student over the wrong axis": Bug(
            _term(soft=lambda s, t, T: T**2 * F.kl_div(logs(s, T, 0), (t / T).softmax(1), reduction="batchmean")),
            "The student's softmax runs over axis 0, the pictures of the batch. dim=1 is the classes, on both sides.",
        ),
        "both over the wrong axis": Bug(
            _term(soft=lambda s, t, T: T**2 * F.kl_div(logs(s, T, 0), (t / T).softmax(0), reduction="batchmean")),
            "Both run over axis 0 now, so two distributions over pictures are compared. Take dim=1 on both sides.",
        ),
        "logarithm on both sides": Bug(
            _term(soft=lambda s, t, T: T**2 * F.kl_div(logs(s, T), logs(t, T), reduction="batchmean")),
            "Both sides are logarithms now. F.kl_div takes the student's as one and the teacher's as probabilities, "
            "unless it is told log_target=True.",
        ),
        "arguments swapped": Bug(
            _term(soft=lambda s, t, T: T**2 * kl(t, s, T).mean()),
            "The arguments have changed places: that is KL(student ‖ teacher). F.kl_div takes the student's "
            "logarithms first, then the teacher's probabilities.",
        ),
        "softmax twice": Bug(
            _term(
                soft=lambda s, t, T: (
                    T**2 * F.kl_div(logs((s / T).softmax(1)), (t / T).softmax(1), reduction="batchmean")
                )
            ),
            "The student goes through a softmax twice: log_softmax takes logits, not probabilities.",
        ),
        "teacher on both sides": Bug(
            _term(soft=lambda s, t, T: T**2 * kl(t, t, T).mean()),
            "The teacher stands on both sides, so the student has no say. One side is student(pictures).",
        ),
        "no T²": Bug(
            _term(soft=lambda s, t, T: kl(s, t, T).mean()),
            "T² was right, and is gone. It keeps the gradient of the softened term in step with that of the labels.",
        ),
        "mean over the classes": Bug(
            _term(soft=lambda s, t, T: T**2 * kl(s, t, T).mean() / s.shape[1]),
            'The mean runs over classes, too. reduction="batchmean" was right.',
        ),
        "no gradient": Bug(
            _no_student,
            "No gradient reaches the student (the second number). Only the teacher is asked under torch.no_grad().",
        ),
    },
    rules=[
        Rule(lambda numbers, *case: numbers.shape != (3,) or numbers[0] >= 0, "A divergence is not negative."),
    ],
)
