// A quiz of native form controls. The same module serves a notebook, as an anywidget, and a page without a kernel.
// Texts are only ever set as text, never as HTML.

import { element, rich, uniquePrefix } from "./dom.js";
import { keptModel } from "./kept.js";

export class NotAnAnswer extends Error {}

// ---- Grading: the rule of kdcourse/quiz/grading.py on the same data; a test compares the two. ----

const SPACE = "[ \\t\\u00a0\\u2009\\u202f]";
const AROUND = new RegExp(`^${SPACE}+|${SPACE}+$`, "g");
const NUMBER = new RegExp(
  `^[+-]?${SPACE}*(?:(?:[0-9]{1,3}(?:${SPACE}[0-9]{3})+|[0-9]+)(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?$`,
);
const TWO_WAYS = new RegExp(`^[+-]?${SPACE}*[1-9][0-9]{0,2},[0-9]{3}$`);

// {correct, feedback: [[option or null, explanation], ...]}; throws NotAnAnswer for what is none.
export function grade(question, given) {
  const { type, answers } = question;
  if (type === "numeric") return gradeNumber(question, given);
  const chosen = type === "many_choice" ? [given].flat() : [given];
  if (given === null || given === undefined || chosen.length === 0) throw new NotAnAnswer("Choose an option first.");
  for (const index of chosen) {
    if (!Number.isInteger(index) || !answers[index]) {
      throw new NotAnAnswer(`There are options 0 to ${answers.length - 1}, and no option ${index}.`);
    }
  }
  const feedback = [...new Set(chosen)].sort((a, b) => a - b).map((index) => [index, answers[index].feedback]);
  const right = chosen.every((index) => answers[index].correct);
  const missing = answers.filter((answer) => answer.correct).length > feedback.length;
  if (type === "many_choice" && right && missing) {
    feedback.push([null, "What you chose applies, but something else does too."]);
  }
  return { correct: right && (type === "multiple_choice" || !missing), feedback };
}

function gradeNumber({ answers, precision }, given) {
  const round = (number) => (precision ? Number(number.toPrecision(precision)) : number);
  const number = round(readNumber(given));
  const fits = (answer) =>
    answer.type === "value"
      ? number === round(answer.value)
      : answer.type === "range" && answer.range[0] <= number && number < answer.range[1];
  const answer = answers.find(fits) ?? answers.find((one) => one.type === "default");
  return { correct: answer.correct ?? false, feedback: [[null, answer.feedback]] };
}

function readNumber(given) {
  if (Number.isFinite(given)) return given;
  const text = typeof given === "string" ? given.replace(AROUND, "") : "";
  if (!text) throw new NotAnAnswer("Type a number first.");
  const unreadable = new NotAnAnswer(`“${text}” cannot be read as a number. Write it like 12.5, −3 or 1/8.`);
  const numbers = text.replaceAll("−", "-").replace(/%$/, "").split("/").map((spaced) => {
    const part = spaced.replace(AROUND, "");
    if (TWO_WAYS.test(part)) {
      throw new NotAnAnswer(
        `“${text}” can be read in two ways. Write a point for the decimals, and nothing between thousands.`,
      );
    }
    if (!NUMBER.test(part)) throw unreadable;
    return Number(part.replace(new RegExp(SPACE, "g"), "").replace(",", "."));
  });
  const number = numbers.length === 2 && numbers[1] ? numbers[0] / numbers[1] : numbers[0];
  if (numbers.length > 2 || (numbers.length === 2 && !numbers[1]) || !Number.isFinite(number)) throw unreadable;
  return number;
}

// ---- Building ----

function mark(correct, words = ["Right.", "Not right."]) {
  const className = correct ? "kdq-right" : "kdq-wrong";
  const sign = element("span", { className, "aria-hidden": "true" }, correct ? "✓" : "✗");
  return element("strong", {}, sign, ` ${words[correct ? 0 : 1]} `);
}

// The link to a lesson. On a built site the lessons are pages, so the link takes the ending of the page it stands on.
function lessonLink({ lesson, href }) {
  const line = element("p", { className: "kdq-lesson" }, "Lesson: ");
  const ending = location.pathname.endsWith(".html") ? ".html" : ".ipynb";
  const url = href && new URL(href.replace(/\.ipynb$/, ending), document.baseURI);
  if (!url || !/^(https?|file):$/.test(url.protocol)) line.append(lesson);
  else line.append(element("a", { href: url.href, target: "_blank", rel: "noopener" }, `${lesson} (in a new tab)`));
  return line;
}

// The form of one question: its controls, read and write what is given, and say what became of it.
function questionForm(question, number, total, prefix) {
  const { type, answers } = question;
  const name = `${prefix}-${number}`;
  const feedback = element("div", { className: "kdq-feedback", id: `${name}-feedback`, tabIndex: -1 });
  const check = element("button", { type: "submit" });
  const show = element("button", { type: "button" }, "Show answer");
  const heading = `Question ${number} of ${total}${type === "many_choice" ? ", one answer or more" : ""}`;
  const asked = element("span", {}, ...rich(question.question));
  const legend = element("legend", {}, element("span", { className: "kdq-number" }, heading), asked);
  const fields = element("fieldset", {}, legend);
  let inputs;
  if (type === "numeric") {
    inputs = [element("input", { type: "text", id: name, inputMode: "text", autocomplete: "off", maxLength: 40 })];
    fields.append(element("label", { htmlFor: name, className: "kdq-typed" }, "Your answer, a number: ", inputs[0]));
  } else {
    inputs = answers.map(() => element("input", { type: type === "many_choice" ? "checkbox" : "radio", name }));
    fields.append(
      ...inputs.map((input, k) => element("label", {}, input, element("span", {}, ...rich(answers[k].answer)))),
    );
  }
  fields.append(feedback, element("div", { className: "kdq-buttons" }, check, show));
  const form = element("form", { noValidate: true, autocomplete: "off" }, fields);
  if (type === "numeric") {
    inputs[0].addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault(); // JupyterLab stops what Enter does of itself in a text field
      form.requestSubmit();
    });
  }

  const read = () => {
    if (type === "numeric") return inputs[0].value;
    const chosen = inputs.flatMap((input, k) => (input.checked ? [k] : []));
    return type === "many_choice" ? chosen : chosen[0];
  };
  const write = (given) => {
    if (type === "numeric") inputs[0].value = given ?? "";
    else inputs.forEach((input, k) => (input.checked = [given].flat().includes(k)));
  };
  const complain = (message) => {
    feedback.replaceChildren(element("p", {}, message));
    inputs[0].setAttribute("aria-describedby", feedback.id);
    inputs[0].focus();
  };
  const verdicts = type === "many_choice" ? ["applies:", "does not apply:"] : ["right:", "not right:"];
  const explain = (index, text, correct) => {
    const about = index === null ? [] : [mark(correct, verdicts), ...rich(answers[index].answer), element("br")];
    return element("li", {}, ...about, ...rich(text));
  };
  const solution = () => {
    const right = answers.filter((answer) => answer.correct);
    const words = ({ answer, value, range }) => answer ?? value ?? `from ${range[0]} to ${range[1]}`;
    const why = type === "many_choice" ? [] : [element("br"), ...rich(right[0].feedback)];
    return element("p", {}, element("strong", {}, "The right answer: "), ...rich(right.map(words).join("; ")), ...why);
  };
  const others = () => {
    const items = answers.map((answer, k) => explain(k, answer.feedback, answer.correct));
    return element("details", {}, element("summary", {}, "Every option explained"), element("ul", {}, ...items));
  };
  // given: undefined while the question is open
  const draw = (given, shown) => {
    const result = given === undefined ? null : grade(question, given);
    const settled = result !== null && (result.correct || shown);
    inputs.forEach((input) => (input.disabled = settled));
    inputs[0].removeAttribute("aria-describedby");
    check.hidden = settled;
    check.textContent = result ? "Check again" : "Check answer";
    show.hidden = settled || !result;
    feedback.replaceChildren();
    feedback.dataset.correct = result?.correct ?? "";
    if (!result) return;
    if (type === "many_choice") {
      const items = result.feedback.map(([index, text]) => explain(index, text, answers[index]?.correct));
      feedback.append(element("p", {}, mark(result.correct)), element("ul", {}, ...items));
    } else {
      feedback.append(element("p", {}, mark(result.correct), ...rich(result.feedback[0][1])));
    }
    if (shown && !result.correct) feedback.append(solution());
    if (settled && type !== "numeric") feedback.append(others());
    feedback.append(lessonLink(question));
  };
  return { form, show, feedback, read, write, complain, draw, focus: () => inputs[0].focus() };
}

// ---- The quiz: everything that has to be remembered is in the model, the rest belongs to this view. ----

function mount(root, model) {
  const { title, questions } = model.get("content");
  const total = questions.length;
  const prefix = uniquePrefix("kdq");
  const tries = {};
  const shown = new Set(); // questions whose right answer was shown
  const again = new Set(); // questions that were missed, and are open once more
  const status = element("p", { role: "status", className: "kdq-status" });
  const retry = element("button", { type: "button" });
  const forms = questions.map((question, k) => questionForm(question, k + 1, total, prefix));

  const answered = ({ id }) => Object.hasOwn(model.get("answers"), id);
  const open = (question) => !answered(question) || again.has(question.id);
  const missed = () => questions.filter((one) => !open(one) && !grade(one, model.get("answers")[one.id]).correct);
  const progress = () => {
    const done = questions.filter(answered).length;
    if (done < total) return `${done} / ${total} completed.`;
    const score = Object.values(model.get("first_tries")).filter(Boolean).length;
    const rest = missed().length + again.size ? "" : " All of them are right now.";
    return `${done} / ${total} completed, ${score} right at the first try.${score < total ? rest : ""}`;
  };
  const announce = (words) => status.replaceChildren(`${words} ${progress()}`.trim());

  // Redraw the questions that changed, so that a choice not yet checked elsewhere is left alone.
  const drawn = [];
  const draw = () => {
    questions.forEach((question, k) => {
      const given = open(question) ? undefined : model.get("answers")[question.id];
      const state = JSON.stringify([given ?? null, again.has(question.id), shown.has(question.id)]);
      if (state === drawn[k]) return;
      drawn[k] = state;
      forms[k].write(given);
      forms[k].draw(given, shown.has(question.id));
    });
    const left = missed().length;
    retry.hidden = !left || questions.some(open);
    retry.textContent = left === 1 ? "Try the one you missed again" : `Try the ${left} you missed again`;
  };

  questions.forEach((question, k) => {
    const { id } = question;
    const { form, show, feedback, read, complain } = forms[k];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = read();
      let correct;
      try {
        ({ correct } = grade(question, given));
      } catch (error) {
        if (!(error instanceof NotAnAnswer)) throw error;
        complain(error.message);
        announce(`Question ${k + 1}: ${error.message}`);
        return;
      }
      tries[id] = (tries[id] ?? 0) + 1;
      if (!correct && tries[id] > 1) shown.add(id);
      again.delete(id);
      const first = model.get("first_tries");
      drawn[k] = null; // the same wrong answer again still gets a reply
      model.set("answers", { ...model.get("answers"), [id]: given });
      if (!Object.hasOwn(first, id)) model.set("first_tries", { ...first, [id]: correct });
      model.save_changes();
      draw();
      feedback.focus();
      const result = correct ? "right." : shown.has(id) ? "not right. The right answer is shown." : "not right.";
      announce(`Question ${k + 1}: ${result}`);
    });
    show.addEventListener("click", () => {
      shown.add(id);
      draw();
      feedback.focus();
      announce(`Question ${k + 1}: the right answer is shown.`);
    });
  });
  retry.addEventListener("click", () => {
    const repeated = missed();
    for (const { id } of repeated) {
      again.add(id);
      shown.delete(id);
      tries[id] = 0;
    }
    draw();
    const first = questions.indexOf(repeated[0]);
    forms[first].focus();
    announce(`${repeated.length} to try again, from question ${first + 1}.`);
  });

  root.classList.add("kdcourse-quiz");
  const parts = [...forms.map(({ form }) => form), status, retry];
  root.replaceChildren(element("div", { role: "group", "aria-label": `Quiz: ${title}` }, ...parts));
  draw();
  announce("");
  const changed = () => {
    for (const { id } of questions.filter((question) => !answered(question))) {
      again.delete(id); // Python has taken the answer away
      shown.delete(id);
      tries[id] = 0;
    }
    draw();
    announce("");
  };
  const events = "change:answers change:first_tries";
  model.on(events, changed);
  return () => model.off(events, changed);
}

// ---- On a page without a kernel: every quiz whose content is still waiting beside it. ----

export function start() {
  for (const waiting of document.querySelectorAll(".kdcourse-quiz > script[type='application/json']")) {
    mount(waiting.parentElement, keptModel(JSON.parse(waiting.textContent), grade));
  }
}

export default { render: ({ model, el }) => mount(el, model) };
