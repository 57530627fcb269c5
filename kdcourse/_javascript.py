"""The JavaScript of the widgets: modules that import one another, and the one text that a notebook needs of them."""

import re
from pathlib import Path

STATIC = Path(__file__).resolve().parent / "static"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.M)
EXPORT = re.compile(r"^export (?!default)", re.M)


def bundle(name):
    """`static/NAME.js` with everything it imports, as one module. Only what NAME itself exports is exported.

    A notebook gets a widget's script as a text without an address, so a relative import in it would lead nowhere.
    A page on a server loads the modules as they are.

    Raises FileNotFoundError for a module that does not exist.
    """
    order = []
    _visit(name, order)
    texts = [IMPORT.sub("", _read(each)) for each in order]
    return "\n".join([*(EXPORT.sub("", text) for text in texts[:-1]), texts[-1]])


def _visit(name, order):
    """Append the module to `order`, after those that it imports."""
    for needed in IMPORT.findall(_read(name)):
        if needed not in order:
            _visit(needed, order)
    order.append(name)


def _read(name):
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")
