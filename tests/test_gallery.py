"""The gallery: every run looks plausible and comes again as it was, and its symptoms are those of no other bug."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdcourse import check, gallery
from kdcourse.data import load
from kdcourse.models import mlp

T = gallery.TEMPERATURE


@pytest.fixture(scope="module")
def garments():
    return load("fashion-mnist")


@pytest.fixture(scope="module")
def teacher(garments):
    return gallery.fit_teacher(garments, examples=3_000)


@pytest.fixture(scope="module")
def found(garments, teacher):
    return gallery.eight_runs(garments, teacher, epochs=3)


@pytest.fixture(scope="module")
def models(garments):
    """Student, teacher and pictures, for terms that are computed by hand."""
    return mlp([784, 10], seed=1), mlp([784, 10], seed=2), 3 * garments.train[:6].inputs


# ---- the runs ----


def test_there_are_eight_bugs_each_in_one_run():
    assert sorted(gallery.BUG_OF.values()) == sorted(gallery.NAMES) == sorted(gallery.TERMS)
    assert len(gallery.NAMES) == 8


@pytest.mark.slow
def test_every_curve_looks_plausible(found):
    for run, table in found[0].items():
        assert table["loss"].iloc[-1] < table["loss"].iloc[0], run
        assert (table["scaled"].iloc[0], table["scaled"].min()) == (1, 0), run
        assert table["accuracy"].iloc[-1] > 0.3, run  # guessing is 0.1
        assert table["accuracy"].iloc[-1] > table["accuracy"].iloc[0], run
        assert np.isfinite(table.to_numpy()).all(), run


def test_a_run_comes_again_as_it_was_and_leaves_teacher_and_generator_alone(garments, teacher, found):
    before, state = copy.deepcopy(teacher.state_dict()), torch.random.get_rng_state()
    for run in "BG":  # one draws, one moves its teacher
        again = gallery.run(gallery.TERMS[gallery.BUG_OF[run]], teacher, garments, epochs=3)
        pd.testing.assert_frame_equal(again, found[0][run])
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())


# ---- what tells them apart ----


def symptoms(row, table):
    """What a reader sees of a run, as yes or no."""
    probes = {name: abs(row[name]) > 0.01 for name in ("again", "alone", "shift")}
    return {
        **probes,
        "copy": int(np.sign(row["copy"].round(2))),
        "soft": "0" if row["soft at last"] == 0 else "low" if 0 < row["soft at first"] < 3 else "as it may",
        "unsure": bool(table["confidence"].iloc[-1] < 0.5),
    }


def test_symptoms_differ_from_bug_to_bug_and_are_those_that_the_check_names(found):
    tables, rows = found
    seen = {gallery.BUG_OF.get(run, run): symptoms(rows.loc[run], table) for run, table in tables.items()}
    sound = {"again": False, "alone": False, "shift": False, "copy": 0, "soft": "as it may", "unsure": False}
    differ = {bug: {name: value for name, value in of.items() if value != sound[name]} for bug, of in seen.items()}
    assert differ == {
        "log missing": {"copy": -1},
        "teacher in train mode": {"copy": 1, "again": True},
        "cache misaligned": {"copy": 1, "unsure": True},
        "wrong axis": {"copy": 1, "alone": True},
        "teacher on both sides": {"soft": "0"},
        "softmax twice": {"copy": 1},
        "gradient into the teacher": {"soft": "low"},
        "raw logits": {"shift": True, "unsure": True},
        "right": {},
    }


@pytest.mark.parametrize("name", ["teacher on both sides", "gradient into the teacher", "right"])
def test_two_more_probes_see_what_the_four_do_not(models, name):
    student, teacher, pictures = models
    found = gallery.probe(gallery.TERMS.get(name, gallery.right_term), student, teacher, pictures)
    assert all(abs(found[probe]) < 1e-4 for probe in ("copy", "again", "alone", "shift"))
    p, q = ((model(pictures).detach() / T).softmax(1) for model in (teacher, student))
    at_logits = T * (q - p) / len(pictures)  # of T² · KL(p ‖ q), the mean over the pictures
    to_student = (torch.cat([pictures, torch.ones(6, 1)], 1).T @ at_logits).norm().item()
    assert found["to student"] == pytest.approx(0 if name == "teacher on both sides" else to_student, rel=1e-4)
    assert (found["to teacher"] > 0.1) == (name == "gradient into the teacher")
    assert found["off"] == pytest.approx(float(name == "teacher on both sides"), abs=1e-4)
    assert all(parameter.grad is None for model in (student, teacher) for parameter in model.parameters())


@pytest.mark.parametrize(
    ("fault", "off"),
    [
        (lambda s, t, T: T**2 * F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="batchmean"), 0.0),
        (lambda s, t, T: F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="batchmean"), 1 - 1 / T**2),
        (lambda s, t, T: -(T**2) * F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="batchmean"), 2.0),
        (lambda s, t, T: T**2 * F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="sum") / s.numel(), 0.9),
        (lambda s, t, T: F.kl_div(s.log_softmax(1), t.softmax(1), reduction="batchmean"), None),
        (lambda s, t, T: T**2 * F.kl_div((t / T).log_softmax(1), (s / T).softmax(1), reduction="batchmean"), None),
        (lambda s, t, T: T**2 * _of_shares((s / T).softmax(1), (t / T).softmax(1)), None),
    ],
    ids=["right", "no T²", "sign", "mean over classes", "no T", "reversed", "softmax twice on both sides"],
)
def test_a_fault_that_the_other_probes_do_not_see_turns_or_shrinks_the_gradient(models, fault, off):
    student, teacher, pictures = models

    def term(student, teacher, pictures, temperature):
        return fault(student(pictures), teacher(pictures).detach(), temperature)

    found = gallery.probe(term, student, teacher, pictures)
    assert all(abs(found[probe]) < 1e-4 for probe in ("copy", "again", "alone", "shift", "to teacher"))
    assert found["off"] > 0.1 if off is None else found["off"] == pytest.approx(off, abs=1e-4)


def _of_shares(student, teacher):
    return F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")


def test_a_student_with_dropout_and_a_cache_are_probed_as_they_are(models):
    student, teacher, pictures = models
    noisy = nn.Sequential(nn.Dropout(0.5), student).train()
    sound = gallery.probe(gallery.right_term, noisy, teacher, pictures, temperature=2.0)
    assert max(abs(sound[probe]) for probe in ("copy", "again", "alone", "shift", "to teacher")) < 1e-4
    assert noisy.training
    stored = gallery.Misaligned(teacher, pictures)
    slipped = gallery.probe(gallery.right_term, student, teacher, pictures, asked=stored)
    assert slipped["copy"] > 0.1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"inputs": torch.zeros(1, 784)},
            ValueError,
            r"inputs must have the shape \[B, ...\] with B >= 2, got \[1, 78",
        ),
        ({"inputs": [[0.0]]}, TypeError, "inputs must be a Tensor, got list"),
        ({"temperature": 0}, ValueError, "temperature must be"),
        ({"student": len}, TypeError, "student must be an nn.Module, got builtin_function"),
        ({"term": lambda *_: 1.0}, TypeError, r"term must return one number, a Tensor of shape \[\], got float"),
        ({"term": lambda *_: torch.ones(6)}, TypeError, r"term must return one number, .* got shape \[6\]"),
    ],
)
def test_what_cannot_be_probed_is_refused(models, changes, error, message):
    student, teacher, pictures = models
    sound = {"term": gallery.right_term, "student": student, "teacher": teacher, "inputs": pictures}
    with pytest.raises(error, match=message):
        gallery.probe(**sound | changes)


# ---- the terms, by hand ----


def by_hand(student_logits, teacher_logits):
    """{name: term}, one example and one class at a time; `None` is the right one."""
    s, t = (logits.detach().double().numpy() / T for logits in (student_logits, teacher_logits))

    def softmax(row):
        return np.exp(row) / np.exp(row).sum()

    def mean(value):
        return T**2 * np.mean([sum(value(b, c) for c in range(s.shape[1])) for b in range(len(s))])

    p, q = (np.array([softmax(row) for row in table]) for table in (t, s))
    twice, over = np.array([softmax(row) for row in q]), np.array([softmax(column) for column in s.T]).T
    clip = [np.minimum(np.maximum(table, 1e-7), 1) for table in (t, s)]
    right = mean(lambda b, c: p[b, c] * np.log(p[b, c] / q[b, c]))
    return {
        None: right,
        "gradient into the teacher": right,
        "teacher on both sides": 0,
        "raw logits": mean(lambda b, c: clip[0][b, c] * np.log(clip[0][b, c] / clip[1][b, c])),
        "log missing": mean(lambda b, c: p[b, c] * (np.log(p[b, c]) - q[b, c])),
        "softmax twice": mean(lambda b, c: p[b, c] * np.log(p[b, c] / twice[b, c])),
        "wrong axis": mean(lambda b, c: p[b, c] * np.log(p[b, c] / over[b, c])),
    }


def test_every_term_is_the_bug_that_it_is_called(models):
    student, teacher, pictures = models
    for name, value in by_hand(student(pictures), teacher(pictures)).items():
        term = gallery.TERMS.get(name, gallery.right_term)(student, teacher, pictures, T)
        assert term.item() == pytest.approx(value, rel=1e-4, abs=1e-5), name


def test_in_train_mode_the_teachers_dropout_is_on(models):
    student, _, pictures = models
    teacher = nn.Sequential(nn.Dropout(0.5), nn.Linear(784, 10))
    torch.manual_seed(3)
    dropped = F.dropout(pictures, 0.5)
    torch.manual_seed(3)
    term = gallery.TERMS["teacher in train mode"](student, teacher.eval(), pictures, T)
    assert term.item() == pytest.approx(by_hand(student(pictures), teacher[1](dropped))[None], rel=1e-4)


def test_a_misaligned_cache_has_every_answer_once_and_few_in_their_place():
    pictures = torch.arange(100.0)[:, None]
    stored = gallery.Misaligned(nn.Identity(), pictures)
    epoch = torch.cat([stored(batch) for batch in pictures.split(30)])
    assert sorted(epoch.flatten().tolist()) == pictures.flatten().tolist()
    assert (epoch == pictures).sum() < 10
    assert torch.equal(torch.cat([stored(batch) for batch in pictures.split(30)]), epoch)


# ---- what is mended trains ----


def test_the_mended_term_follows_the_teacher_more_closely_than_the_one_with_four_faults(garments, teacher):
    (faults,) = [name for name in check.mended_term.bugs if name.count(" and ") == 3]
    terms = {"as found": check.mended_term.bugs[faults].functions[0], "mended": check.mended_term.reference}
    last = {name: gallery.run(term, teacher, garments, epochs=3).iloc[-1] for name, term in terms.items()}
    assert last["as found"]["accuracy"] > 0.7  # it looks well
    assert last["mended"]["agreement"] > last["as found"]["agreement"]
    student, pictures = mlp([784, 32, 10], seed=0), garments.train[:50].inputs
    probes = {name: gallery.probe(term, student, teacher, pictures) for name, term in terms.items()}
    assert probes["mended"].pop("to student") > 0.1
    assert max(map(abs, probes["mended"].values())) < 1e-4
    assert min(abs(probes["as found"][name]) for name in ("copy", "again", "alone", "to teacher")) > 0.1


def test_epochs_are_checked(garments, teacher):
    with pytest.raises(ValueError, match="epochs must be an integer >= 1"):
        gallery.run(gallery.right_term, teacher, garments, epochs=0)
