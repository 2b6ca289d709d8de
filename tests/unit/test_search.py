"""Studies, in one process: what is declared, tried, pruned, counted, and written down."""

from __future__ import annotations

import copy
import csv
import itertools
import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from tests.studies import STUDY, TOY, make_root, results, run, toy_plan

from assay.commands.search import command as search_command
from assay.contract.grid import SupportsGrid
from assay.errors import AssayError, MachineError, ParamsError
from assay.jobs.store import JobStore
from assay.lookup import all_tasks, find_task
from assay.manifest.parts import read_trainval, validation_fold
from assay.params import read_all, read_params
from assay.params_check import check_content, laid_over
from assay.runs.events import EventLog
from assay.runs.record import HISTORY, RECORD, WEIGHTS
from assay.runs.run import Run
from assay.search.objective import CHOSEN, CURVE
from assay.search.pictures import draw
from assay.search.plan import StudyPlan, plan_study, read_plan
from assay.search.recipe import BEST_OF, recipe_text, write_recipe
from assay.search.record import TRIAL, record_all
from assay.search.results import StudyResults, read_results, reason, trial_state
from assay.search.storage import URL, open_study
from assay.tracking.store import open_store
from assay.values import typed

ROOT = Path(__file__).parents[2]
HB = "hemoglobin-nail"
GOOD_FIRST = 1  # with this seed Optuna's grid begins with its first point


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


def test_every_task_has_a_study_but_a_grid(content: dict[str, Any]) -> None:
    check_content(content)
    single = {name for name, task in all_tasks().items() if not isinstance(task, SupportsGrid)}
    assert set(content["search"]) == single


def test_a_grid_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(AssayError, match="chooses among its trainings itself"):
        search_command.callback("hemoglobin-fusion", None, None, 1, None, False, False)  # type: ignore[misc]


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


@pytest.mark.parametrize("where", ["section", "fixed", "space"])
def test_trials_of_all_folds_are_never_pruned(content: dict[str, Any], where: str) -> None:
    study = content["search"][HB]["schedule"]
    study["pruner"] = {"kind": "median", "startup": 1, "epochs": 2}
    plan_study(content, HB, "schedule", {})
    if where == "section":
        content[HB]["train"]["fold"] = "all"
    else:
        study.setdefault(where, {})["train.fold"] = ["all", 0] if where == "space" else "all"
    with pytest.raises(AssayError, match=r"median, with train\.fold all") as told:
        plan_study(content, HB, "schedule", {})
    assert "no single one tells" in told.value.expected
    study["pruner"] = "none"
    plan_study(content, HB, "schedule", {})


def test_a_study_of_no_task_is_told(content: dict[str, Any]) -> None:
    content["search"]["hemoglobin-nial"] = content["search"].pop(HB)
    with pytest.raises(ParamsError, match=f"did you mean {HB}"):
        check_content(content)


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


def values(found: StudyResults) -> list[dict[str, Any]]:
    return [found.plan.values(trial.params) for trial in found.trials]


def test_a_trial_is_the_tasks_own_training_to_the_byte(root: Path) -> None:
    """The numbers of a trial are those of a plain training; the hook leaves every byte as it is."""
    found = run(root, trials=1)
    [trial] = found.trials
    task = find_task(TOY)
    section = laid_over(found.plan.section, {"train.epochs": 3, **trial.params})
    params = typed({TOY: section}, TOY, task.params)
    rows, _ = read_trainval("toy")
    seen: list[int] = []
    left = {}
    for name, watch in (("plain", None), ("watched", lambda told: seen.append(len(told)))):
        folder = root / name
        folder.mkdir()
        events = EventLog(folder / "events.jsonl")
        own = Run(TOY, root, folder, folder, folder / "resume", events, {}, watch)
        task.fit(*validation_fold(rows, 0), params, own)
        left[name] = [(folder / each).read_bytes() for each in (WEIGHTS, HISTORY, RECORD)]
    assert left["plain"] == left["watched"]
    assert seen == [1, 2, 3]
    with (root / "plain" / HISTORY).open() as stream:
        history = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert trial.user_attrs[CURVE] == history
    assert [trial.user_attrs[CHOSEN][name] for name in found.objectives] == trial.values
    [job] = JobStore(root).jobs()
    left["trial"] = [
        (JobStore(root).result(job) / name).read_bytes() for name in (WEIGHTS, HISTORY)
    ]
    assert left["trial"] == left["plain"][:2]


def test_equal_studies_of_one_worker_draw_equal_trials(root: Path) -> None:
    first, again = (run(root, name, trials=3) for name in ("one", "two"))
    assert values(first) == values(again)
    assert [t.values for t in first.trials] == [t.values for t in again.trials]
    assert len({t.params["train.lr"] for t in first.trials}) == 3


@pytest.mark.parametrize("space", [{"train.lr": [0.01, 0.05]}, STUDY["space"]])
def test_a_study_of_one_parameter_is_drawn(root: Path, space: dict[str, Any]) -> None:
    found = run(root, space=space, sampler="random", trials=3, fixed={"train.epochs": 2})
    drawn = draw(open_study(found.plan, root), found, root)
    assert [path.stem for path in drawn] == ["history-mae", "slice-mae", "curves"]


def test_more_trials_go_on_where_fewer_ended(root: Path) -> None:
    before = run(root, trials=2)
    found = run(root, trials=4)
    assert values(found)[:2] == values(before)
    assert len({t.params["train.lr"] for t in found.trials}) == 4  # the seed begins no second time


def test_the_trial_that_falls_behind_is_pruned(root: Path) -> None:
    found = run(
        root, space={"train.lr": [0.05, 1e-7]}, sampler="grid", trials=2, seed=GOOD_FIRST,
        pruner={"kind": "median", "startup": 1, "epochs": 2}, fixed={"train.epochs": 6},
    )  # fmt: skip
    assert [trial_state(t) for t in found.trials] == ["complete", "pruned"]
    assert [len(t.user_attrs[CURVE]) for t in found.trials] == [6, 2]
    assert found.compared == 2
    assert found.choose().params == {"train.lr": 0.05}


def test_a_grid_is_every_combination_once(root: Path) -> None:
    space = {"train.lr": [0.05, 0.01], "train.batch_size": [8, 4]}
    found = run(root, space=space, sampler="grid", trials=3, fixed={"train.epochs": 1})
    assert len(found.trials) == 3
    found = run(root, space=space, sampler="grid", trials=9, fixed={"train.epochs": 1})
    drawn = [tuple(each.values()) for each in values(found)]
    assert sorted(drawn) == sorted(itertools.product([0.05, 0.01], [8, 4]))


def test_several_objectives_have_a_front(root: Path) -> None:
    objectives = {"mae": "minimize", "r2": "maximize"}
    found = run(root, objectives=objectives, trials=3, fixed={"train.epochs": 2})
    assert all(len(t.values) == 2 and len(t.user_attrs[CURVE]) == 2 for t in found.trials)
    assert found.front
    assert "front of" in found.best_line()


def test_a_trial_that_fails_is_told_and_the_others_run(root: Path) -> None:
    """One has a loss that is no number, one a value that the section refuses."""
    for wrong, said in ((1e30, "mae nan"), (-1.0, "train.lr")):
        space = {"train.lr": [wrong, 0.05]}
        found = run(root, f"with{wrong:.0f}", space=space, sampler="grid", trials=2)
        [bad], [good] = found.ended("failed"), found.ended("complete")
        assert said in reason(bad)
        assert reason(good) == ""
        assert found.compared == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"space": {"train.lr": {"low": 1e30, "high": 1e32}}}, "mae nan"),
        ({"objectives": {"mea": "minimize"}}, "no such metric of an epoch\n.*mae"),
    ],
)
def test_three_failures_in_a_row_end_the_study(
    root: Path, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(AssayError, match=f"3 trials in a row failed(.|\n)*{said}"):
        run(root, trials=9, **wrong)
    assert len(results(toy_plan(root, trials=9, **wrong), root).trials) == 3


def test_code_that_was_edited_trains_no_trial(root: Path) -> None:
    source = root / "src/assay/systems/toy/tasks/networks.py"
    source.write_text(source.read_text() + "# edited\n")
    with pytest.raises(
        AssayError, match=r"networks.py: is not as when .*\n.*\n.*dvc repro train@toy-level"
    ):
        run(root, trials=1)


def test_a_trial_without_the_test_files_is_a_trial(root: Path) -> None:
    """The sealed part is not even there."""
    assert {path.name for path in (root / "data" / "toy").iterdir()} == {
        "trainval.parquet", "trainval.npy",
    }  # fmt: skip
    assert run(root, trials=1).compared == 1


# --- what is written down -----------------------------------------------------------------------------


def made_up(plan: StudyPlan, *trials: tuple[list[float], dict[str, Any]]) -> StudyResults:
    """Return results of complete trials with these values and parameters."""
    study = optuna.create_study(directions=list(plan.study.objectives.values()))
    for objectives, params in trials:
        kinds = {key: CategoricalDistribution([value]) for key, value in params.items()}
        study.add_trial(optuna.create_trial(values=objectives, params=params, distributions=kinds))
    return read_results(plan, study)


def test_the_front_and_the_choice(root: Path) -> None:
    plan = toy_plan(root, objectives={"mae": "minimize", "r2": "maximize"})
    rows = [[1.0, 0.1], [2.0, 0.9], [1.1, 0.8], [1.2, 0.7], [3.0, 0.9]]
    found = made_up(plan, *((row, {}) for row in rows))
    assert [trial.number for trial in found.front] == [0, 2, 1]
    assert found.choose().number == 2  # near the best of both
    assert found.choose(0).number == 0
    with pytest.raises(AssayError, match="did not complete"):
        found.choose(17)
    with pytest.raises(AssayError, match="no trial completed"):
        made_up(plan).choose()


def test_the_recipe_says_of_how_many_it_is_the_best(root: Path) -> None:
    plan = toy_plan(root, space={"train.lr": [0.1, 1e-5], "train.batch_size": [2, 4]})
    first, second = ([0.5], {"train.lr": 1e-5, "train.batch_size": 4}), ([0.7], {})
    path, chosen = write_recipe(made_up(plan, first), root)
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
    later = made_up(StudyPlan(TOY, "later", plan.declared, section, plan.inputs), first, second)
    text = recipe_text(later, later.choose())
    assert f"{TOY}.{BEST_OF}: 22\n" in text
    assert "the best of 20: 22 in all" in text


def test_sync_adds_what_a_study_has_more_and_what_was_lost(root: Path) -> None:
    plan = run(root, trials=2, fixed={"train.epochs": 1}).plan
    assert list(record_all(root)) == [f"study {plan.title}: 2 trial(s) added"]
    run(root, trials=3, fixed={"train.epochs": 1})
    assert list(record_all(root)) == [f"study {plan.title}: 1 trial(s) added"]
    client = open_store(root)
    place = client.get_experiment_by_name(TOY).experiment_id
    [last] = client.search_runs([place], f"tags.`{TRIAL}` = '2'")
    client.delete_run(last.info.run_id)
    assert list(record_all(root)) == [f"study {plan.title}: 1 trial(s) added"]
    assert not list(record_all(root))


def test_a_database_that_is_away_is_told_without_its_address(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg2", reason="no psycopg2 (the extra `postgresql`)")
    monkeypatch.setenv(URL, "postgresql+psycopg2://me:secret@127.0.0.1:9/db")
    with pytest.raises(MachineError, match="refused") as caught:
        open_study(toy_plan(root), root)
    assert "secret" not in caught.value.render()
    assert f"mend: unset {URL}" in caught.value.render()
    monkeypatch.delenv(URL)
    open_study(toy_plan(root), root)


def test_recipes_are_read_from_the_file_that_the_study_wrote(root: Path) -> None:
    """Lists, booleans and small numbers come back as they were."""
    own = {"train.lr": 1e-7, "model.channels": [1, 2], "train.x": True, "train.y": "none"}
    plan = toy_plan(root, space={key: [value, 1] for key, value in own.items()})
    found = made_up(plan, ([1.0], {**own, "model.channels": "[1, 2]"}))
    text = recipe_text(found, found.choose())
    path = root / "recipe.yaml"
    path.write_text(text)
    back = read_params(path)
    for key, value in own.items():
        assert back[f"{TOY}.{key}"] == value
        assert type(back[f"{TOY}.{key}"]) is type(value)
