"""What depends on the processor's instructions is asserted under fewer of them too, in part.

A training's bits depend on the processor: with AVX-512, AVX2 or neither, torch and oneDNN add in another
order. Tests that assert what came of one bear the marker `numeric`, and run here once more a setting.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parents[1]
FLAGS = Path("/proc/cpuinfo")
# What is set, and the flag of a processor that has what is left.
SETTINGS = [
    ("ATEN_CPU_CAPABILITY", "default", "sse2"),
    ("ATEN_CPU_CAPABILITY", "avx2", "avx2"),
    ("ONEDNN_MAX_CPU_ISA", "SSE41", "sse4_1"),
]


def numeric() -> list[str]:
    """Return the files that have such tests; collecting the others would cost more than it finds."""
    own = Path(__file__)
    files = [path for path in TESTS.rglob("test_*.py") if path != own]
    return sorted(str(path) for path in files if "mark.numeric" in path.read_text())


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=TESTS.parent, env=kept | more, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


@pytest.mark.train_all
@pytest.mark.parametrize(("variable", "value", "flag"), SETTINGS)
def test_numbers_hold_with_fewer_instructions(variable: str, value: str, flag: str) -> None:
    if platform.machine() != "x86_64":
        pytest.skip(f"{variable} is of x86, and this is {platform.machine()}")
    if flag not in FLAGS.read_text().split():
        pytest.skip(f"this processor has no {flag}: {variable}={value} would change nothing")
    done = run("-m", "pytest", "-q", "-n", "0", "-m", "numeric", "-p", "no:cacheprovider", *numeric(),
               **{variable: value})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_setting_reaches_torch() -> None:
    """Otherwise the test above would show nothing."""
    if platform.machine() != "x86_64":
        pytest.skip(f"ATEN_CPU_CAPABILITY is of x86, and this is {platform.machine()}")
    told = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    assert run("-c", told, ATEN_CPU_CAPABILITY="default").stdout.strip() == "DEFAULT"
    assert torch.backends.mkldnn.is_available()
    assert numeric()
