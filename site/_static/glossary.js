// The glossary's search: it hides the terms that do not fit what is typed. Without this script all of them are shown.

import { element } from "./kdcourse/dom.js";

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[\s\-–_]+/g, " ").trim().toLowerCase();

export function start() {
  const root = document.querySelector("[data-course='glossary']");
  const terms = [...root.querySelectorAll(".kd-term")].map((node) => ({
    node,
    text: plain([...node.querySelectorAll("h2, .kd-also, .kd-definition")].map((part) => part.textContent).join(" ")),
  }));
  const field = element("input", { type: "search", id: "kd-search", autocomplete: "off", spellcheck: false });
  const status = element("p", { role: "status" });
  const filter = () => {
    const words = plain(field.value).split(" ");
    let found = 0;
    for (const { node, text } of terms) {
      node.hidden = !words.every((word) => text.includes(word));
      found += node.hidden ? 0 : 1;
    }
    status.textContent = found === terms.length ? `${found} terms.` : `${found} of ${terms.length} terms.`;
  };
  // A link to a term shows it, whatever was searched for, with all that is said about it.
  const visit = () => {
    const visited = terms.find(({ node }) => node.id === decodeURIComponent(location.hash.slice(1)))?.node;
    if (!visited) return;
    if (visited.hidden) {
      field.value = "";
      filter();
    }
    visited.querySelector("details").open = true;
    visited.scrollIntoView();
  };
  field.addEventListener("input", filter);
  const label = element("label", { htmlFor: field.id }, "Search the glossary");
  root.prepend(element("div", { className: "kd-search", role: "search", "aria-label": "Glossary" }, label, field, status));
  filter();
  visit();
  addEventListener("hashchange", visit);
}
