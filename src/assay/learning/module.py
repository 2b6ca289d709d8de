"""The training step, once for every task: a Lightning module around a plan."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from assay.learning.determinism import reseed
from assay.learning.plan import Plan
from assay.learning.schedules import factor

Batch = tuple[Tensor, Tensor]


class Training(L.LightningModule):
    """Runs a plan; leaves the epoch's losses, predictions and targets to the callbacks."""

    def __init__(self, plan: Plan, steps_per_epoch: int) -> None:
        super().__init__()
        self.network = plan.network
        self.plan = plan
        self.steps_per_epoch = steps_per_epoch
        self.train_losses: list[Tensor] = []
        self.valid_losses: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.targets: list[Tensor] = []

    def configure_optimizers(self) -> Any:
        """AdamW with one rate a part; the rate moves at every step."""
        groups = [
            {"params": list(part.parameters), "lr": part.peak, "name": part.name}
            for part in self.plan.parts
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=self.plan.loop.weight_decay)
        factors = [
            factor(part.schedule, part.peak, self.steps_per_epoch) for part in self.plan.parts
        ]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's losses; freeze and thaw, also where a killed training goes on."""
        self.train_losses.clear()
        for part in self.plan.parts:
            part.enter(self.current_epoch)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make what this step draws depend on the step alone."""
        reseed(self.plan.loop.seed, self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of an augmented batch."""
        inputs, targets = self.plan.views(*batch, True)
        loss = self.plan.loss(self.network(inputs), targets)
        self.train_losses.append(loss.detach())
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        for kept in (self.valid_losses, self.outputs, self.targets):
            kept.clear()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep loss, outputs and targets of a plain batch."""
        inputs, targets = self.plan.views(*batch, False)
        outputs = self.network(inputs).float()
        self.valid_losses.append(self.plan.loss(outputs, targets) * len(targets))
        self.outputs.append(outputs.cpu())
        self.targets.append(targets.cpu())
