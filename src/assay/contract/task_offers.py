"""What a task may offer beyond its contract, for people to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from assay.manifest.rows import Rows


@runtime_checkable
class Drawing(Protocol):
    """What a task may offer beyond its contract: a picture of one stored row and its labels."""

    def draw_row(self, row: Rows, path: Path) -> None:
        """Draw the only row of `row` into the PNG file `path`."""
        ...


@runtime_checkable
class Looking(Protocol):
    """What a task may offer beyond its contract: a picture of the part of an image that it sees."""

    def draw_seen(self, weights: Path, rows: Rows, folder: Path) -> None:
        """Draw what the network of these weights sees of some of the rows, as PNG files."""
        ...
