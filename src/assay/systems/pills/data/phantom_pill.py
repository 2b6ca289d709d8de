"""A pill as a camera sees it: shape, two colours, imprint, score line, light, shadow, camera angle.

A pill is a signed distance in its own plane (mm). A camera at latitude la looks down on it: lengths
towards the camera shrink by sin(la), and the plane is turned by its heading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from assay.systems.pills.data.phantom_drugs import COLOURS

if TYPE_CHECKING:
    from assay.systems.pills.data.phantom_drugs import Drug

Floats = npt.NDArray[np.floating[Any]]
Whole = npt.NDArray[np.int64]
RIM = 1.6  # mm over which the edge is rounded off
GLYPH = 3.0  # mm, height of an imprint
DEPTH = 0.5  # how much darker an imprint and a score line are
REACH = 1.35  # of the half length: pill and shadow lie within
LIGHT = np.array([-0.45, -0.55])  # where the light comes from, along the picture


@dataclass(frozen=True)
class View:
    """How a pill lies in a photograph.

    Attributes:
        x: of its middle, px, and `y`.
        scale: px a mm.
        heading: radians, of its long side.
        latitude: degrees above the table, 90 from straight above.
        is_front: which side lies up.
    """

    x: float
    y: float
    scale: float
    heading: float
    latitude: float
    is_front: bool


@dataclass(frozen=True)
class Outline:
    """Where a pill covers more than half of a pixel.

    Attributes:
        inside: (rows, columns) of a window of the picture.
        left: the window's first column, and `top` its first row.
    """

    inside: npt.NDArray[np.bool_]
    left: int
    top: int

    @property
    def box(self) -> list[int]:
        """Return x, y, w, h px, whole numbers."""
        rows, columns = (np.flatnonzero(self.inside.any(axis=axis)) for axis in (1, 0))
        width, height = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
        return [int(self.left + columns[0]), int(self.top + rows[0]), int(width), int(height)]

    def fill(self, mask: npt.NDArray[np.uint8], value: int) -> None:
        """Set the covered pixels of a mask of the whole picture."""
        height, width = self.inside.shape
        window = mask[self.top : self.top + height, self.left : self.left + width]
        window[self.inside] = value


def draw_pill(picture: Floats, drug: Drug, view: View, tint: float) -> Outline:
    """Draw a pill into `picture` (h, w, 3; 0–1), and return what it covers."""
    rows, columns = _window(picture.shape, drug, view)
    u, v = _plane(rows, columns, view)
    shade_u, shade_v = _plane(rows - 0.9 * view.scale, columns - 0.7 * view.scale, view)
    patch = picture[rows[0, 0] : rows[-1, 0] + 1, columns[0, 0] : columns[0, -1] + 1]
    shadow = np.clip(0.5 - _distance(drug, shade_u, shade_v) / 1.6, 0, 1) * 0.45
    patch *= 1 - shadow[..., None]
    distance = _distance(drug, u, v)
    cover = np.clip(0.5 - distance * view.scale, 0, 1)
    patch += cover[..., None] * (_surface(drug, view, u, v, distance) * tint - patch)
    return Outline(cover > 0.5, int(columns[0, 0]), int(rows[0, 0]))


def _window(shape: tuple[int, ...], drug: Drug, view: View) -> tuple[Whole, Whole]:
    reach = drug.length / 2 * REACH * view.scale + 3
    top, left = (max(0, int(middle - reach)) for middle in (view.y, view.x))
    bottom, right = (
        min(side, int(middle + reach) + 1)
        for middle, side in zip((view.y, view.x), shape[:2], strict=True)
    )
    return np.arange(top, bottom)[:, None], np.arange(left, right)[None, :]


def _plane(rows: Floats | Whole, columns: Floats | Whole, view: View) -> tuple[Floats, Floats]:
    """Return where on the pill, mm, each pixel looks."""
    across = (columns - view.x) / view.scale
    down = (rows - view.y) / view.scale / math.sin(math.radians(view.latitude))
    cosine, sine = math.cos(view.heading), math.sin(view.heading)
    return across * cosine + down * sine, down * cosine - across * sine


def _distance(drug: Drug, u: Floats, v: Floats) -> Floats:
    """Return the signed distance from the outline, mm; negative inside."""
    half, side = drug.length / 2, drug.breadth / 2
    if drug.shape == "장방형":
        straight = half - side
        return np.asarray(np.hypot(u - np.clip(u, -straight, straight), v) - side)
    if drug.shape == "팔각형":
        return np.asarray(
            np.maximum(np.maximum(abs(u), abs(v)), (abs(u) + abs(v)) * math.sqrt(0.5)) - half
        )
    # An ellipse's distance to first order: exact for a circle.
    radius = np.hypot(u / half, v / side)
    slope = np.hypot(u / half**2, v / side**2)
    return np.asarray(np.where(radius > 0, radius * (radius - 1) / np.maximum(slope, 1e-9), -side))


def _surface(drug: Drug, view: View, u: Floats, v: Floats, distance: Floats) -> Floats:
    first, last = COLOURS[drug.colours[0]], COLOURS[drug.colours[-1]]
    colour = np.where((u < 0)[..., None], first, last)
    # The rim falls off: brighter where it faces the light.
    depth = np.clip(1 + distance / RIM, 0, 1)
    cosine, sine = math.cos(view.heading), math.sin(view.heading)
    turned = (LIGHT[0] * cosine + LIGHT[1] * sine, LIGHT[1] * cosine - LIGHT[0] * sine)
    facing = (u * turned[0] + v * turned[1]) / np.maximum(np.hypot(u, v), 1e-9)
    light = 1 + depth * (0.22 * facing - 0.12)
    text = drug.prints[0 if view.is_front else 1]
    marks = _imprint(text, u, v) if text else np.zeros_like(u)
    if drug.is_scored and view.is_front:
        marks = np.maximum(marks, np.clip(0.5 - (abs(u) - 0.25) * view.scale, 0, 1))
    return np.asarray(colour * (light * (1 - DEPTH * marks))[..., None])


def _imprint(text: str, u: Floats, v: Floats) -> Floats:
    """Return how deep the imprint is at each place, 0–1, between the pixels of its glyphs."""
    glyphs = _glyphs(text)
    per_mm = glyphs.shape[0] / GLYPH
    column = u * per_mm + glyphs.shape[1] / 2 - 0.5
    row = v * per_mm + glyphs.shape[0] / 2 - 0.5
    x0, y0 = np.floor(column).astype(int), np.floor(row).astype(int)
    dx, dy = column - x0, row - y0
    padded = np.pad(glyphs, 1)
    depth = np.zeros_like(u)
    for step_x, share_x in ((0, 1 - dx), (1, dx)):
        for step_y, share_y in ((0, 1 - dy), (1, dy)):
            x = np.clip(x0 + step_x + 1, 0, padded.shape[1] - 1)
            y = np.clip(y0 + step_y + 1, 0, padded.shape[0] - 1)
            depth += padded[y, x] * share_x * share_y
    return depth


@cache
def _glyphs(text: str) -> Floats:
    """Draw text with Pillow's own bitmap font: the same pixels on every machine."""
    font = ImageFont.load_default_imagefont()
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text))
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    return np.asarray(image.crop(image.getbbox()), dtype=np.float64) / 255
