"""A pipeline of seven stages that do next to nothing, under real DVC: scheduling itself is looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tests.conftest import ROOT, Project, environment

# Every stage writes what it depends on, and its own name; `meet` waits until its partner has begun too.
STAGE = """
import os, signal, sys, time
from pathlib import Path

name, *needs = sys.argv[1:]
Path("begun").mkdir(exist_ok=True)
with open(f"begun/{name}", "a") as log:
    log.write(f"{os.getpid()}\\n")
if Path(f"{name}.meets").exists():
    other = Path("begun", Path(f"{name}.meets").read_text().strip())
    for _ in range(1200):
        if other.exists():
            break
        time.sleep(0.05)
    else:
        sys.exit(f"{name} was alone")
if Path(f"{name}.fails").exists():
    print(f"error: {name}: no luck", flush=True)
    sys.exit(1)
if Path(f"{name}.kills").exists():
    Path(f"{name}.kills").unlink()
    os.kill(os.getppid(), signal.SIGKILL)
text = "".join(Path(f"{need}.txt").read_text() for need in needs) + Path("seed").read_text()
Path(f"{name}.txt").write_text(f"{name}: {len(text)} {'' if name == 'same' else text}\\n")
"""
NEEDS = {
    "first": (), "same": ("first",), "left": ("same",), "right": ("same",), "lefter": ("left",),
    "both": ("lefter", "right"), "apart": (),
}  # fmt: skip
DRIVER = """
import sys
from pathlib import Path
from rich.console import Console
from assay.errors import AssayError
from assay.repro.plan import plan_repro
from assay.repro.run import run_plan
jobs, keep_going, *targets = sys.argv[1:]
try:
    plan = plan_repro(Path.cwd(), targets)
    run_plan(plan, Path.cwd(), int(jobs), keep_going == "k", Console(width=200))
except AssayError as error:
    sys.exit(error.render())
"""


class Pipeline(Project):
    """The small pipeline in a folder of its own."""

    def start_with(self) -> None:
        """Write the pipeline, and make it a repository."""
        self.folder.mkdir()
        (self.folder / "stage.py").write_text(STAGE)
        self.put("seed", "1")
        (self.folder / ".gitignore").write_text("/begun/\n/*.meets\n/*.kills\n/*.fails\n/.assay/\n")
        stages = {
            name: {
                "cmd": f"exec {sys.executable} stage.py {name} {' '.join(needs)}",
                "deps": [f"{need}.txt" for need in needs] or ["seed"], "outs": [f"{name}.txt"],
            }
            for name, needs in NEEDS.items()
        }  # fmt: skip
        YAML().dump({"stages": stages}, self.folder / "dvc.yaml")
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "config", "user.name", "Test")
        self.run("git", "config", "user.email", "test@example.org")
        self.run("dvc", "init", "-q")
        self.commit("Start")

    def put(self, name: str, text: str = "") -> None:
        """Write a small file; `<stage>.fails`, `.kills` and `.meets` steer a stage."""
        (self.folder / name).write_text(text)

    def driver(self, *targets: str, jobs: int = 2, keep_going: bool = False) -> list[str]:
        """Return the command that runs what changed."""
        keep = "k" if keep_going else "-"
        return [sys.executable, "-c", DRIVER, str(jobs), keep, *targets]

    def repro(
        self, *targets: str, jobs: int = 2, keep_going: bool = False, fails: bool = False
    ) -> str:
        """Run what changed with this checkout's code; return what was printed."""
        command = self.driver(*targets, jobs=jobs, keep_going=keep_going)
        return self.run(*command, fails=fails, PYTHONPATH=str(ROOT / "src"))

    def begin(self, *targets: str) -> subprocess.Popen[bytes]:
        """Start the same without waiting for it."""
        with (self.folder / ".assay-driver.log").open("wb") as stream:
            return subprocess.Popen(
                self.driver(*targets), cwd=self.folder, stdout=stream, stderr=stream,
                env=environment(PYTHONPATH=str(ROOT / "src")), start_new_session=True,
            )  # fmt: skip

    def runs(self, name: str) -> int:
        """Return how often a stage has run."""
        log = self.folder / "begun" / name
        return len(log.read_text().splitlines()) if log.exists() else 0

    def process(self, name: str) -> int:
        """Return the process that ran a stage last."""
        return int((self.folder / "begun" / name).read_text().splitlines()[-1])

    def outputs(self) -> dict[str, str]:
        """Return every output that is there."""
        paths = [self.folder / f"{name}.txt" for name in NEEDS]
        return {path.name: path.read_text() for path in paths if path.exists()}

    def lock(self) -> dict[str, Any]:
        """Return the entries of dvc.lock; their order is that in which stages ended.

        DVC empties the file before it writes it anew: what is read meanwhile has fewer entries, or none.
        """
        try:
            content = YAML(typ="safe").load(self.folder / "dvc.lock") or {}
        except YAMLError:
            content = {}
        found: dict[str, Any] = content.get("stages") or {}
        return found


def alone(folder: Path) -> Pipeline:
    """Return a small pipeline in which nothing has run."""
    made = Pipeline(folder)
    made.start_with()
    return made
