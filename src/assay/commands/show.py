"""Show one stored image with its labels; a row of the sealed test set is refused."""

from __future__ import annotations

import difflib
import re
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from assay.manifest.rows import Rows


@click.command()
@click.argument("data")
@click.argument("sample_id")
@click.option("-o", "out", type=click.Path(dir_okay=False, path_type=Path), help="the PNG file")
def command(data: str, sample_id: str, out: Path | None) -> None:
    """Draw the sample SAMPLE_ID of DATA, as it is stored, and print its row.

    Training and validation rows alone: of the test set nothing is shown.
    """
    from assay import contract
    from assay.runs.root import find_root

    contract.find_system(data)
    root = find_root(Path.cwd())
    legal = re.sub(r"[^\w.-]", "_", sample_id)
    path = out.resolve() if out else root / ".assay" / "show" / data / f"{legal}.png"
    with chdir(root):
        row = find_row(data, sample_id)
    _draw(data, row, path)
    for name, column in row.columns.items():
        click.echo(f"{name:14}{_said(column[0])}")
    click.echo(f"see {path}")


def find_row(data: str, sample_id: str) -> Rows:
    """Return the one row of training and validation that has this id.

    Raises:
        AssayError: it is of the sealed test set, or there is none.
    """
    from assay.errors import AssayError
    from assay.manifest.layout import Layout
    from assay.manifest.parts import read_trainval
    from assay.manifest.table import read_table

    rows, _ = read_trainval(data)
    ids = rows.columns["sample_id"]
    if sample_id in ids:
        return rows.where(ids == sample_id)
    splits, _ = read_table(Layout(data).splits, f"split@{data}")
    if sample_id in splits["sample_id"]:
        raise AssayError(
            f"{sample_id} of {data}", "is of the sealed test set: nobody looks at it",
            "a sample of training or validation",
        )  # fmt: skip
    known = [str(each) for each in ids]
    close = difflib.get_close_matches(sample_id, known, n=3, cutoff=0.3) or known[:3]
    raise AssayError(
        f"{sample_id} of {data}", "no such sample in training and validation",
        f"for example {', '.join(close)}",
    )  # fmt: skip


def _draw(data: str, row: Rows, path: Path) -> None:
    """Let the first task of the data that draws its labels do so; else write the plain image."""
    from PIL import Image

    from assay import contract
    from assay.runs.files import write_aside

    for task in contract.tasks().values():
        if task.data == data and isinstance(task, contract.Drawing):
            task.draw(row, path)
            return
    write_aside(path, lambda aside: Image.fromarray(row.images[0]).save(aside))


def _said(value: Any) -> str:
    """Return a value of the table for people; of points, how many there are."""
    import numpy as np

    found = np.asarray(value)
    if found.ndim == 2 and found.dtype.kind == "f":
        present = int((~np.isnan(found).any(axis=1)).sum())
        return f"{present} of {len(found)} points"
    if found.ndim:
        return ", ".join(map(str, found.tolist())) or "none"
    return "none" if value is None else str(value)
