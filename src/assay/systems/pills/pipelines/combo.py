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
from assay.pipeline import by_fold, models_in
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

    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Rows
    from assay.pipeline import Reader, TrainedModel


class Combo:
    """A pipeline; see `assay.pipeline`."""

    name = "pills-combo"
    short = "combo"
    metrics_version = 1
    data = "pills"
    parts: Sequence[str] = (DETECTOR, CLASSIFIER)
    reads: Sequence[str] = ("width", "height")
    modes: Mapping[str, Sequence[str]] = {SINGLE: (CLASSIFIER,), COMBO: (DETECTOR, CLASSIFIER)}
    finding: Sequence[str] = (COMBO,)
    headline = Score("f1", digits=3, best=1.0, trivial="mean box, commonest drug")
    params = ComboParams

    def labels(self, rows: Rows) -> Floats:
        """Return the true boxes with their drugs, and whether a photograph is of one pill."""
        from assay.systems.pills.pipelines import combo_answers

        return combo_answers.label_rows(rows)

    def predictor(self, bundle: Bundle, params: ComboParams) -> Predictor:
        """Return both modes as a function of photographs; see `combo_answers`."""
        from assay.systems.pills.pipelines import combo_answers

        return combo_answers.predictor(models_in(self, bundle), params)

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return one mean box with the commonest drug, which every photograph is named as a whole."""
        from assay.systems.pills.pipelines import combo_answers

        return combo_answers.baseline(train, rows)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return the scores of both modes, end to end; see `combo_scores`."""
        return self.metrics_of(self.counts(predictions, labels))

    def counts(self, predictions: Floats, labels: Floats) -> npt.NDArray[np.float64]:
        """Return what the metrics are made of, a row a photograph."""
        from assay.systems.pills.pipelines import combo_scores

        return combo_scores.photograph_counts(predictions, labels)

    def metrics_of(self, counts: npt.NDArray[np.float64]) -> dict[str, float]:
        """Return the metrics of photographs whose counts these are."""
        from assay.systems.pills.pipelines import combo_scores

        return combo_scores.metrics_of(counts)

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Refuse what has no whole number of boxes."""
        from assay.systems.pills.pipelines.combo_answers import FIELDS, WHOLE

        shape = predictions.shape
        if len(shape) == 2 and shape[0] == len(rows) and shape[1] % FIELDS == WHOLE:
            return ""
        return (
            f"{shape} for {len(rows)} photographs; expected boxes of {FIELDS} numbers, and {WHOLE}"
        )

    def ensure_fits(
        self, own: ComboParams, models: Mapping[str, TrainedModel], rows: Rows | None = None
    ) -> None:
        """Refuse limits that the detector, or a photograph that is scored, has passed already."""
        shown = 0 if rows is None else max(map(len, rows.columns["classes"]), default=0)
        if shown > own.use.max_det:
            raise AssayError(
                f"{self.name}.use.max_det {own.use.max_det}",
                f"validation has a photograph of {shown} pills",
                f"{shown} or more", f"dvc exp run -S {self.name}.use.max_det={shown}"
                f" (and {DETECTOR}.model.max_det, where that is less)",
            )  # fmt: skip
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

    def report(
        self,
        models: Mapping[str, TrainedModel],
        predictions: Floats,
        rows: Rows,
        folder: Path,
    ) -> dict[str, Any]:
        """Write what was said, pill by pill and drawn; return how many pills, and of unknown drugs."""
        from assay.runs.figures import save_table
        from assay.systems.pills.pipelines import combo_picture, combo_table, reading
        from assay.systems.pills.pipelines.combo_answers import code_names

        labels = self.labels(rows)
        code = reading.codes(models) | code_names(rows)
        table = combo_table.lines(predictions, labels, rows, code)
        save_table(folder / "pictures", "pills.csv", table.write_csv())
        combo_picture.draw(self.counts(predictions, labels), table, rows, folder / "pictures")
        known = {fold: reading.trained(own) for fold, own in by_fold(models).items()}
        pairs = zip(rows.columns["fold"].tolist(), rows.columns["classes"], strict=True)
        pills = [int(drug) in known[fold] for fold, drugs in pairs for drug in drugs]
        unseen = 1 - sum(pills) / len(pills) if pills else float("nan")
        alone = int(self.suited(SINGLE, rows).sum())
        return {"pills": len(pills), "single_rows": alone, "unseen_share": unseen}

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
