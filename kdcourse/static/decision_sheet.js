// The explorer of the decision sheet: whether to distil a large model for a feature, before anything is trained.

import { assign, checkbox, choice, mount, numberField, setter, slider } from "./controls.js";
import { element, setText } from "./dom.js";
import { breakEven, plain } from "./maths.js";

// The names of the answers, in the order in which they are shown, as in kdcourse.memo.decision.QUESTIONS.
const ANSWERS = {
  logits: ["text", "top", "all"],
  tokenizer: ["different", "same", "classes"],
  terms: ["unread", "forbidden", "allowed"],
  gold: ["none", "teacher", "independent"],
  alternatives: ["not priced", "one does", "dearer"],
};
const AGAINST = ["terms forbidden", "alternatives one does", "costs never", "costs late"];
const OPEN = ["terms unread", "alternatives not priced", "costs unknown", "gold none", "gold teacher"];
const MONEY = [
  "costs_known",
  "requests_per_month",
  "teacher_cost",
  "student_cost",
  "one_time_cost",
  "teacher_queries",
  "fallback",
  "upkeep",
  "horizon_months",
];
const SIGNS = { "don't": "✗", "measure first": "?", do: "✓" };
const MOST_MONEY = 1e12;

const STYLE = `
  & .kdx-sheet-asked .kdx-control { display: block; }
  & .kdx-sheet-asked label { font-weight: 600; }
  & .kdx-sheet-asked { margin: 0 0 0.8rem; }
  & .kdx-sheet-verdict { border-left: 0.4rem solid var(--kdx-sheet-colour); padding: 0.2rem 0 0.2rem 0.7rem; }
  & .kdx-sheet-verdict strong { font-size: 1.25em; }
  & [data-says="don't"] { --kdx-sheet-colour: var(--kdx-b); }
  & [data-says="measure first"] { --kdx-sheet-colour: #a87700; }
  & [data-says="do"] { --kdx-sheet-colour: var(--kdx-a); }
  & .kdx-sheet-reasons { list-style: none; margin: 0.8rem 0 0; padding: 0; }
  & .kdx-sheet-reasons li { display: grid; gap: 0 0.5rem; grid-template-columns: 1.2rem 1fr; margin: 0.3rem 0 0; }
  & .kdx-sheet-sign { border-bottom: 3px solid var(--kdx-sheet-colour); height: 1.5em; text-align: center; }
  & .kdx-sheet-reasons a { color: inherit; text-decoration: underline; }
  & fieldset { border: 0; border-top: 1px solid var(--kdx-line); margin: 0 0 0.8rem; min-width: 0; padding: 0.4rem 0 0; }
  & fieldset .kdx-check { margin: 0.2rem 0 0.5rem; }
  & legend { font-weight: 600; padding: 0 0.6rem 0 0; }
`;

// {verdict, reasons, method} by the names of kdcourse.memo.decision, as its decide says. months: null for not worked out.
export function decide({ logits, tokenizer, terms, gold, alternatives }, months, horizon) {
  const costs = months === null ? "unknown" : months === Infinity ? "never" : months > horizon ? "late" : "soon";
  const names = [`terms ${terms}`, `alternatives ${alternatives}`, `costs ${costs}`, `gold ${gold}`];
  const [against, open] = [AGAINST, OPEN].map((list) => names.filter((name) => list.includes(name)));
  const rest = names.filter((name) => ![...against, ...open].includes(name));
  const verdict = against.length > 0 ? "don't" : open.length > 0 ? "measure first" : "do";
  const unlike = logits === "text" ? "text" : tokenizer === "different" ? "different" : `same ${logits}`;
  const method = tokenizer === "classes" ? `classes ${logits}` : unlike;
  return { verdict, reasons: [...against, ...open, ...rest], method };
}

// Until the student has paid for itself, all costs included; Infinity for never.
export function monthsToPayBack(values) {
  const { requests_per_month: requests, teacher_cost: teacher, student_cost: student, fallback, upkeep } = values;
  const once = values.one_time_cost + (values.teacher_queries / 1000) * teacher;
  return breakEven(once, teacher, student + fallback * teacher + (1000 * upkeep) / requests) / requests;
}

function payback(months, known) {
  const after = months === 0 ? "at once" : `after ${plain(Number(months.toPrecision(2)))} months`;
  const when = months === Infinity ? "it never pays back" : `it pays back ${after}`;
  return known ? `${when[0].toUpperCase()}${when.slice(1)}.` : `If these guesses hold, ${when}.`;
}

function summary({ verdict, reasons }) {
  const count = (list) => reasons.filter((name) => list.includes(name)).length;
  const [against, open] = [count(AGAINST), count(OPEN)];
  const [first, ...rest] = verdict;
  const why = [
    against > 0 && `${against} ${against === 1 ? "answer speaks" : "answers speak"} against it`,
    open > 0 && `${open} ${open === 1 ? "question is" : "questions are"} open`,
  ].filter(Boolean);
  const because = why.length > 0 ? `${why.join(", ")}.` : "Nothing speaks against it, and nothing is open.";
  return [`${first.toUpperCase()}${rest.join("")}.`, because];
}

// Two digits of a power of ten.
function rounded(exponent) {
  return Number((10 ** exponent).toPrecision(2));
}

function inWords(value) {
  const [word, scale] = value >= 1e9 ? [" billion", 1e9] : value >= 1e6 ? [" million", 1e6] : ["", 1];
  return `${plain(value / scale)}${word}`;
}

// A slider for a number of many magnitudes, from 10 ** min to 10 ** max.
function magnitudes(model, name, { label, min, max }) {
  const change = (exponent) => assign(model, { [name]: rounded(exponent) });
  const made = slider({ label, min, max, step: 0.1, change });
  const show = () => {
    const value = model.get(name);
    made.show(value > 0 ? Math.log10(value) : min, inWords(value));
  };
  return { node: made.node, show };
}

function signOf(name) {
  const says = AGAINST.includes(name) ? "don't" : OPEN.includes(name) ? "measure first" : "do";
  return [SIGNS[says], says];
}

function reasonLine(sign, says, [, text, source, link]) {
  const words = element("span", {}, text);
  if (source) words.append(" ", element("a", { href: link }, source));
  const mark = element("span", { className: "kdx-sheet-sign" }, sign);
  mark.setAttribute("aria-hidden", "true");
  const line = element("li", {}, mark, words);
  line.dataset.says = says;
  return line;
}

function render({ model, el }) {
  const names = Object.keys(ANSWERS);
  const values = () => Object.fromEntries(MONEY.map((name) => [name, model.get(name)]));
  const asked = names.map((name, k) => {
    const [label, options] = model.get("questions")[k];
    return choice({ label, options, change: setter(model, name) });
  });
  const known = checkbox({ label: "These costs were worked out, not guessed.", change: setter(model, "costs_known") });
  const logarithmic = [
    magnitudes(model, "requests_per_month", { label: "requests in a month", min: 3, max: 9 }),
    magnitudes(model, "teacher_cost", { label: "teacher, per 1,000", min: -3, max: 3 }),
    magnitudes(model, "student_cost", { label: "student, per 1,000", min: -3, max: 3 }),
    magnitudes(model, "teacher_queries", { label: "teacher's answers to learn from", min: 2, max: 8 }),
  ];
  const amount = { max: MOST_MONEY, step: "any" };
  const once = numberField({ label: "training, labels, work", ...amount, change: setter(model, "one_time_cost") });
  const upkeep = numberField({ label: "retraining, in a month", ...amount, change: setter(model, "upkeep") });
  const handedOn = (percents) => assign(model, { fallback: percents / 100 });
  const fallback = slider({ label: "handed on to the teacher", max: 100, change: handedOn });
  const horizon = slider({ label: "has to pay back within", min: 1, max: 60, change: setter(model, "horizon_months") });

  const verdict = element("strong");
  const why = element("span");
  const finding = element("p", { className: "kdx-finding kdx-sheet-verdict" }, verdict, " ", why);
  const paid = element("p", { className: "kdx-note" });
  const reasons = element("ul", { className: "kdx-sheet-reasons" });

  const draw = () => {
    const money = values();
    const months = monthsToPayBack(money);
    const answers = Object.fromEntries(names.map((name) => [name, ANSWERS[name][model.get(name)]]));
    const decision = decide(answers, money.costs_known ? months : null, money.horizon_months);
    names.forEach((name, k) => asked[k].show(model.get(name)));
    known.show(money.costs_known);
    for (const each of logarithmic) each.show();
    once.show(money.one_time_cost);
    upkeep.show(money.upkeep);
    fallback.show(100 * money.fallback, `${plain(100 * money.fallback)} %`);
    horizon.show(money.horizon_months, `${money.horizon_months} ${money.horizon_months === 1 ? "month" : "months"}`);
    const [word, because] = summary(decision);
    finding.dataset.says = decision.verdict;
    setText(verdict, word);
    setText(why, because);
    setText(paid, payback(months, money.costs_known));
    const listed = decision.reasons.map((name) => model.get("reasons")[name]);
    const method = model.get("methods")[decision.method];
    const how = `How, if at all: ${method[1]}`;
    reasons.replaceChildren(
      ...listed.map((reason, k) => reasonLine(...signOf(decision.reasons[k]), reason)),
      reasonLine("→", "how", [method[0], how, method[2], method[3]]),
    );
    const said = listed.map((reason) => reason[1]);
    el.dataset.alt = [word, because, paid.textContent, ...said, how].join(" ");
  };
  const nodes = (...made) => made.map(({ node }) => node);
  const money = element(
    "fieldset",
    {},
    element("legend", {}, "What does it cost, in your currency?"),
    known.node,
    element("div", { className: "kdx-controls" }, ...nodes(...logarithmic, once, upkeep, fallback, horizon)),
  );
  const questions = element("div", { className: "kdx-controls kdx-sheet-asked" }, ...nodes(...asked));
  const parts = [finding, questions, money, paid, reasons];
  draw();
  const redraw = { [[...names, ...MONEY].join(" ")]: draw };
  return mount(el, model, { title: "Decision sheet", style: STYLE, parts, redraw });
}

export default { render };
