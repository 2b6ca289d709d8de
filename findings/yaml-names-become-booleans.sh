#!/usr/bin/env bash
# ruamel.yaml 0.19.1 (YAML 1.2, its default) writes the texts `no`, `yes`, `on`, `off` and `12:30` bare; PyYAML 6.0.3
# (YAML 1.1) reads them back as False, True, True, False and 750. So a class of a data.yaml written with the one is
# another class, and its name no text, to whoever reads with the other, as ultralytics 8.4.190 does: its
# `check_class_names` turns what was read to text, and the class `no` is called `False`, without a warning. `null`, `1`,
# `1e3`, `0x1` are quoted by ruamel.yaml. Quoted by hand (`DoubleQuotedScalarString`) all come back.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" ruamel.yaml==0.19.1 PyYAML==6.0.3 ultralytics==8.4.190 \
  opencv-python-headless==5.0.0.93 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
export YOLO_CONFIG_DIR=$folder YOLO_OFFLINE=true MPLCONFIGDIR=$folder
"$folder/env/bin/python" -c "import ultralytics" > "$folder/first"  # writes its settings, and tells it
"$folder/env/bin/python" -W ignore - <<'CODE'
import sys
from importlib.metadata import version
from pathlib import Path

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ultralytics.data.utils import check_det_dataset

NAMES = ["no", "yes", "on", "off", "12:30", "null", "1", "1e3", "0x1"]


def read_back(kind):
    for half in ("train", "val"):
        Path(half).mkdir(exist_ok=True)
    told = {"path": str(Path.cwd()), "train": "train", "val": "val", "names": dict(enumerate(map(kind, NAMES)))}
    with Path("data.yaml").open("w") as stream:
        YAML().dump(told, stream)
    plain = yaml.safe_load(Path("data.yaml").read_text())["names"]
    return list(plain.values()), list(check_det_dataset("data.yaml", autodownload=False)["names"].values())


bare, called = read_back(str)
quoted, called_quoted = read_back(DoubleQuotedScalarString)
print(f"ruamel.yaml {version('ruamel.yaml')}, PyYAML {version('PyYAML')}, ultralytics {version('ultralytics')}")
print(f"written {NAMES}\nread    {bare}\ncalled  {called}\nquoted  {quoted}")
sys.exit(
    bare != [False, True, True, False, 750, *NAMES[5:]]
    or called != ["False", "True", "True", "False", "750", *NAMES[5:]]
    or quoted != NAMES
    or called_quoted != NAMES
)
CODE
