// The explorer of an audit: at a limit, which slices are flagged, which pass, and what more examples would settle.

import { percent, placed, ticks } from "./charts.js";
import { assign, mount, slider, table, words } from "./controls.js";
import { element, setText } from "./dom.js";
import { examplesNeeded, holm, nearest, signed, thousands } from "./maths.js";

const OUT_OF_REACH = 20; // times the examples there are; then one had better monitor
const SIGNS = { flag: "▲", alarm: "!", watch: "?", "too few": "…", pass: "✓" };
const COUNTED = {
  flag: ["flagged", "flagged"],
  alarm: ["in alarm", "in alarm"],
  watch: ["cannot be told", "cannot be told"],
  "too few": ["has too few examples", "have too few examples"],
  pass: ["passes", "pass"],
};
const FALLBACK = "fallback to teacher";
const HANDLING = { flag: FALLBACK, alarm: FALLBACK, watch: "collect data", "too few": "collect data", pass: "monitor" };

const STYLE = `
  & .kdx-slices-frame { overflow-x: auto; }
  & .kdx-slices-table { --kdx-slices-watch: #a87700; margin: 0; width: 100%; }
  & .kdx-slices-table :is(th, td) { overflow-wrap: normal; padding: 0.2rem 0.7rem 0.2rem 0; vertical-align: middle; }
  & .kdx-slices-table thead th { vertical-align: bottom; }
  & .kdx-slices-name { overflow-wrap: anywhere; width: 10rem; }
  & :is(.kdx-slices-verdict, .kdx-slices-number) { white-space: nowrap; }
  & .kdx-slices-sign { display: inline-block; text-align: center; width: 1.3rem; }
  & .kdx-slices-table .kdx-slices-axis { min-width: 11rem; position: relative; width: 45%; }
  & .kdx-slices-drawing { inset: 0 0.7rem 0 0; position: absolute; }
  & .kdx-slices-ticks { font-weight: 400; height: 1.4em; position: relative; }
  & :is(.kdx-slices-drawing, .kdx-slices-ticks) > span { position: absolute; }
  & .kdx-slices-tick { transform: translateX(-50%); }
  & .kdx-slices-zero { background: var(--kdx-line); height: 100%; width: 1px; }
  & .kdx-slices-limit { border-left: 2px dashed currentColor; height: 100%; }
  & .kdx-slices-whisker { background: var(--kdx-slices-colour); height: 5px; min-width: 1px; top: calc(50% - 2.5px); }
  & .kdx-slices-gap {
    background: var(--kdx-slices-colour);
    height: 0.9rem;
    margin-left: -0.45rem;
    top: calc(50% - 0.45rem);
    width: 0.9rem;
  }
  & .kdx-slices-arrow { line-height: 1; margin-left: -0.3rem; top: calc(50% - 0.5em); }
  & [data-verdict="flag"] { --kdx-slices-colour: var(--kdx-b); }
  & :is([data-verdict="flag"], [data-verdict="alarm"], [data-verdict="pass"]) .kdx-slices-verdict { font-weight: 700; }
  & [data-verdict="alarm"] { --kdx-slices-colour: color-mix(in srgb, #b0508f 85%, currentColor); }
  & [data-verdict="alarm"] .kdx-slices-gap { clip-path: polygon(50% 0, 100% 100%, 0 100%); }
  & [data-verdict="watch"] { --kdx-slices-colour: var(--kdx-slices-watch); }
  & [data-verdict="watch"] .kdx-slices-gap { clip-path: polygon(0 0, 100% 0, 50% 100%); }
  & [data-verdict="too few"] { --kdx-slices-colour: color-mix(in srgb, currentColor 55%, transparent); }
  & [data-verdict="too few"] .kdx-slices-gap { transform: scale(0.6); }
  & [data-verdict="pass"] { --kdx-slices-colour: var(--kdx-a); }
  & [data-verdict="pass"] .kdx-slices-gap { border-radius: 50%; }
  & .kdx-slices-all :is(th, td) { border-bottom: 0; border-top: 2px solid var(--kdx-line); }
  @container (max-width: 34rem) {
    & .kdx-slices-name { width: 6rem; }
  }
`;

// {verdict, more, handling} of each row, as judging.verdicts.judge of the audit has them; `place` is that of the limit. The
// first row is all examples, which are tested however few they are.
export function judged(rows, limits, place, minSamples, confidence) {
  const error = (1 - confidence) / 2;
  const tested = rows.map(({ n }, k) => k === 0 || n >= minSamples);
  const tests = tested.filter(Boolean).length;
  const adjusted = (name) => {
    const among = holm(rows.filter((_, k) => tested[k]).map((row) => row[name][place]));
    return tested.map((yes) => (yes ? among.shift() : NaN));
  };
  const exceeds = adjusted("p_exceeds");
  const within = adjusted("p_within");
  return rows.map((row, k) => {
    const alone = row.p_exceeds[place] <= error ? "alarm" : "watch"; // by its own test, without the correction
    const verdict = !tested[k] ? "too few" : exceeds[k] <= error ? "flag" : within[k] <= error ? "pass" : alone;
    const more = moreNeeded(verdict, row, limits[place], minSamples, 1 - (1 - confidence) / tests);
    const hopeless = verdict === "watch" && more > OUT_OF_REACH * row.n;
    return { verdict, more, handling: hopeless ? "monitor" : HANDLING[verdict] };
  });
}

function moreNeeded(verdict, { n, only_teacher: b, only_student: c }, limit, minSamples, confidence) {
  if (verdict === "too few") return minSamples - n;
  // At least one more: the approximation may say that n should have done.
  return ["alarm", "watch"].includes(verdict) ? Math.max(1, examplesNeeded(b, c, n, limit, confidence) - n) : 0;
}

// The finding in one line: how many slices there are of each verdict.
export function summary(verdicts) {
  const counts = Object.entries(COUNTED).map(([verdict, name]) => {
    const count = verdicts.slice(1).filter((one) => one.verdict === verdict).length;
    return count && `${count} ${name[Number(count !== 1)]}`;
  });
  return counts.filter(Boolean).join(", ");
}

// Two digits: the number rests on a gap that is itself uncertain.
function about(count) {
  return thousands(Number(count.toPrecision(2)));
}

// What more examples would settle, and what this dial is no answer to.
export function advice(rows, verdicts, limit, minSamples, ownLimits) {
  const slices = rows.map((row, k) => ({ ...row, ...verdicts[k] })).slice(1);
  const alone = new Set(slices.map(({ slice }) => slice)).size === 1;
  const name = ({ slice, level }) => (alone ? level : `${slice} ${level}`);
  const named = (some, what = () => "") => some.map((slice) => name(slice) + what(slice)).join(", ");
  const more = ({ more: count }) => ` (about ${about(count)})`;
  const short = ({ more: count }) => ` (${thousands(count)} short)`;
  const watched = slices.filter(({ verdict }) => verdict === "watch");
  const reach = watched.filter(({ handling }) => handling === "collect data");
  const beyond = watched.filter(({ handling, more: count }) => handling === "monitor" && count < Infinity);
  const never = watched.filter(({ more: count }) => count === Infinity);
  const few = slices.filter(({ verdict }) => verdict === "too few");
  const [flagged, alarmed] = ["flag", "alarm"].map((one) => slices.filter(({ verdict }) => verdict === one));
  return [
    flagged.length > 0 &&
      `Shown to lose more than ${points(limit)}: ${named(flagged)}. More examples would hardly change that; the ` +
        "teacher can answer there instead.",
    alarmed.length > 0 &&
      `Over ${points(limit)} by their own tests, and not yet shown among so many: ${named(alarmed, more)}.`,
    reach.length > 0 && `More examples would probably decide, if the gap stays as it is: ${named(reach, more)}.`,
    beyond.length > 0 &&
      `Out of reach, with over ${OUT_OF_REACH} times the examples there are: ${named(beyond, more)}. Monitor those.`,
    never.length > 0 && `The gap is the limit itself, and no number of examples would decide: ${named(never)}.`,
    few.length > 0 &&
      `Below the minimum of ${thousands(minSamples)}, and not asked: ${named(few, short)}. Reaching it buys a ` +
        "test, not yet a verdict.",
    watched.length + few.length + flagged.length + alarmed.length === 0 && "Every slice is shown to stay within the limit.",
    `All examples together: ${verdicts[0].verdict}.`,
    "A limit that is chosen after the table has been read can always be met: fix yours before you look. The verdicts " +
      "at one limit are corrected for how many there are, not for a search over limits.",
    ownLimits > 0 && "One limit holds for all slices here. The audit itself had limits of its own for some.",
  ].filter(Boolean);
}

export function points(share) {
  const number = Number((100 * share).toFixed(4));
  return `${number} ${number === 1 ? "point" : "points"}`;
}

// The gap of a slice and its interval, in points.
function gapOf(row) {
  const [gap, low, high] = [row.gap, row.low, row.high].map((share) => signed(100 * share, 1));
  return `${gap} [${low}, ${high}]`;
}

// Something at a value on the axis of gaps; the axis cuts what lies outside.
function onAxis(className, value, [first, last], text) {
  return placed(`kdx-slices-${className}`, percent(Math.min(last, Math.max(first, value)), first, last), text);
}

// The gap with its interval on the axis of the column; what goes on past an end has an arrow there.
function drawing({ gap, low, high }, ends) {
  const [first, last] = ends;
  const whisker = onAxis("whisker", low, ends);
  whisker.style.right = percent(last - Math.min(last, high), 0, last - first);
  const parts = [onAxis("zero", 0, ends), element("span", { className: "kdx-slices-limit" }), whisker];
  if (gap >= first && gap <= last) parts.push(onAxis("gap", gap, ends));
  if (low < first) parts.push(onAxis("arrow", first, ends, "◂"));
  if (high > last) parts.push(onAxis("arrow", last, ends, "▸"));
  return element("div", { className: "kdx-slices-drawing", "aria-hidden": "true" }, ...parts);
}

function axis(ends) {
  const text = (gap) => String(Number((100 * gap).toFixed(4))).replace("-", "−");
  const marks = ticks(...ends, 4).map((gap) => onAxis("tick", gap, ends, text(gap)));
  return element("div", { className: "kdx-slices-ticks", "aria-hidden": "true" }, ...marks);
}

// One row of the table; show({verdict, more}) writes what depends on the sliders.
function tableRow(row, ends, prefix) {
  const cell = (text) => element("td", { className: "kdx-slices-number" }, text);
  const sign = element("span", { className: "kdx-slices-sign", "aria-hidden": "true" });
  const word = element("span", { className: "kdx-slices-word" });
  const more = cell("");
  const of = prefix ? [element("span", {}, `${row.slice}: `)] : [];
  const node = element(
    "tr",
    {},
    element("th", { scope: "row" }, element("div", { className: "kdx-slices-name" }, ...of, row.level)),
    element("td", { className: "kdx-slices-verdict" }, sign, word),
    element("td", { className: "kdx-slices-axis" }, drawing(row, ends)),
    ...[gapOf(row), thousands(row.n)].map(cell),
    more,
  );
  const show = ({ verdict, more: count }) => {
    const some = verdict === "too few" ? thousands(count) : about(count);
    const needed = count === 0 ? "–" : count === Infinity ? "none would do" : some;
    if (node.dataset.verdict !== verdict) node.dataset.verdict = verdict;
    setText(sign, SIGNS[verdict]);
    setText(word, verdict);
    setText(more, needed);
  };
  return { node, show };
}

function auditTable(rows, ends) {
  const heads = ["slice", "verdict", "gap (points)", "gap [interval]", "examples", "more needed"];
  const several = new Set(rows.slice(1).map(({ slice }) => slice)).size > 1;
  const [everything, ...others] = rows.map((row, k) => tableRow(row, ends, several && k > 0));
  const slices = element("tbody", {}, ...others.map((row) => row.node));
  const all = element("tbody", { className: "kdx-slices-all" }, everything.node);
  const node = table("Gap, teacher − student, by slice", heads, slices, all);
  node.className = "kdx-slices-table";
  node.tHead.rows[0].cells[2].append(axis(ends));
  const dashes = node.getElementsByClassName("kdx-slices-limit");
  const show = (verdicts, limit) => {
    // Line by line: a property of the whole table would have the browser style all of its cells anew.
    for (const dash of dashes) dash.style.left = percent(limit, ...ends);
    [everything, ...others].forEach((row, k) => row.show(verdicts[k]));
  };
  return { node, show };
}

function render({ model, el }) {
  const [rows, limits, minimums] = ["rows", "limits", "minimums"].map((name) => model.get(name));
  const limit = slider({
    label: "limit: gap that a slice may have",
    max: limits.length - 1,
    change: (place) => assign(model, { max_gap: limits[place] }),
  });
  const minimum = slider({
    label: "fewest examples of a slice that is judged",
    max: minimums.length - 1,
    change: (place) => assign(model, { min_samples: minimums[place] }),
  });
  minimum.input.disabled = minimums.length === 1;
  const finding = element("p", { className: "kdx-finding" });
  const grid = auditTable(rows, model.get("ends"));
  const region = { className: "kdx-slices-frame", role: "region", tabIndex: 0, "aria-label": "The audit's table" };
  const frame = element("div", region, grid.node);
  const confidence = `${Number((100 * model.get("confidence")).toPrecision(4))} %`;
  const key = `Dashed: the limit. Each interval has ${confidence} for itself alone; the verdicts have it together.`;
  const said = words();

  const draw = () => {
    const place = nearest(limits, model.get("max_gap"));
    const fewest = model.get("min_samples");
    const verdicts = judged(rows, limits, place, fewest, model.get("confidence"));
    const line = summary(verdicts);
    limit.show(place, points(limits[place]), `${points(limits[place])}; ${line}`);
    minimum.show(nearest(minimums, fewest), thousands(fewest), `${thousands(fewest)}; ${line}`);
    finding.textContent = `At a limit of ${points(limits[place])}: ${line}`;
    grid.show(verdicts, limits[place]);
    const lines = advice(rows, verdicts, limits[place], fewest, model.get("own_limits"));
    said.show(lines);
    const gaps = rows.map((row, k) => `${row.level} ${gapOf(row)}: ${verdicts[k].verdict}`);
    el.dataset.alt = `${finding.textContent}. Gaps in points: ${gaps.join(", ")}. ${lines[0]}`;
  };
  const parts = [
    element("div", { className: "kdx-controls" }, limit.node, minimum.node),
    finding,
    frame,
    element("p", { className: "kdx-note" }, key),
    said.node,
  ];
  draw();
  return mount(el, model, { title: "An audit's limit", style: STYLE, parts, redraw: { "max_gap min_samples": draw } });
}

export default { render };
