// Flashcards: what was known is put away, what was not comes again at the end. Without this script they are a list.

import { element } from "./kdcourse/dom.js";
import { read, write } from "./kdcourse/kept.js";
import { forgetButton } from "./forget.js";

const KEY = "kdcourse:cards"; // {id of a card: "known" or "again"}

export function start() {
  const root = document.querySelector("[data-course='cards']");
  const listed = [...root.querySelectorAll(".kd-card")];
  const cards = listed.map((node) => ({ id: node.id, node, lesson: node.dataset.lesson, title: node.dataset.title }));
  const kept = read(KEY);
  const known = ({ id }) => Object.hasOwn(kept, id) && kept[id] === "known";
  let queue = [];

  const lesson = element("select", { id: "kd-lesson" });
  const front = element("p", { className: "kd-front", tabIndex: -1 });
  const back = element("div", { className: "kd-back", tabIndex: -1 });
  const show = element("button", { type: "button" }, "Show the answer");
  const knew = element("button", { type: "button" }, "I knew it");
  const again = element("button", { type: "button" }, "Again");
  const buttons = element("p", { className: "kd-buttons" }, show, knew, again);
  const status = element("p", { role: "status" });

  const chosen = () => cards.filter((card) => lesson.value === "" || card.lesson === lesson.value);
  const draw = () => {
    const [card] = queue;
    const all = chosen();
    front.replaceChildren(
      ...(card ? copied(card.node.querySelector("summary")) : ["You knew all of these. Choose another lesson, or forget."]),
    );
    back.replaceChildren();
    back.hidden = knew.hidden = again.hidden = true;
    show.hidden = !card;
    status.textContent = `${all.filter(known).length} of ${all.length} known, ${queue.length} to go.`;
    forget.hidden = !Object.keys(kept).length && !forget.contains(document.activeElement);
  };
  const deal = () => {
    queue = chosen().filter((card) => !known(card));
    draw();
  };
  const put = (verdict) => {
    const card = queue.shift();
    kept[card.id] = verdict;
    if (verdict === "again") queue.push(card);
    write(KEY, kept);
    draw();
    front.focus();
  };
  const forget = forgetButton("Forget which cards I knew", "Forget it for all lessons?", () => {
    Object.keys(kept).forEach((id) => delete kept[id]);
    write(KEY, kept);
    deal();
  });

  show.addEventListener("click", () => {
    back.replaceChildren(...[...queue[0].node.children].slice(1).map((node) => node.cloneNode(true)));
    back.hidden = knew.hidden = again.hidden = false;
    show.hidden = true;
    back.focus();
  });
  knew.addEventListener("click", () => put("known"));
  again.addEventListener("click", () => put("again"));
  lesson.addEventListener("change", deal);

  lesson.append(element("option", { value: "" }, `all lessons (${cards.length})`));
  for (const [stem, title] of new Map(cards.map((card) => [card.lesson, card.title]))) {
    const size = cards.filter((card) => card.lesson === stem).length;
    lesson.append(element("option", { value: stem }, `${title} (${size})`));
  }
  const choose = element("p", {}, element("label", { htmlFor: "kd-lesson" }, "Cards of "), lesson);
  const face = element("div", { className: "kd-face", role: "group", "aria-label": "Card" }, front, back, buttons);
  const list = element("details", { className: "kd-all" }, element("summary", {}, "All cards as a list"), ...listed);
  root.append(choose, face, status, forget, list);
  deal();
}

function copied(node) {
  return [...node.childNodes].map((child) => child.cloneNode(true));
}
