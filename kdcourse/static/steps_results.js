// The result of the step-through explorer: what this seed says, what several seeds say together, and a way to more seeds.

import { percent, placed } from "./charts.js";
import { button } from "./controls.js";
import { element, setText } from "./dom.js";
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
    setText(result, resultOf(seed, accuracies, differenceInPoints(accuracies), softWeight));
    setText(verdict, verdictOf(summary, softWeight));
    setText(train, waiting ? "Stop" : `Train ${howMany} more seeds`);
    setText(progress, waiting ? `seed ${waiting[0]}: ${howMany - waiting.length} of ${howMany} trained` : "");
    if (waiting || differences.length < 2) finished.textContent = ""; // what it says is of other settings
    spread.node.hidden = differences.length < 2; // one dot is no spread
    spread.show(differences, summary);
  };
  const finish = () => {
    finished.textContent = `${howMany} more seeds are trained. ${verdict.textContent}`;
  };
  const lines = () => (node.hidden ? [] : [result.textContent, verdict.textContent]);
  return { node, show, finish, lines };
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
    const at = (value) => percent(Math.min(edge, Math.max(-edge, value)), -edge, edge);
    const dots = differences.map((value, k) => {
      const dot = placed("kdx-steps-dot", at(value));
      dot.style.top = `${18 + 9 * (k % 4)}%`; // several rows, so that equal ones can be told apart
      return dot;
    });
    const interval = placed("kdx-steps-interval", at(result.low));
    interval.style.right = at(-result.high);
    const marks = result.n > 1 ? [interval, placed("kdx-steps-mean", at(result.mean))] : [];
    track.replaceChildren(...dots, ...marks);
    setText(low, `−${edge} points: labels better`);
    setText(high, `+${edge} points: distilled better`);
  };
  return { node, show };
}
