"""Reading the parts: what is kept, how it is thinned and laid out, what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.spectra_set import SIDE, SPECTRA, arrays, how, ingest, rows_of, small_set, write_part

from assay.errors import AssayError, SourceError
from assay.manifest.source import Source
from assay.systems.spectra.data import stream
from assay.systems.spectra.data.params import Phantom
from assay.systems.spectra.data.thinning import bands, bayer, picked, thinned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_set(tmp_path / "set")


def test_the_layout_is_rggb_whatever_the_founders_call_it() -> None:
    """BGGR would exchange red and blue: 0 would stand at [1, 1]."""
    channels = np.arange(3, dtype=np.float32)[None, :, None]
    assert bayer(channels)[0, :, :, 0].tolist() == [[0, 1], [1, 2]]


def test_pick_keeps_the_founders_bins_and_mean_keeps_all() -> None:
    spectra = np.random.default_rng(0).random((4, 3, 301), dtype=np.float32)
    assert picked(30).tolist() == np.linspace(0, 300, 30, dtype=int).tolist()
    assert np.array_equal(thinned(spectra, "pick", 30), spectra[:, :, picked(30)])
    means = [band.mean(axis=2) for band in np.split(spectra, bands(30)[1:], axis=2)]
    assert np.allclose(thinned(spectra, "mean", 30), np.stack(means, axis=2))
    assert {len(band) for band in np.split(np.arange(301), bands(30)[1:])} == {10, 11}


def test_rows_that_cannot_be_used_are_counted_with_their_reason(
    folder: Path, tmp_path: Path
) -> None:
    spectra = np.load(folder / "spectra_latest_1.npy")
    spectra[2, 1, 7], spectra[3, 0, 0], spectra[4] = np.nan, np.inf, 0
    np.save(folder / "spectra_latest_1.npy", spectra)
    valid = np.ones(20, dtype=np.int16)
    valid[5] = 9
    np.save(folder / "spectra_latest_valid_1.npy", valid)
    table, facts = ingest(folder, tmp_path)
    assert len(table) == 40
    assert facts["parts"] == [
        {"used": 18, "not computed (valid 0)": 1, "failed (valid 2)": 1},
        {
            "used": 16, "spectrum: a value that is no finite number": 2,
            "spectrum: valid 1, but all zeros": 1, "spectrum: valid is neither 0, 1 nor 2": 1,
        },
    ]  # fmt: skip
    broken = table.filter(pl.col("status") == "broken")
    assert broken["sample_id"].to_list() == ["1-000002", "1-000003", "1-000004", "1-000005"]
    assert table.filter(pl.col("status") == "filtered").height == 2
    assert table.filter(pl.col("status") != "ok")["mean"].null_count() == 6


def test_zero_rows_without_a_valid_file_were_never_computed(folder: Path, tmp_path: Path) -> None:
    (folder / "spectra_latest_valid_0.npy").unlink()
    table, facts = ingest(folder, tmp_path)
    assert facts["parts"][0] == {"used": 18, "not computed (all zeros)": 2}
    assert table["sample_id"].is_sorted()


@pytest.mark.parametrize("copy", ["none", "packed", "full"])
@pytest.mark.parametrize("unit", [1, 255])
def test_each_copy_gives_the_structures_and_targets_of_the_source(
    folder: Path, tmp_path: Path, copy: str, unit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BLOCK", 7)  # several blocks, the last one short
    for number in (0, 1):
        path = folder / f"binary_dataset_128_{number}.npy"
        np.save(path, np.load(path) * np.uint8(unit))
    table, facts = ingest(folder, tmp_path, copy=copy)
    rows = rows_of(table, facts, tmp_path)
    used = [*range(18), *range(20, 40)]
    both = [np.load(folder / f"binary_dataset_128_{number}.npy") for number in (0, 1)]
    truth = np.concatenate(both)[used, 0, :, :, None] // unit
    assert facts["values"] == [0, unit]
    assert rows.image.shape == (38, SIDE, SIDE, 1)
    assert np.array_equal(rows.image[:], truth)
    assert np.array_equal(rows.image[20], truth[20])
    assert np.array_equal(rows.image[[30, 2]], truth[[30, 2]])
    odd = rows.where(np.arange(38) % 2 == 1)
    assert np.array_equal(odd.image[1:4], truth[1::2][1:4])
    red = np.concatenate([np.load(folder / f"spectra_latest_{number}.npy") for number in (0, 1)])
    assert np.array_equal(odd.columns["bayer"][:, 0, 0], -red[used][1::2, 0][:, picked(30)])
    assert odd.columns["sample_id"][0] == "0-000001"


def test_positive_spectra_stay_and_mixed_signs_are_refused(folder: Path, tmp_path: Path) -> None:
    table, facts = ingest(folder, tmp_path)
    assert facts["stored"] == "negative"
    for number in (0, 1):
        path = folder / f"spectra_latest_{number}.npy"
        np.save(path, -np.load(path))
    again, facts = ingest(folder, tmp_path)
    assert facts["stored"] == "positive"
    assert again["mean"].equals(table["mean"])
    assert again["lowest"].equals(table["lowest"])
    spectra = np.load(folder / "spectra_latest_1.npy")
    spectra[6] *= -1
    np.save(folder / "spectra_latest_1.npy", spectra)
    with pytest.raises(SourceError, match=r"spectra_latest_1\.npy, row 6: a negative spectrum"):
        ingest(folder, tmp_path)


def test_a_pixel_of_another_value_is_named(folder: Path, tmp_path: Path) -> None:
    path = folder / "binary_dataset_128_1.npy"
    structures = np.load(path)
    structures[3, 0, 5, 9] = 7
    np.save(path, structures)
    with pytest.raises(SourceError, match=r"binary_dataset_128_1\.npy, row 3: the value 7"):
        ingest(folder, tmp_path)
    np.save(path, np.load(folder / "binary_dataset_128_0.npy") * np.uint8(255))
    with pytest.raises(SourceError, match=r"the value 255[\s\S]*0 and 1 in the whole set"):
        ingest(folder, tmp_path)


def cut(folder: Path) -> None:
    path = folder / "spectra_latest_1.npy"
    path.write_bytes(path.read_bytes()[:-1000])


def lengthen(folder: Path) -> None:
    with (folder / "binary_dataset_128_0.npy").open("ab") as stream:
        stream.write(b"more")


def rewrite(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "half-written"),
        (lengthen, "longer than its header says"),
        (lambda folder: (folder / "spectra_latest_1.npy").write_bytes(b"\x93NUM"), "no .npy header"),
        (lambda folder: (folder / "spectra_latest_1.npy").unlink(), "structures without spectra"),
        (lambda folder: (folder / "binary_dataset_128_0.npy").unlink(), "spectra without structures"),
        (rewrite("spectra_latest_0.npy", lambda s: s[:-1]), "unequal lengths"),
        (rewrite("spectra_latest_valid_0.npy", lambda v: v[:-1]), "unequal lengths"),
        (rewrite("spectra_latest_0.npy", lambda s: s[:, :, :300]), "300"),
        (rewrite("binary_dataset_128_1.npy", lambda x: x[:, :, :16, :16]), "sides"),
    ],
)  # fmt: skip
def test_parts_that_are_not_what_they_claim_are_refused(
    folder: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(folder)
    with pytest.raises(SourceError, match=said):
        SPECTRA.read(Source(str(folder), folder))


@pytest.mark.parametrize("grows", [True, False])
def test_a_part_that_changes_while_it_is_read_is_refused(
    folder: Path, tmp_path: Path, grows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(records: object) -> None:
        with (folder / "spectra_latest_1.npy").open("r+b") as stream:
            if grows:
                stream.seek(0, 2)
                stream.write(b"more")
            else:
                stream.truncate(500)

    monkeypatch.setattr(stream, "BLOCK", 8)
    with pytest.raises(SourceError, match="changed while it was read"):
        SPECTRA.stream(Source(str(folder), tmp_path), how(), write)


def test_a_killed_ingest_leaves_nothing_that_is_taken_for_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stream, "counts", fails)
        with pytest.raises(KeyboardInterrupt):
            ingest(folder, tmp_path)
    assert not (tmp_path / "arrays").exists()
    table, facts = ingest(folder, tmp_path)
    with monkeypatch.context() as patch:  # as it was: not a row is read again
        patch.setattr(stream, "_blocks", fails)
        again, same = ingest(folder, tmp_path)
    assert again.equals(table)
    assert same == facts


def test_copy_none_notices_that_its_part_is_another_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, facts = ingest(folder, tmp_path, copy="none")
    rows_of(table, facts, tmp_path)
    path = folder / "binary_dataset_128_1.npy"
    np.save(path, np.load(path)[::-1])
    with pytest.raises(
        AssayError, match=r"another size or time[\s\S]*dvc repro -f -s ingest@spectra"
    ):
        rows_of(table, facts, tmp_path)
    shutil.rmtree(folder)
    with pytest.raises(AssayError, match=r"no such folder[\s\S]*dvc repro -f -s ingest@spectra"):
        rows_of(table, facts, tmp_path)


def test_an_archive_is_refused_with_the_way_out(folder: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", folder)
    with pytest.raises(SourceError, match="unzip"):
        SPECTRA.read(Source(archive, tmp_path))


def test_another_size_than_asked_for_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"structures of 32 px[\s\S]*ingest\.size=32"):
        ingest(folder, tmp_path, size=128)


def test_a_phantom_carries_the_faults_that_were_asked_for(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    asked = {"uncomputed": 6, "failed": 2, "twins": 4, "conflicts": 3, "broken": 2}
    params = Phantom(
        samples=40, parts=3, physics="scalar", orders=21, diagonal=True, seed=1, **asked
    )
    SPECTRA.phantom(tmp_path / "set", params)
    table, facts = ingest(tmp_path / "set", tmp_path, size=128)
    assert table["status"].value_counts().sort("status").rows() == [
        ("broken", 2), ("filtered", 8), ("ok", 30),
    ]  # fmt: skip
    kept = table.filter(pl.col("status") == "ok")
    assert kept["digest"].n_unique() == 27
    assert kept["group_id"].n_unique() == 23
    assert len(facts["parts"]) == 3


def test_a_structure_of_all_zeros_has_no_unit_yet(tmp_path: Path) -> None:
    structures, spectra = arrays(6)
    structures[:2] = 0
    _, facts = ingest(write_part(tmp_path / "set", structures * np.uint8(255), spectra), tmp_path)
    assert facts["values"] == [0, 255]
