"""The package as it is installed without a clone, from a source archive, with nothing but what it asks for.

Everything runs outside the repository, in a fresh environment that finds the packages of this one but not its kdcourse;
the packages of the extra `lab` cannot be imported there.
"""

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from kdcourse import __version__

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a source archive, as pip builds it from an index."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder], cwd=ROOT, check=True)
    (archive,) = folder.glob("*.tar.gz")
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, archive], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The folder of an environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = next((folder / SCRIPTS).glob("python*"))
    install = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*PIP, *install], check=True)
    own = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    hidden = [re.match(r"\w+", line)[0] for line in project["optional-dependencies"]["lab"]]
    lines = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    lines += [f"import sys; sys.modules.update(dict.fromkeys({[*hidden, 'IPython']}))"]
    Path(own.strip(), "others.pth").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def elsewhere(environment, tmp_path):
    """A function that runs a program of that environment in an empty folder: (exit status, what it printed)."""

    def run(program, *arguments, cwd=tmp_path, status=0, stdin="", **variables):
        command = next((environment / SCRIPTS).glob(f"{program}*"))
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KDCOURSE_COURSE")}
        env |= {"COLUMNS": "200", "NO_COLOR": "1", "KDCOURSE_HOME": str(tmp_path / "home"), **variables}
        done = subprocess.run([command, *arguments], cwd=cwd, env=env, input=stdin, text=True, capture_output=True)
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        assert "Traceback" not in said
        return said

    return run


def test_the_wheel_carries_the_course_and_is_small(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    carried = [*ROOT.glob("quizzes/*.json"), *ROOT.glob("notebooks/source/*.py"), *ROOT.glob("data/results/*.json")]
    assert len(carried) > 20
    assert {f"kdcourse/course/{path.relative_to(ROOT).as_posix()}" for path in carried} <= names
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "kdcourse").rglob("*.*") if path.suffix != ".pyc"}
    assert code <= names
    assert "kdcourse/py.typed" in code
    assert wheel.stat().st_size < 1_500_000


def test_the_installed_copy_has_quizzes_glossary_ledger_lessons_and_solutions(elsewhere, environment, tmp_path):
    assert environment in Path(elsewhere("python", "-c", "import kdcourse; print(kdcourse.__file__)")).parents
    for command, said in [
        (["--version"], f"kdcourse {__version__}"),
        (["quiz"], "02_temperature"),
        (["glossary", "temperature"], "emperature"),
        (["claims", "soft-beats-hard"], "5,000 pictures: +"),
        (["progress", "--export", "csv"], "01_soft_labels"),
    ]:
        assert said in elsewhere("kdcourse", *command)
    assert "def soften" in elsewhere("python", "-c", "from kdcourse import check; check.soften.solution()")
    elsewhere("kdcourse", "quiz", "vocabulary", "--html", "quiz.html")
    assert "kdcourse-quiz" in (tmp_path / "quiz.html").read_text(encoding="utf-8")


def test_an_audit_runs_and_needs_nothing_of_the_lessons(elsewhere, tmp_path):
    labels = [k % 2 for k in range(400)]
    student = [0 if k % 20 == 1 else label for k, label in enumerate(labels)]
    table = pd.DataFrame({"y": labels, "teacher": labels, "student": student, "half": [k // 200 for k in range(400)]})
    table.to_csv(tmp_path / "predictions.csv", index=False)
    columns = ["--label", "y", "--teacher", "teacher", "--student", "student", "--slice", "half:levels"]
    outputs = ["--html", "report.html", "--json", "report.json", "--markdown", "report.md"]
    elsewhere("kdcourse", "audit", "predictions.csv", *columns, "--max-gap", "0.2", *outputs)
    elsewhere("kdcourse", "audit", "predictions.csv", *columns, "--max-gap", "0.001", status=1)
    assert all((tmp_path / name).stat().st_size > 100 for name in outputs[1::2])


@pytest.mark.parametrize("command", [["run", "01"], ["claims", "--run", "soft-beats-hard"]])
def test_what_needs_a_clone_says_so_in_a_sentence(elsewhere, command):
    said = elsewhere("kdcourse", *command, status=2)
    what = (
        "The package was installed without its notebooks|the results of claims are written into a clone of the course"
    )
    assert re.fullmatch(rf"({what}): clone the course and run this in its folder.*\n", said)


def test_data_sets_are_found_in_a_clone(elsewhere, tmp_path):
    load = ["-c", "from kdcourse import data; print(len(data.load('fashion-mnist').test))"]
    for where in ({"cwd": ROOT / "notebooks"}, {"KDCOURSE_COURSE": str(ROOT)}):
        assert elsewhere("python", *load, **where) == "10000\n"
    program = "from kdcourse import data\ntry: data.load('fashion-mnist')\nexcept data.DataError as error: print(error)"
    assert "clone the course and run this in its folder" in elsewhere("python", "-c", program)


def test_lessons_name_the_extra_that_they_need(elsewhere):
    for command in (["lab"], ["run", "01"]):
        said = elsewhere("kdcourse", *command, status=2, KDCOURSE_COURSE=str(ROOT))
        assert said == 'Lessons need packages that are not installed: pip install "kdcourse[lab]"\n'


def test_doctor_advises_what_can_be_done_here(elsewhere):
    said = elsewhere("kdcourse", "doctor", status=1)
    assert re.findall(r"^FAIL +(\w+)", said, flags=re.M) == ["data", "lab"]
    assert "clone the course and run this in its folder" in said
    assert 'pip install "kdcourse[lab]"' in said
    assert "git checkout" not in said
    assert said.endswith("kdcourse audit, quiz, glossary and claims work without.\n")
    assert re.search(r"^OK +data ", elsewhere("kdcourse", "doctor", status=1, KDCOURSE_COURSE=str(ROOT)), flags=re.M)
