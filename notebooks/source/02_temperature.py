# %% [markdown]
# # 02 · Temperature
#
# **45 minutes** · needs [lesson 01](01_soft_labels.ipynb) · computes for about a minute
#
# You will be able to
# - say what a temperature does to the *direction* of the gradient, and what T² does to its size,
# - choose a temperature for *your* student and *your* data, on validation,
# - find the two temperature bugs that keep turning up in public code.
#
# **The best temperature is not a number to copy.** It falls as data grow and rises with the student. In a small student, T = 4 gains over T = 1
# {{ effect best-temperature-moves fashion-mnist examples=500:5000,width=32 is better }} more with 500 pictures than with 5,000.
#
# ![The softmax of four logits at three temperatures: flatter as T rises, the order unchanged](pictures/temperature.svg)

# %% tags=["parameters"]
FAST = False  # fewer pictures and repetitions; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## Predict
#
# Tutorials say: take a temperature from 4 to 10. How many points of accuracy does T = 4 gain over T = 1, in a student with 32 hidden
# units and in one with 256?

# %%
my_guesses = {  # ours: change them to yours, in points
    (500, 32): 1.0,
    (500, 256): 1.0,
    (5_000, 32): 1.0,
    (5_000, 256): 1.0,
}  # pictures to learn from, hidden units

# %% [markdown]
# ## See: the pull that changes its mind
#
# We need a student that still has something to learn. This one has seen 5,000 pictures, once.

# %%
import torch

from kdcourse import losses, plots
from kdcourse.data import load
from kdcourse.losses import soften
from kdcourse.models import mlp
from kdcourse.train import teacher_logits as logits_of
from kdcourse.train import train

garments = load("fashion-mnist")
validation, test = garments.validation, garments.test
some = garments.subset(5_000).train
novice = mlp([784, 64, 10], seed=0)
once = {"epochs": 1, "device": DEVICE, "progress": False}
train(novice, some.inputs, some.labels, **once)

# %% [markdown]
# Call the student's logits z and the teacher's v. The **pull** of the soft loss on a logit is its gradient there, and you will see below that it is
# T · (q − p): the student's probability minus the teacher's, both at T. Positive pulls lower a logit, negative ones raise it.

# %%
z = logits_of(novice, validation.inputs).double()
v = validation.teacher_logits.double()


def pull(T):
    return T * (soften(z, T) - soften(v, T))


changed = (pull(1) * pull(10) < 0).double().mean()
print(f"The sign differs at T = 1 and T = 10 for {changed:.0%} of all pulls")

# %% [markdown]
# Same student, same teacher, same picture, and yet the two losses ask for opposite things. Here is the picture on which they differ most.

# %%
both_ways = torch.minimum(pull(1), -pull(10))  # lowered at 1, raised at 10
k, c = divmod(int(both_ways.argmax()), 10)
plots.pulls(
    garments,
    k,
    {T: pull(T)[k] for T in (1, 4, 10)},
    marked=c,
    title=f"T = 1 lowers the {garments.class_names[c]} logit; "
    "T = 10 raises it",
)
for T in (1, 10):
    student, teacher = soften(z, T)[k, c], soften(v, T)[k, c]
    print(f"T = {T:2}: student {student:.2f}, teacher {teacher:.2f}")

# %% [markdown]
# At T = 1 *shares* are compared: the student gives this class far too much. At T = 10 it is the *heights of the logits*: the teacher's logit
# stands further above its mean than the student's, so up it goes.
#
# Drag T, and find where a bar crosses zero. Then take the T² away.

# %%
from kdcourse.widgets import blended_loss as explorer

explorer(garments, z, examples=[k, *range(19)], soft_weight=1.0)

# %% [markdown]
# ## Derive: what is left at very high T
#
# By the chain rule, the gradient of KL(p ‖ q) with respect to a logit is (q − p)/T, since the softmax sees z/T. T² makes it T · (q − p).
# By hand, against autograd:

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(0)
few_z, few_v = 3 * torch.randn(2, 5, 10, generator=generator).double()
few_z.requires_grad_()
for T in [1, 4, 20]:
    loss = losses.kd_loss(few_z, few_v, T, reduction="none").sum()
    (by_autograd,) = torch.autograd.grad(loss, few_z)
    by_hand = T * (soften(few_z, T) - soften(few_v, T))
    same = torch.allclose(by_autograd, by_hand, atol=1e-12)
    print(f"T = {T:2}: equal to 12 decimals? {same}")

# %% [markdown]
# For T large against the logits, a softened probability is $\frac1C (1 + \frac{z_c - \bar z}{T})$, with $\bar z$ the mean of the C logits. Put it
# in, and T cancels (Hinton, Vinyals and Dean 2015, section 2.1):
#
# $$T \, (q_c - p_c) \; \longrightarrow \; \frac{(z_c - \bar z) - (v_c - \bar v)}{C}$$
#
# So T² keeps the gradient from vanishing, and at very high T the student *matches logits*. Buciluă et al. (2006) and Ba and Caruana (2014)
# trained students that way.
#
# **Exercise 1** · 7 minutes · medium. Write the loss that has this gradient: one value per example, the classes on axis 1. Your function will train students.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def limit_loss(student_logits, teacher_logits, labels):
    return ...  # your code here; the labels are not needed


# %% tags=["solution"]
def limit_loss(student_logits, teacher_logits, labels):
    gap = student_logits - teacher_logits
    gap = gap - gap.mean(1, keepdim=True)
    return gap.square().mean(1) / 2


# %% tags=["nbval-check-output"]
from kdcourse import check

limit_loss = check.limit_loss(limit_loss).use()

# %% [markdown]
# ## Measure: does T² keep the size?
#
# T² is there so that gradients stay about as large when T changes (Hinton et al. 2015, section 2). In the limit they do. At the temperatures that
# people use? Several novices:

# %%
import pandas as pd

rows = []
for seed in range(3 if FAST else 8):
    student = mlp([784, 64, 10], seed)
    train(student, some.inputs, some.labels, order_seed=seed, **once)
    z = logits_of(student, validation.inputs).double()
    at_1 = pull(1).norm(dim=1).mean().item()
    for T in [1, 2, 4, 10, 20]:
        size = pull(T).norm(dim=1).mean().item() / at_1
        rows += [(seed, T, "with T²", size), (seed, T, "without", size / T**2)]
sizes = pd.DataFrame(rows, columns=["seed", "T", "loss", "size"])

# %%
grown = sizes[(sizes["T"] == 4) & (sizes["loss"] == "with T²")]["size"].mean()
plots.curves(
    sizes,
    x="T",
    y="size",
    hue="loss",
    xlabel="temperature",
    ylabel="size of the gradient, T = 1 being 1",
    title=f"Even with T², the gradient at T = 4 is {grown:.1f} times as large",
    log_y=True,
)

# %% [markdown]
# In the full run it is {{ ratio t-squared-keeps-gradients fashion-mnist temperature=4:1,metric=gradient_norm is better }} times as large at T = 4 as at T = 1, and it
# shrinks again from there to T = 20. T² does its work where T is large against the logits; T = 4 is not there yet.
#
# ## Measure: which temperature teaches best?
#
# Each repetition is a **block**: pictures of its own, initial weights and batches of its own. Within a block all temperatures share these, so they
# are pairs. `grid` lists the settings, and `sweep_blocks` trains a student for each of them on every block. T = ∞ is `limit_loss`.

# %%
import math

from kdcourse.sweep import gain_over, grid, sweep_blocks
from kdcourse.train import cosine

same = {"schedule": cosine, "device": DEVICE, "resume": False}
plans = {  # resume=False: nothing is taken from an earlier run
    500: {"blocks": 16, "epochs": 25, "batch_size": 64},
    5_000: {"blocks": 10, "epochs": 8, "batch_size": 128},
}
for n, plan in plans.items():
    plan |= {"examples": n, **same}
    plan |= {"blocks": 2, "epochs": 4} if FAST else {}

# %%
finite = grid(width=[32, 256], temperature=[1, 2, 4, 10], lr=0.01)
infinite = grid(width=[32, 256], lr=0.01)
tables = []
for plan in plans.values():
    tables.append(sweep_blocks(finite, garments, **plan))
    at_limit = sweep_blocks(infinite, garments, loss=limit_loss, **plan)
    tables.append(at_limit.assign(temperature=math.inf))
students = pd.concat(tables, ignore_index=True)
students["gain"] = 100 * gain_over(students, temperature=1)

# %% [markdown]
# The temperature is chosen on **validation**, one for each size of student and of data: the ring. What it gains is read on test.

# %%
from kdcourse.sweep import best_on_validation

cases = students.groupby(["examples", "width"])
best = {
    case: best_on_validation(rows)["temperature"].iloc[0]
    for case, rows in cases
}
few, many = (
    " and ".join(dict.fromkeys(f"{best[n, w]:g}" for w in (32, 256)))
    for n in plans
)
plots.panels(
    students,
    x="temperature",
    y="gain",
    hue="width",
    panel="examples",
    marked=best,
    hue_name="{} hidden units",
    panel_name="{:,} pictures",
    ylabel="gain over T = 1 on test (points)",
    title=f"The best T is {few} with 500 pictures and {many} with 5,000",
)

# %% [markdown]
# Few pictures have to say more each, and at high T they do. Many say enough, and a small student cannot follow all that a high T asks of it; that is the usual
# explanation. In the full run, with 5,000 pictures, T = 4 gains {{ gain best-temperature-moves fashion-mnist width=256:32,examples=5000 is better }} more over T = 1 in the
# large student than in the small one. And your guesses?

# %%
from kdcourse.stats import compare

at_4 = students[students["temperature"] == 4].groupby(["examples", "width"])
for case, rows in at_4:
    found = compare(rows["gain"], 0 * rows["gain"])
    verdict = found.say(
        better="T = 4 wins",
        worse="T = 1 wins",
        inconclusive="no winner in these runs",
    )
    print(
        f"{case[0]:5,} pictures, {case[1]:3} units: "
        f"guess {my_guesses[case]:+.1f}, measured {found.mean:+.1f} "
        f"[{found.low:+.1f}, {found.high:+.1f}], {verdict}"
    )

# %% [markdown]
# Hinton et al. (2015, section 3) saw the same: with 300 or more units in each hidden layer, all temperatures above 8 did about as well; with 30 units,
# 2.5 to 4 did better than anything higher or lower.
#
# So is "4 to 10" good advice? The best of 4 and 10 against the best of the others, both chosen on validation. Half a point is too little to matter.

# %%
from kdcourse import claims

measured = {}
for (n, width), rows in cases:
    inside = rows["temperature"].isin([4, 10])
    a, b = best_on_validation(rows[inside]), best_on_validation(rows[~inside])
    measured[f"width={width},examples={n}"] = compare(
        a["test_accuracy"], b["test_accuracy"], margin=0.005
    )
lost = sum(found.mean < -0.005 for found in measured.values())
claims.show(
    "t-4-to-10",
    measured,
    title=f"4 to 10 costs more than half a point in {lost} of four cases",
    xlabel="best of 4 and 10 − best of the others",
)

# %% [markdown]
# The full run tunes learning rate and weight decay for each arm. Then 4 to 10 gives away at most half a point in three of the cases; the small student with 5,000
# pictures, {{ gain t-4-to-10 fashion-mnist width=32,examples=5000 }}, stays open. On flights T hardly matters:
# {{ gain t-4-to-10 flights width=128,examples=5000,metric=AUROC is equivalent }} of AUROC.
#
# ## Build: is it only a larger step?
#
# A colleague objects: "At T = 4 the gradient is several times larger. Your gain is a larger step in disguise." Design the control that can prove
# you wrong.
#
# **Exercise 2** · 8 minutes · hard, many answers are right. Write a loss whose gradient *points* where that of T = 1 points, in every example, and is as *large*, on
# average over the batch, as that of T = 4. `losses.soft_per_example(z, v, 1)` is the loss at T = 1, one value per example. Classes are on axis 1, examples on
# the last axis.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def louder_loss(student_logits, teacher_logits, labels):
    factor = ...  # your code here
    return factor * losses.soft_per_example(student_logits, teacher_logits, 1)


# %% tags=["solution"]
def louder_loss(student_logits, teacher_logits, labels):
    def size(T):
        q = (student_logits / T).softmax(1)
        p = (teacher_logits / T).softmax(1)
        return (T * (q - p)).norm(dim=1).mean(-1, keepdim=True)

    factor = (size(4) / size(1)).detach()  # its own gradient would bend it
    return factor * losses.soft_per_example(student_logits, teacher_logits, 1)


# %% tags=["nbval-check-output"]
louder_loss = check.louder_loss(louder_loss).use()

# %% [markdown]
# It trains large students on the same blocks of 500 pictures. If the objection holds, the control gains as much as T = 4.

# %%
louder = sweep_blocks(
    grid(width=256, lr=0.01), garments, loss=louder_loss, **plans[500]
)
large = cases.get_group((500, 256)).sort_values("block")
right = {
    T: 100 * large[large["temperature"] == T]["test_accuracy"].to_numpy()
    for T in (1, 4)
}
right["louder"] = 100 * louder.sort_values("block")["test_accuracy"].to_numpy()
gains = {
    "T = 4": right[4] - right[1],
    "T = 1, as large as T = 4": right["louder"] - right[1],
    "direction alone: the difference": right[4] - right["louder"],
}
found = {name: compare(one, 0 * one) for name, one in gains.items()}
size, turn = (found[name].mean for name in list(gains)[1:])
plots.differences(
    found,
    title=f"Size explains {size:.1f} points of the gain, direction {turn:.1f}",
    xlabel="gain on test (points)",
    pairs=gains,
)

# %% [markdown]
# The size explains a part, and the direction the rest: T = 4 teaches something that no larger step does. A *constant* factor would have done nothing, since AdamW divides by the size of
# the gradient; this one grows as the student becomes sure.
#
# ## Where it goes wrong: two bugs, one loss
#
# From a code review. Meant are temperature 10, nine parts soft, one part hard. It runs, and the loss goes down.


# %%
def reviewed_loss(student_logits, teacher_logits, labels, T=10):
    soft = torch.nn.functional.kl_div(
        student_logits.log_softmax(1),
        (teacher_logits / T).softmax(1),
        reduction="none",
    ).sum(1)
    hard = losses.hard_per_example(student_logits, labels)
    return 0.9 * soft + 0.1 * hard


# %% [markdown]
# **Exercise 3** · 5 minutes · easy, once you see them. Find both bugs, and repair them. `hard_per_example` is the cross-entropy with the labels, and is right.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def repaired_loss(student_logits, teacher_logits, labels):
    return ...  # copy the body of reviewed_loss, and repair it


# %% tags=["solution"]
def repaired_loss(student_logits, teacher_logits, labels):
    T = 10
    soft = T**2 * torch.nn.functional.kl_div(
        (student_logits / T).log_softmax(1),
        (teacher_logits / T).softmax(1),
        reduction="none",
    ).sum(1)
    hard = losses.hard_per_example(student_logits, labels)
    return 0.9 * soft + 0.1 * hard


# %% tags=["nbval-check-output"]
repaired_loss = check.repaired_loss(repaired_loss).use()

# %% [markdown]
# Which bug hurts more? `half_repaired` has T on both sides and still no T². Every loss trains students, and all are compared with
# students on labels alone.


# %%
def half_repaired(student_logits, teacher_logits, labels, T=10):
    soft = losses.soft_per_example(student_logits, teacher_logits, T) / T**2
    hard = losses.hard_per_example(student_logits, labels)
    return 0.9 * soft + 0.1 * hard


arms = {
    "both bugs": reviewed_loss,
    "T² still missing": half_repaired,
    "both repaired": repaired_loss,
}
on_labels = grid(width=64, lr=0.01, soft_weight=0)
labels = sweep_blocks(on_labels, garments, **plans[500]).sort_values("block")
gains = {}
for name, loss in arms.items():
    arm = sweep_blocks(
        grid(width=64, lr=0.01), garments, loss=loss, **plans[500]
    ).sort_values("block")
    gains[name] = 100 * (
        arm["test_accuracy"].to_numpy() - labels["test_accuracy"].to_numpy()
    )

# %%
found = {name: compare(one, 0 * one) for name, one in gains.items()}
worst, _, repaired = (one.mean for one in found.values())
plots.differences(
    found,
    title=f"Against labels alone: {worst:+.1f} points with both bugs, "
    f"{repaired:+.1f} without",
    xlabel="loss − labels alone, on test (points)",
    pairs=gains,
)

# %% [markdown]
# With both bugs the teacher does harm, and nothing crashes. T on one side is the costly one: it asks the student to be as vague at T = 1 as the teacher is at T = 10.
# Without T², the soft part that was meant to weigh nine tenths weighs less than one.
#
# <details><summary><b>Where this happened</b></summary>
#
# - No T²: [IntelLabs/distiller #122](https://github.com/IntelLabs/distiller/issues/122), and Keras's example, [keras-io #869](https://github.com/keras-team/keras-io/issues/869). Its author
#   [answers](https://github.com/keras-team/keras-io/pull/870) that T² only rescales the weight, which is true: at T = 10, a weight of 0.9 without T² acts as 0.08 with it.
# - T on the teacher only: [Teacher-free KD #3](https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/issues/3), where paper and code differ. The authors found it better there, with a teacher made by hand.
# </details>
#
# ## Another temperature: calibration
#
# When a student is *used*, the temperature of its training is gone, and it runs at T = 1. Are its confidences right there? A network is **calibrated** if it is right in 80 % of the cases
# in which it is 80 % sure. The **calibration error** is the distance between confidence and accuracy in bins of confidence, averaged with each bin weighted by the pictures in it.
# **Temperature scaling** (Guo et al. 2017, section 4.2) divides the logits by one number, fitted on validation.

# %%
from kdcourse.stats import calibration
from kdcourse.train import distill

curves, errors = {}, {}
for T in (1, 4):
    student = mlp([784, 64, 10], seed=0)
    how = {"lr": 0.01, "epochs": 8, "schedule": cosine, "progress": False}
    distill(student, some.inputs, some.teacher_logits, temperature=T, **how)
    on_test = logits_of(student, test.inputs)
    fitted = calibration.fit_temperature(
        logits_of(student, validation.inputs), validation.labels
    )
    for when, by in [("as it is", 1.0), (f"divided by {fitted:.2f}", fitted)]:
        p, name = soften(on_test, by), f"trained at T = {T}, {when}"
        curves[name] = calibration.reliability(p, test.labels)
        errors[name] = calibration.expected_calibration_error(p, test.labels)

# %%
shown = [name for name in curves if "T = 4" in name]
before, after = (100 * errors[name] for name in shown)
plots.reliability(
    {name: curves[name] for name in shown},
    title=f"Trained at T = 4, its confidence is {before:.0f} points off; "
    f"scaled, {after:.0f}",
)
print({name: round(error, 3) for name, error in errors.items()})

# %% [markdown]
# Softer training made a student that is *too sure*: at T = 4 it learned to match logits, and the confidence at T = 1 was nobody's concern. Scaling changes no answer, only how
# far to believe it.
#
# ## On Monday
#
# - Put T = 1, 2 and 4 into the sweep, choose on validation, and choose again when the data grow or the student changes.
# - Test your loss: for a student equal to its teacher the soft part's gradient is 0, and from T = 20 to T = 40 its size hardly changes.
# - Before anybody uses a student's confidence, fit one temperature on validation.
#
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("02_temperature")

# %% [markdown]
# ## Take away
#
# - T changes the direction of the gradient, not only its size: low T compares shares, high T compares logits.
# - The best T falls as data grow and rises with the student.
# - T² keeps the balance of a blend, and keeps the size only at temperatures that are large against the logits.
#
# The records: `kdcourse claims t-4-to-10`, `best-temperature-moves`, `t-squared-keeps-gradients`.
#
# ## Read on
#
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural Network*, sections 2, 2.1 and 3: [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - Ba and Caruana (2014), *Do Deep Nets Really Need to be Deep?*, section 2.2, logits as targets: [arXiv:1312.6184](https://arxiv.org/abs/1312.6184)
# - Guo, Pleiss, Sun and Weinberger (2017), *On Calibration of Modern Neural Networks*, section 4.2: [arXiv:1706.04599](https://arxiv.org/abs/1706.04599)
# - Busbridge et al. (2025), *Distillation Scaling Laws*, appendix G.2, where T = 1 is best for language models: [arXiv:2502.08606](https://arxiv.org/abs/2502.08606)
