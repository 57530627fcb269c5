// The list of quizzes, with what this reader has answered. quiz.js keeps the answers; here they are counted.

import { element } from "./kdcourse/dom.js";
import { read, remove } from "./kdcourse/kept.js";
import { forgetButton } from "./forget.js";

const keyOf = (name) => `kdcourse:quiz:${name}`;

// {answered, right}: how many of these questions were answered, and how many of them right at the first try.
export function count(kept, ids) {
  const has = (part, id) => kept[part] !== null && typeof kept[part] === "object" && Object.hasOwn(kept[part], id);
  const answered = ids.filter((id) => has("answers", id));
  return { answered: answered.length, right: answered.filter((id) => kept.first_tries?.[id] === true).length };
}

export function start() {
  const root = document.querySelector("[data-course='quizzes']");
  const quizzes = Object.entries(JSON.parse(root.querySelector("script[type='application/json']").textContent));
  const total = element("p", { role: "status", className: "kd-total" });
  const words = ({ answered, right }, of) => `${answered} of ${of} answered, ${right} right at the first try`;

  const draw = (before = "") => {
    const sum = { answered: 0, right: 0 };
    for (const [name, ids] of quizzes) {
      const counted = count(read(keyOf(name)), ids);
      sum.answered += counted.answered;
      sum.right += counted.right;
      const place = root.querySelector(`[data-quiz="${CSS.escape(name)}"]`);
      place.textContent = counted.answered ? words(counted, ids.length) : `${ids.length} questions`;
      place.dataset.done = counted.answered === ids.length;
    }
    const all = quizzes.reduce((length, [, ids]) => length + ids.length, 0);
    total.textContent = `${before} All quizzes: ${words(sum, all)}.`.trim();
    forget.hidden = sum.answered === 0 && before === "";
  };

  const forget = forgetButton("Forget my progress", "Forget all answers that this browser keeps?", () => {
    quizzes.forEach(([name]) => remove(keyOf(name)));
    draw("Forgotten.");
  });
  root.append(total, forget);
  draw();
  addEventListener("pageshow", (event) => event.persisted && draw()); // back from a quiz
  addEventListener("storage", () => draw()); // answered in another tab
}
