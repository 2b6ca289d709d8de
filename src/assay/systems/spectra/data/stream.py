"""Streaming the parts: every row judged once, in blocks; memory does not grow with the arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from assay.errors import SourceError
from assay.manifest.streamed import Streamed
from assay.systems.spectra.data.kernel import (
    COMPUTED,
    STRANGE,
    measured,
    preprocessed,
    reasons_of,
)
from assay.systems.spectra.data.npy import Reader, changed, converted
from assay.systems.spectra.data.orbit import digests, is_diagonal, orbit_digests
from assay.systems.spectra.data.parts import BINS
from assay.systems.spectra.data.table import FACTS, counts, manifest_rows

if TYPE_CHECKING:
    from assay.systems.spectra.data.npy import File
    from assay.systems.spectra.data.params import SpectraIngest
    from assay.systems.spectra.data.parts import RawPart
    from assay.systems.spectra.data.table import Facts
    from assay.systems.spectra.data.thinning import Floats

BLOCK = 256  # rows: 4 MB of structures, 1 MB of spectra
Write = Callable[[npt.NDArray[np.void]], None]
Structures = npt.NDArray[np.uint8]


@dataclass
class Convention:
    """What holds of the whole set, as the first row that shows it says; another is refused.

    Attributes:
        unit: what a set pixel is stored as, 1 or 255; 0 until one was seen.
        sign: −1 where spectra are stored negative; 0 until one was seen.
    """

    unit: int = 0
    sign: int = 0

    def settle_unit(self, structures: Structures, file: File, start: int) -> None:
        """Refuse a pixel that is neither 0 nor the unit."""
        top = int(structures.max(initial=0))
        if not self.unit:
            self.unit = next((unit for unit in (1, 255) if (structures == unit).any()), 0)
        if top <= 1 and self.unit < 2:
            return
        strange = (structures != 0) & (structures != self.unit)
        if strange.any():
            row, *where = (int(each) for each in np.argwhere(strange)[0])
            found = f"the value {structures[row, where[0], where[1]]}"
            units = f"0 and {self.unit}" if self.unit else "0 and 1, or 0 and 255"
            how = f"((a != 0) * {self.unit or 1}).astype(np.uint8)"
            raise SourceError(
                f"{file.path}, row {start + row}", found, f"{units} in the whole set",
                "if whatever is not 0 is material: " + converted(file.path, how),
            )  # fmt: skip

    def settle_sign(self, means: Floats, file: File, rows: npt.NDArray[np.int64]) -> None:
        """Refuse a spectrum of the other sign."""
        if not self.sign and len(means):
            self.sign = -1 if means[0] < 0 else 1
        other = np.flatnonzero(means * self.sign < 0)
        if len(other):
            words = ("positive", "negative") if self.sign < 0 else ("negative", "positive")
            raise SourceError(
                f"{file.path}, row {rows[other[0]]}",
                f"a {words[0]} spectrum, where the set's first is {words[1]}",
                "one sign in the whole set",
                "if the whole file is of the other sign: " + converted(file.path, "-a"),
            )


def stream_parts(parts: Sequence[RawPart], how: SpectraIngest, write: Write) -> Streamed:
    """Judge every row of the parts and write a record for each usable one; see `contract.Streaming`.

    Raises:
        SourceError: values that no set of this kind has, or a file that changed while it was read.
    """
    before = [_stat(file) for part in parts for file in part.files]
    convention, slot = Convention(), 0
    facts = np.zeros(sum(map(len, parts)), FACTS)
    with Progress() as progress:
        bar, done = progress.add_task("rows", total=len(facts)), 0
        for place, part in enumerate(parts):
            for start, structures, spectra, codes in _blocks(part):
                block = _Block(part, place, start, structures, spectra, codes)
                mine = facts[done : done + len(codes)]
                records = block.judge(convention, how, mine)
                mine["slot"] = np.where(block.usable, slot + np.cumsum(block.usable) - 1, -1)
                slot, done = slot + len(records), done + len(codes)
                if len(records):
                    write(records)
                progress.advance(bar, len(codes))
    for file, found in zip((file for part in parts for file in part.files), before, strict=True):
        if _stat(file) != found:
            raise changed(file)
    told = {
        "values": [0, convention.unit], "stored": "negative" if convention.sign < 0 else "positive",
        "thin": how.thin, "bins": how.bins, "copy": how.copy_, "parts": counts(facts, len(parts)),
        "raw": [part.structures.name for part in parts] if how.copy_ == "none" else [],
    }  # fmt: skip
    return Streamed(manifest_rows(facts, parts), told)


@dataclass
class _Block:
    """Rows of one part that are judged together."""

    part: RawPart
    place: int
    start: int
    structures: Structures
    spectra: Floats
    codes: npt.NDArray[np.int64]
    usable: npt.NDArray[np.bool_] = field(init=False)

    def judge(
        self, convention: Convention, how: SpectraIngest, facts: Facts
    ) -> npt.NDArray[np.void]:
        """Fill in the facts of each row, and return a record for each usable one."""
        names = self.part
        convention.settle_unit(self.structures, names.structures, self.start)
        facts["place"], facts["row"] = self.place, self.start + np.arange(len(facts))
        facts["reason"], self.usable = reasons_of(
            self.spectra, self.codes, has_codes=names.valid is not None
        )
        rows = np.flatnonzero(self.usable)
        spectra = self.spectra if len(rows) == len(self.spectra) else self.spectra[rows]
        convention.settle_sign(spectra.mean(axis=(1, 2)), names.spectra, self.start + rows)
        cells = preprocessed(spectra, how.thin, how.bins, convention.sign)
        for name, values in measured(spectra, cells, convention.sign).items():
            facts[name][rows] = values
        bits = np.packbits(self.structures, axis=2)
        facts["diagonal"] = is_diagonal(self.structures)
        for name, found in (
            ("digest", digests(bits)),
            ("group", orbit_digests(bits, facts["diagonal"])),
        ):
            facts[name] = np.frombuffer(b"".join(found), np.uint8).reshape(-1, 16)
        return self._records(cells, bits, rows, how.copy_)

    def _records(
        self, cells: Floats, bits: Structures, rows: npt.NDArray[np.int64], copy: str
    ) -> npt.NDArray[np.void]:
        side = self.part.side
        kinds: dict[str, list[Any]] = {
            "full": [("struct", "u1", (side, side))],
            "packed": [("bits", "u1", (side, side // 8))],
            "none": [("part", "<u2"), ("row", "<i8")],
        }
        records = np.zeros(len(rows), np.dtype([("bayer", "<f4", cells.shape[1:]), *kinds[copy]]))
        records["bayer"] = cells
        if copy == "full":
            records["struct"] = self.structures[rows] != 0
        elif copy == "packed":
            records["bits"] = bits[rows]
        else:
            records["part"], records["row"] = self.place, self.start + rows
        return records


def _blocks(part: RawPart) -> Iterator[tuple[int, Structures, Floats, npt.NDArray[np.int64]]]:
    """Yield first row, structures (n, side, side), spectra (n, 3, 301) and codes (n,) of each block."""
    codes, side = _codes(part), part.side
    with ExitStack() as stack:
        structures, spectra = (
            Reader(file, stack.enter_context(file.path.open("rb", buffering=0)), kind, BLOCK)
            for file, kind in ((part.structures, np.uint8), (part.spectra, np.float32))
        )
        for start in range(0, len(part), BLOCK):
            count = min(BLOCK, len(part) - start)
            channels = spectra.next(count)
            if channels.shape[1] == BINS:  # sums depend on how numbers lie
                channels = np.ascontiguousarray(channels.transpose(0, 2, 1))
            block = structures.next(count).reshape(count, side, side)
            yield start, block, channels, codes[start : start + count]


def _codes(part: RawPart) -> npt.NDArray[np.int64]:
    """Return the codes of the rows; what is none of the three is strange, as nan is."""
    if part.valid is None:
        return np.full(len(part), COMPUTED, dtype=np.int64)
    codes = np.load(part.valid.path).reshape(-1)
    return np.where(np.isin(codes, range(STRANGE)), codes, STRANGE).astype(np.int64)


def _stat(file: File) -> tuple[int, int]:
    found = file.path.stat()
    return found.st_size, found.st_mtime_ns
