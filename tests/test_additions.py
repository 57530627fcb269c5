"""One of each kind is added to a copy of the course: the files that CONTRIBUTING names are enough, and all is found."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "runs", "solutions", ".*_cache")

LOSS = '''

def squared_difference(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor | None, labels: torch.Tensor | None
) -> torch.Tensor:
    """The squared distance between the logits, a loss function (Ba and Caruana 2014, eq. 1)."""
    return (student_logits - teacher_logits).square().sum(1)
'''
LOSS_TEST = """

def test_the_squared_difference_is_a_sum_over_classes():
    from kdcourse import losses

    student, teacher = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    assert losses.squared_difference(student, teacher, None).tolist() == [5.0]
"""
EXERCISE = '''"""The exercise `halved`."""

import torch

from kdcourse.check.core import Bug, Exercise

halved = Exercise(
    "halved",
    lesson="99_added",
    order=1,
    reference=lambda values: values / 2,
    inputs=lambda generator: (1 + torch.rand(3, generator=generator),),
    small=[(torch.tensor([2.0, 4.0]),)],
    praise="Half of it is enough.",
    hints=["Divide.", "By two.", "return values / 2"],
    bugs={
        "doubled": Bug(lambda values: values * 2, "You doubled."),
        "unchanged": Bug(lambda values: values.clone(), "Nothing was halved."),
        "squared": Bug(lambda values: values**2, "You squared."),
        "negative": Bug(lambda values: -values / 2, "The sign: a half has the sign of the whole."),
        "summed": Bug(lambda values: values.sum() / 2, "One number came back for all."),
    },
)
'''
CLAIM = '''"""The experiments of lesson 99."""

import numpy as np

from kdcourse.claims.record import Arm, Part, claim


@claim("more-is-more", "Two is more than one.", taught_in="everywhere")
def more_is_more(run):
    """Two and one, with a little noise."""
    noise = np.arange(6) / 100
    return [Part({"examples": 100}, Arm("two", 0.2 + noise), Arm("one", 0.1 + noise**2), None, None, repeated="seed")]
'''
EXPLORER = '''"""The explorer of a number that can be doubled."""

import traitlets

from kdcourse.widgets._explorer import Explorer


def doubling(number: float = 1.0) -> "Doubling":
    """A widget that doubles a number."""
    return Doubling(number=number)


class Doubling(Explorer):
    """What `doubling` returns."""

    title = "Doubling"
    lesson = "99_added"
    question = "What is twice as much?"

    number = traitlets.Float(1.0).tag(sync=True)
'''
SCRIPT = """// A number, and its double.

import { mount, words } from "./controls.js";

function render({ model, el }) {
  const said = words();
  const show = () => {
    const line = `Twice ${model.get("number")} is ${2 * model.get("number")}.`;
    said.show([line]);
    el.dataset.alt = `A line of text, and nothing else. It says: ${line}`;
  };
  const unmount = mount(el, model, { title: "Doubling", style: "", parts: [said.node], redraw: { number: show } });
  show();
  return unmount;
}

export default { render };
"""
QUIZ = [
    {
        "id": "99_added-half",
        "lesson": "99_added",
        "question": "What is half of four?",
        "type": "multiple_choice",
        "answers": [
            {"answer": "Two", "correct": True, "feedback": "Two and two are four."},
            {"answer": "Three", "correct": False, "feedback": "Three and three are six, which is more than four."},
        ],
    }
]
DATA_SET = '''"""Numbers from 0 to 9: even, or odd."""

import torch

from kdcourse import store
from kdcourse.data.dataset import DataSet, Split
from kdcourse.data.files import checked


def load(with_teacher: bool = True) -> DataSet:
    """See `kdcourse.data.load`."""
    stored, _ = store.load_tensors(checked("even-numbers/numbers.safetensors"))
    numbers = stored["numbers"]
    logits = torch.nn.functional.one_hot(numbers % 2, 2).float() if with_teacher else None
    split = Split(numbers % 2, logits, inputs=numbers[:, None].float())
    return DataSet("even-numbers", split, split, split, class_names=("even", "odd"))
'''
BUILD_DATA = '''"""Make the data set: python tools/build_even_numbers.py"""

import torch

from kdcourse import data, store

if __name__ == "__main__":
    store.save_tensors(data.folder() / "even-numbers" / "numbers.safetensors", {"numbers": torch.arange(10)})
'''
LESSON = """# %% [markdown]
# # 99 · Added
#
# **5 minutes** · needs nothing · computes for a moment
#
# You will be able to
# - halve a number,
# - double it.

# %% tags=["parameters"]
FAST = False
DEVICE = "auto"

# %% tags=["nbval-check-output"]
print("half of four is", 4 // 2)

# %%
from kdcourse import claims
from kdcourse.stats import compare

just_now = compare([0.2, 0.21, 0.22], [0.1, 0.1, 0.11])
claims.show("more-is-more", {"examples=100": just_now}, title="Two is more")

# %%
from kdcourse import quiz

quiz.show("99_added")

# %% [markdown]
# ## Halve
#
# **Exercise, 1 minute, easy.** Write `halved(values)`.

# %% tags=["exercise", "skip-execution", "nbval-skip"]
def halved(values):
    ...

# %% tags=["solution"]
def halved(values):
    return values / 2

# %%
from kdcourse import check

check.halved(halved)

# %% [markdown]
# ## Double
#
# Is two more than one? {{ plain more-is-more }}

# %%
from kdcourse import widgets

widgets.doubling(3)
"""
COMMAND = "from kdcourse import cli; cli.main()"
USE_ALL = """
import torch
from kdcourse import check, claims, data, losses, models, quiz, train, widgets

student = models.mlp([1, 4, 2], seed=0)
numbers = data.load("even-numbers").train
history = train.distill(
    student, numbers.inputs, numbers.teacher_logits, loss=losses.squared_difference, epochs=3, progress=False
)
assert len(history) == 3 and history.rows[-1]["loss"] < history.rows[0]["loss"]
assert "even-numbers" in data.names() and "even-numbers/numbers.safetensors" in data.verify()
assert check.halved(lambda values: values * 2).bug == "doubled"
assert check.halved in check.EXERCISES
assert quiz.load("99_added").title == "99 Added" and "99_added" in quiz.names()
assert claims.find("more-is-more")[0].lesson == "99"
assert claims.result("more-is-more")["parts"][0]["verdict"] == "better"
assert widgets.doubling(2).state() == {"number": 2.0}
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course, under version control, so that what an addition touches can be counted."""
    folder = tmp_path_factory.mktemp("copy") / "course"
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder, *arguments):
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    command = ["git", *who, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder):
    """Commit everything; returns the files that the commit touches."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "an addition")
    return git(folder, "show", "--name-only", "--format=").split()


def run(folder, *arguments):
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "OMP_NUM_THREADS": "1",
        "KDCOURSE_HOME": str(folder / "home"),
    }
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def add(folder, files):
    """Write {path: text} into the copy; a text that begins with a blank line is put at the end of what is there."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if text.startswith("\n\n") else ""
        path.write_text(before + text, encoding="utf-8")


def promised():
    """{kind of addition: how many files} of the table in CONTRIBUTING.md."""
    rows = re.findall(r"^\| an? ([\w ]+) \| (\d+) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    return {kind: int(count) for kind, count in rows}


def test_each_addition_touches_the_files_that_contributing_names_and_is_found(course):
    touched = {}
    add(course, {"kdcourse/losses/logits.py": LOSS, "tests/test_losses.py": LOSS_TEST})
    losses = course / "kdcourse" / "losses" / "logits.py"
    offered = losses.read_text(encoding="utf-8").replace('"logit_mse"]', '"logit_mse", "squared_difference"]')
    losses.write_text(offered, encoding="utf-8")
    touched["loss"] = commit(course)

    files = {"kdcourse/data/even_numbers.py": DATA_SET, "tools/build_even_numbers.py": BUILD_DATA}
    add(course, {**files, "data/even-numbers/README.md": "# Even numbers\n\nLicence: none. Source: counting.\n"})
    run(course, "tools/build_even_numbers.py")
    run(course, "tools/checksums.py")
    touched["data set"] = commit(course)

    add(course, {"kdcourse/claims/lesson_99.py": CLAIM})
    run(course, "-c", COMMAND, "claims", "--run", "more-is-more")
    touched["claim"] = commit(course)

    add(course, {"quizzes/vote.json": json.dumps(QUIZ).replace("99_added-", "vote-")})
    touched["quiz"] = commit(course)

    plain, exercise, explorer = (part.rstrip() for part in LESSON.split("# %% [markdown]\n# ## "))
    add(course, {"notebooks/source/99_added.py": plain, "quizzes/99_added.json": json.dumps(QUIZ)})
    run(course, "tools/build_notebooks.py", "99")
    touched["lesson"] = commit(course)

    files = {"kdcourse/check/exercises/halved.py": EXERCISE}
    add(course, {**files, "notebooks/source/99_added.py": f"\n\n# %% [markdown]\n# ## {exercise}"})
    touched["exercise"] = commit(course)

    files = {"kdcourse/widgets/doubling.py": EXPLORER, "kdcourse/static/doubling.js": SCRIPT}
    add(course, {**files, "notebooks/source/99_added.py": f"\n\n# %% [markdown]\n# ## {explorer}"})
    touched["explorer"] = commit(course)

    assert {kind: len(files) for kind, files in touched.items()} == promised(), touched
    run(course, "-c", USE_ALL)


def test_the_course_with_them_passes_its_own_tests_and_the_site_shows_them(course):
    """After the test above: what holds for all lessons, exercises, quizzes and claims holds for these."""
    run(course, "tools/build_notebooks.py", "99")
    run(course, "tools/build_readme.py")
    generic = ["check", "check_answers", "quiz", "types", "notebooks", "losses", "house"]
    some = "99 or added or halved or every or tables or floor or squared"
    run(
        course, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", some, *(f"tests/test_{one}.py" for one in generic)
    )
    said = run(course, "-c", COMMAND, "run", "99", "--fast", "--solved", "--out", "pages")
    seconds, megabytes = re.search(r"^OK +99_added +([\d.]+) s +(\d+) MB", said, flags=re.M).groups()
    assert 1 < float(seconds) < 600
    assert 100 < int(megabytes) < 2000
    assert "1 of 1 lessons ran to the end" in said
    page = (course / "pages" / "99_added.html").read_text(encoding="utf-8")
    assert "halved is correct" in page
    assert re.search(r'alt="Two is more', page)
    assert "No description" not in page
    run(course, "tools/build_site.py")
    site = course / "build" / "site"
    shown = {
        "lessons/99_added.html": "Halve",
        "explorers.html": "What is twice as much?",
        "quizzes/vote.html": "What is half of four?",
        "claims.html": "Two is more than one.",
        "data/even-numbers.html": "Source: counting.",
        "api/kdcourse.losses.html": "squared_difference",
        "instructors/answers.html": "Nothing was halved.",
    }
    for page, words in shown.items():
        assert words in (site / page).read_text(encoding="utf-8"), page
