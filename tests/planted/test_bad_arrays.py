"""Arrays as people export them: each line of docs/bad-input.md is planted, told, mended as it is said."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests import promises
from tests.spectra_set import SPECTRA, ingest, small_set

from assay.errors import SourceError
from assay.manifest.source import Source
from assay.systems.spectra.data import npy, stream

STRUCTURES, SPECTRUM, VALID = (
    "binary_dataset_128_0.npy", "spectra_latest_0.npy", "spectra_latest_valid_0.npy"
)  # fmt: skip
Plant = Callable[[Path], object]


def promised() -> dict[str, tuple[str, str]]:
    return promises.promised("Arrays")


def of(outcome: str) -> list[str]:
    return [name for name, row in promised().items() if row[0] == outcome]


def saved(name: str, change: Callable[[Any], Any]) -> Plant:
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


def value(name: str, kind: type, where: tuple[int, ...], given: float) -> Plant:
    def change(array: Any) -> Any:
        other = array.astype(kind)
        other[where] = given
        return other

    return saved(name, change)


def content(name: str, made: bytes | Callable[[bytes], bytes]) -> Plant:
    def spoil(folder: Path) -> None:
        path = folder / name
        path.write_bytes(made if isinstance(made, bytes) else made(path.read_bytes()))

    return spoil


def renamed(*names: tuple[str, str]) -> Plant:
    def spoil(folder: Path) -> None:
        for old, new in names:
            (folder / new).parent.mkdir(exist_ok=True)
            (folder / old).rename(folder / new)

    return spoil


def written(name: str, form: Callable[[Any, Any], object]) -> Plant:
    """Plant another format under the same name."""

    def spoil(folder: Path) -> None:
        array = np.load(folder / name)
        with (folder / name).open("wb") as out:
            form(out, array)

    return spoil


def versioned(version: tuple[int, int] | None, pad: int = 0) -> Plant:
    def form(out: Any, array: Any) -> None:
        if version:
            np.lib.format.write_array(out, array, version=version)
            return
        text = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {array.shape}}}"
        header = text.encode() + b" " * pad + b"\n"
        out.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        out.write(array.tobytes())

    return written(SPECTRUM, form)


def matlab(out: Any, array: Any) -> None:
    from scipy.io import savemat

    savemat(out, {"spectra": array, "n": 3})


def objects(array: Any) -> Any:
    made = np.empty(len(array), dtype=object)
    made[:] = list(array)
    return made


def emptied(folder: Path) -> None:
    for name in (STRUCTURES, SPECTRUM, VALID):
        saved(name, lambda array: array[:0])(folder)


def copied(old: str, new: str) -> Plant:
    return lambda folder: (folder / new).write_bytes((folder / old).read_bytes())


def leftovers(folder: Path) -> None:
    (folder / "__MACOSX").mkdir()
    for name in (f"._{STRUCTURES}", f"__MACOSX/._{SPECTRUM}", ".DS_Store"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07")


def below(folder: Path) -> None:
    renamed(*((path.name, f"parts/{path.name}") for path in list(folder.iterdir())))(folder)


PLANTS: dict[str, Plant] = {
    "Fortran order": lambda folder: [
        saved(name, np.asfortranarray)(folder) for name in (STRUCTURES, SPECTRUM)
    ],
    "big-endian": saved(SPECTRUM, lambda a: a.astype(">f4")),
    "float64 that is float32": saved(SPECTRUM, lambda a: a.astype(np.float64)),
    "float64 in Fortran order, big-endian": saved(
        SPECTRUM, lambda a: np.asfortranarray(a.astype(">f8"))
    ),
    "structures as bool": saved(STRUCTURES, lambda a: a.astype(bool)),
    "structures as int64": saved(STRUCTURES, lambda a: a.astype(np.int64)),
    "structures as floats": saved(STRUCTURES, lambda a: a.astype(np.float32)),
    "structures without the channel": saved(STRUCTURES, lambda a: a[:, 0]),
    "spectra (n, 301, 3)": saved(SPECTRUM, lambda a: a.transpose(0, 2, 1)),
    "codes as floats": saved(VALID, lambda a: a.astype(np.float64)),
    "codes as a column": saved(VALID, lambda a: a[:, None].astype(">i8")),
    "header of version 2.0": versioned((2, 0)),
    "header of version 3.0": versioned((3, 0)),
    "header padded with blanks": versioned(None, 300),
    "parts with a gap": renamed(*(
        (name.format(1), name.format(4))
        for name in ("binary_dataset_128_{}.npy", "spectra_latest_{}.npy")
    )),
    "part numbers 01 and 1": renamed((STRUCTURES, "binary_dataset_128_00.npy")),
    "leftovers of macOS": leftovers,
    "an array of no part": copied(SPECTRUM, "spectra_latest_0 (1).npy"),
    "a code of 1.5": value(VALID, np.float64, (3,), 1.5),
    "a code that is nan": value(VALID, np.float64, (3,), np.nan),
    "a spectrum with nan": value(SPECTRUM, np.float64, (3, 0, 0), np.nan),
    "a spectrum with inf": value(SPECTRUM, np.float32, (3, 0, 0), np.inf),
    "float64 that is not float32": value(SPECTRUM, np.float64, (3, 1, 7), -0.1),
    "whole numbers for spectra": saved(SPECTRUM, lambda a: -(a < -0.2).astype(np.int64)),
    "complex spectra": saved(SPECTRUM, lambda a: np.sqrt(-a).astype(np.complex64)),
    "spectra with 31 bins": saved(SPECTRUM, lambda a: a[:, :, ::10]),
    "spectra with 300 bins": saved(SPECTRUM, lambda a: a[:, :, :300]),
    "spectra (3, 301, n)": saved(SPECTRUM, lambda a: a.transpose(1, 2, 0)),
    "a grey structure": value(STRUCTURES, np.float32, (3, 0, 5, 9), 0.25),
    "a pixel of 7": value(STRUCTURES, np.uint8, (3, 0, 0, 0), 7),
    "structures (n, side, side, 1)": saved(STRUCTURES, lambda a: a[:, 0, :, :, None]),
    "structures (side, side, n)": saved(STRUCTURES, lambda a: a[:, 0].transpose(1, 2, 0)),
    "a side that is no multiple of 8": saved(STRUCTURES, lambda a: a[..., :30, :30]),
    "another sign in one part": saved(SPECTRUM, lambda a: -a),
    "an array of objects": saved(SPECTRUM, objects),
    "a pickle": written(SPECTRUM, lambda out, a: pickle.dump(a, out, protocol=4)),
    ".npz named .npy": written(SPECTRUM, lambda out, a: np.savez(out, spectra=a, n=3)),
    "MATLAB file named .npy": written(SPECTRUM, matlab),
    "HDF5 named .npy": content(SPECTRUM, b"\x89HDF\r\n\x1a\n" + bytes(500)),
    "pointer of Git LFS": content(SPECTRUM, b"version https://git-lfs.github.com/spec/v1\noid sha"),
    "pointer of git-annex": content(SPECTRUM, b"/annex/objects/MD5E-s48160--0a.npy\n"),
    "a web page named .npy": content(SPECTRUM, b"<!DOCTYPE html><html>sign in</html>"),
    "packed by gzip": content(SPECTRUM, lambda held: __import__("gzip").compress(held)),
    "zero-byte array": content(SPECTRUM, b""),
    "half an array": content(SPECTRUM, lambda held: held[:-1000]),
    "a file of zeros": content(SPECTRUM, lambda held: bytes(len(held))),
    "an array of records": saved(VALID, lambda a: a.astype([("code", "u1")])),
    "0 rows": emptied,
    "unequal lengths": saved(SPECTRUM, lambda a: a[:-1]),
    "two structures for one number": copied(STRUCTURES, "binary_dataset_64_0.npy"),
    "one number written twice": copied(SPECTRUM, "spectra_latest_00.npy"),
    "codes of no part": renamed((VALID, "spectra_latest_valid_7.npy")),
    "spectra of no part": renamed((SPECTRUM, "spectra_latest_7.npy")),
    "parts one folder down": below,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stream, "BLOCK", 7)  # several blocks, the last one short
    monkeypatch.setattr(npy, "HELD", 60_000)  # a block of two of Fortran order
    return small_set(tmp_path / "set [1]")


def told(folder: Path, root: Path) -> SourceError:
    with pytest.raises(SourceError) as refused:
        ingest(folder, root)
    return refused.value


def test_every_line_is_planted() -> None:
    assert set(promised()) == set(PLANTS)


@pytest.mark.parametrize("fault", of("read"))
def test_what_is_unusual_but_exact_is_read(
    folder: Path, tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, facts = ingest(folder, tmp_path)
    PLANTS[fault](folder)
    table, again = ingest(folder, tmp_path)
    names = ("sample_id", "uri", "subset")
    assert table.drop(names).equals(plain.drop(names))
    assert again["records"] == facts["records"]
    said = promised()[fault][1]
    assert said.startswith("as ") or said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("fault", of("row"))
def test_a_row_that_cannot_be_used_is_told(folder: Path, tmp_path: Path, fault: str) -> None:
    plain, _ = ingest(folder, tmp_path)
    PLANTS[fault](folder)
    table, _ = ingest(folder, tmp_path)
    broken = table.filter(pl.col("status") == "broken")
    assert broken.select("sample_id", "reason").rows() == [("0-000003", promised()[fault][1])]
    others = pl.col("sample_id") != "0-000003"
    assert table.filter(others).drop("slot").equals(plain.filter(others).drop("slot"))


@pytest.mark.parametrize("fault", of("refused"))
def test_what_is_not_exact_is_refused(folder: Path, tmp_path: Path, fault: str) -> None:
    PLANTS[fault](folder)
    fault_told = told(folder, tmp_path)
    assert promised()[fault][1] in fault_told.found
    assert fault_told.expected
    assert fault_told.mend
    is_whole = fault not in ("zero-byte array", "half an array", "a file of zeros")
    assert fault_told.mend.startswith("copy the file anew") != is_whole
    has_line = "python -c" in fault_told.mend or "gunzip" in fault_told.mend
    assert has_line == (fault in (*MENDED, "HDF5 named .npy"))  # h5py is fetched by its line


MENDED = (
    "float64 that is not float32", "whole numbers for spectra", "complex spectra", "spectra (3, 301, n)",
    "a grey structure", "a pixel of 7", "structures (n, side, side, 1)", "structures (side, side, n)",
    "another sign in one part", "an array of objects", "a pickle", ".npz named .npy",
    "MATLAB file named .npy", "packed by gzip",
)  # fmt: skip


@pytest.mark.parametrize("fault", MENDED)
def test_a_printed_line_mends_what_it_is_printed_of(
    folder: Path, tmp_path: Path, fault: str
) -> None:
    """What a line rounds or turns is another set; nothing is left that could not be read."""
    PLANTS[fault](folder)
    mend = told(folder, tmp_path).mend
    line = mend[mend.find("python -c") if "python -c" in mend else 0 :]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(line, shell=True, check=True, env={**os.environ, "PATH": path})
    assert list(folder.glob("*.orig")) or fault == "packed by gzip"
    if fault == "complex spectra":  # power is positive: the sign is told next
        assert "a negative spectrum" in told(folder, tmp_path).found
    else:
        assert len(ingest(folder, tmp_path)[0]) == 40


def test_memory_does_not_grow_with_an_array_in_fortran_order(tmp_path: Path) -> None:
    for length in (1000, 9000):
        array = np.asfortranarray(np.arange(length * 6, dtype=np.float32).reshape(length, 2, 3))
        np.save(tmp_path / "a.npy", array)
        file = npy.read_header("a.npy", tmp_path / "a.npy")
        assert file.is_fortran
        with pytest.MonkeyPatch.context() as patch, file.path.open("rb", buffering=0) as opened:
            patch.setattr(npy, "HELD", 20_000)
            reader = npy.Reader(file, opened, np.float32, 64)
            assert reader._buffer.nbytes <= 20_000
            found = [reader.next(min(64, length - at)).copy() for at in range(0, length, 64)]
        assert np.array_equal(np.concatenate(found), array)


def test_structures_read_where_they_lie_are_the_same(folder: Path, tmp_path: Path) -> None:
    from tests.spectra_set import rows_of

    plain = rows_of(*ingest(folder, tmp_path, copy="none"), tmp_path).image[:]
    for change in (
        np.asfortranarray,
        lambda a: a.astype(np.float64),
        lambda a: a.astype(bool)[:, 0],
    ):
        saved(STRUCTURES, change)(folder)
        assert np.array_equal(
            rows_of(*ingest(folder, tmp_path, copy="none"), tmp_path).image[:], plain
        )


def test_the_listing_knows_each_file_of_a_part(folder: Path) -> None:
    PLANTS["part numbers 01 and 1"](folder)
    listing = SPECTRA.read(Source(str(folder), folder))
    assert "binary_dataset_128_00.npy" in listing.files(SPECTRA.views)
