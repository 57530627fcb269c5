"""CMUdict's teacher as it ships: what its card says, and that it is good enough to learn from."""

import sys
from pathlib import Path

import pytest
import torch

from kdcourse import data, store
from kdcourse.lm import forward_flops, greedy, load_student, load_teacher, pronunciation_errors, spelled
from kdcourse.lm.teacher import CHECKPOINT, WARM_START
from kdcourse.models import count_parameters

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import train_cmudict_teacher  # noqa: E402

PATH = data.folder() / CHECKPOINT
pytestmark = pytest.mark.slow
WORST = 0.08  # phoneme error on the test words; asked for are 0.07, and the card says by how much they are missed


@pytest.fixture(scope="module")
def about():
    return store.load_tensors(PATH)[1]


def test_the_card_says_what_the_checkpoint_holds():
    assert (PATH.parent / "teacher-card.md").read_text(encoding="utf-8") == train_cmudict_teacher.card(PATH)


def test_the_network_of_a_random_split_was_trained_as_this_one(about):
    other = store.load_json(train_cmudict_teacher.SPLIT)
    recipe = {*about["transformer"], "lr", "batch_size", "weight_decay", "order_seed", "epochs"}
    own = about["transformer"] | about["training"]
    assert other["recipe"] == {name: own[name] for name in recipe}
    assert other["words"] == about["errors"]["test"]["greedy"]["count"]


def test_the_teacher_is_good_enough_to_learn_from_and_small(about):
    wrong = about["errors"]["test"]["greedy"]["phonemes"]
    assert wrong <= WORST
    says = "keeps that." if wrong <= 0.07 else f"misses that by {100 * wrong - 7:.1f} points."
    assert says in (PATH.parent / "teacher-card.md").read_text(encoding="utf-8")
    assert PATH.stat().st_size <= 8_000_000
    assert 1e6 <= count_parameters(load_teacher()) <= 2e6


def test_the_teacher_makes_the_errors_that_are_recorded(about):
    words, recorded = data.load("cmudict").validation[:1500], about["errors"]["validation"]["greedy"]
    teacher = load_teacher()
    assert not teacher.training
    found = pronunciation_errors(spelled(greedy(teacher, words.letters)), words.pronunciations)
    spread = torch.tensor(found.distances, dtype=torch.float64).std().item() / found.lengths.mean() / 1500**0.5
    assert abs(found.phoneme_rate - recorded["phonemes"]) < 4 * spread
    assert abs(found.word_rate - recorded["words"]) < 4 * (0.25 / 1500) ** 0.5


def test_the_student_is_on_its_way_and_its_compute_is_what_the_lesson_says():
    student, training = load_student(), store.load_tensors(data.folder() / WARM_START)[1]["training"]
    assert 15 < count_parameters(load_teacher()) / count_parameters(student) < 20
    words = data.load("cmudict")
    wrong = pronunciation_errors(
        spelled(greedy(student, words.validation[:500].letters)), words.validation.pronunciations[:500]
    )
    assert 0.1 < wrong.phoneme_rate < 0.3
    letters, said, _ = words.train[:2000].examples()
    one_pass = 3 * sum(
        forward_flops(student, torch.zeros(1, int(read)), torch.zeros(1, int(new)))
        for read, new in zip((letters != 0).sum(1), (said != 0).sum(1), strict=True)
    )
    # The teacher's own pass, some six of the student's, and half of the sixty that are left; up to a tenth is padding.
    assert 33 < training["flops"] / one_pass < 33 * 1.15
