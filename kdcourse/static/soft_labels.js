// The soft-label explorer: a garment, what the teacher says of it at a temperature, and the label beside it.

import { assign, bar, button, choice, idle, logitSlider, mount, temperatureSlider, words } from "./controls.js";
import { element } from "./dom.js";
import { entropyBits, fixed, ranked, soften, thousands } from "./maths.js";

const STYLE = `
  & .kdx-top { align-items: flex-start; display: flex; flex-wrap: wrap; gap: 0.8rem 1.2rem; margin-bottom: 0.6rem; }
  & .kdx-garment { background: white; border: 1px solid var(--kdx-line); image-rendering: pixelated; margin: 0; }
`;

// What the picture shows, in words.
function say(names, label, logits, temperature) {
  const soft = soften(logits, temperature);
  const order = ranked(soft);
  const first = order.slice(0, 3).map((c) => `${names[c]} ${soft[c].toFixed(2)}`);
  const rest = order.slice(3).reduce((total, c) => total + soft[c], 0);
  const bits = entropyBits(soft);
  return [
    `The hard label says ${names[label]}, and nothing else. At T = ${temperature.toFixed(1)} the soft label says ` +
      `${first.join(", ")}; ${order.length > 3 ? `the other ${order.length - 3} share ${rest.toFixed(2)}` : "that is all"}.`,
    `Runners-up: all classes but the first hold ${(1 - soft[order[0]]).toFixed(2)} of the probability; the second is ` +
      `${ratio(soft[order[1]] / soft[order[2]])} times as likely as the third.`,
    `Entropy: ${bits.toFixed(2)} bits, of ${Math.log2(names.length).toFixed(2)} at most: as unsure as among ` +
      `${(2 ** bits).toFixed(1)} equally likely classes. A hard label has 0 bits.`,
  ];
}

function ratio(value) {
  return value < 100 ? value.toFixed(1) : value > 1e6 ? "over a million" : thousands(value);
}

function render({ model, el }) {
  const names = model.get("class_names");
  const pictures = model.get("pictures");
  const own = () => pictures[model.get("picture_number")].logits;

  const image = element("img", { className: "kdx-garment", width: 112, height: 112 });
  const picture = choice({
    label: "picture",
    options: pictures.map(({ index, label }) => `${index}: ${names[label]}`),
    change: (place) => assign(model, { picture_number: place, logits: pictures[place].logits }),
  });
  const temperature = temperatureSlider(model);
  const reset = button("The teacher's own logits", () => assign(model, { logits: own() }));
  const said = words();
  const rows = names.map((name, c) => {
    const logit = logitSlider(model, name, c);
    const [soft, hard] = [bar("", "kdx-a"), bar("", "kdx-b")];
    const row = element("div", { className: "kdx-row" }, logit.node, soft.node, hard.node);
    return { row, logit, soft, hard };
  });
  const head = element(
    "div",
    { className: "kdx-row kdx-head", "aria-hidden": "true" },
    ...["class, and the teacher's logit", "soft label at T", "hard label"].map((text) => element("span", {}, text)),
  );

  const draw = () => {
    const { label, picture: source } = pictures[model.get("picture_number")];
    const logits = model.get("logits");
    const T = model.get("temperature");
    const soft = soften(logits, T);
    if (image.getAttribute("src") !== source) image.src = source;
    image.alt = `A picture of 28 by 28 pixels, labelled ${names[label]}`;
    picture.show(model.get("picture_number"));
    const best = soft.indexOf(Math.max(...soft));
    temperature.show(Math.log2(T), T.toFixed(1), `${T.toFixed(1)}: ${names[best]} ${soft[best].toFixed(2)}`);
    rows.forEach(({ logit, soft: share, hard }, c) => {
      const text = soft[c].toFixed(2);
      logit.show(logits[c], fixed(logits[c], 1), `logit ${fixed(logits[c], 1)}, soft label ${text}`);
      share.show([soft[c]], text);
      hard.show([c === label ? 1 : 0], c === label ? "1" : "0");
    });
    idle(reset, own().every((value, c) => value === logits[c]));
    const lines = say(names, label, logits, T);
    said.show(lines);
    el.dataset.alt = lines.join(" ");
  };
  const controls = element("div", { className: "kdx-controls" }, picture.node, temperature.node, reset);
  const parts = [element("div", { className: "kdx-top" }, image, controls), head, ...rows.map(({ row }) => row), said.node];
  draw();
  const redraw = { "picture_number temperature logits": draw };
  return mount(el, model, { title: "Soft labels and temperature", style: STYLE, parts, redraw });
}

export default { render };
