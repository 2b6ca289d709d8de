"""Predictions of a registered model as it is served: from MLflow, with the code of its own commit."""

from __future__ import annotations

import contextlib
import mmap
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from assay.errors import RegistryError
from assay.registry import predict_process
from assay.runs.places import PRIVATE
from assay.tracking.store import store_uri

if TYPE_CHECKING:
    from assay.registry.versions import Version

BLOCK = 64  # images that are in memory at once while they are written
SAMPLE, SEED = 512, 0  # rows that tell whether two sets of predictions are one model's

Images = npt.NDArray[np.uint8]


def predict_with(root: Path, version: Version, images: Images) -> npt.NDArray[np.float32]:
    """Return (n, outputs) in label units for stored images (n, size, size, 3).

    In a process of its own, since the model brings its own code.

    Raises:
        RegistryError: the model cannot be loaded, or fails.
    """
    return ask(root, f"models:/{version.task}/{version.number}", images)


def sample_of(count: int) -> npt.NDArray[np.int64]:
    """Return the places of at most `SAMPLE` of so many rows, ascending; the same ones each time."""
    if count <= SAMPLE:
        return np.arange(count)
    return np.sort(np.random.default_rng(SEED).choice(count, SAMPLE, replace=False))


def ask(root: Path, uri: str, images: Images) -> npt.NDArray[np.float32]:
    """Ask a model of the root's store; images reach it by a file that it maps, not by memory."""
    with _nameless(root) as answers, _lying(root, images) as (place, passed):
        command = [
            sys.executable, "-I", str(Path(predict_process.__file__)), store_uri(root), uri, place,
            _path_of(answers),
        ]  # fmt: skip
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
            pass_fds=(*passed, answers.fileno()),
        )  # fmt: skip
        if done.returncode != 0:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise RegistryError(uri, f"cannot predict: {' '.join(last)}", mend="assay sync")
        answers.seek(0)
        predictions: npt.NDArray[np.float32] = np.load(answers)
    return predictions


@contextlib.contextmanager
def _lying(root: Path, images: Images) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give a file that holds the images, and what a process must be handed to open it.

    A part that is mapped whole lies there already; what was chosen, cut, or is read elsewhere is written.
    """
    if isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap):
        yield str(images.filename), ()
        return
    with _nameless(root) as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": images.shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(images), BLOCK):
            stream.write(np.ascontiguousarray(images[start : start + BLOCK]).data)
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
