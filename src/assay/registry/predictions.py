"""Predictions of a registered model as it is served: from MLflow, with the code of its own commit."""

from __future__ import annotations

import contextlib
import mmap
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from assay.contract.inputs import pad_column
from assay.errors import RegistryError
from assay.registry import predict_process
from assay.runs.places import PRIVATE
from assay.tracking.store import store_uri

if TYPE_CHECKING:
    from assay.manifest.rows import Rows
    from assay.registry.versions import Version

BLOCK = 64  # rows that are in memory at once while they are written
SAMPLE, SEED = 512, 0  # rows that tell whether two sets of predictions are one model's

Array = npt.NDArray[Any]


def predict_with(
    root: Path,
    version: Version,
    rows: Rows,
    model: Mapping[str, Any],
    folds: npt.NDArray[np.generic] | None = None,
) -> npt.NDArray[np.float32]:
    """Return (n, outputs) in label units for rows of the version's data.

    In a process of its own, since the model brings its own code.

    Args:
        root: the repository.
        version: of the model.
        rows: as its data has them; what the model does not read stays here.
        model: what its record says of it: views and columns that it is handed.
        folds: (n,) ascending, of a model of several: which one is asked about a row; None: all, combined.

    Raises:
        RegistryError: the model cannot be loaded, or fails.
    """
    views = {view: rows.images[view] for view in model["views"]}
    reads = {name: pad_column(rows.columns[name], form) for name, form in model["reads"].items()}
    return ask(root, f"models:/{version.task}/{version.number}", views | reads, folds)


def sample_of(count: int) -> npt.NDArray[np.int64]:
    """Return the places of at most `SAMPLE` of so many rows, ascending; the same ones each time."""
    if count <= SAMPLE:
        return np.arange(count)
    return np.sort(np.random.default_rng(SEED).choice(count, SAMPLE, replace=False))


def ask(
    root: Path, uri: str, arrays: Mapping[str, Array], folds: Array | None = None
) -> npt.NDArray[np.float32]:
    """Ask a model of the root's store; arrays reach it by files that it maps, not by memory."""
    counts = Counter([] if folds is None else folds.tolist())
    each = ",".join(f"{fold}:{count}" for fold, count in counts.items())
    with contextlib.ExitStack() as held:
        answers = held.enter_context(_nameless(root))
        named, passed = [], [answers.fileno()]
        for name, array in arrays.items():
            place, files = held.enter_context(_lying(root, array))
            named.append(f"{name}={place}")
            passed += files
        command = [
            sys.executable, "-I", str(Path(predict_process.__file__)), store_uri(root), uri,
            _path_of(answers), each, *named,
        ]  # fmt: skip
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
            pass_fds=passed,
        )  # fmt: skip
        if done.returncode != 0:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise RegistryError(uri, f"cannot predict: {' '.join(last)}", mend="assay sync")
        answers.seek(0)
        predictions: npt.NDArray[np.float32] = np.load(answers)
    return predictions


@contextlib.contextmanager
def _lying(root: Path, array: Array) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give a file that holds the array, and what a process must be handed to open it.

    A part that is mapped whole lies there already; what was chosen, cut, or is read elsewhere is written.
    """
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
        yield str(array.filename), ()
        return
    with _nameless(root) as stream:
        kind = np.lib.format.dtype_to_descr(array.dtype)
        header = {"descr": kind, "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(array), BLOCK):
            stream.write(np.ascontiguousarray(array[start : start + BLOCK]).tobytes())
        stream.flush()
        stream.seek(0)
        yield _path_of(stream), (stream.fileno(),)


@contextlib.contextmanager
def _nameless(root: Path) -> Iterator[BinaryIO]:
    """Give a file below `.assay` without a name: where all is killed, no pixel of it stays behind."""
    folder = root / PRIVATE
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as stream:
        yield stream


def _path_of(stream: BinaryIO) -> str:
    return f"/dev/fd/{stream.fileno()}"
