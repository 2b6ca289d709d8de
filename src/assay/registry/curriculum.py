"""Verdicts on the stages of a curriculum: entries of the ledger, of which the last of a stage counts.

A stage opens the next where each of its gates passed or was overruled, on the source that is asked for.
Each stage of the pipeline asks here before it begins. The answer refuses, and changes no byte of what is
made: so the ledger is no dependency of a stage, and a verdict makes nothing stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.contract.checks import Check
from assay.errors import GateError
from assay.manifest.snapshot import read_snapshot
from assay.registry.ledger import entries
from assay.values import descend

CURRICULUM = "curriculum"
FACTS = ("data", "stage", "source", "listing_digest", "refused")  # what is read of an entry


def ensure_open(root: Path, data: str, params: Mapping[str, Any]) -> None:
    """Refuse a stage while the one before it is not done; what is no stage is free.

    Args:
        root: whose ledger is read; the snapshot is the working folder's.
        data: the data set.
        params: the content of `params.yaml`.

    Raises:
        GateError: the stage before has no verdict, or one that does not open this one.
    """
    section = descend(params, data.split("."))
    stage = descend(section, ("ingest", "stage"))
    if not isinstance(stage, int):
        return
    check = check_previous(root, data, stage, section["source"])
    if not check.passed:
        where = f"{data}.ingest.stage: {stage}"
        raise GateError(where, check.found, check.expected, check.mend)


def check_previous(root: Path, data: str, stage: int, source: str, folder: Path = Path()) -> Check:
    """Ask whether the stage before has opened this one, for the source as `folder` has its snapshot."""
    expected, before = "the stage before passed on this source, or overruled", stage - 1
    if not before:
        return Check("previous", True, expected, "the first stage", 0)
    snapshot = read_snapshot(data, folder)
    listed = snapshot.listing_digest if snapshot.url == source else None
    why = _why_closed(_last(root, data, before), source, listed)
    mend = (
        f"dvc exp run -S {data}.ingest.stage={before} && git commit -a && assay curriculum {data}"
        " (--override GATE --reason '…'); judged in another clone: assay ledger --share origin"
    )
    return Check("previous", not why, expected, f"stage {before} {why or 'is done'}", 1, (), mend)


def _last(root: Path, data: str, stage: int) -> Mapping[str, Any] | None:
    """Return the facts of a stage's last verdict; an entry that lacks one is passed over."""
    found = [entry.facts for entry in entries(root) if entry.kind == CURRICULUM]
    whole = [facts for facts in found if set(FACTS) <= facts.keys()]
    mine = [facts for facts in whole if (facts["data"], facts["stage"]) == (data, stage)]
    return mine[-1] if mine else None


def _why_closed(facts: Mapping[str, Any] | None, source: str, listed: str | None) -> str:
    """Return why a verdict does not open the next stage; empty where it does."""
    if facts is None:
        return "has no verdict"
    if facts["source"] != source:
        return f"was judged on another source: {facts['source']}"
    if listed not in (None, facts["listing_digest"]):
        return "was judged on other files of the source than its snapshot lists now"
    said = "; ".join(f"{gate}: {found}" for gate, found in facts["refused"].items())
    return f"failed: {said}" if said else ""
