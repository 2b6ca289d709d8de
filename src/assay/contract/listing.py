"""What a source holds, before any image is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.errors import AssayError

if TYPE_CHECKING:
    import polars as pl

ONE_VIEW: Mapping[str, str] = {"image": "uri"}  # `System.views` of a set with one image a row
EVERY_ROW = ("sample_id", "item", "group", "subset", "fault")
GROUP_KINDS = ("patient", "session", "content", "sample")


@dataclass(frozen=True)
class LabelRange:
    """Keep samples whose label lies in [low, high]; the others are filtered, not broken."""

    column: str
    low: float
    high: float


@dataclass(frozen=True)
class Listing:
    """What a source says it holds, before any image is opened.

    `table` has one row a sample: `sample_id`, `uri` (relative to the source, or standing for itself; null
    where the row has none; of several views what `System.views` names), `item`, `group` (as published),
    `subset` (the table or folder it is from), the label columns, covariates, and `fault`: null, or the
    reason why the row cannot be used. `line` may say where it stands in its table. `tables` are the files
    that were read to know this.
    """

    table: pl.DataFrame
    group_kind: str
    tables: Sequence[str]

    def __post_init__(self) -> None:
        """Refuse a table without what every row has.

        Raises:
            AssayError: with the columns that it lacks.
        """
        lacking = [name for name in EVERY_ROW if name not in self.table.columns]
        if lacking:
            raise AssayError(
                "the listing of a source", f"no column {', '.join(lacking)}",
                f"{', '.join(EVERY_ROW)}, a uri a view, and the labels", "edit `read` of the system",
            )  # fmt: skip

    def files(self, views: Mapping[str, str]) -> list[str]:
        """Return every file that belongs to the source, once, tables first; `views` as the system has."""
        named = (self.table[column].drop_nulls() for column in views.values())
        uris = {uri for column in named for uri in column.unique()}
        return [*self.tables, *sorted(uris)]
