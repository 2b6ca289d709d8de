"""CVM: classes from end to end, absent stages, scores by hand, the region, and that it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from assay.contract import find_system, find_task
from assay.errors import AssayError, GateError
from assay.gates.preflight import preflight
from assay.learning.data import Balanced
from assay.learning.landmarks.classes import middle_classes, ordinal_chances
from assay.manifest.groups import join_groups, spelling
from assay.manifest.images import LETTERBOX
from assay.manifest.index import index_images
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.store import ImageStore
from assay.params import read_params, typed
from assay.runs.journal import Journal
from assay.runs.record import WEIGHTS
from assay.runs.run import Run
from assay.systems.ceph.data.landmarks import STAGES as COUNT
from assay.systems.ceph.data.phantom import draw_films
from assay.systems.ceph.data.sections import Phantom
from assay.systems.ceph.tasks import cvm_fit, cvm_model, points, roi
from assay.systems.ceph.tasks.cvm_sections import CvmParams
from assay.systems.ceph.tasks.names import STAGES

ROOT = Path(__file__).parents[2]
PHANTOM = Phantom(films=60, width=160, seed=3, doubled=0, missing=0, pairs=0, broken=0)
SIZE = 64
TASK = find_task("ceph-cvm")


def params_of(**changed: Any) -> CvmParams:
    """Return the file's parameters for a small and short training; `changed` by `part__key`."""
    content = read_params(ROOT / "params.yaml")
    small = {"model__input": 32, "train__epochs": 2, "train__warmup": 1}
    for name, value in (small | changed).items():
        part, key = name.split("__")
        content[TASK.name][part][key] = value
    params: CvmParams = typed(content, TASK.name, TASK.params)
    return params


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return phantom films as ingest stores them, ten of each stage."""
    root = tmp_path_factory.mktemp("films")
    (root / "phantom").mkdir()
    system = find_system("ceph")
    system.phantom(root / "phantom", PHANTOM)
    source = Source("phantom", root)
    listing = system.read(source)
    store = ImageStore(root / "images", SIZE)
    table = index_images(listing.table.sort("sample_id"), source, store, SIZE, "pillow", LETTERBOX)
    table = table.with_columns(join_groups(spelling(table["group"]), table["digest"]))
    images = store.pixels()[store.slots(table["digest"])]
    return Rows(images, {name: table[name].to_numpy() for name in table.columns})


def with_column(rows: Rows, name: str, values: Any) -> Rows:
    return Rows(rows.images, {**rows.columns, name: values})


def training(rows: Rows) -> Any:
    """Return which films are trained on: three of four."""
    return np.array([int(name[-5:]) % 4 > 0 for name in rows.columns["sample_id"]])


def fitted(rows: Rows, folder: Path, params: CvmParams, kind: type[Journal] = Journal) -> Path:
    """Train, and return the weights."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    run = Run(
        TASK.name, folder, folder / "model", folder / "reports", folder / "resume",
        kind(folder / "journal.jsonl"), {"params": {}, "key": "0"},
    )  # fmt: skip
    learns = training(rows)
    TASK.fit(rows.where(learns), rows.where(~learns), params, run)
    return run.folder / WEIGHTS


def test_stages_are_those_of_the_data() -> None:
    assert len(STAGES) == COUNT


def test_targets_are_class_indices_as_the_manifest_has_them(films: Rows) -> None:
    found = cvm_fit.make_set(films)
    assert found.targets.dtype == np.int64
    assert found.targets.shape == (len(films),)
    assert np.array_equal(found.targets, films.columns["cvm"])
    assert TASK.labels(films).shape == (len(films), 1)


def test_one_hot_targets_are_stopped(films: Rows, tmp_path: Path) -> None:
    params = params_of()
    network, _ = cvm_model.build(params.model, roi.whole(SIZE), "none", ROOT, 1)
    found = cvm_fit.make_set(films)
    plan = cvm_fit.make_plan(TASK, network, params, found)
    one_hot = replace(found, targets=np.eye(COUNT, dtype=np.int64)[found.targets])
    preflight(TASK.name, plan, found, found, tmp_path / "sound.json")
    with pytest.raises(GateError, match="one-hot"):
        preflight(TASK.name, plan, one_hot, one_hot, tmp_path / "verdict.json")


def test_stages_from_1_are_stopped(films: Rows, tmp_path: Path) -> None:
    published = with_column(films, "cvm", films.columns["cvm"].astype(np.int64) + 1)
    with pytest.raises(GateError, match="outside 0–5"):
        fitted(published, tmp_path, params_of())


def test_half_a_stage_is_stopped(films: Rows, tmp_path: Path) -> None:
    stages = films.columns["cvm"].astype(np.float64)
    stages[7] += 0.5
    with pytest.raises(GateError, match="1 of 60 changed"):
        fitted(with_column(films, "cvm", stages), tmp_path, params_of())


def test_absent_stages_change_nothing(films: Rows, tmp_path: Path) -> None:
    stages = films.columns["cvm"].astype(np.float64)
    learns = training(films)
    commonest = np.bincount(stages[~learns].astype(int)).argmax()
    stages[np.flatnonzero(learns)[::5]] = np.nan
    stages[np.flatnonzero(~learns & (stages == commonest))[0]] = np.nan
    partly = with_column(films, "cvm", stages)
    known = partly.where(~np.isnan(stages))
    one, other = (fitted(rows, tmp_path / name, params_of()) for name, rows in
                  (("partly", partly), ("known", known)))  # fmt: skip
    assert one.read_bytes() == other.read_bytes()
    said = TASK.predictor(one, params_of())(films.images)
    some = TASK.predictor(one, params_of())(known.images)
    assert TASK.metrics(said, TASK.labels(partly)) == pytest.approx(
        TASK.metrics(some, TASK.labels(known))
    )
    assert np.array_equal(TASK.baseline(partly, films), TASK.baseline(known, films))


def test_a_set_without_any_stage_is_refused(films: Rows, tmp_path: Path) -> None:
    without = with_column(films, "cvm", np.full(len(films), np.nan))
    with pytest.raises(AssayError, match="no CVM stage on any"):
        fitted(without, tmp_path, params_of())


def test_scores_by_hand() -> None:
    true = np.array([[0], [1], [2], [5], [np.nan]], dtype=np.float32)
    said = np.full((5, COUNT), 0.05, dtype=np.float32)
    said[np.arange(5), [0, 2, 2, 3, 4]] = 0.75
    found = TASK.metrics(said, true)
    assert found["accuracy"] == pytest.approx(2 / 4)
    assert found["within_one"] == pytest.approx(3 / 4)
    # Of the five stages that occur or are said: CS1 1, CS3 2/3, and 0 for CS2, CS4, CS6.
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3) / 5)
    # Squares: 0 + 1 + 0 + 4 seen; (17 + 7 + 5 + 47) / 4 expected of independent margins.
    assert found["weighted_kappa"] == pytest.approx(1 - 5 / 19)
    assert found["log_loss"] == pytest.approx(-(2 * np.log(0.75) + 2 * np.log(0.05)) / 4)


def test_of_equal_f1_the_lower_loss_is_better() -> None:
    best = {"macro_f1": 0.5, "log_loss": 1.0}
    assert TASK.rank(best) < TASK.rank(best | {"log_loss": 1.1})
    assert TASK.rank(best | {"macro_f1": 0.6, "log_loss": 9.0}) < TASK.rank(best)


def test_the_trivial_predictor_says_the_commonest_training_stage(films: Rows) -> None:
    mostly = with_column(films, "cvm", np.where(np.arange(len(films)) < 40, 4, 1))
    said = TASK.baseline(mostly, films.where(np.arange(len(films)) < 3))
    assert said.tolist() == [[0, 0, 0, 0, 1, 0]] * 3
    assert TASK.metrics(said, np.full((3, 1), 4, np.float32))["accuracy"] == 1


def test_ordinal_chances_are_a_distribution_also_with_crossed_thresholds() -> None:
    logits = torch.tensor([[4.0, 0.1, -0.1, -0.2, -0.3], [1, 2, -2, -3, -4]])
    found = ordinal_chances(logits)
    assert torch.allclose(found.sum(dim=1), torch.ones(2))
    assert (found >= 0).all()
    # Two thresholds of the first are passed: the median, though it need not be the likeliest.
    assert middle_classes(found.numpy()).tolist() == [2, 2]


def test_the_rule_follows_the_film_through_the_geometry(films: Rows) -> None:
    """A film that is padded by 40 px at the left and 20 at the top shows the same, further in."""
    rule = params_of().model.roi
    moved = {name: films.columns[name] + extra for name, extra in (("width", 40), ("height", 20))}
    for reader in ("senior", "junior"):
        shifted = points.reader(films, reader) + np.array([40, 20])
        moved[reader] = np.array([*shifted, None], dtype=object)[:-1]
    padded = Rows(films.images, {**films.columns, **moved})
    before, after = (roi.boxes(points.target(rows), rule) for rows in (films, padded))
    assert np.allclose(after - before, [40, 20, 40, 20])
    corners = roi.stored_boxes(padded, rule).reshape(-1, 2, 2)
    assert np.allclose(points.frame(padded).original(corners), after.reshape(-1, 2, 2))


def test_the_region_holds_the_vertebrae(films: Rows) -> None:
    """The phantom knows where C2–C4 are; the rule does not."""
    left, top, side = roi.learn_region(films, params_of().model.roi)
    held = []
    for film in draw_films(PHANTOM):
        [row] = np.flatnonzero(films.columns["sample_id"] == film.id)
        bodies = film.place.pixels(np.vstack([vertebra.outline for vertebra in film.spine]))
        frame = points.frame(films.where(np.arange(len(films)) == row))
        stored = frame.stored(bodies[None])[0] - [left, top]
        held.append(((stored >= -0.5) & (stored <= side - 0.5)).all())
    assert np.mean(held) > 0.98
    assert side < 0.55 * SIZE


def test_films_without_the_five_points_do_not_move_the_region(films: Rows) -> None:
    rule = params_of().model.roi
    absent = points.reader(films, "junior").copy()
    absent[::2, roi.RULE_POINTS[2]] = np.nan
    column = np.array([*absent, None], dtype=object)[:-1]
    half = roi.learn_region(with_column(films, "junior", column), rule)
    assert half == roi.learn_region(films.where(np.arange(len(films)) % 2 == 1), rule)
    absent[:] = np.nan
    with pytest.raises(AssayError, match=r"model\.roi"):
        roi.learn_region(with_column(films, "junior", column), rule)


def test_nothing_outside_the_region_is_seen(films: Rows) -> None:
    network, _ = cvm_model.build(params_of().model, (3, 30, 20), "none", ROOT, 1)
    images = torch.rand(2, 3, SIZE, SIZE)
    elsewhere = torch.rand(2, 3, SIZE, SIZE)
    elsewhere[:, :, 30:50, 3:23] = images[:, :, 30:50, 3:23]
    network.eval()
    assert torch.equal(network(images), network(elsewhere))
    elsewhere[:, :, 49, 22] += 1
    assert not torch.equal(network(images), network(elsewhere))


def test_the_sampler_evens_out_and_knows_seed_and_epoch_alone() -> None:
    classes = np.repeat([0, 1, 2], [80, 6, 4])
    sampler = Balanced(classes, seed=1)
    first = list(sampler)
    assert np.bincount(classes[first]).tolist() == [30, 30, 30]
    sampler.set_epoch(1)
    second = list(sampler)
    assert first != second
    again = Balanced(classes, seed=1)
    again.set_epoch(1)
    assert list(again) == second


class Dying(Journal):
    """Ends the training in its third epoch."""

    def note(self, event: str, facts: Mapping[str, Any] | None = None) -> None:
        if facts and facts.get("epoch") == 2:
            raise KeyboardInterrupt
        super().note(event, facts)


def test_a_killed_training_goes_on_with_the_sampler_s_order(films: Rows, tmp_path: Path) -> None:
    params = params_of(train__balance="sampler", train__epochs=4)
    with pytest.raises(BaseException):  # noqa: B017, PT011  Lightning turns it into its own
        fitted(films, tmp_path / "killed", params, Dying)
    assert (tmp_path / "killed" / "resume" / "last.ckpt").exists()
    one = fitted(films, tmp_path / "killed", params)
    other = fitted(films, tmp_path / "whole", params)
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("head", "focus", "balance"),
    [("ordinal", 0.0, "none"), ("nominal", 2.0, "weights"), ("nominal", 0.0, "sampler")],
)
def test_every_loss_and_balance_trains(
    films: Rows, tmp_path: Path, head: str, focus: float, balance: str
) -> None:
    params = params_of(model__head=head, train__focus=focus, train__balance=balance)
    said = TASK.predictor(fitted(films, tmp_path, params), params)(films.images)
    assert said.shape == (len(films), COUNT)
    assert np.allclose(said.sum(axis=1), 1, atol=1e-5)


def test_a_short_training_learns_and_keeps_its_region(films: Rows, tmp_path: Path) -> None:
    params = params_of(train__epochs=30, train__lr=2e-3)
    weights = fitted(films, tmp_path, params)
    held_out = films.where(~training(films))
    truth = TASK.labels(held_out)
    own = TASK.metrics(TASK.predictor(weights, params)(held_out.images), truth)
    trivial = TASK.metrics(TASK.baseline(films, held_out), truth)
    assert TASK.headline.skill(own["macro_f1"], trivial["macro_f1"]) > 0.2
    assert own["weighted_kappa"] > 0.7
    kept = cvm_model.load(params.model, weights).crop.region.tolist()
    assert tuple(kept) == roi.learn_region(films.where(training(films)), params.model.roi)
    TASK.pictures(TASK.predictor(weights, params)(held_out.images), held_out, tmp_path / "drawn")
    TASK.draw_seen(weights, held_out, tmp_path / "drawn")
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"confusion.png", "crops.png"}
