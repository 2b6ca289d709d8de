"""What a running stage may use of this package: what `code` wrote down for it, as it was then.

New code would otherwise run under an old digest: with `dvc repro -s`, which runs no `code`, or where a
file is edited after `code` has run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from assay.code.distributions import LOCK_FILE, pins
from assay.code.left_out import is_left_out
from assay.code.source import PACKAGE, Source
from assay.code.write import code_file
from assay.errors import AssayError, MachineError
from assay.runs.files import read_json

TOLD = "ASSAY_CODE"  # to the processes of a stage: what it declared


@dataclass(frozen=True)
class Declared:
    """The code of a stage, as its file says.

    Attributes:
        stage: its name with its item.
        path: of the file.
        modules: name → digest.
        distributions: name → version.
    """

    stage: str
    path: Path
    modules: Mapping[str, str]
    distributions: Mapping[str, str]

    @classmethod
    def read(cls, stage: str) -> Declared:
        """Read the file of a stage.

        Raises:
            MachineError: there is none, or it is no such file.
        """
        path = code_file(stage)
        try:
            content = read_json(path)
            return cls(stage, path, content["modules"], content["distributions"])
        except FileNotFoundError:
            found = "no such file"
        except (ValueError, KeyError, TypeError) as fault:
            found = f"not what `code` writes: {type(fault).__name__}: {fault}"
        raise MachineError(str(path), found, f"what {stage} is run by", _mend(stage))

    def ensure_same(self) -> None:
        """Compare every declared module, and every version, with what there is.

        Raises:
            AssayError: one differs.
        """
        source = Source()
        for name, digest in self.modules.items():
            if source.digest(name) != digest:
                raise AssayError(
                    str(source.file(name) or name), f"is not as when {self.path} was written",
                    "code as the stage's digest stands for it", _mend(self.stage),
                )  # fmt: skip
        pinned = pins()
        for name, version in self.distributions.items():
            if pinned.get(name) != version:
                raise AssayError(
                    f"{LOCK_FILE} · {name}", f"{pinned.get(name, 'no line')}; {self.path} has {version}",
                    "the version that the stage's digest stands for", _mend(self.stage),
                )  # fmt: skip

    def allows(self, module: str) -> bool:
        """Return whether a module of this package may be imported."""
        is_above = any(name.startswith(f"{module}.") for name in self.modules)
        return module in self.modules or is_above or is_left_out(module)

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Refuse any other module of this package when it is imported; where `heed` is called, too."""
        finder = _Finder(self)
        sys.meta_path.insert(0, finder)
        before, os.environ[TOLD] = os.environ.get(TOLD, ""), self.stage
        try:
            yield
        finally:
            os.environ[TOLD] = before
            sys.meta_path.remove(finder)

    def undeclared(self, module: str) -> AssayError:
        """Return the fault of a module that nobody wrote down."""
        return AssayError(
            module, f"imported, not declared: {self.path} does not hold it",
            "code that names what it calls",
            f"name the function that imports it where it is called; then {_mend(self.stage)}",
        )  # fmt: skip


def heed() -> None:
    """Hold a process that a stage has started to what the stage declared; asked again, it does nothing.

    Raises:
        AssayError: it has imported something else already.
    """
    stage = os.environ.get(TOLD)
    if not stage or any(isinstance(each, _Finder) for each in sys.meta_path):
        return
    declared = Declared.read(stage)
    for module in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        if not declared.allows(module):
            raise declared.undeclared(module)
    sys.meta_path.insert(0, _Finder(declared))


class _Finder(MetaPathFinder):
    """Is asked first for every module that is imported; finds none."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.partition(".")[0] == PACKAGE and not self.declared.allows(fullname):
            raise self.declared.undeclared(fullname)


def _mend(stage: str) -> str:
    return f"dvc repro {stage}"
