"""The rates of fusion trainings, as the specification draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.learning.schedules import Piece
from assay.sections.task import NONE

if TYPE_CHECKING:
    from assay.learning.schedules import Schedule
    from assay.systems.hemoglobin.tasks.fusion_params import PhaseTrain


def head_schedule(how: PhaseTrain) -> Schedule:
    """Return the head's: up to its peak, then one cosine to the end.

    Where it steps to another rate when the backbones thaw, the peak is held until then, and the cosine
    begins there.
    """
    rise = [Piece(0, how.head_warmup_epochs, 0.0, how.head_lr)] if how.head_warmup_epochs else []
    if how.head_lr_thawed == NONE:
        start = how.head_warmup_epochs
        return [*rise, Piece(start, how.epochs, how.head_lr, how.head_lr_final, "cosine")]
    held = [Piece(how.head_warmup_epochs, how.frozen_epochs, how.head_lr, how.head_lr)]
    thawed = float(how.head_lr_thawed)
    fall = Piece(how.frozen_epochs, how.epochs, thawed, how.head_lr_final, "cosine")
    return [*rise, *(held if how.frozen_epochs > how.head_warmup_epochs else []), fall]


def backbone_schedule(how: PhaseTrain) -> Schedule:
    """Return the last stages': nothing while they are frozen, then one cosine to the end."""
    still = [Piece(0, how.frozen_epochs, 0.0, 0.0)] if how.frozen_epochs else []
    cosine = Piece(how.frozen_epochs, how.epochs, how.backbone_lr, how.backbone_lr_final, "cosine")
    return [*still, cosine]
