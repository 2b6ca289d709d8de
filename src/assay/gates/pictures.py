"""What the label gate tells of the files of pictures; each is read as what it is, none is refused."""

from __future__ import annotations

import polars as pl

from assay.contract.checks import Check
from assay.manifest.index import BROKEN
from assay.manifest.views import by_image

TOLD = "told, not refused"
UNKNOWN = "no device named"


def judge_pictures(table: pl.DataFrame) -> list[Check]:
    """Return a check each: names, turns, colour profiles, and what was overlooked, told by device.

    Args:
        table: the manifest; of a set of arrays there is nothing to tell.
    """
    read = by_image(table).filter(pl.col("status") != BROKEN, pl.col("format").is_not_null())
    read = read.unique("uri", keep="first", maintain_order=True)
    checks = [_misnamed(read)]
    if "device" not in read.columns:
        return checks
    known = read.with_columns(pl.col("device").fill_null(UNKNOWN))
    turned = known.filter(pl.col("turn") > 1)
    other = known.filter(pl.col("profile").is_not_null())
    noted = known.filter(pl.col("notes").is_not_null())
    noted = noted.with_columns(pl.col("notes").str.split("; ")).explode("notes")
    return [
        *checks,
        _told("turned", "pictures turned upright as EXIF says", turned, "turn", known),
        _told("colour profiles", "pictures converted to sRGB", other, "profile", known),
        _told("overlooked", "pictures read in spite of something", noted, "notes", known),
    ]


def _told(name: str, what: str, rows: pl.DataFrame, column: str, known: pl.DataFrame) -> Check:
    """Count what is so, by device and kind, the most first."""
    counts = (
        rows.group_by("device", column)
        .agg(pictures=pl.len(), example=pl.col("sample_id").min())
        .sort("pictures", "device", column, descending=[True, False, False])
    )
    found = f"{rows['uri'].n_unique()} of {len(known)} {what}"
    if len(counts):
        first = counts.row(0, named=True)
        found += f"; the most, {first['pictures']} of {first['device']}: {first[column]}"
    return Check(name, True, TOLD, found, len(known), counts.to_dicts())


def _misnamed(read: pl.DataFrame) -> Check:
    """Count files that are not what their names say; what the bytes are counts, so nothing is lost."""
    from PIL import Image

    Image.init()
    suffix = "." + pl.col("uri").str.extract(r"\.(\w+)(?:::.*)?$").str.to_lowercase()
    said = suffix.replace_strict(Image.EXTENSION, default=None, return_dtype=pl.String)
    said = said.replace("MPO", "JPEG")  # as which it is read
    wrong = read.filter(said != pl.col("format")).select("sample_id", "uri", "format")
    found = f"{len(wrong)} of {len(read)} files named otherwise than their content"
    if len(wrong):
        found += f", e.g. {wrong['uri'][0]} is {wrong['format'][0]}; read as what they are"
    return Check("file names", True, TOLD, found, len(read), wrong.to_dicts())
