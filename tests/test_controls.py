"""Control signals against closed forms; what they must not touch stays as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from blobs import C, blobs
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from tiny import refusals
from torch import nn

from kdcourse import controls
from kdcourse.data import DataSet, Split, load
from kdcourse.models import mlp


def taught_by_another(data):
    """`taught_by` with a teacher that was drawn and not trained."""
    sizes = [data.train.inputs.shape[1], len(data.class_names)] if isinstance(data, DataSet) else [1, 1]
    return controls.taught_by(data, mlp(sizes, seed=5))


def squared(data):
    """`with_soft_labels` with the squares of the teacher's probabilities, made to sum to 1."""
    if not isinstance(data, DataSet) or data.train.teacher_logits is None:
        return controls.with_soft_labels(data, torch.ones(1, 1), 4)
    rows = data.train.teacher_logits.double().softmax(1).square()
    return controls.with_soft_labels(data, rows / rows.sum(1, keepdim=True), 4)


def never_first(data):
    return controls.never_shown(data, data.class_names[0] if isinstance(data, DataSet) else "")


def half_noisy(data):
    return controls.noisy_labels(data, 0.5)


def tail(data):
    return controls.long_tail(data, 1)


def self_taught(data):
    return controls.self_taught(data, width=4, epochs=[1], device="cpu")


def slipped(data):
    return controls.slipped(data, 2)


CONTROLS = [
    slipped, controls.sampled,
    controls.arg_max, controls.smoothed_labels, controls.shuffled, taught_by_another,
    squared, self_taught, half_noisy, tail, never_first,
]  # fmt: skip
PARTS = ("inputs", "labels", "teacher_logits")


@pytest.fixture
def data():
    return blobs()


def pictures():
    """A data set of pictures, whose inputs are made from pixels."""
    generator = torch.Generator().manual_seed(0)

    def split(n):
        pixels = torch.randint(0, 256, (n, 784), generator=generator, dtype=torch.uint8)
        logits = torch.randn(n, 3, generator=generator)
        return Split(torch.arange(n) % 3, logits, pixels=pixels, scale=(72.8, 90.0), flipped_logits=-logits)

    return DataSet("pictures", split(8), split(4), split(4), ("bag", "coat", "dress"))


def rows(tensor):
    return [tuple(row) for row in tensor.tolist()]


@pytest.mark.parametrize("make", [blobs, pictures])
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_a_control_changes_its_part_of_the_training_split_and_nothing_else(control, make):
    before, data, state = make(), make(), torch.get_rng_state()
    changed = control(data)
    assert torch.equal(torch.get_rng_state(), state)
    assert changed.train.fingerprint() == control(data).train.fingerprint()  # the same call, the same data
    assert changed.train.fingerprint() != before.train.fingerprint()
    assert data.train.fingerprint() == before.train.fingerprint()  # the original is as it was
    assert (changed.validation, changed.test) == (data.validation, data.test)
    assert replace(changed, train=data.train) == data
    if control in (tail, never_first):  # they drop examples
        return
    same = {name: torch.equal(getattr(changed.train, name), getattr(before.train, name)) for name in PARTS}
    assert same == {"inputs": True, "labels": control is not half_noisy, "teacher_logits": control is half_noisy}
    assert (changed.train.pixels is None) == (before.train.pixels is None)
    if make is pictures:  # what the teacher says of the mirrored view is only known where it is the real teacher's
        assert torch.equal(changed.train.pixels, before.train.pixels)
        mirrored, known = changed.train.flipped().teacher_logits, before.train.flipped().teacher_logits
        assert torch.equal(mirrored, known) if control is half_noisy else mirrored is None


# ---- each on its own ----


@pytest.mark.parametrize("temperature", [0.5, 1.0, 20.0])
def test_arg_max_is_certain_at_every_temperature(data, temperature):
    logits = controls.arg_max(data).train.teacher_logits
    expected = np.zeros((300, C))
    for row, said in enumerate(data.train.teacher_logits.tolist()):
        expected[row, said.index(max(said))] = 1
    np.testing.assert_array_equal((logits / temperature).softmax(1).numpy(), expected)


def test_sampled_answers_are_as_frequent_as_the_teacher_says(data):
    """Over 2,000 draws of the first ten examples, against binomial limits of five standard deviations."""
    ten = replace(data, train=data.train[:10])
    drawn = np.stack([controls.sampled(ten, seed).train.teacher_logits.exp().numpy() for seed in range(2_000)])
    assert set(np.unique(drawn)) == {0, 1}
    assert (drawn.sum(2) == 1).all()
    said = np.exp(ten.train.teacher_logits.double().numpy())
    p = said / said.sum(1, keepdims=True)
    assert (abs(drawn.mean(0) - p) <= 5 * np.sqrt(p * (1 - p) / 2_000) + 1e-12).all()


@pytest.mark.parametrize("amount", [1e-3, 0.5, 1])
def test_smoothed_labels_follow_the_closed_form(data, amount):
    probabilities = controls.smoothed_labels(data, amount).train.teacher_logits.double().exp().numpy()
    for row, label in enumerate(data.train.labels.tolist()):
        expected = [amount / C + (1 - amount if k == label else 0) for k in range(C)]
        np.testing.assert_allclose(probabilities[row], expected, rtol=1e-5)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 4])
def test_soft_labels_are_what_the_teacher_says_at_their_temperature(data, temperature):
    rows = np.random.default_rng(0).dirichlet(np.ones(C), size=300)
    logits = controls.with_soft_labels(data, torch.from_numpy(rows), temperature).train.teacher_logits
    assert logits.dtype == torch.float32
    said = np.exp(logits.double().numpy() / temperature)
    np.testing.assert_allclose(said / said.sum(1, keepdims=True), rows, rtol=1e-4)


def test_what_is_never_shown_is_named_by_neither_label_nor_teacher(data):
    name = data.class_names[1]
    said = [row.index(max(row)) for row in data.train.teacher_logits.tolist()]
    kept = [k for k, label in enumerate(data.train.labels.tolist()) if 1 not in (label, said[k])]
    train = controls.never_shown(data, name).train
    assert 0 < len(kept) < (data.train.labels != 1).sum()  # the teacher's first choice counts, too
    assert torch.equal(train.inputs, data.train.inputs[kept])


def test_a_cache_that_slipped_is_right_up_to_there_and_one_row_late_after_it(data):
    before, after = rows(data.train.teacher_logits), rows(controls.slipped(data, 120).train.teacher_logits)
    assert after == [*before[:120], before[-1], *before[120:-1]]


@pytest.mark.parametrize("seed", [0, 1])
def test_shuffling_deals_the_soft_labels_out_again_and_nobody_keeps_their_own(data, seed):
    before, after = rows(data.train.teacher_logits), rows(controls.shuffled(data, seed).train.teacher_logits)
    assert sorted(after) == sorted(before)
    assert len(set(before)) == 300  # rows can be told apart, so these are the examples themselves
    assert not any(a == b for a, b in zip(before, after, strict=True))
    two = data.subset(2)
    assert rows(controls.shuffled(two, seed).train.teacher_logits) == rows(two.train.teacher_logits[[1, 0]])


@pytest.mark.parametrize(
    "draw",
    [
        lambda data, seed: controls.shuffled(data, seed).train.teacher_logits,
        lambda data, seed: controls.noisy_labels(data, 0.3, seed).train.labels,
    ],
)
def test_another_seed_gives_other_data_and_what_is_no_seed_is_refused(draw, data):
    one, two, from_a_table = (draw(data, seed) for seed in (0, 2, np.int64(2)))
    assert not torch.equal(one, two)
    assert torch.equal(two, from_a_table)
    for seed in (-1, 1.5, None, "0", True):
        with pytest.raises(ValueError, match=f"seed must be an integer >= 0, got {seed!r}"):
            draw(data, seed)


# ---- another teacher ----


class Moody(nn.Module):
    """A teacher that says other things in training than in earnest, and counts how often it was asked."""

    def __init__(self, inputs, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 7), nn.BatchNorm1d(7), nn.Dropout(0.5), nn.Linear(7, classes))
        self.asked = 0

    def forward(self, inputs):
        self.asked += len(inputs)
        return self.body(inputs)


def test_taught_by_says_what_the_teacher_says_in_earnest(data):
    teacher = Moody(data.train.inputs.shape[1], C)
    teacher(data.train.inputs)  # gives its batch norm something to keep
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    teacher.asked = 0
    logits = controls.taught_by(data, teacher).train.teacher_logits
    assert teacher.asked == len(data.train)
    assert teacher.training
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name])
    one_by_one = nn.Module.eval(teacher)
    with torch.no_grad():
        for row, inputs in zip(logits, data.train.inputs, strict=True):
            torch.testing.assert_close(row, one_by_one(inputs[None])[0])
    assert not logits.requires_grad


# ---- wrong labels ----


def changed(before, after):
    return (before.train.labels != after.train.labels).nonzero().flatten().tolist()


@pytest.mark.slow
def test_a_self_taught_teacher_says_what_its_own_labels_say_and_stops_when_validation_likes_it_best():
    data = blobs()
    upside_down = replace(
        data, train=Split((data.train.labels + 1) % C, data.train.teacher_logits, inputs=data.train.inputs)
    )
    for one in (data, upside_down):  # validation stays right
        said = controls.self_taught(one, width=16, epochs=[200], device="cpu").train.teacher_logits
        assert (said.argmax(1) == one.train.labels).double().mean() > 0.9
    early, late = (
        controls.self_taught(upside_down, width=16, epochs=epochs, device="cpu").train.teacher_logits
        for epochs in ([1, 200], [200])
    )
    assert not torch.equal(early, late)
    with pytest.raises(ValueError, match=r"epochs must not be empty, got \[\]"):
        controls.self_taught(data, epochs=[])


@given(share=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_exactly_a_share_of_the_labels_is_wrong(share, seed):
    data = blobs()
    noisy = controls.noisy_labels(data, share, seed)
    assert abs(len(changed(data, noisy)) - 300 * share) <= 0.5
    assert noisy.train.labels.dtype == torch.int64
    assert set(noisy.train.labels.tolist()) <= set(range(C))


@pytest.mark.parametrize("seed", [0, 1])
def test_wrong_labels_fall_evenly_on_the_other_classes_and_on_all_examples(seed):
    split = Split(torch.arange(60_000) % 5, torch.zeros(60_000, 5), inputs=torch.zeros(60_000, 1))
    before = DataSet("many", split, split, split, class_names=tuple("abcde"))
    after = controls.noisy_labels(before, 0.5, seed)
    where = torch.tensor(changed(before, after))
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (before.train.labels[where].numpy(), after.train.labels[where].numpy()), 1)
    assert (np.diag(pairs) == 0).all()
    into = pairs[~np.eye(5, dtype=bool)]  # twenty ways to be wrong
    assert scipy_stats.chisquare(into).pvalue > 0.001
    places = np.histogram(where.numpy(), bins=30, range=(0, 60_000))[0]
    assert scipy_stats.chisquare(places).pvalue > 0.001


def test_noisy_labels_that_are_picked_apart_are_still_noisy():
    noisy = controls.noisy_labels(pictures(), 1.0).train
    picked = noisy[torch.tensor([3, 1])]
    assert torch.equal(picked.labels, noisy.labels[[3, 1]])
    assert torch.equal(picked.inputs, noisy.inputs[[3, 1]])


# ---- a long tail ----


def unequal(counts, seed=0):
    """Examples of as many classes as there are counts, in random order; the one input is the number of the row."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=generator)]
    logits = torch.randn(len(labels), len(counts), generator=generator)
    train = Split(labels, logits, inputs=torch.arange(len(labels)).float()[:, None])
    return DataSet("unequal", train, train[:5], train[5:9], tuple("abcdefgh"[: len(counts)]), teacher_parameters=70)


def which(split):
    return split.inputs[:, 0].long().tolist()


def per_class(split, classes):
    labels = split.labels.tolist()
    return [labels.count(label) for label in range(classes)]


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=8),
    share=st.floats(0, 1),
    turn=st.integers(0, 7),
    seed=st.integers(0, 5),
)
def test_of_every_class_the_first_examples_are_kept_as_many_as_the_formula_says(counts, share, turn, seed):
    data, classes, most = unequal(counts, seed), len(counts), min(counts)
    rarest, first = max(1, round(share * most)), turn % classes
    sizes = np.rint(np.geomspace(most, rarest, classes)).astype(int).tolist()
    left = {(first + k) % classes: size for k, size in enumerate(sizes)}
    kept, labels = [], data.train.labels.tolist()
    for row, label in enumerate(labels):
        if labels[:row].count(label) < left[label]:
            kept.append(row)
    tail = controls.long_tail(data, rarest, first).train
    assert which(tail) == kept
    assert per_class(tail, classes)[first - 1] == rarest
    assert tail.labels.tolist() == [labels[row] for row in kept]
    np.testing.assert_array_equal(tail.teacher_logits.numpy(), data.train.teacher_logits.numpy()[kept])


@pytest.mark.parametrize(
    ("counts", "settings", "left"),
    [
        ([7, 5, 9], [5], [5, 5, 5]),  # as long as the smallest class
        ([12], [3], [12]),  # a single class is kept whole
        ([9, 9], [2], [9, 2]),  # without a word about it the tail begins at class 0
        ([9, 9, 9], [np.int64(1), np.int64(1)], [1, 9, 3]),
    ],
)
def test_a_tail_at_its_limits(counts, settings, left):
    assert per_class(controls.long_tail(unequal(counts), *settings).train, len(counts)) == left


def test_weighted_labels_give_every_class_the_same_weight_in_the_whole_split():
    data = unequal([8, 2, 5])
    logits = torch.randn(len(data.train), 3, generator=torch.Generator().manual_seed(0))
    found = controls.weighted_labels(data)(logits, None, data.train.labels)
    plain = torch.nn.functional.cross_entropy(logits, data.train.labels, reduction="none")
    by_class = [plain[data.train.labels == k].mean() for k in range(3)]
    torch.testing.assert_close(found.mean(), torch.stack(by_class).mean())


def test_pictures_in_a_tail_stay_pictures_with_what_the_teacher_says_of_both_their_views():
    data = pictures()  # labels 0, 1, 2, 0, 1, 2, 0, 1: two, one and one of them are left
    tail = controls.long_tail(data, 1).train
    kept = [0, 1, 2, 3]
    np.testing.assert_array_equal(tail.pixels.numpy(), data.train.pixels.numpy()[kept])
    np.testing.assert_array_equal(tail.inputs.numpy(), data.train.inputs.numpy()[kept])
    mirrored = tail.flipped()
    np.testing.assert_array_equal(mirrored.pixels.numpy(), data.train.flipped().pixels.numpy()[kept])
    np.testing.assert_array_equal(mirrored.teacher_logits.numpy(), -data.train.teacher_logits.numpy()[kept])
    assert mirrored.labels.tolist() == [0, 1, 2, 0]


# ---- refusals ----


@pytest.mark.parametrize("control", CONTROLS)
def test_what_is_no_data_set_with_a_teacher_is_refused(control, data):
    with pytest.raises(TypeError, match="data must be a DataSet, got Split"):
        control(data.train)
    taught_by_nobody = replace(data, train=Split(data.train.labels, inputs=data.train.inputs))
    with pytest.raises(ValueError, match=r"data\.train must hold the teacher's logits, got None"):
        control(taught_by_nobody)


@refusals(
    "call",
    (lambda data: controls.noisy_labels(data, 1.01), ValueError, r"share must be in \[0, 1\], got 1\.01"),
    (lambda data: controls.noisy_labels(data, "0.3"), TypeError, "share must be a number, got '0.3'"),
    (
        lambda data: controls.with_soft_labels(data, torch.ones(300, 3) / 3, 4),
        ValueError,
        r"soft_labels must be \[300, 4\], got \[300, 3\]",
    ),
    (lambda data: controls.with_soft_labels(data, torch.ones(300, 4), 4), ValueError, "each row must sum to 1"),
    (lambda data: controls.with_soft_labels(data, torch.eye(4)[[0] * 300], 4), ValueError, "must be above 0"),
    (lambda data: controls.with_soft_labels(data, torch.ones(300, 4) / 4, 0), ValueError, "temperature must be > 0"),
    (lambda data: controls.never_shown(data, "hat"), ValueError, "class_name must be one of"),
    (lambda data: controls.smoothed_labels(data, 0), ValueError, r"amount must be in \(0, 1\], got 0"),
    (lambda data: controls.self_taught(data, width=0), ValueError, "width must be an integer >= 1, got 0"),
    (lambda data: controls.long_tail(data, 0), ValueError, "rarest must be an integer >= 1, got 0"),
    (lambda data: controls.long_tail(data, 5, C), ValueError, "first must be one of the 4 classes, 0 to 3, got 4"),
    (
        lambda data: controls.taught_by(data, nn.Linear(20, 1)),
        ValueError,
        r"must give logits \[300, 4\], got \[300, 1\]",
    ),
    (lambda data: controls.slipped(data, 300), ValueError, "start must be a row of the 300 training examples, got 300"),
    (lambda data: controls.shuffled(data.subset(1)), ValueError, "must hold at least two examples to be shuffled"),
    (lambda _: controls.long_tail(unequal([7, 5, 9]), 6), ValueError, "at most .* the smallest class, 5, got 6"),
    (lambda _: controls.long_tail(unequal([7, 5, 9, 0]), 1), ValueError, "at most .* the smallest class, 0, got 1"),
)
def test_settings_of_no_sense_are_refused(data, call, error, message):
    with pytest.raises(error, match=message):
        call(data)


def test_what_a_teacher_may_say_is_made_of_the_first_examples_and_each_answer_is_what_it_is_called():
    garments = load("fashion-mnist").subset(400)
    train, signals = garments.train[:50], controls.told(garments, 50, quick=True)
    said = {name: signal(garments, 1).train.teacher_logits.double().softmax(1) for name, signal in signals.items()}
    real = train.teacher_logits.double()
    assert torch.equal(said["first choices"].argmax(1), real.argmax(1))
    assert said["first choices"].amax(1).eq(1).all()
    assert said["one sample each"].amax(1).eq(1).all()
    torch.testing.assert_close(said["four times too sure"], (4 * real).softmax(1), atol=1e-6, rtol=1e-4)
    # Of the same network, labels that are smoothed make answers less sure (Szegedy et al. 2016, section 7).
    assert said["smoothed"].amax(1).mean() < said["plain"].amax(1).mean() - 0.02
    again = controls.told(garments, 50, quick=True)["smoothed"](garments, 0).train.teacher_logits
    torch.testing.assert_close(again.double().softmax(1), said["smoothed"])
