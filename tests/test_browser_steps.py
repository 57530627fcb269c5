"""The step-through explorer in a real browser: every way through its stages, by keyboard, from Python, under axe."""

import numpy as np
import pytest
from browser import faults, needs_chromium, tab_to
from explorer_page import model_value, press, set_model

from kdcourse.stats import compare
from kdcourse.widgets import _toy, distillation_steps

pytestmark = needs_chromium
TEMPERATURE, SPEED = "input[min='-1']", "input[min='-2']"
PLAY, NEXT = ".kdx-steps-tools button:nth-of-type(1)", ".kdx-steps-tools button:nth-of-type(2)"
AGAIN, MORE = ".kdx-steps-tools button:nth-of-type(3)", ".kdx-steps-results button"
STATUS = ".kdx-steps-status"


@pytest.fixture
def show(show):
    """The explorer, or one of its kind with other settings, at rest."""

    def opened(explorer=None, **options):
        page = show(explorer or distillation_steps(), **options)
        settled(page)
        return page

    return opened


def settled(page):
    page.locator("[role=group][aria-busy=false]").wait_for(state="attached")


def at_stage(page, stage):
    page.wait_for_function("stage => model.get('stage') === stage", arg=stage)
    settled(page)


def results(page):
    return [model_value(page, name) for name in ("accuracies", "differences", "difference_seeds")]


# ---- Every way through the stages ends the same ----


def reached(page):
    at_stage(page, 7)
    accuracies, differences, seeds = results(page)
    expected = _toy.run(0, 2.0, 0.9, 40).accuracies
    assert accuracies == expected
    assert differences == pytest.approx([100 * (expected["distilled"] - expected["hard"])])
    assert seeds == [0]


def test_setting_the_stage_from_python_shows_the_result(show):
    page = show()
    set_model(page, stage=7)
    reached(page)


def test_stepping_by_keyboard_alone_reaches_the_result(show):
    page = show()
    tab_to(page, NEXT)
    for stage in range(2, 8):
        page.keyboard.press("Enter")
        at_stage(page, stage)
        assert page.locator(STATUS).inner_text().startswith(f"Stage {stage} of 7: ")
        assert page.locator("[aria-current=step]").inner_text().startswith(str(stage))
    reached(page)
    page.keyboard.press("Enter")  # there is no next one
    assert model_value(page, "stage") == 7
    assert page.evaluate("document.activeElement.innerText") == "Next step"


def test_playing_reaches_the_same_result_and_stops_there(show):
    page = show()
    press(page, SPEED, "End")
    press(page, PLAY, "Space")
    assert model_value(page, "playing")
    reached(page)
    assert not model_value(page, "playing")
    assert page.locator(PLAY).inner_text() == "Play"


def test_a_pause_stops_the_training_and_a_step_finishes_it(show):
    page = show()
    press(page, PLAY, "Enter")
    caption = page.locator("figcaption").first
    page.wait_for_function("/step [1-9]/.test(document.querySelector('figcaption').innerText)")
    page.keyboard.press("Enter")
    assert not model_value(page, "playing")
    before = caption.inner_text()
    frames(page, 5)
    assert caption.inner_text() == before
    assert "training: step" in before
    assert model_value(page, "accuracies") == {}
    press(page, NEXT, "Enter")
    settled(page)
    assert model_value(page, "stage") == 2
    assert model_value(page, "accuracies") == {"teacher": _toy.run(0, 2.0, 0.9, 40).accuracies["teacher"]}


def frames(page, n):
    page.evaluate("async n => { while (n--) await new Promise(requestAnimationFrame); }", n)


def test_settings_changed_while_students_train_in_sight_start_both_again(show):
    page = show()
    set_model(page, stage=5)
    settled(page)
    press(page, PLAY, "Enter")
    page.wait_for_function("/step [1-9]/.test(document.querySelectorAll('figcaption')[1].innerText)")
    set_model(page, temperature=8)
    press(page, SPEED, "End")
    at_stage(page, 7)
    assert results(page)[0] == _toy.run(0, 8.0, 0.9, 40).accuracies


def test_starting_again_goes_back_to_the_data(show):
    page = show()
    set_model(page, stage=7)
    settled(page)
    press(page, AGAIN, "Enter")
    assert model_value(page, "stage") == 1
    assert model_value(page, "accuracies") == {}
    assert "not trained yet" in page.locator("figcaption").first.inner_text()
    set_model(page, stage=7)
    reached(page)


def test_a_stage_can_be_chosen_by_its_name(show):
    page = show()
    press(page, ".kdx-steps-trail li:nth-child(4) button", "Enter")
    at_stage(page, 4)
    assert page.locator(STATUS).inner_text().startswith("Stage 4 of 7: Soften.")


# ---- Settings, numbers and verdicts ----


def test_another_seed_at_the_result_is_trained_and_added(show):
    page = show()
    set_model(page, stage=7)
    settled(page)
    tab_to(page, "input[type=number]")
    page.keyboard.press("ArrowUp")
    settled(page)
    accuracies, differences, seeds = results(page)
    assert accuracies == _toy.run(1, 2.0, 0.9, 40).accuracies
    assert seeds == [0, 1]
    assert len(differences) == 2
    page.keyboard.press("ArrowDown")
    settled(page)
    assert results(page)[2] == [0, 1]  # counted once


@pytest.mark.parametrize("setting", [{"temperature": 8}, {"soft_weight": 0.5}, {"transfer_size": 80}])
def test_changed_settings_empty_the_differences_and_train_anew(show, setting):
    page = show()
    set_model(page, stage=7)
    settled(page)
    set_model(page, seed=1)
    settled(page)
    set_model(page, **setting)
    settled(page)
    accuracies, differences, seeds = results(page)
    expected = _toy.run(1, *({"temperature": 2.0, "soft_weight": 0.9, "transfer_size": 40} | setting).values())
    assert accuracies == expected.accuracies
    assert seeds == [1]
    assert differences == pytest.approx([100 * (accuracies["distilled"] - accuracies["hard"])])


def test_changed_settings_before_the_result_only_empty(show):
    page = show()
    set_model(page, stage=7)
    settled(page)
    set_model(page, stage=4)
    set_model(page, temperature=4)
    settled(page)
    accuracies, differences, seeds = results(page)
    assert list(accuracies) == ["teacher", "hard"]  # which know no temperature
    assert (differences, seeds) == ([], [])


def test_ten_more_seeds_give_an_interval_and_a_verdict_in_words(show):
    page = show()
    set_model(page, stage=7)
    settled(page)
    assert "One seed proves nothing" in page.locator(".kdx-steps-results").inner_text()
    press(page, MORE, "Enter")
    page.wait_for_function("model.get('differences').length === 11")
    _, differences, seeds = results(page)
    assert seeds == list(range(11))
    found = [_toy.run(seed, 2.0, 0.9, 40).accuracies for seed in range(11)]
    expected = compare([100 * one["distilled"] for one in found], [100 * one["hard"] for one in found])
    assert differences == pytest.approx([100 * (one["distilled"] - one["hard"]) for one in found])
    said = page.locator(".kdx-steps-results > p").last.inner_text().replace("−", "-")
    low, high = f"{expected.low:+.1f}", f"{expected.high:+.1f}"
    assert f"{expected.mean:+.1f} points on average over 11 seeds (a dot each), 95 % interval {low} to {high}." in said
    assert {"better": "Better:", "worse": "Worse:", "inconclusive": "Inconclusive:"}[expected.verdict] in said
    assert page.locator(".kdx-steps-dot").count() == 11
    assert page.locator(".kdx-steps-results [role=status]").inner_text().startswith("10 more seeds are trained.")


def test_more_seeds_can_be_stopped(show):
    page = show()
    set_model(page, stage=7)
    settled(page)
    press(page, MORE, "Enter")
    page.wait_for_function("model.get('differences').length >= 2")
    page.keyboard.press("Enter")
    trained = len(results(page)[1])
    frames(page, 5)
    assert len(results(page)[1]) == trained < 11


def cells(page, row):
    return [float(text) for text in page.locator(f"tr:visible:has(th:text-matches('{row}')) td").all_inner_texts()]


def test_the_numbers_of_the_point_are_those_of_python(show):
    page = show()
    set_model(page, stage=7, temperature=4, point=11)
    settled(page)
    result = _toy.run(0, 4.0, 0.9, 40)
    one, label = result.transfer.inputs[[11]], result.transfer.labels[[11]]
    teacher, hard, distilled = (_toy.logits(net, one) for net in (result.teacher, result.hard, result.distilled))
    before = _toy.logits(_toy.network(_toy.STUDENT_SIZES, 0, "student"), one)
    rows = {
        "hard label": np.eye(3)[label[0]],
        "^teacher.s logits": teacher[0],
        "^teacher, T": np.exp(_toy.log_softmax(teacher))[0],
        "^soft label": np.exp(_toy.log_softmax(teacher, 4))[0],
        "^distilled student": np.exp(_toy.log_softmax(distilled, 4))[0],
        "^student on labels": np.exp(_toy.log_softmax(hard))[0],
        "^T² · KL": [_toy.loss(each, label, teacher, 4, 1)[0] for each in (before, distilled)],
        "^cross-entropy": [_toy.loss(each, label)[0] for each in (before, distilled)],
        "^loss = ": [_toy.loss(each, label, teacher, 4, 0.9)[0] for each in (before, distilled)],
        "^loss of the student": [_toy.loss(each, label)[0] for each in (before, hard)],
    }
    for name, values in rows.items():
        assert cells(page, name) == pytest.approx(list(values), abs=0.051 if "logits" in name else 0.0051), name


@pytest.mark.parametrize(("stage", "rows"), [(1, 0), (2, 0), (3, 3), (4, 4), (5, 6), (6, 10), (7, 10)])
def test_rows_of_numbers_come_with_their_stages(show, stage, rows):
    page = show()
    set_model(page, stage=stage)
    settled(page)
    assert page.locator("tbody tr:visible").count() == rows


def test_sliders_by_keyboard_set_the_traits(show):
    page = show()
    set_model(page, stage=3)
    settled(page)
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


@pytest.mark.parametrize("typed", ["-1", "100000", "1.5", ""])
def test_a_seed_that_is_none_changes_nothing(show, typed):
    page = show()
    tab_to(page, "input[type=number]")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(typed)
    assert model_value(page, "seed") == 0


# ---- For everybody ----


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [900, 360, 320])
def test_axe_finds_no_fault_at_any_stage_and_the_page_is_not_wider_than_a_phone(show, scheme, width):
    page = show(color_scheme=scheme, viewport={"width": width, "height": 900})
    for stage in range(1, 8):
        set_model(page, stage=stage)
        settled(page)
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


def test_controls_have_labels_and_show_the_focus(show):
    page = show()
    set_model(page, stage=7)
    settled(page)
    for control in page.locator("input").all():
        assert control.evaluate("node => node.labels.length === 1 && node.labels[0].innerText.trim() !== ''")
    for selector in (PLAY, NEXT, AGAIN, SPEED, "input[type=number]", "[aria-current=step]", TEMPERATURE, MORE):
        tab_to(page, selector)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        assert page.evaluate("document.activeElement.dataset.lmSuppressShortcuts") == "true"


def test_every_map_says_what_it_shows(show):
    page = show()
    maps = page.locator("canvas[role=img]")
    for stage, word in [(1, "overlap"), (2, "88.5 %"), (7, "as the teacher does on")]:
        set_model(page, stage=stage)
        settled(page)
        labels = [one.get_attribute("aria-label") for one in maps.all()]
        assert len({*labels}) == 3
        assert any(word in label for label in labels)


def test_only_stages_are_announced(show):
    page = show()
    set_model(page, stage=4)
    settled(page)
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


COUNT_FRAMES = """() => {
    window.asked = 0;
    const next = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (callback) => { window.asked += 1; return next(callback); };
}"""


def test_nothing_moves_before_play_is_pressed(show):
    explorer = distillation_steps()
    explorer.playing = True  # saved while it played
    page = show(explorer)
    page.evaluate(COUNT_FRAMES)
    page.evaluate("new Promise((done) => { setTimeout(done); })")
    assert page.evaluate("window.asked") == 0
    assert [model_value(page, name) for name in ("playing", "stage")] == [False, 1]


def test_with_reduced_motion_play_shows_one_finished_stage_after_the_other(show):
    page = show(reduced_motion="reduce")
    page.evaluate("""() => {
        window.captions = new Set();
        const caption = document.querySelector("figcaption");
        const observer = new MutationObserver(() => captions.add(caption.innerText));
        observer.observe(caption, { childList: true, subtree: true });
    }""")
    tab_to(page, PLAY)
    for stage in range(2, 8):
        page.keyboard.press("Enter")
        at_stage(page, stage)
        frames(page, 3)
        assert [model_value(page, name) for name in ("playing", "stage")] == [False, stage]
    assert not [text for text in page.evaluate("[...captions]") if "step" in text]
    reached(page)


@pytest.mark.parametrize("how", ["stop()", "document.getElementById('here').remove()"])
def test_taken_off_the_page_it_stops(show, how):
    page = show()
    press(page, PLAY, "Enter")
    page.wait_for_function("/step [1-9]/.test(document.querySelector('figcaption').innerText)")
    page.evaluate(how)
    frames(page, 2)
    page.evaluate(COUNT_FRAMES)
    frames(page, 3)
    assert page.evaluate("window.asked") == 3  # those of this test
    assert page.complaints == []


def test_the_maps_follow_a_dark_page(show):
    page = show(color_scheme="light")
    set_model(page, stage=2)
    settled(page)
    picture = "document.querySelector('canvas').toDataURL()"
    before = page.evaluate(picture)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => {picture} !== before", arg=before)


def test_canvases_are_crisp_on_a_dense_screen(show):
    page = show(device_scale_factor=2)
    page.wait_for_function(
        "document.querySelector('canvas').width === 2 * document.querySelector('canvas').clientWidth"
    )
