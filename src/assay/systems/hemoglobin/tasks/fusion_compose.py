"""The model that finalists make: how they are mixed, and its one file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.torch import load_file, save_file

from assay.contract.grid import Composed
from assay.learning.tensors import fold_name
from assay.runs.files import atomic_write, read_json
from assay.runs.record import RECORD, WEIGHTS
from assay.systems.hemoglobin.ensemble.columns import COLUMNS, SINGLES, VERSIONS
from assay.systems.hemoglobin.ensemble.selection import members
from assay.systems.hemoglobin.ensemble.weights import weights_of
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS
from assay.systems.hemoglobin.tasks.fusion_ensemble import member_name, mixed, trunk_name
from assay.systems.hemoglobin.tasks.fusion_grid import member_params
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_members import choose_members, said_by
from assay.systems.hemoglobin.tasks.fusion_params import KEEP_ALL, FusionParams, configurations
from assay.systems.hemoglobin.tasks.fusion_scores import fusion_scores
from assay.systems.hemoglobin.tasks.fusion_singles import say_singles, single_tensors
from assay.values import declared_part

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from assay.contract.grid import Results
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.systems.hemoglobin.tasks.fusion_ensemble import Mix
    from assay.systems.hemoglobin.tasks.fusion_members import Chosen, Numbers
    from assay.systems.hemoglobin.tasks.fusion_params import Select


def compose(results: Results, rows: Rows, section: Mapping[str, Any], weights: Path) -> Composed:
    """Write the members' weights, by fold, and the trunks below them, once; return how they are mixed."""
    found, labels = choose_members(results, rows, section), MEMBER.labels(rows)
    for line in found.remarks:
        print(line)
    params = declared_part({MEMBER.name: section}, MEMBER.name, FusionParams)
    names, said = [each.name for each in found.members], said_by(found, results, rows, section)
    singles = say_singles(params, rows) if params.model.select.singles else {}
    said = np.stack([*said, *singles.values()])
    columns = {**found.columns, **{view: len(names) + at for at, view in enumerate(singles)}}
    names += [f"single {view}" for view in singles]
    mix = mixes(columns, names, said, labels[:, 0], params.model.select)
    for version, shares in mix.items():
        print(
            f"{version}: " + " + ".join(f"{share:.2f} × {name}" for name, share in shares.items())
        )
    state = {**_of_folds(found, results), **_trunks(found, rows, section)}
    if singles:
        state |= single_tensors(params)
    atomic_write(weights, lambda aside: save_file(state, aside))
    finalists = {column: names[at] for column, at in columns.items()}
    first = read_json(results[found.trainings[0]] / RECORD)["model"]["first_weights"]
    model = {
        "outputs": len(COLUMNS), "finalists": finalists, "mix": mix, "compared": found.compared,
        "members": [{**each.model, "name": each.name} for each in found.members],
        "selection": params.model.select.selection, "first_weights": first,
        "singles": {view: getattr(params.model, view)[0] for view in singles},
    }  # fmt: skip
    every = {"best": said}
    if not any(each.fold is not None for each in found.members):
        last = said_by(found, results, rows, section, "last")
        every["last"] = np.stack([*last, *singles.values()])
    answers = {epoch: mixed(each.T, names, finalists, mix) for epoch, each in every.items()}
    keeps = params.model.select.keep == KEEP_ALL
    return Composed(fusion_scores(answers["best"], labels), model, answers, keeps)


def mixes(
    columns: Mapping[str, int], names: list[str], said: Numbers, labels: Floats, select: Select
) -> Mix:
    """Return version → member → weight, each version's from what was said of its own rows alone.

    Args:
        columns: column → its member's place.
        names: of members.
        said: (members, n) out of fold.
        labels: (n,).
        select: how they are weighed.
    """
    singles = [columns[view] for view in SINGLES if view in columns]
    mix: dict[str, dict[str, float]] = {}
    for version in VERSIONS:
        if own := members(columns, version):
            shares = weights_of(said, labels, [*own, *singles], select.weights, select.step)
            mix[version] = {names[at]: share for at, share in shares.items() if share}
    return mix


def _of_folds(found: Chosen, results: Results) -> dict[str, Tensor]:
    """Return the tensors of all members of all folds, as `load_tensors` looks for them."""
    return {
        f"{fold_name(fold)}{member_name(number)}{name}": tensor
        for fold in found.folds
        for number, each in enumerate(found.members)
        for name, tensor in load_file(results[each.training(fold)] / WEIGHTS).items()
    }


def _trunks(found: Chosen, rows: Rows, section: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of each trunk that a member stands on."""
    state: dict[str, Tensor] = {}
    size, sections = rows.images[VIEWS[0]].shape[1], configurations(section)
    for each in found.members:
        learner = MEMBER.learner(member_params(sections[each.configuration]))
        for view, backbone in zip(VIEWS, learner.backbones(size), strict=True):
            start, own = trunk_name(view, backbone.name), backbone.parted.trunk.state_dict()
            state |= {start + key: tensor.cpu().contiguous() for key, tensor in own.items()}
    return state
