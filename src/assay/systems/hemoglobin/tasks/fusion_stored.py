"""What is stored of the photographs of rows, and what trunks say of those of which nothing is."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from assay.errors import AssayError
from assay.learning.determinism import set_determinism
from assay.learning.inference import device_at_hand
from assay.runs.places import FROZEN
from assay.runs.root import find_root
from assay.systems.hemoglobin.networks.frozen import (
    Views,
    digests_of,
    frozen,
    known,
    run_trunk_once,
)
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.manifest.rows import Images, Rows
    from assay.systems.hemoglobin.networks.frozen import Frozen
    from assay.systems.hemoglobin.networks.parted import PartedBackbone
    from assay.systems.hemoglobin.tasks.fusion_backbones import Backbone
    from assay.systems.hemoglobin.tasks.fusion_params import MemberTrain


def stored_of(
    backbones: Sequence[Backbone], how: MemberTrain, *parts: Rows, is_checked: bool = False
) -> tuple[list[Frozen], list[Images]]:
    """Return what each view's backbone says of all photographs; asked where it is not kept.

    And where each part's rows stand in that, (n, 2).
    """
    set_determinism(how.threads)
    root = _root()
    stored, slots = [], []
    for view, backbone in zip(VIEWS, backbones, strict=True):
        shown = [rows.images[view][:] for rows in parts]
        named = [digests_of(images) for images in shown]
        photographs = dict(zip(chain(*named), chain(*shown), strict=True))
        parted = backbone.parted.to(device_at_hand(how))
        views = kept_views(backbone, how)
        stored.append(frozen(root, parted, views, photographs, is_checked))
        slots.append([stored[-1].slots(digests) for digests in named])
    return stored, [np.stack(each, axis=1) for each in zip(*slots, strict=True)]


def kept_views(backbone: Backbone, how: MemberTrain) -> Views:
    """Return which views of a photograph are stored, and by what."""
    return Views(
        backbone.name, backbone.first, backbone.unfreeze, tuple(how.augment), how.stored_views,
        how.seed, how.threads, how.device,
    )  # fmt: skip


class TrunkReader:
    """Photographs → what the trunks say of them; a photograph is shown once, or not at all.

    Args:
        backbones: of nail and conjunctiva.
        how: they were trained; what is stored by it in the repository at hand is looked up.
        size: side of the images, px.
    """

    def __init__(self, backbones: Sequence[Backbone], how: MemberTrain, size: int) -> None:
        root = _root_at_hand()
        self.parted = [each.parted for each in backbones]
        folders = [kept_views(each, how).key(size) for each in backbones]
        self.kept = [known(root / FROZEN / each) if root else None for each in folders]

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return map and pooled levels of each view of photographs (b, 2, h, w, 3)."""
        return [
            said
            for number, (parted, kept) in enumerate(zip(self.parted, self.kept, strict=True))
            for said in _said(parted, kept, images[:, number])
        ]


def _said(parted: PartedBackbone, kept: Frozen | None, images: Tensor) -> list[Tensor]:
    digests = digests_of(images.cpu().numpy())
    if kept is not None and kept.holds(digests):
        slots = kept.slots(digests)
        return [
            torch.from_numpy(each[slots, 0]).to(images.device) for each in (kept.maps, kept.own)
        ]
    return [*run_trunk_once(parted.to(images.device), images)]


def _root() -> Path:
    return Path(os.environ.get("DVC_ROOT") or find_root(Path.cwd()))


def _root_at_hand() -> Path | None:
    """Return the repository that a model is asked in; one at work elsewhere has none."""
    with suppress(AssayError):
        return _root()
    return None
