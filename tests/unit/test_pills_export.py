"""Boxes as YOLO and Parquet: validated, by our class table, an empty file for no pill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from ruamel.yaml import YAML
from tests.pills_set import made, manifest

from assay.errors import SourceError
from assay.manifest.table import read_table
from assay.systems.pills.data.export import (
    export_rows,
    export_yolo,
    normalised,
    write_parquet,
    yolo_texts,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, Path]:
    root = tmp_path_factory.mktemp("pills")
    table, _ = manifest(made(root / "set"), root)
    return table.with_columns(fold=pl.int_range(pl.len()) % 4), root


def test_boxes_come_back_from_their_shares(kept: tuple[pl.DataFrame, Path]) -> None:
    rows, _ = kept
    for row, text in zip(rows.iter_rows(named=True), yolo_texts(rows, range(4)), strict=True):
        lines = np.array([line.split() for line in text.splitlines()], dtype=np.float64)
        assert lines[:, 0].astype(int).tolist() == row["classes"]
        size = np.array([row["width"], row["height"]])
        wide = lines[:, 3:] * size
        corner = lines[:, 1:3] * size - wide / 2
        np.testing.assert_allclose(np.hstack([corner, wide]), row["boxes"], atol=1e-3)
        assert ((lines[:, 1:] > 0) & (lines[:, 1:] <= 1)).all()


def test_one_class_and_classes_of_another_order(kept: tuple[pl.DataFrame, Path]) -> None:
    rows, _ = kept
    assert {line[0] for text in yolo_texts(rows) for line in text.splitlines()} == {"0"}
    plain, turned = yolo_texts(rows, range(4)), yolo_texts(rows, [3, 2, 1, 0])
    firsts = [(int(a[0]), int(b[0])) for a, b in zip(plain, turned, strict=True)]
    assert all(a + b == 3 for a, b in firsts)


def test_a_photograph_without_a_pill_has_an_empty_file(kept: tuple[pl.DataFrame, Path]) -> None:
    rows, _ = kept
    empty = rows.head(3).with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(pl.col(name).list.head(0)).otherwise(name).alias(name)
        for name in ("boxes", "codes", "classes")
    )  # fmt: skip
    texts = yolo_texts(empty)
    assert [bool(text) for text in texts] == [True, False, True]
    assert texts[2] == yolo_texts(rows.head(3))[2]
    assert len(export_rows(empty)) == len(export_rows(rows.head(3))) - rows["codes"].list.len()[1]


@pytest.mark.parametrize(
    "box", [[-1, 0, 5, 5], [0, 0, 0, 5], [90, 0, 20, 5], [0, 0, 5, 1e3], [0, 0, np.nan, 5]]
)
def test_a_box_that_is_none_is_refused(box: list[float]) -> None:
    boxes = np.array([[1, 2, 3, 4], box], dtype=np.float64)
    with pytest.raises(SourceError, match="1 boxes outside"):
        normalised(boxes, np.array([[100.0, 100.0]] * 2))


def test_the_data_set_is_written_once_and_names_what_validates(
    kept: tuple[pl.DataFrame, Path],
) -> None:
    rows, root = kept
    told = export_yolo(rows, root, ["pill"], None, fold=1)
    assert told == export_yolo(rows, root, ["pill"], None, fold=1)
    assert told != export_yolo(rows, root, ["pill"], None, fold=2)
    folder = told.parent
    content = YAML(typ="safe").load(told)
    assert content["names"] == {0: "pill"}
    assert content["path"] == str(folder)
    for half, count in (("train", (rows["fold"] != 1).sum()), ("val", (rows["fold"] == 1).sum())):
        images = sorted((folder / half / "images").iterdir())
        labels = sorted((folder / half / "labels").iterdir())
        assert len(images) == len(labels) == count
        assert [path.stem for path in images] == [path.stem for path in labels]
        assert all(path.is_symlink() and path.exists() for path in images)
    # Deleted or edited by hand, it comes back from the boxes.
    (folder / "data.yaml").unlink()
    next((folder / "val" / "labels").iterdir()).write_text("0 9 9 9 9")
    export_yolo(rows, root, ["pill"], None, fold=1)
    assert not [path for path in folder.rglob("*.txt") if "9 9" in path.read_text()]


def test_parquet_has_a_row_a_pill(kept: tuple[pl.DataFrame, Path], tmp_path: Path) -> None:
    rows, _ = kept
    write_parquet(rows, tmp_path / "pills.parquet")
    pills, _ = read_table(tmp_path / "pills.parquet", "")
    assert len(pills) == rows["codes"].list.len().sum()
    back = pills.select(
        ((pl.col("cx") - pl.col("share_w") / 2) * pl.col("width") - pl.col("x")).abs()
    )
    assert back.max().item() < 1e-9
