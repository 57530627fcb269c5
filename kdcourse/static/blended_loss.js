// The loss explorer: one example, both terms of the blended loss, and what each asks of the student's logits.

import {
  assign, bar, button, checkbox, choice, idle, logitSlider, mount, setter, slider, table, temperatureSlider, words,
} from "./controls.js";
import { element, setText } from "./dom.js";
import { blendedLoss, fixed, plain, ranked, signed, soften } from "./maths.js";

const STYLE = `
  & .kdx-loss-row { grid-template-columns: minmax(0, 5fr) minmax(0, 4fr) minmax(0, 4fr); min-height: 2rem; }
  & .kdx-loss-row .kdx-track { height: 1.35rem; }
  & .kdx-signed + .kdx-number { min-width: 3.2em; /* so that the zeros of all rows stand below one another */ }
  & :is(.kdx-stack, .kdx-signed) { display: grid; grid-auto-rows: 1fr; }
  & .kdx-signed { padding-inline-start: 50%; /* several bars from one zero in the middle, one below the other */ }
  & .kdx-signed::after {
    background: currentColor;
    content: "";
    height: 100%;
    left: 50%;
    position: absolute;
    top: 0;
    width: 1px;
  }
  & .kdx-fill.kdx-hatched { background: repeating-linear-gradient(135deg, var(--kdx-b) 0 3px, transparent 3px 5px); }
  & .kdx-fill.kdx-outlined { background: transparent; border: 2px solid var(--kdx-b); }
  & .kdx-fill.kdx-own { background: color-mix(in srgb, currentColor 50%, transparent); }
  & .kdx-fill.kdx-ink { background: currentColor; }
  & .kdx-legend { display: inline-flex; flex-wrap: wrap; font-size: 0.9em; font-weight: 400; gap: 0 0.7rem; }
  & .kdx-swatch { display: inline-block; height: 0.7em; transform: none; width: 1.1em; }
  & .kdx-terms :is(td, th[scope="col"]) { min-width: 6rem; text-align: end; white-space: nowrap; }
  @container (max-width: 34rem) {
    & .kdx-loss-row { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
    & .kdx-terms :is(td, th[scope="col"]) { min-width: 0; }
  }
`;

// What the bars show, and the values of the loss. `now` is what blendedLoss returns.
function say(names, { label, teacher }, student, temperature, softWeight, squared, now) {
  const first = (logits) => {
    const shares = soften(logits, temperature);
    return ranked(shares).slice(0, 3).map((c) => `${names[c]} ${shares[c].toFixed(2)}`).join(", ");
  };
  const both = now.softGradient.map((value, c) => value + now.hardGradient[c]);
  const order = ranked(both);
  const [high, low] = [order[0], both.indexOf(Math.min(...both))];
  return [
    `The label is ${names[label]}. At T = ${temperature.toFixed(1)}, the teacher says ${first(teacher)}; the student ` +
      `says ${first(student)}.`,
    `Soft term, ${squared ? "T² · KL" : "KL without T²"}: ${plain(Math.max(now.soft, 0))}. Hard term, cross-entropy at ` +
      `T = 1: ${plain(Math.max(now.hard, 0))}. With soft weight ${softWeight.toFixed(2)}, the loss is ` +
      `${plain(Math.max(now.total, 0))}.`,
    `Together they pull the logit of ${names[low]} up most (${signed(-both[low], 2)}) and that of ${names[high]} down ` +
      `most (${signed(-both[high], 2)}).`,
  ];
}

// The rows of the table: what it is, and its value with and without T².
function ledger(withSquare, without) {
  const values = ({ soft, hard, total, softGradient, hardGradient }) => {
    const both = softGradient.map((value, c) => value + hardGradient[c]);
    const lengths = [softGradient, hardGradient, both].map((gradient) => Math.hypot(...gradient));
    return [soft, hard, total, ...lengths].map((one) => plain(Math.max(one, 0)));
  };
  const names = ["soft term", "hard term, at T = 1", "loss: both, weighted"];
  names.push("length of the pull: soft part, weighted", "… hard part, weighted", "… both together");
  return names.map((name, k) => [name, values(withSquare)[k], values(without)[k]]);
}

// The furthest that any gradient reaches at any temperature and weight, so that the axis stays while these are dragged.
function reach(student, teacher, label) {
  const gradients = [blendedLoss(student, teacher, label, 1, 0).hardGradient];
  for (let exponent = -1; exponent < 5.05; exponent += 0.1) {
    gradients.push(blendedLoss(student, teacher, label, 2 ** exponent, 1).softGradient);
  }
  return 1.05 * Math.max(1e-6, ...gradients.flat().map(Math.abs));
}

// `parts` of the pull: soft, and hard and both unless a fixed weight leaves nothing to the hard part.
function classRow(model, name, c, parts) {
  const logit = logitSlider(model, name, c);
  const shares = bar("kdx-stack", "kdx-a", "kdx-own", "kdx-outlined");
  const gradient = bar("kdx-signed", ...parts.map(([className]) => className));
  const row = element("div", { className: "kdx-row kdx-loss-row" }, logit.node, shares.node, gradient.node);
  const show = (value, p, q, y, soft, hard, limit) => {
    const total = signed(-(soft + hard), 2);
    const said = `teacher ${p.toFixed(2)}, student ${q.toFixed(2)}, pull ${total}`;
    logit.show(value, fixed(value, 1), `logit ${fixed(value, 1)}; ${said}`);
    shares.show([p, q, y], `${p.toFixed(2)} · ${q.toFixed(2)}`);
    const pulls = [soft, hard, soft + hard].slice(0, parts.length);
    gradient.show(pulls.map((one) => -one / limit), total); // the edge is ±limit; up is to the right
  };
  return { row, show };
}

function legend(...entries) {
  const items = entries.map(([className, text]) =>
    element("span", {}, element("span", { className: `kdx-swatch kdx-fill ${className}` }), ` ${text}`),
  );
  return element("span", { className: "kdx-legend" }, ...items);
}

function render({ model, el }) {
  const names = model.get("class_names");
  const examples = model.get("examples");
  const chosen = () => examples[model.get("example_number")];

  const softAlone = model.get("fixed_weight") && model.get("soft_weight") === 1;
  const parts = [["kdx-a", "soft"], ["kdx-b kdx-hatched", "hard"], ["kdx-ink", "both"]].slice(0, softAlone ? 1 : 3);

  const example = choice({
    label: "example",
    options: examples.map(({ index, label }) => `${index}: ${names[label]}`),
    change: (place) => assign(model, { example_number: place, logits: examples[place].student }),
  });
  const temperature = temperatureSlider(model);
  const weight = slider({ label: "soft weight (α)", max: 1, step: 0.05, change: setter(model, "soft_weight") });
  weight.node.hidden = model.get("fixed_weight");
  const squared = checkbox({ label: "T² in the soft term", change: setter(model, "squared") });
  const reset = button("The student's own logits", () => assign(model, { logits: chosen().student }));
  const head = element(
    "div",
    { className: "kdx-row kdx-loss-row kdx-head", "aria-hidden": "true" },
    element("span", {}, "class, and the student's logit"),
    element("span", {}, "probability at T ", legend(["kdx-a", "teacher"], ["kdx-own", "student"], ["kdx-outlined", "label"])),
    element("span", {}, "pull: ← down, up → ", legend(...parts)),
  );
  const rows = names.map((name, c) => classRow(model, name, c, parts));
  const said = words();
  const cells = Array.from({ length: 6 }, () => [element("th", { scope: "row" }), element("td"), element("td")]);
  const lines = cells.filter((_, k) => !softAlone || [0, 3].includes(k)); // the soft term, and the length of its pull
  const body = element("tbody", {}, ...lines.map((row) => element("tr", {}, ...row)));
  const terms = table("The loss, and what it asks for", ["", "with T²", "without T²"], body);
  terms.className = "kdx-terms";

  let limit = 1;
  const draw = () => {
    const { label, teacher } = chosen();
    const student = model.get("logits");
    const T = model.get("temperature");
    const w = model.get("soft_weight");
    const both = [true, false].map((square) => blendedLoss(student, teacher, label, T, w, square));
    const now = both[model.get("squared") ? 0 : 1];
    const p = soften(teacher, T);
    const q = soften(student, T);
    example.show(model.get("example_number"));
    temperature.show(Math.log2(T), T.toFixed(1), `${T.toFixed(1)}: loss ${plain(Math.max(now.total, 0))}`);
    weight.show(w, w.toFixed(2), `${w.toFixed(2)}: loss ${plain(Math.max(now.total, 0))}`);
    squared.show(model.get("squared"));
    idle(reset, chosen().student.every((value, c) => value === student[c]));
    rows.forEach(({ show }, c) => {
      show(student[c], p[c], q[c], c === label ? 1 : 0, now.softGradient[c], now.hardGradient[c], limit);
    });
    ledger(...both).forEach((line, k) => line.forEach((text, column) => setText(cells[k][column], text)));
    const told = say(names, chosen(), student, T, w, model.get("squared"), now);
    said.show(told);
    el.dataset.alt = told.join(" ");
  };
  const choose = () => {
    limit = reach(model.get("logits"), chosen().teacher, chosen().label);
    draw();
  };
  const controls = [example.node, temperature.node, weight.node, squared.node, reset];
  const picture = [head, ...rows.map(({ row }) => row)];
  choose();
  return mount(el, model, {
    title: "The blended loss",
    style: STYLE,
    parts: [element("div", { className: "kdx-controls" }, ...controls), ...picture, said.node, terms],
    redraw: { "example_number logits": choose, "temperature soft_weight squared": draw },
  });
}

export default { render };
