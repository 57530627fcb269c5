"""Losses over sequences and errors of pronunciations, against loops, finite sums and another dynamic programme."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdcourse.lm import Errors, edit_distance, gradient_noise, pronunciation_errors, sampled_reverse_loss, token_losses
from kdcourse.losses import blended, jsd_loss, kd_loss

B, C, L = 3, 5, 4


def draw(*shape, seed=0, scale=2.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def probabilities(logits, temperature):
    weights = [math.exp(value / temperature) for value in logits]
    return [weight / math.fsum(weights) for weight in weights]


def forward(p, q, beta):
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def reverse(p, q, beta):
    return forward(q, p, beta)


def jensen_shannon(p, q, beta):
    m = [beta * a + (1 - beta) * b for a, b in zip(p, q, strict=True)]
    return (beta * forward(p, m, beta) + (1 - beta) * forward(q, m, beta)) / (beta * (1 - beta))


LOSSES = {
    "forward": (blended, forward, None),
    "reverse": (partial(blended, direction="reverse"), reverse, None),
    **{
        f"jsd {beta}": (partial(partial, jsd_loss, beta=beta), jensen_shannon, beta)
        for beta in (1e-6, 0.1, 0.5, 0.9, 1 - 1e-6)
    },
}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_sequences_agree_with_a_naive_double_loop(name, temperature):
    make, reference, beta = LOSSES[name]
    student, teacher = draw(B, C, L), draw(B, C, L, seed=1)
    expected = torch.empty(B, L, dtype=torch.float64)
    for row in range(B):
        for place in range(L):
            p, q = (probabilities(one[row, :, place].tolist(), temperature) for one in (teacher, student))
            expected[row, place] = temperature**2 * reference(p, q, beta)
    found = make(temperature=temperature)(student, teacher, None)
    torch.testing.assert_close(found, expected, rtol=1e-4 if beta in (1e-6, 1 - 1e-6) else 1e-8, atol=1e-9)


@pytest.mark.parametrize(("end", "direction"), [(0.0, "forward"), (1.0, "reverse")])
def test_the_ends_of_the_jensen_shannon_divergence_are_continuous(end, direction):
    student, teacher = draw(B, C, L).float(), draw(B, C, L, seed=1).float()
    at_end = jsd_loss(student, teacher, beta=end)
    torch.testing.assert_close(at_end, kd_loss(student, teacher, direction=direction, reduction="none"))
    steps = (1e-2, 1e-4, 1e-6, 1e-8)
    near = [jsd_loss(student, teacher, beta=abs(end - step)) for step in steps]
    gaps = [((one - at_end).abs() / at_end).max().item() for one in near]
    assert near[0].dtype == torch.float32
    assert all(gap > 4 * closer for gap, closer in itertools.pairwise(gaps[:3]))
    assert gaps[-1] < 1e-4


def test_the_jensen_shannon_divergence_is_symmetric_in_the_middle_bounded_and_zero_for_the_same():
    student, teacher = draw(B, C, L, scale=30), draw(B, C, L, seed=1, scale=30)
    torch.testing.assert_close(jsd_loss(student, teacher), jsd_loss(teacher, student))
    assert jsd_loss(student, teacher).max() <= 4 * math.log(2) + 1e-9
    torch.testing.assert_close(jsd_loss(student, student), torch.zeros(B, L, dtype=torch.float64))
    teacher[:, 0] = -torch.inf
    assert jsd_loss(student, teacher, beta=0.3).isfinite().all()


@pytest.mark.parametrize("beta", [0.0, 0.2, 0.8])
def test_the_jensen_shannon_divergence_has_the_gradient_of_its_values(beta):
    student, teacher = draw(2, C, seed=2).requires_grad_(), draw(2, C, seed=3)
    assert torch.autograd.gradcheck(lambda logits: jsd_loss(logits, teacher, beta=beta), student)


# ---- from sampled tokens ----


def exact_gradient(student, teacher):
    """The gradient of KL(q ‖ p) in the logits of q, q · (log q − log p − KL), by hand."""
    q = student.softmax(1)
    gap = student.log_softmax(1) - teacher.log_softmax(1)
    return q * (gap - (q * gap).sum(1, keepdim=True))


def test_over_all_tokens_the_sampled_loss_has_the_divergence_and_its_gradient_as_means():
    student, teacher = draw(B, C, L), draw(B, C, L, seed=1)
    value, gradient = 0.0, 0.0
    for token in range(C):
        logits = student.clone().requires_grad_()
        loss = sampled_reverse_loss(logits, teacher, torch.full((B, L), token))
        share = student.softmax(1)[:, token]
        value = value + share * loss.detach()
        gradient = gradient + torch.autograd.grad((share * loss).sum(), logits)[0]
    torch.testing.assert_close(value, kd_loss(student, teacher, direction="reverse", reduction="none"))
    torch.testing.assert_close(gradient, exact_gradient(student, teacher))


def test_the_sampled_gradient_is_unbiased_to_its_standard_error_and_its_variance_is_what_the_sum_says():
    student, teacher, draws = draw(B, C, L, scale=1), draw(B, C, L, seed=1, scale=1), 20_000
    mean, variance = gradient_noise(sampled_reverse_loss, student, teacher, draws=draws)
    q, exact = student.softmax(1), exact_gradient(student, teacher)
    gap = student.log_softmax(1) - teacher.log_softmax(1)
    # Of token y the gradient is gap_y · (e_y − q), of squared length gap_y² · (1 − 2 q_y + Σ q²).
    length = gap**2 * (1 - 2 * q + (q * q).sum(1, keepdim=True))
    expected = (q * length).sum(1) - (exact**2).sum(1)
    torch.testing.assert_close(variance, expected, rtol=0.1, atol=1e-3)
    errors = (mean - exact).square().sum(1) / (expected / draws)  # about 1 each
    assert 0.3 < errors.mean() < 3
    # What looks like the same loss, its value differentiated, has no gradient at all on average.
    naive, _ = gradient_noise(
        lambda s, t, y: (s.log_softmax(1) - t.log_softmax(1)).gather(1, y.unsqueeze(1)).squeeze(1),
        student,
        teacher,
        draws=draws,
    )
    assert naive.abs().max() < 0.05 < exact.abs().max()


def test_an_exact_loss_has_no_noise():
    student, teacher = draw(B, C, L), draw(B, C, L, seed=1)
    mean, variance = gradient_noise(blended(direction="reverse"), student, teacher, draws=3)
    torch.testing.assert_close(mean, exact_gradient(student, teacher))
    assert variance.shape == (B, L)
    assert variance.max() < 1e-20


# ---- padding ----


class Table(torch.nn.Module):
    """A model whose logits depend on the last token and on the length of the prefix."""

    def __init__(self, seed):
        super().__init__()
        self.logits = torch.nn.Parameter(draw(C, C, seed=seed))

    def forward(self, prefixes, before):
        return (self.logits[before] + (prefixes != 0).sum(1)[:, None, None] * self.logits[0]).transpose(1, 2)


def test_values_of_tokens_are_those_of_each_row_alone_and_padding_has_none():
    student, teacher = Table(0), Table(1)
    letters = torch.tensor([[3, 4, 0], [3, 3, 3]])
    targets = torch.tensor([[3, 2, 0, 0], [4, 3, 3, 2]])
    values, mask = token_losses(student, letters, targets, blended(), teacher)
    assert mask.tolist() == [[True, True, False, False], [True] * 4]
    for row, length in ((0, 2), (1, 4)):
        before = [1, *targets[row, : length - 1].tolist()]
        for place, token in enumerate(before):
            n = int((letters[row] != 0).sum())
            logits = [(one.logits[token] + n * one.logits[0]).tolist() for one in (teacher, student)]
            expected = forward(*(probabilities(one, 1) for one in logits), None)
            assert values[row, place].item() == pytest.approx(expected)
    assert not values[~mask].any()
    values.sum().backward()
    assert student.logits.grad.abs().sum() > 0
    assert teacher.logits.grad is None


# ---- errors ----


def alignments(one, other):
    """The edit distance as the cheapest of all alignments: kept pairs are an increasing matching."""
    n, m = len(one), len(other)
    best = max(n, m) if n and m else n + m
    for size in range(min(n, m) + 1):
        for left in itertools.combinations(range(n), size):
            for right in itertools.combinations(range(m), size):
                wrong = sum(one[i] != other[j] for i, j in zip(left, right, strict=True))
                best = min(best, wrong + n - size + m - size)
    return best


SAID = st.lists(st.sampled_from(["AA", "B", "K"]), max_size=5)


@given(SAID, SAID)
def test_the_edit_distance_is_the_cheapest_of_all_alignments(one, other):
    assert edit_distance(one, other) == alignments(one, other) == edit_distance(other, one)


@given(st.lists(st.tuples(SAID, st.lists(SAID.filter(len), min_size=1, max_size=3)), min_size=1, max_size=4))
def test_each_word_is_measured_against_its_nearest_pronunciation(words):
    written, listed = zip(*words, strict=True)
    errors = pronunciation_errors(written, listed)
    wrong = [min(alignments(one, said) for said in known) for one, known in words]
    lengths = [
        next(len(said) for said in known if alignments(one, said) == distance)
        for (one, known), distance in zip(words, wrong, strict=True)
    ]
    assert errors.distances.tolist() == wrong
    assert errors.lengths.tolist() == lengths
    assert errors.phoneme_rate == pytest.approx(sum(wrong) / sum(lengths))
    assert errors.word_rate == pytest.approx(sum(distance > 0 for distance in wrong) / len(words))


def test_errors_can_be_taken_apart():
    errors = Errors(np.array([0, 2, 1]), np.array([4, 4, 2]))
    assert (errors[1:].phoneme_rate, errors[np.array([True, False, True])].word_rate) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([[["AA"]]], "listed must have one entry per word, got 1 for 2"),
        ([[["AA"]], []], "of every word, got none at index 1"),
    ],
)
def test_words_without_a_pronunciation_are_refused(listed, message):
    with pytest.raises(ValueError, match=message):
        pronunciation_errors([["AA"], ["B"]], listed)
