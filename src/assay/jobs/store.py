"""The store of jobs: `.assay/jobs/<key>/`, a folder each; a result in it is written once, and whole.

- `job.json`: what it is, for people.
- `claim`: locked by the driver that has the job done; the kernel frees it when the driver dies.
- `worker`: locked by the process that trains.
- `work/`: states and half a result, until there is a whole one.
- `result/`: weights, record, history, verdict, predictions.
- `failures.jsonl`: a line for each time that it failed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from assay.jobs.job import Job
from assay.runs.files import read_json, write_json
from assay.runs.lock import holder_of, taken
from assay.runs.places import JOBS

JOB, CLAIM, WORKER, WORK, RESULT, FAILURES = (
    "job.json", "claim", "worker", "work", "result", "failures.jsonl"
)  # fmt: skip


@dataclass(frozen=True)
class JobStore:
    """Results of jobs, by key.

    Attributes:
        root: the repository's root.
        place: below it; proofs have one of their own, where no earlier result is found.
    """

    root: Path
    place: Path = JOBS

    def folder(self, job: Job) -> Path:
        return self.root / self.place / job.key

    def work(self, job: Job) -> Path:
        """Return where a job's states and its half result lie."""
        return self.folder(job) / WORK

    def half(self, job: Job) -> Path:
        """Return where the result of a job grows."""
        return self.work(job) / RESULT

    def result(self, job: Job) -> Path | None:
        """Return the folder of a finished job's files, or None."""
        found = self.folder(job) / RESULT
        return found if found.is_dir() else None

    def claim(self, job: Job) -> IO[str] | None:
        """Claim a job until the returned file is closed; None where another driver has it."""
        folder = self.folder(job)
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / CLAIM).open("a+")
        if not taken(stream):
            stream.close()
            return None
        if not (folder / JOB).exists():
            write_json(folder / JOB, asdict(job))
        return stream

    def put(self, job: Job, folder: Path) -> None:
        """Make a folder the job's result; where there is one already, that stands."""
        try:
            folder.rename(self.folder(job) / RESULT)
        except OSError:
            if self.result(job) is None:
                raise
        shutil.rmtree(self.work(job), ignore_errors=True)

    def fail(self, job: Job, reason: str) -> None:
        """Record that a job failed."""
        with (self.folder(job) / FAILURES).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"reason": reason}) + "\n")

    def failures(self, job: Job) -> list[str]:
        """Return why a job failed, each time."""
        path = self.folder(job) / FAILURES
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [str(json.loads(line)["reason"]) for line in lines]

    def forget(self, job: Job) -> None:
        """Remove all of a job; its holder alone may."""
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def jobs(self) -> list[Job]:
        """Return every job that was ever claimed here."""
        found = sorted((self.root / self.place).glob(f"*/{JOB}"))
        return [Job(**read_json(path)) for path in found]

    def holder(self, job: Job) -> str:
        """Return the process of the driver that has it done now, or an empty text."""
        return holder_of(self.folder(job) / CLAIM)
