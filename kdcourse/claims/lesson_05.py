"""The experiments of lesson 05: where students lose what their teachers know, slice by slice."""

import numpy as np

from kdcourse import controls
from kdcourse.claims.arms import best_everywhere, blocks, seeds, students
from kdcourse.claims.lesson_04 import HARD, SOFT
from kdcourse.claims.record import Arm, Part, claim
from kdcourse.data import load
from kdcourse.train import cosine

WIDTH, SPAM_WIDTH = 32, 4  # hidden units
CLASSES = 10  # of garments
TRAINING = {"epochs": 20, "batch_size": 128, "schedule": cosine, "predictions": True}
TAIL = {"epochs": 40, "batch_size": 64, "schedule": cosine, "predictions": True}
RAREST = 5  # pictures that are left of the rarest class; the most frequent one keeps some five hundred
LIMIT = 0.03  # the gap that a slice may have, in the example of the spam filter


@claim(
    "gap-is-not-uniform",
    "What a student loses against its teacher differs from slice to slice.",
    taught_in="Hooker et al. 2019; Lukasik et al. 2022; Mohammadshahi and Ioannou 2024",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    parts="slices",
)
def gap_is_not_uniform(run):
    """Gap between teacher and student in the class where it is largest on validation, minus the mean gap of the other
    classes, on test; students of 32 hidden units on 5,000 pictures.
    """
    table = best_everywhere(run, blocks(run), WIDTH, SOFT, TRAINING, "by class")
    on_validation, on_test = (_gaps_by_class(table, run.garments, split) for split in ("validation", "test"))
    worst = on_validation.mean(0).argmax()
    return [_gaps("worst class", table, on_test[:, worst], np.delete(on_test, worst, axis=1).mean(1))]


@claim(
    "rare-and-hard-lose-most",
    "Rare and hard examples lose most.",
    taught_in="Hooker et al. 2019; Lukasik et al. 2022",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    parts="slices",
)
def rare_and_hard_lose_most(run):
    """Gap on hard or rare slices minus the gap on the rest, on test. Hard: where the teacher is least sure (a quarter,
    by its confidence on validation), and mail that looks like spam. Rare: classes with few pictures; each class has its
    turn. Pairs are blocks of pictures; for mail, what is repeated is the mail.
    """
    table = best_everywhere(run, blocks(run), WIDTH, SOFT, TRAINING, "by confidence")
    sure = [_confidence(split) for split in (run.garments.validation, run.garments.test)]
    unsure = sure[1] < np.quantile(sure[0], 0.25)
    lost = _lost(table, run.garments.test)
    hard = _gaps("least sure quarter", table, lost[:, unsure].mean(1), lost[:, ~unsure].mean(1))

    table = best_everywhere(run, _tails(run), WIDTH, SOFT, TAIL, "long tail")
    gaps, rank = _gaps_by_class(table, run.garments, "test"), _rank(table)
    inside, outside = (_mean_where((rank >= CLASSES - 3) == rare, gaps) for rare in (True, False))
    rare = _gaps("three rarest classes", table, inside, outside)

    lost, hard_ham = _spam(run)
    return [hard, rare, _between("hard ham", lost, hard_ham)]


@claim(
    "average-hides-slices",
    "An average that looks fine can hide a slice that is not.",
    taught_in="audits of models in general",
    holds="all",
    settings=("spam-assassin",),
    parts="halves",
    revised="Its parts were judged one by one in a first run; since then, all of them must hold.",
)
def average_hides_slices(run):
    """A spam filter's gap against a limit of 3 points fixed beforehand: all mail under it, and hard ham, real mail that
    looks like spam, over it. A student counts with its mean over seeds; the pairs are test mails.
    """
    lost, hard_ham = _spam(run)
    everything, hard = Arm("gap to the teacher", lost), Arm("gap to the teacher", lost[hard_ham])
    limits = [Arm("limit", np.full(len(gap.values), LIMIT)) for gap in (everything, hard)]
    return [
        Part({"slice": "all mail", "side": "under"}, limits[0], everything, None, None, repeated="mail"),
        Part({"slice": "hard ham", "side": "over"}, hard, limits[1], None, None, repeated="mail"),
    ]


@claim(
    "distillation-lifts-the-tail-over-hard-labels",
    "With a long-tailed transfer set, soft labels help the rare class more than hard labels do.",
    taught_in="Menon et al. 2021 by implication; contested by Lukasik et al. 2022",
    parts="slices",
)
def distillation_lifts_the_tail(run):
    """Recall on test, soft labels minus labels, of the rarest class (5 pictures) and of the three rarest, with a tail
    that begins at another class in each block, so that every class is rarest once.
    """
    soft, hard = (best_everywhere(run, _tails(run), WIDTH, arm, TAIL, "long tail") for arm in (SOFT, HARD))

    def arm(name, table, how_many):
        recall = 1 - _wrong_by_class(table, run.garments.test)
        return students(name, table, _mean_where(_rank(table) >= CLASSES - how_many, recall))

    return [
        Part({"slice": name}, arm("soft labels", soft, n), arm("labels", hard, n), **seeds(soft, hard))
        for name, n in [("rarest class", 1), ("three rarest classes", 3)]
    ]


def _gaps(name, table, inside, outside):
    """The part that compares the gap of students inside a slice with that outside."""
    arms = students("gap on the slice", table, inside), students("gap on the rest", table, outside)
    return Part({"slice": name}, *arms, **seeds(table))


def _mean_where(chosen, values):
    """[students] the mean over the chosen classes, from [students, classes]; as many are chosen for every student."""
    return np.where(chosen, values, 0).sum(1) / chosen[0].sum()


def _tails(run):
    """The blocks with a long tail; in block k the tail begins at class k, so that every class is rarest once."""
    return [(controls.long_tail(data, RAREST, first=k % CLASSES), inits, k) for data, inits, k in blocks(run)]


def _rank(table):
    """[students, classes]: how far each class is down the tail of the block that the student learned from."""
    return (np.arange(CLASSES) - table["order_seed"].to_numpy()[:, None]) % CLASSES


def _choices(table, split):
    return np.stack([logits.argmax(1) for logits in table[f"{split}_logits"]])


def _lost(table, split, name="test"):
    """[students, N]: 1 where only the teacher is right, −1 where only the student is, else 0."""
    labels = split.labels.numpy()
    teacher = split.teacher_logits.numpy().argmax(1) == labels
    return teacher.astype(float) - (_choices(table, name) == labels)


def _gaps_by_class(table, data, name):
    split = getattr(data, name)
    return _means_by_class(_lost(table, split, name), split)


def _wrong_by_class(table, split):
    return _means_by_class((_choices(table, "test") != split.labels.numpy()).astype(float), split)


def _means_by_class(values, split):
    """[students, classes] from values [students, N]."""
    labels = split.labels.numpy()
    return np.stack([values[:, labels == label].mean(1) for label in range(split.teacher_logits.shape[1])], axis=1)


def _confidence(split):
    return split.teacher_logits.softmax(1).amax(1).numpy()


def _spam(run):
    """[N] what students lose on each test mail on average over their seeds, and [N] which mails are hard ham."""
    mails = load("spam-assassin")
    repetitions = [(mails, [seed], seed) for seed in range(8)]
    table = best_everywhere(run, repetitions, SPAM_WIDTH, SOFT, TRAINING, "spam")
    return _lost(table, mails.test).mean(0), mails.test.about["group"].to_numpy() == "hard-ham-1"


def _between(name, values, chosen):
    """The part that compares the mean of the chosen examples with that of the others: two groups and not pairs.

    Each example stands for what it adds to the difference of the two means, so the paired t-interval of these is the
    one of Welch (1938), but for its degrees of freedom.
    """
    n, difference = len(values), values[chosen].mean() - values[~chosen].mean()
    centred = np.where(chosen, values - values[chosen].mean(), values[~chosen].mean() - values)
    share = np.where(chosen, chosen.sum(), (~chosen).sum()) / n
    arms = Arm("gap on the slice minus gap on the rest", difference + centred / share), Arm("none", np.zeros(n))
    return Part({"slice": name}, *arms, None, None, repeated="mail")
