"""Cross-entropy and Dice of cells, against the share of each class in a cell."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0  # cell: of a class that neither side has, the overlap is whole


@dataclass(frozen=True)
class SegmentationLoss:
    """Cross-entropy plus `dice` times 1 − Dice (Milletari et al., 3DV 2016), a mean over the classes.

    Dice is of a whole batch: a class that one photograph lacks is judged where another shows it.

    Attributes:
        dice: weight of the second beside the first.
    """

    dice: float = 1.0

    def __call__(self, outputs: Tensor, shares: Tensor) -> Tensor:
        """Return the loss of logits (b, classes, h, w) against shares of the same shape."""
        terms = self.terms(outputs, shares)
        return terms["cross_entropy"] + self.dice * terms["dice"]

    def terms(self, outputs: Tensor, shares: Tensor) -> dict[str, Tensor]:
        """Return both, unweighted, by name."""
        logits = outputs.float()
        probabilities = logits.softmax(dim=1)
        both = (probabilities * shares).sum(dim=(0, 2, 3))
        whole = (probabilities + shares).sum(dim=(0, 2, 3))
        dice = 1 - ((2 * both + SMOOTH) / (whole + SMOOTH)).mean()
        return {"cross_entropy": functional.cross_entropy(logits, shares), "dice": dice}
