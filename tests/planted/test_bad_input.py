"""The table of docs/bad-input.md: each of its lines is planted, and what it promises is seen."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests import promises
from tests.ingest import indexed

from assay.gates.labels import judge_labels
from assay.lookup import find_system
from assay.manifest.source import Source, Stamp

SYSTEM = find_system("hemoglobin.conjunctiva")
TABLE = "conj_folder2.csv"
VICTIM = "b.png"  # the row that is spoilt, on line 3
Lines = list[str]


def promised() -> dict[str, tuple[str, str]]:
    return promises.promised("Pictures")


def picture(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def bomb() -> bytes:
    """Return a PNG of 40,000 × 40,000 pixels by its header, and 60 bytes long."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND\xaeB`\x82"


def turned() -> bytes:
    image, exif = picture().transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by 90°: as `picture` is
    return saved(image, "PNG", exif=exif)


def in_place(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / VICTIM).write_bytes(content) and None


def in_line(text: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        lines = (folder / TABLE).read_text().splitlines()
        (folder / TABLE).write_text("\n".join([*lines[:2], text, *lines[3:]]) + "\n")

    return spoil


def a_folder(folder: Path) -> None:
    (folder / VICTIM).unlink()
    (folder / VICTIM).mkdir()


RGBA = picture("RGBA")
RGBA.putalpha(0)
PLANTS: dict[str, Callable[[Path], None]] = {
    "absent file": lambda folder: (folder / VICTIM).unlink(),
    "a folder for a file": a_folder,
    "zero-byte image": in_place(b""),
    "truncated image": in_place(saved(picture(), "PNG")[:2000]),
    "text named .png": in_place(b"<html>not found</html>"),
    "16-bit image": in_place(
        saved(Image.fromarray(np.full((9, 9), 40_000, dtype=np.uint16)), "PNG")
    ),
    "CMYK image": in_place(saved(picture("CMYK"), "JPEG")),
    "decompression bomb": in_place(bomb()),
    "unreachable URL": in_line("http://127.0.0.1:9/b.png,9.5,b"),
    "file that changes while it is read": lambda folder: None,
    "JPEG named .png": in_place(saved(picture(), "JPEG")),
    "alpha": in_place(saved(RGBA, "PNG")),
    "EXIF-rotated": in_place(turned()),
}


class BusySource(Source):
    """A source of which somebody writes one file whenever it is read."""

    def read(self, uri: str, stamp: Stamp | None = None) -> bytes:
        content = super().read(uri, stamp)
        if uri.endswith(VICTIM):
            with (self._root / uri).open("ab") as stream:
                stream.write(b"more")
        return content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "set"
    place.mkdir()
    for name in "abcd":
        image = picture().rotate(20 * "abcd".index(name))
        (place / f"{name}.png").write_bytes(saved(image, "PNG"))
    (place / VICTIM).write_bytes(saved(picture(), "PNG"))
    rows = ["image_path,hb_value,patient_id", *(f"{n}.png,9.{i},{n}" for i, n in enumerate("abcd"))]
    (place / TABLE).write_text("\n".join(rows) + "\n")
    return place


def ingested(folder: Path, fault: str) -> pl.DataFrame:
    kind = BusySource if fault == "file that changes while it is read" else Source
    source = kind("set", folder.parent)
    table, _ = indexed(source, SYSTEM.read(source), folder.parent)
    return table


def test_every_line_is_planted() -> None:
    assert set(promised()) == set(PLANTS)


@pytest.mark.parametrize("fault", [name for name, row in promised().items() if "row" in row[0]])
def test_a_bad_row_is_told_and_no_other_is_lost(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    told = promised()[fault][1]
    table = ingested(folder, fault)
    broken = table.filter(pl.col("status") == "broken")
    assert len(broken) == 1
    assert all(told in reason for reason in broken["reason"])
    assert len(table) - len(broken) == 3
    assert table["sample_id"].is_unique().all()
    share = judge_labels(table, "hb", SYSTEM.rules(), "stop", 0.0, SYSTEM.name)[0]
    assert not share.passed
    assert {row["reason"] for row in share.rows} == set(broken["reason"])


@pytest.mark.parametrize("fault", [name for name, row in promised().items() if row[0] == "read"])
def test_what_is_unusual_but_clear_is_read(folder: Path, fault: str) -> None:
    plain = ingested(folder, "")
    PLANTS[fault](folder)
    table = ingested(folder, fault)
    assert (table["status"] == "ok").all()
    facts = ("sample_id", "hb", "group")
    assert table.select(facts).equals(plain.select(facts))


def stored(folder: Path, fault: str) -> np.ndarray:
    source = Source("set", folder.parent)
    PLANTS.get(fault, lambda folder: None)(folder)
    table, store = indexed(source, SYSTEM.read(source), folder.parent)
    digest = table.filter(pl.col("sample_id") == f"f2:{VICTIM}")["digest"]
    return np.array(store.pixels()[store.slots(digest)[0]])


def test_a_turned_photograph_is_stored_upright(folder: Path) -> None:
    assert (stored(folder, "") == stored(folder, "EXIF-rotated")).all()


def test_what_is_transparent_is_stored_black(folder: Path) -> None:
    assert stored(folder, "").max() > 0
    assert stored(folder, "alpha").max() == 0


def test_a_misnamed_file_is_counted(folder: Path) -> None:
    PLANTS["JPEG named .png"](folder)
    checks = judge_labels(ingested(folder, ""), "hb", SYSTEM.rules(), "stop", 0.0, SYSTEM.name)
    [names] = [check for check in checks if check.name == "file names"]
    assert promised()["JPEG named .png"][1] == f"{names.name}: {names.found.partition(',')[0]}"
