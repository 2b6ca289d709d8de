"""The summary of a set: what it counts is what is there; its page shows tables and figures."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from tests.pills_set import PILLS, made, manifest

from assay.gates.verdict import Verdict
from assay.manifest.index import OK
from assay.pages.gate import write_gate_page
from assay.systems.pills.data.summary import (
    frequent,
    mapped,
    sampled,
    summarise,
    summarise_photographs,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pills")


@pytest.fixture(scope="module")
def table(root: Path) -> pl.DataFrame:
    return manifest(made(root / "set", classes=9, outside=2), root)[0]


def test_broken_photographs_are_counted_by_part(table: pl.DataFrame) -> None:
    *parts, _ = summarise_photographs(table, 0)
    assert sum(part["photographs"] for part in parts) == len(table)
    assert sum(part["broken"] for part in parts) == 2
    assert sum(part["used"] for part in parts) == (table["status"] == OK).sum()
    assert {part["mode"] for part in parts} == {"single", "combination"}


def test_drugs_without_an_edi_code_are_told(table: pl.DataFrame) -> None:
    used = table.filter(pl.col("status") == OK)
    told = {row["codes_published"]: row for row in mapped(used)}
    assert told["none"]["drugs"] == 1  # the phantom's ninth drug
    assert told["several"]["drugs"] == 3
    assert sum(row["pills"] for row in told.values()) == used["codes"].list.len().sum()


def test_the_most_frequent_drugs_come_first(table: pl.DataFrame) -> None:
    top = frequent(table.filter(pl.col("status") == OK))
    counts = [row["pills"] for row in top]
    assert counts == sorted(counts, reverse=True)
    assert len(top) == 9
    assert sum(row["share"] for row in top) == pytest.approx(1)


def test_a_sample_is_drawn_by_its_seed(table: pl.DataFrame) -> None:
    few = sampled(table, 7)
    assert len(few) == 7
    assert few.equals(sampled(table, 7))
    assert sampled(table).equals(table)
    assert few["sample_id"].is_sorted()


def test_a_set_without_a_usable_photograph_has_a_summary(table: pl.DataFrame) -> None:
    _, figures = summarise(table.filter(pl.col("status") != OK))
    assert figures == {}


def test_the_gates_page_shows_tables_and_figures(
    table: pl.DataFrame, root: Path, tmp_path: Path
) -> None:
    tables, figures = PILLS.summarised(table)
    assert figures == PILLS.summarised(table)[1]  # equal tables, equal bytes
    assert len(figures) == 3
    for content in figures.values():
        assert Image.open(io.BytesIO(content)).format == "PNG"
    verdict = Verdict("labels", "pills", [], tables)
    path = tmp_path / "labels.html"
    stored = {"base": "phantom", "images": "images", "size": 32, "fit": "letterbox"}
    facts = {"target": "drug", "source": "phantom", **stored}
    write_gate_page(verdict, path, root, table, facts, figures)
    page = path.read_text()
    assert page.count("data:image/png") == 3
    assert "summary: sizes and boxes" in page
    assert "https://" not in page
