"""Parts of structures and spectra for tests: small, lawful, and spoiled on request."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from assay.gates.expectations import judge_expectations
from assay.gates.labels import judge_labels
from assay.manifest.arrays import write_records
from assay.manifest.arrays_made import made_records
from assay.manifest.groups import join_groups, spelling
from assay.manifest.parts import read_rows
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.storage import RecordStorage, read_storage
from assay.systems.spectra.data.metasurface import Metasurface
from assay.systems.spectra.data.params import SpectraIngest
from assay.systems.spectra.optics.physics import spectra_of
from assay.systems.spectra.optics.structures import random_structures

SPECTRA = Metasurface()
SIDE, BINS = 32, 301


def arrays(
    count: int, seed: int = 0, *, diagonal: bool = True, side: int = SIDE
) -> tuple[Any, Any]:
    """Return structures (n, 1, side, side) and published spectra (n, 3, 301), negative."""
    structures = random_structures(count, np.random.default_rng(seed), size=side, diagonal=diagonal)
    return structures[:, None], channels(structures)


def channels(structures: Any) -> Any:
    cells = spectra_of(structures)
    green = (cells[:, 0, 1] + cells[:, 1, 0]) / 2
    return -np.stack([cells[:, 0, 0], green, cells[:, 1, 1]], axis=1)


def write_part(
    folder: Path, structures: Any, spectra: Any, valid: Any = None, number: int = 0
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"binary_dataset_128_{number}.npy", structures)
    np.save(folder / f"spectra_latest_{number}.npy", spectra)
    if valid is not None:
        np.save(folder / f"spectra_latest_valid_{number}.npy", valid)
    return folder


def small_set(folder: Path, count: int = 40) -> Path:
    """Write two parts: sound rows, then a row never computed and one failed in part 0."""
    structures, spectra = arrays(count)
    half = count // 2
    valid = np.ones(half, dtype=np.uint8)
    spectra[half - 2 : half], valid[half - 2], valid[half - 1] = 0, 0, 2
    write_part(folder, structures[:half], spectra[:half], valid)
    return write_part(folder, structures[half:], spectra[half:], number=1)


def how(**other: Any) -> SpectraIngest:
    asked = {"size": SIDE, "thin": "pick", "bins": 30, "copy": "packed", "max_broken_share": 0.0}
    return SpectraIngest(**{**asked, **other})


def ingest(folder: Path, root: Path, **other: Any) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the manifest of a folder and its facts, as the stage makes them."""
    source = Source(str(folder), root)
    params = how(**other)
    streamed = made_records(
        root / "arrays", source, SPECTRA.read(source).files(SPECTRA.views),
        lambda write: SPECTRA.stream(source, params, write),
    )  # fmt: skip
    table = streamed.table.with_columns(
        join_groups(spelling(streamed.table["group"]), streamed.table["digest"])
    )
    facts = {"base": str(folder), "images": "arrays", "size": params.size, "fit": SPECTRA.fit}
    return table, {**facts, **streamed.facts}


def rows_of(table: pl.DataFrame, facts: dict[str, Any], root: Path) -> Rows:
    """Return the usable rows as training gets them."""
    kept = table.filter(pl.col("status") == "ok")
    storage = cast("RecordStorage", read_storage(facts, "spectra"))
    with tempfile.NamedTemporaryFile(dir=root, suffix=".npy", delete=False) as file:
        write_records(Path(file.name), root, storage, kept["slot"].to_numpy())
    return read_rows(Path(file.name), kept, storage, root)


def failed(table: pl.DataFrame) -> set[str]:
    """Return the checks that the label gate fails, common ones among them."""
    own = [*judge_labels(table, SPECTRA.target, [], "stop", 0.0, "spectra"), *SPECTRA.checks(table)]
    rules = judge_expectations(SPECTRA.rules(), table)
    return {check.name for check in [*own, *rules] if not check.passed}
