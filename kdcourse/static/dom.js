// What all widgets build their pages from. Texts are only ever set as text, never as HTML.

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  // JupyterLab takes arrows and Enter for its own commands, unless the very element that has the focus says this.
  node.setAttribute("data-lm-suppress-shortcuts", "true");
  node.append(...children);
  return node;
}

// A text as nodes; what stands between backticks is code.
export function rich(text) {
  return String(text).split("`").map((part, k) => (k % 2 ? element("code", {}, part) : part));
}

// Write a text where it differs.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A prefix for names and ids: two widgets on a page must not share them.
export function uniquePrefix(widget) {
  return `${widget}-${Math.random().toString(36).slice(2)}`;
}

// The model of a widget on a page without a kernel. Like that of a notebook, it tells listeners what has changed.
export function pageModel(values) {
  const listeners = {};
  return {
    get: (name) => values[name],
    set(name, value) {
      const before = values[name];
      values[name] = value;
      if (before !== value) (listeners[`change:${name}`] ?? []).slice().forEach((listener) => listener());
    },
    save_changes() {},
    on(events, listener) {
      for (const event of events.split(" ")) (listeners[event] ??= []).push(listener);
    },
    off(events, listener) {
      for (const event of events.split(" ")) listeners[event] = (listeners[event] ?? []).filter((one) => one !== listener);
    },
  };
}
