"""A learner: the network of a task, how it is trained, and how it is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from torch import Tensor, nn

from assay.learning.determinism import reseed
from assay.learning.inference import predict_batches
from assay.learning.tensors import load_tensors
from assay.learning.training_spec import PreparedTraining
from assay.learning.transforms import normalise
from assay.runs.start import first_weights
from assay.sections.task import NONE, P

if TYPE_CHECKING:
    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats, Predictor
    from assay.contract.task import Task
    from assay.learning.training_spec import TrainData, TrainingSpec
    from assay.manifest.rows import Rows


class Learner(ABC, Generic[P]):
    """Builds, trains and asks one network.

    Args:
        task: whose labels, metrics and epoch rule count.
        params: its section.
    """

    def __init__(self, task: Task, params: P) -> None:
        self.task, self.params = task, params

    @abstractmethod
    def make(self, weights: str) -> tuple[nn.Module, str]:
        """Return the untrained network, and the digest of the first weights it took, or `none`.

        Args:
            weights: `none`, or the path of a file.
        """

    @abstractmethod
    def data(self, rows: Rows) -> TrainData:
        """Return what is trained on."""

    @abstractmethod
    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of the network."""

    def build(self, train: Rows) -> tuple[nn.Module, str]:
        """Return the network as it starts, whatever is fitted on training rows among its buffers."""
        reseed(self.params.train.seed)
        return self.make(self.first_weights())

    def prepare(self, train: Rows, valid: Rows) -> PreparedTraining:
        """Return the training on these rows."""
        network, start = self.build(train)
        spec = self.spec(network, train, valid)
        return PreparedTraining(spec, self.data(train), self.data(valid), start)

    def first_weights(self) -> str:
        """Return `none`, or the file that the section's model starts from."""
        model: Any = self.params.model
        if not hasattr(model, "weights"):
            return NONE
        return first_weights(self.task.name, model.weights, getattr(model, "backbone", NONE))

    def empty(self, state: Mapping[str, Tensor]) -> nn.Module:
        """Return a network that these trained tensors fit."""
        return self.make(NONE)[0]

    def load(self, bundle: Bundle) -> nn.Module:
        """Return the trained network in eval mode."""
        state = load_tensors(bundle)
        network = self.empty(state)
        network.load_state_dict(state)
        return network.eval()

    def predictor(self, bundle: Bundle) -> Predictor:
        """Return the trained network as a function of rows, in label units."""
        return partial(self.predict, self.load(bundle))

    def predict(self, network: nn.Module, rows: Rows) -> Floats:
        """Return predictions (n, outputs) of rows, in label units."""
        images = rows.image if len(rows.images) == 1 else rows.stacked
        read = partial(self.read, network)
        return self.to_labels(predict_batches(network, read, images, self.params.train), rows)

    def read(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return predictions (b, outputs) of stored images, uint8 (b, h, w, channels).

        Several views are read here, (b, views, h, w, channels).
        """
        return self.decode(network(normalise(images)))

    def decode(self, outputs: Tensor) -> Tensor:
        """Return predictions (b, outputs) of the network's outputs."""
        return outputs

    def to_labels(self, predictions: Floats, rows: Rows) -> Floats:
        """Return predictions in label units: those of the original image, not of the stored one."""
        return predictions
