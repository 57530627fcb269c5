"""Fashion-MNIST: 70,000 pictures of garments in ten classes, stored as contact sheets."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from kdcourse import store
from kdcourse.data.dataset import SIDE, DataSet, Split
from kdcourse.data.files import checked, teacher_parameters

__all__ = ["load", "pictures_to_sheet", "sheet_to_pictures"]

SHEET = 100  # pictures per row and per column of a contact sheet


def load(with_teacher: bool = True) -> DataSet:
    """See `kdcourse.data.load`. Inputs are [N, 784], a row of pixels after the other.

    >>> garments = load(with_teacher=False)
    >>> garments.test.inputs.shape, len(garments.class_names)
    (torch.Size([10000, 784]), 10)
    """
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
    splits: dict[str, Any] = {}
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
        teacher_parameters=teacher_parameters("fashion-mnist") if with_teacher else None,
        vocabulary=None,
    )


def _sheet(name):
    """uint8 [10000, 784]: the pictures of a contact sheet, row by row."""
    from PIL import Image

    with Image.open(checked(name)) as image:
        pixels = np.asarray(image)
    return torch.from_numpy(sheet_to_pictures(pixels))


def sheet_to_pictures(sheet: np.ndarray) -> np.ndarray:
    """uint8 [SHEET·SIDE, SHEET·SIDE] -> [SHEET², SIDE²], reading the pictures left to right, then down.

    >>> sheet_to_pictures(np.zeros((2800, 2800), np.uint8)).shape
    (10000, 784)
    """
    tiles = sheet.reshape(SHEET, SIDE, SHEET, SIDE).transpose(0, 2, 1, 3)
    return tiles.reshape(SHEET * SHEET, SIDE * SIDE)


def pictures_to_sheet(pictures: np.ndarray) -> np.ndarray:
    """The inverse of `sheet_to_pictures`.

    >>> pictures_to_sheet(np.zeros((10_000, 784), np.uint8)).shape
    (2800, 2800)
    """
    tiles = pictures.reshape(SHEET, SHEET, SIDE, SIDE).transpose(0, 2, 1, 3)
    return tiles.reshape(SHEET * SIDE, SHEET * SIDE)
