// Whatever is wider than the page scrolls in a frame of its own; while it does, the keyboard can reach that frame.

const FRAMES = ".kd-frame, .kd-figure, .kd-formula, .pst-scrollable-table-container, .cell_output .text_html, pre";

function mark(frame) {
  const scrolls = frame.scrollWidth > frame.clientWidth + 1;
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

export function watchFrames() {
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => mark(target)));
  for (const frame of document.querySelectorAll(FRAMES)) {
    observer.observe(frame);
    mark(frame);
  }
}
