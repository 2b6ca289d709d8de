"""Pictures of docs/bad-input.md: each of its lines is planted, and what it promises is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests import promises
from tests.bad_pictures import CONTENT, PLANTS, VICTIM, by_exif, exif, picture, saved, turned
from tests.icc import profile
from tests.ingest import indexed

from assay.gates.labels import judge_labels
from assay.lookup import find_system
from assay.manifest.images import Opened, open_image
from assay.manifest.originals import Originals
from assay.manifest.source import Source, Stamp

SYSTEM = find_system("hemoglobin.conjunctiva")
PROMISED = promises.promised("Pictures")


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
    for number, name in enumerate("abcd"):
        (place / f"{name}.png").write_bytes(saved(picture().rotate(20 * number)))
    rows = ["image_path,hb_value,patient_id", *(f"{n}.png,9.{i},{n}" for i, n in enumerate("abcd"))]
    (place / "conj_folder2.csv").write_text("\n".join(rows) + "\n")
    return place


def ingested(folder: Path, fault: str = "") -> pl.DataFrame:
    kind = BusySource if fault == "file that changes while it is read" else Source
    source = kind("set", folder.parent)
    return indexed(source, SYSTEM.read(source), folder.parent)[0]


def judged(table: pl.DataFrame) -> dict[str, Any]:
    checks = judge_labels(table, "hb", SYSTEM.rules(), "stop", 0.0, SYSTEM.name)
    return {check.name: check for check in checks}


def opened(
    content: bytes, folder: Path, size: int | None = None, decoder: str = "pillow"
) -> Opened:
    (folder / VICTIM).write_bytes(content)
    source = Source(str(folder), folder)
    uri = source.uri(VICTIM)
    return open_image(source, uri, source.stamp(uri), size, decoder)


def pixels(content: bytes, folder: Path, decoder: str = "pillow") -> np.ndarray:
    found = opened(content, folder, None, decoder)
    assert found.pixels is not None, found.reason
    return found.pixels.astype(int)


def test_every_line_is_planted() -> None:
    assert set(PROMISED) == set(PLANTS)


@pytest.mark.parametrize("fault", [name for name, row in PROMISED.items() if row[0] == "row"])
def test_a_bad_picture_breaks_its_row_alone(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    table = ingested(folder, fault)
    broken = table.filter(pl.col("status") == "broken")
    assert len(broken) == 1
    assert PROMISED[fault][1] in broken["reason"][0]
    check = judged(table)["broken"]
    assert not check.passed
    assert [row["reason"] for row in check.rows] == broken["reason"].to_list()


@pytest.mark.parametrize("fault", [name for name, row in PROMISED.items() if row[0] == "read"])
def test_what_any_viewer_opens_is_read_and_told(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    table = ingested(folder)
    assert (table["status"] == "ok").all()
    [row] = table.filter(pl.col("uri").str.ends_with(VICTIM)).to_dicts()
    checks, told = judged(table), PROMISED[fault][1]
    if told.startswith("as "):
        assert (row["notes"], row["profile"]) == (None, None)
        return
    name, text = told.split(": ", 1)
    assert checks[name].passed
    assert text in checks[name].found or text in str(checks[name].rows)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_turned_picture_is_upright_and_its_size_is_what_is_seen(folder: Path, kind: str) -> None:
    found = opened(turned(kind), folder)
    assert (found.width, found.height, found.turn) == (30, 40, 6)
    assert found.pixels is not None
    if kind != "WEBP":
        assert (found.pixels == np.asarray(picture())).all()


def test_what_is_transparent_is_black(folder: Path) -> None:
    found = pixels(CONTENT["alpha"], folder)
    assert found[20:].max() == 0
    assert (found[:20] == np.asarray(picture())[:20]).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("decoder", ["pillow", "simplejpeg"])
def test_display_p3_becomes_srgb(folder: Path, form: str, decoder: str) -> None:
    """Its red is more than sRGB's: (143, 60, 60) there is (156, 50, 54) here."""
    if decoder == "simplejpeg":
        pytest.importorskip("simplejpeg", reason="simplejpeg is an extra")
    image = picture()
    image.paste((143, 60, 60), (0, 0, 30, 20))
    content = saved(image, form, icc_profile=profile("Display P3"), **BEST.get(form, {}))
    plain = pixels(saved(image, form, **BEST.get(form, {})), folder, decoder)[8, 8]
    assert np.abs(plain - (143, 60, 60)).max() <= 1
    assert np.abs(pixels(content, folder, decoder)[8, 8] - (156, 50, 54)).max() <= 2


BEST = {"JPEG": {"quality": 100, "subsampling": 0}}


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_a_profile_is_converted_in_every_mode(folder: Path, mode: str) -> None:
    image = Image.new("RGB", (8, 8), (143, 60, 60))
    image.putpixel((0, 0), (0, 255, 0))
    kept = image.convert(mode) if mode == "RGBA" else image.quantize(4)
    found = pixels(saved(kept, icc_profile=profile("Display P3")), folder)
    assert np.abs(found[4, 4] - (156, 50, 54)).max() <= 1


def test_a_grey_profile_is_converted(folder: Path) -> None:
    """Of linear light, 60 of 255 is seen as 133."""
    image = Image.linear_gradient("L")
    image.paste(60, (0, 0, 9, 9))
    found = pixels(saved(image, icc_profile=profile("Linear", b"GRAY", 1.0)), folder)
    assert found[4, 4].tolist() == [133] * 3


def test_a_colour_that_means_transparent_is_found_before_it_is_converted(folder: Path) -> None:
    image = picture()
    image.paste((143, 60, 60), (0, 0, 9, 9))
    content = saved(image, transparency=(143, 60, 60), icc_profile=profile("Display P3"))
    assert pixels(content, folder)[4, 4].max() == 0


def test_only_the_device_is_kept_of_exif(folder: Path) -> None:
    named = exif(make="Apple\0", model="iPhone 12", serial="XK-77", turn=6)
    (folder / VICTIM).write_bytes(saved(picture(), exif=named, icc_profile=profile("Display P3")))
    table = ingested(folder)
    assert table.drop_nulls("device")["device"].to_list() == ["Apple iPhone 12"]
    assert "XK-77" not in str(table.to_dicts())
    checks = judged(table)
    assert checks["turned"].found.startswith("1 of 4 pictures")
    assert checks["turned"].rows[0]["device"] == "Apple iPhone 12"
    assert checks["colour profiles"].rows[0]["profile"] == "Display P3"


def test_several_notes_of_a_picture_are_told_one_by_one(folder: Path) -> None:
    (folder / VICTIM).write_bytes(by_exif(0xFFFF) + b"more")
    check = judged(ingested(folder))["overlooked"]
    assert check.found.startswith("1 of 4")
    assert len(check.rows) == 2


def test_a_low_contrast_picture_is_none_of_nothing(folder: Path) -> None:
    levels = np.random.default_rng(0).integers(100, 110, (40, 30, 3), dtype=np.uint8)
    assert opened(saved(Image.fromarray(levels)), folder).reason == ""


@pytest.mark.parametrize("fault", ["colour profile", "wrong checksum of iCCP", "EXIF-rotated"])
def test_originals_are_read_as_ingest_reads_them(folder: Path, fault: str) -> None:
    found = opened(CONTENT[fault], folder, 16)
    source = Source(str(folder), folder)
    one = Originals(source, [source.uri(VICTIM)], [found.digest], "set", 16)
    assert (one.take(np.array([0]))[0] == found.pixels).all()


def test_no_content_is_a_traceback(folder: Path) -> None:
    random = np.random.default_rng(0)
    for content in CONTENT.values():
        for _ in range(6):
            spoilt = bytearray(content)
            for place in random.integers(0, max(len(spoilt), 1), 4):
                if spoilt:
                    spoilt[place] = random.integers(256)
            found = opened(bytes(spoilt), folder)
            assert (found.pixels is None) == bool(found.reason)
