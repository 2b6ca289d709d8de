"""Mutations of published sets: what transfers, disks, editors and people make of a file.

A mutation is a kind, a file by number among those that the kind is for, and a seed: the same three give
the same bytes, so that one that was found stays.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

TRICKY = (
    "", " ", '"', '""', '"x', "'", ",", ";", "\t", ";;", "NaN", "nan", "inf", "-Infinity", "1e999",
    "-1e999",
    "9,5", "1.234,5", "1,234.5", "0x10", "1_0", "１０", "٣", "½", "−9", "\u202e9.5", "\u200b9.5",
    "\ufeff", "\0",
    "a\0b", "9.5\0", "x" * 200_000, "9" * 5000, "0." + "0" * 5000 + "1", "true", "null", "None",
    "-0", "12-May",
    "=1+1", "#DIV/0!", "../../../etc/passwd", "/etc/passwd", "/", ".", "..", "http://",
    "http://127.0.0.1:9/x",
    "zip://x", "file:///etc/passwd", "C:\\x\\y.png", "a/" * 500 + "b", "é", "e\u0301", "🫀",
    "\ud7ff", "%00", "~",
    "{}", "{0}", "[]", "$HOME", "`id`", "con", "a\\b", "::", "zip://a::b", "memory://x", "://",
    "s3:/x", "*", "?",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**400, -(10**30), 2**63, 0.5, 1e308, float("nan"), float("inf"),
    "", "x", "1",
    "NaN", "\0", "x" * 100_000, [], {}, [[]], [None], [0, 0, 0, 0], {"": {}}, [1e308] * 4, ["1",
    "2"], "한", "\ud800",
)  # fmt: skip
BLOWN_UP = b"a\0\0" + zlib.compress(b"\0" * 10**7)
DTYPES = ("<f8", ">f4", "<f4", "|u1", "<i8", "|O", "<U9", "|b1", "<c8", "|V4", "<M8[s]", "x")
SHAPES = (
    "()", "(0,)", "(-1, 1)", "(1,)", "(10**9, 9)", "(99999999999, 1, 32, 32)", "'x'", "(1.5,)", "None",
)  # fmt: skip
CHUNKS = (b"iCCP", b"eXIf", b"tRNS", b"PLTE", b"gAMA", b"zTXt", b"acTL", b"tEXt")
MARKERS = (0xC0, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE)
PNG_HEAD, JPEG = b"\x89PNG\r\n\x1a\n", (".jpg", ".jpeg")
TEXT = (".csv", ".json", ".txt", ".xml", ".yaml")
CELLS = (  # what a sheet's references, kinds and styles may be
    "A1", "B2", "XFD1048576", "A0", "ZZZZ9", "1", "-1", "99999999", "s", "n", "b", "e", "d", "str",
    "inlineStr", "2024-05-09", "1E400", "1E300", "14", "9", "0.45",
)  # fmt: skip
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"


@dataclass(frozen=True)
class Mutation:
    """What is done to which file."""

    kind: str
    file: int
    seed: int

    def apply(self, folder: Path) -> list[str]:
        """Mutate one file below `folder`; return which names it touched, none where nothing could be."""
        endings, change = KINDS[self.kind]
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = [path for path in files if not endings or path.suffix.lower() in endings]
        if not files:
            return []
        path = files[self.file % len(files)]
        touched = [path]
        random = Random(self.seed)
        if self.kind in IN_PLACE:
            path.write_bytes(change(path.read_bytes(), random))
        else:
            touched += change(path, random) or []
        return [str(each.relative_to(folder)) for each in touched]


def _cut_out(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.choice((1, 2, 7, 64, 4096)))


def flipped(content: bytes, random: Random) -> bytes:
    found = bytearray(content)
    for _ in range(random.choice((1, 1, 3, 20)) if found else 0):
        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return bytes(found)


def cut(content: bytes, random: Random) -> bytes:
    start, end = _cut_out(content, random)
    return content[:start] + content[end:]


def cut_off(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def inserted(content: bytes, random: Random) -> bytes:
    start, _ = _cut_out(content, random)
    more = random.choice(
        (b"\0", b"\xff\xfe", b"\n", b"\r", b'"', b"\xef\xbb\xbf", random.randbytes(9))
    )
    return content[:start] + more + content[start:]


def zeroed(content: bytes, random: Random) -> bytes:
    start, end = _cut_out(content, random)
    return content[:start] + b"\0" * (end - start) + content[end:]


def repeated(content: bytes, random: Random) -> bytes:
    start, end = _cut_out(content, random)
    return content[:end] + content[start:end] + content[end:]


def recoded(content: bytes, random: Random) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(
        random.choice(("utf-16", "utf-16-le", "utf-8-sig", "cp1252", "cp949")), "replace"
    )


def in_lines(change: Callable[[list[bytes], int, Random], list[bytes]]) -> Callable[..., bytes]:
    def mutated(content: bytes, random: Random) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join(change(lines, random.randrange(len(lines)), random)) if lines else content

    return mutated


def swapped(lines: list[bytes], at: int, random: Random) -> list[bytes]:
    other = random.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    return lines


def joined(lines: list[bytes], at: int, random: Random) -> list[bytes]:
    lines[at] = lines[at].rstrip(b"\r\n")
    return lines


def field(content: bytes, random: Random) -> bytes:
    """Put a tricky value into a field of a table, as it is, or quoted."""
    lines = content.decode("utf-8", "replace").split("\n")
    at = random.randrange(len(lines))
    fields = lines[at].split(",")
    value = random.choice(TRICKY)
    fields[random.randrange(len(fields))] = f'"{value}"' if random.random() < 0.3 else value
    lines[at] = ",".join(fields)
    return "\n".join(lines).encode("utf-8", "replace")


def _places(told: Any) -> list[tuple[Any, Any]]:
    """Return where every value of a JSON stands: its container, and its key."""
    items = told.items() if isinstance(told, dict) else enumerate(told)
    found: list[tuple[Any, Any]] = []
    for key, value in list(items):
        found.append((told, key))
        if isinstance(value, dict | list):
            found += _places(value)
    return found


def json_value(content: bytes, random: Random) -> bytes:
    return _in_json(
        content, random, lambda holder, key: holder.__setitem__(key, random.choice(VALUES))
    )


def json_key(content: bytes, random: Random) -> bytes:
    """Take a value out, put one twice, or wrap it."""

    def change(holder: Any, key: Any) -> None:
        kind = random.randrange(4)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder[key] = [holder[key]]
        elif kind == 2:
            holder[key] = str(holder[key])
        elif isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[f"{key} "] = holder.pop(key)

    return _in_json(content, random, change)


def _in_json(content: bytes, random: Random, change: Callable[[Any, Any], Any]) -> bytes:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return content
    places = _places(told) if isinstance(told, dict | list) else []
    if not places:
        return json.dumps(random.choice(VALUES)).encode()
    change(*random.choice(places))
    return json.dumps(told).encode()


def json_text(content: bytes, random: Random) -> bytes:
    """Change what no value can be: duplicate keys, depth, comments, single quotes."""
    text = content.decode("utf-8", "replace")
    kind = random.randrange(6)
    if kind == 0:
        return re.sub(r'("[^"]*"): ?("[^"]*"|[\d.]+)', r"\1: 0, \1: \2", text, count=1).encode()
    if kind == 1:
        return ("[" * 100_000 + "]" * 100_000).encode()
    if kind == 2:
        return ('{"a":' * 5000 + "1" + "}" * 5000).encode()
    if kind == 3:
        return text.replace('"', "'").encode()
    if kind == 4:
        return f"[{text}]".encode()
    return re.sub(r"\d+", "9" * 5000, text, count=1).encode()


def png(content: bytes, random: Random) -> bytes:  # noqa: C901 - a branch a kind
    """Mutate chunks, their checksums made right: what the content says, not how it was carried."""
    if not content.startswith(PNG_HEAD):
        return flipped(content, random)
    chunks, at = [], len(PNG_HEAD)
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    place = random.randrange(len(chunks))
    name, body = chunks[place]
    kind = random.randrange(7)
    if kind == 0:
        del chunks[place]
    elif kind == 1:
        chunks.insert(place, (name, body))
    elif kind == 2:
        random.shuffle(chunks)
    elif kind == 3:
        chunks[place] = (name, flipped(body, random))
    elif kind == 4:
        head = bytearray(chunks[0][1])
        at = random.randrange(13)
        head[at : at + 1] = bytes([random.choice((0, 1, 3, 4, 8, 16, 255))])
        chunks[0] = (b"IHDR", bytes(head))
    elif kind == 5:
        more = random.choice(CHUNKS)
        chunks.insert(1, (more, random.choice((b"", EXIF[6:], random.randbytes(30), BLOWN_UP))))
    else:
        chunks[place] = (name, body[: random.randrange(len(body) + 1)])
    parts = (
        struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks
    )
    return PNG_HEAD + b"".join(parts)


def jpeg(content: bytes, random: Random) -> bytes:
    """Mutate a marker, a segment's length, or its EXIF."""
    marks = [found.start() for found in re.finditer(rb"\xff[\xc0-\xfe]", content)]
    kind = random.randrange(4)
    if kind == 0 or not marks:
        told = (
            EXIF + bytes((random.randrange(4), random.randrange(256), 0, 0)) + random.randbytes(4)
        )
        return content[:2] + b"\xff\xe1" + struct.pack(">H", len(told) + 2) + told + content[2:]
    at, found = random.choice(marks), bytearray(content)
    if kind == 1:
        found[at + 1] = random.choice(MARKERS)
    elif kind == 2:
        found[at + 2 : at + 4] = random.choice((b"\0\0", b"\0\1", b"\xff\xff", b"\0\x08"))
    else:
        found[at + 4 : at + 20] = random.randbytes(16)
    return bytes(found)


def npy(content: bytes, random: Random) -> bytes:
    """Mutate the header of an array: its version, length, kind, order or shape."""
    if content[:6] != b"\x93NUMPY":
        return flipped(content, random)
    (length,) = struct.unpack("<H", content[8:10])
    head, body = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    kind = random.randrange(6)
    if kind == 0:
        return content[:6] + bytes((random.randrange(5), random.randrange(3))) + content[8:]
    if kind == 1:
        return (
            content[:8]
            + struct.pack("<H", random.choice((0, 1, length - 1, length + 64, 65535)))
            + content[10:]
        )
    if kind == 2:
        head = re.sub(r"'descr': '[^']*'", f"'descr': '{random.choice(DTYPES)}'", head)
    elif kind == 3:
        head = head.replace("False", random.choice(("True", "0", "None", "'x'")))
    elif kind == 4:
        head = re.sub(r"\(.*\)", random.choice(SHAPES), head)
    else:
        head = "".join(random.choice((each, each, each, each, "x")) for each in head)
    head = head.rstrip() + " " * 200
    text = head[: len(head) - 1].encode("latin1") + b"\n"
    return content[:8] + struct.pack("<H", len(text)) + text + body


def workbook(content: bytes, random: Random) -> bytes:
    """Mutate one member of a workbook, which stays a sound archive; mostly a sheet, in its XML."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            members = {name: book.read(name) for name in book.namelist()}
    except zipfile.BadZipFile:
        return flipped(content, random)
    sheets = [name for name in members if "/sheet" in name] * 8
    name = random.choice([*members, *sheets])
    members[name] = random.choice((xml, xml, xml, flipped, cut, zeroed))(members[name], random)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as book:
        for each, body in members.items():
            book.writestr(zipfile.ZipInfo(each), body)
    return stream.getvalue()


def xml(content: bytes, random: Random) -> bytes:
    """Put something tricky in the place of an attribute's value or of a text."""
    found = list(re.finditer(rb'="([^"]*)"|>([^<]+)<', content))
    if not found:
        return flipped(content, random)
    which = random.choice(found)
    start, end = which.span(1) if which[1] is not None else which.span(2)
    value = random.choice((*TRICKY, *CELLS)).replace("&", "&amp;").replace("<", "&lt;")
    text = value.replace('"', "&quot;").replace("\0", "")
    return content[:start] + text.encode("utf-8", "replace") + content[end:]


def emptied(path: Path, random: Random) -> None:
    path.write_bytes(
        random.choice((b"", b"\0" * 100, b"\n", b" ", b"<html></html>", b"\xef\xbb\xbf"))
    )


def renamed(path: Path, random: Random) -> list[Path]:
    to = random.choice((
        f"{path.name}.bak", path.name.upper(), f" {path.name}", path.stem,
        f"{path.stem} (1){path.suffix}",
        f".{path.name}", f"x{path.name}", f"{path.stem}.tiff", "\u202e.png", "한.png", "a\nb.png",
    ))  # fmt: skip
    return [path.rename(path.with_name(to))]


def doubled(path: Path, random: Random) -> list[Path]:
    ending = random.choice((".jpg", ".png", ".json", ".csv", ".npy", ".xlsx", ".txt", "", ".PNG"))
    to = path.with_name(random.choice((path.stem, f"{path.stem}_1", path.stem.upper())) + ending)
    if not to.exists():
        to.write_bytes(path.read_bytes())
    return [to]


def moved(path: Path, random: Random) -> list[Path]:
    to = path.parent / random.choice(("deeper", "..", "masks", "0"))
    to.mkdir(exist_ok=True)
    if (to / path.name).is_dir():
        return []
    return [path.rename(to / path.name)]


def a_folder(path: Path, random: Random) -> None:
    path.unlink()
    path.mkdir()
    if random.random() < 0.5:
        (path / "x").write_bytes(b"x")


def a_link(path: Path, random: Random) -> None:
    path.unlink()
    path.symlink_to(random.choice(("nowhere", path.name, "/dev/null", "/", "..")))


def gone(path: Path, random: Random) -> None:
    path.unlink()


IN_PLACE: dict[str, tuple[tuple[str, ...], Callable[..., bytes]]] = {
    "flipped": ((), flipped), "cut": ((), cut), "cut off": ((), cut_off), "inserted": ((), inserted),
    "zeroed": ((), zeroed), "repeated": ((), repeated), "recoded": (TEXT, recoded),
    "lines swapped": (TEXT, in_lines(swapped)), "lines joined": (TEXT, in_lines(joined)),
    "line dropped": (TEXT, in_lines(lambda lines, at, random: lines[:at] + lines[at + 1 :])),
    "line doubled": (TEXT, in_lines(lambda lines, at, random: lines[: at + 1] + lines[at:])),
    "field": ((".csv",), field), "field again": ((".csv",), field),
    "flipped text": (TEXT, flipped), "zeroed text": (TEXT, zeroed), "cut text": (TEXT, cut),
    "json value": ((".json",), json_value), "json key": ((".json",), json_key),
    "json text": ((".json",), json_text), "png": ((".png",), png), "jpeg": (JPEG, jpeg),
    "npy": ((".npy",), npy), "workbook": ((".xlsx",), workbook), "workbook again": ((".xlsx",), workbook),
}  # fmt: skip
KINDS: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    **IN_PLACE, "emptied": ((), emptied), "renamed": ((), renamed), "doubled": ((), doubled),
    "moved": ((), moved), "a folder": ((), a_folder), "a link": ((), a_link), "gone": ((), gone),
}  # fmt: skip
