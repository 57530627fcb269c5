# %% [markdown]
# # 08 · Language models
#
# **45 minutes** · needs [lesson 03](03_blended_loss.ipynb) · computes for about a minute
#
# You will be able to
# - say who writes and who scores in any way to distil a language model,
# - train a student on its own words, and see when that goes wrong,
# - compare ways at equal compute, the teacher's included.

# %% [markdown]
# **The words matter more than the loss.** A student that also learns its teacher's answers to 70,000 words without labels gets more phonemes (speech sounds) right than one with soft targets on 2,000 words alone, for the same compute: {{ gain more-unlabelled-data-beats-a-better-loss cmudict arm=pseudo-labels_of_more_words,metric=phoneme_accuracy is better }}.

# %% [markdown]
# **A teacher's probabilities teach more than its answers.** Two students learn from the same sampled answer to each word, for the same compute. The one that is told the teacher's probabilities, too, gets more phonemes right: {{ gain soft-beats-sampled cmudict against=the_same_sample,metric=phoneme_accuracy is better }}.
#
# ![Who writes and who scores. Soft targets: the dictionary writes, the teacher scores. Samples: the teacher writes, nobody scores. On-policy: the student writes, the teacher scores.](pictures/writers.svg)

# %% tags=["parameters"]
FAST = False  # fewer words and steps; the tests use it
DEVICE = "auto"  # CUDA if you have it, then MPS, then the CPU

# %% [markdown]
# ## Predict
#
# A student learns to say English words, from 2,000 words and a fixed budget of compute. The teacher is there, trained on the whole training set; its answers are paid for. What buys most?
#
# 1. the dictionary's pronunciations, over and over
# 2. the teacher's probabilities for each phoneme of those pronunciations
# 3. sixteen pronunciations of each word, sampled from the teacher
# 4. half of the budget for 2, then the teacher's probabilities for what the student itself writes

# %%
my_guess = 4  # ours: change it to yours

# %% [markdown]
# ## See: letters in, phonemes out
#
# CMUdict lists how words are said, in phonemes: *cat* is K AE T. The model reads letters, and writes one phoneme (a token) at a time. **Greedy** takes the likeliest, a **sample** draws one.

# %%
from kdcourse.data import load
from kdcourse.lm import greedy, load_student, load_teacher, spelled

words = load("cmudict")
models = {"teacher": load_teacher(), "student": load_student()}
common = words.validation.about["tier"] <= 35
some = words.validation[common.to_numpy()][:4]
said = {"listed": [listed[0] for listed in some.pronunciations]}
for name, model in models.items():
    said[name] = spelled(greedy(model, some.letters))
for k, word in enumerate(some.about["word"]):
    for name, phonemes in said.items():
        print(f"{word:12} {name:8}", *phonemes[k])

# %% [markdown]
# The student has 17 times fewer parameters, and has spent half its budget on soft targets: the **warm start** of what follows.

# %% [markdown]
# A student that cannot match its teacher has to give something up. **Forward** KL(teacher ‖ student) punishes what the student leaves out, so it covers every mode (likely answer). **Reverse** KL(student ‖ teacher) punishes what it makes up, so it settles on one.

# %% [markdown]
# *Doused* ends in S T or in Z D. A toy student that picks the two phonemes independently mixes them. (Ours sees what it has written, and need not.) Drag from forward to reverse KL: what does it make up, what does it give up?

# %%
from kdcourse.widgets import forward_reverse

forward_reverse()

# %% [markdown]
# **Exercise 1** · 5 minutes · medium. `loss(student_logits, teacher_logits, labels)` is a divergence times an unknown factor, one value per row; it ignores the labels. Tell its direction, `"forward"` or `"reverse"`, from its values on logits that you choose.

# %%
import torch


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def direction_of(loss):
    return ...  # your code here


# %% tags=["solution"]
def direction_of(loss):
    teacher = torch.tensor([[0.0, 0.0, -8.0]])  # two modes
    covers = torch.tensor([[0.0, 0.0, 0.0]])  # some of everything
    seeks = torch.tensor([[0.0, -8.0, -8.0]])  # one mode alone
    punished = loss(seeks, teacher, None) > loss(covers, teacher, None)
    return "forward" if punished else "reverse"


# %% tags=["nbval-check-output"]
from kdcourse import check

direction_of = check.direction_of(direction_of).use()

# %% [markdown]
# Three losses, each announced as the reverse divergence times a factor:

# %% tags=["nbval-check-output"]
from kdcourse.check.exercises import direction_of as puzzle

for name, loss in puzzle.three_losses().items():
    print(name, "is", direction_of(loss))

# %% [markdown]
# Two names were wrong. `F.kl_div(log_q, p)` takes the student's log-probabilities first, and with the teacher's as p it is the forward one.

# %% [markdown]
# ## Derive: a loss for each token
#
# At every place both models read the dictionary's earlier tokens (**teacher forcing**; the name does not mean our teacher), and the loss is lesson 03's: classes on axis 1, places on axis 2.

# %% tags=["nbval-check-output"]
from kdcourse.data.cmudict import END, PAD, START
from kdcourse.lm import token_losses
from kdcourse.losses import blended, kd_loss

teacher, student = models["teacher"], models["student"]
letters, targets, _ = some.examples()
start = torch.full_like(targets[:, :1], START)
before = torch.cat([start, targets[:, :-1]], 1)  # what stands before each
with torch.no_grad():
    student_logits = student(letters, before)
    teacher_logits = teacher(letters, before)
    kl = blended()  # soft weight 1, T = 1
    values, mask = token_losses(student, letters, targets, kl, teacher)
lesson_03 = kd_loss(student_logits, teacher_logits, mask=targets != PAD)
alike = torch.allclose(lesson_03, values.sum() / mask.sum(), rtol=1e-4)
print("the mean is lesson 03's loss:", alike)

# %% [markdown]
# **Exercise 2** · 3 minutes · easy. Average the losses of a batch: `values` has one per token, [B, P], `targets` has the tokens that they belong to. Padding is 0, and END is 2.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def sequence_loss(values, targets):
    return ...  # your code here


# %% tags=["solution"]
def sequence_loss(values, targets):
    real = targets != 0  # END is 2: it counts
    return (values * real).sum() / real.sum()


# %% tags=["nbval-check-output"]
sequence_loss = check.sequence_loss(sequence_loss).use()

# %% [markdown]
# ## Who writes?
#
# Teacher forcing leads the student back to the right path at every step. Alone, the student must go on from its own slips, which it never saw: **exposure bias**.

# %% [markdown]
# The student *slips* when it writes a phoneme that the teacher gives less than 5 %. One to three phonemes later, how far is the student from its teacher, in KL?

# %% [markdown]
# We compare with the same place of the same word, after the dictionary's tokens. (The teacher never saw slips either, so its advice there may be poor, too.)

# %%
from kdcourse import lm, plots
from kdcourse.stats import compare

few = words.validation[: 150 if FAST else 1_500]
letters, listed, _ = few.examples(first=True)
letters = lm.trimmed(letters)
cross_entropy = blended(soft_weight=0)


def distance_and_likelihood(tokens):
    """KL(teacher ‖ student) at each token; how likely the teacher finds it."""
    found = []
    with torch.no_grad():
        for part in zip(letters.split(200), tokens.split(200), strict=True):
            apart, real = token_losses(student, *part, blended(), teacher)
            surprise, _ = token_losses(teacher, *part, cross_entropy)
            distance = apart.masked_fill(~real, torch.nan)
            found.append((distance, (-surprise).exp()))
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


# %%
after_listed, _ = distance_and_likelihood(listed)
written = lm.sample(student, letters)[:, 0]
after_slip, likely = distance_and_likelihood(written)
slips = (likely < 0.05) & (written != PAD)
found = {}
for later in (1, 2, 3):
    place = slips.int().argmax(1) + later
    rows = (slips.any(1) & (place <= 20)).nonzero().flatten()
    pair = [of[rows, place[rows]] for of in (after_slip, after_listed)]
    going_on = ~sum(pair).isnan()  # both words have a phoneme there
    pair = [distance[going_on] for distance in pair]
    if later == 1:
        means = [distance.mean() for distance in pair]
    found[f"{later} phoneme{'s'[: later > 1]} later"] = compare(*pair)

# %%
in_words = {
    "better": "further",
    "worse": "nearer",
    "inconclusive": "could be 0",
}
first = found["1 phoneme later"]
plots.differences(
    found,
    title=first.say(
        better=f"Right after a slip, the student is {means[0]:.2f} nats from "
        f"its teacher, not {means[1]:.2f}",
        worse="Right after a slip, the student is nearer to its teacher",
        inconclusive="How far a slip throws the student off is not shown",
    ),
    xlabel="KL to the teacher, after a slip − after the right tokens (nats)",
    said={name: in_words[result.verdict] for name, result in found.items()},
)

# %% [markdown]
# **On-policy** distillation trains exactly there: the student writes, and the teacher gives its probabilities at each token.

# %% [markdown]
# **Exercise 3** · 7 minutes · hard. Return the loss of one on-policy step. The student writes, `lm.sample(student, letters, seed=seed)[:, 0]`; both models are told what stands before each written token; the loss is the mean of KL(student ‖ teacher), `blended(direction="reverse")`, over the written tokens. No gradient may reach the teacher.


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def on_policy_step(student, teacher, letters, seed):
    return ...  # your code here


# %% tags=["solution"]
def on_policy_step(student, teacher, letters, seed):
    written = lm.sample(student, letters, seed=seed)[:, 0]
    start = torch.full_like(written[:, :1], START)
    before = torch.cat([start, written[:, :-1]], 1)
    with torch.no_grad():
        said = teacher(letters, before)
    reverse = blended(direction="reverse")
    values = reverse(student(letters, before), said, written)
    return sequence_loss(values, written)


# %% tags=["nbval-check-output"]
on_policy_step = check.on_policy_step(on_policy_step).use()

# %% [markdown]
# ## What a step costs
#
# In student passes, for one batch:

# %%
letters, targets, _ = words.train[:2_000].examples()
batch = lm.trimmed(letters[:128]), lm.trimmed(targets[:128])
one_pass = lm.forward_flops(student, *batch)
asked = lm.forward_flops(teacher, *batch) / one_pass
print("labels             3.0 passes, forward and backward")
print(f"soft targets       3.0, and once {asked:.1f} for the teacher")
writing = lm.forward_flops(teacher, *batch, count=16) / one_pass
print(f"16 samples         3.0, and once {writing:.0f} to write them")
every = 3 + 1 + asked
print(f"on-policy         {every:.1f}, writing and teacher at every step")

# %% [markdown]
# Each of 16 samples costs about half a scoring: the letters are read once.

# %% [markdown]
# ## Measure: two ways to go on
#
# Two copies of the warm start go on with the reverse divergence: own words (your loss) against the dictionary's.

# %%
import copy

from kdcourse.lm.muon import Muon  # an optimiser; Adam would do

STEPS = 2 if FAST else 20
reverse = blended(direction="reverse")


def listed_loss(student, rows, seed):
    letters_, targets_ = lm.trimmed(letters[rows]), lm.trimmed(targets[rows])
    values, _ = token_losses(student, letters_, targets_, reverse, teacher)
    return sequence_loss(values, targets_)


def own_loss(student, rows, seed):
    return on_policy_step(student, teacher, lm.trimmed(letters[rows]), seed)


# %%
def go_on(loss, lr=0.002):
    pupil, order = copy.deepcopy(student), torch.Generator().manual_seed(0)
    optimizer = Muon(pupil.named_parameters(), lr)
    for k in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = lr * lm.warm_cosine(k / STEPS)
        rows = torch.randint(len(letters), (256,), generator=order)
        optimizer.zero_grad()
        loss(pupil, rows, k).backward()
        optimizer.step()
    return pupil


on_own, on_listed = go_on(own_loss), go_on(listed_loss)

# %%
test = words.test[: 300 if FAST else 3_000]
accuracy = [
    lm.scores(pupil, test, samples=1)["phoneme accuracy"].numpy()
    for pupil in (on_own, on_listed)
]
result = compare(*accuracy)
plots.differences(
    {"same loss, same start": result},
    scale=100,
    title=result.say(
        better=f"{STEPS} steps on its own words beat the dictionary's",
        worse=f"{STEPS} steps on its own words lose to the dictionary's",
        inconclusive=f"After {STEPS} steps, the two are too close to call",
    ),
    xlabel="phonemes right, own words − dictionary's (points)",
)

# %% [markdown]
# The full run trains each way five times, at equal *compute*. There, own words win: {{ gain on-policy-helps cmudict arm=on-policy,against=reverse_on_the_dictionary,metric=phoneme_accuracy is better }}. Ours is one short run with equal *steps*, and its interval covers the choice of test words alone.

# %% [markdown]
# ## The whole table
#
# Every arm may spend the compute of 180 student passes over its 2,000 words, the teacher's work included, and picks its learning rate and an early stop on validation words.

# %% [markdown]
# Means over five sets of words; blank: not compared.

# %% [markdown]
# *Soft targets on 1 sample*: for a sampled pronunciation, not the dictionary's. *Beam*: the best sequence of four that the teacher tries. *Half on-policy*: every other batch is the student's own. *By sampled tokens*: scored at the written token alone, as in reinforcement learning. *From scratch*: no warm start.

# %% [markdown]
# *Calibration error*: how far a word's confidence is from the share of words that are right.

# %%
from kdcourse.claims.spoken import against_soft_targets, measured_arms

heard = test[:1_000]
said = spelled(greedy(teacher, heard.letters))
wrong = lm.pronunciation_errors(said, heard.pronunciations).phoneme_rate
print(f"You said {my_guess}. The teacher: {1 - wrong:.1%} of phonemes right.")
measured_arms().iloc[:, [0, 1, 3, 5]].round(2)

# %%
arms = against_soft_targets()
in_words = {"better": "better", "worse": "worse", "inconclusive": "may tie"}
said = {name: in_words[one.verdict] for name, one in arms.items()}
close = sum(word != "worse" for word in said.values())
plots.differences(
    arms,
    title=f"{close} of {len(arms)} arms may keep up with soft targets",
    xlabel="phonemes right, arm − soft targets (points)",
    said=said,
)

# %% [markdown]
# **Soft targets beat what the teacher writes**: one sample by {{ size soft-beats-sampled cmudict against=1_sample,metric=phoneme_accuracy is better }} points, a beam by {{ size soft-beats-sampled cmudict against=beam_of_4,metric=phoneme_accuracy is better }}. Over four samples the lead may be luck: {{ gain soft-beats-sampled cmudict against=4_samples,metric=phoneme_accuracy is inconclusive }}.

# %% [markdown]
# Missing the dictionary is not why: one sample with teacher probabilities teaches {{ a soft-beats-sampled cmudict against=the_same_sample,metric=phoneme_accuracy is better }} %. Sixteen cost so much that little is left to learn with.

# %% [markdown]
# **The student's own words** beat the dictionary's, with the same loss and the same start. But none is shown to beat soft targets, for which the teacher is asked once. On-policy training may tie with them, {{ gain on-policy-helps cmudict arm=on-policy,against=soft_targets,metric=phoneme_accuracy is inconclusive }}; its calibration is {{ size on-policy-helps cmudict arm=on-policy,against=soft_targets,metric=calibration is worse }} points worse. They differ in the divergence, too; forward on-policy is not measured.

# %% [markdown]
# Without a warm start, dear steps go into scoring nonsense. It is worth {{ gain on-policy-needs-warm-start cmudict against=on-policy_from_scratch,metric=phoneme_accuracy is better }}; the teacher's whole distribution, instead of its score of the sampled token, {{ gain whole-distribution-beats-sampled-token cmudict against=on-policy_by_sampled_tokens,metric=phoneme_accuracy is better }}.

# %% [markdown]
# Scoring one token is right on average, and noisy. For the four words above, its gradient in the student's logits has

# %%
both = student_logits, teacher_logits
exact, _ = lm.gradient_noise(reverse, *both)
_, noise = lm.gradient_noise(lm.sampled_reverse_loss, *both)
ratio = (noise[mask].sum() / exact.square().sum(1)[mask].sum()).item()
print(f"a variance of {ratio:.1f} times the exact one's squared length")

# %% [markdown]
# Your guess? 2 has the highest mean, {{ a soft-beats-hard cmudict examples=2000,metric=phoneme_accuracy is better }} % of phonemes right; 4 may tie. 1 gets {{ b soft-beats-hard cmudict examples=2000,metric=phoneme_accuracy is better }} %, and 3 {{ b soft-beats-sampled cmudict against=16_samples,metric=phoneme_accuracy is better }} %.

# %% [markdown]
# **The larger lever.** The teacher can be asked about words that nobody labelled. With more compute for all, 1,125 such passes:
#
# | the student learns from | phonemes right |
# |---|---|
# | soft targets of its 2,000 words, for longer | {{ b more-unlabelled-data-beats-a-better-loss cmudict arm=pseudo-labels_of_more_words,metric=phoneme_accuracy is better }} % |
# | these words, and the teacher's answers to 70,000 more | {{ a more-unlabelled-data-beats-a-better-loss cmudict arm=pseudo-labels_of_more_words,metric=phoneme_accuracy is better }} % |
# | the same with the teacher's probabilities | {{ a more-unlabelled-data-beats-a-better-loss cmudict arm=soft_targets_of_more_words,metric=phoneme_accuracy is better }} % |

# %% [markdown]
# Some of the 70,000 are inflections of test words. On test words without such a relative, the gain is {{ gain more-unlabelled-data-beats-a-better-loss cmudict arm=pseudo-labels_of_more_words,metric=phoneme_accuracy,_words_without_relatives is better }}.

# %% [markdown]
# ## Where it goes wrong
#
# The loss stays finite while the student forgets. Four curves tell you early, and none needs a label:

# %% [markdown]
# - **length**: tokens per sample; the limit is 21
# - **entropy** of the student's next token, in nats
# - **overlap**: how many of the teacher's five likeliest tokens are among the student's five
# - **reward**: log p (teacher) − log q (student) of a written token; its mean is the on-policy loss, negated

# %% [markdown]
# Five runs, one of them healthy. All but one start from the student above, and all but one train on their own words.

# %%
from kdcourse.check.exercises import diagnose_runs as lab

watched = words.validation.letters[: 32 if FAST else 64]
few = words.train[2_000 : 2_256 if FAST else 3_280]  # new to the student
lab_letters, phonemes, _ = few.examples(first=True)
runs = lab.five_runs(student, teacher, lab_letters, phonemes, watched)
plots.dashboard(
    runs, title="Nothing crashed, and four of these five are broken"
)

# %% [markdown]
# **Exercise 4** · 5 minutes · medium. Which run is which? Begin at step 0, before anything is trained.

# %% [markdown]
# - `"healthy"`
# - `"end-of-sequence mismatch"`: the teacher ends with `<start>`, the student with `<end>`
# - `"no warm start"`: random weights: at first, all 68 tokens are about equally likely
# - `"pad = end"`: END is taken for padding, so no loss sees it; this run goes on with the dictionary's phonemes, since on its own words the teacher's probabilities would still teach the end
# - `"wrong vocabulary"`: the teacher has other numbers for the same tokens


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def diagnose_runs(run):
    return {"A": ..., "B": ..., "C": ..., "D": ..., "E": ...}[run]


# %% tags=["solution"]
def diagnose_runs(run):
    return {
        "A": "wrong vocabulary",  # sure of itself, little overlap: step 0
        "B": "pad = end",  # begins as C does; then longer, step by step
        "C": "healthy",
        "D": "no warm start",  # ln 68 = 4.2 nats at step 0
        "E": "end-of-sequence mismatch",  # bad reward, then no end
    }[run]


# %% tags=["nbval-check-output"]
check.diagnose_runs(diagnose_runs)

# %% [markdown]
# Three of the four show at step 0: log it. They happen in public: [another end](https://github.com/modelscope/ms-swift/issues/9526), [pad = end](https://github.com/huggingface/trl/pull/6357), [another vocabulary](https://github.com/huggingface/trl/pull/4561).

# %% [markdown]
# **The student that never stops**, produced and repaired. One line takes END for padding. An epoch with END in the loss again teaches it to stop:

# %%
endless = copy.deepcopy(student)
without_end = phonemes.masked_fill(phonemes == END, PAD)
options = {"batch_size": 32, "epochs": 1, "lr": 0.016}
options |= {"device": DEVICE, "progress": False}
for name, given in {"END masked": without_end, "END back": phonemes}.items():
    lm.fit(endless, lab_letters, given, **options)
    seen = lm.watch(endless, teacher, watched)
    print(f"{name}: {seen['length']:.1f} tokens, reward {seen['reward']:.2f}")

# %% [markdown]
# If END is masked while training on labels, no target says “stop”. So if a student never stops, look at that mask first.

# %% [markdown]
# ## On Monday
#
# - Collect what your users send, and have the teacher answer it. Train on these answers, or on its probabilities for them, if you can store those. Go on-policy only from there, count what the teacher costs, and check that it beats more of the same: with our budget that was not shown.
# - Watch length, entropy, overlap and reward from step 0.
# - Look up what your library's β (forward 0, reverse 1), T and mask mean: [our losses beside TRL's, NVIDIA's and Keras's](../site/language_models.md). One library's default can cut off the gradient.

# %% [markdown]
# That page has what real models bring: long texts, other tokenizers, licences, stored logits, and when labels alone are better.

# %% [markdown]
# ## Check yourself

# %%
from kdcourse import quiz

quiz.show("08_language_models")

# %% [markdown]
# ## Take away
#
# - Ask a teacher for probabilities first: on the same words and budget, none of its written answers taught more.
# - Training on its own words takes a warm start, and a teacher that is paid at every step.
# - More words for the teacher to answer did more than a better loss. Collect inputs first.
#
# Each claim in full: `kdcourse claims soft-beats-sampled`, `on-policy-helps`, `on-policy-needs-warm-start`, `whole-distribution-beats-sampled-token`, `more-unlabelled-data-beats-a-better-loss`.

# %% [markdown]
# ## Read on
#
# - Kim and Rush (2016), *Sequence-Level Knowledge Distillation*: [arXiv:1606.07947](https://arxiv.org/abs/1606.07947)
# - Agarwal et al. (2023), *On-Policy Distillation of Language Models*: [arXiv:2306.13649](https://arxiv.org/abs/2306.13649)
# - Sun et al. (2019), *Token-Level Ensemble Distillation for Grapheme-to-Phoneme Conversion*: [arXiv:1904.03446](https://arxiv.org/abs/1904.03446)
