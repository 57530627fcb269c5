"""Binder, a dev container, Docker, Colab: thin, and each takes what it installs from the one list of dependencies."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from kdcourse import store

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import colab  # noqa: E402
import install  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE, DEVCONTAINER, REQUIREMENTS, RUNTIME = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("Dockerfile", ".devcontainer/devcontainer.json", "binder/requirements.txt", "binder/runtime.txt")
)


def instructions(name):
    """What a Dockerfile says after each `name`, in order; lines that go on are one."""
    return re.findall(rf"^{name} (.*)", DOCKERFILE.replace("\\\n", " "), flags=re.M)


@pytest.mark.parametrize("text", [DOCKERFILE, DEVCONTAINER, RUNTIME], ids=["docker", "devcontainer", "binder"])
def test_every_container_has_a_python_that_is_supported(text):
    (version,) = re.findall(r"python[-:](3\.\d+)", text)
    assert version in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("text", [DOCKERFILE, DEVCONTAINER], ids=["docker", "devcontainer"])
def test_containers_install_as_everybody_does(text):
    (extra,) = re.findall(r"tools/install\.py \S+ (\w+)", text)
    assert extra in PROJECT["optional-dependencies"]
    assert "pip install" not in text


def test_binder_names_no_version_of_its_own_and_takes_torch_without_cuda():
    lines = [line for line in REQUIREMENTS.splitlines() if not line.startswith("#")]
    assert lines == [f"--extra-index-url {install.CPU_INDEX}", "-c ../constraints.txt", "-e .[lab]"]
    modes = subprocess.run(["git", "ls-files", "-s", "binder"], cwd=ROOT, capture_output=True, text=True).stdout
    assert os.access(ROOT / "binder" / "start", os.X_OK) or "100755" in modes


def test_every_lesson_fits_into_binder_s_two_gigabytes():
    lessons = store.load_json(ROOT / "benchmarks" / "results" / "lessons.json")["lessons"].values()
    assert max(mode["peak_megabytes"] for modes in lessons for mode in modes.values()) < 2000


def test_the_dev_container_has_what_its_published_schema_asks_for():
    """Of https://github.com/devcontainers/spec, schemas/devContainer.base.schema.json: an image, and these types."""
    settings = json.loads(DEVCONTAINER)
    types = {"name": str, "image": str, "postCreateCommand": str, "remoteEnv": dict, "forwardPorts": list}
    types |= {"hostRequirements": dict, "portsAttributes": dict, "customizations": dict}
    assert {key: type(value) for key, value in settings.items()} == types
    assert settings["portsAttributes"].keys() == {str(port) for port in settings["forwardPorts"]}
    assert re.fullmatch(r"\d+[tgmk]b", settings["hostRequirements"]["memory"])
    assert re.fullmatch(r"\d+[tgmk]b", settings["hostRequirements"]["storage"])


def test_the_image_runs_as_nobody_special_and_keeps_its_token():
    (user,), (volume,), (port,) = instructions("USER"), instructions("VOLUME"), instructions("EXPOSE")
    assert int(user) > 0
    assert f"--uid {user} " in DOCKERFILE
    assert f"KDCOURSE_HOME={volume}" in DOCKERFILE
    assert port == "8888"
    settings = json.loads(re.search(r"echo '(.*?)'", DOCKERFILE)[1])
    assert settings == {"ServerApp": {"ip": "0.0.0.0"}}  # no token or password is turned off
    assert json.loads(instructions("CMD")[0]) == ["kdcourse", "lab", "--no-browser"]
    assert {".git", ".venv", "my-notebooks"} <= set((ROOT / ".dockerignore").read_text().split())


@pytest.fixture
def on_colab(monkeypatch):
    """What happened, in order, when Colab's modules and pip are only played."""
    happened = []

    def run(command, **options):
        kept = Path(command[command.index("-c") + 1]).read_text()
        happened.append((command, kept, options))

    output = types.SimpleNamespace(enable_custom_widget_manager=lambda: happened.append("widgets"))
    for name, attributes in {"google": {}, "google.colab": {"output": output}}.items():
        module = types.ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("sys.path", list(sys.path))
    return happened


def test_colab_keeps_its_torch_gets_the_course_and_shows_widgets(on_colab):
    colab.main()
    (command, kept, options), *rest = on_colab
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[command.index("-e") + 1] == str(ROOT)
    assert f"torch=={importlib.metadata.version('torch')}\n" in kept
    assert not {"torch", "--upgrade", "-U", "--force-reinstall"} & set(command)
    assert options["check"]
    assert rest == ["widgets"]
    assert sys.path[0] == str(ROOT)


def test_lessons_import_nothing_but_what_colab_gets():
    """The package's own dependencies: Colab keeps its Jupyter, so the extra `lab` is not installed there."""
    gets = {"kdcourse"} | {Requirement(line).name.replace("-", "_") for line in PROJECT["dependencies"]}
    gets |= {"sklearn", "PIL", "IPython", *sys.stdlib_module_names}  # Colab has IPython of its own
    for source in (ROOT / "notebooks" / "source").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= gets, source.stem


@pytest.mark.parametrize(("arguments", "extras", "ready"), [([], install.EXTRAS, True), (["lab"], "lab", False)])
def test_make_installs_the_rest_after_an_installation_for_learners(tmp_path, monkeypatch, arguments, extras, ready):
    commands = []
    monkeypatch.setattr("venv.create", lambda folder, **_: None)
    monkeypatch.setattr(install, "install_torch", lambda python: None)
    monkeypatch.setattr(install, "pip", lambda python, *command: commands.append(command))
    monkeypatch.setattr("sys.argv", ["install.py", str(tmp_path), *arguments])
    install.main()
    assert commands[0][-1] == f"{install.ROOT}[{extras}]"
    assert (tmp_path / "ready").exists() == ready


@pytest.mark.parametrize("page", ["site/install.md", "workshop/hub.md"])
def test_pages_open_notebooks_that_exist_and_name_no_address(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"(?:labpath=my-|/)(notebooks/\w+\.ipynb)", text):
        assert (ROOT / name).exists()
    assert set(re.findall(r"github(?:/|\.com/)(\w+/\w+)", text)) <= {"OWNER/REPO"}
