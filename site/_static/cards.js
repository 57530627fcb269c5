// Flashcards: an answer, what is asked next, and the answer to that. What was known is put away, what was not comes
// again at the end. Without this script they are a list, lesson by lesson.

import { element } from "./kdcourse/dom.js";
import { read, write } from "./kdcourse/kept.js";
import { forgetButton } from "./forget.js";

const KEY = "kdcourse:cards"; // {id of a card: "known" or "again"}

export function start() {
  const root = document.querySelector("[data-course='cards']");
  const sections = [...root.querySelectorAll("section")];
  const cards = sections.flatMap((section) =>
    [...section.querySelectorAll(".kd-card")].map((node) => ({ id: node.id, node, section })),
  );
  const kept = read(KEY);
  const known = ({ id }) => Object.hasOwn(kept, id) && kept[id] === "known";
  let queue = [];

  const lesson = element("select", { id: "kd-lesson" });
  const from = element("p", { className: "kd-from" });
  const front = element("p", { className: "kd-front", tabIndex: -1 });
  const back = element("p", { className: "kd-back", tabIndex: -1 });
  const next = element("p", { className: "kd-front" });
  const nextBack = element("p", { className: "kd-back", tabIndex: -1 });
  const show = element("button", { type: "button" }, "Show the answer");
  const showNext = element("button", { type: "button" }, "Show the answer to this");
  const knew = element("button", { type: "button" }, "I knew it");
  const again = element("button", { type: "button" }, "Again");
  const buttons = element("p", { className: "kd-buttons" }, show, showNext, knew, again);
  const status = element("p", { role: "status" });

  const chosen = () => cards.filter((card) => ["", card.section.dataset.lesson].includes(lesson.value));
  const draw = () => {
    const [card] = queue;
    const all = chosen();
    if (card) {
      const [question, answer, { children }] = card.node.children;
      const texts = new Map([[from, card.section.firstElementChild], [front, question], [back, answer]]);
      texts.set(next, children[0]).set(nextBack, children[1]);
      texts.forEach((text, place) => place.replaceChildren(...text.cloneNode(true).childNodes));
    } else {
      front.replaceChildren("You knew all of these. Choose another lesson, or forget.");
    }
    back.hidden = next.hidden = nextBack.hidden = showNext.hidden = knew.hidden = again.hidden = true;
    from.hidden = show.hidden = !card;
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
    back.hidden = next.hidden = showNext.hidden = false;
    show.hidden = true;
    back.focus();
  });
  showNext.addEventListener("click", () => {
    nextBack.hidden = knew.hidden = again.hidden = false;
    showNext.hidden = true;
    nextBack.focus();
  });
  knew.addEventListener("click", () => put("known"));
  again.addEventListener("click", () => put("again"));
  lesson.addEventListener("change", deal);

  lesson.append(element("option", { value: "" }, `all lessons (${cards.length})`));
  for (const { dataset, firstElementChild, children } of sections) {
    const words = `${firstElementChild.textContent} (${children.length - 1})`;
    lesson.append(element("option", { value: dataset.lesson }, words));
  }
  const choose = element("p", {}, element("label", { htmlFor: "kd-lesson" }, "Cards of "), lesson);
  const face = element("div", { className: "kd-face", role: "group", "aria-label": "Card" });
  face.append(from, front, back, next, nextBack, buttons);
  const list = element("details", { className: "kd-all" }, element("summary", {}, "All cards as a list"), ...sections);
  root.append(choose, face, status, forget, list);
  deal();
}
