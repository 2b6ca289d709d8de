"""What may be said of results: the founding "73 % lower error", planted, and each weakness alone."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tests.conftest import Project

from assay.errors import AssayError
from assay.learning.claims import FEWEST, judge_result, remarks, same_rows
from assay.learning.scores import regression_scores
from assay.learning.summary import summary
from assay.lookup import find_task
from assay.registry.promotion_gates import ABSOLUTE, GATES
from assay.registry.report import look_line
from assay.registry.seal import Look
from assay.runs.files import file_digest, write_json, write_text
from assay.runs.scores import SCORES, as_table, read_scores, write_scores
from assay.sections.task import Evaluate
from assay.tracking import comparison
from assay.tracking.comparison import Ranking, Row, compare
from assay.tracking.comparison_table import show
from assay.tracking.find import Found
from assay.tracking.known import Known
from assay.tracking.paired import paired
from assay.tracking.paired_text import Side, show_remarks, show_rows
from assay.tracking.projection import Projection
from assay.tracking.results import DvcCache, Result
from assay.tracking.scored import ScoredRows

TASK = find_task("hemoglobin-nail")
FEW = "4 patients: too few to say"
WIDE = "not better than its own spread: RMSE is 1.146 × the SD of its labels"
HOW = Evaluate(n_resamples=100, confidence_level=0.95, seed=1, best_of=1)


def scores(
    r2: float = 0.8, skill: float = 0.5, groups: int = 32, mae: float = 0.88, **more: Any
) -> dict[str, Any]:
    plain = {"mae": mae, "r2": r2, "skill": skill, "acc_1.0": 0.6, "acc_0.5": 0.4}
    found = {name: {"value": each, "low": each, "high": each} for name, each in plain.items()}
    return {**found, "groups": groups, "rows": 2 * groups, "metrics_version": 1, **more}


def told() -> Console:
    return Console(file=io.StringIO(), width=100, highlight=False, markup=False)


def text(console: Console) -> str:
    return str(console.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("planted", "name", "said"),
    [
        ({"groups": FEWEST - 1}, "subjects", "9 patients: too few to say"),
        ({"r2": -0.313}, "spread", WIDE),
        ({"r2": -0.313, "skill": -0.2}, "spread", WIDE),  # one remark for both
        ({"r2": 0.0}, "spread", "RMSE is 1.000 × the SD of its labels"),
        ({"skill": 0.0}, "skill", "not better than the trivial predictor"),
        ({"best_of": 250}, "best of", "the best of 250 is optimistic"),
    ],
)
def test_a_weakness_is_remarked_alone(planted: dict[str, Any], name: str, said: str) -> None:
    [only] = judge_result(TASK, scores(**planted), "patient")
    assert (only.name, only.passed) == (name, True)
    assert said in only.found


@pytest.mark.parametrize("sound", [{}, {"groups": FEWEST}, {"r2": float("nan")}, {"best_of": 1}])
def test_a_sound_result_has_no_remark(sound: dict[str, Any]) -> None:
    assert remarks(TASK, scores(**sound), "patient") == []


def test_r2_alone_gives_the_ratio_of_error_and_spread() -> None:
    """The remark's figure is the one that the labels themselves give."""
    random = np.random.default_rng(42)
    labels = random.normal(12, 0.4, (16, 1)).astype(np.float32)
    predictions = labels + random.normal(0, 0.6, (16, 1)).astype(np.float32)
    found = regression_scores(predictions, labels, [1.0])
    [said] = remarks(TASK, scores(found["r2"]), "patient")
    assert f"RMSE is {found['rmse'] / labels.std():.3f} ×" in said
    assert math.isfinite(found["r2"])


def test_only_numbers_of_the_same_rows_are_compared() -> None:
    assert same_rows("one", "other", {"relabelled": 0, "only in A": 0}) is None
    for why in ("relabelled", "only in A", "only in B"):
        refusal = same_rows("one", "other", {why: 1})
        assert refusal is not None
        assert not refusal.passed


# --- a model whose parts were chosen by rows that trained them


def test_a_choice_by_training_rows_is_refused_first_and_loud() -> None:
    checks = judge_result(TASK, scores(in_sample=1, groups=4, best_of=250), "patient")
    assert [(check.name, check.passed) for check in checks] == [
        ("in sample", False), ("subjects", True), ("best of", True),
    ]  # fmt: skip
    line = summary(TASK, scores(in_sample=1), {"group_kind": "patient", "source": "phantom"})
    assert line.endswith(
        " · REFUSED: chosen or weighed on rows that trained its parts, no validation"
    )


@pytest.mark.parametrize(
    ("model", "is_refused"),
    [({}, False), ({"selection": "out_of_fold"}, False), ({"selection": "fold"}, True)],
)
def test_the_door_asks_the_record_how_parts_were_chosen(
    model: dict[str, Any], *, is_refused: bool
) -> None:
    case = SimpleNamespace(record={"model": model}, scored=TASK)
    check = GATES["selection"](case)  # type: ignore[arg-type]
    assert check.passed is not is_refused
    assert check.mend.endswith(f"-S {TASK.name}.model.select.selection=out_of_fold")
    assert "selection" in ABSOLUTE  # no reason makes training rows validate


def test_what_training_rows_chose_is_not_ranked_though_it_is_lowest(
    monkeypatch: pytest.MonkeyPatch, fresh: Project
) -> None:
    rows = {
        name: Row(name, {}, {}, "phantom", "code", own, frozenset(), 0)
        for name, own in {"fold": scores(mae=0.1, in_sample=1), "simple": scores()}.items()
    }
    monkeypatch.setattr(comparison, "_row", lambda result, *_: rows[result.outs["row"]])
    results = [Result(TASK.name, {"row": name}) for name in rows]
    first, left = compare(fresh.folder, TASK, "model.backbone", results=results)
    assert [row.value for row in first.rows] == ["simple"]
    assert left.apart.startswith("1 results: REFUSED: chosen or weighed on rows that trained")


def test_the_fact_survives_the_table_of_scores(tmp_path: Path) -> None:
    write_scores(tmp_path, scores(in_sample=1, best_of=50), "nail", "mae")
    read = read_scores(tmp_path / SCORES)
    assert (read["in_sample"], read["best_of"]) == (1, 50)


# --- "73 % lower error": 0.792 of 82 people of the nail set, 0.208 of four others, the best of 250


def people(names: range) -> ScoredRows:
    """Return a row a person; each has the label and the prediction of its own."""
    labels = np.array([[10 + name % 5] for name in names], np.float32)
    ids = [str(name) for name in names]
    return ScoredRows(ids, np.array(ids), labels, labels + 0.2, labels * 0 + 12)


def side(rows: ScoredRows, own: dict[str, Any]) -> Side:
    shown = Projection("", 0, 0, {}, [], {}, {"group_kind": "patient"}, {})
    return Side(Found("x", "x", "", Result(TASK.name, {})), shown, rows, own, None)


NAIL = side(people(range(82)), scores(mae=0.792, r2=0.437, groups=82, best_of=13))
FOUR = side(people(range(100, 104)), scores(mae=0.208, r2=0.0203, groups=4, best_of=250))


def test_the_founding_gain_has_no_number() -> None:
    """Nothing is compared across two sets of people."""
    with pytest.raises(AssayError, match=r"0 group\(s\) in common: 0 common rows of 4 and 82"):
        paired(TASK, FOUR.scored, NAIL.scored, HOW)


def test_of_two_sets_that_overlap_the_founding_numbers_are_refused() -> None:
    some = replace(FOUR, scored=people(range(80, 84)))  # two of the four are of the 82
    found = paired(TASK, some.scored, NAIL.scored, HOW)
    assert (found.groups, found.rows, found.only_one, found.only_other) == (2, 2, 2, 80)
    console = told()
    show_remarks(TASK, (some, NAIL), console)
    show_rows(TASK, found, (some, NAIL), set(), console)
    assert "Left out: 2 only in A, 80 only in B" in text(console)
    assert (
        "  STOP  sets: A's own MAE 0.21 [0.21, 0.21] on 4 patients (8 images), B's"
        " own MAE 0.79 [0.79, 0.79] on 82 patients (164 images): of different sets, not to be compared\n"
    ) in text(console)
    assert text(console).startswith(
        "A: the best of 250 is optimistic\nB: the best of 13 is optimistic\n"
    )


def test_numbers_of_the_same_rows_are_not_refused() -> None:
    console = told()
    found = paired(TASK, NAIL.scored, NAIL.scored, HOW)
    show_rows(TASK, found, (NAIL, NAIL), set(), console)
    assert text(console) == ""


TABLE = f"data/{TASK.data}/trainval.parquet"


def record(table: str = "a1", fold: int = 0) -> dict[str, Any]:
    return {"inputs": {TABLE: table}, "params": {TASK.name: {"train": {"fold": fold}}}}


def test_the_best_of_many_results_is_counted(fresh: Project) -> None:
    """Nobody states it: 250 results on the same rows, and others that are of other rows or metrics."""

    def kept(content: Any) -> str:
        file = fresh.folder / "kept"
        write_text(file, as_table(content) if "rows" in content else json.dumps(content))
        digest = file_digest(file)
        place = fresh.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
        return digest

    def result(own: dict[str, Any], made: dict[str, Any]) -> Result:
        metrics, run = f"reports/{TASK.name}/scores.csv", f"models/{TASK.name}/run.json"
        return Result(TASK.name, {metrics: kept(own), run: kept(made)})

    many = [result(scores(mae=0.208 + 0.001 * number), record()) for number in range(250)]
    equal, absent = many[0], Result(TASK.name, {f"models/{TASK.name}/run.json": "absent"})
    strange = [
        result(scores(mae=0.1), record("b2")),
        result(scores(mae=0.1), record(fold=1)),
        result(scores(mae=0.1, groups=31), record()),
        result({"groups": 32, "rows": 64, "metrics_version": 1}, record()),
        result(scores(mae=0.1, metrics_version=0), record()),
        Result("ceph-cvm", many[0].outs),
    ]
    known = Known([*many, equal, absent, *strange], DvcCache(fresh.folder))
    assert known.best_of(TASK, scores(mae=0.208), record()) == 250
    assert known.best_of(TASK, scores(mae=0.209), record()) == 1  # one is better
    assert known.best_of(TASK, scores(mae=0.1), record("b2")) == 1  # the only one of its rows
    # What a search has looked at left no results; its number travels in the metrics.
    assert known.best_of(TASK, scores(mae=0.209, best_of=24), record()) == 24
    assert known.best_of(TASK, scores(mae=0.208, best_of=24), record()) == 250


# --- where remarks are printed


def test_the_line_of_a_result_ends_with_its_remarks() -> None:
    task = find_task("toy-level")
    facts = {"group_kind": "patient", "source": "phantom"}
    assert summary(task, scores(), facts).endswith(" · 32 patients (64 images) · phantom")
    by_image = summary(task, scores(groups=4), facts | {"group_kind": "sample"})
    assert by_image.endswith(" · 8 images in 4 groups · phantom · 4 groups: too few to say")


def test_the_results_command_prints_them(fresh: Project) -> None:
    """From files as a run leaves them; only their numbers are planted."""
    facts = {"group_kind": "patient", "source": "phantom"}
    made = record() | {"data": facts, "stage": f"train@{TASK.name}", "key": "none"}
    write_scores(fresh.folder / "reports" / TASK.name, scores(-0.313, groups=4), "nail", "mae")
    write_json(fresh.folder / "models" / TASK.name / "run.json", made)
    assert f"4 patients (8 images) · phantom · {FEW} · {WIDE}\n" in fresh.assay(
        "results", TASK.name
    )


def test_a_comparison_says_each_remark_once_and_of_whom() -> None:
    def row(value: str, **planted: Any) -> Row:
        return Row(value, {}, {}, "phantom", "code", scores(groups=4, **planted), frozenset(), 0)

    task, console = find_task("toy-level"), told()
    rows = [row("net_a"), row("net_b", r2=-0.313)]
    alone = Ranking([row("net_c")], {}, "other data (x)")
    show(task, "model.backbone", [Ranking(rows, {}, ""), alone], console)
    first, last = text(console).split("Not comparable")
    assert "\n4 groups: too few to say\n" in first
    assert "\nnet_b: not better than its own spread: RMSE is 1.146 ×" in first
    assert first.count("too few") == last.count("too few") == 1


# --- numbers of another version of the task's metrics: told, shown nowhere, ranked nowhere

OTHER = "scored by version 1 of its metrics; today's are 2"


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the task's metrics mean something else from now on."""
    monkeypatch.setattr(type(TASK), "metrics_version", 2)


@pytest.mark.usefixtures("renamed")
def test_a_number_of_other_metrics_is_not_shown() -> None:
    facts = {"group_kind": "patient", "source": "phantom"}
    line = summary(TASK, scores(mae=0.208), facts)
    assert line == f"{TASK.name}  {OTHER}: dvc repro evaluate@{TASK.name}"
    assert "0.21" in summary(TASK, scores(mae=0.208, metrics_version=2), facts)
    seen = Look(1, 5, scores(mae=0.208), "patient", is_new=False)
    assert look_line(TASK, seen) == f"test set, look 1 of 5, its stored result: {OTHER}"
    console = told()
    show_remarks(TASK, (NAIL, FOUR), console)
    assert text(console).count(OTHER) == 2


@pytest.mark.usefixtures("renamed")
def test_pairs_are_scored_by_todays_metrics_whatever_made_them() -> None:
    found = paired(TASK, NAIL.scored, NAIL.scored, HOW)
    assert found.differences["mae"].one == pytest.approx(0.2, abs=1e-6)  # `scores` says 0.792


@pytest.mark.parametrize("name", ["mae", "skill"])
def test_a_result_without_todays_headline_is_told_as_one(name: str) -> None:
    """Somebody renamed the metric and forgot the version; or a line of the table is gone."""
    facts = {"group_kind": "patient", "source": "phantom"}
    older = {key: each for key, each in scores().items() if key != name}
    line = f"{TASK.name}  scored without {name}: dvc repro evaluate@{TASK.name}"
    assert summary(TASK, older, facts) == line
    assert summary(TASK, older | {name: 0.3}, facts) == line  # its interval is gone
    seen = Look(1, 5, older, "patient", is_new=False)
    assert look_line(TASK, seen).endswith(f": scored without {name}")
    assert Known([], Any).best_of(TASK, older, record()) == 1  # type: ignore[arg-type]


def test_numbers_of_other_metrics_are_not_ranked(
    monkeypatch: pytest.MonkeyPatch, fresh: Project
) -> None:
    """The lowest error of three is of version 1: it is neither the best nor a seed's."""
    rows = {
        str(seed): Row(str(seed), {}, {}, "phantom", "code", own, frozenset(), seed)
        for seed, own in enumerate(
            [
                scores(mae=0.1),
                scores(mae=0.9, metrics_version=2),
                scores(mae=0.8, metrics_version=2),
            ]
        )
    }
    results = [Result(TASK.name, {"seed": seed}) for seed in rows]
    monkeypatch.setattr(comparison, "_row", lambda result, *_: rows[result.outs["seed"]])
    monkeypatch.setattr(type(TASK), "metrics_version", 2)
    first, left = compare(fresh.folder, TASK, "train.seed", results=results)
    assert [row.value for row in first.rows] == ["2", "1"]
    assert (left.rows, left.apart) == ([], f"1 results: {OTHER}: dvc repro evaluate@{TASK.name}")
    console = told()
    show(TASK, "train.seed", [first, left], console)
    assert f"Not ranked: 1 results: {OTHER}" in text(console)
    assert "0.10" not in text(console)
    monkeypatch.setattr(type(TASK), "metrics_version", 3)
    with pytest.raises(AssayError, match="version 2 of its metrics; today's are 3"):
        compare(fresh.folder, TASK, "train.seed", results=results[1:])


def test_a_look_tells_every_answer_that_it_scored() -> None:
    """Who sees one member's test score afterwards would have looked twice."""
    other = {"value": 0.9, "low": 0.5, "high": 1.25}
    seen = Look(1, 5, {**scores(), "w_demo_p1_mae": other, "w_demo_p1_r2": other}, "patient", True)
    first, *others = look_line(TASK, seen).splitlines()
    assert first.startswith("test set, look 1 of 5: MAE")
    assert others == ["  w_demo_p1  MAE 0.90 g/dL [0.50, 1.25]"]
