"""The data set `pills.masks` in tests: a small phantom, ingested in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import OK, index_images
from assay.manifest.listing import deduplicate
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.store import ImageStore
from assay.manifest.table import read_table, write_table
from assay.sections.data import Ingest
from assay.systems.pills.data.mask_params import MasksPhantom
from assay.systems.pills.data.masks import Masks
from assay.systems.pills.data.phantom_masks import FAULTS

MASKS = Masks()
SIZE = 32
PLAIN = {"drugs": 4, "sessions": 2, "angles": 1, "combinations": 2, "width": 64, "seed": 3}


def made(folder: Path, **changed: Any) -> Path:
    """Write a phantom set into `folder`."""
    folder.mkdir()
    MASKS.phantom(folder, MasksPhantom.model_validate(PLAIN | dict.fromkeys(FAULTS, 0) | changed))
    return folder


def manifest(folder: Path, root: Path, size: int = SIZE) -> tuple[pl.DataFrame, ImageStore]:
    """Ingest in one line, as the stage does."""
    source = Source(str(folder), root)
    store = ImageStore(root / "images", size)
    how = Ingest(size=size, decoder="pillow", max_broken_share=0.02)
    rows = deduplicate(MASKS.read(source).table).sort("sample_id")
    table = index_images(rows, source, store, size, "pillow", MASKS.fit)
    table = table.with_columns(join_groups(spelling(table["group"]), table["digest"]))
    return MASKS.masked(table, how), store


def rows_of(folder: Path, root: Path, size: int = SIZE) -> Rows:
    """Return the usable rows, as they come out of the table that the split writes."""
    table, store = manifest(folder, root, size)
    write_table(root / "trainval.parquet", table.filter(pl.col("status") == OK), {})
    kept, _ = read_table(root / "trainval.parquet", "split@pills.masks")
    images = np.array(store.pixels()[store.slots(kept["digest"])])
    return Rows({"image": images}, {name: kept[name].to_numpy() for name in kept.columns})
