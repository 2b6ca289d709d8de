"""The contract, over every task; the toy of `examples/` is one of them."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.ingest import streamed

from assay.contract.bundle import read_bundle
from assay.contract.combined import combined_predictor
from assay.contract.grid import SupportsGrid
from assay.contract.scored import ensure_answers
from assay.contract.system_capabilities import SupportsStreaming
from assay.contract.task import Task
from assay.contract.task_capabilities import (
    SupportsCombination,
    SupportsCrops,
    SupportsInputPreview,
)
from assay.contract.task_rows import row_of, task_rows
from assay.errors import AssayError
from assay.jobs.collect import collect_folds
from assay.jobs.run_job import write_out_of_fold
from assay.lookup import all_tasks, find_system, find_task
from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import OK, index_images
from assay.manifest.listing import deduplicate
from assay.manifest.parts import validation_fold
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.storage import column
from assay.manifest.store import ImageStore
from assay.params import read_params
from assay.pipeline import pipelines
from assay.runs.events import EventLog, read_events
from assay.runs.files import file_digest, read_json
from assay.runs.record import HISTORY, LAST, OUT_OF_FOLD, RECORD, WEIGHTS
from assay.runs.run import Run
from assay.stages.evaluate import validated
from assay.tasks.classes import ClassTask
from assay.tasks.values import ValueTask
from assay.values import typed

ROOT = Path(__file__).parents[2]
TASKS = sorted(all_tasks())
# Trained as a grid by its stage, and by no `fit`: see tests/unit/test_fusion_grid.py.
FITTED = [name for name, task in sorted(all_tasks().items()) if not isinstance(task, SupportsGrid)]
# A training of each kind of target is made in every suite; of these kinds there is another.
MORE = {"hemoglobin-conjunctiva": "values", "pills-classifier": "classes"}
TRAINED = [
    pytest.param(name, marks=pytest.mark.train_all if name in MORE else ()) for name in FITTED
]
# Of all folds the toy's are trained in every suite.
FOLDED = [
    pytest.param(name, marks=() if name.startswith("toy-") else pytest.mark.train_all)
    for name in FITTED
]
SIZE = 32


def params_of(task: Task, epochs: int = 2) -> Any:
    """Return the task's parameters from the file, with a short loop."""
    toy = read_params(ROOT / "examples" / "toy" / "params.yaml")
    content = {**read_params(ROOT / "params.yaml"), **toy}
    train = content[task.name]["train"]
    if not isinstance(task, SupportsGrid):
        train |= {"epochs": epochs} | (
            {"warmup_epochs": epochs - 1} if "warmup_epochs" in train else {}
        )
    return typed(content, task.name, task.params)


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> Task:
    return find_task(request.param)


def rows_of(task: Task, count: int = 36) -> Rows:
    """Return rows of the phantom, as ingest makes them of it; so many that every class occurs."""
    return task_rows(task, data_rows(task, count), params_of(task))


def data_rows(task: Task, count: int = 36) -> Rows:
    """Return as many rows of the task's data."""
    rows = phantom_rows(task.data)
    return rows.where(np.arange(len(rows)) < count)


@functools.cache
def phantom_rows(data: str) -> Rows:
    """Return the readable rows of a system's phantom, in the order of their ids."""
    from tests.contract.test_systems import params_of as data_params

    system = find_system(data)
    if isinstance(system, SupportsStreaming):
        return streamed_rows(system, data_params(system))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "phantom").mkdir()
        system.phantom(root / "phantom", data_params(system).phantom)
        source = Source("phantom", root)
        store = ImageStore(root / "images", SIZE)
        views = tuple(system.views)
        uris = {uri: column(view, "uri") for view, uri in system.views.items()}
        listed = deduplicate(system.read(source).table.rename(uris), views).sort("sample_id")
        table = index_images(listed, source, store, SIZE, "pillow", system.fit, views)
        digests = [table[column(view, "digest")] for view in views]
        table = table.with_columns(join_groups(spelling(table["group"]), *digests))
        how = data_params(system).ingest.model_copy(update={"size": SIZE})
        table = system.masked(table, how).filter(status=OK)
        images = {
            view: np.array(store.pixels()[store.slots(table[column(view, "digest")])])
            for view in views
        }
    return Rows(images, {name: table[name].to_numpy() for name in table.columns})


def streamed_rows(system: Any, params: Any) -> Rows:
    """Return the same of a system whose samples are rows of arrays: read from a file that is mapped."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "phantom").mkdir()
        system.phantom(root / "phantom", params.phantom)
        source = Source("phantom", root)
        return streamed(system, source, system.read(source), params, root)[1]


def perfect(task: Task, rows: Rows) -> Any:
    """Return what a perfect predictor says: the labels; of classes, the true one for certain."""
    labels = task.labels(rows)
    width = task.baseline(rows, rows).shape[1]
    if isinstance(task, ValueTask):
        return labels.repeat(width, axis=1)
    if labels.shape[1] == 1 < width:
        return np.eye(width, dtype=np.float32)[labels[:, 0].astype(int)]
    return labels[:, :width]  # what else stands there serves the scores


def run_in(folder: Path, task: Task) -> Run:
    return Run(
        task.name, folder, folder / "model", folder / "reports", folder / "resume",
        EventLog(folder / "events.jsonl"), {"params": {}, "key": "0"},
    )  # fmt: skip


def test_the_data_exists_and_agrees(task: Task) -> None:
    from tests.contract.test_systems import params_of as data_params

    assert task.validate_params(params_of(task), data_params(find_system(task.data))) == ""


def test_names_in_dvcs_tables_are_short_and_nobody_elses() -> None:
    known = {**all_tasks(), **pipelines()}
    shorts = [each.short for each in known.values()]
    assert len(set(shorts)) == len(shorts) == len(known)
    assert all(short.isidentifier() and len(short) <= 5 for short in shorts)
    assert all(each.metrics_version >= 1 for each in known.values())


def test_labels_are_what_the_loss_is_fed(task: Task) -> None:
    rows = rows_of(task)
    labels = task.labels(rows)
    assert labels.dtype == np.float32
    assert labels.ndim == 2
    assert len(labels) == len(rows)
    if isinstance(task, ClassTask) and rows.columns[task.column].dtype == object:
        names = np.array(task.classes)[labels[:, 0].astype(int)]
        assert names.tolist() == rows.columns[task.column].tolist()
    elif labels.shape[1] == 1:
        exact = rows.columns[find_system(task.data).target]
        assert np.allclose(labels[:, 0], exact, rtol=1e-6)  # nothing rounds a target


def test_a_perfect_prediction_has_perfect_metrics(task: Task) -> None:
    rows = rows_of(task)
    labels, said = task.labels(rows), perfect(task, rows)
    best = task.metrics(said, labels)
    worse = task.metrics(said[::-1].copy(), labels)  # each row gets another's
    assert best[task.headline.metric] == pytest.approx(task.headline.best)
    assert task.rank(best) < task.rank(worse)
    assert not any("@" in name for name in best)
    assert not {
        "baseline",
        "groups",
        "rows",
        "metrics_version",
        "best_of",
        "in_sample",
        "skill",
        "last",
        "folds",
    } & set(best)


def test_cuts_keep_what_their_rows_have(task: Task) -> None:
    if not isinstance(task, SupportsCrops):
        return
    whole, params = phantom_rows(task.data), params_of(task)
    cuts = task_rows(task, whole, params)
    ids = [row_of(task, name) for name in cuts.columns["sample_id"]]
    assert len(set(cuts.columns["sample_id"])) == len(cuts)
    place = {name: row for row, name in enumerate(whole.columns["sample_id"])}
    rows = np.array([place[name] for name in ids])
    assert (cuts.columns["group_id"] == whole.columns["group_id"][rows]).all()
    # A cut depends on its own row alone: of some rows there are the same cuts as of all.
    some = np.arange(len(whole)) % 5 == 2
    apart = task_rows(task, whole.where(some), params)
    mine = cuts.where(some[rows])
    assert apart.columns["sample_id"].tolist() == mine.columns["sample_id"].tolist()
    assert np.array_equal(apart.image[:], mine.image[:])


def test_the_baseline_knows_the_training_labels_only(task: Task) -> None:
    rows = rows_of(task)
    trivial = task.baseline(rows.where(np.arange(len(rows)) < 10), rows)
    assert len(trivial) == len(rows)
    assert np.isfinite(task.metrics(trivial, task.labels(rows))[task.headline.metric])
    # Of the rows that it is asked about it must not read the labels.
    hidden = {**rows.columns, find_system(task.data).target: np.full(len(rows), np.nan)}
    again = task.baseline(rows.where(np.arange(len(rows)) < 10), Rows(rows.images, hidden))
    assert np.array_equal(trivial, again, equal_nan=True)


@pytest.mark.numeric
@pytest.mark.parametrize("task", TRAINED, indirect=True)
def test_fit_leaves_its_outputs_and_predicts_alike_after_loading(
    task: Task, tmp_path: Path
) -> None:
    rows, params = rows_of(task), params_of(task)
    (tmp_path / "model").mkdir()
    run = run_in(tmp_path, task)
    task.fit(rows, rows, params, run)
    record = read_json(run.folder / RECORD)
    history = (run.folder / HISTORY).read_text().splitlines()
    assert len(history) == 1 + params.train.epochs
    assert [e["event"] for e in read_events(run.events.path)] == ["epoch"] * params.train.epochs
    assert (run.resume / LAST / WEIGHTS).exists()
    bundle, asked = read_bundle(run.folder), data_rows(task)
    # What it reads beside the images it says: of a model at work nothing else is there.
    bare = replace(asked, columns={name: asked.columns[name] for name in task.reads})
    predictions, again = (task.predictor(bundle, params)(each) for each in (asked, bare))
    ensure_answers(task, predictions, rows)
    assert bundle.record["files"] == {WEIGHTS: file_digest(bundle.weights)}
    assert predictions.dtype == np.float32
    assert np.array_equal(predictions, again, equal_nan=True)
    # The picture is drawn, and the score given, through the transform that validation used.
    scores = task.metrics(predictions, task.labels(rows))
    headline = task.headline.metric
    assert scores[headline] == pytest.approx(record["chosen"][headline], rel=1e-5)
    task.pictures(predictions, rows, tmp_path / "pictures")
    drawn = list((tmp_path / "pictures").iterdir())
    assert drawn
    assert {path.suffix for path in drawn} == {".png"}  # DVC would draw a table; a folder may clash


@pytest.mark.parametrize("task", FOLDED, indirect=True)
def test_each_fold_is_scored_by_the_model_that_was_kept_from_it(task: Task, tmp_path: Path) -> None:
    params, asked = params_of(task, 1), data_rows(task)
    asked = replace(asked, columns={**asked.columns, "fold": np.arange(len(asked)) % 2})
    rows, results = task_rows(task, asked, params), {}
    for fold in (0, 1):
        run = run_in(tmp_path / str(fold), task)
        run.folder.mkdir(parents=True)
        train, valid = validation_fold(rows, fold)
        task.fit(train, valid, params, run)
        write_out_of_fold(task, run, params, validation_fold(asked, fold)[1], valid)
        results[fold] = run.folder
    facts = {"key": "all", "params": {task.name: params.model_dump(mode="json")}}
    collect_folds(results, tmp_path / "model", facts)
    bundle = read_bundle(tmp_path / "model")
    valid, said, baseline = validated(task, rows, [0, 1], tmp_path / "model" / OUT_OF_FOLD)
    ensure_answers(task, said["best"], valid)
    assert len(said["best"]) == len(said["last"]) == len(baseline) == len(rows)
    labels, headline = task.labels(valid), task.headline.metric
    assert all(headline in task.metrics(each, labels) for each in (*said.values(), baseline))
    for own in bundle.folds:
        mine = rows.columns["fold"] == own.fold
        again = task.predictor(own, params)(validation_fold(asked, own.fold or 0)[1])
        assert np.array_equal(again, said["best"][mine], equal_nan=True)
        assert own.record["key"] == "0"  # of its own training
    task.pictures(said["best"], valid, tmp_path / "pictures")
    if isinstance(task, SupportsInputPreview):
        own = bundle.folds[1]
        task.draw_seen(own, validation_fold(valid, 1)[1], tmp_path / "seen")
        assert list((tmp_path / "seen").iterdir())
    # Of rows that no fold validated all are asked.
    if not isinstance(task, SupportsCombination):
        with pytest.raises(AssayError, match="2 models, no model"):
            combined_predictor(task, bundle, params)
        return
    together = combined_predictor(task, bundle, params)(asked)
    each = [task.predictor(own, params)(asked) for own in bundle.folds]
    ensure_answers(task, together, rows)
    assert np.array_equal(together, task.combine(each), equal_nan=True)
    assert not np.array_equal(*each, equal_nan=True)
