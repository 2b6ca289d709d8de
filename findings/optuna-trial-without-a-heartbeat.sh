#!/usr/bin/env bash
# A trial whose process is killed before it gave its first heartbeat stays RUNNING for ever (Optuna 5.0.0, RDBStorage
# with a heartbeat): `fail_stale_trials`, which every `optimize` calls too, passes over it, and no retry callback
# hears of it. Killed in its objective, a trial is failed after the grace period, as told. Seen: `Study.ask` makes the
# trial RUNNING before the sampler draws, which may take seconds, and `optimize` starts the heartbeat after that
# (optuna/study/_optimize.py); `_get_stale_trial_ids` (optuna/storages/_rdb/storage.py) leaves out trials without one.
# That such a trial is left alone is meant there (optuna/optuna#4026).
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" optuna==5.0.0
cd "$folder"
"$folder/env/bin/python" -W ignore - <<'CODE'
import os
import signal
import sys
import time
from multiprocessing import get_context

import optuna
from optuna.storages import RDBStorage, fail_stale_trials

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study(sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    storage = RDBStorage("sqlite:///study.db", heartbeat_interval=1, grace_period=2)
    return optuna.create_study(study_name="study", storage=storage, sampler=sampler, load_if_exists=True)


class Dies(optuna.samplers.RandomSampler):
    def before_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def die(trial: optuna.Trial) -> float:
    time.sleep(0.5)  # the first heartbeat is given
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


for sampler in (Dies(), optuna.samplers.RandomSampler()):
    worker = get_context("fork").Process(target=lambda: study(sampler).optimize(die, n_trials=1))
    worker.start()
    worker.join()
time.sleep(4)
fail_stale_trials(study())
study().optimize(lambda trial: 0, n_trials=1)
drawing, computing, later = (trial.state.name for trial in study().trials)
print(f"optuna {optuna.__version__}, after twice the grace period")
print(f"killed while drawn: {drawing}; killed in its objective: {computing}; a later one: {later}")
sys.exit((drawing, computing, later) != ("RUNNING", "FAIL", "COMPLETE"))
CODE
