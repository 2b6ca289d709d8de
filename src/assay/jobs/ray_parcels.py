"""What travels to a worker of Ray with a job: the code, the lock, and what the job's inputs name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.code.distributions import LOCK_FILE
from assay.code.source import PACKAGE, SRC
from assay.errors import AssayError
from assay.lookup import find_task
from assay.manifest.layout import Layout
from assay.manifest.storage import OriginalStorage, RecordStorage, read_storage
from assay.manifest.table import read_table
from assay.runs.files import content_digest, file_digest

if TYPE_CHECKING:
    from assay.jobs.job import Job

TOGETHER = 1 << 20  # bytes; a larger file travels by itself
Parcel = tuple[str, list[Any]]  # digest of all of it, and references of `{path: content}`


class Parcels:
    """Contents in Ray's object store, each once; they stay there as long as this object.

    Args:
        ray: the library, connected.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._references: dict[str, Any] = {}
        self._known: dict[str, Parcel] = {}

    def of(self, job: Job) -> Parcel:
        """Return what a job needs; jobs of equal inputs have one parcel.

        Raises:
            AssayError: it reads what cannot travel.
        """
        inputs = content_digest(dict(job.inputs))
        if inputs not in self._known:
            ensure_travels(job)
            self._known[inputs] = self._packed(files_of(job))
        return self._known[inputs]

    def _packed(self, paths: list[Path]) -> Parcel:
        digests = {path: file_digest(path) for path in paths}
        small = [path for path in paths if path.stat().st_size < TOGETHER]
        large = [[path] for path in paths if path not in small]
        parts = [self._put({path: digests[path] for path in part}) for part in [small, *large]]
        return _named(digests), parts

    def _put(self, digests: Mapping[Path, str]) -> Any:
        key = _named(digests)
        if key not in self._references:
            content = {str(path): _content(path) for path in digests}
            self._references[key] = self._ray.put(content)
        return self._references[key]


def files_of(job: Job) -> list[Path]:
    """Return the files that a job needs, sorted."""
    code = (SRC / PACKAGE).rglob("*")
    named = [Path(name) for name in job.inputs]
    below = [each for path in named for each in (path.rglob("*") if path.is_dir() else [path])]
    found = {*code, *below, LOCK_FILE}
    return sorted(path for path in found if path.is_file() and path.suffix != ".pyc")


def ensure_travels(job: Job) -> None:
    """Refuse data whose images are opened where the source has them.

    Raises:
        AssayError: with the way out.
    """
    data = find_task(job.task).data
    path = Layout(data).trainval
    storage = read_storage(read_table(path, f"split@{data}")[1], data, "split")
    kept = storage.raw if isinstance(storage, RecordStorage) else ()
    if isinstance(storage, OriginalStorage) or kept:
        where = f"{storage.base} · {kept[0]}" if kept else storage.base
        raise AssayError(
            f"{Layout(data).trainval_pixels}",
            f"points at images in {where}, which no worker of Ray has, since {data}.ingest.copy is none",
            "images that travel with a training",
            f"-S {data}.ingest.copy=full, or -S runtime.executor=local",
        )


def _named(digests: Mapping[Path, str]) -> str:
    return content_digest({str(path): digest for path, digest in digests.items()})


def _content(path: Path) -> Any:
    """Return a file's bytes; those of a large one as they are mapped, for Ray to copy."""
    if path.stat().st_size < TOGETHER:
        return path.read_bytes()
    return np.asarray(np.memmap(path, np.uint8, "r"))
