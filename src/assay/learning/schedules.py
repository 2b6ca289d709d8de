"""Learning-rate schedules as the specifications draw them: pieces of lines and half-cosines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Piece:
    """One stretch of a schedule: from `start` to `end` (epochs), from `first` to `last` (rate)."""

    start: float
    end: float
    first: float
    last: float
    shape: Literal["line", "cosine"] = "line"

    def at(self, epoch: float) -> float:
        """Return the rate at a moment within the piece."""
        done = (epoch - self.start) / (self.end - self.start)
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return self.first + (self.last - self.first) * done


Schedule = Sequence[Piece]


def rate(schedule: Schedule, epoch: float) -> float:
    """Return the learning rate at a moment in epochs; past the end the last rate stays."""
    for piece in schedule:
        if epoch < piece.end:
            return piece.at(max(epoch, piece.start))
    return schedule[-1].last


def warmup_cosine(epochs: int, warmup: float, peak: float, final: float) -> Schedule:
    """Return 0 → `peak` over `warmup` epochs, then one half-cosine `peak` → `final`."""
    cosine = Piece(warmup, epochs, peak, final, "cosine")
    return [Piece(0, warmup, 0.0, peak), cosine] if warmup else [cosine]


def after(epochs: int, schedule: Schedule) -> Schedule:
    """Return 0 for `epochs`, then `schedule`: a part that is frozen at first."""
    later = [
        replace(piece, start=piece.start + epochs, end=piece.end + epochs) for piece in schedule
    ]
    return [Piece(0, epochs, 0.0, 0.0), *later] if epochs else later


def start_epoch(schedule: Schedule) -> float:
    """Return the moment, in epochs, until which there is no rate; 0 for what learns at once."""
    for piece in schedule:
        if piece.first or piece.last:
            return piece.start
    return schedule[-1].end


def factor(schedule: Schedule, peak: float, steps_per_epoch: int) -> Callable[[int], float]:
    """Return the schedule as `LambdaLR` wants it: step → rate / peak."""
    return lambda step: rate(schedule, step / steps_per_epoch) / peak
