// A button that the scripts of the pages share: it asks before it forgets.

import { element } from "./kdcourse/dom.js";

// A button that asks once more beside itself before it calls `forget`.
export function forgetButton(words, question, forget) {
  const first = element("button", { type: "button" }, words);
  const yes = element("button", { type: "button" }, "Yes, forget");
  const no = element("button", { type: "button" }, "No, keep it");
  const asked = element("span", { hidden: true }, `${question} `, yes, " ", no);
  const ask = (asking) => {
    asked.hidden = !asking;
    first.hidden = asking;
    (asking ? no : first).focus();
  };
  first.addEventListener("click", () => ask(true));
  no.addEventListener("click", () => ask(false));
  yes.addEventListener("click", () => {
    ask(false);
    forget();
  });
  return element("p", { className: "kd-forget" }, first, asked);
}
