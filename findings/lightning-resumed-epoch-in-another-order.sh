#!/usr/bin/env bash
# A training that Lightning 2.6.6 resumes (`fit(ckpt_path=...)`) at the end of an epoch draws its next one in the order
# of epoch 0 where the loader has worker processes; later epochs, and a loader without workers, go as undisturbed.
# Seen in lightning/pytorch/loops/fit_loop.py: `setup_data` makes the loader's iterator, which asks the sampler for
# its order at once to keep the workers busy, and only `on_advance_start` calls `set_epoch`.
# Known there (Lightning-AI/pytorch-lightning#21938, open). A sampler without `set_epoch` is not concerned.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" lightning==2.6.6 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/env/bin/python" -W ignore - <<'CODE'
import logging
import sys

import lightning
import torch
from torch.utils.data import DataLoader, DistributedSampler

for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.ERROR)


class Notes(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.drawn = torch.nn.Linear(1, 1), {}

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        self.drawn.setdefault(self.current_epoch, []).extend(batch.flatten().int().tolist())
        return self.layer(batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


def drawn(workers: int, epochs: int, start: str | None = None, end: str | None = None) -> dict[int, list[int]]:
    data = torch.arange(8.0).reshape(8, 1)
    loader = DataLoader(data, 2, sampler=DistributedSampler(data, 1, 0), num_workers=workers)
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=epochs, logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False)
    trainer.fit(module := Notes(), loader, ckpt_path=start)
    if end:
        trainer.save_checkpoint(end)
    return module.drawn


print(f"lightning {lightning.__version__}, torch {torch.__version__.split('+')[0]}")
wrong = False
for workers in (0, 1):
    whole = drawn(workers, 4)
    drawn(workers, 2, end="half.ckpt")
    resumed = drawn(workers, 4, start="half.ckpt")
    print(f"{workers} worker(s): epoch 0 {whole[0]}, epoch 2 {whole[2]}; resumed at epoch 2 {resumed[2]}")
    wrong |= resumed[2] != whole[0 if workers else 2] or resumed[3] != whole[3] or whole[0] == whole[2]
sys.exit(wrong)
CODE
