"""Errors that a person can cause and mend; each is printed whole, without a traceback.

AssayError
├── ParamsError        params.yaml: a key, a type, a range, a combination
├── MachineError       the interpreter, a lock, a missing weight file
├── SourceError        a source, its tables, its snapshot
│   └── UnreadableError    some of the originals that were asked for
├── DamagedFileError   a file of ours that is not whole; a ValueError as well
├── GateError          a gate refused what it judged
└── RegistryError      what keeps a model out of the registry
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class AssayError(Exception):
    """One fault: where it is, what was found, what was expected, and the command that mends it."""

    def __init__(self, where: str, found: str, expected: str = "", mend: str = "") -> None:
        self.where, self.found, self.expected, self.mend = where, found, expected, mend
        super().__init__(self.render())

    def __reduce__(self) -> tuple[Any, ...]:
        """Come out of another process as it went in; an exception is else made anew of its text."""
        return _again, (type(self), self.args, self.__dict__)

    def render(self) -> str:
        """Return the text that a person reads: two or three lines, the way out last."""
        lines = [f"error: {self.where}: {self.found}"]
        if self.expected:
            lines.append(f"       expected: {self.expected}")
        if self.mend:
            lines.append(f"       mend: {self.mend}")
        return "\n".join(lines)


class ParamsError(AssayError):
    """One or more keys of `params.yaml` are unknown, missing or out of range."""

    def __init__(self, faults: list[AssayError]) -> None:
        self.faults = faults
        super().__init__("params.yaml", f"{len(faults)} fault(s)")

    def render(self) -> str:
        """Return every fault, one below the other: all are shown, not the first."""
        return "\n".join(fault.render() for fault in self.faults)


class MachineError(AssayError):
    """The machine lacks something that the stage needs."""


class SourceError(AssayError):
    """A source or its snapshot cannot be read as what it claims to be."""


class UnreadableError(SourceError):
    """Some of the originals that were asked for at once cannot be read as what ingest read.

    Attributes:
        rows: their places among those that were asked for.
    """

    def __init__(self, rows: Sequence[int], first: AssayError) -> None:
        self.rows = list(rows)
        super().__init__(first.where, first.found, first.expected, first.mend)


class DamagedFileError(AssayError, ValueError):
    """A JSON file that Assay wrote cannot be read: a power cut, an editor."""


class GateError(AssayError):
    """A gate judged and refused; its verdict file holds every row."""


class RegistryError(AssayError):
    """A model cannot enter, or move within, the registry."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what was expected of a name that nobody knows: the one that was meant, or all there are."""
    import difflib

    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(names)}"


def _again(kind: type[AssayError], args: tuple[Any, ...], content: Mapping[str, Any]) -> AssayError:
    fault = kind.__new__(kind, *args)
    fault.__dict__.update(content)
    return fault
