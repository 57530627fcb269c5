// What a page of the site needs of scripts, and no more: each module is loaded by the pages that have a use for it.

import { watchFrames } from "./frames.js";

const framed = watchFrames();
nameToggles();

const parts = {
  ".kdcourse-quiz": "./kdcourse/quiz.js",
  ".kdcourse-explorer[data-explorer]": "./kdcourse/explorers.js",
  "[data-course='quizzes']": "./quizzes.js",
  "[data-course='cards']": "./cards.js",
  "[data-course='glossary']": "./glossary.js",
};
const needed = Object.entries(parts).filter(([selector]) => document.querySelector(selector));
const started = needed.map(([, module]) => import(module).then(({ start }) => start()));
Promise.all([framed, ...started]).then(() => (document.documentElement.dataset.courseReady = "")); // for tests

// The theme's buttons that unfold a part of the contents have no name of their own.
function nameToggles() {
  for (const toggle of document.querySelectorAll("summary:has(> .toctree-toggle)")) {
    const title = toggle.closest("li").querySelector("a")?.textContent.trim();
    toggle.setAttribute("aria-label", `Pages below ${title}`);
  }
}
