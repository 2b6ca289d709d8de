"""A tiny backbone, and photographs of noise that it is asked about."""

from __future__ import annotations

from typing import Any

import numpy as np
import timm

from assay.learning.determinism import reseed, set_determinism
from assay.systems.hemoglobin.networks.frozen import Views, digests_of
from assay.systems.hemoglobin.networks.parted import PartedBackbone

SIZE = 32
VIEWS = Views("test_byobnet", "seed 1", 1, ("hflip", "vflip", "crop", "tilt"), 3, 42, 1, "cpu")


def make_backbone() -> PartedBackbone:
    set_determinism(1)
    reseed(1)
    return PartedBackbone(timm.create_model(VIEWS.backbone, num_classes=0), 1).eval()


def images(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def named(pixels: np.ndarray[Any, Any]) -> dict[str, Any]:
    return dict(zip(digests_of(pixels), pixels, strict=True))
