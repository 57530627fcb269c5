"""The static site, built once for all tests of a run, and what its pages hold."""

import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_site  # noqa: E402
import claims_forest  # noqa: E402, F401
import site_api  # noqa: E402, F401
import site_claims  # noqa: E402, F401
import site_landing  # noqa: E402, F401
import site_links  # noqa: E402, F401
import site_notebooks  # noqa: E402, F401
import site_pages  # noqa: E402, F401
from chromium import served  # noqa: E402, F401

LOADS = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("audio", "src")}
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "dns-prefetch", "preconnect"}


def built_site(tmp_path_factory):
    """The folder with the site. The processes of one run share it: whoever comes first builds it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "course-site"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "done").exists():
            build_site.build(folder / "site")
            (folder / "done").touch()
    return folder / "site"


class Page(HTMLParser):
    """What a page holds: `tags`, a list of (name, attributes); `ids`; `text`, without scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.styles, self.scripts, self._inside = [], "", "", [], None
        self.feed(html)
        self.ids = {attributes["id"] for _, attributes in self.tags if "id" in attributes}

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        if tag in ("script", "style"):
            self._inside = tag

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data):
        if self._inside == "style":
            self.styles += data
        elif self._inside == "script":
            self.scripts.append(data)
        else:
            self.text += data

    def links(self):
        """Addresses that a reader can follow."""
        return [attributes["href"] for tag, attributes in self.tags if tag == "a" and attributes.get("href")]

    def loaded(self):
        """Addresses that the browser fetches by itself."""
        found = [
            attributes[name] for tag, attributes in self.tags for of, name in LOADS if tag == of and name in attributes
        ]
        for tag, attributes in self.tags:
            if tag == "link" and LOADED_LINKS & {*attributes.get("rel", "").split()}:
                found.append(attributes["href"])
        return [*found, *addresses_in_css(self.styles)]


def addresses_in_css(text):
    """What a stylesheet loads: addresses in url() and @import; not what is in it as data."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = re.findall(r"@import\s+(?:url\()?[\"']?([^\"')\s;]+)", text)
    found += re.findall(r"url\(\s*[\"']?([^\"')\s]+)", text)
    return [address for address in found if not address.startswith(("data:", "#"))]


def imported(path):
    """The modules that a script of ours imports, statically or later, as paths."""
    text = path.read_text(encoding="utf-8")
    return [(path.parent / name).resolve() for name in re.findall(r"[\"'](\./[\w./-]+\.js)[\"']", text)]


def target(page, address):
    """(file, fragment) that an address on a page leads to, or None if that is on another host."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return path, unquote(parts.fragment)
