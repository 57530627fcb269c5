# %% [markdown]
# # 05 · Sliced evaluation
#
# **45 minutes** · needs [lesson 04](04_student_size.ipynb) · computes for a minute or two
#
# You will be able to
# - find the part of the data where a student fails while its average looks fine,
# - say how many examples it takes to be sure, and what many questions at once cost,
# - fix limits before an audit, and let it decide: go, or no go.

# %% tags=["parameters"]
FAST = False  # fewer pictures and epochs; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# **On its worst kind of garment, a student falls {{ size gap-is-not-uniform fashion-mnist slice=worst_class is better }} points further behind its teacher than on the other nine.** No average shows that. A *sliced* evaluation does:
#
# ![A made-up test set in slices. For each: how many the teacher and the student get right, the gap with its interval, and a verdict against the limit of 5 points. All together pass, and so do bags; shirts are flagged, coats are on watch, dresses have too few examples.](pictures/audit.svg)

# %% [markdown]
# ## Predict
#
# A shop packs by picture: clothes into a pouch, sandals and sneakers into a flat box, ankle boots into a tall one, bags into a carton. Its student was distilled in winter, when hardly anybody bought sandals. Each garment may lose **five points** against the teacher, so the shop decided. Sandals lose several times as much.
#
# How many sandals must an audit see to catch the fault four times in five?

# %%
my_guess = 20  # ours: change it to yours, in sandals

# %% [markdown]
# ## See: a defect whose size we know
#
# We plant it ourselves. Two students, the same initial weights, as many pictures. In the *year* there are as many sandals as shirts, in the *winter* a few dozen.

# %%
from dataclasses import replace

from kdcourse import plots
from kdcourse.data import load

garments = load("fashion-mnist")
SIZE, FEW = (5_000, 15) if FAST else (20_000, 60)
sandal = garments.train.labels == garments.class_index("sandal")
early = ~sandal | (sandal.cumsum(0) <= FEW)  # only the first few sandals
shown = {"year": garments.train[:SIZE], "winter": garments.train[early][:SIZE]}

# %%
from kdcourse.sweep import grid, sweep
from kdcourse.train import cosine

OPTIONS = {"schedule": cosine, "predictions": True, "resume": False}
OPTIONS |= {"device": DEVICE, "epochs": 3 if FAST else 8}
settings = grid(width=64, temperature=4, lr=0.005)
logits = {"teacher": garments.test.teacher_logits.numpy()}
for name, pictures in shown.items():
    data = replace(garments, train=pictures)
    found = sweep(settings, data, batch_size=250, **OPTIONS)
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
sandals, others = np.where(kind == "sandal")[0], np.where(kind != "sandal")[0]
of_winter = np.r_[sandals[:20], others[:980]]
for name, ok in right.items():
    print(f"{name:>7}: {ok[of_winter].mean():.1%} in the right box")

# %% [markdown]
# By these averages, the winter's student looks fine. Now the **gap**, teacher − student, by garment, against the five points.

# %%
from kdcourse.audit import audit

LIMIT = 0.05


def audit_of(rows):
    """The winter's student against its teacher, on some of the pictures."""
    said = (packed[name][rows] for name in ("teacher", "winter"))
    judged = {"max_gap": LIMIT, "min_samples": 10}
    return audit(BOX[labels[rows]], *said, {"garment": kind[rows]}, **judged)


audit_of(of_winter).plot()

# %% [markdown]
# *Flag*: shown to lose more than the limit. *Alarm*: over the limit by its own interval, but not once all slices are allowed for. *Pass*: shown to lose less. *Watch*: undecided. *Too few*: below a minimum that you set.

# %% [markdown]
# The thin lines allow for ten questions at once; the explorer draws the thick ones. Drag the limit to ten points: what would a hundred pictures settle then, and what not?

# %%
from kdcourse.widgets import slices as explore

explore(audit_of(of_winter))

# %% [markdown]
# At five points, a hundred pictures settle no garment. And the sandals look perfect: on these twenty the student lost nothing, by luck. We shall count such luck. First, nearest to the truth, all test pictures:

# %%
audit_of(np.arange(len(labels))).plot()

# %% [markdown]
# Read the last line, then the first: an average within its limit, a slice far beyond it. The shop's audit warns: *not shown to be bad* is not *shown to be good*.

# %% [markdown]
# ## Build: the interval of a paired gap
#
# Teacher and student judge the **same** pictures. Of n, only the teacher gets b right, only the student c; all others cancel.
#
# $$\text{gap} = \frac{b - c}{n}, \qquad s^2 \approx \frac{b + c}{n} - \text{gap}^2, \qquad \text{gap} \pm 1.96 \, \frac{s}{\sqrt n}$$

# %% [markdown]
# **Exercise 1** · 10 minutes · medium. Write `paired_interval`. `teacher_right` and `student_right`, tensors `[N]`, say for the same examples whether each model is right. Return gap, low, high. s is the standard deviation of the N differences (1, 0 or −1 each), with N − 1.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def paired_interval(teacher_right, student_right):
    gap = ...  # your code here
    return gap, ..., ...


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
# Most of the sandals' gap is the winter's fault: its twin loses far less. We trained one student of each kind, so these intervals cover the luck of which sandals were tested, not the luck of training.

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
# We know the truth, so we can grade audits: hundreds at each size, on sandals drawn by lot, judged by that interval.

# %%
import pandas as pd


def verdict(rows):
    _, low, high = gap_on(rows)
    return "flag" if low > LIMIT else "pass" if high < LIMIT else "watch"


AUDITS, draw = 100 if FAST else 400, np.random.default_rng(0)
shares = {}
for n in [10, 20, 50, 100, 200, 400]:
    said = [verdict(draw.choice(sandals, n)) for _ in range(AUDITS)]
    shares[n] = {v: said.count(v) / AUDITS for v in ("flag", "watch", "pass")}

# %%
found = pd.DataFrame.from_dict(shares, orient="index")
enough = min(found.index[found["flag"] >= 0.8], default=400)
print(f"You said {my_guess}. To catch it four times in five: {enough}.")
plots.shares(
    found,
    title=f"Audits that catch the fault: {found.loc[20, 'flag']:.0%} with 20 "
    f"sandals, {found.loc[200, 'flag']:.0%} with 200",
    xlabel="sandals in the audit",
    ylabel="audits",
)

# %% [markdown]
# Some small audits even *pass* it: where the models agree on every sandal, s is zero, and so is the width. That was the luck of the shop's twenty.

# %% [markdown]
# `audit` uses an exact test on Tango's (1998) score, so the sandals' interval stayed wide in the shop's audit.

# %% [markdown]
# Solved for n, the formula says how many examples settle four audits in five (hence the 0.84). What counts is the distance from the *limit*:
#
# $$n = \left( \frac{(1.96 + 0.84)\, s}{\text{gap} - \text{limit}} \right)^2$$

# %%
gap, _, high = gap_on(sandals)
s = (high - gap) * len(sandals) ** 0.5 / 1.96  # from the interval, backwards
for limit in [0.0, 0.05, 0.10]:
    n = ((1.96 + 0.84) * s / (gap - limit)) ** 2
    print(f"limit {100 * limit:2.0f} points: {n:,.0f} sandals")

# %% [markdown]
# ## Many slices, many alarms
#
# Suppose that every slice loses exactly what it may. Its 95 % interval still lies too high once in forty times. How often is any slice flagged?

# %%
for slices in [1, 10, 50]:
    print(
        f"slices: {slices:2}, false flags in {1 - 0.975**slices:.1%} of audits"
    )

# %% [markdown]
# So `audit` corrects (Holm 1979), and draws two intervals: thick, 95 % for one slice; thin, 95 % for all together.

# %% [markdown]
# Each slice costs power: for ten at once, 1.96 becomes about 2.8, and n grows 1.7-fold. So the shop's audit needs 1.7 times as many sandals. Ask only what would change a decision.

# %% [markdown]
# The correction promises that, with a probability of at least 95 %, no verdict is wrong. It keeps that promise for **independent** examples only. Ten copies of a mail are one example.

# %%
from kdcourse.data.files import checked
from kdcourse.data.spam_assassin import read_mails

mails = read_mails(checked("spam-assassin/mails.jsonl.xz"))["test"]
families = mails["family"].nunique()
print(f"{len(mails):,} test mails, in {families} families of near copies")

# %% [markdown]
# ## Real slices: garments and glosses
#
# No planted fault now. Students with 32 hidden units name garments; each learns from its own 5,000 pictures. The worst class is picked on *validation*: on test, one is always the worst, be it by luck.

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


mean = pd.Series(lost(soft, "validation").mean(0))
gaps = mean.groupby(garments.validation.labels.numpy()).mean()
worst = garments.class_names[gaps.idxmax()]
print(f"worst on validation: {worst}")

# %% [markdown]
# In the full run, the worst class loses {{ effect gap-is-not-uniform fashion-mnist slice=worst_class is better }} more than the rest.

# %% [markdown]
# The full run trains longer and tunes more; its bar allows for other test pictures, too.

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
        better=f"Students lose more on one class ({worst}) than on the rest",
        worse=f"Students lose less on one class ({worst}) than on the rest",
        inconclusive=f"{worst} or the rest: these blocks cannot tell",
    ),
    xlabel="gap on the worst class − gap on the rest",
    pairs={"slice=worst class": inside[0] - inside[1]},
)

# %% [markdown]
# Not on pictures only. Definitions of nouns, sorted into 24 classes (WordNet's glosses): the worst class loses {{ gain gap-is-not-uniform wordnet-glosses slice=worst_class is better }} more than the rest, the rarest third {{ gain rare-and-hard-lose-most wordnet-glosses slice=rarest_third_of_classes is better }}.

# %% [markdown]
# The worst class was picked on validation, so it need not be the worst on test.

# %% [markdown]
# One student, as its audit sees it: by class, and by how sure the *teacher* is, in quarters.

# %%
sure = garments.test.teacher_logits.softmax(1).amax(1).numpy()
quarter = pd.qcut(sure, 4, labels=["least sure", "2nd", "3rd", "surest"])
slices = {"class": kind, "teacher": np.asarray(quarter)}
said = [logits["teacher"].argmax(1), soft["test_logits"].iloc[0].argmax(1)]
audit(labels, *said, slices, max_gap=LIMIT).plot()

# %% [markdown]
# This student fails on average, too; its slices say where it fails most. The less sure the teacher, the larger the gap. In the full run the least sure quarter loses {{ gain rare-and-hard-lose-most fashion-mnist slice=least_sure_quarter is better }} more than the rest.

# %% [markdown]
# ## The long tail
#
# Real transfer sets are uneven. We thin ours until the commonest class has some five hundred pictures and the rarest five; each block has another rarest.

# %% [markdown]
# Soft labels compete with plain labels, and with labels **weighted** so that all classes count the same. *Recall*: the share of a class that is named right.

# %%
from kdcourse import controls


def tail(data, block):
    """Block k with a long tail that begins at class k."""
    return controls.long_tail(data, 5, first=block)


TAIL = {**OPTIONS, **BLOCK, "signal": tail, "batch_size": 64}
TAIL |= {"epochs": 10 if FAST else 40}
soft_arm = grid(width=32, temperature=4, lr=0.01)
hard_arm = grid(width=32, soft_weight=0, lr=0.003, weight_decay=[0, 0.1])
both = sweep_blocks(pd.concat([soft_arm, hard_arm]), garments, **TAIL)
tailed = {"soft labels": both[both["soft_weight"] == 1]}
tailed |= {"labels": both[both["soft_weight"] == 0]}

# %%
heavy = grid(width=32, lr=0.003, weight_decay=[1, 3])
by_class = {"loss_of": controls.weighted_labels}
weighted = sweep_blocks(heavy, garments, **by_class, **TAIL)
tailed |= {"weighted labels": weighted}

# %%
rank = (labels - np.arange(BLOCKS)[:, None]) % 10  # 0: the commonest class
PARTS = {"4 commonest": [0, 3], "3 between": [4, 6], "3 rarest": [7, 9]}
rows = {}
for arm, table_of in tailed.items():
    best = best_on_validation(table_of)["test_logits"]
    own = np.stack([one.argmax(1) for one in best]) == labels
    for part, (low, high) in PARTS.items():
        among = (rank >= low) & (rank <= high)
        rows[part, arm] = np.average(own, axis=1, weights=among)
recall = pd.DataFrame(rows).melt(var_name=["classes", "arm"])

# %%
gains = {
    arm: rows["3 rarest", "soft labels"] - rows["3 rarest", arm]
    for arm in ("labels", "weighted labels")
}
against = {arm: compare(gain, 0 * gain) for arm, gain in gains.items()}
plots.intervals(
    recall,
    x="classes",
    y="value",
    hue="arm",
    ylabel="recall",
    percent=True,
    title=against["labels"].say(
        better="In the tail, soft labels beat plain labels",
        worse="In the tail, soft labels lose to plain labels",
        inconclusive="In the tail, soft labels or plain ones: cannot tell",
    ),
)

# %% [markdown]
# In the full run, soft labels lift the three rarest classes by {{ gain distillation-lifts-the-tail-over-hard-labels fashion-mnist slice=three_rarest_classes,against=labels,metric=recall is better }} over plain labels. Against weighted ones it is {{ gain distillation-lifts-the-tail-over-hard-labels fashion-mnist slice=three_rarest_classes,against=weighted_labels,metric=recall is worse }}. That interval barely leaves out zero, and a bootstrap interval from the same pairs includes it.

# %% [markdown]
# Your run above repeats the winners of the full run, on its blocks: a check, no new evidence. So weights, with a stronger weight decay, do at least about as much for the tail as the teacher, and the commonest classes seem to pay for it. Weighted *soft* labels are not measured.

# %%
part = "slice=three rarest classes,against={},metric=recall".format
claims.show(
    "distillation-lifts-the-tail-over-hard-labels",
    {part(arm): found for arm, found in against.items()},
    title=against["weighted labels"].say(
        better="Soft labels beat weighted labels in the tail, too",
        worse="Here, weighted labels beat soft ones in the tail",
        inconclusive="Soft or weighted labels in the tail: cannot tell",
    ),
    xlabel="soft labels − the other, recall on the three rarest",
    pairs={part(arm): gain for arm, gain in gains.items()},
    labels={part(arm): f"against {arm}" for arm in gains},
)

# %% [markdown]
# So audit against the teacher, which shows *what* is lost, and beside it a student of the same size on labels, which shows whether *distilling* lost it.

# %% [markdown]
# ## Limits are a policy
#
# How much loss you accept is no question of statistics. Fix the limit in writing before you look: one that is chosen afterwards can always be met. Let it follow the harm.

# %% [markdown]
# Give it a consequence: send a no-go slice to the teacher, provided you can recognise it without its label. And weigh slices as production has them.

# %% [markdown]
# **Exercise 2** · 6 minutes · open-ended. Write `release`, before the next audit. `low` and `high` enclose the gap of one slice, as shares; `harm` is 1 (annoys), 2 (costs money) or 3 (hurts somebody). Return `"go"` for what is shown to be safe, else `"no-go"`. The limits are yours: 3 to 10 points for harm 1, at most 1 for harm 3, between them for 2.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def release(low, high, harm):
    limits = {1: ..., 2: ..., 3: ...}  # your code here
    return limits[harm]


# %% tags=["solution"]
def release(low, high, harm):
    limit = {1: 0.05, 2: 0.03, 3: 0.01}[harm]
    return "go" if high < limit else "no-go"


# %% tags=["nbval-check-output"]
release = check.release(release).use()

# %% [markdown]
# ## Go or no go: one page
#
# A spam filter with four hidden units. *Ham* is mail that one wants; *hard ham* looks like spam. Spam that slips through annoys (harm 1), a lost mail costs money (2). The limits are written down first, in the form that the command reads from a file:

# %%
import tomllib

POLICY = """
require = "pass"      # an undecided slice holds the release back, too
min_samples = 50
max_gap = 0.05        # spam that slips through annoys

[thresholds]          # a lost mail costs money
"group=easy-ham-1" = 0.03
"group=easy-ham-2" = 0.03
"group=hard-ham-1" = 0.03
"""
policy = tomllib.loads(POLICY)

# %%
mails = load("spam-assassin")
one = grid(width=4, temperature=10, lr=0.003)
found = sweep(one, mails, batch_size=128, **OPTIONS)
truth, group = mails.test.labels.numpy(), mails.test.about["group"]
said = mails.test.teacher_logits.argmax(1).numpy()
sure, own = torch.tensor(found["test_logits"].iloc[0]).softmax(1).max(1)
report = audit(truth, said, own.numpy(), {"group": group}, **policy)
print(*str(report).splitlines()[-2:], sep="\n")  # all of it: report

# %% [markdown]
# Now your own `release`, on the thin lines. They are a little stricter than Holm's verdicts, so a slice that the audit passes may be a no-go here (and sneakers passed above, although their thin line crosses the limit):

# %%
decided = report.table[["level", "n", "teacher", "gap"]].join(report.corrected)
decided["harm"] = [1 if "spam" in name else 2 for name in decided["level"]]
ends = decided[["low", "high", "harm"]].itertuples(index=False)
decided["decision"] = [release(*row) for row in ends]
decided.round(4)

# %% [markdown]
# No group is shown to be bad: the audit finds each no-go *undecided*, or passes it by a hair. There are two ways out: more mails, or the teacher.

# %% [markdown]
# But what arrives is not marked as hard ham, so send on what the *student* is unsure of. That is the **fallback**, and it costs:

# %%
from kdcourse.models import mlp
from kdcourse.ship import latency

SURE, TEACHER, STUDENT, UPKEEP = 0.9, 0.10, 0.01, 200  # put in yours
fallback = (sure < SURE).double().mean().item()
filters = {"student": mlp([mails.test.inputs.shape[1], 4, 2], seed=0)}
times = latency(filters, mails.test.inputs[:256], progress=False)
per_1000 = STUDENT + fallback * TEACHER
sheet = {
    "exit status of the audit": report.status,
    "share that falls back to the teacher": round(fallback, 3),
    "cost of 1,000 mails": round(per_1000, 4),
    "the same with the teacher": TEACHER,
    "million mails that pay for a month's retraining": round(
        UPKEEP / (TEACHER - per_1000) / 1000, 1
    ),
    "p99 of the student, milliseconds": round(times["p99_ms"]["student"], 3),
    "signed": "your name, the date",
}
pd.Series(sheet)

# %% [markdown]
# **Go, or no go?** Write one sentence and sign it. Near copies count as separate mails here, so a *go* is less sure than it looks; and a small gap to a poor teacher is no comfort.

# %% [markdown]
# That was one filter. Eight such filters of the full run, trained longer, lose {{ b average-hides-slices spam-assassin slice=all_mail,side=under is better }} points on all mail, shown to be within a limit of three.

# %% [markdown]
# On hard ham they lose {{ a average-hides-slices spam-assassin slice=hard_ham,side=over is inconclusive }} points; minus the limit, {{ gain average-hides-slices spam-assassin slice=hard_ham,side=over is inconclusive }}: the true loss may lie on either side of it. The slice that worries us most is the one that we cannot judge.

# %% [markdown]
# ## Where it goes wrong
#
# **Find the bug.** "Our students at T = 2 and T = 4 differ by less than the noise":


# %%
def difference(first, second):
    p, q, n = first.mean(), second.mean(), len(first)
    half = 1.96 * np.sqrt((p * (1 - p) + q * (1 - q)) / n)
    return p - q, p - q - half, p - q + half


at_2, at_4 = (one.argmax(1) == labels for one in table["test_logits"][:2])
paired = paired_interval(torch.tensor(at_2), torch.tensor(at_4))
for name, ends in [("theirs", difference(at_2, at_4)), ("paired", paired)]:
    gap, low, high = 100 * np.array(ends)
    print(f"{name}: {gap:+.2f} points [{low:+.2f}, {high:+.2f}]")

# %% [markdown]
# <details><summary><b>The bug</b></summary>
#
# It adds two variances, as if each student had had pictures of its own. Both saw the same ones, and mostly fail on the same, which drops out of a difference. The paired interval shows that *these two* students differ. To credit the temperature, you need more trainings. In public: [EleutherAI/lm-evaluation-harness, issue 3831](https://github.com/EleutherAI/lm-evaluation-harness/issues/3831).
# </details>

# %% [markdown]
# ## On Monday
#
# - Write down your slices, and a limit for each, before the next model is trained.
# - Count the examples in each. Where the formula asks for more, start collecting.
# - Audit a file of predictions in the pipeline. Exit status 1 means that a slice is flagged; with `--require-pass`, 3 that one is undecided. A file for `--thresholds` gives each slice its own limit.
#
# ```
# kdcourse audit predictions.csv --label y --teacher teacher --student student --slice group --max-gap 0.03 --min-samples 50 --require-pass
# ```

# %% [markdown]
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("05_sliced_evaluation")

# %% [markdown]
# ## Take away
#
# - An average weighs a slice by its size. Ask for the gap slice by slice, in pairs, with an interval and a limit.
# - *Not shown to be bad* is not *shown to be good*: know how many examples a slice needs.
# - Compare with the teacher, and with a student of the same size on labels.
#
# The full runs: `kdcourse claims NAME`, for the names that stand above.

# %% [markdown]
# ## Read on
#
# - Hooker et al. (2019), *What Do Compressed Deep Neural Networks Forget?*, abstract. [arXiv:1911.05248](https://arxiv.org/abs/1911.05248)
# - Lukasik et al. (2022), *Teacher's pet*, abstract: harm to subgroups, traced to the teacher's errors. [arXiv:2106.10494](https://arxiv.org/abs/2106.10494)
# - Tango (1998), Statistics in Medicine 17, for the interval; Holm (1979), Scandinavian Journal of Statistics 6, for the correction
