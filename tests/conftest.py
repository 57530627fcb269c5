"""Settings that every test shares: one thread, no display, and the same hypothesis examples on every run."""

import os
import re
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


@pytest.fixture(scope="module")
def browser():
    """A real browser; the tests of a module share it."""
    from browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def show(browser):
    """A function that shows an explorer as it stands in Python, in place of the one before; see `explorer_page.shower`."""
    from explorer_page import shower

    with shower(browser) as shown:
        yield shown


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder with the static site, built once for all processes."""
    from course_site import built_site

    return built_site(tmp_path_factory)


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
