// The three maps of the step-through explorer: decision regions as colours, their borders as lines, points as markers or
// pies. Coordinates are those of the toy problem until `place` turns them into pixels.

import { element, setText } from "./dom.js";
import { decision, softmaxRow, TOY, toyLogits } from "./toy.js";

const GRID = 48; // places per side where a network is asked; the rest is interpolated
const COLOURS = [[0, 114, 178], [213, 94, 0], [0, 158, 115]]; // Okabe and Ito's, as in explorer.css
const CSS = COLOURS.map((rgb) => `rgb(${rgb.join(" ")})`);
const STRENGTH = 120; // opacity of the regions, of 255: the page shows through, light or dark

const grid = new Float64Array(2 * GRID * GRID);
for (let k = 0; k < GRID * GRID; k += 1) {
  grid[2 * k] = TOY.edge * ((2 * (k % GRID)) / (GRID - 1) - 1);
  grid[2 * k + 1] = TOY.edge * (1 - (2 * Math.floor(k / GRID)) / (GRID - 1));
}

// A network's logits all over the map, [GRID · GRID · classes].
export function ask(net) {
  return toyLogits(net, grid);
}

// The share of the map on which two networks decide alike.
export function agreement(one, other) {
  let alike = 0;
  for (let k = 0; k < one.length; k += 3) if (decision(one, k) === decision(other, k)) alike += 1;
  return (3 * alike) / one.length;
}

// A canvas with its caption, say(source, state, like); paint(what) draws it, and describe(text) says what it shows.
// In `what`, all but `theme` may be left out:
// scores from ask(); beside, another network's scores, of which only the borders are drawn, dotted; dots {n, inputs, labels} as
// markers; pies {n, inputs, shares}; chosen, the point that gets a ring.
export function mapFigure(title, resized) {
  const canvas = element("canvas", { role: "img", className: "kdx-steps-map" });
  const [source, state, like] = [element("span"), element("span", { className: "kdx-steps-state" }), element("span")];
  const node = element("figure", {}, canvas, element("figcaption", {}, element("strong", {}, title), source, state, like));
  const context = canvas.getContext("2d");
  const small = element("canvas", { width: GRID, height: GRID });
  const pixels = new ImageData(GRID, GRID);
  const shares = new Float64Array(3 * GRID * GRID);
  let size = 0; // CSS pixels
  let held = null; // the scores that `small` shows

  const observer = new ResizeObserver(() => {
    const wide = canvas.clientWidth;
    const device = Math.round(wide * (window.devicePixelRatio || 1));
    if (!wide || (wide === size && canvas.width === device)) return;
    size = wide;
    canvas.width = device;
    canvas.height = device;
    resized();
  });
  observer.observe(canvas);

  const place = (inputs, k) => {
    const scale = size / (2 * TOY.edge);
    return [(inputs[2 * k] + TOY.edge) * scale, (TOY.edge - inputs[2 * k + 1]) * scale];
  };
  const regions = (scores, theme) => {
    if (scores !== held) {
      for (let k = 0; k < GRID * GRID; k += 1) {
        softmaxRow(scores, 3 * k, 1, shares);
        for (let channel = 0; channel < 3; channel += 1) {
          const mixed = COLOURS.reduce((total, rgb, c) => total + shares[3 * k + c] * rgb[channel], 0);
          pixels.data[4 * k + channel] = mixed;
        }
        pixels.data[4 * k + 3] = STRENGTH;
      }
      small.getContext("2d").putImageData(pixels, 0, 0);
      held = scores;
    }
    const step = size / (GRID - 1); // a pixel of `small` has its place in its middle
    context.drawImage(small, -step / 2, -step / 2, step * GRID, step * GRID);
    trace(scores);
    context.lineWidth = 1.5;
    context.strokeStyle = theme.ink;
    context.stroke();
  };
  const trace = (scores) => {
    const step = size / (GRID - 1);
    context.beginPath();
    borders(scores, (x1, y1, x2, y2) => {
      context.moveTo(x1 * step, y1 * step);
      context.lineTo(x2 * step, y2 * step);
    });
  };
  // The borders come as short pieces, one for a place of the grid: a dot in every second makes an even row.
  const dotted = (scores, theme) => {
    const step = size / (GRID - 1);
    context.beginPath();
    borders(scores, (x1, y1, x2, y2) => {
      const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
      if ((Math.floor(x) + Math.floor(y)) % 2) return;
      context.moveTo(x * step, y * step);
      context.arc(x * step, y * step, 2, 0, 2 * Math.PI);
    });
    context.fillStyle = theme.ink;
    context.fill();
  };
  const dots = ({ n, inputs, labels }, theme) => {
    const radius = n > 250 ? 2.2 : n > 100 ? 3.4 : 4.6;
    for (let c = 0; c < 3; c += 1) {
      context.beginPath(); // one path for a class: 600 fills would take longer than the training
      for (let k = 0; k < n; k += 1) if (labels[k] === c) marker(context, c, ...place(inputs, k), radius);
      context.lineWidth = n > 250 ? 1 : 2;
      context.strokeStyle = theme.halo;
      context.stroke();
      context.fillStyle = CSS[c];
      context.fill();
    }
  };
  const circle = (x, y, radius, width, colour) => {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  };
  const pies = ({ n, inputs, shares: parts }, chosen, theme) => {
    const radius = n > 100 ? 4.5 : 6;
    for (let turn = 0; turn <= n; turn += 1) {
      const k = turn < n ? turn : chosen; // the chosen one again, over all others
      if (k === undefined) break;
      const [x, y] = place(inputs, k);
      const own = k === chosen ? radius + 3 : radius;
      let from = -Math.PI / 2;
      for (let c = 0; c < 3; c += 1) {
        const to = from + 2 * Math.PI * parts[3 * k + c];
        context.beginPath();
        context.moveTo(x, y);
        context.arc(x, y, own, from, to);
        context.fillStyle = CSS[c];
        context.fill();
        from = to;
      }
      circle(x, y, own, 1.5, theme.halo);
    }
  };
  const ring = (inputs, k, theme) => {
    circle(...place(inputs, k), 12, 5, theme.halo);
    circle(...place(inputs, k), 12, 2.5, theme.ink);
  };
  const paint = (what) => {
    if (!size) return; // not on the page yet: the observer will ask again
    const { theme } = what;
    const ratio = canvas.width / size;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size, size);
    if (what.scores) regions(what.scores, theme);
    if (what.beside) dotted(what.beside, theme);
    if (what.dots) dots(what.dots, theme);
    if (what.pies) pies(what.pies, what.chosen, theme);
    if (what.chosen !== undefined) ring((what.pies ?? what.dots).inputs, what.chosen, theme);
  };
  const say = (...texts) => {
    [source, state, like].forEach((line, k) => setText(line, texts[k]));
  };
  const describe = (text) => canvas.setAttribute("aria-label", `${title}. ${text}`);
  const described = () => canvas.getAttribute("aria-label");
  return { node, paint, say, describe, described, stop: () => observer.disconnect() };
}

// Call line(x1, y1, x2, y2) for the borders between classes, in steps of the grid: marching squares over each class's
// lead, its logit minus the best of the others.
function borders(scores, line) {
  const lead = (k, c) => scores[3 * k + c] - Math.max(scores[3 * k + ((c + 1) % 3)], scores[3 * k + ((c + 2) % 3)]);
  const found = [];
  for (let row = 0; row < GRID - 1; row += 1) {
    for (let column = 0; column < GRID - 1; column += 1) {
      const k = row * GRID + column;
      for (let c = 0; c < 3; c += 1) {
        const [a, b, d, e] = [lead(k, c), lead(k + 1, c), lead(k + GRID + 1, c), lead(k + GRID, c)];
        if (a > 0 === b > 0 && b > 0 === d > 0 && d > 0 === e > 0) continue;
        found.length = 0;
        if (a > 0 !== b > 0) found.push(column + a / (a - b), row);
        if (b > 0 !== d > 0) found.push(column + 1, row + b / (b - d));
        if (d > 0 !== e > 0) found.push(column + e / (e - d), row + 1);
        if (e > 0 !== a > 0) found.push(column, row + a / (a - e));
        for (let j = 0; j + 3 < found.length; j += 4) line(found[j], found[j + 1], found[j + 2], found[j + 3]);
      }
    }
  }
}

function marker(context, shape, x, y, radius) {
  if (shape === 0) {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  } else if (shape === 1) {
    const wide = radius * 1.2;
    context.moveTo(x, y - wide);
    context.lineTo(x + wide, y + 0.8 * wide);
    context.lineTo(x - wide, y + 0.8 * wide);
    context.closePath();
  } else {
    const half = radius * 0.9;
    context.rect(x - half, y - half, 2 * half, 2 * half);
  }
}

// {ink, halo}: the colour of the page's text, and one that stands off from it. changed() is called when the page turns
// from light to dark or back: a browser's setting, or an attribute that JupyterLab or the site sets.
export function watchTheme(node, changed) {
  const theme = {};
  const probe = element("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const read = () => {
    const ink = getComputedStyle(node).color;
    if (!ink || ink === theme.ink) return;
    probe.fillStyle = ink;
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    theme.ink = ink;
    theme.halo = red + green + blue > 382 ? "black" : "white";
    changed();
  };
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", read);
  const observer = new MutationObserver(read);
  const attributeFilter = ["class", "style", "data-theme", "data-mode", "data-jp-theme-light"];
  for (const one of [document.documentElement, document.body]) observer.observe(one, { attributes: true, attributeFilter });
  const stop = () => {
    query.removeEventListener("change", read);
    observer.disconnect();
  };
  return { theme, read, stop };
}
