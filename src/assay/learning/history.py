"""The history of a training: one row an epoch, the epoch rule's choice, and its weights."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.errors import SourceError
from assay.learning.module import Training
from assay.learning.patience import act, ended
from assay.learning.progress import epoch_line
from assay.runs.files import atomic_write

if TYPE_CHECKING:
    from assay.runs.events import EventLog
    from assay.runs.run import Watch

BEST = "best.safetensors"


class History(L.Callback):
    """Scores each epoch, logs it, and keeps the weights of the best.

    Its state travels in the resume checkpoint. The best weights are kept in memory until one is written,
    and lie beside it from then on: they may be newer than it after a kill; the epochs in between are
    trained again, to the same bytes.
    """

    def __init__(self, folder: Path, events: EventLog, watch: Watch | None = None) -> None:
        self._file = folder / BEST
        self._kept: dict[str, Tensor] = {}  # better than those in the file
        self.events = events
        self.watch = watch
        self.epochs: list[dict[str, float]] = []
        self.best = -1

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the epoch; Lightning has validated by now, and saves the resume state after this."""
        assert isinstance(pl_module, Training)
        row = _epoch_row(trainer, pl_module)
        self.epochs.append(row)
        rank = pl_module.spec.rank
        if self.best < 0 or rank(row) < rank(self.epochs[self.best]):
            self.best = len(self.epochs) - 1
            self._kept = {
                name: each.clone() for name, each in tensors_of(pl_module.network).items()
            }
        act(trainer, pl_module.spec, self.best)
        row |= _rates(trainer)
        self.events.note("epoch", row)
        epoch_line(trainer, row, min(each["valid_loss"] for each in self.epochs))
        if self.watch is not None:
            self.watch(self.epochs)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """End at once where a training was killed after its last epoch; its state knows no end."""
        assert isinstance(pl_module, Training)
        if self.epochs and ended(pl_module.spec, self.best, len(self.epochs) - 1):
            trainer.should_stop = True

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the best weights before the state that counts on them."""
        if self._kept:
            self.save_best(self._file)
            self._kept = {}

    def save_best(self, path: Path) -> None:
        """Write the weights of the best epoch, whole or not at all."""
        write = (
            partial(save_file, self._kept) if self._kept else partial(shutil.copyfile, self._file)
        )
        atomic_write(path, write)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training must know of the past."""
        return {"epochs": self.epochs, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a killed training's past."""
        self.epochs, self.best = state_dict["epochs"], state_dict["best"]

    def chosen(self) -> Mapping[str, float]:
        """Return the row of the epoch that the rule chose."""
        return self.epochs[self.best]


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights and buffers of a network, as they are written."""
    return {name: each.detach().cpu().contiguous() for name, each in network.state_dict().items()}


def _epoch_row(trainer: L.Trainer, module: Training) -> dict[str, float]:
    if not module.train_losses:
        raise SourceError(
            "training rows", "none of them could be read in this epoch", "the files that ingest read",
            "dvc repro, when they are back",
        )  # fmt: skip
    targets = torch.cat(module.targets).numpy()
    metrics = module.spec.metrics(torch.cat(module.predictions).numpy(), targets)
    return {
        "epoch": trainer.current_epoch,
        "train_loss": float(torch.stack(module.train_losses).double().mean()),
        "valid_loss": float(torch.stack(module.valid_losses).double().sum() / len(targets)),
        **_terms(module, len(targets)),
        **metrics,
    }


def _rates(trainer: L.Trainer) -> dict[str, float]:
    """Return the rates that the next epoch begins with."""
    groups = trainer.optimizers[0].param_groups
    return {f"lr_{group['name']}": float(group["lr"]) for group in groups}


def _terms(module: Training, rows: int) -> dict[str, float]:
    """Return what the validation loss is the sum of, where the plan tells it."""
    kept = module.valid_terms
    sums = {
        name: torch.stack([batch[name] for batch in kept]) for name in (kept[0] if kept else ())
    }
    return {f"valid_{name}": float(each.double().sum() / rows) for name, each in sums.items()}
