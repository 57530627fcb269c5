"""Answers that share no code with the checks: right ones, mistakes in the words people write them in, and near misses.

An exercise needs no rows here: `test_check.py` tests it by what its own module says of it.
"""

import math
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.weightstats import DescrStatsW

from kdcourse import check, losses, ship
from kdcourse.stats import calibration


def on_one_line(text):
    return " ".join(text.split())


# ---- right answers, each written in its own way ----


def soften_by_hand(logits, temperature):
    rows = []
    for row in logits.tolist():
        powers = [math.exp((value - max(row)) / temperature) for value in row]
        rows.append([power / sum(powers) for power in powers])
    return torch.tensor(rows)


def bits_by_hand(probabilities):
    return torch.tensor([sum(-p * math.log2(p) for p in row if p > 0) for row in probabilities.tolist()])


def kl_div(s, t, T, reduction="batchmean"):
    return F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction=reduction)


def kd(s, t, T):
    return T**2 * kl_div(s, t.detach(), T)


def kd_in_numpy(student_logits, teacher_logits, temperature):
    log_q, log_p = (special.log_softmax(z.double().numpy() / temperature, 1) for z in (student_logits, teacher_logits))
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()


def blend_one_hot(s, t, y, T, alpha=0.5):
    hard = -(F.one_hot(y, s.shape[1]) * s.log_softmax(1)).sum(1)
    log_p, log_q = (t / T).log_softmax(1), (s / T).log_softmax(1)
    return (alpha * T**2 * (log_p.exp() * (log_p - log_q)).sum(1) + (1 - alpha) * hard).mean()


def limit_by_loops(student_logits, teacher_logits):
    rows = []
    for z, v in zip(student_logits.tolist(), teacher_logits.tolist(), strict=True):
        of_z, of_v = statistics.fmean(z), statistics.fmean(v)
        rows.append([((a - of_z) - (b - of_v)) / len(z) for a, b in zip(z, v, strict=True)])
    return torch.tensor(rows)


def cross_entropy(logits, labels, T):
    return F.cross_entropy(logits / T, labels)


def scaled_by(loss, low=0.05):
    def answer(logits, labels):
        grid = np.geomspace(low, 20, 300).tolist()
        return grid[int(np.argmin([float(loss(logits, labels, T)) for T in grid]))]

    return answer


def scaling_by_scipy(logits, labels):
    z, y = logits.double().numpy(), labels.numpy()

    def loss(T):
        return -special.log_softmax(z / T, axis=1)[np.arange(len(y)), y].mean()

    return optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x


def gradient_of(loss):
    def answer(z, *rest):
        z = z.clone().requires_grad_()
        return torch.autograd.grad(loss(z, *rest), z)[0]

    return answer


def blend_reduced(soft="sum", hard="sum"):
    """A blend by F.kl_div and F.cross_entropy, reduced in these ways."""
    return lambda z, v, y, T, w: w * T**2 * kl_div(z, v, T, soft) + (1 - w) * F.cross_entropy(z, y, reduction=hard)


def gradient_by_differences(z, v, y, T, w):
    def loss(z):
        log_q, log_p = special.log_softmax(z / T, axis=1), special.log_softmax(v.double().numpy() / T, axis=1)
        soft = T**2 * (np.exp(log_p) * (log_p - log_q)).sum()
        return w * soft - (1 - w) * special.log_softmax(z, axis=1)[np.arange(len(y)), y.numpy()].sum()

    z = z.double().numpy()
    steps = 1e-5 * np.eye(z.size).reshape(-1, *z.shape)
    return np.reshape([(loss(z + step) - loss(z - step)) / 2e-5 for step in steps], z.shape)


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


def needed_by_counting(disagree, gap, max_gap):
    if gap == max_gap:
        return math.inf
    s, n = math.sqrt(disagree - gap * gap), 1
    while abs(gap - max_gap) < 2.8 * s / math.sqrt(n):
        n += 1
    return n


def read_by_loop(n, gap, low, high, max_gap, min_samples):
    verdicts = []
    for k in range(len(n)):
        if n[k] < min_samples:
            verdicts.append("too few")
        elif low[k] > max_gap[k]:
            verdicts.append("flag")
        elif high[k] < max_gap[k]:
            verdicts.append("pass")
        else:
            verdicts.append("watch")
    return verdicts


# fmt: off
RIGHT = {
    "retained_accuracy": [lambda *both: both[0] * both[1] ** -1, lambda s, t: torch.tensor(s) / t],
    "soften": [soften_by_hand, losses.soften, lambda z, t: special.softmax(z.numpy() / t, axis=1),
               lambda z, t: torch.nn.Softmax(dim=1)(z.double() / t)],
    "entropy_bits": [bits_by_hand, lambda p: torch.distributions.Categorical(probs=p).entropy() / math.log(2),
                     lambda p: -(p * p.clamp_min(1e-30).log2()).sum(1)],
    "hard_targets": [lambda z: [row.index(max(row)) for row in z.tolist()], lambda z: np.argmax(z.numpy(), axis=1),
                     lambda z: z.softmax(1).topk(1).indices[:, 0]],
    "kd_loss": [kd, kd_in_numpy, losses.kd_loss],
    "blended_loss": [blend_one_hot, lambda *case: losses.blended_loss(*case).total,
                     lambda s, t, y, T, w: w * kd(s, t, T) + (1 - w) * F.cross_entropy(s, y)],
    "limit_gradient": [limit_by_loops, lambda z, v: (z - v) @ (torch.eye(z.shape[1]) - 1 / z.shape[1]) / z.shape[1],
                       lambda z, v: gradient_of(lambda z: losses.kd_loss(z, v.double(), 1e5, reduction="none").sum())(
                           z.double())],
    "choose_temperature": [lambda T, v, t: float(T[max(range(len(v)), key=lambda k: sum(v[k].tolist()))]),
                           lambda T, v, t: T[v.sum(1).argsort(descending=True, stable=True)][0].item()],
    "fit_temperature": [scaled_by(cross_entropy), scaling_by_scipy, calibration.fit_temperature],
    "blend_gradient": [gradient_of(blend_reduced()), gradient_by_differences,
                       gradient_of(lambda *case: losses.blended_loss(*case, reduction="none").total.sum())],
    "months_to_pay_back": [paid_back, paid_back_by_the_package,
                           lambda one, *case: np.float64(paid_back(one, *case))],
    "choose_student": [chosen_by_loop(lambda accuracy, low, median, p99: -median),
                       chosen_by_loop(lambda accuracy, low, median, p99: accuracy),
                       chosen_by_loop(lambda accuracy, low, median, p99: low - 0.01 * median),
                       chosen_by_loop(lambda accuracy, low, median, p99: -p99)],
    "paired_interval": [interval_by_counts, interval_by_loops,
                        lambda t, s: (described(t, s).mean, *described(t, s).zconfint_mean())],
    "examples_needed": [needed_by_counting, lambda *case: np.float64(needed_by_counting(*case))],
    "read_audit": [read_by_loop, lambda *case: tuple(read_by_loop(*case))],
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


def needed(formula):
    return lambda d, g, m: math.ceil(formula(d, g, m)) if g != m else math.inf


def verdicts(rule):
    """A verdict for each slice by `rule(n, gap, low, high, max_gap)`, all numbers."""
    return lambda *case: [rule(*(float(value) for value in row)) for row in zip(*case[:5], strict=True)]


def swapped_and_underflowing(s, t, T):
    p, q = (t / T).softmax(1), (s / T).softmax(1)
    return T**2 * (q * (q.log() - p.log())).sum(1).mean()


# fmt: off
MISTAKES = {
    "kd_loss": [
        (lambda s, t, T: kl_div(s, t, T, "mean") * T**2, "divided by the classes"),
        (lambda s, t, T: kl_div(s, t, T, "mean"), "no T², and divided by the classes"),
        (lambda s, t, T: losses.kd_loss(s, t, T, reduction="none"), "not reduced"),
        (lambda s, t, T: losses.kd_loss(s, t, T, direction="reverse"), "arguments swapped"),
        (swapped_and_underflowing, "arguments swapped"),  # named before the NaN that comes with it
        (lambda s, t, T: F.kl_div((s / T).log_softmax(1), (t / T).log_softmax(1), reduction="batchmean") * T**2,
         "teacher in logarithms"),
        (lambda s, t, T: F.kl_div(s, t, reduction="batchmean"), "raw logits in place of probabilities"),
        (lambda s, t, T: T**2 * F.cross_entropy(s / T, (t / T).softmax(1)), "cross-entropy"),
    ],
    "blended_loss": [
        (lambda *a: losses.blended_loss(*a[:4], 1 - a[4]).total, "weights exchanged"),
        (lambda *a: losses.blended_loss(*a, reduction="none").total, "not reduced"),
        (lambda s, t, y, T, w: w * kl_div(s, t, T) + (1 - w) * F.cross_entropy(s, y), "soft term: no T²"),
        (lambda s, t, y, T, w: w * kd(s, t, T) + (1 - w) * F.cross_entropy(s.softmax(1), y),
         "cross-entropy of probabilities"),
    ],
    "limit_gradient": [
        (lambda z, v: 1000 * ((z / 1000).softmax(1) - (v / 1000).softmax(1)), "a large temperature, not the limit"),
        (lambda z, v: gradient_of(lambda z: losses.kd_loss(z, v.double(), 1e5))(z.double()),
         "divided by the examples too"),
    ],
    "choose_temperature": [
        (lambda T, v, t: T[np.asarray(v).max(axis=1).argmax()], "the best single run"),
        (lambda T, v, t: T[torch.cat([v, t], 1).mean(1).argmax()], "chosen on both"),
        (lambda T, v, t: T[np.median(v.numpy(), axis=1).argmax()], "the median run"),
        (lambda T, v, t: sorted(zip(v.mean(1).tolist(), T.tolist(), strict=True))[-1][1], "the last of equal ones"),
    ],
    "fit_temperature": [
        (scaled_by(lambda z, y, T: F.cross_entropy(z * T, y)), "upside down"),
        (scaled_by(lambda z, y, T: -((z / T).argmax(1) == y).double().mean()), "lower end of the range"),
        (scaled_by(lambda z, y, T: cross_entropy(z, (y + 1) % z.shape[1], T)), "upper end of the range"),
        (scaled_by(lambda z, y, T: cross_entropy(z.softmax(1), y, T), low=0.01), "softmax before the temperature"),
        (scaled_by(lambda z, y, T: F.nll_loss((z / T).log_softmax(0), y)), "wrong axis"),
    ],
    "blend_gradient": [
        (gradient_of(blend_reduced("batchmean", "mean")), "divided by the examples"),
        (gradient_of(blend_reduced("sum", "mean")), "one part divided by the examples"),
        (gradient_of(blend_reduced("mean", "mean")), "soft part divided by the classes"),
        (gradient_of(lambda *a: losses.blended_loss(*a, direction="reverse", reduction="none").total.sum()),
         "arguments swapped"),
        (gradient_of(lambda z, v, y, T, w: losses.kd_loss(z, v, T, reduction="none").sum()), "soft part only"),
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
    "examples_needed": [
        (needed(lambda d, g, m: (1.96 / (g - m)) ** 2 * (d - g * g)), "no power"),
        (lambda d, g, m: int(7.84 * (d - g * g) / (g - m) ** 2), "rounded down"),  # and divides by 0 elsewhere
        (lambda d, g, m: math.ceil(7.84 * (d - g * g) / g**2) if g else math.inf, "compared with 0"),
        (needed(lambda d, g, m: ((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / (g - m)) ** 2 * (d - g * g)),
         "more digits"),
    ],
    "read_audit": [
        (verdicts(lambda n, g, lo, hi, m: "too few" if n < 100 else "flag" if g > m else "pass"), "by the gap alone"),
        (verdicts(lambda n, g, lo, hi, m:
                  "flag" if lo > m else "pass" if hi < m else "too few" if n < 100 else "watch"), "too few last"),
        (verdicts(lambda n, g, lo, hi, m: "too few" if n < 100 else "flag" if lo > m else "pass"
                  if max(abs(lo), abs(hi)) < m else "watch"), "a better student does not pass"),
        (lambda n, g, lo, hi, m, k: read_by_loop(n, g, lo, hi, m[:1].expand(len(n)), k), "one max_gap for all"),
        (lambda n, g, lo, hi, m, k: ["flag" if (n * g).sum() / n.sum() > m.mean() else "pass"] * len(n),
         "the average decides"),
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
    "entropy_bits": [
        (lambda p: bits_by_hand(p) - 2, "Entropy is never negative"),
        (lambda p: bits_by_hand(p) + 2, "at most log2(C) bits"),
    ],
    "hard_targets": [(lambda z: -1 - z.argmax(1), "A class index lies from 0 to C − 1")],
    "retained_accuracy": [
        (lambda s, t: -s / t, "never negative"),
        (lambda s, t: 1 + s / t, "the share is below 1"),
        (lambda s, t: s / t + 0.0003, "expected 0.8947 got 0.895"),  # shown, though small
    ],
    "kd_loss": [
        (F.mse_loss, "stopped with"),  # its third parameter is no temperature
        (lambda s, t, T: kd(s, t, T).reshape(1), "one number is expected, and a tensor of shape [1] came"),
        (lambda s, t, T: kd(s, t, T) - 1, "A divergence is never negative"),
        (lambda s, t, T: kd(s, t, T) + 1, "Student and teacher agree here"),
    ],
    "blended_loss": [
        (losses.blended_loss, "returned 3 things (a LossTerms). Return only one number."),
        (lambda s, t, y, T, w: kd(s, t, T) - 1, "Neither of the two terms is ever negative"),
        (lambda s, t, y, T, w: 5 + kd(s, t, T), "A weighted mean lies between its two terms"),
    ],
    "limit_gradient": [
        (lambda z, v: z - z.mean(1, keepdim=True), "differ by a constant here"),
        (lambda z, v: (z - v - (z - v)[:, :1]) ** 2, "Each row should sum to 0: adding"),
    ],
    "choose_temperature": [
        (lambda T, v, t: T.mean(), "should be one of the temperatures that were tried"),
    ],
    "fit_temperature": [
        (lambda z, y: -scaling_by_scipy(z, y), "A temperature is positive"),
        (lambda z, y: scaling_by_scipy(z, y) / 9, "That is far too small"),
        (lambda z, y: scaling_by_scipy(z, y) * 9, "That is far too large"),
        (lambda z, y: 1.03 * scaling_by_scipy(z, y), "near, but not within 2 %"),
    ],
    "blend_gradient": [
        (lambda z, v, y, T, w: T * z.softmax(1), "both parts are differences of two"),
        (lambda z, v, y, T, w: 9 * (z.softmax(1) - v.softmax(1)), "No entry can be larger than"),
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
        (lambda *case: int(np.argmax(np.where((case[1] >= case[4]) & (case[3] <= case[5]), 9 - case[1], 0)))
         if ((case[1] >= case[4]) & (case[3] <= case[5])).any() else -1, "better in something and worse in nothing"),
    ],
    "paired_interval": [
        (lambda t, s: (0.5, 0.4, 0.6), "The first number is not the gap"),
        (lambda t, s: (interval_by_counts(t, s)[0], 0.9, 1.0), "does not lie between the two ends"),
        (lambda t, s: (interval_by_counts(t, s)[0], -1.0, 0.9), "as far from low as from high"),
        (lambda t, s: [interval_by_counts(t, s)[0] + end for end in (0, -0.3, 0.3)], "the width is not"),
        (lambda t, s: interval_by_loops(t, s)[0], "a tuple of 3 numbers is expected, and one number came back"),
        (lambda t, s: interval_by_counts(t, s)[1:], "returned 2 things (a tuple). Return a tuple of 3 numbers."),
    ],
    "examples_needed": [
        (lambda *case: 7 - needed_by_counting(*case), "A number of examples is positive"),
        (lambda *case: needed_by_counting(*case) + 0.5, "no part of an example: round up"),
        (lambda *case: 5000 if case[1] == case[2] else needed_by_counting(*case), "is expected to be max_gap here"),
        (lambda *case: needed_by_counting(*case) // 3, "less than half of the time"),
    ],
    "read_audit": [
        (lambda *case: ["fail"] * len(case[0]), "Only these words are verdicts"),
        (lambda *case: [word.upper() for word in read_by_loop(*case)],
         "expected ['flag', 'pass', 'watch'] got ['FLAG', 'PASS', 'WATCH']"),
        (lambda *case: ["too few"] * len(case[0]), "“too few” is due where n < min_samples"),
        (lambda *case: ["too few" if n < 100 else "flag" for n in case[0]], "A slice is flagged whose gap is not"),
        (lambda *case: [word.replace("flag", "pass") for word in read_by_loop(*case)], "A slice passes whose gap is"),
        (lambda *case: [word.replace("flag", "watch") for word in read_by_loop(*case)], "A slice is watched although"),
        (lambda *case: read_by_loop(*case)[0], "a list of 3 words is expected, and one word came"),
        (lambda *case: read_by_loop(*case)[:2], "a list of 3 words is expected, and a list of 2"),
        (lambda *case: case[0] < 100, "returned a Tensor that cannot be read as a list of 3 words"),
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
    one, *case = case_of(check.months_to_pay_back)
    teacher, student = bills(*case)
    assert abs(teacher - student) > 0.01 * teacher  # rounding does not decide whether it pays
    _, _, low, high, max_gap, _ = case_of(check.read_audit)
    assert all((end - max_gap).abs().min() > 1e-3 for end in (low, high))
    assert 0.3 < check.fit_temperature.reference(*case_of(check.fit_temperature)) < 6  # grids reach so far
