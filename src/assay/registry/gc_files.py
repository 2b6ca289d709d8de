"""What lies below `.assay`, and what killed experiments left: goes by age, and by what manifests name."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from assay.manifest.table import read_table
from assay.runs.places import (
    ARRAYS,
    BLOCKS,
    BRANCHES,
    FEATURES,
    FETCHED,
    FROZEN,
    IMAGES,
    JOBS,
    PHANTOMS,
    PROOFS,
    STUDIES,
    SWEEPS,
)

if TYPE_CHECKING:
    from dvc.repo import Repo

    from assay.registry.gc_cache import Objects

# Made anew, or fetched again, by whoever misses them.
AGED = {
    "trainings": f"{JOBS}/*",
    "proofs": f"{PROOFS}/*",
    "sweep logs": f"{SWEEPS}/*.log",
    "repro logs": f"{BRANCHES}/*.log",
    "studies": f"{STUDIES}/*/*",
    "features": f"{FEATURES}/*/*",
    "frozen backbones": f"{FROZEN}/*",
    "fetched files": f"{FETCHED}/*/*",
    "fetched blocks": f"{BLOCKS}/*",
    "killed experiments": ".dvc/tmp/exps/standalone/tmp*",
}
MADE = (ARRAYS, IMAGES, PHANTOMS)  # by ingest, for a manifest that names them


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def size(paths: Iterable[Path]) -> int:
    """Return the bytes of files and of all files below folders; links count nothing."""
    found = [each for path in paths for each in (path, *path.rglob("*"))]
    return sum(each.stat().st_size for each in found if each.is_file() and not each.is_symlink())


def unused_for_long(root: Path, before: float) -> dict[str, list[Path]]:
    """Return kind → paths that nobody has written or read since."""
    return {
        kind: [path for path in sorted(root.glob(pattern)) if _last_used(path) < before]
        for kind, pattern in AGED.items()
    }


def unnamed(root: Path, repo: Repo, objects: Objects, before: float) -> list[Path]:
    """Return old images, records and phantoms that no manifest of what stays names."""
    digests = [
        each.value for each in objects.used if str(each.obj_name).endswith("manifest.parquet")
    ]
    paths = [Path(repo.cache.local.oid_to_path(digest)) for digest in digests]
    paths += (root / "data").glob("*/manifest.parquet")
    facts = [read_table(path, "ingest")[1] for path in paths if path.exists()]
    named = {each[key] for each in facts for key in ("images", "base") if key in each}
    found = sorted(path for folder in MADE for path in (root / folder).glob("*"))
    return [each for each in found if _owner(root, each) not in named and _last_used(each) < before]


def _owner(root: Path, path: Path) -> str:
    """Return the folder, relative to `root`, that a lock or another file beside it belongs to."""
    return re.sub(r"(-[0-9a-f]{8})\.\w+$", r"\1", str(path.relative_to(root)))


def _last_used(path: Path) -> float:
    """Return when a file, or one below a folder, was last written or read, in seconds since 1970."""
    files = [each for each in path.rglob("*") if each.is_file()]
    stats = [each.stat() for each in files or [path]]
    return max(max(each.st_mtime, each.st_atime) for each in stats)
