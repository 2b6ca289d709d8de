"""A phantom set with masks: the photographs of the phantom of `pills`, and the outline of each pill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.progress import track

from assay.systems.pills.data.names import TEST
from assay.systems.pills.data.params import Phantom
from assay.systems.pills.data.phantom import outlined, shots
from assay.systems.pills.data.phantom_drugs import DRUGS

if TYPE_CHECKING:
    from assay.systems.pills.data.mask_params import MasksPhantom
    from assay.systems.pills.data.phantom import Shot

CLASSES = ("ground", "round", "long")
LONG = ("타원형", "장방형")  # oval and oblong
# Faults of single photographs; each takes the next ones from the end.
FAULTS = (
    "absent", "imageless", "resized", "beyond", "truncated", "deep", "coloured", "bare", "broken",
)  # fmt: skip
NONE_OF = (
    "unseen", "lonely", "outside", "doubled", "missing", "empty", "unlabelled", "imageless",
    "truncated", "unknown", "broken",
)  # fmt: skip
Pixels = npt.NDArray[np.uint8]


def write_masks(folder: Path, params: MasksPhantom) -> None:
    """Write the set into the empty `folder`; the last photographs carry the faults asked for."""
    shown = ("sessions", "angles", "combinations", "width", "seed")
    rendered = Phantom(
        classes=params.drugs, folders="english", **dict.fromkeys(NONE_OF, 0),
        **{name: getattr(params, name) for name in shown},
    )  # fmt: skip
    listed = [shot for shot in shots(rendered) if shot.subset != TEST]
    planted = dict(zip(reversed(listed), _planted(params), strict=False))
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for shot in track(listed, "phantom masks"):
        _write(folder, shot, rendered, planted.get(shot, ""))
    (folder / "classes.json").write_text(json.dumps(CLASSES) + "\n", encoding="utf-8")


def _planted(params: MasksPhantom) -> Iterator[str]:
    for fault in FAULTS:
        yield from [fault] * getattr(params, fault)


def _write(folder: Path, shot: Shot, params: Phantom, fault: str) -> None:
    picture, outlines = outlined(shot, params)
    mask = np.zeros(picture.shape[:2], np.uint8)
    for drug, outline in zip(shot.drugs, outlines, strict=True):
        outline.fill(mask, CLASSES.index("long" if DRUGS[drug].shape in LONG else "round"))
    image, said = (folder / kind / f"{shot.stem}.png" for kind in ("images", "masks"))
    if fault != "imageless":
        # PNG is stored, not deflated: compressors give other bytes on other processors.
        Image.fromarray(picture).save(image, compress_level=0)
    if fault != "absent":
        _spoilt(mask, fault).save(said, compress_level=0)
    for path, cut in ((image, "broken"), (said, "truncated")):
        if fault == cut:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _spoilt(mask: Pixels, fault: str) -> Image.Image:
    """Return the mask with its planted fault."""
    if fault == "beyond":
        mask[0, 0] = len(CLASSES)
    elif fault == "bare":
        mask[:] = 0
    elif fault == "resized":
        mask = mask[:-1]
    elif fault == "deep":
        return Image.fromarray(mask.astype(np.uint16))
    image = Image.fromarray(mask)
    return image.convert("RGB") if fault == "coloured" else image
