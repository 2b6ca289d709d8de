"""The pipeline `pills-combo` in tests: its section, and a checkout of untrained networks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from safetensors.torch import save_file

from assay.learning.determinism import reseed
from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.pipeline import TrainedModel, find_pipeline, read_models
from assay.runs.files import file_digest, write_json
from assay.runs.record import RECORD, WEIGHTS
from assay.systems.pills.pipelines import combo_answers
from assay.systems.pills.pipelines.combo_params import CLASSIFIER, DETECTOR, ComboParams
from assay.systems.pills.tasks import detector_model
from assay.systems.pills.tasks.classifier_network import build
from assay.values import on_machine, typed
from tests.pills_set import SIZE

ROOT = Path(__file__).parents[1]
COMBO = find_pipeline("pills")
KNOWN = {"conf": 0.3, "iou": 0.5, "max_det": 12, "padding": 0.1}


def own(**use: Any) -> ComboParams:
    content = read_params(ROOT / "params.yaml")
    content[COMBO.name]["use"] = KNOWN | use
    content[COMBO.name]["evaluate"]["n_resamples"] = 100
    return typed(content, COMBO.name, ComboParams)


def checkout_of(rows: Rows, root: Path) -> Path:
    """Leave parameters and the weights of untrained networks in `root`, as stages leave them."""
    (root / ".dvc").mkdir()
    yaml = YAML()
    content = yaml.load(ROOT / "params.yaml")
    content[CLASSIFIER]["model"] |= {"size": SIZE, "input_size": SIZE}
    content[DETECTOR]["model"] |= {"imgsz": 64, "iou": 0.9}
    yaml.dump(content, root / "params.yaml")
    codes = dict(sorted(combo_answers.code_names(rows).items()))
    for name in (CLASSIFIER, DETECTOR):
        whole = on_machine(content[name], content)
        section = {part: whole[part] for part in ("model", "train")}
        split = {"split_digest": "1", "size": SIZE, "fit": "letterbox"}
        record: dict[str, Any] = {"params": {name: section}, "data": split, "classes": {
            "class_to_idx": {code: number for number, code in codes.items()},
            "train_counts": dict.fromkeys(codes.values(), 3),
        }}  # fmt: skip
        params: Any = typed(content, name, find_task(name).params)
        if name == CLASSIFIER:
            ids = np.array(list(codes))
            reseed(0)
            network, _ = build(params.model, "none", ids, np.full(len(ids), 3))
        else:
            reseed(1)
            network = detector_model.build(params.model.size, 1)
            for key, bias in network.state_dict().items():
                if re.fullmatch(r"model\.23\.cv2\.\d\.2\.bias", key):  # one stride to each side
                    bias.view(4, 16)[:, 1] += 9
        (root / "models" / name).mkdir(parents=True)
        save_file(dict(network.state_dict()), root / "models" / name / WEIGHTS)
        record["files"] = {WEIGHTS: file_digest(root / "models" / name / WEIGHTS)}
        write_json(root / "models" / name / RECORD, record)
    return root


def models_of(checkout: Path, *names: str) -> dict[str, TrainedModel]:
    return read_models(names or (DETECTOR, CLASSIFIER), checkout / "models")
