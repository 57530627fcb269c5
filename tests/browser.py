"""What browser tests share: an installed Chromium, axe-core, keys, and a notebook in a JupyterLab of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

WHY = "needs the extra kdcourse[browser], which conda-forge cannot give"
Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=WHY).Axe
playwright_api = pytest.importorskip("playwright.sync_api", reason=WHY)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from chromium import CHROMIUM, chromium  # noqa: E402, F401

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
TOKEN = "for-the-test"


def watched(page, address="about:blank"):
    """The page's complaints: what it logs as warning or error, exceptions, and each request but the one for itself."""
    complaints = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    mine = (address, "blob:")
    page.on("request", lambda sent: None if sent.url.startswith(mine) else complaints.append(sent.url))
    return complaints


def faults(page, within=None):
    """What axe-core finds wrong, with the elements; empty if nothing. All of its rules, best practices included."""
    found = Axe().run(page, context=within).response["violations"]
    return [f"{rule['id']}: {[node['html'][:150] for node in rule['nodes']]}" for rule in found]


def tab_to(page, selector, back=False):
    """Press Tab (or Shift+Tab) until the element has the focus. Fails after 80 times."""
    for _ in range(80):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    pytest.fail(f"Tab does not reach {selector}; it ends at {page.evaluate('document.activeElement.outerHTML')[:300]}")


@contextmanager
def jupyterlab(browser, folder, notebook, height=1400, **environment):
    """The page of a JupyterLab that shows a notebook, a list of code for one or its path in `folder`/root.

    Its server keeps whatever it writes in `folder`. The page's `errors` are what it logs as errors, and exceptions.
    """
    root = folder / "root"
    root.mkdir(exist_ok=True)
    if isinstance(notebook, list):
        cells = [new_code_cell(source, id=f"cell-{k}") for k, source in enumerate(notebook)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = "notebook.ipynb"
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), root / notebook)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "apputils-extension/themes": {"adaptive-theme": True},
        # All cells are on the page, not only those in view: a test asks for them by their place.
        "notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, values in settings.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    names = ["JUPYTER_CONFIG", "JUPYTER_DATA", "JUPYTER_RUNTIME", "JUPYTERLAB_SETTINGS", "JUPYTERLAB_WORKSPACES"]
    folders = {f"{name}_DIR": name.rpartition("_")[2].lower() for name in names} | {"IPYTHONDIR": "ipython"}
    environment |= {name: str(folder / path) for name, path in folders.items()}
    options = [f"--port={port}", f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={TOKEN}"]
    options += ["--ServerApp.port_retries=0", "--no-browser", "--allow-root"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    with open(folder / "jupyterlab.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not _answers(f"{address}/api/status?token={TOKEN}"):
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((folder / "jupyterlab.log").read_text())
        with browser.new_context(viewport={"width": 1280, "height": height}, color_scheme="light") as context:
            page = context.new_page()
            page.set_default_timeout(120_000)
            page.errors = []
            page.on("pageerror", lambda error: page.errors.append(str(error)))
            page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)
            page.goto(f"{address}/lab/tree/{notebook}?token={TOKEN}")
            page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
            # Sooner, JupyterLab drops what it is asked to run, or asks in a dialog for a kernel.
            page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
            yield page
    finally:
        for child in [*psutil.Process(process.pid).children(recursive=True), process]:
            child.send_signal(signal.SIGTERM)
        process.communicate()


def run_cell(page, number):
    """Run a cell of the notebook that JupyterLab shows, from 0. The one after it is then the active one."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    playwright_api.expect(cell.locator(".jp-InputPrompt").first).to_have_text(re.compile(r"[*\d]"), timeout=30_000)


def _answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except (urllib.error.URLError, TimeoutError):
        return False
