"""What hands do to MLflow's registered models, one `assay sync` puts right, aloud; nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import inproc
from tests.conftest import TASK, Project
from tests.stories import OVERRULED

from assay.registry.mlflow_version import has_files
from assay.registry.versions import current_aliases, versions
from assay.runs.record import WEIGHTS
from assay.tracking.store import stored_path


def by_hand(project: Project, change: Callable[[Any], object]) -> Any:
    """Do to the store what a person might, and return what that gives."""
    import mlflow

    uri = f"sqlite:///{project.folder}/.assay/mlflow/mlflow.db"
    inproc.forget_stores()
    mlflow.set_tracking_uri(uri)
    return change(mlflow.MlflowClient(uri, uri))


def healed(project: Project) -> list[str]:
    """Return what a sync says; the next one says nothing, and the registry is the ledger's."""
    *said, _ = project.assay("sync").splitlines()
    assert len(project.assay("sync").splitlines()) == 1

    def is_whole(client: Any) -> bool:
        aliases = client.get_registered_model(TASK).aliases
        found = client.search_model_versions(f"name='{TASK}'")
        known = {version.number: version for version in versions(project.folder, TASK)}
        ours = {name: int(n) for name, n in aliases.items() if name != "kept"}
        return ours == current_aliases(project.folder, TASK).aliases() and all(
            "result" in each.tags
            and has_files(client, project.folder, known[int(each.version)], each)
            for each in found
        )

    assert by_hand(project, is_whole)
    return said


def test_what_hands_do_to_a_registered_model_is_put_right(promoted: Project) -> None:
    def files(client: Any) -> Path:
        [version] = client.search_model_versions(f"name='{TASK}'")
        uri = client.get_model_version_download_uri(TASK, version.version)
        folder = stored_path(promoted.folder, uri)
        assert folder is not None
        return folder

    name = f"{TASK} v1 in MLflow"
    faults: dict[str, Callable[[Any], object]] = {
        f"{TASK}@champion in MLflow: none → v1, as in the ledger": (
            lambda client: client.delete_registered_model_alias(TASK, "champion")
        ),
        f"{TASK}@previous in MLflow: v1 → none, as in the ledger": (
            lambda client: client.set_registered_model_alias(TASK, "previous", "1")
        ),
        f"{name}: was of another result": (
            lambda client: client.set_model_version_tag(TASK, "1", "result", "another")
        ),
        f"{name}: its files were gone": lambda client: shutil.rmtree(files(client)),
        f"{TASK} in MLflow: a version was deleted": (
            lambda client: client.delete_model_version(TASK, "1")  # succeeds for a champion
        ),
        f"{TASK} in MLflow: v1 registered, as in the ledger": (
            lambda client: client.delete_registered_model(TASK)
        ),
    }
    for said, fault in faults.items():
        by_hand(promoted, fault)
        assert said in healed(promoted)


def test_a_file_that_left_a_registered_model_is_missed(promoted: Project) -> None:
    """The database knows nothing of it, and all was noted."""
    promoted.assay("sync")
    assert len(promoted.assay("sync").splitlines()) == 1
    [weights] = (promoted.folder / ".assay/mlflow/artifacts").rglob(f"bundle/{WEIGHTS}")
    weights.unlink()
    assert f"{TASK} v1 in MLflow: its files were gone" in healed(promoted)


@pytest.mark.parametrize("keeps_size", [True, False])
def test_a_file_changed_in_its_place_is_refused_and_made_anew(
    synced: Project, keeps_size: bool
) -> None:
    """The mend that the door tells is one: a sync alone would not notice."""
    synced.assay("register", TASK)
    [weights] = (synced.folder / ".assay/mlflow/artifacts").rglob(f"bundle/{WEIGHTS}")
    whole = weights.read_bytes()
    weights.chmod(0o644)
    weights.write_bytes(whole[:-400] + b"\0\0\x80?" * 100 if keeps_size else whole[:5000])
    said = synced.assay("promote", TASK, *OVERRULED, fails=True)
    assert "  STOP  served: " in said
    mend = said.rpartition("mend: ")[2].partition(";")[0].strip()
    assert f"{TASK} v1 in MLflow: its files were gone" in synced.typed(mend)
    assert f"{TASK}: champion → v1" in synced.assay("promote", TASK, *OVERRULED)


def test_a_record_that_left_the_cache_leaves_a_place_for_its_version(promoted: Project) -> None:
    [version] = versions(promoted.folder, TASK)
    shutil.rmtree(promoted.folder / f".assay/mlflow/artifacts/{TASK}/models")
    promoted.cached(version.record).rename(promoted.folder / "kept")
    assert f"{TASK} v1 in MLflow: its files were gone" in promoted.assay("sync")
    (promoted.folder / "kept").rename(promoted.cached(version.record))
    assert f"{TASK} v1 in MLflow: its files have arrived" in healed(promoted)


def test_a_version_by_hand_makes_way_and_is_kept(promoted: Project, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"own")

    def register(client: Any) -> None:
        place = client.get_experiment_by_name(TASK).experiment_id
        run = client.create_run(place, run_name="own").info
        client.log_artifact(run.run_id, str(tmp_path / "weights.safetensors"), "model")
        source = f"{run.artifact_uri}/model"
        client.create_model_version(TASK, source, run.run_id, {"mine": "yes"}, description="Good")
        for alias, number in {"champion": "2", "mine": "2", "kept": "1"}.items():
            client.set_registered_model_alias(TASK, alias, number)

    by_hand(promoted, register)
    said = healed(promoted)
    assert f"{TASK} v2 in MLflow: was registered by hand" in said
    assert any(
        f"{TASK}-by-hand v2 in MLflow: is that now, with its run and files" in x for x in said
    )
    assert f"{TASK}@champion in MLflow: v2 → v1, as in the ledger" in said
    assert by_hand(promoted, lambda c: c.get_registered_model(TASK).aliases["kept"]) == 1
    kept = by_hand(promoted, lambda c: c.get_model_version_by_alias(f"{TASK}-by-hand", "mine"))
    assert (kept.tags, kept.description) == ({"mine": "yes"}, "Good")
    assert kept.version == 2
    others = by_hand(promoted, lambda c: c.search_model_versions(f"name='{TASK}-by-hand'"))
    assert len(others) == 1
    assert by_hand(promoted, lambda c: c.get_run(kept.run_id).info.lifecycle_stage) == "active"
    folder = stored_path(promoted.folder, kept.source)
    assert folder is not None
    assert (folder / "weights.safetensors").read_bytes() == b"own"


def test_an_alias_by_hand_is_put_back_with_the_way_to_promote(door: Project) -> None:
    by_hand(door, lambda client: client.set_registered_model_alias(TASK, "champion", "3"))
    [said] = healed(door)
    moved, _, command = said.partition("; to promote v3: ")
    assert moved == f"{TASK}@champion in MLflow: v3 → v1, as in the ledger"
    assert f"{TASK}: champion → v3 · previous → v1" in door.typed(command)
    assert current_aliases(door.folder, TASK).champion == 3
