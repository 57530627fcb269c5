# %% [markdown]
# # 05 · Sliced evaluation
#
# **45 minutes** · needs [lesson 04](04_student_size.ipynb) · computes for a minute or two
#
# You will be able to
# - find the part of the data where a student fails while its average looks fine,
# - say how many examples it takes to be sure, and what asking many questions at once costs,
# - fix limits before an audit, and let it decide: go, or no go.

# %% tags=["parameters"]
FAST = False  # fewer pictures and epochs; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# **On its worst kind of garment, a student loses {{ size gap-is-not-uniform fashion-mnist slice=worst class is better }} points more to its teacher than on the other nine.** An average cannot show that.
# A *sliced* evaluation can: one comparison for each part of the data, with an interval, a limit and a verdict.
#
# ![A made-up test set in slices. For each: how many the teacher and the student get right, the gap with its interval, and a verdict against the limit of 5 points. All together pass, and so do bags; shirts are flagged, coats are on watch, dresses have too few examples.](pictures/audit.svg)
#
# ## Predict
#
# A shop packs by picture: clothes into a pouch, sandals and sneakers into a flat box, ankle boots into a tall one, bags into a carton. Its student was distilled in winter, when hardly anybody bought sandals.
#
# Summer comes. How many sandals must an audit see before you can rely on it to catch the fault?

# %%
my_guess = 20  # ours: change it to yours, in sandals

# %% [markdown]
# ## See: a defect whose size we know
#
# We plant the fault ourselves. Two students, with the same initial weights and as many pictures. Those of the *year* hold sandals like any other garment; those of the *winter* hold a handful.

# %%
from dataclasses import replace

from kdcourse import plots
from kdcourse.data import load

garments = load("fashion-mnist")
SIZE, FEW = (5_000, 15) if FAST else (20_000, 60)
sandal = garments.train.labels == garments.class_index("sandal")
early = ~sandal | (sandal.cumsum(0) <= FEW)
year, winter = garments.train[:SIZE], garments.train[early][:SIZE]

# %%
from kdcourse.sweep import grid, sweep
from kdcourse.train import cosine

OPTIONS = {"schedule": cosine, "predictions": True, "resume": False}
OPTIONS |= {"device": DEVICE, "epochs": 3 if FAST else 8}
settings = grid(width=64, temperature=4, lr=0.005)
logits = {"teacher": garments.test.teacher_logits.numpy()}
for name, pictures in {"year": year, "winter": winter}.items():
    shown = replace(garments, train=pictures)
    found = sweep(settings, shown, batch_size=250, **OPTIONS)
    logits[name] = found["test_logits"].iloc[0]

# %% [markdown]
# What counts is the right box. The shop's test set is of the winter, too: 1,000 pictures, one in fifty a sandal.

# %%
import numpy as np

BOX = np.array(["pouch"] * 5 + ["flat", "pouch", "flat", "carton", "tall"])
labels = garments.test.labels.numpy()
kind = np.array(garments.class_names)[labels]
packed = {name: BOX[said.argmax(1)] for name, said in logits.items()}
right = {name: boxes == BOX[labels] for name, boxes in packed.items()}
sandals, others = (np.flatnonzero(s) for s in (kind == "sandal", kind != "sandal"))
of_winter = np.r_[sandals[:20], others[:980]]
for name, ok in right.items():
    print(f"{name:>7}: {ok[of_winter].mean():.1%} in the right box")

# %% [markdown]
# On average the two students can hardly be told apart. Now the **gap**, teacher − student, garment by garment. The shop had decided beforehand what a slice may lose: **five points**.

# %%
from kdcourse.audit import audit

LIMIT = 0.05


def audit_of(rows):
    """The winter's student against its teacher, on some of the pictures."""
    said = (packed[name][rows] for name in ("teacher", "winter"))
    slices = {"garment": kind[rows]}
    judged = {"max_gap": LIMIT, "min_samples": 10}
    return audit(BOX[labels[rows]], *said, slices, **judged)


audit_of(of_winter).plot()

# %% [markdown]
# Three verdicts: *flag*, shown to lose more than the limit; *pass*, shown to lose less; and *watch*: these pictures cannot tell. A fourth, *too few*, is for slices below a minimum that you set.
#
# Sandals are on top, and twenty of them prove nothing. The truth, from all test pictures:

# %%
truth = audit_of(np.arange(len(labels)))
truth.plot()

# %% [markdown]
# The average still passes. The sandals do not, and nothing else is wrong. *Not shown to be bad* was never *shown to be good*.
#
# ## Build: the interval of a paired gap
#
# Teacher and student judge the **same** pictures. Call b the number that only the teacher gets right, c those that only the student does, of n. All others cancel.
#
# $$\text{gap} = \frac{b - c}{n}, \qquad s^2 \approx \frac{b + c}{n} - \text{gap}^2, \qquad \text{gap} \pm 1.96 \, \frac{s}{\sqrt n}$$
#
# **Exercise 1** · 10 minutes · medium. Write `paired_interval`. `teacher_right` and `student_right`, tensors `[N]`, say for the same examples whether each model is right. Return gap, low and high. For s, take the standard deviation of the N differences (each 1, 0 or −1), with N − 1.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def paired_interval(teacher_right, student_right):
    difference = ...  # your code here
    return ...


# %% tags=["solution"]
def paired_interval(teacher_right, student_right):
    difference = teacher_right.double() - student_right.double()
    half = 1.96 * difference.std() / len(difference) ** 0.5
    gap = difference.mean()
    return gap.item(), (gap - half).item(), (gap + half).item()


# %% tags=["nbval-check-output"]
from kdcourse import check

paired_interval = check.paired_interval(paired_interval).use()

# %% [markdown]
# How much of the sandals' gap is the winter's fault? The other student, its twin, tells: only its pictures differ.

# %%
import torch


def gap_on(rows, a="teacher", b="winter"):
    """(gap, low, high) between two models on some of the pictures."""
    return paired_interval(*(torch.tensor(right[m][rows]) for m in (a, b)))


for a, b in [("teacher", "winter"), ("teacher", "year"), ("year", "winter")]:
    gap, low, high = (100 * end for end in gap_on(sandals, a, b))
    print(f"sandals, {a} − {b}: {gap:+.1f} points [{low:+.1f}, {high:+.1f}]")

# %% [markdown]
# ## Measure: how many examples settle it?
#
# We know the truth, so we can grade the audit. Hundreds of audits at each size, on sandals drawn by lot, each judged by your interval:

# %%
import pandas as pd


def verdict(rows):
    _, low, high = gap_on(rows)
    return "flag" if low > LIMIT else "pass" if high < LIMIT else "watch"


AUDITS = 100 if FAST else 400
draw = np.random.default_rng(0)
rows = {}
for n in [10, 20, 50, 100, 200, 400]:
    said = [verdict(draw.choice(sandals, n)) for _ in range(AUDITS)]
    rows[n] = {v: said.count(v) / AUDITS for v in ("flag", "watch", "pass")}
found = pd.DataFrame.from_dict(rows, orient="index")

# %%
enough = found.index[found["flag"] >= 0.8]
print(f"You said {my_guess}; here it takes about {min(enough, default=400)}.")
plots.shares(
    found,
    title=f"With 20 sandals, {found.loc[20, 'flag']:.0%} of the audits catch "
    f"the fault; with 200, {found.loc[200, 'flag']:.0%}",
    xlabel="sandals in the audit",
    ylabel="audits",
)

# %% [markdown]
# With ten sandals, some audits even *pass* it: where teacher and student agree on all ten, s is zero, and so is the width. The package's interval is exact, and never that sure.
#
# Turned round, the formula says what you need, to decide in 80 % of audits: $n = \left( (1.96 + 0.84)\, s \,/\, (\text{gap} - \text{limit}) \right)^2$. The distance from the *limit* counts.

# %%
from kdcourse.paired import examples_needed

b = int((right["teacher"] & ~right["winter"])[sandals].sum())
c = int((right["winter"] & ~right["teacher"])[sandals].sum())
for limit in [0.0, 0.05, 0.10]:
    n = examples_needed(b, c, len(sandals), limit)
    print(f"limit {100 * limit:2.0f} points: {n:,} sandals")

# %% [markdown]
# ## Many slices, many alarms
#
# An audit asks many questions at once. Suppose every slice loses exactly what it may. How often is something flagged by chance?

# %%
for slices in [1, 10, 50]:
    print(f"{slices:2} slices: {1 - 0.975**slices:.0%} of audits")

# %% [markdown]
# So `audit` corrects, by Holm's method (1979), and its figures draw both intervals: thick, 95 % for that slice alone; thin, 95 % for all of them together. Ask only about slices that would change your decision: each one costs power.
#
# One caveat. "With a probability of at least 95 %, no verdict is wrong" holds for **independent** examples. Ten photos of one shoe are no ten examples, and ten copies of a mail are one:

# %%
from kdcourse.data.files import checked
from kdcourse.data.spam_assassin import read_mails

families = read_mails(checked("spam-assassin/mails.jsonl.xz"))["test"]["family"]
print(f"{len(families):,} test mails, {families.nunique()} families of them")

# %% [markdown]
# ## Real slices: garments and glosses
#
# No planted fault now. Students with 32 hidden units learn to name all ten garments from 5,000 pictures, one student per block. On *validation* we pick the class with the largest gap; on test, some class is always the worst, be it by luck.

# %%
from kdcourse.sweep import best_on_validation, sweep_blocks

BLOCKS = 3 if FAST else 10
BLOCK = {"examples": 1_000 if FAST else 5_000, "blocks": BLOCKS}
arm = grid(width=32, temperature=[2, 4], lr=0.01)
table = sweep_blocks(arm, garments, batch_size=128, **BLOCK, **OPTIONS)
soft = best_on_validation(table)


# %%
def lost(rows, split="test"):
    """[blocks, N]: 1 where only the teacher is right, −1 the student."""
    part = getattr(garments, split)
    truth, said = part.labels.numpy(), part.teacher_logits.argmax(1).numpy()
    own = np.stack([one.argmax(1) for one in rows[f"{split}_logits"]])
    return 1.0 * (said == truth) - (own == truth)


first = lost(soft, "validation").mean(0)
gaps = pd.Series(first).groupby(garments.validation.labels.numpy()).mean()
worst = garments.class_names[gaps.idxmax()]
print(f"worst on validation: {worst}")

# %% [markdown]
# In the full run the worst class loses {{ effect gap-is-not-uniform fashion-mnist slice=worst class is better }} more than the rest. Ours:

# %%
from kdcourse import claims
from kdcourse.stats import compare

gap = lost(soft)
inside = [gap[:, where].mean(1) for where in (kind == worst, kind != worst)]
uneven = compare(*inside)
claims.show(
    "gap-is-not-uniform",
    {"slice=worst class": uneven},
    title=uneven.say(
        better=f"On {worst}s, students lose more than on the rest",
        worse=f"On {worst}s, students lose less than on the rest",
        inconclusive=f"{worst}s or the rest: these blocks cannot tell",
    ),
    xlabel="gap on the worst class − gap on the rest",
    pairs={"slice=worst class": inside[0] - inside[1]},
)

# %% [markdown]
# It is not a quirk of pictures. Definitions of nouns, to be sorted into 26 classes (WordNet's glosses): the worst class loses {{ gain gap-is-not-uniform wordnet-glosses slice=worst class is better }} more than the rest, and the rarest third of the classes {{ gain rare-and-hard-lose-most wordnet-glosses slice=rarest third of classes is better }}.
#
# A single student, as its audit sees it: by class, and by how sure the *teacher* is, in quarters.

# %%
sure = garments.test.teacher_logits.softmax(1).amax(1).numpy()
quarter = pd.qcut(sure, 4, labels=["least sure", "2nd", "3rd", "surest"])
one = soft["test_logits"].iloc[0].argmax(1)
said = [logits["teacher"].argmax(1), one]
slices = {"class": kind, "teacher": np.asarray(quarter)}
audit(labels, *said, slices, max_gap=LIMIT).plot()

# %% [markdown]
# Where the teacher hesitates, the student loses most. That slice needs no label: in production, it can be routed.
#
# ## The long tail
#
# Real transfer sets are uneven. We thin each block until the commonest class keeps some five hundred pictures and the rarest five; every block has another rarest class. Against soft labels: plain labels, and labels **weighted** so that all classes count the same.

# %%
from kdcourse import controls


def tail(data, block):
    """Block k with a long tail that begins at class k."""
    return controls.long_tail(data, 5, first=block)


TAIL = {**OPTIONS, **BLOCK, "signal": tail, "epochs": 10 if FAST else 40}
hard = grid(width=32, soft_weight=0, lr=0.003, weight_decay=[0, 0.1])
weighted = grid(width=32, lr=0.003, weight_decay=[1, 3])
arms = {"soft labels": (grid(width=32, temperature=4, lr=0.01), {})}
arms |= {"labels": (hard, {})}
arms |= {"weighted labels": (weighted, {"loss_of": controls.weighted_labels})}
tailed = {
    name: best_on_validation(
        sweep_blocks(arm, garments, batch_size=64, **TAIL, **loss)
    )
    for name, (arm, loss) in arms.items()
}

# %%
rank = (labels - np.arange(BLOCKS)[:, None]) % 10  # 0 the commonest class
PARTS = {"4 commonest": range(4), "3 between": range(4, 7)}
PARTS |= {"3 rarest": range(7, 10)}


def recall(rows, ranks):
    """[blocks]: share right of the pictures in some of the classes."""
    own = np.stack([one.argmax(1) for one in rows["test_logits"]]) == labels
    return np.average(own, axis=1, weights=np.isin(rank, ranks))


found = {
    (part, arm): recall(rows, list(ranks))
    for part, ranks in PARTS.items()
    for arm, rows in tailed.items()
}

# %%
long = pd.DataFrame(found).melt(var_name=["classes", "arm"], value_name="recall")
gained = {}
for against in ["labels", "weighted labels"]:
    pair = found["3 rarest", "soft labels"], found["3 rarest", against]
    gained[f"slice=three rarest classes,against={against}"] = pair
measured = {name: compare(*pair) for name, pair in gained.items()}
plots.intervals(
    long,
    x="classes",
    y="recall",
    hue="arm",
    percent=True,
    title=next(iter(measured.values())).say(
        better="In the tail, soft labels beat plain labels",
        worse="In the tail, soft labels lose to plain labels",
        inconclusive="In the tail, soft labels or labels: cannot tell",
    ),
)

# %% [markdown]
# In the full run, soft labels lift the three rarest classes by {{ gain distillation-lifts-the-tail-over-hard-labels fashion-mnist slice=three rarest classes,against=labels is better }} over plain labels.
# Against *weighted* labels they lose {{ size distillation-lifts-the-tail-over-hard-labels fashion-mnist slice=three rarest classes,against=weighted labels is worse }} points, by an interval that only just leaves out zero. One line of weights does for the tail what the teacher does.

# %%
claims.show(
    "distillation-lifts-the-tail-over-hard-labels",
    measured,
    title="Soft labels against plain labels, and against weighted ones",
    xlabel="soft labels − the other, recall on the three rarest",
    pairs={name: a - b for name, (a, b) in gained.items()},
)

# %% [markdown]
# So audit against the teacher, which shows *what* is lost, and beside it a student of the same size on labels, which shows whether *distilling* lost it.
#
# ## Limits are a policy
#
# How much loss you accept is no question of statistics. Fix the limit in writing before you look, since one that is chosen afterwards can always be met. Let it depend on the harm. Weigh slices as production has them, not as your test set does. And give it a consequence: a no-go slice goes to the teacher.
#
# **Exercise 2** · 8 minutes · open-ended. Write `release`, before the next audit. For one slice: `low` and `high` of its gap, as shares and corrected, and `harm`: 1 annoys, 2 costs money, 3 hurts somebody. Return `"go"` or `"no-go"`. The limits are yours: for harm 1 from 3 to 10 points, for harm 3 at most 1, for harm 2 between. What is not shown to be safe does not go; what is, does.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def release(low, high, harm):
    limit = ...  # your code here
    return ...


# %% tags=["solution"]
def release(low, high, harm):
    limit = {1: 0.05, 2: 0.03, 3: 0.01}[harm]
    return "go" if high < limit else "no-go"


# %% tags=["nbval-check-output"]
release = check.release(release).use()

# %% [markdown]
# ## Go or no go: hard ham
#
# A spam filter with four hidden units. Its mail comes in groups; *hard ham* is real mail that looks like spam. Spam that slips through annoys (1); a real mail that is lost costs money (2).

# %%
mails = load("spam-assassin")
group = mails.test.about["group"].to_numpy()
settings = grid(width=4, temperature=10, lr=0.003)
seeds = range(2 if FAST else 8)
eight = pd.concat([settings.assign(init_seed=s, order_seed=s) for s in seeds])
filters = sweep(eight, mails, batch_size=128, **OPTIONS)

# %%
truth, said = mails.test.labels.numpy(), mails.test.teacher_logits.argmax(1)
own = np.stack([one.argmax(1) for one in filters["test_logits"]])
report = audit(
    truth, said, own[0], {"group": group}, max_gap=0.03, min_samples=50
)
decided = report.table[["level", "n", "gap"]].join(report.corrected)
decided["harm"] = [1 if "spam" in name else 2 for name in decided["level"]]
ends = decided[["low", "high", "harm"]].itertuples(index=False)
decided["decision"] = [release(*row) for row in ends]
decided.round(3)

# %% [markdown]
# The average gap of the mails is small, and still not every group may go. For a no-go group there are two ways out: more mails, or the teacher. Drag the limit: which groups stay undecided whatever you set?

# %%
from kdcourse.widgets import slices as explore

explore(report)

# %% [markdown]
# Is hard ham the slice that the average hides? Over eight such filters, all mail stays below a limit of three points, by {{ gain average-hides-slices spam-assassin slice=all mail,side=under is better }}. For hard ham the full run says {{ gain average-hides-slices spam-assassin slice=hard ham,side=over is inconclusive }} over the limit. With 95 mails nobody can tell. That is the finding: the slice we worry about most is the one we cannot judge.

# %%
LOST = 0.03
gap = 1.0 * (said.numpy() == truth) - (own == truth)
hard = gap[:, group == "hard-ham-1"]
claims.show(
    "average-hides-slices",
    {
        "slice=all mail,side=under": compare(LOST - gap, 0 * gap),
        "slice=hard ham,side=over": compare(hard - LOST, 0 * hard),
    },
    title="All mail is within the limit; hard ham is too little to judge",
    xlabel="limit − gap of all mail; gap of hard ham − limit",
)

# %% [markdown]
# ## Where it goes wrong
#
# **Find the bug.** A dashboard "in which every group counts". It looks at the winter's student, and sees nothing:


# %%
def over_the_groups(ok, groups):
    each = pd.Series(ok).groupby(groups).agg(["mean", "size"])
    return np.average(each["mean"], weights=each["size"])


ok, groups = right["winter"][of_winter], kind[of_winter]
print(f"over the groups: {over_the_groups(ok, groups):.1%}")
print(f"sandals alone:   {ok[groups == 'sandal'].mean():.1%}")

# %% [markdown]
# <details><summary><b>The bug</b></summary>
#
# Weighted by size, the mean of the groups *is* the mean of all examples. Report the groups, and alarm on the worst, with its interval. Buolamwini and Gebru (2018, abstract) found sold face classifiers wrong on up to 34.7 % of darker-skinned women, and on at most 0.8 % of lighter-skinned men.
# </details>
#
# **Find the bug, once more.** "At T = 4 our student is within the noise of the one at T = 2":


# %%
def better_by(second, first):
    p, q, n = first.mean(), second.mean(), len(first)
    half = 1.96 * np.sqrt((p * (1 - p) + q * (1 - q)) / n)
    return q - p, q - p - half, q - p + half


at_2, at_4 = (one.argmax(1) == labels for one in table["test_logits"][:2])
yours = paired_interval(torch.tensor(at_4), torch.tensor(at_2))
for name, ends in [("theirs", better_by(at_4, at_2)), ("paired", yours)]:
    print(name, "{:+.2%} [{:+.2%}, {:+.2%}]".format(*ends))

# %% [markdown]
# <details><summary><b>The bug</b></summary>
#
# It adds the variances of two accuracies, as if each student had had pictures of its own. Both were asked the same ones, and mostly fail on the same; what they share drops out of the difference. The comparison script of a widely used test bench for language models does this: [EleutherAI/lm-evaluation-harness, issue 3831](https://github.com/EleutherAI/lm-evaluation-harness/issues/3831).
# </details>
#
# ## On Monday
#
# - Write down your slices and a limit for each, before the next model is trained.
# - Count the examples in each slice. Where the formula asks for more, start collecting.
# - Audit a file of predictions, in the pipeline; exit status 1 means that a slice is flagged:
#
# ```
# kdcourse audit predictions.csv --label y --teacher teacher --student student --slice group --max-gap 0.03
# ```
#
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("05_sliced_evaluation")

# %% [markdown]
# ## Take away
#
# - An average weighs a slice by its size. Ask for the gap slice by slice, in pairs, with an interval and a limit.
# - *Not shown to be bad* is not *shown to be good*: know how many examples a slice needs.
# - Compare with the teacher and with a student of the same size on labels.
#
# All numbers: `kdcourse claims gap-is-not-uniform`, and likewise `rare-and-hard-lose-most`, `distillation-lifts-the-tail-over-hard-labels` and `average-hides-slices`.
#
# ## Read on
#
# - Hooker et al. (2019), *What Do Compressed Deep Neural Networks Forget?*, abstract: similar averages, different mistakes. [arXiv:1911.05248](https://arxiv.org/abs/1911.05248)
# - Lukasik et al. (2022), *Teacher's pet*, abstract: harm to subgroups, traced to the teacher's errors. [arXiv:2106.10494](https://arxiv.org/abs/2106.10494)
# - Menon et al. (2021), *Long-tail learning via logit adjustment*: what one line of weights can do. [arXiv:2007.07314](https://arxiv.org/abs/2007.07314)
# - Tango (1998), Statistics in Medicine 17, for the interval; Holm (1979), Scandinavian Journal of Statistics 6, for the correction
