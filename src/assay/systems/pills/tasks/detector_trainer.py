"""What the training of a detector changes in ultralytics' trainer; it is mixed in.

Validation is this repository's own: the averaged weights are asked as a predictor is, and scored by the
task's metrics. Every epoch is seeded for itself, and its state is saved whole, in fp32, so that a killed
training goes on to the same bytes; ultralytics' own `last.pt` keeps half-precision averages and forgets
the network, the optimiser's digits and the generators.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from assay.errors import AssayError
from assay.learning.determinism import reseed, set_determinism
from assay.runs.files import atomic_write
from assay.systems.pills.tasks.detector_data import data_set

if TYPE_CHECKING:
    from assay.systems.pills.tasks.detector_run import DetectorRun

STATE = "last.pt"


class DetectorTrainer:
    """Mixed into ultralytics' trainer; the attributes are its own."""

    def __init__(self, course: DetectorRun, overrides: Mapping[str, Any]) -> None:
        self.course = course
        super().__init__(overrides=dict(overrides))  # type: ignore[call-arg]
        set_determinism(course.params.train.threads)  # ultralytics took all processors but one
        self.me.add_callback("on_train_epoch_start", lambda _: self.seed_epoch())

    @property
    def me(self) -> Any:
        """Return this trainer, typed as ultralytics is: not at all."""
        return self

    def get_dataset(self) -> dict[str, Any]:
        """Return what there is to be told apart."""
        names = dict(enumerate(self.course.names))
        return {"train": "train", "val": "val", "nc": len(names), "names": names, "channels": 3}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Return the photographs of either part."""
        args = self.me.args
        part = self.course.train if mode == "train" else self.course.valid
        return data_set(part, args, self.me.data["nc"], mode == "train")

    def set_model_attributes(self) -> None:
        """Let batch norm's means follow as fast as asked; at 0.03 they lag in short trainings."""
        super().set_model_attributes()  # type: ignore[misc]
        for module in self.me.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = self.course.params.train.bn_momentum

    def seed_epoch(self) -> None:
        """Let what an epoch draws depend on its number alone: order, mosaic, moves, colours."""
        seed, epoch = self.course.params.train.seed, int(self.me.epoch)
        reseed(seed, epoch)
        one, two, three = np.random.SeedSequence([seed, epoch]).generate_state(3, np.uint32)
        random.seed(int(one))
        np.random.seed(int(two))  # noqa: NPY002 - ultralytics draws from it
        loader = self.me.train_loader
        loader.reset()
        loader.generator.manual_seed(int(three))

    def optimizer_step(self) -> None:
        """Shorten the gradient as `clip` says; ultralytics itself cuts it at 10."""
        clip = self.course.params.train.gradient_clip_val
        if clip != "none":
            torch.nn.utils.clip_grad_norm_(self.me.model.parameters(), clip)
        super().optimizer_step()  # type: ignore[misc]

    def validate(self) -> tuple[dict[str, float], float]:
        """Score the averaged weights."""
        self.row = self.course.judged(self.me.ema.ema)
        return {}, self.row["map50"]

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Stop where the loss is no number; going back would hide it."""
        if bool(torch.isfinite(self.me.loss)):
            return False
        raise AssayError(
            "pills-detector", f"the loss of epoch {epoch + 1} is no number", "a finite loss",
            "lower the rate: -S pills-detector.train.lr=…",
        )  # fmt: skip

    def save_metrics(self, metrics: Mapping[str, float]) -> None:
        """Add the epoch to the history; it may end the training."""
        told = {name.removesuffix("_loss"): float(v) for name, v in self.me.tloss.items()}
        losses = {f"train_{name}": value for name, value in told.items()}
        rates = {f"lr_{place}": group["lr"] for place, group in
                 enumerate(self.me.optimizer.param_groups) if place == 0}  # fmt: skip
        row = {"epoch": int(self.me.epoch), "train_loss": sum(losses.values()), **self.row,
               **losses, **rates}  # fmt: skip
        self.me.stop |= self.course.add(row, self.me.ema.ema)

    def save_model(self) -> bool:
        """Save all that the next epoch depends on."""
        me, every = self.me, self.course.run.runtime.checkpoint_every
        if (me.epoch + 1) % every and not me.stop:
            return False
        state = {
            "epoch": int(me.epoch), "ended": bool(me.stop), "history": self.course.epochs,
            "network": me.model.state_dict(), "averaged": me.ema.ema.state_dict(),
            "updates": me.ema.updates, "optimizer": me.optimizer.state_dict(),
        }  # fmt: skip
        atomic_write(self.course.folder / STATE, lambda aside: torch.save(state, aside))
        return True

    def resume_training(self, ckpt: object) -> None:
        """Go on from a killed training's last state."""
        state = read_resume_state(self.course.folder)
        if state is None:
            return
        print(f"going on from {self.course.folder / STATE}", flush=True)
        self.me.model.load_state_dict(state["network"])
        self.me.ema.ema.load_state_dict(state["averaged"])
        self.me.ema.updates = state["updates"]
        self.me.optimizer.load_state_dict(state["optimizer"])
        self.me.start_epoch = state["epoch"] + 1

    def final_eval(self) -> None:
        """Leave it: every epoch has been scored."""


def read_resume_state(folder: Path) -> dict[str, Any] | None:
    """Return what a killed training left, if anything."""
    path = folder / STATE
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
