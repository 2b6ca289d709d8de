#!/usr/bin/env bash
# `MlflowClient.search_model_versions` (MLflow 3.17.2, SQLite store) gives every version an empty list of aliases, and
# so do `latest_versions` of `search_registered_models`. `get_model_version`, `get_model_version_by_alias` and the
# model's own `aliases` have them. Who searches for versions without an alias finds the champion among them.
# Seen in mlflow/store/model_registry: `SqlModelVersion.to_mlflow_entity` (dbmodels/models.py) leaves the list
# empty, and `search_model_versions` (sqlalchemy_store.py) does not fill it, as the others do.
# Known there (mlflow/mlflow#16734, open).
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" mlflow==3.17.2 sqlalchemy==2.1.9
cd "$folder"
MLFLOW_DISABLE_TELEMETRY=true MLFLOW_LOGGING_LEVEL=ERROR HOME=$folder "$folder/env/bin/python" -W ignore - <<'CODE'
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient

mlflow.set_tracking_uri("sqlite:///store.db")
client = MlflowClient()
client.create_registered_model("model")
client.create_model_version("model", Path("source").absolute().as_uri())
client.set_registered_model_alias("model", "champion", "1")
[searched] = client.search_model_versions("name = 'model'")
[model] = client.search_registered_models()
found = {
    "search_model_versions": searched.aliases,
    "search_registered_models, latest_versions": [name for each in model.latest_versions for name in each.aliases],
    "search_registered_models, aliases": list(model.aliases),
    "get_model_version": client.get_model_version("model", "1").aliases,
    "get_model_version_by_alias": client.get_model_version_by_alias("model", "champion").aliases,
}
print(f"mlflow {mlflow.__version__}")
for call, aliases in found.items():
    print(f"{call}: {list(aliases)}")
sys.exit([list(aliases) for aliases in found.values()] != [[], [], ["champion"], ["champion"], ["champion"]])
CODE
