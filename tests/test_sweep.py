"""Tables of students: every number recomputed from the logits, and every row the student that trains alone."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from blobs import SIZES, C, D, bags, blobs, close, mixed
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from tqdm import tqdm

from kdcourse.data import Split
from kdcourse.models import mlp
from kdcourse.stats.calibration import expected_calibration_error
from kdcourse.sweep import chunk, grid, sweep
from kdcourse.train import cosine, distill

QUIET = {"device": "cpu", "progress": False, "resume": False}
RUN = {"epochs": 3, "batch_size": 64}  # 300 examples: four full batches, and one of 44
SETTINGS = [
    "width", "hidden_layers", "temperature", "soft_weight", "lr", "weight_decay", "init_seed", "order_seed",
]  # fmt: skip
MEASURES = [f"{split}_{name}" for split in ("validation", "test") for name in ("accuracy", "nll", "ece", "agreement")]
RESULTS = ["epochs", "batch_size", "examples", "parameters", "ratio", *MEASURES, "loss", "diverged_at", "seconds"]


@pytest.fixture(scope="module")
def data():
    return blobs()


@pytest.fixture(scope="module")
def table(data):
    return sweep(mixed(), data, predictions=True, **RUN, **QUIET)


def alone(row, data, **options):
    """The student of a row, and its history, when it trains by itself."""
    ends = data.vocabulary or D, len(data.class_names)
    sizes = [ends[0], *[row.width] * row.hidden_layers, ends[1]]
    model = mlp(sizes, row.init_seed, ids=data.vocabulary is not None)
    parts, settings = (data.train.inputs, data.train.teacher_logits, data.train.labels), {"device": "cpu", **RUN}
    return model, distill(model, *parts, order_seed=row.order_seed, progress=False, **settings, **options)


def test_students_on_labels_alone_need_no_teacher(data):
    def untaught(split):
        return Split(split.labels, inputs=split.inputs)

    nobody = replace(data, train=untaught(data.train), validation=untaught(data.validation), test=untaught(data.test))
    settings = grid(width=3, soft_weight=0, lr=[0.01, 0.1])
    table, taught = sweep(settings, nobody, **RUN, **QUIET), sweep(settings, data, **RUN, **QUIET)
    for name in ("test_accuracy", "test_nll", "validation_accuracy", "loss"):
        assert table[name].tolist() == taught[name].tolist()
    assert table[["validation_agreement", "test_agreement"]].isna().all(axis=None)
    assert nobody.train.teacher_logits is None
    with pytest.raises(ValueError, match=r"data\.train must hold the teacher's logits, got None"):
        sweep(grid(width=3, soft_weight=[0, 0.5]), nobody, **RUN, **QUIET)


# ---- one tidy row per student ----


def test_the_table_keeps_the_rows_of_the_grid_and_adds_the_documented_columns(table):
    assert list(table.columns) == [*SETTINGS, *RESULTS, "validation_logits", "test_logits"]
    pd.testing.assert_frame_equal(table[SETTINGS], mixed())
    assert (table[["epochs", "batch_size", "examples"]] == [3, 64, 300]).all(axis=None)
    assert (table.dtypes[[*MEASURES, "loss", "ratio", "seconds"]] == "float64").all()
    assert table.dtypes["diverged_at"] == "Int64"
    assert table["diverged_at"].isna().all()
    assert (table["seconds"] > 0).all()


def test_parameters_and_ratio_follow_the_closed_form(table):
    for row in table.itertuples():
        sizes = [D, *[row.width] * row.hidden_layers, C]
        expected = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
        assert row.parameters == expected
        assert row.ratio == pytest.approx(10_000 / expected)


def test_without_a_known_teacher_there_is_no_ratio(data):
    table = sweep(grid(width=3), replace(data, teacher_parameters=None), **RUN, **QUIET)
    assert table["ratio"].isna().all()
    assert table["ratio"].dtype == "float64"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_measures_are_those_of_the_logits(table, data, split):
    labels = getattr(data, split).labels.numpy()
    teacher = getattr(data, split).teacher_logits.numpy().argmax(1)
    for _, row in table.iterrows():
        logits = row[f"{split}_logits"]
        assert (logits.dtype, logits.shape) == (np.float32, (SIZES[split], C))
        probabilities = softmax(logits.astype(np.float64), axis=1)
        assert row[f"{split}_accuracy"] == pytest.approx(accuracy_score(labels, logits.argmax(1)), abs=1e-12)
        assert row[f"{split}_nll"] == pytest.approx(log_loss(labels, probabilities, labels=range(C)), rel=1e-5)
        assert row[f"{split}_ece"] == pytest.approx(expected_calibration_error(probabilities, labels), abs=1e-6)
        assert row[f"{split}_agreement"] == pytest.approx((logits.argmax(1) == teacher).mean(), abs=1e-12)


def test_every_row_is_the_student_that_distill_trains_alone(table, data):
    assert table["validation_accuracy"].nunique() > 5  # the rows differ, so a mix-up would show
    for row in table.itertuples():
        settings = {name: getattr(row, name) for name in ("temperature", "soft_weight", "lr", "weight_decay")}
        model, history = alone(row, data, **settings)
        for split in ("validation", "test"):
            said = model(getattr(data, split).inputs).detach().numpy()
            np.testing.assert_allclose(getattr(row, f"{split}_logits"), said, rtol=1e-4, atol=1e-5)
        assert row.loss == pytest.approx(history.last["loss"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("data", [bags(), bags(classes=2), blobs()], ids=["ids", "ids of two classes", "linear"])
@pytest.mark.parametrize("how", [{"direction": "reverse"}, {"loss": lambda s, t, y: (s - t).square().mean(1)}])
def test_students_of_ids_and_linear_ones_are_those_that_train_alone(data, how):
    settings = grid(width=6, hidden_layers=[0, 1, 2], lr=[0.03, 0.1], init_seed=[3, 4])
    table = sweep(settings, data, predictions=True, **how, **RUN, **QUIET)
    assert table[["width", "hidden_layers"]].equals(settings[["width", "hidden_layers"]])
    assert table["loss"].nunique() == len(table)
    for row in table.itertuples():
        model, history = alone(row, data, lr=row.lr, **how)
        assert row.loss == pytest.approx(history.last["loss"], rel=1e-4)
        assert row.parameters == sum(parameter.numel() for parameter in model.parameters())
        assert row.ratio == 10_000 / row.parameters
        said = model(data.test.inputs).detach().numpy()
        np.testing.assert_allclose(row.test_logits, said, rtol=1e-3, atol=1e-4)
        labels, probabilities = data.test.labels.numpy(), softmax(row.test_logits.astype(np.float64), axis=1)
        assert row.test_accuracy == pytest.approx(accuracy_score(labels, probabilities.argmax(1)), abs=1e-12)
        assert row.test_nll == pytest.approx(log_loss(labels, probabilities), rel=1e-5)
        assert hasattr(row, "test_auroc") == (len(data.class_names) == 2)
        if len(data.class_names) == 2:
            assert row.test_auroc == pytest.approx(roc_auc_score(labels, probabilities[:, 1]), abs=1e-12)


def test_which_examples_a_student_gets_right_is_what_its_logits_say(data):
    settings = grid(width=[5, 9], soft_weight=[0, 1], lr=[0.01, 1e30])
    logits = sweep(settings, data, predictions=True, **RUN, **QUIET)
    table = sweep(settings, data, predictions="right", **RUN, **QUIET)
    pd.testing.assert_frame_equal(
        table.drop(columns=["seconds", "test_right"]),
        logits.drop(columns=["seconds", "validation_logits", "test_logits"]),
    )
    assert table["diverged_at"].isna().sum() == 4
    for k, row in table.iterrows():
        right = row["test_right"]
        assert (right.dtype, right.shape) == (np.bool_, (SIZES["test"],))
        if pd.isna(row["diverged_at"]):
            assert np.array_equal(right, logits.loc[k, "test_logits"].argmax(1) == data.test.labels.numpy())
            assert 0 < right.mean() < 1
        else:
            assert not right.any()


def squares(student_logits, teacher_logits, labels):
    hard = F.cross_entropy(student_logits, labels, reduction="none")
    return (student_logits - teacher_logits).square().mean(1) + hard


@pytest.mark.parametrize("how", [{"direction": "reverse"}, {"loss": squares}, {"schedule": cosine}])
def test_how_it_is_trained_reaches_every_student(data, how):
    table = sweep(grid(width=[5, 9], lr=[0.01, 0.02], init_seed=[0, 1]), data, **how, **RUN, **QUIET)
    for row in table.itertuples():
        _, history = alone(row, data, lr=row.lr, **how)
        assert row.loss == pytest.approx(history.last["loss"], rel=1e-5)


def test_logits_are_left_out_unless_asked_for(data, table):
    plain = sweep(mixed(), data, **RUN, **QUIET)
    pd.testing.assert_frame_equal(
        plain.drop(columns="seconds"), table.drop(columns=["seconds", "validation_logits", "test_logits"])
    )


# ---- not enough numbers, another precision ----


def test_a_student_that_diverges_says_when_and_measures_nothing(data):
    table = sweep(grid(width=5, soft_weight=0, lr=[0.01, 1e30, 0.02]), data, **RUN, **QUIET)
    calm = sweep(grid(width=5, soft_weight=0, lr=[0.01, 0.02]), data, **RUN, **QUIET)
    lost = table.iloc[1]
    with pytest.raises(FloatingPointError, match=f"step {lost['diverged_at']:.0f}:"):
        alone(list(table.itertuples())[1], data, soft_weight=0, lr=1e30)
    assert lost[[*MEASURES, "loss"]].isna().all()
    assert lost["parameters"] == (D + 1) * 5 + 6 * C
    assert table["diverged_at"].isna().tolist() == [True, False, True]
    close(table.iloc[[0, 2]], calm.set_axis([0, 2]))


@pytest.mark.parametrize("batch_size", [300, 150])
def test_weights_too_large_to_say_anything_finite_count_as_diverged(data, batch_size):
    # After the last step every weight is finite, about 1e30, but two layers of them multiply beyond float32.
    settings = {"epochs": 1, "batch_size": batch_size, "schedule": lambda done: float(done >= 1 - batch_size / 300)}
    table = sweep(grid(width=5, lr=[0.01, 1e30]), data, **settings, **QUIET)
    assert table["diverged_at"].tolist() == [pd.NA, 300 // batch_size]
    assert table.iloc[1][[*MEASURES, "loss"]].isna().all()
    assert table.iloc[0][[*MEASURES, "loss"]].notna().all()


def test_bfloat16_measures_about_the_same(data):
    settings = grid(width=16, lr=0.02, init_seed=range(4))
    plain, rough = (sweep(settings, data, epochs=8, batch_size=32, bf16=bf16, **QUIET) for bf16 in (False, True))
    assert (plain["test_accuracy"] > 0.85).all()
    np.testing.assert_allclose(rough["test_accuracy"], plain["test_accuracy"], atol=0.04)
    assert (rough["test_nll"] != plain["test_nll"]).all()


def test_tf32_is_for_cuda_and_leaves_the_cpu_alone(data, before_each_stack):
    seen = []
    before_each_stack(lambda _: seen.append(torch.get_float32_matmul_precision()))
    sweep(grid(width=5), data, tf32=True, **RUN, **QUIET)
    assert seen == [torch.get_float32_matmul_precision()] == ["highest"]


def test_a_teacher_on_the_tape_or_in_double_precision_is_taken_as_it_is(data, table):
    train = data.train
    logits = train.teacher_logits.double().requires_grad_()
    other = replace(data, train=Split(train.labels.int(), logits, inputs=train.inputs))
    close(sweep(mixed(), other, predictions=True, **RUN, **QUIET), table)


# ---- what can be seen of it ----


@pytest.fixture
def bars(monkeypatch):
    """The progress bars that a sweep makes."""
    made = []

    class Recorded(tqdm):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr("kdcourse.sweep.run.tqdm", Recorded)
    return made


@pytest.mark.parametrize("chunk", [64, 3])
def test_one_progress_bar_counts_every_epoch_of_every_student(data, bars, chunk, capsys):
    sweep(mixed(), data, chunk=chunk, **RUN, **{**QUIET, "progress": True})
    (bar,) = bars
    assert (bar.n, bar.total) == (60, 60)
    assert bar.disable  # what tqdm sets when a bar is closed
    output = capsys.readouterr()
    assert "20 students" in output.err
    assert output.out == ""


def test_the_progress_bar_is_closed_by_an_error(data, bars, monkeypatch):
    monkeypatch.setattr(chunk, "distill_stack", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sweep(mixed(), data, **RUN, **{**QUIET, "progress": True})
    assert [bar.disable for bar in bars] == [True]


def test_a_quiet_sweep_prints_nothing(data, capsys):
    sweep(grid(width=5), data, **RUN, **QUIET)
    assert capsys.readouterr() == ("", "")


# ---- CUDA ----


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [{}, {"tf32": True}, {"bf16": True}], ids=["float32", "tf32", "bf16"])
def test_a_gpu_gives_the_same_table(data, table, precision):
    # 3 epochs of 4 full batches and a small one; tf32 keeps 10 bits of each factor, bfloat16 keeps 7.
    before = torch.get_float32_matmul_precision()
    found = sweep(mixed(), data, predictions=True, **RUN, **{**QUIET, "device": "cuda"}, **precision)
    assert torch.get_float32_matmul_precision() == before
    assert found["diverged_at"].isna().all()
    limit = 0.05 if precision else 2e-4
    for split in ("validation", "test"):
        logits, expected = (np.stack(t[f"{split}_logits"]) for t in (found, table))
        assert np.linalg.norm(logits - expected) <= limit * np.linalg.norm(expected)
        accuracy = found[f"{split}_accuracy"], table[f"{split}_accuracy"]
        np.testing.assert_allclose(*accuracy, atol=0.05 if precision else 0.005)
    assert math.isfinite(found["loss"].sum())


@pytest.mark.gpu
def test_a_gpu_says_which_student_diverged(data):
    settings = grid(width=5, soft_weight=0, lr=[0.01, 1e30, 0.02])
    expected, found = (sweep(settings, data, **RUN, **{**QUIET, "device": device}) for device in ("cpu", "cuda"))
    assert found["diverged_at"].equals(expected["diverged_at"])
    assert found.iloc[1][[*MEASURES, "loss"]].isna().all()
