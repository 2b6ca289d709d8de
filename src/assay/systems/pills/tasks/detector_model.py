"""The detector's network: YOLO11 built from ultralytics' yaml, loaded, asked for boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from assay.learning.inference import predict_batches
from assay.learning.tensors import load_tensors
from assay.systems.pills.tasks.boxes import padded, to_original
from assay.systems.pills.tasks.yolo import library

if TYPE_CHECKING:
    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.systems.pills.tasks.detector_params import DetectorModel, DetectorParams

Images = npt.NDArray[np.uint8]
Numbers = npt.NDArray[Any]

CLASSES = (
    "class_ids"  # the tensor beside the network's: id of each of its classes, where it has some
)
SCORES = "model.23.cv3.0.2.bias"  # one number a class


def build(size: str, classes: int) -> nn.Module:
    """Return YOLO11 of that size, untrained, for so many classes."""
    network: nn.Module = library().Model(f"yolo11{size}.yaml", nc=classes, verbose=False)
    return network


def load(params: DetectorParams, bundle: Bundle) -> tuple[nn.Module, Numbers | None]:
    """Return the trained network in eval mode, and the id of each of its classes, if it names any."""
    tensors = load_tensors(bundle)
    ids = tensors.pop(CLASSES, None)
    network = build(params.model.size, len(tensors[SCORES]))
    network.load_state_dict(tensors)
    return network.eval(), None if ids is None else ids.numpy()


def seen(image: Images, side: int) -> Images:
    """Return a stored image (size, size, 3) as the network sees it, (side, side, 3); training too."""
    if image.shape[0] == side:
        return np.ascontiguousarray(image)
    cv2 = library().cv2
    how = cv2.INTER_AREA if side < image.shape[0] else cv2.INTER_LINEAR
    resized: Any = cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=how)
    return np.asarray(resized, dtype=np.uint8)


def batched(images: Images, side: int) -> Tensor:
    """Return stored images as normalised float (b, 3, side, side), RGB."""
    shown = np.stack([seen(image, side) for image in images])
    return torch.from_numpy(shown).permute(0, 3, 1, 2).contiguous().float() / 255


def boxes_of(outputs: Tensor, ids: Numbers | None, params: DetectorModel, size: int) -> Floats:
    """Return decoded outputs (b, 4 + classes, places) as boxes (b, 6·most), px of the stored square.

    The surest box of those that overlap is kept, of one class as of another.
    """
    kept = library().suppress(
        outputs.float().clone(), conf_thres=params.conf, iou_thres=params.iou, agnostic=True,
        max_det=params.max_det, max_time_img=1e6,  # a slow machine must not lose boxes
    )  # fmt: skip
    found = []
    for each in kept:
        own = each.cpu().numpy().astype(np.float64)
        own[:, :4] *= size / params.imgsz
        own[:, 2:4] -= own[:, :2]
        own[:, 5] = np.nan if ids is None else np.asarray(ids)[own[:, 5].astype(int)]
        found.append(own)
    return padded(found, params.max_det)


def predict(network: nn.Module, ids: Numbers | None, params: DetectorParams, rows: Rows) -> Floats:
    """Return boxes (n, 6·most) of photographs, px of the original, the surest first."""
    model = params.model

    def read(stored: Tensor) -> Tensor:
        outputs = network(batched(stored.cpu().numpy(), model.imgsz).to(stored.device))
        return torch.from_numpy(boxes_of(outputs[0], ids, model, stored.shape[1]))

    return to_original(predict_batches(network, read, rows.image, params.train), rows)
