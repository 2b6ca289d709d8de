"""Data of `ceph`: the Aariz layout (figshare 27986417; Sci Data 12:1336), from a folder, zip or URL.

Readers are kept apart: `senior` and `junior` are columns of (29, 2) px, NaN where a point is absent or
masked; `target` is what is learned of them. What was masked, and why, stands in `point_faults`. A row is
unusable (`fault`) only where it has no image, more than one, or no label at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.base_system import BaseSystem
from assay.contract.listing import Listing
from assay.errors import SourceError
from assay.manifest.stems import several
from assay.systems.ceph.data import labels
from assay.systems.ceph.data.annotations import read_points, read_stage
from assay.systems.ceph.data.landmarks import COUNT, SYMBOLS
from assay.systems.ceph.data.layout import (
    READERS,
    films_listed,
    films_stated,
    table_name,
)
from assay.systems.ceph.data.machines import Unit, read_machines
from assay.systems.ceph.data.params import CephParams
from assay.systems.ceph.data.quantities import QUANTITIES

if TYPE_CHECKING:
    from assay.contract.checks import Check, Rule
    from assay.contract.traces import KeptData, Traces
    from assay.manifest.source import Source
    from assay.systems.ceph.data.annotations import Reading
    from assay.systems.ceph.data.layout import (
        Film,
    )
    from assay.systems.ceph.data.likeness import Fetch
    from assay.systems.ceph.data.params import CephIngest, Phantom

HANDS, REMOTE_HANDS = 2, 16  # files read at once
Row = dict[str, Any]


class Aariz(BaseSystem):
    """The system `ceph`."""

    name = "ceph"
    target = "cvm"
    quantities = QUANTITIES
    parts = ("subset", "machine")
    fit = "letterbox"
    is_visible = True
    params = CephParams

    def phantom(self, folder: Path, params: Phantom) -> None:
        """Write phantom films, two readers' points, CVM stages and the machine table."""
        from assay.systems.ceph.data.phantom_set import write_set

        write_set(folder, params)

    def read(self, source: Source) -> Listing:
        """List the films.

        Raises:
            SourceError: no film is there, or the machine table is none.
        """
        listed = source.names()
        table = table_name(listed)
        units = read_machines(source, table)
        films = films_stated(units) if listed is None else films_listed(listed, units)
        if not films:
            expected = "{train,valid,test}/Cephalograms/<id>.png, and annotations beside it"
            raise SourceError(source.base, "no film of the published layout", expected)
        with ThreadPoolExecutor(REMOTE_HANDS if source.is_remote else HANDS) as pool:
            rows = list(pool.map(lambda film: _read_film(source, film, units), films))
        _name_absent(rows)
        told = [table] if units else []
        notes = {name for row in rows for name in row["files"]}
        return Listing(_table(rows), "content", [*told, *sorted(notes)])

    def masked(self, table: pl.DataFrame, params: CephIngest) -> pl.DataFrame:
        """Mask points outside their film, settle what is learned of the rest, break turned films."""
        from assay.manifest.turned import break_turned
        from assay.systems.ceph.data.checks import mask_outside, pointless, with_target

        made = with_target(mask_outside(table), params.target)
        return break_turned(made, "points", pointless(made))

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Judge points, readers, machines and stages; see `checks`."""
        from assay.systems.ceph.data.checks import check_labels

        return check_labels(table)

    def check_images(self, table: pl.DataFrame, fetch: Fetch) -> Sequence[Check]:
        """Judge whether points lie on what their films show; see `likeness`."""
        from assay.systems.ceph.data.likeness import check_films

        return [check_films(table, fetch)]

    def traces(self, table: pl.DataFrame, stored: KeptData) -> Traces:
        """Return films as thumbnails, and where their points lie; see `traces`."""
        from assay.systems.ceph.data.traces import film_traces

        return film_traces(table, stored)

    def rules(self) -> Sequence[Rule]:
        """CVM is a class 0–5, spacing is mm a pixel; see `labels`."""
        return labels.rules()


def _read_film(source: Source, film: Film, units: Mapping[str, Unit]) -> Row:
    """Return what the source says of one film; `absent` is settled once all are read."""
    content = {kind: _content(source, names) for kind, names in film.annotations.items()}
    readings = {reader: read_points(content.get(reader), film.id) for reader in READERS}
    stage, stage_fault = read_stage(content.get("cvm"), film.id)
    unit = units.get(film.id, Unit(faults=("no line",) if units else ()))
    faults = [f"{reader}: {fault}" for reader in READERS for fault in readings[reader].faults]
    faults += [f"cvm: {stage_fault}"] if stage_fault else []
    faults += [f"machine: {fault}" for fault in unit.faults]
    faults += [
        f"not read, since its folder is none of the layout's: {name}" for name in film.unread
    ]
    if unit.split and unit.split != film.split:
        faults.append(f"machine: mode {unit.split.capitalize()}, but it lies in {film.split}")
    return {
        "film": film, "readings": readings, "cvm": stage, "machine": unit.machine,
        "spacing": unit.spacing, "point_faults": faults,
        "files": [name for kind, names in film.annotations.items()
                  if content[kind] is not None for name in names],
        "fault": _row_fault(film, readings, stage),
    }  # fmt: skip


def _content(source: Source, names: Sequence[str]) -> bytes | str | None:
    """Return an annotation's content, or why none of several files is it."""
    return several(list(names)) or source.text(names[0])


def _row_fault(film: Film, readings: Mapping[str, Reading], stage: int | None) -> str | None:
    if film.fault:
        return film.fault
    if not film.images:
        annotated = film.annotations or film.unread
        return "annotations without an image" if annotated else "listed, but no image"
    if stage is None and all(np.isnan(reading.points).all() for reading in readings.values()):
        return "no label: neither a point nor a CVM stage"
    return None


def _name_absent(rows: list[Row]) -> None:
    """Name what a reader left out; a landmark that the whole set lacks was never asked for."""
    for reader in READERS:
        named = [row["readings"][reader].named for row in rows]
        asked = frozenset[int]().union(*(each for each in named if each is not None))
        for row, each in zip(rows, named, strict=True):
            left = sorted(asked - each) if each is not None else []
            row["point_faults"] += [f"{reader}: {SYMBOLS[place]} missing" for place in left]


def _table(rows: list[Row]) -> pl.DataFrame:
    films: list[Film] = [row["film"] for row in rows]
    points = {
        reader: pl.Series(
            reader,
            np.stack([row["readings"][reader].points for row in rows]),
            dtype=pl.Array(pl.Float64, (COUNT, 2)),
        )
        for reader in READERS
    }
    return pl.DataFrame({
        "sample_id": [film.id for film in films],
        "uri": [next(iter((*film.images, *sum(film.annotations.values(), ()), film.id)))
                for film in films],
        "item": [0] * len(films),
        "group": [film.id for film in films],
        "subset": [film.split for film in films],
        "cvm": pl.Series([row["cvm"] for row in rows], dtype=pl.Int64),
        "machine": pl.Series([row["machine"] for row in rows], dtype=pl.String),
        "spacing": pl.Series([row["spacing"] for row in rows], dtype=pl.Float64),
        **points,
        "point_faults": pl.Series(
            [row["point_faults"] for row in rows], dtype=pl.List(pl.String)
        ),
        "fault": pl.Series([row["fault"] for row in rows], dtype=pl.String),
    })  # fmt: skip


CEPH = Aariz()
