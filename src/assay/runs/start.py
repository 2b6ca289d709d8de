"""The weights that a training starts from: an input like any other, below `models/start/<task>/`."""

from __future__ import annotations

from pathlib import Path

from assay.errors import MachineError
from assay.sections.task import NONE, PRETRAINED

START = Path("models/start")  # each task's folder stands in the `deps` of its training


def start_path(task: str, weights: str, backbone: str) -> Path:
    """Return where a task's first weights lie, from the repository's root.

    Args:
        task: its name.
        weights: of its section: `pretrained`, which is named by the backbone, or a file's name.
        backbone: of its section.
    """
    return START / task / (f"{backbone}.safetensors" if weights == PRETRAINED else weights)


def view_file(view: str, backbone: str) -> str:
    """Return the name of the file that a view's backbone starts from, of a single-modality training."""
    return f"{view}-{backbone}.safetensors"


def first_weights(task: str, weights: str, backbone: str) -> str:
    """Return `none`, or the path of the file, which the working folder holds.

    Raises:
        MachineError: there is none, or DVC does not know it: nobody could rebuild the model.
    """
    if weights == NONE:
        return NONE
    path = start_path(task, weights, backbone)
    if not path.is_file():
        asked = backbone if weights == PRETRAINED else "<file>"
        raise MachineError(
            f"{task}.model.weights {weights}", f"no such file: {path}",
            "first weights, where a training reads them",
            f"assay weights {task} {asked}; of a clone: dvc pull {path} (none: from scratch)",
        )  # fmt: skip
    if not path.with_name(f"{path.name}.dvc").exists():
        raise MachineError(
            f"{task}.model.weights {weights}", f"{path} is not under DVC: no clone could have it",
            f"{path}.dvc", f"dvc add {path}",
        )  # fmt: skip
    return str(path)
