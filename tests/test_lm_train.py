"""Training on sequences: batches, the optimiser, stopping and going on, teachers, a student's own words, the count."""

import contextlib
import itertools
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kdcourse._examples import borrowed
from kdcourse.data.cmudict import PAD, encode
from kdcourse.lm import (
    Transformer,
    bucketed,
    fit,
    forward_flops,
    greedy,
    on_policy,
    padding_share,
    sample,
    sampled_reverse_loss,
    teacher_logits,
    token_losses,
    trimmed,
    warm_cosine,
)
from kdcourse.lm.muon import Muon, orthogonalised
from kdcourse.losses import blended

QUIET = {"device": "cpu", "progress": False}
SAID = {"cat": "K AE T", "at": "AE T", "sad": "S AE D", "a": "AH", "dads": "D AE D Z", "task": "T AE S K", "as": "AE Z"}
LETTERS = encode(SAID, 6)
PHONEMES = encode([[*said.split(), "<end>"] for said in SAID.values()], 7)


def model(seed=0, **options):
    return Transformer(69, **{"width": 16, "layers": 2, "heads": 2} | options, seed=seed)


def same(one, other):
    return all(torch.equal(mine, its) for mine, its in zip(one.parameters(), other.parameters(), strict=True))


def random_words(count=3000):
    draws = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 21, (2, count), generator=draws)
    rows = torch.randint(3, 69, (2, count, 20), generator=draws)
    return rows.masked_fill(torch.arange(20) >= lengths[:, :, None], PAD)


# ---- batches ----


def test_every_row_is_in_one_batch_and_little_of_a_batch_is_padding():
    letters, phonemes = random_words()
    batches = bucketed(letters, phonemes, 10, torch.Generator().manual_seed(0))
    assert sorted(row for rows in batches for row in rows.tolist()) == list(range(3000))
    assert {len(rows) for rows in batches} == {10}
    other = bucketed(letters, phonemes, 10, torch.Generator().manual_seed(1))
    assert {frozenset(rows.tolist()) for rows in batches} != {frozenset(rows.tolist()) for rows in other}
    at_random = torch.randperm(3000, generator=torch.Generator().manual_seed(0)).split(10)
    shares = []
    for kind in (batches, at_random):
        cells = real = 0
        for rows, part in itertools.product(kind, (letters, phonemes)):
            lengths = [sum(token != 0 for token in row) for row in part[rows].tolist()]
            cells, real = cells + len(rows) * max(lengths), real + sum(lengths)
        shares.append(1 - real / cells)
        assert padding_share(letters, phonemes, list(kind)) == pytest.approx(shares[-1])
    assert shares[0] < 0.1 < 0.4 < shares[1]


def test_columns_of_padding_alone_are_trimmed():
    assert trimmed(torch.tensor([[3, 0, 0, 0], [3, 4, 0, 0]])).tolist() == [[3, 0], [3, 4]]
    assert trimmed(torch.zeros(2, 3, dtype=torch.long)).shape == (2, 1)


def test_the_schedule_rises_and_falls():
    values = [warm_cosine(k / 100, 0.2) for k in range(101)]
    assert max(values) == values[20] == 1
    assert all(a < b for a, b in itertools.pairwise(values[:21]))
    assert all(a > b for a, b in itertools.pairwise(values[20:]))
    assert values[-1] == pytest.approx(0)
    assert warm_cosine(0.0, 0.0) == 1


# ---- the optimiser ----


@pytest.mark.parametrize("shape", [(8, 8), (8, 30), (30, 8)])
def test_an_orthogonalised_matrix_keeps_its_directions_and_has_singular_values_about_one(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    values = u.T @ orthogonalised(matrix) @ v.T
    assert (values.diag() > 0.6).all()
    assert (values.diag() < 1.3).all()
    torch.testing.assert_close(values, values.diag().diag(), rtol=0, atol=1e-4)


def test_what_is_no_matrix_of_a_block_is_trained_as_adam_trains_it():
    mine, torchs = model(), model()
    outside = [(n, p) for n, p in mine.named_parameters() if not (n.startswith("blocks.") and p.ndim == 2)]
    theirs = [p for n, p in torchs.named_parameters() if not (n.startswith("blocks.") and p.ndim == 2)]
    pair = Muon(outside, lr=0.01), torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.98))
    for _ in range(4):
        for lm, optimizer in zip((mine, torchs), pair, strict=True):
            lm.zero_grad()
            values, mask = token_losses(lm, LETTERS, PHONEMES, blended(soft_weight=0))
            (values.sum() / mask.sum()).backward()
            optimizer.step()
    for one, other in zip(mine.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_step_of_a_matrix_has_the_size_of_adams_and_queries_keys_and_values_are_apart():
    lm = model(width=32)
    before = {name: parameter.detach().clone() for name, parameter in lm.named_parameters()}
    draws = torch.Generator().manual_seed(0)
    for parameter in lm.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=draws)
    Muon(lm.named_parameters(), lr=0.01).step()
    for name, parameter in lm.named_parameters():
        step = (before[name] - parameter.detach()) / 0.01
        if name.startswith("blocks.") and parameter.ndim == 2:
            apart = (lambda m: m.split(32)) if name.endswith("qkv.weight") else (lambda m: [m])
            for part, gradient in zip(apart(step), apart(parameter.grad), strict=True):
                assert 0.12 < part.square().mean().sqrt() < 0.25
                values = torch.linalg.svdvals(part)
                assert values.max() < 2.2 * values.min()
                u, _, v = torch.linalg.svd(gradient, full_matrices=False)
                assert torch.cosine_similarity(part.flatten(), (u @ v).flatten(), dim=0) > 0.97


# ---- fit ----


def test_a_model_learns_the_words_and_says_them():
    lm = model()
    history = fit(lm, LETTERS, PHONEMES, epochs=80, lr=0.02, **QUIET)
    assert history.last["loss"] < 0.05
    assert torch.equal(greedy(lm, LETTERS, longest=7), PHONEMES)


def test_the_loss_of_an_epoch_is_the_mean_over_tokens():
    lm, given = model(), model()
    history = fit(lm, LETTERS, PHONEMES, epochs=1, batch_size=7, warmup=0.0, lr=1e-9, **QUIET)
    total = count = 0
    for letters, phonemes in zip(LETTERS, PHONEMES, strict=True):
        real = phonemes[phonemes != PAD]
        before = torch.tensor([[1, *real[:-1].tolist()]])
        scores = given(letters[letters != PAD][None], before).log_softmax(1)[0]
        total -= sum(scores[token, place].item() for place, token in enumerate(real.tolist()))
        count += len(real)
    assert history.last["loss"] == pytest.approx(total / count, rel=1e-5)


def test_a_run_that_was_stopped_ends_like_one_that_was_not(tmp_path):
    settings = {"lr": 0.01, "batch_size": 3, "epochs": 4, **QUIET}
    whole, stopped, resumed = (model(dropout=0.2) for _ in range(3))
    history = fit(whole, LETTERS, PHONEMES, **settings)
    calls = itertools.count()

    def interrupt():
        if next(calls) == 2:
            raise KeyboardInterrupt
        return {"call": 1}

    kept = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, LETTERS, PHONEMES, checkpoint=kept, validate=interrupt, **settings)
    again = fit(resumed, LETTERS, PHONEMES, checkpoint=kept, **settings)
    assert same(whole, resumed)
    assert [row["loss"] for row in again.rows] == [row["loss"] for row in history.rows]
    assert [row.get("call") for row in again.rows] == [1, 1, None, None]
    assert not same(whole, model(dropout=0.2))


def test_a_checkpoint_of_more_epochs_is_given_back_as_it_is(tmp_path):
    kept, trained, resumed = tmp_path / "run.safetensors", model(), model()
    rows = fit(trained, LETTERS, PHONEMES, epochs=3, checkpoint=kept, **QUIET).rows
    before = kept.read_bytes()
    for epochs in (3, 2, 1):
        assert fit(resumed, LETTERS, PHONEMES, epochs=epochs, checkpoint=kept, **QUIET).rows == rows
        assert same(trained, resumed)
    assert kept.read_bytes() == before


def test_a_run_goes_on_once_the_model_is_on_the_device(tmp_path, monkeypatch):
    module, seen = sys.modules[fit.__module__], []

    @contextlib.contextmanager
    def borrowing(*arguments, **options):
        with borrowed(*arguments, **options):
            seen.append("moved")
            yield
        seen.append("moved back")

    def resume(*arguments):
        seen.append("resumed")
        return inner(*arguments)

    inner = module._resume
    kept = tmp_path / "run.safetensors"
    fit(model(), LETTERS, PHONEMES, epochs=1, checkpoint=kept, **QUIET)
    monkeypatch.setattr(module, "borrowed", borrowing)
    monkeypatch.setattr(module, "_resume", resume)
    fit(model(), LETTERS, PHONEMES, epochs=2, checkpoint=kept, **QUIET)
    assert seen == ["moved", "resumed", "moved back"]


def test_a_student_learns_from_a_teachers_distributions_and_the_teacher_stays_as_it_is():
    teacher, before, student = model(seed=1), model(seed=1), model(dropout=0.1)
    fit(teacher, LETTERS, PHONEMES, epochs=60, lr=0.02, **QUIET)
    fit(before, LETTERS, PHONEMES, epochs=60, lr=0.02, **QUIET)
    rows = fit(student, LETTERS, PHONEMES, epochs=80, lr=0.02, teacher=teacher.train(), **QUIET).rows
    assert rows[-1]["loss"] < 0.1 * rows[0]["loss"]
    assert same(teacher, before)
    assert teacher.training


@pytest.mark.slow
def test_on_policy_a_student_learns_from_its_own_words_with_the_exact_and_with_the_sampled_loss():
    teacher, warm = model(seed=1), model()
    fit(teacher, LETTERS, PHONEMES, epochs=80, lr=0.02, **QUIET)
    fit(warm, LETTERS, PHONEMES, epochs=6, lr=0.02, **QUIET)

    def gap(student):
        """KL(student ‖ teacher) of whole sequences, from samples."""
        own = sample(student, LETTERS, 40, seed=9).flatten(0, 1)
        values, _ = token_losses(
            student, LETTERS.repeat_interleave(40, 0), own, blended(direction="reverse"), teacher.eval()
        )
        return values.sum().item() / len(own)

    for loss, epochs in ((blended(direction="reverse"), 40), (sampled_reverse_loss, 80)):
        student = model()
        student.load_state_dict(warm.state_dict())
        settings = {"epochs": epochs, "lr": 0.01, "loss": loss, "rewrite": on_policy(student), "teacher": teacher}
        fit(student, LETTERS, PHONEMES, **settings, **QUIET)
        assert gap(student) < 0.3 * gap(warm)


@pytest.mark.slow
def test_a_share_of_the_batches_is_rewritten_by_the_student_as_it_is():
    student = model()
    for share, low, high in ((0.0, 0, 0), (0.5, 10, 30), (1.0, 40, 40)):
        rewrite = on_policy(student, share)
        made = [rewrite(LETTERS, PHONEMES) for _ in range(40)]
        assert low <= sum(one is not PHONEMES for one in made) <= high
    assert len({tuple(one.flatten().tolist()) for one in made}) > 30
    fit(student, LETTERS, PHONEMES, epochs=80, lr=0.02, **QUIET)
    assert torch.equal(rewrite(LETTERS, PHONEMES), trimmed(PHONEMES))  # the student as it is now


# ---- what it costs ----


@pytest.mark.parametrize("shape", [(3, 6, 7), (1, 2, 9)])
def test_operations_are_those_that_torch_counts(shape):
    batch, read, written = shape
    lm = model().eval()
    letters, before = torch.full((batch, read), 5), torch.full((batch, written), 40)
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        lm(letters, before)
    assert forward_flops(lm, letters, before) == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        cache = lm.read(letters).rows(torch.arange(batch).repeat_interleave(4))
        lm.write(cache, before.repeat_interleave(4, 0))
    assert forward_flops(lm, letters, before, count=4) == counter.get_total_flops()


def test_the_history_counts_student_teacher_and_what_the_student_wrote():
    teacher, student = model(width=32), model()
    alone = fit(model(), LETTERS, PHONEMES, epochs=1, **QUIET).last["flops"]
    taught = fit(model(), LETTERS, PHONEMES, epochs=1, teacher=teacher, **QUIET).last["flops"]
    assert alone == 3 * forward_flops(student, trimmed(LETTERS), trimmed(PHONEMES))
    assert taught == alone + forward_flops(teacher, trimmed(LETTERS), trimmed(PHONEMES))
    lengths = []

    def rewrite(letters, phonemes):
        made = on_policy(student)(letters, phonemes)
        lengths.append(made.shape[1])
        return made

    own = fit(student, LETTERS, PHONEMES, epochs=1, rewrite=rewrite, **QUIET).last["flops"]
    assert own == 4 * forward_flops(student, trimmed(LETTERS), torch.zeros(1, lengths[0]))


def test_a_budget_of_operations_ends_training_with_the_step_that_reaches_it_and_the_schedule_with_it():
    step = fit(model(), LETTERS, PHONEMES, epochs=1, **QUIET).last["flops"]  # all words are one batch
    rows = fit(model(), LETTERS, PHONEMES, flops=3.5 * step, lr=1.0, warmup=0.0, **QUIET).rows
    assert [row["flops"] for row in rows] == [step] * 4
    expected = [warm_cosine(k / 3.5, 0.0) for k in range(4)]
    assert [row["learning_rate"] for row in rows] == pytest.approx(expected)


def test_stored_logits_teach_as_the_teacher_itself_and_cost_nothing_more():
    teacher, asked, told = model(seed=1), model(), model()
    for parameter in teacher.parameters():
        parameter.data = parameter.data.half().float() * 3
    said = teacher_logits(teacher, LETTERS, PHONEMES)
    settings = {"epochs": 3, "batch_size": 3, **QUIET}
    live = fit(asked, LETTERS, PHONEMES, teacher=teacher, **settings)
    stored = fit(told, LETTERS, PHONEMES, teacher=said, **settings)
    assert stored.last["loss"] == pytest.approx(live.last["loss"], rel=1e-3)
    alone = fit(model(), LETTERS, PHONEMES, **settings)
    assert stored.last["flops"] == alone.last["flops"] < live.last["flops"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets": PHONEMES[:3]}, ValueError, "targets must have one row per prefix, got 3 for 7"),
        ({"prefixes": LETTERS.float()}, TypeError, "prefixes must be an int32 or int64 tensor"),
        ({"targets": PHONEMES + 60}, ValueError, r"targets must be in \[0, 69\), got"),
        ({"flops": 1e9}, ValueError, "one of epochs and flops must be given, got epochs=1 and flops=1000000000.0"),
        ({"epochs": None}, ValueError, "one of epochs and flops must be given, got epochs=None and flops=None"),
        ({"epochs": None, "flops": 0}, ValueError, "flops must be > 0, got 0"),
        ({"teacher": torch.zeros(3, 69, 7)}, ValueError, "teacher must have one row per target, got 3 for 7"),
        (
            {"teacher": torch.zeros(7, 69, 7), "rewrite": lambda letters, said: said},
            TypeError,
            "teacher must be a Transformer where targets are rewritten, got a Tensor",
        ),
        ({"epochs": 0}, ValueError, "epochs must be an integer >= 1, got 0"),
        ({"lr": 1e12, "epochs": 9, "warmup": 0.0}, FloatingPointError, "the loss became nan at epoch"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change, error, message):
    arguments = {"prefixes": LETTERS, "targets": PHONEMES, "epochs": 1} | change
    with pytest.raises(error, match=message):
        fit(model(), **arguments, **QUIET)
