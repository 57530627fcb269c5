import html
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


def words(box):
    return html.unescape(re.sub("<p>|</p>", " ", box.children[-1].value))


def numbers(pattern, box):
    return [float(text.rstrip(".")) for text in re.search(pattern, words(box)).groups()]


def softmax(values, temperature=1.0):
    powers = np.exp(np.asarray(values, dtype=np.float64) / temperature)
    return powers / powers.sum()


@pytest.fixture
def drawn(monkeypatch):
    """The figures of the widgets that a test makes, each as often as it was drawn."""
    figures = []
    monkeypatch.setattr("kdcourse.widgets.loss_explorer.render", lambda fig: figures.append(fig) or b"")
    return figures


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
    box = blended_loss(data_set, STUDENT, examples=[3, 1])
    example, temperature, weight, _, _ = box.children
    example.value, temperature.value, weight.value = 1, 4.0, 0.25
    z, v, label = STUDENT[1].numpy(), data_set.validation.teacher_logits[1].numpy(), 1
    p, q = softmax(v, 4), softmax(z, 4)
    soft, hard = 16 * np.sum(p * np.log(p / q)), -np.log(softmax(z)[label])
    found = numbers(r"KL: (\S+) Hard term, .*: (\S+) With soft weight 0.25, the loss is (\S+)", box)
    assert found == pytest.approx([soft, hard, 0.25 * soft + 0.75 * hard], rel=6e-3)
    soft_part, hard_part = 0.25 * 4 * (q - p), 0.75 * (softmax(z) - np.eye(3)[label])
    expected = [soft_part, hard_part, soft_part + hard_part, soft_part / 16]
    found = numbers(r"soft part (\S+), hard part (\S+), both together (\S+) .* would have (\S+)", box)
    assert found == pytest.approx([np.linalg.norm(gradient) for gradient in expected], rel=6e-3)


def test_the_words_say_what_the_picture_shows():
    data_set = tiny_data_set()
    box = blended_loss(data_set, STUDENT, examples=[1])
    p, q = softmax(data_set.validation.teacher_logits[1]), softmax(STUDENT[1])
    text = words(box)
    assert "The label is sock. At T = 1.0, " in text
    for share, name in zip([*p, *q], 2 * data_set.class_names, strict=True):
        assert f"{name} {share:.2f}" in text
    both = 0.5 * (q - p) + 0.5 * (q - [0, 1, 0])
    lowest, highest = (data_set.class_names[k] for k in (both.argmin(), both.argmax()))
    assert f"raises the logit of {lowest} most ({both.min():+.2f})" in text
    assert f"lowers that of {highest} most ({both.max():+.2f})" in text


def test_names_of_classes_are_escaped():
    data_set = replace(tiny_data_set(), class_names=("<hat>", "sock & shoe", "glove"))
    box = blended_loss(data_set, STUDENT, examples=[0])
    assert "The label is &lt;hat&gt;." in box.children[-1].value
    assert "<hat>" not in box.children[-1].value


def test_bars_are_probabilities_and_gradients(drawn):
    data_set = tiny_data_set()
    box = blended_loss(data_set, STUDENT, examples=range(6))
    box.children[0].value = 5
    box.children[1].value = 2.0
    p, q, y = softmax(data_set.validation.teacher_logits[5], 2), softmax(STUDENT[5], 2), np.eye(3)[2]
    left, right = drawn[-1].axes
    soft, hard = 0.5 * 2 * (q - p), 0.5 * (softmax(STUDENT[5]) - y)
    for ax, series in [(left, [p, q, y]), (right, [soft, hard])]:
        widths = [[bar.get_width() for bar in container] for container in ax.containers]
        np.testing.assert_allclose(widths, series, atol=1e-7)
    diamonds = right.lines[0]
    np.testing.assert_allclose(diamonds.get_xdata(), soft + hard, atol=1e-7)
    assert diamonds.get_ydata().tolist() == [0, 1, 2]
    # Not by colour alone: no two series of an axes share hatch and filling.
    for ax in (left, right):
        looks = [(bars[0].get_hatch(), bars[0].get_facecolor()[3]) for bars in ax.containers]
        assert len(set(looks)) == len(looks)


def test_the_axis_of_the_gradient_stays_while_sliders_move_and_holds_every_bar(drawn):
    box = blended_loss(tiny_data_set(), 5 * STUDENT, examples=range(6))
    example, temperature, weight, _, _ = box.children
    for index in range(6):
        example.value = index
        right = drawn[-1].axes[1]
        limits = right.get_xlim()
        for temperature.value in (0.5, 1.0, 3.0, 32.0):
            for weight.value in (0.0, 0.4, 1.0):
                assert right.get_xlim() == limits
                widths = [bar.get_width() for container in right.containers for bar in container]
                assert limits[0] < min(widths) <= max(widths) < limits[1]


def test_every_move_draws_once(drawn):
    box = blended_loss(tiny_data_set(), STUDENT, examples=range(6))
    assert len(drawn) == 1
    box.children[1].value = 4.0
    box.children[2].value = 0.9
    box.children[0].value = 2
    assert len(drawn) == 4
    assert len(set(drawn)) == 1


def test_a_fixed_soft_weight_has_no_slider():
    box = blended_loss(tiny_data_set(), STUDENT, examples=range(3), soft_weight=1)
    assert [child.description for child in box.children[:2]] == ["example", "T"]
    assert len(box.children) == 4
    assert "With soft weight 1.00" in words(box)
    assert "hard part 0, " in words(box)


def test_the_picture_is_a_png_and_no_figure_stays_open():
    import matplotlib.pyplot as plt

    box = blended_loss(tiny_data_set(), STUDENT, examples=range(3))
    image, before = box.children[3], box.children[3].value
    assert before[:8] == b"\x89PNG\r\n\x1a\n"
    box.children[1].value = 8.0
    assert image.value != before
    assert [child.description for child in box.children[:3]] == ["example", "T", "soft weight"]
    assert plt.get_fignums() == []


def test_a_student_that_is_the_teacher_leaves_no_soft_part():
    data_set = tiny_data_set()
    box = blended_loss(data_set, data_set.validation.teacher_logits.numpy(), examples=[0], soft_weight=1)
    assert "KL: 0." in words(box)
    assert "both together 0." in words(box)


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
