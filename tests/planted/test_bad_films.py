"""The section Films of docs/bad-input.md: each of its lines is planted, and what it promises is seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests import promises
from tests.ceph_set import CEPH, edit, entry, failed, manifest, note, sound_set, stored_images

from assay.gates.expectations import judge_expectations
from assay.manifest.index import BROKEN
from assay.systems.ceph.data import checks
from assay.systems.ceph.data.landmarks import LANDMARKS
from assay.systems.ceph.data.layout import KINDS
from assay.systems.ceph.data.machines import TABLE

Spoil = Callable[[Path], object]
Told = dict[str, Any]
ISBI = [
    "S",
    "N",
    "Or",
    "Po",
    "A",
    "B",
    "Pog",
    "Me",
    "Gn",
    "Go",
    "LIT",
    "UIT",
    "Ls",
    "Li",
    "Sn",
    "Pog`",
    "PNS",
    "ANS",
    "Ar",
]


def promised() -> dict[str, tuple[str, str]]:
    return promises.promised("Films")


def victim(folder: Path) -> Path:
    """Return the image of the film whose senior note comes first."""
    (path,) = folder.glob(f"*/Cephalograms/{note(folder, 'senior').stem}.*")
    return path


def films(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/Cephalograms/*"))


def told(change: Callable[[Told], object], kind: str = "senior") -> Spoil:
    return lambda folder: edit(note(folder, kind), change)


def bytes_of(change: Callable[[bytes], bytes], kind: str = "senior") -> Spoil:
    def spoil(folder: Path) -> None:
        path = note(folder, kind)
        path.write_bytes(change(path.read_bytes()))

    return spoil


def moved(to: Callable[[Path], Path], copied: bool = False) -> Spoil:
    """Move or copy the victim's image, below the source."""

    def spoil(folder: Path) -> None:
        path, new = victim(folder), to(victim(folder))
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, new) if copied else shutil.move(path, new)

    return spoil


def stage(value: object) -> Spoil:
    return told(lambda each: each["cvm_stage"].update(value=value), "cvm")


def set_all(of: Callable[[float, float], tuple[float, float]]) -> Callable[[Told], object]:
    def change(each: Told) -> None:
        for landmark in each["landmarks"]:
            value = landmark["value"]
            value["x"], value["y"] = of(value["x"], value["y"])

    return change


def points(of: Callable[..., tuple[float, float]], one: bool = False) -> Spoil:
    """Change the points of both readers, of all films or the victim's: (x, y, width, height) → x, y."""

    def spoil(folder: Path) -> None:
        for path in [victim(folder)] if one else films(folder):
            sides = Image.open(path).size
            for kind in ("senior", "junior"):
                (file,) = folder.glob(f"*/{KINDS[kind]}/{path.stem}.json")
                edit(file, set_all(lambda x, y, sides=sides: of(x, y, *sides)))  # type: ignore[misc]

    return spoil


def pictures(of: Callable[[np.ndarray], np.ndarray], which: Callable[[Path], list[Path]]) -> Spoil:
    def spoil(folder: Path) -> None:
        for path in which(folder):
            image = Image.open(path)
            Image.fromarray(of(np.asarray(image))).save(path)

    return spoil


def exif(folder: Path) -> None:
    path, tag = victim(folder), Image.Exif()
    tag[0x0112] = 6
    image = Image.open(path)
    path.unlink()
    image.save(path.with_suffix(".png"), exif=tag)


def in_table(change: Callable[[list[list[str]]], object], separator: str = ",") -> Spoil:
    """Change the lines of the machine table; the first is the victim's."""

    def spoil(folder: Path) -> None:
        header, *lines = [line.split(",") for line in (folder / TABLE).read_text().splitlines()]
        lines.sort(key=lambda line: line[0] != victim(folder).stem)
        change(lines)
        text = "\n".join(separator.join(line) for line in [header, *lines])
        (folder / TABLE).write_text(text + "\n")

    return spoil


def sized(change: Callable[[str], str], every: bool = False, separator: str = ",") -> Spoil:
    def lines_of(lines: list[list[str]]) -> None:
        for line in lines if every else lines[:1]:
            line[2] = change(line[2])

    return in_table(lines_of, separator)


def in_mm(folder: Path) -> None:
    """Give points in mm, on films of four times as many pixels."""
    header, *rows = [line.split(",") for line in (folder / TABLE).read_text().splitlines()]
    for row in rows:
        for kind in ("senior", "junior"):
            (file,) = folder.glob(f"*/{KINDS[kind]}/{row[0]}.json")
            edit(file, set_all(lambda x, y, mm=float(row[2]): (x * mm, y * mm)))  # type: ignore[misc]
        row[2] = str(float(row[2]) / 4)
    for path in films(folder):
        image = Image.open(path)
        image.resize((4 * image.width, 4 * image.height)).save(path)
    (folder / TABLE).write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")


def next_points(folder: Path) -> None:
    for kind in ("senior", "junior"):
        files = sorted(folder.glob(f"*/{KINDS[kind]}/*.json"), key=lambda path: path.stem)
        notes = [json.loads(path.read_text()) for path in files]
        for path, own, other in zip(files, notes, [*notes[1:], notes[0]], strict=True):
            path.write_text(json.dumps(own | {"landmarks": other["landmarks"]}))


def isbi(folder: Path) -> None:
    """Join the 19 points of another set by their place in the file."""
    for kind in ("senior", "junior"):
        for path in folder.glob(f"*/{KINDS[kind]}/*.json"):
            each = json.loads(path.read_text())
            values = [entry(each, symbol)["value"] for symbol in ISBI]
            each["landmarks"] = [
                {"landmark_id": landmark.id, "value": value}
                for landmark, value in zip(LANDMARKS, values, strict=False)
            ]
            path.write_text(json.dumps(each))


def renamed_folders(folder: Path) -> None:
    for path in sorted(folder.glob("*/Annotations/*/Senior Orthodontists")):
        path.rename(path.with_name("senior_orthodontists"))
    for path in sorted(folder.glob("*/Cephalograms")):
        path.rename(path.with_name("cephalograms"))
    (folder / "train").rename(folder / "Train")


def of_machine(folder: Path) -> list[Path]:
    rows = [line.split(",") for line in (folder / TABLE).read_text().splitlines()[1:]]
    ids = {row[0] for row in rows if row[1] == rows[0][1]}
    return [path for path in films(folder) if path.stem in ids]


def only_in_table(lines: list[list[str]]) -> None:
    lines.append(["nobody", *lines[0][1:4], "Train"])


def in_both(folder: Path) -> None:
    path = victim(folder)
    other = next(each for each in ("train", "valid") if each not in path.parts)
    shutil.copy(path, folder / other / "Cephalograms" / path.name)


LABELME = b'{"version": "5", "shapes": [{"label": "l1", "points": [[1, 2]]}], "imagePath": "x.png"}'
PLANTS: dict[str, Spoil] = {
    "two images of one name": moved(lambda path: path.with_suffix(".jpeg"), copied=True),
    "film as .tif": moved(lambda path: path.with_suffix(".tif")),
    "film as .dcm": moved(lambda path: path.with_suffix(".dcm")),
    ".heic beside a film": moved(lambda path: path.with_suffix(".heic"), copied=True),
    "film in a deeper folder": moved(lambda path: path.parent / "ART Plus" / path.name),
    "copy in a deeper folder": moved(lambda path: path.parent / "old" / path.name, copied=True),
    "split folder of another name": moved(
        lambda path: path.parents[2] / "validation" / "Cephalograms" / path.name
    ),
    "one id in two splits": in_both,
    "EXIF-turned film": exif,
    "no film": lambda folder: victim(folder).unlink(),
    "film that the table alone knows": in_table(only_in_table),
    "line without an id": in_table(lambda lines: lines.append(["", *lines[0][1:4], "Train"])),
    "annotation twice": lambda folder: shutil.copy(
        note(folder, "senior"), note(folder, "senior").with_suffix(".JSON")
    ),
    "folder misspelt": lambda folder: [
        path.rename(path.with_name("Junior Orthodontist"))
        for path in sorted(folder.glob("*/Annotations/*/Junior Orthodontists"))
    ],
    "no annotation": lambda folder: note(folder, "senior").unlink(),
    "coordinate as text": told(lambda each: entry(each, "S")["value"].update(x="1315")),
    "coordinates as a list": told(lambda each: entry(each, "S").update(value=[1315, 1086])),
    "NaN for a coordinate": told(lambda each: entry(each, "S")["value"].update(x=float("nan"))),
    "Infinity for a coordinate": told(lambda each: entry(each, "S")["value"].update(y=np.inf)),
    "coordinate of 401 digits": told(lambda each: entry(each, "S")["value"].update(x=10**400)),
    "coordinate twice": bytes_of(lambda old: old.replace(b'"x":', b'"x": 1, "x":', 1)),
    "ceph_id twice": bytes_of(lambda old: old.replace(b"{", b'{"ceph_id": "other", ', 1)),
    "nested too deep": bytes_of(lambda old: b"[" * 100_000),
    "half a character": bytes_of(lambda old: old.replace(b"Sella", rb"\ud800", 1)),
    "annotation cut off": bytes_of(lambda old: old[: len(old) // 2]),
    "annotation in Latin-1": bytes_of(lambda old: old.replace(b"Sella", b"S\xe9lla")),
    "no landmark in it": told(lambda each: each["landmarks"].clear()),
    "28 landmarks": told(lambda each: each["landmarks"].remove(entry(each, "S"))),
    "30 landmarks": told(lambda each: each["landmarks"].append(entry(each, "S"))),
    "a landmark of another set": told(
        lambda each: each["landmarks"].append({"title": "Basion", "value": {"x": 9, "y": 9}})
    ),
    "point at (0, 0)": told(lambda each: entry(each, "S")["value"].update(x=0, y=0)),
    "all points equal": told(set_all(lambda x, y: (70, 80))),
    "negative coordinate": told(lambda each: entry(each, "S")["value"].update(x=-3)),
    "point beyond the film": told(lambda each: entry(each, "S")["value"].update(x=5000)),
    "LabelMe file": bytes_of(lambda old: LABELME),
    "id that is not the file's name": told(lambda each: each.update(ceph_id="another")),
    "stage as text": stage("CVM-S3"),
    "stage 0": stage(0),
    "stage 3.5": stage(3.5),
    "pixel size with a decimal comma": sized(lambda old: "0,139", separator=";"),
    "pixel size in words": sized(lambda old: "a tenth"),
    "film that the table does not know": in_table(lambda lines: lines.pop(0)),
    "another split in the table": in_table(lambda lines: lines[0].__setitem__(4, "Training")),
    "pixel size misprinted": sized(lambda old: "1.139", every=True),
    "pixel size in µm without its unit": sized(lambda old: str(float(old) * 1000), every=True),
    "one negative film": pictures(lambda old: 255 - old, lambda folder: [victim(folder)]),
    "all films negative": pictures(lambda old: 255 - old, films),
    "one machine's films negative": pictures(lambda old: 255 - old, of_machine),
    "one film mirrored": pictures(lambda old: old[:, ::-1], lambda folder: [victim(folder)]),
    "one film's points 0.93 ×": points(lambda x, y, w, h: (0.93 * x, 0.93 * y), one=True),
    "all points 0.93 ×": points(lambda x, y, w, h: (0.93 * x, 0.93 * y)),
    "all points shifted": points(lambda x, y, w, h: (x - 0.06 * w, y + 0.04 * w)),
    "points as shares of the sides": points(lambda x, y, w, h: (x / w, y / h)),
    "points in mm": in_mm,
    "points of a square of 128 px": points(lambda x, y, w, h: (128 * x / w, 128 * y / h)),
    "the next film's points": next_points,
    "19 landmarks in another order": isbi,
    "a reader's x and y exchanged": told(set_all(lambda x, y: (y, x))),
    "byte order mark": bytes_of(lambda old: b"\xef\xbb\xbf" + old),
    "UTF-16": bytes_of(lambda old: old.decode().encode("utf-16")),
    "annotation named .JSON": lambda folder: note(folder, "senior").rename(
        note(folder, "senior").with_suffix(".JSON")
    ),
    "folders in another case": renamed_folders,
    "stage 3.0": told(
        lambda each: each["cvm_stage"].update(value=float(each["cvm_stage"]["value"])), "cvm"
    ),
    "pixel size with its unit": sized(lambda old: f"{old} mm"),
    "pixel size in µm with its unit": sized(lambda old: f"{float(old) * 1000:g} µm"),
    "macOS leftovers": lambda folder: (victim(folder).with_name("._" + victim(folder).name)
        .write_bytes(b"\0\5\26\7")),
}  # fmt: skip


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_set(tmp_path_factory.mktemp("ceph") / "set")


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "copy"))


def ingested(folder: Path) -> pl.DataFrame:
    table = manifest(folder, folder.parent)[0]
    return CEPH.masked(table, type("Chosen", (), {"target": "mean"})())  # type: ignore[arg-type]


def of(outcome: str) -> list[str]:
    return [fault for fault, row in promised().items() if row[0] == outcome]


def test_every_line_is_planted() -> None:
    assert set(promised()) == set(PLANTS)
    assert {outcome for outcome, _ in promised().values()} == {"row", "masked", "stops", "read"}


@pytest.mark.parametrize("fault", of("row"))
def test_a_bad_row_is_told_and_no_other_is_lost(copy: Path, fault: str) -> None:
    name = victim(copy).stem
    PLANTS[fault](copy)
    table = ingested(copy)
    broken = table.filter(pl.col("status") == BROKEN)
    assert all(promised()[fault][1] in reason for reason in broken["reason"])
    beside = {"one id in two splits": 2, "split folder of another name": 2}.get(fault, 1)
    assert len(broken) == beside
    listed = fault in {"film that the table alone knows", "line without an id"}
    assert len(table) - len(broken) == (24 if listed else 23)
    assert listed or all(each.startswith(name) for each in broken["sample_id"])


@pytest.mark.parametrize("fault", of("masked"))
def test_what_is_masked_is_named_and_the_film_stays(copy: Path, fault: str) -> None:
    name = victim(copy).stem
    PLANTS[fault](copy)
    table = ingested(copy)
    assert (table["status"] != BROKEN).all()
    assert len(table) == 24
    faults = dict(table.select("sample_id", "point_faults").rows())
    assert promised()[fault][1] in "; ".join(faults.pop(name))
    if fault != "folder misspelt":
        assert not any(faults.values())


@pytest.mark.parametrize("fault", of("stops"))
def test_the_label_gate_stops_and_says_why(copy: Path, fault: str) -> None:
    PLANTS[fault](copy)
    table, store = manifest(copy, copy.parent)
    told_of = [check for check in checks.check_labels(table) if not check.passed]
    told_of += [check for check in judge_expectations(CEPH.rules(), table) if not check.passed]

    def fetch(digests: pl.Series) -> Any:
        return stored_images(pl.DataFrame({"digest": digests}), store)

    told_of += [check for check in CEPH.check_images(table, fetch) if not check.passed]
    said = "; ".join(check.found for check in told_of) + "; ".join(
        each for faults in table["point_faults"] for each in faults
    )
    assert told_of
    assert promised()[fault][1] in said


@pytest.mark.parametrize("fault", of("read"))
def test_what_is_unusual_but_clear_is_read(sound: Path, copy: Path, fault: str) -> None:
    PLANTS[fault](copy)
    table, plain = ingested(copy), ingested(Path(shutil.copytree(sound, copy.parent / "plain")))
    same = pl.exclude("uri", "bytes", "spacing")
    assert table.select(same).equals(plain.select(same))
    assert np.allclose(table["spacing"], plain["spacing"])
    assert failed(table) == set()
