"""The flights: whole days, nothing from after the departure, and a teacher whose log-odds belong to the rows."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from statsmodels.regression.linear_model import OLS

from kdcourse import data
from kdcourse.data import DataError, flights, load

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_flights as builder  # noqa: E402
import train_flights_teacher as trainer  # noqa: E402

pytestmark = pytest.mark.slow  # the whole data set

FOLDER = data.folder() / "flights"
SPLITS = ("train", "validation", "test")
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


@pytest.fixture(scope="module")
def table():
    """The file as it is, read without the package."""
    return pyarrow.parquet.read_table(FOLDER / "flights.parquet").to_pandas()


@pytest.fixture(scope="module")
def hours():
    return pyarrow.parquet.read_table(FOLDER / "hours.parquet").to_pandas()


@pytest.fixture(scope="module")
def loaded():
    return load("flights")


# ---- the files ----


def test_no_day_is_in_two_splits_and_five_days_in_a_row_are_in_all(table):
    split_of = table.groupby("date")["split"].agg(set)
    assert split_of.map(len).max() == 1
    assert len(split_of) == 365
    runs = split_of.map(min).to_numpy().reshape(73, 5)
    assert {tuple(sorted(run)) for run in runs} == {("test", "train", "train", "train", "validation")}


def test_the_datasheet_has_the_counts_of_the_file(table):
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{len(table):,} flights" in page
    for split in SPLITS:
        rows = table[table["split"] == split]
        cells = next(line for line in page.splitlines() if line.startswith(f"| {split} |"))
        assert cells == f"| {split} | {rows['date'].nunique()} | {len(rows):,} | {rows['late'].mean():.1%} |"


def test_the_files_hold_nothing_from_after_the_departure(table, hours):
    """Lists that are closed: no delay, no actual time, no time in the air, no tail number."""
    assert list(table) == ["date", "minute", "carrier", "origin", "dest", "distance", "late", "split"]
    assert list(hours) == ["origin", "date", "hour", "departures", *WEATHER]
    assert not hours.duplicated(["origin", "date", "hour"]).any()
    assert hours["wind_speed"].max() < 100


# ---- what the loader makes of it ----


def test_shapes_and_standardisation(loaded):
    inputs = loaded.train.inputs.numpy()
    assert (inputs.dtype, inputs.shape[1]) == (np.float32, 93)
    np.testing.assert_allclose(inputs.mean(0, dtype=np.float64), 0, atol=1e-5)
    deviations = inputs.std(0, dtype=np.float64)
    assert deviations.max() < 1.0001
    assert (deviations > 0.9999).sum() >= 91  # those with missing values, taken for the average, vary less
    for split in SPLITS:
        part = getattr(loaded, split)
        assert part.inputs.isfinite().all()
        assert part.labels.dtype == torch.int64
        assert part.teacher_logits.shape == (len(part), 2)
        assert part.teacher_logits.sum(1).abs().max() == 0
        assert list(part.about) == ["date", "carrier", "origin", "dest", "hour"]
    assert loaded.class_names == ("on time", "late")


def test_inputs_are_what_a_loop_finds_in_the_files(loaded, table, hours):
    """The columns of some test flights, one by one; the flights are found again by what `about` says."""
    train = table[table["split"] == "train"]
    at = hours.set_index(["origin", "date", "hour"])
    before = train.merge(hours, left_on=["origin", "date", train["minute"] // 60], right_on=["origin", "date", "hour"])
    assert len(before) == len(train)

    def standard(value, column):
        return (value - column.mean()) / column.std(ddof=0)

    for row in range(0, 30_000, 3_000):
        about, inputs = loaded.test.about.loc[row], loaded.test.inputs[row].double().numpy()
        report = at.loc[(about["origin"], about["date"], about["hour"])]
        route = train[(train["origin"] == about["origin"]) & (train["dest"] == about["dest"])]
        expected = {
            0: [standard(distance, train["distance"]) for distance in route["distance"].unique()],
            1: [standard(about["hour"] * 60 + minute, train["minute"]) for minute in range(60)],
            2: [standard(report["departures"], before["departures"])],
            3: [standard(report["temp"], before["temp"])],
            9: [standard(np.nan_to_num(report["wind_gust"]), before["wind_gust"].fillna(0))],
            10: [standard(np.log1p(100 * report["precip"]), np.log1p(100 * before["precip"]))],
        }
        for column, values in expected.items():
            assert np.abs(inputs[column] - np.array(values, float)).min() < 1e-3, column


def test_categories_are_one_column_each_and_only_the_common_ones(loaded, table):
    train = table[table["split"] == "train"]
    dates = pd.DatetimeIndex(train["date"])
    values = [train["carrier"], train["origin"], train["dest"], dates.month, dates.day_of_week, train["minute"] // 60]
    shares = [pd.Series(np.asarray(each)).value_counts(normalize=True).sort_index() for each in values]
    shares = pd.concat([each[each >= 0.01] for each in shares]).to_numpy()
    columns = loaded.train.inputs[:, 13:].numpy()
    np.testing.assert_allclose((columns > 0).mean(0), shares, atol=1e-6)  # in this order, each as often as it should


def test_what_a_model_sees_is_a_closed_list_and_does_not_depend_on_the_label():
    test = flights.read_flights()["test"].head(500)
    known = flights.known_before(test)
    assert list(known) == [
        *["carrier", "origin", "dest", "month", "weekday", "hour", "distance", "minute", "departures"],
        *["temp", "dewp", "humid", "wind_east", "wind_north", "wind_speed", "wind_gust", "precip", "pressure", "visib"],
    ]
    pd.testing.assert_frame_equal(known, flights.known_before(test.assign(late=~test["late"])))
    wind = np.hypot(known["wind_east"], known["wind_north"])
    blowing = test["wind_dir"].notna() & test["wind_speed"].notna()
    np.testing.assert_allclose(wind[blowing], test["wind_speed"][blowing], rtol=1e-5)


def test_the_first_training_flights_are_a_sample(loaded):
    first = loaded.subset(5_000).train
    assert first.about["date"].nunique() == 219
    assert float(first.labels.double().mean()) == pytest.approx(float(loaded.train.labels.double().mean()), abs=0.025)
    again = load("flights", with_teacher=False)
    assert torch.equal(first.labels, again.train.labels[:5_000])
    assert again.train.teacher_logits is None


# ---- the teacher ----


def figures(late, log_odds):
    log_odds = log_odds.astype(np.float64)
    probability = 1 / (1 + np.exp(-log_odds))
    measured = (roc_auc_score(late, log_odds), log_loss(late, probability), accuracy_score(late, log_odds > 0))
    return "{:.4f} | {:.4f} | {:.2%}".format(*measured)


def test_the_cards_figures_are_those_of_the_stored_log_odds(loaded):
    page = (FOLDER / "teacher-card.md").read_text(encoding="utf-8")
    stored = load_file(FOLDER / "teacher-logits.safetensors")
    assert set(stored) == set(SPLITS)
    for split, log_odds in stored.items():
        labels = getattr(loaded, split).labels.numpy()
        assert f"| {split} | {figures(labels, log_odds)} |" in page
        np.testing.assert_array_equal(getattr(loaded, split).teacher_logits[:, 1].numpy() * 2, log_odds)
    assert page == trainer.card(FOLDER)


def test_the_cards_standard_errors_are_those_of_statsmodels(loaded):
    right = (loaded.test.teacher_logits.argmax(1) == loaded.test.labels).double().numpy()
    mean = OLS(right, np.ones(len(right)))
    days = pd.factorize(loaded.test.about["date"])[0]
    by_day = mean.fit(cov_type="cluster", cov_kwds={"groups": days}).bse[0]
    expected = (mean.fit().bse[0], by_day)
    assert trainer.standard_errors(right, days) == pytest.approx(expected, rel=1e-3)


def test_the_log_odds_belong_to_their_rows(loaded):
    for split in SPLITS:
        part = getattr(loaded, split)
        late, log_odds = part.labels.numpy(), part.teacher_logits[:, 1].numpy()
        assert roc_auc_score(late, log_odds) > 0.7
        mixed = np.random.default_rng(0).permutation(log_odds)
        assert roc_auc_score(late, mixed) == pytest.approx(0.5, abs=0.02)


def test_training_flights_were_judged_by_teachers_that_had_not_seen_the_day(loaded):
    """Or they would be judged much better than validation flights are."""
    found = {}
    for split in ("train", "validation"):
        part = getattr(loaded, split)
        found[split] = roc_auc_score(part.labels.numpy(), part.teacher_logits[:, 1].numpy())
    assert found["train"] < found["validation"] + 0.02


def test_log_odds_of_other_flights_are_refused(monkeypatch):
    monkeypatch.setattr(flights, "made_of", lambda: ["another", "day"])
    with pytest.raises(DataError, match=r"teacher-logits.safetensors was made for other flights. Run tools/train_fl"):
        load("flights")


# ---- the build ----


@pytest.fixture
def source(tmp_path):
    """Three flights from JFK on a July morning at 7:15: one 16 minutes late, one 15, one cancelled; and the weather."""
    rows = pd.DataFrame({"arr_delay": [16, 15, np.nan], "dep_time": [720, 720, np.nan], "carrier": ["AA", "UA", "B6"]})
    rows = rows.assign(year=2013, month=7, day=4, sched_dep_time=715, origin="JFK", dest="LAX", distance=2475)
    rows["time_hour"] = "2013-07-04T11:00:00Z"
    with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", rows.to_csv(index=False))
    weather = pd.DataFrame({"time_hour": [f"2013-07-04T{hour:02}:00:00Z" for hour in (9, 10, 11, 12)]})
    weather = weather.assign(origin="JFK", **dict.fromkeys(WEATHER, 1.0))
    weather["temp"], weather["wind_speed"] = [50.0, 60.0, 70.0, 80.0], [5.0, 1048.0, 5.0, 5.0]
    weather.to_csv(tmp_path / "weather.csv", index=False)
    return tmp_path


def test_late_is_more_than_fifteen_minutes_and_the_cancelled_are_left_out(source):
    built, _, counts = builder.build(source)
    assert built.set_index("carrier")["late"].to_dict() == {"AA": True, "UA": False}
    assert (built["minute"] == 7 * 60 + 15).all()
    assert (counts["scheduled"], counts["cancelled"], counts["arrived"]) == (3, 1, 2)


def test_the_weather_is_that_of_the_hour_before(source):
    _, hours, _ = builder.build(source)
    assert len(hours) == 1
    assert (hours["hour"][0], hours["departures"][0], hours["temp"][0]) == (7, 3, 60)
    assert np.isnan(hours["wind_speed"][0])  # no wind is that fast
