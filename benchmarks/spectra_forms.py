"""The forms of the networks side by side: the same structures, steps of one size, equal CPU seconds.

    PYTHONPATH=src python benchmarks/spectra_forms.py [seconds]

Phantom structures under the 180° symmetry, one thread, the demo's sizes; R² of 500 others against
the training structures' mean spectrum. CPU seconds, not epochs: a cheaper network sees more views.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from assay.systems.spectra.learning.design import SMALL
from assay.systems.spectra.learning.losses import LOSSES
from assay.systems.spectra.learning.networks import NETWORKS
from assay.systems.spectra.optics.physics import spectra_of
from assay.systems.spectra.optics.structures import random_structures
from assay.systems.spectra.optics.symmetry import SYMMETRIES

FORMS = (
    ("cnn_xattn", "pooled", "none"), ("cnn_xattn", "pooled", "quadrant"),
    ("cnn_xattn", "tokens", "none"), ("cnn_xattn", "tokens", "quadrant"),
    ("cnn_gru", "pooled", "none"), ("cnn_gru", "pooled", "quadrant"),
)  # fmt: skip
DEMO = replace(SMALL, stem=32, stages=(48, 64))
TRAIN, BATCH, RATE, BLOCK = 1500, 32, 2e-3, 4


def learn(network: nn.Module, inputs: Tensor, targets: Tensor, seconds: float) -> int:
    """Train for so many CPU seconds, warm-up and cosine over them; return the views seen."""
    loss_of, maps = LOSSES["mse_pearson"](), SYMMETRIES["rot180"]
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=5e-3)
    start, seen = time.process_time(), 0
    while (done := (time.process_time() - start) / seconds) < 1:
        rate = RATE * min(1, done / 0.05) * (1 + math.cos(math.pi * done)) / 2
        optimizer.param_groups[0]["lr"] = rate
        rows = torch.randint(0, len(inputs), (len(maps), BATCH // len(maps)))
        pairs = list(zip(maps, rows, strict=True))
        views = torch.cat([one.tensors(inputs[row]) for one, row in pairs])
        labels = torch.cat([one.outputs(targets[row]) for one, row in pairs])
        optimizer.zero_grad()
        loss_of(network(views), labels).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        seen += len(views)
    return seen


def main() -> None:
    """Print a line for each form."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    torch.set_num_threads(1)
    structures = random_structures(TRAIN + 500, np.random.default_rng(42))
    spectra = torch.from_numpy(spectra_of(structures, bins=30))
    inputs = avg_pool2d(torch.from_numpy(structures)[:, None].float() * 2 - 1, BLOCK)
    for name, memory, position in FORMS:
        torch.manual_seed(0)
        network = NETWORKS[name](replace(DEMO, memory=memory, position=position)).train()
        network.head.centre(spectra[:TRAIN])
        seen = learn(network, inputs[:TRAIN], spectra[:TRAIN], seconds)
        with torch.inference_mode():
            found = network.eval()(inputs[TRAIN:])
        true = spectra[TRAIN:]
        trivial = (true - spectra[:TRAIN].mean(dim=0)).square().sum()
        r2 = 1 - float((found - true).square().sum() / trivial)
        size = sum(each.numel() for each in network.parameters())
        print(f"{name} {memory} {position}: R² {r2:.2f}, {seen} views, {size} weights", flush=True)


if __name__ == "__main__":
    main()
