"""Data of `pills.masks`: photographs, and which pixel of them is what.

    <source>/images/<name>.png        or .jpg, .jpeg, .bmp, .webp; in folders of their own, if liked
    <source>/masks/<name>.png         of the same name and size, as the photograph is seen upright
    <source>/classes.json             names by number, the ground first; absent: ground, pill

All three may lie one folder down or more, as archives pack them. The stored mask is a PNG in the
manifest's column `mask`, letterboxed as its photograph is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.base_system import BaseSystem
from assay.contract.checks import Rule
from assay.contract.listing import Listing
from assay.errors import SourceError
from assay.manifest.encoding import parsed_json
from assay.manifest.index import BROKEN, OK
from assay.manifest.source import ReadError
from assay.manifest.stems import by_stem, several
from assay.manifest.turned import break_turned
from assay.systems.pills.data import mask_checks, traces
from assay.systems.pills.data.mask import fault_of, letterboxed, read_mask, to_png
from assay.systems.pills.data.mask_params import MasksParams
from assay.systems.pills.data.names import EXTENSIONS, NOTES, VIEW, untaken

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.contract.traces import KeptData, Traces
    from assay.manifest.source import Source
    from assay.sections.data import Ingest
    from assay.systems.pills.data.mask_params import MasksPhantom

IMAGES, MASKS, NAMES = "images/", "masks/", "classes.json"
EXPECTED = "images/<name>.png and masks/<name>.png"
PLAIN = ("ground", "pill")
GROUNDS = {"ground", "background", "bg", "배경"}
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
    is_visible = True
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
        names = source.names() or []
        root = _set_root(names, source.base)
        images, masks = (
            by_stem([name for name in names if name.startswith(f"{root}{half}")], f"{root}{half}")
            for half in (IMAGES, MASKS)
        )
        if not any(
            name.lower().endswith(EXTENSIONS) for found in images.values() for name in found
        ):
            raise SourceError(source.base, "no photograph of the published layout", EXPECTED)
        classes = read_names(source, root + NAMES)
        rows = [
            row
            for stem in sorted(images.keys() | masks.keys())
            for row in _rows(source, stem, images.get(stem, []), masks.get(stem, []), classes)
        ]
        table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
        is_session = all(re.search(VIEW, stem) for stem in images)
        tables = [name for found in masks.values() for name in found]
        tables += [root + NAMES] if root + NAMES in names else []
        used = set(table["uri"])
        return Listing(
            table,
            "session" if is_session else "sample",
            sorted(name for name in tables if name not in used),
        )

    def masked(self, table: pl.DataFrame, params: Ingest) -> pl.DataFrame:
        """Letterbox the masks; break rows whose mask has another size than the photograph, as opened.

        And rows that EXIF turns, where the size does not tell which way their mask lies.
        """
        rows = table.select("mask", "width", "height", "status", "reason").rows()
        stored = [_stored(row, params.size) for row in rows]
        columns = dict(zip(("mask", "status", "reason"), zip(*stored, strict=True), strict=True))
        told = table.with_columns(
            pl.Series(name, column, dtype=table.schema[name]) for name, column in columns.items()
        )
        lying = (pl.col("turn") > 4) & (pl.col("width") != pl.col("height"))
        kept = pl.when(pl.col("status") == OK).then("mask")
        return break_turned(told, "mask's pixels", lying).with_columns(mask=kept)

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

    def traces(self, table: pl.DataFrame, stored: KeptData) -> Traces:
        """Return where photographs leave their ground, and where masks do; see `traces`."""
        return traces.of_masks(table, stored)


def _set_root(names: Sequence[str], base: str) -> str:
    """Return the folder, with `/` or empty, that `images` and `masks` stand in.

    Raises:
        SourceError: several do.
    """
    found = {half: {name[: place] for name in names if (place := _place(name, half)) >= 0}
             for half in (IMAGES, MASKS)}  # fmt: skip
    roots = sorted(found[IMAGES] & found[MASKS] or found[IMAGES])
    if len(roots) > 1:
        raise SourceError(
            base, f"several sets: {', '.join(root or './' for root in roots[:5])}",
            "one folder with images and masks",
            f"assay snapshot pills.masks {base.removesuffix('.zip')}/{roots[0]} (a folder, unpacked)",
        )  # fmt: skip
    return roots[0] if roots else ""


def _place(name: str, half: str) -> int:
    """Return where the folder `half` begins in a path; −1 where it is not there."""
    return f"/{name}".find(f"/{half}")


def read_names(source: Source, name: str = NAMES) -> tuple[str, ...]:
    """Return the names of the classes by number, the ground first.

    Raises:
        SourceError: the file is no list of two names or more, each once; or the ground is not first.
    """
    content = source.text(name)
    if content is None:
        return PLAIN
    try:
        told = parsed_json(content)
    except ValueError:
        told = None
    sound = isinstance(told, list) and all(isinstance(name, str) and name for name in told)
    if not sound or not 2 <= len(set(told)) == len(told) <= 256:
        raise SourceError(
            source.uri(name), "no list of 2–256 names", '["ground", "pill", …], each once'
        )
    late = [number for number, each in enumerate(told) if number and each.lower() in GROUNDS]
    if late and told[0].lower() not in GROUNDS:
        raise SourceError(
            source.uri(name), f"{told[late[0]]} is class {late[0]}", "the ground first: 0"
        )
    return tuple(told)


def _rows(
    source: Source, stem: str, images: list[str], masks: list[str], classes: tuple[str, ...]
) -> list[Any]:
    """Return rows of `COLUMNS`: one a photograph of this stem, or a mask without one."""
    images, masks = _pictures(images), _pictures(masks)
    content, covered, fault = b"", None, several(images) or several(masks)
    if images and not fault:
        fault = untaken(images[0])
    if not images:
        fault = "mask without a photograph"
    elif not masks:
        fault = fault or "photograph without a mask"
    elif not fault:
        content, covered, fault = _judged(source, masks[0], len(classes))
    kept, group = None if fault else content, re.sub(VIEW, "", stem)
    return [
        (name, name, 0, group, "all", covered, kept, list(classes), fault or None)
        for name in images or masks
    ]


def _pictures(names: list[str]) -> list[str]:
    """Return a stem's files without boxes that lie beside them; boxes alone are told as what they are."""
    return [name for name in names if PurePosixPath(name).suffix.lower() not in NOTES] or names


def _judged(source: Source, name: str, classes: int) -> tuple[bytes, float | None, str]:
    """Return a mask's bytes, which share of it is covered, and what is wrong with it."""
    try:
        content = source.read(source.uri(name))
    except ReadError as reason:
        return b"", None, f"mask: {reason}"
    found = read_mask(content)
    if isinstance(found, str):
        shown = PurePosixPath(name)
        return b"", None, found if shown.suffix.lower() == ".png" else f"{found} ({shown.name})"
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
