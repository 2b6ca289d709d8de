"""What was found of two images that are laid onto each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Match:
    """What takes the second image onto the first: mirrored first, then turned and scaled."""

    inliers: int  # keypoints that agree; 0 where they lie on one spot, or none were asked
    correlation: float  # of the pictures, once laid onto each other
    overlap: float  # the share of the larger that both cover
    mirrored: bool
    rotation: float  # degrees, counterclockwise on the screen
    scale: float  # of the small pictures
