"""`python -m assay.stages <stage>`: how DVC starts a stage; its errors without a traceback."""

from __future__ import annotations

import os
import sys

from assay.errors import AssayError
from assay.lookup import imported
from assay.stages.guard import guard


def run(name: str) -> None:
    """Guard, then run the stage's `main`, and end the process with its status."""
    try:
        guard(name)
        status = _status_elsewhere(name)
        if status is not None:
            raise SystemExit(status)
        start(name, is_alone=True)
    except AssayError as error:
        print(error.render(), file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def _status_elsewhere(name: str) -> int | None:
    """Return the status of the stage where `assay repro` has a server that could run it, else None."""
    folder = os.environ.pop("ASSAY_FORK_SERVER", "")
    return imported("assay.repro.forked").run_forked(folder, name) if folder else None


def start(name: str, is_alone: bool) -> None:
    """Run a stage; only now is anything imported that a foreign interpreter may lack.

    Args:
        name: of the stage.
        is_alone: whether this process has imported nothing but the stage's own.
    """
    main = imported(f"assay.stages.{name}").main
    if name == "code":
        main(os.environ["DVC_STAGE"].partition("@")[2])
        return
    loaded = tuple(sys.modules) if is_alone else ()
    imported("assay.stages.launch").launch(main, loaded)


if __name__ == "__main__":
    run(sys.argv[1])
