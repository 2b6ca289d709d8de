"""Jobs in processes beside this one: each in a fresh one, forked from a server that has the libraries."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from contextlib import suppress
from multiprocessing import connection
from threading import Thread
from typing import TYPE_CHECKING

from assay.code.declared import heed
from assay.errors import AssayError, MachineError
from assay.jobs.executor import Ended
from assay.runs.parent import die_with_parent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from assay.jobs.executor import Work
    from assay.jobs.job import Job
    from assay.jobs.store import JobStore

LIBRARIES = [  # imported once, by the server; the last two Lightning imports late, for every job
    "torch", "polars", "torchvision", "timm", "assay.jobs.run_job", "lightning", "s3fs", "omegaconf"
]  # fmt: skip
LOG = "log.txt"


class Processes:
    """Does jobs side by side; of several GPUs each has one.

    A fresh process a job, and no pool: what a job leaves in one, and a kill, touch no other. Forked from
    `multiprocessing`'s fork server, which has imported the libraries, a job costs 0.2 s more than its
    training.

    Args:
        work: see `Work`; can be pickled.
        store: takes the results; on a disk of this machine.
        slots: processes at once.
    """

    def __init__(self, work: Work, store: JobStore, slots: int) -> None:
        self.slots = slots
        self._work, self._store = work, store
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(LIBRARIES)
        self._running: dict[int, tuple[Job, BaseProcess, Connection]] = {}  # by slot
        self._lost: list[Ended] = []  # never begun

    def start(self, job: Job) -> None:
        """Begin a job."""
        slot = next(number for number in range(self.slots) if number not in self._running)
        receiver, sender = self._context.Pipe(duplex=False)
        given = (self._work, self._store, job, slot, sender)
        process = self._context.Process(target=_do, args=given)
        try:
            process.start()
        except (OSError, EOFError) as fault:  # the server was killed; the next start has a new one
            receiver.close()
            self._lost.append(self._killed(job, f"its process did not start: {fault!r}"))
        else:
            self._running[slot] = job, process, receiver
        finally:
            sender.close()

    def ended(self, timeout: float) -> list[Ended]:
        """Return the jobs whose processes have ended."""
        done, self._lost = self._lost, []
        processes = [process.sentinel for _, process, _ in self._running.values()]
        connection.wait(processes, 0 if done else timeout)
        for slot, (job, process, receiver) in list(self._running.items()):
            if process.exitcode is not None:
                del self._running[slot]
                done.append(self._judged(job, process.exitcode, receiver))
                process.close()
        return done

    def _judged(self, job: Job, status: int, receiver: Connection) -> Ended:
        fault = None
        with receiver, suppress(EOFError):  # told nothing
            fault = receiver.recv() if receiver.poll() else None
        if status == 0 or fault is not None:
            return Ended(job, fault)
        found = f"its process ended by itself, with {status}"
        return self._killed(
            job, found if status > 0 else f"its process was killed by signal {-status}"
        )

    def _killed(self, job: Job, found: str) -> Ended:
        mend = f"see {self._store.folder(job) / LOG}"
        return Ended(job, MachineError(f"{job.task} {job.key}", found, mend=mend), True)

    def stop(self) -> None:
        """Kill what still runs."""
        for _, process, _ in self._running.values():
            process.kill()
            process.join()
        self._running.clear()


def _do(work: Work, store: JobStore, job: Job, slot: int, faults: Connection) -> None:
    """Do a job in this process: with a log, deaf to Ctrl-C, dead with its driver and with the server."""
    die_with_parent()
    Thread(target=_die_with_driver, daemon=True).start()
    os.setsid()
    with (store.folder(job) / LOG).open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        heed()
        _choose_gpu(slot)
        work(job, store)
    except Exception as fault:  # noqa: BLE001, a library's, or ours: the log has it whole
        traceback.print_exc()
        said = f"{type(fault).__name__}: {fault}"
        faults.send(fault if isinstance(fault, AssayError) else RuntimeError(said))


def _die_with_driver() -> None:
    """Die when the driver does; the fork server, the parent, outlives it as long as a worker is left."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os.kill(os.getpid(), signal.SIGKILL)


def _choose_gpu(slot: int) -> None:
    """Leave this process one GPU of those that the driver sees."""
    import torch

    if count := torch.cuda.device_count():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        known = seen.split(",") if seen else [str(number) for number in range(count)]
        os.environ["CUDA_VISIBLE_DEVICES"] = known[slot % len(known)]
