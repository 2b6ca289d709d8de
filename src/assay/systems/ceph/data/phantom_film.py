"""The phantom's X-ray: attenuations add up along a ray, and a machine makes its own grey of them.

    grey = 1 − exp(−k · Σ attenuation)   then blur, vignetting, gamma, noise.

Drawn with OpenCV on twice the film's pixels and reduced, so that edges lie where they are to a fraction
of a pixel. A point (x, y) of a film is the middle of the pixel in column x, row y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from assay.systems.ceph.data.phantom_curve import Shape, ellipse, moved

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

Grey = npt.NDArray[np.uint8]
Canvas = npt.NDArray[np.float32]
FINE = 2  # canvas pixels a film pixel, along a side
SHIFT = 4  # fractional bits of OpenCV's coordinates


@dataclass(frozen=True)
class XrayUnit:
    """One X-ray unit: how its films look and are stored.

    Attributes:
        name: as its maker calls it.
        spacing: mm a pixel, where the set's films are 300 px wide.
        columns, rows: of a film, relative to that width.
        extension: of its files: png, jpg or bmp.
        density: k above.
        gamma: below 1 lightens what is dark.
        noise: standard deviation in shares of the whole grey range.
        blur: of the focal spot, mm.
        rods: whether ear rods and the nose support are on the film.
        frame: dark border of the collimator, as a share of the width.
    """

    name: str
    spacing: float
    columns: float
    rows: float
    extension: str
    density: float
    gamma: float
    noise: float
    blur: float
    rods: bool
    frame: float


MACHINES = (
    XrayUnit("Phantom A", 0.60, 1.0, 1.2, "png", 1.30, 1.05, 0.014, 0.35, True, 0.0),
    XrayUnit("Phantom B", 0.74, 0.82, 0.98, "jpg", 1.65, 1.25, 0.022, 0.50, False, 0.02),
    XrayUnit("Phantom C", 0.50, 1.20, 1.42, "bmp", 1.05, 0.72, 0.010, 0.30, True, 0.03),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a head lies on a film: millimetres of the skull → pixels of the film, by its inverse spacing.

    Attributes:
        matrix: (2, 3), rotation and scale, then shift.
        columns, rows: of the film.
    """

    matrix: Floats
    columns: int
    rows: int

    def pixels(self, points: Floats) -> Floats:
        """Return points (k, 2) in mm as pixels of the film."""
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2])


def place_head(machine: XrayUnit, width: int, random: np.random.Generator) -> Place:
    """Put a head on a film `width` px wide (times the machine's own share): turned up to 8°, shifted."""
    columns, rows = round(width * machine.columns), round(width * machine.rows)
    per_mm = width / 300 / machine.spacing
    angle = np.radians(np.clip(random.normal(0, 3.0), -8, 8))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * per_mm
    # The face's middle, (28, 35) mm, comes near the middle of the film.
    shift = np.clip(random.normal(0, 4, 2), -9, 9) * per_mm
    middle = np.array([columns * 0.47, rows * 0.50]) + shift
    return Place(np.hstack([turn, (middle - turn @ [28.0, 35.0])[:, None]]), columns, rows)


def exposed(
    shapes: list[Shape], machine: XrayUnit, place: Place, random: np.random.Generator
) -> Grey:
    """Return the film (rows, columns) of a head."""
    per_mm = float(np.hypot(*place.matrix[:, 0]))
    soft = np.zeros((place.rows, place.columns), np.float32)
    sharp = np.zeros((FINE * place.rows, FINE * place.columns), np.float32)
    for shape in shapes:
        _lay(soft if shape.soft else sharp, shape, place, per_mm)
    cv2.GaussianBlur(soft, (0, 0), 1.6 * per_mm, dst=soft)
    cv2.GaussianBlur(sharp, (0, 0), FINE * machine.blur * per_mm, dst=sharp)
    total = soft + cv2.resize(sharp, (place.columns, place.rows), interpolation=cv2.INTER_AREA)
    # Bone is not even: trabeculae and everything that no shape stands for.
    total *= 1 + 0.03 * _cloud(total.shape, 9, random) + 0.05 * _cloud(total.shape, 2, random)
    grey = 1 - np.exp(-machine.density * np.clip(total, 0.0, None))
    grey = (0.08 + 0.92 * grey) * _vignette(place, random)
    grey = np.clip(grey, 0, 1) ** machine.gamma
    grey += machine.noise * random.standard_normal(grey.shape, np.float32)
    _frame(grey, machine.frame)
    return np.asarray(np.clip(grey * 255, 0, 255).round().astype(np.uint8))


def rods(porion: Floats, nasion: Floats) -> list[Shape]:
    """Return the ear rod's ring around the ear canal, and the support on the bridge of the nose."""
    centre = moved(porion, 0.0, 4.0)
    arm = np.array(
        [moved(nasion, 8.0, 0.0), moved(nasion, 24.0, -18.0), moved(nasion, 24.0, -90.0)]
    )
    ruler = np.array([moved(nasion, 19.0, -36.0), moved(nasion, 20.5, -90.0)])
    return [
        Shape(np.vstack([ellipse(centre, 4.2, 4.2)] * 2)[:33], 0.5, 0.8),
        Shape(ellipse(centre, 1.1, 1.1), 0.6), Shape(arm, 0.06, 4.0), Shape(ruler, 0.8, 2.2),
    ]  # fmt: skip


def _lay(canvas: Canvas, shape: Shape, place: Place, per_mm: float) -> None:
    """Add one shape to the canvas, inside its own rectangle."""
    rows, columns = canvas.shape
    fine = rows // place.rows
    points = fine * place.pixels(shape.outline) + (fine - 1) / 2
    width = max(1, round(fine * shape.width * per_mm)) if shape.width else 0
    low = np.clip(np.floor(points.min(0)) - width - 1, 0, (columns, rows)).astype(int)
    high = np.clip(np.ceil(points.max(0)) + width + 2, 0, (columns, rows)).astype(int)
    if (high <= low).any():
        return
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    corners = ((points - low) * 2**SHIFT).round().astype(np.int32)
    if width:
        cv2.polylines(mask, [corners], False, 1, width, cv2.LINE_8, SHIFT)
    else:
        cv2.fillPoly(mask, [corners], 1, cv2.LINE_8, SHIFT)
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part += shape.weight * mask.astype(np.float32)


def _cloud(shape: tuple[int, ...], cell: int, random: np.random.Generator) -> Canvas:
    """Return smooth noise of about unit spread, with cells of so many pixels."""
    rows, columns = shape
    coarse = random.standard_normal((rows // cell + 2, columns // cell + 2), np.float32)
    return np.asarray(cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC))


def _vignette(place: Place, random: np.random.Generator) -> Canvas:
    """Return how much of the light arrives: less towards the corners, and a little from one side."""
    x = np.linspace(-1, 1, place.columns, dtype=np.float32)
    y = np.linspace(-1, 1, place.rows, dtype=np.float32)[:, None]
    slope_x, slope_y = random.normal(0, 0.04, 2).astype(np.float32)
    return np.asarray(1 - 0.10 * (x**2 + y**2) + slope_x * x + slope_y * y)


def _frame(grey: Canvas, share: float) -> None:
    """Blacken what the collimator covers."""
    edge = round(share * grey.shape[1])
    if edge:
        grey[:edge] = grey[-edge:] = 0.02
        grey[:, :edge] = grey[:, -edge:] = 0.02
