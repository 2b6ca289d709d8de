"""What the fusion grid does once, before its trainings: judge one of each kind, ask every backbone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.progress import track

from assay.gates.preflight import judge_training
from assay.gates.verdict import Verdict
from assay.learning.determinism import set_determinism
from assay.manifest.parts import validation_fold
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import MemberParams
from assay.systems.hemoglobin.tasks.fusion_stored import stored_of
from assay.values import declared_part

if TYPE_CHECKING:
    from pathlib import Path

    from assay.contract.checks import Check
    from assay.contract.grid import Sections
    from assay.manifest.rows import Rows


def member_params(section: Mapping[str, Any]) -> MemberParams:
    """Return the section of a configuration, on its first fold, as a training has it."""
    whole = {**section, "train": {**section["train"], "fold": 0}}
    return declared_part({MEMBER.name: whole}, MEMBER.name, MemberParams)


def each_kind(sections: Sections) -> Iterator[tuple[str, MemberParams]]:
    """Yield the first configuration of each phase, and its parameters."""
    seen = set()
    for name, own in sections.items():
        params = member_params(own)
        if params.model.phase not in seen:
            seen.add(params.model.phase)
            yield name, params


def judge_kinds(rows: Rows, sections: Sections, path: Path) -> None:
    """Write the preflight's verdict on a training of each phase, as one file.

    Raises:
        GateError: one was refused.
    """
    train, valid = validation_fold(rows, 0)
    checks: list[Check] = []
    for name, params in each_kind(sections):
        set_determinism(params.train.threads)
        ready = MEMBER.learner(params).prepare_with(train, valid, is_stored=False)
        found = judge_training(ready.spec, ready.train, ready.valid)
        checks += [replace(each, name=f"{name}, {each.name}") for each in found]
    Verdict("preflight", MEMBER.name, checks).write_and_raise(path)


def store_views(rows: Rows, sections: Sections) -> None:
    """Ask each backbone of configurations for the stored views of all photographs of these rows."""
    pairs: dict[tuple[str, ...], MemberParams] = {}
    for own in sections.values():
        params = member_params(own)
        for view in VIEWS:
            pairs.setdefault((view, getattr(params.model, view)), params)
    wanted = {id(params): params for params in pairs.values() if params.train.stored_views}
    for params in track(
        wanted.values(), "frozen backbones", disable=len(wanted) < 2, transient=True
    ):
        backbones = MEMBER.learner(params).backbones(rows.images[VIEWS[0]].shape[1])
        stored_of(backbones, params.train, rows, is_checked=True)
