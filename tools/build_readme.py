"""Write the generated tables of README.md: the lessons, how long they compute, and what the claims came to.

python tools/build_readme.py
"""

import sys
from pathlib import Path

from kdcourse import claims, lessons, store

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
sys.path.insert(0, str(ROOT / "tools"))
import site_notebooks  # noqa: E402


def lesson_list():
    """The lessons, their minutes, and what one is able to do afterwards, from their first cells."""
    lines = ["| lesson | minutes | you will be able to |", "|---|---:|---|"]
    for path in lessons.find():
        title, minutes, able = site_notebooks.header(site_notebooks.read(path), path.stem)
        lines.append(f"| [{title}](notebooks/{path.name}) | {minutes} | {able} |")
    return "\n".join(lines)


def timings():
    """The table of benchmarks/results/lessons.json, in Markdown."""
    results = store.load_json(ROOT / "benchmarks" / "results" / "lessons.json")
    machine = results["machine"]
    lines = [
        "| lesson | computes | peak memory | with FAST |",
        "|---|---:|---:|---:|",
    ]
    for lesson, modes in results["lessons"].items():
        full, fast = modes["full"], modes["fast"]
        lines.append(
            f"| {lesson} | {full['seconds']:.0f} s | {full['peak_megabytes']:,} MB | {fast['seconds']:.0f} s |"
        )
    lines += [
        "",
        f"Start of the kernel included; median of {results['runs']} runs on {machine['cores']} cores "
        f"({machine['architecture']}, {machine['system']}, Python {machine['python']}, torch {machine['torch']}, "
        f"{machine['device']}), {results['date']}. `make bench` measures yours.",
    ]
    return "\n".join(lines)


def ledger():
    """The claims and what the last full run found, in Markdown. Built from `data/results/`."""
    measured = [claim for claim in claims.CLAIMS if claims.result(claim.name)]
    return "\n".join(
        [
            claims.table(),
            "",
            f"{len(measured)} of {len(claims.CLAIMS)} claims measured so far. A positive number means that the "
            "first-named option won. Within a claim and a setting, all intervals hold jointly at 95 %; each says which "
            "luck it covers. `make claims` measures them again.",
        ]
    )


TABLES = {"lessons": lesson_list, "claims": ledger, "timings": timings}


def with_table(text, name, table):
    """`text` with everything between the markers of `name` replaced. Raises ValueError if a marker is missing."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"README.md must hold {begin} and {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def main():
    text = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        text = with_table(text, name, table())
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
