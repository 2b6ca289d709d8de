"""What DVC shows of results: tables that fit, pages that are small, plots without a warning."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.cells import cell_len
from ruamel.yaml import YAML
from tests.conftest import ROOT, Project
from tests.truths.test_truths import pipeline as stages

from assay.lookup import all_tasks
from assay.pipeline import pipelines
from assay.runs.figures import save_figure
from assay.runs.record import write_history
from assay.runs.scores import write_scores

pytestmark = pytest.mark.dvc

WIDE = {"COLUMNS": "100000", "COLORTERM": "", "NO_COLOR": "1"}
SCORED: dict[str, Any] = {
    name: each
    for name, each in {**all_tasks(), **pipelines()}.items()
    if any(stage.partition("@")[2] == name for stage in stages())
}
ONE_OUTPUT = ("hemoglobin-conjunctiva", "hemoglobin-nail")
EPOCHS, ROWS = 30, 40


def leave(folder: Path, name: str, seed: int) -> None:
    """Leave what a training and an evaluation of the demo do: numbers of as many digits."""
    task, random = SCORED[name], np.random.default_rng([seed, *name.encode()])
    value, low, high, skill = np.sort(random.uniform(0.1, 0.9, 4)).tolist()
    parts = {"value": value, "low": low, "high": high}
    scores = {task.headline.metric: parts, "skill": parts | {"value": skill}}
    reports = folder / "reports" / name
    write_scores(reports, scores, task.short, task.headline.metric)
    figure = Figure(figsize=(1, 1))
    figure.text(0, 0, f"{seed}")
    for picture in ("overlays.png", "confusion.png"):
        save_figure(figure, reports / "pictures" / picture)
    if name in ONE_OUTPUT:
        lines = [f"{a:.5g},{b:.5g}" for a, b in random.uniform(8, 16, (ROWS, 2))]
        drawn = reports / "pictures" / "predictions.csv"
        drawn.write_text("\n".join(["label,prediction", *lines]) + "\n")
    if name in all_tasks():
        losses = random.uniform(0, 1, EPOCHS)
        write_history(
            folder / "models" / name,
            [{"epoch": epoch, "train_loss": loss, "valid_loss": loss, "mae": loss}
             for epoch, loss in enumerate(losses)],
        )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a repository with all ten: plots and metrics of dvc.yaml, and params.yaml; nothing runs."""
    project = Project(tmp_path_factory.mktemp("tables"))
    shutil.copy(ROOT / "params.yaml", project.folder)
    content: dict[str, Any] = {"params": ["params.yaml"], "stages": {}}
    for stage, each in stages().items():
        name = stage.partition("@")[2]
        kept = {kind: each[kind] for kind in ("metrics", "plots") if kind in each}
        if name in SCORED and kept:
            content["stages"][stage.replace("@", "-")] = {"cmd": "true", "frozen": True, **kept}
    YAML().dump(content, project.folder / "dvc.yaml")
    for command in (("git", "init", "-q"), ("git", "config", "user.name", "Test"),
                    ("git", "config", "user.email", "test@example.org")):  # fmt: skip
        project.run(*command)
    project.dvc("init", "-q")
    for name in SCORED:
        leave(project.folder, name, seed=0)
    project.dvc("commit", "-q", "-f")
    project.commit()
    return project


@pytest.fixture
def shown(made: Project, tmp_path: Path) -> Project:
    """Return a copy of it."""
    shutil.copytree(made.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def width(text: str) -> int:
    return max(map(cell_len, text.splitlines()))


def test_the_tables_fit(shown: Project) -> None:
    """All ten in 440 letters; one that changed in 160."""
    assert len(SCORED) == 10
    table = shown.run("dvc", "metrics", "show", **WIDE)
    assert len(table.splitlines()) == 1 + len(SCORED)
    assert width(table) <= 440
    shown.set(**{"hemoglobin-nail.train.seed": 1})
    leave(shown.folder, "hemoglobin-nail", seed=1)
    changed = shown.run("dvc", "exp", "show", "--only-changed", "--no-pager", **WIDE)
    assert "reports/hemoglobin-nail/metrics.json:skill" in changed
    assert "hemoglobin-nail.train.seed" in changed
    assert re.search(r"nail_mae +nail_low +nail_high", changed)
    assert "reports/ceph" not in changed
    assert width(changed) <= 160


@pytest.mark.parametrize(
    ("more", "command"),
    [("nail_r2", ("metrics", "show")), ("r2", ("exp", "show", "--only-changed", "--no-pager"))],
)
def test_a_number_more_would_not_fit(shown: Project, more: str, command: tuple[str, ...]) -> None:
    """What the names are as they are for: one number more, of its own or shared."""
    for name, task in SCORED.items():
        names = ("nail_mae", "nail_low", "nail_high", more, "skill")
        own = [each.replace("nail", task.short) for each in names]
        path = shown.folder / f"reports/{name}/metrics.json"
        path.write_text(str(dict.fromkeys(own, 0.12345)).replace("'", '"'))
    shown.run("dvc", "commit", "-q", "-f")
    shown.commit()
    own = shown.folder / "reports/hemoglobin-nail/metrics.json"
    own.write_text(own.read_text().replace("0.1", "0.2"))
    shown.set(**{"hemoglobin-nail.train.seed": 1})
    assert width(shown.run("dvc", *command, **WIDE)) > (400 if command[0] == "metrics" else 160)


def test_plots_are_small_and_warn_of_nothing(shown: Project) -> None:
    for name in SCORED:
        leave(shown.folder, name, seed=1)
    for command in (("show",), ("diff", "HEAD")):
        said = shown.run("dvc", "plots", *command)
        assert said.strip().splitlines() == [f"file://{shown.folder}/dvc_plots/index.html"]
    page = (shown.folder / "dvc_plots/index.html").read_text()
    assert len(page) < 73_000
    assert page.count("vegaEmbed(") == len(SCORED.keys() & all_tasks().keys()) + len(ONE_OUTPUT)
    drawn = set(re.findall(r'"rev": "(\w+)"', page))
    assert drawn == {"HEAD", "workspace"}
    pictures = list((shown.folder / "dvc_plots/static").iterdir())
    assert len(pictures) == 2 * 2 * len(SCORED)  # none lies over another
    assert len(shown.run("dvc", "plots", "diff", "HEAD", "--json")) < 60_000


def test_a_table_among_the_pictures_would_be_drawn_with_a_warning(shown: Project) -> None:
    """The planted fault: that is why tables have a folder of their own."""
    path = shown.folder / "reports/ceph-cvm/pictures/slices.csv"
    with path.open("w") as stream:
        csv.writer(stream).writerows([["by", "part"], ["machine", "A"]])
    assert "could not find" in shown.run("dvc", "plots", "show").lower()
