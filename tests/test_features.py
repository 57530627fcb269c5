"""Feature losses through `distill`, for networks that the course did not write."""

import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kdcourse import train
from kdcourse.features import FeatureMatch, teacher_features
from kdcourse.losses import attention_loss, blended, dkd_loss, hint_loss, relation_loss

N, C = 12, 3
PICTURES = torch.randn(N, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(N) % C
QUIET = {"device": "cpu", "progress": False}


class Block(nn.Module):
    """As torchvision writes it: batch norm, and a ReLU that writes into what it is given."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.bn1(self.conv1(x)))


class Pictures(nn.Module):
    def __init__(self, width, seed, stride=2):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layer1 = nn.Sequential(Block(1, width, 1), Block(width, width, stride))
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(width, C)

    def forward(self, x):
        return self.fc(self.avgpool(self.layer1(x)).flatten(1))


class Encoder(nn.Module):
    """As transformers writes it: fields as keywords, layers that return tuples, an output with `.logits`."""

    def __init__(self, width, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embeddings = nn.Embedding(20, width)
            self.layer = nn.ModuleList(Layer(width) for _ in range(2))
            self.classifier = nn.Linear(width, C)

    def forward(self, input_ids, attention_mask):
        hidden = self.embeddings(input_ids) * attention_mask[..., None]
        for layer in self.layer:
            hidden = layer(hidden)[0]
        return SimpleNamespace(logits=self.classifier(hidden.mean(1)))


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, hidden):
        return hidden + self.dense(hidden).tanh(), None


def tokens():
    ids = torch.randint(0, 20, (N, 5), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "attention_mask": (ids > 3).float()}


def match_of(student, teacher, layers, loss, inputs=PICTURES, channel_axis=1, **options):
    said = teacher_features(teacher, inputs, [*layers.values()], channel_axis=channel_axis, device="cpu")
    return FeatureMatch(student, inputs, said, layers, loss, channel_axis=channel_axis, **options)


def test_a_teacher_is_asked_for_logits_and_layers_and_left_as_it_was():
    teacher = Pictures(6, seed=0).train()
    before = copy.deepcopy(teacher.state_dict())
    said = teacher_features(teacher, PICTURES, ["layer1.0.bn1", "layer1"], batch_size=5, device="cpu")
    assert teacher.training
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert not any(module._forward_hooks for module in teacher.modules())
    teacher.eval()
    before_relu = teacher.layer1[0].bn1(teacher.layer1[0].conv1(PICTURES))
    assert before_relu.min() < 0  # and the ReLU that comes next, in place, has not changed what was heard
    torch.testing.assert_close(said.features["layer1.0.bn1"], before_relu)
    torch.testing.assert_close(said.features["layer1"], teacher.layer1(PICTURES))
    torch.testing.assert_close(said.logits, teacher(PICTURES))


def test_a_loader_that_shuffles_trains_as_its_tensors_do():
    loader = DataLoader(TensorDataset(PICTURES, LABELS), batch_size=5, shuffle=True)
    trained = []
    for inputs, labels in [(PICTURES, LABELS), (loader, None)]:
        match = match_of(Pictures(4, seed=1), Pictures(6, seed=0), {"layer1": "layer1"}, hint_loss, inputs)
        train.distill(
            match, inputs, match.teacher_logits, labels, loss=match.loss, epochs=2, batch_size=5, bf16=True, **QUIET
        )
        trained.append(match.state_dict())
    for one, other in zip(*(state.values() for state in trained), strict=True):
        torch.testing.assert_close(one, other)


LOSSES = {
    "hint": (hint_loss, {}, 2),
    "hint of another size": (hint_loss, {}, 1),
    "attention": (attention_loss, {"regressor": False}, 2),
    "attention of another size": (attention_loss, {"regressor": False}, 1),
    "relation": (relation_loss, {"regressor": False}, 2),
}


@pytest.mark.parametrize("soft", [blended(2.0), dkd_loss, None])
@pytest.mark.parametrize(("feature_loss", "options", "stride"), LOSSES.values(), ids=LOSSES)
def test_the_loss_is_the_soft_part_and_the_weighted_feature_loss(feature_loss, options, stride, soft):
    student, teacher = Pictures(4, seed=1, stride=stride), Pictures(6, seed=0)
    layers, rows = {"layer1.0": "layer1.0.conv1", "layer1": "layer1"}, torch.tensor([7, 2, 5, 0])
    match = match_of(student, teacher, layers, feature_loss, weight=0.5, soft=soft, **options)
    found = match.loss(match.train()(PICTURES[rows]), match.teacher_logits[rows], LABELS[rows])

    some, student, teacher = PICTURES[rows], student.train(), teacher.eval()
    own, theirs = [student.layer1[0](some), student.layer1(some)], [teacher.layer1[0].conv1(some), teacher.layer1(some)]
    logits = student.fc(own[1].mean((2, 3)))
    for k, regressor in enumerate(match.regressors):
        weight, bias = regressor[1].weight[:, :, 0, 0], regressor[1].bias[:, None, None]
        pooled = F.adaptive_avg_pool2d(own[k], theirs[k].shape[2:])
        own[k] = torch.einsum("oc,bchw->bohw", weight, pooled) + bias
    expected = 0.5 * sum(feature_loss(a, b) for a, b in zip(own, theirs, strict=True))
    if soft is not None:
        expected = expected + soft(logits, teacher(some), LABELS[rows])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("feature_loss", "options", "stride"), LOSSES.values(), ids=LOSSES)
def test_distill_trains_the_student_in_place_and_leaves_no_hook(feature_loss, options, stride):
    student, teacher = Pictures(4, seed=1, stride=stride), Pictures(6, seed=0)
    match = match_of(student, teacher, {"layer1": "layer1"}, feature_loss, soft=None, **options)
    before, modes = copy.deepcopy(match.state_dict()), [module.training for module in student.modules()]
    run = {"epochs": 20, "lr": 0.01, "batch_size": 5, "validation": (PICTURES, LABELS), **QUIET}
    history = train.distill(match, PICTURES, match.teacher_logits, loss=match.loss, **run)
    assert history.last["loss"] < 0.8 * history.rows[0]["loss"]
    same = {name for name, value in match.state_dict().items() if torch.equal(value, before[name])}
    assert same == {"student.fc.weight", "student.fc.bias"}  # which no feature depends on
    assert history.last["validation_accuracy"] == train.accuracy(student, (PICTURES, LABELS), device="cpu")
    assert not any(module._forward_hooks for module in student.modules())
    assert [module.training for module in student.modules()] == modes


def test_weight_zero_is_plain_distillation():
    teacher, one, other = Pictures(6, seed=0), Pictures(4, seed=1), Pictures(4, seed=1)
    match = match_of(one, teacher, {"layer1": "layer1"}, hint_loss, weight=0.0, soft=blended(2.0))
    run = {"epochs": 3, "batch_size": 4, **QUIET}
    train.distill(match, PICTURES, match.teacher_logits, loss=match.loss, **run)
    train.distill(other, PICTURES, train.teacher_logits(teacher, PICTURES, device="cpu"), temperature=2.0, **run)
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("regressor", [True, False])
def test_it_works_for_fields_as_keywords_and_layers_that_return_tuples(regressor):
    student, teacher = Encoder(4, seed=1), Encoder(6, seed=0)
    loss = hint_loss if regressor else relation_loss
    match = match_of(student, teacher, {"layer.0": "layer.1"}, loss, tokens(), -1, regressor=regressor, soft=None)
    run = {"epochs": 10, "lr": 0.02, "batch_size": 6, **QUIET}
    history = train.distill(match, {**tokens(), "labels": LABELS}, match.teacher_logits, loss=match.loss, **run)
    assert history.last["loss"] < history.rows[0]["loss"]
    said = teacher_features(teacher, tokens(), ["layer.1"], channel_axis=-1, device="cpu")
    assert said.features["layer.1"].shape == (N, 6, 5)
    hidden = teacher.embeddings(tokens()["input_ids"]) * tokens()["attention_mask"][..., None]
    torch.testing.assert_close(said.features["layer.1"].mT, teacher.layer[1](teacher.layer[0](hidden)[0])[0])


def test_the_regressor_depends_on_its_seed_alone():
    drawn = []
    for seed, noise in [(3, 0), (3, 1), (4, 0)]:
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        match = match_of(Pictures(4, seed=1), Pictures(6, seed=0), {"layer1": "layer1"}, hint_loss, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        drawn.append(match.regressors[0][1].weight)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Conv1d(1, C, 1)
        self.unused = nn.Linear(1, 1)

    def forward(self, x):
        return self.inner(x)


BAD = [
    (
        lambda: teacher_features(Pictures(4, 0), PICTURES, ["layer2"]),
        r"layers must name modules of the teacher \(layer1,",
    ),
    (
        lambda: teacher_features(Sequences(), torch.randn(4, 1, 5), ["inner"]),
        r"teacher must return logits \[B, C\], got",
    ),
    (
        lambda: teacher_features(nn.Sequential(nn.Flatten(), nn.Linear(64, C), nn.Identity()), PICTURES, ["3"]),
        "got '3'",
    ),
    (lambda: teacher_features(nn.Linear, PICTURES, ["a"]), "teacher must be an nn.Module, got type"),
    (
        lambda: match_of(Pictures(4, 0), Pictures(4, 0), {"fc2": "fc"}, hint_loss),
        r"modules of the student .* got 'fc2'",
    ),
    (lambda: match_of(Pictures(4, 0), Pictures(4, 0), {"fc": "fc"}, hint_loss, weight=-1), "weight must be >= 0"),
    (
        lambda: match_of(Pictures(4, 0), Pictures(4, 0), {"fc": "fc"}, hint_loss, seed=-1),
        "seed must be an integer >= 0",
    ),
    (
        lambda: match_of(Pictures(4, 0), Pictures(4, 0), {"fc": "layer1"}, hint_loss),
        r"regressor must be False for features \[3\] and \[4, 4, 4\]",
    ),
]


@pytest.mark.parametrize(("made", "message"), BAD, ids=range(len(BAD)))
def test_what_does_not_fit_is_refused_by_name(made, message):
    with pytest.raises((TypeError, ValueError), match=message):
        made()


def test_a_layer_that_takes_no_part_is_refused():
    model = nn.ModuleDict({"body": nn.Flatten(), "idle": nn.Linear(1, 1)})
    model.forward = lambda x: model["body"](x)
    with pytest.raises(ValueError, match="layers must give a tensor with a row per input, got NoneType from 'idle'"):
        teacher_features(model, PICTURES, ["idle"], device="cpu")


def test_a_match_asks_for_features_that_the_teacher_was_asked_for():
    said = teacher_features(Pictures(4, 0), PICTURES, ["fc"], device="cpu")
    with pytest.raises(ValueError, match=r"layers must lead to features in said \(fc\), got 'layer1'"):
        FeatureMatch(Pictures(4, 0), PICTURES, said, {"fc": "layer1"}, hint_loss)
