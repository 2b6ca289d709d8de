"""`python -m assay.stages <stage>`: how DVC starts a stage; its errors without a traceback."""

from __future__ import annotations

import importlib
import os
import sys

from assay.errors import AssayError
from assay.stages.guard import guard


def run(name: str) -> None:
    """Guard, then run the stage's `main`, and end the process with its status."""
    try:
        guard(name)
        start(name)
    except AssayError as error:
        print(error.render(), file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def start(name: str) -> None:
    """Run a stage; only now is anything imported that a foreign interpreter may lack."""
    main = importlib.import_module(f"assay.stages.{name}").main
    if name == "code":
        main(os.environ["DVC_STAGE"].partition("@")[2])
        return
    importlib.import_module("assay.stages.launch").launch(main)


if __name__ == "__main__":
    run(sys.argv[1])
