"""Which executor `runtime` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.jobs.executor import InProcess
from assay.lookup import imported
from assay.runs.cores import available_cores

if TYPE_CHECKING:
    from assay.jobs.executor import Executor, Work
    from assay.jobs.store import JobStore
    from assay.sections.machine import Runtime


def executor_of(runtime: Runtime, work: Work, store: JobStore, count: int) -> Executor:
    """Return who does `count` jobs: this process, others beside it, or a cluster; of none nobody else."""
    found: Executor
    if runtime.executor == "ray" and count:
        found = imported("assay.jobs.ray_cluster").RayCluster(work, store)
        print(f"Ray has room for {found.slots} trainings on one thread each", flush=True)
        return found
    slots = min(count, _most() if runtime.n_jobs == "auto" else runtime.n_jobs)
    if slots < 2:
        return InProcess(work, store)
    found = imported("assay.jobs.processes").Processes(work, store, slots)
    return found


def _most() -> int:
    import torch

    return torch.cuda.device_count() or available_cores()
