"""A part of the phantom by RCWA: hours of work, in the published layout, that a kill only pauses."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.code.declared import heed
from assay.errors import SourceError
from assay.runs.files import atomic_write
from assay.runs.parent import die_with_parent
from assay.systems.spectra.data.rcwa import solve_structure
from assay.systems.spectra.optics.physics import BINS

if TYPE_CHECKING:
    from assay.systems.spectra.data.rcwa import Accuracy, Any8, Floats

MISSING, SOLVED, FAILED = 0, 1, 2  # the codes of a published valid file


@dataclass(frozen=True)
class RcwaPart:
    """Where a part's arrays lie.

    Attributes:
        spectra: (n, 3, 301) float32, R, G, B, negative as published; rows not solved are zero.
        valid: (n,) uint8: 0 not yet, 1 solved, 2 failed.
    """

    spectra: Path
    valid: Path

    @property
    def claim(self) -> Path:
        """A small file that says what the arrays are solutions of."""
        return self.spectra.with_suffix(".rcwa.json")


def solve_part(structures: Any8, part: RcwaPart, accuracy: Accuracy, processes: int = 1) -> int:
    """Solve the rows of a part that are missing, and return how many have failed in all.

    Each row is written in place, its code after it. Killed at any time, the same call goes on with what
    is missing; the arrays are the same bytes for any number of processes.

    Args:
        structures: (n, side, side) of 0 and 1.
        part: the files, made where they are not there.
        accuracy: of the solver.
        processes: worker processes of one thread each.

    Raises:
        SourceError: the files are solutions of other structures, or at another accuracy.
        MachineError: the extra `rcwa` is not installed.
    """
    spectra, valid = _open(structures, part, accuracy)
    for row, power in _solutions(structures, np.flatnonzero(valid == MISSING), accuracy, processes):
        if power is not None:
            spectra[row] = published(power)
            spectra.flush()
        valid[row] = FAILED if power is None else SOLVED
        valid.flush()
    return int((valid == FAILED).sum())


def published(power: Floats) -> Floats:
    """Return what is stored (3, bins) of the cells' power (2, 2, bins): R, G, B, negative."""
    return -np.stack([power[0, 0], (power[0, 1] + power[1, 0]) / 2, power[1, 1]])


def _solutions(
    structures: Any8, rows: npt.NDArray[np.intp], accuracy: Accuracy, processes: int
) -> Iterator[tuple[int, Floats | None]]:
    """Yield row and power as they come; none where the equations have no finite solution."""
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, context, initializer=_settle) as pool:
        asked = {pool.submit(_try, structures[row], accuracy): int(row) for row in rows}
        try:
            for done in as_completed(asked):
                yield asked[done], done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _settle() -> None:
    """Make a worker die with the computation, and use one thread."""
    from threadpoolctl import threadpool_limits

    die_with_parent()
    threadpool_limits(1)


def _try(structure: Any8, accuracy: Accuracy) -> Floats | None:
    heed()
    try:
        power = solve_structure(structure, accuracy)
    except np.linalg.LinAlgError:
        return None
    return power if np.isfinite(power).all() else None


def _open(
    structures: Any8, part: RcwaPart, accuracy: Accuracy
) -> tuple[np.memmap[Any, Any], np.memmap[Any, Any]]:
    claim = json.dumps(
        {"structures": hashlib.sha256(np.packbits(structures).tobytes()).hexdigest()}
        | asdict(accuracy)
    )
    if not part.claim.exists():
        _zeros(part.spectra, (len(structures), 3, BINS), np.float32)
        _zeros(part.valid, (len(structures),), np.uint8)
        atomic_write(part.claim, lambda aside: aside.write_text(claim, encoding="utf-8"))
    elif (found := part.claim.read_text(encoding="utf-8")) != claim:
        raise SourceError(
            str(part.spectra), f"solutions of {found}", claim, f"rm {part.claim}: solves it anew"
        )
    opened = np.lib.format.open_memmap
    return opened(part.spectra, mode="r+"), opened(part.valid, mode="r+")


def _zeros(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    def fill(aside: Path) -> None:
        np.lib.format.open_memmap(aside, mode="w+", dtype=dtype, shape=shape).flush()

    atomic_write(path, fill)
