"""Sets that are taken in and judged as the stages do it, and what the gate says of their agreement."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from assay.errors import GateError
from assay.manifest.layout import Layout
from assay.manifest.snapshot import Snapshot, write_snapshot
from assay.params import read_params
from assay.runs.files import read_json
from assay.sections.machine import Runtime
from assay.stages import ingest, validate
from assay.stages.launch import Stage
from tests.project import ROOT

CONJUNCTIVA, CEPH, PILLS, MASKS, SPECTRA = (
    "hemoglobin.conjunctiva", "ceph", "pills", "pills.masks", "spectra",
)  # fmt: skip
PHANTOMS = {
    CONJUNCTIVA: {"folder1": 80, "folder2": 120, "size": 40},
    CEPH: {"films": 90, "width": 130},
    PILLS: {"classes": 12, "sessions": 5, "angles": 1, "combinations": 4, "width": 64},
    MASKS: {"drugs": 12, "sessions": 5, "angles": 2, "combinations": 4, "width": 64},
    SPECTRA: {"samples": 240, "uncomputed": 0, "failed": 0, "twins": 0},
}
SIZES = {CONJUNCTIVA: 32, CEPH: 64, PILLS: 64, MASKS: 64, SPECTRA: 128}


def section_of(name: str) -> dict[str, Any]:
    """Return the section of a system as `params.yaml` has it, of a small set in the folder `set`."""
    section: Any = read_params(ROOT / "params.yaml")
    for key in name.split("."):
        section = section[key]
    section["source"] = "set"
    section["phantom"] |= PHANTOMS[name]
    section["ingest"]["size"] = SIZES[name]
    return dict(section)


def judged(name: str, folder: Path, root: Path, policy: str = "stop") -> dict[str, Any]:
    """Take a set in and judge it, as the stages do; return what the gate says of the agreement."""
    section = section_of(name)
    section["policy"]["agreement"] = policy
    shutil.copytree(folder, root / "set", dirs_exist_ok=True)
    (root / "data").mkdir(exist_ok=True)
    write_snapshot(root, name, Snapshot(url="elsewhere"))
    declared: Any = section
    for key in reversed(name.split(".")):
        declared = {key: declared}
    events: Any = Any
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("DVC_ROOT", str(root))
        asked = [
            Stage(f"{each}@{name}", name, root, declared, {}, Runtime(), "key", events)
            for each in ("ingest", "validate")
        ]
        ingest.main(asked[0])
        try:
            validate.main(asked[1])
        except GateError as refused:
            (root / "said").write_text(str(refused))
        verdict = read_json(root / Layout(name).labels_verdict)
    return next(check for check in verdict["checks"] if check["name"] == "agreement")
