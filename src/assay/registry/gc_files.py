"""What lies below `.assay`, and what killed experiments left: whose maker or reader is gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.manifest.table import read_table
from assay.registry.gc_busy import TEMPORARY, inside, temporary
from assay.runs.lock import holder_of

if TYPE_CHECKING:
    from assay.registry.gc_cache import Objects

PARTS = ("", ".lock", ".code", ".aside")  # of one folder of images, or one phantom


def remove(paths: list[Path]) -> None:
    """Remove files and folders."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def size(paths: list[Path]) -> int:
    """Return the bytes of files and of all files below folders; links count nothing."""
    found = [each for path in paths for each in (path, *path.rglob("*"))]
    return sum(each.stat().st_size for each in found if each.is_file() and not each.is_symlink())


def resume_states(root: Path) -> list[Path]:
    """Return the states of trainings that run no more."""
    locks = root / ".assay" / "locks"
    found = sorted((root / ".assay" / "resume").glob("*"))
    return [each for each in found if not holder_of(locks / f"resume-{each.name}.lock")]


def sweep_logs(root: Path) -> list[Path]:
    """Return what sweeps printed."""
    return sorted((root / ".assay" / "sweep").glob("*.log"))


def earlier_studies(root: Path, before: float) -> list[Path]:
    """Return the states of studies that one of the same name has followed, older than `before`."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in (root / ".assay" / "search").glob("*/*-*"):
        found.setdefault((path.parent.name, path.name.rpartition("-")[0]), []).append(path)
    earlier = [each for same in found.values() for each in sorted(same, key=_changed)[:-1]]
    return [
        each for each in sorted(earlier)
        if _changed(each) < before and not holder_of(each / "driver.lock")
    ]  # fmt: skip


def _changed(folder: Path) -> float:
    return max(each.stat().st_mtime for each in (folder, *folder.iterdir()))


def earlier_features(root: Path) -> list[Path]:
    """Return what the search for copies kept under code that this checkout has no more."""
    from assay.similar.kept import FEATURES, store_at

    current = store_at(root)
    folder = current.features.path.parent
    found = [*(root / FEATURES).glob("*"), *folder.glob("*")]
    spared = {folder, *(each.path for each in current)}
    return sorted(each for each in found if each not in spared)


def left_behind(root: Path) -> list[Path]:
    """Return the folders of killed experiments, and DVC's notes that they run."""
    lived_in = {place for _, place in inside(root)}
    folders = [each for each in temporary(root) if each not in lived_in]
    notes = []
    for note in sorted((root / TEMPORARY.parent / "run").glob("*/*.run")):
        try:
            place = Path(json.loads(note.read_text(encoding="utf-8"))["root_dir"])
        except (ValueError, KeyError):
            continue
        if place in folders:
            notes.append(note.parent)
    return folders + notes


def unnamed_images(root: Path, objects: Objects) -> list[Path]:
    """Return images, phantoms and fetched files that no manifest of a kept revision names.

    Where a manifest that stays cannot be read, because its object is not in this cache, everything of
    its data set is spared.
    """
    facts, blind = _manifests(root, objects)
    named = {each[key] for each in facts for key in ("images", "base") if key in each}
    gone = []
    for folder in (root / ".assay" / kind for kind in ("arrays", "images", "phantom")):
        for path in sorted(folder.glob("*")):
            stem = next(
                path.name.removesuffix(part) for part in reversed(PARTS) if path.name.endswith(part)
            )
            of_set = stem.rpartition("-")[0]
            if f".assay/{folder.name}/{stem}" not in named and of_set not in blind:
                gone.append(path)
    if not blind and not _is_any_remote(root, facts):
        gone += [p for p in (root / ".assay" / "fetched", root / ".assay" / "blocks") if p.exists()]
    return gone


def _manifests(root: Path, objects: Objects) -> tuple[list[dict[str, str]], set[str]]:
    """Return the facts of every manifest that stays, and the data sets of those out of reach."""
    stale = {run.path for run in objects.stale_runs}
    entries = [*objects.work_tree, *objects.in_revisions]
    entries += [run.entry for run in objects.stage_runs if run.path not in stale]
    wanted = {
        (Path(path).parent.name, md5)
        for entry in entries
        for path, md5 in entry.outs.items()
        if Path(path).name == "manifest.parquet"
    }
    facts, blind = [], set()
    for name, md5 in sorted(wanted):
        if objects.path(md5).exists():
            facts.append(read_table(objects.path(md5), f"ingest@{name}")[1])
        else:
            blind.add(name)
    here = sorted((root / "data").glob("*/manifest.parquet"))
    facts += [read_table(path, f"ingest@{path.parent.name}")[1] for path in here]
    return facts, blind


def _is_any_remote(root: Path, facts: list[dict[str, str]]) -> bool:
    """Whether a kept data set reads files over a network: its base is a URL, or its table names some."""
    for each in facts:
        index = root / each.get("images", "") / "index.parquet"
        if "://" in each.get("base", ""):
            return True
        if index.exists():
            uris = pl.read_parquet(index, columns=["uri"])["uri"]
            if (uris.str.contains("://", literal=True) & ~uris.str.starts_with("zip://")).any():
                return True
    return False
