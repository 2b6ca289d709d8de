"""Weights that a task starts from: whether they are on this machine, so that it trains offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.doctor.finding import Finding, Report

if TYPE_CHECKING:
    from assay.sections.task import TaskParams

NONE, PRETRAINED = "none", "pretrained"


def check_weights(root: Path, tasks: Mapping[str, TaskParams]) -> Report:
    """Look for each task's first weights: timm's in the hub's cache, a file where it is named.

    Args:
        root: the repository, from which files count.
        tasks: each task's section of `params.yaml`.
    """
    asked = {name: getattr(task.model, "weights", NONE) for name, task in tasks.items()}
    findings = []
    for name, weights in asked.items():
        if weights == PRETRAINED:
            findings += _cached(name, getattr(tasks[name].model, "backbone", ""))
        elif weights != NONE and not (root / weights).is_file():
            mend = f"dvc exp run -S '{name}.model.weights=none', or copy the file there"
            findings.append(
                Finding(f"{name}.model.weights", f"no such file: {weights}", "the file", mend)
            )
    count = sum(weights != NONE for weights in asked.values())
    return Report("weights", f"{count} of {len(asked)} tasks start from weights", findings)


def _cached(name: str, backbone: str) -> list[Finding]:
    """Look where the training will: `learning.backbone` takes the hub's file from its cache."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(backbone)
    if config is None or not config.hf_hub_id:
        return []
    if isinstance(try_to_load_from_cache(config.hf_hub_id, "model.safetensors"), str):
        return []
    return [
        Finding(
            f"{name}.model.weights",
            f"pretrained {backbone} ({config.hf_hub_id}) is not in the hub's cache",
            "on this machine",
            f"python -c \"import timm; timm.create_model('{backbone}', pretrained=True)\"",
        )
    ]
