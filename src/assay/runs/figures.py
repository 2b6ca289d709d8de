"""One way to write a figure, without a date or a version: equal figures have equal bytes; and tables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from assay.runs.files import atomic_write, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix, at its own dpi.

    A `Figure` that was made without pyplot needs no backend to be chosen.
    """
    atomic_write(path, partial(figure.savefig, metadata={"Software": None}))


def save_table(pictures: Path, name: str, text: str) -> None:
    """Write a CSV into `tables` beside the folder of pictures, in which DVC would draw it as a curve."""
    write_text(pictures.with_name("tables") / name, text)
