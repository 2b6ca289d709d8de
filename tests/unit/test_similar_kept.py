"""What is kept of images and pairs: opened once, whole or not at all, over any number of cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from tests.pairs_set import textured
from tests.unit.test_similar import halved

from assay.errors import MachineError
from assay.similar import pool
from assay.similar.appended import Appended
from assay.similar.features import Features, extract
from assay.similar.find import SimilarPairs, find_similar
from assay.similar.gather import gathered_features, gathered_pairs
from assay.similar.geometry import match_images
from assay.similar.kept import digest_bytes, store_at
from assay.similar.match import Match
from assay.similar.records import PAIR, RECORD, packed, pair_rows, unpacked

Pixels = npt.NDArray[np.uint8]
NUMBER = np.dtype([("number", "<i8")])


def picture(row: int, count: int) -> Pixels:
    """Return a picture, or, beyond `count`, a small mirrored copy of one."""
    return (
        textured(row)
        if row < count
        else np.ascontiguousarray(halved(textured(row - count))[:, ::-1])
    )


def found_in(root: Path, rows: list[int], workers: int = 1) -> SimilarPairs:
    """Search among rows of ten pictures and ten copies."""
    shown = dict(enumerate(rows))
    return find_similar(
        [str(row) for row in rows], np.arange(len(rows)), partial(shown_as, shown), root,
        nearest=3, null=20, seed=0, workers=workers,
    )  # fmt: skip


def shown_as(shown: dict[int, int], place: int) -> Pixels:
    return picture(shown[place], 10)


def told_by(found: SimilarPairs) -> tuple[object, ...]:
    rest = {key: value for key, value in vars(found).items() if key != "pairs"}
    return (found.pairs.rows(), *rest.items())


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimilarPairs]:
    root = tmp_path_factory.mktemp("fresh")
    return root, found_in(root, list(range(20)))


def test_the_number_of_processes_changes_no_byte(
    fresh: tuple[Path, SimilarPairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.similar.gather.IMAGES", 3)
    monkeypatch.setattr("assay.similar.gather.PAIRS", 5)
    started: list[int] = []

    class Counted(ProcessPoolExecutor):
        def __init__(self, count: int, *more: Any, **named: Any) -> None:
            started.append(count)
            super().__init__(count, *more, **named)

    monkeypatch.setattr("assay.similar.pool.ProcessPoolExecutor", Counted)
    three = found_in(tmp_path, list(range(20)), workers=3)
    assert started == [3, 3]
    assert told_by(three) == told_by(fresh[1])
    assert [len(file.read()) for file in store_at(tmp_path)] == [
        len(file.read()) for file in store_at(fresh[0])
    ]
    for one, other in zip(store_at(tmp_path), store_at(fresh[0]), strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_copies_are_found(fresh: tuple[Path, SimilarPairs]) -> None:
    assert fresh[1].pairs.select("a", "b").rows() == [(row, row + 10) for row in range(10)]


def test_nothing_is_opened_or_compared_again(
    fresh: tuple[Path, SimilarPairs], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, found = fresh

    def refuse(*_: object) -> None:
        raise AssertionError("again")

    monkeypatch.setattr("assay.similar.work.extract", refuse)
    monkeypatch.setattr("assay.similar.work.match_images", refuse)
    assert told_by(found_in(root, list(range(20)))) == told_by(found)


def test_what_is_kept_changes_nothing(fresh: tuple[Path, SimilarPairs], tmp_path: Path) -> None:
    """Another order, and images that came before the others: each pair as if it were the first."""
    rows = [*range(19, 4, -1), 2, 12]
    found_in(tmp_path, [3, 17, 4, 11])
    assert told_by(found_in(tmp_path, rows)) == told_by(found_in(fresh[0], rows))


def test_equal_contents_are_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Pixels] = []

    def counted(image: Pixels) -> Features:
        opened.append(image)
        return extract(image)

    monkeypatch.setattr("assay.similar.work.extract", counted)
    found = found_in(tmp_path, [0, 1, 2, 0])
    assert (len(opened), found.opened) == (3, 4)
    assert found.pairs.select("a", "b").rows() == [(0, 3)]


def test_features_come_back_as_they_were(fresh: tuple[Path, SimilarPairs]) -> None:
    for image in (textured(0), textured(1, 90, 300), np.zeros((1, 1, 3), np.uint8)):
        there = extract(image)
        back = unpacked(packed(digest_bytes(["x"])[0], there)[0])
        for name, value in vars(there).items():
            assert np.array_equal(value, getattr(back, name)), name
            assert value.dtype == getattr(back, name).dtype, name


def numbers(*values: int) -> npt.NDArray[np.void]:
    return np.array([(value,) for value in values], NUMBER)


def test_half_a_record_is_cut_off(tmp_path: Path) -> None:
    file = Appended(tmp_path / "deep" / "file.bin", NUMBER)
    assert len(file.read()) == 0
    file.append(lambda _: numbers(1, 2))
    with file.path.open("ab") as stream:
        stream.write(b"\7\7\7")
    assert file.read()["number"].tolist() == [1, 2]
    file.append(lambda there: numbers(3 + len(there)))
    assert file.read()["number"].tolist() == [1, 2, 5]


def test_those_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=writes, args=(tmp_path / "file.bin",)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = Appended(tmp_path / "file.bin", NUMBER).read()["number"]
    assert sorted(found.tolist()) == sorted(list(range(40)) * 3)


def writes(path: Path) -> None:
    for number in range(40):
        Appended(path, NUMBER).append(lambda _, number=number: numbers(number))  # type: ignore[misc]


def test_what_another_wrote_meanwhile_is_not_written_twice(tmp_path: Path) -> None:
    store = store_at(tmp_path).features

    def meanwhile(row: int) -> Pixels:
        if not len(store):
            gathered_features(store, ["0"], lambda _: picture(0, 10), 1)
        return picture(row, 10)

    places = gathered_features(store, ["0", "1"], meanwhile, 1)
    assert places.tolist() == [0, 1]
    assert len(store) == 2


def test_a_pair_that_was_half_written_is_compared_again(
    fresh: tuple[Path, SimilarPairs], tmp_path: Path
) -> None:
    features = store_at(fresh[0]).features
    pairs = Appended(tmp_path / "pairs.bin", PAIR)
    places = np.array([[0, 10], [1, 11], [0, 1]])
    whole = gathered_pairs(pairs, features, places, 1)
    kept = np.array(pairs.read())
    torn = int(np.flatnonzero(~kept["last"])[-1])  # the first guess of a pair that has two
    pairs.path.write_bytes(kept[: torn + 1].tobytes())
    assert gathered_pairs(pairs, features, places, 1).equals(whole)
    assert set(whole.select("a", "b").rows()) == {(0, 10), (1, 11)}


def test_an_edited_extractor_reads_nothing_that_another_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store_at(tmp_path)
    edited = tmp_path / "features.py"
    edited.write_text("KEYPOINTS = 1\n")
    monkeypatch.setattr("assay.similar.features.__file__", str(edited))
    after = store_at(tmp_path)
    assert before.features.path.parent != after.features.path.parent
    monkeypatch.setattr("assay.similar.geometry.__file__", str(edited))
    assert store_at(tmp_path).features.path == after.features.path
    assert store_at(tmp_path).pairs.path != after.pairs.path
    assert store_at(tmp_path).chance.path != after.chance.path


def test_a_guess_that_no_rule_accepts_is_not_kept() -> None:
    weak = Match(3, 0.4, 1.0, mirrored=False, rotation=0.0, scale=1.0)
    strong = Match(30, 0.8, 1.0, mirrored=True, rotation=0.0, scale=1.0)
    assert pair_rows(0, 1, [weak])["inliers"].tolist() == [-1]
    assert pair_rows(0, 1, [weak, strong])[["inliers", "last"]].tolist() == [(30, True)]


def dies(task: int) -> int:
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_killed_process_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MachineError, match="one of its processes was killed") as told_error:
        list(pool.over_cores(dies, range(6), 2))
    assert "the same command" in told_error.value.mend


def test_a_fault_in_a_process_stays_what_it_was() -> None:
    with pytest.raises(ZeroDivisionError):
        list(pool.over_cores(partial(divmod, 1), [1, 0, 1, 1], 2))


def test_a_record_holds_what_the_extractor_gives() -> None:
    assert RECORD.itemsize < 100_000
    there = unpacked(packed(digest_bytes(["x"])[0], extract(textured(0)))[0])
    assert max(guess.correlation for guess in match_images(there, there)) == 1.0


def test_pairs_of_one_place_are_one_picture(
    fresh: tuple[Path, SimilarPairs], tmp_path: Path
) -> None:
    features = store_at(fresh[0]).features
    same = gathered_pairs(Appended(tmp_path / "p", PAIR), features, np.array([[4, 4]]), 1)
    assert same.filter(pl.col("inliers") > 50)["correlation"].to_list() == [1.0]


def test_a_process_of_the_pool_starts_without_what_only_the_search_needs() -> None:
    heavy = "{'scipy', 'polars', 'rich'} & {name.partition('.')[0] for name in sys.modules}"
    pair_rows = f"import sys, assay.similar.pool, assay.similar.work; print({heavy} or '')"
    asked = subprocess.run(
        [sys.executable, "-c", pair_rows], check=True, capture_output=True, text=True
    )
    assert asked.stdout.strip() == ""
