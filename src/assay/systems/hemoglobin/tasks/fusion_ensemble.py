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
from assay.learning.transforms import normalise
from assay.systems.hemoglobin.ensemble.columns import (
    ANSWER,
    COLUMNS,
    SINGLES,
    VERSIONS,
    column_place,
)
from assay.systems.hemoglobin.networks.frozen import run_trunk_once
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.parted import PartedBackbone
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import LATE
from assay.systems.hemoglobin.tasks.fusion_singles import regressor_of, single_name

if TYPE_CHECKING:
    import numpy.typing as npt

    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Rows
    from assay.systems.hemoglobin.tasks.fusion_params import GridTrain

Mix = Mapping[str, Mapping[str, float]]  # version → member → weight


def trunk_name(view: str, backbone: str) -> str:
    """Return what the names of a trunk's tensors begin with; all folds share it."""
    return f"trunk.{view}.{backbone}."


def member_name(number: int) -> str:
    """Return what the names of a member's tensors begin with, below those of its fold."""
    return f"{number}."


def mixed(
    said: npt.NDArray[Any], names: Sequence[str], finalists: Mapping[str, str], mix: Mix
) -> Floats:
    """Return the columns (n, 13) of what members say; nan where a column is not there.

    Args:
        said: (n, members) in g/dL.
        names: of members.
        finalists: column → the member that fills it.
        mix: version → member → weight; the first is the answer.
    """
    columns = np.full((len(said), len(COLUMNS)), np.nan)
    place = {name: at for at, name in enumerate(names)}
    for column, name in finalists.items():
        columns[:, column_place(column)] = said[:, place[name]]
    for version, shares in mix.items():
        own = said[:, [place[name] for name in shares]].astype(np.float64)
        columns[:, column_place(version)] = own @ np.array(list(shares.values()))
    columns[:, column_place(ANSWER)] = columns[:, column_place(answering(mix))]
    return columns.astype(np.float32)


def answering(mix: Mix) -> str:
    """Return the version that answers: with demographics, where it was trained."""
    return next(version for version in VERSIONS if version in mix)


class EnsembleNetwork(nn.Module):
    """Photographs (b, 2, h, w, 3), age and gender (b, 2) → what each member says, (b, members).

    Attributes:
        names: of members.

    Args:
        bundle: of one fold.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        record = bundle.record["model"]
        models: list[dict[str, Any]] = record["members"]
        self.single_views = [view for view in SINGLES if view in record["finalists"]]
        self.names = [each["name"] for each in models]
        self.names += [record["finalists"][view] for view in self.single_views]
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
        self.singles = nn.ModuleList(_single(bundle, view) for view in self.single_views)
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
        for view, single in zip(self.single_views, self.singles, strict=True):
            said.append(single(normalise(images[:, VIEWS.index(view)])))
        return torch.cat(said, 1)


def ensemble(bundle: Bundle, config: GridTrain) -> Predictor:
    """Return a fold's members, mixed as the record says, as a function of rows."""
    return partial(_answer, EnsembleNetwork(bundle), bundle.record["model"], config)


def _answer(
    network: EnsembleNetwork, model: Mapping[str, Any], config: GridTrain, rows: Rows
) -> Floats:
    covariates = rows.covariates(MEMBER.reads)
    said = predict_batches(network, network, rows.stacked, config, covariates)
    return mixed(said, network.names, model["finalists"], model["mix"])


def _single(bundle: Bundle, view: str) -> nn.Module:
    """Return the single-modality model of a view, which all folds share."""
    backbone: str = bundle.record["model"]["singles"][view]
    return regressor_of(backbone, tensors_below(bundle, single_name(view, backbone)))


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
