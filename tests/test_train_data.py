"""Models and data that are not ours: any shape, any container, and logits that stay with their examples."""

import copy
from types import SimpleNamespace

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tiny import INPUTS, LABELS, LOGITS, QUIET, C, D, N, close, numbers, refusals, same, student
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler

from kdcourse.data import Split
from kdcourse.models import mlp
from kdcourse.train import distill, teacher_logits, train

SETTINGS = {"epochs": 2, "batch_size": 16, "lr": 0.01, "order_seed": 3, **QUIET}


def loader(*tensors, **options):
    return DataLoader(TensorDataset(*tensors), **{"batch_size": 16, **options})


class Named(nn.Module):
    """Takes the fields of a dict, as models of Hugging Face do, and answers with something that has `.logits`."""

    def __init__(self, answer=lambda logits: SimpleNamespace(logits=logits)):
        super().__init__()
        self.body, self.answer = student(), answer

    def forward(self, features, scale=1.0, labels=None):
        assert labels is None  # with labels such a model computes a loss of its own
        return self.answer(self.body(features * scale))


FIELDS = {"features": INPUTS, "scale": torch.ones(N, 1)}
ROWS = [{"features": x, "scale": torch.ones(1), "labels": y} for x, y in zip(INPUTS, LABELS, strict=True)]
BATCHES = [16, 16, 18]  # of a list, which is joined
FORMS = {
    "a pair": (mlp, (INPUTS, LABELS), None),
    "a list of pairs": (mlp, list(zip(INPUTS.split(BATCHES), LABELS.split(BATCHES), strict=True)), None),
    "a list, and labels beside it": (mlp, list(INPUTS.split(7)), LABELS),
    "a loader": (mlp, loader(INPUTS, LABELS), None),
    "a loader that shuffles": (mlp, loader(INPUTS, LABELS, shuffle=True), None),
    "a loader of inputs, and labels beside it": (mlp, loader(INPUTS), LABELS.int()),
    "fields": (Named, FIELDS, LABELS),
    "fields with labels": (Named, {**FIELDS, "labels": LABELS}, None),
    "a loader of fields": (Named, DataLoader(ROWS, batch_size=16, shuffle=True), None),
}


def without_seconds(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history.rows]


@pytest.mark.parametrize("way", [train, distill])
@pytest.mark.parametrize("form", FORMS)
def test_the_same_data_in_any_form_train_the_same_student(form, way):
    make, inputs, labels = FORMS[form]
    fresh, model = student(), Named() if make is Named else student()
    plain, logits = copy.deepcopy(fresh), [LOGITS] if way is distill else []
    measured = labels is None  # such data can be validated on, too
    expected = way(plain, INPUTS, *logits, LABELS, validation=Split(LABELS, inputs=INPUTS), **SETTINGS)
    before = torch.get_rng_state()
    history = way(model, inputs, *logits, labels, validation=inputs if measured else None, **SETTINGS)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(model, plain)
    assert not same(model, fresh)
    for row in expected.rows if not measured else ():
        del row["validation_accuracy"]
    assert without_seconds(history) == without_seconds(expected)


def test_a_loader_that_shuffles_or_drops_gives_teacher_logits_in_the_order_of_its_data_set():
    teacher = mlp((D, 5, C), seed=1)
    expected = teacher(INPUTS).detach()
    for inputs in (loader(INPUTS, LABELS, shuffle=True), loader(INPUTS, drop_last=True), list(INPUTS.split(7))):
        torch.testing.assert_close(teacher_logits(teacher, inputs, device="cpu"), expected)


def test_what_a_loader_says_of_its_batches_is_kept():
    def sizes(**options):
        seen = []
        model = student()
        model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
        train(model, loader(INPUTS, LABELS, batch_size=20, **options), epochs=2, **QUIET)
        return seen[2:]  # the first two calls only ask whether the data fit, in either mode

    assert sizes() == [20, 20, 10] * 2
    assert sizes(drop_last=True) == [20, 20] * 2
    doubled = loader(INPUTS, LABELS, collate_fn=lambda rows: torch.stack([x for x, _ in rows]) * 2)
    torch.testing.assert_close(teacher_logits(nn.Identity(), doubled, device="cpu"), INPUTS * 2)


def test_two_epochs_of_a_data_set_that_draws_random_numbers_differ_but_two_runs_do_not():
    class Noisy(TensorDataset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x + torch.rand(1), y

    def run():
        seen, model = [], nn.Sequential(nn.Identity(), student())
        model[0].register_forward_hook(lambda _, given, output: seen.append(output))
        train(model, DataLoader(Noisy(INPUTS, LABELS), batch_size=N), epochs=2, **QUIET)
        return [batch.sum().item() for batch in seen[2:]]

    before = torch.get_rng_state()
    first, second = run()
    assert first != pytest.approx(second)
    assert run() == [first, second]
    assert torch.equal(torch.get_rng_state(), before)


def test_token_ids_and_outputs_with_logits_or_a_dict_of_them():
    ids = torch.randint(0, 9, (N, 3), generator=torch.Generator().manual_seed(5))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bare = nn.Sequential(nn.Embedding(9, 5), nn.Flatten(), nn.Linear(15, C))
    answers = [lambda logits: SimpleNamespace(logits=logits), lambda logits: {"logits": logits, "loss": None}]
    wrapped = [Named(answer) for answer in answers]
    for model in wrapped:
        model.body = copy.deepcopy(bare)
        model.forward = lambda input_ids, model=model: model.answer(model.body(input_ids))
        train(model, {"input_ids": ids, "labels": LABELS}, **SETTINGS)
    train(bare, ids, LABELS, **SETTINGS)
    assert all(same(model, bare) for model in wrapped)


def test_a_teacher_of_scikit_learn_is_its_log_probabilities():
    chosen = INPUTS[:, :3].argmax(1)
    forest = LogisticRegression().fit(INPUTS.numpy(), chosen.numpy())
    settings = {"epochs": 2, "batch_size": 16, **QUIET}
    student, other = mlp((D, 3), seed=0), mlp((D, 3), seed=0)
    distill(student, INPUTS, torch.from_numpy(forest.predict_log_proba(INPUTS.numpy())), temperature=1, **settings)
    # Its logits are those log probabilities but for a constant, which a softmax does not see.
    distill(other, INPUTS, torch.from_numpy(forest.decision_function(INPUTS.numpy())).float(), **settings)
    close(student, other, rtol=1e-4, atol=1e-5)


def test_sequences_are_examples_at_every_position():
    inputs, logits, labels = numbers(8, D, 3), numbers(8, C, 3, seed=1), numbers(8, C, 3, seed=2).argmax(1)
    each, flat = nn.Conv1d(D, C, 1), nn.Linear(D, C)
    flat.weight.data, flat.bias.data = each.weight.data[:, :, 0].clone(), each.bias.data.clone()
    settings = {"soft_weight": 0.5, "temperature": 2, "epochs": 3, "lr": 0.01, **QUIET}
    history = distill(each, inputs, logits, labels, validation=(inputs, labels), batch_size=8, **settings)
    rows = [tensor.movedim(1, -1).reshape(24, -1) for tensor in (inputs, logits)]
    expected = distill(flat, *rows, labels.flatten(), validation=(rows[0], labels.flatten()), batch_size=24, **settings)
    torch.testing.assert_close(each.weight[:, :, 0], flat.weight)
    for name in ("loss", "soft", "hard", "validation_accuracy"):
        assert history.last[name] == pytest.approx(expected.last[name], rel=1e-4)


@pytest.mark.parametrize("given", [torch.tensor([1, 2, 0, 0.5]), [1, 2, 0, 0.5]])
def test_a_class_weight_multiplies_the_loss_of_its_examples(given):
    hard = nn.functional.cross_entropy(student()(INPUTS), LABELS, reduction="none")
    expected = (torch.tensor([1, 2, 0, 0.5])[LABELS] * hard).mean().item()
    settings = {"class_weight": given, "epochs": 1, "batch_size": N, **QUIET}
    assert train(student(), INPUTS, LABELS, **settings).last["loss"] == pytest.approx(expected)
    row = distill(student(), INPUTS, LOGITS, LABELS, soft_weight=0.25, **settings).last
    assert row["hard"] == pytest.approx(expected)
    assert row["loss"] == pytest.approx(0.25 * row["soft"] + 0.75 * expected)


# ---- refusals ----


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(INPUTS, LABELS, strict=True))


class Wrong(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.layer, self.answer = nn.Linear(D, C), answer

    def forward(self, inputs):
        return self.answer(self.layer(inputs))


def first_only(rows):
    return INPUTS[:1], LABELS[:1]


OUT_OF_RANGE = torch.where(torch.arange(N) == 40, C, LABELS)
KEEP = r"list\(inputs\) makes batches of it that keep their order"


@refusals(
    "given",
    (
        {"inputs": loader(INPUTS, LABELS, sampler=WeightedRandomSampler([1.0] * N, N))},
        ValueError,
        f"whose examples have numbers.* Got TensorDataset with WeightedRandomSampler; {KEEP}",
    ),
    ({"inputs": DataLoader(Stream(), batch_size=16)}, ValueError, f"Got Stream with .*{KEEP}"),
    ({"inputs": zip(INPUTS.split(9), LABELS.split(9), strict=True)}, TypeError, f"inputs .* got zip. {KEEP}"),
    ({"inputs": [(INPUTS, LABELS, LABELS)]}, TypeError, "inputs must be .* got tuple"),
    ({"inputs": INPUTS.numpy()}, TypeError, r"inputs must be .* got ndarray.* torch\.tensor\(numpy\.asarray\(inputs\)"),
    ({"inputs": {"text": ["a", "b"]}}, TypeError, r"inputs must be .* got \{text: list\}"),
    ({"inputs": {"features": INPUTS, "scale": torch.ones(3)}}, ValueError, r"one row per example .* \[3\]"),
    ({"inputs": {"features": INPUTS * torch.nan}, "labels": LABELS}, ValueError, "features must be finite"),
    ({"inputs": [INPUTS, INPUTS[:, :3]], "labels": LABELS}, ValueError, "inputs must be .* joined"),
    ({"inputs": []}, ValueError, "inputs must hold at least one example, got none"),
    ({"inputs": loader(INPUTS, LABELS), "labels": LABELS}, ValueError, "labels must be given once"),
    ({"inputs": loader(INPUTS)}, TypeError, "labels must be an integer tensor of class indices, got None"),
    ({"inputs": loader(INPUTS, LABELS, collate_fn=first_only)}, ValueError, "collate_fn must keep .* got 1 of 3"),
    ({"model": Wrong(lambda logits: {"scores": logits})}, TypeError, r"the model must return logits, .*\{scores: "),
    ({"model": Wrong(lambda logits: logits[:, 0])}, ValueError, r"must return logits \[B, C\] .* got .* \[3\]"),
    ({"class_weight": [1.0, 2.0]}, ValueError, "class_weight must have one weight per class, got 2 for 4"),
    ({"class_weight": "balanced"}, TypeError, r"class_weight must be \[C\] numbers, got 'balanced'"),
    ({"class_weight": {0: 1.0}}, TypeError, r"class_weight must be \[C\] numbers, got \{0: 1.0\}"),
    ({"class_weight": [1, 1, -1, 1]}, ValueError, r"class_weight must be >= 0 and finite, got \[1, 1, -1, 1\]"),
)
def test_what_does_not_fit_is_named_before_the_first_step(given, error, message):
    inside = isinstance(given.get("inputs"), (DataLoader, dict, list, zip))
    given = {"model": student(), "inputs": INPUTS, "labels": None if inside else LABELS, **given}
    before = copy.deepcopy(given["model"])
    with pytest.raises(error, match=message):
        train(**given, epochs=1, **QUIET)
    assert same(given["model"], before)


def test_labels_that_a_loader_brings_late_are_checked_too():
    with pytest.raises(ValueError, match=r"labels must be in \[0, 4\), got 4 at index"):
        train(student(), loader(INPUTS, OUT_OF_RANGE), epochs=1, **QUIET)


def test_logits_for_some_of_a_loaders_examples_are_refused():
    with pytest.raises(ValueError, match="teacher_logits must have one row per input, got 48 for 50 inputs"):
        distill(student(), loader(INPUTS, LABELS, drop_last=True), LOGITS[:48], epochs=1, **QUIET)
