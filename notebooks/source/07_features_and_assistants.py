# %% [markdown]
# # 07 · Features and assistants
#
# **45 minutes** · needs [lesson 03](03_blended_loss.ipynb) · computes for a minute or two
#
# You will be able to
# - match what is *inside* two networks: hints, attention, relations,
# - take the logit loss apart, and say what DKD weighs anew,
# - judge whether any of it beats plain logits for your student.

# %% [markdown]
# **Only two of this lesson's methods are shown to beat well-tuned logits,** by {{ gain features-beat-logits fashion-mnist method=dist,student=CNN is better }} and by {{ gain features-beat-logits fashion-mnist method=attention,student=CNN is better }}, for a CNN ten times smaller than its teacher. Which two?

# %% [markdown]
# **In a table that many papers copy, three ways to match features (hints, attention, relations) lose to plain logits.** Tian et al. (2020, tables 1 and 2) trained thirteen pairs of teacher and student on CIFAR-100. Their accuracies, in %:

# %%
import numpy as np

published = {
    "logits": "74.92 73.54 70.66 70.67 73.08 73.33 72.98 "
    "67.37 67.35 73.81 74.07 74.45 74.83",
    "hints": "73.58 72.24 69.21 68.99 71.06 73.50 71.02 "
    "64.14 63.16 70.69 73.59 73.54 73.73",
    "attention": "74.08 72.77 70.55 70.22 72.31 73.44 71.43 "
    "59.40 58.58 71.84 71.73 72.73 73.32",
    "relations": "73.35 72.22 69.61 69.25 71.82 71.90 71.48 "
    "64.52 64.43 71.50 72.28 73.21 72.21",
}
values = {
    name: np.array(row.split(), float) for name, row in published.items()
}

# %%
from kdcourse import plots
from kdcourse.stats import Comparison, compare

ways = ("hints", "attention", "relations")
arms = {name: (values[name], values["logits"]) for name in ways}
plots.differences(
    {name: compare(*arm) for name, arm in arms.items()},
    title="Published: logits beat these three",
    xlabel="features − plain logits (points)",
    pairs={name: a - b for name, (a, b) in arms.items()},
)

# %% [markdown]
# The pairs share teachers, so these intervals are too narrow. And there, each loss was added to the labels *instead of* the logits; here it is added *to* the logits, and the full run tunes every arm alike.

# %% tags=["parameters"]
FAST = False  # fewer students and epochs; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## Predict
#
# A CNN ten times smaller than its teacher learns from 1,000 garments, on the teacher's logits. By how many points does a *hint*, which has it imitate the teacher's features, improve it? And by how many does it improve an MLP?

# %%
my_guess_cnn = 1.0  # ours: change them to yours, in points
my_guess_mlp = 1.0

# %% [markdown]
# ## See: what there is to match
#
# ![Two networks side by side, the teacher wide, the student narrow. Between them four links: attention maps at an early layer, features through a regressor from the teacher's second stage to the student's first, distances between examples before the last layer, and logits at the end.](pictures/features.svg)

# %% [markdown]
# A **feature map** is what a layer says of a picture: [channels, height, width]. Its squares, summed over the channels, show *where* the layer is active: an **attention map** (Zagoruyko and Komodakis 2017). First, a student on logits alone:

# %%
import torch
import torch.nn.functional as F

from kdcourse.data import load
from kdcourse.features import teacher_features
from kdcourse.losses import blended
from kdcourse.models import cnn
from kdcourse.train import cosine, distill, load_teacher, teacher_logits

garments, teacher = load("fashion-mnist"), load_teacher("fashion-mnist")
BLOCKS, EPOCHS = (3, 1) if FAST else (6, 8)
test = garments.test[: 1_000 if FAST else 5_000]
inputs = garments.train[: BLOCKS * 1_000].inputs
quiet = {"device": DEVICE, "progress": False}
shown = teacher_features(teacher, inputs, ["5", "7"], device=DEVICE)


def small(inputs):
    """Students see 14 × 14 pixels, the teacher 28 × 28."""
    return F.avg_pool2d(inputs.view(-1, 1, 28, 28), 2).flatten(1)


# %%
def taught(learner, k, logits, loss, **options):
    """Train on the k-th thousand pictures; blocks share none."""
    rows = slice(1_000 * k, 1_000 * (k + 1))
    labels = garments.train[rows].labels
    steps = {"epochs": EPOCHS, "batch_size": 32, "lr": 0.008}
    fixed = {"weight_decay": 0.25, "schedule": cosine, "order_seed": k}
    options = steps | fixed | quiet | options
    distill(learner, small(inputs[rows]), logits, labels, loss=loss, **options)


def on_logits(student, k, loss, **options):
    logits = shown.logits[1_000 * k : 1_000 * (k + 1)]
    taught(student, k, logits, loss, **options)
    return teacher_logits(student, small(test.inputs), device=DEVICE)


def new_cnn(k):
    return cnn((10, 20, 40), image=(1, 14, 14), seed=k)


student, plain = new_cnn(0), blended(temperature=4)
said = {"logits": [on_logits(student, 0, plain)]}


# %%
def attention(features):
    """Where a layer is active: [B, channels, H, W] -> [B, H, W]."""
    maps = features.square().sum(1)
    return maps / maps.flatten(1).norm(dim=1)[:, None, None]


first = [(test.labels == c).nonzero()[0, 0].item() for c in (5, 0, 3, 8)]
views = test.inputs[:200], small(test.inputs[:200])
maps = [
    attention(teacher_features(one, view, ["3"], device=DEVICE).features["3"])
    for one, view in zip((teacher, student), views, strict=True)
]
coarse = F.adaptive_avg_pool2d(maps[0], 7).flatten(1)
pairs = torch.stack([coarse, maps[1].flatten(1)], 1)  # [B, 2, places]
alike = torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs]).mean()

# %%
rows = {"picture": views[0].view(-1, 28, 28)}
rows |= dict(zip(["teacher", "student"], maps, strict=True))
fig, axes = plots.figure(6.0, 4.6, nrows=3, ncols=4)
for line, (name, shades) in zip(axes, rows.items(), strict=True):
    for ax, place in zip(line, first, strict=True):
        shade = "gray" if name == "picture" else "viridis"
        ax.imshow(shades[place], cmap=shade)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)
title = f"Teacher's and student's attention correlate by {alike:.2f}"
fig.suptitle(title, x=0.02, ha="left")
plots.show(
    fig,
    alt=f"{title}. Four garments; below them the teacher's maps, 14 × 14, "
    "and the student's, 7 × 7, brighter where the first stage is active.",
)

# %% [markdown]
# Yellow is active. The correlation is a mean over 200 pictures, for one student that sees a quarter of its teacher's pixels.

# %% [markdown]
# ## Derive: three ways to compare insides
#
# **Attention transfer** adds the distance between the two maps, each scaled to length 1, to the loss. Channels may differ; the larger map is averaged down.

# %% [markdown]
# **Hints** (FitNets; Romero et al. 2015, eq. 3) compare the features themselves.

# %% [markdown]
# Our student sees 14 × 14 pixels, so its layer "3" gives 20 channels of 7 × 7, as large as the teacher's layer "5", 128 channels of 7 × 7.

# %% [markdown]
# A **regressor** maps one to the other: a 1 × 1 convolution, trained with the student and then thrown away.

# %% [markdown]
# **Exercise 1** · 5 minutes · medium. Compare two feature maps. Map the student's `[B, Cs, H, W]` to the teacher's channels with a 1 × 1 convolution, `weight` `[Ct, Cs]`: at each place, `weight` times the student's channels. Then take the mean squared difference over channels and places: one value per example.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def regressed_hint(student_features, teacher_features, weight):
    return ...  # your code here


# %% tags=["solution"]
def regressed_hint(student_features, teacher_features, weight):
    led = torch.einsum("tc,bchw->bthw", weight, student_features)
    apart = led - teacher_features.detach()
    return (apart**2).flatten(1).mean(1)


# %% tags=["nbval-check-output"]
from kdcourse import check

regressed_hint = check.regressed_hint(regressed_hint).use()

# %% [markdown]
# **Relations** (RKD; Park et al. 2019, section 3.2) need no regressor: they compare how *examples* lie to one another.

# %% [markdown]
# A shirt that is closer to a coat than to a boot for the teacher should be so for the student. Turning or doubling the whole space costs nothing: angles count, and distances over their mean.

# %%
from kdcourse.losses import relation_loss

points = shown.features["7"][:32]
turned = points @ torch.linalg.qr(torch.randn(128, 128)).Q
print(f"turned and doubled: {relation_loss(2 * turned, points).mean():.4f}")
mixed = points[torch.randperm(32)]
print(f"shuffled pictures:  {relation_loss(mixed, points).mean():.4f}")

# %% [markdown]
# **A hook** is how you listen to a layer of a model that you did not write. PyTorch calls it whenever the layer has spoken:

# %% tags=["nbval-check-output"]
heard = {}
hook = student[3].register_forward_hook(
    lambda layer, inputs, output: heard.update(stage=output)
)
student.eval()(small(inputs[:1]))
hook.remove()  # or it listens for ever
print(list(heard["stage"].shape), list(shown.features["5"][:1].shape))

# %% [markdown]
# ## Derive: the logit loss has two parts
#
# DKD (Zhao et al. 2022, section 3) splits KL in two: how sure the teacher is of the label, and how it ranks the *other* classes.

# %% [markdown]
# Plain KL weighs the second by 1 − p, the probability of the others: tiny at T = 1 where the teacher is sure, less so at T = 4.

# %% [markdown]
# **Exercise 2** · 8 minutes · hard. Write DKD's two terms, times T², one value per example each. First: KL(teacher ‖ student) of (label, any other class). Second: KL among the other classes, renormalised without the label. Return both, in this order.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def decoupled(student_logits, teacher_logits, labels, temperature):
    return ...  # your code here


# %% tags=["solution"]
def decoupled(student_logits, teacher_logits, labels, temperature):
    is_label = F.one_hot(labels, student_logits.shape[1]).bool()

    def split(logits):
        log_p = (logits / temperature).log_softmax(1)
        others = log_p[~is_label].view(len(logits), -1)
        two = torch.stack([log_p[is_label], others.logsumexp(1)], 1)
        return two, others.log_softmax(1)

    def kl(log_p, log_q):
        return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1)

    two, others = split(teacher_logits)
    student_two, student_others = split(student_logits)
    return kl(two, student_two), kl(others, student_others)


# %% tags=["nbval-check-output"]
decoupled = check.decoupled(decoupled).use()

# %% [markdown]
# Weigh the second term by 1 − p, the teacher's probability of any other class, and plain KL comes back. DKD takes a constant β (and α for the first):

# %% tags=["nbval-check-output"]
from kdcourse.losses import kd_loss

z, v, labels = torch.randn(2, 10), torch.randn(2, 10), torch.tensor([0, 2])
first, second = decoupled(z, v, labels, 4.0)
p = (v / 4).softmax(1)[range(2), labels]
whole = kd_loss(z, v, 4.0, reduction="none")
print(torch.allclose(first + (1 - p) * second, whole, atol=1e-5))

# %%
own = garments.train.labels[: len(inputs), None]
for T in (1, 4):
    share = 1 - (shown.logits / T).softmax(1).gather(1, own).median()
    print(f"T = {T}: for half of the pictures, 1 − p is below {share:.3f}")

# %% [markdown]
# **DIST** (Huang et al. 2022) asks only that probabilities *correlate*: over the classes of a picture (inter-class), and for each class over the pictures of a batch (intra-class).

# %% [markdown]
# Each of its terms is 1 − r, with Pearson's r between student and teacher. With ten classes, a student that says q = p/2 + 1/20 is less sure but ranks the classes alike, and its DIST loss is 0.

# %% [markdown]
# ## Measure: hints, and DIST
#
# For each thousand pictures we train three CNNs with the same initial weights, order and steps: on logits alone; on logits and your hint (weight 1; `FeatureMatch` places the hook); and on labels and DIST.

# %%
from kdcourse.features import FeatureMatch, TeacherFeatures


class Hint(torch.nn.Module):
    """Your loss, and the regressor that it learns along."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(128, 20))

    def forward(self, student_features, teacher_features):
        return regressed_hint(student_features, teacher_features, self.weight)


# %%
def with_features(
    student, k, layers, loss, soft=plain, regressor=False, **options
):
    rows = slice(1_000 * k, 1_000 * (k + 1))
    features = {name: maps[rows] for name, maps in shown.features.items()}
    said = TeacherFeatures(shown.logits[rows], features)
    both = {"soft": soft, "regressor": regressor, "seed": k}
    pictures = small(inputs[rows])
    match = FeatureMatch(student, pictures, said, layers, loss, **both)
    taught(match, k, match.teacher_logits, match.loss, **options)
    return teacher_logits(student, small(test.inputs), device=DEVICE)


# %%
from tqdm.auto import tqdm

from kdcourse.losses import dist_loss

weight = 16  # the full run's choice


def dist(student_logits, teacher_logits, labels):
    hard = F.cross_entropy(student_logits, labels, reduction="none")
    other = dist_loss(student_logits, teacher_logits, temperature=4.0)
    return hard + weight * other


# %%
blocks = range(BLOCKS)
said |= {"hints": [], "DIST": []}
for k in tqdm(blocks, desc="threes", leave=False):
    if k:  # the first was trained above
        said["logits"].append(on_logits(new_cnn(k), k, plain))
    said["hints"].append(with_features(new_cnn(k), k, {"3": "5"}, Hint()))
    said["DIST"].append(on_logits(new_cnn(k), k, dist))


def accuracy(several):
    """One value per student: [k]."""
    right = torch.stack(several).argmax(2) == test.labels
    return right.double().mean(1).numpy()


right = {name: accuracy(several) for name, several in said.items()}

# %%
from kdcourse import claims

new = {f"method={n.lower()},student=CNN": n for n in ("hints", "DIST")}
now = {part: compare(right[n], right["logits"]) for part, n in new.items()}
won = [new[part] for part, one in now.items() if one.verdict == "better"]
shown_now = f"better than plain logits: {', '.join(won)}"
print(f"You said {my_guess_cnn:+.1f} points for hints.")
claims.show(
    "features-beat-logits",
    now,
    title=f"Just now, {shown_now if won else 'no gain is shown'}",
    xlabel="accuracy of the CNN − with logits alone",
    pairs={part: right[name] - right["logits"] for part, name in new.items()},
    labels=new,
)

# %% [markdown]
# **A lead that shrinks.** Here all have eight epochs and one learning rate. The full run trains three times as long and tunes logits as well. What then is left of DIST's lead is the blue bar.

# %% [markdown]
# That run is stored with the course: 14 blocks of 1,000 garments, all test pictures. Its intervals cover pictures and initial weights, not another teacher.

# %% [markdown]
# For every arm, it tunes two settings on validation, the learning rate and the temperature or weight, until no step up or down helps.

# %% [markdown]
# Its CNNs: {{ b features-beat-logits fashion-mnist method=hints,student=CNN is inconclusive }} % right on plain logits, {{ a features-beat-logits fashion-mnist method=dist,student=CNN is better }} with DIST, {{ a features-beat-logits fashion-mnist method=attention,student=CNN is better }} with attention, {{ beside:labels features-beat-logits fashion-mnist method=hints,student=CNN is inconclusive }} on labels alone.

# %%
full = claims.result("features-beat-logits")
of_cnns = {
    part["key"]["method"]: Comparison(*map(part.get, Comparison._fields))
    for part in sorted(full["parts"], key=lambda part: -part["mean"])
    if part["key"]["student"] == "CNN"
}
won = [name for name, one in of_cnns.items() if one.verdict == "better"]
names = {"dist": "DIST", "dkd": "DKD", "ensemble": "ensemble − one member"}
names |= {"early-stopped teacher": "teacher of 4 epochs − of 8"}
called = {name: names.get(name, name) for name in of_cnns}
tells = {name: name for name in ("better", "worse")}
tells["inconclusive"] = "could be 0"
plots.differences(
    {called[name]: one for name, one in of_cnns.items()},
    said={called[name]: tells[one.verdict] for name, one in of_cnns.items()},
    title="Better than tuned logits in the full run: "
    f"{', '.join(called[name] for name in won)}",
    xlabel="CNN students: method − its baseline, tuned alike (points)",
)
arms = [arm for part in full["parts"] for arm in part["arms"].values()]
rates = {arm["name"]: arm["chosen"]["lr"] for arm in arms}
print({name: rates[name] for name in ("logits", "DIST", "attention")})

# %% [markdown]
# DIST lets the student be less sure than its teacher. Attention asks only *where* to look. Asking for little is not enough: relations ask for little, too, and no gain is shown.

# %% [markdown]
# For both, validation also chose higher learning rates, printed below the figure. For logits, the next higher rate was tried too, and was no better.

# %% [markdown]
# DIST, DKD and *squared logits*, the mean squared distance of the logits, train on labels as well; plain logits do not. Which of these differences matters, we have not measured.

# %% [markdown]
# **Another teacher may do more than another loss.** For the ensemble and the early stop we trained teachers of a quarter of the size, for eight epochs, on 10,000 pictures that no student sees. The large one had learned the students' own.

# %% [markdown]
# On the plain logits of one of them, students are {{ b features-beat-logits fashion-mnist method=ensemble,student=CNN is inconclusive }} % right: more than with any loss on the large teacher (not compared in pairs). So try other teachers as well as other losses.

# %% [markdown]
# ## Other teachers: ensembles, assistants, early stops
#
# An **ensemble** teaches with the *mean of its members' probabilities*. After a log-softmax that is a log-sum-exp, finite where a probability underflows:

# %%
from kdcourse.losses import ensemble_logits

members = torch.tensor([[[0.0, -30.0]], [[0.0, -20.0]]]).half()
naive = members.softmax(2).mean(0).log()
print("log of the mean of probabilities:", naive.tolist())
print("log-sum-exp:                     ", ensemble_logits(members).tolist())

# %% [markdown]
# Averaging can cancel errors that members do not share. The students just trained on logits, each on its own 1,000 pictures:

# %%
together = accuracy([ensemble_logits(said["logits"])])[0]
alone = right["logits"].mean()
print(f"{BLOCKS} students: {alone:.1%} each, {together:.1%} together")

# %% [markdown]
# As teachers, three of our quarter-size ones together change a student by {{ gain features-beat-logits fashion-mnist method=ensemble,student=CNN is inconclusive }}, compared with one of them: three times the cost, and no gain is shown.

# %% [markdown]
# An **assistant** of medium size stands between teacher and student (Mirzadeh et al. 2020). Here, three times smaller than the teacher, it changes the student by {{ gain features-beat-logits fashion-mnist method=assistant,student=CNN is inconclusive }}.

# %% [markdown]
# In the full run of lesson 04, of MLPs, an assistant lost to a direct student that was given the assistant's compute as well, in one case of several: {{ gain assistant-bridges-gap fashion-mnist ratio=50,examples=5000,compute=equal_in_all is worse }} at 50× on 5,000 garments.

# %% [markdown]
# **Early stop.** A larger or longer-trained teacher can be a worse one: too sure, too hard to follow. Cho and Hariharan (2019, abstract) stop its training early, and find that assistants do not help.

# %% [markdown]
# Our small teacher was hardly such a one: training it for four epochs instead of eight changes its students by {{ gain features-beat-logits fashion-mnist method=early-stopped_teacher,student=CNN is worse }}. Whether a stop rescues one that was trained too long is not tested here.

# %% [markdown]
# ## Where it goes wrong: an MLP
#
# An MLP has no feature maps.

# %% [markdown]
# A regressor can still map its 64 hidden units to the CNN's last 128 features, in two ways: *beside* the logits, as above, or **first** and alone, as in FitNets (section 2.2), with half of the steps for each.

# %% [markdown]
# Beside these, DKD with *your* two terms: with labels, α = 1, β = 8. It asks for no layer.

# %%
from kdcourse.losses import hint_loss
from kdcourse.models import mlp

STEPS = {"epochs": 2 if FAST else 16, "lr": 0.004}
HALF = STEPS | {"epochs": STEPS["epochs"] // 2}


def dkd(student_logits, teacher_logits, labels):
    first, second = decoupled(student_logits, teacher_logits, labels, 4.0)
    hard = F.cross_entropy(student_logits, labels, reduction="none")
    return hard + first + 8 * second


def on_hints(student, k, soft, **options):
    layers = {"1": "7"}
    options |= {"regressor": True, "soft": soft}
    return with_features(student, k, layers, hint_loss, **options)


def hints_first(student, k):
    on_hints(student, k, None, **HALF)
    return on_logits(student, k, plain, **HALF)


# %%
ways = {
    "logits": lambda student, k: on_logits(student, k, plain, **STEPS),
    "hints": lambda student, k: on_hints(student, k, plain, **STEPS),
    "hints first": hints_first,
    "dkd": lambda student, k: on_logits(student, k, dkd, **STEPS),
}
of_mlps = {
    name: accuracy([way(mlp([196, 64, 10], seed=k), k) for k in blocks])
    for name, way in ways.items()
}
parts = {f"method={name},student=MLP": name for name in list(ways)[1:]}
measured = {
    part: compare(of_mlps[name], of_mlps["logits"])
    for part, name in parts.items()
}

# %%
print(f"You said {my_guess_mlp:+.1f} points for hints.")
lost = [parts[one] for one in parts if measured[one].verdict == "worse"]
title = "MLPs: no method is shown to hurt"
if lost:
    title = f"MLPs, worse than logits: {', '.join(lost)}"
claims.show(
    "features-beat-logits",
    measured,
    title=title,
    xlabel="MLPs' accuracy: method − logits alone",
    pairs={
        part: of_mlps[name] - of_mlps["logits"] for part, name in parts.items()
    },
    labels={part: f"{name}, MLP" for part, name in parts.items()},
)

# %% [markdown]
# *Hints first* has only half of the steps for the logits, and what it learns in the other half does not make up for that: {{ gain features-beat-logits fashion-mnist method=hints_first,student=MLP is worse }} in the full run. Beside the logits, hints change the MLP by {{ gain features-beat-logits fashion-mnist method=hints,student=MLP is inconclusive }}: no gain is shown.

# %% [markdown]
# β = 8 is many times the weight that plain KL gives at T = 4 (see above). Zhao et al. use it on CIFAR-100, with its hundred classes. Validation takes its weight far down for our MLPs; even there, DKD costs {{ size features-beat-logits fashion-mnist method=dkd,student=MLP is worse }} points.

# %% [markdown]
# Three more ways to go wrong:
#
# - a teacher in training mode: batch norm makes its features depend on the batch
# - a regressor that is not trained: its parameters were never given to the optimiser
# - a feature loss so large that the logits have no say: compare gradients, not weights

# %% [markdown]
# ## On Monday
#
# - Tune plain logits first, as long as you would tune the new method. Then try DIST, which needs no layer: `dist` above, its weight and learning rate chosen on validation.
# - In one family of networks, try attention after each stage: `said = teacher_features(teacher, inputs, ["3", "5"])`, `match = FeatureMatch(student, inputs, said, {"3": "3", "5": "5"}, attention_loss, weight=4, regressor=False, soft=blended(4.0))`, `distill(match, inputs, match.teacher_logits, loss=match.loss, lr=0.03)`. Choose both numbers on validation.
# - For an MLP, expect little of features, and give the logits all their steps.

# %% [markdown]
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("07_features_and_assistants")

# %% [markdown]
# ## Take away
#
# - For CNNs of one family, DIST (with labels) and attention beat logits; hints first ({{ gain features-beat-logits fashion-mnist method=hints_first,student=CNN is worse }}) loses, and the early stop loses to eight epochs. MLPs: hints first and DKD lose. Of the others no gain is shown.
# - Features come on top of the logits, not in their place. The regressor is paid for in training only.
# - A baseline that was tuned less can flatter a method, and another teacher may do more than another loss.
# - Hints that come first take steps from the logits: count them.
#
# The claim in full: `kdcourse claims features-beat-logits`.

# %% [markdown]
# ## Read on
#
# - Romero et al. (2015), *FitNets*, section 2.2: [arXiv:1412.6550](https://arxiv.org/abs/1412.6550)
# - Zagoruyko and Komodakis (2017), *Paying More Attention to Attention*, section 3.1: [arXiv:1612.03928](https://arxiv.org/abs/1612.03928)
# - Park et al. (2019), *Relational Knowledge Distillation*, section 3.2: [arXiv:1904.05068](https://arxiv.org/abs/1904.05068)
# - Tian et al. (2020), *Contrastive Representation Distillation*, section 4.1 (their own loss on features, which contrasts examples, wins): [arXiv:1910.10699](https://arxiv.org/abs/1910.10699)
# - Zhao et al. (2022), *Decoupled Knowledge Distillation*, section 3: [arXiv:2203.08679](https://arxiv.org/abs/2203.08679)
# - Huang et al. (2022), *Knowledge Distillation from A Stronger Teacher*, section 4: [arXiv:2205.10536](https://arxiv.org/abs/2205.10536)
# - Mirzadeh et al. (2020): [arXiv:1902.03393](https://arxiv.org/abs/1902.03393). Cho and Hariharan (2019), *On the Efficacy of Knowledge Distillation*: [arXiv:1910.01348](https://arxiv.org/abs/1910.01348)
