// A quiz of native form controls. The same module serves a notebook, as an anywidget, and a page without a kernel.
// Texts are only ever set as text, never as HTML.

import { element, rich, uniquePrefix } from "./dom.js";
import { grade, NotAnAnswer } from "./grading.js";
import { keptModel } from "./kept.js";

function mark(correct, words = ["Right.", "Not right."]) {
  const className = correct ? "kdq-right" : "kdq-wrong";
  const sign = element("span", { className, "aria-hidden": "true" }, correct ? "✓" : "✗");
  return element("strong", {}, sign, ` ${words[correct ? 0 : 1]} `);
}

// The link to a lesson. On a built site the lessons are pages, so the link takes the ending of the page it stands on.
function lessonLink({ lesson, href }) {
  const ending = location.pathname.endsWith(".html") ? ".html" : ".ipynb";
  const url = href && new URL(href.replace(/\.ipynb$/, ending), document.baseURI);
  const safe = url && /^(https?|file):$/.test(url.protocol);
  const link = () => element("a", { href: url.href, target: "_blank", rel: "noopener" }, `${lesson} (in a new tab)`);
  return element("p", { className: "kdq-lesson" }, "Lesson: ", safe ? link() : lesson);
}

// The form of one question: its controls, read and write what is given, and say what became of it.
function questionForm(question, number, total, prefix) {
  const { type, answers } = question;
  const many = type === "many_choice";
  const name = `${prefix}-${number}`;
  const feedback = element("div", { className: "kdq-feedback", id: `${name}-feedback`, tabIndex: -1 });
  const check = element("button", { type: "submit" });
  const show = element("button", { type: "button" }, "Show answer");
  const heading = `Question ${number} of ${total}${many ? ", one answer or more" : ""}`;
  const asked = element("span", {}, ...rich(question.question));
  const legend = element("legend", {}, element("span", { className: "kdq-number" }, heading), asked);
  const typed = type === "numeric" && element("input", { type: "text", id: name, autocomplete: "off", maxLength: 40 });
  const inputs = typed ? [typed] : answers.map(() => element("input", { type: many ? "checkbox" : "radio", name }));
  const labels = typed
    ? [element("label", { htmlFor: name, className: "kdq-typed" }, "Your answer, a number: ", typed)]
    : inputs.map((input, k) => element("label", {}, input, element("span", {}, ...rich(answers[k].answer))));
  const buttons = element("div", { className: "kdq-buttons" }, check, show);
  const fields = element("fieldset", {}, legend, ...labels, feedback, buttons);
  const form = element("form", { noValidate: true, autocomplete: "off" }, fields);
  inputs[0].addEventListener("keydown", (event) => {
    if (!typed || event.key !== "Enter" || event.isComposing) return;
    event.preventDefault(); // JupyterLab stops what Enter does of itself in a text field
    form.requestSubmit();
  });

  const read = () => {
    const chosen = inputs.flatMap((input, k) => (input.checked ? [k] : []));
    return typed ? typed.value : many ? chosen : chosen[0];
  };
  const write = (given) => {
    if (typed) typed.value = given ?? "";
    else inputs.forEach((input, k) => (input.checked = [given].flat().includes(k)));
  };
  const complain = (message) => {
    feedback.replaceChildren(element("p", {}, message));
    inputs[0].setAttribute("aria-describedby", feedback.id);
    inputs[0].focus();
  };
  const explain = (index, text) => {
    if (index === null) return element("li", {}, ...rich(text));
    const verdict = mark(answers[index].correct, many ? ["applies:", "does not apply:"] : ["right:", "not right:"]);
    return element("li", {}, verdict, ...rich(answers[index].answer), element("br"), ...rich(text));
  };
  const solution = () => {
    const right = answers.filter((answer) => answer.correct);
    const words = ({ answer, value, range }) => answer ?? value ?? `from ${range[0]} to ${range[1]}`;
    const why = many ? [] : [element("br"), ...rich(right[0].feedback)];
    return element("p", {}, element("strong", {}, "The right answer: "), ...rich(right.map(words).join("; ")), ...why);
  };
  const others = () => {
    const items = answers.map((answer, k) => explain(k, answer.feedback));
    return element("details", {}, element("summary", {}, "Every option explained"), element("ul", {}, ...items));
  };
  // given: undefined while the question is open
  const draw = (given, shown) => {
    const result = given === undefined ? null : grade(question, given);
    const settled = result !== null && (result.correct || shown);
    write(given);
    inputs.forEach((input) => (input.disabled = settled));
    inputs[0].removeAttribute("aria-describedby");
    check.hidden = settled;
    check.textContent = result ? "Check again" : "Check answer";
    show.hidden = settled || !result;
    feedback.replaceChildren();
    feedback.dataset.correct = result?.correct ?? "";
    if (!result) return;
    feedback.append(element("p", {}, mark(result.correct), ...(many ? [] : rich(result.feedback[0][1]))));
    if (many) feedback.append(element("ul", {}, ...result.feedback.map(([index, text]) => explain(index, text))));
    if (shown && !result.correct) feedback.append(solution());
    if (settled && !typed) feedback.append(others());
    feedback.append(lessonLink(question));
  };
  return { form, show, feedback, read, complain, draw, focus: () => inputs[0].focus() };
}

// The quiz: everything that has to be remembered is in the model, the rest belongs to this view.
function mount(root, model) {
  const { title, questions } = model.get("content");
  const total = questions.length;
  const prefix = uniquePrefix("kdq");
  const missedOnce = new Set(); // questions of which a second miss shows the answer
  const shown = new Set(); // questions whose right answer was shown
  const again = new Set(); // questions that were missed, and are open once more
  const status = element("p", { role: "status", className: "kdq-status" });
  const retry = element("button", { type: "button" });
  const forms = questions.map((question, k) => questionForm(question, k + 1, total, prefix));

  const answered = ({ id }) => Object.hasOwn(model.get("answers"), id);
  const open = (question) => !answered(question) || again.has(question.id);
  const missed = () => questions.filter((one) => !open(one) && !grade(one, model.get("answers")[one.id]).correct);
  const forget = ({ id }) => [missedOnce, shown, again].forEach((some) => some.delete(id));
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
      forms[k].draw(given, shown.has(question.id));
    });
    const left = missed().length;
    retry.hidden = !left || questions.some(open);
    retry.textContent = left === 1 ? "Try the one you missed again" : `Try the ${left} you missed again`;
  };

  questions.forEach((question, k) => {
    const { id } = question;
    const { form, show, feedback, read, complain } = forms[k];
    const reply = (words) => {
      draw();
      feedback.focus();
      announce(`Question ${k + 1}: ${words}`);
    };
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
      if (!correct) (missedOnce.has(id) ? shown : missedOnce).add(id);
      again.delete(id);
      drawn[k] = null; // the same wrong answer again still gets a reply
      const first = model.get("first_tries");
      model.set("answers", { ...model.get("answers"), [id]: given });
      if (!Object.hasOwn(first, id)) model.set("first_tries", { ...first, [id]: correct });
      model.save_changes();
      reply(correct ? "right." : shown.has(id) ? "not right. The right answer is shown." : "not right.");
    });
    show.addEventListener("click", () => {
      shown.add(id);
      reply("the right answer is shown.");
    });
  });
  retry.addEventListener("click", () => {
    const repeated = missed();
    for (const question of repeated) {
      forget(question);
      again.add(question.id);
    }
    draw();
    const first = questions.indexOf(repeated[0]);
    forms[first].focus();
    announce(`${repeated.length} to try again, from question ${first + 1}.`);
  });

  root.classList.add("kdcourse-quiz");
  const parts = [...forms.map(({ form }) => form), status, retry];
  root.replaceChildren(element("div", { role: "group", "aria-label": `Quiz: ${title}` }, ...parts));
  const changed = () => {
    questions.filter((question) => !answered(question)).forEach(forget); // Python may have taken answers away
    draw();
    announce("");
  };
  changed();
  const events = "change:answers change:first_tries";
  model.on(events, changed);
  return () => model.off(events, changed);
}

// On a page without a kernel: every quiz whose content is still waiting beside it.
export function start() {
  for (const waiting of document.querySelectorAll(".kdcourse-quiz > script[type='application/json']")) {
    mount(waiting.parentElement, keptModel(JSON.parse(waiting.textContent), grade));
  }
}

export default { render: ({ model, el }) => mount(el, model) };
