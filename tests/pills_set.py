"""The system `pills` in tests: a small phantom set, read and ingested in one line; bare tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import index_images
from assay.manifest.listing import deduplicate
from assay.manifest.source import Source
from assay.manifest.store import ImageStore
from assay.sections.data import Split
from assay.systems.pills.data.aihub import AiHub
from assay.systems.pills.data.params import Phantom, PillsIngest

PILLS = AiHub()
SIZE = 32
FAULTS = (
    "unseen", "lonely", "outside", "doubled", "missing", "empty", "unlabelled", "imageless",
    "truncated", "unknown", "broken",
)  # fmt: skip
PLAIN = {"classes": 4, "sessions": 2, "angles": 3, "combinations": 2, "width": 64,
         "folders": "english", "seed": 3}  # fmt: skip
INGEST = {"size": SIZE, "decoder": "pillow", "max_broken_share": 0.02, "session_key": "session",
          "stage": "all", "max_samples": "all", "seed": 1}  # fmt: skip


def phantom_params(**changed: Any) -> Phantom:
    return Phantom.model_validate(PLAIN | dict.fromkeys(FAULTS, 0) | changed)


def ingest_params(**changed: Any) -> PillsIngest:
    return PillsIngest.model_validate(INGEST | changed)


def split_params(**changed: Any) -> Split:
    return Split.model_validate({"test": "none", "folds": 5, "n_bins": 8, "seed": 1} | changed)


def made(folder: Path, **changed: Any) -> Path:
    """Write a phantom set into `folder`."""
    folder.mkdir()
    PILLS.phantom(folder, phantom_params(**changed))
    return folder


def read(folder: Path) -> pl.DataFrame:
    return PILLS.read(Source(folder.name, folder.parent)).table


def manifest(folder: Path, root: Path, **ingest: Any) -> tuple[pl.DataFrame, ImageStore]:
    """Ingest in one line, as the stage does."""
    source = Source(str(folder), root)
    store = ImageStore(root / "images", SIZE)
    how = ingest_params(**ingest)
    rows = PILLS.chosen(PILLS.read(source).table, how)
    table = index_images(
        deduplicate(rows).sort("sample_id"), source, store, SIZE, "pillow", PILLS.fit
    )
    table = table.with_columns(join_groups(spelling(table["group"]), table["digest"]))
    return PILLS.masked(table, how), store


def faults_of(folder: Path) -> dict[str, str]:
    """Return the fault of each faulty row by its file name."""
    faulty = read(folder).filter(pl.col("fault").is_not_null())
    return {
        Path(sample).name: fault for sample, fault in faulty.select("sample_id", "fault").rows()
    }


def labels(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.rglob("*.json") if path.match(pattern))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    told = json.loads(path.read_text(encoding="utf-8"))
    change(told)
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return path


def sessions(shown: Sequence[tuple[str, Sequence[str]]], each: int = 3) -> pl.DataFrame:
    """Return `each` bare rows of every (session, codes)."""
    codes = sorted({code for _, drugs in shown for code in drugs})
    return pl.DataFrame(
        [
            {"sample_id": f"{session}/{number}", "group_id": session, "subset": "train",
             "codes": list(drugs), "named": list(drugs), "drug": codes.index(drugs[0])}
            for session, drugs in shown
            for number in range(each)
        ]
    )  # fmt: skip
