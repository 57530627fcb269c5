"""The course's data sets, shipped in `data/` and checked against their checksums every time they are read.

    garments = load("fashion-mnist")
    garments.train.inputs          # float32 [50000, 784], standardised
    garments.test.teacher_logits   # float32 [10000, 10]
    mails = load("spam-assassin")
    mails.test.about["group"]      # which of five kinds of mail each is; the texts are there, too

Splits are fixed: train for training, validation to choose anything, test to report once.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from kdcourse import spam, store
from kdcourse._arguments import integer

SHEET = 100  # pictures per row and per column of a contact sheet
SIDE = 28  # pixels per row and per column of a picture


class DataError(RuntimeError):
    """A data file is missing, truncated or altered. The message names it and says how to get it back."""


class Split:
    """Examples with their labels and what the teacher said about them. Row i is the same example everywhere.

    labels          int64 [N]
    teacher_logits  float32 [N, C], or None
    inputs          float32 [N, D], standardised; made of `pixels` on first use, of texts by spam.hashed_features
    pixels          uint8 [N, D], or None for data that are not pictures
    about           pandas DataFrame with N rows, indexed 0 to N - 1: what else is known of each; or None
    """

    def __init__(
        self,
        labels,
        teacher_logits=None,
        *,
        inputs=None,
        pixels=None,
        scale=(0.0, 1.0),
        flipped_logits=None,
        about=None,
    ):
        if (inputs is None) == (pixels is None):
            raise ValueError("give exactly one of inputs and pixels")
        self.labels = labels
        self.teacher_logits = teacher_logits
        self.pixels = pixels
        self.scale = scale
        self._flipped_logits = flipped_logits
        self.about = about
        if inputs is not None:
            self.inputs = inputs
        for name in ("teacher_logits", "pixels", "_flipped_logits", "about"):
            value = getattr(self, name)
            if value is not None and len(value) != len(labels):
                raise ValueError(f"{name.strip('_')} must have one row per label, got {len(value)} for {len(labels)}")
        if inputs is not None and len(inputs) != len(labels):
            raise ValueError(f"inputs must have one row per label, got {len(inputs)} for {len(labels)}")

    @cached_property
    def inputs(self):
        mean, deviation = self.scale
        return self.pixels.to(torch.float32).sub_(mean).div_(deviation)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        """The examples that a slice, an index tensor or a bool tensor picks, as a Split."""
        if not isinstance(index, slice) and np.ndim(index) == 0:
            raise TypeError(f"index must be a slice or a tensor of indices, got the single index {index}")

        def pick(rows):
            return None if rows is None else rows[index]

        return Split(
            self.labels[index],
            pick(self.teacher_logits),
            inputs=None if self.pixels is not None else self.inputs[index],
            pixels=pick(self.pixels),
            scale=self.scale,
            flipped_logits=pick(self._flipped_logits),
            about=None if self.about is None else self.about.iloc[_for_numpy(index)].reset_index(drop=True),
        )

    def flipped(self):
        """The same pictures mirrored left to right, with what the teacher says about the mirrored view."""
        if self.pixels is None:
            raise ValueError("only pictures can be flipped; this split has none")
        mirrored = self.pixels.view(-1, SIDE, SIDE).flip(2).reshape(len(self), -1)
        return Split(
            self.labels,
            self._flipped_logits,
            pixels=mirrored,
            scale=self.scale,
            flipped_logits=self.teacher_logits,
            about=self.about,
        )

    def fingerprint(self):
        """A short hexadecimal name for its content: the same inputs, labels and teacher logits give the same name."""
        parts = [self.inputs, self.labels, self.teacher_logits]
        return store.fingerprint([None if part is None else _digest(part) for part in parts])

    def __repr__(self):
        return f"Split({len(self):,} examples)"


@dataclass(frozen=True)
class DataSet:
    """Three fixed splits, the names of the classes, and how large the teacher is that gave the logits (or None)."""

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple
    teacher_parameters: int | None = None

    def subset(self, n):
        """The same data set with the first n training examples (their order is fixed and random)."""
        if not isinstance(n, int) or not 1 <= n <= len(self.train):
            raise ValueError(f"n must be an integer from 1 to {len(self.train):,}, got {n!r}")
        return replace(self, train=self.train[:n])

    def without(self, class_name):
        """The same data set with one class left out of the training split, and only there."""
        kept = self.train.labels != self.class_index(class_name)
        return replace(self, train=self.train[kept])

    def class_index(self, class_name):
        """The label that stands for `class_name`. Raises ValueError that lists the names."""
        if class_name not in self.class_names:
            raise ValueError(f"class_name must be one of {', '.join(self.class_names)}; got {class_name!r}")
        return self.class_names.index(class_name)


def folder():
    """Where the data lie: `data/` beside the package, or the folder named by the variable KDCOURSE_DATA."""
    return Path(os.environ.get("KDCOURSE_DATA") or Path(__file__).resolve().parent.parent / "data")


def load(name, *, with_teacher=True, features=None):
    """A data set by name ("fashion-mnist", "spam-assassin"), every file of it checked first.

    with_teacher  False leaves the cached teacher logits out: what a teacher is trained on
    features      how many hashed features a mail becomes (None: spam.FEATURES); for "spam-assassin" alone

    Raises ValueError for a name that does not exist or features where there are none, and DataError for a file that
    is missing, truncated or altered: never a half-loaded set.
    """
    loaders = {"fashion-mnist": _fashion_mnist, "spam-assassin": _spam_assassin}
    if name not in loaders:
        raise ValueError(f"name must be one of {', '.join(map(repr, loaders))}, got {name!r}")
    if features is None:
        return loaders[name](with_teacher)
    if name != "spam-assassin":
        raise ValueError(f"features must be None for {name!r}, which has no texts, got {features!r}")
    return _spam_assassin(with_teacher, integer("features", features, at_least=1))


def verify():
    """Check every file in `data/` against `data/checksums.json` and return their names. Raises DataError."""
    names = list(_manifest())
    with ThreadPoolExecutor() as pool:
        list(pool.map(checked, names))
    return names


def checked(name):
    """The path of a data file, once its size and SHA-256 are the recorded ones. Raises DataError if they are not."""
    path = folder() / name
    recorded = _manifest().get(name)
    if recorded is None:
        raise DataError(f"{path} is not listed in checksums.json. {_remedy('checksums.json')}")
    if not path.is_file():
        raise DataError(f"{path} is missing. {_remedy(name)}")
    size = path.stat().st_size
    if size != recorded["bytes"]:
        what = "truncated" if size < recorded["bytes"] else "altered"
        raise DataError(f"{path} is {what}: {size:,} bytes, not {recorded['bytes']:,}. {_remedy(name)}")
    if store.sha256(path) != recorded["sha256"]:
        raise DataError(f"{path} is altered: its SHA-256 is not the recorded one. {_remedy(name)}")
    return path


def _manifest():
    path = folder() / "checksums.json"
    if not path.is_file():
        raise DataError(f"{path} is missing. {_remedy('checksums.json')}")
    try:
        manifest = store.load_json(path)
    except store.DamagedFile as error:
        raise DataError(f"{error}. {_remedy('checksums.json')}") from error
    if not isinstance(manifest, dict) or not manifest:
        raise DataError(f"{path} lists no files. {_remedy('checksums.json')}")
    for name, entry in manifest.items():
        if not isinstance(entry, dict) or not {"bytes", "sha256"} <= entry.keys():
            raise DataError(f"{path} has no size and checksum for {name}. {_remedy('checksums.json')}")
    return manifest


def _remedy(name):
    path = folder() / name
    return (
        f"To get it back, run `git checkout -- {path}` in your clone, or copy {path.name} from a fresh download of the "
        "course into the same folder"
    )


def _fashion_mnist(with_teacher):
    sheets = {
        "train": [f"train-{k}.png" for k in range(5)],
        "validation": ["validation.png"],
        "test": ["test.png"],
    }
    names = [name for parts in sheets.values() for name in parts]
    with ThreadPoolExecutor() as pool:  # reading, hashing and decoding all release the interpreter's lock
        pictures = dict(zip(names, pool.map(lambda name: _sheet(f"fashion-mnist/{name}"), names), strict=True))
    labels, about = store.load_tensors(checked("fashion-mnist/labels.safetensors"))
    logits = {}
    if with_teacher:
        stored, _ = store.load_tensors(checked("fashion-mnist/teacher-logits.safetensors"))
        logits = {name: values.float() for name, values in stored.items()}
    splits = {}
    for split, parts in sheets.items():
        pixels = [pictures.pop(part) for part in parts]
        splits[split] = Split(
            labels[split].long(),
            logits.get(split),
            pixels=torch.cat(pixels) if len(pixels) > 1 else pixels[0],
            scale=(about["pixel_mean"], about["pixel_deviation"]),
            flipped_logits=logits.get(f"{split}_flipped"),
        )
    return DataSet(
        "fashion-mnist",
        **splits,
        class_names=tuple(about["class_names"]),
        teacher_parameters=_teacher_parameters("fashion-mnist") if with_teacher else None,
    )


def _spam_assassin(with_teacher, features=spam.FEATURES):
    path = checked("spam-assassin/mails.jsonl.xz")
    logits, teacher = {}, {}
    if with_teacher:
        name = "spam-assassin/teacher-logits.safetensors"
        logits, teacher = store.load_tensors(checked(name))
        if teacher["mails"] != store.sha256(path):
            raise DataError(f"{folder() / name} was made for other mails. Run tools/train_spam_teacher.py")
    splits = {}
    for split, mails in spam.read_mails(path).items():
        splits[split] = Split(
            torch.tensor(mails["label"].to_numpy()),
            logits[split].float() if with_teacher else None,
            inputs=spam.hashed_features(mails["subject"] + "\n" + mails["text"], features),
            about=mails[spam.COLUMNS],
        )
    return DataSet(
        "spam-assassin", **splits, class_names=spam.CLASS_NAMES, teacher_parameters=teacher.get("parameters")
    )


def _teacher_parameters(name):
    """How many numbers of a teacher's checkpoint were trained; what batch norm only keeps count of was not."""
    tensors, _ = store.load_tensors(checked(f"{name}/teacher.safetensors"))
    counted = ("running_mean", "running_var", "num_batches_tracked")
    return sum(tensor.numel() for key, tensor in tensors.items() if not key.endswith(counted))


def _for_numpy(index):
    """An index tensor as an array, which pandas understands; a slice as it is."""
    return index.numpy(force=True) if isinstance(index, torch.Tensor) else index


def _digest(tensor):
    """SHA-256 of a tensor's type, shape and bytes."""
    array = np.ascontiguousarray(tensor.numpy(force=True))
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(array)
    return digest.hexdigest()


def _sheet(name):
    """uint8 [10000, 784]: the pictures of a contact sheet, row by row."""
    from PIL import Image

    with Image.open(checked(name)) as image:
        pixels = np.asarray(image)
    return torch.from_numpy(sheet_to_pictures(pixels))


def sheet_to_pictures(sheet):
    """uint8 [SHEET·SIDE, SHEET·SIDE] -> [SHEET², SIDE²], reading the pictures left to right, then down."""
    tiles = sheet.reshape(SHEET, SIDE, SHEET, SIDE).transpose(0, 2, 1, 3)
    return tiles.reshape(SHEET * SHEET, SIDE * SIDE)


def pictures_to_sheet(pictures):
    """The inverse of `sheet_to_pictures`."""
    tiles = pictures.reshape(SHEET, SHEET, SIDE, SIDE).transpose(0, 2, 1, 3)
    return tiles.reshape(SHEET * SIDE, SHEET * SIDE)
