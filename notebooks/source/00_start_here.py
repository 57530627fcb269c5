# %% [markdown]
# # 00 · Start here
#
# **45 minutes** · needs Python and a little PyTorch · computes for less than a minute
#
# You will be able to
# - write the loop that distils a big model into a small one,
# - say whether it was worth it, with an interval instead of a hope,
# - spot a training loop that is wrong although nothing crashes.
#
# If a cell fails, run `kdcourse doctor`. `kdcourse glossary` explains a word.

# %% tags=["parameters"]
FAST = False  # fewer repetitions; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## Can you recognise what you were never shown?
#
# Two small networks learn to tell garments apart. Neither is ever shown a **sneaker**. One learns from labels. The other learns from **soft labels**: what a big network, which knows sneakers, says about the same pictures, such as "an ankle boot, though a little like a sneaker".

# %%
import torch

from kdcourse import controls, plots
from kdcourse.data import load

garments = load("fashion-mnist")
sneaker = garments.class_index("sneaker")
# Neither the label nor the big network calls any of these a sneaker.
shown = controls.never_shown(garments, "sneaker").train[:10_000]

# %%
from kdcourse.models import mlp
from kdcourse.train import distill, train

soft_student, hard_student = (mlp([784, 128, 10], seed=0) for _ in range(2))
# What these lines do, and every word in them, comes below.
same = {"epochs": 6, "batch_size": 250, "lr": 0.002, "device": DEVICE}
train(hard_student, shown.inputs, shown.labels, **same)
distill(
    soft_student, shown.inputs, shown.teacher_logits, temperature=4, **same
)
print(f"two students, {len(shown):,} pictures, not one sneaker")

# %% [markdown]
# Now each picks, from 10,000 new pictures, the twelve that look most like a sneaker to it. One picture in ten is a sneaker. How many of each student's twelve picks will be sneakers? Guess both numbers.


# %%
def most_like_a_sneaker(student):
    """The pictures whose sneaker score exceeds all others by most."""
    with torch.no_grad():
        logits = student(garments.test.inputs)
    own = logits[:, sneaker].clone()
    logits[:, sneaker] = -float("inf")
    return (own - logits.amax(1)).topk(12).indices


picked = {
    "soft labels": most_like_a_sneaker(soft_student),
    "labels": most_like_a_sneaker(hard_student),
}
right, other = (
    (garments.test.labels[rows] == sneaker).sum() for rows in picked.values()
)
plots.picks(
    garments,
    picked,
    "sneaker",
    title=f"Never shown a sneaker: soft labels pick {right} of 12, "
    f"labels {other}",
)

# %% [markdown]
# One lucky pair? The course stores a **full run** of every experiment, with many students. In the one behind this picture, students on soft labels name {{ a omitted-class-is-learned fashion-mnist class=sneaker,metric=recall is better }} % of all test sneakers, once one number, the bias of the sneaker output, is corrected on labelled validation pictures, and {{ beside:before_the_correction omitted-class-is-learned fashion-mnist class=sneaker,metric=recall is better }} % before. Students that learn only the big network's first choice get the same correction, and name {{ b omitted-class-is-learned fashion-mnist class=sneaker,metric=recall is better }} %.

# %% [markdown]
# When shirts are left out instead, soft labels find only {{ a omitted-class-is-learned fashion-mnist class=shirt,metric=recall is better }} % of the shirts. [Lesson 01](01_soft_labels.ipynb) asks why.

# %% [markdown]
# ## The idea
#
# The big network is the **teacher**: good, and too slow or too expensive to run everywhere. The small one is the **student**. **Knowledge distillation** trains the student on the teacher's probabilities, the **soft labels**, rather than on one-word labels.

# %% [markdown]
# Below, **logits** are a network's raw numbers, one per class, before they become probabilities.

# %% [markdown]
# ![The teacher and the student see the same picture. The teacher's logits are softened into soft labels; the loss compares the student's answer with them, and only the student is changed.](pictures/distillation.svg)

# %% [markdown]
# ## The whole idea on one page
#
# A toy that learns right here: points in a plane, three classes. The teacher has seen 600 points. Two students start from the same weights and see the same 40 (the transfer set): one learns their labels, the other mostly the teacher's answers (soft weight: their share of the loss).

# %% [markdown]
# Press **Next step** and read what each step says; without a kernel, you see the last one. Which student will be better, and would you bet on it for another seed?

# %%
from kdcourse.widgets import distillation_steps

distillation_steps()

# %% [markdown]
# The student on labels bends its border around single points; the distilled one less. Lower down, neither follows the teacher's. Press **Train 10 more seeds**: would you still bet?

# %% [markdown]
# ## The real thing
#
# Fashion-MNIST: grey pictures of ten kinds of garment. They came with the course. **Train** is for learning, **validation** for
# choosing, **test** for reporting.

# %%
from kdcourse.models import count_parameters
from kdcourse.train import accuracy, load_teacher

few = garments.subset(500).train  # all that our students get
teacher, student = load_teacher("fashion-mnist"), mlp([784, 64, 10], seed=0)
for name, model in {"teacher": teacher, "student": student}.items():
    right = accuracy(model, garments.validation[:2000], device=DEVICE)
    print(f"{name}: {count_parameters(model):9,} parameters, {right:.0%}")

# %% [markdown]
# The student is untrained and guesses. The teacher, a convolutional network, learned from 50,000 pictures ([its card](../data/fashion-mnist/teacher-card.md)). Its logits for every picture are stored with the data.

# %% [markdown]
# ## The loop you know
#
# One pass over the pictures, an **epoch**, on labels:

# %% slideshow={"slide_type": "slide"}
import torch.nn.functional as F


def train_epoch(student, optimizer, inputs, labels, batches):
    student.train()
    for rows in batches:  # which pictures are in the batch
        loss = F.cross_entropy(student(inputs[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% [markdown]
# And what stands around it: an optimiser, an order of the pictures, and a look at validation after every epoch.


# %%
def fit(student, epoch, targets, *settings, epochs=30):
    """Train on 500 pictures; validation accuracy after every epoch."""
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=0.001, weight_decay=0.0
    )
    order, curve = torch.Generator().manual_seed(0), []
    for _ in range(epochs):
        batches = torch.randperm(500, generator=order).split(50)
        epoch(student, optimizer, few.inputs, targets, batches, *settings)
        curve.append(accuracy(student, garments.validation[:2000]))
    return curve


# %% [markdown]
# ## Only the loss changes
#
# Instead of labels, the student gets the teacher's logits. Both networks' logits are divided by a **temperature** T, which makes the runners-up visible, and become probabilities: p of the teacher, q of the student. The loss is how far q is from p, the KL divergence, times T², since softening shrinks its gradients:
#
# $$T^2 \sum_c p_c \log \frac{p_c}{q_c}$$

# %% [markdown]
# By hand for one picture, and by PyTorch's own function:

# %% tags=["nbval-check-output"] slideshow={"slide_type": "slide"}
T = 4.0
p = (few.teacher_logits[:1] / T).softmax(1)
q = (student(few.inputs[:1]) / T).softmax(1)

by_hand = T**2 * (p * (p / q).log()).sum()
by_call = T**2 * F.kl_div(q.log(), p, reduction="batchmean")
print("the same number:", torch.allclose(by_hand, by_call))

# %% [markdown]
# ## Build it: the distillation loop
#
# **Exercise** · 12 minutes · medium. Write `distill_epoch`: one pass, as above, with the teacher's logits in place of labels. `F.kl_div` wants the
# *logarithm* of q; `log_softmax` gives it safely. The student may arrive in evaluation mode, so switch it to training mode first.

# %% [markdown]
# The check tells you *which* mistake you made; `expected` and `got` are the weights afterwards. To a loop that does nothing, it says:

# %% tags=["nbval-check-output"]
from kdcourse import check

_ = check.distill_epoch(lambda *anything: None)

# %% [markdown]
# For a hint, run `check.distill_epoch.hint()`; again for the next one.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def distill_epoch(
    student, optimizer, inputs, teacher_logits, batches, temperature
):
    return ...  # replace this line by your loop


# %% tags=["solution"]
def distill_epoch(
    student, optimizer, inputs, teacher_logits, batches, temperature
):
    student.train()
    for rows in batches:
        p = (teacher_logits[rows] / temperature).softmax(1)
        log_q = (student(inputs[rows]) / temperature).log_softmax(1)
        loss = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% tags=["nbval-check-output"]
distill_epoch = check.distill_epoch(distill_epoch).use()

# %% [markdown]
# That is the whole loop. The course's `distill` is this loop with checks around it. Same weights, same batches: do they agree?

# %%
for epochs in [1, 5, 30]:
    by_loop, by_call = (mlp([784, 64, 10], seed=0) for _ in range(2))
    fit(by_loop, distill_epoch, few.teacher_logits, T, epochs=epochs)
    same = {"epochs": epochs, "batch_size": 50, "device": "cpu"}
    distill(by_call, few.inputs, few.teacher_logits, temperature=T, **same)
    weights = zip(by_loop.parameters(), by_call.parameters(), strict=True)
    apart = max((a - b).abs().max().item() for a, b in weights)
    print(f"{10 * epochs:3} steps: weights differ by at most {apart:.0e}")

# %% [markdown]
# Up to rounding, both loops do the same.

# %% [markdown]
# ## Predict
#
# Two students, the same 500 pictures, the same initial weights and batches. One learns the labels, the other the soft labels and never a
# label. By how many percentage points will the distilled one be better on test? Below 0 means worse.

# %%
my_guess = 3.0  # ours: change it to yours, in points

# %% [markdown]
# ## One pair
#
# First the two loops, epoch by epoch, on validation:

# %%
import pandas as pd

curves = {
    "labels": fit(mlp([784, 64, 10], seed=0), train_epoch, few.labels),
    "soft labels": fit(
        mlp([784, 64, 10], seed=0), distill_epoch, few.teacher_logits, T
    ),
}
ahead = 100 * pd.DataFrame(curves).diff(axis=1)["soft labels"]
plots.learning(
    curves,
    title=f"Soft labels against labels: {ahead.iloc[0]:+.0f} points after "
    f"one epoch, {ahead.iloc[-1]:+.1f} after thirty",
    ylabel="accuracy on validation",
    percent=True,
)

# %% [markdown]
# That is one pair. Would the next one say the same?

# %% [markdown]
# ## Sixteen pairs
#
# Each pair gets a **block** of 500 *other* pictures, other initial weights and another order. Within a pair, the two **arms** (the variants compared) share all three.

# %% [markdown]
# ![Two students see the same pictures, start from the same weights and get the same batches; one learns labels, the other soft labels. Each pair gives one difference, and many pairs give an interval.](pictures/arms.svg)

# %% [markdown]
# Each arm has the learning rate and weight decay that suited it best on validation in the full run. As there, the learning rate falls along a cosine.

# %%
from kdcourse.sweep import grid, sweep_blocks
from kdcourse.train import cosine

soft_arm = grid(width=64, temperature=4, lr=0.01, weight_decay=0.1)
hard_arm = grid(width=64, soft_weight=0, lr=0.003, weight_decay=3)
runs = sweep_blocks(
    pd.concat([soft_arm, hard_arm]),
    garments,
    examples=500,
    blocks=6 if FAST else 16,
    epochs=10 if FAST else 40,
    batch_size=64,
    schedule=cosine,
    device=DEVICE,
    resume=False,
)

# %%
on_test = runs.pivot(index="block", columns="soft_weight")["test_accuracy"]
soft, labels = on_test[1.0], on_test[0.0]
print(*(f"{100 * one:+.1f}" for one in sorted(soft - labels)))

# %% [markdown]
# That spread is what a single run hides. `compare` turns it into a **95 % interval**: if all of this were repeated again and again, about 95
# of 100 such intervals would hold the true mean difference.

# %% [markdown]
# In the full run, soft labels won by {{ effect soft-beats-hard fashion-mnist examples=500 is better }}. Yours:

# %%
from kdcourse import claims
from kdcourse.stats import compare

gain = compare(soft, labels)
claims.show(
    "soft-beats-hard",
    {"examples=500": gain},
    title=gain.say(
        better="With 500 pictures, soft labels beat labels",
        worse="With 500 pictures, labels beat soft labels",
        inconclusive="These pairs cannot tell",
    ),
    xlabel="soft labels − labels, accuracy on test",
    pairs={"examples=500": soft - labels},
)

# %%
print(
    f"you guessed {my_guess:+.1f} points; the mean of your pairs is "
    f"{100 * gain.mean:+.1f}"
)

# %% [markdown]
# The title's verdict comes from the interval and a **margin**, the difference too small to matter, set beforehand. Here it is zero, so nothing can be *equivalent*.
#
# | verdict | the whole interval lies |
# |---|---|
# | better | above +margin |
# | worse | below −margin |
# | equivalent | between the two |
# | inconclusive | in none of these places: the runs cannot tell |

# %% [markdown]
# Your interval covers the luck that was varied: training pictures, weights, batches; that of the full run also test pictures. Both hold for this one teacher, which itself learned from 50,000 labels, those of our pictures among them.

# %% [markdown]
# ## Why pairs?
#
# **Exercise** · 6 minutes · medium · many right answers. Make up accuracies for which the *pairs* tell that soft labels win, while the
# two *averages* cannot. `shared_luck(pairs)` returns two lists of `pairs` accuracies: labels, then soft labels.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def shared_luck(pairs):
    labels = ...  # your code here: `pairs` accuracies, such as 0.78
    soft = ...
    return labels, soft


# %% tags=["solution"]
def shared_luck(pairs):
    labels = [0.70 + 0.02 * k for k in range(pairs)]
    gains = [0.010 if k % 2 else 0.012 for k in range(pairs)]
    return labels, [a + gain for a, gain in zip(labels, gains, strict=True)]


# %% tags=["nbval-check-output"]
shared_luck = check.shared_luck(shared_luck).use()

# %%
from scipy.stats import ttest_ind

before, after = shared_luck(8)
pairs = compare(after, before)
averages = ttest_ind(after, before).confidence_interval()
of_pairs, of_averages = (
    f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
    for one in (pairs, averages)
)
plots.slopes(
    before,
    after,
    names=("labels", "soft labels"),
    title=f"Same data, 95 % intervals: {of_pairs} points by pairs, "
    f"{of_averages} by averages",
    ylabel="made-up accuracy",
)

# %% [markdown]
# Pairs cancel the luck that both arms share. Averages keep it; only more runs would shrink it. The made-up arms share nearly all of their luck. Real arms share less, so pairing narrows the interval of our own pairs by less:

# %%
halves = [
    50 * (one.high - one.low)
    for one in (gain, ttest_ind(soft, labels).confidence_interval())
]
print("pairs: ±{:.2f} points; averages: ±{:.2f}".format(*halves))

# %% [markdown]
# ## Where it goes wrong
#
# **Four loops.** One is right. The others forget `zero_grad`, forget T², or read the teacher's logits in another order. Which letter is which, and which two look alike?

# %%
wrong = ["no zero_grad", "teacher's rows in another order", "no T²"]
bugs = check.distill_epoch.bugs
loops = [distill_epoch, *(bugs[name].functions[0] for name in wrong)]
dealt = torch.randperm(4, generator=torch.Generator().manual_seed(5))
curves = {
    letter: fit(mlp([784, 64, 10], seed=0), loops[k], few.teacher_logits, T)
    for letter, k in zip("ABCD", dealt.tolist(), strict=True)
}
fine = sum(curve[-1] > 0.7 for curve in curves.values())
plots.learning(
    curves,
    title=f"Nothing crashes: {fine} of 4 curves look right, one loop is",
    ylabel="accuracy on validation",
    percent=True,
)

# %% [markdown]
# <details><summary><b>Which is which</b></summary>
#
# - **D** learns the teacher's answers about *other* pictures, and ends below a guess's 10 %. A cache of logits that was written in one order and read in another does this;
#   it [has happened in public](https://github.com/haitongli/knowledge-distillation-pytorch/pull/17).
# - **B** never clears its gradients, so every step also repeats all earlier ones.
# - **A** has no T², **C** is right, and their curves coincide: AdamW rescales gradients, so a loss 16 times too small trains alike. Under plain gradient
#   descent, or mixed with labels, the missing T² counts ([lesson 02](02_temperature.ipynb)). The check trains with plain gradient descent, so it sees it.
# </details>

# %% [markdown]
# **The best of many.** A colleague's method: train several students on *labels*, with other seeds and pictures, and report the one that is best on
# test. How much better will it look?

# %%
from kdcourse.stats import expected_best

tries = range(1, len(labels) + 1)
best = {
    "labels": [expected_best(labels, k) for k in tries],
    "soft labels": [expected_best(soft, k) for k in tries],
}
seems = 100 * (best["labels"][-1] - best["labels"][0])
left = 100 * (best["soft labels"][-1] - best["labels"][-1])
plots.learning(
    best,
    title=f"The best of {len(labels)} on labels looks {seems:.1f} points "
    f"better than one; at equal tries, soft labels lead by {left:.1f}",
    xlabel="students tried in each arm, of which the best is reported",
    ylabel="accuracy on test",
    percent=True,
)

# %% [markdown]
# The student that he picked may really be better. If validation, not test, picked it, ship it. But the *training* has not improved: the next student will be an average one again.

# %% [markdown]
# So give both arms as many tries, as here, or report the mean of all runs. Dodge et al. (2019) recommend such curves, drawn on validation, with trials of hyperparameters in place of seeds.

# %% [markdown]
# ## On Monday
#
# - Before you trust a training loop, compare one step of plain gradient descent with a reference, weight by weight. Curves hide some bugs, and AdamW hides a missing factor.
# - Run both arms on the same data, initial weights and order, several times, and compare pair by pair.
# - Write down before the run which difference would be too small to matter.
# - Store the teacher's logits under each example's id, and look them up by id, never by position.

# %% [markdown]
# ## Check yourself
#
# Every answer is explained, right or wrong, and what you miss comes again. What you do is kept on your machine and nowhere else; `kdcourse progress` shows it.

# %%
from kdcourse import quiz

quiz.show("vocabulary")

# %% [markdown]
# ## Take away
#
# - Distillation is the loop you know with another loss: how far the student is from the teacher's softened probabilities.
# - Soft labels can teach a class that was never shown (all but one number of it) and, from a teacher that saw 50,000 labels, a better student on 500 pictures.
# - One run is an anecdote. Pairs, an interval and a verdict make it a measurement. The full runs behind it: `kdcourse claims soft-beats-hard`, `kdcourse claims omitted-class-is-learned`.

# %% [markdown]
# ## Read on
#
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural Network*, sections 1 and 2: [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - Dodge et al. (2019), *Show Your Work: Improved Reporting of Experimental Results*, section 3: [arXiv:1909.03004](https://arxiv.org/abs/1909.03004)

# %% [markdown]
# Next: [01 · Soft labels](01_soft_labels.ipynb), what the teacher's second choice is worth.
