"""Labels and photographs of pills as they should not be: each line of docs/bad-input.md is planted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize

import polars as pl
import pytest
from PIL import Image
from tests import promises
from tests.pills_set import PILLS, edit, made, manifest

from assay.errors import AssayError
from assay.gates.labels import judge_labels
from assay.manifest.index import BROKEN, OK

PROMISED = promises.promised("Pills")
IMAGES, LABELS = "data/train/images/single/TS_1_single", "data/train/labels/single/TL_1_single"
TABLE = "data/pills.classes.json"
Spoil = Callable[[Path], object]
Turn = Image.Transpose


def photograph(folder: Path) -> Path:
    """Return the photograph that is spoilt."""
    return min(path for path in (folder / IMAGES).glob("*/*.png") if "index" not in path.name)


def label(folder: Path) -> Path:
    return min((folder / LABELS).rglob("*.json"))


def told(change: Callable[[dict[str, Any]], object]) -> Spoil:
    return lambda folder: edit(label(folder), change)


def image(**changed: object) -> Spoil:
    return told(lambda content: content["images"][0].update(changed))


def box(*numbers: object) -> Spoil:
    return told(lambda content: content["annotations"][0].update(bbox=list(numbers)))


def text(change: Callable[[str], str | bytes]) -> Spoil:
    def spoil(folder: Path) -> None:
        changed = change(label(folder).read_text(encoding="utf-8"))
        content = changed.encode() if isinstance(changed, str) else changed
        label(folder).write_bytes(content)

    return spoil


def code(change: Callable[[str], object]) -> Spoil:
    def changed(content: dict[str, Any]) -> None:
        first = content["images"][0]
        first["dl_mapping_code"] = change(first["dl_mapping_code"])

    return told(changed)


def said(change: Callable[[str], str]) -> Spoil:
    """Change the photograph's name in its label."""
    return told(lambda content: content["images"][0].update(
        file_name=change(content["images"][0]["file_name"])
    ))  # fmt: skip


def suffix(ending: str, form: str = "") -> Spoil:
    def spoil(folder: Path) -> None:
        path = photograph(folder)
        if form:
            Image.open(path).save(path.with_suffix(ending), form)
            path.unlink()
        else:
            path.rename(path.with_suffix(ending))

    return spoil


def beside(*endings: str, instead: bool = False) -> Spoil:
    """Write the photograph in other formats beside itself, or instead."""

    def spoil(folder: Path) -> None:
        path = photograph(folder)
        for ending in endings:
            Image.open(path).save(path.with_suffix(ending))
        if instead:
            path.unlink()

    return spoil


def together(*spoils: Spoil) -> Spoil:
    return lambda folder: [spoil(folder) for spoil in spoils]


def korean(shown: str, stated: str) -> Spoil:
    """Give the photograph a Korean name, composed in one way in its file and in its label."""

    def spoil(folder: Path) -> None:
        path = photograph(folder)
        name = f"{path.stem[:8]}_흰색.png"
        said(lambda _: normalize(stated, name))(folder)
        path.rename(path.with_name(normalize(shown, name)))

    return spoil


def both_compositions(folder: Path) -> None:
    korean("NFC", "NFC")(folder)
    path = next(path for path in (folder / IMAGES).glob("*/*흰색.png"))
    shutil.copy(path, path.with_name(normalize("NFD", path.name)))


def turned(turn: int, method: Turn, square: bool = False) -> Spoil:
    """Turn the stored photograph, so that it is seen as before."""

    def spoil(folder: Path) -> None:
        path, exif = photograph(folder), Image.Exif()
        exif[0x0112] = turn
        seen = Image.open(path)
        if square:
            seen = seen.crop((0, 0, 64, 64))
            together(image(width=64, height=64), box(2, 2, 20, 20))(folder)
        seen.transpose(method).save(path, exif=exif)

    return spoil


def shares(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        first, pill = content["images"][0], content["annotations"][0]
        sides = (first["width"], first["height"]) * 2
        pill["bbox"] = [number / side for number, side in zip(pill["bbox"], sides, strict=True)]

    edit(label(folder), change)


def corners(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        x, y, w, h = content["annotations"][0]["bbox"]
        content["annotations"][0]["bbox"] = [x, y, x + w, y + h]

    edit(label(folder), change)


def categories(content: dict[str, Any]) -> None:
    content["annotations"].append(
        {**content["annotations"][0], "bbox": [1, 1, 9, 9], "category_id": 7}
    )


def another(folder: Path) -> None:
    others = sorted((folder / IMAGES).glob("*/*_200.png"))
    said(lambda _: others[-1].name)(folder)


def leftovers(folder: Path) -> None:
    for path in (photograph(folder), label(folder)):
        (path.parent / f"._{path.name}").write_bytes(b"macOS")
        (path.parent / ".DS_Store").write_bytes(b"macOS")
        (path.parent / "Thumbs.db").write_bytes(b"Windows")
        shutil.copytree(path.parent, path.parents[1] / "__MACOSX")
        shutil.copytree(path.parent, path.parent / "__MACOSX")


def doubled(folder: Path) -> None:
    for half in (IMAGES, LABELS):
        part = folder / half
        part.rename(part.with_name("aside"))
        part.mkdir()
        part.with_name("aside").rename(part / part.name)


def flat(folder: Path) -> None:
    for path, half in ((photograph(folder), IMAGES), (label(folder), LABELS)):
        path.rename(folder / half / path.name)


def table(content: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder.parent / "data").mkdir(exist_ok=True)
        (folder.parent / TABLE).write_text(content)

    return spoil


BEYOND = int("9" * 400)
PLANTS: dict[str, Spoil] = {
    "photograph of type .tif": suffix(".tif", "TIFF"),
    "photograph of type .gif": suffix(".gif", "GIF"),
    "photograph of type .dcm": suffix(".dcm"),
    "photograph of type .HEIC": suffix(".HEIC"),
    "photograph without a suffix": suffix(""),
    "label in .JSON": lambda folder: label(folder).rename(label(folder).with_suffix(".JSON")),
    "label that names another format": suffix(".bmp", "BMP"),
    "photograph in .PNG": suffix(".PNG"),
    "two photographs of one name, the label says which": beside(".bmp"),
    "two photographs of one name, the label says neither": beside(".bmp", ".jpg", instead=True),
    "two photographs of one name, their label cut off": together(
        beside(".bmp"), text(lambda content: content[:200])
    ),
    "photograph's name with a path before it": said(lambda name: f"/home/me/{name}"),
    "photograph's name with backslashes": said(lambda name: f"C:\\photos\\{name}"),
    "photograph's name in lower case": said(str.lower),
    "photograph's name decomposed in its label": korean("NFC", "NFD"),
    "photograph's name decomposed in its folder": korean("NFD", "NFC"),
    "two photographs whose names differ by composition": both_compositions,
    "label of a photograph of another folder": another,
    "label that names nothing": said(lambda name: ""),
    "files beside the K folders": flat,
    "boxes beside photographs": lambda folder: (
        photograph(folder).with_suffix(".txt").write_text("0 0.5 0.5 1 1")
    ),
    "part in a folder of its name": doubled,
    "part without a mode": lambda folder: (folder / IMAGES).rename(folder / "data/TS_1"),
    "part named by a copy": lambda folder: shutil.copytree(
        folder / IMAGES, folder / f"{IMAGES} (1)"
    ),
    "part that is not unpacked": lambda folder: (
        (folder / "data/train/images/single/TS_2_single.zip").write_bytes(b"PK")
    ),
    "folder that links back above itself": lambda folder: (folder / "data/again").symlink_to(folder),
    "operating systems' leftovers beside pills": leftovers,
    "label with a byte order mark": text(lambda content: content.encode("utf-8-sig")),
    "label in UTF-16": text(lambda content: content.encode("utf-16")),
    "label in CP949": text(lambda content: content.encode("cp949", errors="replace")),
    "label that is a list": text(lambda content: "[]"),
    "label that says nothing": text(lambda content: "{}"),
    "label nested too deeply": text(lambda content: '{"a":' * 100_000),
    "label cut off": text(lambda content: content[:-20]),
    "label without categories": told(lambda content: content.update(categories=[])),
    "label of two photographs": told(lambda content: content["images"].append(content["images"][0])),
    "label without a pill": told(lambda content: content["annotations"].clear()),
    "two pills of several categories in one label": told(categories),
    "one pill twice in one label": told(
        lambda content: content["annotations"].append(content["annotations"][0])
    ),
    "a box that stands twice in one pill": text(
        lambda content: content.replace('"bbox":', '"bbox": [1, 1, 9, 9], "bbox":')
    ),
    "a code that stands twice in one label": text(
        lambda content: content.replace(
            '"dl_mapping_code":', '"dl_mapping_code": "K-000001", "dl_mapping_code":'
        )
    ),
    "box as shares": shares,
    "box as two corners": corners,
    "box as text": box("1", 2, 3, 4),
    "box with NaN": box(float("nan"), 2, 3, 4),
    "box with Infinity": box(1, 2, 3, float("inf")),
    "box below zero": box(-1, 2, 3, 4),
    "box without area": box(1, 2, 0, 4),
    "box of five numbers": box(1, 2, 3, 4, 0.9),
    "box of no numbers": box(),
    "box beyond any number": box(BEYOND, 2, 3, 4),
    "pill without a box": told(lambda content: content["annotations"][0].pop("bbox")),
    "width as text": image(width="64"),
    "width 0": image(width=0),
    "width beyond any number": image(width=BEYOND),
    "width and height exchanged": image(width=84, height=64),
    "code in lower case": code(str.lower),
    "code with blanks": code(lambda name: f" {name}"),
    "code of no drug": code(lambda name: None),
    "code of another drug": code(lambda name: "K-000001"),
    "photograph turned by 180°, boxes": turned(3, Turn.ROTATE_180),
    "photograph mirrored, boxes": turned(2, Turn.FLIP_LEFT_RIGHT),
    "square photograph turned by 90°, boxes": turned(6, Turn.ROTATE_90, square=True),
    "photograph turned by 90°, its label of the size upright": turned(6, Turn.ROTATE_90),
    "photograph turned by 90°, its label of the size as stored": together(
        turned(6, Turn.ROTATE_90), image(width=84, height=64), box(2, 2, 20, 20)
    ),
    "class table with a code twice": table('{"codes": ["K-000001", "K-000001"], "sources": []}'),
    "class table with a form twice": table('{"codes": [], "sources": [], "forms": ["a", "a"]}'),
    "class table with a code that is none": table('{"codes": ["no"], "sources": []}'),
    "class table whose codes are one text": table('{"codes": "K-000001", "sources": []}'),
    "class table with the marks of a merge": table("<<<<<<< HEAD\n{}"),
    "class table that lacks a drug of its source": lambda folder: table(
        json.dumps({"codes": [f"K-{number:06d}" for number in CODES], "sources": [str(folder)]})
    )(folder),
}  # fmt: skip
CODES: list[int] = []  # of the set, but the spoilt photograph's


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("pills") / "set", angles=1)


@pytest.fixture
def folder(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the class table is this repository's
    shutil.copytree(sound, tmp_path / "set")
    every = {int(path.name.split("-")[1]) for path in sound.rglob("K-??????")}
    CODES[:] = sorted(every - {int(photograph(sound).name[2:8])})
    return tmp_path / "set"


def ingested(folder: Path) -> pl.DataFrame:
    return manifest(folder, folder.parent)[0]


def of_outcome(*outcomes: str) -> list[str]:
    return [fault for fault, (outcome, _) in PROMISED.items() if outcome in outcomes]


def pills(table: pl.DataFrame) -> list[Any]:
    return sorted(map(str, table.select("codes", "boxes", "subset", "mode").rows()))


def test_every_line_is_planted() -> None:
    assert set(PROMISED) == set(PLANTS)
    assert set(of_outcome("row", "both rows", "rows", "read", "told", "refused")) == set(PLANTS)


@pytest.mark.parametrize("fault", of_outcome("row", "both rows", "rows"))
def test_a_bad_label_is_told_and_no_other_is_lost(folder: Path, fault: str) -> None:
    plain = ingested(folder)
    spoilt = photograph(folder)
    PLANTS[fault](folder)
    table = ingested(folder)
    broken = table.filter(pl.col("status") == BROKEN)
    assert all(PROMISED[fault][1] in reason for reason in broken["reason"]), broken["reason"]
    if PROMISED[fault][0] != "rows":
        assert len(broken) == (1 if PROMISED[fault][0] == "row" else 2), broken["reason"]
        others = plain.filter(pl.col("sample_id") != str(spoilt.relative_to(folder)))
        kept = table.filter(pl.col("status") == OK)
        assert set(others["sample_id"]) <= set(kept["sample_id"])
        assert set(pills(others)) <= set(pills(kept))
    assert table["sample_id"].is_unique().all()
    share = judge_labels(table, PILLS.target, PILLS.rules(), "stop", 0.0, PILLS.name)[0]
    assert not share.passed
    assert {row["reason"] for row in share.rows} == set(broken["reason"])


@pytest.mark.parametrize("fault", of_outcome("read", "told"))
def test_what_is_unusual_but_clear_is_read(
    folder: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ingested(folder)
    PLANTS[fault](folder)
    capsys.readouterr()
    table = ingested(folder)
    assert (table["status"] == OK).all(), table["reason"].drop_nulls().to_list()
    assert pills(table) == pills(plain)
    assert (PROMISED[fault][1] in capsys.readouterr().out) == (PROMISED[fault][0] == "told")


@pytest.mark.parametrize("fault", of_outcome("refused"))
def test_a_source_that_means_two_things_is_refused(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    with pytest.raises(AssayError) as refused:
        ingested(folder)
    assert PROMISED[fault][1] in refused.value.found
    assert refused.value.expected
    assert refused.value.mend
