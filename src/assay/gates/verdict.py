"""A verdict: what a gate checked, how many rows, what failed; the next stage depends on its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import GateError
from assay.runs.files import write_json

if TYPE_CHECKING:
    from assay.contract.checks import Check


@dataclass(frozen=True)
class Verdict:
    """All checks of one gate over one subject.

    Attributes:
        tables: what a person wants to see beside them.
        mend: the way out of a check that states none.
    """

    gate: str
    subject: str
    checks: Sequence[Check]
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    mend: str = ""

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def write_and_raise(self, path: Path, page: Path | None = None) -> None:
        """Print every check, write the verdict, and refuse if one failed.

        Args:
            path: of the JSON.
            page: what a person should look at, where there is one; it was written before.

        Raises:
            GateError: a check failed; the file stands, with every failing row in it.
        """
        print(f"gate {self.gate} · {self.subject}")
        for check in self.checks:
            print(check.line())
        content = {"gate": self.gate, "subject": self.subject, "passed": self.passed}
        checks = [asdict(check) for check in self.checks]
        write_json(path, {**content, "checks": checks, "tables": self.tables})
        failed = [check for check in self.checks if not check.passed]
        if failed:
            found = "; ".join(f"{check.name}: {check.found}" for check in failed)
            expected = "; ".join(check.expected for check in failed)
            ways = dict.fromkeys(check.mend or self.mend for check in failed)
            mend = "; ".join(way for way in ways if way)
            see = f"see {page or path}" + (f" · {mend}" if mend else "")
            raise GateError(f"gate {self.gate} of {self.subject}", found, expected, see)
