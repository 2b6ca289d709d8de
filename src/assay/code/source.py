"""The package as files below `src`: the checkout's, which a stage is guarded to run from."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from assay.code.parsed import parsed

if TYPE_CHECKING:
    from assay.code.parsed import Parsed

PACKAGE = "assay"
SRC = Path("src")


def file_name(module: str) -> str:
    """Return the path of a module that is no package, from the repository's root."""
    return f"{SRC}/{module.replace('.', '/')}.py"


class SourceTree:
    """The files of this package below a folder; each is read once.

    Args:
        folder: that holds the package's.
    """

    def __init__(self, folder: Path = SRC) -> None:
        self.folder = folder
        self.file, self.parsed = cache(self._file), cache(self._parsed)

    def _file(self, module: str) -> Path | None:
        """Return the file of a module, or None."""
        path = self.folder.joinpath(*module.split("."))
        known = (path / "__init__.py", path.with_name(f"{path.name}.py"))  # as Python has it
        return next((each for each in known if each.exists()), None)

    def _parsed(self, module: str) -> Parsed | None:
        path = self.file(module)
        return parsed(path) if path else None

    def digest(self, module: str) -> str:
        """Return a short digest of a module's file; empty where there is none."""
        path = self.file(module)
        return digest_of(path) if path else ""

    def is_empty(self, module: str) -> bool:
        """Return whether a module is a package's file that holds a docstring at most."""
        path, found = self.file(module), self.parsed(module)
        return (
            path is not None and path.name == "__init__.py" and found is not None and found.is_empty
        )

    def data(self, package: str) -> list[Path]:
        """Return the files that lie in a package and are no Python, templates for example, sorted."""
        path = self.file(package)
        if path is None or path.name != "__init__.py":
            return []
        return sorted(
            each for each in path.parent.glob("**/*")
            if each.is_file() and each.suffix not in (".py", ".pyc")
            and not _is_of_another(each, path.parent)
        )  # fmt: skip


def digest_of(path: Path) -> str:
    """Return a short digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _is_of_another(file: Path, package: Path) -> bool:
    """Return whether a package lies between the file and this one."""
    between = file.relative_to(package).parents
    return any((package / each / "__init__.py").exists() for each in list(between)[:-1])
