#!/usr/bin/env bash
# On a CPU ultralytics 8.4.190 trains with no loader process, whatever `workers` asks, without a warning: the printed
# arguments and the run's args.yaml keep the number that was asked, and only a later line of the log, of how many
# loader processes there are, says 0. The same loader made with that number has them, so that it is not the data's
# size. Seen in ultralytics/engine/trainer.py, `BaseTrainer.__init__`: args.yaml is written and the arguments
# are printed, and then the number becomes 0 where the device is `cpu` or `mps`.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" ultralytics==8.4.190 opencv-python-headless==5.0.0.93 \
  torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
export YOLO_CONFIG_DIR=$folder YOLO_OFFLINE=true MPLCONFIGDIR=$folder
"$folder/env/bin/python" -c "import ultralytics" > "$folder/first"  # writes its settings, and tells it
"$folder/env/bin/python" -W ignore - <<'CODE'
import contextlib
import io
import logging
import sys
from pathlib import Path

import yaml
from PIL import Image

import ultralytics
from ultralytics.models.yolo.classify import ClassificationTrainer

for part in ("train", "val"):
    for number, name in enumerate(("dark", "light")):
        folder = Path("data", part, name)
        folder.mkdir(parents=True)
        for index in range(4):
            Image.new("RGB", (32, 32), (90 * number + index,) * 3).save(folder / f"{index}.png")
said = io.StringIO()
logging.getLogger("ultralytics").handlers = [logging.StreamHandler(said)]
asked = {"model": "yolo11n-cls.yaml", "data": str(Path("data").absolute()), "device": "cpu", "workers": 2,
         "epochs": 1, "imgsz": 32, "batch": 4, "plots": False, "project": str(Path("runs").absolute())}
with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
    trainer = ClassificationTrainer(overrides=asked)
    trainer.train()
    used = trainer.train_loader.num_workers
    trainer.args.workers = 2
    possible = trainer.get_dataloader(str(Path("data/train").absolute()), 4, rank=-1).num_workers
written = yaml.safe_load((trainer.save_dir / "args.yaml").read_text())["workers"]
printed = "workers=2" in said.getvalue()
warned = any("workers" in line for line in said.getvalue().splitlines() if "WARNING" in line)
[told] = [line for line in said.getvalue().splitlines() if "dataloader workers" in line]
print(f"ultralytics {ultralytics.__version__}: asked 2 workers, args.yaml says {written}, the loader had {used}")
print(f"printed as asked: {printed}; told in the log: {told!r}; a warning: {warned}; with 2 after all: {possible}")
sys.exit((written, used, possible, printed, warned) != (2, 0, 2, True, False) or "0" not in told)
CODE
