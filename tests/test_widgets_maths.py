"""The formulas of static/maths.js against the functions of the package whose work they do, on the same inputs."""

import itertools
import math

import numpy as np
import pytest
import torch
from browser import needs_chromium
from explorer_page import call
from scipy import optimize, special, stats

from kdcourse import ship
from kdcourse.losses import blended_loss, jsd_loss, soften
from kdcourse.stats import compare, holm
from kdcourse.stats.paired import examples_needed

pytestmark = needs_chromium
LOGITS = [[0.0, 0.0], [3.0, -1.0, 0.5], [1e4, -1e4, 9_999.0], np.linspace(-25, 25, 10).tolist()]


@pytest.fixture(scope="module")
def maths(browser):
    """A function that calls one of maths.js's for each list of arguments."""
    page = browser.new_context(offline=True).new_page()
    return lambda name, inputs: call(page, "maths", name, inputs)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def as_tensor(values):
    return torch.tensor([values], dtype=torch.float64)


def test_soft_labels_and_their_logarithms(maths):
    inputs = [[logits, temperature] for logits in LOGITS for temperature in (0.5, 1, 3.7, 32)]
    expected = [soften(as_tensor(logits), temperature)[0].tolist() for logits, temperature in inputs]
    logarithms = [torch.log_softmax(as_tensor(logits) / temperature, 1)[0].tolist() for logits, temperature in inputs]
    for name, values in [("soften", expected), ("logSoftmax", logarithms)]:
        for found, value in zip(maths(name, inputs), values, strict=True):
            assert found == pytest.approx(value, rel=1e-12, abs=1e-14)


def test_entropy_in_bits(maths, random):
    inputs = [[1.0, 0.0], [0.25] * 4, *random.dirichlet(np.ones(10), 20).tolist()]
    expected = [stats.entropy(one, base=2) for one in inputs]
    assert maths("entropyBits", [[one] for one in inputs]) == pytest.approx(expected, abs=1e-12)


def test_the_blended_loss_and_its_gradients(maths, random):
    settings = itertools.product((0.5, 1.0, 4.0, 32.0), (0.0, 0.3, 1.0), (True, False))
    inputs = [
        [*random.normal(0, 4, (2, 5)).tolist(), int(random.integers(5)), temperature, weight, squared]
        for temperature, weight, squared in settings
    ]
    for found, given in zip(maths("blendedLoss", inputs), inputs, strict=True):
        student_logits, teacher_logits, label, temperature, weight, squared = given
        student = as_tensor(student_logits).requires_grad_()
        terms = blended_loss(student, as_tensor(teacher_logits), torch.tensor([label]), temperature, weight)
        scale = 1 if squared else 1 / temperature**2
        soft, hard = weight * scale * terms.soft, (1 - weight) * terms.hard
        assert found["soft"] == pytest.approx(scale * terms.soft.item(), abs=1e-12)
        assert found["hard"] == pytest.approx(terms.hard.item(), abs=1e-12)
        assert found["total"] == pytest.approx((soft + hard).item(), abs=1e-12)
        for name, part in [("softGradient", soft), ("hardGradient", hard)]:
            (gradient,) = torch.autograd.grad(part, student, retain_graph=True)
            assert found[name] == pytest.approx(gradient[0].tolist(), abs=1e-12)


BETAS = (0, 0.001, 0.02, 0.3, 0.5, 0.9, 0.98, 1)


def generalised_jsd(teacher, student, beta):
    return jsd_loss(*(as_tensor(np.log(one).tolist()) for one in (student, teacher)), beta=beta).item()


def test_the_generalised_jensen_shannon_divergence(maths, random):
    pairs = [random.dirichlet(np.full(size, 0.5), 2).tolist() for size in (2, 4, 9) for _ in range(3)]
    inputs = [[teacher, student, beta] for (teacher, student), beta in itertools.product(pairs, BETAS)]
    expected = [generalised_jsd(*given) for given in inputs]
    assert maths("jsd", inputs) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert maths("jsd", [[[0.5, 0.5, 0], [0.5, 0.25, 0.25], 0]]) == pytest.approx([0.5 * math.log(2)])


JOINTS = [  # two modes, alike and not; three; one; no dependence; once in a million; two where the middle leads astray
    [[0.5, 0.03], [0.02, 0.45]],
    [[0.75, 0.02], [0.03, 0.2]],
    [[0.4, 0.02, 0.01], [0.03, 0.3, 0.02], [0.02, 0.04, 0.16]],
    [[0.9, 0.05], [0.04, 0.01]],
    [[0.12, 0.28], [0.18, 0.42]],
    [[0.6, 1e-6, 0.1], [1e-6, 0.3 - 2e-6, 1e-6 - 1e-7]],
    [[0.008, 0.002, 0.416], [0.017, 0.346, 0.009], [0.19, 0.012, 0.002]],
    [[0.265, 0.029, 0.002], [0.043, 0.23, 0.002], [0.041, 0.002, 0.384]],
]


@pytest.mark.parametrize("joint", JOINTS, ids=range(len(JOINTS)))
def test_the_nearest_product_is_what_scipy_finds_from_many_starts(maths, random, joint):
    joint = np.array(joint) / np.sum(joint)
    rows, columns = joint.shape
    log_joint = torch.tensor(np.log(joint)).view(1, -1)

    def divergence(logits, beta):
        logits = torch.tensor(logits, requires_grad=True)
        first, second = logits[:rows].log_softmax(0), logits[rows:].log_softmax(0)
        value = jsd_loss((first[:, None] + second).view(1, -1), log_joint, beta=beta)
        value.backward()
        return value.item(), logits.grad.numpy()

    starts = random.normal(0, 2, (5, rows + columns))
    betas = (0, 0.02, 0.3, 0.7, 1)
    for found, beta in zip(maths("nearestProduct", [[joint.tolist(), beta] for beta in betas]), betas, strict=True):
        student = np.outer(found["first"], found["second"])
        assert student.sum() == pytest.approx(1)
        assert found["value"] == pytest.approx(generalised_jsd(joint.ravel(), student.ravel(), beta), abs=1e-9)
        best = min(optimize.minimize(divergence, start, beta, jac=True).fun for start in starts)
        assert found["value"] <= best + 1e-7
        if beta == 0:  # forward KL has the product of the marginals
            assert student == pytest.approx(np.outer(joint.sum(1), joint.sum(0)), abs=1e-6)


def test_lengths_and_ranks(maths, random):
    values = [[1, 3, 3, 2], [0.5] * 4, *random.integers(0, 4, (10, 8)).tolist()]
    expected = [np.argsort(-np.array(one), kind="stable").tolist() for one in values]
    assert maths("ranked", [[one] for one in values]) == expected


def test_costs_and_break_even(maths, random):
    times = [[0.0, 1.0], [6.8, 0.0], *random.uniform(0, 100, (50, 2)).tolist()]
    expected = [ship.cost_per_1000(*one) for one in times]
    assert maths("costPer1000", times) == expected
    costs = [[0.0, 0.0, 0.0], [5.0, 0.1, 0.1], [5.0, 0.1, 0.2], [0.0, 0.2, 0.1], [1e12, 1e-300, 0.0]]
    costs += random.uniform(0, 10, (50, 3)).tolist()
    assert maths("breakEven", costs) == [ship.break_even(*one) for one in costs]


def test_holm_adjustment(maths, random):
    families = [[0.01], [1.0, 1.0], [0.02, 0.02, 0.02], [0.0, 1.0, 0.5], [0.04, 0.01, 0.03]]
    families += [np.round(random.random(m) ** 3, random.integers(1, 5)).tolist() for m in range(1, 40)]
    expected = [holm(family).tolist() for family in families]
    assert maths("holm", [[family] for family in families]) == expected


def test_quantiles_of_the_normal_distribution_and_of_students_t(maths):
    shares = [0.4999, 0.2, 0.025, 0.005, 1e-4, 1e-12]
    found = maths("normalAbove", [[share] for share in shares])
    assert found == pytest.approx(-special.ndtri(shares), rel=1e-12, abs=1e-15)
    inputs = [[share, degrees] for share in shares[:4] for degrees in (1, 2, 3, 4, 7, 9, 30, 199)]
    expected = [-special.stdtrit(degrees, share) for share, degrees in inputs]
    assert maths("studentAbove", inputs) == pytest.approx(expected, rel=1e-9)


def test_paired_comparisons(maths, random):
    pairs = [[[0.5, 0.5], [0.5, 0.5]], [[1.0, 1.0, 1.0], [0.5, 0.5, 0.5]], [[0.1, 0.9], [0.9, 0.1]]]
    for n in (2, 3, 4, 5, 8, 10, 31):
        pairs += [random.normal([[shift], [0]], 1, (2, n)).tolist() for shift in (0, 1, -3)]
    differences = [[np.subtract(*pair).tolist()] for pair in pairs]
    for found, (a, b) in zip(maths("compare", differences), pairs, strict=True):
        expected = compare(a, b)
        assert (found["n"], found["verdict"]) == (expected.n, expected.verdict)
        for name in ("mean", "low", "high"):
            assert found[name] == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-12)
    [one] = maths("compare", [[[0.4]]])  # one pair tells nothing
    assert one == {"mean": 0.4, "low": -math.inf, "high": math.inf, "n": 1, "verdict": "inconclusive"}


def test_examples_needed(maths, random):
    inputs = [[0, 0, 100, 0.0], [0, 0, 100, 0.03], [3, 0, 100, 0.03], [5, 2, 100, 0.0], [100, 0, 100, 0.02]]
    for _ in range(300):
        n = int(random.integers(1, 3_000))
        only_a = int(random.integers(0, n // 3 + 1))
        only_b = int(random.integers(0, n // 3 + 1))
        margin = float(random.choice([0.0, 0.01, 0.03, 0.0725, 0.1, -0.02]))
        inputs.append([only_a, only_b, n, margin, float(random.choice([0.9, 0.95, 1 - 0.05 / 11])), 0.8])
    assert maths("examplesNeeded", inputs) == [examples_needed(*one) for one in inputs]


def test_numbers_for_people(maths, random):
    examples = {0: "0", 3e-17: "0", 0.00027777: "0.000278", 0.1: "0.1", 12.345: "12.3", 999.6: "1,000"}
    examples |= {1234567.4: "1,234,567", 1e15: "1,000,000,000,000,000"}
    assert maths("plain", [[number] for number in examples]) == [*examples.values()]
    numbers = (10 ** random.uniform(-8, 12, 300)).tolist()
    for number, text in zip(numbers, maths("plain", [[number] for number in numbers]), strict=True):
        assert "e" not in text
        assert float(text.replace(",", "")) == pytest.approx(number, rel=0.0051, abs=0.5 if number > 999 else 0)
    whole = [0, 0.4, 999, 1000, 1_234_567, 1e8]
    assert maths("thousands", [[number] for number in whole]) == [f"{number:,.0f}" for number in whole]
    signs = {(0.04, 1): "+0.0", (-0.04, 1): "+0.0", (-0.06, 1): "−0.1", (1.25, 2): "+1.25", (-3, 0): "−3"}
    assert maths("signed", [list(given) for given in signs]) == [*signs.values()]
