"""Tables as Parquet files that carry the facts about them (source, group kind, digests)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from assay.errors import AssayError
from assay.runs.files import write_aside

FACTS = b"assay"
GROUP = 1 << 16  # rows that are encoded at once, so that writing takes no second table in memory


def write_table(path: Path, table: pl.DataFrame, facts: Mapping[str, Any]) -> None:
    """Write `table` with `facts` in its schema's metadata; equal content gives equal bytes."""
    arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    stamp = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False).encode()
    arrow = arrow.replace_schema_metadata({FACTS: stamp})
    write_aside(
        path, lambda aside: pq.write_table(arrow, aside, row_group_size=GROUP, compression="zstd")
    )


def read_table(path: Path, stage: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Read a table and its facts; `stage` is the one that makes it anew when it is absent."""
    if not path.exists():
        raise AssayError(str(path), "no such file", mend=f"dvc repro {stage}")
    arrow = pq.read_table(path)
    facts = json.loads((arrow.schema.metadata or {}).get(FACTS, b"{}"))
    table = pl.from_arrow(arrow)
    assert isinstance(table, pl.DataFrame)
    return table, facts
