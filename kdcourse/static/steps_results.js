// The result of the step-through explorer: what this seed says, what several seeds say together, and a way to more seeds.

import { button } from "./controls.js";
import { element } from "./dom.js";
import { compare } from "./maths.js";
import { differenceInPoints } from "./toy.js";
import { resultOf, verdictOf } from "./steps_words.js";

// press() is called by its button, which trains `howMany` more seeds, or stops that.
export function resultsPanel(howMany, press) {
  const [result, verdict] = [element("p"), element("p")];
  const spread = strip();
  const train = button("", press);
  const progress = element("span", { className: "kdx-steps-progress" });
  const finished = element("span", { role: "status", className: "kdx-steps-hidden" });
  const node = element("div", { className: "kdx-steps-results" }, result, spread.node, verdict, train, progress, finished);

  // differences: of all seeds that were trained; waiting: the seeds that are still to be trained, if any
  const show = (seed, accuracies, differences, softWeight, waiting) => {
    const summary = compare(differences);
    setWords(result, resultOf(seed, accuracies, differenceInPoints(accuracies), softWeight));
    setWords(verdict, verdictOf(summary, softWeight));
    setWords(train, waiting ? "Stop" : `Train ${howMany} more seeds`);
    setWords(progress, waiting ? `seed ${waiting[0]}: ${howMany - waiting.length} of ${howMany} trained` : "");
    if (waiting || differences.length < 2) finished.textContent = ""; // what it says is of other settings
    spread.show(differences, summary);
  };
  const finish = () => {
    finished.textContent = `${howMany} more seeds are trained. ${verdict.textContent}`;
  };
  const lines = () => (node.hidden ? [] : [result.textContent, verdict.textContent]);
  return { node, show, finish, lines };
}

function setWords(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A strip of dots, one for each difference, with a zero, the mean and its interval. The words beside it say the same.
function strip() {
  const track = element("div", { className: "kdx-steps-strip" });
  const [low, high] = [element("span"), element("span")];
  const ends = element("div", { className: "kdx-steps-ends" }, low, element("span", {}, "0: no difference"), high);
  const node = element("div", { "aria-hidden": "true" }, track, ends);
  const show = (differences, result) => {
    const reach = Math.max(5, ...differences.map(Math.abs));
    const edge = 5 * Math.ceil(reach / 5);
    const at = (value) => `${50 + (50 * Math.min(edge, Math.max(-edge, value))) / edge}%`;
    const dots = differences.map((value, k) => {
      const dot = element("span", { className: "kdx-steps-dot" });
      dot.style.left = at(value);
      dot.style.top = `${18 + 9 * (k % 4)}%`; // several rows, so that equal ones can be told apart
      return dot;
    });
    const marks = [];
    if (result.n > 1) {
      const interval = element("span", { className: "kdx-steps-interval" });
      interval.style.left = at(result.low);
      interval.style.right = `calc(100% - ${at(result.high)})`;
      const mean = element("span", { className: "kdx-steps-mean" });
      mean.style.left = at(result.mean);
      marks.push(interval, mean);
    }
    track.replaceChildren(...dots, ...marks);
    setWords(low, `−${edge} points: labels better`);
    setWords(high, `+${edge} points: distilled better`);
  };
  return { node, show };
}
