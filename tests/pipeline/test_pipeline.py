"""The whole pipeline, in a project of its own: what its stages leave, and what DVC skips."""

from __future__ import annotations

import re
import shutil
import textwrap

import pytest
from ruamel.yaml import YAML
from tests.conftest import DATA, ROOT, TASK, Project

from assay.params_check import all_sections


def test_a_run_leaves_its_outputs_and_a_clean_tree(finished: Project) -> None:
    assert finished.run("git", "status", "--porcelain") == ""
    scores = finished.scores(TASK)
    assert scores["mae"]["low"] <= scores["mae"]["value"] <= scores["mae"]["high"]
    assert scores["groups"] <= scores["rows"]
    own, skill = scores["mae"], scores["skill"]
    assert finished.json(f"reports/{TASK}/metrics.json") == {
        "conj_mae": own["value"], "conj_low": own["low"], "conj_high": own["high"],
        "skill": skill["value"],
    }  # fmt: skip
    # DVC warns of an empty folder of outputs: every task has this table.
    head, *lines = (finished.folder / f"reports/{TASK}/tables/slices.csv").read_text().splitlines()
    assert head == "by,part,metric,value,low,high,rows,groups"
    assert [line.split(",")[:3] for line in lines] == [["all", "all", "mae"]]
    assert finished.json(f"reports/{DATA}/labels.json")["passed"]
    assert finished.json(f"reports/{DATA}/leakage.json")["passed"]
    assert finished.json(f"reports/{TASK}/preflight.json")["passed"]
    line = finished.assay("results")
    rests = r"\d+ patients (\(\d+ images\) )?· phantom"
    assert re.search(rf"MAE \d\.\d\d g/dL \[.*\] · skill .* vs mean · {rests}", line)


@pytest.mark.train_all
def test_the_nails_run_too(fresh: Project) -> None:
    shutil.copyfile(ROOT / "dvc.yaml", fresh.folder / "dvc.yaml")
    fresh.keep_only("hemoglobin.nail", "hemoglobin-nail")
    small = {
        "phantom.people": 60, "phantom.size": 48, "ingest.size": 32, "split.folds": 4,
        "similar.n_neighbors": 2, "similar.null_pairs": 40,
    }  # fmt: skip
    fresh.set(**{f"hemoglobin.nail.{key}": value for key, value in small.items()})
    fresh.set(**{"hemoglobin-nail.train.epochs": 3, "hemoglobin-nail.train.warmup_epochs": 1})
    assert "hemoglobin-nail  MAE" in fresh.dvc("repro")
    assert "STOP" not in (fresh.folder / "reports/hemoglobin.nail/leakage.html").read_text()


def test_a_second_repro_runs_nothing(finished: Project) -> None:
    said = finished.dvc("repro")
    assert "Running stage" not in said
    assert said.count("didn't change, skipping") == 8


def test_no_sealed_row_is_predicted(finished: Project) -> None:
    import polars as pl

    sealed = set(pl.read_parquet(finished.folder / f"data/{DATA}/test.parquet")["sample_id"])
    scored = set(
        pl.read_parquet(finished.folder / f"reports/{TASK}/predictions.parquet")["sample_id"]
    )
    seen = set(pl.read_parquet(finished.folder / f"data/{DATA}/trainval.parquet")["sample_id"])
    assert sealed
    assert scored
    assert not sealed & (scored | seen)


def test_a_forced_rerun_leaves_equal_bytes(finished: Project) -> None:
    """Also where the sealed files are destroyed: training and evaluation never read them."""
    before = finished.bytes_of("data", "models", "reports")
    finished.dvc("repro", "-f")
    assert finished.bytes_of("data", "models", "reports") == before
    assert finished.run("git", "status", "--porcelain") == ""
    for name in ("test.parquet", "test.npy", "manifest.parquet", "splits.parquet"):
        path = finished.folder / "data" / DATA / name
        path.unlink()
        path.write_bytes(b"sealed")
    before = finished.bytes_of("models", "reports")
    finished.dvc("repro", "-f", "-s", f"train@{TASK}", f"evaluate@{TASK}")
    assert finished.bytes_of("models", "reports") == before


def test_a_label_changed_by_hand_reaches_nothing_unseen(finished: Project) -> None:
    """A stage sees only what it declared: a knob of another stage leaves the training as it is."""
    said = finished.dvc("exp", "run", "-S", f"{TASK}.evaluate.n_resamples=120")
    assert f"Stage 'train@{TASK}' didn't change" in said
    assert f"Running stage 'evaluate@{TASK}'" in said


def test_another_runtime_makes_nothing_stale(finished: Project) -> None:
    said = finished.dvc(
        "exp", "run", "-S", "runtime.num_workers=2", "-S", "runtime.checkpoint_every=3"
    )
    assert "Running stage" not in said


def test_the_machine_is_of_every_training_unless_the_task_has_its_own(finished: Project) -> None:
    own = f"++{TASK}.train.threads=2"
    said = finished.dvc("exp", "run", "-S", "machine.precision=bf16-mixed", "-S", own)
    assert re.findall(r"Running stage '(\w+)@", said) == ["train", "evaluate"]
    params = finished.json(f"models/{TASK}/run.json")["params"]
    assert set(params) == {TASK}
    train = params[TASK]["train"]
    assert (train["device"], train["precision"], train["threads"]) == ("cpu", "bf16-mixed", 2)


@pytest.mark.dvc
def test_the_toy_is_copied_as_its_readme_says_and_runs(fresh: Project) -> None:
    """A new system is one folder, its sections, its lines in dvc.yaml: nothing else is touched."""
    told = (fresh.folder / "examples/toy/README.md").read_text()
    commands = "    NEW=" + told.partition("    NEW=")[2].partition("and in `dvc.yaml`")[0]
    assert commands.startswith("    NEW=dots\n")
    fresh.run("bash", "-euc", textwrap.dedent(commands))
    lines = (
        told.partition("under `vars`:")[2].partition("It runs")[0].replace("[…, dots]", "[dots]")
    )
    yaml = YAML()
    content, own = yaml.load(fresh.folder / "dvc.yaml"), yaml.load(textwrap.dedent(lines))
    stated = content["vars"][0]
    stated["code"] += own["code"]
    for part in ("systems", "tasks"):
        stated[part].update(own[part])
    yaml.dump(content, fresh.folder / "dvc.yaml")
    fresh.commit("Add dots")
    assert f"{len(all_sections())} sections, no fault" in fresh.own("params")
    fresh.run("dvc", "repro", "evaluate@dots-level", "evaluate@dots-shade")
    for task in own["tasks"]:
        assert fresh.scores(task)["skill"]["low"] > 0  # learnable, and learned
        assert f"{task}  M" in fresh.own("results")


def test_the_readme_shows_commands_that_exist() -> None:
    """Every `assay` verb, `make` target and stage that the documents name is there."""
    from assay.__main__ import cli

    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text()
        for verb in re.findall(r"(?:^    |`)assay ([a-z]+)", text, re.MULTILINE):
            assert verb in cli.list_commands(None), f"{page.name}: assay {verb}"  # type: ignore[arg-type]
        for target in re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE):
            assert target in targets, f"{page.name}: make {target}"
