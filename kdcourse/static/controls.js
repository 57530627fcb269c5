// The controls and bars of the explorers: native inputs with labels, which a keyboard and a screen reader can use.

import { element, setText, uniquePrefix } from "./dom.js";

// A label, the input that it names, and what stands beside that.
function labelled(label, input, ...beside) {
  input.id = uniquePrefix("kdx");
  return element("div", { className: "kdx-control" }, element("label", { htmlFor: input.id }, label), input, ...beside);
}

// A slider between its label and its value. change(number) is called at each move.
// show(value, text, spoken): where it stands, what is written beside it, and what a screen reader says of it.
export function slider({ label, min = 0, max, step = 1, change }) {
  const input = element("input", { type: "range", min, max, step });
  const shown = element("span", { className: "kdx-value" });
  input.addEventListener("input", () => change(input.valueAsNumber));
  const show = (value, text, spoken = text) => {
    if (input.valueAsNumber !== value) input.value = value;
    setText(shown, text);
    input.setAttribute("aria-valuetext", spoken);
  };
  return { node: labelled(label, input, shown), input, show };
}

// The temperature of a model that has one: from 0.5 to 32, even on a logarithmic scale.
export function temperatureSlider(model) {
  const change = (exponent) => assign(model, { temperature: 2 ** exponent });
  return slider({ label: "temperature T", min: -1, max: 5, step: 0.1, change });
}

const REACH = 25; // logits can be dragged from -REACH to REACH

// The logit of class c, of a model that has a list of them.
export function logitSlider(model, name, c) {
  const change = (value) => assign(model, { logits: model.get("logits").map((one, k) => (k === c ? value : one)) });
  const made = slider({ label: name, min: -REACH, max: REACH, step: 0.5, change });
  made.node.classList.add("kdx-logit");
  return made;
}

// A field for a number from 0 to max. What is no such number is marked as wrong, and change is not called.
export function numberField({ label, max, step, change }) {
  const input = element("input", { type: "number", min: 0, max, step });
  input.addEventListener("input", () => {
    const value = input.valueAsNumber;
    const good = value >= 0 && value <= max;
    input.setAttribute("aria-invalid", String(!good));
    if (good) change(value);
  });
  const show = (value) => {
    if (input.valueAsNumber !== value) input.value = value;
    input.setAttribute("aria-invalid", "false");
  };
  return { node: labelled(label, input), input, show };
}

// A choice among texts. change(index) is called when another one is chosen.
export function choice({ label, options, change }) {
  const input = element("select", {}, ...options.map((text) => element("option", {}, text)));
  input.addEventListener("input", () => change(input.selectedIndex));
  const show = (index) => {
    if (input.selectedIndex !== index) input.selectedIndex = index;
  };
  return { node: labelled(label, input), show };
}

export function checkbox({ label, change }) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("input", () => change(input.checked));
  const node = element("label", { className: "kdx-check" }, input, element("span", {}, label));
  const show = (value) => (input.checked = value);
  return { node, show };
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

// Bars on one track, one for each class name, and a number. Only the number is there for a screen reader.
// show(shares, text): from -1 to 1 each; what lies beyond is cut.
export function bar(trackClass, ...fillClasses) {
  const fills = fillClasses.map((each) => element("span", { className: `kdx-fill ${each}` }));
  const number = element("span", { className: "kdx-number" });
  const track = element("span", { className: `kdx-track ${trackClass}`, "aria-hidden": "true" }, ...fills);
  const node = element("span", { className: "kdx-bar" }, track, number);
  const show = (shares, text) => {
    shares.forEach((share, k) => {
      fills[k].style.transform = `scaleX(${Math.min(1, Math.max(-1, share))})`; // moves without a new layout of the page
    });
    setText(number, text);
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
      setText(node.children[k], line);
    });
  };
  return { node, show };
}

// A table with its caption, the names of its columns, and its bodies.
export function table(caption, names, ...bodies) {
  const heads = names.map((name) => (name ? element("th", { scope: "col" }, name) : element("td")));
  const head = element("thead", {}, element("tr", {}, ...heads));
  return element("table", {}, element("caption", {}, caption), head, ...bodies);
}

// Put an explorer into its place, and draw it whenever one of the values changes, from whichever side that came.
// Returns what takes the listeners away again. style: its own rules, beside those of explorer.css.
export function mount(root, model, { title, style, parts, redraw }) {
  root.classList.add("kdcourse-explorer");
  const group = element("div", { role: "group", "aria-label": title }, ...parts);
  root.replaceChildren(element("style", {}, `.kdcourse-explorer {${style}}`), group);
  const pairs = Object.entries(redraw).map(([names, draw]) => [names.replace(/\w+/g, "change:$&"), draw]);
  for (const pair of pairs) model.on(...pair);
  return () => pairs.forEach((pair) => model.off(...pair));
}

// Set values of the model, and send them to the kernel if there is one.
export function assign(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

// What a control calls that sets one value.
export function setter(model, name) {
  return (value) => assign(model, { [name]: value });
}
