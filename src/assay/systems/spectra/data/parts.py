"""The parts of a published set: `.npy` files that belong together, as their headers describe them.

binary_dataset_128_<k>.npy    (n, 1, side, side) or (n, side, side): 0 and 1, or 0 and 255
spectra_latest_<k>.npy        (n, 3, 301) or (n, 301, 3) floats that are float32
spectra_latest_valid_<k>.npy  (n,) codes: 0 not computed, 1 computed, 2 failed; may be absent
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from assay.errors import SourceError
from assay.systems.spectra.data.npy import converted, read_header

if TYPE_CHECKING:
    from assay.manifest.source import Source
    from assay.systems.spectra.data.npy import File

SPECTRA, VALID = "spectra_latest_{}.npy", "spectra_latest_valid_{}.npy"
KINDS = {
    "structures": re.compile(r"binary_dataset_\d+_(\d+)\.npy"),
    "spectra": re.compile(r"spectra_latest_(\d+)\.npy"),
    "valid": re.compile(r"spectra_latest_valid_(\d+)\.npy"),
}
NAMES = {"structures": "binary_dataset_128_{}.npy", "spectra": SPECTRA, "valid": VALID}
CHANNELS, BINS = 3, 301


@dataclass(frozen=True)
class RawPart:
    """Files whose rows belong together by number."""

    number: int
    structures: File
    spectra: File
    valid: File | None

    @property
    def files(self) -> list[File]:
        """Return the files that there are."""
        return [each for each in (self.structures, self.spectra, self.valid) if each is not None]

    @property
    def side(self) -> int:
        """Return the side of a structure, px."""
        return self.structures.shape[-1]

    def __len__(self) -> int:
        return self.structures.shape[0]


def find_parts(source: Source) -> list[RawPart]:
    """Return the parts of a source, by their numbers.

    Raises:
        SourceError: it is no local folder, holds no part, or a file is not what its header says.
    """
    if source.is_remote or source.base.endswith(".zip"):
        raise SourceError(
            source.base,
            "arrays are streamed from a local folder, not from an archive or over a network",
            "a folder of .npy files",
            "unpack or copy it (unzip, aws s3 cp --recursive, curl), then source=<that folder>",
        )
    held = _by_number(source, source.names() or [])
    parts = [_part(source, number, held[number]) for number in sorted(held)]
    if len(sides := {part.side: part for part in parts}) > 1:
        found = ", ".join(f"part {part.number}: {side} px" for side, part in sides.items())
        raise SourceError(
            source.base, f"structures of several sides ({found})", "one size in all parts",
            "a folder a size: move the others' files into one of their own",
        )  # fmt: skip
    return parts


def oddities(source: Source, parts: Sequence[RawPart]) -> list[str]:
    """Return what is told of a source and refuses nothing: numbers left out, arrays of no part."""
    held = {part.number for part in parts}
    gaps = [str(number) for number in range(min(held), max(held)) if number not in held]
    others = [
        name for name in source.names() or []
        if name.lower().endswith((".npy", ".npz"))
        and not any(kind.fullmatch(name) for kind in KINDS.values())
    ]  # fmt: skip
    said = [f"no part of the number {', '.join(gaps[:20])}"] if gaps else []
    return said + [f"not read, for no part has such a file: {name}" for name in others]


def _by_number(source: Source, names: list[str]) -> dict[int, dict[str, str]]:
    """Return the names of each part's files, by their kind; each has structures and spectra."""
    held: dict[int, dict[str, str]] = {}
    for kind, pattern in KINDS.items():
        for name in sorted(names):
            if not (found := pattern.fullmatch(name)):
                continue
            other = held.setdefault(int(found[1]), {}).setdefault(kind, name)
            if other != name:
                raise SourceError(
                    f"{source.base}, part {int(found[1])}", f"{kind} twice: {other} and {name}",
                    "one file of a kind for a number",
                    f"mv {_quoted(source, name)} to another folder, or under a number of its own",
                )  # fmt: skip
    if not held:
        raise _no_part(source, names)
    for number, files in sorted(held.items()):
        lacks = [kind for kind in ("structures", "spectra") if kind not in files]
        if lacks:
            have = ", ".join(_quoted(source, name) for name in files.values())
            raise SourceError(
                f"{source.base}, part {number}", f"{next(iter(files))} without {' and '.join(lacks)}",
                " and ".join(NAMES[kind].format(number) for kind in lacks),
                f"add the file, or move {have} to another folder",
            )  # fmt: skip
    return held


def _no_part(source: Source, names: list[str]) -> SourceError:
    """Say where the parts are, if they are below the folder."""
    expected = "binary_dataset_128_<k>.npy and spectra_latest_<k>.npy"
    below = sorted({
        name.rpartition("/")[0] for name in names
        if KINDS["structures"].fullmatch(name.rpartition("/")[2])
    })  # fmt: skip
    if not below:
        arrays = [name for name in names if name.lower().endswith(".npy")]
        found = f"no part of the published layout; of arrays there are {', '.join(arrays[:5]) or 'none'}"
        return SourceError(source.base, found, expected, "name the files so, or another folder")
    place = f"{source.base}/{below[0]}"
    mend = f"assay snapshot spectra {shlex.quote(place)}"
    return SourceError(source.base, f"its parts are in {', '.join(below)}", expected, mend)


def _quoted(source: Source, name: str) -> str:
    return shlex.quote(str(source.path(name)))


def _part(source: Source, number: int, names: Mapping[str, str]) -> RawPart:
    files = {kind: _file(source, name) for kind, name in names.items()}
    part = RawPart(number, files["structures"], files["spectra"], files.get("valid"))
    _ensure_structures(part.structures)
    _ensure_spectra(part.spectra)
    if part.valid is not None:
        file = part.valid
        if file.dtype.kind not in "iubf" or math.prod(file.shape[1:]) != 1 or not file.shape:
            raise _other(file, "(n,) codes: 0, 1 or 2", "a.reshape(-1).astype(np.uint8)")
    counts = {each.name: each.shape[0] for each in part.files}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise SourceError(
            f"{source.base}, part {number}", f"unequal lengths: {found}",
            "as many rows in each: they belong together by number",
            "export the part's files together, or move all of them to another folder",
        )  # fmt: skip
    if not len(part):
        raise SourceError(
            f"{source.base}, part {number}", "0 rows", "at least one row",
            f"export it again, or mv {' '.join(_quoted(source, each) for each in counts)} elsewhere",
        )  # fmt: skip
    return part


def _ensure_structures(file: File) -> None:
    expected = "(n, 1, side, side) of 0 and 1, side a multiple of 8"
    shape = file.shape
    if file.dtype.kind not in "biuf":
        raise _other(file, expected, "(a.astype(complex).real > 0.5).astype(np.uint8)")
    if len(shape) == 4 and shape[1] == 1:
        shape = (shape[0], *shape[2:])
    if len(shape) == 3 and shape[1] == shape[2] > 0:
        if shape[1] % 8:
            raise SourceError(
                str(file.path), file.kind, expected, "export it at a side that is a multiple of 8"
            )
        return
    if len(shape) == 4 and shape[3] == 1:
        raise _other(file, expected, "a[..., 0]")
    if len(shape) == 3 and shape[0] == shape[1]:
        raise _other(file, expected, "np.ascontiguousarray(np.moveaxis(a, -1, 0))")
    if len(shape) == 2 and shape[0] == shape[1]:
        raise _other(file, expected, "a[None]")
    raise SourceError(str(file.path), file.kind, expected, "export it as 0 and 1, one square a row")


def _ensure_spectra(file: File) -> None:
    expected = f"(n, {CHANNELS}, {BINS}) floats"
    if file.dtype.kind == "c":
        raise SourceError(
            str(file.path), file.kind, f"{expected}: power, not amplitude",
            "if these are amplitudes: " + converted(file.path, "(abs(a) ** 2).astype(np.float32)"),
        )  # fmt: skip
    if file.dtype.kind != "f":
        raise _other(file, expected, "a.astype(np.float32)")
    if len(file.shape) == 2 and sorted(file.shape) == [CHANNELS, BINS]:
        raise _other(file, expected, "a[None]")
    if file.shape[1:] in ((CHANNELS, BINS), (BINS, CHANNELS)):
        return
    for order in permutations(range(len(file.shape))) if len(file.shape) == 3 else ():
        if tuple(file.shape[axis] for axis in order[1:]) == (CHANNELS, BINS):
            raise _other(file, expected, f"np.ascontiguousarray(a.transpose({order}))")
    thin = len(file.shape) == 3 and CHANNELS in file.shape[1:]
    mend = f"export all {BINS} bins: ingest.thin and ingest.bins thin them out" if thin else ""
    mend = mend or f"export it as {expected}"
    raise SourceError(str(file.path), file.kind, expected, mend)


def _other(file: File, expected: str, how: str) -> SourceError:
    return SourceError(str(file.path), file.kind, expected, converted(file.path, how))


def _file(source: Source, name: str) -> File:
    path = source.path(name)
    assert path is not None
    return read_header(name, path)
