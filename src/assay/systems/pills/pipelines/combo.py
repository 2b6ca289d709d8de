"""Pipeline `pills-combo`: a photograph → which drugs are on it, in one of two modes.

`single` shows the whole photograph to the classifier; `combo` finds pills, cuts them out and shows each
to the classifier. A person chooses the mode; neither falls back on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contract.score import Score
from assay.errors import AssayError
from assay.systems.pills.pipelines.combo_params import (
    CLASSIFIER,
    COMBO,
    DETECTOR,
    SINGLE,
    ComboParams,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.manifest.rows import Rows
    from assay.pipeline import Reader, TrainedModel


class Combo:
    """A pipeline; see `assay.pipeline`."""

    name = "pills-combo"
    data = "pills"
    modes: Mapping[str, Sequence[str]] = {SINGLE: (CLASSIFIER,), COMBO: (DETECTOR, CLASSIFIER)}
    finding: Sequence[str] = (COMBO,)
    headline = Score("f1", digits=3, best=1.0, trivial="mean box, commonest drug")
    params = ComboParams

    def ensure_fits(self, own: ComboParams, models: Mapping[str, TrainedModel]) -> None:
        """Refuse limits that the detector has passed already: boxes it dropped do not come back."""
        if DETECTOR not in models:
            return
        use, made = own.use, models[DETECTOR].params.model
        limits = (
            ("conf", use.conf >= made.conf, f"{made.conf:g} or more", made.conf),
            ("iou", use.iou <= made.iou, f"{made.iou:g} or less", made.iou),
            ("max_det", use.max_det <= made.max_det, f"{made.max_det} or less", made.max_det),
        )
        for knob, fits, expected, value in limits:
            if not fits:
                raise AssayError(
                    f"{self.name}.use.{knob} {getattr(use, knob):g}",
                    f"{DETECTOR} was made with {value:g}: what it dropped does not come back",
                    expected, f"-S {self.name}.use.{knob}={value:g} (assay predict: --conf {value:g})"
                    if knob == "conf" else f"-S {self.name}.use.{knob}={value:g}",
                )  # fmt: skip

    def remark(self, mode: str, models: Mapping[str, TrainedModel]) -> str:
        """Tell that whole photographs are new to a classifier that was taught cuts alone."""
        if mode != SINGLE or models[CLASSIFIER].params.model.view == "photograph":
            return ""
        return (
            f"{mode} shows whole photographs to a classifier that was taught pills cut out of them"
            f" (to teach it both: -S {CLASSIFIER}.model.view=photograph)"
        )

    def evaluate(
        self,
        models: Mapping[str, TrainedModel],
        train: Rows,
        valid: Rows,
        own: ComboParams,
        folder: Path,
    ) -> dict[str, Any]:
        """Score both modes on the validation rows; see `combo_evaluate`.

        Raises:
            AssayError: a photograph shows more pills than may be said of it.
        """
        shown = max((len(pills) for pills in valid.columns["classes"]), default=0)
        if shown > own.use.max_det:
            raise AssayError(
                f"{self.name}.use.max_det {own.use.max_det}",
                f"validation has a photograph of {shown} pills",
                f"{shown} or more", f"dvc exp run -S {self.name}.use.max_det={shown}"
                f" (and {DETECTOR}.model.max_det, where that is less)",
            )  # fmt: skip
        from assay.systems.pills.pipelines.combo_evaluate import evaluate

        return evaluate(self.headline, models, train, valid, own, folder)

    def reader(
        self, mode: str, models: Mapping[str, TrainedModel], own: ComboParams, root: Path
    ) -> Reader:
        """Return what reads a photograph in this mode; see `reading`."""
        from assay.systems.pills.pipelines.reading import make_reader

        return make_reader(mode, models, own.use, root)

    def suited(self, mode: str, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return photographs of one pill for `single`, of several for `combo`."""
        alone: npt.NDArray[np.bool_] = rows.columns["mode"].astype(str) == SINGLE
        return alone if mode == SINGLE else ~alone


PILLS_COMBO = Combo()
