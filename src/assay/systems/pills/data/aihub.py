"""Data of `pills`: the AI-Hub 576 tree (oral drugs), from a folder; originals are pointed at, not copied.

A row is a photograph; its pills stand in list columns. A faulty label breaks its row (`fault`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.contract.base_system import BaseSystem
from assay.contract.curriculum import Curriculum
from assay.contract.listing import Listing
from assay.errors import SourceError
from assay.systems.pills.data import checks, traces
from assay.systems.pills.data.box_units import QUANTITIES
from assay.systems.pills.data.codes import (
    classes_for,
    forms_of,
    read_classes,
    with_forms,
    write_classes,
)
from assay.systems.pills.data.curriculum import STAGES, choose
from assay.systems.pills.data.drugs import with_drugs
from assay.systems.pills.data.index import EXPECTED, read_index
from assay.systems.pills.data.params import PillsParams
from assay.systems.pills.data.parting import part
from assay.systems.pills.data.photographs import list_photographs

if TYPE_CHECKING:
    from assay.contract.checks import Check, Rule
    from assay.contract.traces import KeptData, Traces
    from assay.manifest.source import Source
    from assay.sections.data import Split
    from assay.systems.pills.data.codes import (
        ClassTable,
    )
    from assay.systems.pills.data.params import Phantom, PillsIngest

Table = list[dict[str, Any]]
Reading = Callable[[], tuple[pl.DataFrame, dict[str, Any]]]
FORMS = {
    "yolo": "boxes of one class, pill: a folder for ultralytics",
    "yolo-drugs": "the same with a class a drug",
    "parquet": "a row a pill: its box in px and as shares",
    "drugs": "drug_metadata.json: EDI codes, class ids, what labels say of each drug",
    "folders": "a folder a class (--source) as detection labels: one box, the whole photograph",
}


class AiHub(BaseSystem):
    """The system `pills`."""

    name = "pills"
    target = "drug"
    quantities = QUANTITIES
    parts = ("subset", "part")
    fit = "letterbox"
    kind = "mode"  # one pill teaches little of four
    is_visible = True
    params = PillsParams
    forms = FORMS

    def phantom(self, folder: Path, params: Phantom) -> None:
        """Write rendered pills, alone and together, with all 50 fields of each label."""
        from assay.systems.pills.data.phantom_set import write_set

        write_set(folder, params)

    def read(self, source: Source) -> Listing:
        """List the photographs.

        Raises:
            SourceError: it is no folder, or no photograph is there.
        """
        index = read_index(source)
        table = list_photographs(index)
        if not len(table):
            raise SourceError(source.base, "no photograph of the published layout", EXPECTED)
        classes = read_classes(Path())
        table = with_drugs(table, index)
        table = with_forms(_classed(table, classes, source.base), classes)
        labels = index.labels.select(pl.concat_str("folder", "name", separator="/"))
        tables = sorted(set(labels.to_series()) - set(table["uri"]))
        return Listing(table, "session", tables)

    def chosen(self, table: pl.DataFrame, params: PillsIngest) -> pl.DataFrame:
        """Return the photographs of the curriculum's stage, grouped as `session_key` says."""
        chosen = choose(table, params)
        key = pl.coalesce(params.session_key, "session", "sample_id")
        return chosen.with_columns(group=key)

    def curriculum(self) -> Curriculum:
        """Return the stages: the classifier is scored on them, and `pills-combo` timed."""
        return Curriculum(STAGES, "pills-classifier", "pills-combo", classes="classes")

    def parted(self, rows: pl.DataFrame, how: Split) -> pl.DataFrame:
        """Return the platform's split, mended so that fold 0 validates every drug; see `parting`."""
        return part(rows, self.target, how)

    def remembered(self, root: Path, source: str, listing: Listing) -> Path:
        """Add drugs and forms of a listing to the tracked class table below `root`, behind the known."""
        sound = listing.table.filter(pl.col("fault").is_null())
        codes = sound["codes"].explode().drop_nulls().unique()
        table = read_classes(root).extended(codes, source, forms_of(sound))
        return write_classes(root, table)

    def masked(self, table: pl.DataFrame, params: PillsIngest) -> pl.DataFrame:
        """Break rows whose photograph has another size than its labels say."""
        return checks.break_resized(table)

    def rules(self) -> Sequence[Rule]:
        """Modes and subsets have their names; see `checks`."""
        return checks.rules()

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Judge boxes, codes, classes and the published test set; see `checks`."""
        return checks.check_labels(table)

    def traces(self, table: pl.DataFrame, stored: KeptData) -> Traces:
        """Return where photographs leave their ground, and where boxes are; see `traces`."""
        return traces.of_boxes(table, stored)

    def summarised(self, table: pl.DataFrame) -> tuple[dict[str, Table], dict[str, bytes]]:
        """Return counts, drugs, EDI codes, sizes and boxes, as tables and figures; see `summary`."""
        from assay.systems.pills.data.summary import summarise

        return summarise(table)

    def export(self, form: str, root: Path, place: Path, source: str, rows: Reading) -> Path:
        """Write the set in one of `forms`; see `forms.write_form`."""
        from assay.systems.pills.data.forms import write_form

        return write_form(form, root, place, source, rows)


def _classed(table: pl.DataFrame, known: ClassTable, base: str) -> pl.DataFrame:
    """Add `classes` (ids of the pills) and `drug` (id of the rarest of them).

    Of a source that the tracked table was made from, a code that it lacks is a fault; another source
    is tried out at once, with its codes behind the known ones.
    """
    sound = pl.col("fault").is_null()
    found = table.filter(sound)["codes"].explode().drop_nulls()
    full = classes_for(table, known, base)
    if base in known.sources:
        alien = pl.col("codes").list.set_difference(list(known.codes))
        fault = pl.format("unknown class: {}", alien.list.first())
        table = table.with_columns(
            fault=pl.when(sound & (alien.list.len() > 0)).then(fault).otherwise("fault")
        )
    ids = pl.DataFrame({"code": list(full.codes)}, schema={"code": pl.String}).with_row_index("id")
    often = found.value_counts().rename({found.name: "code"}).join(ids, on="code", how="left")
    pills = (
        table.select("sample_id", code="codes")
        .explode("code")
        .join(ids.join(often.drop("id"), on="code", how="left"), on="code", how="left",
              maintain_order="left")
    )  # fmt: skip
    merged = pills.group_by("sample_id", maintain_order=True).agg(
        classes=pl.col("id").drop_nulls().cast(pl.Int64),
        drug=pl.col("id").drop_nulls().sort_by(
            pl.struct("count", "id").filter(pl.col("id").is_not_null())
        ).first().cast(pl.Int64),
    )  # fmt: skip
    return table.join(merged, on="sample_id", how="left", maintain_order="left").with_columns(
        group=pl.coalesce("session", "sample_id")
    )


PILLS = AiHub()
