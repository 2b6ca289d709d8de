"""267 real photographs of 17 drugs in the AI-Hub tree, 82 of them three times; one original label."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.pills_set import PILLS, manifest, split_params

from assay.gates.labels import judge_labels
from assay.gates.leakage import judge_leakage
from assay.manifest.images import open_image
from assay.manifest.index import OK
from assay.manifest.source import Source
from assay.similar.find import find_similar
from assay.systems.pills.data.annotation import decode_label
from assay.systems.pills.data.parting import part


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[pl.DataFrame, Path]]:
    return {}


@pytest.fixture
def by_source(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory,
    kept: dict[str, tuple[pl.DataFrame, Path]],
) -> tuple[pl.DataFrame, Path]:  # fmt: skip
    """Ingest a copy, grouped by source photograph, once."""
    if "table" not in kept:
        root = tmp_path_factory.mktemp("pushin")
        shutil.copytree(real_data / "pushin_aihub", root / "set")
        kept["table"] = manifest(root / "set", root, session_key="img_key")[0], root
    return kept["table"]


def test_the_original_label_is_read(real_data: Path) -> None:
    label = decode_label(next((real_data / "aihub576_example").glob("*.json")).read_bytes())
    assert not isinstance(label, str)
    assert label.images[0].dl_mapping_code == "K-000030"
    assert label.images[0].di_edi_code == "643303740,A01200351"
    assert label.annotations[0].bbox == (266, 546, 427, 247)


@pytest.mark.real
def test_all_photographs_pills_and_groups_are_found(by_source: tuple[pl.DataFrame, Path]) -> None:
    table, _ = by_source
    assert len(table) == 267
    assert (table["status"] == OK).all()
    pills = table.explode("codes", "classes")
    assert len(pills) == 1383
    assert pills["codes"].n_unique() == 17
    assert sorted(pills["classes"].unique()) == list(range(17))
    assert table["group"].n_unique() == 103
    copies = table["img_key"].value_counts(name="copies")["copies"].value_counts()
    assert copies.sort("copies").rows() == [
        (1, 21), (3, 82),
    ]  # fmt: skip
    checks = judge_labels(table, "drug", PILLS.rules(), "stop", 0.0, "pills")
    assert [check.name for check in [*checks, *PILLS.checks(table)] if not check.passed] == []


@pytest.mark.real
def test_the_split_keeps_the_copies_of_a_photograph_together(
    by_source: tuple[pl.DataFrame, Path],
) -> None:
    table, _ = by_source
    placed = part(table, "drug", split_params())
    both = table.join(placed, on="sample_id")
    assert both.group_by("img_key").agg(pl.col("fold").n_unique())["fold"].max() == 1
    inside = set(both.filter(pl.col("fold") == 0)["codes"].explode())
    sessions = both.explode("codes").group_by("codes").agg(pl.col("group_id").n_unique())
    assert inside == set(sessions.filter(pl.col("group_id") > 1)["codes"])


@pytest.mark.real
def test_the_leakage_gate_finds_copies_that_names_do_not_show(
    by_source: tuple[pl.DataFrame, Path],
) -> None:
    """Forget the source photograph: three drugs' photographs, each a group of its own."""
    table, root = by_source
    some = table.filter(pl.col("img_key").is_in(table["img_key"].unique().sort()[:12].implode()))
    rows = some.with_columns(group=pl.col("sample_id"), group_id=pl.col("sample_id"))
    source = Source("set", root)
    opened = [open_image(source, uri, source.stamp(uri), None).pixels for uri in rows["uri"]]
    found = find_similar(
        rows["digest"].to_list(), rows["group_id"].rank("dense").cast(pl.Int64).to_numpy(),
        opened.__getitem__, root, nearest=4, null=40, seed=42,
    )  # fmt: skip
    names = rows["sample_id"]
    similar = found.pairs.with_columns(
        sample_a=names.gather(found.pairs["a"]), sample_b=names.gather(found.pairs["b"])
    )
    splits = part(rows, "drug", split_params())
    told = {check.name: check for check in judge_leakage(rows, splits, similar, "pills")}
    assert not told["similar images"].passed
    by_key = dict(rows.select("sample_id", "img_key").rows())
    copies = [
        by_key[one] == by_key[other] for one, other in similar.select("sample_a", "sample_b").rows()
    ]
    assert sum(copies) >= 8
    kept_together = part(some, "drug", split_params())
    again = {check.name: check for check in judge_leakage(some, kept_together, similar, "pills")}
    across = [row["samples"] for row in again["similar images"].rows]
    assert all(by_key[one] != by_key[other] for one, other in across)
