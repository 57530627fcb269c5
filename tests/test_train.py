"""The training loop against one written by hand, and what it leaves behind."""

import copy

import pytest
import torch
from tiny import INPUTS, LABELS, LOGITS, QUIET, C, D, N, close, numbers, same, student
from torch import nn

from kdcourse.data import Split
from kdcourse.losses import kd_loss
from kdcourse.models import cnn
from kdcourse.train import accuracy, cosine, distill, teacher_logits, train


def probabilities(logits, temperature=1.0):
    powers = torch.exp(logits / temperature)
    return powers / powers.sum(1, keepdim=True)


def by_hand(model, loss_of, *, epochs, batch_size, order_seed=0, lr=1e-3, weight_decay=0.0, schedule=None):
    """Train a copy of `model`; returns it and the mean loss of every epoch."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, foreach=False, fused=False)
    generator, losses, step = torch.Generator().manual_seed(order_seed), [], 0
    steps = epochs * len(range(0, N, batch_size))
    for _ in range(epochs):
        order, total = torch.randperm(N, generator=generator).tolist(), 0.0
        for first in range(0, N, batch_size):
            batch = order[first : first + batch_size]
            if schedule is not None:
                optimizer.param_groups[0]["lr"] = lr * schedule(step / steps)
            loss = loss_of(model(INPUTS.double()[batch]), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, step = total + loss.item() * len(batch), step + 1
        losses.append(total / N)
    return model, losses


def cross_entropy_by_hand(logits, batch):
    return -torch.log(probabilities(logits)[range(len(batch)), LABELS[batch]]).mean()


def soft_by_hand(logits, batch, temperature, direction="forward"):
    p, q = probabilities(LOGITS.double()[batch], temperature), probabilities(logits, temperature)
    if direction == "reverse":
        p, q = q, p
    return temperature**2 * (p * torch.log(p / q)).sum(1).mean()


@pytest.mark.parametrize("settings", [
    {"epochs": 1, "batch_size": N},
    {"epochs": 3, "batch_size": 16, "order_seed": 5, "lr": 0.01},
    {"epochs": 2, "batch_size": 7, "weight_decay": 0.5, "lr": 0.01},
    {"epochs": 2, "batch_size": 200, "schedule": lambda done: 1 - done / 2},
    {"epochs": 2, "batch_size": 20, "schedule": cosine},
])  # fmt: skip
def test_train_equals_a_loop_written_by_hand(settings):
    model = student(torch.float64)
    expected, losses = by_hand(model, cross_entropy_by_hand, **settings)
    history = train(model, INPUTS.double(), LABELS, **settings, **QUIET)
    close(model, expected)
    assert history.table["loss"].tolist() == pytest.approx(losses, rel=1e-9)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize(("temperature", "soft_weight"), [(1.0, 0.5), (4.0, 0.9), (4, 1), (2.0, 0.0)])
def test_distill_equals_a_loop_written_by_hand(temperature, soft_weight, direction):
    model = student(torch.float64)

    def loss_of(logits, batch):
        soft, hard = soft_by_hand(logits, batch, temperature, direction), cross_entropy_by_hand(logits, batch)
        return soft_weight * soft + (1 - soft_weight) * hard

    settings = {"epochs": 3, "batch_size": 16, "order_seed": 2, "lr": 0.01}
    expected, losses = by_hand(model, loss_of, **settings)
    weights = {"temperature": temperature, "soft_weight": soft_weight, "direction": direction}
    history = distill(model, INPUTS.double(), LOGITS.double(), LABELS, **weights, **settings, **QUIET)
    close(model, expected)
    assert history.table["loss"].tolist() == pytest.approx(losses, rel=1e-9)
    mix = soft_weight * history.table["soft"] + (1 - soft_weight) * history.table["hard"]
    assert history.table["loss"].tolist() == pytest.approx(mix.tolist())


def test_labels_that_nobody_weighs_and_logits_that_nobody_weighs_change_nothing():
    with_labels, without, distilled, trained = (student() for _ in range(4))
    settings = {"epochs": 2, "batch_size": 16, **QUIET}
    distill(with_labels, INPUTS, LOGITS, LABELS, temperature=3.0, **settings)
    assert "hard" not in distill(without, INPUTS, LOGITS, temperature=3.0, **settings).last
    assert same(with_labels, without)
    distill(distilled, INPUTS, LOGITS, LABELS, soft_weight=0.0, temperature=4.0, **settings)
    train(trained, INPUTS, LABELS, **settings)
    assert same(distilled, trained)


@pytest.mark.parametrize("temperature", [4.0, 20.0, 1000.0, 10_000.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_recorded_soft_loss_is_right_at_any_temperature_and_precision_of_the_cache(dtype, temperature):
    expected = kd_loss(student()(INPUTS).double(), LOGITS.to(dtype).double(), temperature).item()
    row = distill(student(), INPUTS, LOGITS.to(dtype), temperature=temperature, epochs=1, batch_size=N, **QUIET).last
    assert row["soft"] == pytest.approx(expected, rel=1e-3)
    assert row["loss"] == row["soft"]


def test_the_same_seeds_give_bit_identical_students():
    settings = {"epochs": 2, "batch_size": 16, "order_seed": 3, **QUIET}
    for fit in (lambda m: train(m, INPUTS, LABELS, **settings), lambda m: distill(m, INPUTS, LOGITS, **settings)):
        one, other = student(), student()
        histories = [fit(one).table.drop(columns="seconds")]
        torch.rand(3)  # the global generator has no say
        histories.append(fit(other).table.drop(columns="seconds"))
        assert same(one, other)
        assert histories[0].equals(histories[1])


def test_the_order_seed_decides_the_batches():
    def batches(order_seed):
        seen = []
        settings = {"epochs": 2, "batch_size": 16, "order_seed": order_seed, **QUIET}
        train(student(), INPUTS, LABELS, augment=lambda batch, _: seen.append(batch) or batch, **settings)
        return seen

    one, again, other = batches(1), batches(1), batches(2)
    assert [len(batch) for batch in one] == [16, 16, 16, 2] * 2
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[0], one[4])  # the second epoch has its own order
    for epoch in (one[:4], one[4:]):  # every example once in each
        assert torch.equal(torch.cat(epoch).sort(0).values, INPUTS.sort(0).values)


def test_augmentation_gets_its_own_seeded_generator():
    def shift(batch, generator):
        return batch + torch.rand(1, generator=generator, device=generator.device)

    one, other, plain = student(), student(), student()
    for model in (one, other):
        train(model, INPUTS, LABELS, epochs=2, batch_size=16, augment=shift, **QUIET)
    train(plain, INPUTS, LABELS, epochs=2, batch_size=16, **QUIET)
    assert same(one, other)
    assert not same(one, plain)


def test_history_holds_one_row_per_epoch():
    settings = {"epochs": 3, "lr": 0.5, "schedule": lambda done: 0.1, **QUIET}
    history = train(student(), INPUTS, LABELS, validation=(INPUTS, LABELS), **settings)
    assert len(history) == 3
    assert history.device == "cpu"
    assert history.table.index.tolist() == [1, 2, 3]
    assert set(history.table.columns) == {"loss", "validation_accuracy", "learning_rate", "seconds"}
    assert history.table["learning_rate"].tolist() == pytest.approx([0.05] * 3)
    assert history.last["epoch"] == 3
    assert "<table" in history._repr_html_()


def test_validation_accuracy_is_a_count_in_eval_mode():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(D, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, C))
    other = copy.deepcopy(model)
    inputs, labels = numbers(37, D, seed=8), numbers(37, C, seed=9).argmax(1)
    history = train(model, INPUTS, LABELS, epochs=1, validation=Split(labels, inputs=inputs), **QUIET)
    model.eval()
    right = 0
    for row, label in zip(inputs, labels.tolist(), strict=True):
        scores = model(row.unsqueeze(0))[0].tolist()
        right += scores.index(max(scores)) == label
    assert history.last["validation_accuracy"] == right / 37
    assert accuracy(model, Split(labels, inputs=inputs), device="cpu") == right / 37
    train(other, INPUTS, LABELS, epochs=1, **QUIET)  # measuring changes nothing
    assert same(model, other)


def test_bfloat16_keeps_weights_and_loss_in_float32():
    model, plain, settings = student(), student(), {"epochs": 5, "batch_size": 16, **QUIET}
    history, expected = (distill(m, INPUTS, LOGITS, bf16=m is model, **settings) for m in (model, plain))
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert not same(model, plain)
    assert history.last["loss"] == pytest.approx(expected.last["loss"], rel=0.02)
    close(model, plain, rtol=0.05, atol=0.02)


@pytest.mark.gpu
@pytest.mark.parametrize("bf16", [False, True])
def test_a_gpu_trains_the_same_student(bf16):
    settings = {"temperature": 4.0, "soft_weight": 0.5, "epochs": 3, "batch_size": 16, "progress": False}
    here, there = student(), student()
    expected = distill(here, INPUTS, LOGITS, LABELS, device="cpu", **settings)
    history = distill(there, INPUTS, LOGITS, LABELS, device="cuda", bf16=bf16, **settings)
    assert history.device.startswith("cuda")
    assert {parameter.device.type for parameter in there.parameters()} == {"cpu"}
    close(here, there, rtol=1e-3, atol=0.02 if bf16 else 1e-4)
    tolerance = 0.02 if bf16 else 1e-4
    assert history.table["loss"].tolist() == pytest.approx(expected.table["loss"].tolist(), rel=tolerance)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_teacher_logits():
    teacher, inputs = cnn((4, 8), seed=0), numbers(20, 784)
    logits = teacher_logits(teacher, inputs, device="cuda")
    assert logits.device.type == "cpu"
    torch.testing.assert_close(logits, teacher_logits(teacher, inputs, device="cpu"), rtol=1e-2, atol=1e-2)
