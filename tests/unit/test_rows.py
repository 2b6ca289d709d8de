"""Choosing rows keeps an index: nothing is copied, and what is trained on are the very same bytes."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plans import values

from assay.learning.determinism import set_determinism
from assay.learning.fit import fit
from assay.learning.training_spec import TrainData
from assay.manifest.parts import validation_fold
from assay.manifest.records import LazyImages
from assay.manifest.rows import Rows
from assay.runs.events import EventLog
from assay.runs.record import WEIGHTS
from assay.runs.run import Run

COUNT, SIZE = 400, 64
FOLD = np.arange(COUNT) % 4


@pytest.fixture
def mapped(tmp_path: Path) -> Rows:
    """Return a mapped part of 5 MB, whose row n is all n."""
    path = tmp_path / "trainval.npy"
    whole = np.lib.format.open_memmap(path, "w+", np.uint8, (COUNT, SIZE, SIZE, 3))
    whole[:] = (np.arange(COUNT) % 251).astype(np.uint8)[:, None, None, None]
    whole.flush()
    columns = {"fold": FOLD, "sample_id": np.array([f"s{row}" for row in range(COUNT)])}
    return Rows({"image": np.load(path, mmap_mode="r")}, columns)


def numbers(rows: Rows) -> list[int]:
    """Return what each row's image says."""
    return [int(image.max()) for image in rows.image[:]]


def allocated(choose: Any) -> int:
    """Return the most bytes that numpy and Python held at a time while `choose` ran."""
    tracemalloc.start()
    kept = choose()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept is not None
    return peak


def test_choosing_copies_no_image(mapped: Rows) -> None:
    part = mapped.image.nbytes
    assert allocated(lambda: validation_fold(mapped, 0)) < part / 20
    # The planted mistake: what was done before is seen by this measure.
    assert allocated(lambda: np.ascontiguousarray(mapped.image[FOLD != 0])) > part / 2
    train, valid = validation_fold(mapped, 0)
    for each in (train, valid, train.where(np.arange(len(train)) < 9)):
        images: Any = each.image
        assert np.shares_memory(images.backend.array, mapped.image)


def test_a_batch_costs_a_batch(mapped: Rows) -> None:
    images = mapped.where(FOLD != 0).image
    assert allocated(lambda: images[:8]) < 2 * 8 * SIZE * SIZE * 3 + 10_000


def test_a_choice_of_a_choice_is_a_choice(mapped: Rows) -> None:
    odd = mapped.where(np.arange(COUNT) % 2 == 1)
    chosen = odd.where(np.array([7, 0, 3]))
    assert numbers(chosen) == [15, 1, 7]
    assert list(chosen.columns["sample_id"]) == ["s15", "s1", "s7"]
    assert numbers(chosen.where(np.array([False, True, True]))) == [1, 7]


@pytest.mark.parametrize("key", [3, slice(2, 9), slice(None, None, -3), [5, 5, 0], np.int64(1)])
def test_chosen_images_are_indexed_as_a_copy_would_be(mapped: Rows, key: Any) -> None:
    copied = np.ascontiguousarray(mapped.image[FOLD == 1])
    images = mapped.where(FOLD == 1).image
    assert (images.shape, images.dtype) == (copied.shape, copied.dtype)
    assert (images.ndim, len(images)) == (copied.ndim, len(copied))
    assert np.array_equal(images[key], copied[key])
    assert np.shape(images[key]) == copied[key].shape


def test_no_one_reads_a_whole_part_unasked(mapped: Rows) -> None:
    images: Any = mapped.where(FOLD != 0).image
    for unasked in (
        np.asarray,
        np.ascontiguousarray,
        np.mean,
        lambda each: np.save(io.BytesIO(), each),
    ):
        with pytest.raises(TypeError, match=r"300 images that are read row by row: .*\[:\]"):
            unasked(images)


def test_rows_in_memory_are_chosen_likewise() -> None:
    held = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    chosen = Rows({"image": held}, {}).where(np.arange(20) > 4)
    assert isinstance(chosen.image, LazyImages)
    assert np.array_equal(chosen.image[:], held[5:])


def trained(images: Any, chosen: np.ndarray, folder: Path) -> bytes:
    """Return the weights of two epochs on the chosen rows."""
    plan, rows = values()
    own = TrainData(images, rows.targets[chosen], rows.labels[chosen], rows.ids[chosen])
    folder.mkdir()
    run = Run("t", folder, folder, folder, folder / "resume", EventLog(folder / "events.jsonl"))
    run.resume.mkdir()
    set_determinism(1)
    fit(plan, own, own, run)
    return (folder / WEIGHTS).read_bytes()


def test_a_training_on_chosen_rows_ends_in_the_bytes_of_one_on_a_copy(tmp_path: Path) -> None:
    _, rows = values()
    chosen = np.arange(len(rows.images)) % 3 != 0
    path = tmp_path / "part.npy"
    np.save(path, rows.images)
    on_disk = Rows({"image": np.load(path, mmap_mode="r")}, {}).where(chosen).image
    in_memory = Rows({"image": rows.images}, {}).where(chosen).image
    copied = np.ascontiguousarray(rows.images[chosen])
    first, *others = (
        trained(images, chosen, tmp_path / name)
        for name, images in (("copied", copied), ("disk", on_disk), ("memory", in_memory))
    )
    assert [other == first for other in others] == [True, True]
    other_rows = Rows({"image": rows.images}, {}).where(np.roll(chosen, 1)).image
    assert trained(other_rows, chosen, tmp_path / "others") != first
