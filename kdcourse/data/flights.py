"""Flights out of New York in 2013: which of them arrives late, from what is known before it is to depart.

Whole days are in one split. Flights of one day share its weather and its jams, so a model that saw half of a day knows
much of the other half, and the flights of a day are no independent examples.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kdcourse import store
from kdcourse.data.dataset import DataSet, Split
from kdcourse.data.files import DataError, checked, folder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["known_before", "load", "read_flights"]

SPLITS = ("train", "validation", "test")
CLASS_NAMES = ("on time", "late")
LATE = 15  # minutes after the scheduled arrival; more are late
SEED = 0  # of the order of a split's rows
COMMON = 0.01  # of the training flights have a category, or it has no input of its own
CATEGORIES = ["carrier", "origin", "dest", "month", "weekday", "hour"]
NUMBERS = ["distance", "minute", "departures"]
WEATHER = ["temp", "dewp", "humid", "wind_east", "wind_north", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
ABOUT = ["date", "carrier", "origin", "dest", "hour"]


def load(with_teacher: bool = True) -> DataSet:
    """See `kdcourse.data.load`. The columns of `inputs` are those of `known_before`, categories as one column each.

    >>> load(with_teacher=False).class_names
    ('on time', 'late')
    """
    flights = read_flights()
    known = {split: known_before(flights[split]) for split in SPLITS}
    encoded = _standardised(known)
    logits, teacher = {}, {}
    if with_teacher:
        name = "flights/teacher-logits.safetensors"
        logits, teacher = store.load_tensors(checked(name))
        if teacher["flights"] != made_of():
            raise DataError(f"{folder() / name} was made for other flights. Run tools/train_flights_teacher.py")
    splits: dict[str, Any] = {}
    for split in SPLITS:
        splits[split] = Split(
            torch.tensor(flights[split]["late"].to_numpy(), dtype=torch.int64),
            # Stored is the log-odds of being late; around 0, as logits that sum to 0.
            torch.stack([-logits[split], logits[split]], 1).float() / 2 if with_teacher else None,
            inputs=encoded[split],
            about=flights[split][ABOUT],
        )
    return DataSet("flights", **splits, class_names=CLASS_NAMES, teacher_parameters=teacher.get("parameters"))


def read_flights() -> "dict[str, pd.DataFrame]":
    """The flights by split, in the rows' order of `kdcourse.data.load`, with the weather before each.

    Columns: date, carrier, origin, dest; hour, and minute of the day (0 to 1439), of the scheduled departure (local
    time); distance (miles); late (1 if it arrived more than 15 minutes late, else 0); departures, how many flights are
    scheduled from there in that hour; and the weather there one hour before: temp and dewp (°F), humid (%), wind_dir
    (degrees), wind_speed and wind_gust (miles per hour), precip (inches), pressure (millibars), visib (miles).

    Raises DataError for a file that is missing or altered.

    Examples
    --------
    >>> {split: table["date"].nunique() for split, table in read_flights().items()}
    {'train': 219, 'validation': 73, 'test': 73}
    """
    import pandas as pd

    flights = pd.read_parquet(checked("flights/flights.parquet"))
    hours = pd.read_parquet(checked("flights/hours.parquet"))
    flights["hour"] = flights["minute"] // 60
    flights = flights.merge(hours, on=["origin", "date", "hour"], how="left", validate="many_to_one")
    by_split = {}
    for split in SPLITS:
        rows = flights[flights["split"] == split].drop(columns="split")
        order = np.random.PCG64(SEED).random_raw(len(rows)).argsort(kind="stable")  # raw numbers: the same for ever
        by_split[split] = rows.iloc[order].reset_index(drop=True)
    return by_split


def known_before(flights: "pd.DataFrame") -> "pd.DataFrame":
    """What a model may see of each flight: nothing that is known only after the scheduled departure.

    Columns: carrier, origin, dest, month, weekday (0 is Monday) and hour, all categories; distance, minute and
    departures; and the weather, its wind as two components and precip as log(1 + hundredths of an inch).
    Missing values stay missing, but for gusts: none reported is none.

    Examples
    --------
    >>> known = known_before(read_flights()["test"])
    >>> known["origin"][0], [int(known[name][0]) for name in ("month", "weekday", "hour")]
    ('LGA', [9, 1, 19])
    """
    known = flights[["carrier", "origin", "dest"]].copy()
    known["month"], known["weekday"] = flights["date"].dt.month, flights["date"].dt.day_of_week
    known["hour"] = flights["hour"]
    known[NUMBERS] = flights[NUMBERS]
    angle = np.radians(flights["wind_dir"].fillna(0))
    speed = flights["wind_speed"].where(flights["wind_dir"].notna(), 0)  # calm or variable wind has no direction
    weather = flights.assign(wind_east=speed * np.sin(angle), wind_north=speed * np.cos(angle))
    weather["wind_gust"] = weather["wind_gust"].fillna(0)
    weather["precip"] = np.log1p(100 * weather["precip"])  # an hour of heavy rain is a hundred times a drizzle
    known[WEATHER] = weather[WEATHER]
    return known.astype(dict.fromkeys([*NUMBERS, *WEATHER], "float32"))


def _standardised(known):
    """{split: float32 [N, D]}: a column per number and per common category, standardised by the training split."""
    columns = [(name, None) for name in [*NUMBERS, *WEATHER]]
    for name in CATEGORIES:
        shares = known["train"][name].value_counts(normalize=True)
        columns += [(name, value) for value in sorted(shares.index[shares >= COMMON])]
    encoded = {split: np.empty((len(table), len(columns)), np.float32) for split, table in known.items()}
    for place, (name, value) in enumerate(columns):
        for split in SPLITS:  # the training split comes first, and says how all are scaled
            values = known[split][name] if value is None else known[split][name] == value
            values = values.to_numpy(np.float64)
            if split == "train":
                mean, deviation = np.nanmean(values), np.nanstd(values)
            # What is missing is taken for the average.
            encoded[split][:, place] = np.nan_to_num((values - mean) / deviation)
    return {split: torch.from_numpy(values) for split, values in encoded.items()}


def made_of():
    """What a teacher's logits belong to: these flights, in this order."""
    return [store.sha256(checked(f"flights/{name}.parquet")) for name in ("flights", "hours")]
