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
from scipy import optimize, special
from statsmodels.stats.weightstats import DescrStatsW

from kdcourse import check, losses, models, ship
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


def width_by_trying_all(ratio, teacher_parameters, inputs, classes):
    sizes = np.array([(inputs + 1) * w + (w + 1) * classes for w in range(1, 20_000)])
    return np.abs(sizes - teacher_parameters / ratio).argmin() + 1


def unguarded(one_time_cost, teacher_cost, student_cost):
    return 1000 * one_time_cost / (teacher_cost - student_cost)


def paid_back(one, t, s):
    return math.inf if s >= t else math.ceil(unguarded(one, t, s))


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
    "student_width": [width_by_trying_all, models.width_for_ratio],
    "break_even": [paid_back, ship.break_even, lambda one, t, s: 1000 * one / torch.tensor(t - s).clamp_min(0)],
    "smallest_student": [lambda r, lo, hi, gap: max((a for a, b in zip(r, hi, strict=True) if b <= gap), default=1),
                         lambda r, lo, hi, gap: np.where(hi.numpy() < gap, r.numpy(), 1.0).max()],
    "paired_interval": [interval_by_counts, interval_by_loops,
                        lambda t, s: (described(t, s).mean, *described(t, s).zconfint_mean())],
    "release": [decided([0.03, 0.02, 0.004]), decided([0.1, 0.1, 0.01]), decided([0.05, 0.01, 0.005], str.__str__),
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
    "student_width": [
        (lambda r, p, i, c: max(1, round((p / r - c) / (i + 1 + c))), "the larger of two"),
        (lambda r, p, i, c: max(1, round(p / r / (i + c))), "biases forgotten"),
        (lambda r, p, i, c: models.width_for_ratio(1 / r, p, i, c), "multiplied by the ratio"),
    ],
    "break_even": [
        (unguarded, "negative"),
        (lambda one, t, s: one / (t - s) if t > s else math.inf, "in thousands"),
        (lambda one, t, s: max(0, 1000 * one / (t - s)) if t != s else 0, "0 for never"),
    ],
    "smallest_student": [
        (lambda r, lo, hi, g: r[hi <= g].min() if (hi <= g).any() else 1.0, "largest student that passes"),
        (lambda r, lo, hi, g: (r * (hi <= g)).max(), "no teacher to fall back on"),
        (lambda r, lo, hi, g: r[torch.where(hi <= g)[0][-1]] if (hi <= g).any() else r[0],
         "a student that does not pass"),
    ],
    "paired_interval": [
        (written(difference, lambda t, s: 1.96 * (t.var() / len(t) + s.var() / len(s)).sqrt()), "unpaired"),
        (written(difference, lambda t, s: 1.96 * np.std((t - s).numpy()) / len(t) ** 0.5), "divided by N in s"),
        (written(lambda t, s: (t != s).float().mean(), lambda t, s: 1.96 * (t != s).float().std() / len(t) ** 0.5),
         "differences without their sign"),
        (lambda t, s: [described(t, s).mean, *described(t, s).tconfint_mean()], "Student's t"),
        (written(difference, lambda t, s: 1.96 * ((t - s) ** 2).sum().sqrt() / len(t)), "mean not removed"),
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
    "student_width": [
        (lambda *case: width_by_trying_all(*case) - 5, "at least one hidden unit"),
        (lambda *case: width_by_trying_all(*case) + 2, "One unit more or less comes nearer"),
    ],
    "break_even": [
        (lambda one, t, s: 7 - one, "A number of requests is positive"),
        (lambda one, t, s: 1000 * one / max(t - s, 0.001), "The student is not cheaper here"),
        (lambda one, t, s: one, "So few requests cost less than the one-time cost"),
        (lambda one, t, s: math.inf if s > t else 1000 * one / (t - s), "ZeroDivisionError"),
        (lambda one, t, s: math.inf, "There is inf in the result"),
    ],
    "smallest_student": [
        (lambda r, lo, hi, g: r.mean(), "one of the ratios, or 1.0 for the teacher"),
        (lambda r, lo, hi, g: r[2], "is not shown to be small enough"),
        (lambda r, lo, hi, g: 1.0, "A smaller student passes as well"),
    ],
    "paired_interval": [
        (lambda t, s: (0.5, 0.4, 0.6), "The first number is not the gap"),
        (lambda t, s: (interval_by_counts(t, s)[0], 0.9, 1.0), "does not lie between the two ends"),
        (lambda t, s: (interval_by_counts(t, s)[0], -1.0, 0.9), "as far from low as from high"),
        (lambda t, s: [interval_by_counts(t, s)[0] + end for end in (0, -0.3, 0.3)], "the width is not"),
        (lambda t, s: interval_by_loops(t, s)[0], "a tuple of 3 numbers is expected, and one number came back"),
        (lambda t, s: interval_by_counts(t, s)[1:], "returned 2 things (a tuple). Return a tuple of 3 numbers."),
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

    one, teacher, student = case_of(check.break_even)
    assert check.break_even.reference(one, teacher, student) > 10_000  # rounding is within the tolerance
    _, low, high, max_gap = case_of(check.smallest_student)
    assert all((end - max_gap).abs().min() > 1e-3 for end in (low, high))  # ≤ and < are both right
    low, high, harm = case_of(check.release)
    for least, most, those in [(0.03, 0.1, harm == 1), (0.0035, 0.01, harm == 3)]:  # limits that are asked for
        assert not ((high[those] > least - 1e-3) & (high[those] < most + 1e-3)).any()
    assert 0.3 < check.fit_temperature.reference(*case_of(check.fit_temperature)) < 6  # grids reach so far


@given(
    ratio=st.sampled_from([1.5, 2, 5, 10, 33.3, 200]),
    teacher=st.integers(1, 3000),
    inputs=st.integers(1, 12),
    classes=st.integers(1, 12),
)
def test_width_is_that_of_a_search_through_all(ratio, teacher, inputs, classes):
    expected = width_by_trying_all(ratio, teacher, inputs, classes)
    assert check.student_width.reference(ratio, teacher, inputs, classes) == expected
