"""The further losses against naive loops over Python floats, one example and one class at a time."""

import itertools
import math
from functools import partial

import pytest
import torch

from kdcourse.losses import (
    attention_loss,
    blended,
    dist_loss,
    dkd_loss,
    ensemble_logits,
    hint_loss,
    jsd_loss,
    kd_loss,
    logit_mse,
    relation_loss,
)
from kdcourse.models import StudentStack, mlp
from kdcourse.stack import distill_stack
from kdcourse.train import distill

HALVES = [torch.float16, torch.bfloat16]
ON_LOGITS = {
    "logit_mse": logit_mse,
    "dkd_loss": dkd_loss,
    "dkd_loss at T = 1": partial(dkd_loss, alpha=0.5, beta=2.0, temperature=1.0),
    "dist_loss": dist_loss,
    "dist_loss at T = 4": partial(dist_loss, beta=2.0, gamma=0.5, temperature=4.0),
    "jsd_loss": jsd_loss,
}
ON_FEATURES = {
    "hint_loss": hint_loss,
    "attention_loss": attention_loss,
    "relation_loss": relation_loss,
    "relation_loss of distances": partial(relation_loss, angle_weight=0.0),
    "relation_loss of angles": partial(relation_loss, distance_weight=0.0, angle_weight=1.0),
}


def draw(*shape, seed=0, scale=2.0, dtype=torch.float64):
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale).to(dtype)


def draw_labels(shape, classes):
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(3))


def softmax(row, temperature=1.0):
    weights = [math.exp((value - max(row)) / temperature) for value in row]
    return [weight / math.fsum(weights) for weight in weights]


def kl(p, q):
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def pearson(x, y):
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    cross, own, other = 0.0, 0.0, 0.0
    for a, b in zip(x, y, strict=True):
        cross += (a - mean_x) * (b - mean_y)
        own += (a - mean_x) ** 2
        other += (b - mean_y) ** 2
    return cross / math.sqrt(own * other)


def huber(x, y):
    return 0.5 * (x - y) ** 2 if abs(x - y) <= 1 else abs(x - y) - 0.5


def rows(logits):
    return logits.double().movedim(1, -1).reshape(-1, logits.shape[1]).tolist()


# ---- each against its equation ----


@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 6)])
def test_the_squared_difference_of_logits_is_a_mean_over_classes(shape):
    student, teacher = draw(*shape), draw(*shape, seed=1)
    expected = [
        sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / shape[1]
        for s, t in zip(rows(student), rows(teacher), strict=True)
    ]
    assert logit_mse(student, teacher).flatten().tolist() == pytest.approx(expected)


def test_kd_loss_at_a_high_temperature_is_half_the_squared_difference_of_centred_logits():
    student, teacher = (logits - logits.mean(1, keepdim=True) for logits in (draw(6, 5), draw(6, 5, seed=1)))
    soft = kd_loss(student, teacher, 1e4, reduction="none")
    torch.testing.assert_close(2 * soft, logit_mse(student, teacher), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("shape", [(5, 3), (4, 2), (2, 4, 6), (2, 3, 4, 2)])
def test_dkd_is_the_divergence_with_the_label_and_the_one_without(shape, temperature):
    student, teacher = draw(*shape), draw(*shape, seed=1)
    labels = draw_labels(shape[:1] + shape[2:], shape[1])
    expected = []
    for s, t, label in zip(rows(student), rows(teacher), labels.flatten().tolist(), strict=True):
        q, p = softmax(s, temperature), softmax(t, temperature)
        target = kl([p[label], 1 - p[label]], [q[label], 1 - q[label]])
        rest_p, rest_q = ([one / (1 - side[label]) for k, one in enumerate(side) if k != label] for side in (p, q))
        expected.append(temperature**2 * (0.7 * target + 3 * kl(rest_p, rest_q)))
    found = dkd_loss(student, teacher, labels, alpha=0.7, beta=3.0, temperature=temperature)
    assert found.shape == labels.shape
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_dkd_with_the_weight_one_minus_p_is_kd_loss():
    student, teacher, labels = draw(7, 5), draw(7, 5, seed=1), draw_labels((7,), 5)
    target, others = (
        dkd_loss(student, teacher, labels, alpha=alpha, beta=1 - alpha, temperature=3.0) for alpha in (1.0, 0.0)
    )
    not_label = 1 - torch.tensor([softmax(row, 3.0)[k] for row, k in zip(teacher.tolist(), labels, strict=True)])
    torch.testing.assert_close(target + not_label * others, kd_loss(student, teacher, 3.0, reduction="none"))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_dist_is_two_means_of_one_minus_a_correlation(temperature):
    student, teacher = draw(6, 4), draw(6, 4, seed=1)
    q, p = ([softmax(row, temperature) for row in logits.tolist()] for logits in (student, teacher))
    inter = [1 - pearson(a, b) for a, b in zip(q, p, strict=True)]
    intra = [1 - pearson(a, b) for a, b in zip(zip(*q, strict=True), zip(*p, strict=True), strict=True)]
    found = dist_loss(student, teacher, beta=2.0, gamma=0.5, temperature=temperature)
    assert found.mean().item() == pytest.approx(2.0 * sum(inter) / 6 + 0.5 * sum(intra) / 4)
    each = dist_loss(student, teacher, beta=1.0, gamma=0.0, temperature=temperature)
    assert each.tolist() == pytest.approx(inter)


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_ensemble_logits_are_the_logarithm_of_the_mean_probability(scale):
    members = [draw(5, 4, 3, seed=k, scale=scale) for k in range(3)]
    expected = sum(member.softmax(1) for member in members) / 3
    torch.testing.assert_close(ensemble_logits(members).exp(), expected)
    torch.testing.assert_close(ensemble_logits(members[:1]).softmax(1), members[0].softmax(1))


def test_ensemble_logits_keep_what_a_mean_of_probabilities_would_round_to_zero():
    members = [torch.tensor([[0.0, -300.0]]), torch.tensor([[0.0, -400.0]])]
    assert ensemble_logits(members)[0, 1].item() == pytest.approx(-300 - math.log(2))
    assert sum(member.softmax(1) for member in members)[0, 1] == 0
    never = torch.tensor([[0.0, -torch.inf]])
    assert ensemble_logits([never, never])[0, 1] == -torch.inf


def test_hint_loss_is_a_mean_over_all_features():
    student, teacher = draw(3, 2, 4, 5), draw(3, 2, 4, 5, seed=1)
    for found, s, t in zip(hint_loss(student, teacher), student, teacher, strict=True):
        squares = [(a - b) ** 2 for a, b in zip(s.flatten().tolist(), t.flatten().tolist(), strict=True)]
        assert found.item() == pytest.approx(math.fsum(squares) / 40)


def attention(channels):
    """The map of one example, as a list of length 1."""
    height, width = len(channels[0]), len(channels[0][0])
    energy = [sum(channel[y][x] ** 2 for channel in channels) for y in range(height) for x in range(width)]
    length = math.sqrt(sum(value**2 for value in energy))
    return [value / length for value in energy]


def test_attention_loss_is_the_distance_of_two_maps_of_length_one():
    student, teacher = draw(4, 2, 3, 5), draw(4, 7, 3, 5, seed=1)
    for found, s, t in zip(attention_loss(student, teacher), student.tolist(), teacher.tolist(), strict=True):
        assert found.item() == pytest.approx(math.dist(attention(s), attention(t)))


def test_attention_maps_of_different_sizes_are_averaged_down_to_the_smaller():
    small = draw(3, 2, 2, 3)
    large = small.repeat_interleave(2, dim=2).repeat_interleave(3, dim=3)
    for first, second in ((small, large), (large, small)):
        assert attention_loss(first, second).abs().max() < 1e-12
    assert attention_loss(small, large.flip(3)).min() > 0.01


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_relation_loss_is_about_every_pair_and_every_angle(count):
    student, teacher = draw(count, 2, 2), draw(count, 5, seed=1)
    points = student.flatten(1).tolist(), teacher.tolist()
    pairs, triples = list(itertools.permutations(range(count), 2)), list(itertools.permutations(range(count), 3))

    def distances(side):
        raw = {(i, j): math.dist(side[i], side[j]) for i, j in pairs}
        return {pair: value / (sum(raw.values()) / len(raw)) for pair, value in raw.items()}

    def cosine(side, i, j, k):
        first, second = ([a - b for a, b in zip(side[end], side[j], strict=True)] for end in (i, k))
        return sum(a * b for a, b in zip(first, second, strict=True)) / (math.hypot(*first) * math.hypot(*second))

    both = [distances(side) for side in points]
    of_distances = [huber(both[0][pair], both[1][pair]) for pair in pairs] or [0.0]
    of_angles = [huber(*(cosine(side, *triple) for side in points)) for triple in triples] or [0.0]
    expected = 3 * sum(of_distances) / len(of_distances) + 0.5 * sum(of_angles) / len(of_angles)
    found = relation_loss(student, teacher, distance_weight=3.0, angle_weight=0.5)
    assert found.shape == (count,)
    assert found.mean().item() == pytest.approx(expected, abs=1e-12)


def test_relations_do_not_change_when_all_is_moved_turned_and_scaled():
    teacher, turn = draw(6, 3), torch.linalg.qr(draw(3, 3, seed=1)).Q
    assert relation_loss(5 * teacher @ turn + 2, teacher).abs().max() < 1e-12


# ---- what holds for all ----


@pytest.mark.parametrize("name", ON_LOGITS)
def test_a_stack_has_the_losses_of_its_students(name):
    student, teacher, labels = draw(3, 4, 6), draw(4, 6, seed=1), draw_labels((6,), 4)
    together = ON_LOGITS[name](student, teacher.expand(3, -1, -1), labels.expand(3, -1))
    alone = [ON_LOGITS[name](one.T, teacher.T, labels) for one in student]
    torch.testing.assert_close(together, torch.stack(alone))


@pytest.mark.parametrize("name", {**ON_LOGITS, **ON_FEATURES})
def test_gradients_are_those_of_finite_differences_and_none_reaches_the_teacher(name):
    loss, size = (ON_LOGITS[name], (5, 4)) if name in ON_LOGITS else (ON_FEATURES[name], (4, 2, 2, 3))
    more = [draw_labels((5,), 4)] if name in ON_LOGITS else []
    student, teacher = draw(*size).requires_grad_(), draw(*size, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: loss(given, teacher.detach(), *more), student)
    loss(student, teacher, *more).sum().backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("scale", [2.0, 1e4])
@pytest.mark.parametrize("name", {**ON_LOGITS, **ON_FEATURES})
def test_any_precision_gives_a_finite_loss_that_is_right(name, scale, dtype):
    loss, size = (ON_LOGITS[name], (6, 5)) if name in ON_LOGITS else (ON_FEATURES[name], (6, 2, 3, 3))
    more = [draw_labels((6,), 5)] if name in ON_LOGITS else []
    student, teacher = (draw(*size, seed=k, scale=scale).clamp(-3e4, 3e4).to(dtype) for k in (0, 1))
    found = loss(student.requires_grad_(), teacher, *more)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found.double(),
        loss(student.double(), teacher.double(), *more).detach(),
        rtol=1e-2,
        atol=1e-3,
        check_dtype=False,
    )
    found.sum().backward()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize("dtypes", [(torch.float32, torch.float64), (torch.float64, torch.float32)])
def test_a_teachers_features_may_be_of_another_precision(name, dtypes):
    student, teacher = (draw(4, 2, 2, 3, seed=k, dtype=dtype) for k, dtype in enumerate(dtypes))
    found = ON_FEATURES[name](student.requires_grad_(), teacher)
    found.sum().backward()
    assert student.grad.abs().sum() > 0
    expected = ON_FEATURES[name](student.double(), teacher.double())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, check_dtype=False)


@pytest.mark.parametrize("name", {**ON_LOGITS, **ON_FEATURES})
@pytest.mark.parametrize("same", ["student", "teacher", "both", "two examples"])
def test_examples_that_are_all_alike_give_a_finite_loss_and_gradient(name, same):
    loss, size = (ON_LOGITS[name], (4, 3)) if name in ON_LOGITS else (ON_FEATURES[name], (4, 2, 2, 3))
    more = [draw_labels((4,), 3)] if name in ON_LOGITS else []
    student, teacher = draw(*size, dtype=torch.float32), draw(*size, seed=1, dtype=torch.float32)
    student = torch.full(size, 0.3) if same in ("student", "both") else student
    teacher = torch.full(size, 0.7) if same in ("teacher", "both") else teacher
    if same == "two examples":
        student[1] = student[0]
    found = loss(student.requires_grad_(), teacher, *more)
    found.sum().backward()
    assert found.isfinite().all()
    assert student.grad.abs().max() < 1e3


@pytest.mark.parametrize("name", ["dkd_loss", "dist_loss"])
def test_a_teacher_may_give_some_classes_no_probability(name):
    student, labels = draw(3, 4).requires_grad_(), torch.tensor([0, 1, 3])
    off = torch.tensor([[0, 1, 1, 1], [0, 0, 1, 0], [1, 1, 0, 1]], dtype=torch.bool)
    never, hardly = (draw(3, 4, seed=1).masked_fill(off, value) for value in (-torch.inf, -1e4))
    found = ON_LOGITS[name](student, never, labels)
    rare = off.sum(1) < 3  # with no probability at all for the others nothing is known of them
    torch.testing.assert_close(found[rare], ON_LOGITS[name](student, hardly, labels)[rare])
    found.sum().backward()
    assert student.grad.isfinite().all()


AT_A_TEMPERATURE = {
    "dkd_loss": dkd_loss,
    "jsd_loss": jsd_loss,
    "jsd_loss, forward": partial(jsd_loss, beta=0),
    "jsd_loss, reverse": partial(jsd_loss, beta=1),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALVES])
@pytest.mark.parametrize("name", AT_A_TEMPERATURE)
def test_each_stacked_student_may_have_a_temperature_of_its_own(name, dtype):
    student, teacher, labels = draw(3, 4, 6), draw(3, 4, 6, seed=1), draw_labels((3, 6), 4)
    temperatures = torch.tensor([1.0, 4.0, 300.0], dtype=dtype)  # 300² is no float16
    found = AT_A_TEMPERATURE[name](student, teacher, labels, temperature=temperatures.view(3, 1, 1))
    assert found.shape == (3, 6)
    for k, temperature in enumerate(temperatures.tolist()):
        alone = AT_A_TEMPERATURE[name](student[k].T, teacher[k].T, labels[k], temperature=temperature)
        torch.testing.assert_close(found[k], alone)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALVES])
@pytest.mark.parametrize("temperature", [0.01, 1.0, 4.0, 50.0, 1000.0])
@pytest.mark.parametrize(("beta", "direction"), [(0, "forward"), (1, "reverse")])
def test_the_ends_of_jsd_are_kd_loss_at_every_temperature_and_precision(beta, direction, temperature, dtype):
    student, teacher = draw(6, 4, scale=500.0, dtype=dtype), draw(6, 4, seed=1, scale=500.0, dtype=dtype)
    found = jsd_loss(student.requires_grad_(), teacher, beta=beta, temperature=temperature)
    expected = kd_loss(student, teacher, temperature, direction=direction, reduction="none")
    assert torch.equal(found, expected)
    assert found.dtype == expected.dtype
    found.sum().backward()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("name", ON_LOGITS)
def test_each_trains_a_stack_as_it_trains_one_student(name):
    inputs, teacher = draw(40, 3, dtype=torch.float32), draw(40, 4, seed=1, dtype=torch.float32)
    labels, settings = teacher.argmax(1), {"loss": ON_LOGITS[name], "epochs": 5, "batch_size": 13}  # the last is of one
    stack = StudentStack([3, 4], seeds=[0, 1])
    distill_stack(stack, inputs, teacher, labels, lr=[0.02] * 2, **settings)
    for m in range(2):
        alone = mlp([3, 4], seed=m)
        history = distill(alone, inputs, teacher, labels, lr=0.02, device="cpu", progress=False, **settings)
        assert history.last["loss"] < history.rows[0]["loss"]
        torch.testing.assert_close(stack.student(m)(inputs), alone(inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("loss", "shapes", "message"),
    [
        (hint_loss, [(2, 3), (2, 4)], r"student_features must have the shape of teacher_features .* \[2, 3\] and"),
        (hint_loss, [(2, 3), (3, 3)], "student_features must be of as many examples as teacher_features, got 2 and 3"),
        (attention_loss, [(2, 3), (2, 3, 4, 4)], r"student_features must be \[B, channels, H, W\], got \[2, 3\]"),
        (attention_loss, [(2, 3, 4, 4), (2, 3)], "teacher_features must be"),
        (relation_loss, [(2, 3), (3, 3)], "as many examples"),
    ],
)
def test_features_that_do_not_fit_are_refused(loss, shapes, message):
    with pytest.raises(ValueError, match=message):
        loss(*(torch.zeros(shape) for shape in shapes))


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ([], ValueError, "logits must hold at least one member, got none"),
        (
            [torch.zeros(2, 3), torch.zeros(2, 4)],
            ValueError,
            r"logits\[1\] must have the shape .* \[2, 4\] and \[2, 3\]",
        ),
        ([torch.zeros(2, 3), "x"], TypeError, r"logits\[1\] must be a floating-point tensor, got 'x'"),
        ([torch.tensor([[0.0, torch.nan]])], ValueError, r"logits\[0\] must be finite, got nan"),
    ],
)
def test_members_that_do_not_fit_are_refused(members, error, message):
    with pytest.raises(error, match=message):
        ensemble_logits(members)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_jsd_agrees_with_a_naive_loop_at_every_temperature(beta, temperature):
    """Both divergences from the mixture, over β(1 − β), times T²: so the ends are the two divergences themselves."""
    student, teacher = draw(6, 4), draw(6, 4, seed=1)
    expected = []
    for q, p in zip(student.tolist(), teacher.tolist(), strict=True):
        p, q = softmax(p, temperature), softmax(q, temperature)
        mixed = [beta * a + (1 - beta) * b for a, b in zip(p, q, strict=True)]
        apart = beta * kl(p, mixed) + (1 - beta) * kl(q, mixed)
        expected.append(temperature**2 * apart / (beta * (1 - beta)))
    torch.testing.assert_close(jsd_loss(student, teacher, beta=beta, temperature=temperature).tolist(), expected)


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 4.0]])
@pytest.mark.parametrize("soft_weight", [0.0, 0.3, 1.0])
def test_the_everyday_loss_function_agrees_with_a_naive_loop(soft_weight, weights):
    student, teacher, labels = draw(6, 4), draw(6, 4, seed=1), draw_labels((6,), 4)
    expected = []
    for q, p, label in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        hard = -math.log(softmax(q)[label]) * (weights[label] if weights else 1.0)
        expected.append(soft_weight * 9 * kl(softmax(p, 3.0), softmax(q, 3.0)) + (1 - soft_weight) * hard)
    loss = blended(3.0, soft_weight, class_weight=weights)
    torch.testing.assert_close(loss(student, teacher, labels).tolist(), expected)
    if weights:
        with pytest.raises(ValueError, match="class_weight must have one weight per class, got 4 for 3"):
            blended(3.0, 0.5, class_weight=weights)(student[:, :3], teacher[:, :3], labels.clamp(max=2))
