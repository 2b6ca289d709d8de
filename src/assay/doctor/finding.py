"""What a check says: how much it looked at, what is wrong, and the command that mends each of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    subject: str
    found: str
    expected: str
    mend: str

    def render(self) -> str:
        """Return it as three lines, the way out last."""
        return (
            f"  FOUND {self.subject}: {self.found}\n"
            f"        expected: {self.expected}\n"
            f"        mend: {self.mend}"
        )


@dataclass(frozen=True)
class Report:
    """What one check found.

    Attributes:
        check: its name.
        looked: at how many of what.
        findings: what is wrong.
        hints: what a person may want to know; nothing is wrong.
    """

    check: str
    looked: str
    findings: Sequence[Finding] = field(default_factory=tuple)
    hints: Sequence[str] = field(default_factory=tuple)

    def render(self) -> str:
        """Return one line where all is well, and the findings below it where not."""
        state = f"{len(self.findings)} found" if self.findings else "ok"
        lines = [f"{state:7} {self.check}: {self.looked}"]
        lines += [finding.render() for finding in self.findings]
        lines += [f"  hint  {hint}" for hint in self.hints]
        return "\n".join(lines)
