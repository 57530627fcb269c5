// The controls and bars of the explorers: native inputs with labels, which a keyboard and a screen reader can use.

import { element, uniquePrefix } from "./dom.js";

// A slider between its label and its value. change(number) is called at each move.
// show(value, text, spoken): where it stands, what is written beside it, and what a screen reader says of it.
export function slider({ label, min, max, step, change, className = "" }) {
  const id = uniquePrefix("kdx");
  const input = element("input", { type: "range", id, min, max, step });
  const shown = element("span", { className: "kdx-value" });
  input.addEventListener("input", () => change(input.valueAsNumber));
  const node = element("div", { className: `kdx-control ${className}` }, element("label", { htmlFor: id }, label), input, shown);
  const show = (value, text, spoken = text) => {
    if (input.valueAsNumber !== value) input.value = value;
    if (shown.textContent !== text) shown.textContent = text;
    input.setAttribute("aria-valuetext", spoken);
  };
  return { node, input, show };
}

// The temperature of a model that has one: from 0.5 to 32, even on a logarithmic scale.
export function temperatureSlider(model) {
  return slider({
    label: "temperature T",
    min: -1,
    max: 5,
    step: 0.1,
    change: (exponent) => assign(model, { temperature: 2 ** exponent }),
  });
}

const REACH = 25; // logits can be dragged from -REACH to REACH

// The logit of class c, of a model that has a list of them.
export function logitSlider(model, name, c) {
  return slider({
    label: name,
    min: -REACH,
    max: REACH,
    step: 0.5,
    className: "kdx-logit",
    change: (value) => assign(model, { logits: model.get("logits").map((one, k) => (k === c ? value : one)) }),
  });
}

// A field for a number from min to max. What is no such number is marked as wrong, and change is not called.
export function numberField({ label, min, max, step, change }) {
  const id = uniquePrefix("kdx");
  const input = element("input", { type: "number", id, min, max, step });
  input.addEventListener("input", () => {
    const value = input.valueAsNumber;
    const good = Number.isFinite(value) && value >= min && value <= max;
    input.setAttribute("aria-invalid", String(!good));
    if (good) change(value);
  });
  const node = element("div", { className: "kdx-control" }, element("label", { htmlFor: id }, label), input);
  const show = (value) => {
    if (input.valueAsNumber !== value) input.value = value;
    input.setAttribute("aria-invalid", "false");
  };
  return { node, input, show };
}

// A choice among texts. change(index) is called when another one is chosen.
export function choice({ label, options, change }) {
  const id = uniquePrefix("kdx");
  const input = element("select", { id }, ...options.map((text) => element("option", {}, text)));
  input.addEventListener("input", () => change(input.selectedIndex));
  const node = element("div", { className: "kdx-control" }, element("label", { htmlFor: id }, label), input);
  const show = (index) => {
    if (input.selectedIndex !== index) input.selectedIndex = index;
  };
  return { node, input, show };
}

export function checkbox({ label, change }) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("input", () => change(input.checked));
  const node = element("label", { className: "kdx-check" }, input, element("span", {}, label));
  const show = (value) => {
    input.checked = value;
  };
  return { node, input, show };
}

// A button that says whether there is anything to do, but keeps the focus when there is not.
export function idle(node, nothing) {
  node.setAttribute("aria-disabled", String(nothing));
}

export function button(text, press) {
  const node = element("button", { type: "button" }, text);
  node.addEventListener("click", press);
  return node;
}

// A bar from 0 to 1 with its number. Only the number is there for a screen reader.
export function bar(className = "") {
  const fill = element("span", { className: `kdx-fill ${className}` });
  const number = element("span", { className: "kdx-number" });
  const track = element("span", { className: "kdx-track", "aria-hidden": "true" }, fill);
  const node = element("span", { className: "kdx-bar" }, track, number);
  const show = (share, text) => {
    fill.style.transform = `scaleX(${Math.min(1, Math.max(0, share))})`; // moves without a new layout of the page
    if (number.textContent !== text) number.textContent = text;
  };
  return { node, show };
}

// Lines of words, of which only those that changed are written again.
export function words() {
  const node = element("div", { className: "kdx-words" });
  const show = (lines) => {
    while (node.children.length > lines.length) node.lastChild.remove();
    lines.forEach((line, k) => {
      if (!node.children[k]) node.append(element("p"));
      if (node.children[k].textContent !== line) node.children[k].textContent = line;
    });
  };
  return { node, show };
}

// Put an explorer into its place, and draw it whenever one of the values changes, from whichever side that came.
// Returns what takes the listeners away again. style: its own rules, beside those of explorer.css.
export function mount(root, model, { title, style, parts, redraw }) {
  root.classList.add("kdcourse-explorer");
  const group = element("div", { role: "group", "aria-label": title }, ...parts);
  root.replaceChildren(element("style", {}, `.kdcourse-explorer {${style}}`), group);
  const pairs = Object.entries(redraw);
  for (const [names, draw] of pairs) model.on(events(names), draw);
  return () => pairs.forEach(([names, draw]) => model.off(events(names), draw));
}

function events(names) {
  return names.split(" ").map((name) => `change:${name}`).join(" ");
}

// Set values of the model, and send them to the kernel if there is one.
export function assign(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}
