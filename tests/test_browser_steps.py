"""The step-through explorer in a real browser: every way through its stages, by keyboard, from Python, under axe."""

from functools import cache

import pytest
import torch
from browser import faults, needs_chromium, tab_to
from explorer_page import in_module, model_value, press, set_model
from explorer_pictures import empty_page, mount, settled
from test_browser_toy import FINISHED, tensors, torch_net

from kdcourse.losses import blended_loss
from kdcourse.stats import compare
from kdcourse.widgets import distillation_steps

pytestmark = needs_chromium
TEMPERATURE, SPEED = "input[min='-1']", "input[min='-2']"
PLAY, NEXT, AGAIN = (f".kdx-steps-tools button:nth-of-type({k})" for k in (1, 2, 3))
STATUS, RESULTS, MORE = ".kdx-steps-status", ".kdx-steps-results", ".kdx-steps-results button"


@pytest.fixture(scope="module")
def finished(browser):
    """What a seed and settings end with, trained at one go on another page; test_browser_toy.py holds it to torch."""
    with browser.new_context(offline=True) as context:
        page = context.new_page()

        @cache
        def trained(seed=0, temperature=2.0, soft_weight=0.9, transfer_size=40):
            settings = {"temperature": temperature, "softWeight": soft_weight, "transferSize": transfer_size}
            return in_module(page, "toy", FINISHED, seed, settings)

        yield trained


@pytest.fixture
def at_stage(show):
    """A function that shows the explorer at a stage, at rest."""

    def shown(stage, **options):
        explorer = distillation_steps()
        explorer.stage = stage
        return show(explorer, **options)

    return shown


def arrived(page, stage):
    page.wait_for_function("stage => model.get('stage') === stage", arg=stage)
    settled(page)


def results(page):
    return [model_value(page, name) for name in ("accuracies", "differences", "difference_seeds")]


def points_between(accuracies):
    return 100 * (accuracies["distilled"] - accuracies["hard"])


def frames(page, n):
    page.evaluate("async n => { while (n--) await new Promise(requestAnimationFrame); }", n)


def training_in_sight(page, place=0):
    page.wait_for_function(f"/step [1-9]/.test(document.querySelectorAll('figcaption')[{place}].innerText)")


# ---- Every way through the stages ends the same ----


def reached(page, finished):
    arrived(page, 7)
    accuracies, differences, seeds = results(page)
    assert accuracies == finished()["accuracies"]
    assert differences == pytest.approx([points_between(accuracies)])
    assert seeds == [0]


def test_setting_the_stage_shows_the_result_and_starting_again_goes_back_to_the_data(at_stage, finished):
    page = at_stage(1)
    set_model(page, stage=7)
    reached(page, finished)
    press(page, AGAIN, "Enter")
    assert (model_value(page, "stage"), model_value(page, "accuracies")) == (1, {})
    assert "not trained yet" in page.locator("figcaption").first.inner_text()
    set_model(page, stage=7)
    reached(page, finished)


def test_stepping_by_keyboard_alone_reaches_the_result(at_stage, finished):
    page = at_stage(1)
    tab_to(page, NEXT)
    for stage in range(2, 8):
        page.keyboard.press("Enter")
        arrived(page, stage)
        assert page.locator(STATUS).inner_text().startswith(f"Stage {stage} of 7: ")
        assert page.locator("[aria-current=step]").inner_text().startswith(str(stage))
    reached(page, finished)
    page.keyboard.press("Enter")  # there is no next one
    assert model_value(page, "stage") == 7
    assert page.evaluate("document.activeElement.innerText") == "Next step"
    press(page, ".kdx-steps-trail li:nth-child(4) button", "Enter")
    arrived(page, 4)
    assert page.locator(STATUS).inner_text().startswith("Stage 4 of 7: Soften.")


def test_playing_reaches_the_same_result_and_stops_there(at_stage, finished):
    page = at_stage(1)
    press(page, SPEED, "End")
    press(page, PLAY, "Space")
    assert model_value(page, "playing")
    reached(page, finished)
    assert not model_value(page, "playing")
    assert page.locator(PLAY).inner_text() == "Play"


def test_a_pause_stops_the_training_and_a_step_finishes_it(at_stage, finished):
    page = at_stage(1)
    press(page, PLAY, "Enter")
    training_in_sight(page)
    page.keyboard.press("Enter")
    assert not model_value(page, "playing")
    caption = page.locator("figcaption").first
    before = caption.inner_text()
    frames(page, 5)
    assert caption.inner_text() == before
    assert "training: step" in before
    assert model_value(page, "accuracies") == {}
    press(page, NEXT, "Enter")
    settled(page)
    assert model_value(page, "stage") == 2
    assert model_value(page, "accuracies") == {"teacher": finished()["accuracies"]["teacher"]}


def test_settings_changed_while_students_train_in_sight_start_both_again(at_stage, finished):
    page = at_stage(5)
    press(page, PLAY, "Enter")
    training_in_sight(page, 1)
    set_model(page, temperature=8)
    press(page, SPEED, "End")
    arrived(page, 7)
    assert results(page)[0] == finished(temperature=8)["accuracies"]


# ---- Settings, numbers and verdicts ----


def test_another_seed_at_the_result_is_trained_and_added_once(at_stage, finished):
    page = at_stage(7)
    tab_to(page, "input[type=number]")
    page.keyboard.press("ArrowUp")
    settled(page)
    accuracies, differences, seeds = results(page)
    assert accuracies == finished(seed=1)["accuracies"]
    assert differences == pytest.approx([points_between(finished(seed)["accuracies"]) for seed in (0, 1)])
    page.keyboard.press("ArrowDown")
    settled(page)
    assert results(page)[2] == seeds == [0, 1]


def test_changed_settings_empty_the_differences_and_train_anew(at_stage, finished):
    page = at_stage(7)
    settings = {"seed": 1}
    for setting in ({"temperature": 8}, {"soft_weight": 0.5}, {"transfer_size": 80}):
        settings |= setting
        set_model(page, seed=0)
        settled(page)
        set_model(page, seed=1)
        settled(page)
        set_model(page, **setting)
        settled(page)
        accuracies, differences, seeds = results(page)
        assert accuracies == finished(**settings)["accuracies"]
        assert (differences, seeds) == (pytest.approx([points_between(accuracies)]), [1])
    set_model(page, stage=4)
    set_model(page, temperature=4)
    settled(page)
    accuracies, differences, seeds = results(page)
    assert list(accuracies) == ["teacher", "hard"]  # which know no temperature
    assert (differences, seeds) == ([], [])


def test_ten_more_seeds_give_an_interval_and_a_verdict_in_words(at_stage, finished):
    page = at_stage(7)
    assert "One seed proves nothing" in page.locator(RESULTS).inner_text()
    press(page, MORE, "Enter")
    page.wait_for_function("model.get('differences').length >= 2")
    page.keyboard.press("Enter")  # stops it
    trained = len(results(page)[1])
    frames(page, 5)
    assert len(results(page)[1]) == trained < 11
    set_model(page, temperature=4)
    settled(page)
    press(page, MORE, "Enter")
    page.wait_for_function("model.get('differences').length === 11")
    _, differences, seeds = results(page)
    assert seeds == list(range(11))
    found = [finished(seed, temperature=4)["accuracies"] for seed in range(11)]
    expected = compare([100 * one["distilled"] for one in found], [100 * one["hard"] for one in found])
    assert differences == pytest.approx([points_between(one) for one in found])
    said = page.locator(f"{RESULTS} > p").last.inner_text().replace("−", "-")
    low, high = f"{expected.low:+.1f}", f"{expected.high:+.1f}"
    assert f"{expected.mean:+.1f} points on average over 11 seeds (a dot each), 95 % interval {low} to {high}." in said
    assert f"{expected.verdict.capitalize()}:" in said
    assert page.locator(".kdx-steps-dot").count() == 11
    assert page.locator(f"{RESULTS} [role=status]").inner_text().startswith("10 more seeds are trained.")


def test_the_numbers_of_the_point_are_those_of_torch(at_stage, finished):
    page = at_stage(6)
    set_model(page, temperature=4, point=11)
    settled(page)
    got = finished(temperature=4)
    inputs, labels = tensors(got["transfer"])
    label, one_hot = labels[[11]], torch.nn.functional.one_hot(labels[11], 3)
    names = ("teacher", "hard", "distilled", "studentStart")
    teacher, hard, distilled, before = (torch_net(got[name])(inputs[[11]]).detach() for name in names)

    def terms(student):
        return blended_loss(student, teacher, label, 4, 0.9)

    rows = {
        "hard label": one_hot,
        "^teacher.s logits": teacher[0],
        "^teacher, T": teacher[0].softmax(0),
        "^soft label": (teacher[0] / 4).softmax(0),
        "^distilled student": (distilled[0] / 4).softmax(0),
        "^student on labels": hard[0].softmax(0),
        "^T² · KL": [terms(each).soft for each in (before, distilled)],
        "^cross-entropy": [terms(each).hard for each in (before, distilled)],
        "^loss = ": [terms(each).total for each in (before, distilled)],
        "^loss of the student": [terms(each).hard for each in (before, hard)],
    }
    for name, values in rows.items():
        cells = page.locator(f"tr:visible:has(th:text-matches('{name}')) td").all_inner_texts()
        found, expected = (
            [float(str(one).replace("−", "-")) for one in which] for which in (cells, map(float, values))
        )
        assert found == pytest.approx(expected, abs=0.051 if "logits" in name else 0.0051)


def test_sliders_by_keyboard_set_the_traits(at_stage):
    page = at_stage(3)
    press(page, TEMPERATURE, *["ArrowRight"] * 10)
    assert model_value(page, "temperature") == pytest.approx(4)
    page.get_by_label("highlighted point").focus()
    page.keyboard.press("End")
    assert model_value(page, "point") == 39
    page.get_by_label("points in the transfer set").focus()
    page.keyboard.press("Home")
    assert [model_value(page, name) for name in ("transfer_size", "point")] == [10, 9]
    page.get_by_label("soft weight").focus()
    page.keyboard.press("End")
    assert model_value(page, "soft_weight") == 1
    for none in ("100000", "1.5", ""):
        page.get_by_label("seed").fill(none)
        assert model_value(page, "seed") == 0


# ---- For everybody ----


def test_every_stage_fits_a_phone_and_says_in_its_maps_what_it_shows(at_stage):
    page = at_stage(1, color_scheme="dark", viewport=(320, 900), reduced_motion="reduce")
    rows = {1: 0, 2: 0, 3: 3, 4: 4, 5: 6, 6: 10, 7: 0}
    words = {1: "overlap", 2: "88.5 %", 7: "as the teacher does on"}
    for stage in range(1, 8):
        set_model(page, stage=stage)
        settled(page)
        assert page.locator("tbody tr:visible").count() == rows[stage]
        labels = [one.get_attribute("aria-label") for one in page.locator("canvas[role=img]").all()]
        assert len({*labels}) == 3
        assert any(words.get(stage, "") in label for label in labels)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        if stage in (1, 4, 5):  # the others show a part of what these do, or of the result, which stands elsewhere
            assert faults(page) == []
    assert page.complaints == []


def test_only_stages_are_announced(at_stage):
    page = at_stage(4)
    page.evaluate("""() => {
        window.announced = 0;
        const observer = new MutationObserver(() => { window.announced += 1; });
        for (const node of document.querySelectorAll("[role=status], [aria-live]")) {
            observer.observe(node, { childList: true, characterData: true, subtree: true });
        }
    }""")
    set_model(page, temperature=8, point=3)
    frames(page, 3)
    assert page.evaluate("window.announced") == 0
    set_model(page, stage=5)
    frames(page, 3)
    assert page.evaluate("window.announced") == 1


# Frames that the page asks for until `end` is called.
COUNT_FRAMES = """() => {
    const next = window.requestAnimationFrame;
    window.asked = 0;
    window.requestAnimationFrame = (callback) => { window.asked += 1; return next.call(window, callback); };
    window.end = () => { window.requestAnimationFrame = next; return window.asked; };
}"""


def test_nothing_moves_before_play_is_pressed(show):
    explorer = distillation_steps()
    explorer.playing = True  # saved while it played
    page = show(explorer)
    page.evaluate(COUNT_FRAMES)
    page.evaluate("new Promise((done) => { setTimeout(done); })")
    assert page.evaluate("window.end()") == 0
    assert [model_value(page, name) for name in ("playing", "stage")] == [False, 1]


def test_with_reduced_motion_play_shows_one_finished_stage_after_the_other(at_stage, finished):
    page = at_stage(1, reduced_motion="reduce")
    page.evaluate("""() => {
        window.captions = new Set();
        const caption = document.querySelector("figcaption");
        const observer = new MutationObserver(() => captions.add(caption.innerText));
        observer.observe(caption, { childList: true, subtree: true });
    }""")
    tab_to(page, PLAY)
    for stage in range(2, 8):
        page.keyboard.press("Enter")
        arrived(page, stage)
        frames(page, 3)
        assert [model_value(page, name) for name in ("playing", "stage")] == [False, stage]
    assert not [text for text in page.evaluate("[...captions]") if "step" in text]
    reached(page, finished)


@pytest.mark.parametrize(
    "how", ["stop()", "document.getElementById('here').replaceWith(document.getElementById('here').cloneNode())"]
)
def test_taken_off_the_page_it_stops(at_stage, how):
    page = at_stage(1)
    press(page, PLAY, "Enter")
    training_in_sight(page)
    page.evaluate(how)
    frames(page, 2)
    page.evaluate(COUNT_FRAMES)
    frames(page, 3)
    assert page.evaluate("window.end()") == 3  # those of this test
    assert page.complaints == []


def test_the_maps_follow_a_dark_page(at_stage):
    page = at_stage(2)
    picture = "document.querySelector('canvas').toDataURL()"
    before = page.evaluate(picture)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => {picture} !== before", arg=before)


def test_canvases_are_crisp_on_a_dense_screen(browser):
    with browser.new_context(device_scale_factor=2, offline=True) as context:
        page = empty_page(context)
        mount(page, "distillation_steps", distillation_steps().state())
        page.wait_for_function(
            "(({ width, clientWidth }) => width === 2 * clientWidth)(document.querySelector('canvas'))"
        )
