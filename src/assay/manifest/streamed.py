"""What streaming a source of array files has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Streamed:
    """What streaming a source has found.

    `table` has one row a sample: `sample_id, uri` (relative to the source), `item, group, subset`, the
    label columns, `digest`, `slot` (its place among the records, −1 where it has none), `status` and
    `reason`. `facts` go beside those of the manifest.
    """

    table: pl.DataFrame
    facts: Mapping[str, Any]
