"""What a running stage may use of this package: what `code` wrote down for it, as it was then.

New code would otherwise run under an old digest: with `dvc repro -s`, which runs no `code`, or where a
file is edited after `code` has run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from assay.code.distributions import LOCK_FILE, pins
from assay.code.left_out import is_left_out
from assay.code.source import PACKAGE, SourceTree, digest_of
from assay.code.write import STAGES, TRAINING, code_file
from assay.errors import AssayError, DamagedFileError, MachineError
from assay.lookup import TRAININGS, places_in, system_of
from assay.runs.files import read_json

ROOMS = dict(tuple(STAGES))  # room → the name of its table
PARTS = ("places", "modules", "files", "distributions")
TOLD = "ASSAY_CODE"  # to the processes of a stage: what it declared


@dataclass(frozen=True)
class Declared:
    """The code of a stage, as its file says.

    Attributes:
        stage: its name with its item.
        path: of the file.
        places: item → where its table has it.
        modules: name → digest.
        files: path → digest, of what is no module.
        distributions: name → version.
    """

    stage: str
    path: Path
    places: Mapping[str, str]
    modules: Mapping[str, str]
    files: Mapping[str, str]
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
            parts = [dict(content[part]) for part in PARTS]
            return cls(stage, path, *parts)
        except FileNotFoundError:
            found = "no such file"
        except DamagedFileError as fault:
            found = fault.found
        except (OSError, ValueError, KeyError, TypeError) as fault:
            found = f"not what `code` writes: {type(fault).__name__}: {fault}"
        raise MachineError(str(path), found, f"what {stage} is run by", _mend(stage))

    def ensure_same(self) -> None:
        """Compare what is declared with what there is.

        Raises:
            AssayError: one differs, or a package that held nothing now holds something.
        """
        source, pinned = SourceTree(), pins()
        changed = [n for n, digest in self.modules.items() if source.digest(n) != digest]
        changed += [n for n in self._above() if source.file(n) and not source.is_empty(n)]
        paths = [str(source.file(name) or name) for name in changed]
        paths += [name for name, digest in self.files.items() if _digest(Path(name)) != digest]
        if paths:
            raise self._other(paths[0], f"is not as when {self.path} was written")
        for item, place in self.places.items():
            room = place.partition(".")[0]
            table = TRAININGS if self.stage.startswith(f"{TRAINING}@") else ROOMS[room]
            found = f"{room}.{places_in(system_of(item), room, table).get(item, 'nowhere')}"
            if found != place:
                raise self._other(item, f"is {found}; {self.path} has {place}")
        for name, version in self.distributions.items():
            if pinned.get(name) != version:
                found = f"{pinned.get(name, 'no line')}; {self.path} has {version}"
                raise self._other(f"{LOCK_FILE} · {name}", found)

    def _above(self) -> list[str]:
        """Return the packages that declared modules lie in, and which held nothing."""
        names = {
            name.rsplit(".", count)[0]
            for name in self.modules for count in range(1, name.count(".") + 1)
        }  # fmt: skip
        return sorted(name for name in names - set(self.modules) if not is_left_out(name))

    def ensure_loaded(self, modules: Iterable[str]) -> None:
        """Refuse modules of this package that were imported before anybody watched.

        Raises:
            AssayError: one is not declared.
        """
        for module in modules:
            if module.partition(".")[0] == PACKAGE and not self.allows(module):
                raise self.undeclared(module)

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

    def _other(self, where: str, found: str) -> AssayError:
        return AssayError(where, found, "what the stage's digest stands for", _mend(self.stage))


def heed() -> None:
    """Hold a process that a stage has started to what the stage declared; asked again, it does nothing.

    Raises:
        AssayError: it has imported something else already.
    """
    stage = os.environ.get(TOLD)
    if not stage or any(isinstance(each, _Finder) for each in sys.meta_path):
        return
    declared = Declared.read(stage)
    declared.ensure_loaded(list(sys.modules))
    sys.meta_path.insert(0, _Finder(declared))


class _Finder(MetaPathFinder):
    """Is asked first for every module that is imported; finds none."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        is_ours = fullname.partition(".")[0] == PACKAGE and SourceTree().file(fullname)
        if is_ours and not self.declared.allows(fullname):
            raise self.declared.undeclared(fullname)


def _digest(path: Path) -> str:
    return digest_of(path) if path.is_file() else ""


def _mend(stage: str) -> str:
    """Force `code`: where a file was edited while DVC saved it, DVC takes the old one for the new."""
    return f"dvc repro -f code@{system_of(stage.partition('@')[2])} && dvc repro {stage}"
