"""Opened photographs kept, in memory or in an LMDB: equal pixels, fewer opened, nothing stale."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.errors import MachineError, SourceError
from assay.learning.data import train_loader
from assay.learning.training_spec import TrainData
from assay.manifest import cache, originals
from assay.manifest.cache import LMDB, MEMORY, Disk, Memory
from assay.manifest.images import LETTERBOX, open_image
from assay.manifest.originals import Originals
from assay.manifest.records import LazyImages
from assay.manifest.source import Source, Stamp

COUNT, SIZE = 6, 16
PLACES = np.arange(COUNT)
Make = Callable[..., Originals]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache but what a test asks for."""
    for name in (MEMORY, LMDB):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(COUNT):
        pixels = np.random.default_rng(number).integers(0, 256, (40 + number, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def make(photographs: Path) -> Make:
    """Return a function: the photographs as ingest found them, opened through a new cache."""
    source = Source(str(photographs), photographs.parent)
    uris = [f"{photographs}/{number}.png" for number in range(COUNT)]
    digests = [open_image(source, uri, source.stamp(uri), None).digest for uri in uris]

    def made(size: int | None = SIZE, fit: str = LETTERBOX) -> Originals:
        return Originals(source, uris, digests, "toy", size, fit=fit)

    return made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are opened from now on."""
    names: list[str] = []

    def count(source: Source, uri: str, *more: Any) -> Any:
        names.append(Path(uri).name)
        return open_image(source, uri, *more)

    monkeypatch.setattr(originals, "open_image", count)
    return names


@pytest.fixture(params=[MEMORY, LMDB])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    name: str = request.param
    if name == LMDB:
        pytest.importorskip("lmdb", reason="the extra `lmdb` is not installed")
    monkeypatch.setenv(name, {MEMORY: "1", LMDB: str(tmp_path / "cache")}[name])
    return name


def test_pixels_are_the_same_and_opened_once(make: Make, opened: list[str], kind: str) -> None:
    kept = make()
    first = kept.take(PLACES)
    assert np.array_equal(kept.take(PLACES[::-1]), first[::-1])
    assert len(opened) == COUNT
    assert make(size=None).open(0).shape == (40, 30, 3)
    assert not np.array_equal(make(fit="stretch").take(PLACES), first)
    os.environ.pop(kind)
    assert np.array_equal(make().take(PLACES), first)


def test_what_is_gone_or_changed_is_told_all_the_same(
    make: Make, photographs: Path, kind: str
) -> None:
    kept = make()
    kept.take(PLACES)
    (photographs / "1.png").unlink()
    (photographs / "2.png").write_bytes((photographs / "3.png").read_bytes())
    with pytest.raises(SourceError, match=r"1\.png: no such file"):
        kept.open(1)
    with pytest.raises(SourceError, match=r"2\.png: other bytes"):
        kept.open(2)


def test_equal_bytes_of_another_time_are_opened_once_more(
    make: Make, opened: list[str], photographs: Path, kind: str
) -> None:
    kept = make()
    before = kept.open(4)
    os.utime(photographs / "4.png", ns=(1, 1))
    assert np.array_equal(kept.open(4), before)
    kept.open(4)
    assert opened == ["4.png", "4.png"]


def test_what_has_no_version_is_opened_each_time(
    make: Make, opened: list[str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a server that states none: nothing would tell a change."""
    monkeypatch.setattr(Source, "stamp", lambda self, uri: Stamp())
    kept = make()
    kept.open(0)
    kept.open(0)
    assert opened == ["0.png", "0.png"]


def test_memory_is_bounded_in_bytes_and_off_by_default(
    make: Make, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make().take(np.zeros(2, np.int64))
    assert len(opened) == 2
    side = 400  # 480 kB: two of them are in a megabyte
    monkeypatch.setenv(MEMORY, "1")
    kept = make(size=side)
    opened.clear()
    for place in (0, 1, 0, 2, 0, 1):
        kept.open(place)
    assert opened == ["0.png", "1.png", "2.png", "1.png"]
    held = kept._cache
    assert isinstance(held, Memory)
    assert held.held.currsize == 2 * side * side * 3


SECOND = """
import sys
import numpy as np
from pathlib import Path
from assay.manifest import originals
from assay.manifest.source import Source
uris, digests = sys.argv[2].split(","), sys.argv[3].split(",")
originals.open_image = None  # whatever is opened is a TypeError
kept = originals.Originals(Source(sys.argv[1], Path("/")), uris, digests, "toy", 16, fit="letterbox")
np.save(sys.argv[4], kept.take(np.arange(len(uris))))
"""


def disk_at(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    pytest.importorskip("lmdb", reason="the extra `lmdb` is not installed")
    monkeypatch.setenv(LMDB, str(folder))
    return folder


def test_a_later_run_opens_none(
    make: Make, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_at(monkeypatch, tmp_path / "cache")
    kept = make()
    first = kept.take(PLACES)
    subprocess.run(
        [
            sys.executable, "-c", SECOND, str(photographs), ",".join(kept._uris),
            ",".join(kept._digests), str(tmp_path / "found.npy"),
        ],
        check=True,
    )  # fmt: skip
    assert np.array_equal(np.load(tmp_path / "found.npy"), first)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_fill_it_for_all(
    make: Make,
    opened: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: str,
) -> None:
    """Opened before the fork too: a handle does not outlive one."""
    disk_at(monkeypatch, tmp_path / "cache")
    kept = make()
    kept.open(0)
    images: Any = LazyImages(kept, PLACES)
    loader = train_loader(TrainData(images, PLACES), 2, 1, 2)
    loader.multiprocessing_context = start
    loader.sampler.set_epoch(0)
    found = {int(number): image for batch in loader for image, number in zip(*batch, strict=True)}
    opened.clear()
    again = kept.take(PLACES)
    assert opened == []
    assert all(np.array_equal(found[place], again[place]) for place in PLACES)


def test_a_full_one_keeps_what_it_has(
    make: Make,
    opened: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cache, "MAP", 200_000)
    disk_at(monkeypatch, tmp_path / "cache")
    kept = make(size=128)  # 49 kB each
    before = kept.take(PLACES)
    assert np.array_equal(kept.take(PLACES), before)
    assert COUNT < len(opened) < 2 * COUNT
    assert capsys.readouterr().out.count("is full: no more photographs are added") == 1


def test_a_tenth_of_the_disk_is_spared(
    make: Make, opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_at(monkeypatch, tmp_path / "cache")
    monkeypatch.setattr(cache, "SPARED", 1.0)
    kept = make()
    kept.open(0)
    kept.open(0)
    assert len(opened) == 2


def test_two_at_once_are_refused(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LMDB, str(tmp_path / "cache"))
    monkeypatch.setenv(MEMORY, "10")
    with pytest.raises(MachineError, match=f"mend: unset {MEMORY}"):
        make()
    assert not (tmp_path / "cache").exists()


def test_a_size_that_is_none_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY, "8 GB")
    with pytest.raises(MachineError, match=f"{MEMORY}=8 GB: no number"):
        make()


@pytest.mark.parametrize("damage", ["no database", "cut off", "a page", "a file", "relative"])
def test_what_cannot_be_used_is_told(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    folder = disk_at(monkeypatch, tmp_path / "cache")
    kept = make()
    kept.take(PLACES)
    cache._close()
    database = folder / "data.mdb"
    content = database.read_bytes()
    if damage == "no database":
        database.write_bytes(b"x" * len(content))
    elif damage == "cut off":
        database.write_bytes(content[: len(content) // 2])
    elif damage == "a page":  # all but the two that say what lies where
        database.write_bytes(content[:8192] + bytes(len(content) - 8192))
    elif damage == "a file":
        monkeypatch.setenv(LMDB, str(database))
    else:
        monkeypatch.setenv(LMDB, "cache")
    with pytest.raises(MachineError, match=r"mend: (rm -r|export)"):
        make().take(PLACES)


def test_without_the_package_the_way_to_it_is_told(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LMDB, str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(MachineError, match=r"uv pip install 'assay\[lmdb\]'"):
        make()


def test_a_disk_cache_is_a_folder_that_can_be_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    folder = disk_at(monkeypatch, tmp_path / "cache")
    ours = Disk(folder)
    ours.put(b"key", np.arange(24, dtype=np.uint8).reshape(4, 2, 3))
    theirs = pickle.loads(pickle.dumps(ours))
    found = theirs.get(b"key")
    assert found is not None
    assert found.shape == (4, 2, 3)
    assert theirs.get(b"other") is None
