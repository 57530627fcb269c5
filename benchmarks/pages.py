"""How long the static site takes to build, how much its pages weigh, and how long they take to load in Chromium from a
server on this machine.

    python benchmarks/pages.py

A load is from the start of the navigation to the end of the load event, in a context without a cache. Bytes are
decoded: what the browser has to work through, not what a server might compress. Writes benchmarks/results/pages.json.
"""

import datetime
import statistics
import sys
import tempfile
import time
from pathlib import Path

from kdcourse import devices, store

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_site  # noqa: E402
from chromium import chromium, served  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "pages.json"
RUNS = 10
KINDS = {
    "landing": "index.html",
    "lesson": "lessons/02_temperature.html",
    "explorers": "explorers.html",
    "quiz": "quizzes/final.html",
    "flashcards": "flashcards.html",
    "glossary": "glossary.html",
    "claims": "claims.html",
    "reference": "api/kdcourse.audit.html",
    "answers": "instructors/answers.html",
    "search": "search.html?q=temperature",
}
TIMES = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const parts = performance.getEntriesByType("resource").map(({ name, decodedBodySize }) => [name, decodedBodySize]);
    return { milliseconds: page.loadEventEnd, page: page.decodedBodySize, parts };
}"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        site = build_site.build(Path(folder) / "site")
        seconds = round(time.perf_counter() - start, 1)
        files = [path for path in site.rglob("*") if path.is_file()]
        results = {
            "date": str(datetime.date.today()),
            "machine": devices.machine(),
            "build_seconds": seconds,
            "pages": sum(path.suffix == ".html" for path in files),
            "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 2),
            "runs": RUNS,
        }
        with served(site) as address, chromium() as browser:
            results["browser"] = browser.version
            results["kinds"] = {kind: measure(browser, f"{address}/{path}") for kind, path in KINDS.items()}
    store.save_json(RESULTS, results)
    for kind, row in results["kinds"].items():
        print(f"{kind:<12} {row['load_ms_median']:>5} ms (p90 {row['load_ms_p90']}), {row['kilobytes']} kB")


def measure(browser, url):
    """What loading a page comes to, over RUNS contexts that have nothing in their caches."""
    runs = []
    for _ in range(RUNS):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("html[data-course-ready]", state="attached")
        runs.append(page.evaluate(TIMES))
        context.close()
    loads = sorted(run["milliseconds"] for run in runs)
    parts = runs[-1]["parts"]
    figures = sum(size for name, size in parts if "/figures/" in name)
    total = runs[-1]["page"] + sum(size for _, size in parts)
    return {
        "load_ms_median": round(statistics.median(loads)),
        "load_ms_p90": round(statistics.quantiles(loads, n=10)[-1]),
        "kilobytes": round((total - figures) / 1e3),
        "kilobytes_with_figures_in_view": round(total / 1e3),
        "requests": len(parts) + 1,
    }


if __name__ == "__main__":
    main()
