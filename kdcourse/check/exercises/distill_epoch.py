"""The exercise `distill_epoch`: judged by the weights that an epoch leaves."""

import torch
import torch.nn.functional as F

from kdcourse.check.core import Bug, Exercise
from kdcourse.check.exercises._pieces import kl, logs


def _weights_after(distill_epoch, inputs, teacher_logits, batches, temperature):
    """The weights of a small student after one epoch, class by class.

    It comes in evaluation mode, and has a layer that works otherwise in training. Its optimiser is plain gradient
    descent: AdamW would hide a loss that is a thousand times too large.
    """
    features, classes = inputs.shape[1], teacher_logits.shape[1]
    linear = torch.nn.Linear(features, classes, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.linspace(-1, 1, features * classes).reshape(classes, features))
    student = torch.nn.Sequential(torch.nn.BatchNorm1d(features, affine=False), linear).to(inputs.dtype).eval()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.5)
    distill_epoch(student, optimizer, inputs, teacher_logits, batches, temperature)
    return linear.weight.detach().flatten()


def _case(generator):
    def draw(low, high):
        return int(torch.randint(low, high, (), generator=generator))

    count, size, features, classes = draw(3, 6), draw(3, 7), draw(2, 5), draw(3, 6)
    inputs = torch.randn(count * size, features, generator=generator)
    teacher_logits = 3 * torch.randn(count * size, classes, generator=generator)
    batches = torch.randperm(count * size, generator=generator).reshape(count, size)
    return inputs, teacher_logits, batches, float(1.5 + 4 * torch.rand((), generator=generator))


def _loss(student_logits, teacher_logits, temperature):
    return temperature**2 * kl(student_logits, teacher_logits, temperature).mean()


def _update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _both(inputs, teacher_logits, rows, first):
    return inputs[rows], teacher_logits[rows]


def _epoch(loss=_loss, update=_update, train=True, pick=_both):
    """An answer, with one of its pieces replaced; `first` is how many pictures came in the batches before."""

    def answer(student, optimizer, inputs, teacher_logits, batches, temperature):
        student.train(train)
        first = 0
        for rows in batches:
            pictures, targets = pick(inputs, teacher_logits, rows, first)
            update(optimizer, loss(student(pictures), targets, temperature))
            first += len(rows)

    return answer


def _only(one):
    """An epoch that has a single batch."""

    def answer(student, optimizer, inputs, teacher_logits, batches, temperature):
        _epoch()(student, optimizer, inputs, teacher_logits, [batches[one]], temperature)

    return answer


def _late(optimizer, loss):
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()


def _added_up(optimizer, loss):
    loss.backward()
    optimizer.step()


def _cleared(optimizer, loss):
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()


distill_epoch = Exercise(
    "distill_epoch",
    lesson="00_start_here",
    order=1,
    reference=_epoch(),
    inputs=_case,
    small=[
        (
            torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0], [1.0, 2.0]]),
            torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 4.0], [0.0, 3.0]]),
            torch.tensor([[2, 0], [3, 1]]),
            3.0,
        ),
        _case(torch.Generator().manual_seed(0)),  # with more than two batches, which tell more mistakes apart
    ],
    praise="After every batch the student's weights are where they should be.",
    hints=[
        "First line: student.train(). Then a loop: for rows in batches. Everything else happens inside it.",
        "student(inputs[rows]) gives the student's logits; teacher_logits[rows] are the teacher's.",
        "Divide both by the temperature. p is the softmax of the teacher's, log q the log_softmax of the student's. "
        'F.kl_div(log_q, p, reduction="batchmean") is their divergence, averaged over the pictures.',
        "Multiply by temperature**2. Then three lines, in this order: optimizer.zero_grad(), loss.backward(), "
        "optimizer.step().",
    ],
    bugs={
        "student left in evaluation mode": Bug(
            _epoch(train=False),
            "The student is still in evaluation mode, in which dropout and batch normalisation do not train. "
            "Begin with student.train().",
        ),
        "no zero_grad": Bug(
            _epoch(update=_added_up),
            "Gradients add up from batch to batch: backward() adds to what is there. Call optimizer.zero_grad() for "
            "every batch.",
        ),
        "step before backward": Bug(
            _epoch(update=_late),
            "Each step uses the gradient of the batch before: optimizer.step() comes before loss.backward(). "
            "Exchange them.",
        ),
        "nothing moved": Bug(
            _epoch(update=_cleared),
            "The weights have not moved. Either step() never comes after backward(), or a zero_grad() stands between "
            "them, or the loss does not depend on both student and teacher.",
            _epoch(loss=lambda s, t, T: _loss(s, s.detach(), T)),
        ),
        "the wrong way": Bug(
            _epoch(loss=lambda s, t, T: -_loss(s, t, T)),
            "The student moves away from the teacher: the sign of the loss is wrong.",
        ),
        "teacher's rows in another order": Bug(
            _epoch(pick=lambda inputs, logits, rows, first: (inputs[rows], logits[first : first + len(rows)])),
            "Pictures and teacher's logits come from different rows, so a picture learns what the teacher said about "
            "another. Index both with `rows`.",
        ),
        "pictures in another order": Bug(
            _epoch(pick=lambda inputs, logits, rows, first: (inputs[first : first + len(rows)], logits[rows])),
            "The teacher's logits follow `rows`, the pictures do not: they come in their stored order. "
            "Index both with `rows`.",
        ),
        "batches not used": Bug(
            _epoch(pick=lambda inputs, logits, rows, first: (inputs, logits)),
            "Every step uses all pictures. Take those of the batch alone: inputs[rows], teacher_logits[rows].",
        ),
        "first batch only": Bug(
            _only(0),
            "Only the first batch was learned from. Does a `return` stand inside the loop, or do the steps stand "
            "after it?",
        ),
        "last batch only": Bug(
            _only(-1),
            "Only the last batch was learned from. Are backward() and step() indented into the loop?",
        ),
        "no T²": Bug(
            _epoch(loss=lambda s, t, T: kl(s, t, T).mean()),
            "T² is missing. Softening makes the gradients smaller, by about 1/T²; the factor makes up for it.",
        ),
        "no T², and divided by the classes": Bug(
            _epoch(loss=lambda s, t, T: kl(s, t, T).mean() / s.shape[1]),
            "Two things: T² is missing, and the mean runs over the classes too. F.kl_div does that unless you ask for "
            'reduction="batchmean".',
        ),
        "summed over the pictures": Bug(
            _epoch(loss=lambda s, t, T: T**2 * kl(s, t, T).sum()),
            "The loss is summed over the pictures of a batch, so a larger batch makes larger steps. Take their mean.",
        ),
        "divided by the classes": Bug(
            _epoch(loss=lambda s, t, T: _loss(s, t, T) / s.shape[1]),
            'The mean runs over pictures and classes. In F.kl_div that is reduction="mean"; use "batchmean".',
        ),
        "temperature ignored": Bug(
            _epoch(loss=lambda s, t, T: _loss(s, t, 1)),
            "Nothing is softened. Divide both logits by the temperature before the softmax.",
            _epoch(loss=lambda s, t, T: T**2 * _loss(s, t, 1)),
        ),
        "only one side softened": Bug(
            _epoch(loss=lambda s, t, T: _loss(T * s, t, T)),
            "Only one of the two is softened. Student and teacher are compared at the same temperature.",
            _epoch(loss=lambda s, t, T: _loss(s, T * t, T)),
        ),
        "student and teacher exchanged": Bug(
            _epoch(loss=lambda s, t, T: _loss(t, s, T)),
            "The divergence runs the wrong way. F.kl_div wants the student's log_softmax first, then the teacher's "
            "softmax.",
        ),
        "first choice only": Bug(
            _epoch(loss=lambda s, t, T: F.cross_entropy(s, t.argmax(1))),
            "The student learns the teacher's first choices, as labels. Use all of the teacher's probabilities.",
        ),
        "softmax applied twice": Bug(
            _epoch(loss=lambda s, t, T: T**2 * kl(s / T, (t / T).softmax(1), 1).mean()),
            "A softmax is applied twice. F.cross_entropy and log_softmax want logits, not probabilities.",
            _epoch(loss=lambda s, t, T: T**2 * -((t / T).softmax(1) * logs((s / T).softmax(1))).sum(1).mean()),
        ),
    },
    through=_weights_after,
)
