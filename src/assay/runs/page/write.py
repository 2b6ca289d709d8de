"""One way to write a page: a base for all of them; whole in one file, readable without a network."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import jinja2

from assay.runs.files import write_text


def write_page(path: Path, template: Path, **content: Any) -> None:
    """Fill a template, which extends `base.html.j2`, and write it; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short
    write_text(path, environment.get_template(template.name).render(content))


def embedded(picture: bytes) -> str:
    """Return a PNG file as the address of an image in a page."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def short(value: Any) -> str:
    """Write a value for people: numbers with four significant digits, None as a dash."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
