"""A training's course: its photographs, what each epoch came to, and the weights of the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.runs.files import atomic_write
from assay.runs.record import LAST, WEIGHTS
from assay.systems.pills.tasks.boxes import to_original
from assay.systems.pills.tasks.detector_data import loss_batch
from assay.systems.pills.tasks.detector_model import CLASSES, batched, boxes_of

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.pills.tasks.detector_data import Shown
    from assay.systems.pills.tasks.detector_params import DetectorParams

Numbers = npt.NDArray[Any]
BEST = "best.safetensors"
Row = dict[str, float]


@dataclass
class DetectorRun:
    """One training, and its history.

    Attributes:
        task: whose metrics and epoch rule count.
        params: of the section.
        run: where everything goes.
        rows: the validation rows.
        train: what is taught.
        valid: what is asked.
        ids: of the class table, one a class of the head; None for one class.
        epochs: a row an epoch.
    """

    task: Task
    params: DetectorParams
    run: Run
    rows: Rows
    train: Shown
    valid: Shown
    ids: Numbers | None
    epochs: list[Row] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Return what a killed training leaves its state in."""
        return self.run.resume

    @property
    def names(self) -> list[str]:
        """Return the names of the head's classes."""
        return ["pill"] if self.ids is None else [str(number) for number in self.ids]

    @property
    def best(self) -> int:
        """Return the number of the epoch that the epoch rule chooses; of equal ones the first."""
        return min(range(len(self.epochs)), key=lambda place: self.task.rank(self.epochs[place]))

    def judged(self, network: nn.Module) -> Row:
        """Return losses and metrics of the validation rows, of weights in eval mode."""
        how, device = self.params, next(network.parameters()).device
        losses: list[Tensor] = []
        found = []
        with torch.no_grad():
            for start in range(0, len(self.valid.images), how.train.batch_size):
                rows = slice(start, start + how.train.batch_size)
                images = self.valid.images[rows]
                outputs = network(batched(images, how.model.imgsz).to(device))
                _, items = network.loss(loss_batch(self.valid, rows, device), outputs)  # type: ignore[operator]
                losses.append(torch.stack(list(items.values())) * len(images))
                found.append(boxes_of(outputs[0], self.ids, how.model, images.shape[1]))
        means = (torch.stack(losses).double().sum(dim=0) / len(self.rows)).tolist()
        said = to_original(np.concatenate(found), self.rows)
        told = dict(zip(("valid_box", "valid_cls", "valid_dfl"), means, strict=True))
        scores = self.task.metrics(said, self.task.labels(self.rows))
        return {"valid_loss": sum(means), **told, **scores}

    def add(self, row: Row, network: nn.Module) -> bool:
        """Take an epoch, keep its weights if it is the best, tell it; return whether it is the last."""
        self.epochs.append(row)
        if self.best == len(self.epochs) - 1:
            self._keep(network, BEST)
        self.run.events.note("epoch", row)
        self._line(row)
        if self.run.watch is not None:
            self.run.watch(self.epochs)
        how = self.params.train
        patience = how.early_stopping_patience
        is_out = patience != "none" and len(self.epochs) - 1 - self.best >= patience
        if is_out or len(self.epochs) == how.epochs:
            self._keep(network, f"{LAST}/{WEIGHTS}")
        return is_out

    def chosen(self) -> Mapping[str, float]:
        """Return the row of the best epoch."""
        return self.epochs[self.best]

    def _keep(self, network: nn.Module, name: str) -> None:
        atomic_write(self.folder / name, lambda aside: save_file(self._tensors(network), aside))

    def _tensors(self, network: nn.Module) -> dict[str, Tensor]:
        """Return the averaged weights, fp32, and the classes' ids."""
        state = {
            name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
        }
        if self.ids is not None:
            state[CLASSES] = torch.tensor(np.asarray(self.ids), dtype=torch.int64)
        return state

    def _line(self, row: Row) -> None:
        """Print one epoch."""
        best = min(each["valid_loss"] for each in self.epochs)
        own = {name: value for name, value in row.items() if name not in ("epoch", "lr_0")}
        config = {"train_loss": own.pop("train_loss"), "val_loss": own.pop("valid_loss")}
        shown = {**config, "best_val": best, "lr": row["lr_0"], **own}
        figures = " ".join(f"{name}={value:.4g}" for name, value in shown.items())
        epochs = self.params.train.epochs
        print(f"[EPOCH] {int(row['epoch']) + 1}/{epochs} {figures}", flush=True)
