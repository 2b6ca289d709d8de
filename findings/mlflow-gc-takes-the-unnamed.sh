#!/usr/bin/env bash
# `mlflow gc --run-ids X` (MLflow 3.17.2, SQLite store) also removes, for good, every experiment in the trash with its
# runs, and every logged model in the trash; `--experiment-ids X` every run and logged model in the trash, of
# whatever experiment. None of them was named, and no question is asked. Seen in mlflow/cli,
# `_gc_tracking_resources`: each kind of which no id is given counts as all of that kind in the trash.
# Known there (mlflow/mlflow#25563, open).
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" mlflow==3.17.2 sqlalchemy==2.1.9
cd "$folder"
MLFLOW_DISABLE_TELEMETRY=true MLFLOW_LOGGING_LEVEL=ERROR HOME=$folder "$folder/env/bin/python" -W ignore - <<'CODE'
import sqlite3
import subprocess
import sys

import mlflow
from mlflow import MlflowClient


def left(choice: str) -> list[dict[str, bool]]:
    """What is in the store before and after a gc of one named run, or of one named experiment."""
    path = f"{choice}.db"
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    client = MlflowClient()
    mine, other, third = (client.create_experiment(name) for name in ("mine", "other", "third"))
    named, trashed, inside = (client.create_run(where).info.run_id for where in (mine, mine, other))
    model = client.create_logged_model(mine, name="model").model_id
    client.delete_run(named)
    client.delete_run(trashed)
    client.delete_logged_model(model)
    client.delete_experiment(other)
    client.delete_experiment(third)

    def present() -> dict[str, bool]:
        columns = ("experiments.experiment_id", "runs.run_uuid", "logged_models.model_id")
        with sqlite3.connect(path) as store:
            ids = {str(id) for table, _, column in (each.partition(".") for each in columns)
                   for (id,) in store.execute(f"select {column} from {table}")}
        return {"a trashed run": trashed in ids, "a trashed experiment": other in ids, "its run": inside in ids,
                "a trashed model": model in ids}

    before = present()
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", f"sqlite:///{path}", "--tracking-uri",
               f"sqlite:///{path}", f"--{choice}", named if choice == "run-ids" else third]
    subprocess.run(command, check=True, capture_output=True)
    return [before, present()]


print(f"mlflow {mlflow.__version__}")
wrong = False
for choice, expected in (("run-ids", [True, False, False, False]), ("experiment-ids", [False, True, False, False])):
    before, after = left(choice)
    print(f"gc --{choice} of another one leaves:", *(name for name in after if after[name]))
    wrong |= not all(before.values()) or list(after.values()) != expected
sys.exit(wrong)
CODE
