"""Transfer sets of other pictures: what they are made of, and what they leave alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats as scipy_stats
from sklearn import datasets
from tiny import refusals

from kdcourse import transfer
from kdcourse.data import load

MAKERS = [transfer.noise, transfer.digits, transfer.one_picture]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_pictures_are_as_many_as_asked_for_and_those_of_their_seed(make):
    some = make(30, seed=3)
    assert some.shape == (30, 784)
    assert some.dtype == torch.uint8
    assert torch.equal(some, make(30, seed=3))
    assert not torch.equal(some, make(30, seed=4))
    assert len(some.unique(dim=0)) == 30


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_what_cannot_be_made_is_refused(make):
    refusals(make, [((0,), {}, "n must be"), ((2,), {"seed": -1}, "seed must be")])


def test_noise_is_even_in_every_pixel():
    counts = np.bincount(transfer.noise(400).flatten(), minlength=256)
    assert scipy_stats.chisquare(counts).pvalue > 1e-3
    rows = transfer.noise(400).double()
    assert (torch.corrcoef(rows.T) - torch.eye(784)).abs().max() < 0.3


def test_digits_are_those_of_scikit_learn_enlarged_and_moved_and_each_comes_once_before_any_comes_again():
    small = np.uint8(datasets.load_digits().images * (255 / 16))
    large = np.stack([Image.fromarray(one).resize((32, 32), Image.Resampling.BILINEAR) for one in small]).astype(int)
    many = transfer.digits(1_797 + 100).reshape(-1, 28, 28).numpy().astype(int)
    places = [(y, x) for y in range(5) for x in range(5)]
    for one in many[:4]:
        off = [np.abs(large[:, y : y + 28, x : x + 28] - one).mean((1, 2)).min() for y, x in places]
        assert min(off) < 2 < np.median(off)
    assert len(np.unique(many[:1_797], axis=0)) >= 1_795


def test_a_crop_of_the_whole_photograph_is_the_photograph_and_half_are_negatives():
    grey = Image.fromarray(datasets.load_sample_image("china.jpg")[:, :427].mean(2).astype(np.uint8))
    small = np.asarray(grey.resize((28, 28), Image.Resampling.BOX), dtype=float).flatten()
    # From the highest squares on, only their place along the photograph is left to chance.
    crops = transfer.one_picture(200, smallest=427).reshape(-1, 28, 28).double()
    assert (crops.amin((1, 2)).eq(0) & crops.amax((1, 2)).eq(255)).all()
    likeness = np.corrcoef([small, *crops.flatten(1).numpy(), *crops.flip(2).flatten(1).numpy()])[0, 1:]
    assert likeness.max() > 0.98
    assert likeness.min() < -0.98
    # The sky is bright above, and dark in a negative.
    negative = crops[:, :5].mean((1, 2)) < crops[:, -5:].mean((1, 2))
    assert scipy_stats.binomtest(int(negative.sum()), 200).pvalue > 1e-3


def test_squares_are_no_higher_than_the_photograph():
    refusals(transfer.one_picture, [((2,), {"smallest": 428}, "smallest must be at most the photograph's 427 pixels")])


def test_a_crop_is_a_square_of_its_own_picture_enlarged_and_the_largest_is_the_picture():
    pictures = load("fashion-mnist").train.pixels[:20]
    assert torch.equal(transfer.crops(pictures, smallest=28), pictures)
    whole = Image.fromarray(pictures[0].reshape(28, 28).numpy())
    boxes = [(x, y, x + side, y + side) for side in (8, 9) for x in range(29 - side) for y in range(29 - side)]
    squares = [np.asarray(whole.crop(box).resize((28, 28), Image.Resampling.BILINEAR), dtype=float) for box in boxes]
    for seed in range(60):  # of these, some are that small
        view = transfer.crops(pictures[:1], seed, smallest=8).reshape(28, 28).numpy()
        off = min(np.abs(view - one).mean() for one in squares)
        if float(torch.rand(1, generator=torch.Generator().manual_seed(seed))) < 1.4 / 20:  # round(8 + 20 u) < 10
            assert off < 1
        assert torch.equal(transfer.crops(pictures[:1], seed), transfer.crops(pictures, seed)[:1])


@pytest.mark.slow
def test_the_teacher_is_asked_about_the_pictures_and_its_first_choices_are_their_labels():
    garments = load("fashion-mnist")
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(784, 10, generator=generator)
    teacher = torch.nn.Linear(784, 10, bias=False)
    teacher.weight.data = weights.T.clone()
    some = garments.train.pixels[:40]
    elsewhere = transfer.asked(garments, some, teacher, "cpu")
    by_hand = garments.train.inputs[:40] @ weights
    torch.testing.assert_close(elsewhere.train.teacher_logits, by_hand, atol=1e-3, rtol=1e-4)
    assert torch.equal(elsewhere.train.labels, by_hand.argmax(1))
    torch.testing.assert_close(elsewhere.train.inputs, garments.train.inputs[:40])
    assert (elsewhere.validation, elsewhere.test) == (garments.validation, garments.test)
    refusals(
        transfer.asked,
        [
            ((garments, some[:, :10], teacher), {}, "pixels must be [N, 784], as the data's are, got [40, 10]"),
            ((load("flights"), some, teacher), {}, "data must be pictures, got 'flights', whose training split has no"),
        ],
    )


def test_with_the_same_seed_the_teacher_is_asked_about_what_the_student_sees():
    garments, teacher = load("fashion-mnist").subset(12), torch.nn.Linear(784, 10)
    for teacher_seed in (3, 4):
        train = transfer.cropped(garments, teacher, 3, teacher_seed, "cpu").train
        assert torch.equal(train.pixels, transfer.crops(garments.train.pixels, 3))
        assert torch.equal(train.labels, garments.train.labels)
        with torch.no_grad():
            says = teacher(train.inputs)
        assert torch.allclose(train.teacher_logits, says, atol=1e-4) == (teacher_seed == 3)


def test_what_is_shown_has_as_many_pictures_from_the_block_or_from_elsewhere():
    garments, teacher = load("fashion-mnist").subset(120), torch.nn.Linear(784, 10)
    block = [bytes(row) for row in garments.train.pixels.numpy()]
    for number in (0, 1):
        sets = {name: signal(garments, number) for name, signal in transfer.shown(40, teacher, "cpu").items()}
        assert {len(one.train) for one in sets.values()} == {40}
        assert all((one.validation, one.test) == (garments.validation, garments.test) for one in sets.values())
        rows = {name: [bytes(row) for row in one.train.pixels.numpy()] for name, one in sets.items()}
        assert rows["the task's own"] == block[:40]
        assert sorted(rows["few pictures"]) == sorted(10 * block[:4])
        assert (
            rows["half the classes"]
            == [
                row
                for row, label in zip(block, garments.train.labels.tolist(), strict=True)
                if (label < 5) == (number == 0)
            ][:40]
        )
        sure = np.sort(garments.train.teacher_logits.double().softmax(1).amax(1))
        confident = sets["confident pictures"].train.teacher_logits.double().softmax(1).amax(1)
        assert np.sort(confident) == pytest.approx(sure[-40:], abs=1e-6)
        for name, make in [("digits", transfer.digits), ("one photograph", transfer.one_picture)]:
            assert torch.equal(sets[name].train.pixels, make(40, number))
    refusals(transfer.shown, [((9, teacher), {}, "n must be an integer >= 10, got 9")])


def test_the_views_are_crops_and_the_teacher_is_asked_about_the_same_or_about_another():
    garments, teacher = load("fashion-mnist").subset(12), torch.nn.Linear(784, 10)
    same, other = (signal(garments, 3).train for signal in transfer.views(8, teacher, "cpu").values())
    assert torch.equal(same.pixels, transfer.crops(garments.train.pixels[:8], 3))
    assert torch.equal(same.pixels, other.pixels)
    with torch.no_grad():
        torch.testing.assert_close(same.teacher_logits, teacher(same.inputs), atol=1e-4, rtol=1e-4)
        assert not torch.allclose(other.teacher_logits, teacher(other.inputs), atol=1e-2)


def test_a_mended_set_has_a_tenth_of_what_it_lacked():
    garments, teacher = load("fashion-mnist").subset(200), torch.nn.Linear(784, 10)
    own = {bytes(row) for row in garments.train.pixels.numpy()}
    for number in (0, 1):
        half, digits = (signal(garments, number).train for signal in transfer.mended(40, teacher, "cpu").values())
        others = [(label < 5) != (number == 0) for label in half.labels.tolist()]
        assert (len(others), sum(others)) == (40, 4)
        assert [bytes(row) in own for row in digits.pixels.numpy()] == [False] * 36 + [True] * 4
