"""The pages of the reference: one for each public module, written out by Sphinx from the docstrings."""

import ast
from pathlib import Path


def modules(package):
    """{name of a public module, such as "stats.paired": first line of its docstring}, of the package in this folder.

    Public is every module of the package itself; inside of its packages one with `__all__`, unless the package offers
    the names itself. Not public are names with an underscore, and the command.
    """
    package = Path(package)
    found = {}
    for path in sorted([*package.glob("*.py"), *package.glob("*/*.py")]):
        names = path.relative_to(package).with_suffix("").parts
        names = names[:-1] if path.name == "__init__.py" else names
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if names and not any(name.startswith("_") for name in names) and _is_public(tree, path, package):
            found[".".join(names)] = (ast.get_docstring(tree) or "").split("\n\n")[0]
    return dict(sorted(found.items()))


def _is_public(tree, path, package):
    if path.name == "__init__.py":
        return True
    if path.parent == package:
        return path.stem != "cli"  # which has a page of its own, about the command
    offers = any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in tree.body)
    return offers and f".{path.stem} import" not in (path.parent / "__init__.py").read_text(encoding="utf-8")


def api_pages(package):
    """{page: text} of the reference; its pages are in reStructuredText, its index in Markdown."""
    made, lines = {}, []
    for name, said in modules(package).items():
        heading = f"kdcourse.{name}"
        text = f"{heading}\n{'=' * len(heading)}\n\n.. automodule:: {heading}\n   :members:\n"
        made[f"api/{heading}.rst"] = text + (_exercises() if name == "check" else "")
        lines.append(f"- [`{heading}`]({heading}.rst): {' '.join(said.split())}")
    body, toctree = "\n".join(lines), "\n".join(page[4:-4] for page in made)
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
