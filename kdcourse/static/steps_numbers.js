// The numbers that flow through the step-through explorer, for one point: logits, soft label, the student's answer, loss.

import { bar } from "./controls.js";
import { element } from "./dom.js";
import { blendedLoss, soften } from "./maths.js";
import { SHAPES } from "./steps_words.js";

// A table of three classes; show(stage, flow) fills it, and a second one of the losses, with what the stage has reached.
// flow: {label, temperature, softWeight, teacher, start, now, hard} with logits of the point: the teacher's, those of the
// students before their training, and the two trained ones' as they stand.
export function numbers() {
  const rows = [
    row(3, "hard label", true),
    row(3, "teacher's logits", false),
    row(3, "teacher, T\u00a0=\u00a01", true),
    row(4, "soft label", true),
    row(5, "distilled student", true),
    row(6, "student on labels, T\u00a0=\u00a01", true),
  ];
  const head = ["", ...SHAPES].map((text) => element(text ? "th" : "td", text ? { scope: "col" } : {}, text));
  const answers = element(
    "table",
    {},
    element("caption", {}),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows.map(({ node }) => node)),
  );
  const lossRows = [
    lossRow(5, "T² · KL"),
    lossRow(6, "cross-entropy"),
    lossRow(6, ""), // its name has the soft weight in it
    lossRow(6, "loss of the student on labels"),
  ];
  const times = ["", "before", "now"].map((text) => element(text ? "th" : "td", text ? { scope: "col" } : {}, text));
  const losses = element(
    "table",
    { className: "kdx-steps-losses" },
    element("caption", {}, "Its loss in the distilled student, before training and now"),
    element("thead", {}, element("tr", {}, ...times)),
    element("tbody", {}, ...lossRows.map(({ node }) => node)),
  );
  const node = element("div", { className: "kdx-steps-numbers" }, answers, losses);

  const show = (stage, flow) => {
    node.hidden = stage < 3;
    losses.hidden = stage < 5;
    if (node.hidden) return;
    const { label, temperature, softWeight, teacher, start, now, hard } = flow;
    const T = `T\u00a0=\u00a0${temperature.toFixed(1)}`;
    setText(answers.caption, `What flows at point ${flow.point + 1}, a ${SHAPES[label]} by its label`);
    const one = SHAPES.map((_, c) => (c === label ? 1 : 0));
    const values = [one, teacher, soften(teacher), soften(teacher, temperature), soften(now, temperature), soften(hard)];
    const names = [null, null, null, `soft label, ${T}`, `distilled student, ${T}`, null];
    rows.forEach((each, k) => each.show(stage, values[k], names[k]));
    if (losses.hidden) return;
    const before = blendedLoss(start, teacher, label, temperature, softWeight);
    const after = blendedLoss(now, teacher, label, temperature, softWeight);
    const blend = `loss = ${softWeight.toFixed(2)} · T² · KL + ${(1 - softWeight).toFixed(2)} · cross-entropy`;
    const hardNow = blendedLoss(hard, teacher, label, temperature, softWeight).hard;
    const pairs = [[before.soft, after.soft], [before.hard, after.hard], [before.total, after.total], [before.hard, hardNow]];
    lossRows.forEach((each, k) => each.show(stage, pairs[k], k === 2 ? blend : null));
  };
  return { node, show };
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A row of the first table, there from a stage on; shares are drawn as bars too.
function row(from, name, areShares) {
  const head = element("th", { scope: "row" }, name);
  const bars = SHAPES.map((_, c) => bar(`kdx-${"abc"[c]}`));
  const cells = bars.map((each) => element("td", {}, areShares ? each.node : ""));
  const node = element("tr", {}, head, ...cells);
  const show = (stage, values, newName) => {
    node.hidden = stage < from;
    if (newName) setText(head, newName);
    cells.forEach((cell, c) => {
      if (areShares) bars[c].show(values[c], values[c].toFixed(2));
      else setText(cell, values[c].toFixed(1));
    });
  };
  return { node, show };
}

function lossRow(from, name) {
  const head = element("th", { scope: "row" }, name);
  const cells = [element("td"), element("td")];
  const node = element("tr", {}, head, ...cells);
  const show = (stage, values, newName) => {
    node.hidden = stage < from;
    if (newName) setText(head, newName);
    cells.forEach((cell, k) => setText(cell, values[k].toFixed(2)));
  };
  return { node, show };
}
