"""One label file: COCO-like, one image of 50 fields and one pill, decoded by msgspec.

Fields that the class, the box or the pairing hang on are typed; the others may be any plain value and
are kept as they are. What is wrong becomes one reason in words, never an exception.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

Plain = str | int | float | bool | None
Number = int | float

# What changes from shot to shot, and what is said of the drug: 3 + 4 + 7 + 36 = 50 fields.
SHOT = ("drug_S", "back_color", "drug_dir", "light_color", "camera_la", "camera_lo", "size")
DRUG = (
    "drug_N", "dl_idx", "dl_name", "dl_name_en", "img_key", "dl_material", "dl_material_en",
    "dl_custom_shape", "dl_company", "dl_company_en", "di_company_mf", "di_company_mf_en", "item_seq",
    "di_item_permit_date", "di_class_no", "di_etc_otc_code", "di_edi_code", "chart", "drug_shape",
    "thick", "leng_long", "leng_short", "print_front", "print_back", "color_class1", "color_class2",
    "line_front", "line_back", "img_regist_ts", "form_code_name", "mark_code_front_anal",
    "mark_code_back_anal", "mark_code_front_img", "mark_code_back_img", "mark_code_front",
    "mark_code_back", "change_date",
)  # fmt: skip
OWN = ("file_name", "width", "height", "imgfile", "dl_mapping_code", "id")
FIELDS = (*OWN, *SHOT, *DRUG)

# Built from the lists above: a class would spell 50 names a second time.
_Image = msgspec.defstruct(
    "Image",
    [("file_name", str), ("width", Number), ("height", Number), ("dl_mapping_code", str),
     *((name, Plain, None) for name in ("imgfile", "id", *SHOT, *DRUG))],
    gc=False,
)  # fmt: skip

if TYPE_CHECKING:
    Image = Any
else:
    Image = _Image


class Annotation(msgspec.Struct, gc=False):
    """One pill."""

    bbox: tuple[Number, Number, Number, Number] | None = None
    category_id: Plain = None


class Label(msgspec.Struct, gc=False):
    """One file; every label of the set has exactly one image."""

    images: tuple[Image]
    annotations: list[Annotation]


shot_of, drug_of = attrgetter(*SHOT), attrgetter(*DRUG)
_decode = msgspec.json.Decoder(Label).decode
# A key that stands twice says two things, of which decoders keep the last.
ONCE = [f'"{key}"'.encode() for key in ("images", "annotations", "file_name", "width", "height",
                                        "dl_mapping_code")]  # fmt: skip
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_label(path: str, size: int) -> Label | str:
    """Return a label of `size` bytes, or the reason why it cannot be used."""
    if size == 0:
        return "label: zero bytes"
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            content = os.read(file, size + 1)
        finally:
            os.close(file)
    except OSError as fault:
        return f"label: cannot be read: {fault.strerror}"
    if len(content) != size:
        return "label: changed while it was read"
    return decode_label(content)


def decode_label(content: bytes) -> Label | str:
    """Return what a label's bytes say, or the reason why they say nothing."""
    try:
        if content.startswith(UTF_16):
            content = content.decode("utf-16").encode()
        label = _decode(content.removeprefix(codecs.BOM_UTF8))
    except msgspec.ValidationError as fault:
        return f"label: {fault}"
    except (msgspec.DecodeError, UnicodeError) as fault:
        said = next((word for word in ("NaN", "Infinity") if word.encode() in content), "")
        return f"label: not JSON: {said and f'{said}, which JSON does not have; '}{fault}"
    except RecursionError:
        return "label: not JSON: nested too deeply"
    return _contradiction(label, content) or label


def _contradiction(label: Label, content: bytes) -> str:
    """Return what a label says twice or not at all, or an empty text."""
    pills = label.annotations
    if not pills:
        return "label: no annotation"
    if len({pill.category_id for pill in pills}) > 1:
        return "label: pills of several categories under one code"
    if any(content.count(key) > 1 for key in ONCE) or content.count(b'"bbox"') > len(pills):
        twice: list[str] = []
        json.loads(content, object_pairs_hook=lambda pairs: _note(pairs, twice))
        if twice:
            return f"label: {twice[0]} stands twice in one object"
    return ""


def _note(pairs: Sequence[tuple[str, Any]], twice: list[str]) -> None:
    keys = [key for key, _ in pairs]
    twice += [key for key in keys if keys.count(key) > 1]
