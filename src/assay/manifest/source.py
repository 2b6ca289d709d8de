"""A source: files in a folder, a zip archive, an S3 bucket or on a web server, all read the same way.

A source is named as a person types it: a folder (relative to the repository's root, or absolute), a
`.zip`, or a URL that fsspec knows. Files fetched over a network are kept below `.assay/fetched`, by
address, size and version, so that a second pass reads the disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from assay.errors import SourceError
from assay.runs.files import atomic_write, content_digest
from assay.runs.places import BLOCKS, FETCHED

ASKERS = 16  # at once, where a server is asked about each file
# What file systems call a version, the surest first; sizes are compared beside it.
VERSIONS = ("ETag", "CRC", "LastModified", "Last-Modified", "mtime", "date_time")
CONNECT_S, ANSWER_S = 10, 60


class ReadError(Exception):
    """A file that cannot be read; its text is the reason that the manifest keeps."""


@dataclass(frozen=True)
class Stamp:
    """What tells a changed file without opening it; `bytes` is −1 where there is none.

    An empty `version` means that the server states none: such a file is read anew each time.
    """

    bytes: int = -1
    version: str = ""


class Source:
    """The files of one source.

    Args:
        base: the folder, archive or URL, as a person names it.
        root: the repository's root, from which relative paths count.

    Raises:
        SourceError: it is not there, cannot be reached, or needs a package that is absent.
    """

    def __init__(self, base: str, root: Path) -> None:
        self.base, self._root = base.rstrip("/"), root
        self._archives: dict[str, Any] = {}
        self._fetched = root / FETCHED
        self._listed: dict[str, Stamp] | None = None
        self._names: list[str] | None = None
        self._digests: dict[str, str] = {}  # of tables, by address
        if not self.is_remote and not self._local(self.base).exists():
            raise SourceError(
                base,
                f"no such folder: {self._local(self.base)}",
                "a folder or .zip (relative to the repository's root, or absolute), a URL that fsspec"
                " knows, or `phantom`",
                "the same command with the right place (git diff params.yaml shows what -S left)",
            )

    @property
    def is_remote(self) -> bool:
        """Whether the base is a URL."""
        return "://" in self.base

    def uri(self, name: str) -> str:
        """Return where a file lies; `name` is relative to the base, or stands for itself."""
        if "://" in name or PurePosixPath(name).is_absolute():
            return name
        if self.base.endswith(".zip"):
            return f"zip://{name}::{self.base}"
        return f"{self.base}/{name}"

    def path(self, name: str) -> Path | None:
        """Return where a file of a local folder lies; None in an archive or behind a URL."""
        uri = self.uri(name)
        return self._local(uri) if _is_plain(uri) else None

    def read(self, uri: str, stamp: Stamp | None = None) -> bytes:
        """Return a file's content; with its stamp, a file fetched before is not fetched again.

        Raises:
            ReadError: with the reason, in words.
        """
        kept = self._kept(uri, stamp)
        if kept is not None and kept.exists():
            return kept.read_bytes()
        content: bytes = self._ask(uri, lambda files, path: files.cat_file(path))
        if kept is not None:
            atomic_write(kept, lambda aside: aside.write_bytes(content))
        return content

    def text(self, name: str) -> bytes | None:
        """Return a table's content, or None where there is no such file.

        Raises:
            SourceError: it is there, or its place cannot be reached, and it cannot be read.
        """
        uri = self.uri(name)
        try:
            content = self.read(uri)
        except ReadError as reason:
            if str(reason) == ABSENT:
                return None
            raise SourceError(uri, str(reason), "a file that can be read") from None
        self._digests[uri] = hashlib.sha256(content).hexdigest()
        return content

    def content_digest(self, name: str) -> str:
        """Return the digest of a table as it was last read, now if it was not; empty if it cannot be."""
        uri = self.uri(name)
        if uri not in self._digests:
            try:
                self._digests[uri] = hashlib.sha256(self.read(uri)).hexdigest()
            except ReadError:
                return ""
        return self._digests[uri]

    def names(self) -> list[str] | None:
        """Return every file below the source, relative to it; None where a web server cannot tell.

        Raises:
            SourceError: it cannot be listed.
        """
        place = f"zip://::{self.base}" if self.base.endswith(".zip") else self.base
        if place.startswith(("http://", "https://")):
            return None
        if self._names is not None:
            return self._names
        try:
            start, found = self._ask(place, lambda files, path: (path, files.find(path)))
        except ReadError as reason:
            raise SourceError(self.base, str(reason), "a folder or an archive") from None
        start = start.strip("/")
        names = (name.strip("/").removeprefix(start).lstrip("/") for name in found)
        self._names = sorted(name for name in names if not is_leftover(name))
        return self._names

    def has(self, names: Sequence[str]) -> list[bool] | None:
        """Return whether each name is there; None where a web server would be asked about each."""
        if not self.is_remote and not self.base.endswith(".zip"):
            place = self._local(self.base)
            return [os.path.exists(os.path.join(place, name)) for name in names]  # noqa: PTH110, PTH118 - 100,000s
        listed = self.names()
        return None if listed is None else list(map(set(listed).__contains__, names))

    def stamp(self, uri: str) -> Stamp:
        """Return the stamp of one file; an absent or unreachable one has −1 bytes."""
        try:
            if _is_plain(uri):
                found = self._local(uri).stat()
                return Stamp(found.st_size, str(found.st_mtime_ns))
            return _stamp(self._ask(uri, lambda files, path: files.info(path)))
        except (OSError, ReadError):
            return Stamp()

    def stamps(self, uris: Sequence[str]) -> list[Stamp]:
        """Return the stamps of many files: one listing where the store has one, else each is asked."""
        if all(map(_is_plain, uris)):
            return [self.stamp(uri) for uri in uris]
        if self._listed is None:  # once: a bucket of a million files is listed in a thousand calls
            self._listed = self._listing() if self.is_remote else {}
        listed = self._listed
        with ThreadPoolExecutor(ASKERS) as pool:
            return list(pool.map(lambda uri: listed.get(uri) or self.stamp(uri), uris))

    def _listing(self) -> dict[str, Stamp]:
        """List an object store in one go; a web server has no listing, its files are asked one by one."""
        if self.base.startswith(("http://", "https://")) or self.base.endswith(".zip"):
            return {}
        found = self._ask(self.base, lambda files, path: files.find(path, detail=True))
        scheme = self.base.partition("://")[0]
        return {f"{scheme}://{path}": _stamp(facts) for path, facts in found.items()}

    def _local(self, uri: str) -> Path:
        return self._root / uri

    def _kept(self, uri: str, stamp: Stamp | None) -> Path | None:
        if stamp is None or not stamp.version or _is_plain(uri) or uri.startswith("zip://"):
            return None
        name = content_digest([uri, stamp.bytes, stamp.version], 32)
        return self._fetched / name[:2] / name

    def _ask(self, uri: str, question: Any) -> Any:
        """Put a question to the file system of `uri`; whatever goes wrong becomes a reason."""
        try:
            return question(*self._place(uri))
        except (FileNotFoundError, KeyError):  # a KeyError: not in the archive
            raise ReadError(ABSENT) from None
        except ImportError as fault:
            raise SourceError(
                uri, f"needs a package: {fault}", mend="uv pip install s3fs (or what it names)"
            ) from None
        except IsADirectoryError:
            raise ReadError("a folder, not a file") from None
        except Exception as fault:  # noqa: BLE001 - every store raises its own
            said = str(fault).strip().partition("\n")[0] or type(fault).__name__
            raise ReadError(f"cannot be read: {said}") from None

    def _place(self, uri: str) -> tuple[Any, str]:
        import fsspec

        if _is_plain(uri):
            return fsspec.filesystem("file"), str(self._local(uri))
        if uri.startswith("zip://"):
            name, _, archive = uri.removeprefix("zip://").partition("::")
            return self._archive(archive), name
        files, path = fsspec.url_to_fs(uri, **_patience(uri))
        return files, path

    def _archive(self, uri: str) -> Any:
        """Open an archive once; of a remote one, only the blocks that are read are fetched."""
        import fsspec

        if uri not in self._archives:
            if _is_plain(uri):
                self._archives[uri] = fsspec.filesystem("zip", fo=str(self._local(uri)))
            else:
                blocks = {"cache_storage": str(self._root / BLOCKS), "check_files": True}
                chain = f"zip://::blockcache::{uri}"
                self._archives[uri], _ = fsspec.url_to_fs(chain, blockcache=blocks)
        return self._archives[uri]


ABSENT = "no such file"
# What macOS and Windows lay beside people's files, in folders and in the archives that they pack.
LEFTOVERS = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def is_leftover(name: str) -> bool:
    """Whether an operating system left a file (a path with `/`), and no person."""
    return any(part in LEFTOVERS or part.startswith("._") for part in name.split("/"))


def _is_plain(uri: str) -> bool:
    return "://" not in uri


def _stamp(facts: dict[str, Any]) -> Stamp:
    version = next((str(facts[key]) for key in VERSIONS if facts.get(key)), "")
    size = facts.get("size")
    return Stamp(-1 if size is None else int(size), version)


def _patience(uri: str) -> dict[str, Any]:
    """Wait for a web server as long as a person would; fsspec alone waits five minutes a file."""
    if not uri.startswith(("http://", "https://")):
        return {}
    import aiohttp

    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(ANSWER_S, sock_connect=CONNECT_S)}}
