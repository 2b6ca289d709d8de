"""One way to write a figure: without a date or a version, so that equal figures have equal bytes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from assay.runs.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix, at its own dpi.

    A `Figure` that was made without pyplot needs no backend to be chosen.
    """
    atomic_write(path, partial(figure.savefig, metadata={"Software": None}))
