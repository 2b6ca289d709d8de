"""How a metric is written for people, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """How a metric is written for people, and which way is better.

    Attributes:
        metric: its name in the task's metrics.
        unit: of the value, or empty.
        digits: after the point.
        best: what a perfect prediction has: 0 for an error (lower is better), 1 for a share.
        trivial: what the task's baseline says, in words.
    """

    metric: str
    unit: str = ""
    digits: int = 2
    best: float = 0.0
    trivial: str = "mean"

    @property
    def name(self) -> str:
        """Return the metric as people write it; the unit stands behind the value."""
        return self.metric.removesuffix(f"_{self.unit}").replace("_", " ").upper()

    def gain(self, new: float, old: float) -> float:
        """Return how much better `new` is than `old`, in the metric's unit; positive is better."""
        return abs(old - self.best) - abs(new - self.best)

    def skill(self, own: float, trivial: float) -> float:
        """Return the share of the trivial predictor's distance from the best that is gone.

        1 − own/trivial for errors; nan where the trivial predictor is perfect.
        """
        distance = abs(trivial - self.best)
        return self.gain(own, trivial) / distance if distance else float("nan")
