"""The learner of the classifier: cross-entropy over the drugs named, AdamW, a warm-up and a cosine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.contract.checks import Check
from assay.errors import UnreadableError
from assay.learning.targets import Classes
from assay.learning.training_spec import TrainData, TrainingSpec
from assay.learning.transforms import normalise
from assay.learning.vision.losses import ClassLoss
from assay.manifest.rows import Rows
from assay.sections.task import NONE
from assay.systems.pills.learning.transforms import Looks, PillTransform, centre_crop
from assay.systems.pills.tasks.classifier_cut import cuts
from assay.systems.pills.tasks.classifier_drugs import (
    class_weights,
    known_drugs,
    record_of,
    tell_unseen,
)
from assay.systems.pills.tasks.classifier_network import DrugNetwork, build
from assay.systems.pills.tasks.classifier_params import ClassifierParams
from assay.tasks.learner import Learner
from assay.tasks.plain_learner import one_rate

if TYPE_CHECKING:
    from assay.learning.training_spec import Floats, Metrics, PreparedTraining, Targets
    from assay.systems.pills.tasks.classifier_drugs import KnownDrugs
    from assay.systems.pills.tasks.classifier_params import ClassifierTrain

HELD = (
    1 << 30
)  # bytes of cuts that are made once, and kept in memory; more are made as they are shown


class ClassifierLearner(Learner[ClassifierParams]):
    """Trained on cuts, asked about photographs, which it cuts itself.

    Attributes:
        drugs: what the network is to tell apart; known once a training is prepared.
    """

    drugs: KnownDrugs

    def prepare(self, train: Rows, valid: Rows) -> PreparedTraining:
        """Return the training on these cuts, and what `run.json` says of its classes."""
        self.drugs = known_drugs(train, valid)
        tell_unseen(self.drugs, valid)
        facts = {"classes": record_of(self.drugs, self.params)}
        return replace(super().prepare(train, valid), facts=facts)

    def make(self, weights: str) -> tuple[DrugNetwork, str]:
        """Return the network, and the digest of the backbone's first weights."""
        return build(self.params.model, weights, self.drugs.ids, self.drugs.counts)

    def empty(self, state: Mapping[str, Tensor]) -> nn.Module:
        """Return a network of the drugs that the trained tensors name."""
        ids, counts = (state[name].numpy() for name in ("ids", "counts"))
        return build(self.params.model, NONE, ids, counts)[0]

    def predict(self, network: nn.Module, rows: Rows) -> Floats:
        """Return probabilities (pills, C) over the class table, of the pills in photographs' boxes."""
        return super().predict(network, Rows({"image": cuts(rows, self.params.model)}, {}))

    def read(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return probabilities (b, C) of cuts, uint8 (b, size, size, 3)."""
        assert isinstance(network, DrugNetwork)
        seen = normalise(centre_crop(images, self.params.model.input_size))
        return network.probabilities(network(seen))

    def data(self, rows: Rows) -> TrainData:
        """Return the cuts, and places among the drugs, which the preflight holds against the codes."""
        images: Any = rows.image
        if np.prod(images.shape) <= HELD:
            # Where an original is read, and cannot be, the loader leaves it out when it comes to it.
            with contextlib.suppress(UnreadableError):
                images = images[:]
        columns = rows.columns
        return TrainData(images, self.drugs.places(rows), columns["code"], columns["sample_id"])

    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of `network`; epochs are scored as predictions are."""
        assert isinstance(network, DrugNetwork)
        how, drugs, ids = self.params.train, self.drugs, network.ids

        def metrics(outputs: Floats, targets: Targets) -> Metrics:
            said = network.probabilities(torch.from_numpy(outputs).to(ids.device)).cpu().numpy()
            return self.task.metrics(said, drugs.ids[targets].astype(np.float32)[:, None])

        return TrainingSpec(
            network=network,
            loss=ClassLoss("cross_entropy", class_weights(drugs, how)),
            preprocess=PillTransform(looks_of(how), self.params.model.input_size),
            metrics=metrics,
            rank=self.task.rank,
            param_groups=[one_rate(network, how)],
            config=how,
            drop_last=how.drop_last,
            targets=Classes(drugs.codes, gaps=True),
            balanced=how.balanced_sampler,
            invariants=lambda: [imprints(how)],
        )


def looks_of(how: ClassifierTrain) -> Looks:
    """Return what a training image may become."""
    brightness, contrast, saturation, hue = how.color_jitter
    return Looks(
        (how.scale[0], how.scale[1]), (how.ratio[0], how.ratio[1]), how.fliplr, how.degrees,
        (brightness, contrast, saturation, hue), how.color_jitter_cast,
        how.randaugment, how.magnitude, how.autoaugment,
    )  # fmt: skip


def imprints(how: ClassifierTrain) -> Check:
    """Tell how many imprints are mirrored; a set whose drugs need no imprint may want it."""
    found = f"mirrored with probability {how.fliplr:g}" if how.fliplr else "never mirrored"
    return Check("imprints", True, "told; train.fliplr above 0 mirrors what is printed", found, 1)
