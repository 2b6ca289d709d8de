"""What ultralytics is told: the section in its own words, and nothing that reaches beyond the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.systems.pills.tasks.detector_params import DetectorModel, DetectorTrain


def settings(model: DetectorModel, how: DetectorTrain, folder: Path) -> dict[str, Any]:
    """Return what ultralytics' trainer is told: it plots, seeks and loads nothing."""
    return {
        "model": f"yolo11{model.size}.yaml", "data": "rows", "pretrained": False,
        "imgsz": model.imgsz, "epochs": how.epochs, "batch": how.batch_size,
        "nbs": how.batch_size * how.accumulate_grad_batches, "workers": how.num_workers, "patience": 0,
        "device": {"cpu": "cpu", "cuda": "0"}[how.device],
        "amp": "bf16" if how.precision == "bf16-mixed" else False,
        "seed": how.seed, "deterministic": True, "save": True, "plots": False, "verbose": False,
        "save_dir": str(folder), "exist_ok": True, "single_cls": False,
        **optimisation(how), **augmentation_settings(how),
    }  # fmt: skip


def optimisation(how: DetectorTrain) -> dict[str, Any]:
    """Return the optimiser's settings; nbs = batch, so that small sets take a step a batch."""
    return {
        "optimizer": how.optimizer, "lr0": how.lr, "lrf": how.lr_final / how.lr,
        "momentum": how.momentum, "weight_decay": how.weight_decay, "warmup_epochs": how.warmup_epochs,
        "warmup_momentum": min(0.8, how.momentum),
        "warmup_bias_lr": 0.1 if how.optimizer == "SGD" else 0.0,  # AdamW would leap
        "cos_lr": how.schedule == "cosine",
    }  # fmt: skip


def augmentation_settings(how: DetectorTrain) -> dict[str, Any]:
    """Return the augmentation's settings; an installed albumentations changes nothing."""
    return {
        "mosaic": how.mosaic, "close_mosaic": how.close_mosaic, "mixup": how.mixup, "cutmix": 0.0,
        "copy_paste": 0.0, "scale": how.scale, "degrees": how.degrees, "translate": how.translate,
        "shear": 0.0, "perspective": 0.0, "fliplr": how.fliplr, "flipud": how.flipud,
        "bgr": 0.0, "hsv_h": how.hsv_h, "hsv_s": how.hsv_s, "hsv_v": how.hsv_v,
        "augmentations": [], "multi_scale": 0.0,
    }  # fmt: skip
