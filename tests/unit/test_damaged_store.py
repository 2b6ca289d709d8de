"""A store of images whose files are damaged is made anew, and never read with holes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.manifest.index import index_images
from assay.manifest.source import Source
from assay.manifest.store import ImageStore

SIZE, COUNT = 8, 4


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def ingested(folder: Path) -> np.ndarray:
    listed = pl.DataFrame(
        {"sample_id": [str(row) for row in range(COUNT)], "fault": [None] * COUNT,
         "uri": [f"{row}.png" for row in range(COUNT)]},
        schema_overrides={"fault": pl.String},
    )  # fmt: skip
    store = ImageStore(folder / "kept", SIZE)
    table = index_images(listed, Source("set", folder), store, SIZE, "pillow", "stretch")
    return np.asarray(store.pixels()[store.slots(table["digest"])])


@pytest.mark.parametrize("harm", [cut, emptied, Path.unlink])
@pytest.mark.parametrize("name", ["index.parquet", "pixels.u8"])
def test_a_damaged_store_is_made_anew(
    harm: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    (tmp_path / "set").mkdir()
    for row in range(COUNT):
        pixels = random.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{row}.png")
    sound = ingested(tmp_path)
    harm(tmp_path / "kept" / name)
    assert np.array_equal(ingested(tmp_path), sound)
