"""Settings that every test shares: one thread, no display, and the same hypothesis examples on every run."""

import gc
import os
import re
import sys
import tempfile

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

import pytest
import torch
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

torch.set_num_threads(1)  # two threads on a busy machine wait for each other
HOME = tempfile.TemporaryDirectory(prefix="kdcourse-tests-")
os.environ["KDCOURSE_HOME"] = HOME.name  # what an earlier run kept must not answer for this one
set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))  # not in the repository
settings.register_profile("kdcourse", deadline=None, max_examples=40, derandomize=True, database=None)
settings.load_profile("kdcourse")
SLOW = r"test_sweep_dask|test_notebooks.*::test_\w+_runs_|test_check.*\[on_policy_step"


def pytest_collection_modifyitems(items):
    """What needs a GPU is skipped where there is none; what `make check` leaves out is marked as slow."""
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        uses = {*getattr(item, "fixturenames", ())}
        if uses & {"browser", "site"} or re.search(SLOW, item.nodeid):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """What is imported by now stays until the end, so the collector of garbage need not look through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(autouse=True)
def no_figure_is_left():
    """Some tests count the open figures; what another has drawn must not be among them."""
    yield
    if plots := sys.modules.get("matplotlib.pyplot"):
        plots.close("all")


@pytest.fixture(scope="module")
def browser():
    """A real browser; the tests of a module share it."""
    from browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def show(browser):
    """A function that shows an explorer in place of the one before; see `explorer_page.shower`."""
    from explorer_page import shower

    with shower(browser) as shown:
        yield shown


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder with the static site, built once for all processes."""
    from course_site import built_site

    return built_site(tmp_path_factory)


@pytest.fixture
def drawn(monkeypatch):
    """A function that gives the figure that was drawn last, and its alternative text."""
    from figures import capture

    yield from capture(monkeypatch)


@pytest.fixture
def trained(monkeypatch):
    """The settings of every chunk of a sweep that is trained from now on."""
    from kdcourse.sweep import chunk

    chunks, inner = [], chunk.train_chunk

    def counted(place, chunk, *arrays, **options):
        chunks.append(chunk.settings)
        return inner(place, chunk, *arrays, **options)

    monkeypatch.setattr("kdcourse.sweep.run.train_chunk", counted)
    return chunks


@pytest.fixture
def before_each_stack(monkeypatch):
    """A function that has another one called with every stack of a sweep, in its thread, before it is trained."""
    from kdcourse.sweep import chunk

    def call(function):
        inner = chunk.distill_stack

        def watched(stack, *arguments, **options):
            function(stack)
            return inner(stack, *arguments, **options)

        monkeypatch.setattr(chunk, "distill_stack", watched)

    return call


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class LessonProgress:
    """One line for every lesson that has run, with its seconds: these are the tests that take long enough to watch."""

    def __init__(self, terminal):
        self.terminal = terminal

    def pytest_runtest_logreport(self, report):
        run = re.search(r"test_notebooks\.py::test_(\w+?)_runs_the_(\w+?)_form\w*\[(\w+)\]", report.nodeid)
        if run and report.when == "call":
            runner, form, lesson = run.groups()
            self.terminal.ensure_newline()
            self.terminal.write_line(f"{lesson} ({form}, {runner}): {report.outcome}, {report.duration:.0f} s")


def pytest_sessionstart(session):
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal and not hasattr(session.config, "workerinput"):  # the one process that writes to the terminal
        session.config.pluginmanager.register(LessonProgress(terminal))
