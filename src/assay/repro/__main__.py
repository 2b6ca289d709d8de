"""`python -m assay.repro <process> …`: DVC's own command line, in a process that dies with that one."""

from __future__ import annotations

import os
import sys

from assay.runs.parent import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    parent, *arguments = sys.argv[1:]
    if os.getppid() != int(parent):  # it died while this process was starting
        raise SystemExit(1)
    from dvc.cli import main

    sys.argv = ["dvc", *arguments]  # so other dvc processes name it where it is in their way
    raise SystemExit(main(arguments))
