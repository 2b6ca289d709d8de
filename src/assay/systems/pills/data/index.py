"""The index pass: every label and every name, incrementally; no image is opened (`unverified`).

A cache below `.assay/index`, safe to delete: one row a pill in `labels.parquet`, and, each variant once,
what was said of drugs and shots. Together they hold all 50 fields of every label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.errors import SourceError
from assay.manifest.table import read_table, write_table
from assay.runs.files import content_digest
from assay.runs.places import INDEXES
from assay.systems.pills.data.annotation import DRUG, SHOT, drug_of, read_label, shot_of
from assay.systems.pills.data.tree import walk

if TYPE_CHECKING:
    from assay.manifest.source import Source
    from assay.systems.pills.data.annotation import Plain
    from assay.systems.pills.data.tree import Tree

UNVERIFIED = "unverified"
CHUNK = 1 << 14  # label files in memory as objects
LAYOUT = 2  # of the index; another number reads all labels anew
EXPECTED = (
    "{images,labels}/{single,combination}/{TS,TL,VS,VL}_<n>_{single,combo}/<K-code>, or in Korean"
)
FILE = {"folder": pl.String, "name": pl.String, "bytes": pl.Int64, "mtime": pl.Int64}
PILL = {
    "file_name": pl.String, "width": pl.Float64, "height": pl.Float64, "imgfile": pl.String,
    "dl_mapping_code": pl.String, "id": pl.String, "shot": pl.Int32, "drug": pl.Int32,
    "x": pl.Float64, "y": pl.Float64, "w": pl.Float64, "h": pl.Float64, "damage": pl.String,
}  # fmt: skip
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Index:
    """What a source says of itself.

    Attributes:
        tree: names, and which K folder images and labels share.
        labels: one row a pill, or a label file that cannot be used: `folder, name, bytes, mtime`, the
            label's own fields, the box `x, y, w, h`, `shot` and `drug` (rows of the other two),
            `damage` (why it cannot be used, or null), `place` (see `Tree`), `status`.
        shots: the variants of light, ground and camera.
        drugs: the variants of what is said of a drug.
        opened: label files that this pass had to read.
    """

    tree: Tree
    labels: pl.DataFrame
    shots: pl.DataFrame
    drugs: pl.DataFrame
    opened: int


class Variants:
    """Tuples of plain values, each kept once, numbered in order of arrival, never renumbered."""

    def __init__(self, path: Path, fields: Sequence[str]) -> None:
        self._path, self._fields = path, fields
        self._known: dict[Row, int] = {}
        self._seen: dict[Row, int] = {}  # by the values as decoded: text is made once a variant
        if path.exists():
            table, _ = read_table(path, "ingest@pills")
            self._known = {row: number for number, row in enumerate(table.rows())}
        self._saved = len(self._known)

    def number(self, values: tuple[Plain, ...]) -> int:
        """Return the number of a variant; numbers are kept as text, as JSON writes them."""
        number = self._seen.get(values)
        if number is None:
            text = tuple(None if value is None else str(value) for value in values)
            number = self._known.setdefault(text, len(self._known))
            self._seen[values] = number
        return number

    def save(self) -> pl.DataFrame:
        """Write what is new, and return all, one row a variant."""
        table = pl.DataFrame(
            list(self._known), schema=dict.fromkeys(self._fields, pl.String), orient="row"
        )
        if len(table) > self._saved:
            write_table(self._path, table, {})
        return table


def read_index(source: Source) -> Index:
    """Return the index of a source, brought up to date.

    Raises:
        SourceError: the source is not a folder.
    """
    root = source._root  # noqa: SLF001 - a folder is walked, which fsspec does 20 times slower
    folder = root / source.base
    if source.is_remote or not folder.is_dir():
        raise SourceError(
            source.base, "pills are read from a folder", EXPECTED, "unpack or mount it first"
        )
    cache = root / INDEXES / f"pills-{content_digest([source.base, LAYOUT], 8)}"
    return build_index(folder, cache)


def build_index(base: Path, cache: Path) -> Index:
    """Walk `base`, read the labels that `cache` has not seen with equal size and mtime, keep them there.

    Variants are written before the labels that point at them: a kill in between costs a pass, no truth.
    """
    tree = walk(base)
    listed = tree.labels.select(
        tree.folders.gather(tree.labels["folder"]).alias("folder"),
        "name",
        "bytes",
        "mtime",
        "place",
    )
    now = listed.drop("place")
    path = cache / "labels.parquet"
    known = (
        read_table(path, "ingest@pills")[0] if path.exists() else pl.DataFrame(schema=FILE | PILL)
    )
    seen = known.select(*FILE)
    opened = 0
    shots, drugs = Variants(cache / "shots.parquet", SHOT), Variants(cache / "drugs.parquet", DRUG)
    if not seen.equals(now):
        on = list(FILE)
        new = now.join(seen, on=on, how="anti", maintain_order="left")
        read = [*_read(base, new, shots, drugs)]
        kept = known.join(now, on=on, how="semi", maintain_order="left")
        # In the order of the walk: an unchanged tree is then recognised at a glance.
        every = pl.concat([kept, *read])
        known = now.join(every, on=on, how="inner", maintain_order="left_right")
        opened = len(new)
        tables = shots.save(), drugs.save()
        write_table(path, known, {})
    else:
        tables = shots.save(), drugs.save()
    labels = _placed(known, listed).with_columns(status=pl.lit(UNVERIFIED))
    return Index(tree, labels, *tables, opened)


def _placed(known: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """Say which K folder each label stands in; numbers of places are of this walk alone."""
    if len(known) == len(listed):  # one pill a file, as published
        return known.with_columns(listed["place"])
    places = listed.select("folder", "name", "place")
    return known.join(places, on=["folder", "name"], how="left", maintain_order="left")


def _read(
    base: Path, files: pl.DataFrame, shots: Variants, drugs: Variants
) -> Iterable[pl.DataFrame]:
    for start in range(0, len(files), CHUNK):
        part = files[start : start + CHUNK]
        rows: list[Row] = []
        for file in part.iter_rows():
            rows += _rows(f"{base}/{file[0]}/{file[1]}", file, shots, drugs)
        columns = zip(FILE | PILL, zip(*rows, strict=True), strict=True)
        yield pl.DataFrame(dict(columns), schema=FILE | PILL, strict=False)


def _rows(path: str, file: Row, shots: Variants, drugs: Variants) -> list[Row]:
    """Return a row for each pill of a label, or one that says why there is none."""
    label = read_label(path, file[2])
    if isinstance(label, str):
        return [(*file, *(None,) * (len(PILL) - 1), label)]
    image = label.images[0]
    own = (
        image.file_name, image.width, image.height, _text(image.imgfile), image.dl_mapping_code,
        _text(image.id), shots.number(shot_of(image)), drugs.number(drug_of(image)),
    )  # fmt: skip
    return [
        (*file, *own, *(pill.bbox or (None,) * 4), None if pill.bbox else "label: no box")
        for pill in label.annotations
    ]


def _text(value: Plain) -> str | None:
    return None if value is None else str(value)
