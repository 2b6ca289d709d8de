"""The training step, once for every task: a Lightning module around a plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import lightning as L
import torch
from torch import Tensor

from assay.learning.determinism import reseed
from assay.learning.schedules import factor

if TYPE_CHECKING:
    from assay.learning.training_spec import TrainingSpec

Batch = tuple[Tensor, ...]  # images, targets, and covariates where there are some


class Training(L.LightningModule):
    """Runs a plan on `rows` rows; leaves the epoch's losses, predictions and targets to the callbacks."""

    def __init__(self, spec: TrainingSpec, rows: int) -> None:
        super().__init__()
        self.network = spec.network
        self.spec = spec
        self.rows = rows
        self.batches = math.ceil(rows / spec.config.batch_size)  # an epoch
        self.train_losses: list[Tensor] = []
        self.valid_losses: list[Tensor] = []
        self.predictions: list[Tensor] = []
        self.valid_terms: list[dict[str, Tensor]] = []
        self.targets: list[Tensor] = []

    def configure_optimizers(self) -> Any:
        """AdamW with one rate a part; the rate moves at every step, of several batches perhaps."""
        groups = [
            {"params": list(part.parameters), "lr": part.peak, "name": part.name}
            for part in self.spec.param_groups
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=self.spec.config.weight_decay)
        steps = math.ceil(self.batches / self.spec.config.accumulate_grad_batches)
        factors = [factor(part.schedule, part.peak, steps) for part in self.spec.param_groups]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's losses; freeze and thaw, also where a killed training goes on."""
        self.train_losses.clear()
        for part in self.spec.param_groups:
            part.enter(self.current_epoch)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make what this batch draws depend on its running number alone.

        Not on the step: the batches of one step would all draw the same augmentation.
        """
        reseed(self.spec.config.seed, self.current_epoch * self.batches + batch_idx)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """Return the loss of an augmented batch, by its share in the step; none of an empty one."""
        if not len(batch[1]):
            return None
        inputs, targets = self.spec.transform(*batch, training=True)
        loss = self.spec.loss(self.network(inputs), targets)
        self.train_losses.append(loss.detach())
        return loss * self.share(batch_idx, len(targets))

    def share(self, batch_idx: int, count: int) -> float:
        """Return what makes a step's gradient the mean over its rows; Lightning divides by `accumulate`.

        It is 1 but in the last step of an epoch, which may have fewer batches, and one of fewer rows.
        """
        batches = self.spec.config.accumulate_grad_batches
        whole = batches * self.spec.config.batch_size
        rows = min(whole, self.rows - batch_idx // batches * whole)
        return count * batches / rows

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        for kept in (self.valid_losses, self.valid_terms, self.predictions, self.targets):
            kept.clear()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep loss, predictions and targets of a plain batch; whole maps would fill the memory."""
        inputs, targets = self.spec.transform(*batch, training=False)
        outputs = self.network(inputs).float()
        self.valid_losses.append(self.spec.loss(outputs, targets) * len(targets))
        read = self.spec.decode
        self.predictions.append((outputs if read is None else read(outputs)).cpu())
        if self.spec.loss_terms is not None:
            terms = self.spec.loss_terms(outputs, targets)
            self.valid_terms.append({name: term * len(targets) for name, term in terms.items()})
        self.targets.append(targets.cpu())
