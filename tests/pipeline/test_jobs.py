"""Jobs below the stage `train`: what is found there is not trained again, unless a proof is asked for."""

from __future__ import annotations

import json

from ruamel.yaml import YAML
from tests.conftest import TASK, Project

from assay.jobs.store import JobStore
from assay.runs.events import events_path
from assay.runs.places import PROOFS
from assay.runs.record import WEIGHTS

TRAIN = f"train@{TASK}"


def trained(project: Project) -> dict[int, int]:
    """Return fold → how often a training of it came to its end."""
    found: dict[int, int] = {}
    for job in JobStore(project.folder).jobs():
        lines = events_path(project.folder, job.stage, job.key).read_text().splitlines()
        count = sum(json.loads(line)["event"] == "trained" for line in lines)
        found[job.fold] = found.get(job.fold, 0) + count
    return found


def forget_in_lock(project: Project, stage: str) -> None:
    """Take a stage out of `dvc.lock`."""
    yaml, path = YAML(), project.folder / "dvc.lock"
    content = yaml.load(path)
    del content["stages"][stage]
    yaml.dump(content, path)


def test_by_force_is_trained_what_lies_finished_in_the_store(finished: Project) -> None:
    """A wrong result is planted: without force it is used, which is what the store is for."""
    honest = (finished.folder / "models" / TASK / WEIGHTS).read_bytes()
    store = JobStore(finished.folder)
    [job] = store.jobs()
    result, half = store.result(job), store.half(job)
    assert result
    half.parent.mkdir()
    result.rename(half)
    (half / WEIGHTS).write_bytes(b"wrong")
    store.put(job, half)
    said = finished.dvc("repro", "-f", "-s", TRAIN)
    assert "[EPOCH] 1/" in said
    assert (finished.folder / "models" / TASK / WEIGHTS).read_bytes() == honest
    assert not list((finished.folder / PROOFS).glob("*"))
    forget_in_lock(finished, TRAIN)
    said = finished.dvc("repro", "--no-run-cache", "-s", TRAIN)
    assert "[EPOCH]" not in said
    assert (finished.folder / "models" / TASK / WEIGHTS).read_bytes() == b"wrong"


def test_after_one_fold_the_others_alone_are_trained(finished: Project) -> None:
    before = trained(finished)
    assert before == {0: 1}
    finished.set(**{f"{TASK}.train.fold": "all"})
    finished.dvc("repro", "-s", TRAIN)
    assert trained(finished) == {0: 1, 1: 1, 2: 1, 3: 1}
