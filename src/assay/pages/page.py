"""Pages: one base template for every HTML page; whole in one file, readable without a network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from assay.runs.files import write_text


def write_page(path: Path, template: str, **content: Any) -> None:
    """Fill a template of `pages/templates` and write it; every value is escaped."""
    write_text(path, _templates().get_template(f"{template}.html.j2").render(content))


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("assay.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short
    return environment


def short(value: Any) -> str:
    """Write a value for people: numbers with four significant digits, None as a dash."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
