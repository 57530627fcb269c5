"""Write the generated parts of README.md, site/install.md, site/audit.md and workshop/classroom.md.

python tools/build_readme.py

Two of the pictures show students that have to be trained: tools/readme_pictures.py draws them.
"""

import html
import sys
from pathlib import Path
from xml.etree import ElementTree

from kdcourse import claims, lessons, plots, store
from kdcourse.plots.answers import KINDS, over_settings
from kdcourse.plots.forest import NARROW, WIDE

ROOT = Path(__file__).resolve().parent.parent
README, INSTALL, AUDIT = (ROOT / name for name in ("README.md", "site/install.md", "site/audit.md"))
CLASSROOM = ROOT / "workshop" / "classroom.md"
sys.path.insert(0, str(ROOT / "tools"))
import audit_tables  # noqa: E402
import claims_forest  # noqa: E402
import classroom_tables  # noqa: E402
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
    runs = "one run" if results["runs"] == 1 else f"median of {results['runs']} runs"
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
        f"Start of the kernel included; {runs} on {machine['cores']} cores of {machine['processor']} with "
        f"{machine['memory_gigabytes']} GB of memory ({machine['architecture']}, {machine['system']}, Python "
        f"{machine['python']}, torch {machine['torch']}, {machine['device']}), {results['date']}. "
        "`make bench` measures yours.",
    ]
    return "\n".join(lines)


def pictures():
    """{file: SVG} of the forest plot of all claims, for wide screens and for phones."""
    rows, title = claims_forest.ledger(), claims_forest.finding()
    return {
        ROOT / "site" / "pictures" / f"claims-{name}.svg": plots.forest(rows, title=title, width=width)
        for name, width in [("wide", WIDE), ("narrow", NARROW)]
    }


def ledger():
    """How many claims hold, and the picture of them."""
    wide, narrow = (path.relative_to(ROOT).as_posix() for path in pictures())
    answers = claims_forest.answers()
    named = {
        said: "; ".join(wording.rstrip(".") for wording, found in answers.items() if over_settings(found) == kind)
        for kind, (_, said) in KINDS.items()
    }
    alt = ". ".join(f"Those that {said}: {names}" for said, names in named.items() if names)
    waiting = len(claims.CLAIMS) - len(answers)
    alone = sum(len(found) == 1 for found in answers.values())
    more = f"{alone} claims were measured on one data set only" + f"; {waiting} more wait" * bool(waiting) + "."
    return f"""{more}

<picture>
<source media="(max-width: 600px)" srcset="{narrow}">
<img src="{wide}" width="{WIDE}" alt="Forest plot. {claims_forest.finding()}. {html.escape(alt)}.">
</picture>"""


def findings():
    """Five findings, with their numbers from the ledger."""
    return claims.filled((ROOT / "tools" / "findings.md").read_text(encoding="utf-8")).strip()


def picture(name):
    """A picture that readme_pictures.py has drawn, with its alternative text and, if there is one, that for phones."""
    folder = ROOT / "site" / "pictures"
    about = ElementTree.parse(folder / f"{name}.svg").getroot().find("{http://www.w3.org/2000/svg}desc").text
    image = f'<img src="site/pictures/{name}.svg" width="{WIDE}" alt="{html.escape(about)}">'
    if not (folder / f"{name}-narrow.svg").exists():
        return image
    source = f'<source media="(max-width: 600px)" srcset="site/pictures/{name}-narrow.svg">'
    return f"<picture>\n{source}\n{image}\n</picture>"


TABLES = {
    README: {
        "sneakers": lambda: picture("sneakers"),
        "findings": findings,
        "claims": ledger,
        "lessons": lesson_list,
        "audit": lambda: picture("audit"),
    },
    INSTALL: {"timings": timings},
    AUDIT: {name: getattr(audit_tables, name) for name in ("errors", "power", "costs", "files")},
    CLASSROOM: {name: getattr(classroom_tables, name) for name in ("holds", "sizing", "together", "settings", "held")},
}


def with_table(text, name, table):
    """`text` with everything between the markers of `name` replaced. Raises ValueError if a marker is missing."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page must hold {begin} and {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def main():
    for page, tables in TABLES.items():
        text = page.read_text(encoding="utf-8")
        for name, table in tables.items():
            text = with_table(text, name, table())
        page.write_text(text, encoding="utf-8")
    for path, picture in pictures().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
