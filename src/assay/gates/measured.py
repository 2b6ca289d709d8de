"""What is measured of each row, as units are judged by: values, digits, and the parts they are in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.manifest.index import BROKEN

if TYPE_CHECKING:
    from assay.contract.quantity import Quantity
    from assay.contract.system import System

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Chosen = Bools | npt.NDArray[np.intp]  # rows by mask or by number
Found = list[tuple[str, Chosen]]  # what is said, and of which rows
FINE = 1e-6  # what float64 leaves of a number written with few decimals, in its last digit


@dataclass(frozen=True)
class Part:
    """Rows that are judged together, against all others."""

    name: str
    rows: Bools


@dataclass(frozen=True)
class Measured:
    """The values of quantities of one family; a subject's equal values of one part stand once.

    Attributes:
        quantity: the first of the family.
        table: `sample_id, group_id, subset, line`, and the part columns, a row a value.
        value: (n,) a row's; of several numbers a row, their median.
        others: other units → (n,) what the values are if they were written in it.
        whole: (n,) whether all numbers of the row are whole.
        half: whether they are multiples of 0.5.
        fine: whether one has more decimals than the quantity is measured with.
        width: numbers a row.
    """

    quantity: Quantity
    table: pl.DataFrame
    value: Floats
    others: dict[str, Floats]
    whole: Bools
    half: Bools
    fine: Bools
    width: int

    def subjects(self, rows: Bools) -> int:
        """Return how many groups stand behind rows."""
        return int(self.table["group_id"].filter(pl.Series(rows)).n_unique())

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield each part of each column that parts the rows, and what is written more finely."""
        for column in columns:
            names = self.table[column].fill_null("").cast(pl.String)
            for name in sorted(set(names) - {""}):
                rows = (names == name).to_numpy()
                if not rows.all():
                    yield Part(name if column == "subset" else f"{column} {name}", rows)
        if self.quantity.decimals and self.fine.any() and not self.fine.all():
            yield Part(f"what has more than {self.quantity.decimals} decimals", self.fine)

    def tables(self) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
        """Yield each table and its values, by number, in the order of its lines."""
        keys = [name for name in ("subset", "reader") if name in self.table.columns]
        numbered = self.table.with_row_index("number").sort("line", maintain_order=True)
        for names, rows in numbered.group_by(keys, maintain_order=True):
            yield " ".join(map(str, names)), rows["number"].to_numpy().astype(np.intp)

    def lines(self, rows: npt.NDArray[np.intp]) -> tuple[int, int]:
        """Return the first and the last line of rows."""
        found = self.table["line"].to_numpy()[rows]
        return int(found.min()), int(found.max())


def measure_quantities(table: pl.DataFrame, system: System) -> list[Measured]:
    """Return what is measured of a manifest, by family."""
    families: dict[str, list[Quantity]] = {}
    for quantity in system.quantities:
        families.setdefault(quantity.family or quantity.name, []).append(quantity)
    found = [_family(table, quantities, system) for quantities in families.values()]
    return [each for each in found if len(each.value)]


def part_columns(system: System, table: pl.DataFrame) -> list[str]:
    """Return the columns by which values are judged apart; of several readers also by theirs."""
    return [name for name in (*system.parts, "reader") if name in table.columns]


def _family(table: pl.DataFrame, quantities: Sequence[Quantity], system: System) -> Measured:
    first = quantities[0]
    line = next(name for name in ("line", "item") if name in table.columns)
    columns = ["sample_id", "group_id", *part_columns(system, table)]
    facts = table.select(*dict.fromkeys([*columns, "subset"]), line=line)
    if len(quantities) > 1:
        facts = pl.concat(facts.with_columns(reader=pl.lit(each.name)) for each in quantities)
    raw = np.concatenate([_raw(table, each) for each in quantities])
    step = 10.0 ** (first.decimals or 1)
    known = np.isfinite(raw)
    columns_of = {
        "value": _middle(raw),
        "whole": (_is_whole(raw) | ~known).all(axis=1),
        "half": (_is_whole(2 * raw) | ~known).all(axis=1),
        "fine": (~_is_whole(step * raw) & known).any(axis=1),
        **{
            f"in {unit}": _middle(np.concatenate([_as(table, each, unit) for each in quantities]))
            for unit in first.others
        },
    }
    facts = facts.hstack([pl.Series(name, each) for name, each in columns_of.items()])
    facts = facts.filter(known.any(axis=1))
    # One value of a subject counts once, however many photographs of that subject have it.
    same = [name for name in facts.columns if name in {*columns, "subset", "value", "reader"}]
    same.remove("sample_id")
    facts = facts.unique(same, keep="first", maintain_order=True).sort(
        "subset", "line", maintain_order=True
    )
    return Measured(
        first, facts, facts["value"].to_numpy(),
        {unit: facts[f"in {unit}"].to_numpy() for unit in first.others},
        facts["whole"].to_numpy(), facts["half"].to_numpy(), facts["fine"].to_numpy(), raw.shape[1],
    )  # fmt: skip


def _raw(table: pl.DataFrame, quantity: Quantity) -> Floats:
    """Return the numbers (n, k) of a quantity."""
    if callable(quantity.values):
        made = np.asarray(quantity.values(table), dtype=np.float64)
        return made.reshape(len(table), -1)
    column = pl.when(pl.col("status") != BROKEN).then(pl.col(quantity.values).cast(pl.Float64))
    found: Floats = table.select(column.fill_null(np.nan)).to_numpy().reshape(-1, 1)
    return found


def _as(table: pl.DataFrame, quantity: Quantity, unit: str) -> Floats:
    other = quantity.others[unit]
    if callable(other):
        return np.asarray(other(table), dtype=np.float64).reshape(len(table), -1)
    return _raw(table, quantity) * other


def _middle(raw: Floats) -> Floats:
    """Return the median of each row's numbers, NaN where it has none."""
    if raw.shape[1] == 1:
        return raw[:, 0]
    middle = np.full(len(raw), np.nan)
    some = np.isfinite(raw).any(axis=1)
    middle[some] = np.nanmedian(raw[some], axis=1)
    return middle


def _is_whole(raw: Floats) -> Bools:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(raw - np.round(raw)) < FINE)
