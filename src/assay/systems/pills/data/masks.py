"""Data of `pills.masks`: photographs, and which pixel of them is what.

    <source>/images/<name>.png        or .jpg, .jpeg, .bmp, .webp; in folders of their own, if liked
    <source>/masks/<name>.png         of the same name and size, as the photograph is seen upright
    <source>/classes.json             names by number, the ground first; absent: ground, pill

The stored mask is a PNG in the manifest's column `mask`, letterboxed as its photograph is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.base_system import BaseSystem
from assay.contract.checks import Rule
from assay.contract.listing import Listing
from assay.errors import SourceError
from assay.manifest.index import BROKEN, OK
from assay.manifest.source import ReadError
from assay.systems.pills.data import mask_checks
from assay.systems.pills.data.mask import fault_of, letterboxed, read_mask, to_png
from assay.systems.pills.data.mask_params import MasksParams
from assay.systems.pills.data.names import EXTENSIONS, HIDDEN, VIEW

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.manifest.source import Source
    from assay.sections.data import Ingest
    from assay.systems.pills.data.mask_params import MasksPhantom

IMAGES, MASKS, NAMES = "images/", "masks/", "classes.json"
EXPECTED = "images/<name>.png and masks/<name>.png"
PLAIN = ("ground", "pill")
COLUMNS: dict[str, Any] = {
    "sample_id": pl.String, "uri": pl.String, "item": pl.Int64, "group": pl.String,
    "subset": pl.String, "covered": pl.Float64, "mask": pl.Binary, "classes": pl.List(pl.String),
    "fault": pl.String,
}  # fmt: skip


class Masks(BaseSystem):
    """The system part `pills.masks`."""

    name = "pills.masks"
    target = "covered"  # share of a photograph's pixels that are not ground
    fit = "letterbox"
    params = MasksParams

    def phantom(self, folder: Path, params: MasksPhantom) -> None:
        """Write rendered pills, and the outline of each."""
        from assay.systems.pills.data.phantom_masks import write_masks

        write_masks(folder, params)

    def read(self, source: Source) -> Listing:
        """List the photographs with their masks, which are read here; and masks without a photograph.

        Raises:
            SourceError: no photograph is there, or `classes.json` is no list of names.
        """
        names = [name for name in source.names() or () if not Path(name).name.startswith(HIDDEN)]
        images = {
            _stem(name, IMAGES): name
            for name in names
            if name.startswith(IMAGES) and name.lower().endswith(EXTENSIONS)
        }
        if not images:
            raise SourceError(source.base, "no photograph of the published layout", EXPECTED)
        masks = {_stem(name, MASKS): name for name in names if name.startswith(MASKS)}
        classes = read_names(source)
        rows = [
            _row(source, images.get(stem), masks.get(stem), classes)
            for stem in sorted(images.keys() | masks.keys())
        ]
        table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
        is_session = all(re.search(VIEW, stem) for stem in images)
        tables = [*masks.values(), *([NAMES] if NAMES in names else [])]
        used = set(table["uri"])
        return Listing(
            table,
            "session" if is_session else "sample",
            sorted(name for name in tables if name not in used),
        )

    def masked(self, table: pl.DataFrame, params: Ingest) -> pl.DataFrame:
        """Letterbox the masks; break rows whose mask has another size than the photograph, as opened."""
        rows = table.select("mask", "width", "height", "status", "reason").rows()
        stored = [_stored(row, params.size) for row in rows]
        columns = dict(zip(("mask", "status", "reason"), zip(*stored, strict=True), strict=True))
        return table.with_columns(
            pl.Series(name, column, dtype=table.schema[name]) for name, column in columns.items()
        )

    def rules(self) -> Sequence[Rule]:
        """A photograph without anything on it teaches nothing; one without ground is no photograph."""
        return [
            Rule("covered", "ExpectColumnValuesToBeBetween",
                 {"column": "covered", "min_value": 0, "max_value": 1, "strict_min": True},
                 "pills cover some of a photograph"),
        ]  # fmt: skip

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Judge masks of identical images, and tell what they show; see `mask_checks`."""
        return mask_checks.check_masks(table)


def read_names(source: Source) -> tuple[str, ...]:
    """Return the names of the classes by number, the ground first.

    Raises:
        SourceError: the file is no list of two names or more, each once.
    """
    content = source.text(NAMES)
    if content is None:
        return PLAIN
    try:
        told = json.loads(content)
    except ValueError:
        told = None
    sound = isinstance(told, list) and all(isinstance(name, str) and name for name in told)
    if not sound or not 2 <= len(set(told)) == len(told) <= 256:
        raise SourceError(
            source.uri(NAMES), "no list of 2–256 names", '["ground", "pill", …], each once'
        )
    return tuple(told)


def _stem(name: str, folder: str) -> str:
    return name.removeprefix(folder).rpartition(".")[0]


def _row(source: Source, image: str | None, mask: str | None, classes: tuple[str, ...]) -> Any:
    """Return a row of `COLUMNS`."""
    name = image or mask or ""
    group = re.sub(VIEW, "", _stem(name, IMAGES if image else MASKS))
    content, covered, fault = b"", None, ""
    if image is None:
        fault = "mask without a photograph"
    elif mask is None:
        fault = "photograph without a mask"
    else:
        content, covered, fault = _judged(source, mask, len(classes))
    kept = None if fault else content
    return name, name, 0, group, "all", covered, kept, list(classes), fault or None


def _judged(source: Source, name: str, classes: int) -> tuple[bytes, float | None, str]:
    """Return a mask's bytes, which share of it is covered, and what is wrong with it."""
    try:
        content = source.read(source.uri(name))
    except ReadError as reason:
        return b"", None, f"mask: {reason}"
    found = read_mask(content)
    if isinstance(found, str):
        return b"", None, found
    return content, float(np.mean(found > 0)), fault_of(found, classes)


def _stored(row: tuple[Any, ...], size: int) -> tuple[bytes | None, str, str]:
    """Return the stored mask, status and reason of a row: its mask, width, height, status, reason."""
    content, width, height, status, reason = row
    if status != OK or content is None:
        return None, status, reason
    found = read_mask(content)
    assert not isinstance(found, str)  # it was read when it was listed
    if found.shape != (height, width):
        told = f"{found.shape[1]} x {found.shape[0]}, photograph {width} x {height}"
        return None, BROKEN, f"mask: another size than its photograph: {told}"
    return to_png(letterboxed(found, size)), status, reason


PILLS_MASKS = Masks()
