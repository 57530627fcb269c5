"""Chromium without a window, and a server for a folder: what pictures, benchmarks and browser tests share."""

import functools
import http.server
import shutil
import threading
from contextlib import contextmanager

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)


@contextmanager
def chromium():
    """A browser from the system; nothing is downloaded. Needs the extra `browser`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without a user namespace (in a container, or as root) Chromium's own sandbox cannot start.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(folder):
    """The address of a server for a folder, on this machine alone."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # a connection is used again, as other servers do

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass  # a browser that is closed hangs up

    handler = functools.partial(Quiet, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
