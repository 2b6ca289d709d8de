"""Ultralytics (AGPL-3.0), an extra: imported here alone, when it is needed, and kept to itself.

Importing it writes settings into the home folder, asks a name server whether the machine is online, and
sets out to install what it misses. Here its settings lie in a folder that is gone when the import is
done, it is told that it is offline, and its own trackers (MLflow, DVC, …), its telemetry and its
installer are off.
"""

from __future__ import annotations

import functools
import os
import tempfile
from types import SimpleNamespace

from assay.errors import AssayError

QUIET = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "1",
}
TRACKERS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
SETTINGS = {"sync": False, "vscode_msg": False} | dict.fromkeys(TRACKERS, False)


@functools.cache
def library() -> SimpleNamespace:
    """Return what is used of ultralytics: Trainer, Model, Dataset, suppress, settings, its cv2.

    Raises:
        AssayError: it is not installed.
    """
    os.environ.update(QUIET)
    with tempfile.TemporaryDirectory(prefix="assay-yolo-") as folder:
        os.environ["YOLO_CONFIG_DIR"] = folder
        try:
            return _imported()
        except ModuleNotFoundError as absent:
            if absent.name not in ("ultralytics", "cv2"):
                raise
            raise AssayError(
                "pills-detector", f"no module {absent.name}", "ultralytics (AGPL-3.0), an extra",
                "uv pip install 'assay[detector]'",
            ) from absent  # fmt: skip


def _imported() -> SimpleNamespace:
    import cv2
    import torch
    from PIL import Image

    own = Image.open, torch.save
    import ultralytics.utils as base

    dict.update(base.SETTINGS, SETTINGS)  # in memory; its own `update` would write the file anew
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.nn.tasks import DetectionModel
    from ultralytics.utils.nms import non_max_suppression

    # It puts functions of its own in their place, for the whole process; its `open` sets out to install
    # pi-heif for every file that is no image, which here is a row's fault and no more.
    Image.open, torch.save = own
    return SimpleNamespace(
        Trainer=DetectionTrainer, Model=DetectionModel, Dataset=YOLODataset,
        suppress=non_max_suppression, settings=get_cfg, cv2=cv2,
    )  # fmt: skip
