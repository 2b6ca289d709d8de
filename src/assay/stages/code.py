"""Code: what each stage of a system can reach, by digest; before anything else, standard library only.

Without the launcher, which reads what is written here.
"""

from __future__ import annotations

import shutil

from assay.code.write import FOLDER, write_code


def main(system: str) -> None:
    """Write `code/<system>/` anew."""
    shutil.rmtree(FOLDER / system, ignore_errors=True)
    write_code(system)
