"""Text of a table: UTF-8, or what it is instead, and how to mend it; and JSON of other tools."""

from __future__ import annotations

import json
import re
from typing import Any

from assay.errors import SourceError

# Beginnings of files that are no text table: what each is, and the way out.
BEGINNINGS = (
    (rb"PK\x03\x04", "a workbook or another archive (PK…)", "save it as CSV UTF-8 in the spreadsheet"),
    (rb"\xd0\xcf\x11\xe0", "an old or locked workbook", "save it as CSV UTF-8 in the spreadsheet"),
    (rb"\x1f\x8b", "compressed by gzip", "gunzip it"),
    (rb"%PDF", "a PDF", "ask for the table itself"),
    (rb"version https://git-lfs\.github\.com", "a pointer of Git LFS", "git lfs pull"),
    (rb"(?s)(?:md5: \S+\n)?outs:\n- ", "a pointer of DVC", "dvc pull"),
    (rb"(?i)(?:<!doctype html|<html|<head|<body)", "a web page", "fetch the file itself, not its page"),
    (rb"(?i)<\?xml", "XML, as servers answer in", "fetch the file itself"),
    (rb"\{", "JSON, as servers answer in", "fetch the file itself"),
)  # fmt: skip
LONGEST = 300  # digits: more are no float, and from 4,300 on Python reads no int of them
SIGNS = "°µ±²³·×–—‘’“”„…€§ ½¼¾ªº‰†™©®"


def parsed_json(content: bytes | str, **how: Any) -> Any:
    """Return what JSON says, in UTF-8 (with a byte order mark or without), UTF-16 or UTF-32.

    Args:
        content: of the file.
        how: options of `json.loads`.

    Raises:
        ValueError: it is none, nested deeper than Python goes, or has half a character, which no table
            takes.
    """
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content))
    try:
        told = json.loads(text, parse_int=_whole, **how)
        if re.search(r"(?i)\\ud[89a-f]", text):
            json.dumps(json.loads(text), ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("not JSON of this layout: nested too deep") from None
    except UnicodeEncodeError:
        raise ValueError("not JSON of this layout: half a character, a lone \\ud…") from None
    return told


def _whole(digits: str) -> int | float:
    """Return a whole number; beyond what any column holds, infinity, which every reader refuses."""
    return int(digits) if len(digits) < LONGEST else float(digits)


def decoded(content: bytes, where: str) -> str:
    """Return a table's text without byte order marks.

    Raises:
        SourceError: it is empty, another kind of file, or not UTF-8; the encoding is named where it is
            plain.
    """
    if not content.strip():
        raise SourceError(where, "an empty file", "a header and at least one line")
    for beginning, what, mend in BEGINNINGS:
        if re.match(beginning, content.removeprefix(b"\xef\xbb\xbf").lstrip()):
            raise SourceError(where, f"no table but {what}", "a CSV in UTF-8", mend)
    try:
        text = content.decode("utf-8")
        if _wide(content) is None:
            return text.lstrip("\ufeff")
        place = content.index(0)
    except UnicodeDecodeError as fault:
        place = fault.start
    line = content.count(b"\n", 0, place) + 1
    found = f"not UTF-8: byte {place}, in line {line}"
    name = likely_encoding(content)
    mend = "export it again as UTF-8"
    if name:
        found += f"; it looks most like {name}"
        mend = f"iconv -f {name} -t UTF-8, or {mend}"
    raise SourceError(where, found, "a CSV in UTF-8", mend)


def likely_encoding(content: bytes) -> str:
    """Return the encoding that a text plainly has, by the name that iconv knows; else empty."""
    if wide := _wide(content):
        return wide
    for name, codec in (("EUC-KR", "euc_kr"), ("CP949", "cp949")):
        seen = _beyond_ascii(content, codec)
        if sum("가" <= each <= "힣" for each in seen) > 0.9 * len(seen):
            return name
    seen = _beyond_ascii(content, "cp1252")
    plain = all(each in SIGNS or "À" <= each <= "ÿ" or each in "ŠšŽžŒœŸ" for each in seen)
    return "WINDOWS-1252" if seen and plain else ""


def _wide(content: bytes) -> str | None:
    """Return the encoding whose characters have two bytes or four, told by its mark or its NULs."""
    for mark, name in (
        (b"\xff\xfe\0\0", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ):
        if content.startswith(mark):
            return name
    head = content[:200]
    if len(head) > 4 and head[1::2].count(0) > 0.9 * len(head[1::2]):
        return "UTF-16LE"
    return "UTF-16BE" if len(head) > 4 and head[::2].count(0) > 0.9 * len(head[::2]) else None


def _beyond_ascii(content: bytes, codec: str) -> str:
    try:
        return "".join(each for each in content.decode(codec) if not each.isascii())
    except UnicodeDecodeError:
        return ""
