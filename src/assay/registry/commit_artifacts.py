"""What a commit holds of a model: its lock, and whether that lock agrees with the commit's own tree."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from assay.errors import RegistryError
from assay.runs.git import must_git
from assay.tracking.locks import Locks
from assay.tracking.results import DvcCache


class CommitArtifacts:
    """A commit, read through git and the DVC cache; the work tree is not asked.

    Args:
        root: the repository.
        commit: its hash.
    """

    def __init__(self, root: Path, commit: str) -> None:
        self.root, self.commit = root, commit

    @cached_property
    def outs(self) -> Mapping[str, str]:
        """Return path → md5 of everything that the commit's pipeline made."""
        entries = Locks(self.root).at([self.commit])[self.commit]
        return {path: md5 for entry in entries for path, md5 in entry.outs.items()}

    @cached_property
    def cache(self) -> DvcCache:
        return DvcCache(self.root)

    def file(self, path: Path | str) -> Path:
        """Return the cached file that stood at `path`.

        Raises:
            RegistryError: the commit has none, or this clone's cache does not hold it.
        """
        md5 = self.outs.get(str(path), "")
        found = self.cache.path(md5) if md5 else None
        if found is None:
            raise RegistryError(
                f"{self.commit[:12]}:{path}",
                f"{md5} is not in this clone's DVC cache" if md5 else "not in its dvc.lock",
                mend="dvc pull --all-commits, or copy .dvc/cache from where it was made",
            )
        return found

    def deviations(self, stage: str) -> list[str]:
        """Return each input of `stage`, and of the stages before it, that differs from the lock.

        DVC compares, on git's tree of the commit: code, parameters, tracked files; and what a stage
        read with what the stage before it wrote.
        """
        from dvc.dependency import ParamsDependency
        from dvc.repo import Repo

        with Repo(str(self.root), rev=self.commit) as repo:
            stages = repo.stage.collect(stage, with_deps=True)
            made = {path: md5 for each in stages for out in each.outs for path, md5 in _made(out)}
            found = [each.addressing for each in stages if each.changed_stage()]
            for each in stages:
                for dependency in each.deps:
                    path = str(dependency)
                    if isinstance(dependency, ParamsDependency):
                        changed = bool(dependency.status())
                    elif path in made:
                        changed = dependency.hash_info.value != made[path]
                    elif inner := {key: md5 for key, md5 in made.items() if _lies_in(key, path)}:
                        changed = dependency.hash_info.value != _mixed(dependency, inner)
                    else:
                        changed = dependency.changed_checksum()
                    if changed:
                        found.append(f"{each.addressing.rpartition(':')[2]} · {path}")
        return found

    def unpack(self, folder: Path, *paths: str) -> None:
        """Write the commit's own version of `paths` below `folder`."""
        archive = folder / "commit.tar"
        must_git(self.root, "archive", "-o", str(archive), self.commit, *paths)
        shutil.unpack_archive(archive, folder)  # tarfile's filters came with Python 3.11.4
        archive.unlink()


def _mixed(folder: Any, made: Mapping[str, str]) -> str:
    """Return DVC's digest of a folder of which it has the files `made`, and git the others."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    found = {Path(name).relative_to(str(folder)).parts: md5 for name, md5 in made.items()}
    for name in folder.fs.find(folder.fs_path):
        with folder.fs.open(name, "rb") as stream:
            digest = hashlib.file_digest(stream, "md5").hexdigest()
        found.setdefault(folder.fs.relparts(name, folder.fs_path), digest)
    tree: Any = Tree()  # type: ignore[no-untyped-call]
    for parts, md5 in found.items():
        tree.add(parts, None, HashInfo("md5", md5))
    tree.digest()
    return str(tree.hash_info.value)


def _lies_in(path: str, folder: str) -> bool:
    return Path(folder) in Path(path).parents


def _made(out: Any) -> Iterator[tuple[str, str]]:
    """Yield path and digest of an output, and, of a folder that the cache holds, of each file within."""
    yield str(out), out.hash_info.value
    if out.hash_info.isdir:
        with contextlib.suppress(FileNotFoundError):
            for key, _, digest in out.get_obj():
                yield "/".join((str(out), *key)), digest.value
