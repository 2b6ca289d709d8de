"""The system `ceph` in tests: a small phantom set, read and ingested in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.gates.expectations import judge_expectations
from assay.learning.vision.geometry import Frame
from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import index_images
from assay.manifest.listing import deduplicate
from assay.manifest.source import Source
from assay.manifest.store import ImageStore
from assay.systems.ceph.data import checks, likeness
from assay.systems.ceph.data.aariz import CEPH
from assay.systems.ceph.data.films import Films, joined, lay_films, stored
from assay.systems.ceph.data.landmarks import COUNT, PLACE
from assay.systems.ceph.data.layout import KINDS
from assay.systems.ceph.data.params import Phantom

SIZE = 128
PLAIN = {"films": 24, "width": 150, "seed": 3, "doubled": 0, "missing": 0, "pairs": 0, "broken": 0}


def params(**faults: int) -> Phantom:
    return Phantom.model_validate(PLAIN | faults)


def sound_set(folder: Path) -> Path:
    """Write a set without faults."""
    folder.mkdir()
    CEPH.phantom(folder, params())
    return folder


def read(folder: Path) -> pl.DataFrame:
    return CEPH.read(Source(str(folder), folder)).table


def manifest(folder: Path, root: Path, size: int = SIZE) -> tuple[pl.DataFrame, ImageStore]:
    """Ingest in one line, as it stands with letterboxed images and points inside their films."""
    source = Source(str(folder), root)
    store = ImageStore(root / "images", size)
    rows = deduplicate(CEPH.read(source).table).sort("sample_id")
    table = index_images(rows, source, store, size, "pillow", CEPH.fit)
    table = table.with_columns(join_groups(spelling(table["group"]), table["digest"]))
    return checks.with_target(checks.mask_outside(table), "mean"), store


def note(folder: Path, kind: str, number: int = 0) -> Path:
    return sorted(folder.glob(f"*/{KINDS[kind]}/*.json"))[number]


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    return path.stem


def faults_of(folder: Path) -> dict[str, list[str]]:
    return {
        film: faults
        for film, faults in read(folder).select("sample_id", "point_faults").rows()
        if faults
    }


def point(table: pl.DataFrame, film: str, reader: str, symbol: str) -> np.ndarray[Any, Any]:
    row = table["sample_id"].to_list().index(film)
    return np.asarray(checks.points_of(table, reader)[row, PLACE[symbol]])


def entry(told: dict[str, Any], symbol: str) -> dict[str, Any]:
    return next(each for each in told["landmarks"] if each["symbol"] == symbol)


def failed(table: pl.DataFrame) -> set[str]:
    own = [check for check in checks.check_labels(table) if not check.passed]
    rules = [check for check in judge_expectations(CEPH.rules(), table) if not check.passed]
    return {check.name for check in [*own, *rules]}


def with_points(table: pl.DataFrame, change: Callable[[Any], Any]) -> pl.DataFrame:
    points = {
        reader: pl.Series(
            reader, change(checks.points_of(table, reader)), dtype=pl.Array(pl.Float64, (COUNT, 2))
        )
        for reader in ("senior", "junior")
    }
    return checks.with_target(table.with_columns(*points.values()), "mean")


def renamed(points: Any, one: str, other: str) -> Any:
    points[:, [PLACE[one], PLACE[other]]] = points[:, [PLACE[other], PLACE[one]]]
    return points


def pn_last(points: Any) -> Any:
    """The order of the paper's own table: Pn stands last, all behind it move up by one."""
    place = PLACE["Pn"]
    return np.concatenate([np.delete(points, place, axis=1), points[:, [place]]], axis=1)


def films_of(table: pl.DataFrame, store: ImageStore) -> Films:
    """Return the films as the label gate takes them, with the senior's points."""
    extent = table.select("width", "height").to_numpy().astype(np.float64)
    points = checks.points_of(table, "senior")
    # The tasks' geometry is another file, which data does not import: they must be one.
    frame = Frame(table["width"].to_numpy(), table["height"].to_numpy(), SIZE)
    assert np.allclose(
        stored(points, extent, SIZE), frame.stored(points), atol=1e-9, equal_nan=True
    )
    spacing = table["spacing"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return lay_films(stored_images(table, store)[..., 1], points, extent, spacing)


def stored_images(table: pl.DataFrame, store: ImageStore) -> np.ndarray[Any, Any]:
    slot = dict(store.table.select("digest", "slot").rows())
    return np.asarray(store.pixels()[[slot[digest] for digest in table["digest"]]])


TURNED: dict[str, Callable[[Films], Films]] = {
    "a mirrored film": lambda films: replace(films, grey=films.grey[:, :, ::-1]),
    "a film upside down": lambda films: replace(films, grey=films.grey[:, ::-1]),
    "a film with x and y exchanged": lambda films: replace(
        films, grey=films.grey.transpose(0, 2, 1), extent=films.extent[:, ::-1]
    ),
    "a negative: light and dark are exchanged": lambda films: replace(films, grey=255 - films.grey),
}


def mixed(films: Films, others: Films, rows: Any) -> Films:
    """Return films of which some are the others'."""
    kept = np.setdiff1d(np.arange(len(films)), rows)
    order = np.argsort(np.concatenate([kept, rows]))
    return joined([films.where(kept), others.where(np.asarray(rows))]).where(order)


def judge_likeness(table: pl.DataFrame, store: ImageStore) -> float:
    """Find negative, turned and shuffled images, all and one, and return how sound ones stand out."""
    films, names = films_of(table, store), table["sample_id"].to_list()
    assert likeness.off_their_films(films, {}, names) == []
    shuffled = replace(films, grey=np.roll(films.grey, 1, 0))
    assert [finding.rows for finding in likeness.off_their_films(shuffled, {}, names)] == [()]
    for number, (what, turn) in enumerate(TURNED.items()):
        (finding,) = likeness.off_their_films(turn(films), {}, names)
        assert finding.rows == ()
        assert finding.reason.endswith(f"looks most like {what}")
        one = mixed(films, turn(films), [number + 4])
        (finding,) = likeness.off_their_films(one, {}, names)
        assert finding.rows == (number + 4,)
        assert finding.reason == f"looks most like {what}"
    own, other = likeness.fit_of(films)
    return own - other
