"""The contract, over every system; the toy of `examples/` is one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.ingest import taken_in

from assay.contract.listing import GROUP_KINDS, Listing
from assay.contract.system import System, ensure_views
from assay.gates.labels import judge_labels
from assay.lookup import all_systems, all_tasks, find_system
from assay.manifest.index import FILTERED, OK
from assay.manifest.source import Source
from assay.params import read_params
from assay.sections.data import DataParams
from assay.values import typed

ROOT = Path(__file__).parents[2]
SYSTEMS = sorted(all_systems())


def params_of(system: System) -> DataParams:
    toy = read_params(ROOT / "examples" / "toy" / "params.yaml")
    return typed({**read_params(ROOT / "params.yaml"), **toy}, system.name, system.params)


Phantom = tuple[Source, Listing]


@pytest.fixture(params=SYSTEMS, scope="module")
def system(request: pytest.FixtureRequest) -> System:
    return find_system(request.param)


def written(system: System, root: Path) -> Path:
    folder = root / "phantom"
    folder.mkdir()
    system.phantom(folder, params_of(system).phantom)
    return folder


@pytest.fixture(scope="module")
def phantom(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a phantom, written once; nobody writes into it."""
    return written(system, tmp_path_factory.mktemp(system.name))


@pytest.fixture(scope="module")
def made(system: System, phantom: Path) -> Phantom:
    source = Source(phantom.name, phantom.parent)
    return source, system.read(source)


@pytest.fixture(scope="module")
def ingested(
    system: System, made: Phantom, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pl.DataFrame, Any]:
    """Return the manifest of the phantom, and its stored images."""
    return taken_in(system, *made, params_of(system), tmp_path_factory.mktemp(system.name))


def test_the_toy_is_among_them() -> None:
    assert "toy" in SYSTEMS
    assert "toy-level" in all_tasks()


def test_a_phantom_is_deterministic(system: System, phantom: Path, tmp_path: Path) -> None:
    contents = []
    for folder in (phantom, written(system, tmp_path)):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        contents.append([(path.relative_to(folder), path.read_bytes()) for path in files])
    assert contents[0] == contents[1]
    assert len(contents[0]) > 5


def test_a_listing_has_what_the_platform_reads(system: System, made: Phantom) -> None:
    source, listing = made
    ensure_views(system)
    own = {*system.views.values(), *system.covariates, system.target}
    assert {"sample_id", "item", "group", "subset", "fault", *own} <= set(listing.table.columns)
    assert all(listing.table[name].dtype.is_numeric() for name in system.covariates)
    assert listing.table["sample_id"].is_unique().all()
    assert listing.table["fault"].is_null().all()
    assert listing.group_kind in GROUP_KINDS
    assert all(source.stamp(source.uri(name)).bytes > 0 for name in listing.files(system.views))


def test_a_phantom_passes_its_own_gate(system: System, ingested: tuple[pl.DataFrame, Any]) -> None:
    table, pixels = ingested
    assert (table["status"].is_in([OK, FILTERED])).all()
    assert pixels[:].std() > 0
    facts = (system.target, system.rules(), "stop", 0.0, system.name, system.covariates)
    masked = system.masked(table, params_of(system).ingest)
    checks = [*judge_labels(table, *facts), *system.checks(masked)]
    assert [check.name for check in checks if not check.passed] == []


def test_the_target_is_a_number_that_varies(
    system: System, ingested: tuple[pl.DataFrame, Any]
) -> None:
    table, _ = ingested
    labels = table.filter(pl.col("status") == OK)[system.target].to_numpy()
    assert np.isfinite(labels).all()
    assert labels.std() > 0


def test_a_source_without_its_table_is_refused(system: System, tmp_path: Path) -> None:
    from assay.errors import SourceError

    with pytest.raises(SourceError):
        system.read(Source(".", tmp_path))
