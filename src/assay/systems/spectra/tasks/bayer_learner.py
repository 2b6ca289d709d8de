"""The learner of the task: structures and their twins, AdamW, warm-up and cosine, terms logged apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from assay.learning.determinism import reseed
from assay.learning.schedules import warmup_cosine
from assay.learning.targets import Values
from assay.learning.training_spec import ParamGroup, PreparedTraining, TrainData, TrainingSpec
from assay.sections.task import NONE
from assay.systems.spectra.learning.averaging import Averaged
from assay.systems.spectra.learning.design import Design
from assay.systems.spectra.learning.laws import GREEN
from assay.systems.spectra.learning.losses import LOSSES
from assay.systems.spectra.learning.networks import NETWORKS
from assay.systems.spectra.learning.symmetric_copies import SymmetricCopies
from assay.systems.spectra.optics.symmetry import SYMMETRIES
from assay.systems.spectra.tasks.invariants import judge_invariants
from assay.systems.spectra.tasks.names import as_cells
from assay.systems.spectra.tasks.params import BayerParams
from assay.tasks.learner import Learner

if TYPE_CHECKING:
    from assay.contract.bundle import Bundle
    from assay.learning.training_spec import Floats, Images, Metrics, Targets
    from assay.manifest.rows import Rows
    from assay.systems.spectra.learning.head import Head
    from assay.systems.spectra.learning.loss import Loss


@dataclass(frozen=True)
class Structures:
    """Stored structures as a network sees them.

    Attributes:
        side: px; from more the mean of each block is taken, which all maps commute with.
    """

    side: int

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """Return uint8 structures (b, h, w, 1) of 0 and 1 as (b, 1, side, side) in −1 … 1."""
        structures = images[..., 0].unsqueeze(1).float() * 2 - 1
        block = structures.shape[-1] // self.side
        return avg_pool2d(structures, block) if block > 1 else structures


class BayerLearner(Learner[BayerParams]):
    """A network of four cells, (b, 2, 2, bins), about the mean spectrum of what it learns from."""

    def make(self, weights: str, bins: int = 1) -> tuple[nn.Module, str]:
        """Return the untrained network; how many bins, the data say, or a trained state."""
        own = self.params.model.model_dump(exclude={"network", "input_size"})
        network = NETWORKS[self.params.model.network](Design(**own, bins=bins))
        return network.train(), NONE

    def empty(self, state: Mapping[str, Tensor]) -> nn.Module:
        """Return a network of as many bins."""
        return self.make(NONE, state["head.mean"].shape[-1])[0]

    def build(self, train: Rows) -> tuple[nn.Module, str]:
        """Return the network about the mean of the twins' spectra."""
        return self.about(self.copies(train)), NONE

    def about(self, learns: TrainData) -> nn.Module:
        """Return the network about the mean of these spectra."""
        reseed(self.params.train.seed)
        network, _ = self.make(NONE, learns.targets.shape[-1])
        cast("Head", network.head).centre(torch.from_numpy(learns.targets))
        return network

    def prepare(self, train: Rows, valid: Rows) -> PreparedTraining:
        """Return the training on every distinct view of the training rows."""
        learns, symmetry = self.copies(train), self.params.train.symmetry
        spec = self.spec(self.about(learns), train, valid)
        views = len(learns.images)
        print(f"symmetry {symmetry}: {len(train)} structures, {views} views", flush=True)
        return PreparedTraining(spec, learns, self.data(valid))

    def load(self, bundle: Bundle) -> nn.Module:
        """Return the trained network; where asked, its predictions averaged over the maps."""
        how, network = self.params.train, super().load(bundle)
        maps = SYMMETRIES[how.symmetry if how.average else "none"]
        return Averaged(network, maps).eval() if len(maps) > 1 else network

    def read(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return spectra (b, 4 · bins) of structures, uint8 (b, h, w, 1)."""
        said: Tensor = network(Structures(self.params.model.input_size)(images, False))
        return said.flatten(1)

    def data(self, rows: Rows) -> TrainData:
        """Return structures as they stand; of validation there are no twins."""
        spectra = as_cells(self.task.labels(rows))
        return TrainData(rows.image, spectra, spectra, rows.columns["sample_id"])

    def copies(self, rows: Rows) -> TrainData:
        """Return every distinct view of the rows; the preflight leads its spectra back to theirs."""
        spectra = as_cells(self.task.labels(rows))
        twins = SymmetricCopies(rows.image, spectra, SYMMETRIES[self.params.train.symmetry])
        return TrainData(
            cast("Images", twins), twins.spectra(spectra), spectra[twins.rows],
            rows.columns["sample_id"][twins.rows], twins.undone,
        )  # fmt: skip

    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of the network; epochs are scored as predictions are, but not averaged."""
        how, spectra, loss = self.params.train, as_cells(self.task.labels(train)), self.loss()

        def metrics(predictions: Floats, targets: Targets) -> Metrics:
            return self.task.metrics(
                *(each.reshape(len(each), -1) for each in (predictions, targets))
            )

        learning = [value for value in network.parameters() if value.requires_grad]
        schedule = warmup_cosine(how.epochs, how.warmup_share * how.epochs, how.lr, how.lr_final)
        return TrainingSpec(
            network=network,
            loss=loss,
            preprocess=Structures(self.params.model.input_size),
            metrics=metrics,
            rank=self.task.rank,
            param_groups=[ParamGroup("network", learning, schedule, how.lr)],
            config=how,
            targets=Values(-GREEN, 1 + GREEN, shape=spectra.shape[1:]),
            loss_terms=loss.terms,
            invariants=partial(
                judge_invariants,
                how.symmetry,
                train.image,
                spectra,
                np.asarray(train.columns["sample_id"]),
            ),
        )

    def loss(self) -> Loss:
        """Return the loss with those of the section's weights that it has; others keep its own."""
        how = self.params.train
        own = vars(LOSSES[how.loss]())
        return LOSSES[how.loss](**{name: getattr(how, name) for name in own if hasattr(how, name)})
