"""How long a reader waits for an explorer: from a key on a slider to the new picture, in Chromium, without a kernel.

    python benchmarks/explorers.py

Each explorer is as its lesson has stored it. Every kind of slider is moved by 25 presses of an arrow key, one after the
other. Two times are taken of each: the work (from the input event until the page is laid out anew) and the wait (until
the frame after it has been painted, which includes waiting for the screen's next frame, up to 17 ms).

Writes benchmarks/results/explorers.json. Needs the extra `browser` and an installed Chromium.
"""

import datetime
import statistics
import sys
from pathlib import Path

from kdcourse import devices, store
from kdcourse.widgets._explorer import explorers

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from chromium import chromium  # noqa: E402
from explorer_pictures import empty_page, mount, stored  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "explorers.json"
MOVES = 25
WATCH = """() => {
    window.moves = [];
    window.addEventListener("input", () => { window.started = performance.now(); }, true);
    window.addEventListener("input", () => {
        document.body.getBoundingClientRect();
        const started = window.started;
        const move = { work: performance.now() - started };
        window.moves.push(move);
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => { move.wait = performance.now() - started; };
            port2.postMessage(null);
        });
    });
}"""


def measure(context, name, state):
    """[one row per kind of slider] of an explorer."""
    page = empty_page(context)
    mount(page, name, state)
    page.evaluate(WATCH)
    rows, seen = [], set()
    for slider in page.locator("input[type=range]").all():
        kind = tuple(slider.get_attribute(each) for each in ("min", "max", "step"))
        if kind in seen or not slider.is_visible():
            continue
        seen.add(kind)
        label = slider.evaluate("node => node.labels[0].innerText")
        slider.focus()
        page.keyboard.press("Home")
        page.evaluate("window.moves.length = 0")
        for k in range(MOVES):
            page.keyboard.press("ArrowRight" if k % 8 < 4 else "ArrowLeft")  # short sliders have an end
            page.evaluate("new Promise((done) => setTimeout(done, 40))")
        moves = [move for move in page.evaluate("window.moves") if "wait" in move]
        row = {"explorer": name, "slider": label, "moves": len(moves)}
        for time in ("work", "wait"):
            values = [move[time] for move in moves]
            row[f"{time}_median_ms"] = round(statistics.median(values), 2)
            row[f"{time}_p90_ms"] = round(statistics.quantiles(values, n=10)[-1], 2)
        rows.append(row)
    page.close()
    return rows


def main():
    rows = []
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1000, "height": 1000})
        for name, state in stored().items():
            rows += measure(context, name, state)
            if pictured := explorers()[name].pictured:  # its picture has most to draw
                shown = measure(context, name, {**state, **pictured})
                rows += [{**row, "explorer": f"{name}, as pictured"} for row in shown]
        version = browser.version
    about = {"date": str(datetime.date.today()), "browser": f"Chromium {version}", "machine": devices.machine()}
    store.save_json(RESULTS, about | {"explorers": rows})
    for row in rows:
        print(
            f"{row['explorer']:>18}, {row['slider']:<24} work {row['work_median_ms']:6.2f} ms (p90 "
            f"{row['work_p90_ms']:.2f}), wait {row['wait_median_ms']:.1f} ms (p90 {row['wait_p90_ms']:.1f})"
        )


if __name__ == "__main__":
    main()
