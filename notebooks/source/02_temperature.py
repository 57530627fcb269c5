# %% [markdown]
# # 02 · Temperature
#
# **45 minutes** · needs [lesson 01](01_soft_labels.ipynb) · computes for a minute and a half
#
# You will be able to
# - say what a temperature does to the direction of the gradient, and T² to its size,
# - choose a temperature for *your* student and *your* data,
# - find two temperature bugs in a loss that runs.

# %% [markdown]
# **With more garments or glosses, T = 4 gains less over T = 1. So choose T on your data.** In the full run a small student, 32 hidden units, gains {{ a best-temperature-moves fashion-mnist examples=500:5000,width=32 is better }} points with 500 pictures and {{ b best-temperature-moves fashion-mnist examples=500:5000,width=32 is better }} with 5,000: before rounding, a difference of {{ gain best-temperature-moves fashion-mnist examples=500:5000,width=32 is better }}.
#
# ![The softmax of four logits at T = 1, 4 and 10: the bars flatten as T rises, their order stays](pictures/temperature.svg)

# %% tags=["parameters"]
FAST = False  # fewer pictures and repetitions; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## Predict
#
# Tutorials say: take a temperature from 4 to 10. What does T = 4 gain a student with 256 hidden units?

# %%
my_guesses = {  # ours: change them to yours, in points
    (500, 256): 1.0,
    (5_000, 256): 1.0,
}  # pictures to learn from, hidden units

# %% [markdown]
# ## See: the pull that changes its mind
#
# This student still has something to learn: it has seen 5,000 pictures, once.

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
history = train(novice, some.inputs, some.labels, **once)

# %% [markdown]
# Call the student's logits z and the teacher's v. The **pull** on a logit is minus the gradient of the soft loss there: T · (p − q), the teacher's probability at T minus the student's. A positive pull raises the logit, a negative one lowers it.

# %%
z = logits_of(novice, validation.inputs).double()
v = validation.teacher_logits.double()


def pull(T):
    return T * (soften(v, T) - soften(z, T))


turned = (pull(1) * pull(10) < 0)[pull(1).abs() > 0.1].double().mean()
print(f"Of the pulls above 0.1 at T = 1, {turned:.0%} turn at T = 10")

# %% [markdown]
# On those logits, the same teacher asks for opposite things at T = 1 and at T = 10. Here is the picture on which the two differ most:

# %%
both_ways = torch.minimum(-pull(1), pull(10))  # lowered at 1, raised at 10
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
# At T = 1 the loss compares *shares* of probability, and the student gives this class too much. At T = 10 it compares how high each *logit* stands above the mean of its row, and the teacher's stands higher than the student's.

# %% [markdown]
# Drag T, and find where the pull on the class named in the title above crosses zero. Then untick T²: above T = 1, every bar gets shorter, and none changes its side.

# %%
from kdcourse.widgets import blended_loss as explorer

explorer(garments, z, examples=[k, *range(19)], soft_weight=1.0)

# %% [markdown]
# ## Derive: what is left at very high T
#
# The softmax sees z/T, so the gradient of KL(p ‖ q) is (q − p)/T. T² makes it T · (q − p). By hand, against autograd:

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
# Look at the drawing at the top of the lesson: at T = 10, the steps from bar to bar are nearly proportional to those between the logits. For T large against the logits, a softened probability is $\frac1C (1 + \frac{z_c - \bar z}{T})$, with $\bar z$ the mean of the C logits. Put it in, and T cancels: the student matches *logits* (Hinton, Vinyals and Dean 2015, section 2.1), as in Ba and Caruana (2014):
#
# $$T \, (q_c - p_c) \; \longrightarrow \; \frac{(z_c - \bar z) - (v_c - \bar v)}{C}$$


# %% [markdown]
# **Exercise 1** · 6 minutes · medium. Write the loss that has this gradient: one value per example, classes on axis 1. It will train students.


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
# T² is there so that the gradient stays about as large when T changes (Hinton et al. 2015, section 2). Does it?

# %%
import pandas as pd

rows = []
for seed in range(3 if FAST else 8):
    student = mlp([784, 64, 10], seed)
    train(student, some.inputs, some.labels, order_seed=seed, **once)
    z = logits_of(student, validation.inputs).double()
    at_1 = pull(1).norm(dim=1).mean().item()
    for T in [1, 2, 4, 10, 20, 100]:
        size = pull(T).norm(dim=1).mean().item() / at_1
        rows.append((seed, T, "with T²", size))
        rows.append((seed, T, "without T²", size / T**2))
sizes = pd.DataFrame(rows, columns=["seed", "T", "loss", "size"])

# %%
kept = sizes[sizes["loss"] == "with T²"].groupby("T")["size"].mean()
plots.curves(
    sizes,
    x="T",
    y="size",
    hue="loss",
    xlabel="temperature",
    ylabel="size of the gradient, T = 1 being 1",
    title="Even with T², the gradient at T = 4 is "
    f"{kept[4]:.1f} times that at 1; at 20, {kept[20]:.1f}; "
    f"at 100, {kept[100]:.1f}",
    reference=("no change", 1.0),
    log_y=True,
)

# %% [markdown]
# In the full run it is {{ ratio t-squared-keeps-gradients fashion-mnist temperature=4:1,metric=gradient_norm is better }} times as large at T = 4 as at T = 1, and shrinks from there
# to T = 20.

# %% [markdown]
# T² keeps the size where T is large against the logits. Between 1 and 4 it is far from that; beyond 4, the size changes slowly.

# %% [markdown]
# ## Measure: which temperature teaches best?
#
# Within a block, all temperatures share pictures, initial weights and batches: they are pairs. `sweep_blocks` trains a student for each row of a `grid` on every block. T = ∞ is `limit_loss`.

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
    plan |= {"blocks": 2, "epochs": plan["epochs"] // 6} if FAST else {}

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
# The ring marks the temperature chosen on **validation**; its gain is read on test.

# %%
from kdcourse.sweep import best_on_validation

cases = students.groupby(["examples", "width"])
best = {
    case: best_on_validation(rows)["temperature"].iloc[0]
    for case, rows in cases
}


def chosen(n):
    return " or ".join(dict.fromkeys(f"{best[n, w]:g}" for w in (32, 256)))


# %%
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
    title=f"Validation takes T = {chosen(500)} with 500 pictures, "
    f"T = {chosen(5_000)} with 5,000",
)

# %% [markdown]
# In the full run, where every arm has its own tuned settings, *glosses*, short texts in 24 classes, say the same: T = 4 gains {{ gain best-temperature-moves wordnet-glosses examples=500:5000,width=32 is better }} more with 500 than with 5,000.

# %% [markdown]
# On garments with 5,000 pictures, a large student gains more from T = 4 than a small one, by {{ gain best-temperature-moves fashion-mnist width=256:32,examples=5000 is better }}. With 500 we cannot tell, nor on glosses, nor on *flights* (late or not).

# %% [markdown]
# And your guesses?

# %%
from kdcourse.stats import compare

for case, guess in my_guesses.items():
    rows = cases.get_group(case)
    gain = rows[rows["temperature"] == 4]["gain"]
    found = compare(gain, 0 * gain)
    print("{:5,} pictures, {:3} units:".format(*case), end=" ")
    mean, low, high = (f"{value:+.1f}" for value in found[:3])
    print(f"guess {guess:+.1f}, measured {mean} [{low}, {high}]")

# %% [markdown]
# Hinton et al. (2015, section 3) saw size matter: with 300 or more units a layer, all temperatures above 8 did about as well; with 30, 2.5 to 4 did best.

# %% [markdown]
# So is "4 to 10" good advice? We compare the best of 4 and 10 with the best of the other temperatures, both chosen on validation. A drop under half a point, our *margin*, counts as too small to matter.

# %%
from kdcourse import claims

measured = {}
for (n, width), rows in cases:
    inside = rows["temperature"].isin([4, 10])
    a, b = best_on_validation(rows[inside]), best_on_validation(rows[~inside])
    measured[f"width={width},examples={n}"] = compare(
        a["test_accuracy"], b["test_accuracy"], margin=0.005
    )
lost = 100 * measured["width=32,examples=5000"].mean
claims.show(
    "t-4-to-10",
    measured,
    title=f"Here, T from 4 to 10 costs small students with 5,000 pictures "
    f"{-lost:.1f} points",
    xlabel="best of 4 and 10 − best of the others",
)

# %% [markdown]
# Here, all share a learning rate; the full run tunes each. On garments, 4 to 10 costs less than half a point in three of four cases; in the fourth, small students with 5,000 pictures, perhaps more: {{ gain t-4-to-10 fashion-mnist width=32,examples=5000 is inconclusive }}.

# %% [markdown]
# On flights, 4 to 10 is as good as the best of the others. **On glosses it can harm.** With 50,000 of them, 4 to 10 stands at {{ gain t-4-to-10 wordnet-glosses width=64,examples=50000,epochs=32 is worse }}, and for the rarest third of the classes at {{ gain t-4-to-10 wordnet-glosses width=64,examples=50000,epochs=32,metric=accuracy,_rarest_third_of_the_classes is worse }}. Four times the epochs did not help.

# %% [markdown]
# ## Build: is it only a larger step?
#
# A colleague objects: "At T = 4 the gradient is several times larger. Your gain is a larger step in disguise."

# %% [markdown]
# **Exercise 2** · 7 minutes · hard, many answers are right. Write a loss whose gradient *points* where that of T = 1 points, in every example, and is as *large* as that of
# T = 4, on average over the batch.

# %% [markdown]
# `losses.soft_per_example(z, v, 1)` is the loss at T = 1, one value per example. Classes are on axis 1, the batch is the last axis.


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
one_rate = grid(width=256, lr=0.01)
louder = sweep_blocks(one_rate, garments, loss=louder_loss, **plans[500])


def points(table):
    """Accuracies on test, block by block."""
    return 100 * table.sort_values("block")["test_accuracy"].to_numpy()


large = cases.get_group((500, 256))
at_1, at_4 = (points(large[large["temperature"] == T]) for T in (1, 4))
gains = {
    "T = 4": at_4 - at_1,
    "T = 1, as large": points(louder) - at_1,
    "what is left": at_4 - points(louder),
}

# %%
found = {name: compare(one, 0 * one) for name, one in gains.items()}
total, size, turn = (one.mean for one in found.values())
plots.differences(
    found,
    title=f"Of {total:.1f} points, the control gains {size:.1f}",
    xlabel="gain on test (points)",
    pairs=gains,
)

# %% [markdown]
# What is left is the direction, and how much each picture weighs against the others. Our factor changes from batch to batch; a *constant* one would do almost nothing, because AdamW divides by the size of the gradient.

# %% [markdown]
# In the full run, T = 1 has its own learning rate and weight decay, and T = 4 still gains these students {{ a best-temperature-moves fashion-mnist examples=500:5000,width=256 is better }} points.

# %% [markdown]
# ## Where it goes wrong: two bugs, one loss
#
# A loss from a code review should have T = 10, nine parts soft, one part hard.


# %% slideshow={"slide_type": "slide"}
def reviewed_loss(student_logits, teacher_logits, labels, T=10):
    soft = torch.nn.functional.kl_div(
        student_logits.log_softmax(1),
        (teacher_logits / T).softmax(1),
        reduction="none",
    ).sum(1)
    hard = losses.hard_per_example(student_logits, labels)
    return 0.9 * soft + 0.1 * hard


# %% [markdown]
# **Exercise 3** · 4 minutes · easy, once you see them. Find both bugs, and repair them. `hard_per_example` is the cross-entropy, and is right.


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
# Which bug hurts more? `half_repaired` has T on both sides and still no T². All are compared with students on labels alone.


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
hard = grid(width=64, lr=0.01, soft_weight=0)
on_labels = points(sweep_blocks(hard, garments, **plans[500]))
one_rate = grid(width=64, lr=0.01)
gains = {}
for name, loss in arms.items():
    arm = sweep_blocks(one_rate, garments, loss=loss, **plans[500])
    gains[name] = points(arm) - on_labels

# %%
found = {name: compare(one, 0 * one) for name, one in gains.items()}
worst, half, best_of_all = (one.mean for one in found.values())
plots.differences(
    found,
    title=f"T on one side costs {half - worst:.1f} points, "
    f"then the missing T² {best_of_all - half:.1f}",
    xlabel="loss − labels alone, on test (points)",
    pairs=gains,
)

# %% [markdown]
# With both bugs the teacher does harm, and nothing crashes. T on one side asks the student to be as vague at T = 1 as the teacher is at T = 10.

# %% [markdown]
# Without T², the soft part is divided by 100: a soft weight of 0.9 acts as 0.009 / (0.009 + 0.1) = 0.08. Even that little teacher beats labels alone.

# %% [markdown]
# <details><summary><b>Where this happened</b></summary>
#
# - No T²: [IntelLabs/distiller #122](https://github.com/IntelLabs/distiller/issues/122) and [keras-io #869](https://github.com/keras-team/keras-io/issues/869). The example's author [answers](https://github.com/keras-team/keras-io/pull/870) that T² only changes the weight. True.
# - T on the teacher only: [Teacher-free KD #3](https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/issues/3). On purpose: with a teacher made by hand, it was better on CIFAR-100.
# </details>

# %% [markdown]
# ## Another temperature: calibration
#
# When a student is *used*, the temperature of its training is gone: it runs at T = 1. Is it as sure there as it should be?

# %% [markdown]
# A network is **calibrated** if it is right in 80 % of the cases in which it is 80 % sure. The **calibration error** averages the distance between confidence and accuracy over bins of
# confidence, each weighted by its pictures.

# %% [markdown]
# **Temperature scaling** (Guo et al. 2017, section 4.2) divides the logits by one number, fitted on validation.

# %%
from kdcourse.stats import calibration
from kdcourse.train import distill

how = {"lr": 0.01, "epochs": 8, "schedule": cosine, "progress": False}
curves = {}
for T in (1, 4):
    student = mlp([784, 64, 10], seed=0)
    soft = {"teacher_logits": some.teacher_logits, "temperature": T}
    distill(student, some.inputs, **soft, **how)
    logits = logits_of(student, validation.inputs)
    fitted = calibration.fit_temperature(logits, validation.labels)
    on_test = logits_of(student, test.inputs)
    for by in (1.0, fitted):
        p = soften(on_test, by)
        error = calibration.expected_calibration_error(p, test.labels)
        bins = calibration.reliability(p, test.labels)
        curves[T, by] = bins[bins["n"] >= 10]
        print(f"trained at T = {T}, logits divided by {by:.2f}:", end=" ")
        print(f"{100 * error:.1f} points off")

# %%
plots.reliability(
    {"as it is": curves[4, 1.0], "one number fitted": curves[4, fitted]},
    title="Trained at T = 4, this student is too sure",
)

# %% [markdown]
# Trained at T = 4, this student is *too sure* at T = 1, where no loss ever checked it. Scaling changes no answer, only how far to believe it. This is one student with one seed.

# %% [markdown]
# ## On Monday
#
# - Put T = 1, 2 and 4 into the sweep, each with its own learning rate; choose again when the data or the student change. No time for it? Take T = 2: in its worst case, it falls least behind the best of our sweep (one learning rate).
# - Test your loss twice. Where the student's logits equal the teacher's, the soft part has no gradient. Elsewhere, the gradient at T = 200 is as large as at T = 100; without T², a quarter of it.
# - Before anybody uses a student's confidence, fit one temperature on validation.

# %% [markdown]
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("02_temperature")

# %% [markdown]
# ## Take away
#
# - T changes the direction of the gradient: low T compares shares, high T compares logits.
# - With 5,000 garments or glosses, T = 4 gains less than with 500; with 50,000 glosses, 4 to 10 does harm.
# - T² keeps the size of the soft gradient, and so the balance of a blend, only where T is large against the logits.

# %% [markdown]
# The records: `kdcourse claims t-4-to-10`, `best-temperature-moves`, `t-squared-keeps-gradients`.

# %% [markdown]
# ## Read on
#
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural Network*, sections 2, 2.1 and 3: [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - Ba and Caruana (2014), *Do Deep Nets Really Need to be Deep?*, section 2.2, logits as targets: [arXiv:1312.6184](https://arxiv.org/abs/1312.6184)
# - Guo, Pleiss, Sun and Weinberger (2017), *On Calibration of Modern Neural Networks*, section 4.2: [arXiv:1706.04599](https://arxiv.org/abs/1706.04599)
