"""The task `pills-classifier`: cuts of the phantom, weights, views, scores, refusals, recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from tests.pills_set import PILLS, made, manifest

from assay.commands.run import read_recipe
from assay.contract.task_rows import row_of
from assay.errors import GateError, ParamsError
from assay.gates.preflight import preflight
from assay.learning.data import BatchDataset
from assay.learning.determinism import reseed
from assay.lookup import find_task
from assay.manifest.records import LazyImages
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.params_check import laid_over
from assay.runs.files import read_json
from assay.systems.pills.learning.cuts import cut_boxes
from assay.systems.pills.learning.scores import drug_scores
from assay.systems.pills.learning.transforms import PillTransform, lit
from assay.systems.pills.learning.weights import effective_number, inverse_frequency
from assay.systems.pills.tasks import classifier_cut, classifier_drugs, classifier_learner
from assay.systems.pills.tasks.classifier_network import build
from assay.systems.pills.tasks.classifier_params import ClassifierParams
from assay.values import typed

ROOT = Path(__file__).parents[2]
NAME = "pills-classifier"
TASK: Any = find_task(NAME)
COUNTS = np.array([400, 40, 0, 4])


def params_of(**changed: Any) -> ClassifierParams:
    """Return the file's parameters, smaller; `changed` by `part__key`."""
    content = read_params(ROOT / "params.yaml")
    for name, value in ({"model__size": 32, "model__input_size": 32} | changed).items():
        part, key = name.split("__")
        content[NAME][part][key] = value
    params: ClassifierParams = typed(content, NAME, ClassifierParams)
    return params


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Path]:
    """Return the phantom's photographs as ingest stores them (32 px), and where the originals lie."""
    root = tmp_path_factory.mktemp("pills")
    table, store = manifest(made(root / "set"), root)
    images = np.array(store.pixels()[store.slots(table["digest"])])
    columns = {name: table[name].to_numpy() for name in table.columns}
    return Rows({"image": images}, columns), root / "set"


# --- cuts


def test_pills_of_the_phantom_are_cut_as_from_the_original(
    photographs: tuple[Rows, Path],
) -> None:
    """From the stored photograph, of half the size, as from the file: the pills lie alike."""
    rows, folder = photographs
    params = params_of()
    pills = TASK.cut(rows, params)
    counts = [len(each) for each in rows.columns["classes"]]
    assert len(pills) == sum(counts)
    apart = []
    for row in range(0, len(pills), 7):
        photograph = folder / row_of(TASK, pills.columns["sample_id"][row])
        whole = np.asarray(Image.open(photograph).convert("RGB"))
        box = pills.columns["box"][row]
        [fine] = cut_boxes(whole, box, 32, params.model.padding)
        shifts = [
            (np.abs(np.roll(fine.astype(float), (down, across), (0, 1)) - pills.image[row]).mean(),
             down, across)
            for down in (-1, 0, 1) for across in (-1, 0, 1)
        ]  # fmt: skip
        apart.append(min(shifts)[1:])
    assert apart == [(0, 0)] * len(apart)  # a px off would be nearer otherwise


def test_a_pill_keeps_its_photographs_columns(photographs: tuple[Rows, Path]) -> None:
    rows, _ = photographs
    pills = TASK.cut(rows, params_of())
    own = [row_of(TASK, name) for name in pills.columns["sample_id"]]
    groups = dict(zip(rows.columns["sample_id"], rows.columns["group_id"], strict=True))
    assert [groups[name] for name in own] == pills.columns["group_id"].tolist()
    codes = dict(zip(rows.columns["sample_id"], rows.columns["codes"], strict=True))
    number = [int(name.rpartition("#")[2]) for name in pills.columns["sample_id"]]
    told = [codes[name][k] for name, k in zip(own, number, strict=True)]
    assert told == pills.columns["code"].tolist()


def test_a_photograph_of_one_pill_may_be_shown_whole(photographs: tuple[Rows, Path]) -> None:
    rows, _ = photographs
    pills = TASK.cut(rows, params_of(model__view="photograph"))
    tight = TASK.cut(rows, params_of())
    alone = np.array([name == "single" for name in pills.columns["mode"]])
    first = int(np.flatnonzero(alone)[0])
    photograph = row_of(TASK, pills.columns["sample_id"][first])
    whole = rows.image[list(rows.columns["sample_id"]).index(photograph)]
    apart = np.abs(pills.image[first].astype(int) - whole)
    assert apart[:, 5:-5].max() <= 1  # stored at the cut's size; the bars' edges are no whole px
    assert whole[:, 5:-5].any()
    assert np.array_equal(pills.image[~alone], tight.image[~alone])


def padded(boxes: Any) -> Any:
    """Return the lists of boxes as a served model has them: (n, most, 4), nan behind."""
    table = np.full((len(boxes), max(map(len, boxes)) + 1, 4), np.nan)
    for row, own in enumerate(boxes):
        table[row, : len(own)] = np.array([*own], dtype=float).reshape(-1, 4)
    return table


@pytest.mark.parametrize("view", ["pill", "photograph"])
def test_photographs_are_cut_alike_by_lists_of_boxes_and_by_padded_ones(
    photographs: tuple[Rows, Path], view: str
) -> None:
    """Of photographs with several pills, with one and, in the middle, with none."""
    rows, params = photographs[0], params_of(model__view=view)
    lists = rows.columns["boxes"].copy()
    emptied = {name: rows.columns[name].copy() for name in ("classes", "codes")}
    for column in (lists, *emptied.values()):
        column[3] = column[3][:0]
    pills = TASK.cut(Rows(rows.images, {**rows.columns, **emptied, "boxes": lists}), params)
    size = {name: rows.columns[name] for name in ("width", "height")}
    for boxes in (lists, padded(lists)):
        shown = classifier_cut.cuts(Rows(rows.images, {**size, "boxes": boxes}), params.model)
        assert np.array_equal(shown[:], pills.image[:])
    assert len(pills) == sum(map(len, lists))


def test_photographs_are_asked_about_and_their_pills_are_told(
    photographs: tuple[Rows, Path],
) -> None:
    rows, params = photographs[0], params_of()
    network = build(params.model, "none", np.arange(3), np.array([4, 0, 9]))[0].eval()
    learner, pills = TASK.learner(params), TASK.cut(rows, params)
    said = learner.predict(network, rows)
    with torch.inference_mode():
        alone = learner.read(network, torch.from_numpy(pills.image[[7]])).numpy()
    assert said.shape == (len(pills), 3)
    assert np.allclose(said[[7]], alone, atol=1e-6, equal_nan=True)
    assert TASK.refuse_predictions(said, pills) == ""
    nowhere = Rows(rows.images, {**rows.columns, "boxes": np.full((len(rows), 2, 4), np.nan)})
    assert learner.predict(network, nowhere).shape == (0, 3)


def test_what_is_no_probability_of_each_pill_is_refused(photographs: tuple[Rows, Path]) -> None:
    pills, nan = TASK.cut(photographs[0], params_of()), np.nan
    said = np.tile(np.array([[0.25, nan, 0.75]], np.float32), (len(pills), 1))
    assert TASK.refuse_predictions(said, pills) == ""
    assert "a row of outputs each" in TASK.refuse_predictions(said[1:], pills)
    assert "softmax" in TASK.refuse_predictions(4 * said, pills)
    said[5] = [nan, nan, 1.0]  # of a drug that the other rows know
    assert "expected probabilities" in TASK.refuse_predictions(said, pills)
    assert "expected probabilities" in TASK.refuse_predictions(np.full_like(said, nan), pills)


# --- weights


def test_inverse_frequency_is_the_formula_with_a_mean_of_one() -> None:
    weights = inverse_frequency(COUNTS, 1.0)
    assert weights[2] == 0
    assert weights[COUNTS > 0].mean() == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx(401 / 41)
    assert inverse_frequency(COUNTS, 0.0)[3] / weights[0] > weights[3] / weights[0]


def test_effective_number_is_the_formula_with_a_mean_of_one() -> None:
    weights = effective_number(COUNTS, 0.99)
    assert weights[2] == 0
    assert weights[COUNTS > 0].mean() == pytest.approx(1)
    assert weights[3] / weights[0] == pytest.approx((1 - 0.99**400) / (1 - 0.99**4))
    assert effective_number(COUNTS, 0.0) == pytest.approx([1, 1, 0, 1])
    near = effective_number(COUNTS, 1 - 1e-9)
    assert near == pytest.approx(inverse_frequency(COUNTS, 0.0), rel=1e-4)


def test_a_drug_without_a_row_weighs_nothing_and_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drugs = classifier_drugs.KnownDrugs(np.arange(4), ("K-1", "K-2", "K-3", "K-4"), COUNTS)
    weights = classifier_drugs.class_weights(drugs, params_of().train)
    assert weights[2] == 0
    assert "warning: weight 0, no training row: K-3" in capsys.readouterr().out


def test_weights_and_sampler_together_are_refused() -> None:
    with pytest.raises(ParamsError) as refused:
        params_of(train__balanced_sampler=True, train__class_weights="inv_freq")
    assert "counts twice" in str(refused.value)
    params_of(train__balanced_sampler=True, train__class_weights="none")


# --- scores


def test_rows_of_drugs_never_trained_are_counted_apart() -> None:
    nan = np.nan
    probabilities = np.array(
        [[0.7, nan, 0.3], [0.2, nan, 0.8], [0.9, nan, 0.1], [0.6, nan, 0.4]], "f4"
    )
    scores = drug_scores(probabilities, np.array([0, 2, 1, 5]))
    assert scores["unseen_share"] == 0.5
    assert scores["top1"] == scores["macro_f1"] == 1
    assert scores["log_loss"] == pytest.approx(-np.log([0.7, 0.8]).mean())


def test_scores_by_hand() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], "f4")
    scores = drug_scores(probabilities, np.array([0, 1, 1]))
    assert scores["top1"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx(2 / 3)  # two thirds for each of the two that occur
    assert scores["top5"] == 1
    tied = drug_scores(np.full((2, 8), 0.125, "f4"), np.array([0, 3]))
    assert tied["top1"] == tied["top5"] == 0


def test_the_network_names_ids_of_the_table_and_no_drug_never_trained() -> None:
    ids, counts = np.array([2, 5, 7]), np.array([4, 0, 9])
    network, _ = build(params_of().model, "none", ids, counts)
    said = network.probabilities(torch.tensor([[0.0, 9.0, 1.0]])).numpy()
    assert said.shape == (1, 8)
    assert np.isnan(said[0, [0, 1, 3, 4, 5, 6]]).all()
    assert said[0, [2, 7]].sum() == pytest.approx(1)


def test_several_turns_are_the_mean_of_what_each_says_alone() -> None:
    ids, counts = np.array([2, 5, 7]), np.array([4, 1, 9])
    cuts = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)

    def said(turns: int, images: Any) -> Any:
        params = params_of(model__tta_rotations=turns)
        reseed(1)
        network, _ = build(params.model, "none", ids, counts)
        seen = torch.from_numpy(images.copy())
        with torch.inference_mode():
            return TASK.learner(params).read(network.eval(), seen).numpy()

    each = [said(1, np.rot90(cuts, quarter, (1, 2))) for quarter in range(4)]
    assert np.abs(each[0] - each[1])[:, ids].max() > 1e-3
    assert np.allclose(said(4, cuts), np.mean(each, axis=0), atol=1e-6, equal_nan=True)
    assert np.allclose(said(2, cuts), (each[0] + each[2]) / 2, atol=1e-6, equal_nan=True)
    assert np.allclose(said(4, cuts), said(4, np.rot90(cuts, 1, (1, 2))), atol=1e-6, equal_nan=True)


# --- views


def test_another_lamp_gives_a_grey_image_a_cast_of_its_own() -> None:
    grey = torch.full((40, 32, 32, 3), 120, dtype=torch.uint8)
    assert lit(grey, 0.0) is grey
    seen = lit(grey, 0.25).float()
    assert torch.equal(seen.amin(dim=(1, 2)), seen.amax(dim=(1, 2)))  # one light an image
    light = seen[:, 0, 0] / 120
    assert 0.74 < light.min() < 0.8
    assert 1.2 < light.max() < 1.26
    assert (light.amax(dim=1) - light.amin(dim=1)).median() > 0.1


def test_an_imprint_is_not_mirrored_unless_that_is_asked_for(
    photographs: tuple[Rows, Path], tmp_path: Path
) -> None:
    plain = classifier_learner.looks_of(params_of().train)
    assert plain.hflip == 0
    asked = params_of(
        train__fliplr=1.0, train__degrees=0.0, train__scale=[1.0, 1.0], train__ratio=[1.0, 1.0],
        train__color_jitter=[0.0, 0.0, 0.0, 0.0],
    ).train  # fmt: skip
    images = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    shown = [
        PillTransform(classifier_learner.looks_of(each), 32)(images, True)
        for each in (asked, asked.model_copy(update={"fliplr": 0.0}))
    ]
    assert torch.allclose(shown[0], shown[1].flip(3))
    told = {
        hflip: classifier_learner.imprints(params_of(train__fliplr=hflip).train).found
        for hflip in (0.0, 0.5)
    }
    assert told == {0.0: "never mirrored", 0.5: "mirrored with probability 0.5"}


# --- planted


def plan_and_sets(rows: Rows, valid: Rows, **changed: Any) -> Any:
    params = params_of(train__epochs=2, train__warmup_epochs=1, **changed)
    ready = TASK.learner(params).prepare(rows, valid)
    return ready.spec, ready.train, ready.valid


def test_the_plan_may_leave_out_the_last_batch(photographs: tuple[Rows, Path]) -> None:
    pills = TASK.cut(photographs[0], params_of())
    plan, _, _ = plan_and_sets(pills, pills, train__drop_last=True)
    assert plan.drop_last


def test_class_ids_of_another_table_are_stopped_by_the_preflight(
    photographs: tuple[Rows, Path], tmp_path: Path
) -> None:
    """The same codes under other ids, as where two parts were listed against two class tables."""
    pills = TASK.cut(photographs[0], params_of())
    some = np.arange(len(pills)) % 3 == 0
    train, valid = pills.where(~some), pills.where(some)
    shuffled = (valid.columns["drug"] + 1) % (valid.columns["drug"].max() + 1)
    planted = Rows({"image": valid.image}, {**valid.columns, "drug": shuffled})
    plan, learns, validates = plan_and_sets(train, planted)
    verdict = tmp_path / "preflight.json"
    with pytest.raises(GateError):
        preflight(NAME, plan, learns, validates, verdict)
    failed = {each["name"] for each in read_json(verdict)["checks"] if not each["passed"]}
    assert failed == {"codec"}


def test_a_drug_that_validation_alone_has_is_told_and_does_not_stop(
    photographs: tuple[Rows, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pills = TASK.cut(photographs[0], params_of())
    lonely = pills.columns["drug"] == pills.columns["drug"].max()
    train, valid = pills.where(~lonely), pills
    plan, learns, validates = plan_and_sets(train, valid)
    preflight(NAME, plan, learns, validates, tmp_path / "preflight.json")
    checks = {
        each["name"]: each["found"] for each in read_json(tmp_path / "preflight.json")["checks"]
    }
    assert "3 of 4 classes in train" in checks["coverage"]
    assert checks["imprints"] == "never mirrored"
    assert f"unseen share {lonely.mean():.1%}" in capsys.readouterr().out
    # A batch of such rows alone costs nothing, and is no nan.
    loss = plan.loss(torch.zeros(2, 4), torch.full((2,), 3))
    assert loss.item() == 0


def test_cuts_too_large_for_memory_are_made_as_they_are_shown(
    photographs: tuple[Rows, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pills = TASK.cut(photographs[0], params_of())
    _, held, _ = plan_and_sets(pills, pills)
    monkeypatch.setattr(classifier_learner, "HELD", 0)
    _, lazy, _ = plan_and_sets(pills, pills)
    assert isinstance(held.images, np.ndarray)
    assert isinstance(lazy.images, LazyImages)
    batches = [BatchDataset(each).__getitems__([5, 0, 3]) for each in (held, lazy)]
    assert all(torch.equal(*pair) for pair in zip(*batches, strict=True))


# --- recipes


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recipes" / NAME).glob("*.yaml")), ids=lambda p: p.stem
)
def test_recipes_are_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import assay.systems

    # `params.yaml` has no section of the example.
    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
    content = laid_over(read_params(ROOT / "params.yaml"), read_recipe(ROOT, path))
    params = typed(content, NAME, ClassifierParams)
    assert timm.is_model(params.model.backbone)
    assert TASK.validate_params(params, typed(content, "pills", PILLS.params)) == ""
