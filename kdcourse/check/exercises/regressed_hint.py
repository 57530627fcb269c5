"""The exercise `regressed_hint`: a student's feature map, led to the teacher's channels and compared with its map."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _led(student_features, weight):
    """The 1 × 1 convolution: at each place, the same linear map over the channels."""
    return torch.einsum("tc,bchw->bthw", weight, student_features)


def _mean(values):
    return values.flatten(1).mean(1)


def _answer(led=_led, distance=lambda a, b: _mean((a - b) ** 2)):
    """An answer, with one of its pieces replaced."""
    return lambda s, t, w: distance(led(s, w), t)


def _read_in_another_order(s, w):
    """The channels are moved last by a reshape, which moves nothing: it deals the numbers out anew."""
    rows = s.reshape(len(s), *s.shape[2:], s.shape[1]) @ w.T
    return rows.movedim(-1, 1)


def _case(generator):
    def draw(low, high):
        return int(torch.randint(low, high, (), generator=generator))

    count, few, height, width = draw(2, 5), draw(2, 4), draw(2, 4), draw(2, 4)
    many = few + draw(1, 4)
    student = torch.randn(count, few, height, width, generator=generator)
    teacher = torch.randn(count, many, height, width, generator=generator)
    return student, teacher, torch.randn(many, few, generator=generator)


regressed_hint = Exercise(
    "regressed_hint",
    lesson="07_features_and_assistants",
    order=1,
    reference=lambda student_features, teacher_features, weight: _mean(
        (_led(student_features, weight) - teacher_features) ** 2
    ),
    inputs=_case,
    small=[
        # One picture with a single place: one channel of the student, two of the teacher.
        (torch.tensor([[[[2.0]]]]), torch.tensor([[[[1.0]], [[8.0]]]]), torch.tensor([[1.0], [3.0]])),
        # Two pictures with two places each; one channel of the student, two of the teacher.
        (
            torch.tensor([[[[1.0, 2.0]]], [[[2.0, 0.0]]]]),
            torch.tensor([[[[3.0, 0.0]], [[1.0, 4.0]]], [[[0.0, 1.0]], [[5.0, 2.0]]]]),
            torch.tensor([[1.0], [-2.0]]),
        ),
        # One picture with two places; two channels of the student, three of the teacher.
        (
            torch.tensor([[[[1.0, 2.0]], [[0.0, 3.0]]]]),
            torch.tensor([[[[3.0, 0.0]], [[1.0, 4.0]], [[2.0, 5.0]]]]),
            torch.tensor([[1.0, 0.0], [2.0, -1.0], [-1.0, 1.0]]),
        ),
    ],
    praise="A regressor for the student's side, a mean over all features, and one value per example.",
    hints=[
        "A 1 × 1 convolution looks at one place at a time: the teacher's channels there are `weight` times the "
        "student's channels there.",
        "torch.einsum says which axes meet: b for the batch, c and t for the channels of student and teacher, h and w "
        "for the places.",
        "Square the difference to teacher_features. Then flatten(1), which keeps the batch, and mean(1).",
        'led = torch.einsum("tc,bchw->bthw", weight, student_features); '
        "return ((led - teacher_features.detach()) ** 2).flatten(1).mean(1)",
    ],
    bugs={
        "regressor on the teacher": Bug(
            lambda s, t, w: _mean((s - _led(t, w.T)) ** 2),
            "The regressor stands on the teacher's side. There it can throw away what the student lacks, and map "
            "everything to zero. Lead the student's features to the teacher's channels.",
        ),
        "no regressor": Bug(
            lambda s, t, w: _mean((s - t[:, : s.shape[1]]) ** 2),
            "You compare the student's channels with the first few of the teacher's. Channel 1 of one network has "
            "nothing to do with channel 1 of another: use `weight`.",
        ),
        "summed over the features": Bug(
            _answer(distance=lambda a, b: ((a - b) ** 2).flatten(1).sum(1)),
            "You add up over the features. A larger map would then weigh more: take their mean.",
            _answer(distance=lambda a, b: ((a - b) ** 2).flatten(1).sum(1) / 2),
        ),
        "summed over the channels": Bug(
            _answer(distance=lambda a, b: ((a - b) ** 2).sum(1).mean((1, 2))),
            "You take the mean over the places and the sum over the channels. Take the mean over both.",
            _answer(distance=lambda a, b: ((a - b) ** 2).mean(1).sum((1, 2))),
        ),
        "one value for the batch": Bug(
            _answer(distance=lambda a, b: ((a - b) ** 2).mean()),
            "One value came back for the whole batch. Keep axis 0: the training loop averages over examples.",
        ),
        "half of it": Bug(
            _answer(distance=lambda a, b: _mean((a - b) ** 2) / 2),
            "You have half of it, as the paper has half the sum of the squares. Here it is the mean of the squares.",
        ),
        "not squared": Bug(
            _answer(distance=lambda a, b: _mean((a - b).abs())),
            "You take absolute differences. A hint squares them.",
        ),
        "a root": Bug(
            _answer(distance=lambda a, b: _mean((a - b) ** 2).sqrt()),
            "You take the root at the end. The mean of the squares is the loss itself.",
            _answer(distance=lambda a, b: (a - b).flatten(1).norm(dim=1)),
        ),
        "places averaged away": Bug(
            _answer(distance=lambda a, b: ((a - b).mean((2, 3)) ** 2).mean(1)),
            "You average over the places before you compare, so only the mean of each channel is matched. A hint "
            "compares place by place: square first.",
        ),
        "channels averaged away": Bug(
            _answer(distance=lambda a, b: _mean((a - b).mean(1) ** 2)),
            "You average over the channels before you compare. Square first, then take the mean.",
        ),
        "a reshape in place of a move": Bug(
            _answer(_read_in_another_order),
            "Channels and places are mixed up: reshape and view do not move an axis, they read the same numbers in "
            "another order. Use einsum, movedim or permute.",
        ),
        "a ReLU after the regressor": Bug(
            _answer(lambda s, w: _led(s, w).relu()),
            "A ReLU stands after the regressor, so no negative feature of the teacher can be met. A regressor is "
            "linear here.",
        ),
        "the sign": Bug(
            _answer(distance=lambda a, b: _mean((a + b) ** 2)),
            "You add the features of both. The loss is about their difference.",
        ),
    },
    rules=[
        Rule(lambda loss, s, t, w: (loss >= 0).all(), "A mean of squares is never negative."),
    ],
    gradient_to="student_features",
    no_gradient_to="teacher_features",
)
