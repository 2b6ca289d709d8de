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


class Source:
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
        known = (path.with_name(f"{path.name}.py"), path / "__init__.py")
        return next((each for each in known if each.exists()), None)

    def _parsed(self, module: str) -> Parsed | None:
        path = self.file(module)
        return parsed(path) if path else None

    def digest(self, module: str) -> str:
        """Return a short digest of a module's file; empty where there is none."""
        path = self.file(module)
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path else ""
