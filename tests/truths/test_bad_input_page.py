"""The page of bad input: each section is planted by the file that it names, and no line is silent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.promises import promised, sections

ROOT = Path(__file__).parents[2]
FEWEST = 120  # lines: what public reports tell of, and their siblings


@pytest.mark.parametrize("heading", sections())
def test_a_section_is_planted_by_the_file_that_it_names(heading: str) -> None:
    [place] = re.findall(r"^Planted by `([^`]+)`", sections()[heading], flags=re.MULTILINE)
    assert re.search(f'(promised\\(|HEADING = )"{re.escape(heading)}"', (ROOT / place).read_text())


def test_no_line_is_silent() -> None:
    lines = [row for heading in sections() for row in promised(heading).values()]
    assert len(lines) >= FEWEST
    assert all(outcome.strip() and told.strip() for outcome, told in lines)
