"""What Sphinx does not do by itself: formulas as MathML, and pages that load only what they use."""

import re
import shutil
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

logger = logging.getLogger(__name__)
# The theme draws its few icons with 1.5 MB of script; icons.css draws them instead. Source maps are for its developers.
UNUSED = [
    "scripts/fontawesome.js",
    "scripts/fontawesome.js.LICENSE.txt",
    "vendor",
    "images",
    "locales",
    "webpack-macros.html",
]


# A third of the theme's styles name the icons of that font, or load it.
ICON_RULES = re.compile(r"[^{}]+\{--fa:\"[^\"]*\"\}|@font-face\{[^{}]*fontawesome[^{}]*\}")


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("doctree-read", _drop_empty_heads)
    app.connect("autodoc-skip-member", _skip)
    app.connect("html-page-context", _plain_code)
    app.connect("build-finished", _clean)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}


# ---- formulas ----


def _mathml(writer, node, display):
    latex = node.astext()
    try:
        made = convert(latex, display=display)
    except Exception as error:  # latex2mathml raises classes of its own, and whatever it stumbles over
        made, why = "", str(error)
    else:
        why = "a command that it does not know" if "\\" in made else ""
    if why:
        logger.warning("cannot be shown as MathML: %s (%s)", latex, why, location=node)
    return made or writer.encode(latex)


def _inline(writer, node):
    writer.body.append(_mathml(writer, node, "inline"))
    raise nodes.SkipNode


def _block(writer, node):
    writer.body.append(f'<div class="kd-formula">{_mathml(writer, node, "block")}</div>\n')
    raise nodes.SkipNode


# ---- tables ----


def _drop_empty_heads(app, doctree):
    """Markdown cannot leave the head of a table out; one without words is none, least of all to a screen reader."""
    for head in list(doctree.findall(nodes.thead)):
        if not head.astext().strip():
            head.parent.remove(head)


# ---- code ----

# Names, punctuation and spaces have the colour of code in general. Half of what a lesson's page consists of would be
# elements for them, and a browser takes a sixth of its time to lay these out.
UNCOLOURED = re.compile(r'<span class="(?:n|p|w)">([^<]*)</span>')


def _plain_code(app, page, template, context, doctree):
    if "body" in context:
        context["body"] = UNCOLOURED.sub(r"\1", context["body"])


# ---- docstrings ----


def _skip(app, what, name, obj, skip, options):
    documented = (getattr(obj, "__doc__", None) or "").strip()
    if documented.startswith("Alias for field number") or (what == "module" and not (callable(obj))):
        return True
    return None


# ---- the files that are served ----


def _clean(app, error):
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    for path in out.rglob("*.map"):
        path.unlink()
    for name in UNUSED:
        path = out / "_static" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    styles = out / "_static" / "styles" / "pydata-sphinx-theme.css"
    text = styles.read_text(encoding="utf-8")
    styles.write_text(ICON_RULES.sub("", text), encoding="utf-8")
    shutil.rmtree(out / "_sources", ignore_errors=True)
    for name in (".buildinfo", "_static/sbt-webpack-macros.html"):
        (out / name).unlink(missing_ok=True)
    (out / ".nojekyll").touch()  # GitHub Pages would otherwise leave out folders that begin with an underscore
