"""What `params.yaml` says is what DVC reads of it: one loader, the C one, and YAML 1.2."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import load_yaml
from ruamel.yaml import YAML

from assay.errors import AssayError
from assay.params import read_params

ROOT = Path(__file__).parents[2]
SPELT: dict[str, Any] = {
    "1e-4": 1e-4, "1.0e-4": 1e-4, "1E5": 1e5, "+1e3": 1e3, ".5": 0.5, ".inf": math.inf,
    "010": 10, "0o17": 15, "0x1F": 31, "1_000": 1000,
    "yes": "yes", "no": "no", "on": "on", "off": "off", "OFF": "OFF", "y": "y",
    "true": True, "False": False, "12:30": "12:30", "1:30:00": "1:30:00", "~": None, "": None,
    "1.5.2": "1.5.2", "'1'": "1", "!!str 5": "5",
    "[1, 2e3, no]": [1, 2e3, "no"], "{a: 1e-3}": {"a": 1e-3},
}  # fmt: skip


@pytest.mark.parametrize("text", SPELT)
def test_a_value_is_what_dvc_reads_and_what_yaml_1_2_says(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"key: {text}\n")
    found = read_params(path)["key"]
    assert (found, type(found)) == (SPELT[text], type(SPELT[text]))
    assert load_yaml(str(path)) == {"key": found}
    assert YAML(typ="safe", pure=True).load(path.read_text()) == {"key": found}


def test_the_files_own_values_are_those_of_the_loader_in_python() -> None:
    path = ROOT / "params.yaml"
    assert read_params(path) == YAML(typ="safe", pure=True).load(path.read_text())


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(AssayError, match=r"params.yaml, line 3: not YAML: found duplicate key"):
        read_params(path)
