"""Photographs that nobody copies: equal pixels, lost ones skipped in training alone, workers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.plans import LEVELS
from tests.unit.test_schedules import history, linear, run_in

from assay.errors import SourceError, UnreadableError
from assay.learning.data import train_loader
from assay.learning.fit import fit
from assay.learning.training_spec import TrainData
from assay.learning.workers import choose_num_workers
from assay.manifest.images import LETTERBOX
from assay.manifest.index import index_images
from assay.manifest.kept import kept_images
from assay.manifest.parts import read_rows
from assay.manifest.records import LazyImages
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.storage import OriginalStorage, PixelStorage, Storage
from assay.manifest.store import ImageStore
from assay.runs.events import EventLog, read_events
from assay.stages.split import _fill

SIZE = 16
COUNT = 12


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write photographs of several shapes."""
    from PIL import Image

    (tmp_path / "set").mkdir()
    for number in range(COUNT):
        pixels = np.random.default_rng(number).integers(0, 256, (40 + number, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{number:02d}.png")
    return tmp_path


def read(root: Path, copy: str) -> tuple[pl.DataFrame, Storage, Rows]:
    """Ingest, split and read as the stages do."""
    source = Source(str(root / "set"), root)
    store = ImageStore(root / copy, SIZE, keep=copy == "full")
    names = sorted(path.name for path in (root / "set").iterdir())
    listing = pl.DataFrame({"sample_id": names, "uri": names}).with_columns(
        fault=pl.lit(None, pl.String)
    )
    table = index_images(listing, source, store, SIZE, "pillow", LETTERBOX)
    said = ("toy", source.base, copy, SIZE, LETTERBOX)
    storage = PixelStorage(*said) if copy == "full" else OriginalStorage(*said, decoder="pillow")
    part = root / f"{copy}.npy"
    _fill(root, storage, table, part)
    return table, storage, read_rows(part, table, storage, root)


def test_pixels_are_those_of_a_copy_and_nothing_is_copied(root: Path) -> None:
    (full, _, stored), (table, storage, lazy) = read(root, "full"), read(root, "none")
    assert isinstance(lazy.image, LazyImages)
    assert np.array_equal(lazy.image[:], stored.image)
    assert np.array_equal(lazy.image[3], stored.image[3])
    chosen = np.arange(COUNT) % 3 == 0
    assert np.array_equal(lazy.where(chosen).image[:], stored.image[chosen])
    assert table.drop("uri").equals(full.drop("uri"))
    assert [path.name for path in (root / "none").iterdir()] == ["index.parquet"]
    assert (root / "none.npy").stat().st_size < 1000
    pixels, slots = kept_images(root, storage, table["digest"])
    assert np.array_equal(pixels[slots], stored.image)


def test_only_what_changed_is_opened_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(root, "none")
    shutil.copy(root / "set" / "03.png", root / "set" / "05.png")
    opened: list[str] = []
    real = index_images.__globals__["open_image"]

    def count(source: Source, uri: str, *more: Any) -> Any:
        opened.append(Path(uri).name)
        return real(source, uri, *more)

    monkeypatch.setitem(index_images.__globals__, "open_image", count)
    _, _, rows = read(root, "none")
    assert opened == ["05.png"]
    assert np.array_equal(rows.image[3], rows.image[5])


def test_the_number_of_cores_changes_no_byte(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for cores in (1, 5):
        monkeypatch.setattr("assay.manifest.index.available_cores", lambda cores=cores: cores)
        shutil.rmtree(root / "full", ignore_errors=True)
        read(root, "full")
        made.append(
            [(root / "full" / name).read_bytes() for name in ("pixels.u8", "index.parquet")]
        )
    assert made[0] == made[1]


def labelled(rows: Rows) -> TrainData:
    return TrainData(rows.image, LEVELS[:COUNT, None].astype(np.float32))


@pytest.mark.parametrize("broken", [1, 4])
def test_what_breaks_after_ingest_is_skipped_in_training_and_told(
    root: Path, broken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """With four the whole of one batch may be gone: the loop goes on."""
    _, _, rows = read(root, "none")
    loader = train_loader(labelled(rows), 4, 1, 0)
    loader.sampler.set_epoch(0)
    order = list(loader.sampler)
    for place in order[:broken]:
        path = root / "set" / f"{place:02d}.png"
        path.write_bytes(path.read_bytes()[:100])
    sizes = [len(targets) for _, targets in loader]
    assert sizes == [4 - broken, 4, 4]
    said = capsys.readouterr().out
    assert "skipped in training" in said
    assert f"{order[0]:02d}.png" in said
    valid = labelled(rows.where(np.isin(np.arange(COUNT), order[broken:])))
    fit(linear(batch_size=4), labelled(rows), valid, run_in(root / "run"))
    assert len(history(root / "run")) == 2
    assert not any("nan" in value for row in history(root / "run") for value in row.values())


def test_what_is_scored_is_never_skipped(root: Path) -> None:
    _, _, rows = read(root, "none")
    (root / "set" / "02.png").unlink()
    with pytest.raises(
        UnreadableError, match=r"02\.png[\s\S]*dvc repro -f -s ingest@toy"
    ) as caught:
        rows.image[:]
    assert caught.value.rows == [2]
    whole = TrainData(np.zeros((4, SIZE, SIZE, 3), np.uint8), np.ones((4, 1), np.float32))
    with pytest.raises(SourceError, match=r"02\.png"):
        fit(linear(batch_size=4), whole, labelled(rows), run_in(root / "run"))


def test_nothing_to_read_at_all_ends_the_training(root: Path) -> None:
    _, _, rows = read(root, "none")
    learns, whole = labelled(rows), labelled(read(root, "full")[2])
    shutil.rmtree(root / "set")
    with pytest.raises(SourceError, match="none of them could be read"):
        fit(linear(batch_size=4), learns, whole, run_in(root / "run"))


def test_the_number_of_workers_is_tried_and_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, rows = read(root, "none")
    events = EventLog(root / "events.jsonl")
    asked: list[int] = []

    def make(workers: int) -> Any:
        asked.append(workers)
        return train_loader(labelled(rows), 4, 1, workers)

    count = choose_num_workers("auto", make, events)
    cores = len(os.sched_getaffinity(0))
    assert asked == sorted({0, *(min(each, cores) for each in (4, 8, 12, 16))})
    (note,) = read_events(events.path)
    times = {int(number): ms for number, ms in note["ms_a_batch"].items()}
    assert times[count] == min(times.values())
    assert f"taken: {count}" in capsys.readouterr().out
    assert choose_num_workers(3, make, events) == 3


def test_the_number_of_workers_changes_no_byte(root: Path) -> None:
    _, _, rows = read(root, "none")
    for workers in (0, "auto"):
        fit(
            linear(batch_size=4),
            labelled(rows),
            labelled(rows),
            run_in(root / str(workers), num_workers=workers),
        )
    one, other = ((root / each / "model" / "weights.safetensors") for each in ("0", "auto"))
    assert one.read_bytes() == other.read_bytes()
