"""An API as a teacher: what it says, what it is asked for, what is made of its answers; against loops of our own."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

from kdcourse.api import Answer, Client, SimulatedAPI, parse, targets, version_changed
from kdcourse.bring import SPLITS, bring, own_task
from kdcourse.data import DataSet, Split
from kdcourse.train import distill

NAMES = ("ham", "spam", "T-shirt/top", "shirt")


def task(n=60, names=NAMES, scale=3.0):
    """n examples in each split, with a teacher's logits."""
    draws = torch.Generator().manual_seed(0)
    parts = []
    for _ in SPLITS:
        logits = scale * torch.randn(n, len(names), generator=draws)
        parts.append(Split(logits.argmax(1), logits, inputs=torch.randn(n, 3, generator=draws)))
    return DataSet("task", *parts, class_names=names, teacher_parameters=7)


# ---- the API ----


def test_an_answer_is_the_teachers_probabilities_to_the_digits_that_are_sent():
    data = task()
    api = SimulatedAPI(data, top=8, noise=0, unclear=0)
    for row, logits in enumerate(data.test.teacher_logits.tolist()):
        text, logprobs, price = api.ask("test", row, call=row)
        powers = [math.exp(value) for value in logits]
        for name, power in zip(NAMES, powers, strict=True):
            listed = [math.exp(p) for token, p in logprobs.items() if token.lower() == name.lower()]
            assert sum(listed) == pytest.approx(power / sum(powers), rel=1e-3)
        assert parse(text, NAMES) == powers.index(max(powers))
        assert price == 0.001


def test_only_the_likeliest_tokens_are_listed_and_none_without_log_probabilities():
    data = task()
    everything = SimulatedAPI(data, top=8).ask("train", 0, 0).logprobs
    some = SimulatedAPI(data, top=3).ask("train", 0, 0).logprobs
    assert list(some.items()) == sorted(everything.items(), key=lambda one: -one[1])[:3]
    assert SimulatedAPI(data, top=0).ask("train", 0, 0).logprobs == {}


def test_the_same_call_has_the_same_answer_and_another_call_other_noise():
    first, second = SimulatedAPI(task()), SimulatedAPI(task())
    assert first.ask("test", 3, 10) == second.ask("test", 3, 10) != first.ask("test", 3, 11)
    assert first.key == second.key
    others = [SimulatedAPI(task(), seed=1), SimulatedAPI(task(scale=2)), SimulatedAPI(task(), refuses={"ham": 0.1})]
    assert len({first.key, *(other.key for other in others)}) == 4


def test_a_class_whose_name_has_no_letters_keeps_its_whole_probability():
    data = task(names=("0", "1", "2", "b"))
    api = SimulatedAPI(data, top=5, noise=0, unclear=0)
    for row, logits in enumerate(data.test.teacher_logits.tolist()):
        total = sum(math.exp(value) for value in logits)
        logprobs = api.ask("test", row, call=row).logprobs
        assert logprobs.keys() == {"0", "1", "2", "b", "B"}
        for name, value in zip("012", logits[:3], strict=True):
            assert math.exp(logprobs[name]) == pytest.approx(math.exp(value) / total, rel=1e-3)
        assert math.exp(logprobs["b"]) == pytest.approx(0.9 * math.exp(logits[3]) / total, rel=1e-3)


def test_noise_has_the_deviation_that_was_asked_for():
    api = SimulatedAPI(task(), top=8, noise=0.5, unclear=0)
    odds = []
    for call in range(2000):
        logprobs = api.ask("test", 0, call).logprobs
        odds.append(logprobs["ham"] - logprobs["spam"])
    assert np.std(odds) == pytest.approx(0.5 * math.sqrt(2), rel=0.06)


def test_refusals_hit_one_class_in_its_share_and_the_same_examples_at_every_call():
    data = task(2000, ("a", "b"))
    api = SimulatedAPI(data, refuses={"b": 0.3}, noise=0, unclear=0)
    first, again = ([not api.ask("train", row, call).logprobs for row in range(2000)] for call in (0, 9))
    assert first == again
    refused, chosen = np.array(first), data.train.teacher_logits.argmax(1).numpy()
    assert not refused[chosen == 0].any()
    assert refused[chosen == 1].mean() == pytest.approx(0.3, abs=0.05)


def test_the_new_version_moves_the_last_class_alone_and_begins_at_its_call():
    api = SimulatedAPI(task(), top=8, noise=0, drift=2.0, changes_at=5)
    old, new = (api.ask("test", 0, call).logprobs for call in (4, 5))
    assert new["shirt"] - new["ham"] - old["shirt"] + old["ham"] == pytest.approx(2, abs=1e-3)
    assert new["spam"] - new["ham"] == pytest.approx(old["spam"] - old["ham"], abs=1e-3)


# ---- reading answers ----


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I would say SPAM.", 1),
        ("spam", 1),
        ("a T-shirt/top, clearly", 2),
        ("Shirt!", 3),
        ("spam or ham", None),
        ("T-shirt", None),
        ("hamster", None),
        ("I cannot help with that.", None),
        ("ham, ham and ham", 0),
    ],
)
def test_a_text_names_one_class_or_none(text, wanted):
    assert parse(text, NAMES) == wanted


def naive_targets(logprobs, rest):
    """Probabilities of NAMES by hand, from tokens."""
    known = {}
    for token, value in logprobs.items():
        for name in NAMES:
            if token.strip().lower() == name.lower():
                known[name] = known.get(name, 0) + math.exp(value)
    left = 1 - sum(known.values())
    missing = [name for name in NAMES if name not in known]
    if rest == "spread" and missing:
        known |= {name: left / len(missing) for name in missing}
    return [known.get(name, 0) / sum(known.values()) for name in NAMES]


@pytest.mark.parametrize("rest", ["spread", "dropped"])
def test_targets_are_those_of_a_plain_loop_and_finite_in_float32(rest):
    logprobs = [
        {"spam": -0.2, " SPAM": -2.5, "ham": -3.0},
        {"spam": math.log(0.5), "the": math.log(0.3), "Shirt": math.log(0.1)},
        {"ham": -1e-6},
        {name: math.log(0.25) for name in NAMES},
    ]
    logits, kept = targets([Answer("spam", one, 0.1) for one in logprobs], NAMES, rest=rest)
    assert kept.all()
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    for temperature in (1.0, 50.0):
        assert logits.div(temperature).log_softmax(1).isfinite().all()
    expected = [naive_targets(one, rest) for one in logprobs]
    assert torch.allclose(logits.exp(), torch.tensor(expected), atol=1e-5)


def test_text_alone_is_certain_and_what_is_no_answer_is_set_aside():
    texts = ["spam", "I cannot help with that.", "ham or spam"]
    logits, kept = targets([Answer(text, {}, 0.1) for text in texts], NAMES)
    assert kept.tolist() == [True, False, False]
    assert logits.softmax(1)[0].tolist() == [0, 1, 0, 0]
    assert targets([Answer("spam", {"the": -0.1}, 0.1)], NAMES)[1].tolist() == [False]
    with pytest.raises(ValueError, match="rest must be one of"):
        targets([], NAMES, rest="kept")


def test_the_p_value_of_the_canaries_is_uniform_at_most_without_a_change_and_small_with_one():
    draws = np.random.default_rng(0)
    same, other = [], []
    for _ in range(400):
        truth = draws.standard_normal((25, 2))
        first, second, later = truth + 0.3 * draws.standard_normal((3, 25, 2))
        same.append(version_changed(first, second, later))
        other.append(version_changed(first, second, later + [0, 1.5]))
    assert stats.kstest(same, "uniform", alternative="greater").pvalue > 0.001
    assert np.mean(np.array(other) < 1e-4) > 0.9
    assert version_changed(first, first, first) == 1
    with pytest.raises(ValueError, match="later must have the shape"):
        version_changed(first, second, later[:3])


# ---- the client ----


def test_nothing_is_paid_twice_not_even_by_another_process_and_a_torn_line_is_asked_again(tmp_path):
    path, api = tmp_path / "answers.jsonl", SimulatedAPI(task())
    client = Client(api, path)
    once = client("train", [3, 1, 3])
    assert client("train", [1, 3]) == once[1::-1] == [once[1], once[0]]
    assert len(path.read_text().splitlines()) == 2
    again = Client(api, path)
    assert again("train", [3, 1]) == once[:2]
    assert len(again.answers) == 2
    again("train", [3], repetition=1)
    assert again.ledger.loc["canaries, again", "calls"] == 1
    whole = path.read_text()
    path.write_text(whole[:-5])
    repaired = Client(api, path)
    assert len(repaired.answers) == 2
    repaired("train", [3], repetition=1)
    assert path.read_text() == whole


def test_an_interrupted_client_ends_with_the_file_of_one_that_was_not(tmp_path):
    api = SimulatedAPI(task(), drift=3.0, changes_at=20)
    Client(api, tmp_path / "one")("train", range(40))
    for stop in (7, 25, 40):
        Client(api, tmp_path / "many")("train", range(stop))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()


def test_the_ledger_counts_what_the_file_holds(tmp_path):
    path = tmp_path / "answers.jsonl"
    client = Client(SimulatedAPI(task(200), refuses={"ham": 0.5}, unclear=0.1, price=0.25), path)
    for split in SPLITS:
        client(split, range(200))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for split in SPLITS:
        mine = [line["answer"]["text"] for line in lines if line["split"] == split]
        row = client.ledger.loc[split]
        assert row["calls"] == len(mine) == 200
        assert row["refused"] == sum("cannot" in text for text in mine) > 0
        assert row["unclear"] == sum(" or " in text for text in mine) > 0
        assert row["paid"] == 50


def brought(tmp_path, **settings):
    """(client, the data set that it teaches) of 300 examples in each split, by checks every 50."""
    data = task(300)
    client = Client(SimulatedAPI(data, refuses={"ham": 0.2}, **settings), tmp_path / "answers")
    return client, data, bring(data, client, check_every=50)


def test_a_change_is_found_at_the_next_check_and_its_answers_are_not_used(tmp_path):
    client, data, taught = brought(tmp_path, drift=4.0, changes_at=600 + 25 + 170)
    assert [check["changed"] for check in client.checks] == [False, False, True]
    kept = [row for row in range(100) if targets(client("train", [row]), NAMES)[1].item()]
    assert len(taught.train) == len(kept) < 100
    assert torch.equal(taught.train.inputs, data.train.inputs[kept])
    assert torch.equal(taught.train.teacher_logits, targets(client("train", kept), NAMES)[0])
    assert client.gaps()[-1] == (
        "The teacher's new version, found after 150 of 300 train examples; 50 answers were thrown away."
    )


@pytest.mark.parametrize(("split", "check_every"), [("test", 50), ("train", 80)])
def test_the_canaries_of_another_split_or_place_are_asked_anew_and_find_the_change(tmp_path, split, check_every):
    data, path = task(300), tmp_path / "answers"
    client = Client(SimulatedAPI(data), path)
    for _ in range(2):
        client.until_changed("train", canaries=range(25), check_every=50)
        assert not any(check["changed"] for check in client.checks)
        assert len(client.answers) == 300 + 8 * 25  # nothing is asked twice for the same split and place
    client("test", range(300))
    later = Client(SimulatedAPI(data, drift=4.0, changes_at=len(client.answers)), path)
    later.until_changed(split, canaries=range(25), check_every=check_every)
    assert [check["changed"] for check in later.checks] == [True]
    new = [key for key in Client(later.api, path).answers if key not in client.answers]
    assert new == [("validation", row, f"{split} {check_every}") for row in range(25)]


@pytest.mark.parametrize(("check_every", "needed", "checks"), [(300, 7, "1 check"), (50, 10, "6 checks")])
def test_canaries_too_few_to_find_a_change_are_refused_before_they_are_asked_again(
    tmp_path, check_every, needed, checks
):
    data = task(300)
    assert 2.0**-needed < 0.01 / math.ceil(300 / check_every) <= 2.0 ** (1 - needed)
    client = Client(SimulatedAPI(data, unclear=0), tmp_path / "answers")
    for count in (0, needed - 1):
        message = f"canaries must be at least {needed} rows .* for {checks}, got {count}"
        with pytest.raises(ValueError, match=message):
            client.until_changed("train", canaries=range(count), check_every=check_every)
        assert len(client.answers) == count
    changed = Client(SimulatedAPI(data, noise=0.01, unclear=0, drift=9.0, changes_at=2 * needed), tmp_path / "changed")
    changed.until_changed("train", canaries=range(needed), check_every=check_every)
    assert changed.checks[0]["changed"]
    silent = Client(SimulatedAPI(data, refuses=dict.fromkeys(NAMES, 1.0)), tmp_path / "silent")
    with pytest.raises(ValueError, match="canaries must be .* with an answer .*, got 0"):
        silent.until_changed("train", canaries=range(25))


def test_an_answer_that_lists_no_class_is_unclear_in_ledger_and_gaps(tmp_path):
    class Wordy:
        key, data = "wordy", task(4)

        def ask(self, split, row, call):
            return Answer("I would say spam.", {"I": -0.1, "It": -2.5} if row else {"spam": -0.1}, 0.1)

    client = Client(Wordy(), tmp_path / "answers")
    assert targets(client("test", range(4)), NAMES)[1].tolist() == [True, False, False, False]
    assert client.ledger.loc["test", ["calls", "refused", "unclear"]].tolist() == [4, 0, 3]
    assert client.gaps()[0].startswith("3 test examples whose answer was unclear: ")


def test_what_the_answers_leave_out_is_said_by_label(tmp_path):
    client = Client(SimulatedAPI(task(200), refuses={"ham": 0.5}, unclear=0.1), tmp_path / "answers")
    assert client.gaps() == []
    texts = [answer.text for answer in client("test", range(200))]
    refused, unclear = client.gaps()
    for said, mark, why in [(refused, "cannot", "refused"), (unclear, " or ", "unclear")]:
        labels = [client.api.data.test.labels[row].item() for row, text in enumerate(texts) if mark in text]
        assert said.startswith(f"{len(labels)} test examples whose answer was {why}: ")
        for label in set(labels):
            assert f"{labels.count(label)} {NAMES[label]}" in said


def test_without_a_change_every_answer_is_used_and_rows_stay_with_their_answers(tmp_path):
    client, data, taught = brought(tmp_path, noise=0.01)
    assert not any(check["changed"] for check in client.checks)
    for name in SPLITS:
        split, before = getattr(taught, name), getattr(data, name)
        place = {tuple(row): k for k, row in enumerate(before.inputs.tolist())}
        rows = [place[tuple(row)] for row in split.inputs.tolist()]
        assert 250 < len(rows) < 300
        apart = split.teacher_logits.softmax(1) - before.teacher_logits[rows].softmax(1)
        assert apart.abs().max() < 0.1
        assert torch.equal(split.labels, before.labels[rows])


# ---- any teacher ----


def test_a_module_a_table_and_a_file_give_logits_that_distil(tmp_path):
    data = task()
    module = torch.nn.Linear(3, 4)
    from_module = bring(data, module)
    tables = {name: getattr(from_module, name).teacher_logits.double().softmax(1) for name in SPLITS}
    shuffled = [2, 0, 3, 1]
    for name in SPLITS:
        header = ",".join(NAMES[k] for k in shuffled)
        np.savetxt(
            tmp_path / f"{name}.csv", tables[name].numpy()[:, shuffled], delimiter=",", header=header, comments=""
        )
    files = {name: tmp_path / f"{name}.csv" for name in SPLITS}
    for taught in (bring(data, tables), bring(data, files)):
        for name in SPLITS:
            expected = module(getattr(data, name).inputs).softmax(1)
            assert torch.allclose(getattr(taught, name).teacher_logits.softmax(1), expected, atol=1e-5)
        train = taught.train
        distill(torch.nn.Linear(3, 4), train.inputs, train.teacher_logits, epochs=1, device="cpu", progress=False)
    assert from_module.teacher_parameters == 16
    assert bring(data, tables).teacher_parameters is None


def test_a_zero_in_a_table_stays_finite():
    data = task(2, ("a", "b"))
    taught = bring(data, dict.fromkeys(SPLITS, np.array([[1.0, 0.0], [0.5, 0.5]])))
    assert taught.train.teacher_logits.isfinite().all()
    assert taught.train.teacher_logits.softmax(1)[0].tolist() == pytest.approx([1, 0])


@pytest.mark.parametrize(
    ("table", "error"),
    [
        (np.full((2, 3), 1 / 3), r"teacher\['train'\] must be \[2, 2\], got \[2, 3\]"),
        (np.array([[0.5, 0.5], [0.5, 0.6]]), r"teacher\['train'\] must hold probabilities .* got row 1"),
        (np.array([[1.5, -0.5], [0.5, 0.5]]), "got row 0"),
        (np.array([[np.nan, 1.0], [0.5, 0.5]]), "got row 0"),
    ],
)
def test_what_is_no_table_of_probabilities_is_refused(table, error):
    with pytest.raises(ValueError, match=error):
        bring(task(2, ("a", "b")), dict.fromkeys(SPLITS, table))


@pytest.mark.parametrize("teacher", [None, "teacher.csv", {"train": np.ones((2, 1))}])
def test_what_is_no_teacher_is_refused(teacher):
    with pytest.raises(TypeError, match="teacher must be an nn.Module, a Client or a dict"):
        bring(task(2), teacher)


def test_a_task_of_ones_own_is_cut_by_class_and_standardised_on_training():
    from sklearn.datasets import load_wine

    wine = load_wine()
    data = own_task(wine.data, wine.target_names[wine.target])
    assert data.class_names == ("class_0", "class_1", "class_2")
    assert [len(getattr(data, name)) for name in SPLITS] == [106, 36, 36]
    assert data.train.inputs.mean(0).abs().max() < 1e-5
    shares = [getattr(data, name).labels.bincount() / len(getattr(data, name)) for name in SPLITS]
    assert torch.stack(shares).std(0).max() < 0.02
    together = torch.cat([getattr(data, name).inputs for name in SPLITS])
    assert len({tuple(row) for row in together.tolist()}) == len({tuple(row) for row in wine.data.tolist()})
