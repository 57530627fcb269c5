# %% [markdown]
# # 02 · Temperature
#
# **45 minutes** · needs [lesson 01](01_soft_labels.ipynb) · computes for a minute or two
#
# You will be able to
# - say what a temperature does to the gradient, and what T² keeps and what it does not,
# - choose a temperature for *your* student and *your* transfer set, on validation,
# - tell the temperature that calibrates a teacher from the one that teaches a student.

# %% tags=["parameters"]
FAST = False  # fewer seeds and epochs; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## Predict
#
# Many tutorials take a temperature from 4 to 10. Take a small student with 32 hidden units, and a large one with 256. Give each
# 500 pictures, then 5,000. In which of the four cases will T = 4 be better than T = 1?
#
# Write *better*, *worse* or *same* for each; *same* means by less than half a point. The lesson compares it with what comes out.

# %%
my_guesses = {
    "32 units, 500 pictures": None,
    "32 units, 5,000 pictures": None,
    "256 units, 500 pictures": None,
    "256 units, 5,000 pictures": None,
}

# %% [markdown]
# ## See: what pulls at the student
#
# To see what a temperature does, we need a student that still has something to learn. This one has seen 2,000 pictures, once.

# %%
from dataclasses import replace

from kdcourse import losses, plots
from kdcourse.data import load
from kdcourse.models import mlp
from kdcourse.train import teacher_logits as logits_of
from kdcourse.train import train

garments = load("fashion-mnist")
if FAST:  # fewer pictures to measure on, too
    part = {n: getattr(garments, n)[:2_000] for n in ["validation", "test"]}
    garments = replace(garments, **part)
validation, test = garments.validation, garments.test
some = garments.subset(2_000).train
novice = mlp([784, 64, 10], seed=0)
train(
    novice, some.inputs, some.labels, epochs=1, device=DEVICE, progress=False
)
novice_logits = logits_of(novice, validation.inputs)

# %% [markdown]
# Drag the temperature. Each row is a class: what teacher and student say of it at T, then the gradient of the loss with respect to the student's logit.
# A bar to the left says "raise this logit". At T = 1, how many classes have a bar that you can see? At T = 10? Then take the T² away.

# %%
from kdcourse.widgets import blended_loss as explorer

explorer(garments, novice_logits, soft_weight=1.0)

# %% [markdown]
# (A picture without sliders? You are reading without a kernel. The figure below shows two more positions, for the first picture.)

# %%
import torch

v = validation.teacher_logits[:1].double()
z = novice_logits[:1].double()
fig, axes = plots.figure(8.0, 3.6, ncols=2, sharex=True, sharey=True)
counts, words = [], []
for ax, T in zip(axes, [1, 10], strict=True):
    pull = T * (losses.soften(z, T) - losses.soften(v, T))[0]
    ax.barh(garments.class_names, pull, color=plots.COLOURS[0])
    ax.axvline(0, color="#666666", linewidth=1)
    ax.set_xlabel(f"gradient at T = {T} (nats per unit of logit)")
    counts.append(int((pull.abs() > 0.1 * pull.abs().max()).sum()))
    values = zip(garments.class_names, pull.tolist(), strict=True)
    words.append(f"T = {T}: " + ", ".join(f"{n} {g:+.2f}" for n, g in values))
axes[0].invert_yaxis()
title = "Bars above a tenth of the largest: {} at T = 1, {} at T = 10"
fig.suptitle(title.format(*counts), x=0.01, ha="left")
plots.show(fig, alt=f"Gradient by class, one picture. {'; '.join(words)}")

# %% [markdown]
# (A nat is the unit of a loss with natural logarithms.) One picture is no evidence. It shows *where* to look: does a high temperature spread the pull over more classes? We count that
# for all pictures, as soon as we have the formula.
#
# ## Derive: the gradient
#
# Call the student's logits z and the teacher's v; softened at T, they give q and p. The gradient of T² · KL(p ‖ q) is short:
#
# $$\frac{\partial}{\partial z_c} \, T^2 \, \mathrm{KL}(p \,\|\, q) = T \, (q_c - p_c)$$
#
# One factor 1/T comes from the chain rule, since the softmax sees z/T. The T² turns it into T. By hand, against autograd:

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(0)
z, v = 3 * torch.randn(2, 5, 10, generator=generator).double()
z.requires_grad_()
for T in [1, 4, 20]:
    loss = losses.kd_loss(z, v, T, reduction="none").sum()
    (by_autograd,) = torch.autograd.grad(loss, z)
    by_hand = T * (losses.soften(z, T) - losses.soften(v, T))
    same = torch.allclose(by_autograd, by_hand, atol=1e-12)
    print(f"T = {T:2}: equal to 12 decimals? {same}")

# %% [markdown]
# Why T²? Softened probabilities lie close together: for large T, $q_c \approx \frac1C (1 + \frac{z_c - \bar z}{T})$, where $\bar z$ is the mean of
# a row and C the number of classes. Put that into the gradient, and T cancels (Hinton, Vinyals and Dean 2015, section 2.1):
#
# $$T \, (q_c - p_c) \; \longrightarrow \; \frac{(z_c - \bar z) - (v_c - \bar v)}{C}$$
#
# So at very high T, distillation *matches logits*: it is the gradient of a squared error. And it says what T² is for: without it, the
# gradient would shrink with 1/T². But the formula holds in the limit. Is T = 4 near the limit?

# %%
import pandas as pd

from kdcourse.stats import mean_interval

z, v = novice_logits.double(), validation.teacher_logits.double()
limit = (z - z.mean(1, keepdim=True) - v + v.mean(1, keepdim=True)) / 10
rows = []
for T in [1, 2, 4, 10, 20, 100]:
    pull = T * (losses.soften(z, T) - losses.soften(v, T))
    largest = pull.abs().amax(1, keepdim=True)
    measures = {
        "classes pulled": (pull.abs() > 0.1 * largest).double().sum(1),
        "cosine with the limit": torch.cosine_similarity(pull, limit, dim=1),
        "size against it": pull.norm(dim=1) / limit.norm(dim=1),
    }
    texts = [
        "{:.2f} [{:.2f}, {:.2f}]".format(*mean_interval(values))
        for values in measures.values()
    ]
    rows.append([T, *texts])
pd.DataFrame(rows, columns=["T", *measures]).set_index("T")

# %% [markdown]
# The first column counts the bars above a tenth of the largest. A cosine of 1 means the direction of the limit, a size of 1 its length. So read the row T = 4: only if
# *both* are near 1 is it near the limit. A size near 1 alone says little, since the size passes 1, goes through a peak, and comes back to 1. (Intervals over the validation pictures, for one novice.)
#
# The logits of a teacher like ours are far apart, and "large" means large against *that*. To see it, shrink all logits, and ask again how much the gradient
# grows from T = 1 to T = 4:

# %%
for scale in [0.1, 0.25, 0.5, 1]:
    pull = {
        T: T * (losses.soften(scale * z, T) - losses.soften(scale * v, T))
        for T in [1, 4]
    }
    growth = pull[4].norm(dim=1).mean() / pull[1].norm(dim=1).mean()
    spread = (scale * v).std(1).mean()
    print(f"teacher's logits {spread:.1f} apart: times {growth:.2f}")

# %% [markdown]
# Above 1, the gradient is larger at T = 4 than at T = 1. Below 1, it is smaller: against such small logits, T = 1 is already past the peak, and the size is on its way down to
# that of the limit.
#
# ## Measure: does T² keep the size of the gradient?
#
# T² is there so that the relative weight of soft and hard part stays about the same when T changes (Hinton, Vinyals and Dean 2015, section 2). Several students, each
# after one epoch on labels:

# %%
TEMPERATURES = [1, 4, 20] if FAST else [1, 4, 10, 20]
v = validation.teacher_logits
rows = []
for seed in range(3 if FAST else 6):
    student = mlp([784, 64, 10], seed)
    options = {"epochs": 1, "order_seed": seed, "progress": False}
    train(student, some.inputs, some.labels, device=DEVICE, **options)
    z = logits_of(student, validation.inputs)
    for T in TEMPERATURES:
        pull = losses.soften(z, T) - losses.soften(v, T)
        size = pull.norm(dim=1).mean().item()
        rows += [
            [seed, T, "with T²", T * size],
            [seed, T, "without", size / T],
        ]
sizes = pd.DataFrame(rows, columns=["seed", "T", "loss", "size"])

# %%
at = sizes.pivot(index="seed", columns=["loss", "T"], values="size")
change = at["with T²"][4] / at["with T²"][1]
mean, low, high = mean_interval(change)
first = sizes["seed"].map(at["with T²"][1])
plots.curves(
    sizes.assign(ratio=sizes["size"] / first),
    x="T",
    y="ratio",
    hue="loss",
    xlabel="temperature",
    ylabel="gradient norm, T = 1 being 1",
    title=f"Even with T², the gradient at T = 4 is {mean:.1f} times that at 1",
    log_y=True,
)
print(f"T = 4 against T = 1: ×{mean:.2f} [{low:.2f}, {high:.2f}]")

# %% [markdown]
# T² does its work where T is large against the logits. Below that, it does not keep the size; it cannot. What follows for you: a change of
# T is also a change of the gradient's size. AdamW forgives that for a pure soft loss, since it divides by the size. In a *blend* with the
# labels nothing forgives it: the soft part then weighs more, or less. Lesson 03 takes that up.
#
# ## Measure: which temperature teaches best?
#
# Now the students. Two sizes, two transfer sets, several temperatures, and the labels as one more arm. Every repetition takes another **block** of
# pictures and other initial weights, so the intervals cover both kinds of luck; within a block, all arms share pictures, weights and batches. Every
# arm tries two learning rates and takes the one that is better on validation; why that matters, we see further down.

# %%
from tqdm.auto import tqdm

from kdcourse.sweep import grid, sweep
from kdcourse.train import cosine, distill

BLOCKS = range(2 if FAST else 4)
EPOCHS = {500: 15 if FAST else 25, 5_000: 2 if FAST else 4}
RATES = [0.01] if FAST else [0.003, 0.01]
WIDTHS = [32, 256]


# %%
def train_on(block, n, *arms, epochs=None, **same):
    """Students on the first n pictures of a block; `same` for all arms."""
    part = garments.train[5_000 * block :][:n]
    seeds = {"init_seed": block, "order_seed": block}
    return sweep(
        pd.concat([grid(**arm, **same, **seeds) for arm in arms]),
        replace(garments, train=part),
        epochs=epochs or EPOCHS[n],
        batch_size=64 if n == 500 else 128,
        schedule=cosine,
        device=DEVICE,
        chunk=4,
        resume=False,
        progress=False,
    ).assign(block=block, n=n)


# %%
jobs = [(block, n) for n in EPOCHS for block in BLOCKS]
both = {"temperature": TEMPERATURES}, {"soft_weight": 0}
students = pd.concat(
    [
        train_on(*job, *both, width=WIDTHS, lr=RATES)
        for job in tqdm(jobs, desc="blocks", leave=False)
    ]
)
students["student"] = [
    f"{width} units, {n:,} pictures"
    for width, n in zip(students["width"], students["n"], strict=True)
]
print(f"{len(students)} students")


# %%
def at_its_rate(rows):
    """Of one arm: the runs at the learning rate best on validation."""
    best = rows.groupby("lr")["validation_accuracy"].mean().idxmax()
    return rows[rows["lr"] == best].sort_values("block")


arms = students.groupby(["student", "soft_weight", "temperature"])
students = pd.concat([at_its_rate(rows) for _, rows in arms])
arm = students["temperature"].map("T = {:g}".format)
arm = arm.where(students["soft_weight"] == 1, "labels")
chosen_rates = students.assign(arm=arm).pivot_table(
    "lr", "student", "arm", aggfunc="first", sort=False
)
chosen_rates.loc[[*my_guesses]].rename_axis(columns="learning rate of")

# %% [markdown]
# These are the learning rates that were chosen. The choice of the temperature, too, is made on **validation**. Each line shows what a temperature gains over T = 1, in the same block; the ring marks the temperature
# with the best mean.

# %%
soft = students[students["soft_weight"] == 1]
CASES = list(my_guesses)
gains, chosen = [], {}
for case in CASES:
    table = soft[soft["student"] == case].pivot(
        index="block", columns="temperature", values="validation_accuracy"
    )
    chosen[case] = table.mean().idxmax()
    gain = 100 * table.sub(table[1.0], axis=0)
    gains.append(gain.melt(value_name="gain").assign(student=case))

# %%
few_s, many_s, few_l, many_l = (f"{T:g}" for T in chosen.values())
plots.curves(
    pd.concat(gains),
    x="temperature",
    y="gain",
    hue="student",
    ylabel="gain over T = 1, validation (points)",
    marked=chosen,
    title=f"Best T: {few_s} and {few_l} with 500 pictures, "
    f"{many_s} and {many_l} with 5,000 (32, 256 units)",
)


def ring(a, b):
    if a == b:
        return f"the ring did not move from T = {a}"
    return f"the ring moved, from T = {a} to T = {b}"


print("32 to 256 units, 500 pictures:", ring(few_s, few_l))
print("32 to 256 units, 5,000 pictures:", ring(many_s, many_l))
print("500 to 5,000 pictures, 32 units:", ring(few_s, many_s))
print("500 to 5,000 pictures, 256 units:", ring(few_l, many_l))

# %% [markdown]
# A flat top means that many temperatures do about as well, and then a ring says little: of several equal ones, luck picks the winner. So ask what
# can be *shown*, on test, and choose nothing there. First your guesses: T = 4 against T = 1, with a margin of half a point, so that "the same" can be shown too.

# %%
from kdcourse.stats import compare


def accuracies(case, temperature, column="test_accuracy"):
    """One per block."""
    rows = soft[soft["student"] == case]
    return rows[rows["temperature"] == temperature][column].to_numpy()


step = {case: accuracies(case, 4) - accuracies(case, 1) for case in CASES}
four_or_one = {
    case: compare(accuracies(case, 4), accuracies(case, 1), margin=0.005)
    for case in CASES
}

# %%
plots.differences(
    four_or_one,
    title=f"T = 4 against T = 1, four cases: {plots.verdicts(four_or_one)}",
    xlabel="T = 4 − T = 1, accuracy on test (points)",
    scale=100,
    margin=0.005,
    pairs=step,
)

# %% [markdown]
# And your guesses? Here *inconclusive* is taken apart. An interval on one side of zero shows the direction, even where it does not show that the difference
# is more than the margin.


# %%
def answer(result):
    """The verdict in the words of the guesses, or the direction."""
    if result.verdict == "inconclusive":
        if result.low <= 0 <= result.high:
            return "open, even the direction"
        side = "above" if result.low > 0 else "below"
        return f"shown to be {side} zero; by how much is open"
    return {"equivalent": "same"}.get(result.verdict, result.verdict)


for case, result in four_or_one.items():
    guess = my_guesses[case] or "nothing"
    mean, low, high = (100 * value for value in result[:3])
    points = f"{mean:+.2f} [{low:+.2f}, {high:+.2f}] points"
    print(f"{case}: you said {guess}. Measured: {points}; {answer(result)}")

# %% [markdown]
# ## Does the best temperature move?
#
# With the **size of the student**? Hinton et al. (2015, section 3) report that a very small net did best at a lower temperature than larger
# ones. The explanation usually given: a small student cannot fit all that a flat distribution asks of it. With the **size of the transfer set**?
# When pictures are few, each has to say more. The rings were one answer, but the best of several noisy means is a poor statistic. So we ask something weaker: does T = 4 *gain* more over T = 1? These
# are differences *of* the differences above, block by block. They can come out *better* where the figure above says *inconclusive*: which of two gains is larger is another question, and it has no margin.
#
# Between the two transfer sets, more differs than their size: the epochs, the batch size and the number of steps do, too. Further down is a trap, *students who have not finished*. If it shows that students who have not learned
# enough make T = 4 look worse, then too few passes over the 5,000 pictures would make "few pictures gain more" look larger than it is; too few over the 500, smaller.

# %%
few_s, many_s, few_l, many_l = (step[case] for case in CASES)
pairs = {
    "256 against 32 hidden units, 500 pictures": (few_l, few_s),
    "256 against 32 hidden units, 5,000 pictures": (many_l, many_s),
    "500 against 5,000 pictures, 32 hidden units": (few_s, many_s),
    "500 against 5,000 pictures, 256 hidden units": (few_l, many_l),
}
moves = {name: compare(a, b) for name, (a, b) in pairs.items()}
plots.differences(
    moves,
    title=f"Does T = 4 gain more there? {plots.verdicts(moves)}",
    xlabel="difference between two gains of T = 4 over T = 1 (points)",
    scale=100,
    pairs={name: a - b for name, (a, b) in pairs.items()},
)

# %% [markdown]
# *Better* here means: the larger student, or the smaller transfer set, gets more out of T = 4. *Inconclusive* means that these few blocks cannot tell; the
# full run below has more of them.
#
# ## Temperature as a habit
#
# Is a temperature from 4 to 10 a good choice? To be fair to both sides: the best inside (4 or 10) against the best outside (1 or 20), each chosen on
# validation, both read on test, with the same margin of half a point.


# %%
def best_of(case, temperatures):
    """Test accuracies at the temperature that is best on validation."""
    means = {
        T: accuracies(case, T, "validation_accuracy").mean()
        for T in temperatures
        if T in TEMPERATURES
    }
    return accuracies(case, max(means, key=means.get))


habit = {}
for case in CASES:
    part = case.replace("units", "hidden units")
    inside, outside = (best_of(case, Ts) for Ts in ([4, 10], [1, 20]))
    habit[part] = compare(inside, outside, margin=0.005)
for part, result in habit.items():
    print(
        f"{part}:",
        result.say(
            better="the best inside beats the best outside.",
            worse="the best outside beats the best inside.",
            equivalent="as good inside as outside.",
            inconclusive="inside or outside, these runs cannot tell.",
        ),
    )

# %% [markdown]
# ## A trap: students who have not finished
#
# Take the small student and 500 pictures once more, T = 4 against T = 1, at Adam's default learning rate of 0.001. At that rate neither student is done by the last step. Is the verdict on the temperature still the same? The second row trains four times as long at the same rate. The third lets each temperature have the rate that validation chose for it.

# %%
case = CASES[0]
arm = {"width": 32, "temperature": [1, 4], "lr": 0.001}


def at_small_rate(epochs):
    """T = 4 − T = 1 on test, block by block."""
    rows = pd.concat([train_on(k, 500, arm, epochs=epochs) for k in BLOCKS])
    table = rows.pivot(
        index="block", columns="temperature", values="test_accuracy"
    )
    return (table[4.0] - table[1.0]).to_numpy()


steps = {
    "0.001, stopped early": at_small_rate(EPOCHS[500]),
    "0.001, four times the epochs": at_small_rate(4 * EPOCHS[500]),
    "the rate of each, from above": step[case],
}

# %%
zero = [0.0] * len(BLOCKS)
rates = {name: compare(values, zero) for name, values in steps.items()}
plots.differences(
    rates,
    title=f"T = 4 against T = 1, three ways to train: {plots.verdicts(rates)}",
    xlabel="T = 4 − T = 1, accuracy on test (points)",
    scale=100,
    pairs=steps,
)

# %% [markdown]
# What did stopping early do to the comparison? That is the second row minus the first, a difference of two differences. The rate is the same in both:

# %%
name = "trained on minus stopped early"
shift = steps["0.001, four times the epochs"] - steps["0.001, stopped early"]
trap = compare(shift, zero)
plots.differences(
    {name: trap},
    title=trap.say(
        better="Stopping early makes T = 4 look worse than it is",
        worse="Stopping early makes T = 4 look better than it is",
        inconclusive="Whether stopping early matters: cannot tell",
    ),
    xlabel="change of T = 4 − T = 1 (points)",
    scale=100,
    pairs={name: shift},
)

# %% [markdown]
# A difference here belongs to the training, not to the temperature. At T = 4 the loss asks for ten numbers and not one, and that takes more steps. Stopped early, one measures how *fast* a temperature learns, not how *well* it teaches. The control is to train every arm
# until validation stops improving, at a rate of its own.
#
# For the language models that they trained, Busbridge et al. (2025, appendix G.2) find T = 1 best, and that temperatures above 3 hurt. A temperature
# belongs to a task, a student and a transfer set. Choose it as you choose a learning rate.
#
# ## What are few pictures worth?
#
# The labels were in the sweep, too. How much do soft labels gain over them? The soft labels take the temperature that is best on validation, case by case, since validation may reject T = 4. So they have more tries than the labels:
# a temperature and a learning rate to choose, against a learning rate alone.

# %%
hard = students[students["soft_weight"] == 0]
gain, over_labels = {}, {}
for case in CASES:
    labels = hard[hard["student"] == case]["test_accuracy"].to_numpy()
    taught = best_of(case, TEMPERATURES)
    gain[case] = taught - labels
    over_labels[case] = compare(taught, labels)
plots.differences(
    over_labels,
    title=f"Soft labels against labels: {plots.verdicts(over_labels)}",
    xlabel="soft labels at the T of validation − labels, on test (points)",
    scale=100,
    pairs=gain,
)

# %% [markdown]
# More tries are an advantage: a small gain may be owed to them. The full run lets the soft labels choose among twelve settings, and the labels among twelve of their own.
#
# ## Try it: one control, trained live
#
# Move the slider and let go. Eight students are trained at that temperature, on 500 pictures, and compared in pairs with eight on labels. Which
# temperature will you try first?

# %%
from kdcourse.widgets import live

live(
    garments.subset(500),
    control="temperature",
    values=TEMPERATURES,
    settings={"width": 32, "lr": 0.01},
    against={"soft_weight": 0, "temperature": 1, "lr": 0.003},
    epochs=20,
    start=1,
    device=DEVICE,
)

# %% [markdown]
# (Without a kernel there is nothing to drag here. The figure with the rings asks nearly the same, against T = 1 instead of labels.) The labels have a learning rate of 0.003 and
# all temperatures 0.01: see what the table of chosen rates says to that. For some temperatures it may not be the best.
#
# You have now looked at *validation* many times. Keep the best of several, and its validation accuracy is a little flattered, as in lesson 01. Test data take away the luck of the validation pictures; the luck of
# these runs, only fresh runs would.
#
# ## Another temperature: calibration
#
# There is a second use of the same formula, and the two are easily confused. A network is **calibrated** if, of the pictures on which it is 80 % sure,
# it gets 80 % right. The **calibration error** is the mean distance between confidence and accuracy, over bins of confidence. **Temperature scaling** (Guo et al. 2017, section 4.2) divides their logits by one number,
# fitted on validation so that the labels become as likely as possible.
#
# Two networks: our teacher, and one that has been through 2,000 pictures far too often.

# %%
from kdcourse import calibration

crammed = mlp([784, 256, 10], seed=0)
train(
    crammed,
    some.inputs,
    some.labels,
    epochs=10 if FAST else 40,
    device=DEVICE,
    progress=False,
)
networks = {
    "teacher": (validation.teacher_logits, test.teacher_logits),
    "crammed": (
        logits_of(crammed, validation.inputs),
        logits_of(crammed, test.inputs),
    ),
}
scales = {
    name: calibration.fit_temperature(on_validation, validation.labels)
    for name, (on_validation, _) in networks.items()
}
print({name: round(scale, 2) for name, scale in scales.items()})

# %% [markdown]
# Above 1: the network was too sure. Below 1: not sure enough. On test, before and after (the figure leaves out bins of fewer than 10 pictures; the calibration
# error counts them):

# %%
tables, errors = {}, {}
for name, (_, on_test) in networks.items():
    for when, T in [("as it is", 1.0), ("scaled", scales[name])]:
        p = losses.soften(on_test, T)
        bins = calibration.reliability(p, test.labels)
        tables[f"{name}, {when}"] = bins[bins["n"] >= 10]
        errors[name, when] = calibration.expected_calibration_error(
            p, test.labels
        )
crammed_only = {k: v for k, v in tables.items() if "crammed" in k}
plots.reliability(
    crammed_only,
    title=f"Scaled, the crammed network's calibration error goes from "
    f"{errors['crammed', 'as it is']:.3f} to "
    f"{errors['crammed', 'scaled']:.3f}",
)

# %%
rows = []
for name, (_, on_test) in networks.items():
    scaled = losses.soften(on_test, scales[name])
    surprise = [
        -p.log().gather(1, test.labels[:, None])[:, 0]
        for p in [losses.soften(on_test), scaled]
    ]
    saved = compare(*surprise)
    same = (scaled.argmax(1) == on_test.argmax(1)).double().mean().item()
    before, after = errors[name, "as it is"], errors[name, "scaled"]
    numbers = [f"{x:.3f}" for x in (scales[name], before, after)]
    text = f"{saved.mean:.4f} [{saved.low:.4f}, {saved.high:.4f}]"
    rows.append([name, *numbers, text, saved.verdict, f"{same:.0%}"])
columns = ["network", "T", "error before", "after", "nats saved a picture"]
columns += ["verdict", "same first choice"]
pd.DataFrame(rows, columns=columns).set_index("network")

# %% [markdown]
# Not one answer changes, so accuracy does not. What changes is how far you may believe the confidence. That temperature says how sure the *teacher* should
# be; the distillation temperature says how loudly its second thoughts reach the *student*. The teacher has one T that calibrates it. The students chose theirs by their own
# size and data; where one of these lies close to the teacher's, nothing made it so. One more consequence: when a student is used, the temperature of its training is gone. It runs at T = 1, or at what calibrating *the student* gives.
#
# ## A teacher that was smoothed
#
# **Label smoothing** trains the teacher itself on labels that give a little to every class, all classes alike. Does that make a
# better *teacher*? Müller, Kornblith and Hinton (2019) found that it teaches worse. Chandrasegaran et al. (2022, abstract) found that the harm is done at high
# temperature. Why would it?

# %%
from kdcourse import controls

PAIRS = range(2 if FAST else 4)
N = 2_000 if FAST else 5_000
base = garments.subset(N)
FEW = replace(base, train=base.train[: 500 if FAST else 2_000])


def teachers(seed):
    """Two networks; the second one is trained on smoothed labels."""
    plain, smoothed = (mlp([784, 256, 10], seed) for _ in range(2))
    same = {"epochs": 8, "batch_size": 128, "order_seed": seed}
    same |= {"device": DEVICE, "schedule": cosine, "progress": False}
    train(plain, base.train.inputs, base.train.labels, **same)
    even = controls.smoothed_labels(base, 0.1).train.teacher_logits
    distill(smoothed, base.train.inputs, even, temperature=1, **same)
    return {"plain": plain, "smoothed": smoothed}


# %%
trained = {
    seed: teachers(seed) for seed in tqdm(PAIRS, desc="pairs", leave=False)
}

# %% [markdown]
# If smoothing makes the wrong classes alike, it should show in the logits. Two measures on validation, for each pair: the **gap** between the right logit and the mean of the nine wrong ones, and how far the
# nine lie apart, as a share of that gap.

# %%
rows = []
own = torch.nn.functional.one_hot(validation.labels, 10).bool()
for pair in trained.values():
    row = {}
    for kind, teacher in pair.items():
        z = logits_of(teacher, validation.inputs)
        wrong = z[~own].view(-1, 9)
        gap = (z[own] - wrong.mean(1)).mean().item()
        row["gap", kind] = gap
        row["apart", kind] = wrong.std(1).mean().item() / gap
        right = (z.argmax(1) == validation.labels).double()
        row["accuracy", kind] = right.mean().item()
    rows.append(row)
kinds = pd.DataFrame(rows)
for measure in ["gap", "apart", "accuracy"]:
    plain, smooth = (kinds[measure, kind] for kind in ("plain", "smoothed"))
    change = compare(smooth, plain)
    mean, low, high = (f"{value:+.3f}" for value in change[:3])
    word = change.say(
        better="larger", worse="smaller", inconclusive="cannot tell"
    )
    print(f"{measure}: {plain.mean():.3f} and {smooth.mean():.3f}")
    print(f"    smoothed − plain: {mean} [{low}, {high}], {word}")

# %% [markdown]
# (First the plain teachers, then the smoothed ones, and below them the paired difference.) Note the gap: the smoothed teacher's logits are smaller, so that T = 4 is a *higher* temperature for it than for the plain one. Now let each
# pair teach, at a low temperature and at high ones, with two learning rates as before:

# %%
rows = []
for seed, pair in tqdm(trained.items(), desc="students", leave=False):
    for kind, teacher in pair.items():
        seeds = {"init_seed": range(2 * seed, 2 * seed + 2)}
        seeds["order_seed"] = seed
        rows.append(
            sweep(
                grid(width=64, temperature=[1, 4, 10], lr=RATES, **seeds),
                controls.taught_by(FEW, teacher),
                epochs=10,
                schedule=cosine,
                device=DEVICE,
                resume=False,
                progress=False,
            ).assign(teacher=kind)
        )
taught = pd.concat(rows)

# %% [markdown]
# The pair of teachers is what is repeated, so the two students of one teacher are averaged first.

# %%
taught["block"] = taught["order_seed"]
arms = taught.groupby(["temperature", "teacher"])
by_pair = pd.concat([at_its_rate(rows) for _, rows in arms]).pivot_table(
    "test_accuracy", ["temperature", "teacher"], "order_seed"
)
both = {
    f"T = {T:g}": [by_pair.loc[T, kind] for kind in ("smoothed", "plain")]
    for T in (1.0, 4.0, 10.0)
}
harm = {name: compare(*arms) for name, arms in both.items()}
cost = {name: (a - b).to_numpy() for name, (a, b) in both.items()}
plots.differences(
    harm,
    title=f"Smoothed against plain teachers, three T: {plots.verdicts(harm)}",
    xlabel="smoothed − plain teacher, students on test (points)",
    scale=100,
    pairs=cost,
)

# %% [markdown]
# Does the harm grow with T? That is a difference of two of these differences:

# %%
name = "T = 10 minus T = 1"
harm_moves = compare(cost["T = 10"], cost["T = 1"])
plots.differences(
    {name: harm_moves},
    title=harm_moves.say(
        better="Smoothed teachers do better, against plain ones, at high T",
        worse="Smoothed teachers do worse, against plain ones, at high T",
        inconclusive="Whether smoothing harms more at high T: cannot tell",
    ),
    xlabel="change of smoothed − plain teacher (points)",
    scale=100,
    pairs={name: cost["T = 10"] - cost["T = 1"]},
)

# %% [markdown]
# *Worse* in the last figure, harm that grows with T, speaks for Chandrasegaran et al.; *worse* at every T, for Müller et al. *Better* speaks against both, and *inconclusive* for nobody: these
# are small networks, and the claim was made with large ones. If you did not train the teacher, ask how it was trained before you raise the temperature.
#
# ## Build it
#
# **Exercise 1** · 6 minutes · medium. Write `limit_gradient`: what the gradient T · (q − p) tends to as T grows without bound, from logits alone, one row
# for each example. The derivation above has it.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def limit_gradient(student_logits, teacher_logits):
    return ...  # your code here


# %% tags=["solution"]
def limit_gradient(student_logits, teacher_logits):
    difference = student_logits - teacher_logits
    centred = difference - difference.mean(1, keepdim=True)
    return centred / student_logits.shape[1]


# %% tags=["nbval-check-output"]
from kdcourse import check

check.limit_gradient(limit_gradient)

# %% [markdown]
# **Exercise 2** · 5 minutes · easy, and often done wrong. Write `choose_temperature`. `temperatures` has S values; `validation` and `test` are accuracies `[S, R]`
# of R seeds each. Return the temperature that you would ship: the best mean over the seeds, and the first of equally good ones.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def choose_temperature(temperatures, validation, test):
    return ...  # your code here


# %% tags=["solution"]
def choose_temperature(temperatures, validation, test):
    return temperatures[validation.mean(1).argmax()]


# %% tags=["nbval-check-output"]
check.choose_temperature(choose_temperature)

# %% [markdown]
# **Exercise 3** · 8 minutes · medium. Write `fit_temperature`, temperature scaling: the T > 0 at which softmax(logits / T) has the smallest mean cross-entropy with the labels.
# A fine grid will do.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def fit_temperature(logits, labels):
    return ...  # your code here


# %% tags=["solution"]
def fit_temperature(logits, labels):
    candidates = torch.logspace(-2, 2, 2_001, base=10)
    surprise = [
        torch.nn.functional.cross_entropy(logits / T, labels)
        for T in candidates
    ]
    return candidates[torch.stack(surprise).argmin()].item()


# %% tags=["nbval-check-output"]
check.fit_temperature(fit_temperature)

# %% [markdown]
# ## Where it goes wrong
#
# **Find the bug.** A loss from a code review. It runs, and the loss goes down. Meant are temperature 10, nine parts soft, one part hard. What is missing? Decide before you unfold the answer or read on.


# %%
def reviewed_loss(student_z, teacher_z, labels, T=10, soft_weight=0.9):
    soft = torch.nn.functional.kl_div(
        (student_z / T).log_softmax(1),
        (teacher_z / T).log_softmax(1),
        log_target=True,
        reduction="batchmean",
    )
    hard = torch.nn.functional.cross_entropy(student_z, labels)
    return soft_weight * soft + (1 - soft_weight) * hard


# %% [markdown]
# <details><summary><b>The bug</b></summary>
#
# T². The soft part is 100 times too small, so the labels, meant to have a tenth of the weight, have nearly all of it. No learning rate repairs that: it is
# *another blend*. Which one, the next cell works out.
# </details>
#
# **What the missing factor did.** A blend without T² is, up to a factor, a blend *with* T² and another soft weight:
#
# $$w \, \mathrm{KL} + (1 - w) \, \mathrm{CE} \; \propto \; w' \, T^2 \, \mathrm{KL} + (1 - w') \, \mathrm{CE}, \qquad w' = \frac{w / T^2}{w / T^2 + 1 - w}$$

# %% tags=["nbval-check-output"]
T, w = 10, 0.9
other_w = (w / T**2) / (w / T**2 + 1 - w)
z, v = 3 * torch.randn(2, 8, 10, generator=generator).double()
y = torch.randint(0, 10, (8,), generator=generator)
factor = w / T**2 + 1 - w
same = factor * losses.blended_loss(z, v, y, T, other_w).total
print(f"{reviewed_loss(z, v, y):.6f} {same:.6f}; soft weight {other_w:.3f}")

# %% [markdown]
# So its students can be trained, and compared with those that were meant, and with students on labels:

# %%
blends = {"temperature": T, "soft_weight": [w, other_w]}
reviewed = pd.concat(
    [
        train_on(k, 500, blends, {"soft_weight": 0}, width=64, lr=RATES)
        for k in BLOCKS
    ]
)
reviewed = pd.concat(
    [at_its_rate(rows) for _, rows in reviewed.groupby("soft_weight")]
)
for measure in ["test_agreement", "test_accuracy"]:
    by_weight = 100 * reviewed.pivot(
        index="block", columns="soft_weight", values=measure
    )
    print(measure, "in points")
    print("  meant − bug:", compare(by_weight[w], by_weight[other_w]))
    print("  bug − labels:", compare(by_weight[other_w], by_weight[0.0]))

# %% [markdown]
# *Better* in the first line of each is what the missing T² cost; *inconclusive* means that results would not have given it away, and only reading the code, or logging the two terms, does. If the second line is *inconclusive*, the bug has made the students hard to tell from students that had no teacher. If it is *better*,
# even a small weight has taught something: what a loss weighs on paper is not its share of the pull. [Lesson 03](03_blended_loss.ipynb) measures that share.
#
# *Agreement* is the share of test pictures on which student and teacher make the same choice: what a soft loss is after. It is the first number to look at
# when distillation seems to "do nothing".
#
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("02_temperature")

# %% [markdown]
# ## The claims, and the full run
#
# Five claims of the ledger were touched. The full run repeats more often, and in some claims lets every arm choose among more settings; each record says how it was measured. Its intervals hold for all parts of a claim together,
# so each is wider than it would be alone; yours hold each for itself, and of two dozen such intervals at 95 %, expect one to be wrong. More repetitions make most of the full run's narrower than yours all the same. Where your run says *better* and the full run *worse*, or the other way round, the table says so.

# %%
from kdcourse import claims

cases = [(32, 500), (32, 5_000), (256, 500), (256, 5_000)]
here = {
    f"width={units},examples={n}": result
    for (units, n), result in zip(cases, habit.values(), strict=True)
}
claims.show("t-4-to-10", measured=here)

# %%
contrasts = [
    "width=256:32,examples=500",
    "width=256:32,examples=5000",
    "examples=500:5000,width=32",
    "examples=500:5000,width=256",
]
here = dict(zip(contrasts, moves.values(), strict=True))
claims.show("best-temperature-moves", measured=here)

# %%
import numpy as np

doublings = np.log2(at["with T²"])
limit = np.log2(1.25)
grown = {
    f"temperature={b}:{a}": compare(doublings[b], doublings[a], margin=limit)
    for a, b in [(1, 4), (4, 20)]
}
claims.show("t-squared-keeps-gradients", measured=grown)

# %% [markdown]
# (The full run's students have seen more pictures after their one epoch, so its numbers differ a little.) In the next table, n of the full run counts pairs of students: from six pairs of teachers, two students for each teacher. Its
# intervals take the pair of teachers as the unit. Here, the students of a teacher were averaged first, and n counts the pairs of teachers.

# %%
here = {f"temperature={T}": harm[f"T = {T}"] for T in (1, 4, 10)}
claims.show("smoothed-teacher-teaches-worse", measured=here)

# %%
few_s, many_s, few_l, many_l = (gain[case] for case in CASES)
fewer = {
    "500 against 5,000 pictures, 32 units": compare(few_s, many_s),
    "500 against 5,000 pictures, 256 units": compare(few_l, many_l),
}
claims.show("low-data-gains-most", measured=fewer)

# %% [markdown]
# ## Take away
#
# - T² keeps the gradient's size only where T is large against the logits; below that, a new temperature is a new learning problem.
# - Choose a temperature on validation, for *your* student and *your* transfer set, each with its own learning rate, and give the baseline as many tries.
# - Calibrating a teacher and teaching with it are two uses of one formula. When the student is used, its training temperature is gone.
#
# ## Read on
#
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural Network*, sections 2 and 2.1 for T and T², section 3 for the size of the student:
#   [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - Guo, Pleiss, Sun and Weinberger (2017), *On Calibration of Modern Neural Networks*, section 4.2: [arXiv:1706.04599](https://arxiv.org/abs/1706.04599)
# - Müller, Kornblith and Hinton (2019), *When Does Label Smoothing Help?*, the section on distillation: [arXiv:1906.02629](https://arxiv.org/abs/1906.02629)
# - Chandrasegaran et al. (2022), *Revisiting Label Smoothing and Knowledge Distillation Compatibility*, abstract, and Table 2 for the temperatures: [arXiv:2206.14532](https://arxiv.org/abs/2206.14532)
# - Busbridge et al. (2025), *Distillation Scaling Laws*, appendix G.2 for the temperature of language models: [arXiv:2502.08606](https://arxiv.org/abs/2502.08606)
