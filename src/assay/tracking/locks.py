"""Every `dvc.lock` that git holds, and DVC's run cache; read by few processes, and parsed once.

What was parsed is kept by content (`kept`), so a call costs what is new: a lock whose blob is known is
not read from git, and of a new one only the stages that no other lock had are parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from assay.errors import AssayError
from assay.runs.git import contents, objects_of
from assay.tracking.kept import Kept, Lock, LockPart
from assay.tracking.lock_text import (
    LockError,
    lock_entries,
    lock_parts,
    part_entry,
    remembered_entry,
)

if TYPE_CHECKING:
    from assay.tracking.lock_text import (
        LockEntry,
    )

LOCK = "dvc.lock"
MANY = 20  # new locks from which on a bar shows how far it is
NAME = 64  # letters of a file of the run cache; what is being written there has fewer


class Locks:
    """The locks of a repository.

    Args:
        root: the repository's root.

    Attributes:
        faults: commit → why its lock cannot be read, of those that were asked for.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.kept = root, Kept(root)
        self.faults: dict[str, str] = {}

    def at(self, commits: Sequence[str]) -> dict[str, list[LockEntry]]:
        """Return commit → its lock's entries; none where it has no lock, or one that cannot be read."""
        blobs = dict(
            zip(commits, objects_of(self.root, [f"{c}:{LOCK}" for c in commits]), strict=True)
        )
        known = self.kept.locks
        new = [blob for blob in dict.fromkeys(blobs.values()) if blob and not self._is_whole(blob)]
        read = contents(self.root, new)
        for blob, content in track(
            read, "dvc.lock", len(new), disable=len(new) < MANY, transient=True,
            console=Console(stderr=True),
        ):  # fmt: skip
            self.kept.add(self._parsed(blob, content.decode("utf-8", "replace")))
        self.kept.save()
        self.faults |= {
            c: known[b].fault for c, b in blobs.items() if b in known and known[b].fault
        }
        return {commit: self._entries(blob) for commit, blob in blobs.items()}

    def in_work_tree(self) -> list[LockEntry]:
        """Return the entries of the work tree's lock.

        Raises:
            AssayError: it cannot be read.
        """
        path = self.root / LOCK
        if not path.exists():
            return []
        text = path.read_text(encoding="utf-8", errors="replace")
        parts = self._taken(text)
        self.kept.save()
        if parts:
            return [self.kept.entries[key] for key in parts]
        try:
            return lock_entries(text)
        except LockError as fault:
            raise AssayError(LOCK, str(fault), mend=f"git checkout -- {LOCK}") from None

    def remembered(self, folder: Path | None = None) -> Iterator[tuple[Path, LockEntry]]:
        """Yield the files of DVC's run cache with their entries; broken ones DVC removes by itself.

        Args:
            folder: where it lies, if not in the repository.
        """
        runs = folder or self.root / ".dvc" / "cache" / "runs"
        for path in sorted(path for path in runs.glob("*/*/*") if len(path.name) == NAME):
            key = f"{path.parent.name}/{path.name}"  # both are digests of what it says
            if key not in self.kept.entries:
                try:
                    entry = remembered_entry(path.read_text(encoding="utf-8", errors="replace"))
                except (LockError, FileNotFoundError):
                    continue
                self.kept.add(LockPart(key, entry))
            yield path, self.kept.entries[key]
        self.kept.save()

    def _is_whole(self, blob: str) -> bool:
        known = self.kept.locks.get(blob)
        return known is not None and all(key in self.kept.entries for key in known.parts)

    def _entries(self, blob: str) -> list[LockEntry]:
        known = self.kept.locks.get(blob)
        return [self.kept.entries[key] for key in known.parts] if known else []

    def _parsed(self, blob: str, text: str) -> Lock:
        """Return a lock whose entries are kept: by its parts, else as a whole."""
        parts = self._taken(text)
        if parts:
            return Lock(blob, parts)
        try:
            entries = lock_entries(text)
        except LockError as fault:
            return Lock(blob, [], str(fault))
        return Lock(blob, self._added((f"{blob}/{each.stage}", each) for each in entries))

    def _taken(self, text: str) -> list[str]:
        """Return the keys of a lock's parts, and keep those that are new; none where it has no such."""
        parts = lock_parts(text)
        try:
            self._added((k, part_entry(p)) for k, p in parts.items() if k not in self.kept.entries)
        except LockError:
            return []
        return list(parts)

    def _added(self, entries: Iterable[tuple[str, LockEntry]]) -> list[str]:
        keys = []
        for key, entry in entries:
            self.kept.add(LockPart(key, entry))
            keys.append(key)
        return keys
