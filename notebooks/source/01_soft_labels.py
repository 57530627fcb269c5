# %% [markdown]
# # 01 · Soft labels
#
# **45 minutes** · needs [lesson 00](00_start_here.ipynb) · computes for about a minute
#
# You will be able to
# - say what a teacher's probabilities tell a student that a label cannot,
# - show it with a student that recognises a garment it has never seen,
# - name the controls without which such an experiment proves nothing.

# %% tags=["parameters"]
FAST = False  # fewer seeds and epochs; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## A label is one word
#
# Here are three pictures that the teacher finds hard, chosen by a rule: on the validation pictures, the first three whose most
# likely class gets less than 60 %. Look only at the pictures and their labels first. Which second garment would *you* name for
# each?

# %%
from kdcourse import plots
from kdcourse.data import load
from kdcourse.losses import soften

garments = load("fashion-mnist")
said = soften(garments.validation.teacher_logits)
hard_ones = (said.amax(1) < 0.6).nonzero().flatten()[:3]
plots.predictions(garments, hard_ones, split="validation")

# %% [markdown]
# The label is one word. The teacher's answer is ten numbers: which garment, which others it might be, and which it certainly is
# not. Those ten numbers are a **soft label**. The single word, as a row of nine zeros and a one, is a **hard label**.
#
# Most pictures are not that hard. How sure is the teacher of an ordinary one?

# %%
for split in ["train", "validation"]:
    top = soften(getattr(garments, split).teacher_logits).amax(1)
    for level in [0.9, 0.99, 0.999]:
        share = (top > level).double().mean().item()
        print(f"{split:>10}: {share:4.0%} of the answers are above {level}")

# %% [markdown]
# For those, the ranking of the wrong answers is still there, but in the third decimal and below, where no student would notice
# it. (Surer on *train* than on *validation*? The teacher has learned from those pictures. Lesson 06 comes back to that.)
#
# A **temperature** T brings it out: divide the logits by T before turning them into probabilities.
#
# $$p_c = \frac{\exp(z_c / T)}{\sum_k \exp(z_k / T)}$$
#
# At T = 1 nothing changes. Larger values flatten the row, and keep its order.

# %%
plots.predictions(garments, [0, 1, 2], temperature=1)

# %%
plots.predictions(garments, [0, 1, 2], temperature=4)

# %% [markdown]
# Same pictures, same teacher. Choose a picture below and drag the temperature. Can you make the teacher's second choice
# overtake its first?

# %%
from kdcourse.widgets import soft_labels

soft_labels(garments)

# %% [markdown]
# You cannot: dividing by a positive number keeps the order. (No slider here? You are reading without a kernel; the two pictures
# above are two of its positions.)
#
# ## Predict: can a student learn a class it has never seen?
#
# We take every **sneaker** out of the training set. Then we train two students on what is left. They have the same initial
# weights and see the same batches. One gets the labels; the other gets the teacher's soft labels for *boots, sandals, shirts
# …* and never a sneaker. (The teacher knows sneakers. The question is whether it can tell without showing one.)
#
# Then we show both the test sneakers. What share of them does each call a sneaker? Commit yourself:

# %%
my_guess = {"labels": 0, "soft labels": 0}  # % of the test sneakers; change us

# %% [markdown]
# ## See
#
# The students have 128 hidden units. Everything but the targets is the same.

# %%
from kdcourse.models import mlp
from kdcourse.train import distill, teacher_logits, train


def two_students(class_name, seed):
    """One student on labels, one on soft labels; neither sees the class."""
    seen = garments.without(class_name).train[: 2_000 if FAST else 10_000]
    same = {
        "epochs": 3 if FAST else 6,
        "order_seed": seed,
        "device": DEVICE,
        "progress": False,
    }
    students = {
        arm: mlp([784, 128, 10], seed) for arm in ["labels", "soft labels"]
    }
    train(students["labels"], seen.inputs, seen.labels, **same)
    distill(
        students["soft labels"],
        seen.inputs,
        seen.teacher_logits,
        temperature=4,
        **same,
    )
    return students


# %%
import pandas as pd
from sklearn.metrics import confusion_matrix

pair = two_students("sneaker", seed=0)
sneaker = garments.class_index("sneaker")
sneakers = garments.test[garments.test.labels == sneaker]
called = {
    arm: confusion_matrix(
        sneakers.labels,
        teacher_logits(student, sneakers.inputs).argmax(1),
        labels=range(10),
    )[sneaker]
    for arm, student in pair.items()
}
shares = pd.DataFrame(called, index=garments.class_names) / len(sneakers)
shares[(shares > 0).any(axis=1)].map("{:.1%}".format)

# %% [markdown]
# The rows are what the students call the thousand test sneakers. The student on labels cannot say "sneaker": in its world there
# is no such thing. Did the other one say it? It has met sneakers in the margins of other pictures, each time the teacher said
# "ankle boot, though a little like a sneaker".
#
# ## One number in the way
#
# In the distilled student's world, too, *sneaker* was never the likeliest answer. So its logit for sneakers sits low for
# everything. That is a matter of one number, the bias of one output. We can raise it. By how much is a choice, and choices are
# made on **validation** pictures: we take the value with the best accuracy over all ten classes there.
#
# The student on labels gets the same repair. Otherwise, who knows, the repair alone might do the trick.

# %%
import torch

BIASES = torch.arange(0, 30.1, 0.25)


def raised(logits, label, bias):
    logits = logits.clone()
    logits[:, label] += bias
    return logits


def best_bias(logits, labels, label):
    """The bias for one class at which most of the pictures are right."""
    rivals = raised(logits, label, -torch.inf)
    gap = rivals.amax(1) - logits[:, label]  # a larger bias makes it win
    wins = BIASES[:, None] > gap
    right = torch.where(wins, labels == label, rivals.argmax(1) == labels)
    return BIASES[right.sum(1).argmax()].item()


# %%
def measure(student, class_name):
    """Recall of the class and accuracy, on test, without and with repair."""
    label, test = garments.class_index(class_name), garments.test
    validation = garments.validation
    answers = teacher_logits(student, validation.inputs)
    bias = best_bias(answers, validation.labels, label)
    logits = teacher_logits(student, test.inputs)
    forbidden = best_bias(logits, test.labels, label)  # see further down
    flattered = raised(logits, label, forbidden).argmax(1) == test.labels
    for name, value in [("", 0.0), (" + bias", bias)]:
        said = raised(logits, label, value).argmax(1)
        right = (said == test.labels).double()
        yield {
            "repair": name,
            "bias": value,
            "recall": right[test.labels == label].mean().item(),
            "accuracy": right.mean().item(),
            "tuned on test": flattered.double().mean().item(),
        }


# %% [markdown]
# ## Measure: four garments, several seeds
#
# One garment and one seed would be an anecdote. We leave out four garments in turn, easy ones and one that is hard for everybody,
# and repeat each with other initial weights and another order of batches. The pictures stay the same, so the intervals speak of
# the luck in training, not of the luck in drawing pictures.

# %%
from tqdm.auto import tqdm

CLASSES = ["sneaker", "trouser", "bag", "shirt"][: 2 if FAST else 4]
SEEDS = range(2 if FAST else 5)

rows = []
for class_name in tqdm(CLASSES, desc="left-out garments", leave=False):
    for seed in SEEDS:
        for arm, student in two_students(class_name, seed).items():
            for result in measure(student, class_name):
                where = {"left out": class_name, "seed": seed, "arm": arm}
                rows.append({**where, **result})
unseen = pd.DataFrame(rows)
unseen["student"] = unseen["arm"] + unseen["repair"]

# %%
means = unseen.pivot_table("recall", "student", "left out")[CLASSES]
repaired = means.loc["soft labels + bias"]
reached = int((repaired > 0.5).sum())
plots.intervals(
    unseen,
    x="left out",
    y="recall",
    hue="student",
    ylabel="recall on test",
    percent=True,
    title=f"Repaired, soft labels find most of {reached} "
    f"of {len(CLASSES)} unseen garments",
)

# %%
for arm, guess in my_guess.items():
    share = means.loc[arm, "sneaker"]
    print(
        f"{arm}: you guessed {guess:.0f} % of the sneakers, it is {share:.0%}"
    )

# %% [markdown]
# Is it the soft labels, or is it the repair? Both students were repaired, in the same way, so we compare them pair by pair:

# %%
from kdcourse.stats import compare


def recall_of(student, class_name):
    chosen = (unseen["student"] == student) & (
        unseen["left out"] == class_name
    )
    return unseen[chosen]["recall"].to_numpy()


gains = {
    name: compare(
        recall_of("soft labels + bias", name),
        recall_of("labels + bias", name),
    )
    for name in CLASSES
}
better = sum(gain.verdict == "better" for gain in gains.values())
plots.differences(
    gains,
    title=f"Both repaired: soft labels win for {better} of "
    f"{len(gains)} unseen garments",
    xlabel="soft labels − labels, recall (points)",
    scale=100,
)

# %%
for name, gain in gains.items():
    print(
        f"{name}:",
        gain.say(
            better="the soft labels carried it.",
            worse="labels did better, against everything said above.",
            inconclusive="these runs cannot tell.",
        ),
    )

# %% [markdown]
# Was the control needed? Had we compared the repaired student on soft labels with the *unrepaired* one on labels, we would have
# credited the teacher with everything. How much does the repair find without any help from the teacher?

# %%
for name in CLASSES:
    share = means.loc["labels + bias", name]
    verdict = "a good part of it" if share > 0.1 else "next to nothing"
    print(f"{name}: the repair alone finds {share:.0%}, {verdict}")

# %% [markdown]
# Where it finds something, the student on labels could already tell, from the answers that fit badly, that a picture is *none of the
# above*. That is worth knowing before one says "dark knowledge".
#
# And what does the repair cost? Raising one class makes the student say it more often, also where it is wrong. Accuracy over
# all ten garments, as a mean over the seeds:

# %%
accuracy = unseen.pivot_table("accuracy", "student", "left out")[CLASSES]
accuracy.map("{:.1%}".format)

# %% [markdown]
# This experiment goes back to Hinton, Vinyals and Dean (2015, section 3), who left the digit 3 out of the transfer set: with the
# right bias, 98.6 % of the test 3s were recognised. They chose that bias on the *test* set, and say so. What
# difference that makes here, we see further down.
#
# ## What resembles what
#
# Where does the student get it from? Average the teacher's soft labels, at T = 4, over all training pictures of a class:

# %%
probabilities = soften(garments.train.teacher_logits, 4)
by_class = torch.stack(
    [probabilities[garments.train.labels == c].mean(0) for c in range(10)]
)
others = by_class - torch.diag(by_class.diagonal())
k, m = divmod(others.argmax().item(), 10)
names = garments.class_names
closest = {
    n: names[row.argmax()] for n, row in zip(names, others, strict=True)
}
plots.matrix(
    by_class,
    names,
    title=f"The closest pair, to the teacher: {names[k]} → {names[m]}",
    xlabel="probability of … (T = 4, numbers in %)",
    ylabel="pictures labelled …",
    alt="Second choices: "
    + "; ".join(f"{n} is most like {other}" for n, other in closest.items()),
)

# %% [markdown]
# Read the row of the ankle boot: that is where the student learned what a sneaker is. And the row of the trousers: compare what the
# distilled student had to go on there with how well it found them.
#
# ## Derive: how much does a soft label say?
#
# **In bits.** A hard label is certain: it leaves nothing open, its entropy is 0. A soft label leaves something open, and *how* it is
# open is information about the picture. Entropy, in bits, is the expected number of yes-or-no questions that remain:
#
# $$H(p) = \sum_c p_c \log_2 \frac{1}{p_c}$$

# %%
p = soften(garments.validation.teacher_logits[hard_ones[:1]])[0].double()
by_hand = sum(x * torch.log2(1 / x) for x in p)

from scipy.stats import entropy

print(f"by hand {by_hand:.6f} bits, scipy {entropy(p, base=2):.6f} bits")

# %%
from kdcourse.stats import mean_interval

temperatures = [1, 2, 4, 8, 16]
bits = {
    T: entropy(
        soften(garments.validation.teacher_logits.double(), T), base=2, axis=1
    )
    for T in temperatures
}
table = pd.DataFrame(
    [mean_interval(bits[T]) for T in temperatures],
    columns=["bits per picture", "low", "high"],
    index=pd.Index(temperatures, name="temperature"),
)
table.round(3)

# %% [markdown]
# Ten equal probabilities have log₂ 10 ≈ 3.32 bits. Towards that the rows grow as T grows, and more entropy is not more
# *knowledge*: at the very end every picture gets the same row, and nothing is said at all. Somewhere in between lies a good T. Lesson 02
# looks for it.
#
# **As a loss.** The student's probabilities q should match the teacher's p. The distance that we use is the Kullback–Leibler
# divergence, times T² (lesson 02 shows why):
#
# $$T^2 \cdot \mathrm{KL}(p \,\|\, q) = T^2 \sum_c p_c \, (\log p_c - \log q_c)$$
#
# By hand, by PyTorch, and by the function that you will use from now on:

# %% tags=["nbval-check-output"]
import torch.nn.functional as F

from kdcourse.losses import kd_loss

generator = torch.Generator().manual_seed(0)
student, teacher = torch.randn(2, 5, 10, generator=generator).double()
T = 4
p, q = soften(teacher, T), soften(student, T)
by_hand = T**2 * (p * (p.log() - q.log())).sum(1).mean()
by_torch = T**2 * F.kl_div(
    F.log_softmax(student / T, 1),
    F.log_softmax(teacher / T, 1),
    log_target=True,
    reduction="batchmean",
)
print(f"{by_hand:.6f} {by_torch:.6f} {kd_loss(student, teacher, T):.6f}")

# %% [markdown]
# ## Predict: what are soft labels worth when labels are few?
#
# Now every class is there, but we have only **100 pictures**. A student on their labels, and one on their soft labels: how
# many points apart, on test?

# %%
my_guess = 0.0  # percentage points, soft labels − labels; change me

# %% [markdown]
# Suppose the soft student wins. Why? There are duller explanations than "knowledge", and each has a **control**, an arm that
# would win as well if the dull explanation were right:
#
# | arm | what it learns from | the dull explanation that it tests |
# |---|---|---|
# | labels | the labels | the baseline: same student, same number of steps |
# | arg-max | the teacher's first choice, as a hard label | the teacher is just a good labeller |
# | smoothed | the label with 90 %, and 1 % for every class | it only matters that targets are soft |
# | scrambled | the soft label, its nine runners-up in random order | only the teacher's confidence matters |
# | shuffled | the soft label of *another* picture | it would work with any numbers (it must not) |
# | soft labels | the soft label | |


# %%
def scrambled(logits, generator):
    """Keep each row's winner and all its values; deal the rest at random."""
    dealt = logits.clone()
    for row, winner in zip(dealt, logits.argmax(1), strict=True):
        rest = torch.arange(10)[torch.arange(10) != winner]
        row[rest] = row[rest[torch.randperm(9, generator=generator)]]
    return dealt


def targets_of(block, seed):
    """{arm: what stands in for the teacher's logits, and the temperature}"""
    generator = torch.Generator().manual_seed(seed)
    logits, one_hot = block.teacher_logits, torch.eye(10)
    other = torch.randperm(len(block), generator=generator)
    return {
        "smoothed": ((0.9 * one_hot[block.labels] + 0.01).log(), 1),
        "scrambled": (scrambled(logits, generator), 4),
        "shuffled": (logits[other], 4),
        "soft labels": (logits, 4),
    }


# %% [markdown]
# Label smoothing, by the way, *is* distillation: from a teacher who knows the label and nothing else. That is how it is written here.

# %%
from kdcourse.train import accuracy as accuracy_of


def six_students(seed):
    """Test accuracy per arm; the arms share pictures, weights and batches."""
    block = garments.train[100 * seed : 100 * (seed + 1)]
    same = {"epochs": 50, "batch_size": 20, "order_seed": seed}
    same |= {"device": DEVICE, "progress": False}
    hard = {
        "labels": block.labels,
        "arg-max": block.teacher_logits.argmax(1),
    }
    soft = targets_of(block, seed)
    students = {arm: mlp([784, 64, 10], seed) for arm in [*hard, *soft]}
    for arm, labels in hard.items():
        train(students[arm], block.inputs, labels, **same)
    for arm, (logits, T) in soft.items():
        distill(students[arm], block.inputs, logits, temperature=T, **same)
    return {
        arm: accuracy_of(student, garments.test)
        for arm, student in students.items()
    }


# %% [markdown]
# Every repetition takes 100 *other* pictures, so that the interval also covers the luck of the draw.

# %%
repetitions = range(4 if FAST else 15)
few = pd.DataFrame(
    [six_students(k) for k in tqdm(repetitions, desc="draws", leave=False)]
)
against_labels = {
    arm: compare(few[arm], few["labels"])
    for arm in few.columns
    if arm not in ["labels", "shuffled"]
}
gain = against_labels["soft labels"]
plots.differences(
    against_labels,
    title=gain.say(
        better="With 100 pictures, soft labels beat the labels",
        worse="With 100 pictures, the labels beat soft labels",
        inconclusive="With 100 pictures, these runs cannot tell",
    ),
    xlabel="arm − labels, accuracy on test (points)",
    scale=100,
)

# %%
print(f"You guessed {my_guess:+.1f} points; measured {100 * gain.mean:+.1f}.")
print(f"Labels alone: {few['labels'].mean():.1%} of the test pictures right.")
print(f"Shuffled:     {few['shuffled'].mean():.1%}. Guessing gets 10 %.")

# %% [markdown]
# The shuffled arm stands outside of the figure because it would squash everything else. Had it helped, something in the
# experiment would be leaking.
#
# Against the baseline, then. But the claim is about *knowledge*, so the arms to beat are the controls:

# %%
against_controls = {
    f"soft labels − {arm}": compare(few["soft labels"], few[arm])
    for arm in ["arg-max", "smoothed", "scrambled"]
}
beaten = [r.verdict == "better" for r in against_controls.values()]
plots.differences(
    against_controls,
    title=f"Soft labels beat {sum(beaten)} of {len(beaten)} dull explanations",
    xlabel="difference in accuracy on test (points)",
    scale=100,
)

# %%
explanations = {
    "arg-max": "a good labeller",
    "smoothed": "softness as such",
    "scrambled": "confidence alone",
}
for arm, what in explanations.items():
    result = against_controls[f"soft labels − {arm}"]
    print(
        f"{arm:>9}:",
        result.say(
            better=f"{what} does not explain it; soft labels give more.",
            worse=f"{what} does even better than soft labels.",
            inconclusive=f"{what} may be all there is; we cannot tell.",
        ),
    )

# %% [markdown]
# The scrambled arm is the telling one. It has the same winners, the same confidence and the same entropy as the soft labels, bit
# for bit. All that it lacks is *which* wrong answers the teacher finds likely.
#
# One caution. This is a small image task with a teacher that saw 50,000 labels. Soft beats hard is conditional, not a law:
# for DeiT, *hard* distillation came out ahead (Touvron et al. 2021, table 3), and with enough data of your own the gain may vanish (Busbridge et
# al. 2025). Lessons 02 and 06 go looking for where it does.
#
# ## Build it
#
# **Exercise 1** · 5 minutes · easy. Write `soften`: the probabilities at a temperature, classes on axis 1. It must survive logits
# in the thousands. `check.soften.hint()` helps, as often as you like.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def soften(logits, temperature): ...  # your code here


# %% tags=["solution"]
def soften(logits, temperature):
    scaled = logits / temperature
    scaled = scaled - scaled.amax(1, keepdim=True)  # exp can now only shrink
    return scaled.exp() / scaled.exp().sum(1, keepdim=True)


# %% tags=["nbval-check-output"]
from kdcourse import check

check.soften(soften)

# %% [markdown]
# **Exercise 2** · 8 minutes · medium. Write `entropy_bits`: probabilities `[B, C]` in, one entropy in bits per row out. A probability
# of exactly 0 happens, for instance in a hard label.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def entropy_bits(probabilities): ...  # your code here


# %% tags=["solution"]
import math


def entropy_bits(probabilities):
    bits = torch.special.xlogy(probabilities, probabilities) / math.log(2)
    return -bits.sum(1)


# %% tags=["nbval-check-output"]
check.entropy_bits(entropy_bits)

# %% [markdown]
# **Exercise 3** · 3 minutes · easy. Write `hard_targets`, the arg-max control: from teacher logits `[B, C]` to labels `[B]`.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def hard_targets(teacher_logits): ...  # your code here


# %% tags=["solution"]
def hard_targets(teacher_logits):
    return teacher_logits.argmax(1)


# %% tags=["nbval-check-output"]
check.hard_targets(hard_targets)

# %% [markdown]
# ## Where it goes wrong
#
# **Find the bug.** Somebody shuffles the pictures once, before training, "to be on the safe side", and distils from the cached logits.
# Nothing crashes, and the loss goes down nicely. Run it, look at the history, and find the line before you unfold the answer.

# %%
block = garments.subset(2_000).train
order = torch.randperm(len(block), generator=torch.Generator().manual_seed(0))
inputs = block.inputs[order]

broken = mlp([784, 64, 10], seed=0)
history = distill(
    broken,
    inputs,
    block.teacher_logits,
    temperature=4,
    epochs=10,
    device=DEVICE,
    progress=False,
)
history.table[["loss"]].iloc[[0, 1, 4, 9]].round(2)

# %%
print(f"on test: {accuracy_of(broken, garments.test):.0%}")

# %% [markdown]
# <details><summary><b>The bug</b></summary>
#
# `inputs` were put into another order, `block.teacher_logits` were not: picture i now learns the soft label of some other picture. It is the
# *shuffled* control, by accident. The loss goes down all the same, because the student learns the *average* soft label, which is
# better than nothing, and then begins to memorise.
#
# The repair: index everything together. `block[order]` is a `Split` whose rows still belong together, and `distill` shuffles
# for you anyway. In your own data loaders, key cached logits by the index of the example, never by their position in a batch.
# </details>

# %%
together = block[order]
repaired = mlp([784, 64, 10], seed=0)
distill(
    repaired,
    together.inputs,
    together.teacher_logits,
    temperature=4,
    epochs=10,
    device=DEVICE,
    progress=False,
)
print(f"on test: {accuracy_of(repaired, garments.test):.0%}")

# %% [markdown]
# **Tuned on the test set.** `measure` also tried what nobody should: the bias with the best accuracy on the *test* pictures. By how much does
# that flatter the repaired students, on the very pictures that it was chosen on?

# %%
fixed = unseen[unseen["repair"] != ""]
flattery = mean_interval(fixed["tuned on test"] - fixed["accuracy"])
low, high = (100 * value for value in flattery[1:])
print(f"{100 * flattery[0]:+.2f} points of accuracy [{low:.2f}, {high:.2f}]")

# %% [markdown]
# It can never come out below zero; that is what choosing does. With one number and ten thousand test pictures the harm is small. With a
# hundred test pictures, or a hundred choices (the best epoch, the best seed, the best T), it is not, and nothing in the result
# tells you. The habit costs nothing: choose on validation.
#
# ## Check yourself
#
# Answer each before you unfold it.
#
# <details><summary><b>1.</b> A soft label and its hard label agree on the winner. What does the soft one add?</summary>
#
# How sure the teacher is, and which wrong answers it finds likely. The scrambled control kept the first and destroyed the second.
# </details>
#
# <details><summary><b>2.</b> Why did the student on labels get the bias repair too?</summary>
#
# To see whether the repair alone finds the unseen class. An arm may differ from its control in one thing only.
# </details>
#
# <details><summary><b>3.</b> Soft labels beat hard labels, and you ran no other arm. Name two explanations that have nothing to do with
# knowledge about similar classes.</summary>
#
# The teacher corrects wrong labels (arg-max would do as well), or any soft target regularises (smoothing would do as well).
# </details>
#
# <details><summary><b>4.</b> What does raising T do to a soft label: its winner, its ranking, its entropy?</summary>
#
# Winner and ranking stay. The entropy grows, towards that of ten equal numbers.
# </details>
#
# <details><summary><b>5.</b> Your distilled student's loss falls, and its accuracy is that of guessing. First suspect?</summary>
#
# Soft labels that do not belong to their pictures: shuffled data with cached logits. Compare the teacher's first choices with
# the labels, row by row; they should agree about as often as the teacher is right.
# </details>
#
# <details><summary><b>6.</b> Does more entropy in the soft labels mean that they teach more?</summary>
#
# No. At a very high T all soft labels are the same and teach nothing beyond that. Entropy says how much is open, not how much is known.
# </details>
#
# ## Take away
#
# - A soft label ranks the wrong answers, and that ranking is knowledge a student can use, even about a class it never sees.
# - Show it with controls: arg-max, smoothing, scrambling, shuffling. Each rules out one dull explanation.
# - Keep a picture and its soft label together; choose on validation; compare in pairs.
#
# ## Read on
#
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural Network*, sections 2 and 3: arXiv:1503.02531
# - Menon et al. (2021), *A statistical perspective on distillation*: why soft labels lower the variance of what the student learns from. PMLR 139
# - Yuan et al. (2020), *Revisiting Knowledge Distillation via Label Smoothing Regularization*: smoothing as a teacher. arXiv:1909.11723
# - Touvron et al. (2021), *Training data-efficient image transformers*, section 4 and table 3: where hard distillation won. arXiv:2012.12877
