"""Pages of their own: one file each, without a script, which ask nothing of the network."""

from pathlib import Path
from typing import Any


def rendered(folder: Path, template: str, **values: Any) -> str:
    """A Jinja template of `folder`, or of this one, filled in: values are shown and never read as markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
