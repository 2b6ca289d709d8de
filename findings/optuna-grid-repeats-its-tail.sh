#!/usr/bin/env bash
# A grid that two workers share is run with more trials than it has points (Optuna 5.0.0): a worker that is free
# while the last point is still computed gets the same point once more, though no point is left that nobody took.
# It ends the study as well when it is done first. With one worker each point is run once. Seen in
# optuna/samplers/_grid.py, `_get_unvisited_grid_ids`: where every point is started, those that are not finished
# count as free (meant so there: a worker may have died). So a grid's number of trials is no number of points.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" optuna==5.0.0
cd "$folder"
"$folder/env/bin/python" -W ignore - <<'CODE'
import sys
import time

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
GRID = {"x": [0, 1, 2]}


def drawn(workers: int) -> list[int]:
    """The points of all trials, in their order, where the third trial takes longest."""
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(GRID, seed=0))

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_categorical("x", GRID["x"])
        time.sleep(2 if trial.number == 2 else 0.2)
        return x

    study.optimize(objective, n_jobs=workers)
    return [trial.params["x"] for trial in study.trials]


alone, shared = drawn(1), drawn(2)
print(f"optuna {optuna.__version__}, a grid of three points")
print("one worker:", *alone)
print("two workers:", *shared)
sys.exit(sorted(alone) != [0, 1, 2] or len(shared) != 4 or shared[3] != shared[2] or set(shared) != {0, 1, 2})
CODE
