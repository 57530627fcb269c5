# %% [markdown]
# # 00 · Start here
#
# **30 minutes** · needs Python and a little PyTorch · computes for less than a minute
#
# You will be able to
# - run this course and know that your machine is ready for it,
# - distil a first small model from a big one, in seconds,
# - say whether it was worth it, with an interval instead of a hope.

# %% tags=["parameters"]
FAST = False  # fewer repetitions; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## The idea in four sentences
#
# A big model, the **teacher**, is good at a task and too slow or too expensive to run everywhere. A small model, the **student**, is
# cheap, and not as good when it learns from labels alone. **Knowledge distillation** trains the student on what the teacher
# *says*: not only "this is a shirt" but "a shirt, most likely; perhaps a coat; certainly not a bag". Whether that helps, how
# much, and for whom, is what this course measures.
#
# A tutorial can show you one run and a number. Here you train everything yourself, several times over, and every comparison
# comes with an interval and a verdict. Sometimes the verdict is "these runs cannot tell". That counts as an answer.
#
# ## Is your machine ready?
#
# Press **Shift + Enter** to run a cell. Every line below should say OK; where one says FAIL, the fix stands beside it.

# %%
from kdcourse import doctor

_ = doctor.report()

# %% [markdown]
# Drag the slider. If a second number follows it, widgets work too. (Nothing depends on them: every other
# widget of the course leaves a picture for those who have no kernel.)

# %%
import ipywidgets

slider = ipywidgets.IntSlider(description="drag me")
echo = ipywidgets.Label("0 squared is 0")


def square(change):
    echo.value = f"{change.new} squared is {change.new**2}"


slider.observe(square, names="value")
ipywidgets.HBox([slider, echo])

# %% [markdown]
# ## The whole idea on one page
#
# Before the real thing, a toy that you can watch: points in a plane, three classes, and networks so small that they learn right here, inside the widget. A teacher has seen many points. Two
# students start from the same weights and see the same few: one learns their labels, the other what the teacher says about them.
#
# Press **Next step** and read what each step says. Which of the two will be the better one at the end, and would you bet on it for another seed?

# %%
from kdcourse.widgets import distillation_steps

distillation_steps()

# %% [markdown]
# One seed is one pair of students. The last step can train ten more, and says what all of them show together. Then change the number of points or the temperature, and ask again. (A picture without buttons? You are reading
# without a kernel: it shows where seed 0 ends.)
#
# ## The data and the teacher
#
# Fashion-MNIST: small grey pictures of garments, and the task is to name the garment. It came with the course; nothing is
# downloaded. It is split once and for all: **train** to learn from, **validation** to choose anything, **test** to report on.

# %%
from kdcourse import plots
from kdcourse.data import load

garments = load("fashion-mnist")
print(garments.train, garments.validation, garments.test, sep="\n")
plots.gallery(garments)

# %% [markdown]
# The teacher is a convolutional network that was trained before; its weights are in `data/`, with
# [a card](../data/fashion-mnist/teacher-card.md) that says how. Everything it has to say about every picture is stored beside
# them, as **logits**: one number per class and picture, before they are turned into probabilities.

# %%
from kdcourse.models import count_parameters, mlp
from kdcourse.train import load_teacher

teacher = load_teacher("fashion-mnist")
student = mlp([784, 32, 10], seed=0)
sizes = [count_parameters(teacher), count_parameters(student)]
print(f"teacher: {sizes[0]:9,} parameters")
print(f"student: {sizes[1]:9,}, {sizes[0] / sizes[1]:.0f} times smaller")

# %% [markdown]
# ## Predict
#
# Say we have only 500 pictures to train the student on. We do it twice, from the same initial weights and with the same
# batches:
#
# - once on the **labels** of those pictures,
# - once on the **teacher's probabilities** for those pictures, and never a label. (The teacher itself has learned from 50,000 labels. That
#   is the knowledge to be transferred.)
#
# Which of the two students is better on the test pictures, and by how many percentage points? Commit yourself: put your guess
# into the cell, above 0 if you think that the distilled one is better.

# %%
my_guess = None  # your number, in percentage points

# %% [markdown]
# ## One pair
#
# `train` fits a model to labels, `distill` fits it to the teacher's logits. (`temperature=4` softens the teacher's
# probabilities; lesson 01 shows what that means, and lesson 02 whether 4 is any good.)

# %%
import time

from kdcourse.train import accuracy, distill, train

few = garments.subset(500).train
hard_student, soft_student = (mlp([784, 32, 10], seed=0) for _ in range(2))
settings = {"epochs": 30, "batch_size": 50, "device": DEVICE}

start = time.perf_counter()
train(hard_student, few.inputs, few.labels, **settings)
distill(
    soft_student, few.inputs, few.teacher_logits, temperature=4, **settings
)
print(f"two students trained in {time.perf_counter() - start:.1f} s")

# %%
hard = accuracy(hard_student, garments.test)
soft = accuracy(soft_student, garments.test)
print(f"learned from labels:      {100 * hard:.1f} % of the test pictures")
print(f"learned from the teacher: {100 * soft:.1f} %")
print(f"difference:               {100 * (soft - hard):+.1f} points")

# %% [markdown]
# That is your first distilled student. Would the next pair say the same?
#
# ## Ten pairs
#
# We repeat the experiment, each time with 500 *other* pictures, other initial weights and another order of batches. Within a
# pair, both students share all three: that is what makes it a pair. The luck that both share cancels in the difference; how much that is, we
# measure below.

# %%
from tqdm.auto import tqdm


def pair(seed):
    """Test accuracy of a student on labels, and of its distilled twin."""
    block = garments.train[500 * seed : 500 * (seed + 1)]
    same = {**settings, "order_seed": seed, "progress": False}
    hard, soft = (mlp([784, 32, 10], seed=seed) for _ in range(2))
    train(hard, block.inputs, block.labels, **same)
    distill(soft, block.inputs, block.teacher_logits, temperature=4, **same)
    return accuracy(hard, garments.test), accuracy(soft, garments.test)


seeds = range(1, 5 if FAST else 11)
pairs = [pair(seed) for seed in tqdm(seeds, desc="pairs", leave=False)]

# %%
import pandas as pd

runs = pd.DataFrame(pairs, columns=["from labels", "from the teacher"])
runs.index = pd.Index(seeds, name="pair")
runs["difference"] = runs["from the teacher"] - runs["from labels"]
(100 * runs).round(1)

# %% [markdown]
# Look down the last column. That spread is what one run hides. `compare` turns it into a **95 % interval** and a verdict. The interval is made so
# that, if we did all of this again and again, about 95 of 100 such intervals would contain the true mean difference. It covers the luck that
# we varied: pictures, weights, batches. It does not cover another data set, another teacher or another recipe.
#
# A **margin**, said beforehand, is a difference too small to matter. Where none is said, as here, it is zero.
#
# | verdict | what it means |
# |---|---|
# | better | the whole interval is above +margin |
# | worse | the whole interval is below −margin |
# | equivalent | the whole interval is between −margin and +margin (never, where the margin is zero) |
# | inconclusive | none of these: the runs cannot tell |

# %%
from kdcourse.stats import compare

result = compare(runs["from the teacher"], runs["from labels"])
plots.differences(
    {"distilled − labels": result},
    title=f"500 pictures: the distilled student is {result.verdict}",
    xlabel="difference in test accuracy (points)",
    scale=100,
    pairs={"distilled − labels": runs["difference"]},
)

# %%
said = "You made no guess" if my_guess is None else f"You guessed {my_guess}"
print(f"{said}; measured {100 * result.mean:+.1f} points,")
print(f"95 % interval {100 * result.low:+.1f} to {100 * result.high:+.1f}.")
print(
    result.say(
        better="With so few pictures, the teacher's probabilities teach more.",
        worse="Here the labels teach more than the teacher's probabilities.",
        inconclusive="These pairs cannot tell. More pairs might.",
    )
)

# %% [markdown]
# ## Where it goes wrong: forgetting the pairs
#
# Suppose somebody trains ten students on labels and ten distilled ones, and compares the two averages as if the students had
# nothing to do with each other. The average difference is the same. What happens to the interval?

# %%
from scipy.stats import ttest_ind

unpaired = ttest_ind(runs["from the teacher"], runs["from labels"])
low, high = unpaired.confidence_interval(0.95)
paired_width, unpaired_width = result.high - result.low, high - low
print(f"paired:   {100 * paired_width:.1f} points wide")
print(f"unpaired: {100 * unpaired_width:.1f} points wide")
if paired_width < unpaired_width:
    print("The students of a pair shared some luck, and pairing removed it.")
else:
    print("The students of a pair shared little luck. Pairing gained nothing.")

# %% [markdown]
# Either way, the paired interval is the one to report: it is how the experiment was made. Wherever the **arms** of an experiment (the variants
# that it compares) share seeds and data, compare them in pairs.
#
# ## Build it
#
# Exercises work like this: a **stub** to fill in, a **check** that tells you which mistake you made, **hints** one at a time,
# and the solution folded away below. Try a wrong answer first, to see what a check says:

# %% tags=["nbval-check-output"]
from kdcourse import check

_ = check.retained_accuracy(lambda student, teacher: teacher / student)

# %% [markdown]
# **Exercise** · 3 minutes · easy. What share of the teacher's accuracy does the student keep? Both arguments are accuracies,
# between 0 and 1. For a hint, run `check.retained_accuracy.hint()`; again for the next one.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def retained_accuracy(student_accuracy, teacher_accuracy):
    return ...  # your code here


# %% tags=["solution"]
def retained_accuracy(student_accuracy, teacher_accuracy):
    return student_accuracy / teacher_accuracy


# %% tags=["nbval-check-output"]
check.retained_accuracy(retained_accuracy)

# %% [markdown]
# The same ratio, for the mean of each arm:

# %%
test = garments.test
correct = test.teacher_logits.argmax(1) == test.labels
of_teacher = correct.double().mean().item()
print(f"the teacher gets {100 * of_teacher:.1f} % of the test pictures right")
for arm in ["from labels", "from the teacher"]:
    print(f"{arm:>16}: keeps {100 * runs[arm].mean() / of_teacher:.1f} %")

# %% [markdown]
# That is what 500 pictures and a fraction of the parameters are good for here. What more pictures, another temperature or another size would change
# is what the next lessons measure.
#
# ## Check yourself
#
# Five questions about the words of the trade. Every answer is explained, right or wrong, and what you miss comes again at the end. It works
# with the keyboard alone. What you have done is kept on your machine, and nowhere else: `kdcourse progress` shows it, with what is next.
# (In a terminal: `kdcourse quiz vocabulary`. A word that you do not know: `kdcourse glossary`.)

# %%
from kdcourse import quiz

quiz.show("vocabulary")

# %% [markdown]
# ## Take away
#
# - A student can learn from a teacher's probabilities instead of labels, with one call: `distill`.
# - One run is an anecdote. Pairs, an interval and a verdict make it a measurement.
# - "Inconclusive" is a result. Write down what you would need in order to know.
#
# ## Read on
#
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural Network*, sections 1 and 2: [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - Xiao, Rasul and Vollgraf (2017), *Fashion-MNIST*, section 2: [arXiv:1708.07747](https://arxiv.org/abs/1708.07747)
#
# Next: [01 · Soft labels](01_soft_labels.ipynb), can a student recognise a garment that it has never been shown?
