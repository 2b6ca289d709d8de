"""`params.yaml`: what a person is told of a typo, a wrong type, an impossible combination."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assay import contract
from assay.errors import AssayError, ParamsError
from assay.params import check_params, declared_part, read_params
from assay.params_check import check_file

ROOT = Path(__file__).parents[2]
TASK, DATA = "hemoglobin-conjunctiva", "hemoglobin.conjunctiva"


@pytest.fixture
def content() -> dict[str, Any]:
    names = {name: model for name, model in contract.sections().items() if "toy" not in name}
    whole = copy.deepcopy(read_params(ROOT / "params.yaml"))
    check_params(whole, names)
    return whole


def told(content: dict[str, Any]) -> str:
    names = {name: model for name, model in contract.sections().items() if "toy" not in name}
    with pytest.raises(ParamsError) as caught:
        check_params(content, names)
    return caught.value.render()


def test_a_misspelt_key_is_named_with_its_neighbour(content: dict[str, Any]) -> None:
    content[TASK]["train"]["epoch"] = content[TASK]["train"].pop("epochs")
    text = told(content)
    assert f"{TASK}.train.epoch: unknown key" in text
    assert f"did you mean {TASK}.train.epochs?" in text
    assert f"{TASK}.train.epochs: missing" in text


def test_a_misspelt_section_is_named_with_its_neighbour(content: dict[str, Any]) -> None:
    content["hemoglobin-conjuctiva"] = content.pop(TASK)
    assert f"did you mean {TASK}?" in told(content)


def test_a_misspelt_part_is_named_with_its_neighbour(content: dict[str, Any]) -> None:
    content["hemoglobin"]["conjuctiva"] = {}
    assert f"did you mean {DATA}?" in told(content)


@pytest.mark.parametrize(
    ("part", "key", "value", "expected"),
    [
        ("train", "epochs", "ten", "valid integer"),
        ("train", "epochs", 0, "greater than or equal to 1"),
        ("train", "epochs", 1.5, "valid integer"),
        ("train", "device", "gpu", "'cpu' or 'cuda'"),
        ("train", "augment", ["flip"], "'hflip', 'vflip', 'crop' or 'tilt'"),
        ("model", "dropout", 1.0, "less than 1"),
    ],
)
def test_a_wrong_value_is_told_with_its_path(
    content: dict[str, Any], part: str, key: str, value: Any, expected: str
) -> None:
    content[TASK][part][key] = value
    text = told(content)
    assert f"-S '{TASK}.{part}.{key}" in text
    assert expected in text


def test_an_impossible_combination_is_told(content: dict[str, Any]) -> None:
    content[TASK]["train"]["warmup"] = content[TASK]["train"]["epochs"]
    assert "warmup 14 below epochs 14" in told(content)


def test_all_faults_are_told_at_once(content: dict[str, Any]) -> None:
    content[TASK]["train"]["epochs"] = "ten"
    content["hemoglobin"]["conjunctiva"]["split"]["test"] = 0.9
    assert told(content).count("error:") == 2


def test_task_and_data_must_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import assay.systems

    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
    text = (ROOT / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("    fold: 0 ", "    fold: 9 "))
    with pytest.raises(ParamsError, match=r"fold 9, but .*folds is 9"):
        check_file(path)


def test_a_hand_written_exponent_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: {lr: 1e-4}\n")
    assert read_params(path) == {"a": {"lr": 1e-4}}


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a:\n  b: [1\nc: 2\n")
    with pytest.raises(AssayError, match=r"line 3: not YAML"):
        read_params(path)


def test_an_undeclared_section_names_the_line_to_add() -> None:
    with pytest.raises(AssayError, match=r"params: - hemoglobin-conjunctiva"):
        declared_part({}, TASK, contract.find_task(TASK).params)


def test_the_whole_check_takes_less_than_a_second() -> None:
    """CPU time of the check alone, interpreter and imports included; it takes 0.3 s."""
    code = (
        "import time; from pathlib import Path; from assay.params_check import check_file;"
        "check_file(Path('params.yaml')); print(time.process_time())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 1
