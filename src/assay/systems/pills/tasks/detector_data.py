"""The photographs that a detector is taught and asked, as ultralytics' data set and loss want them.

Images come from the stored ones in memory, not from an export: no label files, no caches, no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from assay.systems.pills.tasks.detector_model import seen
from assay.systems.pills.tasks.yolo import library

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Shown:
    """Photographs and their boxes, as the network is taught them.

    Attributes:
        images: (n, size, size, 3) uint8, as stored.
        boxes: n times (k, 4): centre x, centre y, width, height, as shares of the stored side.
        classes: n times (k,): index in the network's head.
    """

    images: npt.NDArray[np.uint8]
    boxes: list[Numbers] = field(default_factory=list)
    classes: list[Numbers] = field(default_factory=list)


class Stored:
    """Mixed into ultralytics' data set: images and labels at hand, nothing read, nothing written."""

    def __init__(self, shown: Shown, **settings: Any) -> None:
        self.shown = shown
        # "ram": mosaics are of any four photographs; otherwise of those lately read.
        super().__init__(img_path="", cache="ram", **settings)  # type: ignore[call-arg]

    def get_img_files(self, img_path: object) -> list[str]:
        """Return names; there are no files."""
        return [f"{row}.png" for row in range(len(self.shown.images))]

    def get_labels(self) -> list[dict[str, Any]]:
        """Return boxes and classes as ultralytics writes them."""
        side = self.shown.images.shape[1]
        return [
            {
                "im_file": f"{row}.png", "shape": (side, side),
                "cls": classes.astype(np.float32)[:, None], "bboxes": boxes.astype(np.float32),
                "segments": [], "keypoints": None, "normalized": True, "bbox_format": "xywh",
            }
            for row, (boxes, classes) in enumerate(
                zip(self.shown.boxes, self.shown.classes, strict=True)
            )
        ]  # fmt: skip

    def check_cache_ram(self, safety_margin: float = 1.0) -> bool:
        """Return that they are at hand."""
        return True

    def cache_images(self) -> None:
        """Copy nothing: the system's cache holds what is mapped."""

    def load_image(self, i: int, rect_mode: bool = True, resize_short: bool = False) -> Any:
        """Return a copy, BGR, and its size before and after."""
        side: Any = self.imgsz  # type: ignore[attr-defined]
        image = np.ascontiguousarray(seen(self.shown.images[i], side)[..., ::-1])
        return image, (side, side), (side, side)


def data_set(shown: Shown, args: Any, classes: int, training: bool) -> Any:
    """Return ultralytics' data set of photographs in memory; `args` are a trainer's."""
    made = type("Data", (Stored, library().Dataset), {})
    names = {number: str(number) for number in range(classes)}
    return made(
        shown, imgsz=args.imgsz, batch_size=args.batch, augment=training, hyp=args, rect=False,
        data={"names": names, "channels": 3}, task="detect",
    )  # fmt: skip


def loss_batch(shown: Shown, rows: slice, device: torch.device) -> dict[str, Tensor]:
    """Return the labels of some rows as ultralytics' loss wants them."""
    boxes, classes = shown.boxes[rows], shown.classes[rows]
    index = np.repeat(np.arange(len(boxes)), [len(each) for each in boxes])
    parts = (index, np.concatenate(classes), np.concatenate(boxes))
    batch, kinds, places = (
        torch.tensor(part, dtype=torch.float32, device=device) for part in parts
    )
    return {"batch_idx": batch, "cls": kinds[:, None], "bboxes": places.view(-1, 4)}
