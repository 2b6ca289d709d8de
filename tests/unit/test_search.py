"""Studies, in one process: what is declared, tried, pruned, counted, and written down."""

from __future__ import annotations

import copy
import csv
import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.studies import STUDY, TOY, make_root, run, toy_plan

from assay.errors import AssayError, ParamsError
from assay.lookup import all_tasks, find_task
from assay.manifest.parts import read_trainval, validation_fold
from assay.params import read_all, read_params
from assay.params_check import check_content, check_spaces, laid_over
from assay.runs.journal import Journal
from assay.runs.record import HISTORY, RECORD, WEIGHTS
from assay.runs.run import Run
from assay.search.outcome import Outcome, Tried
from assay.search.pictures import draw
from assay.search.plan import StudyPlan, plan_study, read_plan
from assay.search.recipe import BEST_OF, recipe_text, write_recipe
from assay.search.storage import Store, shown_url
from assay.search.trial import ObjectiveError
from assay.values import typed

ROOT = Path(__file__).parents[2]
HB = "hemoglobin-nail"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("made"))


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "root")
    monkeypatch.chdir(tmp_path / "root")
    return tmp_path / "root"


# --- what is declared ---------------------------------------------------------------------------------


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    import assay.systems

    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
    return copy.deepcopy(read_all(ROOT))


def test_every_task_has_a_study_whose_space_is_possible(content: dict[str, Any]) -> None:
    check_content(content)
    check_spaces(content)
    assert set(content["search"]) == set(all_tasks())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objectives": {"mae": "minimise"}}, "'minimize' or 'maximize'"),
        ({"objectives": {}}, "at least 1 item"),
        ({"objectives": {"mae": "minimize", "r2": "maximize"}}, "pruner none"),
        ({"space": {"train.head_lr": {"low": 0.1, "high": 0.1}}}, "low < high"),
        ({"space": {"train.head_lr": {"low": 0.0, "high": 0.1, "log": True}}}, "low above 0"),
        ({"space": {"train.seed": [1]}}, "two different choices"),
        ({"space": {"train.seed": [1, 2, 1]}}, "two different choices"),
        ({"space": {"train.hed_lr": [0.1, 0.2]}}, "did you mean train.head_lr?"),
        ({"space": {"evaluate.seed": [1, 2]}}, "no such parameter"),
        ({"fixed": {"train.warmpu": 1}}, "did you mean train.warmup_epochs?"),
        ({"fixed": {"model.dropout": 0.1}}, "found in both: model.dropout"),
        ({"sampler": "grid"}, "choices alone for the sampler grid"),
        ({"pruner": {"kind": "median", "startup": 5}}, "epochs: missing"),
        ({"trial": 3}, "did you mean search.hemoglobin-nail.schedule.trials?"),
        ({"trials": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_declaration_is_told(
    content: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    content["search"][HB]["schedule"] |= wrong
    with pytest.raises(ParamsError) as caught:
        check_content(content)
    assert f"search.yaml · search.{HB}.schedule" in caught.value.render()
    assert said in caught.value.render()


def test_a_study_of_no_task_is_told(content: dict[str, Any]) -> None:
    content["search"]["hemoglobin-nial"] = content["search"].pop(HB)
    with pytest.raises(ParamsError, match=f"did you mean {HB}"):
        check_content(content)


def test_an_impossible_corner_is_told_and_stops_no_stage(content: dict[str, Any]) -> None:
    """A person's short trial run must not be stopped by a study that asks for a longer warm-up."""
    content[HB]["train"] |= {"epochs": 2, "warmup_epochs": 1}
    check_content(content)
    with pytest.raises(ParamsError) as caught:
        check_spaces(content)
    assert "warmup_epochs 2 below epochs 2" in caught.value.render()
    content["search"][HB]["schedule"]["fixed"] = {"train.epochs": 14}
    check_spaces(content)
    content["search"][HB]["schedule"]["space"]["train.fold"] = [0, 99]
    with pytest.raises(ParamsError, match=r"train\.fold 99"):
        check_spaces(content)


def test_the_digest_names_everything_but_the_budget(root: Path) -> None:
    plan = toy_plan(root)
    same = StudyPlan(TOY, "quick", STUDY | {"trials": 99}, plan.section, plan.inputs)
    other = copy.deepcopy(plan.section)
    other["train"]["batch_size"] = 4
    beside = copy.deepcopy(plan.section)
    beside["evaluate"]["n_resamples"] = 999
    assert same.digest == plan.digest
    assert StudyPlan(TOY, "quick", STUDY, beside, plan.inputs).digest == plan.digest
    changed = [
        StudyPlan(TOY, "quick", STUDY | {"seed": 2}, plan.section, plan.inputs),
        StudyPlan(TOY, "quick", STUDY | {"fixed": {}}, plan.section, plan.inputs),
        StudyPlan(TOY, "quick", STUDY, other, plan.inputs),
        StudyPlan(TOY, "quick", STUDY, plan.section, {"data/toy": "2"}),
    ]
    assert len({plan.digest, *(each.digest for each in changed)}) == 5
    assert read_plan(plan.folder(root)) == plan


def test_a_study_is_found_by_name(content: dict[str, Any]) -> None:
    assert plan_study(content, HB, None, {}).name == "schedule"
    with pytest.raises(AssayError, match="did you mean schedule"):
        plan_study(content, HB, "shedule", {})
    content["search"][HB]["other"] = content["search"][HB]["schedule"]
    with pytest.raises(AssayError, match=r"--study schedule \| other"):
        plan_study(content, HB, None, {})


# --- what is tried ------------------------------------------------------------------------------------


def test_a_trial_is_the_tasks_own_training_to_the_byte(root: Path) -> None:
    """The numbers of a trial are those of a plain training; the hook leaves every byte as it is."""
    found = run(root, trials=1)
    [trial] = found.tried
    task = find_task(TOY)
    section = laid_over(found.plan.section, {"train.epochs": 3, **trial.params})
    params = typed({TOY: section}, TOY, task.params)
    rows, _ = read_trainval("toy")
    seen: list[int] = []
    left = {}
    for name, watch in (("plain", None), ("watched", lambda told: seen.append(len(told)))):
        folder = root / name
        folder.mkdir()
        journal = Journal(folder / "journal.jsonl")
        own = Run(TOY, root, folder, folder, folder / "resume", journal, {}, watch)
        task.fit(*validation_fold(rows, 0), params, own)
        left[name] = [(folder / each).read_bytes() for each in (WEIGHTS, HISTORY, RECORD)]
    assert left["plain"] == left["watched"]
    assert seen == [1, 2, 3]
    with (root / "plain" / HISTORY).open() as stream:
        history = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert list(trial.curve) == history
    assert [trial.chosen[name] for name in found.objectives] == list(trial.values)
    assert not list((found.plan.folder(root) / "trials").iterdir())  # no weights are kept


def test_equal_studies_draw_equal_trials(root: Path) -> None:
    first, again = (run(root, name, trials=3) for name in ("one", "two"))
    assert [t.params for t in first.tried] == [t.params for t in again.tried]
    assert [t.values for t in first.tried] == [t.values for t in again.tried]
    assert len({t.params["train.lr"] for t in first.tried}) == 3


@pytest.mark.parametrize("space", [{"train.lr": [0.01, 0.05]}, STUDY["space"]])
def test_a_study_of_one_parameter_is_drawn(root: Path, space: dict[str, Any]) -> None:
    found = run(root, space=space, sampler="random", trials=3, fixed={"train.epochs": 2})
    drawn = draw(Store(found.plan, root), found, root)
    assert [path.stem for path in drawn] == ["history-mae", "slice-mae", "curves"]


def test_more_trials_go_on_where_fewer_ended(root: Path) -> None:
    run(root, trials=2)
    found = run(root, trials=3)
    assert [t.params for t in found.tried] == [t.params for t in run(root, "whole", trials=3).tried]


def test_the_trial_that_falls_behind_is_pruned(root: Path) -> None:
    found = run(
        root, space={"train.lr": [0.05, 1e-7]}, sampler="grid", trials=2,
        pruner={"kind": "median", "startup": 1, "epochs": 2}, fixed={"train.epochs": 6},
    )  # fmt: skip
    good, slow = found.tried
    assert (good.state, len(good.curve)) == ("complete", 6)
    assert (slow.state, len(slow.curve)) == ("pruned", 2)
    assert found.compared == 2
    assert found.choose().params == {"train.lr": 0.05}


def test_a_grid_is_every_combination_once(root: Path) -> None:
    space = {"train.lr": [0.05, 0.01], "train.batch_size": [8, 4]}
    found = run(root, space=space, sampler="grid", trials=3, fixed={"train.epochs": 1})
    assert len(found.tried) == 3
    assert found.waiting == 1
    found = run(root, space=space, sampler="grid", trials=9, fixed={"train.epochs": 1})
    drawn = [tuple(t.params.values()) for t in found.tried]
    assert drawn == list(itertools.product([0.05, 0.01], [8, 4]))


def test_equal_values_are_trained_once(root: Path) -> None:
    space = {"train.batch_size": [4, 8]}
    found = run(root, space=space, sampler="random", trials=5, fixed={"train.epochs": 1})
    repeats = [t for t in found.tried if t.repeats is not None]
    assert len(found.tried) == 5
    assert len(repeats) == 3
    assert found.compared == 2
    for trial in repeats:
        first = next(t for t in found.tried if t.number == trial.repeats)
        assert (trial.values, trial.params) == (first.values, first.params)


def test_several_objectives_have_a_front(root: Path) -> None:
    objectives = {"mae": "minimize", "r2": "maximize"}
    found = run(root, objectives=objectives, trials=3, fixed={"train.epochs": 2})
    assert all(len(t.values) == 2 and len(t.curve) == 2 for t in found.tried)
    assert found.front
    assert "front of" in found.best_line()


def test_a_trial_that_fails_is_told_and_the_others_run(root: Path) -> None:
    space = {"train.lr": [1e30, 0.05]}
    found = run(root, space=space, sampler="grid", trials=2)
    bad, good = found.tried
    assert (bad.state, good.state) == ("failed", "complete")
    assert bad.reason
    assert found.compared == 1


def test_three_failures_in_a_row_end_the_study(root: Path) -> None:
    with pytest.raises(AssayError, match="3 trials in a row failed"):
        run(root, space={"train.lr": {"low": 1e30, "high": 1e32}}, trials=9)


def test_an_objective_that_is_no_metric_ends_the_study_at_once(root: Path) -> None:
    with pytest.raises(ObjectiveError, match="no such metric") as caught:
        run(root, objectives={"mea": "minimize"})
    assert "mae" in caught.value.render()
    plan = toy_plan(root, objectives={"mea": "minimize"})
    assert len(Store(plan, root).trials()) == 1


def test_code_that_was_edited_trains_no_trial(root: Path) -> None:
    source = root / "src/assay/systems/toy/tasks/network.py"
    source.write_text(source.read_text() + "# edited\n")
    with pytest.raises(
        AssayError, match=r"network.py: is not as when .*\n.*\n.*dvc repro train@toy-level"
    ):
        run(root, trials=1)


def test_a_trial_without_the_test_files_is_a_trial(root: Path) -> None:
    """The sealed part is not even there."""
    assert {path.name for path in (root / "data" / "toy").iterdir()} == {
        "trainval.parquet", "trainval.npy",
    }  # fmt: skip
    assert len(run(root, trials=1).ended("complete")) == 1


# --- what is written down -----------------------------------------------------------------------------


def tried(number: int, values: list[float], **params: Any) -> Tried:
    return Tried(number, "complete", params, values, [], {}, "", None, 0.0, 1.0)


def test_the_front_and_the_choice(root: Path) -> None:
    plan = toy_plan(root, objectives={"mae": "minimize", "r2": "maximize"})
    rows = [[1.0, 0.1], [2.0, 0.9], [1.1, 0.8], [1.2, 0.7], [3.0, 0.9], [1.0, 0.1]]
    found = Outcome(plan, [tried(number, values) for number, values in enumerate(rows)])
    assert [trial.number for trial in found.front] == [0, 2, 1]
    assert found.choose().number == 2  # near the best of both
    assert found.choose(0).number == 0
    with pytest.raises(AssayError, match="did not complete"):
        found.choose(17)
    with pytest.raises(AssayError, match="no trial completed"):
        Outcome(plan, []).choose()


def test_the_recipe_says_of_how_many_it_is_the_best(root: Path) -> None:
    plan = toy_plan(root, space={"train.lr": [0.1, 1e-5], "train.batch_size": [2, 4]})
    trials = [tried(0, [0.5], **{"train.lr": 1e-5, "train.batch_size": 4}), tried(1, [0.7])]
    path, chosen = write_recipe(Outcome(plan, trials[:1]), root)
    assert chosen.number == 0
    assert read_params(path) == {
        f"{TOY}.train.epochs": 3, f"{TOY}.train.lr": 1e-5, f"{TOY}.train.batch_size": 4,
        f"{TOY}.{BEST_OF}": 1,
    }  # fmt: skip
    assert path.read_text().startswith("# Study quick: the best of 1 trials, mae 0.5.\n")
    assert path.with_suffix(".csv").read_text().splitlines()[0].startswith("trial,state,mae")
    # A study that began from an earlier one's best adds to it: both looked at the same rows.
    section = copy.deepcopy(dict(plan.section))
    section["evaluate"]["best_of"] = 20
    later = StudyPlan(TOY, "later", plan.declared, section, plan.inputs)
    text = recipe_text(Outcome(later, trials), trials[0])
    assert f"{TOY}.{BEST_OF}: 22\n" in text
    assert "the best of 20: 22 in all" in text


def test_a_password_is_not_shown() -> None:
    shown = shown_url("postgresql://me:secret@127.0.0.1:5432/db")
    assert shown == "postgresql://me:…@127.0.0.1:5432/db"
    assert shown_url("postgresql://127.0.0.1/db") == "postgresql://127.0.0.1/db"


def test_recipes_are_read_from_the_file_that_the_study_wrote(root: Path) -> None:
    """Lists, booleans and small numbers come back as they were."""
    plan = toy_plan(root)
    values = {"train.lr": 1e-7, "model.channels": [1, 2], "train.x": True, "train.y": "none"}
    text = recipe_text(Outcome(plan, [tried(0, [1.0], **values)]), tried(0, [1.0], **values))
    path = root / "recipe.yaml"
    path.write_text(text)
    back = read_params(path)
    for key, value in values.items():
        assert back[f"{TOY}.{key}"] == value
        assert type(back[f"{TOY}.{key}"]) is type(value)
