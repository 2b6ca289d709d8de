#!/usr/bin/env bash
# Optuna 5.0.0's `matplotlib.plot_slice` of a study with one parameter gives a figure that matplotlib 3.11.2
# cannot lay out by "constrained": saving it raises ZeroDivisionError. With two parameters it is saved, and so
# it is by "tight". Seen: a lone slice's colour bar stands in a grid of its own with an empty row, by whose
# height the layout divides; with more slices the bar takes its room from all of them, without a grid.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs python3 and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q optuna==5.0.0 matplotlib==3.11.2
MPLBACKEND=Agg MPLCONFIGDIR=$folder "$folder/env/bin/python" -W ignore - "$folder" <<'CODE'
import sys

import matplotlib
import optuna
from optuna.visualization.matplotlib import plot_slice

optuna.logging.set_verbosity(optuna.logging.ERROR)


def saved(parameters: int, layout: str) -> str:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    names = [f"x{number}" for number in range(parameters)]
    study.optimize(lambda trial: sum(trial.suggest_float(name, 0, 1) for name in names), n_trials=5)
    axes = plot_slice(study)
    figure = (axes if parameters == 1 else axes.flat[0]).figure
    figure.set_layout_engine(layout)
    try:
        figure.savefig(f"{sys.argv[1]}/slice.png")
    except ZeroDivisionError:
        return "ZeroDivisionError"
    return "saved"


expected = {(1, "constrained"): "ZeroDivisionError", (1, "tight"): "saved", (2, "constrained"): "saved"}
found = {case: saved(*case) for case in expected}
print(f"optuna {optuna.__version__}, matplotlib {matplotlib.__version__}")
for (parameters, layout), end in found.items():
    print(f"{parameters} parameter(s), {layout}: {end}")
sys.exit(found != expected)
CODE
