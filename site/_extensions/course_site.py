"""What Sphinx does not do by itself: formulas as MathML, plain docstrings, and pages that load only what they use."""

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
    app.connect("autodoc-process-docstring", plain_docstring)
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


# ---- docstrings: plain text with aligned columns, not reStructuredText ----

ROW = re.compile(r"(\S+(?: \S+)*) {2,}(\S.*)")  # an argument, and what it means in a column of its own
CODE = re.compile(r"^\s|^[-*#>]|^\w[\w.]*\(.*\)$|^\w+ = |^kdcourse ")


def plain_docstring(app, what, name, obj, options, lines):
    """Sentences become paragraphs, arguments a list with a line for each, and what looks like code stays as it is."""
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    made = [line for block in blocks if block.strip() for line in [*_written(block.splitlines()), ""]]
    lines[:] = made


def _written(block):
    """One piece of a docstring, as reStructuredText."""
    entries = _columns(block)
    if entries is None:
        if any(CODE.search(line) for line in block):
            return ["::", "", *(f"    {line}" for line in block)]
        return [_prose(" ".join(line.strip() for line in block))]
    made = []
    for name, meaning in entries:
        made += ["", _prose(meaning), ""] if name is None else [f"\\ ``{name}``", f"    {_prose(meaning)}"]
    return made


def _columns(block):
    """[(argument, what it means)] if the block is such a list, with None for a line between them; None if it is not."""
    entries = []
    for line in block:
        row = ROW.fullmatch(line)
        if row:
            entries.append([row[1].replace("`", ""), row[2]])
        elif re.match(r"\s{4,}\S", line) and entries:
            entries[-1][1] += " " + line.strip()
        elif re.match(r"\S", line) and entries:
            entries.append([None, line])
        else:
            return None
    return entries


def _prose(text):
    """A paragraph in which only what stands between backticks means anything."""
    pieces = re.split(r"`([^`]+)`", text)
    pieces[1::2] = [rf"\ ``{piece.strip()}``\ " for piece in pieces[1::2]]
    pieces[::2] = [re.sub(r"([\\*_|`<>:])", r"\\\1", piece) for piece in pieces[::2]]
    return "\\ " + "".join(pieces).strip()


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
