#!/usr/bin/env bash
# `MlflowClient.restore_experiment` (MLflow 3.17.2, SQLite store) restores all runs of the experiment, also one that
# had been deleted by itself before the experiment was; so delete and restore of an experiment empties its trash
# into its table. `delete_experiment` gives such a run a new time of deletion too, so that `mlflow gc --older-than`
# counts from there. Seen in mlflow/store/tracking/sqlalchemy_store.py, `restore_experiment` and `delete_experiment`:
# both mark every run of the experiment, and nothing is kept of how a run came into the trash.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" mlflow==3.17.2 sqlalchemy==2.1.9
cd "$folder"
MLFLOW_DISABLE_TELEMETRY=true MLFLOW_LOGGING_LEVEL=ERROR HOME=$folder "$folder/env/bin/python" -W ignore - <<'CODE'
import sqlite3
import sys
import time

import mlflow
from mlflow import MlflowClient

mlflow.set_tracking_uri("sqlite:///store.db")
client = MlflowClient()
experiment = client.create_experiment("experiment")
good, bad = (client.create_run(experiment).info.run_id for _ in range(2))


def states() -> list[str]:
    return [client.get_run(run).info.lifecycle_stage for run in (good, bad)]


def deleted_at() -> int:
    query = "select deleted_time from runs where run_uuid = ?"
    return sqlite3.connect("store.db").execute(query, [bad]).fetchone()[0]


client.delete_run(bad)
before, first = states(), deleted_at()
time.sleep(0.1)
client.delete_experiment(experiment)
later = deleted_at()
client.restore_experiment(experiment)
after = states()
print(f"mlflow {mlflow.__version__}, two runs, the second deleted")
print("before:", *before, "- after delete and restore of their experiment:", *after)
print(f"the deleted run's time of deletion moved with the experiment's: {later > first}")
sys.exit(before != ["active", "deleted"] or after != ["active", "active"] or later <= first)
CODE
