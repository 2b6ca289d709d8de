"""Every recipe runs by name: its file, its parameters, one epoch of its training, and its predictions.

Twelve phantom films, the fewest that the preflight passes: each stage once in training and once in
validation. Smaller than the recipe says: epochs, batch, the stored size (64 px for up to 512), and what a
pretrained CVM network sees of it (64 px for 224). Weights from the hub become none. Files that other
recipes leave are written here, from the same networks, untrained. One recipe keeps its ResNet-50, the
others have a ResNet-10: with each of the large ones the preflight's learning by heart takes ten seconds.
That the large one goes with every network of the landmarks is seen in `test_recipes`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.cvm_set import stored_films

from assay.commands.run import read_recipe
from assay.contract.bundle import read_bundle
from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.params_check import laid_over
from assay.runs.events import EventLog
from assay.runs.record import HISTORY, RECORD
from assay.runs.run import Run
from assay.runs.start import START
from assay.sections.task import NONE, PRETRAINED
from assay.systems.ceph.data.params import Phantom
from assay.systems.ceph.tasks.landmarks_networks import make_network
from assay.values import typed

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("ceph-*/*.yaml"))
NAMES = {
    "multitask_resnet18_256", "heatmap_resnet50_256", "heatmap_resnet50_512",
    "heatmap_resnet50_512_sigma4", "heatmap_resnet50_512_weakaug", "unet_resnet50_512",
    "unet_resnet50_512_transfer", "cvm_roi_resnet18_224", "unet_cvm_roi_224", "cvm_baseline_224",
}  # fmt: skip
ALWAYS = "unet_cvm_roi_224"  # run in every suite, the others in the whole one
LEFT_BY = ("heatmap_resnet50_256", "unet_resnet50_512")
WHOLE, SMALLER = "heatmap_resnet50_256", "resnet10t"
PHANTOM = Phantom(films=12, width=100, seed=5, doubled=0, missing=0, pairs=0, broken=0)
SIZE = 64


@pytest.fixture(autouse=True, scope="module")
def without_the_toy() -> Iterator[None]:
    """`params.yaml` has no section of the example."""
    import assay.systems

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return twelve films, two of each stage, ordered by stage."""
    rows = stored_films(tmp_path_factory.mktemp("films"), PHANTOM, SIZE)
    order = np.argsort(rows.columns["cvm"], kind="stable")
    return Rows(
        {"image": rows.image[order]}, {name: each[order] for name, each in rows.columns.items()}
    )


def parameters(path: Path) -> Any:
    """Return the recipe's parameters, for one epoch of few films."""
    content = laid_over(read_params(ROOT / "params.yaml"), read_recipe(ROOT, path))
    content["ceph"]["ingest"]["size"] = SIZE
    model, train = (content[path.parent.name][part] for part in ("model", "train"))
    train |= {"epochs": 1, "warmup_epochs": 0, "batch_size": 3}
    if "freeze_epochs" in train:
        train["freeze_epochs"] = 0
    if model["weights"] == PRETRAINED:
        model["weights"] = NONE
    if model["backbone"] == "resnet50" and path.stem != WHOLE:
        model["backbone"] = SMALLER
    if model["network"] in ("timm", "unet"):
        model["input_size"] = SIZE
    task = find_task(path.parent.name)
    return typed(content, task.name, task.params)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what recipes that start from another's model look for."""
    folder = tmp_path_factory.mktemp("root")
    for name in LEFT_BY:
        params = parameters(ROOT / "recipes" / "ceph-landmarks" / f"{name}.yaml")
        smaller = params.model.model_copy(update={"backbone": SMALLER})
        network, _ = make_network(smaller, NONE)
        for task in ("ceph-landmarks", "ceph-cvm"):
            path = folder / START / task / f"{name}.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(network.state_dict(), path)
            path.with_name(f"{path.name}.dvc").touch()  # what it holds is DVC's concern
    return folder


def test_every_model_of_the_founders_has_its_recipe() -> None:
    assert {path.stem for path in RECIPES} >= NAMES


def stands_for_all(path: Path) -> Any:
    """Return the recipe as a parameter; all but one have their training beside the others of its kind."""
    marks = () if path.stem == ALWAYS else pytest.mark.train_all
    return pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", map(stands_for_all, RECIPES))
def test_it_runs_for_an_epoch(
    path: Path,
    films: Rows,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(root)
    task, params = find_task(path.parent.name), parameters(path)
    learns = np.arange(len(films)) % 2 == 0
    (tmp_path / "model").mkdir()
    run = Run(
        task.name, root, tmp_path / "model", tmp_path / "reports", tmp_path / "resume",
        EventLog(tmp_path / "events.jsonl"), {"params": {}, "key": "0"},
    )  # fmt: skip
    task.fit(films.where(learns), films.where(~learns), params, run)
    [epoch] = csv.DictReader((run.folder / HISTORY).read_text().splitlines())
    assert math.isfinite(float(epoch["train_loss"]))
    verdict = json.loads((run.reports / "preflight.json").read_text())
    assert all(check["passed"] for check in verdict["checks"])
    valid = films.where(~learns)
    # An epoch is scored as predictions are: the chosen one is this. Predictions are fp32's, also where a
    # network was trained, and validated, in bf16: they are asked for in bf16 too, on the same processor.
    half = params.train.precision == "bf16-mixed"
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        said = task.predictor(read_bundle(run.folder), params)(valid)
    assert np.isfinite(said).all()
    scores = task.metrics(said, task.labels(valid))
    assert scores[task.headline.metric] == pytest.approx(
        float(epoch[task.headline.metric]), rel=1e-3
    )
    starts = json.loads((run.folder / RECORD).read_text())["model"]["first_weights"]
    if params.model.weights == NONE:
        assert starts == NONE
    else:
        assert (
            f"first weights from {START / task.name / params.model.weights}"
            in capsys.readouterr().out
        )
        first, carried = starts.split(": ")[1].split(", ")[0].rsplit(" of ")
        assert first == f"encoder {carried}"
