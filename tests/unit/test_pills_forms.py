"""`assay export`: the forms of pills, of training and validation rows alone; folders as labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from PIL import Image
from ruamel.yaml import YAML
from tests.pills_set import made, manifest

from assay.commands.export import command
from assay.errors import AssayError, SourceError
from assay.manifest.index import OK
from assay.manifest.layout import Layout
from assay.manifest.table import write_table
from assay.systems.pills.data.folders import folders_to_detection

Asking = Callable[..., str]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asking:
    """Return a function that runs the verb in a repository whose pills are split."""
    (tmp_path / ".dvc").mkdir()
    made(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    table, _ = manifest(Path("set"), tmp_path)
    kept = table.filter(pl.col("status") == OK).with_columns(fold=pl.int_range(pl.len()) % 4)
    write_table(Layout("pills").trainval, kept, {"base": "set"})

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_yolo_goes_where_it_is_asked_to(ask: Asking, tmp_path: Path) -> None:
    assert "out/data.yaml" in ask("pills", "--format", "yolo", "out")
    told = YAML(typ="safe").load((tmp_path / "out/data.yaml").read_text())
    assert told["path"] == str(tmp_path / "out")
    assert told["names"] == {0: "pill"}
    labels = list((tmp_path / "out").glob("*/labels/*.txt"))
    images = list((tmp_path / "out").glob("*/images/*.png"))
    assert len(labels) == len(images) > 20
    assert all(path.resolve().is_file() for path in images)
    with pytest.raises(SourceError, match="not empty"):
        ask("pills", "--format", "yolo", "out")


def test_a_class_a_drug_is_of_the_class_table(ask: Asking, tmp_path: Path) -> None:
    ask("pills", "--format", "yolo-drugs", "out")
    told = YAML(typ="safe").load((tmp_path / "out/data.yaml").read_text())
    used = {
        int(line.split()[0])
        for path in (tmp_path / "out").glob("*/labels/*.txt")
        for line in path.read_text().splitlines()
    }
    assert used == set(told["names"]) == {0, 1, 2, 3}
    assert all(name.startswith("K-") for name in told["names"].values())


def test_parquet_and_drug_metadata(ask: Asking, tmp_path: Path) -> None:
    ask("pills", "--format", "parquet", "pills.parquet")
    pills = pl.read_parquet(tmp_path / "pills.parquet")
    assert {"code", "class", "x", "cx"} <= set(pills.columns)
    with pytest.raises(AssayError, match="stands there already"):
        ask("pills", "--format", "parquet", "pills.parquet")
    ask("pills", "--format", "drugs")
    place = tmp_path / ".assay/export/pills/drugs/drug_metadata.json"
    told = json.loads(place.read_text())
    assert told["num_classes"] == 4
    ids = dict(pills.select("code", "class").unique().iter_rows())
    assert {facts["K-code"]: int(n) for n, facts in told["drug_metadata"].items()} == ids
    assert told["edi_to_class_id"]["640000010"] == [ids["K-990017"]]
    before = place.read_bytes()
    ask("pills", "--format", "drugs")
    assert place.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pills", "--format", "coco"), "yolo .*parquet"),
        (("ceph", "--format", "yolo"), "one of pills"),
        (("pills", "--format", "yolo", "--source", "set"), "takes no --source"),
        (("pills", "--format", "folders"), "needs --source"),
        (("pills", "--format", "folders", "--source", "nowhere"), "no such folder"),
    ],
)
def test_what_cannot_be_exported_is_told(
    ask: Asking, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(AssayError, match=said):
        ask(*arguments)


def classified(folder: Path) -> Path:
    """Write a classification set: two classes of six photographs, equal names in both."""
    for tone, name in enumerate(("long", "round")):
        (folder / name).mkdir(parents=True)
        for shot in range(6):
            image = Image.new("RGB", (8, 6), (40 * shot, 200 * tone, 9))
            image.paste("white", (2, 2, 6, 4))  # a plain picture is none
            image.save(folder / name / f"{shot}.{('png', 'jpg')[shot % 2]}")
    return folder


def test_folders_become_detection_labels(ask: Asking, tmp_path: Path) -> None:
    source = classified(tmp_path / "classified")
    whole = (source / "long" / "0.png").read_bytes()
    (source / "long" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (source / "long" / "._0.png").write_bytes(b"macOS")
    said = ask("pills", "--format", "folders", "--source", str(source), "labels")
    assert said.count("left out") == 1
    assert "long/cut.png" in said
    place = tmp_path / "labels"
    shown = {half: list((place / half / "images").iterdir()) for half in ("train", "val")}
    assert {half: len(links) for half, links in shown.items()} == {"train": 10, "val": 2}
    for link in (*shown["train"], *shown["val"]):
        text = (link.parents[1] / "labels" / f"{link.stem}.txt").read_text()
        assert text == f"{('long', 'round').index(link.resolve().parent.name)} 0.5 0.5 1 1\n"
    assert {link.resolve().parent.name for link in shown["val"]} == {"long", "round"}
    assert json.loads((place / "classes.json").read_text()) == ["long", "round"]


def test_given_names_count_before_the_folders(tmp_path: Path) -> None:
    source = classified(tmp_path / "classified")
    (source / "classes.json").write_text('["round", "long", "rare"]')
    told = folders_to_detection(source, tmp_path / "out")
    assert YAML(typ="safe").load(told.read_text())["names"] == {0: "round", 1: "long", 2: "rare"}
    for text in (tmp_path / "out").glob("*/labels/0001_*.txt"):
        assert text.read_text().startswith("1 ")
