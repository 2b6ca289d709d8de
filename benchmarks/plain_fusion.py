"""One fusion training as a careful person writes it: torch, timm and torchvision on one page, no Assay.

    python benchmarks/plain_fusion.py rows.npz out nail conjunctiva fold demographics epochs frozen

Phase 1 of the founding study, on one thread: both backbones frozen at first, asked anew in every epoch
for photographs augmented on the fly; then their last stages learn. It leaves the best epoch's weights,
a history and what it says of the fold that validates. `benchmarks/fusion.py` runs many of these.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2

BATCH, WARMUP, HEAD, BACKBONE, FLOOR = 128, 5, 5e-4, 1e-4, 0.01
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SMOOTH = InterpolationMode.BILINEAR


class Fusion(nn.Module):
    """Both backbones' features, and age and gender, → Hb."""

    def __init__(self, names: list[str], others: int) -> None:
        super().__init__()
        self.backbones = nn.ModuleList(timm.create_model(name, num_classes=0) for name in names)
        width = sum(each.head_hidden_size for each in self.backbones) + others
        self.head = nn.Sequential(
            nn.Linear(width, 512), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 1),
        )  # fmt: skip
        self.last = [each.feature_info[-1]["module"] for each in self.backbones]

    def stages(self) -> list[nn.Module]:
        pairs = zip(self.backbones, self.last, strict=True)
        return [backbone.get_submodule(name) for backbone, name in pairs]

    def thaw(self, learns: bool) -> None:
        self.backbones.eval().requires_grad_(False)
        for stage in self.stages():
            stage.train(learns).requires_grad_(learns)

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        seen = [backbone(images[:, at]) for at, backbone in enumerate(self.backbones)]
        return self.head(torch.cat([*seen, others], 1))


def rate(epoch: float, peak: float, start: int, epochs: int) -> float:
    """Return one cosine from `start` to the end."""
    share = (epoch - start) / (epochs - start)
    return peak * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * share)) / 2)


def main(place: str, out: str, nail: str, eye: str, *numbers: str) -> None:
    """Train, and leave what came of it in the folder `out`."""
    fold, demographics, epochs, frozen = map(int, numbers)
    torch.set_num_threads(1)
    torch.manual_seed(42)
    rows = dict(np.load(place))
    images = torch.from_numpy(rows["images"]).permute(0, 1, 4, 2, 3)
    hb = torch.from_numpy(rows["hb"]).float()[:, None]
    valid = torch.from_numpy(rows["fold"] == fold)
    ages = rows["age"][rows["fold"] != fold]  # a patient has as many pairs as any other
    told = np.stack([(rows["age"] - ages.mean()) / ages.std(), rows["gender"]], 1)
    others = torch.from_numpy(told[:, : 2 * demographics].astype(np.float32))
    size = images.shape[-1]
    augment = v2.Compose([
        v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(),
        v2.RandomResizedCrop(size, (0.9, 1.0), interpolation=SMOOTH, antialias=True),
        v2.RandomRotation(15, interpolation=SMOOTH),
    ])  # fmt: skip
    norm = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    network = Fusion([nail, eye], others.shape[1])
    with torch.no_grad():
        network.head[-1].bias.fill_(float(hb[~valid].mean()))
    stages = [each for stage in network.stages() for each in stage.parameters()]
    groups = [{"params": network.head.parameters()}, {"params": stages}]
    optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=1e-4)
    loss, train = nn.SmoothL1Loss(), torch.nonzero(~valid)[:, 0]
    history, best, folder = [], math.inf, Path(out)
    folder.mkdir(parents=True)
    held = norm(images[valid])
    for epoch in range(epochs):
        network.train()
        network.thaw(epoch >= frozen)
        for batch in torch.split(train[torch.randperm(len(train))], BATCH):
            rises, stands = epoch < WARMUP, epoch < frozen
            rates = (
                HEAD * epoch / WARMUP if rises else rate(epoch, HEAD, WARMUP, epochs),
                0.0 if stands else rate(epoch, BACKBONE, frozen, epochs),
            )
            for group, value in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = value
            views = [augment(view) for pair in images[batch] for view in pair]
            shown = torch.stack(views).view(len(batch), 2, 3, size, size)
            optimizer.zero_grad()
            loss(network(norm(shown), others[batch]), hb[batch]).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            said = network(held, others[valid])
            mae = float((said - hb[valid]).abs().mean())
        history.append((epoch, mae))
        if mae < best:
            best = mae
            torch.save(network.state_dict(), folder / "best.pt")
            np.save(folder / "valid.npy", said.numpy())
    with (folder / "history.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(history)


if __name__ == "__main__":
    main(*sys.argv[1:])
