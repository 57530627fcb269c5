"""The shipped data against the original files, and against their teacher."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch

from kdcourse import data, store
from kdcourse.data import fashion_mnist, load
from kdcourse.train import load_teacher, teacher_logits

pytestmark = pytest.mark.slow  # the whole data sets

# SHA-256 of the bytes after the header in the original IDX files of Fashion-MNIST (Xiao et al. 2017):
# 60,000 and 10,000 pictures of 784 bytes after 16 bytes of header, one label per byte after 8 bytes.
ORIGINAL = {
    "train-images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    "train-labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "t10k-images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    "t10k-labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
}
SIZES = {"train": 50_000, "validation": 10_000, "test": 10_000}
FOLDER = data.folder() / "fashion-mnist"


@pytest.fixture(scope="module")
def garments():
    return load("fashion-mnist", with_teacher=False)


@pytest.fixture(scope="module")
def taught():
    return load("fashion-mnist")


def digest(*tensors):
    return hashlib.sha256(b"".join(tensor.to(torch.uint8).numpy().tobytes() for tensor in tensors)).hexdigest()


# ---- Fashion-MNIST itself ----


def test_pixels_and_labels_are_those_of_the_original_files(garments):
    assert digest(garments.train.pixels, garments.validation.pixels) == ORIGINAL["train-images"]
    assert digest(garments.train.labels, garments.validation.labels) == ORIGINAL["train-labels"]
    assert digest(garments.test.pixels) == ORIGINAL["t10k-images"]
    assert digest(garments.test.labels) == ORIGINAL["t10k-labels"]
    published = "T-shirt,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
    assert ",".join(garments.class_names) == published.lower()


def test_splits_have_their_sizes_and_types_and_logits_where_there_is_a_teacher(garments, taught):
    for name, size in SIZES.items():
        split, alone = getattr(taught, name), getattr(garments, name)
        assert (split.pixels.dtype, split.pixels.shape) == (torch.uint8, (size, 784))
        assert (split.labels.dtype, split.labels.shape) == (torch.int64, (size,))
        for logits in (split.teacher_logits, split.flipped().teacher_logits):
            assert (logits.dtype, logits.shape) == (torch.float32, (size, 10))
            assert logits.isfinite().all()
        assert not torch.equal(split.teacher_logits, split.flipped().teacher_logits)
        assert alone.teacher_logits is alone.flipped().teacher_logits is None


def test_inputs_are_standardised_by_the_training_split_alone(garments):
    inputs = garments.train.inputs
    assert (inputs.dtype, inputs.shape) == (torch.float32, (50_000, 784))
    assert inputs.mean().item() == pytest.approx(0, abs=1e-4)
    assert inputs.std().item() == pytest.approx(1, abs=1e-4)
    pixels = garments.train.pixels.numpy()
    expected = (garments.validation.pixels[:5].numpy() - pixels.mean()) / pixels.std()
    np.testing.assert_allclose(garments.validation.inputs[:5].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert garments.train.inputs is inputs  # made once


def test_contact_sheets_and_pictures_are_inverse():
    pictures = np.random.default_rng(0).integers(0, 256, (10_000, 784), dtype=np.uint8)
    sheet = fashion_mnist.pictures_to_sheet(pictures)
    assert sheet.shape == (2800, 2800)
    assert (sheet[28:56, 84:112] == pictures[103].reshape(28, 28)).all()
    assert (fashion_mnist.sheet_to_pictures(sheet) == pictures).all()


def test_an_unknown_name_is_told_those_there_are():
    with pytest.raises(ValueError, match="name must be one of .*'fashion-mnist', .*'spam-assassin'.*, got 'mnist'"):
        load("mnist")


PEAK = """
import resource, sys
import torch, numpy, PIL.Image
from kdcourse import data

def peak():  # in MB; VmHWM where there is one, since ru_maxrss may inherit the parent's peak
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1e3
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)

torch.zeros(10).add(1)
before = peak()
data.load("fashion-mnist").train.inputs.sum()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is not on Windows")
def test_loading_takes_less_than_400_megabytes():
    assert 150 < float(subprocess.check_output([sys.executable, "-c", PEAK])) < 400  # the inputs alone are 157


# ---- the teacher ----


def test_the_teacher_is_as_large_as_the_model_that_is_loaded(garments, taught):
    trainable = [parameter.numel() for parameter in load_teacher("fashion-mnist").parameters()]
    assert taught.teacher_parameters == sum(trainable)
    assert garments.teacher_parameters is None


def test_the_checkpoint_says_what_was_cached_in_both_views(taught):
    teacher = load_teacher("fashion-mnist")
    assert not any(module.training for module in teacher.modules())
    some = taught.validation[:200]
    for view in (some, some.flipped()):
        logits = teacher_logits(teacher, view.inputs, device="cpu")
        torch.testing.assert_close(logits, view.teacher_logits, rtol=1e-3, atol=2e-3)  # float16 holds 11 bits


def test_the_teacher_is_good_and_small(taught):
    for view in (taught.validation, taught.validation.flipped()):
        assert (view.teacher_logits.argmax(1) == view.labels).double().mean() >= 0.935
    assert (FOLDER / "teacher.safetensors").stat().st_size <= 6_000_000


def test_the_recorded_checksums_cover_every_data_file():
    recorded = store.load_json(data.folder() / "checksums.json")
    found = {path for path in data.folder().rglob("*") if path.suffix in {".png", ".safetensors", ".xz", ".parquet"}}
    names = {path.relative_to(data.folder()).as_posix() for path in found}
    assert {"fashion-mnist/teacher.safetensors", "fashion-mnist/teacher-logits.safetensors"} <= names
    assert set(recorded) == set(data.verify()) == names
    for path in found:
        content = path.read_bytes()
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        assert recorded[path.relative_to(data.folder()).as_posix()] == entry
