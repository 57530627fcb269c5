// What is kept in the reader's own browser. Whatever goes wrong there only means that nothing is kept.

import { pageModel } from "./dom.js";

// The model of a quiz on a page without a kernel. A site that says so, with <meta name="kdcourse-keep">, has its answers
// kept. grade(question, given) throws for what is no answer.
export function keptModel(content, grade) {
  const keeping = document.querySelector('meta[name="kdcourse-keep"]') !== null;
  const key = `kdcourse:quiz:${content.name}`;
  const kept = keeping ? read(key) : {};
  const answers = {};
  const firstTries = {};
  for (const question of content.questions) {
    const given = kept.answers?.[question.id];
    try {
      const { correct } = grade(question, given);
      answers[question.id] = given;
      firstTries[question.id] = Boolean(kept.first_tries?.[question.id] ?? correct);
    } catch {
      // Not answered yet, or the question has changed since.
    }
  }
  const model = pageModel({ content, answers, first_tries: firstTries });
  if (keeping) model.save_changes = () => write(key, { answers: model.get("answers"), first_tries: model.get("first_tries") });
  return model;
}

// An object that was kept under this key; an empty one if there is none, or no store, or something else in it.
export function read(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    return kept !== null && typeof kept === "object" && !Array.isArray(kept) ? kept : {};
  } catch {
    return {};
  }
}

export function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A full or forbidden store: what is done holds until the page is left.
  }
}

export function remove(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // Nothing was kept, then.
  }
}
