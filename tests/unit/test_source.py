"""One set in a folder, a zip, an S3 bucket and on a web server: one manifest, little work twice."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.ingest import indexed

from assay.errors import SourceError
from assay.lookup import find_system
from assay.manifest.source import ReadError, Source, Stamp
from assay.systems.hemoglobin.data.params import Phantom

SYSTEM = find_system("hemoglobin.conjunctiva")
SAME = ["sample_id", "digest", "width", "height", "hb", "group_id", "status", "reason"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "set"
    place.mkdir()
    phantom = Phantom(folder1=3, folder2=4, size=24, seed=1, conflicts=0, broken=1)
    SYSTEM.phantom(place, phantom)
    return place


class CountingSource(Source):
    """A source that remembers what it was asked for."""

    def __init__(self, base: str, root: Path) -> None:
        super().__init__(base, root)
        self.read_files: list[str] = []

    def read(self, uri: str, stamp: Stamp | None = None) -> bytes:
        self.read_files.append(uri)
        return super().read(uri, stamp)


def manifest(base: str, root: Path) -> pl.DataFrame:
    source = Source(base, root)
    return indexed(source, SYSTEM.read(source), root / "made")[0]


@pytest.fixture
def expected(folder: Path) -> pl.DataFrame:
    table = manifest("set", folder.parent)
    assert set(table["status"]) == {"ok", "broken"}
    shutil.rmtree(folder.parent / "made")
    return table.select(SAME)


def test_a_zip_is_a_source(folder: Path, expected: pl.DataFrame) -> None:
    shutil.make_archive(str(folder), "zip", folder)
    table = manifest("set.zip", folder.parent)
    assert table.select(SAME).equals(expected)
    assert table["uri"][0] == f"zip://{table['sample_id'][0][3:]}::set.zip"


@pytest.fixture
def server(folder: Path) -> Iterator[http.server.ThreadingHTTPServer]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_a_web_server_is_a_source_and_what_was_fetched_stays(
    folder: Path, expected: pl.DataFrame, server: http.server.ThreadingHTTPServer
) -> None:
    base = f"http://127.0.0.1:{server.server_address[1]}"
    assert manifest(base, folder.parent).select(SAME).equals(expected)
    source = Source(base, folder.parent)
    uri = source.uri("folder1/0001_1.png")
    stamp = source.stamp(uri)
    server.shutdown()
    server.server_close()
    assert source.read(uri, stamp) == (folder / "folder1/0001_1.png").read_bytes()
    with pytest.raises(ReadError, match="cannot be read"):
        Source(base, folder).read(uri, stamp)  # another machine, as it were
    with pytest.raises(SourceError, match="cannot be read"):
        SYSTEM.read(Source(base, folder))


@pytest.fixture
def bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("s3fs", reason="s3fs is an extra")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()  # each test has a server of its own
    name = f"laboratory-{port}"  # moto keeps its buckets from one server to the next
    store = s3fs.S3FileSystem()
    store.mkdir(name)
    store.put(f"{folder}/", f"{name}/set/", recursive=True)
    yield f"s3://{name}"
    server.stop()


def test_a_bucket_is_a_source(folder: Path, expected: pl.DataFrame, bucket: str) -> None:
    assert manifest(f"{bucket}/set", folder.parent).select(SAME).equals(expected)


def test_an_archive_in_a_bucket_is_a_source(
    folder: Path, expected: pl.DataFrame, bucket: str
) -> None:
    import s3fs

    archive = shutil.make_archive(str(folder.parent / "packed"), "zip", folder)
    s3fs.S3FileSystem().put(archive, f"{bucket}/packed.zip")
    table = manifest(f"{bucket}/packed.zip", folder.parent)
    assert table.select(SAME).equals(expected)
    assert list((folder.parent / ".assay/blocks").iterdir())


def test_a_second_index_opens_only_what_changed(folder: Path) -> None:
    def index() -> tuple[pl.DataFrame, list[str]]:
        source = CountingSource("set", folder.parent)
        table, _ = indexed(source, SYSTEM.read(source), folder.parent)
        return table, [uri for uri in source.read_files if uri.endswith(".png")]

    first, opened = index()
    assert len(opened) == len(first)
    again, opened = index()
    assert opened == []
    assert again.equals(first)
    changed = folder / "folder2/0001_1.png"
    changed.write_bytes((folder / "folder2/0002_1.png").read_bytes())
    table, opened = index()
    assert opened == ["set/folder2/0001_1.png"]
    digests = dict(zip(table["sample_id"], table["digest"], strict=True))
    assert digests["f2:folder2/0001_1.png"] == digests["f2:folder2/0002_1.png"]


def test_bytes_that_a_killed_index_left_behind_do_no_harm(folder: Path) -> None:
    source = Source("set", folder.parent)
    listing = SYSTEM.read(source)
    _, store = indexed(source, listing, folder.parent)
    whole = store.pixels().copy()
    with (store.folder / "pixels.u8").open("ab") as stream:
        stream.write(b"half an image")
    (folder / "folder1/0001_1.png").touch()
    _, store = indexed(source, listing, folder.parent)
    assert (store.pixels()[: len(whole)] == whole).all()
    assert len(store.pixels()) == len(whole) + 1


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        Source("nowhere", tmp_path)
