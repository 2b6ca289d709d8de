"""Paths as tables state them, and the files that they mean; listed is only a source that lacks one."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote

import polars as pl

from assay.errors import SourceError
from assay.manifest.source import ABSENT
from assay.manifest.spelling import UNSEEN, stripped

if TYPE_CHECKING:
    from assay.manifest.source import Source

NAMED = 3  # files that a reason names
SHEETS = (".csv", ".tsv", ".xls", ".xlsx", ".ods")
POINTER = ".dvc"  # lies where a file will, once it is pulled
_SEEN = str.maketrans(dict.fromkeys(UNSEEN))
Spelling = Callable[[str], str]
Meant = tuple[str | None, str | None]  # a file, and why it is none


def find_table(source: Source, name: str) -> str | None:
    """Return where a table lies: at the source's root, else in the one folder that has it.

    None where there is none, and where a web server that cannot be listed has none at its root.

    Raises:
        SourceError: it is not at the root, and several folders have it.
    """
    if source.has([name]) in ([True], None):
        return name
    found = [each for each in source.names() or () if posixpath.basename(each) == name]
    if len(found) > 1:
        raise SourceError(
            source.base, f"{len(found)} tables {name}: {', '.join(found[:NAMED])}", "one",
            "take the folder that is meant as the source, or delete the other",
        )  # fmt: skip
    return found[0] if found else None


def no_table(source: Source, *expected: str) -> SourceError:
    """Return the refusal of a source without any of the tables, with what lies there under like names."""
    names = source.names() or []
    like = [each for name in expected for each in alike(posixpath.basename(name), names)]
    like = like or [name for name in names if name.lower().endswith(SHEETS)][:NAMED]
    found = "no table of the published layout" + (f"; there is {', '.join(like)}" if like else "")
    return SourceError(source.base, found, " or ".join(expected), _mend(like))


def _mend(like: list[str]) -> str:
    kinds = {posixpath.splitext(each)[1].lower() for each in like}
    if POINTER in kinds:
        return "dvc pull"
    if kinds & {".xls", ".xlsx", ".ods"}:
        return "save it as CSV UTF-8 in the spreadsheet"
    return "rename it" if like else ""


def resolve_paths(paths: pl.Series, source: Source, folder: str = "") -> pl.DataFrame:
    r"""Return the files that stated paths mean: `uri`, `path` (from the table's folder), and `fault`.

    What is there as it is stated is taken so. Else the file is that whose name is the same but for the
    composition of its letters, `\` for `/`, `.` and empty parts, and blanks at the ends of parts; two
    such files are a fault. Of others, the reason names those that differ by case or extension alone.

    Args:
        paths: as stated, null where empty.
        source: where the files lie; a web server cannot be listed, there nothing is resolved.
        folder: of the table, from which its paths count; empty, or with `/` at its end.
    """
    stated = paths.drop_nulls().unique().to_list()
    full = {path: posixpath.normpath(folder + path) for path in stated if not _stands_alone(path)}
    inside = {path: place for path, place in full.items() if place.split("/", 1)[0] != ".."}
    there = source.has(list(inside.values())) or [True] * len(inside)
    absent = [path for path, has in zip(inside, there, strict=True) if not has]
    meant: dict[str, Meant] = {path: (full.get(path, path), None) for path in stated}
    if absent:
        names = source.names() or []
        same, index = _by(names, composed), _Alike(names)
        meant |= {path: _meant(inside[path], same, index) for path in absent}
    found = [meant.get(path, (None, None)) for path in paths]
    rows = pl.DataFrame(found, {"uri": pl.String, "fault": pl.String}, orient="row")
    return rows.with_columns(path=pl.col("uri").str.strip_prefix(folder))


def composed(path: str) -> str:
    """Return the one spelling of paths that different systems write differently."""
    parts = unicodedata.normalize("NFC", path.replace("\\", "/")).translate(_SEEN).split("/")
    return posixpath.normpath("/".join(stripped(part) for part in parts))


def alike(path: str, names: Iterable[str]) -> list[str]:
    """Return files that a path may have meant: by case alone, else extension, else folder; not many."""
    return _Alike(names).of(path)


class _Alike:
    """Files by spellings that differ more and more from a stated path; made when first asked for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    @cached_property
    def _found(self) -> list[tuple[Spelling, dict[str, list[str]]]]:
        return [(spell, _by(self._names, spell)) for spell in (_cased, _stem, _bare)]

    def of(self, path: str) -> list[str]:
        found = (files.get(spell(path), []) for spell, files in self._found)
        return next((each[:NAMED] for each in found if each), [])


def _meant(path: str, same: Mapping[str, list[str]], index: _Alike) -> Meant:
    found = same.get(composed(path), [])
    if len(found) == 1:
        return found[0], None
    if found:
        said = ", ".join(f"{name} ({_form(name)})" for name in found)
        return path, f"{len(found)} files are called so: {said}"
    like = index.of(path)
    return path, f"{ABSENT}; there is {', '.join(like)}" if like else None


def _by(names: Iterable[str], spell: Spelling) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(spell(name), []).append(name)
    return found


def _cased(path: str) -> str:
    return unicodedata.normalize("NFKC", composed(unquote(path))).casefold().removesuffix(POINTER)


def _stem(path: str) -> str:
    return posixpath.splitext(_cased(path))[0]


def _bare(path: str) -> str:
    return posixpath.basename(_cased(path))


def _form(name: str) -> str:
    return "composed" if unicodedata.is_normalized("NFC", name) else "decomposed"


def _stands_alone(path: str) -> bool:
    return "://" in path or posixpath.isabs(path)
