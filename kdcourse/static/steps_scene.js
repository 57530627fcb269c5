// What the step-through explorer shows of the networks: three maps with their captions, and the numbers of one point.

import { element } from "./dom.js";
import { inPercent } from "./maths.js";
import { legend } from "./steps_legend.js";
import { numbers } from "./steps_numbers.js";
import { agreement, ask, mapFigure, watchTheme } from "./steps_picture.js";
import { softmaxRow, STUDENTS_STAGE, TEACHER_STAGE, TOY, toyLogits } from "./toy.js";

const [RUN, SOFTEN, MATCH] = [3, 4, 5]; // stages that add something to the maps
const RESULT = 7; // and the one that compares borders: nothing else is on the maps then but the points

// redraw() is called when the maps have another size, or the page another theme.
export function scene(el, redraw) {
  const maps = {
    teacher: mapFigure("Teacher", redraw),
    hard: mapFigure("Student on labels", redraw),
    distilled: mapFigure("Distilled student", redraw),
  };
  const flow = numbers();
  const key = legend();
  const { theme, read, stop: leaveTheme } = watchTheme(el, redraw);
  const kept = {}; // of each network, the step it was asked at, and its answers all over the map
  const scores = (name, net, step) => {
    if (kept[name]?.net !== net || kept[name].step !== step) kept[name] = { net, step, scores: ask(net) };
    return kept[name].scores;
  };

  // work: a pipeline(); chosen: the highlighted point. busy: what the stage shows is still being trained, out of sight;
  // watched: in sight.
  const draw = ({ work, stage, settings, chosen, accuracies, busy, watched }) => {
    const { teacher, transfer, studentStart } = work;
    const students = stage >= STUDENTS_STAGE ? work.visible() : null;
    const netOf = (name) => students?.[name].net ?? studentStart;
    const pies = stage >= RUN && stage < RESULT ? asked(teacher.net, transfer, stage >= SOFTEN ? settings.temperature : 1) : undefined;
    const common = { theme, chosen: pies && chosen };
    key.show(stage);
    const regions = { teacher: stage >= TEACHER_STAGE ? scores("teacher", teacher.net, teacher.step) : null };
    for (const name of ["hard", "distilled"]) {
      regions[name] = stage >= MATCH ? scores(name, netOf(name), students?.[name].step ?? 0) : null;
    }
    read();
    maps.teacher.paint({ ...common, scores: regions.teacher, ...(pies ? { pies } : { dots: work.training }) });
    const student = { ...common, beside: students && regions.teacher };
    maps.hard.paint({ ...student, scores: regions.hard, dots: transfer });
    const soft = pies && stage >= SOFTEN;
    maps.distilled.paint({ ...student, scores: regions.distilled, ...(soft ? { pies } : { dots: transfer }) });

    const trained = { teacher: stage >= TEACHER_STAGE ? teacher : null, ...students };
    const sources = {
      teacher: `${TOY.trainingPoints} labelled points`,
      hard: `${transfer.n} labelled points`,
      distilled: stage >= SOFTEN ? `the same ${transfer.n}, with soft labels` : `the same ${transfer.n} points`,
    };
    for (const [name, one] of Object.entries(maps)) {
      const state = busy && accuracies[name] === undefined ? "training …" : stateOf(trained[name], accuracies[name]);
      one.say(sources[name], state, name !== "teacher" && students && !busy ? likeness(regions, name) : "");
      if (busy || watched) continue; // a screen reader hears of what has ended, not of every step
      one.describe(descriptionOf(name, regions, `${sources[name]}: ${state}`));
    }
    flow.show(stage, pies && {
      ...settings,
      point: chosen,
      label: transfer.labels[chosen],
      teacher: logitsAt(teacher.net, transfer, chosen),
      start: logitsAt(studentStart, transfer, chosen),
      now: logitsAt(netOf("distilled"), transfer, chosen),
      hard: logitsAt(netOf("hard"), transfer, chosen),
    });
  };
  const node = element("div", { className: "kdx-steps-maps" }, ...Object.values(maps).map((one) => one.node));
  const stop = () => {
    leaveTheme();
    Object.values(maps).forEach((one) => one.stop());
  };
  const described = () => Object.values(maps).map((one) => one.described());
  return { legend: key.node, maps: node, numbers: flow.node, draw, described, stop };
}

// The points, with a network's shares for each at a temperature.
function asked(net, points, temperature) {
  const logits = toyLogits(net, points.inputs);
  const shares = new Float64Array(logits.length);
  for (let k = 0; k < points.n; k += 1) softmaxRow(logits, 3 * k, temperature, shares);
  return { n: points.n, inputs: points.inputs, shares };
}

function logitsAt(net, points, k) {
  return [...toyLogits(net, points.inputs.subarray(2 * k, 2 * k + 2))];
}

function stateOf(trainer, right) {
  if (!trainer) return "not trained yet";
  return right === undefined ? `training: step ${trainer.step} of ${trainer.steps}` : `${inPercent(right)} of new points right`;
}

function likeness(regions, name) {
  return `decides as the teacher does on ${inPercent(agreement(regions[name], regions.teacher))} of the map`;
}

function descriptionOf(name, regions, facts) {
  if (!regions[name]) return `Points on the three arms of a spiral, which overlap. ${facts}.`;
  const shown = `Regions in the colours of the class that the network decides for. ${facts}`;
  if (name === "teacher") return `${shown}.`;
  return `${shown}; it ${likeness(regions, name)}.`;
}
