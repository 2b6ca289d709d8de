"""Masks that are not what they seem: each line of docs/bad-input.md is planted, and seen."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests import promises
from tests.masks_set import MASKS, manifest

from assay.errors import SourceError
from assay.gates.labels import judge_labels
from assay.manifest.index import BROKEN, OK

PROMISED = promises.promised("Masks")
WIDTH, HEIGHT = 40, 30
IMAGE, MASK = "images/b.png", "masks/b.png"
Spoil = Callable[[Path], object]


def picture(seed: int = 1, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def drawn() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:20, 8:30] = 1
    return mask


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def png(mask: np.ndarray, depth: int, interlaced: bool = False) -> bytes:
    """Write grey PNG of any depth, and interlaced, which Pillow reads and does not write."""
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
             (0, 1, 1, 2)]  # fmt: skip
    passes = [mask[y::dy, x::dx] for x, y, dx, dy in steps] if interlaced else [mask]
    content = b""
    for rows in passes:
        bits = np.unpackbits(rows[..., None], axis=2)[..., 8 - depth :].reshape(len(rows), -1)
        content += b"".join(b"\0" + row.tobytes() for row in np.packbits(bits, axis=1))
    header = struct.pack(">IIBBBBB", mask.shape[1], mask.shape[0], depth, 0, 0, 0, int(interlaced))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(content)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(each)) + name + each + struct.pack(">I", zlib.crc32(name + each))
        for name, each in chunks
    )


def exif(turn: int) -> Image.Exif:
    told = Image.Exif()
    told[0x0112] = turn
    return told


def put(name: str, content: bytes, instead: str = "") -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / (instead or name)).unlink(missing_ok=True)
        (folder / name).write_bytes(content)

    return spoil


def mask(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return put(MASK, saved(Image.fromarray(change(drawn()).astype(np.uint8))))


def palette(**options: object) -> bytes:
    image = Image.fromarray(drawn())
    image.putpalette([255, 255, 255, 0, 0, 0])  # the ground is white, the pill black
    return saved(image, **options)


def soft(pills: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pills * 255).resize((WIDTH * 3, HEIGHT * 3))
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR).rotate(7, 3))


def renamed(old: str, new: str) -> Spoil:
    return lambda folder: (folder / old).rename(folder / new)


def together(*spoils: Spoil) -> Spoil:
    return lambda folder: [spoil(folder) for spoil in spoils]


def turned(turn: int, method: Image.Transpose, seen: Image.Image | None = None) -> Spoil:
    """Turn the stored photograph, so that it is seen as before."""
    image = (seen or picture()).transpose(method)
    return put(IMAGE, saved(image, exif=exif(turn)))


def down(folder: Path) -> None:
    (folder / "pills set").mkdir()
    for name in ("images", "masks", "classes.json"):
        if (folder / name).exists():
            (folder / name).rename(folder / "pills set" / name)


def packed(folder: Path) -> None:
    """Pack the set as macOS does, one folder down; `.zip` in place of the folder."""
    down(folder)
    (folder / "__MACOSX/images").mkdir(parents=True)
    (folder / "__MACOSX/images/._a.png").write_bytes(b"macOS")
    shutil.make_archive(str(folder), "zip", folder)


def square(folder: Path) -> None:
    turned(6, Image.Transpose.ROTATE_90, picture(size=(HEIGHT, HEIGHT)))(folder)
    put(MASK, saved(Image.fromarray(drawn()[:, :HEIGHT])))(folder)


LA = Image.merge("LA", [Image.fromarray(drawn()), Image.fromarray(drawn() * 255)])
OTHER = {"save_all": True, "append_images": [Image.fromarray(drawn()[::-1])]}
PLANTS: dict[str, Spoil] = {
    "two photographs of one name": put("images/b.jpg", saved(picture(), "JPEG")),
    "two photographs whose names differ by composition": together(
        put("images/" + normalize("NFC", "흰색.png"), saved(picture(8)), IMAGE),
        put("images/" + normalize("NFD", "흰색.png"), saved(picture(9)), MASK),
        put("masks/흰색.png", saved(Image.fromarray(drawn()))),
    ),
    "two masks of one name": put("masks/b.PNG", saved(Image.fromarray(drawn()))),
    "two masks of one name in two formats": put("masks/b.bmp", saved(Image.fromarray(drawn()), "BMP")),
    "mask in another case than its photograph": renamed(MASK, "masks/B.png"),
    "mask named after its photograph and more": renamed(MASK, "masks/b_mask.png"),
    "mask decomposed, photograph composed": together(
        renamed(IMAGE, "images/" + normalize("NFC", "흰색.png")),
        renamed(MASK, "masks/" + normalize("NFD", "흰색.png")),
    ),
    "mask drawn in 0 and 255": mask(lambda pills: pills * 255),
    "mask drawn in other numbers": mask(lambda pills: pills * 100),
    "mask with soft edges": mask(soft),
    "mask inverted": mask(lambda pills: 1 - pills),
    "mask all pill": mask(np.ones_like),
    "mask all ground": mask(np.zeros_like),
    "mask of another size": mask(lambda pills: pills[:-1]),
    "mask that lies on its side": mask(lambda pills: pills.T),
    "mask as JPEG": put("masks/b.jpg", saved(Image.fromarray(drawn()), "JPEG"), MASK),
    "mask as JPEG named .png": put(MASK, saved(Image.fromarray(drawn()), "JPEG")),
    "mask as TIFF": put("masks/b.tif", saved(Image.fromarray(drawn()), "TIFF"), MASK),
    "mask as GIF": put("masks/b.gif", saved(Image.fromarray(drawn()), "GIF"), MASK),
    "mask with alpha": put(MASK, saved(LA)),
    "mask in colours": put(MASK, saved(Image.fromarray(drawn()).convert("RGB"))),
    "mask of 16 bits": put(MASK, saved(Image.fromarray(drawn().astype(np.uint16)))),
    "mask of 4 bits": put(MASK, png(drawn(), 4)),
    "mask of 2 bits": put(MASK, png(drawn(), 2)),
    "mask of one bit": put(MASK, png(drawn(), 1)),
    "mask interlaced": put(MASK, png(drawn(), 8, interlaced=True)),
    "mask with a palette in another order": put(MASK, palette()),
    "mask with a palette and transparency": put(MASK, palette(transparency=0)),
    "mask with a colour profile": put(MASK, saved(Image.fromarray(drawn()), icc_profile=b"profile")),
    "mask that EXIF turns": put(MASK, saved(Image.fromarray(drawn()), exif=exif(3))),
    "mask of several pictures": put(MASK, saved(Image.fromarray(drawn()), **OTHER)),
    "mask of zero bytes": put(MASK, b""),
    "mask cut off": put(MASK, saved(Image.fromarray(drawn()))[:-30]),
    "web page in a mask's place": put(MASK, b"<html>not found</html>"),
    "boxes in a mask's place": put("masks/b.txt", b"0 0.5 0.5 1 1\n", MASK),
    "boxes beside photograph and mask": together(
        put("masks/b.json", b"{}"), put("images/b.txt", b"0 0.5 0.5 1 1\n")
    ),
    "mask that is a link to nowhere": together(
        put(MASK, b""), lambda folder: (folder / MASK).unlink(),
        lambda folder: (folder / MASK).symlink_to(folder / "nowhere.png"),
    ),
    "photograph of type .tif": put("images/b.tif", saved(picture(), "TIFF"), IMAGE),
    "photograph of type .gif": put("images/b.gif", saved(picture(), "GIF"), IMAGE),
    "photograph of type .dcm": renamed(IMAGE, "images/b.dcm"),
    "photograph of type .HEIC": renamed(IMAGE, "images/b.HEIC"),
    "photograph without a suffix": renamed(IMAGE, "images/b"),
    "photograph turned by 180°": turned(3, Image.Transpose.ROTATE_180),
    "photograph mirrored": turned(2, Image.Transpose.FLIP_LEFT_RIGHT),
    "square photograph turned by 90°": square,
    "photograph turned by 90°, its mask upright": turned(6, Image.Transpose.ROTATE_90),
    "photograph turned by 90°, its mask not": together(
        turned(6, Image.Transpose.ROTATE_90), mask(lambda pills: pills.T)
    ),
    "macOS leftovers beside masks": together(
        put("masks/._b.png", b"macOS"), put("images/._b.png", b"macOS"), put(".DS_Store", b"macOS")
    ),
    "set one folder down": down,
    "set one folder down in a .zip": packed,
    "several sets in one folder": lambda folder: (
        shutil.copytree(folder, folder / "x"), shutil.copytree(folder / "x", folder / "y"),
        shutil.rmtree(folder / "images"), shutil.rmtree(folder / "masks"),
    ),
    "a set within a set": lambda folder: [
        shutil.copytree(folder / half, folder / "old" / half) for half in ("images", "masks")
    ],
    "classes.json that is nested too deeply": put("classes.json", b"[" * 200_000),
    "classes.json with half a character": put("classes.json", rb'["ground", "\ud800"]'),
    "classes.json whose ground is not first": put("classes.json", b'["pill", "Background"]'),
    "classes.json with a byte order mark": put("classes.json", b'\xef\xbb\xbf["ground", "pill"]'),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for half in ("images", "masks"):
        (tmp_path / "set" / half).mkdir(parents=True)
    for number, name in enumerate("abcd"):
        (tmp_path / f"set/images/{name}.png").write_bytes(saved(picture(number)))
        (tmp_path / f"set/masks/{name}.png").write_bytes(saved(Image.fromarray(drawn())))
    return tmp_path / "set"


def ingested(folder: Path) -> pl.DataFrame:
    archive = folder.with_suffix(".zip")
    return manifest(archive if archive.exists() else folder, folder.parent)[0]


def of_outcome(*outcomes: str) -> list[str]:
    return [fault for fault, (outcome, _) in PROMISED.items() if outcome in outcomes]


def test_every_line_is_planted() -> None:
    assert set(PROMISED) == set(PLANTS)
    assert set(of_outcome("row", "both rows", "read", "refused")) == set(PLANTS)


@pytest.mark.parametrize("fault", of_outcome("row", "both rows"))
def test_a_bad_mask_is_told_and_no_other_is_lost(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    table = ingested(folder)
    broken = table.filter(pl.col("status") == BROKEN)
    assert len(broken) == (1 if PROMISED[fault][0] == "row" else 2)
    assert all(PROMISED[fault][1] in reason for reason in broken["reason"]), broken["reason"]
    assert set(table.filter(pl.col("status") == OK)["sample_id"]) == {
        f"images/{name}.png" for name in "acd"
    }
    assert broken["mask"].null_count() == len(broken)
    share = judge_labels(table, "covered", MASKS.rules(), "stop", 0.0, MASKS.name)[0]
    assert not share.passed
    assert {row["reason"] for row in share.rows} == set(broken["reason"])


@pytest.mark.parametrize("fault", of_outcome("read"))
def test_what_is_unusual_but_clear_is_read(folder: Path, fault: str) -> None:
    plain = ingested(folder)
    PLANTS[fault](folder)
    table = ingested(folder)
    assert table["reason"].null_count() + (table["reason"] == "").sum() == 4, table["reason"]
    assert table["mask"].to_list() == plain["mask"].to_list()
    assert table["covered"].to_list() == plain["covered"].to_list()


@pytest.mark.parametrize("fault", of_outcome("refused"))
def test_a_set_that_means_two_things_is_refused(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    with pytest.raises(SourceError) as refused:
        ingested(folder)
    assert PROMISED[fault][1] in refused.value.found
    assert refused.value.expected
