// The key to the maps of the step-through explorer: what is there at a stage, each with its sign.

import { shape } from "./charts.js";
import { element } from "./dom.js";

const WIDE = 44;

function sign(...shapes) {
  return shape("svg", { viewBox: `0 0 ${WIDE} 14`, width: WIDE, height: 14, "aria-hidden": "true" }, ...shapes);
}

const ofClass = (letter) => `fill: var(--kdx-${letter})`;
const stroke = (attributes) => shape("line", { x1: 2, x2: 42, y1: 7, y2: 7, stroke: "currentColor", ...attributes });

// [sign, words, first stage, last stage]
const ENTRIES = () => [
  [
    sign(
      shape("circle", { cx: 7, cy: 7, r: 4.5, style: ofClass("a") }),
      shape("path", { d: "M22 1.5 27.5 11.5H16.5Z", style: ofClass("b") }),
      shape("rect", { x: 33, y: 3, width: 8, height: 8, style: ofClass("c") }),
    ),
    "points of three classes",
    1,
    7,
  ],
  [
    sign(
      ...["a", "b", "c"].map((letter, k) =>
        shape("rect", { x: 2 + 13.3 * k, y: 1, width: 13.3, height: 12, opacity: 0.5, style: ofClass(letter) }),
      ),
    ),
    "what the network answers there",
    2,
    7,
  ],
  [
    sign(
      shape("circle", { cx: 22, cy: 7, r: 6, style: ofClass("a") }),
      shape("path", { d: "M22 7V1A6 6 0 0 1 27.2 10Z", style: ofClass("b") }),
    ),
    "the teacher's answer: a share for each class",
    3,
    6,
  ],
  [
    sign(shape("circle", { cx: 22, cy: 7, r: 5.5, fill: "none", stroke: "currentColor", "stroke-width": 2 })),
    "its numbers stand below",
    3,
    6,
  ],
  [sign(stroke({ "stroke-width": 1.5 })), "border of the network", 2, 7],
  [
    sign(stroke({ "stroke-width": 4, "stroke-dasharray": "0.1 8", "stroke-linecap": "round" })),
    "border of the teacher",
    6,
    7,
  ],
];

export function legend() {
  const entries = ENTRIES().map(([drawn, words, from, to]) => ({ node: element("span", {}, drawn, words), from, to }));
  const node = element("p", { className: "kdx-steps-legend" }, ...entries.map((one) => one.node));
  const show = (stage) => {
    for (const one of entries) one.node.hidden = stage < one.from || stage > one.to;
  };
  return { node, show };
}
