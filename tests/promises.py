"""The tables of docs/bad-input.md, section by section: what is promised of each planted fault."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "bad-input.md"


def sections() -> dict[str, str]:
    """Return the text of each section by its heading."""
    _, *parts = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    return {heading: text for heading, _, text in (part.partition("\n") for part in parts)}


def promised(*headings: str) -> dict[str, tuple[str, str]]:
    """Return fault → (outcome, what is told) of sections."""
    rows = []
    for heading in headings:
        lines = [line for line in sections()[heading].splitlines() if line.startswith("| ")]
        rows += [line.strip("| ").split(" | ") for line in lines[1:]]
    return {fault: (outcome, told) for fault, outcome, told in rows}
