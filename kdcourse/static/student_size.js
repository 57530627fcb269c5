// The explorer of student sizes: what a student of a size retains, what it costs, and when it has paid for its making.

import { chart, line, mark, percent, shape, ticks } from "./charts.js";
import { assign, choice, mount, numberField, setter, slider, words } from "./controls.js";
import { element } from "./dom.js";
import { breakEven, costPer1000, nearest, plain, thousands } from "./maths.js";

const HORIZONS = [["a day", 1], ["a week", 7], ["a month", 30], ["a year", 365], ["ten years", 3650]];
const ENOUGH = 95; // percent of the teacher's accuracy
const MOST_MONEY = 1e12;
const COSTS = [
  ["teacher", "circle", "kdx-size-teacher"],
  ["student", "square", "kdx-size-student kdx-size-dashed"],
  ["break-even", "cross", "kdx-size-even"],
];

const STYLE = `
  & .kdx-size-money { grid-template-columns: minmax(6rem, 11rem) minmax(4rem, 1fr) 7rem; }
  & .kdx-size-money > input[type="number"] { grid-column: auto; }
  & .kdx-size-charts {
    display: grid;
    gap: 0 1.2rem;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr));
  }
  & .kdx-size-key { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; }
  & .kdx-size-key > span { align-items: center; display: flex; gap: 0.4rem; }
  & .kdx-size-swatch { height: 0.8rem; overflow: visible; width: 1.8rem; }
  & :is(.kdx-size-teacher, .kdx-size-student, .kdx-size-even) { stroke-width: 2; }
  & .kdx-size-teacher { fill: var(--kdx-a); stroke: var(--kdx-a); }
  & .kdx-size-student { fill: var(--kdx-b); stroke: var(--kdx-b); }
  & .kdx-size-even { stroke: var(--kdx-c); }
  & line.kdx-size-even { stroke-dasharray: 2 3; }
  & line.kdx-size-dashed { stroke-dasharray: 7 4; }
  & .kdx-size-enough { stroke: currentColor; stroke-dasharray: 6 4; }
  & .kdx-size-here { fill: var(--kdx-faint); }
  @container (max-width: 34rem) {
    & .kdx-control.kdx-size-money { grid-template-columns: minmax(5rem, 7rem) minmax(3rem, 1fr) 5.5rem; }
  }
`;

// The place of the size whose ratio is nearest, as a factor.
function placeOf(sizes, ratio) {
  return nearest(sizes.map((size) => Math.log(size.ratio)), Math.log(ratio));
}

// Percent retained, costs per 1,000 requests and over the horizon, break-even: all that is shown.
export function numbersOf(curve, { ratio, price, requests_per_day: perDay, one_time_cost: once }) {
  const { teacher, sizes } = curve;
  const size = sizes[placeOf(sizes, ratio)];
  const [teacherCost, studentCost] = [teacher, size].map((model) => costPer1000(model.ms, price));
  const requests = breakEven(once, teacherCost, studentCost);
  const days = requests / perDay;
  const fits = HORIZONS.find(([, length]) => days <= length) ?? HORIZONS.at(-1);
  const [horizon, length] = days === Infinity ? HORIZONS[3] : fits;
  const costs = [teacherCost, studentCost];
  const spent = [(length * perDay * teacherCost) / 1000, once + (length * perDay * studentCost) / 1000];
  return { ratio: size.ratio, ...retained(teacher, size), costs, requests, days, perDay, once, horizon, length, spent };
}

// What the explorer says; the first line is the finding.
export function say(curve, values) {
  const { ratio, kept, low, high, costs, requests, days, perDay, horizon, spent } = numbersOf(curve, values);
  const size = `${plain(ratio)}× smaller`;
  return [
    `${size}: ${verdict(low, high)} ${ENOUGH} % of the teacher's accuracy. ${payback(days)}`,
    `${size}: retains ${kept.toFixed(1)} % [${low.toFixed(1)} %, ${high.toFixed(1)} %] of the teacher's accuracy.`,
    `1,000 requests cost ${plain(costs[0])} with the teacher, ${plain(costs[1])} with the student.`,
    when(requests, days, perDay),
    `In ${horizon}, the teacher costs ${plain(spent[0])}; the student costs ${plain(spent[1])}, its making included.`,
  ];
}

function retained(teacher, size) {
  const [kept, low, high] = ["accuracy", "low", "high"].map((name) => (100 * size[name]) / teacher.accuracy);
  return { kept, low, high };
}

function verdict(low, high) {
  if (low >= ENOUGH) return "shown to keep";
  return high < ENOUGH ? "shown to keep less than" : "these runs cannot tell whether it keeps";
}

function payback(days) {
  if (days === Infinity) return "It never pays back.";
  return days === 0 ? "It pays back at once." : `It pays back after ${plain(days)} days.`;
}

function when(requests, days, perDay) {
  if (requests === Infinity) return "Break-even: never. The student saves nothing.";
  const whole = Math.ceil(Number(requests.toFixed(3))); // 1,000,000.0000000001 is a rounding error
  const beyond = days > HORIZONS.at(-1)[1] ? " (beyond the picture)" : "";
  return `Break-even: after ${plain(whole)} requests, ${plain(days)} days at ${thousands(perDay)} a day${beyond}.`;
}

// Two digits of a power of ten: 1.3, 1.6, 2, 2.5, 3.2, ...
function rounded(exponent) {
  return Number((10 ** exponent).toPrecision(2));
}

// A slider for a number of many magnitudes, from 10 ** min to 10 ** max, and a field in its place at the right for an exact one.
function money({ label, min, max, change }) {
  const rough = slider({ label, min, max, step: 0.1, change: (exponent) => change(rounded(exponent)) });
  const exact = numberField({ label: "", max: MOST_MONEY, step: "any", change });
  exact.input.setAttribute("aria-label", `${label}, exact`);
  rough.node.classList.add("kdx-size-money");
  rough.node.lastChild.replaceWith(exact.input);
  const show = (value) => {
    rough.show(value > 0 ? Math.log10(value) : min, "", plain(value));
    exact.show(value);
  };
  return { node: rough.node, show };
}

function key(items) {
  const swatch = ([name, kind, look]) => {
    const picture = shape("svg", { class: "kdx-size-swatch", "aria-hidden": "true" });
    picture.append(line(look, ["0%", "50%"], ["100%", "50%"]), mark(kind, look, ["50%", "50%"]));
    return element("span", {}, picture, name);
  };
  return element("p", { className: "kdx-size-key" }, ...items.map(swatch));
}

// How much students of all sizes retain; `here` marks the chosen one, and is moved without drawing the others anew.
function accuracyChart(curve, here) {
  const shares = curve.sizes.map((size) => retained(curve.teacher, size));
  const bottom = Math.max(0, Math.floor((Math.min(91, ...shares.map(({ low }) => low)) - 1) / 5) * 5);
  const top = Math.max(100, ...shares.map(({ high }) => high)) + 1;
  const y = (value) => percent(top - value, 0, top - bottom);
  const x = (k) => percent(k + 0.5, 0, shares.length);
  const name = (k) => `${plain(curve.sizes[k].ratio)}×`;
  const students = shares.flatMap(({ kept, low, high }, k) => {
    const look = "kdx-size-student";
    const cap = (end) => mark("cap", look, [x(k), y(end)]);
    return [line(look, [x(k), y(low)], [x(k), y(high)]), cap(low), cap(high), mark("dot", look, [x(k), y(kept)])];
  });
  const ends = ({ low, high }) => `[${low.toFixed(1)}, ${high.toFixed(1)}]`;
  const said = shares.map((share, k) => `${name(k)} ${share.kept.toFixed(1)} ${ends(share)}`);
  return {
    x: shares.map((_, k) => [x(k), name(k)]),
    y: ticks(bottom, top, 5).map((value) => [y(value), plain(value)]),
    xLabel: "times smaller than the teacher",
    yLabel: "accuracy retained, % of the teacher's",
    words: `Percent of the teacher's accuracy that students of each size retain: ${said.join(", ")}.`,
    shapes: [line("kdx-size-enough", ["0%", y(ENOUGH)], ["100%", y(ENOUGH)]), here, ...students],
  };
}

// What teacher and student have cost so far, day by day.
function costChart(numbers, said) {
  const { spent, once, days, length, costs, perDay, horizon } = numbers;
  const most = Math.max(...spent, once) || 1;
  const top = 1.05 * most;
  const [unit, scale] = most >= 1e9 ? [" (billions)", 1e9] : most >= 1e6 ? [" (millions)", 1e6] : ["", 1];
  const y = (value) => percent(top - value, 0, top);
  const x = (value) => percent(value, 0, length);
  const over = (look, kind, first, last) => {
    const ends = [[x(0), y(first)], [x(length), y(last)]];
    return [line(look, ...ends), ...ends.map((end) => mark(kind, look, end))];
  };
  const met = (days * perDay * costs[0]) / 1000;
  const meeting = [x(days), y(met)];
  const even = [line("kdx-size-even", [x(days), y(0)], meeting), mark("cross", "kdx-size-even", meeting)];
  return {
    x: ticks(0, length, 4).map((value) => [x(value), plain(value)]),
    y: ticks(0, top, 4).map((value) => [y(value), plain(value / scale)]),
    xLabel: `days (${horizon})`,
    yLabel: `cost so far, in your currency${unit}`,
    words: said,
    shapes: [
      ...over("kdx-size-teacher", "circle", 0, spent[0]),
      ...over("kdx-size-student kdx-size-dashed", "square", once, spent[1]),
      ...(days <= length ? even : []),
    ],
  };
}

function render({ model, el }) {
  const curves = model.get("curves");
  const names = ["ratio", "price", "requests_per_day", "one_time_cost"];
  const values = () => Object.fromEntries(names.map((name) => [name, model.get(name)]));

  const curve = choice({
    label: "accuracies from",
    options: curves.map(({ name }) => name),
    change: (place) => {
      const { sizes } = curves[place];
      assign(model, { curve: place, ratio: sizes[placeOf(sizes, model.get("ratio"))].ratio });
    },
  });
  const size = slider({
    label: "times smaller than the teacher",
    max: 1,
    change: (place) => assign(model, { ratio: curves[model.get("curve")].sizes[place].ratio }),
  });
  const price = money({ label: "price per machine-hour", min: -2, max: 3, change: setter(model, "price") });
  const load = slider({
    label: "requests per day",
    min: 2, // powers of ten
    max: 8,
    step: 0.1,
    change: (exponent) => assign(model, { requests_per_day: rounded(exponent) }),
  });
  const making = { label: "one-time cost of the student", max: MOST_MONEY, step: "any" };
  const once = numberField({ ...making, change: setter(model, "one_time_cost") });
  const finding = element("p", { className: "kdx-finding" });
  const [accuracies, costs] = [chart(), chart()];
  const said = words();
  const about = element("p", { className: "kdx-note" });

  const here = shape("rect", { class: "kdx-size-here", y: 0, height: "100%" });
  let drawn; // the curve whose chart is there

  const draw = () => {
    const chosen = curves[model.get("curve")];
    const numbers = numbersOf(chosen, values());
    const [first, ...lines] = say(chosen, values());
    const place = placeOf(chosen.sizes, model.get("ratio"));
    curve.show(model.get("curve"));
    size.input.max = chosen.sizes.length - 1;
    size.input.disabled = chosen.sizes.length === 1;
    size.show(place, `${plain(numbers.ratio)}×`, `${plain(numbers.ratio)}×: retains ${numbers.kept.toFixed(1)} %`);
    price.show(model.get("price"));
    load.show(Math.log10(numbers.perDay), thousands(numbers.perDay));
    once.show(model.get("one_time_cost"));
    finding.textContent = first;
    if (drawn !== chosen) accuracies.show(accuracyChart(chosen, here));
    drawn = chosen;
    here.setAttribute("x", percent(place, 0, chosen.sizes.length));
    here.setAttribute("width", percent(1, 0, chosen.sizes.length));
    costs.show(costChart(numbers, lines.slice(2).join(" ")));
    said.show(lines);
    about.textContent = chosen.about;
    el.dataset.alt = [first, ...lines, accuracies.node.getAttribute("aria-label")].join(" ");
  };
  const charts = [
    [key([["student, with its interval", "dot", "kdx-size-student"]]), accuracies.node],
    [key(COSTS), costs.node],
  ];
  const parts = [
    element("div", { className: "kdx-controls" }, ...[curve, size, price, load, once].map(({ node }) => node)),
    finding,
    element("div", { className: "kdx-size-charts" }, ...charts.map((each) => element("div", {}, ...each))),
    said.node,
    about,
  ];
  draw();
  const redraw = { "curve ratio price requests_per_day one_time_cost": draw };
  return mount(el, model, { title: "Student size, cost and break-even", style: STYLE, parts, redraw });
}

export default { render };
