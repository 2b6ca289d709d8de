#!/usr/bin/env bash
# The file of Optuna's JournalStorage (5.0.0) whose last line a kill cut short still opens: the cut line is passed
# over. Whoever goes on writes right behind it, on the same line: that entry is lost without an error (an attribute
# that was set is not there), and from the second entry on every process fails with JSONDecodeError, and nobody can
# open the study any more. Seen in optuna/storages/journal/_file.py: `append_logs` does not look whether the
# file ends with a line's end; `read_logs` forgives a bad line only where nothing stands behind it.
# Setting back the file to its last whole line before anybody writes keeps the study.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" optuna==5.0.0
cd "$folder"
"$folder/env/bin/python" -W ignore - <<'CODE'
import json
import os
import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)


def opened(path: str) -> optuna.Study:
    return optuna.load_study(study_name="study", storage=JournalStorage(JournalFileBackend(path)))


def after_a_cut(path: str, mended: bool) -> list[object]:
    study = optuna.create_study(study_name="study", storage=JournalStorage(JournalFileBackend(path)))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    os.truncate(path, os.path.getsize(path) - 5)  # as a write that was killed leaves it
    if mended:
        with open(path, "rb") as file:
            os.truncate(path, sum(len(line) for line in file if line.endswith(b"\n")))
    seen: list[object] = [[trial.state.name for trial in opened(path).trials]]
    for name in ("first", "second"):
        try:
            opened(path).set_user_attr(name, 1)
            seen.append(sorted(opened(path).user_attrs))
        except json.JSONDecodeError:
            seen.append("JSONDecodeError")
    return seen


states = ["COMPLETE", "RUNNING"]
cut, mended = after_a_cut("cut.log", mended=False), after_a_cut("mended.log", mended=True)
print(f"optuna {optuna.__version__}: states; attributes after one is set, and after two")
print("cut:", *cut)
print("set back to whole lines:", *mended)
sys.exit(cut != [states, [], "JSONDecodeError"] or mended != [states, ["first"], ["first", "second"]])
CODE
