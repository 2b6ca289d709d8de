"""One training of the fusion grid: a task of its own kind, which the grid has many of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.hemoglobin.tasks.fusion_params import MemberParams
from assay.tasks.values import ValueTask

if TYPE_CHECKING:
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.hemoglobin.tasks.fusion_learner import FusionLearner

STATES_EVERY = 10  # epochs: a state takes longer to write than an epoch on stored views


class FusionMember(ValueTask[MemberParams]):
    """Hb of a pair of photographs, by one configuration; ranked by the specification's epoch rule."""

    name, short, data = "hemoglobin-fusion", "fuse", "hemoglobin.fusion"
    params = MemberParams
    headline = Score("mae", "g/dL")
    column = "hb"
    limits = (2.0, 25.0)
    unit = "g/dL"
    within = (0.5, 1.0, 2.0)
    reads: Sequence[str] = ("age", "gender")

    def learner(self, params: MemberParams) -> FusionLearner:
        """Return what has the network."""
        from assay.systems.hemoglobin.tasks.fusion_learner import FusionLearner

        return FusionLearner(self, params)

    def fit(self, train: Rows, valid: Rows, params: MemberParams, run: Run) -> None:
        """Train; on stored views without a preflight, which `judge` has done for all of the grid."""
        from assay.jobs.train import train_judged, train_model
        from assay.learning.determinism import set_determinism

        set_determinism(params.train.threads)
        learner = self.learner(params)
        if not params.train.stored_views:
            train_model(learner.prepare(train, valid), run)
            return
        every = max(run.runtime.checkpoint_every, STATES_EVERY)
        runtime = run.runtime.model_copy(update={"checkpoint_every": every, "num_workers": 0})
        train_judged(learner.prepare(train, valid), replace(run, runtime=runtime))

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule's key; see `learning.scores`."""
        from assay.learning.scores import regression_rank

        return regression_rank(metrics)


MEMBER = FusionMember()
