"""A registered model is asked by mapped files, and about a sample where rows are many."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from assay.contract.inputs import form_of, pad_column, unpad_column
from assay.errors import RegistryError
from assay.manifest.rows import Rows
from assay.registry import predictions
from assay.registry.mlflow_version import _signature
from assay.registry.predictions import SAMPLE, ask, sample_of
from assay.registry.promotion_gates import judge_served

MODEL = """
import tracemalloc

import mlflow
import numpy as np
from mlflow.pyfunc import PythonModel


class Mean(PythonModel):
    def predict(self, context, model_input, params=None):
        images, width = model_input["image"], model_input["width"]
        tracemalloc.start()
        means = [images[n : n + 64].mean(axis=(1, 2, 3)) for n in range(0, len(images), 64)]
        peak = tracemalloc.get_traced_memory()[1]
        means = np.concatenate(means)
        if means.max() == 255:
            raise ValueError("too bright")
        print("a model may print")
        mapped = np.full(len(images), float(isinstance(images, np.memmap)))
        boxes = np.isfinite(model_input["boxes"][:, :, 0]).sum(axis=1)
        return np.stack([means, mapped, width, boxes, np.full(len(images), peak)], axis=1)


mlflow.models.set_model(Mean())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Save a model that says the mean of an image, and whether the images are mapped."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "mean.py").write_text(MODEL, encoding="utf-8")
    handed = {
        "views": {"image": [32, 32, 3]}, "outputs": 5,
        "reads": {name: form_of(column) for name, column in columns(2).items()},
    }  # fmt: skip
    mlflow.pyfunc.save_model(
        folder / "saved", python_model=str(folder / "mean.py"), signature=_signature(handed)
    )
    return str(folder / "saved")


def part(folder: Path, count: int) -> Any:
    """Return a mapped part whose image n is all n."""
    folder.mkdir(exist_ok=True)
    whole = np.zeros((count, 32, 32, 3), np.uint8)
    whole[:] = (np.arange(count) % 200).astype(np.uint8)[:, None, None, None]
    np.save(folder / "part.npy", whole)
    return np.load(folder / "part.npy", mmap_mode="r")


def columns(count: int) -> dict[str, Any]:
    """Return widths 10, 11, …, and lists of 1, 2, 0, 1, … boxes."""
    boxes = np.empty(count, dtype=object)
    for row in range(count):
        boxes[row] = [[0.0, 0.0, 4.0, 5.0]] * ((row + 1) % 3)
    return {"width": np.arange(10, 10 + count), "boxes": boxes}


def asked(root: Path, model: str, images: Any) -> Any:
    """Return what the model says of images, with columns beside them."""
    reads = {name: pad_column(each, form_of(each)) for name, each in columns(len(images)).items()}
    return ask(root, model, {"image": images, **reads})


def test_each_way_images_lie_they_reach_the_model_mapped(model: str, tmp_path: Path) -> None:
    mapped = part(tmp_path, 100)
    chosen = Rows({"image": mapped}, {}).where(np.array([70, 3, 5])).image
    expected = [[row, 1, 10 + row, (row + 1) % 3] for row in range(100)]
    assert np.array_equal(asked(tmp_path, model, mapped)[:, :4], expected)
    shown = asked(tmp_path, model, chosen)[:, :4]
    assert np.array_equal(shown, [[70, 1, 10, 1], [3, 1, 11, 2], [5, 1, 12, 0]])
    part_of_a_map = asked(tmp_path, model, mapped[4:6])[:, 0]
    assert np.array_equal(part_of_a_map, [4, 5])
    np.save(tmp_path / "both.npy", np.stack([mapped[:2], mapped[8:10]], axis=1))
    second_view = np.load(tmp_path / "both.npy", mmap_mode="r")[:, 1]
    assert np.array_equal(asked(tmp_path, model, second_view)[:, 0], [8, 9])
    assert not any((tmp_path / ".assay").iterdir())


def test_neither_side_holds_more_than_a_block(model: str, tmp_path: Path) -> None:
    """With MLflow, the signature and the files between: of 1,500 rows neither side holds 512."""
    images = Rows({"image": part(tmp_path, 2000)}, {}).where(np.arange(2000) >= SAMPLE - 12).image
    tracemalloc.start()
    said = asked(tmp_path, model, images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    row = 32 * 32 * 3
    assert len(said) == 1500
    assert peak < SAMPLE * row
    assert said[0, -1] < SAMPLE * row


@pytest.mark.parametrize(
    ("column", "form"),
    [
        (np.array([3, 4]), {"dtype": "int64", "shape": []}),
        (np.array([[3.0, np.nan], [4.0, 1.0]]), {"dtype": "float64", "shape": [2]}),
        (np.array(["left", ""], dtype=object), {"dtype": "str", "shape": []}),
        (np.array([True, False]), {"dtype": "bool", "shape": []}),
    ],
)
def test_a_column_goes_there_and_back(column: Any, form: dict[str, Any]) -> None:
    assert form_of(column) == form
    back = unpad_column(pad_column(column, form), form)
    assert np.array_equal(back, column, equal_nan=form["shape"] != [])


def test_lists_are_padded_and_come_back_as_long_as_they_were() -> None:
    lists = np.empty(3, dtype=object)
    lists[:] = [[[1.0, 2.0], [np.nan, 4.0]], [], [np.array([5.0, 6.0])]]
    form = form_of(lists)
    assert form == {"dtype": "float64", "shape": [-1, 2]}
    table = pad_column(lists, form)
    assert table.shape == (3, 2, 2)
    back = unpad_column(table, form)
    assert [len(each) for each in back] == [2, 0, 1]
    assert back[2].tolist() == [[5, 6]]
    words = np.empty(2, dtype=object)
    words[:] = [["a"], ["b", "c"]]
    with pytest.raises(ValueError, match="could not convert"):
        form_of(words)


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
        asked(tmp_path, model, np.full((2, 32, 32, 3), 255, np.uint8))


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
    check = judge_served("t", scored.copy(), scored, SAMPLE, 50_000)
    assert check.passed
    assert check.found == "512 of 50,000 validation rows, at most 0 apart"
    assert judge_served("t", scored, scored, SAMPLE, SAMPLE).found.startswith(
        "512 validation rows, "
    )
    for planted in (scored[4] + 0.1, np.nan):
        wrong = scored.copy()
        wrong[4] = planted
        assert not judge_served("t", wrong, scored, SAMPLE, 50_000).passed
