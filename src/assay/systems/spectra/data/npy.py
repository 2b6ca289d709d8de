"""Array files as people export them: what a header says, blocks of rows, and the line that converts one.

Any byte order, order of axes in memory and width of numbers is read where each value is exactly what the
published kind can hold. Nothing is unpickled: that runs what the file says.
"""

from __future__ import annotations

import math
import os
import shlex
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from assay.errors import SourceError

AGAIN = "copy the file anew, then the same command"
HELD = 1 << 25  # bytes of a Fortran-ordered file that are read at once, whatever its length
# The original stays beside the converted file.
LINE = (
    'python -c \'import os, sys, numpy as np; p = sys.argv[1]; a = {}; os.replace(p, p + ".orig");'
    " np.save(p, {})' {}"
)
HEADERS: dict[
    tuple[int, int], Callable[[BinaryIO], tuple[tuple[int, ...], bool, np.dtype[Any]]]
] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # which differ in the names of fields alone
}
LARGEST = "max((a[k] for k in a), key=np.size)"
MATLAB = '{k: v for k, v in __import__("scipy.io").io.loadmat(p).items() if k[:2] != "__"}'
OBJECTS = "np.load(p, allow_pickle=True)"
TRUSTED = "export it again as plain numbers; of a file of your own, since this runs what it holds: "
# What else lies where an array should, by its first bytes.
OTHERS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the array", "git -C {folder} lfs pull"),
    (b"../.git/annex", "a pointer of git-annex, not the array", "git -C {folder} annex get {file}"),
    (b"/annex/objects/", "a pointer of git-annex, not the array", "git -C {folder} annex get {file}"),
    (b"MATLAB 5.0", "a MATLAB file", "{matlab}"),
    (b"\x89HDF", "an HDF5 file", "{hdf5}"),
    (b"MATLAB 7.3", "an HDF5 file of MATLAB", "{hdf5}"),
    (b"\x80\x04", "a pickle, which is not read", "{pickle}"),
    (b"\x80\x05", "a pickle, which is not read", "{pickle}"),
    (b"\x1f\x8b", "packed by gzip", "mv {file} {file}.gz && gunzip {file}.gz"),
    (b"<", "a web page, not the array", "fetch it again by the address of the file itself"),
    (b"\0", "begins with zeros: a copy that was cut off", AGAIN),
)  # fmt: skip
HDF5 = "uv run --with h5py " + LINE.replace("import ", "import h5py, ", 1)
DATASETS = (
    '[]; h5py.File(p).visititems(lambda _, d: a.append(d[()]) if hasattr(d, "shape") else None)'
)


@dataclass(frozen=True)
class File:
    """One array file: where it is, what its header says, and where its values begin."""

    name: str
    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int
    is_fortran: bool = False

    @property
    def kind(self) -> str:
        """Return shape, type and order as a person reads them."""
        return f"{self.shape} {self.dtype}{', Fortran order' * self.is_fortran}"


def converted(path: Path, how: str, read: str = "np.load(p)") -> str:
    """Return the line that writes a file anew; `how` makes of the array `a` what is written."""
    return LINE.format(read, how, shlex.quote(str(path)))


def read_header(name: str, path: Path) -> File:
    """Read a header, and hold the file's size against it.

    Raises:
        SourceError: it is no array file, or not all of one, or an array of objects.
    """
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, is_fortran, dtype = HEADERS[np.lib.format.read_magic(stream)](stream)
            start = stream.tell()
    except Exception as fault:  # noqa: BLE001 - a header is Python: a spoilt one raises what that may
        raise _no_array(path, str(fault).partition("\n")[0]) from None
    file = File(name, path, shape, dtype, start, is_fortran and len(shape) > 1)
    if dtype.hasobject:
        found = f"{shape} Python objects, pickled: not read, since that runs what they hold"
        line = converted(path, "np.array(a.tolist())", OBJECTS)
        raise SourceError(str(path), found, "an array of plain numbers", TRUSTED + line)
    if dtype.kind in "VmM":
        mend = "export it again as plain numbers"
        raise SourceError(str(path), file.kind, "an array of plain numbers", mend)
    expected, found_bytes = start + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if found_bytes != expected:
        half = "half-written" if found_bytes < expected else "longer than its header says"
        raise SourceError(
            str(path),
            f"{half}: {found_bytes:,} bytes",
            f"{expected:,} bytes for {file.kind}",
            AGAIN,
        )
    return file


def _no_array(path: Path, said: str) -> SourceError:
    """Say what the file is instead, where its first bytes tell."""
    try:
        with path.open("rb") as stream:
            head = stream.read(200)
    except OSError:
        head = b""
    place = {
        "folder": shlex.quote(str(path.parent)), "file": shlex.quote(str(path)),
        "matlab": converted(path, LARGEST, MATLAB),
        "hdf5": HDF5.format(DATASETS, "max(a, key=np.size)", shlex.quote(str(path))),
        "pickle": TRUSTED + converted(path, "np.asarray(a)", OBJECTS),
    }  # fmt: skip
    if not head:
        return SourceError(str(path), "no .npy header: zero bytes", "an array file", AGAIN)
    if zipfile.is_zipfile(path):
        names = zipfile.ZipFile(path).namelist()
        found = (
            f"a zip archive (an .npz?) of {', '.join(names[:5])}; the line takes the largest array"
        )
        return SourceError(str(path), found, "one array: an .npy", converted(path, LARGEST))
    for magic, words, mend in OTHERS:
        if head.lstrip(b"\r\n ").startswith(magic):
            return SourceError(
                str(path), f"no .npy header: {words}", "an array file", mend.format(**place)
            )
    return SourceError(str(path), f"no .npy header: {said}", "an array file", AGAIN)


class Reader:
    """Blocks of an array's rows as `kind`, in C order; memory does not grow with the array.

    A block may be overwritten by the next one.

    Args:
        file: the array, one row an entry of the first axis.
        stream: the file, open and unbuffered.
        kind: what each value must be exactly.
        block: rows that are asked for at once, at most.
    """

    def __init__(self, file: File, stream: BinaryIO, kind: npt.DTypeLike, block: int) -> None:
        self._file, self._stream, self._kind, self._at = file, stream, np.dtype(kind), 0
        rest, length = file.shape[1:], file.shape[0]
        if file.is_fortran:
            row = math.prod(rest) * file.dtype.itemsize
            width = min(max(1, HELD // (row * block)) * block, length)
            self._buffer = np.empty((math.prod(rest), width), file.dtype)
        else:
            self._buffer = np.empty((block, *rest), file.dtype)

    def next(self, count: int) -> npt.NDArray[Any]:
        """Return the next rows.

        Raises:
            SourceError: they are not there any more, or a value is not exactly of this kind.
        """
        rows = self._from_columns(count) if self._file.is_fortran else self._from_rows(count)
        start, self._at = self._at, self._at + count
        if rows.dtype == bool:
            rows = rows.view(np.uint8)
        return rows if rows.dtype == self._kind else self._exactly(rows, start)

    def _from_rows(self, count: int) -> npt.NDArray[Any]:
        block = self._buffer[:count]
        offset = self._file.start + self._at * self._file.dtype.itemsize * math.prod(
            block.shape[1:]
        )
        self._fill(block, offset)
        return block

    def _from_columns(self, count: int) -> npt.NDArray[Any]:
        """Cut rows out of the columns, of which as many rows are held as `HELD` allows."""
        (length, *rest), width = self._file.shape, self._buffer.shape[1]
        place = self._at % width
        if not place:
            held, size = min(width, length - self._at), self._file.dtype.itemsize
            for number, column in enumerate(self._buffer):
                self._fill(column[:held], self._file.start + (number * length + self._at) * size)
        columns = self._buffer.reshape(*rest[::-1], width)
        return np.ascontiguousarray(columns[..., place : place + count].T)

    def _fill(self, block: npt.NDArray[Any], offset: int) -> None:
        places: list[Any] = [block.reshape(-1).view(np.uint8)]
        if os.preadv(self._stream.fileno(), places, offset) != block.nbytes:
            raise changed(self._file)

    def _exactly(self, rows: npt.NDArray[Any], start: int) -> npt.NDArray[Any]:
        with np.errstate(all="ignore"):
            exact = rows.astype(self._kind)
        other = exact != rows
        if self._kind.kind == "f":
            other &= ~np.isnan(rows)  # what is no number stays none
        if other.any():
            place = tuple(int(each) for each in np.argwhere(other)[0])
            raise SourceError(
                f"{self._file.path}, row {start + place[0]}", f"the value {rows[place]}, as {rows.dtype}",
                f"values that {self._kind} holds exactly",
                self._rounded(),
            )  # fmt: skip
        return exact

    def _rounded(self) -> str:
        if self._kind.kind == "f":
            return converted(self._file.path, f"a.astype(np.{self._kind})")
        line = converted(self._file.path, "(a > 0.5).astype(np.uint8)")
        return f"if whatever is above 0.5 is material: {line}"


def changed(file: File) -> SourceError:
    """Return the error of a file that is not as it was a moment ago."""
    return SourceError(
        str(file.path), "changed while it was read", "a file that nobody writes to",
        "wait until it is whole, then the same command",
    )  # fmt: skip
