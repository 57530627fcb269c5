"""The exercise `name_the_bug`, and the four runs that it is about."""

import pandas as pd
import torch

from kdcourse import controls, plots
from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pairings import exchanged
from kdcourse.check.exercises._pieces import divergence, kl, logs, of_the_labels
from kdcourse.data import DataSet
from kdcourse.models import mlp
from kdcourse.train import cosine, distill, teacher_logits

TEMPERATURE, SOFT_WEIGHT, WRONG = 10, 0.9, 0.3
WORDS = ("alpha swapped", "no T²", "mean over classes", "T on one side")
BUG_OF = {"A": "T on one side", "B": "no T²", "C": "alpha swapped", "D": "mean over classes"}
# What each run takes for its soft term, and how that is weighed.
_SOFT = {
    "T on one side": lambda s, t, T: T**2 * divergence(logs(t, T), logs(s)),
    "no T²": kl,
    "mean over classes": lambda s, t, T: T**2 * kl(s, t, T) / s.shape[1],
}
PANELS = {  # what is drawn of the runs, and its unit
    "soft": ("Soft term as logged", "nats"),
    "learned": ("Wrong labels learned by heart", "share"),
    "confidence": ("Confidence at T = 1, validation", "mean largest probability"),
}
_WEIGHT = {"alpha swapped": 1 - SOFT_WEIGHT}


def four_runs(data: DataSet, *, epochs: int = 40, device: str = "auto") -> pd.DataFrame:
    """What five runs logged after every epoch: four with a bug each, and a right one.

    Each is meant to train the same student on 500 examples, 30 % of which are labelled wrong, at T = 10 with soft
    weight 0.9.

    Parameters
    ----------
    data : DataSet
        With teacher logits; its first 500 training examples are used.
    epochs, device
        As in `train.distill`.

    Returns
    -------
    DataFrame
        run ("A" to "D", or "right"), epoch, soft (the soft term as this run computes it, nats, before the first step
        at epoch 0), learned (the share of the wrong labels that the student has learned), confidence (mean of the
        student's largest probability at T = 1, on validation).

    Examples
    --------
    >>> from kdcourse.data import load
    >>> runs = four_runs(load("fashion-mnist"), epochs=1)
    >>> runs.groupby("run").size().to_dict()
    {'A': 2, 'B': 2, 'C': 2, 'D': 2, 'right': 2}
    """
    few = data.subset(500)
    train = controls.noisy_labels(few, WRONG).train
    wrong = train.labels != few.train.labels
    rows = []
    for run, bug in {**BUG_OF, "right": ""}.items():
        student = mlp([train.inputs.shape[1], 64, len(data.class_names)], seed=0)
        soft_of, weight = _SOFT.get(bug, _right), _WEIGHT.get(bug, SOFT_WEIGHT)

        def loss(student_logits, teacher_logits, labels, soft_of=soft_of, weight=weight):
            hard = -of_the_labels(logs(student_logits), labels)
            return weight * soft_of(student_logits, teacher_logits, TEMPERATURE) + (1 - weight) * hard

        def log(run=run, student=student, soft_of=soft_of):
            said, unseen = (teacher_logits(student, split.inputs) for split in (train, data.validation))
            rows.append(
                {
                    "run": run,
                    "soft": soft_of(said, train.teacher_logits, TEMPERATURE).mean().item(),
                    "learned": (said.argmax(1) == train.labels)[wrong].double().mean().item(),
                    "confidence": unseen.softmax(1).amax(1).mean().item(),
                }
            )

        log()
        distill(
            student, train.inputs, train.teacher_logits, train.labels, loss=loss, epochs=epochs, lr=0.01, batch_size=64,
            schedule=cosine, device=device, progress=False, after_epoch=log,
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(epoch=table.groupby("run").cumcount())


def show_runs(runs: pd.DataFrame) -> None:
    """Draw what `four_runs` gives: a panel for each of the three numbers, a line for each run.

    Parameters
    ----------
    runs : DataFrame
        Of `four_runs`.

    Examples
    --------
    >>> row = {"epoch": 0, "soft": 1.0, "learned": 0.1, "confidence": 0.2}
    >>> show_runs(pd.DataFrame([{"run": "A", **row}, {"run": "right", **row}]))
    [figure] Which run has which bug? Soft term as logged, from epoch 0 to 0: A 1.00 to 1.00, right 1.00 to 1.00. ...
    """
    names = sorted(set(runs["run"]))
    fig, axes = plots.figure(10.5, 3.5, ncols=len(PANELS))
    words = []
    for ax, (column, (title, unit)) in zip(axes, PANELS.items(), strict=True):
        ends = []
        for run, (colour, marker) in zip(names, plots.looks(names), strict=True):
            own = runs[runs["run"] == run].sort_values("epoch")
            look = {"color": "#888888", "linewidth": 4, "alpha": 0.5} if run == "right" else {"color": colour}
            look |= {} if run == "right" else {"marker": marker, "markevery": max(1, len(own) // 6)}
            ax.plot(own["epoch"], own[column], label=run, **look)
            ends.append(f"{run} {own[column].iloc[0]:.2f} to {own[column].iloc[-1]:.2f}")
        ax.set(xlabel="epoch", ylabel=unit)
        ax.set_title(title, fontsize=11, loc="left")
        words.append(f"{title}, from epoch 0 to {runs['epoch'].max()}: {', '.join(ends)}.")
    axes[0].set_yscale("log")
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plots.show(fig, f"Which run has which bug? {' '.join(words)}")


def _right(s, t, T):
    return T**2 * kl(s, t, T)


def _told(run, message):
    """A rule that names what one run shows."""
    place = WORDS.index(BUG_OF[run])
    return Rule(lambda answer, asked: asked != run or answer == place, message)


name_the_bug = Exercise(
    "name_the_bug",
    lesson="03_blended_loss",
    order=4,
    reference=lambda run: BUG_OF[run],
    inputs=lambda generator: ("ABCD"[int(torch.randint(4, (), generator=generator))],),
    small=[("A",), ("B",), ("C",), ("D",)],
    words=WORDS,
    praise="A first value, a share of wrong labels, a confidence: three numbers that are worth logging.",
    hints=[
        "Begin before the first step (epoch 0): all students are the same there. Whose soft term is not the right one?",
        "Two are too small, one by T² = 100 and one by the 10 classes. Which is which?",
        "One student stays unsure: at T = 1 it was asked to look as the teacher does at T = 10.",
        "The last run logs the right soft term at the start, and learns the wrong labels by heart all the same.",
    ],
    bugs={
        "B and D exchanged": Bug(
            exchanged(BUG_OF, "B", "D"),
            "B and D both begin with too small a soft term. By which factor? T² is 100, and there are 10 classes.",
        ),
        "B and C exchanged": Bug(
            exchanged(BUG_OF, "B", "C"),
            "B and C both learn the wrong labels, so both trust the labels too much. But only one of them has computed "
            "a soft term that is wrong: look at epoch 0.",
        ),
        "A and C exchanged": Bug(
            exchanged(BUG_OF, "A", "C"),
            "A student that hangs on its labels becomes sure of them. One of A and C never becomes sure of anything.",
        ),
        "C and D exchanged": Bug(
            exchanged(BUG_OF, "C", "D"),
            "Exchanged weights leave the soft term itself as it is. One of C and D starts with the right value, and "
            "the other a factor below it.",
        ),
        "A and B exchanged": Bug(
            exchanged(BUG_OF, "A", "B"),
            "A lost factor makes the soft term smaller from the start, and leaves what it asks for. One of A and B is "
            "asked for something else: look at the confidence.",
        ),
        "A and D exchanged": Bug(
            exchanged(BUG_OF, "A", "D"),
            "Dividing by the classes makes a soft term 10 times too small at epoch 0. In which of A and D is it?",
        ),
    },
    rules=[
        Rule(lambda answer, run: answer >= 0, f"Only these words name a bug here: {', '.join(WORDS)}."),
        _told("A", "Run A: look at its confidence. What makes a student unsure of everything at T = 1?"),
        _told("B", "Run B: divide the right soft term at epoch 0 by this one. Which factor is that?"),
        _told("C", "Run C: its soft term begins as it should, so the term is right. What is left to be wrong?"),
        _told("D", "Run D: divide the right soft term at epoch 0 by this one. Which factor is that?"),
    ],
)
