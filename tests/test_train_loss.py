"""The loss as an argument: a function of the test's own against the everyday one, and what is no such function."""

import copy

import pytest
import torch
from tiny import INPUTS, LABELS, LOGITS, QUIET, C, D, N, close, numbers, refusals, same, student
from torch import nn

from kdcourse.losses import blended, blended_loss
from kdcourse.models import mlp
from kdcourse.train import distill

SETTINGS = {"epochs": 2, "batch_size": 16, "lr": 0.01, **QUIET}


def by_hand(student_logits, teacher_logits, labels):
    """0.3 · T² · KL + 0.7 · cross-entropy at T = 2, from probabilities."""
    p, q = (torch.exp(z / 2) / torch.exp(z / 2).sum(1, keepdim=True) for z in (teacher_logits, student_logits))
    right = torch.exp(student_logits) / torch.exp(student_logits).sum(1, keepdim=True)
    hard = -right.gather(1, labels.unsqueeze(1)).log().squeeze(1)
    return 0.3 * 4 * (p * (p / q).log()).sum(1) + 0.7 * hard


def squares(student_logits, teacher_logits, labels):
    return (student_logits - teacher_logits).square().sum(1)


def test_a_loss_of_ones_own_trains_as_the_everyday_one_does():
    own, everyday, given = student(), student(), student()
    history = distill(own, INPUTS, LOGITS, LABELS, loss=by_hand, **SETTINGS)
    expected = distill(everyday, INPUTS, LOGITS, LABELS, temperature=2, soft_weight=0.3, **SETTINGS)
    distill(given, INPUTS, LOGITS, LABELS, loss=blended(2.0, 0.3), **SETTINGS)
    close(own, everyday, rtol=1e-4, atol=1e-6)
    assert same(given, everyday)
    assert history.table["loss"].tolist() == pytest.approx(expected.table["loss"].tolist(), rel=1e-4)
    assert "soft" not in history.last
    assert "soft" in expected.last


def test_a_loss_sees_rows_that_belong_together_and_no_labels_where_there_are_none():
    seen = []

    def loss(student_logits, teacher_logits, labels):
        seen.append((teacher_logits, labels))
        return squares(student_logits, teacher_logits, labels)

    row_numbers = torch.arange(N).float()[:, None].expand(N, C)
    distill(student(), INPUTS, row_numbers, torch.arange(N) % C, loss=loss, **SETTINGS)
    for teacher, labels in seen:
        assert torch.equal(teacher[:, 0].long() % C, labels)
    seen.clear()
    history = distill(student(), INPUTS, LOGITS, loss=loss, **SETTINGS)
    assert {labels for _, labels in seen} == {None}
    assert set(history.last) == {"epoch", "loss", "learning_rate", "seconds"}


def test_the_same_loss_serves_one_student_a_stack_and_sequences():
    stack, teacher = (numbers(3, C, 5, seed=seed) for seed in (0, 1))
    labels = numbers(3, C, 5, seed=2).argmax(1)
    for loss in (by_hand, squares, blended(2.0, 0.3, direction="reverse"), blended(60.0)):
        together = loss(stack, teacher, labels)
        assert together.shape == (3, 5)
        for m in range(3):
            torch.testing.assert_close(together[m], loss(stack[m].T, teacher[m].T, labels[m]))


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("weights", [(0.0, 0.7, 1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 1.0, 0.0, 0.4])
@pytest.mark.parametrize("temperatures", [(1.0, 2.0, 100.0), 3.0])
def test_the_everyday_loss_function_equals_the_checked_loss(temperatures, weights, direction):
    logits, teacher = (numbers(3, C, 5, seed=seed) for seed in (0, 1))
    labels = numbers(3, C, 5, seed=2).argmax(1)
    settings = [torch.tensor(v)[:, None, None] if isinstance(v, tuple) else v for v in (temperatures, weights)]
    expected = blended_loss(logits, teacher, labels, *settings, direction=direction, reduction="none").total
    loss = blended(*settings, direction=direction)
    torch.testing.assert_close(loss(logits, teacher, labels).float(), expected)
    # A term that nobody weighs is not computed, and what only it needs may be absent.
    if weights in ((1.0, 1.0, 1.0), 1.0):
        torch.testing.assert_close(loss(logits, teacher, None).float(), expected)
    if weights in ((0.0, 0.0, 0.0), 0.0):
        torch.testing.assert_close(loss(logits, None, labels).float(), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_everyday_loss_function_computes_with_half_precision_in_full(dtype):
    logits, teacher = (numbers(8, C, seed=seed).to(dtype) for seed in (0, 1))
    for temperature in (0.01, 300.0):
        expected = blended(temperature)(logits.double(), teacher.double(), None)
        torch.testing.assert_close(blended(temperature)(logits, teacher, None).double(), expected, rtol=1e-4, atol=1e-6)


def test_a_class_weight_is_that_of_cross_entropy():
    weight = torch.tensor([1.0, 2.0, 0.0, 0.5])
    loss = blended(soft_weight=0, class_weight=weight)(LOGITS, None, LABELS)
    torch.testing.assert_close(loss, nn.functional.cross_entropy(LOGITS, LABELS, weight, reduction="none"))


@refusals(
    "settings",
    ({"temperature": torch.tensor([1.0, 0.0])[:, None]}, ValueError, r"temperature must be > 0, got 0\.0"),
    ({"direction": "both"}, ValueError, "direction must be one of 'forward', 'reverse', got 'both'"),
)
def test_the_everyday_loss_function_refuses_bad_settings_when_it_is_made(settings, error, message):
    with pytest.raises(error, match=message):
        blended(**settings)


@pytest.mark.parametrize(
    "setting", [{"temperature": 4}, {"soft_weight": 0.5}, {"direction": "reverse"}, {"class_weight": torch.ones(C)}]
)
def test_a_loss_and_a_setting_that_it_replaces_are_too_much(setting):
    message = (
        rf"loss replaces temperature, soft_weight, direction, class_weight: .* got loss and {next(iter(setting))}="
    )
    with pytest.raises(ValueError, match=message):
        distill(student(), INPUTS, LOGITS, LABELS, loss=squares, **setting, **SETTINGS)
    defaults = {"temperature": 1, "soft_weight": 1.0, "direction": "forward", "class_weight": None}
    distill(student(), INPUTS, LOGITS, LABELS, loss=squares, **defaults, **SETTINGS)


EXPECTED = r"loss must return one value per example, floating point of shape \[3\] \(the logits without axis 1\)"


@refusals(
    "loss",
    ("kl_div", TypeError, "loss must be a function .* got 'kl_div'"),
    (lambda s, t, y: squares(s, t, y).mean(), ValueError, rf"{EXPECTED}, got shape \[\] for logits \[3, 4\]"),
    (lambda s, t, y: (s - t).square().sum(0), ValueError, rf"{EXPECTED}, got shape \[4\]"),
    (lambda s, t, y: squares(s, t, y).tolist(), TypeError, rf"{EXPECTED}, got list"),
    (lambda s, t, y: squares(s.detach(), t, y), ValueError, rf"{EXPECTED}, .* got values without a gradient"),
    (lambda s, t, y: t.clone().requires_grad_().sum(1), ValueError, "got values without a gradient"),
    (nn.KLDivLoss(), TypeError, "positional arguments"),
)
def test_what_is_no_loss_function_is_named_before_the_first_step(loss, error, message):
    model = student()
    before = copy.deepcopy(model)
    with pytest.raises(error, match=message) as caught:
        distill(model, INPUTS, LOGITS, LABELS, loss=loss, **SETTINGS)
    assert "loss" in str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    assert same(model, before)


def test_a_loss_that_mixes_up_the_axes_is_noticed_where_there_are_three_classes_too():
    logits = LOGITS[:, :3]
    with pytest.raises(ValueError, match=r"of shape \[2\] .*, got shape \[3\]"):
        distill(mlp((D, 3)), INPUTS, logits, loss=lambda s, t, y: (s - t).square().sum(0), **SETTINGS)


def test_an_error_inside_the_loss_says_what_it_was_tried_on():
    with pytest.raises(AttributeError) as caught:
        distill(student(), INPUTS, LOGITS, loss=by_hand, **SETTINGS)  # it needs labels
    assert caught.value.__notes__ == [
        "It was raised when `loss` was tried on student_logits, teacher_logits and labels: torch.float32 of shape "
        "[3, 4], torch.float32 of shape [3, 4], None"
    ]
