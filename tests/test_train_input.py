"""What training refuses: before the first step, naming the argument and the value that came."""

import copy
import math
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from tiny import INPUTS, LABELS, LOGITS, QUIET, C, D, N, close, refusals, same, student
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kdcourse._examples import check_examples
from kdcourse.data import Split
from kdcourse.devices import resolve_device
from kdcourse.train import accuracy, distill, teacher_logits, train


def with_nan():
    inputs = INPUTS.clone()
    inputs[7, 2] = math.nan
    return inputs


@refusals(
    "arguments",
    ({"model": lambda x: x}, TypeError, "model must be an nn.Module, got function"),
    ({"inputs": INPUTS[:, :3]}, ValueError, r"inputs must fit the model, got .* \[50, 3\]"),
    ({"inputs": INPUTS.numpy()}, TypeError, "inputs must be .* got ndarray"),
    ({"inputs": INPUTS[:0], "labels": LABELS[:0]}, ValueError, "inputs must hold at least one example"),
    ({"inputs": with_nan()}, ValueError, "inputs must be finite, got nan in row 7"),
    ({"labels": LABELS[:-1]}, ValueError, "labels must have one row per input, got 49 for 50 inputs"),
    ({"labels": LABELS.float()}, TypeError, r"labels must be an integer tensor .* got torch\.float32"),
    ({"labels": LABELS + 1}, ValueError, r"labels must be in \[0, 4\), got 4"),
    ({"labels": LABELS[:, None]}, ValueError, r"labels must have shape \[50\], one per example, got \[50, 1\]"),
    ({"epochs": 1.5}, ValueError, r"epochs must be an integer >= 1, got 1\.5"),
    ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1, got 0"),
    ({"weight_decay": -1}, ValueError, "weight_decay must be >= 0 and finite, got -1"),
    ({"lr": -0.1}, ValueError, r"lr must be > 0, got -0\.1"),
    ({"device": "abacus"}, ValueError, "device must be .* got 'abacus'"),
    ({"order_seed": None}, ValueError, "order_seed must be an integer >= 0, got None"),
    ({"schedule": 0.5}, TypeError, r"schedule must be a function or None, got 0\.5"),
    ({"schedule": lambda done: 0.5 - done, "batch_size": 10}, ValueError, r"schedule must .* got -0\.\d+ at step 3"),
    ({"schedule": lambda done: None if done else 1.0, "batch_size": 25}, TypeError, "what schedule returns must be a"),
    ({"validation": INPUTS}, TypeError, "of validation, labels must be .* got None"),
    ({"validation": Split(LABELS, inputs=INPUTS[:, :3])}, ValueError, r"of validation, inputs must fit .* \[50, 3\]"),
)
def test_train_names_what_it_refuses_before_the_first_step(arguments, error, message):
    model = student()
    before = copy.deepcopy(model)
    with pytest.raises(error, match=message):
        train(**{"model": model, "inputs": INPUTS, "labels": LABELS, "epochs": 1, **QUIET, **arguments})
    assert same(model, before)


@refusals(
    "arguments",
    ({"teacher_logits": LOGITS[:1]}, ValueError, "teacher_logits must have one row per input, got 1 for 50"),
    ({"teacher_logits": LOGITS[:, :2]}, ValueError, "teacher_logits must have as many classes .* got 2 and 4"),
    ({"teacher_logits": LOGITS[:, :1]}, ValueError, "teacher_logits must have 2 classes or more on axis 1, got 1"),
    ({"teacher_logits": LOGITS.softmax(1)}, ValueError, "teacher_logits must be logits, got probabilities"),
    ({"teacher_logits": LOGITS * math.nan}, ValueError, r"teacher_logits must be finite, got nan at index \[0, 0\]"),
    ({"teacher_logits": LOGITS[:, :, None]}, ValueError, r"teacher_logits must be \[N, C\], got .* \[50, 4, 1\]"),
    ({"teacher_logits": LOGITS.long()}, TypeError, r"teacher_logits must be a floating-point .* torch\.int64"),
    (
        {"teacher_logits": LOGITS.masked_fill(LOGITS < 0, -math.inf), "direction": "reverse"},
        ValueError,
        r'with direction="reverse", teacher_logits must be finite, got -inf',
    ),
    ({"labels": None}, ValueError, r"labels must be given unless soft_weight is 1, got soft_weight=0\.5"),
    ({"temperature": -2.0}, ValueError, r"temperature must be > 0, got -2\.0"),
    ({"temperature": "2"}, TypeError, "temperature must be a number, got '2'"),
    # One value per example cannot follow the shuffled batches; taken as it comes it would be misaligned.
    ({"temperature": torch.ones(N, 1), "batch_size": N}, TypeError, r"temperature must be a number.* \[50, 1\]"),
    ({"soft_weight": 1.5}, ValueError, r"soft_weight must be in \[0, 1\], got 1\.5"),
    ({"direction": "sideways"}, ValueError, "direction must be .* got 'sideways'"),
)
def test_distill_names_what_it_refuses_before_the_first_step(arguments, error, message):
    model = student()
    before = copy.deepcopy(model)
    given = {"student": model, "inputs": INPUTS, "teacher_logits": LOGITS, "labels": LABELS, "soft_weight": 0.5}
    with pytest.raises(error, match=message):
        distill(**{**given, "epochs": 1, **QUIET, **arguments})
    assert same(model, before)


@refusals(
    "arguments",
    ({"teacher": lambda x: x}, TypeError, "teacher must be an nn.Module, got function"),
    ({"batch_size": 2.5}, ValueError, r"batch_size must be an integer >= 1, got 2\.5"),
)
def test_teacher_logits_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        teacher_logits(**{"teacher": student(), "inputs": INPUTS, "device": "cpu", **arguments})


@pytest.mark.parametrize("device", ["cuda:99", "meta", None])
def test_a_device_that_is_not_here_is_named(device):
    with pytest.raises(ValueError, match="device must be 'auto' or a device of this machine, got " + repr(device)):
        resolve_device(device)


# ---- models of others ----


class Answering(nn.Module):
    """A student with batch norm that answers in the form that `form` gives to the logits, in a mode or in both."""

    def __init__(self, form, *modes):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Linear(D, C), nn.BatchNorm1d(C), nn.Dropout(0.5))
        self.form, self.modes = form, modes

    def forward(self, inputs):
        logits = self.layers(inputs)
        return self.form(logits) if self.training in self.modes else logits


WithAuxiliary = namedtuple("WithAuxiliary", ["logits", "aux_logits"])  # as torchvision's Inception answers in training
BOTH = (True, False)


@pytest.mark.parametrize(
    "answers",
    [
        (lambda logits: {"logits": logits, "hidden": 0}, *BOTH),
        (lambda logits: SimpleNamespace(logits=logits), *BOTH),
        (lambda logits: WithAuxiliary(logits, logits), True),
        (lambda logits: logits[:, :, None, None], *BOTH),  # a convolution and a pooling, and no nn.Flatten
    ],
)
def test_logits_are_understood_in_whatever_form_they_come(answers):
    plain, model = Answering(None), Answering(*answers)
    for one in (plain, model):
        distill(one, INPUTS, LOGITS, LABELS, soft_weight=0.5, epochs=3, batch_size=16, lr=0.05, **QUIET)
    close(model, plain, rtol=0, atol=0)
    assert torch.equal(teacher_logits(model, INPUTS, device="cpu"), teacher_logits(plain, INPUTS, device="cpu"))
    right = sum(int(plain.eval()(row[None]).argmax()) == label for row, label in zip(INPUTS, LABELS, strict=True))
    assert accuracy(model, (INPUTS, LABELS), device="cpu") == pytest.approx(right / N)
    with pytest.raises(ValueError, match=r"labels must have shape \[50\], one per example, got \[50, 1\]"):
        accuracy(model, (INPUTS, LABELS[:, None]), device="cpu")


@refusals(
    "model",
    (Answering(lambda logits: (logits, logits), True), TypeError, "something with .logits, got tuple in training"),
    (Answering(lambda logits: (logits,), *BOTH), TypeError, r"something with \.logits, got tuple$"),
    (Answering(lambda logits: {"out": logits}, *BOTH), TypeError, r"\.logits, got {out: torch.float32 of shape \[3, 4"),
    (Answering(lambda logits: logits[0], *BOTH), ValueError, r"logits \[B, C\] or \[B, C, L\], got .* of shape \[4\]"),
    (Answering(lambda logits: logits[:1], True), ValueError, r"logits \[B, C\] or \[B, C, L\], got .* shape \[1, 4\]"),
    (Answering(lambda logits: logits[:, :3], True), ValueError, r"one shape in both .* \[4\], in training \[3\]"),
)
def test_a_model_that_cannot_be_trained_is_refused_as_it_came(model, error, message):
    before, generator = copy.deepcopy(model), torch.get_rng_state()
    with pytest.raises(error, match=message):
        train(model, INPUTS, LABELS, epochs=1, batch_size=16, **QUIET)
    assert same(model, before)
    assert torch.equal(torch.get_rng_state(), generator)


def test_inputs_may_be_so_large_that_their_sum_is_not_finite_and_infinities_must_not_cancel():
    check_examples(student(), torch.full_like(INPUTS, 3e38), teacher_logits=LOGITS, labels=LABELS)
    opposite = INPUTS.clone()
    opposite[3, 0], opposite[4, 0] = math.inf, -math.inf
    with pytest.raises(ValueError, match="inputs must be finite, got inf in row 3"):
        check_examples(student(), opposite, teacher_logits=LOGITS, labels=LABELS)


def test_an_example_alone_in_the_last_batch_is_refused_where_it_has_no_variance():
    model, before = Answering(None), Answering(None)
    for size in (7, 49):
        message = f"batch_size must leave no example alone in the last batch, got {size} for 50 examples: Expected more"
        with pytest.raises(ValueError, match=message):
            train(model, INPUTS, LABELS, epochs=1, batch_size=size, **QUIET)
        assert same(model, before)
        assert len(train(student(), INPUTS, LABELS, epochs=1, batch_size=size, **QUIET)) == 1
    dropping = DataLoader(TensorDataset(INPUTS, LABELS), batch_size=7, drop_last=True)
    for inputs, labels, size in [(dropping, None, None), (INPUTS, LABELS, 8), (INPUTS, LABELS, 50)]:
        assert len(train(Answering(None), inputs, labels, epochs=1, batch_size=size, **QUIET)) == 1


def test_a_teacher_answers_with_one_row_of_logits_per_input():
    with pytest.raises(ValueError, match=r"must return logits \[B, C\] or .* got torch.float32 of shape \[300\]"):
        teacher_logits(nn.Flatten(0), INPUTS, device="cpu")
