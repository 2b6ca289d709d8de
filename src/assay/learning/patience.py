"""Lower rates, and an early end, where no better epoch comes; better is what the epoch rule says.

How long was waited follows from the epoch and the best one, so that there is nothing to keep for a killed
training. `ReduceLROnPlateau` and Lightning's `EarlyStopping` watch one number, where the rule has ties
to break; and torch's would be overwritten by the schedule at the next step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import lightning as L
from torch.optim.lr_scheduler import LambdaLR

from assay.learning.schedules import start_epoch

if TYPE_CHECKING:
    from assay.learning.training_spec import TrainingSpec

Patience = int | Literal["none"]


def act(trainer: L.Trainer, spec: TrainingSpec, best: int) -> None:
    """Lower the rates at the end of an epoch, or make it the last, as the plan says."""
    epoch, config = trainer.current_epoch, spec.config
    if lowers(waited(spec, best, epoch), config.plateau_patience):
        _lower(trainer, config.plateau_factor)
        print(
            f"no better epoch since {best + 1}: rates times {config.plateau_factor:g}", flush=True
        )
    if ended(spec, best, epoch):
        trainer.should_stop = True
        print(f"no better epoch since {best + 1}: ends with {epoch + 1}", flush=True)


def waited(spec: TrainingSpec, best: int, epoch: int) -> int:
    """Return how many epochs up to this one have brought no better one.

    Those before every part learns do not count: a head alone soon gets no further.
    """
    # The last epoch without all parts.
    last = max(math.ceil(start_epoch(part.schedule)) for part in spec.param_groups) - 1
    return max(0, epoch - max(best, last))


def lowers(epochs: int, patience: Patience) -> bool:
    """Return whether torch's `ReduceLROnPlateau` lowers after so long (threshold and cooldown 0)."""
    return patience != "none" and epochs > 0 and epochs % (patience + 1) == 0


def ended(spec: TrainingSpec, best: int, epoch: int) -> bool:
    """Return whether Lightning's `EarlyStopping` ends here (its `min_delta` being 0)."""
    patience = spec.config.early_stopping_patience
    return patience != "none" and waited(spec, best, epoch) >= patience


def _lower(trainer: L.Trainer, factor: float) -> None:
    """Lower this rate and all that the schedule will give; both are in the state of a resume."""
    schedule = trainer.lr_scheduler_configs[0].scheduler
    assert isinstance(schedule, LambdaLR)
    schedule.base_lrs = [rate * factor for rate in schedule.base_lrs]
    for group in trainer.optimizers[0].param_groups:
        group["lr"] *= factor
