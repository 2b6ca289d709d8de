"""All finalists of a fold, mixed: photographs, age and gender → the columns of `columns`.

Each trunk is asked once for a photograph, whichever members stand on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import timm
import torch
from torch import Tensor, nn

from assay.learning.inference import predict_batches
from assay.learning.tensors import load_tensors, tensors_below
from assay.systems.hemoglobin.networks.frozen import run_trunk_once
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.parted import PartedBackbone
from assay.systems.hemoglobin.tasks.columns import COLUMNS
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS
from assay.systems.hemoglobin.tasks.fusion_params import LATE

if TYPE_CHECKING:
    import numpy.typing as npt

    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Rows
    from assay.systems.hemoglobin.tasks.fusion_params import GridTrain

Mix = Mapping[str, Sequence[float]]  # column → the weight of each member
COVARIATES = ("age", "gender")


def trunk_name(view: str, backbone: str) -> str:
    """Return what the names of a trunk's tensors begin with; all folds share it."""
    return f"trunk.{view}.{backbone}."


def member_name(number: int) -> str:
    """Return what the names of a member's tensors begin with, below those of its fold."""
    return f"{number}."


def mixed(said: npt.NDArray[Any], mix: Mix) -> Floats:
    """Return the columns (n, 13) of what members say (n, members); nan where a column is not there."""
    columns = np.full((len(said), len(COLUMNS)), np.nan)
    for column, weights in mix.items():
        columns[:, COLUMNS.index(column)] = said.astype(np.float64) @ np.asarray(weights)
    return columns.astype(np.float32)


class EnsembleNetwork(nn.Module):
    """Photographs (b, 2, h, w, 3), age and gender (b, 2) → what each member says, (b, members).

    Args:
        models: of each member, as its section has it.
        bundle: of one fold.
    """

    def __init__(self, models: Sequence[Mapping[str, Any]], bundle: Bundle) -> None:
        super().__init__()
        pairs = [(view, each[view]) for each in models for view in VIEWS]
        self.views, state = list(dict.fromkeys(pairs)), load_tensors(bundle)
        unfreeze = models[0]["unfreeze"]
        parted = {pair: _empty(pair[1], unfreeze) for pair in self.views}
        for (view, name), each in parted.items():
            each.trunk.load_state_dict(tensors_below(bundle, trunk_name(view, name)))
        self.trunks = nn.ModuleList(parted.values())
        self.places = [[self.views.index((view, each[view])) for view in VIEWS] for each in models]
        self.members = nn.ModuleList(
            _member(each, [parted[view, each[view]] for view in VIEWS], state, member_name(number))
            for number, each in enumerate(models)
        )
        self.eval()

    def forward(self, images: Tensor, covariates: Tensor) -> Tensor:
        """Return Hb in g/dL by each member."""
        shown = [images[:, VIEWS.index(view)] for view, _ in self.views]
        pairs = zip(self.trunks, shown, strict=True)
        trunks = [run_trunk_once(cast("PartedBackbone", each), view) for each, view in pairs]
        said = []
        for member, (nail, conjunctiva) in zip(self.members, self.places, strict=True):
            inputs = [*trunks[nail], *trunks[conjunctiva]]
            demographics = cast("FusionNetwork", member).demographics
            said.append(member((*inputs, *([covariates] if demographics else []))))
        return torch.cat(said, 1)


def ensemble(bundle: Bundle, config: GridTrain) -> Predictor:
    """Return a fold's members, mixed as the record says, as a function of rows."""
    model = bundle.record["model"]
    return partial(_answer, EnsembleNetwork(model["members"], bundle), model["mix"], config)


def _answer(network: EnsembleNetwork, mix: Mix, config: GridTrain, rows: Rows) -> Floats:
    covariates = rows.covariates(COVARIATES)
    return mixed(predict_batches(network, network, rows.stacked, config, covariates), mix)


def _empty(backbone: str, unfreeze: int) -> PartedBackbone:
    network = timm.create_model(backbone, pretrained=False, num_classes=0)
    return PartedBackbone(network, unfreeze).eval()


def _member(
    model: Mapping[str, Any], backbones: Sequence[PartedBackbone], state: Mapping[str, Tensor],
    start: str,
) -> FusionNetwork:  # fmt: skip
    width = 0 if model["phase"] == LATE else model["levels_width"]
    network = FusionNetwork(
        backbones, width, model["demographics"], model["hidden"], model["dropout"]
    )
    own = {name.removeprefix(start): each for name, each in state.items() if name.startswith(start)}
    network.load_state_dict(own)
    return network
