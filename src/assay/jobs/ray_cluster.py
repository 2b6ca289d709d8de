"""Jobs on a Ray cluster: all that one needs travels with it, and its result comes back as bytes."""

from __future__ import annotations

import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, MachineError
from assay.jobs import ray_worker
from assay.jobs.executor import Ended
from assay.jobs.ray_local import ADDRESS, LocalRay, installed, join
from assay.jobs.ray_parcels import Parcels
from assay.jobs.ray_worker import LOG, Returned, clean, do
from assay.runs.events import events_path
from assay.runs.files import atomic_write

if TYPE_CHECKING:
    from assay.jobs.executor import Work
    from assay.jobs.job import Job
    from assay.jobs.store import JobStore

CAPACITY = {"num_cpus": "CPU", "num_gpus": "GPU"}  # what a task asks for, as a node has it
PATIENCE = 10  # seconds for the nodes to clean up


class RayCluster:
    """Does jobs wherever a cluster has room: of this machine alone, or the one that `RAY_ADDRESS` names.

    Ray retries nothing: whose worker, node or data are lost comes back as killed, and the driver judges.

    Args:
        work: see `Work`; can be pickled.
        store: takes the results, on a disk of this machine.

    Raises:
        MachineError: Ray is not installed, or there is no cluster.
    """

    def __init__(self, work: Work, store: JobStore) -> None:
        self._work, self._store = work, store
        address = os.environ.get(ADDRESS, "")
        self._local = None if address else LocalRay()
        self._ray = installed()
        if address:
            join(address)
        self._ray.cloudpickle.register_pickle_by_value(ray_worker)
        self._folder = self._local.folder if self._local else ""
        self._running: dict[Any, Job] = {}
        self._refused: list[Ended] = []
        self._parcels = Parcels(self._ray)
        self.slots, self._asked = 1, {"num_cpus": 1}
        self._count()

    def start(self, job: Job) -> None:
        """Begin a job; one that cannot travel has ended, with the reason."""
        try:
            self._asked = self._resources(job)
            digest, parts = self._parcels.of(job)
        except AssayError as fault:
            self._refused.append(Ended(job, fault))
            return
        call = [self._ray.put((self._work, job, self._store.place))]  # in a list: for `do` to open
        task = self._ray.remote(do).options(name=job.key, max_retries=0, **self._asked)
        self._running[task.remote(self._folder, digest, parts, call)] = job
        self._count()

    def ended(self, timeout: float) -> list[Ended]:
        """Return a job that has ended, if one has."""
        if self._refused:
            refused, self._refused = self._refused, []
            return refused
        if not self._running:
            time.sleep(timeout)
            return []
        ready, _ = self._ray.wait(list(self._running), timeout=timeout)
        self._count()
        return [self._judged(self._running.pop(reference), reference) for reference in ready]

    def stop(self) -> None:
        """Kill what still runs; a cluster of this machine ends, another forgets the data."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        if self._local:
            self._local.stop()
        else:
            self._forget()
            self._ray.shutdown()
        self._running.clear()

    def _judged(self, job: Job, reference: Any) -> Ended:
        errors = self._ray.exceptions
        try:
            returned = Returned(*self._ray.get(reference))
        except errors.RayError as fault:
            cause = getattr(fault, "cause", None) or fault  # of what failed before the job began
            said = f"{type(cause).__name__}: {cause}".strip()
            if isinstance(cause, errors.RayTaskError) or not isinstance(cause, errors.RayError):
                return Ended(job, RuntimeError(said))
            mend = "the logs of Ray's nodes say more"
            return Ended(job, MachineError(f"{job.task} {job.key}", said, mend=mend), True)
        return Ended(job, self._kept(job, returned))

    def _kept(self, job: Job, returned: Returned) -> Exception | None:
        """Take over what came back; return the fault that there was, in paths of this machine."""
        folder = self._store.folder(job)
        for path, lines in (
            (folder / LOG, returned.log),
            (events_path(self._store.root, job.stage, job.key), returned.events),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as stream:
                stream.write(lines)
        half = self._store.half(job)
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        for name, content in returned.files.items():
            atomic_write(half / name, partial(Path.write_bytes, data=content))
        fault = returned.fault
        if fault is None:
            self._store.put(job, half)
        elif isinstance(fault, AssayError):
            fault.mend = fault.mend.replace(returned.folder, str(self._store.root))
        return fault

    def _resources(self, job: Job) -> dict[str, int]:
        """Return what a job asks of a node: as many cores as it has threads, if any node has so many."""
        train = job.params[job.task]["train"]
        cores = [int(node["Resources"].get("CPU", 0)) for node in self._nodes()]
        asked = {"num_cpus": min(train["threads"], max(cores, default=0)) or train["threads"]}
        if train["device"] == "cuda":
            asked["num_gpus"] = 1
            if "GPU" not in self._ray.cluster_resources():
                where, mend = f"{job.task}: device cuda", "-S machine.device=cpu"
                raise MachineError(where, "no node of the cluster has a GPU", mend=mend)
        return asked

    def _count(self) -> None:
        """Say how many such jobs the cluster holds now."""
        held = self._ray.cluster_resources()
        fits = [held.get(CAPACITY[name], 0) // count for name, count in self._asked.items()]
        self.slots = max(1, int(min(fits)))

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _forget(self) -> None:
        """Have every node remove the data that it was sent."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

        self._ray.wait(list(self._running), num_returns=len(self._running), timeout=PATIENCE)
        task = self._ray.remote(clean)
        there = [On(node["NodeID"], soft=False) for node in self._nodes()]
        cleaned = [task.options(num_cpus=0, scheduling_strategy=on).remote("") for on in there]
        self._ray.wait(cleaned, num_returns=len(cleaned), timeout=PATIENCE)
