// Charts as SVG that need no script to resize: places are percentages of the chart, texts keep their size.

import { element } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

export function shape(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// What stands at a value on an axis from low to high, in percent of it.
export function percent(value, low, high) {
  return `${(100 * (value - low)) / (high - low)}%`;
}

// A span that begins so far to the right.
export function placed(className, left, text = "") {
  const node = element("span", { className }, text);
  node.style.left = left;
  return node;
}

// Round numbers from low to high, at most so many.
export function ticks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((one) => one * power >= rough * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  // Divided by a whole number where there is one: 3 * 0.1 is not 0.3.
  return Array.from({ length: count }, (_, k) => (step < 1 ? (first + k) / Math.round(1 / step) : (first + k) * step));
}

// A line between two places, [x, y] each, in percent with their sign.
export function line(className, [x1, y1], [x2, y2]) {
  return shape("line", { class: className, x1, y1, x2, y2 });
}

// A mark of up to 9 pixels: "circle", "square", "cross", "dot", or the "cap" at the end of an upright interval.
export function mark(kind, className, [x, y]) {
  const inside = {
    circle: shape("circle", { r: 4.5 }),
    square: shape("rect", { x: -4, y: -4, width: 8, height: 8 }),
    dot: shape("circle", { r: 2.5 }),
    cap: shape("path", { d: "M-4 0H4" }),
    cross: shape("path", { d: "M-5-5 5 5M-5 5 5-5" }),
  }[kind];
  // A nested picture can be placed in percent, which a transform cannot.
  return shape("svg", { class: `kdx-chart-mark ${className}`, x, y }, inside);
}

// An empty chart with two axes. show({x, y, xLabel, yLabel, words, shapes}): x and y are [[place, text], ...], with
// places in percent; words say what the chart shows.
export function chart() {
  const node = shape("svg", { class: "kdx-chart", role: "img" });
  const show = ({ x, y, xLabel, yLabel, words: said, shapes }) => {
    node.setAttribute("aria-label", said);
    node.replaceChildren(
      shape("line", { class: "kdx-chart-axis", x1: 0, y1: "100%", x2: "100%", y2: "100%" }),
      ...x.map(([place, text]) => shape("text", { x: place, y: "100%", dy: 18, "text-anchor": "middle" }, text)),
      ...y.map(([place]) => shape("line", { class: "kdx-chart-grid", x1: 0, y1: place, x2: "100%", y2: place })),
      ...y.map(([place, text]) => shape("text", { x: 0, y: place, dx: -8, dy: "0.35em", "text-anchor": "end" }, text)),
      shape("text", { x: "50%", y: "100%", dy: 38, "text-anchor": "middle" }, xLabel),
      shape("text", { x: 0, y: 0, dx: -44, dy: -14 }, yLabel),
      ...shapes,
    );
  };
  return { node, show };
}
