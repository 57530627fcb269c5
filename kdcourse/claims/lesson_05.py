"""The experiments of lesson 05: where students lose what their teachers know, slice by slice."""

from dataclasses import replace

import numpy as np

from kdcourse import controls
from kdcourse.claims.arms import BLOCK, Part, best_everywhere, part
from kdcourse.data import load
from kdcourse.train import cosine

WIDTH, SPAM_WIDTH = 32, 4  # hidden units
# As many settings for the one arm as for the other.
SOFT = {"temperature": [1, 4], "lr": [0.003, 0.01]}
HARD = {"soft_weight": 0, "lr": [0.001, 0.003, 0.01, 0.03]}
TRAINING = {"epochs": 20, "batch_size": 128, "schedule": cosine, "predictions": True}
TAIL = {"epochs": 40, "batch_size": 64, "schedule": cosine, "predictions": True}
RAREST = 5  # pictures that are left of the rarest class; the most frequent one keeps some five hundred
LIMIT = 0.03  # the gap that a slice may have, in the example of the spam filter


def gap_is_not_uniform(run):
    """The gap in the class where it is largest on validation, against the mean gap of the others, on test."""
    students = best_everywhere(run, _blocks(run), WIDTH, SOFT, TRAINING, "by class")
    on_validation, on_test = (_gaps_by_class(students, run.garments, split) for split in ("validation", "test"))
    worst = on_validation.mean(0).argmax()
    rest = np.delete(on_test, worst, axis=1).mean(1)
    one = part("worst class against the others", students, students)
    return [one._replace(a=on_test[:, worst], b=rest)]


def rare_and_hard_lose_most(run):
    """The gap where the teacher is least sure, in the rarest classes, and in hard ham, minus the gap elsewhere."""
    students = best_everywhere(run, _blocks(run), WIDTH, SOFT, TRAINING, "by confidence")
    sure = [_confidence(split) for split in (run.garments.validation, run.garments.test)]
    unsure = sure[1] < np.quantile(sure[0], 0.25)
    lost = _lost(students, run.garments.test)
    hard = part("hard: the quarter where the teacher is least sure", students, students)
    hard = hard._replace(a=lost[:, unsure].mean(1), b=lost[:, ~unsure].mean(1))

    tailed = best_everywhere(run, _tails(run), WIDTH, SOFT, TAIL, "long tail")
    gaps = _gaps_by_class(tailed, run.garments, "test")
    rank = _rank(tailed, gaps.shape[1])
    rare = part("rare: the three rarest of ten classes", tailed, tailed)
    few = rank >= gaps.shape[1] - 3
    rare = rare._replace(a=np.where(few, gaps, 0).sum(1) / 3, b=np.where(few, 0, gaps).sum(1) / (gaps.shape[1] - 3))

    mails, lost = _spam(run)
    hard_ham = mails.test.about["group"].to_numpy() == "hard-ham-1"
    return [hard, rare, _between("hard ham against all other mail", lost, hard_ham)]


def average_hides_slices(run):
    """In the spam filter: is the gap of all mail under the limit, and that of hard ham over it?"""
    mails, lost = _spam(run)
    hard_ham = lost[mails.test.about["group"].to_numpy() == "hard-ham-1"]
    return [
        Part("all mail: gap under 3 points", np.full(len(lost), LIMIT), lost, None, None),
        Part("hard ham: gap over 3 points", hard_ham, np.full(len(hard_ham), LIMIT), None, None),
    ]


def distillation_lifts_the_tail(run):
    """Recall of the rarest class, and of the three rarest, soft labels against labels; each class is rarest once."""
    arms = [best_everywhere(run, _tails(run), WIDTH, arm, TAIL, "long tail") for arm in (SOFT, HARD)]
    recalls = [1 - _wrong_by_class(students, run.garments.test) for students in arms]
    parts = []
    for name, how_many in [("the rarest class", 1), ("the three rarest classes", 3)]:
        ranks = [_rank(students, recalls[0].shape[1]) for students in arms]
        a, b = (
            np.where(rank >= rank.shape[1] - how_many, recall, 0).sum(1) / how_many
            for rank, recall in zip(ranks, recalls, strict=True)
        )
        parts.append(part(name, *arms)._replace(a=a, b=b))
    return parts


def _blocks(run):
    """(data set, init seeds, order seed) for each block of the training pictures."""
    train = run.garments.train
    starts = range(0, len(train) - BLOCK + 1, BLOCK)
    return [(replace(run.garments, train=train[k : k + BLOCK]), [i], i) for i, k in enumerate(starts)]


def _tails(run):
    """The same blocks with a long tail; in block k the tail begins at class k, so that every class is rarest once."""
    classes = len(run.garments.class_names)
    return [
        (controls.long_tail(data, RAREST, first=order % classes), inits, order) for data, inits, order in _blocks(run)
    ]


def _rank(students, classes):
    """[students, classes]: how far each class is down the tail of the block that the student learned from."""
    first = students["order_seed"].to_numpy()[:, None] % classes
    return (np.arange(classes) - first) % classes


def _choices(students, split):
    return np.stack([logits.argmax(1) for logits in students[f"{split}_logits"]])


def _lost(students, split, name="test"):
    """[students, N]: 1 where only the teacher is right, −1 where only the student is, else 0."""
    labels = split.labels.numpy()
    teacher = split.teacher_logits.numpy().argmax(1) == labels
    return teacher.astype(float) - (_choices(students, name) == labels)


def _gaps_by_class(students, data, name):
    split = getattr(data, name)
    return _means_by_class(_lost(students, split, name), split)


def _wrong_by_class(students, split):
    return _means_by_class((_choices(students, "test") != split.labels.numpy()).astype(float), split)


def _means_by_class(values, split):
    """[students, classes] from values [students, N]."""
    labels = split.labels.numpy()
    return np.stack([values[:, labels == label].mean(1) for label in range(split.teacher_logits.shape[1])], axis=1)


def _confidence(split):
    return split.teacher_logits.softmax(1).amax(1).numpy()


def _spam(run):
    """(the mails, [N] what students lose on each test mail on average over their seeds)."""
    mails = load("spam-assassin")
    repetitions = [(mails, [seed], seed) for seed in range(8)]
    students = best_everywhere(run, repetitions, SPAM_WIDTH, SOFT, TRAINING, "spam")
    return mails, _lost(students, mails.test).mean(0)


def _between(name, values, chosen):
    """The part that compares the mean of the chosen examples with that of the others: two groups and not pairs.

    Each example stands for what it adds to the difference of the two means, so the paired t-interval of these is the
    one of Welch (1938), but for its degrees of freedom.
    """
    n, difference = len(values), values[chosen].mean() - values[~chosen].mean()
    centred = np.where(chosen, values - values[chosen].mean(), values[~chosen].mean() - values)
    share = np.where(chosen, chosen.sum(), (~chosen).sum()) / n
    return Part(name, difference + centred / share, np.zeros(n), None, None)
