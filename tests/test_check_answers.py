"""Answers that share no code with the checks: right ones, mistakes in the words people write them in, and near misses.

An exercise needs no rows here: `test_check.py` tests it by what its own module says of it.
"""

import itertools
import math
import random
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.stats.weightstats import DescrStatsW

from kdcourse import check, gallery, lm, losses, ship


def on_one_line(text):
    return " ".join(text.split())


# ---- right answers, each written in its own way ----


def soften_by_hand(logits, temperature):
    rows = []
    for row in logits.tolist():
        powers = [math.exp((value - max(row)) / temperature) for value in row]
        rows.append([power / sum(powers) for power in powers])
    return torch.tensor(rows)


def dealt_by_loops(soft_labels):
    rows = []
    for row in soft_labels.tolist():
        winner = row.index(max(row))
        others = [value for k, value in enumerate(row) if k != winner]
        random.shuffle(others)
        rows.append([*others[:winner], row[winner], *others[winner:]])
    return rows


def dealt_by_masks(soft_labels):
    dealt = soft_labels.clone()
    for row, winner in zip(dealt, soft_labels.argmax(1), strict=True):
        others = torch.arange(len(row)) != winner
        row[others] = row[others][torch.randperm(len(row) - 1)]
    return dealt


def dealt_in_turn(soft_labels):
    """The runners-up of row k move on by k places: no chance in it, but nothing to be learned from it either."""
    shifts = [5, *range(1, len(soft_labels))]
    return runners_up(soft_labels, lambda rest: [np.roll(one, k) for one, k in zip(rest, shifts, strict=True)])


def runners_up(soft_labels, change):
    """Soft labels whose other values than the winner are those that `change` makes of them, [N, C - 1]."""
    table = soft_labels.double().numpy()
    rest = table != table.max(1, keepdims=True)
    dealt = table.copy()
    dealt[rest] = np.ravel(change(table[rest].reshape(len(table), -1)))
    return dealt


def kl_div(s, t, T, reduction="batchmean"):
    return F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction=reduction)


def kd(s, t, T):
    return T**2 * kl_div(s, t.detach(), T, "none").sum(1)


def kd_in_numpy(student_logits, teacher_logits, temperature):
    log_q, log_p = (special.log_softmax(z.double().numpy() / temperature, 1) for z in (student_logits, teacher_logits))
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum(axis=1)


def hint_by_loops(student_features, teacher_features, weight):
    """Place by place."""
    values = []
    for s, t in zip(student_features, teacher_features, strict=True):
        places = [(y, x) for y in range(s.shape[1]) for x in range(s.shape[2])]
        values.append(sum(float(((weight @ s[:, y, x] - t[:, y, x]) ** 2).mean()) for y, x in places) / len(places))
    return values


def hint_by_convolution(student_features, teacher_features, weight, distance=F.mse_loss):
    led = F.conv2d(student_features, weight[:, :, None, None])
    return torch.stack([distance(a, b) for a, b in zip(led, teacher_features.detach(), strict=True)])


def decoupled_by_softmax(s, t, y, T, off=-1e4):
    """In float64, with the label's logit far below all others, as the authors have it."""
    label = F.one_hot(y, s.shape[1]).bool()
    q, p = ((logits.double() / T).softmax(1) for logits in (s, t))
    two_q, two_p = (torch.stack([side[label], side.masked_fill(label, 0).sum(1)], 1) for side in (q, p))
    first = F.kl_div(two_q.log(), two_p, reduction="none").sum(1)
    return T**2 * first, T**2 * kl_each(s.double() / T + off * label, t.double() / T + off * label)


def routed_by_the_package(student, teacher, labels, share):
    return ship.fit_cascade(student, teacher, labels, fallback_share=share).threshold


def routed_between(student, teacher, labels, share):
    """Halfway between two confidences that follow one another."""
    confidence = student.amax(1)
    levels = sorted({0.0, *confidence.tolist(), 1.5})
    places = [(one + other) / 2 for one, other in itertools.pairwise(levels)] + [2.0]
    counts = []
    for place in [0.0, *places]:
        asked = confidence < place
        said = (teacher if ask else student for ask in asked)
        right = sum(int(one[k].argmax()) == int(labels[k]) for k, one in enumerate(said))
        counts.append((right if int(asked.sum()) <= share * len(labels) else -1, -place))
    return -max(counts)[1]


def accepted_token_by_token(p, q):
    accept, rest = np.ones(p.shape), np.zeros(p.shape)
    for place in np.ndindex(p.shape):
        accept[place] = min(1.0, float(p[place] / q[place]))
        rest[place] = max(0.0, float(p[place] - q[place]))
    total = rest.sum(1, keepdims=True)
    return accept, np.divide(rest, total, out=np.zeros_like(rest), where=total > 0)


def bill_by_the_package(share, student_ms, teacher_ms, price_per_hour, utilisation):
    each = {"price_per_hour": price_per_hour, "utilisation": utilisation}
    student, teacher = (ship.cost_per_1000(milliseconds, **each) for milliseconds in (student_ms, teacher_ms))
    return student + share * teacher


def blend_one_hot(s, t, y, T, alpha=0.5):
    hard = -(F.one_hot(y, s.shape[1]).movedim(-1, 1) * s.log_softmax(1)).sum(1)
    log_p, log_q = (t / T).log_softmax(1), (s / T).log_softmax(1)
    return alpha * T**2 * (log_p.exp() * (log_p - log_q)).sum(1) + (1 - alpha) * hard


def named_by_evidence(run):
    """By what its name says of each bug: what is wrong at once, with what it should be divided by, and what follows."""
    return {"A": "T on one side", "B": "no T²", "C": "alpha swapped", "D": "mean over classes"}[run]


def diagnosed(**wrong):
    """Every run under its name, but for those that are given another one."""
    names = {"A": "wrong vocabulary", "B": "pad = end", "C": "healthy", "D": "no warm start",
             "E": "end-of-sequence mismatch"}  # fmt: skip
    return lambda run: {**names, **wrong}[run]


def told_apart(**wrong):
    """Every run of the gallery under its name, but for those that are given another one."""
    names = {"A": "log missing", "B": "teacher in train mode", "C": "cache misaligned", "D": "wrong axis",
             "E": "teacher on both sides", "F": "softmax twice", "G": "gradient into the teacher",
             "H": "raw logits"}  # fmt: skip
    return lambda run: {**names, **wrong}[run]


def mended(soft=lambda q, p: torch.distributions.kl_divergence(p, q), keep=True, fixed=True):
    """A soft term by way of distributions."""

    def answer(student, teacher, pictures, temperature):
        teacher.train(not fixed)
        said = teacher(pictures).detach() if keep else teacher(pictures)
        q, p = (categorical(logits / temperature) for logits in (student(pictures), said))
        return temperature**2 * soft(q, p).mean()

    return answer


def as_found(student, teacher, pictures, temperature):
    p = F.softmax(teacher(pictures) / temperature, dim=0)
    q = F.softmax(student(pictures) / temperature, dim=1)
    return temperature**2 * F.kl_div(q, p, reduction="batchmean")


def mended_example_by_example(student, teacher, pictures, temperature):
    with torch.inference_mode():
        said = [teacher.eval()(picture[None])[0].tolist() for picture in pictures]
    total = 0.0
    for picture, logits in zip(pictures, said, strict=True):
        log_p = special.log_softmax(np.array(logits) / temperature)
        log_q = (student(picture[None])[0] / temperature).log_softmax(0)
        total = total + sum(math.exp(lp) * (lp - lq) for lp, lq in zip(log_p.tolist(), log_q, strict=True))
    return temperature**2 * total / len(pictures)


def blend_by_loops(soft_weights, temperatures, accuracy, margin):
    cells = {
        (w, T): accuracy[i, j].tolist()
        for i, w in enumerate(soft_weights.tolist())
        for j, T in enumerate(temperatures.tolist())
    }
    top = max(cells.values(), key=statistics.fmean)
    fine = []
    for cell, blocks in cells.items():
        behind = [a - b for a, b in zip(top, blocks, strict=True)]
        if statistics.fmean(behind) - 2 * statistics.stdev(behind) / len(behind) ** 0.5 <= margin:
            fine.append(cell)
    return max(fine)


def limit_by_loops(student_logits, teacher_logits, labels):
    def of_example(z, v):
        gaps = [a - b for a, b in zip(z, v, strict=True)]
        return statistics.pvariance(gaps) / 2

    if student_logits.ndim == 3:
        students = zip(student_logits, teacher_logits, strict=True)
        return torch.stack([limit_by_loops(z.T, v.T, None) for z, v in students])
    rows = zip(student_logits.tolist(), teacher_logits.tolist(), strict=True)
    return torch.tensor([of_example(*row) for row in rows])


def norm_by_autograd(z, v, T):
    """The norm of the gradient of the course's own loss, for each example."""
    z = z.detach().double().requires_grad_()
    return torch.autograd.grad(losses.kd_loss(z, v.double(), T, reduction="none").sum(), z)[0].norm(dim=1)


def louder(for_each):
    """The control, made as large as T = 4 for the batch as a whole or for each example."""

    def answer(z, v, y):
        sizes = [norm_by_autograd(z, v, T) for T in (4, 1)]
        if not for_each:
            sizes = [size.mean() for size in sizes]
        return sizes[0] / sizes[1].clamp_min(1e-12) * kl_each(z, v)

    return answer


def kl_each(z, v, T=1.0):
    return F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction="none").sum(1)


def ratio_of_sizes(z, v, T=4.0):
    size, size_at_1 = ((t * ((z / t).softmax(1) - (v / t).softmax(1))).norm(dim=1).mean() for t in (T, 1))
    return size / size_at_1


def blended_at_10(soft, hard=None):
    return lambda z, v, y: 0.9 * soft(z, v) + 0.1 * F.cross_entropy(z if hard is None else hard(z), y, reduction="none")


def bills(requests, t, s, fallback, upkeep):
    """What a month costs with the teacher, and with the student."""
    return requests * t / 1000, requests * s / 1000 + fallback * requests * t / 1000 + upkeep


def paid_back(one, *case):
    teacher, student = bills(*case)
    return math.inf if student >= teacher else one / (teacher - student)


def paid_back_by_the_package(one, requests, t, s, fallback, upkeep):
    return ship.break_even(one, t, s + fallback * t + 1000 * upkeep / requests) / requests


def chosen_by_loop(better):
    """An answer: of the students that pass, the first of which no other is better by this measure."""

    def answer(accuracy, low, median_ms, p99_ms, floor, max_ms):
        rows = list(zip(accuracy.tolist(), low.tolist(), median_ms.tolist(), p99_ms.tolist(), strict=True))
        good = [k for k, row in enumerate(rows) if row[1] >= floor and row[3] <= max_ms]
        return max(good, key=lambda k: better(*rows[k])) if good else -1

    return answer


def first_of_many(accuracy, low, median_ms, p99_ms, floor, max_ms):
    """A careless choice: the last that passes, or the first if there are more than two."""
    places = [k for k in range(len(low)) if low[k] >= floor and p99_ms[k] <= max_ms]
    return -1 if not places else places[0] if len(places) > 2 else places[-1]


def interval_by_counts(teacher_right, student_right):
    n = len(teacher_right)
    only_teacher = int((teacher_right & ~student_right).sum())
    only_student = int((student_right & ~teacher_right).sum())
    gap = (only_teacher - only_student) / n
    variance = (only_teacher + only_student - n * gap**2) / (n - 1)
    return gap, gap - 1.96 * math.sqrt(variance / n), gap + 1.96 * math.sqrt(variance / n)


def interval_by_loops(teacher_right, student_right):
    differences = [int(t) - int(s) for t, s in zip(teacher_right.tolist(), student_right.tolist(), strict=True)]
    half = 1.96 * statistics.stdev(differences) / len(differences) ** 0.5
    gap = statistics.fmean(differences)
    return [gap, gap - half, gap + half]


def described(t, s):
    return DescrStatsW(t.double().numpy() - s.double().numpy())


def decided(limits, word=lambda word: word, of=lambda low, high: high):
    return lambda low, high, harm: word("go" if of(low, high) < limits[harm - 1] else "no-go")


def epoch(loss, before=lambda student: student.train()):
    """A whole epoch as one types it, with a loss (student_logits, teacher_logits, temperature)."""

    def answer(student, optimizer, inputs, teacher_logits, batches, temperature):
        before(student)
        for rows in batches:
            value = loss(student(inputs[rows]), teacher_logits[rows], temperature).mean()
            optimizer.zero_grad()
            value.backward()
            optimizer.step()

    return answer


def epoch_with_cross_entropy(student, optimizer, inputs, teacher_logits, batches, temperature):
    student.train()
    for k in range(len(batches)):
        student.zero_grad()
        targets = F.softmax(teacher_logits[batches[k]] / temperature, dim=1)
        F.cross_entropy(student(inputs[batches[k]]) / temperature, targets).mul(temperature**2).backward()
        optimizer.step()
    student.eval()


def epoch_one_by_one(student, optimizer, inputs, teacher_logits, batches, temperature):
    """The gradient by hand: T · (q − p) for each picture, over the batch's size, goes back from the logits."""
    student.train()
    for rows in batches:
        optimizer.zero_grad()
        logits = student(inputs[rows])
        q, p = (logits / temperature).softmax(1), (teacher_logits[rows] / temperature).softmax(1)
        logits.backward(temperature * (q - p).detach() / len(rows))
        optimizer.step()


def mean_by_counting(values, targets):
    written = [
        value
        for row, tokens in zip(values.tolist(), targets.tolist(), strict=True)
        for value, token in zip(row, tokens, strict=True)
        if token != 0
    ]
    return statistics.fmean(written)


def probed(decide, *logits):
    """A probe that calls the loss with pairs (student, teacher) of these logits, all at once."""
    rows = torch.tensor(logits, dtype=torch.float32)

    def answer(loss):
        return (
            "forward" if decide(loss(rows[:, 0], rows[:, 1], torch.zeros(len(rows), dtype=torch.long))) else "reverse"
        )

    return answer


def by_exchange(loss):
    """Both divergences of one pair: if it is no mirror image, one of them is known to be larger."""
    sure, unsure = torch.tensor([[6.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    return "forward" if loss(sure, unsure) > loss(unsure, sure) else "reverse"


def by_gradient(loss):
    """At a student without preferences, forward pulls by q − p, which leaves the unlikely classes alike."""
    student = torch.zeros(1, 3, requires_grad=True)
    loss(student, torch.tensor([[4.0, 0.0, -4.0]]), None).sum().backward()
    pull = student.grad[0] / student.grad.norm()
    p = torch.tensor([4.0, 0.0, -4.0]).softmax(0)
    along = (1 / 3 - p) / (1 / 3 - p).norm()
    return ("reverse", "forward")[bool(pull @ along > 0.999)]


def step_with_token_losses(student, teacher, letters, seed):
    written = lm.sample(student, letters, seed=seed)[:, 0]
    values, mask = lm.token_losses(student, letters, written, losses.blended(direction="reverse"), teacher)
    return values.sum() / mask.sum()


def step_word_by_word(student, teacher, letters, seed):
    """Without padding, and each token by itself."""
    teacher.requires_grad_(False)
    total, count = 0.0, 0
    for word, written in zip(letters, lm.sample(student, letters, 1, seed=seed).squeeze(1), strict=True):
        read, said = word[word != 0][None], written[written != 0].tolist()
        for place in range(len(said)):
            before = torch.tensor([[1, *said[:place]]])
            q, p = (model(read, before)[0, :, -1] for model in (student, teacher))
            total, count = total + torch.distributions.kl_divergence(*map(categorical, (q, p))), count + 1
    return total / count


def categorical(logits):
    return torch.distributions.Categorical(logits=logits)


def stepped(loss, writes=lambda student, teacher, letters, seed: lm.sample(student, letters, seed=seed)[:, 0]):
    """A step as one types it with the package: what is written, and a loss."""

    def answer(student, teacher, letters, seed):
        values, mask = lm.token_losses(student, letters, writes(student, teacher, letters, seed), loss, teacher)
        return values.sum() / mask.sum()

    return answer


def two_kinds_of_block(pairs):
    labels = [0.65 if k % 2 else 0.85 for k in range(pairs)]
    return labels, [value + 0.01 + 0.001 * (k // 2 % 2) for k, value in enumerate(labels)]


def effective_by_loops(logits):
    rows = [special.softmax(row) for row in logits.double().numpy()]
    means = [math.fsum(row[k] for row in rows) / len(rows) for k in range(len(rows[0]))]
    return math.prod(mean**-mean for mean in means if mean > 0)


# fmt: off
RIGHT = {
    "effective_classes": [effective_by_loops,
                          lambda z: 2 ** stats.entropy(special.softmax(z.numpy(), 1).mean(0), base=2)],
    "distill_epoch": [epoch_with_cross_entropy, epoch_one_by_one],
    "shared_luck": [two_kinds_of_block, lambda n: np.array([np.linspace(0.6, 0.9, n), np.linspace(0.61, 0.93, n)])],
    "soften": [soften_by_hand, losses.soften, lambda z, t: special.softmax(z.numpy() / t, axis=1),
               lambda z, t: torch.nn.Softmax(dim=1)(z.double() / t)],
    "control_targets": [dealt_by_loops, dealt_by_masks, dealt_in_turn],
    "kd_loss": [kd, kd_in_numpy, lambda *case: losses.kd_loss(*case, reduction="none")],
    "blended_loss": [blend_one_hot, lambda *case: losses.blended_loss(*case, reduction="none").total,
                     lambda s, t, y, T, w: w * kd(s, t, T) + (1 - w) * F.cross_entropy(s, y, reduction="none")],
    "limit_loss": [limit_by_loops, lambda z, v, y: (z - v).var(1, correction=0) / 2,
                   lambda z, v, y: ((z - v).square().mean(1) - (z - v).mean(1) ** 2) / 2],
    "louder_loss": [louder(for_each=False), louder(for_each=True)],
    "regressed_hint": [hint_by_loops, hint_by_convolution,
                       lambda s, t, w: ((s.movedim(1, -1) @ w.T - t.detach().movedim(1, -1)) ** 2).mean((1, 2, 3))],
    "decoupled": [decoupled_by_softmax,
                  lambda *case: [losses.dkd_loss(*case[:3], alpha=a, beta=1 - a, temperature=case[3]) for a in (1, 0)]],
    "repaired_loss": [blended_at_10(lambda z, v: 100 * kl_each(z, v, 10)),
                      lambda z, v, y: losses.blended(10, 0.9)(z, v, y),
                      lambda z, v, y: losses.blended_loss(z, v, y, 10, 0.9, reduction="none").total],
    "name_the_bug": [named_by_evidence],
    "diagnose_runs": [diagnosed()],
    "name_eight_bugs": [told_apart()],
    "mended_term": [mended(), mended_example_by_example,
                    mended(lambda q, p: F.kl_div(q.logits, p.probs, reduction="none").sum(1))],
    "choose_blend": [blend_by_loops, lambda *case: np.array(blend_by_loops(*case))],
    "months_to_pay_back": [paid_back, paid_back_by_the_package,
                           lambda one, *case: np.float64(paid_back(one, *case))],
    "choose_student": [chosen_by_loop(lambda accuracy, low, median, p99: -median),
                       chosen_by_loop(lambda accuracy, low, median, p99: accuracy),
                       chosen_by_loop(lambda accuracy, low, median, p99: low - 0.01 * median),
                       chosen_by_loop(lambda accuracy, low, median, p99: -p99)],
    "cascade_threshold": [routed_by_the_package, routed_between,
                          lambda *case: torch.tensor(routed_by_the_package(*case))],
    "cascade_cost": [bill_by_the_package],
    "speculative_accept": [accepted_token_by_token,
                           lambda p, q: torch.stack([torch.minimum(p, q) / q, (p > q) * (p - q) / torch.maximum(
                               1 - torch.minimum(p, q).sum(1, keepdim=True), torch.tensor(1e-6))])],
    "paired_interval": [interval_by_counts, interval_by_loops,
                        lambda t, s: (described(t, s).mean, *described(t, s).zconfint_mean())],
    "sequence_loss": [mean_by_counting, lambda values, targets: (values * targets.bool()).sum() / (targets > 0).sum(),
                      lambda values, targets: np.average(values.numpy(), weights=targets.numpy() != 0)],
    "direction_of": [probed(lambda one: one[0] > one[1], [[9, 0, 0], [9, 9, 0]], [[9, 9, 9], [9, 9, 0]]),
                     probed(lambda one: one[0] > 3 * one[1], [[8, 0], [0, 0]], [[0, 0], [8, 0]]),
                     by_exchange, by_gradient],
    "on_policy_step": [step_with_token_losses, step_word_by_word,
                       stepped(lambda s, t, y: losses.kd_loss(s, t, direction="reverse", reduction="none")),
                       stepped(lambda s, t, y: F.kl_div(t.log_softmax(1), s.log_softmax(1), reduction="none",
                                                         log_target=True).sum(1))],
    "release": [decided([0.03, 0.02, 0.001]), decided([0.1, 0.1, 0.01]), decided([0.05, 0.01, 0.005], str.__str__),
                lambda low, high, harm: ("no-go", "go")[high < 0.06 / harm**2]],
}
# fmt: on


@pytest.mark.parametrize("name", RIGHT)
def test_right_answer_is_accepted_however_it_is_written(name):
    exercise = getattr(check, name)
    for k, answer in enumerate(RIGHT[name]):
        for _ in range(2):  # fresh shapes and numbers each time
            result = exercise(answer)
            assert result.passed, (k, result.message)
            assert on_one_line(result.message).startswith(f"{name} is correct. {exercise.praise}")


# ---- mistakes, in the words people write them in ----


def written(gap, half):
    """An interval as it is typed: `half` of the two tensors of right answers, as floats."""
    return lambda t, s: [(m := gap(t.float(), s.float())), m - (h := half(t.float(), s.float())), m + h]


def difference(t, s):
    return t.mean() - s.mean()


def swapped_and_underflowing(s, t, T):
    p, q = (t / T).softmax(1), (s / T).softmax(1)
    return T**2 * (q * (q.log() - p.log())).sum(1)


# fmt: off
MISTAKES = {
    "distill_epoch": [
        (epoch(losses.kd_loss, before=lambda student: None), "student left in evaluation mode"),
        (epoch(kl_div), "no T²"),
        (epoch(lambda s, t, T: kl_div(s, t, T, "mean")), "no T², and divided by the classes"),
        (epoch(lambda s, t, T: T**2 * kl_div(s, t, T, "sum")), "summed over the pictures"),
        (epoch(lambda s, t, T: losses.kd_loss(s, t, 1)), "temperature ignored"),
        (epoch(lambda s, t, T: losses.kd_loss(s, t, T, direction="reverse")), "student and teacher exchanged"),
    ],
    "shared_luck": [
        (lambda n: (np.linspace(0.7, 0.71, n), np.linspace(0.9, 0.911, n)), "no luck to share"),
        (lambda n: (np.linspace(60, 90, n), np.linspace(61, 93, n)), "no shares"),
        (lambda n: (np.linspace(0.61, 0.93, n), np.linspace(0.6, 0.9, n)), "labels win"),
        (lambda n: (np.linspace(0.6, 0.9, n), np.linspace(0.6, 0.9, n)), "one and the same difference"),
    ],
    "kd_loss": [
        (kl_div, "mean over the batch"),
        (losses.kd_loss, "mean over the batch"),
        (lambda s, t, T: kl_div(s, t, T, "mean") * T**2 if s.ndim == 2 else kd(s, t, T).mean() / s.shape[1],
         "mean over examples and classes"),
        (lambda s, t, T: kl_div(s, t, T, "none").mean(1) * T**2, "divided by the classes"),
        (lambda s, t, T: kl_div(s, t, T, "none").mean(1), "no T², and divided by the classes"),
        (lambda s, t, T: kl_div(s, t, T, "none") * T**2, "one value per class"),
        (lambda s, t, T: losses.kd_loss(s, t, T, direction="reverse", reduction="none"), "arguments swapped"),
        (swapped_and_underflowing, "arguments swapped"),  # named before the NaN that comes with it
        (lambda s, t, T: F.kl_div((s / T).log_softmax(1), (t / T).log_softmax(1), reduction="none").sum(1) * T**2,
         "teacher in logarithms"),
        (lambda s, t, T: F.kl_div(s, t, reduction="none").sum(1), "raw logits in place of probabilities"),
        (lambda s, t, T: T**2 * F.cross_entropy(s / T, (t / T).softmax(1), reduction="none"), "cross-entropy"),
        (lambda s, t, T: T**2 * F.kl_div((s / T).log_softmax(-1), (t / T).softmax(-1), reduction="none").sum(-1),
         "last axis"),
    ],
    "blended_loss": [
        (lambda *a: losses.blended_loss(*a[:4], 1 - a[4], reduction="none").total, "weights exchanged"),
        (lambda *a: losses.blended_loss(*a).total, "mean over the batch"),
        (lambda s, t, y, T, w: w * kd(s, t, T) / T**2 + (1 - w) * F.cross_entropy(s, y, reduction="none"),
         "soft term: no T²"),
        (lambda s, t, y, T, w: w * kd(s, t, T) + (1 - w) * F.cross_entropy(s, y), "hard term averaged"),
        (lambda s, t, y, T, w: w * kd(s, t, T).mean() + (1 - w) * F.cross_entropy(s, y, reduction="none"),
         "soft term: mean over the batch"),
        (lambda s, t, y, T, w: w * kd(s, t, T) + (1 - w) * F.cross_entropy(s.softmax(1), y, reduction="none"),
         "cross-entropy of probabilities"),
    ],
    "limit_loss": [
        (lambda z, v, y: F.mse_loss(z, v), "one value for the batch"),
        (lambda z, v, y: F.mse_loss(z, v, reduction="none").mean(1), "means not removed"),
        (lambda z, v, y: (z - v).var(1, correction=0), "no ½"),
        (lambda z, v, y: losses.kd_loss(z, v, 1000, reduction="none"), "a large temperature, not the limit"),
        (lambda z, v, y: (z - v - (z - v).mean(-1, keepdim=True)).square().mean(-1) / 2, "last axis"),
    ],
    "name_the_bug": [
        (lambda run: {"D": "no T²", "B": "mean over classes"}.get(run) or named_by_evidence(run), "B and D exchanged"),
        (lambda run: {"A": "no T²", "B": "T on one side"}.get(run) or named_by_evidence(run), "A and B exchanged"),
    ],
    "diagnose_runs": [
        (diagnosed(B="end-of-sequence mismatch", E="pad = end"), "B and E exchanged"),
        (diagnosed(A="no warm start", D="wrong vocabulary"), "A and D exchanged"),
        (lambda run: "healthy", "all healthy"),
    ],
    "name_eight_bugs": [
        (told_apart(A="softmax twice", F="log missing"), "A and F exchanged"),
        (told_apart(E="gradient into the teacher", G="teacher on both sides"), "E and G exchanged"),
        (lambda run: "raw logits", "one name for all"),
    ],
    "mended_term": [
        (as_found, "wrong axis and log missing and teacher in train mode and gradient into the teacher"),
        (mended(keep=False), "gradient into the teacher"),
        (mended(fixed=False), "teacher in train mode"),
        (mended(keep=False, fixed=False), "teacher in train mode and gradient into the teacher"),
        (mended(lambda q, p: F.kl_div(q.probs, p.probs, reduction="none").sum(1)), "log missing"),
        (mended(torch.distributions.kl_divergence), "arguments swapped"),
        (mended(lambda q, p: torch.distributions.kl_divergence(p, categorical(q.probs))), "softmax twice"),
        (mended(lambda q, p: F.kl_div(q.logits, p.logits, reduction="none").sum(1)), "logarithm on both sides"),
        (mended(lambda q, p: F.kl_div(q.logits, p.probs)), "mean over the classes"),
        (lambda *case: mended()(*case).item(), "no gradient"),
    ],
    "effective_classes": [
        (lambda z: torch.special.entr(z.mean(0).softmax(0)).sum().exp(), "mean of the logits"),
        (lambda z: stats.entropy(special.softmax(z.numpy(), 1).mean(0)), "no exp"),
    ],
    "choose_blend": [(lambda *case: tuple(reversed(check.choose_blend.reference(*case))), "exchanged"),
    ],
    "louder_loss": [
        (lambda z, v, y: losses.kd_loss(z, v, 4, reduction="none"), "T = 4 itself"),
        (lambda z, v, y: 16 * losses.kd_loss(z, v, 1, reduction="none"), "times T²"),
        (lambda z, v, y: losses.kd_loss(z, v, 4, reduction="none") / ratio_of_sizes(z, v).detach(),
         "T = 4 made as small as T = 1"),
        (lambda z, v, y: ratio_of_sizes(z, v) * kl_each(z, v), "factor with a gradient"),
        (lambda z, v, y: ratio_of_sizes(z, v).detach() * kl_each(z, v).mean(), "one value for the batch"),
        (lambda z, v, y: ratio_of_sizes(z, v).detach() / 4 * kl_each(z, v), "size without T"),
    ],
    "regressed_hint": [
        (lambda s, t, w: hint_by_convolution(s, t, w, lambda a, b: F.mse_loss(a, b, reduction="sum")),
         "summed over the features"),
        (lambda s, t, w: hint_by_convolution(s, t, w, F.l1_loss), "not squared"),
        (lambda s, t, w: hint_by_convolution(s, t, w, torch.dist), "a root"),
        (lambda s, t, w: F.mse_loss(F.conv2d(s, w[:, :, None, None]), t), "one value for the batch"),
        (lambda s, t, w: hint_by_convolution(t, s, w.T), "regressor on the teacher"),
        (lambda s, t, w: ((s.view(len(s), *s.shape[2:], -1) @ w.T).permute(0, 3, 1, 2) - t).square().mean((1, 2, 3)),
         "a reshape in place of a move"),
    ],
    "decoupled": [
        (lambda *case: [decoupled_by_softmax(*case)[0], decoupled_by_softmax(*case, off=0)[1]],
         "label kept among the others"),
        (lambda s, t, y, T: [one / T**2 for one in decoupled_by_softmax(s, t, y, T)], "no T²"),
        (lambda *case: decoupled_by_softmax(*case)[::-1], "exchanged"),
        (lambda s, t, y, T: sum(decoupled_by_softmax(s, t, y, T)), "added up"),
        (lambda s, t, y, T: decoupled_by_softmax(s, t, t.argmax(1), T), "the teacher's verdict for the label"),
        (lambda s, t, y, T: [T**2 * F.cross_entropy(s / T, y, reduction="none"), decoupled_by_softmax(s, t, y, T)[1]],
         "cross-entropy in the first term"),
    ],
    "repaired_loss": [
        (blended_at_10(lambda z, v: kl_each(z, v, 10)), "T² still missing"),
        (blended_at_10(lambda z, v: 100 * F.kl_div(z.log_softmax(1), (v / 10).softmax(1), reduction="none").sum(1)),
         "student still not softened"),
        (blended_at_10(lambda z, v: 100 * kl_each(z, v, 10), lambda z: z / 10), "hard part softened"),
        (lambda z, v, y: losses.blended(10, 0.1)(z, v, y), "weights exchanged"),
    ],
    "cascade_threshold": [
        (lambda s, t, y, share: routed_by_the_package(s, t, y, 1.0), "no budget"),
        (lambda s, t, y, share: 1 - share, "the share itself"),
    ],
    "cascade_cost": [
        (lambda f, s, t, price, busy: bill_by_the_package(f, s, t, price, 1), "utilisation forgotten"),
        (lambda f, s, t, price, busy: bill_by_the_package(f, (1 - f) * s, t, price, busy),
         "teacher without the student"),
        (lambda f, s, t, price, busy: 1000 * bill_by_the_package(f, s, t, price, busy), "milliseconds as seconds"),
    ],
    "speculative_accept": [
        (lambda p, q: (accepted_token_by_token(p, q)[0], p.numpy()), "rest from p"),
        (lambda p, q: accepted_token_by_token(p, q)[::-1], "exchanged"),
        (lambda p, q: accepted_token_by_token(q, p), "models exchanged"),
        (lambda p, q: ((p >= q).numpy(), accepted_token_by_token(p, q)[1]), "all or nothing"),
    ],
    "months_to_pay_back": [
        (lambda one, *case: one / -np.subtract(*bills(*case)[::-1]), "negative"),
        (lambda one, n, t, s, f, u: paid_back(one, n, t, (1 - f) * s, f, u), "fallback without the student"),
        (lambda one, n, t, s, f, u: paid_back(one, n, t, s, 0, u), "fallback forgotten"),
        (lambda one, n, t, s, f, u: paid_back(one + u, n, t, s, f, 0), "upkeep paid once"),
        (lambda *case: paid_back(*case) * case[1], "requests, not months"),
        (lambda *case: 0 if paid_back(*case) == math.inf else paid_back(*case), "0 for never"),
    ],
    "choose_student": [
        (lambda a, low, ms, p99, floor, most: chosen_by_loop(lambda a, low, ms, p99: -ms)(a, a, ms, p99, floor, most),
         "accuracy without its interval"),
        (lambda a, low, ms, p99, floor, most: chosen_by_loop(lambda a, low, ms, p99: -ms)(a, low, ms, ms, floor, most),
         "median in place of p99"),
        (lambda a, low, ms, p99, floor, most: chosen_by_loop(lambda a, low, ms, p99: a)(a, low, ms, p99, floor, 1e9),
         "no limit on time"),
        (lambda a, low, ms, p99, floor, most: chosen_by_loop(lambda a, low, ms, p99: -ms)(a, low, ms, p99, 0, most),
         "no limit on accuracy"),
        (lambda *case: np.argmin(case[2].numpy()), "no limit at all"),
    ],
    "paired_interval": [
        (written(difference, lambda t, s: 1.96 * (t.var() / len(t) + s.var() / len(s)).sqrt()), "unpaired"),
        (written(difference, lambda t, s: 1.96 * np.std((t - s).numpy()) / len(t) ** 0.5), "divided by N in s"),
        (written(lambda t, s: (t != s).float().mean(), lambda t, s: 1.96 * (t != s).float().std() / len(t) ** 0.5),
         "differences without their sign"),
        (lambda t, s: [described(t, s).mean, *described(t, s).tconfint_mean()], "Student's t"),
        (written(difference, lambda t, s: 1.96 * ((t - s) ** 2).sum().sqrt() / len(t)), "mean not removed"),
    ],
    "sequence_loss": [
        (lambda values, targets: np.mean(values.numpy()), "padding counted"),
        (lambda values, targets: values.masked_fill(targets == 0, 0).mean(), "padding in the denominator"),
        (lambda values, targets: values.masked_fill(targets < 3, 0).sum() / (targets >= 3).sum(), "END masked"),
        (lambda values, targets: torch.stack([v[t > 0].mean() for v, t in zip(values, targets, strict=True)]).mean(),
         "mean over words"),
        (lambda values, targets: values[values.bool()].mean(), "masked by the values"),
    ],
    "direction_of": [
        (probed(lambda one: one[0] > one[1], [[9, 0], [0, 9]], [[0, 9], [9, 0]]), "a pair that is the same both ways"),
        (probed(lambda one: one.sum() > 0, [[1, 0, 0], [1, 0, 0]]), "student equal to teacher"),
        (probed(lambda one: one[0] < one[1], [[9, 0, 0], [9, 9, 0]], [[9, 9, 9], [9, 9, 0]]), "exchanged"),
        (probed(lambda one: one[0] > one[1], [[9, 9, 0], [9, 0, 0]], [[9, 9, 0], [9, 9, 9]]), "exchanged"),
        (probed(lambda one: one[0] > 2, [[9, 0, 0], [9, 9, 0]]), "by the size of a value"),
        (probed(lambda one: one[0] > one[1], [[9, 0, 0], [9, 9, 0]], [[9, 9, 0], [9, 9, 0]]),
         "a student that equals the teacher"),
        (probed(lambda one: one[0] > one[1], [[1, 0, 0], [0.5, 0.5, 0]], [[0.4, 0.3, 0.3], [0.5, 0.5, 0]]),
         "probabilities in place of logits"),
        (lambda loss: "reverse" if "reverse" in loss.__name__ else "forward", "loss never called"),
    ],
    "on_policy_step": [
        (stepped(losses.blended()), "forward"),
        (stepped(losses.blended(soft_weight=0)), "trained on its own words"),
        (stepped(lm.sampled_reverse_loss), "policy gradient"),
        (stepped(losses.blended(direction="reverse"), lambda s, t, *rest: lm.sample(t, rest[0], seed=rest[1])[:, 0]),
         "the teacher writes"),
        (stepped(losses.blended(direction="reverse"), lambda s, t, letters, seed: lm.greedy(s, letters)), "greedy"),
        (lambda *case: step_with_token_losses(*case).item(), "no gradient"),
        (stepped(lambda s, t, y: F.kl_div(t.log_softmax(1), s.softmax(1), reduction="none").sum(1)),
         "probability of zero"),
        (lambda s, t, letters, seed: step_with_token_losses(s, t, letters, 0), "the same draws in every step"),
    ],
    "release": [
        (decided([0.06, 0.03, 0.01], of=lambda low, high: (low + high) / 2), "by the middle"),
        (lambda low, high, harm: "no-go" if low > 0.04 / harm**2 else "go", "not shown to be bad"),
        (lambda low, high, harm: "go" if low < 0 else "no-go", "not significant"),
        (decided([0.04, 0.03, 0.01], of=lambda low, high: high - low), "width"),
        (lambda low, high, harm: "go" if high < 0.08 else "no-go", "one limit, a loose one"),
        (lambda low, high, harm: "go" if high < 0.02 * harm else "no-go", "harm upside down"),
        (lambda low, high, harm: "go" if high < 9 / harm else "no-go", "limits in points"),
        (lambda low, high, harm: "no-go" if high < 0.05 / harm**2 else "go", "exchanged"),
    ],
}
# What is said where no bug has a name for it. Each rule of these exercises is broken by one of them.
NEAR_MISSES = {
    "soften": [
        (lambda z, t: (z / t).softmax(1)[:, :1], "shape [1, 3] is expected, and a tensor of shape [1, 1]"),
        (lambda z, t: z * torch.nan, "There is NaN in the result"),
        (lambda z, t: z.softmax, "cannot be read as a tensor of shape [1, 3]. Is a pair of parentheses missing"),
        (lambda z, t: (z.softmax(1), t), "returned 2 things (a tuple). Return only a tensor of shape"),
        (lambda z, t: (z / t).softmax(1).round().long(), "These are whole numbers"),
        (lambda z, t: (z / t).softmax(1) - 0.3, "A probability is never negative"),
        (lambda z, t: (z / t).sigmoid(), "Each row should sum to 1"),
        (lambda z, t: (z / t).softmax(1).flip(1), "a temperature never changes the winner"),
        (lambda z, t: (z / t / 2).softmax(1), "has no name for. check.soften.hint() gives a hint"),
        (lambda z, t: z.div_(t).softmax(1), "changed its arguments in place"),
    ],
    "control_targets": [
        (lambda p: p[:, :-1], "the shape should stay"),
        (lambda p: 2 * p, "none below 0, with a sum of 1"),
        (lambda p: p[:, [1, 0, *range(2, p.shape[1])]], "The winner of some row has changed"),
        (lambda p: (p**1.1) / (p**1.1).sum(1, keepdim=True), "The probability of some winner has changed"),
        (lambda p: runners_up(p, lambda rest: rest / 2 + rest[:, ::-1] / 2), "The entropy of some row has changed"),
        (lambda p: runners_up(p, lambda rest: rest[:, [1, 0, *range(2, rest.shape[1])]]), "still tell which"),
        (lambda p: runners_up(p, lambda rest: np.sort(rest)[:, ::-1]), "Deal each row anew"),
        (lambda p: runners_up(p, lambda rest: np.roll(rest, 1, axis=1)), "A student can learn that rule"),
    ],
    "distill_epoch": [
        (lambda student, optimizer, inputs: None, "should take (student, optimizer, inputs, teacher_logits, batches,"),
        (epoch(lambda s, t, T: T**2 * F.mse_loss(s, t)), "in a way that this check has no name for"),
        (epoch(lambda s, t, T: kl_div(t, t, T)), "stopped with RuntimeError: element 0 of tensors does not require"),
    ],
    "shared_luck": [
        (lambda n: [0.7] * n, "two lists of 4 accuracies are due"),
        (lambda n: ([0.7] * n, [0.8] * (n - 1)), "two lists of 4 accuracies are due"),
        (lambda n: (range(n), "abcd"), "two lists of 4 accuracies are due"),
    ],
    "kd_loss": [
        (F.mse_loss, "stopped with"),  # its third parameter is no temperature
        (lambda s, t, T: kd(s, t, T).mean().reshape(1, 1), "shape [1] is expected, and a tensor of shape [1, 1] came"),
        (lambda s, t, T: kd(s, t, T) - 1, "A divergence is never negative"),
        (lambda s, t, T: kd(s, t, T) + 1, "Student and teacher agree here"),
    ],
    "blended_loss": [
        (losses.blended_loss, "returned 3 things (a LossTerms). Return only a tensor of shape [1]."),
        (lambda s, t, y, T, w: kd(s, t, T) - 1, "Neither of the two terms is ever negative"),
        (lambda s, t, y, T, w: 5 + kd(s, t, T), "A weighted mean lies between its two terms"),
    ],
    "limit_loss": [
        (lambda z, v, y: -limit_by_loops(z, v, y), "A squared distance is never negative"),
        (lambda z, v, y: 0.1 + limit_by_loops(z, v, y), "differ by a constant here"),
        (lambda z, v, y: limit_by_loops(z, v, y)[:, None], "a tensor of shape [1] is expected, and a tensor of shape"),
    ],
    "louder_loss": [
        (lambda z, v, y: F.cross_entropy(z, y, reduction="none"), "does not point where that of T = 1 points"),
        (lambda z, v, y: 3.8 * kl_each(z, v), "its mean norm over the batch is not that of T = 4"),
        (lambda z, v, y: kl_each(z.detach(), v), "stopped with RuntimeError"),
    ],
    "regressed_hint": [
        (lambda *case: -hint_by_convolution(*case), "A mean of squares is never negative"),
        (lambda *case: 1 + hint_by_convolution(*case), "in a way that this check has no name for"),
        (lambda s, t, w: s @ w.T, "a tensor of shape [1] is expected, and a tensor of shape [1, 1, 1, 2]"),
    ],
    "decoupled": [
        (lambda *case: [-one for one in decoupled_by_softmax(*case)], "Both terms are divergences"),
        (lambda *case: decoupled_by_softmax(*case)[0], "a tensor of shape [2, 1] is expected, and a"),
        (lambda *case: [one + 1 for one in decoupled_by_softmax(*case)], "in a way that this check has no name for"),
    ],
    "repaired_loss": [
        (lambda z, v, y: -losses.blended(10, 0.9)(z, v, y), "Neither part is ever negative"),
    ],
    "name_the_bug": [
        (lambda run: "no T²", "Run A: look at its confidence"),
        (lambda run: "T on one side", "Run B: divide the right soft term"),
        (lambda run: "no T²" if run == "C" else named_by_evidence(run), "Run C: its soft term begins"),
        (lambda run: "no T²" if run == "D" else named_by_evidence(run), "Run D: divide the right soft term"),
        (lambda run: "forgot T", "Only these words name a bug here"),
    ],
    "diagnose_runs": [
        (diagnosed(A="mode collapse"), "Only these words name a run here"),
        *(
            (diagnosed(**{run: name}), f"Run {run}, {name}? ")
            for run in "ABCDE"
            for name in lm.RUNS
            if name != diagnosed()(run)
        ),
    ],
    "name_eight_bugs": [
        (told_apart(A="forgot T"), "Only these words name a bug here"),
        *(
            (told_apart(**{run: name}), f"Run {run}, {name}? ")
            for run in "ABCDEFGH"
            for name in gallery.NAMES
            if name != told_apart()(run)
        ),
    ],
    "mended_term": [
        (lambda *case: -1 - mended()(*case), "A divergence is not negative"),
        (lambda student, teacher, pictures, temperature: student(pictures), "one number is due, the mean over the"),
        (lambda *case: None if case else 0, "returned None. Is there a `return`"),
        (lambda *case: 2 * mended()(*case), "has no name for"),
    ],
    "effective_classes": [
        (lambda z: z.softmax(1).mean(0), "one number is expected"),
        (lambda z: 20.0, "at least one effective class, and there are at most C"),
        (lambda z: 1.5, "has no name for. check.effective_classes.hint() gives a hint"),
    ],
    "choose_blend": [
        (lambda w, T, a, margin: (0.3, 4.0), "one soft weight and one temperature of the table"),
        (lambda w, T, a, margin: w[-1], "one soft weight and one temperature of the table"),
        (lambda w, T, a, margin: (w[a.mean((1, 2)).argmin()], T[0]), "is shown to be worse than the best one"),
        (lambda w, T, a, margin: (w[1], T[0]), "A larger soft weight has a cell"),
    ],
    "months_to_pay_back": [
        (lambda one, *case: -1 - paid_back(one, *case), "A number of months is positive"),
        (lambda one, *case: one / max(-np.subtract(*bills(*case)[::-1]), 0.01), "it never pays back, infinity"),
        (lambda one, *case: min(0.01, paid_back(one, *case)), "In so few months"),
        (lambda one, *case: math.inf, "There is inf in the result"),
    ],
    "choose_student": [
        (lambda *case: 0.5, "Return one whole number"),
        (lambda *case: -1, "You keep the teacher"),
        (lambda *case: int(case[0].argmin()), "is not shown to reach the floor"),
        (lambda *case: int(np.argmax(np.where(case[1] >= case[4], case[3], 0))), "This student is too slow"),
        (first_of_many, "better in something and worse in nothing"),
    ],
    "paired_interval": [
        (lambda t, s: (0.5, 0.4, 0.6), "The first number is not the gap"),
        (lambda t, s: (interval_by_counts(t, s)[0], 0.9, 1.0), "does not lie between the two ends"),
        (lambda t, s: (interval_by_counts(t, s)[0], -1.0, 0.9), "as far from low as from high"),
        (lambda t, s: [interval_by_counts(t, s)[0] + end for end in (0, -0.3, 0.3)], "the width is not"),
        (lambda t, s: interval_by_loops(t, s)[0], "a tuple of 3 numbers is expected, and one number came back"),
        (lambda t, s: interval_by_counts(t, s)[1:], "returned 2 things (a tuple). Return a tuple of 3 numbers."),
    ],
    "sequence_loss": [
        (lambda values, targets: 3 * mean_by_counting(values, targets) + 1, "never larger than the largest value"),
        (lambda values: values.mean(), "should take (values, targets), in this order"),
    ],
    "direction_of": [
        (lambda loss: by_exchange(loss).upper(), 'one of two words: "forward" or "reverse"'),
        (lambda loss: loss(torch.zeros(3), torch.ones(3), None), "stopped with IndexError"),
        (lambda loss: loss(torch.zeros(1, 2), torch.ones(1, 2), None) > 0, "cannot be read as a list of 2 words"),
    ],
    "on_policy_step": [
        (lambda *case: -1 - step_with_token_losses(*case), "A divergence is not negative"),
        (lambda s, t, letters, seed: lm.token_losses(s, letters, letters, losses.blended(), t)[0],
         "one number is due, the mean over all tokens"),
        (lambda *case: None if case else 0, "returned None. Is there a `return`"),
        (lambda *case: 2 * step_with_token_losses(*case), "has no name for"),
    ],
    "release": [
        (lambda *case: "ship", 'one of two words for each slice: "go" or "no-go"'),
        (lambda *case: 1, "cannot be read as a list of 4 words"),
        (lambda low, high, harm: "go" if low > 0.12 or high < 0.04 / harm**2 else "no-go", "lose more than ten"),
        (decided([0.2, 0.02, 0.01]), "not shown to be good"),
        (decided([0.05, -1, 0.05]), "of harm 3 goes that is shown to lose"),
        (decided([0.01, -1, 0.01]), "of harm 1 stays behind"),
        (decided([0.05, 0.02, -1]), "lose next to nothing"),
    ],
}
# fmt: on


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.filterwarnings("ignore:reduction")
def test_mistake_is_recognised_in_the_words_people_write_it_in(name):
    for k, (answer, bug) in enumerate(MISTAKES[name]):
        result = getattr(check, name)(answer)
        assert (result.status, result.bug) == ("not yet", bug), (k, result.message)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_what_is_wrong_is_said_without_a_known_bug_too(name):
    exercise = getattr(check, name)
    for k, (answer, message) in enumerate(NEAR_MISSES[name]):
        result = exercise(answer)
        assert (result.status, result.bug) == ("not yet", None), (k, result.message)
        assert message in on_one_line(result.message), k
    untold = [rule for rule in exercise.rules if not any(told in rule.message for _, told in NEAR_MISSES[name])]
    assert untold == []


# ---- the random inputs, on which right answers may differ by rounding only ----


@given(seed=st.integers(0, 2**32 - 1))
def test_random_inputs_keep_off_the_edges_where_right_answers_part(seed):
    def case_of(exercise):
        return exercise.inputs(torch.Generator().manual_seed(seed))

    _, low, _, p99_ms, floor, max_ms = case_of(check.choose_student)
    assert (low - floor).abs().min() > 1e-5  # ≤ and < are both right
    assert (p99_ms - max_ms).abs().min() > 1e-5
    _, *case = case_of(check.months_to_pay_back)
    teacher, student = bills(*case)
    assert abs(teacher - student) > 0.01 * teacher  # rounding does not decide whether it pays
    low, high, harm = case_of(check.release)
    for least, most, those in [(0.03, 0.1, harm == 1), (0.002, 0.01, harm == 3)]:  # limits that are asked for
        assert not ((high[those] > least - 1e-3) & (high[those] < most + 1e-3)).any()
