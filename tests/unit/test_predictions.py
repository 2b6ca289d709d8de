"""A registered model is asked by a mapped file, and about a sample where rows are many."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from assay.errors import RegistryError
from assay.manifest.rows import Rows
from assay.registry import predictions
from assay.registry.predictions import SAMPLE, ask, sample_of
from assay.registry.promotion_gates import judge_served

MODEL = """
import mlflow
import numpy as np
from mlflow.pyfunc import PythonModel


class Mean(PythonModel):
    def predict(self, context, model_input, params=None):
        images = model_input["images"]
        if images.max() == 255:
            raise ValueError("too bright")
        print("a model may print")
        means = images.mean(axis=(1, 2, 3))
        mapped = np.full(len(images), float(isinstance(images, np.memmap)))
        return np.stack([means, mapped], axis=1)


mlflow.models.set_model(Mean())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Save a model that says the mean of an image, and whether the images are mapped."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "mean.py").write_text(MODEL, encoding="utf-8")
    mlflow.pyfunc.save_model(folder / "saved", python_model=str(folder / "mean.py"))
    return str(folder / "saved")


def part(folder: Path, count: int) -> Any:
    """Return a mapped part whose image n is all n."""
    folder.mkdir(exist_ok=True)
    whole = np.zeros((count, 32, 32, 3), np.uint8)
    whole[:] = (np.arange(count) % 200).astype(np.uint8)[:, None, None, None]
    np.save(folder / "part.npy", whole)
    return np.load(folder / "part.npy", mmap_mode="r")


def test_each_way_images_lie_they_reach_the_model_mapped(model: str, tmp_path: Path) -> None:
    mapped = part(tmp_path, 100)
    chosen = Rows({"image": mapped}, {}).where(np.array([70, 3, 5])).image
    assert np.array_equal(ask(tmp_path, model, mapped), [[row, 1] for row in range(100)])
    assert np.array_equal(ask(tmp_path, model, chosen), [[70, 1], [3, 1], [5, 1]])
    assert np.array_equal(ask(tmp_path, model, mapped[4:6]), [[4, 1], [5, 1]])  # a part of a map
    assert not any((tmp_path / ".assay").iterdir())


def test_what_is_mapped_whole_is_written_nowhere(tmp_path: Path) -> None:
    mapped = part(tmp_path, 10)
    with predictions._lying(tmp_path, mapped) as (place, passed):
        assert (place, passed) == (str(tmp_path / "part.npy"), ())


def test_writing_holds_a_block_at_a_time(tmp_path: Path) -> None:
    images = Rows({"image": part(tmp_path, 2000)}, {}).where(np.arange(2000) > 4).image
    tracemalloc.start()
    with predictions._lying(tmp_path, images) as (place, _):
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found = np.load(place, mmap_mode="r")
        assert np.array_equal(found, images[:])
    assert peak < found.nbytes / 5


def test_a_model_that_fails_is_told_in_a_line(model: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="cannot predict: ValueError: too bright"):
        ask(tmp_path, model, np.full((2, 8, 8, 3), 255, np.uint8))


def test_many_rows_are_sampled_and_few_are_all_asked() -> None:
    assert sample_of(SAMPLE).tolist() == list(range(SAMPLE))
    some = sample_of(50_000)
    assert len(some) == len(set(some.tolist())) == SAMPLE
    assert (np.diff(some) > 0).all()
    assert some[-1] > 45_000
    assert np.array_equal(some, sample_of(50_000))


def test_the_gate_says_how_many_of_how_many_it_asked_for() -> None:
    scored = np.linspace(5, 20, SAMPLE, dtype=np.float32)[:, None]
    scored[3] = np.nan
    check = judge_served("t", scored.copy(), scored, 50_000)
    assert check.passed
    assert check.found == "512 of 50,000 validation rows, at most 0 apart"
    assert judge_served("t", scored, scored, SAMPLE).found.startswith("512 validation rows, ")
    for planted in (scored[4] + 0.1, np.nan):
        wrong = scored.copy()
        wrong[4] = planted
        assert not judge_served("t", wrong, scored, 50_000).passed
