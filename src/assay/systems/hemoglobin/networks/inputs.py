"""What a fusion network is fed of photographs: fresh augmentation, or stored views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from assay.learning.transforms import augmentation
from assay.systems.hemoglobin.networks.frozen import run_trunk

if TYPE_CHECKING:
    from assay.systems.hemoglobin.networks.frozen import Floats, Frozen
    from assay.systems.hemoglobin.networks.fusion import FusionNetwork
    from assay.systems.hemoglobin.networks.parted import PartedBackbone

Inputs = tuple[Tensor, ...]


class FreshViews:
    """Photographs (b, 2, h, w, 3) → what the trunks say of them, each augmented by itself in training.

    Args:
        backbones: of nail and conjunctiva.
        augment: names of augmentations.
        size: side of the images, px.
    """

    def __init__(
        self, backbones: Sequence[PartedBackbone], augment: Sequence[str], size: int
    ) -> None:
        self.backbones, self.augment = backbones, augmentation(augment, size)

    def __call__(self, images: Tensor, training: bool) -> Inputs:
        """Return map and pooled levels of each view."""
        inputs: list[Tensor] = []
        for number, backbone in enumerate(self.backbones):
            view = images[:, number]
            if training:
                first = view.permute(0, 3, 1, 2)
                moved = torch.stack([self.augment(image) for image in first])
                view = moved.permute(0, 2, 3, 1)
            inputs += run_trunk(backbone.to(images.device), view)
        return tuple(inputs)


class StoredViews:
    """Rows (b, 2) of what was stored of nail and conjunctiva → that of one view each, drawn in training.

    While nothing of the backbones learns, what they say in all; then, what their trunks say.

    Args:
        stored: of nail and conjunctiva.
        network: that is fed; it knows whether its backbones learn.
    """

    def __init__(self, stored: Sequence[Frozen], network: FusionNetwork) -> None:
        self.stored, self.network = stored, network

    def __call__(self, rows: Tensor, training: bool) -> Inputs:
        """Return the network's inputs, on the device of the rows."""
        count = self.stored[0].maps.shape[1]
        views = torch.randint(count, rows.shape) if training else torch.zeros_like(rows).cpu()
        inputs = [
            torch.from_numpy(each[row, view])
            for stored, row, view in zip(self.stored, rows.cpu().numpy().T, views.numpy().T, strict=True)
            for each in self._parts(stored)
        ]  # fmt: skip
        return tuple(each.to(rows.device) for each in inputs)

    def _parts(self, stored: Frozen) -> Sequence[Floats]:
        if self.network.is_thawed:
            return stored.maps, stored.own
        return (stored.late if self.network.is_late else stored.levels,)
