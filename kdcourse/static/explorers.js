// On a page without a kernel: every explorer whose state is waiting beside its picture becomes alive.

import { element, pageModel } from "./dom.js";

export async function start() {
  const waiting = [...document.querySelectorAll(".kdcourse-explorer[data-explorer] > script[type='application/json']")];
  await Promise.all(waiting.map(async (script) => {
    const root = script.parentElement;
    const { default: explorer } = await import(`./${root.dataset.explorer}.js`);
    const model = pageModel(JSON.parse(script.textContent));
    const place = element("div");
    explorer.render({ model, el: place });
    root.classList.remove("kdcourse-explorer"); // the place inside has it now
    root.replaceChildren(place);
    root.model = model; // for a reader with a console, and for tests
  }));
}
