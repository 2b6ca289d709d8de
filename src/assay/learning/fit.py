"""The training loop, once for every task but the detector: Lightning, deterministic, resumable."""

from __future__ import annotations

import logging
import warnings
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.connectors import callback_connector
from safetensors.torch import save_file
from torch.nn import BatchNorm1d, BatchNorm2d

from assay.learning.data import plain_loader, train_loader
from assay.learning.determinism import set_determinism
from assay.learning.history import History, tensors_of
from assay.learning.module import Training
from assay.learning.progress import TrainingBar
from assay.learning.workers import choose_num_workers
from assay.runs.record import LAST, WEIGHTS, write_history

if TYPE_CHECKING:
    from assay.learning.training_spec import TrainData, TrainingSpec
    from assay.runs.run import Run

STATES = "epoch-*.ckpt"

# Lightning asks all that is installed for callbacks, 7 ms a training; there is no option against it.
callback_connector._load_external_callbacks = lambda _group: []  # noqa: SLF001


def fit(spec: TrainingSpec, train: TrainData, valid: TrainData, run: Run) -> Mapping[str, float]:
    """Train, write weights and history into `run.folder`, and return the chosen epoch's row.

    A killed training goes on from the newest whole state in `run.resume`, and gives the bytes that an
    undisturbed one gives, from whichever state; they and the last epoch's weights stay for the caller.
    """
    set_determinism(spec.config.threads)
    _quiet()
    history = History(run.resume, run.events, run.watch)
    config, how, rows = spec.config, run.runtime, len(train.images)
    lone = rows > config.batch_size > 1 and rows % config.batch_size == 1
    drops = spec.drop_last or (lone and _normalises(spec))
    make = partial(
        train_loader, train, config.batch_size, config.seed, balanced=spec.balanced,
        prefetch=how.prefetch_factor, drop_last=drops,
    )  # fmt: skip
    loader = make(choose_num_workers(how.num_workers, make, run.events))
    module = Training(spec, rows=rows - rows % config.batch_size if drops else rows)
    trainer = L.Trainer(
        accelerator={"cpu": "cpu", "cuda": "gpu"}[spec.config.device],
        devices=1,
        precision=spec.config.precision,
        max_epochs=spec.config.epochs,
        accumulate_grad_batches=spec.config.accumulate_grad_batches,
        gradient_clip_val=None
        if spec.config.gradient_clip_val == "none"
        else spec.config.gradient_clip_val,
        callbacks=[history, _states(run), TrainingBar()],
        deterministic=True,
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    state = _newest_state(run.resume)
    if state is not None:
        print(f"going on from {state}", flush=True)
        # Lightning starts the workers before it tells them the epoch: they would bring epoch 0's order.
        cast("Any", loader.sampler).set_epoch(int(state.stem[6:]) + 1)
    trainer.fit(
        module,
        loader,
        plain_loader(valid, spec.config.batch_size),
        ckpt_path=state,
        weights_only=True,
    )
    write_history(run.folder, history.epochs)
    history.save_best(run.folder / WEIGHTS)
    last = run.resume / LAST / WEIGHTS
    last.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        tensors_of(spec.network), last
    )  # at once read, and of a killed training written again
    return history.chosen()


def _normalises(spec: TrainingSpec) -> bool:
    """Return whether there is batch norm: over one row it has no variance, and stops at a single cell."""
    return any(isinstance(each, BatchNorm1d | BatchNorm2d) for each in spec.network.modules())


def _newest_state(folder: Path) -> Path | None:
    """Return the newest state that can be read; what a full disk or a lost power cut off is told."""
    for path in sorted(folder.glob(STATES), reverse=True):
        try:
            if (
                zipfile.ZipFile(path).testzip() is None
            ):  # every part as long and with the sum it says
                return path
        except zipfile.BadZipFile:
            pass
        print(f"{path} is damaged; the state before it is taken", flush=True)
    return None


def _states(run: Run) -> ModelCheckpoint:
    """Save the whole state every few epochs; Lightning writes it aside first."""
    keep = run.runtime.checkpoint_keep
    return ModelCheckpoint(
        dirpath=run.resume,
        filename="epoch-{epoch:04d}",
        auto_insert_metric_name=False,
        monitor="step",  # the newest are the best
        mode="max",
        save_top_k=-1 if keep == "all" else keep,
        every_n_epochs=run.runtime.checkpoint_every,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def _quiet() -> None:
    """Keep Lightning's hints (loggers, workers, hardware tables) out of the stage's output."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    hints = (
        "does not have many workers", "ckpt_path", "exists and is not empty", "LeafSpec",
        "in eval mode at the start of training",  # the preflight has judged that
        "`training_step` returned `None`",  # of a batch that could not be read, which is told
    )  # fmt: skip
    for hint in hints:
        warnings.filterwarnings("ignore", f".*{hint}.*")
