"""The best single-modality models as members: their file is what the grid's first backbone starts from.

They were trained on other people, so that what they say of any of these is out of sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import timm
from torch import Tensor, nn

from assay.errors import AssayError
from assay.learning.backbone import read_tensors
from assay.learning.inference import predict_batches
from assay.learning.regression import RegressionHead, Regressor
from assay.learning.transforms import normalise
from assay.runs.start import first_weights, view_file
from assay.sections.task import SINGLE
from assay.systems.hemoglobin.ensemble.columns import SINGLES
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from assay.manifest.rows import Rows
    from assay.systems.hemoglobin.tasks.fusion_params import FusionParams

START = "single."
HEAD = "head."


def single_name(view: str, backbone: str) -> str:
    """Return what the names of a single-modality model's tensors begin with; all folds share it."""
    return f"{START}{view}.{backbone}."


def regressor_of(backbone: str, state: Mapping[str, Tensor]) -> Regressor:
    """Return the model whose tensors these are; its head's widths are theirs."""
    network = timm.create_model(backbone, pretrained=False, num_classes=0)
    layers = [each for name, each in state.items() if name.startswith(HEAD) and each.ndim > 1]
    width, *hidden = [layers[0].shape[1], *(each.shape[0] for each in layers[:-1])]
    head = RegressionHead(width, hidden, 0.0)
    regressor = Regressor(network, head)
    regressor.load_state_dict(dict(state))
    return regressor.eval()


def say_singles(params: FusionParams, rows: Rows) -> dict[str, npt.NDArray[np.float64]]:
    """Return what the best single-modality model of each view says of rows (n,), in g/dL."""
    said = {}
    for view, (backbone, state) in _states(params).items():
        network = regressor_of(backbone, state)
        found = predict_batches(network, _reads(network), rows.images[view], params.train)
        said[view] = found[:, 0].astype(np.float64)
    return said


def single_tensors(params: FusionParams) -> dict[str, Tensor]:
    """Return their tensors as the model's file has them."""
    return {
        single_name(view, backbone) + name: tensor
        for view, (backbone, state) in _states(params).items()
        for name, tensor in state.items()
    }


def _reads(network: nn.Module) -> Any:
    return lambda images: network(normalise(images))


def _states(params: FusionParams) -> dict[str, tuple[str, dict[str, Tensor]]]:
    """Return backbone and tensors of each view's: of the first that the section names.

    Raises:
        AssayError: the grid does not start from single-modality models, or a file has no head.
    """
    model = params.model
    where = f"{MEMBER.name}.model.select.singles"
    if model.weights != SINGLE:
        raise AssayError(
            where, f"the grid starts from weights {model.weights}", f"weights {SINGLE}",
            f"dvc exp run -S {MEMBER.name}.model.weights={SINGLE}, or -S {where}=false",
        )  # fmt: skip
    found = {}
    for view in SINGLES:
        backbone = cast("list[str]", getattr(model, view))[0]
        path = Path(first_weights(MEMBER.name, view_file(view, backbone), backbone))
        state = read_tensors(path)
        if not any(name.startswith(HEAD) for name in state):
            raise AssayError(
                where, f"{path} has no head: a backbone alone", "a single-modality model",
                f"assay weights {MEMBER.name} --best 5 …, or -S {where}=false",
            )  # fmt: skip
        found[view] = backbone, state
    return found
