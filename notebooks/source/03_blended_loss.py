# %% [markdown]
# # 03 · The blended loss
#
# **45 minutes** · needs [lesson 02](02_temperature.ipynb) · computes for a minute or two
#
# You will be able to
# - write the loss that blends soft labels with labels, and train any student with it,
# - say what a weight in somebody's configuration really does,
# - decide whom to trust when labels are wrong, and find the four bugs that this loss invites.
#
# **The finding.** Of 5,000 labels, 30 % are wrong. Against them, soft labels of a teacher that saw *clean* labels win by {{ size soft-labels-resist-noise fashion-mnist examples=5000,teacher=clean is better }} points on garments, {{ size soft-labels-resist-noise wordnet-glosses examples=5000,teacher=clean is better }} on dictionary glosses and {{ size soft-labels-resist-noise flights examples=5000,teacher=clean,metric=AUROC is better }} on flights. If the teacher learned from the *same* wrong labels, a common case, {{ size soft-labels-resist-noise fashion-mnist examples=5000,teacher=equally_misled is better }} and {{ size soft-labels-resist-noise wordnet-glosses examples=5000,teacher=equally_misled is better }} are left; on flights it is **{{ gain soft-labels-resist-noise flights examples=5000,teacher=equally_misled,metric=AUROC is inconclusive }} of AUROC**.

# %% tags=["parameters"]
FAST = False  # fewer seeds and epochs; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %%
from kdcourse import claims, plots
from kdcourse.stats import Comparison, compare

shown = {
    claims.label(one["key"], one["setting"]): Comparison(
        *(one[name] for name in Comparison._fields)
    )
    for one in claims.result("soft-labels-resist-noise")["parts"]
    if one["key"]["examples"] == 5000
}
plots.differences(
    shown,
    title="30 % wrong labels: equally misled teachers hardly help",
    xlabel="soft labels − labels, full run (points; on flights of AUROC)",
    said={
        name: "helps" if one.verdict == "better" else "no gain shown"
        for name, one in shown.items()
    },
)

# %% [markdown]
# *Points*: of accuracy on garments, the pictures here, and on glosses; on flights of AUROC, how often a late flight gets a higher score than one on time (50 is guessing).

# %% [markdown]
# An *equally misled* teacher learned from the student's own examples, wrong labels included.

# %% [markdown]
# ## Predict
#
# With 500 garments: by how many points does the best blend beat the better of its two parts? And with both parts weighted 0.5, at T = 4: what percentage of the pull comes from the teacher?

# %%
my_guess_blend = 1.0  # ours: change them to yours, in points
my_guess_share = 50  # percent

# %% [markdown]
# ## See: two pulls on every logit
#
# ![The student between the label's one bar and the soft labels' four, an arrow to each. Loss: (1 − w) CE + w T² KL. ](pictures/blend.svg)
#
# The **soft weight** w, often called α, multiplies the soft part, 1 − w the hard part: at 1 the labels have no say.

# %% [markdown]
# Below is a *novice*, a student that has seen 2,000 pictures once.

# %%
from dataclasses import replace

import torch

from kdcourse import losses
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
quiet = {"device": DEVICE, "progress": False}
novice = mlp([784, 64, 10], seed=0)
train(novice, some.inputs, some.labels, epochs=1, **quiet)

# %% [markdown]
# Training goes against the gradient, so we show **pulls**, minus the gradient: to the right is up. On which pictures do the two parts disagree most?


# %%
def pulls(z, v, labels, T):
    """What the soft and the hard part pull at, each at full weight."""
    soft = T * (losses.soften(v, T) - losses.soften(z, T))
    return soft, torch.eye(10)[labels] - losses.soften(z)


z, v = logits_of(novice, validation.inputs), validation.teacher_logits
soft, hard = pulls(z, v, validation.labels, T=4)
against = torch.cosine_similarity(soft, hard, dim=1).argsort()

# %%
from kdcourse.widgets import blended_loss as explorer

most = [*against[:3].tolist(), 0, 1]
explorer(garments, z, examples=most, temperature=4)

# %% [markdown]
# The label says sandal, the teacher sneaker. Below which soft weight does the sum pull *sneaker* down? For the first picture, well below a half.

# %% [markdown]
# ## Derive
#
# $$L = w \, T^2 \, \mathrm{KL}(p \,\|\, q) + (1 - w) \, \mathrm{CE}(y, q_1)$$
#
# (Hinton et al. 2015, section 2). p and q are teacher and student softened with T. The cross-entropy with the label y sees the student at T = 1, $q_1$, as it will be used. The pull on the logit of class c:
#
# $$-\frac{\partial L}{\partial z_c} = w \, T \, (p_c - q_c) + (1 - w) \, (y_c - q_{1,c})$$

# %% [markdown]
# ## Build: the soft part, then the blend
#
# **Exercise 1** · 5 minutes · medium. Write `kd_loss`: T² · KL, **one value per example**; the loop takes the mean. Classes are on axis 1: logits are `[B, C]`, or `[M, C, B]` for M students at once. No gradient flows into the teacher.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def kd_loss(student_logits, teacher_logits, temperature):
    return ...  # your code here


# %% tags=["solution"]
def kd_loss(student_logits, teacher_logits, temperature):
    log_q = (student_logits / temperature).log_softmax(1)
    log_p = (teacher_logits.detach() / temperature).log_softmax(1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1)


# %% tags=["nbval-check-output"]
from kdcourse import check

kd_loss = check.kd_loss(kd_loss).use()

# %% [markdown]
# **Exercise 2** · 2 minutes · easy. Write `blended_loss` with it, again one value per example. `torch.nn.functional.cross_entropy(..., reduction="none")` gives the hard part.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def blended_loss(
    student_logits, teacher_logits, labels, temperature, soft_weight
):
    return ...  # your code here


# %% tags=["solution"]
def blended_loss(
    student_logits, teacher_logits, labels, temperature, soft_weight
):
    soft = kd_loss(student_logits, teacher_logits, temperature)
    cross_entropy = torch.nn.functional.cross_entropy
    hard = cross_entropy(student_logits, labels, reduction="none")
    return soft_weight * soft + (1 - soft_weight) * hard


# %% tags=["nbval-check-output"]
blended_loss = check.blended_loss(blended_loss).use()

# %% [markdown]
# Autograd finds the pulls of the formula:

# %% tags=["nbval-check-output"]
z = z[:100].requires_grad_()
case = (z, v[:100], validation.labels[:100], 4, 0.7)
loss = blended_loss(*case)
soft, hard = pulls(*case[:4])
(gradient,) = torch.autograd.grad(loss.sum(), z)
expected = 0.7 * soft + (1 - 0.7) * hard
print("the pulls are right:", torch.allclose(-gradient, expected, atol=1e-4))

# %% [markdown]
# ## The weight you set is not the weight you get
#
# On 10,000 pictures that the novice has not seen: how long is the soft pull, as a share of both lengths?

# %%
unseen = garments.train[2_000:12_000]
z, v = logits_of(novice, unseen.inputs), unseen.teacher_logits
weights, real = torch.linspace(0, 1, 21), {}
for T in (1, 4, 10):
    soft, hard = (pull.norm(dim=1) for pull in pulls(z, v, unseen.labels, T))
    w = weights[:, None]
    real[T] = (w * soft / (w * soft + (1 - w) * hard)).mean(1)

# %%
print(f"You said {my_guess_share} %.")
fig, ax = plots.figure(6.4, 4.0)
for T, style in zip(real, ["-", "--", ":"], strict=True):
    ax.plot(weights, real[T], style, color="black", label=f"T = {T}")
ax.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, label="as set")
ax.set_xlabel("soft weight w in the configuration")
ax.set_ylabel("the teacher's share of the pull")
ax.legend(frameon=False)
half = {T: f"{share[10]:.0%}" for T, share in real.items()}
ax.set_title(f"At T = 4, a weight of 0.5 is {half[4]} teacher", loc="left")
plots.show(
    fig, alt=f"The teacher's share of the pull at w = 0.5, by T: {half}"
)

# %% [markdown]
# A hard pull is at most √2 long, a soft one can reach T √2. At T = 4, an even share needs a w far below 0.5, as the figure shows.

# %% [markdown]
# This is one novice, and others may differ. Always try w and T *together*.

# %% [markdown]
# ## Measure: soft weight × temperature
#
# 500 pictures, 64 hidden units, 16 blocks, each with other pictures and initial weights. Your loss trains hundreds of students.

# %%
import functools

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from kdcourse.sweep import best_on_validation, grid, sweep_blocks
from kdcourse.train import cosine

COMMON = {
    "examples": 500,
    "blocks": 3 if FAST else 16,
    "epochs": 5 if FAST else 20,
    "batch_size": 125,
    "schedule": cosine,
    "resume": False,
}
RATES = [0.003, 0.01] if FAST else [0.001, 0.003, 0.01, 0.03]


# %%
def students(w, T, rates, decays=0.0, **options):
    """Students of your blend on every block, one for each rate and decay."""
    loss = functools.partial(blended_loss, temperature=T, soft_weight=w)
    options = COMMON | quiet | {"loss": loss} | options
    arms = grid(width=64, lr=rates, weight_decay=decays)
    table = sweep_blocks(arms, garments, **options)
    return table.assign(soft_weight=w, temperature=T)


WEIGHTS, TEMPERATURES = [0.1, 0.5, 1.0], [1, 4, 10]
cells = [(w, T) for w in WEIGHTS for T in TEMPERATURES]
rates = {(0.0, 1): RATES, (0.5, 4): RATES, (1.0, 4): RATES}
plan = tqdm([(0.0, 1), *cells], leave=False)
table = pd.concat([students(*cell, rates.get(cell, [0.01])) for cell in plan])


# %%
def on_test(rows):
    return rows.sort_values("block")["test_accuracy"].to_numpy()


shared = table[table["lr"] == 0.01].groupby(["soft_weight", "temperature"])
shared = {cell: on_test(rows) for cell, rows in shared}
gains = {cell: compare(shared[cell], shared[0.0, 1]) for cell in cells}
w, T = max(gains, key=lambda cell: gains[cell].mean)
plots.surface(
    gains,
    rows=WEIGHTS,
    columns=TEMPERATURES,
    title=f"Gain over labels alone: w = {w}, T = {T} comes out first",
    xlabel="temperature",
    ylabel="soft weight w",
)

# %% [markdown]
# Tempting: report that cell. But it is the best of nine *on test*, all at one learning rate; w and T change the gradient's size, so that rate may not suit every arm.

# %%
arm = {0.0: "labels", 0.5: "blend", 1.0: "soft labels"}
lines = table.assign(arm=table["soft_weight"].map(arm)).dropna(subset="arm")
lines = lines[(lines["temperature"] == 4) | (lines["arm"] == "labels")]
means = lines.pivot_table("test_accuracy", "lr", "arm")
gain = 100 * (means["soft labels"] - means["labels"])

# %%
plots.curves(
    lines,
    x="lr",
    y="test_accuracy",
    hue="arm",
    title="The learning rate alone moves soft labels' lead over labels "
    f"from {gain.min():+.1f} to {gain.max():+.1f} points".replace("-", "−"),
    xlabel="learning rate (blend: w = 0.5; blend and soft labels: T = 4)",
    ylabel="accuracy on test",
    percent=True,
)

# %% [markdown]
# At 0.001 labels win, at 0.03 soft labels. So **each arm chooses its own rate, on validation**. The blend's rival is the better of its two parts.

# %% [markdown]
# ## Does the blend beat either alone?
#
# We treat a difference below a quarter of a point as too small to matter. We set this *margin* after a first run, but before this one.

# %% [markdown]
# In the full run, the best blend differed from the better part by {{ gain blend-beats-either fashion-mnist examples=500 is equivalent }} with 500 garments, and by {{ gain blend-beats-either flights examples=500,metric=AUROC is equivalent }} with 500 flights. Both times validation took a weight so close to 1 that the best blend hardly blends.

# %% [markdown]
# Does a blend beat the better of its parts by more than the margin? {{ plain blend-beats-either }}

# %%
spans = {"labels": (0, 0), "blend": (0.01, 0.99), "soft labels": (1, 1)}
chosen = {
    name: best_on_validation(table[table["soft_weight"].between(*span)])
    for name, span in spans.items()
}
better = max(
    (chosen["labels"], chosen["soft labels"]),
    key=lambda rows: rows["validation_accuracy"].mean(),
)
both = on_test(chosen["blend"]), on_test(better)

# %%
found = compare(*both, margin=0.0025)
print(f"You said {my_guess_blend:+.1f} points.")
claims.show(
    "blend-beats-either",
    {"examples=500": found},
    title=found.say(
        better="Just now, the blend beats its better part",
        worse="Just now, the blend loses to its better part",
        equivalent="Blend or teacher alone: no difference that matters",
        inconclusive="Just now, whether the difference matters stays open",
    ),
    xlabel="best blend − better part alone, on test",
    pairs={"examples=500": both[0] - both[1]},
)

# %% [markdown]
# Our interval lies just above zero and reaches past the margin: *inconclusive*. The full run tuned more, and trained longer: there, nothing is left that matters.

# %% [markdown]
# **Equal compute.** Soft labels cost a pass of the teacher. Would labels do as well with that compute?

# %% [markdown]
# A training step of this student costs about two forward passes, not the usual three, because nothing needs the gradient with respect to the pictures.

# %%
from kdcourse.ship import multiply_adds
from kdcourse.train import load_teacher

teacher = multiply_adds(load_teacher("fashion-mnist"), test.inputs[:1])
student = multiply_adds(novice, test.inputs[:1])
extra = round(teacher / (2 * student))
longer = {"epochs": 20 if FAST else COMMON["epochs"] + extra, "blocks": 3}
rival = students(0.0, 1, [chosen["labels"]["lr"].iloc[0]], **longer)
paid = 100 * (on_test(chosen["soft labels"])[:3] - on_test(rival))
print(f"One pass of the teacher pays for {extra} epochs of the student.")
print("soft labels − labels with these epochs, by block:", paid.round(1))

# %% [markdown]
# Soft labels stay ahead in all three blocks. This is only a hint, because the long run on labels used the learning rate that was chosen for the short one.

# %% [markdown]
# The teacher's answers can serve every later student; the cost of training the teacher is not counted here.

# %% [markdown]
# ## When labels are wrong
#
# The hard part follows the labels, right or wrong; the soft part follows its teacher.

# %% [markdown]
# Look at the first figure again. Its zero line is the student that learned from the labels alone: {{ b soft-labels-resist-noise fashion-mnist examples=5000,teacher=clean is better }} % accuracy on garments, {{ b soft-labels-resist-noise wordnet-glosses examples=5000,teacher=clean is better }} % on glosses, and on flights an AUROC of {{ b soft-labels-resist-noise flights examples=5000,teacher=clean,metric=AUROC is better }}.

# %% [markdown]
# Settings were chosen on validation data with right labels; on flights, by log-likelihood.

# %% [markdown]
# A *clean* teacher is not the only useful one. With 500 examples, one that learned from 4,000 others, 30 % of them labelled wrong, wins by {{ size soft-labels-resist-noise fashion-mnist examples=500,teacher=misled is better }} points on garments, {{ size soft-labels-resist-noise wordnet-glosses examples=500,teacher=misled is better }} on glosses and {{ size soft-labels-resist-noise flights examples=500,teacher=misled,metric=AUROC is better }} on flights.

# %% [markdown]
# **Tune the teacher, too.** In a first run, all teachers on wrong labels had one learning rate, and on glosses and flights they did harm. In a second, they chose it, but had no weight decay: equally misled teachers of 5,000 flights still did harm. Now they choose that, too, and none does harm that we can see.

# %% [markdown]
# Now your own run. Every arm may choose a weight decay, which keeps a student from learning errors by heart. The equally misled teacher has 256 hidden units and stops where validation likes it best.

# %%
from kdcourse import controls


def noisy(data, block):
    return controls.noisy_labels(data, 0.3, seed=block)


@functools.cache
def equally_misled(block):
    """A block with wrong labels, and a teacher that learned from them."""
    mine = replace(garments, train=garments.train[500 * block :][:500])
    return controls.self_taught(noisy(mine, block), seed=block, device=DEVICE)


# %%
few, decays = [0.003, 0.01], [0.0, 3.0]
labels = students(0.0, 1, RATES, decays, signal=noisy)
clean = students(1.0, 4, few, decays, signal=noisy)
misled = [
    students(w, T, few, decays, signal=lambda _, block: equally_misled(block))
    for w in (0.5, 1.0)
    for T in (0.5, 4)
]
misled = pd.concat(misled)

# %%
base = on_test(best_on_validation(labels))
alone = misled[misled["soft_weight"] == 1]
differ = {
    f"examples=500,teacher={who}": on_test(best_on_validation(rows)) - base
    for who, rows in {"clean": clean, "equally misled": alone}.items()
}
resist = {part: compare(d, 0 * d) for part, d in differ.items()}

# %%
claims.show(
    "soft-labels-resist-noise",
    resist,
    title=resist["examples=500,teacher=equally misled"].say(
        better="On garments, even the equally misled teacher helps",
        worse="The clean teacher helps, the equally misled one does harm",
        inconclusive="The clean teacher helps; of the other we cannot tell",
    ),
    xlabel="soft labels − labels, 30 % wrong, on test",
    pairs=differ,
    labels={part: f"{part[21:]} teacher" for part in differ},
)

# %% [markdown]
# These errors are random. Errors that follow the picture, say every hooded coat labelled *shirt*, look like a rule to learn; we have not measured those.

# %% [markdown]
# **Exercise 3** · 5 minutes · medium, open-ended. A colleague with wrong labels sends accuracies of her blends, on validation labels that are right: `accuracy[soft weight, temperature, block]`. Choose for her.

# %% [markdown]
# A *cell* is a pair of soft weight and temperature; its *shortfall* is how far it lies below the best cell, block by block. A cell is worse if mean shortfall − 2 standard errors > `margin`; any other *may do as well*. To lean on her labels least, take the largest soft weight that has a cell which may do as well, and the first temperature of such a cell.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def choose_blend(soft_weights, temperatures, accuracy, margin):
    soft_weight = ...  # your code here
    temperature = ...
    return soft_weight, temperature


# %% tags=["solution"]
def choose_blend(soft_weights, temperatures, accuracy, margin):
    cells = accuracy.flatten(0, 1)
    short = cells[cells.mean(1).argmax()] - accuracy
    error = short.std(2) / accuracy.shape[2] ** 0.5
    may = short.mean(2) - 2 * error <= margin
    row = may.any(1).nonzero().max()
    column = may[row].int().argmax()
    return soft_weights[row], temperatures[column]


# %% tags=["nbval-check-output"]
choose_blend = check.choose_blend(choose_blend).use()

# %% [markdown]
# Now use your rule on the students of the equally misled teacher: how much do they need the labels themselves? T = 0.5 sharpens soft labels until they nearly name the teacher's first choice alone.

# %%
at_both = [labels.assign(temperature=T) for T in (0.5, 4)]
tried = pd.concat([*at_both, misled])
tried = tried.groupby(["soft_weight", "temperature"])
best = {cell: best_on_validation(rows) for cell, rows in tried}
values = np.array(
    [
        [best[w, T]["validation_accuracy"] for T in (0.5, 4)]
        for w in (0.0, 0.5, 1.0)
    ]
)
case = torch.tensor([0, 0.5, 1]), torch.tensor([0.5, 4.0])
chosen_w, chosen_T = choose_blend(*case, torch.tensor(values), 0.0025)
print(f"soft weight {float(chosen_w):g}, T = {float(chosen_T):g}")

# %% [markdown]
# ## Where it goes wrong
#
# Four runs were meant to do the same: T = 10, soft weight 0.9, 500 garments with 30 % wrong labels. Each has one bug; nothing crashed.

# %% [markdown]
# Grey has none. Left: the soft term as each run computes it.

# %%
from kdcourse.check.exercises import name_the_bug as puzzle

runs = puzzle.four_runs(garments, epochs=10 if FAST else 40, device=DEVICE)
puzzle.show_runs(runs)

# %% [markdown]
# **Exercise 4** · 4 minutes · medium. Which run has which bug: `"alpha swapped"`, `"no T²"`, `"mean over classes"`, `"T on one side"`? Before the first step (epoch 0) all five students are the same.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def name_the_bug(run):
    return {"A": ..., "B": ..., "C": ..., "D": ...}[run]


# %% tags=["solution"]
def name_the_bug(run):
    return {
        "A": "T on one side",  # as vague at T = 1 as the teacher at T = 10
        "B": "no T²",  # 100 times too small before the first step
        "C": "alpha swapped",  # the right soft term, and still by heart
        "D": "mean over classes",  # 10 times too small
    }[run]


# %% tags=["nbval-check-output"]
check.name_the_bug(name_the_bug)

# %% [markdown]
# Where you meet them in public:
#
# - **alpha** has two meanings: it weighs the soft part in [haitongli/knowledge-distillation-pytorch](https://github.com/haitongli/knowledge-distillation-pytorch/blob/master/model/net.py), and the labels in [Keras' example](https://keras.io/examples/vision/knowledge_distillation/). The Liger path of TRL's GKD trainer gave cross-entropy a weight of one half, unasked: [trl #5731](https://github.com/huggingface/trl/pull/5731).
# - **T²**: paper and code differ in [hunto/image_classification_sota #19](https://github.com/hunto/image_classification_sota/issues/19).
# - **mean over classes**: kept, as the right mean did no better, in [facebookresearch/deit #61](https://github.com/facebookresearch/deit/issues/61). It only changes the weight.
# - **T on one side**: in TinyBERT's paper, not in its code, [Pretrained-Language-Model #11](https://github.com/huawei-noah/Pretrained-Language-Model/issues/11).

# %% [markdown]
# One test finds exchanged weights: set w to 1 and change all labels. The loss must not move.

# %% [markdown]
# ## On Monday
#
# - If your teacher learned from clean labels, start with it alone, w = 1. Add labels only if validation asks for them.
# - Tune w, T and the learning rate together, for every arm; log the soft term.
# - If your teacher learned from labels that you distrust, train on labels alone as well, and judge both on checked labels.
#
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("03_blended_loss")

# %% [markdown]
# ## Take away
#
# - The blend is a sum of two pulls; above T = 1, the weight that you set is not the share that you get.
# - A best cell at a shared learning rate proves little.
# - With 5,000 flights, 30 % mislabelled, soft labels won {{ size soft-labels-resist-noise flights examples=5000,teacher=clean,metric=AUROC is better }} points of AUROC, or nothing that we can see: ask what the teacher learned from, and how it was tuned.
#
# All of it: `kdcourse claims blend-beats-either`, `kdcourse claims soft-labels-resist-noise`.
#
# ## Read on
#
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural Network*, section 2: [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - Li et al. (2017), *Learning from Noisy Labels with Distillation*, abstract: [arXiv:1703.02391](https://arxiv.org/abs/1703.02391)
# - Beyer et al. (2022), *A good teacher is patient and consistent*, section 3.1.2: [arXiv:2106.05237](https://arxiv.org/abs/2106.05237)
