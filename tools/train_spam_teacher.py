"""Train the spam teacher again: its cached log-probabilities for every split, and its card.

    python tools/train_spam_teacher.py            # about five minutes on one CPU core
    python tools/train_spam_teacher.py --card     # only write the card again

What it says of a training mail comes from a teacher that has not seen that mail (five folds): of mails it has seen it
would be surer than it should be. Nothing looks at the test split except the last lines, which report on it once.
"""

import argparse
import time

import numpy as np
import torch
from checksums import record
from scipy.special import log_softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.svm import LinearSVC

from kdcourse import data, store
from kdcourse.data import spam_assassin
from kdcourse.stats import proportion_interval
from kdcourse.stats.calibration import expected_calibration_error, fit_temperature

SEED = 0
FOLDS = 5
PLACES = 2**20  # of hashed n-grams; so many that few share one
SEEN_IN = 2  # training mails an n-gram must be in
GRAMS = {
    "words": {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b|[!$%?#]"},
    "characters": {"analyzer": "char", "ngram_range": (2, 5)},
}
SURE = 1e-6  # no member may be surer than this, or it would speak for all in a mean of log-probabilities


def models():
    """The two kinds of linear classifier, untrained; the support vectors' margins become probabilities (Platt 1999)."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    machine = LinearSVC(C=5, random_state=SEED)
    return {
        "logistic regression": LogisticRegression(C=1000, solver="liblinear", random_state=SEED),
        "support vectors": CalibratedClassifierCV(machine, method="sigmoid", cv=folds, ensemble=False),
    }


class Member:
    """One classifier on the tf-idf of one kind of n-gram."""

    def __init__(self, counts, labels, model):
        self.columns = np.flatnonzero(counts.getnnz(axis=0) >= SEEN_IN)
        self.weighting = TfidfTransformer(sublinear_tf=True)
        self.model = model.fit(self.weighting.fit_transform(counts[:, self.columns]), labels)
        # A weight per n-gram, the bias, and the two of the sigmoid.
        self.parameters = len(self.columns) + (3 if isinstance(model, CalibratedClassifierCV) else 1)

    def __call__(self, counts):
        """Log-probabilities [N, 2]."""
        weighted = self.weighting.transform(counts[:, self.columns])
        return np.log(self.model.predict_proba(weighted).clip(SURE, 1 - SURE))


def ensemble(counts, labels):
    """{name: Member} trained on {kind: counts [N, PLACES]} and labels [N]."""
    return {(kind, name): Member(counts[kind], labels, model) for kind in GRAMS for name, model in models().items()}


def together(members, counts):
    """What the members say together: the mean of their log-probabilities, made to sum to 1 again. [N, 2]"""
    return log_softmax(np.mean([member(counts[kind]) for (kind, _), member in members.items()], axis=0), axis=1)


def counted(mails):
    """{kind: {split: sparse counts [N, PLACES]}}: hashing learns nothing, so every split may be counted at once."""
    counts = {}
    for kind, options in GRAMS.items():
        hashing = HashingVectorizer(n_features=PLACES, norm=None, alternate_sign=False, dtype=np.float32, **options)
        counts[kind] = {split: hashing.transform(full_text(table)) for split, table in mails.items()}
    return counts


def full_text(table):
    return table["subject"] + "\n" + table["text"]


def rows(counts, split, chosen=slice(None)):
    return {kind: by_split[split][chosen] for kind, by_split in counts.items()}


def train(mails):
    """({split: log-probabilities [N, 2]}, facts about the teacher)."""
    counts = counted(mails)
    labels = {split: table["label"].to_numpy(copy=True) for split, table in mails.items()}
    said = {"train": np.zeros((len(mails["train"]), 2))}
    # Folds keep the shares of the groups, since hard ham is rare, and divide no family: a mail whose answer was seen
    # is not unseen.
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    chosen = folds.split(labels["train"], mails["train"]["group"], mails["train"]["family"])
    for fold, (seen, unseen) in enumerate(chosen):
        members = ensemble(rows(counts, "train", seen), labels["train"][seen])
        said["train"][unseen] = together(members, rows(counts, "train", unseen))
        print(f"fold {fold + 1} of {FOLDS}", flush=True)
    members = ensemble(rows(counts, "train"), labels["train"])
    for split in ("validation", "test"):
        said[split] = together(members, rows(counts, split))
    alone = {
        f"{kind}, {name}": report(member(counts[kind]["validation"]), labels["validation"])
        for (kind, name), member in members.items()
    }
    frequencies = {kind: len(member.columns) for (kind, _), member in members.items()}  # the same for both members
    facts = {
        "parameters": sum(member.parameters for member in members.values()) + sum(frequencies.values()),
        "members": alone,
        "seen": report(together(members, rows(counts, "train")), labels["train"]),
    }
    return said, facts


def report(logits, labels):
    """Accuracy, negative log-likelihood (nats) and calibration error of log-probabilities against labels."""
    logits = log_softmax(np.asarray(logits, np.float64), axis=1)
    return {
        "accuracy": float((logits.argmax(1) == labels).mean()),
        "nll": float(-logits[np.arange(len(labels)), labels].mean()),
        "ece": float(expected_calibration_error(torch.from_numpy(np.exp(logits)), torch.from_numpy(labels))),
    }


def clues(table, how_many=25):
    """The words that a logistic regression on the training mails weighs most: (for ham, for spam)."""
    vectorizer = TfidfVectorizer(min_df=5, sublinear_tf=True)
    model = LogisticRegression(C=10, solver="liblinear", random_state=SEED)
    model.fit(vectorizer.fit_transform(full_text(table)), table["label"])
    words = vectorizer.get_feature_names_out()[model.coef_[0].argsort()]
    return words[:how_many], words[::-1][:how_many]


def card(folder):
    """The text of `teacher-card.md`, from what is stored: every measured number in it is computed here."""
    mails = data.load("spam-assassin")
    tables = spam_assassin.read_mails(folder / "mails.jsonl.xz")
    _, facts = store.load_tensors(folder / "teacher-logits.safetensors")
    quality, groups = [], []
    for split in spam_assassin.SPLITS:
        part = getattr(mails, split)
        result = report(part.teacher_logits, part.labels.numpy())
        quality.append(f"| {split} | {result['accuracy']:.2%} | {result['nll']:.3f} | {result['ece']:.3f} |")
    right = (mails.test.teacher_logits.argmax(1) == mails.test.labels).numpy()
    names = mails.test.about["group"].to_numpy()
    for group in [*sorted(set(names)), "all"]:
        chosen = right if group == "all" else right[names == group]
        low, high = proportion_interval(int(chosen.sum()), len(chosen))
        groups.append(f"| {group} | {len(chosen)} | {chosen.mean():.1%} | {low:.1%} to {high:.1%} |")
    seen = facts["seen"]
    members = [
        f"| {name} | {result['accuracy']:.2%} | {result['nll']:.3f} | {result['ece']:.3f} |"
        for name, result in facts["members"].items()
    ]
    validation = mails.validation
    temperature = fit_temperature(validation.teacher_logits.double(), validation.labels)
    ham, spam_words = (" · ".join(f"`{word}`" for word in words) for words in clues(tables["train"]))
    return f"""# The spam teacher

Written by `tools/train_spam_teacher.py` from the stored log-probabilities; do not edit by hand.

| | |
|---|---|
| Task | ham (0) or spam (1), from the subject and the text of a mail |
| Architecture | {len(members)} linear classifiers, on words (1 and 2 in a row) and on characters (2 to 5 in a row), \
tf-idf with log counts; n-grams in at least {SEEN_IN} training mails, hashed to {PLACES:,} places; \
the mean of their log-probabilities |
| Members | logistic regression (C = 1000), and a linear support vector machine (C = 5) whose margins are made \
probabilities by a sigmoid fitted on {FOLDS} folds |
| Parameters | {facts["parameters"]:,}: a weight per n-gram and member, an inverse document frequency per n-gram |
| Trained on | the {len(mails.train):,} training mails and their labels |
| Took | {facts["seconds"]:.0f} s on one CPU thread (scikit-learn {facts["sklearn"]}) |
| Chosen by | likelihood on validation: C out of 10, 100, 1000 for logistic regression, out of 0.3, 1, 5 for support \
vectors. That all four speak was settled beforehand; naive Bayes was tried as one more and did not help |
| Ships | its log-probabilities, float16 [N, 2] for each split; not its weights |
| Made again by | `python tools/train_spam_teacher.py` |

## What it gets right

| split | accuracy | negative log-likelihood (nats) | calibration error (ECE, 15 bins) |
|---|---|---|---|
{chr(10).join(quality)}

Its members, alone, on validation:

| member | accuracy | negative log-likelihood (nats) | calibration error (ECE, 15 bins) |
|---|---|---|---|
{chr(10).join(members)}

The temperature that would suit it best on validation is {temperature:.2f}; 1 is what it has. Above 1 it would be too
sure of itself, below 1 not sure enough.

On the test mails, by group, with Wilson's 95 % interval:

| group | mails | right | interval |
|---|---|---|---|
{chr(10).join(groups)}

The groups' shares in the test split are not those of the corpus, so *all* is the accuracy on this split and no more.

## What it goes by

The words with the largest weights of a logistic regression on single words, trained on the same mails.

- For ham: {ham}
- For spam: {spam_words}

Words between underscores are masks. The names of mailing lists, and what their footers say, tell easy ham from spam
as long as the mail of the future comes from these lists. Hard ham does not.

## Use

- `load("spam-assassin").train.teacher_logits` are log-probabilities; they serve as logits as they are.
- Those of the **training** mails are out of fold: {FOLDS} teachers were trained on four fifths of them each, and each
  mail was judged by the one that had seen neither it nor a mail of its family. The teacher that was trained on all
  of them gets {seen["accuracy"]:.2%} of them right, at {seen["nll"]:.3f} nats: surer than it is of mail that is new
  to it, and no lesson for a student. Validation and test were judged by that one.
- It knows these lists and these years. It is no filter for anybody's mail today.
"""


def write_card(folder):
    (folder / "teacher-card.md").write_text(card(folder), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", action="store_true", help="train nothing, only write the card again")
    folder = data.folder() / "spam-assassin"
    if not parser.parse_args().card:
        import sklearn

        path = data.checked("spam-assassin/mails.jsonl.xz")
        start = time.perf_counter()
        said, facts = train(spam_assassin.read_mails(path))
        facts |= {"seconds": time.perf_counter() - start, "sklearn": sklearn.__version__, "mails": store.sha256(path)}
        tensors = {split: torch.from_numpy(values).half() for split, values in said.items()}
        store.save_tensors(folder / "teacher-logits.safetensors", tensors, facts)
        record()
    write_card(folder)
    print((folder / "teacher-card.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
