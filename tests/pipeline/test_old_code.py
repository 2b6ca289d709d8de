"""A model of several files, registered with code that is no more, is served as it was scored.

Its commit's learner averages two networks and adds 1 g/dL; the checkout's knows one file, adds nothing.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests import stories
from tests.conftest import DATA, TASK, Project
from tests.stories import OVERRULED
from tests.templates import copied, template

from assay.contract.bundle import Bundle, read_bundle
from assay.learning.scoring import score
from assay.lookup import find_task
from assay.manifest.layout import Layout
from assay.manifest.parts import read_rows, validation_fold
from assay.manifest.rows import Rows
from assay.manifest.storage import read_storage
from assay.manifest.table import read_table
from assay.params import read_params
from assay.registry import promotion_gates
from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.ledger import entries
from assay.registry.promotion_context import read_context
from assay.registry.versions import digests_in, versions
from assay.runs.files import file_digest
from assay.runs.scores import SCORES, read_scores
from assay.values import declared_part, typed

pytestmark = pytest.mark.story
FIRST, SECOND = "weights.safetensors", "second.safetensors"
TASKS = "src/assay/systems/hemoglobin/tasks"
FIT = '''
    def fit(self, train, valid, params, run):  # type: ignore[no-untyped-def]
        """Leave a second network beside the first, whose head says a little else."""
        from safetensors.torch import load_file, save_file

        from assay.runs.files import file_digest, read_json, write_json

        super().fit(train, valid, params, run)
        state = load_file(run.folder / "weights.safetensors")
        name = [each for each in state if each.startswith("head.") and each.endswith("bias")][-1]
        save_file(state | {name: state[name] + 0.25}, run.folder / "second.safetensors")
        record = read_json(run.folder / "run.json")
        record["files"]["second.safetensors"] = file_digest(run.folder / "second.safetensors")
        write_json(run.folder / "run.json", record)

    def rank('''
LOAD = '''
    def load(self, bundle):  # type: ignore[no-untyped-def]
        """Return the networks of all files."""
        from assay.contract.bundle import Bundle

        files = [Bundle({name: path}, {}) for name, path in bundle.files.items()]
        return nn.ModuleList([super(SingleLearner, self).load(each) for each in files])

    def read(self, network, images):  # type: ignore[no-untyped-def]
        """Return the mean of what the networks say."""
        reads = [super(SingleLearner, self).read(each, images) for each in network]
        return torch.stack(reads).mean(dim=0)

    def to_labels(self, predictions, rows):  # type: ignore[no-untyped-def]
        """Return 1 g/dL more."""
        return predictions + 1

    def loss('''


@pytest.fixture
def old(tmp_path: Path) -> Project:
    """Return a project whose candidate is of code that is no more."""

    def make(folder: Path) -> None:
        project = copied(stories.synced(), folder)
        before = project.bytes_of(TASKS)
        edit(project, f"{TASKS}/single.py", "\n    def rank(", FIT)
        edit(project, f"{TASKS}/single_learner.py", "\n    def loss(", LOAD)
        line = re.search(
            rf" *- models/\${{key}}/{FIRST}\n", (project.folder / "dvc.yaml").read_text()
        )
        assert line
        edit(project, "dvc.yaml", line[0], line[0] + line[0].replace(FIRST, SECOND))
        project.run("dvc", "repro", f"evaluate@{TASK}")
        project.commit("Two networks, and one more")
        project.own("register", TASK)
        for name, content in before.items():
            (project.folder / name).write_bytes(content)
        project.commit("One network, as it was")

    return copied(template("old-code", make), tmp_path / "project")


def edit(project: Project, name: str, text: str, new: str) -> None:
    path = project.folder / name
    assert text in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(text, new), encoding="utf-8")


def sealed(project: Project, *, tested: bool) -> Rows:
    """Return the test rows, or those that training and validation read."""
    layout, root = Layout(DATA), project.folder
    table, pixels = layout.trainval, layout.trainval_pixels
    if tested:
        table, pixels = layout.sealed, layout.sealed_pixels
    rows, facts = read_table(root / table, f"split@{DATA}")
    return read_rows(root / pixels, rows, read_storage(facts, DATA, "split"), root)


def read_by_checkout(project: Project, rows: Rows, *names: str) -> np.ndarray:
    """Return what the checkout's code reads of rows, with the mean of these files."""
    task, bundle = find_task(TASK), read_bundle(project.folder / "models" / TASK)
    params = declared_part(bundle.record["params"], TASK, task.params)
    each = [task.predictor(Bundle({n: bundle.files[n]}, {}), params)(rows) for n in names]
    return np.mean(each, axis=0, dtype=np.float32)


def test_its_numbers_stand_to_the_last_digit(old: Project) -> None:
    said = old.assay("promote", TASK, *OVERRULED)
    assert re.search(r"^  ok    served: \d+ validation rows, at most 0 apart$", said, re.MULTILINE)
    assert re.search(rf"^  ok    content: .*{SECOND} \w+, {FIRST} \w+$", said, re.MULTILINE)
    task, rows = find_task(TASK), sealed(old, tested=True)
    train, _ = validation_fold(sealed(old, tested=False), 0)
    how = typed(read_params(old.folder / "params.yaml"), TASK, task.params).evaluate
    answers = read_by_checkout(old, rows, FIRST, SECOND) + 1
    base, groups = task.baseline(train, rows), rows.columns["group_id"]
    expected = score(task, answers, base, task.labels(rows), groups, how)
    [looked] = [each.facts["scores"] for each in entries(old.folder) if each.kind == "scores"]
    assert json.dumps(looked, sort_keys=True) == json.dumps(expected, sort_keys=True)  # nan too
    # As the checkout's code would read it, it is another number.
    other = read_by_checkout(old, rows, FIRST)
    assert abs(looked["mae"]["value"] - task.metrics(other, task.labels(rows))["mae"]) > 0.1
    # And so are its validation rows, when they are compared with those of the checkout's own model.
    was = read_scores(old.folder / f"reports/{TASK}" / SCORES)["mae"]["value"]
    said = old.assay("compare", f"{TASK}@champion", "HEAD~2", "--task", TASK)
    assert re.search(rf"^ *mae +{was:.2f} ", said, re.MULTILINE), said


def test_read_by_the_checkouts_code_it_would_not_be_served(
    old: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the gate would say if it read an old model by today's code."""

    def planted(*asked: object) -> np.ndarray:
        return read_by_checkout(old, asked[2], FIRST, SECOND)

    monkeypatch.setattr(promotion_gates, "predict_with", planted)
    check = promotion_gates.served(read_context(old.folder, TASK))
    assert not check.passed
    assert check.found.endswith("at most 1 apart")


def test_all_its_files_are_kept_and_put_back(old: Project) -> None:
    [version] = versions(old.folder, TASK)
    outs = CommitArtifacts(old.folder, version.commit).outs
    assert version.files == {name: outs[f"models/{TASK}/{name}"] for name in (FIRST, SECOND)}
    stored = next((old.folder / ".assay/mlflow/artifacts").rglob(SECOND))
    assert file_digest(stored) == version.files[SECOND]
    stored.unlink()
    said = old.assay("sync")
    assert f"{TASK} v1 in MLflow: its files were gone" in said
    assert len(old.assay("sync").splitlines()) == 1
    kept = digests_in(each.facts for each in entries(old.folder))
    assert kept == [*version.files.values(), version.record]
