"""The backbones of a pair, at their first weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import MachineError
from assay.learning.backbone import build_backbone, ensure_takes
from assay.learning.determinism import reseed
from assay.runs.start import first_weights
from assay.sections.task import NONE
from assay.systems.hemoglobin.networks.parted import in_parts

if TYPE_CHECKING:
    from assay.systems.hemoglobin.networks.parted import PartedBackbone
    from assay.systems.hemoglobin.tasks.fusion_params import MemberModel

BEST = "assay weights hemoglobin-fusion --best 5 hemoglobin-nail hemoglobin-conjunctiva"
VIEWS = ("nail", "conjunctiva")  # in the order of the system's views


@dataclass(frozen=True)
class Backbone:
    """A backbone at its first weights.

    Attributes:
        name: timm's.
        first: digest of the weights, or which seed drew them.
        unfreeze: how many last stages its tail has.
        parted: shared by the trainings of a process: what learns of it is a copy.
    """

    name: str
    first: str
    unfreeze: int
    parted: PartedBackbone


def backbones_of(task: str, model: MemberModel, seed: int, size: int) -> list[Backbone]:
    """Return the backbone of each view.

    Args:
        task: its name.
        model: the configuration.
        seed: of first weights, where no file has them.
        size: side of the images, px.
    """
    found = []
    for number, view in enumerate(VIEWS):
        name = getattr(model, view)
        try:
            path = first_weights(task, model.weights_of(view, name), name)
            stamp = 0 if path == NONE else Path(path).stat().st_mtime_ns
            found.append(_built(name, path, stamp, seed, number, model.unfreeze, size))
        except MachineError as fault:
            raise _placed(fault, f"{task}.model.{view}") from None
    return found


def _placed(fault: MachineError, key: str) -> MachineError:
    """Return a fault of a backbone with the key that names it, and the command that is about it."""
    task, _, _ = key.partition(".")
    mend = fault.mend.replace("<task>.model.<list>", key)
    if f"assay weights {task}" in mend:
        mend += f"; of single-modality trainings: {BEST}"
    return MachineError(f"{key} · {fault.where}", fault.found, fault.expected, mend)


@lru_cache(maxsize=4)  # of the largest a third of a GB each
def _built(
    name: str, path: str, _stamp: int, seed: int, number: int, unfreeze: int, size: int
) -> Backbone:
    reseed(seed, number)
    network, digest = build_backbone(name, path, Path())
    ensure_takes(network, size, "hemoglobin.fusion.ingest.size")
    first = digest if path != NONE else f"seed {seed}, {number}"
    return Backbone(name, first, unfreeze, in_parts(network, unfreeze, name, size))
