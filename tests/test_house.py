"""The repository keeps to its own rules: layout, floors, links, and tables that are made, not typed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_readme  # noqa: E402

# A module imports from floors strictly below its own, never from its own.
FLOORS = {
    0: ["_arguments", "_course", "_javascript", "_pages", "_process", "devices", "store"],
    1: ["_examples", "data", "losses", "models", "stats"],
    2: ["api", "plots", "stack", "train"],
    3: ["audit", "bring", "controls", "features", "gallery", "lm", "ship", "sweep", "transfer"],
    4: ["claims", "lab", "memo", "progress"],
    5: ["check", "doctor", "lessons", "quiz", "widgets"],
    6: ["cli"],
    7: ["__main__"],
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}
MODULES = sorted((ROOT / "kdcourse").rglob("*.py"))
MADE = {".venv", "runs", "build"}  # folders that are not the repository's own
# These link pages that are built; Sphinx checks them.
SITE = {ROOT / "site" / name for name in ("index.md", "explorers.md", "about.md")}
PAGES = sorted(path for path in ROOT.rglob("*.md") if not MADE & {*path.relative_to(ROOT).parts} and path not in SITE)


def module_name(path):
    return path.relative_to(ROOT / "kdcourse").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_floors_strictly_below(path):
    room = module_name(path)
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "kdcourse":
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kdcourse."):
            imported.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("kdcourse.")}
    floor = FLOOR_OF.get(room, 0)
    assert {name for name in imported - {room, "__version__"} if FLOOR_OF[name] >= floor} == set()


@pytest.mark.parametrize(("folder", "other"), [("tests", "benchmarks"), ("benchmarks", "tests")])
def test_tests_and_benchmarks_do_not_import_each_other(folder, other):
    theirs = {path.stem for path in (ROOT / other).glob("*.py")}
    for path in (ROOT / folder).glob("*.py"):
        text = path.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text)))
        imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        on_the_path = [line for line in text.splitlines() if re.search(rf"sys.?path.*[\"']{other}[\"']", line)]
        assert (path.name, imported & theirs - {"coverage"}, on_the_path) == (path.name, set(), [])


def test_every_module_has_a_floor():
    assert {module_name(path) for path in MODULES} - {"__init__"} == set(FLOOR_OF)


def test_every_private_module_is_imported():
    code = "".join(path.read_text(encoding="utf-8") for path in MODULES)
    private = [path.stem for path in MODULES if re.match(r"_[a-z]", path.stem)]
    assert [name for name in private if not re.search(rf"\.{name} import|import .*\b{name}\b", code)] == []


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, kdcourse; print(sorted({'torch', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_nothing_in_the_package_unpickles():
    pattern = re.compile(r"\bpickle\b|torch\.load\b|np\.load\b|joblib\.load\b|read_pickle")
    assert [path.name for path in MODULES if pattern.search(path.read_text(encoding="utf-8"))] == []


def test_the_top_level_is_the_one_of_the_design():
    for name in ["notebooks", "kdcourse", "data", "quizzes", "tests", "benchmarks", "workshop", "tools"]:
        assert (ROOT / name).is_dir(), name
    for name in ["environment.yml", "pyproject.toml", "constraints.txt", "Makefile", "LICENSE", "CITATION.cff"]:
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_begins_with_the_two_commands():
    commands = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S).group(1)
    assert re.findall(r"^make \w+", commands, flags=re.M) == ["make lab", "make test"]


def test_every_make_target_that_the_pages_name_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    named = {name for page in PAGES for name in re.findall(r"`make (\w+)", page.read_text(encoding="utf-8"))}
    assert named <= targets
    assert {"lab", "test"} <= targets


PUT = [(page, name) for page, tables in build_readme.TABLES.items() for name in tables]


@pytest.mark.parametrize(("page", "name"), PUT, ids=[name for _, name in PUT])
def test_what_the_build_puts_into_a_page_is_what_was_measured(page, name):
    text, put = page.read_text(encoding="utf-8"), build_readme.TABLES[page][name]
    assert build_readme.with_table(text, name, put()) == text, "run python tools/build_readme.py"


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"<!-- lessons: begin -->.*?<!-- lessons: end -->", "", text, flags=re.S)
    assert len(re.sub(r"<[^>]*>", "", text).split()) <= 700


def test_a_missing_marker_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="<!-- timings: begin -->"):
        build_readme.with_table("no markers here", "timings", "")


def test_ruff_finds_nothing():
    for command in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout
