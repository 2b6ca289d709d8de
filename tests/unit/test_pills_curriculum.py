"""The stage gate of pills: what a stage is judged by, what is kept, and which stage ingest refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML
from tests.pills_curriculum_set import METRICS, OUTS, WEIGHTS, Checkout
from tests.pills_set import PILLS, ingest_params, made, read

from assay.__main__ import cli
from assay.errors import AssayError, GateError
from assay.runs.files import file_digest, read_json, write_json
from assay.systems.pills.curriculum.judging import BOTH, STEPS
from assay.systems.pills.curriculum.lock import Lock
from assay.systems.pills.data.verdicts import PLACE, ensure_open, read_verdicts

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    made_at = Checkout(tmp_path / "checkout")
    monkeypatch.chdir(made_at.root)
    return made_at


def test_0_749_is_kept_as_failed_and_ingest_refuses_the_next_stage(
    checkout: Checkout, tmp_path: Path
) -> None:
    table = read(made(tmp_path / "set"))
    checkout.trained(1, top1=0.749)
    done = checkout.asked("--judge")
    assert done.exit_code == 1
    assert isinstance(done.exception, GateError)
    assert "ok    photographs" in done.stdout
    assert "STOP  accuracy: top1 0.7490 [0." in done.stdout
    (entry,) = read_verdicts(checkout.root)
    assert not entry.passed
    assert (entry.stage, entry.score.value, entry.device) == (1, pytest.approx(0.749), "")
    assert entry.weights == {"pills-classifier": file_digest(checkout.root / WEIGHTS)}
    assert entry.split_digest == "split of 1"
    assert entry.commit == checkout.git("rev-parse", "HEAD")
    with pytest.raises(
        GateError, match=r"stage 1 failed: .*top1 0\.7490 \[0\..*\] < 0\.78"
    ) as told:
        PILLS.chosen(table, ingest_params(stage=2))
    assert "--override 1 --reason" in told.value.mend
    assert "pills.ingest.stage: 2" in told.value.where
    for free in (1, "all"):
        assert len(PILLS.chosen(table, ingest_params(stage=free))) == len(table)
    assert "stands there already" in checkout.asked("--judge").stdout  # told twice, kept once
    assert len(read_verdicts(checkout.root)) == 1


def test_a_stage_that_nobody_judged_closes_the_next(checkout: Checkout) -> None:
    with pytest.raises(GateError, match="stage 1 has no verdict"):
        ensure_open(checkout.root, 2)


def test_an_override_has_a_reason_and_opens(checkout: Checkout) -> None:
    reason = ("--reason", "  the founders went on  ")
    assert "has no verdict" in str(checkout.asked("--override", "1", *reason).exception)
    assert not (checkout.root / PLACE).exists()
    checkout.trained(1, top1=0.749)
    checkout.asked("--judge")
    for blank in ((), ("--reason", "  ")):
        assert "no reason" in str(checkout.asked("--override", "1", *blank).exception)
    assert "no such stage" in str(checkout.asked("--override", "5", *reason).exception)
    assert len(read_verdicts(checkout.root)) == 1
    assert checkout.asked("--override", "1", *reason).exit_code == 0
    ensure_open(checkout.root, 2)
    failed, opened = read_verdicts(checkout.root)
    assert (failed.override, opened.override) == (None, "the founders went on")
    assert not opened.passed
    lines = checkout.asked().stdout.splitlines()
    assert "failed: accuracy: top1 0.7490" in lines[0]
    assert "overridden: the founders went on" in lines[1]
    assert lines[-1].startswith("next: stage 2")
    # The same results, judged anew, do not take it back; other results do.
    assert "already" in str(checkout.asked("--override", "1", *reason).exception)
    checkout.asked("--judge")
    ensure_open(checkout.root, 2)
    checkout.trained(1, top1=0.75)
    checkout.asked("--judge")
    with pytest.raises(GateError, match=r"0\.7500"):
        ensure_open(checkout.root, 2)


def test_a_passed_stage_opens_the_next_alone(checkout: Checkout) -> None:
    checkout.trained(1, top1=0.78)
    write_json(checkout.root / "params.yaml", {"pills": {"ingest": {"stage": 2}}})  # edited since
    done = checkout.asked("--judge")
    assert (done.exit_code, read_verdicts(checkout.root)[0].stage) == (0, 1)
    ensure_open(checkout.root, 2)
    with pytest.raises(GateError, match="stage 2 has no verdict"):
        ensure_open(checkout.root, 3)
    assert "passed" in str(checkout.asked("--override", "1", "--reason", "x").exception)


@pytest.mark.parametrize("name", [METRICS, WEIGHTS, OUTS["split"][0], OUTS["ingest"][0]])
def test_results_of_other_files_are_refused(checkout: Checkout, name: str) -> None:
    checkout.trained(1)
    before = (checkout.root / name).read_bytes()
    (checkout.root / name).write_bytes(before + b" ")
    refused = checkout.asked("--judge")
    assert f"{name}: stale" in str(refused.exception)
    assert "dvc repro evaluate@pills-classifier" in str(refused.exception)
    # A lock that holds the new file, but no stage behind it that read it, is no chain either.
    lock = YAML().load(checkout.root / "dvc.lock")
    for entry in lock["stages"].values():
        for out in entry["outs"]:
            out["md5"] = file_digest(checkout.root / name) if out["path"] == name else out["md5"]
    YAML().dump(lock, checkout.root / "dvc.lock")
    said = str(checkout.asked("--judge").exception)
    assert ("not committed" if name == METRICS else "stale: it read another") in said
    (checkout.root / name).unlink()
    assert isinstance(checkout.asked("--judge").exception, AssayError)
    assert not (checkout.root / PLACE).exists()


def test_results_of_the_whole_set_or_of_none_are_of_no_stage(checkout: Checkout) -> None:
    assert "no results of ingest@pills" in str(checkout.asked("--judge").exception)
    checkout.trained("all")
    assert "these results are of `all`" in str(checkout.asked("--judge").exception)
    assert not (checkout.root / PLACE).exists()


@pytest.mark.parametrize(
    ("usable", "drugs", "failed"),
    [(4900, 50, []), (4899, 50, ["photographs"]), (5000, 49, ["drugs"])],
)
def test_too_few_photographs_or_drugs_fail(
    checkout: Checkout, usable: int, drugs: int, failed: list[str]
) -> None:
    checkout.trained(1, usable=usable, drugs=drugs)
    checkout.asked("--judge")
    (entry,) = read_verdicts(checkout.root)
    assert [check.name for check in entry.checks if not check.passed] == failed


def test_latency_is_the_slower_modes_on_a_named_device(checkout: Checkout) -> None:
    checkout.trained(3, top1=0.9)
    missing = checkout.asked("--judge")
    assert "single and combo not measured" in missing.stdout
    assert f"dvc repro -f -s {BOTH[-1]}" in str(missing.exception)
    checkout.timed(single=20.0)
    assert "STOP  latency: combo not measured" in checkout.asked("--judge").stdout
    checkout.timed(single=20.0, combo=200.5)
    slow = checkout.asked("--judge")
    assert "STOP  latency: p95 200.5 ms (combo) > 200 ms on EPYC, 1 thread" in slow.stdout
    assert slow.exit_code == 1
    checkout.timed(single=20.0, combo=200.0)
    assert checkout.asked("--judge").exit_code == 0
    entry = read_verdicts(checkout.root)[-1]
    assert (entry.device, sorted(entry.weights)) == (
        "EPYC, 1 thread", ["pills-classifier", "pills-detector"]
    )  # fmt: skip
    checkout.trained(3, top1=0.91)  # other weights: that journal is not theirs
    assert "not measured" in checkout.asked("--judge").stdout


@pytest.mark.parametrize("fault", ["not json", "passed", "override", "key"])
def test_a_file_that_says_what_no_judgement_said_is_refused(checkout: Checkout, fault: str) -> None:
    checkout.trained(1, top1=0.749)
    checkout.asked("--judge")
    path = checkout.root / PLACE
    told = read_json(path)
    told[0] |= {"passed": {"passed": True}, "override": {"override": " "}, "key": {"x": 1}}.get(
        fault, {}
    )
    path.write_text("[{" if fault == "not json" else json.dumps(told))
    for refused in (lambda: ensure_open(checkout.root, 2), lambda: read_verdicts(checkout.root)):
        with pytest.raises(AssayError, match=f"git checkout -- {PLACE}"):
            refused()


def test_a_system_without_a_curriculum_is_told_who_has_one(checkout: Checkout) -> None:
    done = CliRunner().invoke(cli, ["curriculum", "ceph"])
    assert "ceph: has no curriculum" in str(done.exception)
    assert "one of pills" in str(done.exception)
    assert CliRunner().invoke(cli, ["curriculum", "pills", "--reason", "x"]).exit_code == 2


def test_the_projects_own_lock_is_one_chain_and_its_verdicts_are_tracked() -> None:
    chain = Lock(ROOT).made([*STEPS, *BOTH], [])
    assert {path for outs in OUTS.values() for path in outs} <= set(chain)
    ignored = subprocess.run(["git", "check-ignore", "-q", str(PLACE)], cwd=ROOT, check=False)
    assert ignored.returncode == 1
