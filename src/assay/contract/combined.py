"""The answer of a model that is several: one training a fold, put together as the task says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.contract.task_capabilities import SupportsCombination
from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats, Predictor, Scored
    from assay.manifest.rows import Rows


def combined_predictor(scored: Scored, bundle: Bundle, params: Any) -> Predictor:
    """Return a model as a function of rows that none of its folds validated; see `Scored.predictor`.

    Raises:
        AssayError: see `ensure_combines`.
    """
    if not bundle.folds:
        return scored.predictor(bundle, params)
    ensure_combines(scored, bundle)
    assert isinstance(scored, SupportsCombination)
    each = [scored.predictor(own, params) for own in bundle.folds]

    def predict(rows: Rows) -> Floats:
        return scored.combine([said(rows) for said in each])

    return predict


def ensure_combines(scored: Scored, bundle: Bundle) -> None:
    """Refuse a model that is several where one answer is asked of it.

    Raises:
        AssayError: it is of several folds, whose answers this task has no way to combine.
    """
    count = len(bundle.folds)
    if count and not isinstance(scored, SupportsCombination):
        parts = scored.parts or [scored.name]
        asked = " ".join(f"-S {part}.train.fold=0" for part in parts)
        raise AssayError(
            f"{scored.name}, {count} folds", f"its answers cannot be combined: {count} models, no model",
            "train.fold a number", f"dvc exp run {asked}",
        )  # fmt: skip
