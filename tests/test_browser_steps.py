"""The step-through explorer in a real browser: its toy problem against Python's, and every way through its stages."""

import numpy as np
import pytest
from browser import chromium, faults, needs_chromium, tab_to
from explorer_page import call, model_value, open_explorer, press, set_model

from kdcourse.stats import compare
from kdcourse.widgets import _toy, distillation_steps
from kdcourse.widgets.bundle import bundle

pytestmark = needs_chromium
TEMPERATURE, SPEED = "input[min='-1']", "input[min='-2']"
PLAY, NEXT = ".kdx-steps-tools button:nth-of-type(1)", ".kdx-steps-tools button:nth-of-type(2)"
AGAIN, MORE = ".kdx-steps-tools button:nth-of-type(3)", ".kdx-steps-results button"
STATUS = ".kdx-steps-status"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def show(browser, tmp_path):
    """A function that opens an explorer; options are the browser context's."""
    contexts = []

    def opened(explorer=None, **options):
        contexts.append(browser.new_context(offline=True, **options))
        explorer = explorer or distillation_steps()
        page = open_explorer(contexts[-1], explorer, tmp_path / f"page{len(contexts)}.html")
        settled(page)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def toy(browser):
    """A page to evaluate functions of toy.js on."""
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


def settled(page):
    page.locator("[role=group][aria-busy=false]").wait_for(state="attached")


def at_stage(page, stage):
    page.wait_for_function("stage => model.get('stage') === stage", arg=stage)
    settled(page)


def results(page):
    return [model_value(page, name) for name in ("accuracies", "differences", "difference_seeds")]


def in_toy(page, script, *inputs):
    """What an async function says whose first argument is toy.js as a module."""
    load = "URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))"
    code = f"async ([source, ...inputs]) => ({script})(await import({load}), ...inputs)"
    return page.evaluate(code, [bundle("toy"), *inputs])


# ---- The same toy problem on both sides ----


def test_both_sides_have_the_same_settings(toy):
    settings = in_toy(toy, "toy => toy.TOY")
    assert settings == {
        "classes": _toy.CLASSES,
        "edge": _toy.EDGE,
        "noise": _toy.NOISE,
        "trainingPoints": _toy.TEACHER_POINTS,
        "testPoints": _toy.TEST_POINTS,
        "mostTransfer": 200,
        "teacher": {
            "sizes": list(_toy.TEACHER_SIZES),
            "steps": _toy.TEACHER_STEPS,
            "rate": _toy.TEACHER_RATE,
            "batch": _toy.TEACHER_BATCH,
        },
        "student": {"sizes": list(_toy.STUDENT_SIZES), "steps": _toy.STUDENT_STEPS, "rate": _toy.STUDENT_RATE},
    }


@pytest.mark.parametrize("seed", [0, 12_345, 99_999])
def test_generator_points_and_networks_are_those_of_python(toy, seed):
    draws = (
        "(toy, seed, stream) => { const next = toy.generator(seed, stream); return Array.from({ length: 99 }, next); }"
    )
    for stream in _toy.STREAMS:
        assert in_toy(toy, draws, seed, stream) == _toy.uniform(seed, stream, 99).tolist()
    [points] = call(toy, "toy", "toyPoints", [[seed, "transfer", 50]])
    expected = _toy.points(seed, "transfer", 50)
    assert points["inputs"] == pytest.approx(expected.inputs.ravel().tolist(), rel=1e-13, abs=1e-14)
    assert points["labels"] == expected.labels.tolist()
    [net] = call(toy, "toy", "network", [[list(_toy.TEACHER_SIZES), seed, "teacher"]])
    for layer, (weights, _) in zip(net, _toy.network(_toy.TEACHER_SIZES, seed, "teacher"), strict=True):
        assert layer["weights"] == pytest.approx(weights.ravel().tolist(), rel=1e-12, abs=1e-13)


TRAINED = """(toy, seed, settings, teacherSteps, studentSteps) => {
    const work = toy.pipeline(seed, settings);
    work.teacher.advance(teacherSteps);
    const flat = (trainer) => trainer.net.flatMap(({ weights, biases }) => [...weights, ...biases]);
    const students = work.meet();
    if (students) for (const student of Object.values(students)) student.advance(studentSteps);
    const both = students && { hard: flat(students.hard), distilled: flat(students.distilled) };
    return { teacher: flat(work.teacher), ...both, accuracies: work.accuracies() };
}"""


def flat(net):
    return np.concatenate([part.ravel() for layer in net for part in layer]).tolist()


@pytest.mark.parametrize("seed", [0, 3])
def test_the_first_steps_of_the_teacher_are_those_of_python(toy, seed):
    # Five of the 400 steps, so that the rate falls alike.
    got = in_toy(toy, TRAINED, seed, {"temperature": 2, "softWeight": 0.9, "transferSize": 40}, 5, 0)
    data = _toy.points(seed, "training", _toy.TEACHER_POINTS)
    net = _toy.network(_toy.TEACHER_SIZES, seed, "teacher")
    steps = _toy.TEACHER_STEPS
    expected, _ = _toy.trained(net, data, steps, _toy.TEACHER_RATE, _toy.TEACHER_BATCH, until=5)
    assert got["teacher"] == pytest.approx(flat(expected), rel=1e-11, abs=1e-12)
    assert "hard" not in got


@pytest.mark.parametrize(
    ("seed", "temperature", "soft_weight", "transfer_size"),
    [(0, 2.0, 0.9, 40), (5, 8.0, 0.5, 10), (99_999, 0.5, 1.0, 200), (7, 4.0, 0.0, 70)],
)
def test_the_finished_networks_are_those_of_python(toy, seed, temperature, soft_weight, transfer_size):
    settings = {"temperature": temperature, "softWeight": soft_weight, "transferSize": transfer_size}
    got = in_toy(toy, TRAINED, seed, settings, 1_000, 1_000)
    expected = _toy.run(seed, temperature, soft_weight, transfer_size)
    for name in ("teacher", "hard", "distilled"):
        assert got[name] == pytest.approx(flat(getattr(expected, name)), rel=1e-5, abs=1e-6)
    assert got["accuracies"] == expected.accuracies


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


def test_each_verdict_has_its_own_sentence(toy):
    base = {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 11}
    inputs = [[base | {"verdict": verdict}, 0.9] for verdict in ("better", "worse", "inconclusive")]
    said = call(toy, "steps_words", "verdictOf", [*inputs, [base | {"n": 1}, 0.9], [base, 0]])
    words = ["soft labels help", "soft labels harm", "cannot tell", "One seed proves nothing", "the same student"]
    for sentence, word in zip(said, words, strict=True):
        assert word in sentence
        assert [other in sentence for other in words].count(True) == 1


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
