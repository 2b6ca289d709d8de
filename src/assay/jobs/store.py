"""The store of jobs: `.assay/jobs/<key>/`, a folder each; a result in it is written once, and whole.

- `job.json`: what it is, for people.
- `claim`: locked by the driver that has the job done; the kernel frees it when the driver dies.
- `worker`: locked by the process that trains.
- `work/`: states and half a result, until there is a whole one.
- `result/`: weights, record, history, verdict, predictions; and `files.json`, the digest of each. Weights
  may be taken out of it: it is a result still, of a job that is not done again.
- `failures.jsonl`: a line for each time that it failed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO

from assay.jobs.job import Job
from assay.runs.files import file_digest, read_json, write_json
from assay.runs.lines import ZEROS, append_line, read_lines
from assay.runs.lock import holder_of, taken
from assay.runs.places import JOBS
from assay.runs.record import RECORD

JOB, CLAIM, WORKER, WORK, RESULT, FAILURES, FILES = (
    "job.json", "claim", "worker", "work", "result", "failures.jsonl", "files.json"
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
        """Return the folder of a finished job's files, or None; what is damaged is no result."""
        found = self.folder(job) / RESULT
        return found if _is_whole(found) else None

    def enter(self, job: Job) -> None:
        """Say that a job is to be done, for whoever looks."""
        path = self.folder(job) / JOB
        if not path.exists():
            write_json(path, asdict(job))

    def claim(self, job: Job) -> IO[str] | None:
        """Claim a job until the returned file is closed; None where another driver has it.

        A damaged result is removed: a lost power cut it off, or somebody changed it.
        """
        folder = self.folder(job)
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / CLAIM).open("a+")
        if not taken(stream):
            stream.close()
            return None
        write_json(folder / JOB, asdict(job))
        if (folder / RESULT).is_dir() and self.result(job) is None:
            print(f"{folder / RESULT} is damaged, and is trained again", flush=True)
            shutil.rmtree(folder / RESULT)
        return stream

    def put(self, job: Job, folder: Path) -> None:
        """Make a folder the job's result; where there is one already, that stands."""
        for half in folder.glob(".*.aside*"):  # of a worker that was killed while it wrote
            half.unlink()
        digests = {each.name: file_digest(each) for each in folder.iterdir() if each.name != FILES}
        write_json(folder / FILES, digests)
        try:
            folder.rename(self.folder(job) / RESULT)
        except OSError:
            if self.result(job) is None:
                raise
        shutil.rmtree(self.work(job), ignore_errors=True)

    def prune(self, job: Job) -> None:
        """Remove the weights of a finished job, which stays finished; where there are none, do nothing.

        The list goes first: whoever is killed between leaves a whole result, and files that it lacks.
        """
        found = self.result(job)
        if found is None:
            return
        weights = _weights(found)
        listed = read_json(found / FILES)
        left = {name: digest for name, digest in listed.items() if name not in weights}
        write_json(found / FILES, left)
        for name in weights:
            (found / name).unlink(missing_ok=True)

    def has_weights(self, job: Job) -> bool:
        """Return whether a job is finished, and its weights are there."""
        found = self.result(job)
        return found is not None and set(_weights(found)) <= read_json(found / FILES).keys()

    def fail(self, job: Job, reason: str) -> None:
        """Record that a job failed."""
        append_line(self.folder(job) / FAILURES, {"reason": reason})

    def failures(self, job: Job) -> list[str]:
        """Return why a job failed, each time; of a line that was cut off, what there is."""
        lines = read_lines(self.folder(job) / FAILURES)
        return [
            str((line.content or {}).get("reason", line.text or f"a line of {ZEROS}"))
            for line in lines
        ]

    def forget(self, job: Job) -> None:
        """Remove all of a job; its holder alone may."""
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def jobs(self) -> Iterator[Job]:
        """Yield every job that was ever claimed here, and whose `job.json` can be read."""
        for path in sorted((self.root / self.place).glob(f"*/{JOB}")):
            with suppress(ValueError, TypeError):  # written anew by who claims it
                yield Job(**read_json(path))

    def holder(self, job: Job) -> str:
        """Return the process of the driver that has it done now, or an empty text."""
        return holder_of(self.folder(job) / CLAIM)


def _weights(result: Path) -> list[str]:
    """Return the names of the files that the model is, as its record says."""
    return list(read_json(result / RECORD)["files"])


def _is_whole(folder: Path) -> bool:
    """Return whether each file of a result is what was put."""
    try:
        listed = read_json(folder / FILES)
        found = {name: (folder / name).stat() for name in listed}
        return bool(listed) and all(
            _digest(folder / name, stat.st_size, stat.st_mtime_ns) == listed[name]
            for name, stat in found.items()
        )
    except (OSError, ValueError):
        return False


@cache
def _digest(path: Path, _size: int, _changed: int) -> str:
    """Return a file's digest, once for each state of it: a driver asks for a result often."""
    return file_digest(path)
