"""The section `pills-combo` of `params.yaml`."""

from __future__ import annotations

from pydantic import Field

from assay import pipeline

DETECTOR, CLASSIFIER = "pills-detector", "pills-classifier"
SINGLE, COMBO = "single", "combo"  # the first is also what the rows call photographs of one pill


class ComboUse(pipeline.Use):
    """Which boxes are kept, and what of the photograph is named."""

    iou: float = Field(gt=0, lt=1, description="overlap above which the less sure box is dropped")
    max_det: int = Field(ge=1, le=100, description="boxes of a photograph, at most")
    padding: float = Field(ge=0, le=1, description="around a box, share of its sides, each side")


class ComboParams(pipeline.PipelineParams):
    """The section `pills-combo`."""

    use: ComboUse
