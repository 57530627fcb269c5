"""The pages of the reference: one for each public module, written out by Sphinx from the docstrings."""

import ast
from pathlib import Path

GROUPS = {
    "Losses, models and training": ["losses", "models", "train", "stack", "sweep", "controls"],
    "Statistics and audits": ["stats", "paired", "calibration", "audit", "ship"],
    "Data and results": ["data", "spam", "store", "claims"],
    "What learners touch": ["check", "quiz", "plots", "widgets", "progress"],
}
LEFT_OUT = {"cli"}  # it has a page of its own, about the command
OTHERS = "Everything else"


def modules(package):
    """{name of a public module: first line of its docstring}, of the package in this folder."""
    found = {}
    for path in sorted(Path(package).iterdir()):
        name, source = path.stem, path / "__init__.py" if path.is_dir() else path
        if name.startswith("_") or name in LEFT_OUT or source.suffix != ".py" or not source.exists():
            continue
        found[name] = (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    return found


def api_pages(package):
    """{page: text} of the reference; its pages are in reStructuredText, its index in Markdown."""
    found = modules(package)
    groups = {title: [name for name in names if name in found] for title, names in GROUPS.items()}
    grouped = {name for names in groups.values() for name in names}
    groups[OTHERS] = [name for name in found if name not in grouped]
    made, parts = {}, []
    for title, names in groups.items():
        lines = [f"- [`kdcourse.{name}`](kdcourse.{name}.rst): {_one_line(found[name])}" for name in names]
        if lines:
            parts.append(f"## {title}\n\n" + "\n".join(lines))
        for name in names:
            heading = f"kdcourse.{name}"
            text = f"{heading}\n{'=' * len(heading)}\n\n.. automodule:: {heading}\n   :members:\n"
            made[f"api/{heading}.rst"] = text + (_exercises() if name == "check" else "")
    body, toctree = "\n\n".join(parts), "\n".join(page[4:-4] for page in made)
    made["api/index.md"] = f"""# Reference

What the package offers to other code. Classes are on axis 1, everywhere. `import kdcourse` imports nothing: take what
you need from its module, as in `from kdcourse.losses import kd_loss`.

{body}

```{{toctree}}
:hidden:

{toctree}
```
"""
    return made


def _exercises():
    """The exercises, which are objects that can be called: Sphinx finds no functions among them."""
    from kdcourse.check import EXERCISES

    said = "Each is called with the learner's function of the same name; it has ``hint()`` and ``solution()``."
    lines = ["", "Exercises", "---------", "", said, ""]
    for exercise in EXERCISES:
        arguments = ", ".join(exercise.parameters)
        lines.append(
            f"- ``{exercise.name}({arguments})``: lesson :doc:`{exercise.lesson} </lessons/{exercise.lesson}>`"
        )
    return "\n".join(lines) + "\n"


def _one_line(text):
    return " ".join(text.split())
