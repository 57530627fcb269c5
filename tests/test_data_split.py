"""Splits and data sets: rows stay together, whatever is picked, mirrored or left out."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from kdcourse.data import DataSet, Split


def pictures(n=6):
    pixels = torch.randint(0, 256, (n, 784), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    logits = torch.arange(n * 3.0).view(n, 3)
    return Split(torch.arange(n) % 3, logits, pixels=pixels, scale=(72.8, 90.0), flipped_logits=-logits)


@pytest.mark.parametrize(
    "index",
    [slice(2, 5), slice(None, None, 2), torch.tensor([5, 0, 0]), torch.tensor([True, False] * 3), slice(0, 0)],
    ids=["slice", "stride", "rows", "mask", "none"],
)
@pytest.mark.parametrize("materialised", [False, True])
def test_indexing_keeps_rows_together(index, materialised):
    rows = np.arange(6)[index if isinstance(index, slice) else index.numpy()].tolist()
    for split in (pictures(), Split(torch.arange(6) % 3, torch.ones(6, 3), inputs=torch.rand(6, 4))):
        if materialised:
            assert len(split.inputs) == 6
        part = split[index]
        for name in ("labels", "teacher_logits", "inputs"):
            assert torch.equal(getattr(part, name), getattr(split, name)[rows])
        if split.pixels is not None:
            assert torch.equal(part.pixels, split.pixels[rows])
            if rows:
                assert torch.equal(part.flipped().teacher_logits, -split.teacher_logits[rows])


@pytest.mark.parametrize("index", [-1, torch.tensor(3)], ids=["int", "tensor"])
def test_a_single_index_is_refused(index):
    with pytest.raises(TypeError, match="index must be a slice or a tensor of indices, got .*[31]"):
        pictures()[index]


def test_flipping_mirrors_the_pictures_and_takes_the_logits_of_that_view_and_twice_changes_nothing():
    split, flipped, again = pictures(), pictures().flipped(), pictures().flipped().flipped()
    for k in range(len(split)):
        assert (flipped.pixels[k].view(28, 28).numpy() == np.fliplr(split.pixels[k].view(28, 28).numpy())).all()
    assert torch.equal(flipped.labels, split.labels)
    assert torch.equal(flipped.teacher_logits, -split.teacher_logits)
    np.testing.assert_allclose(flipped.inputs.view(-1, 28, 28).flip(2).reshape(6, -1), split.inputs)
    assert again.fingerprint() == split.fingerprint()
    assert torch.equal(again.pixels, split.pixels)
    assert torch.equal(again.flipped().teacher_logits, -split.teacher_logits)


def test_only_pictures_can_be_flipped():
    with pytest.raises(ValueError, match="only pictures can be flipped"):
        Split(torch.zeros(2).long(), inputs=torch.zeros(2, 4)).flipped()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"inputs": torch.zeros(3, 4)}, "inputs must have one row per label, got 3 for 2"),
        ({"labels": torch.zeros(2, 1), "inputs": torch.zeros(2, 4)}, r"labels must be \[N\], .* got shape \[2, 1\]"),
        ({"pixels": torch.zeros(2, 784), "teacher_logits": torch.zeros(5, 3)}, "teacher_logits must have .* got 5"),
        ({}, "exactly one of inputs and pixels"),
        ({"inputs": torch.zeros(2, 4), "pixels": torch.zeros(2, 784)}, "exactly one of inputs and pixels"),
    ],
)
def test_rows_that_do_not_belong_together_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        Split(**{"labels": torch.zeros(2).long()} | rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"labels": np.zeros(2, int)}, "labels must be a tensor, got ndarray of int64 of shape"),
        ({"inputs": np.zeros((2, 4))}, "inputs must be a tensor, got ndarray of float64 of shape"),
        ({"teacher_logits": np.zeros((2, 3))}, "teacher_logits must be a tensor, got ndarray"),
        ({"inputs": None, "pixels": np.zeros((2, 784), np.uint8)}, "pixels must be a tensor, got ndarray of uint8"),
        ({"labels": torch.zeros(2)}, r"labels must be integers, .* got torch.float32 of shape \[2\]"),
        ({"labels": torch.zeros(2).bool()}, "labels must be integers, .* got torch.bool"),
    ],
)
def test_arrays_and_labels_that_are_no_indices_are_refused_by_name(rows, message):
    with pytest.raises(TypeError, match=message):
        Split(**{"labels": torch.zeros(2).long(), "inputs": torch.zeros(2, 4)} | rows)


# ---- a name for the content ----


def numbers():
    values = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    return {"labels": torch.arange(6) % 3, "teacher_logits": values, "inputs": values.repeat(1, 2) / 3}


@pytest.mark.parametrize("kind", ["pictures", "numbers"])
def test_a_slice_travels_alone_and_arrives_whole(kind):
    split = pictures(600) if kind == "pictures" else Split(torch.arange(600) % 3, inputs=torch.rand(600, 784))
    assert len(split.inputs) == 600  # made now, if they are not there
    part = split[100:106]
    sent = pickle.dumps(part)
    assert len(sent) < 1.5 * 6 * 784 * (1 if kind == "pictures" else 4) + 2_000
    for arrived in (pickle.loads(sent), copy.copy(part), copy.deepcopy(part)):
        assert arrived.fingerprint() == part.fingerprint()
        assert torch.equal(arrived.labels, part.labels)


def test_the_same_content_has_the_same_fingerprint():
    name = Split(**numbers()).fingerprint()
    assert len(name) == 16
    strided = {part: values.T.contiguous().T for part, values in numbers().items() if values.ndim == 2}
    taped = {"teacher_logits": numbers()["teacher_logits"].requires_grad_()}
    for same in ({}, strided, taped):
        assert Split(**numbers() | same).fingerprint() == name


def test_another_number_type_or_order_of_rows_gives_another_fingerprint():
    changes = [{}, {"teacher_logits": None}, {"inputs": numbers()["inputs"].view(6, 2, 3)}]
    changes += [{"inputs": numbers()["teacher_logits"], "teacher_logits": numbers()["inputs"]}]
    for part, values in numbers().items():
        other = values.clone()
        other.view(-1)[-1] = 2 - other.view(-1)[-1] if part == "labels" else torch.nextafter(other[-1, -1], other[0, 0])
        another_type = values.to(torch.int32 if part == "labels" else torch.float64)
        changes += [{part: other}, {part: values.flip(0)}, {part: another_type}]
    names = {Split(**numbers() | change).fingerprint() for change in changes}
    assert len(names | {Split(**numbers())[:5].fingerprint()}) == len(changes) + 1


def test_pictures_are_named_by_what_a_student_sees_of_them():
    split = pictures()
    assert split.fingerprint() == pictures().fingerprint()
    assert Split(split.labels, split.teacher_logits, inputs=split.inputs).fingerprint() == split.fingerprint()
    other_scale = Split(split.labels, split.teacher_logits, pixels=split.pixels, scale=(72.8, 91.0))
    assert len({split.fingerprint(), other_scale.fingerprint(), split.flipped().fingerprint()}) == 3


def small():
    return DataSet("small", pictures(6), pictures(4), pictures(2), ("bag", "coat", "dress"))


def test_a_subset_is_the_first_training_examples():
    whole, part = small(), small().subset(4)
    assert torch.equal(part.train.pixels, whole.train.pixels[:4])
    assert torch.equal(part.train.teacher_logits, whole.train.teacher_logits[:4])
    assert (len(part.train), len(part.validation), len(part.test)) == (4, 4, 2)
    assert len(small().subset(6).train) == 6


@pytest.mark.parametrize("n", [0, 7, "2"])
def test_a_subset_of_no_sense_is_refused(n):
    with pytest.raises(ValueError, match=f"n must be an integer from 1 to 6, got {n!r}"):
        small().subset(n)


def test_a_class_can_be_left_out_of_training_only():
    part = small().without("coat")
    assert part.train.labels.tolist() == [0, 2, 0, 2]
    assert torch.equal(part.train.pixels, small().train.pixels[[0, 2, 3, 5]])
    assert (part.validation.labels == 1).any()
    assert (part.test.labels == 1).any()
    assert part.class_names == ("bag", "coat", "dress")


def test_the_size_of_the_teacher_stays_with_its_data():
    assert small().teacher_parameters is None
    data = replace(small(), teacher_parameters=1234)
    assert data.subset(3).teacher_parameters == data.without("coat").teacher_parameters == 1234


def test_class_names_and_labels_belong_together():
    assert [small().class_index(name) for name in ("bag", "coat", "dress")] == [0, 1, 2]
    for call in (small().class_index, small().without):
        with pytest.raises(ValueError, match="class_name must be one of bag, coat, dress; got 'hat'"):
            call("hat")
