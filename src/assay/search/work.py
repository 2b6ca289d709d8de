"""A worker: a process that trains trials one after another until the budget is spent.

    python -m assay.search.work <folder of the study> <trials> <process of the driver>

It dies with the driver that started it. Its working folder is the repository's root.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from assay.errors import AssayError
from assay.runs.parent import die_with_parent
from assay.search.plan import read_plan
from assay.search.storage import Badge, Store
from assay.search.trial import REASON, Material, run_trial
from assay.search.turns import make_pruner, next_trial

FAILED = 3  # trials in a row, and the study ends: that is no unlucky draw


def work(folder: Path, wanted: int) -> None:
    """Run trials while there are any.

    Raises:
        AssayError: nothing can come of this study; the last reason is given.
    """
    plan, root = read_plan(folder), Path.cwd()
    store, badge = Store(plan, root), Badge(folder)
    store.study.pruner = make_pruner(store)
    made_of = Material.read(plan.task, root)
    row = 0
    made_of.code.ensure_same()
    while (trial := next_trial(store, badge, wanted)) is not None:
        shown = ", ".join(f"{key}={value}" for key, value in plan.values(trial.params).items())
        print(f"[TRIAL] {trial.number}: {shown}", flush=True)
        told = run_trial(store, trial, made_of)
        if told is None:
            continue
        made_of.code.ensure_same()
        row = row + 1 if told.state.name == "FAIL" else 0
        if row == FAILED:
            raise AssayError(
                f"search {plan.title}",
                f"{FAILED} trials in a row failed; the last: {told.user_attrs[REASON]}",
                mend="narrow the space, or run one by hand: dvc exp run -S …",
            )


if __name__ == "__main__":
    die_with_parent()
    if os.getppid() != int(sys.argv[3]):  # it died while this process was starting
        raise SystemExit(1)
    try:
        work(Path(sys.argv[1]), int(sys.argv[2]))
    except AssayError as error:
        print(error.render(), flush=True)
        raise SystemExit(1) from None
