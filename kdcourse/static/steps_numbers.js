// The numbers that flow through the step-through explorer, for one point: logits, soft label, the student's answer, loss.

import { bar, table } from "./controls.js";
import { element, setText } from "./dom.js";
import { blendedLoss, fixed, soften } from "./maths.js";
import { SHAPES } from "./steps_words.js";

// A table of three classes; show(stage, flow) fills it, and a second one of the losses, with what the stage has reached.
// flow: {label, temperature, softWeight, teacher, start, now, hard} with logits of the point: the teacher's, those of the
// students before their training, and the two trained ones' as they stand.
export function numbers() {
  const shares = () => SHAPES.map((_, c) => bar("", `kdx-${"abc"[c]}`));
  const rows = [
    row(3, "hard label", shares()),
    row(3, "teacher's logits", numbersOf(3, 1)),
    row(3, "teacher, T\u00a0=\u00a01", shares()),
    row(4, "soft label", shares()),
    row(5, "distilled student", shares()),
    row(6, "student on labels, T\u00a0=\u00a01", shares()),
  ];
  const lossRows = [
    row(5, "T² · KL", numbersOf(2, 2)),
    row(6, "cross-entropy", numbersOf(2, 2)),
    row(6, "", numbersOf(2, 2)), // its name has the soft weight in it
    row(6, "loss of the student on labels", numbersOf(2, 2)),
  ];
  const body = (some) => element("tbody", {}, ...some.map((each) => each.node));
  const answers = table("", ["", ...SHAPES], body(rows));
  const about = "Its loss in the distilled student, before training and now";
  const losses = table(about, ["", "before", "now"], body(lossRows));
  losses.className = "kdx-steps-losses";
  const node = element("div", { className: "kdx-steps-numbers" }, answers, losses);

  const show = (stage, flow) => {
    node.hidden = stage < 3 || stage > 6; // the result is about all points
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

// Cells of text; show([value]) writes it with so many decimals.
function numbersOf(count, decimals) {
  return Array.from({ length: count }, () => {
    const node = element("span");
    return { node, show: ([value]) => setText(node, fixed(value, decimals)) };
  });
}

// A row that is there from a stage on, with bars or numbers in its cells.
function row(from, name, cells) {
  const head = element("th", { scope: "row" }, name);
  const node = element("tr", {}, head, ...cells.map((cell) => element("td", {}, cell.node)));
  const show = (stage, values, newName) => {
    node.hidden = stage < from;
    if (newName) setText(head, newName);
    cells.forEach((cell, k) => cell.show([values[k]], fixed(values[k], 2)));
  };
  return { node, show };
}
