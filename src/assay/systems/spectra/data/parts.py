"""The parts of a published set: `.npy` files that belong together, as their headers describe them.

binary_dataset_128_<k>.npy    (n, 1, side, side) uint8
spectra_latest_<k>.npy        (n, 3, 301) float32
spectra_latest_valid_<k>.npy  (n,) integers: 0 not computed, 1 computed, 2 failed; may be absent
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.errors import SourceError

if TYPE_CHECKING:
    from assay.manifest.source import Source

STRUCTURES = re.compile(r"binary_dataset_(\d+)_(\d+)\.npy")
SPECTRA, VALID = "spectra_latest_{}.npy", "spectra_latest_valid_{}.npy"
CHANNELS, BINS = 3, 301
MEND = "copy the file anew, then the same command"


@dataclass(frozen=True)
class File:
    """One array file: where it is, what its header says, and where its values begin."""

    name: str
    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    start: int


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
    names = set(source.names() or [])
    structures = {
        int(found[2]): name for name in sorted(names) if (found := STRUCTURES.fullmatch(name))
    }
    _ensure_whole(source, names, structures)
    parts = [_part(source, names, number, structures[number]) for number in sorted(structures)]
    sides = {part.side for part in parts}
    if len(sides) > 1:
        raise SourceError(
            source.base, f"structures of sides {sorted(sides)}", "one size in all parts"
        )
    return parts


def _ensure_whole(source: Source, names: set[str], structures: dict[int, str]) -> None:
    """Each part has structures and spectra."""
    spectra = {
        int(found[1]) for name in names
        if (found := re.fullmatch(SPECTRA.format(r"(\d+)"), name))
    }  # fmt: skip
    if not structures and not spectra:
        expected = "binary_dataset_128_<k>.npy and spectra_latest_<k>.npy"
        raise SourceError(source.base, "no part of the published layout", expected)
    for number in sorted(set(structures) ^ spectra):
        said = "spectra without structures" if number in spectra else "structures without spectra"
        lacks = "binary_dataset_128_{}.npy" if number in spectra else SPECTRA
        raise SourceError(
            f"{source.base}, part {number}",
            said,
            lacks.format(number),
            "add the file, or take both out",
        )


def _part(source: Source, names: set[str], number: int, structures: str) -> RawPart:
    valid = VALID.format(number)
    part = RawPart(
        number,
        _file(source, structures),
        _file(source, SPECTRA.format(number)),
        _file(source, valid) if valid in names else None,
    )
    _ensure(
        part.structures,
        "(n, 1, side, side) uint8, side a multiple of 8",
        _is_structure(part.structures),
    )
    spectral = part.spectra.dtype == np.dtype("<f4") and part.spectra.shape[1:] == (CHANNELS, BINS)
    _ensure(part.spectra, f"(n, {CHANNELS}, {BINS}) float32, little-endian", spectral)
    if part.valid is not None:
        sound = part.valid.dtype.kind in "iub" and len(part.valid.shape) == 1
        _ensure(part.valid, "(n,) whole numbers", sound)
    counts = {each.name: each.shape[0] for each in part.files}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise SourceError(
            f"{source.base}, part {number}", f"unequal lengths: {found}",
            "as many rows in each: they belong together by number", MEND,
        )  # fmt: skip
    return part


def _is_structure(file: File) -> bool:
    shape = file.shape
    square = len(shape) == 4 and shape[1] == 1 and shape[2] == shape[3] > 0 and shape[3] % 8 == 0
    return square and file.dtype == np.uint8


def _ensure(file: File, expected: str, sound: bool) -> None:
    if not sound:
        raise SourceError(str(file.path), f"{file.shape} {file.dtype}", expected, MEND)


def _file(source: Source, name: str) -> File:
    """Read a header, and hold the file's size against it."""
    path = source.path(name)
    assert path is not None
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, is_fortran, dtype = read(stream)
            start = stream.tell()
    except (ValueError, OSError, EOFError) as fault:
        said = str(fault).partition("\n")[0]
        raise SourceError(str(path), f"no .npy header: {said}", "an array file", MEND) from None
    file = File(name, path, shape, dtype, start)
    _ensure(file, "an array of plain numbers in C order", not is_fortran and not dtype.hasobject)
    expected = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    found = path.stat().st_size
    if found != expected:
        kind = "half-written" if found < expected else "longer than its header says"
        raise SourceError(
            str(path), f"{kind}: {found:,} bytes", f"{expected:,} bytes for {shape} {dtype}", MEND
        )
    return file
