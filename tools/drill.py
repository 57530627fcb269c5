"""The materials of an incident drill, and its debrief; workshop/drills.md says how it goes.

    python tools/drill.py gallery               # into build/drill: the incident for everybody, the cards for you
    python tools/drill.py gallery --case 3      # another bug
    python tools/drill.py gallery --debrief     # what it was; say the same case

Everybody gets incident.md and runs.png. The cards in cards.md are handed out one by one, to teams that ask.
"""

import argparse
import copy
import re
import sys
from pathlib import Path
from unittest import mock

import torch

from kdcourse import gallery, lm, plots
from kdcourse.check.exercises import diagnose_runs, name_eight_bugs
from kdcourse.data import load
from kdcourse.lm import failures

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "drill"
CASES = {
    "gallery": list(gallery.BUG_OF.values()),
    "on-policy": [name for name in failures.RUNS if name != "healthy"],
}
USUAL = {"gallery": 3, "on-policy": 1}  # a wrong answer for each picture; another end
WOULD = {"gallery": name_eight_bugs.WOULD, "on-policy": diagnose_runs.WOULD}
LESSON = {"gallery": "06", "on-policy": "08"}
INCIDENT = {
    "gallery": """# Incident: the new student

A colleague has rewritten the soft term of the loss. The training finishes, no test fails, and the student is to go
out tonight. `runs.png` shows what was logged, beside a run of last week that was right. Half of the loss is the soft
term at T = 4, half is the labels; the teacher has dropout, and is asked in every step.

1. Would you stop the release? Decide in two minutes, before you know why.
2. What is wrong? Ask for cards: each answers one question. A card costs your team a minute.
3. Write down the line to change, and the one check that would have found it before training.
""",
    "on-policy": """# Incident: the student that is trained on its own words

Overnight a run went on from the warm start, on-policy, with the reverse divergence. Nothing crashed, and the loss is
finite. `runs.png` shows it beside the run that it should have been like. It is due for release.

1. Stop it, or let it go on? Decide in two minutes, from step 0 alone if you can.
2. What is wrong? Ask for cards: each answers one question. A card costs your team a minute.
3. Write down what to change, and what you would log, at which step, to see it before a night is spent.
""",
}
MEANING = {
    "copy": "the soft term, for a student that is a copy of the teacher",
    "again": "its change when the same batch is computed again",
    "alone": "its change when each picture is a batch of its own",
    "shift": "its change when 10 is added to all of the student's logits",
    "soft": "the soft term, its mean over the first epoch",
    "length": "tokens per word; the limit is 21",
    "entropy": "of the student's next token, in nats",
    "overlap": "how many of the teacher's five likeliest tokens are among the student's",
    "reward": "log p (teacher) − log q (student) of what was written, in nats",
}


def gallery_runs(bug, fast):
    """({run: what it logs}, {card: value for the bug, value for the right term}) of a bug of the gallery."""
    data = load("fashion-mnist")
    teacher = gallery.fit_teacher(data, examples=3_000 if fast else 10_000)
    stored = gallery.Misaligned(copy.deepcopy(teacher), data.train[: gallery.TRAINED].inputs)
    asked = {bug: stored if bug == "cache misaligned" else None, "right": None}
    terms = {bug: gallery.TERMS[bug], "right": gallery.right_term}
    epochs = 3 if fast else 8
    runs = {name: gallery.run(term, teacher, data, epochs=epochs, asked=asked[name]) for name, term in terms.items()}
    probes = {name: gallery.probe(term, teacher, data, asked=asked[name]) for name, term in terms.items()}
    cards = {probe: (probes[bug][probe], probes["right"][probe]) for probe in probes[bug]}
    return runs, cards | {"soft": (runs[bug]["soft"].iloc[0], runs["right"]["soft"].iloc[0])}


def on_policy_runs(bug, fast):
    """({run: what `lm.watch` sees}, {card: value at step 0 for the bug, for the healthy run})."""
    words = load("cmudict")
    student, teacher = lm.load_student(), lm.load_teacher()
    few = words.train[2_000 : 2_256 if fast else 3_280]
    letters, phonemes, _ = few.examples(first=True)
    watched = words.validation.letters[: 32 if fast else 64]
    runs = {
        name: failures.broken(name, student, teacher, letters, phonemes, watched=watched) for name in (bug, "healthy")
    }
    first = {name: table.iloc[0] for name, table in runs.items()}
    return runs, {
        name: (first[bug][name], first["healthy"][name]) for name in ("length", "entropy", "overlap", "reward")
    }


def make(kind, case, fast, out):
    """Write the materials of one case into a folder."""
    torch.manual_seed(0)
    bug = CASES[kind][case - 1]
    runs, cards = (gallery_runs if kind == "gallery" else on_policy_runs)(bug, fast)
    named = dict(zip(["tonight's", "as it should be"], runs.values(), strict=True))
    out.mkdir(parents=True, exist_ok=True)
    options = {"measures": gallery.MEASURES, "x": "epoch"} if kind == "gallery" else {}
    with mock.patch.object(sys.modules[plots.dashboard.__module__], "show") as show:  # it would only print the words
        plots.dashboard(named, title="What was logged", **options)
    figure, words = show.call_args.args
    figure.savefig(out / "runs.png", dpi=150, facecolor="white")
    (out / "runs.txt").write_text(words + "\n", encoding="utf-8")
    (out / "incident.md").write_text(INCIDENT[kind], encoding="utf-8")
    when = "before training" if kind == "gallery" else "at step 0"  # the soft term is the one that takes an epoch
    rows = [
        f"- **{name}**, {MEANING[name]}: {_short(a)}; as it should be: {_short(b)}" for name, (a, b) in cards.items()
    ]
    text = f"# Cards, {when} (for the instructor: cut them apart)\n\n" + "\n".join(rows) + "\n"
    (out / "cards.md").write_text(text, encoding="utf-8")
    print(f"The incident is in {out}: incident.md and runs.png for everybody, cards.md for you.")


def _short(value):
    return f"{round(float(value), 2) + 0.0:.2f}"  # + 0.0 makes a plain zero of -0.0


def debrief(kind, case):
    """What it was, how it shows, and where it happened."""
    bug = CASES[kind][case - 1]
    print(f"It was: {bug}.\n{WOULD[kind][bug]}")
    source = next((ROOT / "notebooks" / "source").glob(f"{LESSON[kind]}_*.py")).read_text(encoding="utf-8")
    where = re.search(rf"^# - {re.escape(bug)}: (.+)$", source, re.M)
    print(f"In public: {where[1]}" if where else f"In public: lesson {LESSON[kind]} has the links.")
    print("Ask: who stopped it in two minutes, and from what? Which card was worth its minute?")
    print("Which check would have found it before training, and where does it go on Monday?")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=CASES)
    parser.add_argument("--case", type=int, help="which bug, from 1")
    parser.add_argument("--debrief", action="store_true", help="say what it was")
    parser.add_argument("--fast", action="store_true", help="shorter runs; the tests use it")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    case = USUAL[arguments.kind] if arguments.case is None else arguments.case
    if not 1 <= case <= len(CASES[arguments.kind]):
        parser.error(f"argument --case: there are 1 to {len(CASES[arguments.kind])}, got {case}")
    if arguments.debrief:
        debrief(arguments.kind, case)
    else:
        make(arguments.kind, case, arguments.fast, arguments.out / arguments.kind)


if __name__ == "__main__":
    main()
