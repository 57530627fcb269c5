// Whatever is wider than the page scrolls in a frame of its own; while it does, the keyboard can reach that frame.

const FRAMES = ".kd-frame, .kd-figure, .kd-formula, .pst-scrollable-table-container, .cell_output .text_html, pre";

function mark(frame, scrolls) {
  if (scrolls && !frame.hasAttribute("tabindex")) {
    frame.tabIndex = 0;
    if (!frame.hasAttribute("role")) {
      frame.setAttribute("role", "group");
      frame.setAttribute("aria-label", "Scrolls sideways");
      frame.dataset.scrolls = "";
    }
  } else if (!scrolls && "scrolls" in frame.dataset) {
    for (const name of ["tabindex", "role", "aria-label", "data-scrolls"]) frame.removeAttribute(name);
  }
}

// Resolves when all frames have been looked at once. All are measured before any is changed: a page is laid out once for
// that, and not once for each of its frames.
export function watchFrames() {
  const frames = [...document.querySelectorAll(FRAMES)];
  return new Promise((done) => {
    const observer = new ResizeObserver((entries) => {
      const measured = entries.map(({ target }) => [target, target.scrollWidth > target.clientWidth + 1]);
      measured.forEach(([frame, scrolls]) => mark(frame, scrolls));
      done();
    });
    frames.forEach((frame) => observer.observe(frame));
    if (frames.length === 0) done();
  });
}
