"""Finished students of a sweep on disk, each under a name made from everything that determines its results."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from kdcourse import store
from kdcourse.data import DataSet
from kdcourse.sweep.identity import CHECKS, code_behind, identity


class Kept:
    """Finished students on disk, one safetensors file each, whole or absent.

    What a student learns does not depend on its company (only its last digits do). So it is found again in any grid,
    and on any number of cores; if it was kept without logits that are asked for, it is trained again.

    Parameters
    ----------
    resume
        A folder; None for one in this user's cache, False to keep nothing.
    data
        What the students are trained and measured on.
    run
        Everything else that they share and that determines the results, as JSON can hold it.
    logits
        Whether the logits of the students are asked for.
    loss, student
        The functions that they are trained with and made by, or None for the everyday ones.
    students
        The settings of each.
    """

    def __init__(
        self,
        resume,
        data: DataSet,
        run: dict,
        logits: bool,
        loss: Callable | None,
        student: Callable | None,
        students: list[dict],
    ):
        self.folder, self.paths = None, []
        self.wanted = {"test_right", *(["validation", "test"] if logits else [])}
        if resume is False:
            return
        if resume is not None and not isinstance(resume, (str, os.PathLike)):
            raise TypeError(f"resume must be a folder, None or False, got {resume!r}")
        folder = store.cache_folder("sweeps") if resume is None else Path(resume)
        try:
            folder.mkdir(parents=True, exist_ok=True)  # better known now than after training
            functions = [None if one is None else identity(one) for one in (loss, student)]
        except (OSError, TypeError) as error:
            named = "loss" if student is None else "loss or student"
            what = (
                f"{folder} cannot be written" if isinstance(error, OSError) else f"{named} cannot be told from others"
            )
            if resume is None:
                warnings.warn(f"{what} ({error}): this sweep keeps nothing", stacklevel=3)
                return
            if isinstance(error, OSError):
                raise
            raise TypeError(f"with this {named}, resume must be False: {what} ({error})") from None
        common = store.fingerprint(
            run
            | {
                "engine": engine(alone=student is not None),
                "torch": torch.__version__,
                "data": [split.fingerprint() for split in (data.train, data.validation, data.test)],
                "functions": functions,
            }
        )
        self.folder = folder
        self.paths = [folder / f"{store.fingerprint([common, student])}.safetensors" for student in students]

    def load(self, number: int) -> tuple[dict, dict[str, np.ndarray]] | None:
        """The row and the arrays of a student, or None. A file that is damaged is named in a warning."""
        if self.folder is None or not self.paths[number].exists():
            return None
        try:
            arrays, row = store.load_tensors(self.paths[number])
        except store.DamagedFile as error:
            warnings.warn(f"{error}. Its student is trained again", stacklevel=3)
            return None
        if not self.wanted <= arrays.keys():
            return None
        return row, {name: arrays[name].numpy() for name in self.wanted}

    def save(self, number: int, row: dict, arrays: dict[str, np.ndarray]) -> None:
        """Keep what came out for a student. What cannot be written is named in a warning."""
        if self.folder is None:
            return
        row = {name: None if value != value else value for name, value in row.items()}  # JSON has no NaN
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        try:
            store.save_tensors(self.paths[number], tensors, row)
        except OSError as error:  # what was trained is worth more than a file
            said = f"{self.folder} cannot be written ({error.strerror or error}): students of this sweep are not kept"
            warnings.warn(said, stacklevel=3)


def engine(*, alone: bool) -> list[str]:
    """The code behind the results: of stacks, or of students who are trained one by one and have nothing to do with it.

    Neither training depends on how the other is done. (A stack only has `_examples` check what comes.)
    """
    others = ["kdcourse.sweep.chunk._stack"] if alone else ["kdcourse.train", "kdcourse._examples"]
    return code_behind("kdcourse.sweep.chunk", "train_chunk", but=(CHECKS, *others))
