"""The explorers of soft labels and of the blended loss in a real browser: by keyboard, from Python, under axe."""

import random
from pathlib import Path

import numpy as np
import pytest
from browser import faults, needs_chromium
from explorer_page import call, model_value, press, said, set_model
from test_plots import tiny_data_set
from test_widgets_loss import STUDENT

from kdcourse.widgets import _loss_parts, blended_loss, soft_labels

pytestmark = needs_chromium
MAKERS = {
    "soft_labels": lambda: soft_labels(tiny_data_set(), examples=range(4)),
    "blended_loss": lambda: blended_loss(tiny_data_set(), STUDENT, examples=range(4)),
}
TEMPERATURE = "input[type=range][min='-1']"
WEIGHT = "input[type=range][min='0']"
LOGITS = "input[type=range][min='-25']"


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 320])
def test_axe_finds_no_fault_and_the_page_is_not_wider_than_a_phone(show, name, scheme, width):
    page = show(MAKERS[name](), color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    assert faults(page) == []
    set_model(page, temperature=20)
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


@pytest.mark.parametrize("name", MAKERS)
def test_every_control_has_a_label_and_shows_that_it_has_the_focus(show, name):
    page = show(MAKERS[name]())
    for control in page.locator("input, select").all():
        assert control.evaluate("node => node.labels.length === 1 && node.labels[0].innerText.trim() !== ''")
    for selector in (TEMPERATURE, LOGITS, "select"):
        press(page, selector)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert page.evaluate("document.activeElement.dataset.lmSuppressShortcuts") == "true"


def test_soft_labels_by_keyboard_alone(show):
    page = show(soft_labels(tiny_data_set(), examples=range(4)))
    press(page, TEMPERATURE, *["ArrowRight"] * 10)
    assert model_value(page, "temperature") == pytest.approx(2)
    assert "At T = 2.0 the soft label says" in said(page)[0]
    assert page.locator(TEMPERATURE).get_attribute("aria-valuetext").startswith("2.0: ")
    press(page, LOGITS, "End")
    assert model_value(page, "logits")[0] == 25
    assert page.locator(LOGITS).first.get_attribute("aria-valuetext") == "logit 25.0, soft label 1.00"
    assert "hat 1.00" in said(page)[0]
    button = page.get_by_role("button", name="The teacher's own logits")
    assert button.get_attribute("aria-disabled") == "false"
    press(page, "button", "Enter")
    assert model_value(page, "logits") == model_value(page, "pictures")[0]["logits"]
    assert button.get_attribute("aria-disabled") == "true"
    assert page.evaluate("document.activeElement.matches('button')")  # the focus stays where it was
    press(page, "select", "ArrowDown")
    assert model_value(page, "picture_number") == 1
    assert model_value(page, "logits") == model_value(page, "pictures")[1]["logits"]
    assert said(page)[0].startswith("The hard label says sock, and nothing else.")
    assert page.locator("img").get_attribute("alt") == "A picture of 28 by 28 pixels, labelled sock"


def test_soft_labels_show_what_python_computes(show):
    explorer = soft_labels(tiny_data_set(), examples=range(4))
    page = show(explorer)
    chance = random.Random(0)
    for _ in range(25):
        number, temperature = chance.randrange(4), round(2 ** chance.uniform(-1, 5), 3)
        logits = [round(chance.uniform(-25, 25), 2) for _ in range(3)]
        explorer.picture_number = number
        explorer.temperature, explorer.logits = temperature, logits
        set_model(page, picture_number=number, temperature=temperature, logits=logits)
        soft = explorer.probabilities
        shares = page.locator(".kdx-row:not(.kdx-head) .kdx-bar:nth-child(2) .kdx-number").all_inner_texts()
        assert [float(text) for text in shares] == pytest.approx(soft, abs=0.0051)
        hard = page.locator(".kdx-row:not(.kdx-head) .kdx-bar:nth-child(3) .kdx-number").all_inner_texts()
        assert hard.index("1") == explorer.pictures[number]["label"]
        bits = -np.sum(soft[soft > 0] * np.log2(soft[soft > 0]))
        assert f"Entropy: {bits + 0.0:.2f} bits, of 1.58 at most" in said(page)[2]
    assert page.complaints == []


def test_the_blended_loss_by_keyboard_alone(show):
    page = show(blended_loss(tiny_data_set(), STUDENT, examples=range(4)))
    press(page, TEMPERATURE, *["ArrowRight"] * 20)
    press(page, WEIGHT, "ArrowRight")
    assert (model_value(page, "temperature"), model_value(page, "soft_weight")) == pytest.approx((4, 0.55))
    press(page, "input[type=checkbox]", "Space")
    assert model_value(page, "squared") is False
    assert "KL without T²" in said(page)[1]
    press(page, LOGITS, "Home")
    assert model_value(page, "logits")[0] == -25
    press(page, "button", "Enter")
    assert model_value(page, "logits") == STUDENT[0].tolist()
    press(page, "select", "ArrowDown", "ArrowDown")
    assert (model_value(page, "example_number"), model_value(page, "logits")) == (2, STUDENT[2].tolist())
    assert said(page)[0].startswith("The label is glove.")
    assert page.complaints == []


def test_the_blended_loss_says_what_python_says(show):
    explorer = blended_loss(tiny_data_set(), STUDENT, examples=range(4))
    page = show(explorer)
    chance = random.Random(1)
    for k in range(40):
        explorer.example_number = chance.randrange(4)
        explorer.temperature, explorer.soft_weight = (
            round(2 ** chance.uniform(-1, 5), 3),
            chance.choice([0.0, 1.0, 0.35]),
        )
        explorer.squared = k % 2 == 0
        explorer.logits = [round(chance.uniform(-12, 12), 2) for _ in range(3)]
        names = ("example_number", "temperature", "soft_weight", "squared", "logits")
        set_model(page, **{name: getattr(explorer, name) for name in names})
        lines = _loss_parts.say(
            explorer.class_names,
            explorer.temperature,
            explorer.soft_weight,
            explorer.squared,
            explorer.parts,
            explorer.terms,
        )
        assert said(page) == lines[:3]
        rows = [row.split("\t") for row in page.locator("table tbody tr").all_inner_texts()]
        shown = [float(row[1 if explorer.squared else 2].replace(",", "")) for row in rows]
        parts, terms = explorer.parts, explorer.terms
        lengths = [np.linalg.norm(each) for each in (parts.soft, parts.hard, parts.soft + parts.hard)]
        assert shown == pytest.approx([terms.soft, terms.hard, terms.total, *lengths], rel=6e-3, abs=1e-9)
        pulls = page.locator(".kdx-signed + .kdx-number").all_inner_texts()
        assert [float(text) for text in pulls] == pytest.approx(parts.soft + parts.hard, abs=0.0051)


def test_the_axis_of_the_gradient_stays_while_temperature_and_weight_move_and_holds_every_bar(show):
    page = show(blended_loss(tiny_data_set(), 5 * STUDENT, examples=range(4)))

    def lengths():
        scales = page.locator(".kdx-signed .kdx-fill").evaluate_all("nodes => nodes.map(node => node.style.transform)")
        return np.array([float(text[len("scaleX(") : -1]) for text in scales]).reshape(3, 3)

    for number in range(4):
        set_model(page, example_number=number, logits=model_value(page, "examples")[number]["student"])
        ratios = set()
        for temperature in (0.5, 1.0, 3.0, 32.0):
            for weight in (0.0, 0.4, 1.0):
                set_model(page, temperature=temperature, soft_weight=weight)
                scales = lengths()
                assert np.abs(scales).max() < 1
                hard = scales[:, 1]
                if weight < 1:
                    ratios.add(round(np.abs(hard).max() / (1 - weight), 6))  # the hard part knows no temperature
        assert len(ratios) == 1


def test_a_fixed_soft_weight_has_no_slider(show):
    page = show(blended_loss(tiny_data_set(), STUDENT, examples=range(3), soft_weight=1))
    assert page.locator(WEIGHT).is_hidden()
    assert "With soft weight 1.00" in said(page)[1]


def test_names_of_classes_are_shown_and_never_run(show):
    from dataclasses import replace

    hostile = "<img src=x onerror='window.ran = 1'>"
    data_set = replace(tiny_data_set(), class_names=(hostile, "sock & shoe", "</script>"))
    for explorer in (soft_labels(data_set, examples=[0]), blended_loss(data_set, STUDENT, examples=[0])):
        page = show(explorer)
        assert page.evaluate("window.ran") is None
        assert hostile in said(page)[0]
        assert page.complaints == []


def test_what_is_taken_off_the_page_listens_no_longer(show):
    page = show(soft_labels(tiny_data_set(), examples=range(3)))
    before = said(page)
    page.evaluate("window.stop()")
    set_model(page, temperature=9)
    assert said(page) == before


def test_a_function_of_a_bundle_can_be_called(show):
    page = show(soft_labels(tiny_data_set(), examples=[0]))
    assert call(page, "maths", "soften", [[[0, 0]], [[3, 3, 3], 7]]) == [[0.5, 0.5], pytest.approx([1 / 3] * 3)]


def test_the_benchmark_moves_every_kind_of_slider_that_a_lesson_has_stored(browser, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    import explorers

    stored = explorers.stored()
    assert set(stored) == {"soft_labels", "blended_loss", "distillation_steps", "student_size", "slices"}
    context = browser.new_context(offline=True)
    rows = explorers.measure(context.new_page(), tmp_path / "page.html", "soft_labels", stored["soft_labels"])
    context.close()
    assert [row["slider"] for row in rows] == ["temperature T", "t-shirt"]
    for row in rows:
        assert row["moves"] > 20
        assert 0 < row["work_median_ms"] <= row["wait_median_ms"]
