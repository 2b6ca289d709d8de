"""Both modes of pills on files: networks as they are loaded, `assay predict`, what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML
from tests.pills_combo_set import COMBO, checkout_of, models_of, own
from tests.pills_set import SIZE, made, manifest

from assay.__main__ import cli
from assay.contract.scored import ensure_answers
from assay.contract.task_rows import task_rows
from assay.errors import AssayError
from assay.learning.tensors import join_folds
from assay.lookup import find_task
from assay.manifest.images import open_image
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.pipeline import (
    TrainedModel,
    bundle_of,
    by_fold,
    ensure_one_split,
    find_pipeline,
    pipelines,
)
from assay.runs.files import file_digest, write_json
from assay.runs.record import RECORD, WEIGHTS
from assay.stages.pipeline import latencies, latency_lines
from assay.systems.pills.pipelines import reading
from assay.systems.pills.pipelines.combo_answers import FIELDS, said_of
from assay.systems.pills.pipelines.combo_params import CLASSIFIER, DETECTOR
from assay.systems.pills.pipelines.names import drug_names
from assay.systems.pills.pipelines.reading import Boxes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Path]:
    """Return the phantom's photographs as they are stored, and the root below which they lie."""
    root = tmp_path_factory.mktemp("pills")
    table, store = manifest(made(root / "set"), root)
    images = np.array(store.pixels()[store.slots(table["digest"])])
    return Rows({"image": images}, {name: table[name].to_numpy() for name in table.columns}), root


@pytest.fixture(scope="module")
def checkout(photographs: tuple[Rows, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout_of(photographs[0], tmp_path_factory.mktemp("checkout"))


def asked(checkout: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    import assay.systems

    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
    monkeypatch.chdir(checkout)
    return CliRunner().invoke(cli, ["predict", "pills", *arguments])


def test_a_true_box_is_cut_as_in_training(photographs: tuple[Rows, Path], checkout: Path) -> None:
    rows, models = photographs[0], models_of(checkout)
    classify = reading.classifier(models)
    task, params = find_task(CLASSIFIER), models[CLASSIFIER].params
    pills = task_rows(task, rows, params)
    expected = reading.drugs(classify(pills.image))
    own = [np.array([*each], dtype=np.float64).reshape(-1, 4) for each in rows.columns["boxes"]]
    row = np.repeat(np.arange(len(own)), [len(each) for each in own])
    true = Boxes(row, np.concatenate(own), np.ones(len(row)))
    found = reading.name(classify, rows, true, SIZE, params.model.padding)
    assert np.array_equal(found.number, expected.number)
    assert np.array_equal(found.chance, expected.chance)
    # Shown whole, as the classifier is taught with `view: photograph`.
    wide = params.model_copy(
        update={"model": params.model.model_copy(update={"view": "photograph"})}
    )
    shown = task_rows(task, rows, wide)
    alone = rows.columns["mode"] == "single"
    expected = reading.drugs(classify(shown.where(shown.columns["mode"] == "single").image))
    found = reading.name_whole(classify, rows.where(alone), SIZE)
    assert np.array_equal(found.chance, expected.chance)


def test_a_file_is_read_as_its_stored_image(photographs: tuple[Rows, Path], checkout: Path) -> None:
    rows, root = photographs
    models, how = models_of(checkout), own(conf=0.001, iou=0.9)
    predictions = COMBO.predictor(bundle_of(COMBO, checkout / "models"), how)(rows)
    ensure_answers(COMBO, predictions, rows)
    assert np.isfinite(predictions[:, ::FIELDS]).sum() > 2 * len(rows)  # of an untrained network
    row = int(np.flatnonzero(rows.columns["mode"] == "combination")[0])
    source, uri = Source("set", root), str(rows.columns["uri"][row])
    opened = open_image(source, uri, source.stamp(uri), SIZE, fit="letterbox")
    read = COMBO.reader("combo", models, how, root)(opened)
    said = said_of(predictions[row])
    assert np.array([each.box for each in read]) == pytest.approx(said.place, abs=1e-3)
    code = reading.codes(models)
    assert [each.code for each in read] == [code[number] for number in said.drug]
    (whole,) = COMBO.reader("single", models, how, root)(opened)
    assert whole.code == code[said.whole]
    assert whole.box is None


def test_evaluation_leaves_metrics_lines_and_pictures(
    photographs: tuple[Rows, Path], checkout: Path, tmp_path: Path
) -> None:
    rows, models = photographs[0], models_of(checkout)
    rows = replace(rows, columns={**rows.columns, "fold": np.zeros(len(rows), np.int64)})
    bundle = bundle_of(COMBO, checkout / "models")

    def evaluated(**use: float) -> dict[str, float]:
        said = COMBO.predictor(bundle, own(**use))(rows)
        counted = COMBO.report(models, said, rows, tmp_path)
        return counted | COMBO.metrics(said, COMBO.labels(rows))

    scores = evaluated(conf=0.001, iou=0.9)
    table = pl.read_csv(tmp_path / "tables/pills.csv")
    outcomes = dict(table["outcome"].value_counts().rows())
    there = sum(outcomes.get(name, 0) for name in ("right", "misnamed", "missed"))
    assert there == scores["pills"] == sum(map(len, rows.columns["classes"]))
    said = len(table) - outcomes.get("missed", 0)
    assert scores["precision"] == pytest.approx(outcomes.get("right", 0) / said)
    assert scores["unseen_share"] == 0
    assert scores["single_rows"] == (rows.columns["mode"] == "single").sum()
    picture = tmp_path / "pictures" / "photographs.png"
    before = picture.read_bytes()
    evaluated(conf=0.001, iou=0.9)
    assert picture.read_bytes() == before
    # Of a detector that is sure of nothing nothing is found, and nothing breaks.
    assert evaluated(conf=0.99)["f1"] == 0
    assert set(pl.read_csv(tmp_path / "tables/pills.csv")["outcome"]) == {"missed"}


def test_more_pills_than_may_be_said_stop_an_evaluation(
    photographs: tuple[Rows, Path], checkout: Path
) -> None:
    """Those beyond would count as missed, and nobody would know why."""
    rows, models = photographs[0], models_of(checkout)
    most = max(len(pills) for pills in rows.columns["classes"])
    with pytest.raises(AssayError, match=f"a photograph of {most} pills"):
        COMBO.ensure_fits(own(max_det=most - 1), models, rows)
    COMBO.ensure_fits(own(max_det=most), models, rows)


def test_latency_needs_the_files(photographs: tuple[Rows, Path], checkout: Path) -> None:
    rows, root = photographs
    models = models_of(checkout)
    times = latencies(COMBO, models, own(), rows, Source("set", root), root)
    assert times["single"]["photographs"] == (rows.columns["mode"] == "single").sum()
    assert 0 < times["combo"]["median"] <= times["combo"]["p95"]
    assert times["device"] in latency_lines("x", times)[0]
    gone = Rows({"image": rows.image}, {**rows.columns, "uri": np.full(len(rows), "set/gone.png")})
    times = latencies(COMBO, models, own(), gone, Source("set", root), root)
    assert latency_lines("x", times) == [
        "x  latency not measured: the photographs' files are not on this machine"
    ]


# --- identify


def test_single_asks_no_detector(
    photographs: tuple[Rows, Path], checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, root = photographs
    alone = tmp_path / "checkout"
    shutil.copytree(checkout, alone)
    shutil.rmtree(alone / "models" / DETECTOR)
    file = str(root / rows.columns["uri"][0])
    done = asked(alone, file, monkeypatch=monkeypatch)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].startswith("  K-")
    assert "view=photograph" in done.stderr  # this classifier was taught cuts alone
    refused = asked(alone, file, "--mode", "combo", monkeypatch=monkeypatch)
    assert isinstance(refused.exception, AssayError)
    assert refused.exception.mend == f"dvc repro train@{DETECTOR}"


def test_a_broken_photograph_is_told_and_passed_over(
    photographs: tuple[Rows, Path], checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, root = photographs
    whole = root / str(rows.columns["uri"][0])
    shutil.copyfile(whole, tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:900])
    (tmp_path / "._cut.png").write_bytes(b"of another system")
    done = asked(checkout, str(tmp_path), monkeypatch=monkeypatch)
    assert done.exit_code == 0
    assert "cut.png: cannot be read: damaged" in done.stdout
    assert "1 of 2 could not be read" in done.stderr
    document = json.loads(asked(checkout, str(tmp_path), "--json", monkeypatch=monkeypatch).stdout)
    broken, good = document["photographs"]
    assert "reason" in broken
    assert "found" not in broken
    assert good["found"][0]["box"] is None
    assert asked(checkout, str(tmp_path / "cut.png"), monkeypatch=monkeypatch).exit_code == 1


def test_nothing_found_is_said(
    photographs: tuple[Rows, Path], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, root = photographs
    file = str(root / rows.columns["uri"][0])
    done = asked(checkout, file, "--mode", "combo", "--conf", "0.99", monkeypatch=monkeypatch)
    assert done.stdout == f"{file}: nothing found\n"
    done = asked(checkout, file, "--mode", "combo", "--conf", "0.001", monkeypatch=monkeypatch)
    assert "score" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("--mode", "auto"), "one of single, combo"),
     (("--mode", "combo", "--conf", "0.0001"), "0.001 or more"),
     (("--conf", "0.5"), "mode single looks for no boxes")],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    arguments: tuple[str, ...], expected: str, photographs: tuple[Rows, Path], checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    rows, root = photographs
    done = asked(checkout, str(root / rows.columns["uri"][0]), *arguments, monkeypatch=monkeypatch)
    assert isinstance(done.exception, AssayError)
    assert expected in done.exception.render()


def test_a_score_beyond_one_is_a_matter_of_the_command(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = asked(checkout, "a.png", "--mode", "combo", "--conf", "3", monkeypatch=monkeypatch)
    assert done.exit_code == 2
    assert "not in the range 0<=x<1" in done.output


def test_names_are_those_of_the_labels(photographs: tuple[Rows, Path], tmp_path: Path) -> None:
    rows = photographs[0]
    assert drug_names(tmp_path) == {}
    (tmp_path / "data" / "pills").mkdir(parents=True)
    columns = {name: [list(each) for each in rows.columns[name]] for name in ("classes", "names")}
    pl.DataFrame(columns).write_parquet(tmp_path / "data" / "pills" / "trainval.parquet")
    names = drug_names(tmp_path)
    pairs = zip(columns["classes"], columns["names"], strict=True)
    for ids, words in pairs:
        assert [names[number] for number in ids] == words


# --- what the models must have in common


def test_models_of_two_folds_or_splits_are_not_scored_together(checkout: Path) -> None:
    models, facts = models_of(checkout), {"split_digest": "1"}
    ensure_one_split("x", models, facts)
    assert by_fold(models) == {0: models}
    params = models[CLASSIFIER].params
    moved = params.train.model_copy(update={"fold": 1})
    other = TrainedModel(
        models[CLASSIFIER].bundle, type(params).model_construct(model=params.model, train=moved)
    )
    with pytest.raises(AssayError, match=f"-S {CLASSIFIER}.train.fold=0"):
        ensure_one_split("x", models | {CLASSIFIER: other}, facts)
    with pytest.raises(AssayError, match=f"dvc repro train@{DETECTOR}"):
        ensure_one_split("x", models, {"split_digest": "2"})


def folded(checkout: Path, root: Path) -> Path:
    """Return a checkout whose models are of two folds; of the second one drug more was trained."""
    shutil.copytree(checkout, root, dirs_exist_ok=True)
    for name in (DETECTOR, CLASSIFIER):
        folder = root / "models" / name
        weights, record = folder / WEIGHTS, json.loads((folder / RECORD).read_text())
        join_folds(dict.fromkeys((0, 1), checkout / "models" / name / WEIGHTS), weights)
        record["params"][name]["train"]["fold"] = "all"
        counts = record["classes"]["train_counts"]
        fewer = {"classes": {**record["classes"], "train_counts": counts | {next(iter(counts)): 0}}}
        write_json(folder / RECORD, record | fewer | {
            "model": {"folds": [0, 1]}, "folds": {"0": fewer, "1": {"classes": record["classes"]}},
            "files": {WEIGHTS: file_digest(weights)},
        })  # fmt: skip
    return root


def test_models_of_all_folds_are_asked_fold_by_fold(
    photographs: tuple[Rows, Path], checkout: Path, tmp_path: Path
) -> None:
    root, rows = folded(checkout, tmp_path / "all"), photographs[0]
    models = models_of(root)
    ensure_one_split("x", models, {"split_digest": "1"})
    each = by_fold(models)
    assert len(reading.trained(each[1]) - reading.trained(each[0])) == 1
    whole, bundle = (bundle_of(COMBO, where / "models") for where in (checkout, root))
    one = COMBO.predictor(whole, own())(rows)
    for fold in (0, 1):
        assert np.array_equal(
            COMBO.predictor(replace(bundle, fold=fold), own())(rows), one, equal_nan=True
        )
    with pytest.raises(AssayError, match="2 models, no model"):
        COMBO.predictor(bundle, own())
    # The classifier by itself has one answer of both.
    drawn = Rows({"image": rows.image[:2]}, {})
    told, single = (reading.classifier(each)(drawn.image) for each in (models, models_of(checkout)))
    assert np.allclose(told, single, equal_nan=True)
    # A drug that a fold never trained is unknown on that fold's photographs alone.
    columns = {**rows.columns, "fold": np.arange(len(rows)) % 2}
    counted = COMBO.report(models, one, replace(rows, columns=columns), tmp_path / "report")
    lost = [drug for fold, drugs in zip(columns["fold"], rows.columns["classes"], strict=True)
            for drug in drugs if fold == 0 and drug not in reading.trained(each[0])]  # fmt: skip
    assert lost
    assert counted["unseen_share"] == pytest.approx(len(lost) / counted["pills"])


def test_files_that_are_not_those_of_the_record_are_refused(checkout: Path, tmp_path: Path) -> None:
    """Weights of another training fit the network, and would say other names."""
    shutil.copytree(checkout / "models", tmp_path / "models")
    weights, record = (tmp_path / "models" / DETECTOR / name for name in (WEIGHTS, RECORD))
    whole, listed = weights.read_bytes(), record.read_text()

    def said() -> AssayError:
        with pytest.raises(AssayError) as told:
            models_of(tmp_path, DETECTOR)
        assert told.value.mend == f"dvc repro train@{DETECTOR}"
        return told.value

    weights.write_bytes(whole[:-4] + b"\0\0\0\0")
    assert (said().where, said().found) == (str(weights), f"another file than {record} lists")
    weights.unlink()
    assert (said().where, said().found) == (str(weights), "no such file")
    weights.write_bytes(whole)
    for files in ({}, None):
        write_json(record, json.loads(listed) | {"files": files})
        assert (said().where, said().found) == (str(record), "lists no files")
    record.write_text(listed)
    assert models_of(tmp_path, DETECTOR)


def test_limits_beyond_the_detectors_are_refused(checkout: Path) -> None:
    models = models_of(checkout)
    COMBO.ensure_fits(own(), models)
    for changed in ({"iou": 0.95}, {"max_det": 13}, {"conf": 0.0005}):
        with pytest.raises(AssayError, match="does not come back"):
            COMBO.ensure_fits(own(**changed), models)
    COMBO.ensure_fits(own(iou=0.95), {CLASSIFIER: models[CLASSIFIER]})


def test_the_pipeline_knows_what_each_pipeline_is_made_of() -> None:
    stated = YAML(typ="safe").load(ROOT / "dvc.yaml")["vars"][0]["pipelines"]
    assert set(stated) == set(pipelines())
    for name, each in pipelines().items():
        assert each.data == stated[name]["data"]
        assert set(each.parts) == {stated[name]["first"], stated[name]["second"]}
        assert set(each.parts) == {task for asked in each.modes.values() for task in asked}
        assert all(find_task(task).data == each.data for task in each.parts)
    with pytest.raises(AssayError, match="nothing is composed"):
        find_pipeline("ceph")
