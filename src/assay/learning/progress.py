"""Progress of a training: one bar on a terminal, one line an epoch everywhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import lightning as L
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm


class TrainingBar(TQDMProgressBar):
    """Lightning's bar, redrawn at most every 20 steps; silent in logs, where lines stand instead.

    The validation's own bar is off: it flickers under the epoch's and says nothing more.
    """

    def __init__(self) -> None:
        super().__init__(refresh_rate=20 if sys.stderr.isatty() else 0, leave=False)

    def init_validation_tqdm(self) -> Tqdm:
        """Return a bar that draws nothing."""
        return Tqdm(disable=True)


def epoch_line(trainer: L.Trainer, row: Mapping[str, float], best: float) -> None:
    """Print one epoch, above the bar where there is one; `best` is the lowest validation loss so far.

    `lr` is the highest of the parts' rates.
    """
    rates = [value for name, value in row.items() if name.startswith("lr_")]
    losses = {"train_loss": row["train_loss"], "val_loss": row["valid_loss"], "best_val": best}
    hidden = ("epoch", "lr_", "train_loss", "valid_loss")
    own = {name: value for name, value in row.items() if not name.startswith(hidden)}
    shown = {**losses, "lr": max(rates), **own}
    figures = " ".join(f"{name}={value:.4g}" for name, value in shown.items())
    line = f"[EPOCH] {int(row['epoch']) + 1}/{trainer.max_epochs} {figures}"
    if trainer.progress_bar_callback is not None and trainer.progress_bar_callback.is_enabled:
        trainer.progress_bar_callback.print(line)
    else:
        print(line, flush=True)
