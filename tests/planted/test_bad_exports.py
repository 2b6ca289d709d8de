"""Exports that would lie: each line of the section of docs/bad-input.md is planted, and seen."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from tests import promises
from tests.pills_set import made, manifest

from assay.errors import AssayError
from assay.manifest.index import OK
from assay.systems.pills.data.forms import write_form
from assay.systems.pills.data.names import VIEW

PROMISED = promises.promised("Exports")
# What YAML 1.1 takes for something else where it stands bare, and what ends a bare text.
NAMES = {
    f"class named {name.strip()}": name
    for name in ("no", "yes", "on", "off", "null", "1", "1e3", "0x1", "12:30", "2020-01-01",
                 "경구: 흰색 # 1", "'one' \"two\"", " led by a blank")
}  # fmt: skip
Spoil = Callable[[Path], object]


def shot(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (8, 6, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write two classes of ten sessions, two photographs each."""
    for number, name in enumerate(("long", "round")):
        for session in range(10):
            for view in range(2):
                stem = f"{number}{session}_70_{view}_200"
                shot(tmp_path / "set" / name / f"{stem}.png", 100 * number + 10 * session + view)
    return tmp_path / "set"


def another(name: str) -> Spoil:
    return lambda folder: shot(folder / name, 999)


def named(name: str) -> Spoil:
    return lambda folder: (folder / "round").rename(folder / name)


def classes(text: str) -> Spoil:
    return lambda folder: (folder / "classes.json").write_text(text)


def twins(folder: Path) -> None:
    shot(folder / "long/x.png", 5)
    (folder / "round/y.png").write_bytes((folder / "long/x.png").read_bytes())


def damaged(folder: Path) -> None:
    path = folder / "long/cut.png"
    shot(path, 5)
    path.write_bytes(path.read_bytes()[:60])


def few(folder: Path) -> None:
    for path in [*folder.glob("*/?[2-9]*.png")]:
        path.unlink()


def leftovers(folder: Path) -> None:
    (folder / "__MACOSX").mkdir()
    (folder / "long/._a.png").write_bytes(b"macOS")
    (folder / ".DS_Store").write_bytes(b"macOS")


def composed(folder: Path) -> None:
    (folder / "round").rename(folder / normalize("NFD", "흰색"))
    classes('["흰색", "long"]')(folder)


def strange(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/long/\xff.png")).write_bytes(b"?")


FOLDERS: dict[str, Spoil] = {
    **{fault: named(name) for fault, name in NAMES.items()},
    "two class folders that differ by case": another("Round/a.png"),
    "two class folders that differ by composition": lambda folder: (
        another(normalize("NFC", "흰색/a.png"))(folder),
        another(normalize("NFD", "흰색/a.png"))(folder),
    ),
    "class folder without a photograph": lambda folder: (folder / "rare").mkdir(),
    "classes.json lacks a folder": classes('["round"]'),
    "classes.json with a name twice": classes('["round", "long", "Long"]'),
    "classes.json of numbers": classes("[0, 1]"),
    "classes.json that is nested too deeply": classes("[" * 200_000),
    "classes.json composed, its folder decomposed": composed,
    "photograph beside the class folders": another("a.png"),
    "picture of another format": another("long/a.tif"),
    "damaged photograph": damaged,
    "file name not in UTF-8": strange,
    "one photograph under two classes": twins,
    "one name in two formats": lambda folder: [
        another(f"long/a.{form}")(folder) for form in ("png", "bmp", "PNG")
    ],
    "too few photographs to validate": few,
    "macOS leftovers beside classes": leftovers,
    "destination that holds something": lambda folder: shot(folder.parent / "out ~ 약/a.png", 1),
}  # fmt: skip


def exported(folder: Path) -> Path:
    place = folder.parent / "out ~ 약"  # blanks, Korean and `~` in every path that is written
    return write_form("folders", folder.parent, place, str(folder), dict)  # type: ignore[arg-type]


def read_back(told: Path) -> dict[str, list[Path]]:
    """Return the photographs of each half, as a reader of YAML 1.1 finds them."""
    content = yaml.safe_load(told.read_text(encoding="utf-8"))
    assert content["path"] == str(told.parent)
    return {
        half: sorted((Path(content["path"]) / content[half]).iterdir()) for half in ("train", "val")
    }


def test_every_line_is_planted() -> None:
    assert set(PROMISED) == set(FOLDERS) | set(TABLES)


@pytest.mark.parametrize("fault", [name for name in FOLDERS if PROMISED[name][0] == "refused"])
def test_a_set_that_means_two_things_is_refused(folder: Path, fault: str) -> None:
    FOLDERS[fault](folder)
    with pytest.raises(AssayError) as refused:
        exported(folder)
    assert PROMISED[fault][1] in refused.value.found
    assert refused.value.expected


@pytest.mark.parametrize("fault", [name for name in FOLDERS if PROMISED[name][0] != "refused"])
def test_what_is_left_out_is_told_and_nothing_else_is(
    folder: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    FOLDERS[fault](folder)
    halves = read_back(exported(folder))
    said = capsys.readouterr().out
    assert (PROMISED[fault][1] in said) == (PROMISED[fault][0] == "told")
    assert PROMISED[fault][0] == "told" or "left out" not in said
    count = 43 if fault == "one name in two formats" else 40
    assert sum(map(len, halves.values())) == count


@pytest.mark.parametrize("fault", NAMES)
def test_a_name_comes_back_as_text(folder: Path, fault: str) -> None:
    FOLDERS[fault](folder)
    told = exported(folder)
    names = yaml.safe_load(told.read_text(encoding="utf-8"))["names"]
    assert sorted(names.values()) == sorted(["long", NAMES[fault]])
    for link in told.parent.glob("*/images/*"):
        label = link.parents[1] / "labels" / f"{link.stem}.txt"
        assert names[int(label.read_text().split()[0])] == link.resolve().parent.name


def test_nothing_validates_that_is_trained_on(folder: Path) -> None:
    shot(folder / "long/90_70_0_200.png", 0)  # the bytes of another session of its class
    halves = read_back(exported(folder))
    for of in (
        lambda path: path.resolve(),
        lambda path: path.read_bytes(),
        lambda path: re.sub(VIEW, "", path.resolve().stem),
    ):
        shown = {half: {of(path) for path in links} for half, links in halves.items()}
        assert shown["train"]
        assert shown["val"]
        assert not shown["train"] & shown["val"]
    assert {path.resolve().parent.name for path in halves["val"]} == {"long", "round"}


# Of a set that was ingested: (form, destination), and what is spoilt.
TABLES: dict[str, tuple[str, str, Callable[[Path, pl.DataFrame], pl.DataFrame]]] = {
    "photographs that moved since ingest": (
        "yolo", "out", lambda root, table: (root / "set").rename(root / "moved") and table),
    "no photograph validates": (
        "yolo", "out", lambda root, table: table.with_columns(fold=pl.lit(1))),
    "every photograph validates": (
        "yolo-drugs", "out", lambda root, table: table.with_columns(fold=pl.lit(0))),
    "Parquet named .csv": ("parquet", "pills.csv", lambda root, table: table),
    "drug metadata named .yaml": ("drugs", "drugs.yaml", lambda root, table: table),
    "a file in the export's place": (
        "parquet", "x.parquet", lambda root, table: (root / "x.parquet").touch() or table),
}  # fmt: skip


@pytest.mark.parametrize("fault", TABLES)
def test_an_export_that_would_lie_is_refused(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table, _ = manifest(made(tmp_path / "set"), tmp_path)
    kept = table.filter(pl.col("status") == OK).with_columns(fold=pl.int_range(pl.len()) % 4)
    form, name, spoil = TABLES[fault]
    spoilt = spoil(tmp_path, kept)
    facts = {"base": str(tmp_path / ("moved" if not (tmp_path / "set").exists() else "set"))}
    with pytest.raises(AssayError) as refused:
        write_form(form, tmp_path, tmp_path / name, "", lambda: (spoilt, facts))
    assert PROMISED[fault] == ("refused", PROMISED[fault][1])
    assert PROMISED[fault][1] in refused.value.found
    assert refused.value.mend
