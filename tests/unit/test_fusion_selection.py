"""Finalists and weights of fusion: who is chosen by what rows, and that the grid's best is found."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from assay.errors import AssayError
from assay.learning.scores import regression_scores
from assay.systems.hemoglobin.ensemble import selection, weights
from assay.systems.hemoglobin.ensemble.column_scores import WITHIN, by_column, column_scores
from assay.systems.hemoglobin.ensemble.columns import COLUMNS, FINALISTS, column_place
from assay.systems.hemoglobin.ensemble.selection import (
    Configuration,
    finalists,
    fold_finalists,
    members,
    without_r2,
)
from assay.systems.hemoglobin.ensemble.weights import (
    inverse_mae_weights,
    simplex_weights,
    weights_of,
)

BACKBONES = ("a", "b", "c", "d", "e")


def grid(phases: tuple[int, ...] = (1,), versions: tuple[str, ...] = ("w_demo",)) -> list[Any]:
    return [
        Configuration(*each) for each in itertools.product(phases, BACKBONES, BACKBONES, versions)
    ]


def patients(count: int = 22, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and folds of rows, four a patient."""
    random = np.random.default_rng(seed)
    return random.normal(12, 1.5, count).repeat(4), (np.arange(count) % 5).repeat(4)


def far(labels: np.ndarray, *errors: float) -> np.ndarray:
    """Return predictions that miss every label by so much."""
    return labels + np.array(errors)[:, None]


# --- columns and metrics


def test_columns_are_thirteen_and_the_answer_is_first() -> None:
    assert (len(COLUMNS), len(set(COLUMNS)), column_place("answer")) == (13, 13, 0)
    assert COLUMNS[column_place("wo_demo_p2_r2")] == "wo_demo_p2_r2"


def test_metrics_of_columns_are_the_ones_of_the_epoch_rule() -> None:
    random = np.random.default_rng(1)
    labels = random.normal(12, 1.5, 40).round(1).astype(np.float32)
    said = (labels + random.normal(0, 1, (3, 40))).astype(np.float32)
    said[0, :20] = labels[:20] + np.float32(0.5)  # errors on the edge of a tolerance
    for row, own in zip(said, by_column(column_scores(said, labels)), strict=True):
        expected = regression_scores(row[:, None], labels[:, None], WITHIN)
        assert own == pytest.approx(expected, abs=1e-9)
    assert np.isnan(column_scores(said, np.full(40, 12.0))["r2"]).all()


def test_a_name_is_a_configuration_and_back() -> None:
    one = Configuration(2, "convnext_base.clip_laion2b_augreg_ft_in12k", "test_resnet", "wo_demo")
    assert Configuration.parse(one.name) == one


# --- finalists


def test_lowest_error_and_highest_r2_may_differ() -> None:
    """One has the lower MAE, with some large errors; the other has none, and the higher R²."""
    labels, _ = patients()
    said = far(labels, *[3.0] * 25)
    said[7] = labels + np.where(np.arange(88) % 8 == 0, 3.0, 0.0)  # MAE 0.375, RMSE 1.06
    said[9] = labels + 0.5
    assert finalists(said, labels, grid()) == {"w_demo_p1_mae": 7, "w_demo_p1_r2": 9}


def test_each_phase_and_version_has_its_own() -> None:
    labels, _ = patients()
    every = grid((1, 2), ("w_demo", "wo_demo"))
    errors = np.linspace(1.0, 0.5, len(every))
    chosen = finalists(far(labels, *errors), labels, every)
    assert set(chosen) == set(FINALISTS)
    for column, where in chosen.items():
        version, phase, _ = column.rsplit("_", 2)
        assert (every[where].version, f"p{every[where].phase}") == (version, phase)
    assert chosen["w_demo_p1_mae"] == chosen["w_demo_p1_r2"] == 48  # the last of its own
    assert members(chosen, "w_demo") == [48, 98]  # each once, though both rules chose it


def test_r2_above_zero_comes_before_the_lower_error() -> None:
    """The lower MAE says the median of skewed labels: it knows nothing, and has R² below 0."""
    labels = np.array([10.0] * 17 + [16.0] * 3)
    said = np.stack([np.full(20, 10.0), labels + 0.95])
    assert column_scores(said, labels)["mae"].argmin() == 0
    both = [Configuration(1, name, "x", "w_demo") for name in "ab"]
    assert finalists(said, labels, both) == {"w_demo_p1_mae": 1, "w_demo_p1_r2": 1}
    assert without_r2(said, labels, both) == []
    assert finalists(said[[0, 0]] - 1, labels, both)["w_demo_p1_mae"] == 0
    [told] = without_r2(said[[0, 0]], labels, both)
    assert told == "w_demo, phase 1: no configuration of 2 has R² > 0; all are candidates"


def test_equals_are_told_apart_by_the_rest_of_the_epoch_rule_then_by_name() -> None:
    labels = patients()[0].round()  # so that equal errors are equal to the last bit
    sides = np.where(np.arange(88) % 2 == 0, 1, -1)
    narrow, wide = 1 + 0.375 * sides, 1 + 0.75 * sides  # one MAE, other shares within 0.5
    pair = [Configuration(1, name, "x", "w_demo") for name in ("b", "a")]
    assert finalists(labels + np.stack([narrow, wide]), labels, pair)["w_demo_p1_mae"] == 1
    same = labels + np.stack([narrow, narrow])
    assert set(finalists(same, labels, pair).values()) == {1}  # `a` before `b`, whatever the order
    assert set(finalists(same, labels, pair[::-1]).values()) == {0}


def test_a_row_without_a_number_is_refused_by_name() -> None:
    labels, _ = patients()
    said = far(labels, *[1.0] * 25)
    said[3, 5] = np.nan
    with pytest.raises(AssayError, match=r"1 of 25 configurations, e\.g\. p1-a-d-w_demo \(1 rows"):
        finalists(said, labels, grid())


def test_what_order_rows_come_in_changes_nothing() -> None:
    labels, _ = patients()
    said = labels + np.random.default_rng(3).normal(0, 1, (25, 88))
    order = np.random.default_rng(4).permutation(88)
    chosen = finalists(said, labels, grid())
    assert finalists(said[:, order], labels[order], grid()) == chosen


def test_no_function_takes_a_test_row() -> None:
    """What is not handed over cannot be looked at; nor is anything read from a file here."""
    taken = {
        name
        for module in (selection, weights)
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not function.__name__.startswith("_")
        for name in inspect.signature(function).parameters
    }
    rows = {"said", "labels", "folds"}
    assert taken - rows == {"configurations", "members", "how", "step", "chosen", "version"}
    for module in (selection, weights):
        source = inspect.getsource(module)
        assert not [word for word in ("Path", "open(", "read_", "Layout") if word in source]


# --- weights


def by_hand(said: np.ndarray, labels: np.ndarray, steps: int) -> tuple[float, list[int]]:
    """Return the lowest MAE of every point of the grid, by loops, and its most even point."""
    found = []
    for point in itertools.product(range(steps + 1), repeat=len(said)):
        if sum(point) == steps:
            error = sum(
                abs(sum(w * s for w, s in zip(point, row, strict=True)) / steps - label)
                for row, label in zip(said.T, labels, strict=True)
            ) / len(labels)
            found.append((round(error, 9), sum(w * w for w in point), list(point)))
    return min(found)[0], min(found)[2]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_grid_is_searched_whole(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(count)
    labels = random.normal(12, 1.5, 12)
    said = labels + random.normal(0, 1, (count, 12)) + random.normal(0, 0.5, (count, 1))
    lowest, point = by_hand(said, labels, 10)
    for block in (1, 100, weights.BLOCK):  # in however many pieces
        monkeypatch.setattr(weights, "BLOCK", block)
        found = simplex_weights(said, labels, 0.1)
        assert (found * 10).round().tolist() == point
        assert np.abs(found @ said - labels).mean() == pytest.approx(lowest, abs=1e-8)


@pytest.mark.parametrize(("steps", "count"), [(20, 4), (7, 1), (5, 6)])
def test_every_division_comes_once(steps: int, count: int) -> None:
    blocks = list(weights._divisions(steps, count, 97))
    found = np.concatenate(blocks)
    assert max(map(len, blocks)) <= 97
    assert len(np.unique(found, axis=0)) == len(found) == math.comb(steps + count - 1, count - 1)
    assert (found.sum(axis=1) == steps).all()
    assert found.min() >= 0


def continuous_best(said: np.ndarray, labels: np.ndarray) -> float:
    """Return the lowest MAE over the whole simplex: least absolute deviations as a linear program."""
    count, rows = said.shape
    cost = np.r_[np.zeros(count), np.full(rows, 1 / rows)]
    above = np.c_[said.T, -np.eye(rows)]
    below = np.c_[-said.T, -np.eye(rows)]
    one = np.r_[np.ones(count), np.zeros(rows)][None]
    return float(
        linprog(cost, np.r_[above, below], np.r_[labels, -labels], one, [1.0], method="highs").fun
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("step", [0.05, 0.25])
def test_the_grid_is_within_what_its_step_allows(seed: int, step: float) -> None:
    """See the module: m/4 · step · the mean distance between lowest and highest member."""
    random = np.random.default_rng(seed)
    labels, _ = patients(seed=seed)
    said = labels + random.normal(0, 1, (4, 88)) + random.normal(0, 0.7, (4, 1))
    best = continuous_best(said, labels)
    grid_best = float(np.abs(simplex_weights(said, labels, step) @ said - labels).mean())
    allowed = 4 / 4 * step * float(np.ptp(said, axis=0).mean())
    assert best - 1e-9 <= grid_best <= best + allowed
    assert grid_best <= column_scores(said, labels)["mae"].min() + 1e-12  # corners are of the grid


def test_a_member_that_is_right_has_all_and_equals_share() -> None:
    labels, _ = patients()
    said = far(labels, 0.0, 1.0, 2.0)
    assert simplex_weights(said, labels, 0.05).tolist() == [1, 0, 0]
    assert inverse_mae_weights(said, labels).tolist() == [1, 0, 0]
    same = far(labels, 1.0, 1.0, 1.0, 1.0)
    assert simplex_weights(same, labels, 0.05).tolist() == [0.25] * 4
    assert inverse_mae_weights(far(labels, 1.0, 3.0), labels) == pytest.approx([0.75, 0.25])


def test_nearly_equal_is_not_equal() -> None:
    labels, _ = patients()
    said = far(labels, 0.0004, 0.0)
    assert simplex_weights(said, labels, 0.05).tolist() == [0, 1]
    assert simplex_weights(said + np.array([[-0.0004], [0]]), labels, 0.05).tolist() == [0.5, 0.5]


def test_one_that_was_chosen_twice_has_one_weight() -> None:
    labels, _ = patients()
    said = far(labels, 0.4, -0.4, 9.0)
    assert weights_of(said, labels, [0, 1, 0], "simplex", 0.05) == {0: 0.5, 1: 0.5}
    found = weights_of(said, labels, [1, 0, 1], "inverse_mae", 0.05)
    assert found == pytest.approx({0: 0.5, 1: 0.5})


def test_a_step_that_does_not_divide_one_is_refused() -> None:
    labels, _ = patients()
    with pytest.raises(ValueError, match="whole number"):
        simplex_weights(far(labels, 1.0, 2.0), labels, 0.3)


# --- the founding rule, and how far it is from the truth


def noise(seed: int) -> dict[str, tuple[float, float]]:
    """Return what both rules report of 50 configurations that know nothing, and what is true of them.

    Each says of a patient whom it was not trained on the mean and noise; of one that trained it, nearly
    the label, as networks do of 18 patients.
    """
    random = np.random.default_rng(seed)
    every = [*grid(), *grid((2,))]
    (labels, folds), (fresh, _) = patients(seed=seed), patients(200, seed=seed + 10_000)

    def draw(spread: float, rows: int) -> np.ndarray:
        each = random.normal(0, spread, (len(every), 5, rows // 4)).repeat(4, axis=2)
        return each + random.normal(0, 0.3, (len(every), 5, rows))

    known = labels + draw(0.3, 88)
    new = 12 + draw(0.8, 88)
    said = np.where(folds == np.arange(5)[:, None], new, known)
    later = 12 + draw(0.8, 800)
    apart = said[:, folds, np.arange(88)]  # each row by the model of the fold that it validates
    found = {}
    chosen = members(finalists(apart, labels, every), "w_demo")
    mix = weights_of(apart, labels, chosen, "simplex", 0.05)
    found["out_of_fold"] = (
        error(sum(w * apart[c] for c, w in mix.items()), labels),
        error(sum(w * later[c].mean(axis=0) for c, w in mix.items()), fresh),
    )
    flat, ahead = said.reshape(-1, 88), later.reshape(-1, 800)
    pairs = fold_finalists(said, labels, folds, every).values()
    mix = weights_of(flat, labels, [c * 5 + fold for c, fold in pairs], "simplex", 0.05)
    found["fold"] = (
        error(sum(w * flat[c] for c, w in mix.items()), labels),
        error(sum(w * ahead[c] for c, w in mix.items()), fresh),
    )
    return found


def error(said: Any, labels: np.ndarray) -> float:
    return float(np.abs(said - labels).mean())


def test_the_founding_rule_promises_what_nobody_finds_again() -> None:
    """Optimism: what is true of new patients less what was reported, of networks that know nothing."""
    draws = [noise(seed) for seed in range(40)]
    optimism = {
        rule: np.array([true - told for told, true in (each[rule] for each in draws)])
        for rule in ("fold", "out_of_fold")
    }
    assert (optimism["fold"] > optimism["out_of_fold"]).all()
    assert optimism["fold"].mean() > 3 * abs(optimism["out_of_fold"].mean())
    # On rows that trained it, noise looks like half the error; on new patients it is the worse model.
    assert all(told < true / 2 for told, true in (each["fold"] for each in draws))
    worse = [each["fold"][1] > each["out_of_fold"][1] for each in draws]
    assert np.mean(worse) > 0.7


def test_the_founding_rule_takes_fold_models_by_their_own_few_rows() -> None:
    labels, folds = patients()
    said = np.full((25, 5, 88), 1.0) + labels
    said[3, 2, folds == 2] = labels[folds == 2] + 0.1  # lucky on its own fold
    said[8, :, :] = labels + 0.5  # the best of all on all rows
    chosen = fold_finalists(said, labels, folds, grid())
    assert set(chosen.values()) == {(3, 2)}
    apart = said[:, folds, np.arange(88)]
    assert set(finalists(apart, labels, grid()).values()) == {8}
