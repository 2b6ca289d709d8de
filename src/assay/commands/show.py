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


SEVERAL = 12  # numbers; more are told by their range


@click.command()
@click.argument("data")
@click.argument("sample_id")
@click.option("-o", "out", type=click.Path(dir_okay=False, path_type=Path), help="the PNG file")
def command(data: str, sample_id: str, out: Path | None) -> None:
    """Draw the sample SAMPLE_ID of DATA, as it is stored, and print its row.

    Training and validation rows alone: of the test set nothing is shown. What a task cuts out of a
    row has an id of its own, the row's with # and a number, and is shown by it.
    """
    from assay.lookup import find_system
    from assay.runs.places import SHOWN
    from assay.runs.root import find_root

    find_system(data)
    root = find_root(Path.cwd())
    legal = re.sub(r"[^\w.-]", "_", sample_id)
    path = out.resolve() if out else root / SHOWN / data / f"{legal}.png"
    with chdir(root):
        row, is_cut = find_row(data, sample_id)
    _draw(data, row, path, is_cut)
    for name, column in row.columns.items():
        click.echo(f"{name:14}{_said(column[0])}")
    click.echo(f"see {path}")


def find_row(data: str, sample_id: str) -> tuple[Rows, bool]:
    """Return the one row of training and validation that has this id, and whether a task cut it out.

    Raises:
        AssayError: it is of the sealed test set, or there is none.
    """
    from assay.contract.task_rows import CUT
    from assay.errors import AssayError
    from assay.manifest.layout import Layout
    from assay.manifest.parts import read_trainval
    from assay.manifest.split import TEST
    from assay.manifest.table import read_table

    rows, _ = read_trainval(data)
    ids = rows.columns["sample_id"]
    if sample_id in ids:
        return rows.where(ids == sample_id), False
    cut = _find_cut(data, rows, sample_id)
    if cut is not None:
        return cut, True
    splits, _ = read_table(Layout(data).splits, f"split@{data}")
    sealed = set(splits.filter(split=TEST)["sample_id"])
    if {sample_id, sample_id.rpartition(CUT)[0]} & sealed:
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


def _find_cut(data: str, rows: Rows, sample_id: str) -> Rows | None:
    """Return what the first task that cuts the data's rows calls so, by the parameters as they stand."""
    from assay.contract.task_capabilities import SupportsCrops
    from assay.contract.task_rows import row_of, task_rows
    from assay.lookup import all_tasks
    from assay.params import read_params
    from assay.value_faults import PARAMS_FILE
    from assay.values import typed

    for task in all_tasks().values():
        whole = rows.columns["sample_id"] == row_of(task, sample_id)
        if task.data == data and isinstance(task, SupportsCrops) and whole.any():
            params = typed(read_params(Path(PARAMS_FILE)), task.name, task.params)
            cuts = task_rows(task, rows.where(whole), params)
            mine = cuts.columns["sample_id"] == sample_id
            return cuts.where(mine) if mine.any() else None
    return None


def _draw(data: str, row: Rows, path: Path, is_cut: bool) -> None:
    """Let the first task of the data that draws its labels do so; else, as of a cut, the plain views."""
    import numpy as np
    from PIL import Image

    from assay.contract.task_capabilities import SupportsDrawing
    from assay.lookup import all_tasks
    from assay.runs.files import atomic_write

    for task in all_tasks().values():
        if task.data == data and isinstance(task, SupportsDrawing) and not is_cut:
            task.draw_row(row, path)
            return
    shown = np.concatenate([view[0] for view in row.images.values()], axis=1)
    atomic_write(path, lambda aside: Image.fromarray(shown).save(aside))


def _said(value: Any) -> str:
    """Return a value of the table for people; of points, how many there are, of spectra their range."""
    import numpy as np

    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    found = np.asarray(value)
    if found.ndim == 2 and found.dtype.kind == "f":
        present = int((~np.isnan(found).any(axis=1)).sum())
        return f"{present} of {len(found)} points"
    if found.dtype.kind == "f" and found.size > SEVERAL:
        shape = " × ".join(map(str, found.shape))
        return f"{shape} numbers, {np.nanmin(found):.4g} to {np.nanmax(found):.4g}"
    if found.ndim:
        return "; ".join(map(str, found.tolist())) or "none"
    return "none" if value is None else str(value)
