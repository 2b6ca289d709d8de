"""From the results of a grid to one model: which trainings it is made of, and how they are mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file, save_file

from assay.contract.grid import Composed
from assay.jobs.grid import out_of_fold
from assay.learning.tensors import fold_name
from assay.runs.files import atomic_write, read_json
from assay.runs.record import RECORD, WEIGHTS
from assay.systems.hemoglobin.tasks.columns import ANSWER, COLUMNS, VERSIONS
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS
from assay.systems.hemoglobin.tasks.fusion_ensemble import member_name, mixed, trunk_name
from assay.systems.hemoglobin.tasks.fusion_grid import member_params
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import FusionParams, configurations
from assay.systems.hemoglobin.tasks.selection import (
    Configuration,
    finalists,
    members,
    without_r2,
)
from assay.systems.hemoglobin.tasks.weights import weights_of
from assay.values import declared_part

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from assay.contract.grid import Results
    from assay.manifest.rows import Rows
    from assay.systems.hemoglobin.tasks.fusion import Fusion
    from assay.systems.hemoglobin.tasks.fusion_ensemble import Mix
    from assay.systems.hemoglobin.tasks.fusion_params import Select


@dataclass(frozen=True)
class Chosen:
    """The finalists of a grid.

    Attributes:
        sections: of all configurations by name, in the grid's order.
        said: (configurations, n) out of fold.
        columns: column → its configuration's place in `sections`.
        folds: that each was trained on.
    """

    sections: Mapping[str, Mapping[str, Any]]
    said: npt.NDArray[np.float64]
    columns: Mapping[str, int]
    folds: Sequence[int]

    @property
    def members(self) -> dict[int, str]:
        """Return place and name of each finalist, each once."""
        names = list(self.sections)
        return {each: names[each] for each in sorted(set(self.columns.values()))}

    @property
    def trainings(self) -> list[tuple[str, int]]:
        """Return their trainings: of each fold one."""
        return [(name, fold) for name in self.members.values() for fold in self.folds]


def choose(results: Results, rows: Rows, section: Mapping[str, Any]) -> Chosen:
    """Return the finalists by what was said out of fold."""
    sections = configurations(section)
    said, labels = out_of_fold(results, rows), MEMBER.labels(rows)[:, 0]
    of = [_configuration(each["model"]) for each in sections.values()]
    for line in without_r2(said, labels, of):
        print(line)
    return Chosen(
        sections, said, finalists(said, labels, of), sorted({fold for _, fold in results})
    )


def _configuration(model: Mapping[str, Any]) -> Configuration:
    version = VERSIONS[0 if model["demographics"] else 1]
    return Configuration(model["phase"], model["nail"], model["conjunctiva"], version)


def compose(
    task: Fusion, results: Results, rows: Rows, section: Mapping[str, Any], weights: Path
) -> Composed:
    """Write the finalists' weights, by fold, and their trunks, once; return how they are mixed."""
    found, labels = choose(results, rows, section), MEMBER.labels(rows)
    select = declared_part({task.name: dict(section)}, task.name, FusionParams).model.select
    mix = mixes(found, labels[:, 0], select)
    said = mixed(found.said[list(found.members)].T, mix)
    for line in _told(found, mix):
        print(line)
    state = {**_of_folds(found, results), **_trunks(found, rows)}
    atomic_write(weights, partial(_save, state))
    first = read_json(results[found.trainings[0]] / RECORD)["model"]["first_weights"]
    models = [{**found.sections[name]["model"], "name": name} for name in found.members.values()]
    model = {
        "outputs": len(COLUMNS), "members": models, "mix": mix, "selection": select.selection,
        "configurations": len(found.sections), "first_weights": first,
    }  # fmt: skip
    return Composed(task.metrics(said, labels), model, said)


def mixes(found: Chosen, labels: npt.NDArray[Any], select: Select) -> Mix:
    """Return column → the weight of each member; finalists have one, ensembles several."""
    places = list(found.members)
    mix = {
        column: [float(each == place) for each in places] for column, place in found.columns.items()
    }
    for version in VERSIONS:
        if own := members(found.columns, version):
            shares = weights_of(found.said, labels, own, select.weights, select.step)
            mix[version] = [shares.get(each, 0.0) for each in places]
    mix[ANSWER] = next(mix[version] for version in VERSIONS if version in mix)
    return mix


def _told(found: Chosen, mix: Mix) -> list[str]:
    """Return a line for each ensemble: its members and their weights."""
    return [
        f"{version}: " + " + ".join(
            f"{weight:.2f} × {name}"
            for name, weight in zip(found.members.values(), mix[version], strict=True) if weight
        )
        for version in VERSIONS if version in mix
    ]  # fmt: skip


def _of_folds(found: Chosen, results: Results) -> dict[str, Tensor]:
    """Return the tensors of all members of all folds, as `load_tensors` looks for them."""
    return {
        f"{fold_name(fold)}{member_name(number)}{name}": tensor
        for fold in found.folds
        for number, own in enumerate(found.members.values())
        for name, tensor in load_file(results[own, fold] / WEIGHTS).items()
    }


def _trunks(found: Chosen, rows: Rows) -> dict[str, Tensor]:
    """Return the tensors of each trunk that a member stands on."""
    state: dict[str, Tensor] = {}
    size = rows.images[VIEWS[0]].shape[1]
    for name in found.members.values():
        params = member_params(found.sections[name])
        backbones = MEMBER.learner(params).backbones(size)
        for view, each in zip(VIEWS, backbones, strict=True):
            start = trunk_name(view, each.name)
            own = each.parted.trunk.state_dict()
            state |= {start + key: tensor.cpu().contiguous() for key, tensor in own.items()}
    return state


def _save(state: dict[str, Tensor], path: Path) -> None:
    save_file(state, path)
