"""Task `hemoglobin-fusion`: nail and conjunctiva of a person → Hb, by an ensemble chosen from a grid.

The mean over folds and the weighted sum over members commute: an ensemble of configurations, each the
mean of its fold models, is a model of as many folds, each of which is a weighted sum. So it is combined,
registered, looked at and served as any model of all folds is; see `contract.combined`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from assay.contract.grid import GridPlace
from assay.systems.hemoglobin.ensemble.columns import ANSWER, COLUMNS, column_place
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import FusionParams, configurations, name_of
from assay.tasks.values import ValueTask

if TYPE_CHECKING:
    from pathlib import Path

    from assay.contract.bundle import Bundle
    from assay.contract.grid import Composed, GridRun, Results, Sections
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Rows
    from assay.systems.hemoglobin.tasks.fusion_member import FusionMember
    from assay.tasks.learner import Learner


class Fusion(ValueTask[FusionParams]):
    """The ensembles, their finalists, and the answer, which is one of the ensembles; see `columns`."""

    name, short, data = MEMBER.name, MEMBER.short, MEMBER.data
    params = FusionParams
    headline = MEMBER.headline
    column, limits, unit, within = MEMBER.column, MEMBER.limits, MEMBER.unit, MEMBER.within
    reads: Sequence[str] = MEMBER.reads

    @property
    def member(self) -> FusionMember:
        """Return the task that one training is."""
        return MEMBER

    def configurations(self, section: Mapping[str, Any]) -> Sections:
        """Return the section of each configuration by name."""
        return configurations(section)

    def places(self, section: Mapping[str, Any]) -> Mapping[str, GridPlace]:
        """Return pair and phase of each configuration, in the grid's order."""
        model = section["model"]
        pairs = list(product(model["nail"], model["conjunctiva"]))
        return {
            name: GridPlace(pairs.index((own["nail"], own["conjunctiva"])), own["phase"])
            for name, own in (
                (name, each["model"]) for name, each in configurations(section).items()
            )
        }

    def name_of(self, own: Mapping[str, Any]) -> str:
        """Return phase, pair and version as one name."""
        return name_of(own["model"])

    def one_epoch(self, own: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a configuration's section with one epoch, the last stages thawed from its begin."""
        still = {"epochs": 1, "frozen_epochs": 0, "head_warmup_epochs": 0}
        return {**own, "train": {**own["train"], **still}}

    def train_grid(self, run: GridRun) -> None:
        """Have all trainings done, and leave the model that is made of finalists."""
        from assay.jobs.grid import train_grid

        train_grid(self, run)

    def judge(self, rows: Rows, sections: Sections, path: Path) -> None:
        """Write the preflight's verdict on one training of each kind to `path`."""
        from assay.systems.hemoglobin.tasks.fusion_grid import judge_kinds

        judge_kinds(rows, sections, path)

    def prepare(self, rows: Rows, sections: Sections) -> None:
        """Ask each of their backbones for the stored views of all photographs, as far as nobody has."""
        from assay.systems.hemoglobin.tasks.fusion_grid import store_views

        store_views(rows, sections)

    def choose_trainings(
        self, results: Results, rows: Rows, section: Mapping[str, Any]
    ) -> Sequence[tuple[str, int]]:
        """Return the trainings whose weights the model is made of."""
        from assay.systems.hemoglobin.tasks.fusion_members import choose_members

        return choose_members(results, rows, section).trainings

    def compose(
        self, results: Results, rows: Rows, section: Mapping[str, Any], weights: Path
    ) -> Composed:
        """Write the weights of finalists and the trunks below them; return how they are mixed."""
        from assay.systems.hemoglobin.tasks.fusion_compose import compose

        return compose(results, rows, section, weights)

    def learner(self, params: FusionParams) -> Learner[FusionParams]:
        """Refuse: it is trained as a grid, and asked by `predictor`."""
        raise NotImplementedError(self.name)

    def predictor(self, bundle: Bundle, params: FusionParams) -> Predictor:
        """Return all members of a fold, mixed: rows → (n, columns) in g/dL."""
        from assay.systems.hemoglobin.tasks.fusion_ensemble import ensemble

        return ensemble(bundle, params.train)

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the mean of the training labels for each row, in every column."""
        return super().baseline(train, rows).repeat(len(COLUMNS), axis=1)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return those of the answer plainly named; of each other column that is there MAE and R²."""
        from assay.systems.hemoglobin.tasks.fusion_scores import fusion_scores

        return fusion_scores(predictions, labels)

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule's key of the answer."""
        return MEMBER.rank(metrics)

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the scatter and the Bland–Altman plot of the answer."""
        from assay.systems.hemoglobin.tasks.picture import draw

        draw(predictions[:, column_place(ANSWER)], self.labels(rows)[:, 0], folder)

    def report(
        self, predictions: Floats, rows: Rows, params: FusionParams, model: Path, folder: Path
    ) -> None:
        """Draw and write how single views, both phases and the ensembles compare; see `reports`."""
        from assay.systems.hemoglobin.reports.performance import write_report
        from assay.systems.hemoglobin.reports.result import read_result

        labels = self.labels(rows)[:, 0]
        result = read_result(model, predictions, rows.columns, labels, params.evaluate)
        write_report(result, folder / "pictures")

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Refuse what has no answer for every row."""
        import numpy as np

        expected = (len(rows), len(COLUMNS))
        if predictions.shape != expected:
            return f"{predictions.shape}; expected {expected}: {', '.join(COLUMNS)}"
        lost = int((~np.isfinite(predictions[:, column_place(ANSWER)])).sum())
        return f"the answer to {lost} of {len(rows)} is no number" if lost else ""


FUSION = Fusion()
