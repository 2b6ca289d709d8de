"""`python -m assay.stages <stage>`: how DVC starts a stage; its errors without a traceback."""

from __future__ import annotations

import importlib
import sys

from assay.errors import AssayError
from assay.stages.guard import guard


def run(name: str) -> None:
    """Guard, then run the stage's `main`, and end the process with its status."""
    try:
        guard(name)
        # Only now: a foreign interpreter has none of what these import.
        launch = importlib.import_module("assay.stages.launch").launch
        launch(importlib.import_module(f"assay.stages.{name}").main)
    except AssayError as error:
        print(error.render(), file=sys.stderr, flush=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    run(sys.argv[1])
