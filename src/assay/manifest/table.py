"""Tables as Parquet files that carry the facts about them (source, group kind, digests)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from assay.errors import AssayError
from assay.runs.files import atomic_write

FACTS = "assay"
GROUP = 1 << 16  # rows that are encoded at once, so that no second table is in memory


def write_table(path: Path, table: pl.DataFrame, facts: Mapping[str, Any]) -> None:
    """Write `table` with `facts` in its schema's metadata; equal content gives equal bytes."""
    stamp = {FACTS: json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)}
    atomic_write(
        path, lambda aside: table.write_parquet(aside, row_group_size=GROUP, metadata=stamp)
    )


def read_table(path: Path, stage: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Read a table and its facts; `stage` is the one that makes it anew when it is absent."""
    if not path.exists():
        raise AssayError(str(path), "no such file", mend=f"dvc repro {stage}")
    return pl.read_parquet(path), json.loads(pl.read_parquet_metadata(path).get(FACTS, "{}"))
