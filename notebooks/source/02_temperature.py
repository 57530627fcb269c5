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
# **The best temperature is not a number to copy.** It falls as data grow and rises with the student: T = 4 gains
# {{ effect best-temperature-moves fashion-mnist examples=500:5000,width=32 is better }} more over T = 1 with 500 pictures than with 5,000.
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
# We need a student that still has something to learn. This one has seen 2,000 pictures, once.

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
some = garments.subset(2_000).train
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
    loss = ...  # your code here; the labels are not needed
    return loss


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
# people use? Eight novices:

# %%
import pandas as pd

from kdcourse import claims
from kdcourse.stats import compare

SEEDS = range(3 if FAST else 8)
rows = []
for seed in SEEDS:
    student = mlp([784, 64, 10], seed)
    train(student, some.inputs, some.labels, order_seed=seed, **once)
    z = logits_of(student, validation.inputs).double()
    for T in [1, 2, 4, 10, 20]:
        size = pull(T).norm(dim=1).mean().item()
        rows += [[seed, T, "with T²", size], [seed, T, "without", size / T**2]]
sizes = pd.DataFrame(rows, columns=["seed", "T", "loss", "size"])
at = sizes.pivot(index="seed", columns=["loss", "T"], values="size")

# %%
first = sizes["seed"].map(at["with T²", 1])
times = (at["with T²", 4] / at["with T²", 1]).mean()
plots.curves(
    sizes.assign(ratio=sizes["size"] / first),
    x="T",
    y="ratio",
    hue="loss",
    xlabel="temperature",
    ylabel="size of the gradient, T = 1 being 1",
    title=f"Even with T², the gradient at T = 4 is {times:.1f} times as large",
    log_y=True,
)

# %% [markdown]
# In the full run the gradient doubles {{ size t-squared-keeps-gradients fashion-mnist temperature=4:1,metric=gradient norm is better }} times on the way from
# T = 1 to T = 4, and shrinks again beyond. T² works where T is large against the logits, and T = 4 is not there yet.
#
# ## Measure: which temperature teaches best?
#
# Each repetition is a **block**: pictures of its own, initial weights and batches of its own. Within a block all temperatures share these, so they
# are pairs. `grid` lists the settings, `sweep_blocks` trains a student for each on every block. T = ∞ is your loss.

# %%
import math

from kdcourse.sweep import best_on_validation, grid, sweep_blocks
from kdcourse.train import cosine

TEMPERATURES = [1, 4, 10] if FAST else [1, 2, 4, 10]
PLANS = {
    500: {"blocks": 3 if FAST else 16, "epochs": 25, "batch_size": 64},
    5_000: {"blocks": 2 if FAST else 10, "epochs": 8, "batch_size": 128},
}
same = {"schedule": cosine, "device": DEVICE, "resume": False}


# %%
def students_of(n, loss=None, **settings):
    """Students on blocks of n pictures, all at the learning rate 0.01."""
    arms = grid(lr=0.01, **settings)
    how = {"examples": n, **PLANS[n], **same}
    if loss is None:
        return sweep_blocks(arms, garments, **how).assign(n=n)
    return sweep_blocks(arms, garments, loss=loss, **how).assign(n=n)


tables = []
for n in PLANS:
    tables += [
        students_of(n, width=[32, 256], temperature=TEMPERATURES),
        students_of(n, limit_loss, width=[32, 256]).assign(
            temperature=math.inf
        ),
    ]
students = pd.concat(tables)

# %%
base = students[students["temperature"] == 1]
base = base.set_index(["n", "width", "block"])["test_accuracy"]
keys = pd.MultiIndex.from_frame(students[["n", "width", "block"]])
gain = students["test_accuracy"].to_numpy() - base.loc[keys].to_numpy()
soft = students.assign(gain=100 * gain)
chosen = {
    case: best_on_validation(rows)["temperature"].iloc[0]
    for case, rows in soft.groupby(["n", "width"])
}
plots.panels(
    soft,
    x="temperature",
    y="gain",
    hue="width",
    panel="n",
    marked=chosen,
    hue_name="{} hidden units",
    panel_name="{:,} pictures",
    ylabel="gain over T = 1, on test (points)",
    title="Best T: {} with 500 pictures, {} with 5,000".format(
        *(
            " and ".join(
                dict.fromkeys(f"{chosen[n, w]:g}" for w in (32, 256))
            )
            for n in PLANS
        )
    ),
)
