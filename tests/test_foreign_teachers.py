"""Teachers that are not ours, from logits to a file that answers: scikit-learn's, torchvision's ResNet, Hugging Face's.

The gradient boosting learns digits, the network garments, and the transformer mails as ids of words, each from a
sample and for seconds. What comes out is held against scikit-learn, pandas and ONNX Runtime.
"""

import zlib
from dataclasses import dataclass, field

import onnxruntime
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score
from torch import nn
from torch.utils.data import DataLoader

from kdcourse import data, ship
from kdcourse.audit import audit
from kdcourse.models import mlp
from kdcourse.train import accuracy, distill, teacher_logits, train

pytestmark = pytest.mark.slow  # whole distillations

QUIET = {"device": "cpu", "progress": False}
TRAIN, TEST = 1500, 600


@dataclass
class Case:
    """A teacher's logits of a sample, and what a student of it is trained and audited on."""

    inputs: torch.Tensor  # the student's, of the training examples and then of the test examples
    labels: torch.Tensor
    teacher_logits: torch.Tensor
    slices: dict
    student: nn.Module
    settings: dict = field(default_factory=dict)

    def __post_init__(self):
        self.train, self.test = slice(TRAIN), slice(TRAIN, None)


def sample(name, **options):
    """Of a data set the first examples for training, and below them the first for the test."""
    found = data.load(name, with_teacher=False, **options)
    return found.train[:TRAIN], found.test[:TEST]


def both(parts, what):
    return torch.cat([getattr(part, what) for part in parts])


def gradient_boosting():
    """A table of probabilities: `predict_proba` of scikit-learn."""
    digits = load_digits()
    inputs, labels = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
    boosting = GradientBoostingClassifier(n_estimators=15, max_features="sqrt", random_state=0)
    boosting.fit(inputs[:TRAIN].numpy(), labels[:TRAIN].numpy())
    table = pd.DataFrame(boosting.predict_proba(inputs.numpy()), columns=digits.target_names)
    ink = inputs[TRAIN:].mean(1)
    slices = {"ink": ["thin" if little else "bold" for little in ink < ink.median()]}
    return Case(inputs, labels, torch.tensor(table.to_numpy()).log().float(), slices, mlp((64, 32, 10), seed=0))


class BasicBlock(nn.Module):
    """The block of ResNet-18 (He et al. 2016, arXiv:1512.03385), with the names of torchvision."""

    def __init__(self, inplanes, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x):
        body = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(body + self.downsample(x))


class ResNet(nn.Module):
    """torchvision's `ResNet`, of pictures [B, 1, 28, 28], with two blocks of few channels."""

    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2 = nn.Sequential(BasicBlock(8, 16, 1)), nn.Sequential(BasicBlock(16, 32, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(32, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layer2(self.layer1(x))), 1))


def resnet():
    """A module that takes pictures as torchvision does; its student takes them flat."""
    parts = sample("fashion-mnist")
    inputs, labels = both(parts, "inputs"), both(parts, "labels")
    pictures = inputs.view(-1, 1, 28, 28)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher = ResNet(classes=10)
    train(teacher, pictures[:TRAIN], labels[:TRAIN], epochs=4, lr=0.01, batch_size=64, **QUIET)
    slices = {"garment": labels[TRAIN:] < 5}
    return Case(inputs, labels, teacher_logits(teacher, pictures, device="cpu"), slices, mlp((784, 32, 10), seed=0))


@pytest.fixture(scope="module")
def transformers(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("huggingface")))
        import transformers

        yield transformers


def bert(transformers):
    """A classifier of Hugging Face from its configuration: a dict of fields in, an output with `.logits` out."""
    parts = sample("spam-assassin")
    texts = [text for part in parts for text in part.about["subject"] + " " + part.about["text"]]
    words = [text.lower().split()[:24] for text in texts]
    rows = [[zlib.crc32(word.encode()) % 999 + 1 for word in one] + [0] * (24 - len(one)) for one in words]
    ids, labels = torch.tensor(rows), both(parts, "labels")
    fields = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    config = transformers.BertConfig(
        vocab_size=1000, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=24, num_labels=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher = transformers.BertForSequenceClassification(config)
    examples = [
        {"input_ids": ids[k], "attention_mask": fields["attention_mask"][k], "labels": labels[k]} for k in range(TRAIN)
    ]
    train(teacher, DataLoader(examples, batch_size=32, shuffle=True), epochs=3, lr=2e-3, **QUIET)
    return Case(
        ids,
        labels,
        teacher_logits(teacher, fields, device="cpu"),
        {"kind": parts[1].about["group"]},
        mlp((1000, 16, 2), seed=0, ids=True),
        {"lr": 0.02},
    )


@pytest.fixture(scope="module", params=[gradient_boosting, resnet, bert], ids=lambda make: make.__name__)
def case(request):
    """Each teacher once; after it the student that has learned from its logits alone."""
    needed = [request.getfixturevalue("transformers")] if request.param is bert else []
    made = request.param(*needed)
    settings = {"lr": 0.005} | made.settings
    distill(
        made.student, made.inputs[made.train], made.teacher_logits[made.train], temperature=2, epochs=15, batch_size=64,
        **settings, **QUIET,
    )  # fmt: skip
    return made


def test_the_student_says_what_its_teacher_says_more_often_than_one_answer_for_all_does(case):
    says = case.teacher_logits[case.test].argmax(1)
    always = says.bincount().max().item() / len(says)
    right = accuracy_score(case.labels[case.test], says)
    guessed = case.labels[case.test].bincount().max().item() / len(says)
    assert right > guessed  # a teacher that has learned nothing teaches nothing
    assert accuracy(case.student, (case.inputs[case.test], says), device="cpu") > always


def test_from_logits_to_an_audit_an_export_and_the_numbers_of_a_decision(case, tmp_path):
    inputs, labels = case.inputs[case.test], case.labels[case.test].numpy()
    with torch.no_grad():
        expected = case.student.eval()(inputs)

    made = ship.export_onnx(case.student, inputs, tmp_path / "student.onnx")
    session = onnxruntime.InferenceSession(str(made.path), providers=["CPUExecutionProvider"])
    (served,) = session.run(["logits"], {"inputs": inputs.numpy()})
    torch.testing.assert_close(torch.from_numpy(served), expected, rtol=1e-4, atol=1e-4)
    assert made.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())

    # What is served is what is audited.
    teacher, student = (
        logits.double().softmax(1).numpy() for logits in (case.teacher_logits[case.test], torch.tensor(served))
    )
    report = audit(labels, teacher, student, case.slices, max_gap=0.05, min_samples=50)
    ((name, column),) = case.slices.items()
    right = pd.DataFrame({"teacher": teacher.argmax(1) == labels, "student": student.argmax(1) == labels})
    by_hand = right.groupby(pd.Series(column).to_numpy()).mean()
    by_hand.index = by_hand.index.map(str)
    table = report.table.set_index("level")
    table.index = table.index.map(str)
    assert set(table["slice"]) == {name}
    pd.testing.assert_frame_equal(
        table.loc[by_hand.index, ["teacher", "student"]], by_hand, check_names=False, check_dtype=False
    )
    assert report.overall["student"] == pytest.approx(accuracy_score(labels, student.argmax(1)))

    times = ship.latency_percentiles({"student": made.path}, inputs, batch_sizes=(1, 64), requests=100, progress=False)
    assert (times["p50_ms"] <= times["p99_ms"]).all()
    price = ship.cost_per_1000(price_per_hour=0.1, requests_per_second=1000 / times["p50_ms"].iloc[0], utilisation=0.5)
    # An hour of 3,600 s answers 3,600,000 / p50 requests; half of it is used.
    assert price == pytest.approx(0.1 / (3_600_000 / times["p50_ms"].iloc[0] * 0.5) * 1000)
