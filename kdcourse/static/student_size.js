// The explorer of student sizes: what a student of a size retains, what it costs, and when it has paid for its making.

import { chart, line, mark, percent, shape, ticks } from "./charts.js";
import { assign, choice, mount, numberField, setter, slider, words } from "./controls.js";
import { element } from "./dom.js";
import { breakEven, costPer1000, nearest, plain, thousands } from "./maths.js";

const HORIZONS = [["a day", 1], ["a week", 7], ["a month", 30], ["a year", 365], ["ten years", 3650]];
const MONTH = 30; // days
const LISTED = [0.1, 0.01]; // what 1,000 requests cost with a teacher and a student that are paid by the request
const MOST_MONEY = 1e12;
const COSTS = [
  ["teacher", "circle", "kdx-size-teacher"],
  ["student", "square", "kdx-size-student kdx-size-dashed"],
  ["break-even", "cross", "kdx-size-even"],
];

const STYLE = `
  & .kdx-size-money { grid-template-columns: minmax(6rem, 11rem) minmax(4rem, 1fr) 7rem; }
  & .kdx-size-money > input[type="number"] { grid-column: auto; }
  & .kdx-size-key { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; }
  & .kdx-size-key > span { align-items: center; display: flex; gap: 0.4rem; }
  & .kdx-size-swatch { height: 0.8rem; overflow: visible; width: 1.8rem; }
  & :is(.kdx-size-teacher, .kdx-size-student, .kdx-size-even) { stroke-width: 2; }
  & .kdx-size-teacher { fill: currentColor; stroke: currentColor; }
  & .kdx-size-student { fill: var(--kdx-a); stroke: var(--kdx-a); }
  & .kdx-size-even { stroke: var(--kdx-c); }
  & line.kdx-size-even { stroke-dasharray: 2 3; }
  & line.kdx-size-dashed { stroke-dasharray: 7 4; }
  & text.kdx-size-day { fill: currentColor; font-weight: 600; }
  @container (max-width: 34rem) {
    & .kdx-control.kdx-size-money { grid-template-columns: minmax(5rem, 7rem) minmax(3rem, 1fr) 5.5rem; }
  }
`;

// The place of the size whose ratio is nearest, as a factor.
function placeOf(sizes, ratio) {
  return nearest(sizes.map((size) => Math.log(size.ratio)), Math.log(ratio));
}

// Percent retained, costs per 1,000 requests and over the horizon, break-even: all that is shown.
export function numbersOf(curve, values) {
  const { ratio, listed, price, requests_per_day: perDay, one_time_cost: once, fallback, upkeep } = values;
  const { teacher, sizes } = curve;
  const size = sizes[placeOf(sizes, ratio)];
  const [teacherCost, alone] = listed ? LISTED : [teacher, size].map((model) => costPer1000(model.ms, price));
  // All that recurs, spread over the requests: what falls back is paid twice.
  const studentCost = alone + fallback * teacherCost + (1000 * upkeep) / (MONTH * perDay);
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
  return [
    `${payback(days)} The student, ${plain(ratio)}× smaller, keeps ${kept.toFixed(1)} % of the teacher's accuracy.`,
    `Accuracy kept: ${kept.toFixed(1)} % [${low.toFixed(1)} %, ${high.toFixed(1)} %].`,
    `1,000 requests cost ${plain(costs[0])} with the teacher, ${plain(costs[1])} with the student, all included.`,
    when(requests, days, perDay),
    `In ${horizon}, the teacher costs ${plain(spent[0])}; the student costs ${plain(spent[1])}, its making included.`,
  ];
}

function retained(teacher, size) {
  const [kept, low, high] = ["accuracy", "low", "high"].map((name) => (100 * size[name]) / teacher.accuracy);
  return { kept, low, high };
}

function payback(days) {
  if (days === Infinity) return "It never pays back.";
  if (days > HORIZONS.at(-1)[1]) return "It does not pay back within ten years.";
  return days === 0 ? "It pays back at once." : `It pays back after ${inWords(days)}.`;
}

function inWords(days) {
  const [unit, length] = days < 2 * MONTH ? ["days", 1] : days < 730 ? ["months", MONTH] : ["years", 365];
  return `${plain(Number((days / length).toPrecision(2)))} ${unit}`;
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
  return { node: rough.node, inputs: [rough.input, exact.input], show };
}

function key(items) {
  const swatch = ([name, kind, look]) => {
    const picture = shape("svg", { class: "kdx-size-swatch", "aria-hidden": "true" });
    picture.append(line(look, ["0%", "50%"], ["100%", "50%"]), mark(kind, look, ["50%", "50%"]));
    return element("span", {}, picture, name);
  };
  return element("p", { className: "kdx-size-key" }, ...items.map(swatch));
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
  // Where no line is: the teacher's rises more steeply.
  const beside = days > 0.7 * length ? { dx: -10, dy: -12, "text-anchor": "end" } : { dx: 10, dy: 22 };
  const day = shape("text", { class: "kdx-size-day", x: x(days), y: y(met), ...beside }, inWords(days));
  const even = [line("kdx-size-even", [x(days), y(0)], meeting), mark("cross", "kdx-size-even", meeting), day];
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
  const names = ["ratio", "listed", "price", "requests_per_day", "one_time_cost", "fallback", "upkeep"];
  const values = () => Object.fromEntries(names.map((name) => [name, model.get(name)]));

  const curve = choice({
    label: "student",
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
  const paid = choice({
    label: "requests are paid",
    options: ["by the hours of a machine", `by the request: ${LISTED.map((one) => one.toFixed(2)).join(" and ")} for 1,000`],
    change: (place) => assign(model, { listed: place === 1 }),
  });
  const price = money({ label: "price per machine-hour", min: -2, max: 3, change: setter(model, "price") });
  const load = slider({
    label: "requests per day",
    min: 2, // powers of ten
    max: 8,
    step: 0.1,
    change: (exponent) => assign(model, { requests_per_day: rounded(exponent) }),
  });
  const fallback = slider({
    label: "handed on to the teacher",
    max: 100,
    change: (percents) => assign(model, { fallback: percents / 100 }),
  });
  const amount = { max: MOST_MONEY, step: "any" };
  const upkeep = numberField({ label: "upkeep in a month", ...amount, change: setter(model, "upkeep") });
  const once = numberField({ label: "one-time cost of the student", ...amount, change: setter(model, "one_time_cost") });
  const finding = element("p", { className: "kdx-finding" });
  const costs = chart();
  const said = words();
  const about = element("p", { className: "kdx-note" });

  const draw = () => {
    const chosen = curves[model.get("curve")];
    const numbers = numbersOf(chosen, values());
    const [first, ...lines] = say(chosen, values());
    const place = placeOf(chosen.sizes, model.get("ratio"));
    const listed = model.get("listed");
    curve.show(model.get("curve"));
    size.input.max = chosen.sizes.length - 1;
    size.input.disabled = chosen.sizes.length === 1;
    size.show(place, `${plain(numbers.ratio)}×`, `${plain(numbers.ratio)}×: keeps ${numbers.kept.toFixed(1)} %`);
    paid.show(listed ? 1 : 0);
    price.show(model.get("price"));
    for (const input of price.inputs) input.disabled = listed;
    load.show(Math.log10(numbers.perDay), thousands(numbers.perDay));
    const handed = 100 * model.get("fallback");
    fallback.show(handed, `${plain(handed)} %`);
    upkeep.show(model.get("upkeep"));
    once.show(model.get("one_time_cost"));
    finding.textContent = first;
    costs.show(costChart(numbers, lines.slice(2).join(" ")));
    said.show(lines);
    about.textContent = chosen.about;
    el.dataset.alt = [first, ...lines].join(" ");
  };
  const controls = [curve, size, paid, price, load, once, upkeep, fallback].map(({ node }) => node);
  const parts = [
    finding,
    key(COSTS),
    costs.node,
    element("div", { className: "kdx-controls" }, ...controls),
    said.node,
    about,
  ];
  draw();
  const redraw = { [["curve", ...names].join(" ")]: draw };
  return mount(el, model, { title: "Student size, cost and break-even", style: STYLE, parts, redraw });
}

export default { render };
