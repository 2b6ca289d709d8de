"""What a stage runs and its output cannot depend on: a change in these makes no stage stale."""

from __future__ import annotations

LEFT_OUT = {
    "assay.code": "judges code, and refuses",
    "assay.errors": "what a person is told when a stage ends without an output",
    "assay.jobs.display": "what a person sees of jobs",
    "assay.jobs.driver": "which job is done when, and by whom",
    "assay.jobs.executor": "in which process a job is done",
    "assay.jobs.executors": "in which process a job is done",
    "assay.jobs.outcome": "what came of a job",
    "assay.jobs.processes": "in which process a job is done",
    "assay.jobs.progress": "what a person sees of jobs",
    "assay.jobs.ray_cluster": "on which machine a job is done",
    "assay.jobs.ray_local": "on which machine a job is done",
    "assay.jobs.ray_parcels": "on which machine a job is done",
    "assay.jobs.ray_worker": "on which machine a job is done",
    "assay.jobs.reached": "how far a job is, for people",
    "assay.jobs.store": "where a result lies until it is collected",
    "assay.learning.progress": "the line that moves while a training runs",
    "assay.lookup": "finds the object that an entry names",
    "assay.repro": "which stages run beside which, and where their libraries are imported",
    "assay.runs.console": "what a person sees on a terminal",
    "assay.runs.events": "clock and progress, beside the outputs",
    "assay.runs.lock": "who waits for whom",
    "assay.runs.parent": "a process dies with the one that started it",
    "assay.section_check": "refuses values before a stage runs",
    "assay.stages.__main__": "starts a stage",
    "assay.stages.guard": "refuses to start one",
    "assay.stages.launch": "asks DVC what it declared",
    "assay.value_faults": "what a person is told of a wrong value",
}
ROOMS = ("data", "tasks", "pipelines")  # of a system; their `__init__` are tables for `lookup`


def is_left_out(module: str) -> bool:
    """Return whether a module, or the package that it lies in, is left out."""
    parts = module.split(".")
    above = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return is_table(module) or any(each in LEFT_OUT for each in above)


def is_table(module: str) -> bool:
    """Return whether a module says where the things of a room are; what it says is written by item."""
    parts = module.split(".")
    return len(parts) == 4 and parts[1] == "systems" and parts[3] in ROOMS
