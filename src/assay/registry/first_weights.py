"""`assay weights`: first weights of a training, from a file or timm's hub, with a note where from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import MachineError
from assay.registry.tensors import add_to_dvc, read_state, unwrapped, write_state
from assay.runs.files import file_digest, write_json
from assay.runs.start import START

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

HUB_FILE, HUB_SECONDS = "model.safetensors", 5


@dataclass(frozen=True)
class Placed:
    """First weights that were put where a training reads them.

    Attributes:
        path: relative to the root; `.dvc` and `.json` beside it are to be committed.
        tensors: how many.
        wrapper: what stood before every name and was taken away.
        is_other: whether another file stood there before.
    """

    path: Path
    tensors: int
    wrapper: str
    is_other: bool


def place_file(root: Path, task: str, file: Path) -> Placed:
    """Put weights from a file into `models/start/<task>/`, as safetensors.

    Raises:
        RegistryError: the file holds no weights.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem)  # `-S` takes no blank, comma or bracket
    return _place(root, task, file, name, {"file": file.name, "md5": _digest(file)})


def place_pretrained(root: Path, task: str, backbone: str, revision: str) -> Placed:
    """Put what timm publishes for a backbone into `models/start/<task>/`, and note the commit of the hub.

    Args:
        root: the repository.
        task: the task's name.
        backbone: a timm model name.
        revision: branch, tag or commit of the hub's repository; it is noted as a commit.

    Raises:
        MachineError: nothing is published, or neither the hub nor its cache on this machine has it.
    """
    import timm

    try:
        config = timm.get_pretrained_cfg(backbone)
    except RuntimeError:  # an unknown tag of a known network
        config = None
    if config is None or not config.hf_hub_id:
        raise MachineError(
            backbone, "timm's hub has no weights of that name", "for example resnet18.a1_in1k",
            f"python -c \"import timm; print(timm.list_pretrained('{backbone.partition('.')[0]}*'))\"",
        )  # fmt: skip
    file = _from_hub(config.hf_hub_id, revision)
    commit = file.parent.name  # the cache of the hub: …/snapshots/<commit>/model.safetensors
    note = {"hub": config.hf_hub_id, "revision": commit, "md5": _digest(file)}
    return _place(root, task, file, backbone, note)


def _place(root: Path, task: str, file: Path, name: str, note: Mapping[str, Any]) -> Placed:
    state, wrapper = unwrapped(read_state(file))
    return place_state(root, task, name, state, note, wrapper)


def place_state(
    root: Path, task: str, name: str, state: Mapping[str, Tensor], note: Mapping[str, Any],
    wrapper: str = "",
) -> Placed:  # fmt: skip
    """Put tensors into `models/start/<task>/<name>.safetensors`, under DVC, with the note beside them."""
    path = START / task / f"{name}.safetensors"
    before = _digest(root / path)
    is_other = write_state(root / path, state) != before != ""
    write_json((root / path).with_suffix(".json"), {**note, "unwrapped": wrapper})
    add_to_dvc(root, path)
    return Placed(path, len(state), wrapper, is_other)


def _digest(file: Path) -> str:
    return file_digest(file) if file.is_file() else ""


def _from_hub(repository: str, revision: str) -> Path:
    """Return the file of the hub's cache, fetched where it is not there; told within seconds."""
    from huggingface_hub import get_session, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.constants import ENDPOINT

    cached = try_to_load_from_cache(repository, HUB_FILE, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    try:
        get_session().head(ENDPOINT, timeout=HUB_SECONDS)  # its own client would retry for a minute
        return Path(hf_hub_download(repository, HUB_FILE, revision=revision))
    except Exception as fault:  # noqa: BLE001  a dozen kinds mean "no network", or no such revision
        said = (str(fault).strip().splitlines() or [""])[0]
        raise MachineError(
            f"{repository} @ {revision}", "not on this machine, and the hub does not give it"
            f" ({ENDPOINT}: {type(fault).__name__} {said})", "a network, or the hub's cache",
            "copy the file here; assay weights <task> <file>",
        ) from None  # fmt: skip
