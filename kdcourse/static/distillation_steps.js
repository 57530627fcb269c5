// The step-through explorer: distillation from the data to the result, on a toy problem that is trained here, in the page.

import { assign, button, idle, mount, numberField, setter, slider, temperatureSlider } from "./controls.js";
import { element, setText } from "./dom.js";
import { resultsPanel } from "./steps_results.js";
import { scene } from "./steps_scene.js";
import { STYLE } from "./steps_style.js";
import { STAGES } from "./steps_words.js";
import { differenceInPoints, pipeline, STUDENTS_STAGE, TEACHER_STAGE, TOY } from "./toy.js";

const LAST = STAGES.length;
const FRAME_BUDGET = 8; // milliseconds of training in one frame; what is left of 16 is for drawing
const INPUT_BUDGET = 3; // and in the handling of one move of a slider; the frames after it do the rest
const TRAINING_TIME = 6000; // milliseconds that a training takes to watch, at speed 1
const READING_TIME = 6000; // and that a stage without training stands
const MORE = 10; // seeds
const SETTINGS = ["temperature", "soft_weight", "transfer_size"];

function render({ model, el }) {
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  const values = () => SETTINGS.map((name) => model.get(name));
  const settings = () => {
    const [temperature, softWeight, transferSize] = values();
    return { temperature, softWeight, transferSize };
  };
  const stageNow = () => model.get("stage");
  const chosen = () => Math.min(model.get("point"), model.get("transfer_size") - 1);
  let work = pipeline(model.get("seed"), settings());
  let displayed = work; // the same, except for the moment in which another seed is trained
  let midway = false; // inside a training that is being watched; otherwise a stage shows what it ends with
  let own = false; // is it this explorer that is setting the stage?
  let waited = 0; // milliseconds that the stage has stood
  let due = 0; // steps that the watched training should make by now
  let more = null; // {seeds, current}: further seeds that wait for their training, and the pipeline of the first
  let request = null; // of the next frame
  let last = null; // when the last frame came
  let stopped = false;
  let seen = false;
  let measured = values().join(); // the settings that the list of differences belongs to
  const behind = () => !midway && work.behind(stageNow());

  // ---- What can be pressed and moved ----

  const setting = (name) => setter(model, name);
  const play = button("Play", () => assign(model, { playing: !model.get("playing") }));
  const next = button("Next step", () => (midway ? finish() : stageNow() < LAST && go(stageNow() + 1)));
  const again = button("Start again", () => {
    assign(model, { playing: false });
    more = null;
    work.restart();
    go(1);
  });
  const speed = slider({ label: "speed", min: -2, max: 3, step: 0.5, change: (exponent) => setting("speed")(2 ** exponent) });
  const change = (value) => Number.isInteger(value) && setting("seed")(value);
  const seed = numberField({ label: "seed", max: 99999, step: 1, change });
  const temperature = temperatureSlider(model);
  const softWeight = slider({ label: "soft weight", max: 1, step: 0.05, change: setting("soft_weight") });
  const size = slider({
    label: "points in the transfer set",
    min: 10,
    max: TOY.mostTransfer,
    step: 10,
    change: (n) => assign(model, { point: Math.min(model.get("point"), n - 1), transfer_size: n }),
  });
  const point = slider({ label: "highlighted point", min: 1, max: 1, step: 1, change: (k) => setting("point")(k - 1) });
  const chips = STAGES.map(([name], k) => {
    const chip = button("", () => go(k + 1));
    chip.append(`${k + 1}`, element("span", { className: "kdx-steps-name" }, ` ${name}`));
    return chip;
  });
  const title = element("strong");
  const status = element("p", { role: "status", className: "kdx-steps-status" }, title, element("span"));
  const shown = scene(el, () => draw());
  const results = resultsPanel(MORE, () => {
    const from = Math.max(model.get("seed"), ...model.get("difference_seeds")) + 1;
    more = more ? null : { seeds: Array.from({ length: MORE }, (_, k) => from + k), current: null };
    drawResults();
    wake();
  });

  // ---- Where it stands ----

  const go = (stage, watched = false) => {
    waited = 0;
    due = 0;
    midway = watched && (stage === TEACHER_STAGE || stage === STUDENTS_STAGE);
    if (midway) (stage === TEACHER_STAGE ? work.restart : work.restartStudents)();
    own = true;
    assign(model, { stage });
    own = false;
    if (stage === LAST && model.get("playing")) assign(model, { playing: false });
    settle();
  };
  const finish = () => {
    midway = false;
    waited = 0;
    settle();
  };
  // Train what the stage shows, for a moment now and then in the frames that follow; and draw.
  const settle = () => {
    if (midway) work.meet();
    else work.pursue(stageNow(), INPUT_BUDGET);
    publish();
    draw();
    wake();
  };
  const publish = () => {
    const now = values().join();
    if (now !== measured) assign(model, { differences: [], difference_seeds: [] });
    measured = now;
    const accuracies = work.accuracies();
    if (JSON.stringify(accuracies) !== JSON.stringify(model.get("accuracies"))) assign(model, { accuracies });
    if (accuracies.distilled !== undefined && !model.get("difference_seeds").includes(work.seed)) {
      addDifference(work.seed, accuracies);
    }
  };
  const addDifference = (trained, accuracies) => assign(model, {
    differences: [...model.get("differences"), differenceInPoints(accuracies)],
    difference_seeds: [...model.get("difference_seeds"), trained],
  });
  const changed = () => {
    more = null;
    for (const one of new Set([work, displayed])) one.change(settings());
    if (midway && stageNow() === STUDENTS_STAGE) work.restartStudents(); // both again: they are a pair
    settle();
  };
  const reseeded = () => {
    more = null;
    work = pipeline(model.get("seed"), settings());
    midway &&= stageNow() === TEACHER_STAGE;
    settle();
  };
  const played = () => {
    if (model.get("playing")) {
      more = null;
      waited = READING_TIME; // who presses Play has read
      if (stillness.matches) {
        assign(model, { playing: false });
        go(stageNow() < LAST ? stageNow() + 1 : 1);
      } else if (stageNow() === LAST) {
        work.restart();
        go(1);
      }
    }
    draw();
    wake();
  };

  // ---- Frames ----

  const wake = () => {
    if (request === null && !stopped && (behind() || model.get("playing") || more)) request = requestAnimationFrame(frame);
    else if (request === null) last = null;
  };
  const frame = (now) => {
    request = null;
    seen ||= el.isConnected;
    if (stopped || (seen && !el.isConnected)) return; // taken off the page
    const passed = last === null ? 0 : Math.min(now - last, 100) * model.get("speed");
    last = now;
    if (behind()) {
      if (work.pursue(stageNow(), FRAME_BUDGET)) {
        publish();
        draw();
      }
    } else if (model.get("playing")) watch(passed);
    else if (more) trainMore();
    wake();
  };
  const watch = (passed) => {
    if (!midway) {
      waited += passed;
      if (waited >= READING_TIME) go(stageNow() + 1, true);
      return;
    }
    const trainers = stageNow() === TEACHER_STAGE ? [work.teacher] : Object.values(work.meet());
    due = Math.min(due + (passed * trainers[0].steps) / TRAINING_TIME, 50); // a slow machine does not catch up
    for (const end = performance.now() + FRAME_BUDGET; due >= 1 && performance.now() < end; due -= 1) {
      trainers.forEach((trainer) => trainer.advance());
    }
    if (trainers[0].done()) finish();
    else draw();
  };
  const trainMore = () => {
    more.current ??= pipeline(more.seeds[0], settings());
    if (!more.current.pursue(LAST, FRAME_BUDGET)) return;
    const [trained, ...left] = more.seeds;
    const accuracies = more.current.accuracies();
    more = left.length ? { seeds: left, current: null } : null;
    addDifference(trained, accuracies);
    if (!more) results.finish();
  };

  // ---- Drawing ----

  const draw = () => {
    const stage = stageNow();
    drawControls(stage);
    const busy = behind();
    el.lastChild.setAttribute("aria-busy", String(busy));
    if (!busy || midway) displayed = work; // until then the maps of the last seed stay: no flash of an untrained network
    const accuracies = model.get("accuracies");
    shown.draw({ work: displayed, stage, settings: settings(), chosen: chosen(), accuracies, busy, watched: midway });
    drawResults();
    el.dataset.alt = [title.textContent.trim(), ...results.lines(), ...shown.described()].join(" ");
  };
  const drawControls = (stage) => {
    const { temperature: T, softWeight: weight, transferSize } = settings();
    play.textContent = stillness.matches ? "Play one stage" : model.get("playing") ? "Pause" : "Play";
    idle(next, stage === LAST); // stays where the keyboard is
    chips.forEach((chip, k) => {
      if (k + 1 === stage) chip.setAttribute("aria-current", "step");
      else chip.removeAttribute("aria-current");
    });
    const [name, text] = STAGES[stage - 1];
    setText(title, `Stage ${stage} of ${LAST}: ${name}. `);
    setText(status.lastChild, text);
    const factor = model.get("speed");
    speed.show(Math.log2(factor), `${factor.toFixed(2).replace(/\.?0+$/, "")}×`);
    const typing = document.activeElement === seed.input && seed.input.getAttribute("aria-invalid") === "true";
    if (!typing) seed.show(model.get("seed"));
    temperature.show(Math.log2(T), T.toFixed(1));
    softWeight.show(weight, weight.toFixed(2));
    size.show(transferSize, String(transferSize));
    point.node.hidden = stage === LAST; // its numbers are not shown there
    point.input.max = transferSize;
    point.show(chosen() + 1, String(chosen() + 1));
  };
  const drawResults = () => {
    const accuracies = model.get("accuracies");
    results.node.hidden = stageNow() < LAST || accuracies.distilled === undefined;
    if (results.node.hidden) return;
    results.show(work.seed, accuracies, model.get("differences"), model.get("soft_weight"), more?.seeds);
  };

  const tools = element("div", { className: "kdx-steps-tools" }, play, next, again, speed.node, seed.node);
  const trail = element("ol", { className: "kdx-steps-trail" }, ...chips.map((chip) => element("li", {}, chip)));
  const dials = element("div", { className: "kdx-steps-dials" }, temperature.node, softWeight.node, size.node, point.node);
  const leave = mount(el, model, {
    title: "Step through distillation",
    style: STYLE,
    parts: [tools, trail, status, shown.legend, shown.maps, results.node, dials, shown.numbers],
    redraw: {
      stage: () => own || finish(),
      playing: played,
      [SETTINGS.join(" ")]: changed,
      seed: reseeded,
      "point speed": () => draw(),
      "differences accuracies": () => drawResults(),
    },
  });
  if (model.get("playing")) assign(model, { playing: false }); // saved while it played: only the reader starts it again
  settle();
  return () => {
    stopped = true;
    if (request !== null) cancelAnimationFrame(request);
    shown.stop();
    leave();
  };
}

export default { render };
