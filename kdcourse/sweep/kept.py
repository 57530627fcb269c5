"""Finished chunks of a sweep on disk, each under a name made from everything that determines its results."""

import os
import warnings
from pathlib import Path

import torch

from kdcourse import losses, models, stack, store
from kdcourse.stats import calibration
from kdcourse.sweep import chunk

ENGINE = (chunk, calibration, losses, models, stack)  # another version of these may give other results


class Kept:
    """Finished chunks on disk, one safetensors file each, whole or absent."""

    def __init__(self, resume, data, factors, chunks):
        if resume is False:
            self.folder = None
            return
        if resume is not None and not isinstance(resume, (str, os.PathLike)):
            raise TypeError(f"resume must be a folder, None or False, got {resume!r}")
        self.folder = store.cache_folder("sweeps") if resume is None else Path(resume)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)  # better known now than after training
        except OSError as error:
            if resume is not None:
                raise
            warnings.warn(f"{self.folder} cannot be written ({error}): this sweep keeps nothing", stacklevel=3)
            self.folder = None
            return
        common = {
            "engine": [store.sha256(module.__file__) for module in ENGINE],
            "torch": torch.__version__,
            "data": [split.fingerprint() for split in (data.train, data.validation, data.test)],
            "factors": factors,
        }
        common = store.fingerprint(common)
        self.paths = []
        for one in chunks:
            about = one._asdict() | {"schedule": None, "common": common}
            self.paths.append(self.folder / f"{store.fingerprint(about)}.safetensors")

    def load(self, number):
        if self.folder is None or not self.paths[number].exists():
            return None
        try:
            logits, rows = store.load_tensors(self.paths[number])
        except store.DamagedFile as error:
            warnings.warn(f"{error}. Its students are trained again", stacklevel=3)
            return None
        return rows, {name: tensor.numpy() for name, tensor in logits.items()}

    def save(self, number, rows, logits):
        if self.folder is None:
            return
        rows = [{name: None if value != value else value for name, value in row.items()} for row in rows]
        store.save_tensors(self.paths[number], {name: torch.from_numpy(array) for name, array in logits.items()}, rows)
