"""Records of a streamed set, made once, by ingest alone: `arrays` reads them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.manifest.arrays import INDEX, RECORDS, SEEN, stamp_text
from assay.manifest.records import Records
from assay.manifest.streamed import Streamed
from assay.manifest.table import read_table, write_table
from assay.runs.files import content_digest, read_json, write_json
from assay.runs.places import ARRAYS

if TYPE_CHECKING:
    from assay.manifest.source import Source

Write = Callable[[Records], None]


def array_folder(name: str, base: str, params: Mapping[str, Any], code: str) -> str:
    """Return where the records of a source lie, relative to the root: what makes them names them."""
    return f"{ARRAYS}/{name}-{content_digest([base, params, code], 8)}"


def made_records(
    folder: Path, source: Source, files: list[str], stream: Callable[[Write], Streamed]
) -> Streamed:
    """Return what streaming the source gives; where its files are as they were, what it gave before.

    Args:
        folder: where the records lie, or are to lie.
        source: whose they are.
        files: of the source, relative to it.
        stream: reads it, and hands blocks of records to what it is given.
    """
    stamps = {name: stamp_text(source.stamp(source.uri(name))) for name in files}
    if (folder / SEEN).exists() and read_json(folder / SEEN) == stamps:
        return Streamed(*read_table(folder / INDEX, "ingest"))
    aside = Path(f"{folder}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    digest, fields = hashlib.blake2b(digest_size=16), np.dtype([])
    with (aside / RECORDS).open("wb") as stream_out:

        def write(block: Records) -> None:
            nonlocal fields
            fields = block.dtype
            content = np.ascontiguousarray(block).view(np.uint8)
            digest.update(content.data)
            stream_out.write(content.data)

        streamed = stream(write)
    facts = {
        **streamed.facts, "fields": _description(fields), "records": digest.hexdigest(),
    }  # fmt: skip
    write_table(aside / INDEX, streamed.table, facts)
    write_json(aside / SEEN, stamps)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return Streamed(streamed.table, facts)


def _description(fields: np.dtype[np.void]) -> list[list[Any]]:
    found = dict(fields.fields or {})
    kinds = {name: found[name][0] for name in fields.names or ()}
    return [[name, kind.base.str, list(kind.shape)] for name, kind in kinds.items()]
