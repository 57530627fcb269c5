"""What browser tests share: an installed Chromium, axe-core, keys, and a JupyterLab of one's own."""

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

import psutil
import pytest

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
def jupyterlab(folder, root, **environment):
    """The address of a JupyterLab that shows the folder `root`, and keeps whatever it writes in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"adaptive-theme": True}))
    # All cells are on the page, not only those in view: a test asks for them by their place.
    tracker = folder / "settings" / "@jupyterlab" / "notebook-extension"
    tracker.mkdir(parents=True)
    (tracker / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    environment |= {f"JUPYTER_{name}_DIR": str(folder / path) for name, path in folders.items()}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "IPYTHONDIR": str(folder / "ipython")}
    options = [f"--port={port}", f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={TOKEN}"]
    options += ["--ServerApp.port_retries=0", "--no-browser", "--allow-root"]
    with open(folder / "jupyterlab.log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not _answers(f"{address}/api/status?token={TOKEN}"):
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((folder / "jupyterlab.log").read_text())
        yield address
    finally:
        for child in [*psutil.Process(process.pid).children(recursive=True), process]:
            child.send_signal(signal.SIGTERM)
        process.communicate()


def run_cell(page, number):
    """Run a cell of the notebook that JupyterLab shows, from 0. The one after it is then the active one.

    While the session is being made, JupyterLab drops what it is asked to run, and so it is asked again.
    """
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt").first
    for _ in range(20):
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        try:
            playwright_api.expect(prompt).to_have_text(re.compile(r"[*\d]"), timeout=3_000)
            return
        except AssertionError:
            continue
    pytest.fail(f"JupyterLab does not run cell {number}")


def _answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except (urllib.error.URLError, TimeoutError):
        return False
