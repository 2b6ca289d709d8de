"""The learner of one fusion training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from assay.learning.determinism import reseed
from assay.learning.inference import device_at_hand, predict_batches
from assay.learning.tensors import load_tensors
from assay.learning.training_spec import ParamGroup, PreparedTraining, TrainData, TrainingSpec
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.inputs import FreshViews, StoredViews
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS, backbones_of
from assay.systems.hemoglobin.tasks.fusion_params import LATE, MemberParams
from assay.systems.hemoglobin.tasks.fusion_schedules import backbone_schedule, head_schedule
from assay.systems.hemoglobin.tasks.fusion_stored import TrunkReader, stored_of
from assay.tasks.value_learner import ValueLearner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Images, Rows
    from assay.systems.hemoglobin.tasks.fusion_backbones import Backbone
    from assay.systems.hemoglobin.tasks.fusion_params import MemberTrain


class FusionLearner(ValueLearner[MemberParams]):
    """Two backbones of which only the last stages thaw, and one head.

    What does not learn is asked once for each stored view of a photograph, and shared by all trainings;
    with `stored_views` 0 for each augmented photograph anew.
    """

    def backbones(self, size: int) -> list[Backbone]:
        """Return the backbone of each view at its first weights."""
        return backbones_of(self.task.name, self.params.model, self.params.train.seed, size)

    def network(self, backbones: Sequence[Backbone], learns: bool = True) -> FusionNetwork:
        """Return the untrained network on these backbones: on copies of their tails where it learns."""
        model = self.params.model
        width = 0 if model.phase == LATE else model.levels_width
        reseed(self.params.train.seed, len(VIEWS))
        parted = [each.parted for each in backbones]
        network = FusionNetwork(
            parted, width, model.demographics, model.hidden, model.dropout, learns
        )
        network.tails.train(learns and self.params.train.frozen_epochs == 0)
        return network

    def prepare(self, train: Rows, valid: Rows) -> PreparedTraining:
        """Return the training on these rows, on stored views where there are some."""
        return self.prepare_with(train, valid, self.params.train.stored_views > 0)

    def prepare_with(self, train: Rows, valid: Rows, is_stored: bool) -> PreparedTraining:
        """Return the training on stored views, or on photographs that are augmented anew."""
        how, size = (
            _leaving_none_alone(self.params.train, len(train)),
            train.images[VIEWS[0]].shape[1],
        )
        backbones = self.backbones(size)
        network = self._started(self.network(backbones), train)
        if is_stored:
            stored, images = stored_of(backbones, how, train, valid)
            preprocess: StoredViews | FreshViews = StoredViews(stored, network)
        else:
            preprocess = FreshViews([each.parted for each in backbones], how.augment, size)
            images = [rows.stacked for rows in (train, valid)]
        spec = TrainingSpec(
            network=network,
            loss=self.loss(),
            preprocess=preprocess,
            metrics=self.metrics,
            rank=self.task.rank,
            param_groups=self.param_groups(network),
            config=how,
            targets=self.target(),
        )
        first = "; ".join(
            f"{view} {each.first}" for view, each in zip(VIEWS, backbones, strict=True)
        )
        learned, held = (self._data(*part) for part in zip((train, valid), images, strict=True))
        steps = -(-len(train) // (how.batch_size * how.accumulate_grad_batches))
        return PreparedTraining(spec, learned, held, first, {"steps_per_epoch": steps})

    def _started(self, network: FusionNetwork, train: Rows) -> FusionNetwork:
        """Let the head say the mean of the training labels; take the ages of the training patients."""
        network.head.regression.start_at(torch.from_numpy(self.task.baseline(train, train)[0]))
        _, patients = np.unique(train.columns["group_id"], return_index=True)
        network.fit_age(torch.from_numpy(train.columns["age"][patients].astype(np.float32)))
        return network

    def _data(self, rows: Rows, images: Images) -> TrainData:
        return TrainData(
            images, self.task.labels(rows), rows.columns[self.task.column],
            rows.columns["sample_id"], covariates=self._covariates(rows),
        )  # fmt: skip

    def _covariates(self, rows: Rows) -> Floats | None:
        return rows.covariates(self.task.reads) if self.params.model.demographics else None

    def loss(self) -> nn.Module:
        """Return SmoothL1 in g/dL."""
        return nn.SmoothL1Loss(beta=self.params.train.beta)

    def param_groups(self, network: nn.Module) -> Sequence[ParamGroup]:
        """Return the last stages, which stand still at first, and the head."""
        assert isinstance(network, FusionNetwork)
        how, tails, head = self.params.train, network.tails, network.head
        thawing = backbone_schedule(how)
        return [
            ParamGroup("backbone", list(tails.parameters()), thawing, how.backbone_lr, tails),
            ParamGroup("head", list(head.parameters()), head_schedule(how), how.head_lr),
        ]

    def make(self, weights: str) -> tuple[nn.Module, str]:
        """Refuse: a fusion network is made on the backbones of its pair; see `network`."""
        raise NotImplementedError(weights)

    def predictor(self, bundle: Bundle) -> Predictor:
        """Return the trained network as a function of rows, in g/dL."""
        return partial(self._predict, load_tensors(bundle))

    def _predict(self, state: dict[str, Tensor], rows: Rows) -> Floats:
        how, size = self.params.train, rows.images[VIEWS[0]].shape[1]
        backbones = self.backbones(size)
        network = self.network(backbones, learns=False).eval()
        device = device_at_hand(how)
        own = {name: each.to(device) for name, each in state.items()}
        trunks = TrunkReader(backbones, how, size)

        def read(images: Tensor, *covariates: Tensor) -> Tensor:
            inputs = (*trunks(images), *covariates)
            hb: Tensor = functional_call(network, own, (inputs,), strict=True)
            return hb

        return predict_batches(network, read, rows.stacked, how, self._covariates(rows))


def _leaving_none_alone(how: MemberTrain, rows: int) -> MemberTrain:
    """Return it with smaller batches where the last would be one row: batch norm has no variance there.

    Nothing is dropped at the end of an epoch.
    """
    batch = how.batch_size
    while rows > batch > 2 and rows % batch == 1:
        batch -= 1
    return how.model_copy(update={"batch_size": batch})
