"""What came of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from assay.jobs.job import Job


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: which.
        folder: with its result, or None.
        fault: why there is none.
    """

    job: Job
    folder: Path | None
    fault: Exception | None = None


def finished(outcome: Outcome) -> Path:
    """Return the folder of the result; raise why there is none."""
    if outcome.folder is None:
        assert outcome.fault is not None
        raise outcome.fault
    return outcome.folder
