"""What a person sees of many jobs: done, running, failed, the time left, the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.jobs.driver import Outcome
    from assay.jobs.executor import Ended
    from assay.jobs.job import Job


class JobProgress:
    """Is told by a driver; says nothing yet."""

    def begin(self, job: Job) -> None: ...

    def elsewhere(self, job: Job) -> None: ...

    def again(self, ended: Ended) -> None: ...

    def end(self, outcome: Outcome) -> None: ...
