"""What the names of AI-Hub 576 say: parts, K folders, photographs; in English and in Korean.

.../images/single/TS_1_single/K-000030/K-000030_0_2_0_1_90_300_200.png
.../원천데이터/TS_1_조합/K-000250-000573/K-000250-000573_0_2_0_2_70_000_200.png
.../라벨링데이터/TL_1_조합/K-000250-000573_json/K-000250/K-000250-000573_0_2_0_2_70_000_200.json
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

import polars as pl

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
NOTES = (".json", ".txt", ".xml", ".csv")  # beside photographs: boxes, outlines
INDEX = "_index.png"  # a contact sheet without a label
TRAIN, TEST = "train", "test"
SINGLE, COMBINATION = "single", "combination"
MODES = {"단일": SINGLE, "single": SINGLE, "조합": COMBINATION, "combo": COMBINATION,
         "combination": COMBINATION}  # fmt: skip
HALVES = ("images", "labels", "원천데이터", "라벨링데이터")
PART = re.compile(r"([TV])([SL])_(\d+)_(" + "|".join(MODES) + ")")
LIKE_PART = re.compile(r"[TV][SL]_?\d+(?:\D|$)", re.IGNORECASE)  # nobody else names a folder so
# One drug is K and six digits; a combination joins the digits of several.
CODES = r"^K-(\d{6}(?:-\d{6})*)"
WHOLE_CODE = r"^K-\d{6}$"
VIEW = r"(?:_\d+){3}$"  # camera latitude, longitude, and the size, at the end of a stem


@dataclass(frozen=True)
class Archive:
    """One published archive, as a folder.

    Attributes:
        key: what its images and its labels share: the folder above both, letter, number, mode.
        name: of its images, such as `TS_1_single`.
        subset: `train`, or `test`: the validation parts are the published test set.
        mode: `single` or `combination`.
        is_labels: whether it holds labels.
    """

    key: str
    name: str
    subset: str
    mode: str
    is_labels: bool


def part_of(folder: str) -> Archive | None:
    """Return which part the folder (relative, with `/`) is; None where it is none.

    A file system may hold Korean names decomposed (macOS does); they are composed first.
    """
    *above, last = unicodedata.normalize("NFC", folder).split("/")
    found = PART.fullmatch(last)
    if found is None:
        return None
    letter, kind, number, word = found.groups()
    half = next((place for place, name in enumerate(above) if name in HALVES), len(above))
    root, mode = "/".join(above[:half]), MODES[word]
    is_test = letter == "V" or TEST in above
    key = f"{root}|{letter}{number}|{mode}"
    return Archive(key, f"{letter}S_{number}_{word}", TEST if is_test else TRAIN, mode, kind == "L")


def untaken(name: str) -> str:
    """Return the fault of a file that is no photograph of a type that is taken; empty where it is one."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in EXTENSIONS:
        return ""
    return f"file type {suffix or 'without a name'}, expected one of {', '.join(EXTENSIONS)}"


def stem(name: pl.Expr) -> pl.Expr:
    """Return file names without their extension."""
    return name.str.replace(r"\.\w+$", "")


def session(name: pl.Expr) -> pl.Expr:
    """Return the photo session: the file name without camera angle and size.

    `K-000030_0_2_0_1_90_300_200.png` is of the session `K-000030_0_2_0_1`; a name without these tokens
    is a session of its own.
    """
    return stem(name).str.replace(VIEW, "")


def codes_named(name: pl.Expr) -> pl.Expr:
    """Return the K-codes in a file's or a folder's name, sorted, as a list; empty where none."""
    digits = name.str.extract(CODES).str.split("-").list.sort()
    return digits.list.eval(pl.lit("K-") + pl.element()).fill_null([])
