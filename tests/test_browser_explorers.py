"""What holds for every explorer that there is, as its lesson has stored it; then soft labels and the blended loss."""

import io
import itertools
import json
import random

import numpy as np
import pytest
import torch
from browser import faults, needs_chromium
from explorer_page import model_value, press, said, set_model
from explorer_pictures import PAINTED, picture, stored
from PIL import Image
from tiny import tiny_data_set

from kdcourse.losses import soften
from kdcourse.widgets import blended_loss, soft_labels
from kdcourse.widgets._explorer import explorers

pytestmark = needs_chromium
STORED = stored()
STUDENT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0], [2.0, 2.0, -1.0]] * 2)
HOSTILE = "<img src=x onerror='window.ran = 1'></script>"
CONTROLS = "input:not([disabled]), select, button, [tabindex='0']"
TEMPERATURE, WEIGHT, LOGITS = (f"input[type=range][min='{low}']" for low in (-1, 0, -25))
every_explorer = pytest.mark.parametrize("name", explorers())


def as_pictured(name):
    return name, {**STORED[name], **explorers()[name].pictured}


def alt(page):
    return page.locator("#here").get_attribute("data-alt")


def visible(page, selector):
    return [one for one in page.locator(selector).all() if one.is_visible()]


# ---- every explorer ----


@every_explorer
def test_axe_finds_no_fault_and_the_page_is_not_wider_than_a_phone(show, name):
    for scheme, width in [("light", 1000), ("dark", 320)]:
        page = show(as_pictured(name), color_scheme=scheme, reduced_motion="reduce", viewport=(width, 900))
        for slider in [None, *visible(page, "input[type=range]")[:3]]:
            if slider:  # where there may be most to say
                slider.focus()
                page.keyboard.press("End")
            page.locator("[role=group]:not([aria-busy=true])").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert faults(page) == []
        assert page.complaints == []


@every_explorer
def test_every_control_is_reached_by_tab_has_a_name_and_shows_the_focus(show, name):
    page = show(as_pictured(name))
    page.locator("h1").click()
    for control in visible(page, CONTROLS):
        page.keyboard.press("Tab")
        assert control.evaluate("node => node === document.activeElement"), control.evaluate("node => node.outerHTML")
        assert control.evaluate(
            "node => (node.ariaLabel || node.labels?.[0]?.innerText || node.innerText).trim().length > 1"
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert page.evaluate("document.activeElement.dataset.lmSuppressShortcuts") == "true"


@every_explorer
def test_every_slider_says_where_it_stands_and_changes_what_is_shown(show, name):
    page = show(as_pictured(name))
    group = page.locator("[role=group]")
    for slider in visible(page, "input[type=range]:enabled"):
        before = slider.get_attribute("aria-valuetext"), group.inner_text()
        slider.focus()
        for key in ("ArrowRight", "ArrowLeft"):
            page.keyboard.press(key)
            if slider.get_attribute("aria-valuetext") != before[0]:
                break
        assert slider.get_attribute("aria-valuetext") != before[0]
        assert group.inner_text() != before[1]


@every_explorer
def test_what_is_taken_off_the_page_listens_no_longer(show, name):
    page = show(as_pictured(name))
    page.evaluate("window.stop()")
    before = page.locator("[role=group]").inner_text()
    visible(page, "input[type=range]")[-1].focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=group]").inner_text() == before
    assert page.complaints == []


@every_explorer
def test_names_in_the_data_are_shown_and_never_run(show, name):
    def hostile(value):
        if isinstance(value, dict):
            return {key: hostile(one) for key, one in value.items()}
        if isinstance(value, list):
            return [hostile(one) for one in value]
        return HOSTILE if isinstance(value, str) and not value.startswith("data:") else value

    state = hostile(as_pictured(name)[1])
    page = show((name, state), viewport=(360, 900))
    assert page.evaluate("window.ran") is None
    assert (HOSTILE in page.locator("[role=group]").inner_text()) == (HOSTILE in json.dumps(state))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.complaints == []


@every_explorer
def test_its_picture_is_what_the_page_shows_and_small_and_the_same_every_time(browser, show, name):
    png, words = picture(browser, name, STORED[name])
    again, same_words = picture(browser, name, STORED[name])
    assert same_words == words
    first, second = (np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in (png, again))
    assert (first != second).any(-1).sum() < 20  # the edge of a curve may be drawn another shade
    assert len(png) < 60_000
    page = show(as_pictured(name), viewport=(880, 1200))
    page.evaluate(PAINTED)
    shown = Image.open(io.BytesIO(page.locator("#here").screenshot())).convert("RGB")
    found = Image.open(io.BytesIO(png)).convert("RGB")
    assert found.size == shown.size
    assert found.width == 832  # CSS pixels, so that it is as wide as the explorer
    off = np.abs(np.asarray(found, float) - np.asarray(shown, float)).max(-1)
    assert np.quantile(off, 0.99) < 24  # fewer colours, but the same places
    assert words == alt(page)
    assert len(words) > 100
    assert said(page)[:1] == [line for line in said(page)[:1] if line in words]


def test_every_explorer_is_stored_in_a_lesson():
    assert set(STORED) == set(explorers())


# ---- soft labels ----


def garments():
    return soft_labels(tiny_data_set(), examples=range(4))


def test_soft_labels_by_keyboard_alone(show):
    page = show(garments())
    press(page, TEMPERATURE, *["ArrowRight"] * 10)
    assert model_value(page, "temperature") == pytest.approx(2)
    assert "At T = 2.0 the soft label says" in said(page)[0]
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
    assert page.complaints == []


def test_soft_labels_show_what_python_computes(show):
    page, chance = show(garments()), random.Random(0)
    pictures = model_value(page, "pictures")
    for _ in range(15):
        number, temperature = chance.randrange(4), 2 ** chance.uniform(-1, 5)
        logits = [chance.uniform(-25, 25) for _ in range(3)]
        set_model(page, picture_number=number, temperature=temperature, logits=logits)
        soft = soften(torch.tensor([logits]).double(), temperature)[0].numpy()
        shares = page.locator(".kdx-row:not(.kdx-head) .kdx-bar:nth-child(2) .kdx-number").all_inner_texts()
        assert [float(text) for text in shares] == pytest.approx(soft, abs=0.0051)
        hard = page.locator(".kdx-row:not(.kdx-head) .kdx-bar:nth-child(3) .kdx-number").all_inner_texts()
        assert hard.index("1") == pictures[number]["label"]
        bits = -np.sum(soft[soft > 0] * np.log2(soft[soft > 0]))
        assert f"Entropy: {bits + 0.0:.2f} bits, of 1.58 at most" in said(page)[2]


# ---- the blended loss ----


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


def test_the_blended_loss_shows_what_torch_computes(show):
    explorer, chance = blended_loss(tiny_data_set(), STUDENT, examples=range(4)), random.Random(1)
    page = show(explorer)
    for k in range(16):
        temperature, weight, squared = 2 ** chance.uniform(-1, 5), chance.choice([0.0, 1.0, 0.35]), k % 2 == 0
        values = {"example_number": chance.randrange(4), "temperature": temperature, "soft_weight": weight}
        values |= {"squared": squared, "logits": [chance.uniform(-12, 12) for _ in range(3)]}
        set_model(page, **values)
        example = explorer.examples[values["example_number"]]
        student = torch.tensor(values["logits"], dtype=torch.float64, requires_grad=True)
        p = (torch.tensor(example["teacher"], dtype=torch.float64) / temperature).softmax(0)
        q = (student / temperature).softmax(0)
        soft = (temperature**2 if squared else 1) * (p * (p.log() - q.log())).sum()
        hard = -student.log_softmax(0)[example["label"]]
        total = weight * soft + (1 - weight) * hard
        parts = [torch.autograd.grad(part, student, retain_graph=True)[0] for part in (weight * soft, total)]
        both = parts[1]
        expected = [soft, hard, total, *(part.norm() for part in (parts[0], both - parts[0], both))]
        rows = [row.split("\t") for row in page.locator("table tbody tr").all_inner_texts()]
        found = [float(row[1 if squared else 2].replace(",", "")) for row in rows]
        assert found == pytest.approx([one.item() for one in expected], rel=6e-3, abs=1e-9)
        pulls = [text.replace("−", "-") for text in page.locator(".kdx-signed + .kdx-number").all_inner_texts()]
        assert [float(text) for text in pulls] == pytest.approx((-both).tolist(), abs=0.0051)
        shares = [one.split(" · ") for one in page.locator(".kdx-stack + .kdx-number").all_inner_texts()]
        assert pytest.approx(np.array([p.tolist(), q.tolist()]), abs=0.0051) == np.array(shares, float).T
        names = explorer.class_names
        assert f"pull the logit of {names[both.argmin()]} up most" in said(page)[2]
        assert f"that of {names[both.argmax()]} down most" in said(page)[2]


def test_the_axis_of_the_gradient_stays_while_temperature_and_weight_move_and_holds_every_bar(show):
    page = show(blended_loss(tiny_data_set(), 5 * STUDENT, examples=range(4)))
    for number in range(4):
        set_model(page, example_number=number, logits=model_value(page, "examples")[number]["student"])
        ratios = set()
        for temperature, weight in itertools.product((0.5, 3.0, 32.0), (0.0, 0.4, 1.0)):
            set_model(page, temperature=temperature, soft_weight=weight)
            fills = page.locator(".kdx-signed .kdx-fill")
            scales = fills.evaluate_all("nodes => nodes.map(node => new DOMMatrix(node.style.transform).a)")
            lengths = np.abs(np.reshape(scales, (3, 3)))
            assert lengths.max() < 1
            if weight < 1:
                ratios.add(round(lengths[:, 1].max() / (1 - weight), 4))  # the hard part knows no temperature
        assert len(ratios) == 1


@pytest.mark.parametrize(("weight", "parts", "rows"), [(1, ["soft"], 2), (0.5, ["soft", "hard", "both"], 6)])
def test_a_fixed_soft_weight_has_no_slider_and_one_of_1_no_hard_part(show, weight, parts, rows):
    page = show(blended_loss(tiny_data_set(), STUDENT, examples=range(3), soft_weight=weight))
    assert page.locator(WEIGHT).is_hidden()
    assert f"With soft weight {weight:.2f}" in said(page)[1]
    assert page.locator(".kdx-legend").last.inner_text().split() == parts
    assert page.locator("table tbody tr").count() == rows
