"""The folders below `.assay`, relative to the root: what a checkout keeps for itself, beside git and DVC.

All are safe to delete while nothing runs. What a search has tried, a killed training has reached and a
sweep has said is lost then; the rest is made anew.
"""

from __future__ import annotations

from pathlib import Path

PRIVATE = Path(".assay")

# Of sources, by what they hold.
PHANTOMS = PRIVATE / "phantom"
FETCHED = PRIVATE / "fetched"  # whole files of a remote source
BLOCKS = PRIVATE / "blocks"  # parts of remote archives
INDEXES = PRIVATE / "index"  # labels that were parsed
IMAGES = PRIVATE / "images"
ARRAYS = PRIVATE / "arrays"
FEATURES = PRIVATE / "features"
FROZEN = PRIVATE / "frozen"  # what backbones that do not learn say of views of photographs

# Of runs.
LOCKS = PRIVATE / "locks"
EVENTS = PRIVATE / "events"
JOBS = PRIVATE / "jobs"  # trainings, by key: states of the killed, results of the finished
PROOFS = PRIVATE / "proofs"  # the same, of stages that are asked again for what DVC knows
REHEARSALS = PRIVATE / "fast-dev"  # one epoch of all, of which nothing is kept
STUDIES = PRIVATE / "search"
SWEEPS = PRIVATE / "sweep"
BRANCHES = PRIVATE / "repro"  # what each branch of `assay repro` printed

# Of what was read of them.
HISTORY = PRIVATE / "history"  # entries of locks that were parsed
MLFLOW = PRIVATE / "mlflow"

# For people.
EXPORTS = PRIVATE / "export"
YOLO = PRIVATE / "yolo"
SHOWN = PRIVATE / "show"


def named_lock(root: Path, name: str) -> Path:
    """Return the file that stands for a lock, see `lock.held`."""
    return root / LOCKS / f"{name}.lock"
