import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_plots import tiny_data_set

from kdcourse.data import Split
from kdcourse.widgets import _loss_parts, blended_loss

STUDENT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0], [2.0, 2.0, -1.0]] * 2)
logits = st.lists(st.floats(-8, 8), min_size=4, max_size=4)


def words(explorer):
    return explorer._repr_mimebundle_()[1]["image/png"]["alt"]


def numbers(pattern, explorer):
    return [float(text.rstrip(".")) for text in re.search(pattern, words(explorer)).groups()]


def softmax(values, temperature=1.0):
    powers = np.exp(np.asarray(values, dtype=np.float64) / temperature)
    return powers / powers.sum()


@given(logits, logits, st.integers(0, 3), st.floats(0.5, 32), st.floats(0, 1))
def test_the_parts_add_up_to_the_gradient_of_the_blend(student, teacher, label, temperature, soft_weight):
    student = torch.tensor(student, dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor(teacher, dtype=torch.float64)
    p, log_q = softmax(teacher, temperature), (student / temperature).log_softmax(0)
    soft = temperature**2 * (torch.tensor(p) * (torch.tensor(np.log(p)) - log_q)).sum()
    hard = -student.log_softmax(0)[label]
    (soft_gradient,) = torch.autograd.grad(soft_weight * soft, student, retain_graph=True)
    (hard_gradient,) = torch.autograd.grad((1 - soft_weight) * hard, student)
    parts = _loss_parts.parts_of(student.detach(), teacher, label, temperature, soft_weight)
    np.testing.assert_allclose(parts.soft, soft_gradient, atol=1e-9)
    np.testing.assert_allclose(parts.hard, hard_gradient, atol=1e-9)
    np.testing.assert_allclose(parts.teacher, p, atol=1e-12)
    np.testing.assert_allclose(parts.student, log_q.detach().exp(), atol=1e-12)
    assert parts.label.tolist() == [float(k == label) for k in range(4)]


def test_the_words_hold_the_terms_and_the_norms():
    data_set = tiny_data_set()
    explorer = blended_loss(data_set, STUDENT, examples=[3, 1])
    explorer.example_number, explorer.temperature, explorer.soft_weight = 1, 4.0, 0.25
    z, v, label = STUDENT[1].numpy(), data_set.validation.teacher_logits[1].numpy(), 1
    p, q = softmax(v, 4), softmax(z, 4)
    divergence, hard = np.sum(p * np.log(p / q)), -np.log(softmax(z)[label])
    hard_part = 0.75 * (softmax(z) - np.eye(3)[label])
    for squared, scale in [(True, 16), (False, 1)]:
        explorer.squared = squared
        soft, soft_part = scale * divergence, 0.25 * scale / 4 * (q - p)
        assert explorer.terms == pytest.approx([0.25 * soft + 0.75 * hard, soft, hard], rel=1e-3)
        np.testing.assert_allclose(explorer.parts.soft, soft_part, atol=1e-4)
        name = r"T² · KL" if squared else "KL without T²"
        found = numbers(name + r": (\S+) Hard term, .*: (\S+) With soft weight 0.25, the loss is (\S+)", explorer)
        assert found == pytest.approx([soft, hard, 0.25 * soft + 0.75 * hard], rel=6e-3)
        expected = [soft_part, hard_part, soft_part + hard_part, soft_part * (1 / 16 if squared else 16)]
        found = numbers(r"soft part (\S+), hard part (\S+), both together (\S+) .* would have (\S+)", explorer)
        assert found == pytest.approx([np.linalg.norm(gradient) for gradient in expected], rel=6e-3)


def test_the_words_say_what_the_picture_shows():
    data_set = tiny_data_set()
    explorer = blended_loss(data_set, STUDENT, examples=[1])
    p, q = softmax(data_set.validation.teacher_logits[1]), softmax(STUDENT[1])
    text = words(explorer)
    assert "The label is sock. At T = 1.0, " in text
    for share, name in zip([*p, *q], 2 * data_set.class_names, strict=True):
        assert f"{name} {share:.2f}" in text
    both = 0.5 * (q - p) + 0.5 * (q - [0, 1, 0])
    lowest, highest = (data_set.class_names[k] for k in (both.argmin(), both.argmax()))
    assert f"raises the logit of {lowest} most ({both.min():+.2f})" in text
    assert f"lowers that of {highest} most ({both.max():+.2f})" in text


def test_bars_are_probabilities_and_gradients():
    data_set = tiny_data_set()
    explorer = blended_loss(data_set, STUDENT, examples=range(6))
    explorer.example_number, explorer.temperature = 5, 2.0
    p, q, y = softmax(data_set.validation.teacher_logits[5], 2), softmax(STUDENT[5], 2), np.eye(3)[2]
    fig, _ = explorer.picture()
    left, right = fig.axes
    soft, hard = 0.5 * 2 * (q - p), 0.5 * (softmax(STUDENT[5]) - y)
    for ax, series in [(left, [p, q, y]), (right, [soft, hard])]:
        widths = [[bar.get_width() for bar in container] for container in ax.containers]
        np.testing.assert_allclose(widths, series, atol=1e-4)
    diamonds = right.lines[0]
    np.testing.assert_allclose(diamonds.get_xdata(), soft + hard, atol=1e-4)
    assert diamonds.get_ydata().tolist() == [0, 1, 2]
    low, high = right.get_xlim()
    assert low < min([*soft, *hard, *(soft + hard)]) <= max([*soft, *hard, *(soft + hard)]) < high
    # Not by colour alone: no two series of an axes share hatch and filling.
    for ax in (left, right):
        looks = [(bars[0].get_hatch(), bars[0].get_facecolor()[3]) for bars in ax.containers]
        assert len(set(looks)) == len(looks)


def test_choosing_an_example_takes_the_students_logits():
    explorer = blended_loss(tiny_data_set(), STUDENT, examples=range(6))
    explorer.logits = [9, 9, 9]
    explorer.example_number = 2
    assert explorer.logits == STUDENT[2].tolist()


def test_a_fixed_soft_weight_is_known_to_the_browser():
    explorer = blended_loss(tiny_data_set(), STUDENT, examples=range(3), soft_weight=1)
    assert (explorer.fixed_weight, explorer.soft_weight) == (True, 1.0)
    explorer = blended_loss(tiny_data_set(), STUDENT, examples=range(3))
    assert (explorer.fixed_weight, explorer.soft_weight) == (False, 0.5)


def test_a_student_that_is_the_teacher_leaves_no_soft_part():
    data_set = tiny_data_set()
    explorer = blended_loss(data_set, data_set.validation.teacher_logits.numpy(), examples=[0], soft_weight=1)
    assert "KL: 0." in words(explorer)
    assert "both together 0." in words(explorer)


def test_the_picture_leaves_no_open_figure():
    import matplotlib.pyplot as plt

    words(blended_loss(tiny_data_set(), STUDENT, examples=[0]))
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("soft_weight", 1.5, r"soft_weight must be in \[0, 1\], got 1.5"),
        ("temperature", 33, r"temperature must be in \[0.5, 32\], got 33"),
        ("example_number", 1, r"example_number must be in \[0, 1\), got 1"),
        ("logits", [0.0], "logits must hold 3 numbers, one for each class, got 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(name, value, message):
    explorer = blended_loss(tiny_data_set(), STUDENT, examples=[0])
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"student_logits": STUDENT[:5]}, r"student_logits must be \[6, 3\], .* of validation, got shape \[5, 3\]"),
        ({"student_logits": STUDENT.T}, r"student_logits must be \[6, 3\], .* got shape \[3, 6\]"),
        ({"student_logits": STUDENT / 0}, "student_logits must be finite"),
        ({"split": "valid"}, "split must be 'train', 'validation' or 'test', got 'valid'"),
        ({"examples": []}, "examples must be one or more indices"),
        ({"examples": [0, 6]}, r"examples must be one or more indices in \[0, 6\), got \[0, 6\]"),
        ({"examples": [-1]}, "examples must be an integer >= 0, got -1"),
        ({"soft_weight": 1.5}, r"soft_weight must be in \[0, 1\], got 1.5"),
    ],
)
def test_bad_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        blended_loss(**{"data_set": tiny_data_set(), "student_logits": STUDENT, "examples": [0]} | wrong)


def test_a_split_without_a_teacher_is_refused():
    split = Split(torch.tensor([0, 1]), inputs=torch.zeros(2, 4))
    with pytest.raises(ValueError, match="data_set.test must hold the teacher's logits, got None"):
        blended_loss(replace(tiny_data_set(), test=split), STUDENT[:2], examples=[0], split="test")
