"""How the images of a data set are stored: one of three ways, as the facts of its tables say it.

The facts stand in the metadata of the Parquet files. Here they are read once, and written once; all else
asks the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np

from assay.errors import AssayError

IMAGE = "image"  # the view of a data set that has one alone
Field = tuple[str, str, tuple[int, ...]]  # name, numpy's type, shape


class Storage(msgspec.Struct, frozen=True, rename={"folder": "images", "resize": "fit"}):
    """What every way has.

    Attributes:
        name: of the data set; no fact, since the file's path says it.
        base: where the source lies.
        folder: of what ingest made of them, relative to the root.
        size: side of an image, px.
        resize: how an oblong became a square, `stretch` or `letterbox`.
        views: that a row shows, each of that size; one is no fact, since most have it.
    """

    name: str
    base: str
    folder: str
    size: int
    resize: str
    views: tuple[str, ...] = (IMAGE,)

    def facts(self) -> dict[str, Any]:
        """Return what `read_storage` reads."""
        facts: dict[str, Any] = msgspec.to_builtins(self)
        del facts["name"]
        if self.views == (IMAGE,):
            del facts["views"]
        return facts

    @property
    def mend(self) -> str:
        """Return the command that makes anew what ingest made."""
        return f"dvc repro -f -s ingest@{self.name}, then the same command"


class PixelStorage(Storage, frozen=True):
    """Every image as a square (size, size, 3) uint8, in one file."""


class OriginalStorage(Storage, frozen=True, kw_only=True):
    """Nothing is copied: the files of the source are opened when they are looked at, by `decoder`."""

    decoder: str
    copy: Literal["none"] = "none"

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Return the type of a row in a part's file: the number of its row in the table."""
        return np.dtype([("original", "<i8")])


class RecordStorage(Storage, frozen=True, kw_only=True):
    """Records of targets and pictures, made of array files; see `records`.

    Attributes:
        fields: of a record.
        records: digest of all of them.
        copy: of the picture, within its record: `full`, `packed` or `none`.
        raw: the array files that records point at, relative to the source; none where they are copied.
    """

    fields: tuple[Field, ...]
    records: str
    copy: Literal["full", "packed", "none"]
    raw: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Return the type of a record."""
        return np.dtype(list(self.fields))


def column(view: str, name: str) -> str:
    """Return what a table's column about the images of a view is called: of the only view, `name`."""
    return name if view == IMAGE else f"{view}_{name}"


def read_storage(facts: Mapping[str, Any], name: str, stage: str = "ingest") -> Storage:
    """Return how the images of the data set `name` are stored, from facts that `stage` wrote.

    Raises:
        AssayError: its facts do not say so.
    """
    kind: type[Storage] = PixelStorage
    if "fields" in facts:
        kind = RecordStorage
    elif "copy" in facts:
        kind = OriginalStorage
    try:
        return msgspec.convert({**facts, "name": name}, kind)
    except msgspec.ValidationError as fault:
        raise AssayError(
            f"facts in a table of {stage}@{name}",
            str(fault),
            "how its images are stored: base, images, size, fit and what their kind adds",
            f"dvc repro -f -s {stage}@{name}, then the same command",
        ) from None
