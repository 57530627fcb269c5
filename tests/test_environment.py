"""The lists of dependencies agree, and each can be parsed by the tool it is for."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec

from kdcourse import doctor

ROOT = Path(__file__).resolve().parent.parent
CONDA_NAME = {"torch": "pytorch", "matplotlib": "matplotlib-base"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def required(*extras):
    """What the package asks for, and what these extras add, with the extras that they take along."""
    return [Requirement(line) for line in PROJECT["dependencies"]] + [one for extra in extras for one in added(extra)]


def added(extra):
    found = []
    for item in map(Requirement, PROJECT["optional-dependencies"][extra]):
        found += [one for taken in sorted(item.extras) for one in added(taken)] if item.name == "kdcourse" else [item]
    return found


def test_conda_environment_asks_for_what_pyproject_asks_for():
    wanted = {f"{CONDA_NAME.get(item.name, item.name)} {item.specifier}" for item in required("dev", "site")}
    wanted |= {f"python {PROJECT['requires-python']}", "pip"}
    assert set(CONDA["dependencies"]) == wanted
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    for spec in wanted:
        assert MatchSpec(spec, strict=True).name.normalized == spec.split()[0]


def test_constraints_satisfy_pyproject():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.match(r"[^#]*(\+|@|://)", line)] == []  # no local builds, and no paths
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    for item in required("dev", "browser", "site", "slides", "llm"):
        assert item.specifier.contains(pins[item.name]), item


def test_the_package_alone_brings_no_jupyter():
    lessons = {item.name for item in added("lab")}
    assert {"jupyterlab", "papermill", "ipywidgets", "anywidget"} <= lessons
    assert lessons <= {item.name for item in added("dev")}


def test_citation_and_package_name_the_same_version():
    from kdcourse import __version__

    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


def test_the_workflow_tests_every_python_that_is_supported():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["everything"]["strategy"]["matrix"]
    supported = SpecifierSet(PROJECT["requires-python"])
    assert matrix["python"] == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert f"3.{doctor.PYTHON[0][1]}" == matrix["python"][0]
    assert f"3.{doctor.PYTHON[1][1]}" == matrix["python"][-1]


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_the_actions_of_a_workflow_have_a_version(path):
    used = re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@v\d[\w.]*", action)] == []


def test_nothing_is_asked_for_twice():
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for names in ([re.match(r"[\w.-]+(\[.*\])?", entry)[0] for entry in entries] for entries in lists):
        assert len(names) == len(set(names))
