"""The picture of what the CVM network sees: its crops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assay.learning.vision.classes import as_classes
from assay.runs.figures import save_figure
from assay.systems.ceph.tasks import points
from assay.systems.ceph.tasks.cvm_crop import crop_squares, cut, stored_crop
from assay.systems.ceph.tasks.names import STAGES
from assay.systems.ceph.tasks.roi import RULE_POINTS

if TYPE_CHECKING:
    from assay.contract.bundle import Bundle
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]


def draw_crops(bundle: Bundle, rows: Rows, stages: npt.NDArray[np.float32], path: Path) -> None:
    """Draw the first film of each stage: whole, with its square and the rule's points, and cut."""
    true = as_classes(stages)
    chosen = [np.flatnonzero(true == stage)[:1] for stage in range(len(STAGES))]
    placed = points.film_frame(rows).stored(points.target(rows))[:, RULE_POINTS]
    crop, size = stored_crop(bundle, side=1), rows.image.shape[1]
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    pairs = figure.subplots(2, len(STAGES)).T
    for name, found, (film, part) in zip(STAGES, chosen, pairs, strict=True):
        film.set_axis_off()
        part.set_axis_off()
        film.set_title(f"{name}: no film" if not len(found) else name, fontsize=9)
        for row in found:
            image = rows.image[row : row + 1]
            square = crop_squares(crop, image)
            film.imshow(image[0])
            film.scatter(*placed[row].T, s=8, color="lime")
            x, y, side = (square[0] * size).tolist()
            # Shares count from the outer edge of the first pixel, half a pixel before its centre.
            corner = (x - side / 2 - 0.5, y - side / 2 - 0.5)
            film.add_patch(Rectangle(corner, side, side, fill=False, color="red"))
            part.imshow(_cut_out(image, square))
    save_figure(figure, path)


def _cut_out(image: Numbers, square: Numbers) -> Numbers:
    """Return the square (1, 3) of one film (1, size, size, 3), at its own resolution."""
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(0, 3, 1, 2)
    side = max(1, round(float(square[0, 2]) * image.shape[1]))
    found = cut(planes, torch.from_numpy(square), side)[0].round().to(torch.uint8)
    shown: Numbers = found.permute(1, 2, 0).numpy()
    return shown
