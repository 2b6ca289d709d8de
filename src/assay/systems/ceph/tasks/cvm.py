"""Task `ceph-cvm`: a lateral film → the stage of cervical vertebral maturation, CS1–CS6 as 0–5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.ceph.tasks.cvm_params import CvmParams
from assay.systems.ceph.tasks.names import STAGES
from assay.tasks.classes import ClassTask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.systems.ceph.tasks.cvm_learner import CvmLearner


class Maturation(ClassTask[CvmParams]):
    """A task of classes. What is scored is the stage in the middle of the probabilities, the median.

    The headline is the macro F1: the epoch rule watches it, and a stage that is never predicted costs a
    sixth of it, while the weighted kappa forgives what is off by one.
    """

    name = "ceph-cvm"
    short = "cvm"
    data = "ceph"
    params = CvmParams
    headline = Score("macro_f1", digits=2, best=1.0, trivial="commonest stage")
    column = "cvm"
    classes = STAGES

    def learner(self, params: CvmParams) -> CvmLearner:
        """Return a crop, features and a head."""
        from assay.systems.ceph.tasks.cvm_learner import CvmLearner

        return CvmLearner(self, params)

    def labels(self, rows: Rows) -> Floats:
        """Return the stage 0–5 as (n, 1), as the manifest has it; nan where nobody stated one."""
        stage: Floats = rows.columns[self.column].astype("float32")
        return stage[:, None]

    def predicted(self, predictions: Floats) -> npt.NDArray[np.int64]:
        """Return the stage (n,) in the middle: stages have an order."""
        from assay.learning.vision.classes import middle_classes

        return middle_classes(predictions)

    def slices(self, rows: Rows) -> Mapping[str, npt.NDArray[np.generic]]:
        """Part the films by X-ray machine."""
        from assay.systems.ceph.tasks.points import machine

        return {"machine": machine(rows)}

    def draw_seen(self, bundle: Bundle, rows: Rows, folder: Path) -> None:
        """Draw the region that the network sees, on a film of each stage."""
        from assay.systems.ceph.tasks.cvm_picture import draw_crops

        draw_crops(bundle, rows, self.labels(rows)[:, 0], folder / "crops.png")


CVM = Maturation()
