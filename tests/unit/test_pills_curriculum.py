"""The curriculum of pills: what a stage is judged by, what the ledger keeps, which stage is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from dvc.repo import Repo
from ruamel.yaml import YAML
from tests.conftest import ROOT, Project

from assay.__main__ import cli
from assay.doctor.ledger import check_ledger
from assay.errors import AssayError, GateError, RegistryError
from assay.learning.scoring import score
from assay.manifest.table import write_table
from assay.params import read_params
from assay.registry.curriculum import CURRICULUM, ensure_open
from assay.registry.ledger import Entry, append, entries
from assay.runs.events import EventLog, events_path
from assay.runs.files import read_json, write_json, write_text
from assay.runs.scores import as_table
from assay.sections.task import Evaluate
from assay.systems.pills.data.curriculum import STAGES
from assay.systems.pills.tasks.classifier import Classifier

SOURCE = {"url": "phantom", "listing_digest": "0" * 32}
MANIFEST, ROWS = "data/pills/manifest.parquet", "data/pills/trainval.parquet"
WEIGHTS = "models/pills-classifier/weights.safetensors"
SCORES = "reports/pills-classifier/scores.csv"
TOGETHER = "models/pills-combo/run.json"
# What the pipeline's stages leave, and from what: as in `dvc.yaml`, without what computes it.
MADE: dict[str, tuple[str, str, list[str]]] = {
    "ingest": ("pills", MANIFEST, []),
    "split": ("pills", ROWS, [MANIFEST]),
    "train": ("pills-classifier", WEIGHTS, [ROWS]),
    "find": ("pills-detector", "models/pills-detector/weights.safetensors", [ROWS]),
    "evaluate": ("pills-classifier", SCORES, [ROWS, WEIGHTS]),
    "pipeline": ("pills-combo", TOGETHER, [WEIGHTS, "models/pills-detector/weights.safetensors"]),
}  # fmt: skip


class Checkout(Project):
    """A checkout with results of a stage, under real DVC."""

    def begin(self) -> None:
        self.folder.mkdir()
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "config", "user.name", "Test")
        self.run("git", "config", "user.email", "test@example.org")
        Repo.init(str(self.folder)).close()
        stages: dict[str, Any] = {
            name: {"foreach": [item], "do": {"cmd": "true", "deps": deps, "outs": [out]}}
            for name, (item, out, deps) in MADE.items()
        }
        stages["ingest"]["do"]["params"] = ["pills.source", "pills.ingest"]
        YAML().dump({"stages": stages}, self.folder / "dvc.yaml")
        write_json(self.folder / "data/pills.source.json", SOURCE)
        YAML().dump({"pills": read_params(ROOT / "params.yaml")["pills"]}, self.path("params.yaml"))
        self.path(".gitignore").write_text("/.assay/\n")

    def path(self, name: str) -> Path:
        return self.folder / name

    def trained(
        self, stage: Any = 1, top1: float = 0.8, usable: int | None = None, drugs: int | None = None
    ) -> None:
        """Commit results of a stage: all that it asks of the data, where nothing else is said."""
        goal = STAGES.get(stage, STAGES[1])
        self.set(**{"pills.ingest.stage": stage})
        count = np.arange(goal.images)
        rows = pl.DataFrame(
            {"subset": "train", "classes": count[:, None] % (drugs or goal.classes)}
        )
        status = np.where(count < (goal.images if usable is None else usable), "ok", "broken")
        tests = pl.DataFrame({"subset": ["test"] * 9, "status": ["ok"] * 9})
        facts = {
            "split_digest": f"split of {stage}", "group_kind": "session", "source": "phantom",
            "listing_digest": SOURCE["listing_digest"],
        }  # fmt: skip
        listed = pl.concat([rows.select("subset", status=pl.Series(status)), tests])
        write_table(self.path(MANIFEST), listed, facts)
        write_table(self.path(ROWS), rows.filter(pl.Series(status) == "ok"), facts)
        write_text(self.path(SCORES), as_table(scored(top1)))
        for name in ("classifier", "detector"):
            weights = self.path(f"models/pills-{name}/weights.safetensors")
            weights.parent.mkdir(parents=True, exist_ok=True)
            weights.write_text(f"weights of {name}, stage {stage}, {top1}")
        key = f"{stage} {top1}"
        write_json(self.path(TOGETHER), {"stage": "pipeline@pills-combo", "key": key})
        with Repo(str(self.folder)) as repo:
            repo.commit(force=True)
        self.commit(f"Train stage {stage}")

    def timed(self, **p95: float) -> None:
        """Journal latencies as the pipeline does."""
        key = read_json(self.path(TOGETHER))["key"]
        times = {mode: {"median": 9.0, "p95": ms, "photographs": 40} for mode, ms in p95.items()}
        events = EventLog(events_path(self.folder, "pipeline@pills-combo", key))
        events.note("start")
        events.note("latency", {"device": "EPYC, 1 thread", **times})
        events.note("end")

    def asked(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["curriculum", "pills", *arguments])

    def ensure_open(self, stage: Any, **params: Any) -> None:
        """Ask for a stage as whoever starts one does."""
        asked = {"source": "phantom", "ingest": {"stage": stage}, **params}
        ensure_open(self.folder, "pills", {"pills": asked})

    def verdicts(self) -> Sequence[Entry]:
        return [entry for entry in entries(self.folder) if entry.kind == CURRICULUM]


def scored(top1: float) -> dict[str, Any]:
    """Return the metrics of 1,000 pills of which so many are named."""
    labels = np.arange(1000) % 10
    said = np.where(np.arange(1000) < round(1000 * top1), labels, (labels + 1) % 10)
    sure, trivial = (np.eye(10, dtype=np.float32)[each] for each in (said, 0 * said))
    how = Evaluate(n_resamples=100, confidence_level=0.95, seed=1, best_of=1)
    named = labels[:, None].astype(np.float32)
    return score(Classifier(), sure, trivial, named, np.arange(1000) // 20, how)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    made = Checkout(tmp_path / "checkout")
    made.begin()
    monkeypatch.chdir(made.folder)
    return made


def said(checkout: Checkout, *verb: str) -> list[str]:
    """Return the words of what a verb prints."""
    return checkout.assay(*verb).split()


def overruled(gate: str, reason: str) -> tuple[str, ...]:
    return ("--override", gate, "--reason", reason)


def test_0_749_is_kept_as_failed_and_the_next_stage_is_refused(checkout: Checkout) -> None:
    checkout.trained(1, top1=0.749)
    done = checkout.asked()
    assert isinstance(done.exception, GateError)
    assert "ok    images: 5,000 of 5,000 usable" in done.stdout
    assert "STOP  accuracy: 0.749, 0.78 asked · pills-classifier  TOP1 0.749 [0." in done.stdout
    assert "skill 0." in done.stdout
    (entry,) = checkout.verdicts()
    assert list(entry.facts["refused"]) == ["accuracy"]
    assert entry.facts["commit"] == checkout.run("git", "rev-parse", "HEAD").strip()
    with pytest.raises(GateError, match=r"stage 1 failed: accuracy: 0\.749, 0\.78 asked") as told:
        checkout.ensure_open(2)
    assert "assay curriculum pills (--override GATE --reason '…')" in told.value.mend
    assert "pills.ingest.stage: 2" in told.value.where
    for free in (1, "all"):
        checkout.ensure_open(free)
    assert "stage 1 of pills failed: accuracy" in " ".join(said(checkout, "ledger", "pills"))
    assert not check_ledger(checkout.folder, False).findings
    assert not checkout.run("git", "status", "--porcelain")


def test_what_another_version_of_the_metrics_scored_is_refused(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be high enough; it is of something else."""
    checkout.trained(1, top1=0.99)
    monkeypatch.setattr(Classifier, "metrics_version", 2)
    refused = str(checkout.asked().exception)
    assert "accuracy: scored by version 1 of its metrics; today's are 2" in refused
    assert "dvc repro evaluate@pills-classifier" in refused
    assert "0.99" not in refused


def test_a_stage_that_nobody_judged_closes_the_next(checkout: Checkout) -> None:
    with pytest.raises(GateError, match="stage 1 has no verdict"):
        checkout.ensure_open(2)
    append(checkout.folder, CURRICULUM, "by hand", {"data": "pills", "stage": 1, "refused": {}})
    with pytest.raises(GateError, match="stage 1 has no verdict"):
        checkout.ensure_open(2)


def test_an_override_names_a_gate_and_a_reason_and_opens(checkout: Checkout) -> None:
    checkout.trained(1, top1=0.749)
    for gate, reason, words in (("acuracy", "x", "no such gate"), ("accuracy", "  ", "no reason")):
        refused = checkout.asked(*overruled(gate, reason)).exception
        assert isinstance(refused, RegistryError)
        assert f"--override {gate}: {words}" in str(refused)
    assert checkout.asked("--override", "accuracy").exit_code == 2
    assert not checkout.verdicts()
    failed = checkout.asked(*overruled("images", "x")).exception
    assert isinstance(failed, GateError)
    assert checkout.verdicts()[-1].facts["overrides"] == {}  # of `images` there was no need
    mend = failed.mend.rpartition("or assay curriculum pills ")[2]
    assert mend == "--override accuracy --reason '…'"
    assert checkout.asked(*overruled("accuracy", "  the founders went on  ")).exit_code == 0
    assert checkout.verdicts()[-1].facts["overrides"] == {"accuracy": "the founders went on"}
    checkout.ensure_open(2)
    assert "passed, accuracy overruled: the founders" in " ".join(said(checkout, "ledger", "pills"))
    checkout.trained(1, top1=0.75)  # an override is of the results that it was given for
    checkout.asked()
    with pytest.raises(GateError, match=r"0\.75, 0\.78 asked"):
        checkout.ensure_open(2)


def test_a_passed_stage_opens_the_next_alone(checkout: Checkout) -> None:
    checkout.trained(1, top1=0.78)
    assert checkout.asked().exit_code == 0
    checkout.ensure_open(2)
    with pytest.raises(GateError, match="stage 2 has no verdict"):
        checkout.ensure_open(3)


def test_a_verdict_on_other_data_does_not_open(checkout: Checkout) -> None:
    checkout.trained(1)
    checkout.asked()
    with pytest.raises(GateError, match="stage 1 was judged on another source: phantom"):
        checkout.ensure_open(2, source="../aihub576")
    write_json(Path("data/pills.source.json"), SOURCE | {"listing_digest": "1" * 32})
    with pytest.raises(GateError, match="other files of the source"):
        checkout.ensure_open(2)


def test_a_stage_that_was_trained_past_a_closed_one_is_noticed(checkout: Checkout) -> None:
    checkout.trained(2, top1=0.9)
    done = checkout.asked()
    assert "STOP  previous: stage 1 has no verdict" in done.stdout
    assert isinstance(done.exception, GateError)
    assert list(checkout.verdicts()[-1].facts["refused"]) == ["previous"]


@pytest.mark.parametrize("name", [SCORES, WEIGHTS, ROWS, MANIFEST])
def test_results_of_other_files_are_refused(checkout: Checkout, name: str) -> None:
    checkout.trained(1)
    checkout.path(name).write_bytes(checkout.path(name).read_bytes() + b" ")
    refused = str(checkout.asked().exception)
    assert "stale: " in refused
    assert "dvc repro evaluate@pills-classifier" in refused
    with Repo(str(checkout.folder)) as repo:
        repo.commit(force=True)
    assert "not committed: M dvc.lock" in str(checkout.asked().exception)
    checkout.path(name).unlink()
    assert isinstance(checkout.asked().exception, AssayError)
    assert not checkout.verdicts()


def test_results_of_the_whole_set_are_of_no_stage(checkout: Checkout) -> None:
    checkout.trained("all")
    assert "`all` is no stage" in str(checkout.asked().exception)
    assert not checkout.verdicts()


@pytest.mark.parametrize(("usable", "drugs"), [(4900, 50), (4899, 50), (5000, 49)])
def test_too_few_photographs_or_drugs_fail(checkout: Checkout, usable: int, drugs: int) -> None:
    checkout.trained(1, usable=usable, drugs=drugs)
    done = checkout.asked()
    assert f"images: {usable:,} of 5,000 usable, of {drugs} of 50 classes" in done.stdout
    assert done.exit_code == (0 if (usable, drugs) == (4900, 50) else 1)


def test_latency_is_the_slower_modes_on_a_named_device(checkout: Checkout) -> None:
    checkout.trained(3, top1=0.9)
    missing = checkout.asked()
    assert "STOP  latency: single and combo not measured" in missing.stdout
    assert "dvc repro -f -s pipeline@pills-combo" in str(missing.exception)
    checkout.timed(single=20.0)
    assert "STOP  latency: combo not measured" in checkout.asked().stdout
    checkout.timed(single=20.0, combo=200.5)
    slow = "STOP  latency: p95 200.5 ms (combo), 200 ms asked, on EPYC, 1 thread"
    assert slow in checkout.asked().stdout
    checkout.timed(single=20.0, combo=200.0)
    assert checkout.asked(*overruled("previous", "a test")).exit_code == 0
    assert "EPYC, 1 thread" in checkout.verdicts()[-1].facts["gates"]["latency"]
    checkout.trained(3, top1=0.91)  # other weights: that event log is not theirs
    assert "not measured" in checkout.asked().stdout


def test_a_clone_without_the_ledger_is_told_how_to_get_it(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.trained(1)
    checkout.asked()
    twin = Checkout(tmp_path / "twin")
    checkout.run("git", "clone", "-q", "--single-branch", ".", str(twin.folder))
    monkeypatch.chdir(twin.folder)
    twin.ensure_open("all")
    with pytest.raises(GateError, match="stage 1 has no verdict") as told:
        twin.ensure_open(2)
    mend = told.value.mend.rpartition(": ")[2]
    assert mend == "assay ledger --share origin"
    assert CliRunner().invoke(cli, mend.split()[1:]).exit_code == 0
    twin.ensure_open(2)


def test_data_without_a_curriculum_are_told_so(checkout: Checkout) -> None:
    done = CliRunner().invoke(cli, ["curriculum", "ceph"])
    assert "ceph: has no curriculum" in str(done.exception)
    assert checkout.asked("--reason", "x").exit_code == 2
