"""What has happened in the projects that tests begin with; each is told once for a state of the code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.ledger import Entry, entries
from assay.registry.seal import LOOK
from tests.project import DATA, ROOT, TASK, Project, checkout
from tests.templates import copied, template

EPOCHS, SEED = f"{TASK}.train.epochs", f"{TASK}.train.seed"
CHANGED = "src/assay/learning/schedules.py"  # of which an experiment has its own
SEALED = (f"data/{DATA}/test.parquet", f"data/{DATA}/test.npy")
# People enough that a real gain lies beyond chance: 47 validate.
PEOPLE = {f"{DATA}.phantom.folder1": 0, f"{DATA}.phantom.folder2": 200, f"{DATA}.split.folds": 3}
FIRST = {EPOCHS: 3, f"{TASK}.train.warmup_epochs": 1}
# Another cut of the rest, with the same test rows: compared on what both validate on.
WORSE = {EPOCHS: 1, f"{TASK}.train.warmup_epochs": 0, f"{DATA}.split.folds": 2}
BETTER = {EPOCHS: 16, f"{TASK}.train.warmup_epochs": 1, f"{DATA}.split.folds": 3}
STUDY = "quick"
OVERRULED = [
    part for gate in ("better", "subjects") for part in ("--override", gate, "--reason", "a test")
]


def finished() -> Path:
    """Return a project whose small pipeline has run, and is committed."""

    def make(folder: Path) -> None:
        project = checkout(folder)
        project.dvc("repro")
        project.commit("Train")

    return template("finished", make)


def synced() -> Path:
    """Return the same with its run in MLflow: making that database costs 3 s."""

    def make(folder: Path) -> None:
        project = copied(finished(), folder)
        assert project.assay("sync").startswith("1 run(s) added, 0 known")

    return template("synced", make)


def experimented() -> Path:
    """Return a project with an experiment in place, and one in a folder of its own, of other code."""

    def make(folder: Path) -> None:
        project = copied(finished(), folder)
        project.dvc("exp", "run", "-n", "short", "-S", f"{EPOCHS}=2")
        project.run("git", "checkout", "-q", ".")
        with other_code(project):
            project.dvc("exp", "run", "--temp", "-n", "long", "-S", f"{EPOCHS}=4")
        assert project.assay("sync").startswith("3 run(s) added, 0 known")

    return template("experimented", make)


def compared() -> Path:
    """Return a project with two other seeds, and an experiment of other parameters, split and code."""

    def make(folder: Path) -> None:
        project = copied(synced(), folder)
        for name, seed in (("seven", 7), ("eight", 8)):
            project.dvc("exp", "run", "--temp", "-n", name, "-S", f"{SEED}={seed}")
        other = ("-S", f"{EPOCHS}=2", "-S", f"{DATA}.split.folds=3")
        with other_code(project):
            project.dvc("exp", "run", "--temp", "-n", "other", *other)
        project.assay("sync")

    return template("compared", make)


@contextmanager
def other_code(project: Project) -> Iterator[None]:
    """Change a line of the work tree for a while."""
    source = project.folder / CHANGED
    text = source.read_text()
    source.write_text(text + 'print("[OWN]", flush=True)\n')
    yield
    source.write_text(text)


# --- what is registered


def kinds(project: Project) -> list[str]:
    """Return the kinds of the ledger's entries."""
    return [entry.kind for entry in entries(project.folder)]


def looks(project: Project) -> list[Entry]:
    """Return the looks at the test set."""
    return [entry for entry in entries(project.folder) if entry.kind == LOOK]


@contextmanager
def taken_away(project: Project, *paths: str) -> Iterator[list[Path]]:
    """Take files out of the work tree, and what is in them out of the DVC cache; put them back."""
    outs = CommitArtifacts(project.folder, "HEAD").outs
    cache = project.folder / ".dvc/cache/files/md5"
    objects = [cache / outs[path][:2] / outs[path][2:] for path in paths]
    places = [*(project.folder / path for path in paths), *objects]
    for place in places:
        place.rename(f"{place}.away")
    yield places
    for place in places:
        Path(f"{place}.away").rename(place)


def promotions() -> Path:
    """Return a folder with `said.json`, and the projects `at-the-door` (v3 comes next) and `told`."""
    return template("promotions", _tell)


def _tell(shared: Path) -> None:
    """Live through it once; keep what was said, and a copy of the project on the way."""
    shared.mkdir()
    project, said = copied(synced(), shared / "told"), {}
    _train(project, "first", {**PEOPLE, **FIRST})
    said["first candidate"] = project.assay("register", TASK)
    said["first"] = project.assay("promote", TASK)
    _train(project, "worse", WORSE)
    said["worse candidate"] = project.assay("register", TASK)
    before = kinds(project)
    with taken_away(project, *SEALED):  # a refusal that looked at them would stumble
        said["worse"] = project.assay("promote", TASK, fails=True)
    said["changed"] = str(kinds(project) != before)
    _train(project, "better", BETTER)
    said["better candidate"] = project.assay("register", TASK)
    copied(project.folder, shared / "at-the-door")
    said["better"] = project.assay("promote", TASK)
    said["rollback"] = project.assay("rollback", TASK, "--reason", "drifts on the new camera")
    said["ledger"] = project.assay("ledger")
    (shared / "said.json").write_text(json.dumps(said), encoding="utf-8")


def _train(project: Project, name: str, settings: Mapping[str, Any]) -> None:
    project.set(**settings)
    project.dvc("repro")
    project.commit(name)
    project.run("git", "tag", name)


def folded() -> Path:
    """Return a folder with `said.json`, and the project `told`: v1 is of one fold, v2 of all."""
    return template("folded", _tell_of_folds)


def _tell_of_folds(shared: Path) -> None:
    shared.mkdir()
    project, said = copied(promoted(), shared / "told"), {}
    said["trained"] = project.dvc("exp", "run", "-S", f"{TASK}.train.fold=all")
    project.commit("All folds")
    said["results"] = project.assay("results")
    said["compared"] = project.assay("compare", ".", f"{TASK}@champion")
    said["register"] = project.assay("register", TASK)
    said["promote"] = project.assay("promote", TASK, *OVERRULED)
    said["models"] = project.assay("models", TASK)
    (shared / "said.json").write_text(json.dumps(said), encoding="utf-8")


def promoted() -> Path:
    """Return a project whose only model is the champion."""

    def make(folder: Path) -> None:
        project = copied(synced(), folder)
        project.assay("register", TASK)
        project.assay("promote", TASK, *OVERRULED)

    return template("promoted", make)


def lived_in() -> Path:
    """Return a project with a past.

    v1 is promoted and no branch holds its commit. v2 is an experiment that was applied, committed and
    registered. The experiment `other` is nobody's, and so is what was run once and never committed.
    """

    def make(folder: Path) -> None:
        project = copied(promoted(), folder)
        changes = {"other": f"{TASK}.evaluate.n_resamples=150", "chosen": f"{EPOCHS}=2"}
        for name, change in changes.items():
            project.dvc("exp", "run", "--temp", "-n", name, "-S", change, f"evaluate@{TASK}")
        project.dvc("exp", "apply", "chosen")
        project.run(
            "git", "reset", "-q", "--soft", "HEAD~1"
        )  # v1's commit is on no branch any more
        project.commit("Choose")
        project.assay("register", TASK)

    return template("lived-in", make)


# --- several trainings at one command


def swept() -> Path:
    """Return a folder with `project`, in which two values were swept, one of which none survives."""

    def make(folder: Path) -> None:
        folder.mkdir()
        project = copied(finished(), folder / "project")
        values = ("nosuchnet", "test_vit")
        said = project.assay("sweep", TASK, "model.backbone", *values, fails=True)
        (folder / "said.txt").write_text(said)

    return template("swept", make)


def searched() -> Path:
    """Return a folder with `project`: a study done with nobody at the tracker's address, and applied."""

    def make(folder: Path) -> None:
        folder.mkdir()
        project = copied(finished(), folder / "project")
        declare(project)
        project.commit("Declare a study")
        away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        said = project.assay("search", TASK, "--workers", "2", "--apply", **away)
        (folder / "said.txt").write_text(said)

    return template("searched", make)


def declare(project: Project) -> None:
    """Write a study of two trials into `search.yaml`."""
    yaml = YAML()
    path = project.folder / "search.yaml"
    content = yaml.load(path)
    content["search"][TASK] = {STUDY: {
        "objectives": {"mae": "minimize"},
        "space": {"train.head_lr": [0.001, 0.003], "model.hidden": [[64], [16]]},
        "fixed": {"train.epochs": 2}, "sampler": "random", "pruner": "none", "trials": 2, "seed": 3,
    }}  # fmt: skip
    yaml.dump(content, path)


# --- pills

DETECTOR, CLASSIFIER, COMBO = "pills-detector", "pills-classifier", "pills-combo"
PILLS = {
    "pills.phantom.classes": 4,
    "pills.phantom.combinations": 2,
    "pills.phantom.angles": 3,
    "pills.phantom.width": 64,
    "pills.phantom.broken": 1,
    "pills.ingest.max_broken_share": 0.1,
    "pills.ingest.size": 64,
    "pills.similar.null_pairs": 40,
    "pills.split.folds": 3,
    f"{DETECTOR}.model.imgsz": 64,
    f"{DETECTOR}.train.epochs": 1,
    f"{DETECTOR}.train.warmup_epochs": 0.0,
    f"{CLASSIFIER}.model.size": 32,
    f"{CLASSIFIER}.model.input_size": 32,
    f"{CLASSIFIER}.train.epochs": 2,
    f"{CLASSIFIER}.evaluate.n_resamples": 100,
    f"{COMBO}.evaluate.n_resamples": 100,
}


def composed() -> Path:
    """Return a project in which two tasks of `pills` are trained, and used together."""

    def make(folder: Path) -> None:
        project = checkout(folder)
        yaml = YAML()
        content = yaml.load(ROOT / "dvc.yaml")
        tables = content["vars"][0]
        for table, kept in (("systems", ["pills"]), ("tasks", [DETECTOR, CLASSIFIER])):
            tables[table] = {name: tables[table][name] for name in kept}
        yaml.dump(content, project.folder / "dvc.yaml")
        project.set(**PILLS)
        project.commit("Choose")  # after DVC has staged its lock, git takes the file for unchanged
        project.dvc("repro", f"pipeline@{COMBO}", f"evaluate@{CLASSIFIER}")
        project.commit("Train")

    return template("composed", make)
