"""What a plan's own functions raise, told as a check: the field, the words, the line, no traceback."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.contract.checks import Check
from assay.errors import AssayError
from assay.learning.memory import is_out_of_memory

# Frames that are not a person's: the standard library, installed packages, and the gates.
FOREIGN = (*map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), str(Path(__file__).parent))


class PlanError(Exception):
    """A plan's own function raised; `check` says which."""

    def __init__(self, check: Check) -> None:
        self.check = check
        super().__init__(check.found)


@contextmanager
def calling(check: str, field: str, expected: str, rows: int = 0) -> Iterator[None]:
    """Run what calls `field`, of a plan or a set; what it raises is the check's failure.

    Raises:
        PlanError: it raised something that is neither said in Assay's own words nor a lack of memory.
    """
    try:
        yield
    except (AssayError, PlanError):
        raise
    except Exception as fault:
        if is_out_of_memory(fault):
            raise
        words = str(fault).strip().partition("\n")[0]
        found = f"{field} raised {type(fault).__name__}: {words} ({_line(fault)})"
        raise PlanError(Check(check, False, expected, found, rows, (), f"mend {field}")) from fault


def _line(fault: Exception) -> str:
    """Return file and line of the innermost frame that a person wrote, or else of the innermost."""
    frames = traceback.extract_tb(fault.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(FOREIGN)]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
