"""Several batches a step, lower rates on a plateau, an early end: against torch's and Lightning's own."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from safetensors.torch import load_file
from tests.plans import COUNT, IMAGES, LEVELS, SIZE, Head, make, part
from torch import Tensor, nn

from assay.learning.determinism import reseed, set_determinism
from assay.learning.fit import fit
from assay.learning.patience import ended, lowers, waited
from assay.learning.schedules import Piece, after, rate, start_epoch, warmup_cosine
from assay.learning.targets import Values
from assay.learning.training_spec import TrainData, TrainingSpec
from assay.learning.transforms import Preprocess
from assay.runs.events import EventLog
from assay.runs.record import HISTORY, WEIGHTS
from assay.runs.run import Run
from assay.sections.machine import Runtime

pytestmark = pytest.mark.numeric

LEVEL = Values(2, 25, "g/dL")
ROWS = TrainData(IMAGES, LEVELS.astype(np.float32)[:, None])
FLAT = [Piece(0, 1, 1e-3, 1e-3)]


def linear(seed: int = 1, **config: Any) -> TrainingSpec:
    """Return a plan without batch norm, dropout and augmentation: rows alone decide."""
    reseed(seed)
    set_determinism(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 8), nn.Tanh(), nn.Linear(8, 1))
    spec = make(network, LEVEL, nn.SmoothL1Loss(), Preprocess((), SIZE))
    return replace(spec, config=spec.config.model_copy(update=config))


def awkward(**config: Any) -> TrainingSpec:
    """Return a plan that draws: dropout and flips."""
    reseed(1)
    set_determinism(1)
    spec = make(Head(1, start=12.0), LEVEL, nn.SmoothL1Loss())
    rates = [part("all", spec.network, warmup_cosine(config["epochs"], 1, 1e-3, 1e-4))]
    return replace(spec, param_groups=rates, config=spec.config.model_copy(update=config))


def scored(
    spec: TrainingSpec, scores: Sequence[float], dies_after: int | None = None
) -> TrainingSpec:
    """Return the plan with a validation that says these errors, epoch by epoch, and may die."""
    said = iter(scores)

    def metrics(outputs: Any, targets: Any) -> dict[str, float]:
        score = next(said)
        if dies_after is not None and score == scores[dies_after]:
            raise KeyboardInterrupt
        return {"mae": score, "own": float(abs(outputs).mean())}

    return replace(spec, metrics=metrics)


def run_in(folder: Path, **runtime: Any) -> Run:
    (folder / "model").mkdir(parents=True, exist_ok=True)
    return Run(
        "toy", folder, folder / "model", folder / "reports", folder / "resume",
        EventLog(folder / "events.jsonl"), runtime=Runtime(**runtime),
    )  # fmt: skip


def trained(
    spec: TrainingSpec, folder: Path, rows: TrainData = ROWS, **runtime: Any
) -> dict[str, Tensor]:
    fit(spec, rows, ROWS, run_in(folder, **runtime))
    return load_file(folder / "model" / WEIGHTS)


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "model" / HISTORY).open() as stream:
        return list(csv.DictReader(stream))


# --- several batches a step


@pytest.mark.parametrize("count", [COUNT, 22, 17, 13])
def test_batches_of_one_step_are_one_batch(tmp_path: Path, count: int) -> None:
    """8 rows a step, by one batch or four: also where the last step or batch is short of rows."""
    rows = TrainData(ROWS.images[:count], ROWS.targets[:count])
    whole = trained(linear(batch_size=8), tmp_path / "whole", rows)
    for batch, batches in ((4, 2), (2, 4), (1, 8)):
        folder = tmp_path / str(batch)
        parts = trained(linear(batch_size=batch, accumulate_grad_batches=batches), folder, rows)
        assert max(float(abs(whole[name] - parts[name]).max()) for name in whole) < 1e-6
        for one, other in zip(history(tmp_path / "whole"), history(folder), strict=True):
            assert one["lr_all"] == other["lr_all"]  # the schedule goes by steps


def test_a_batch_a_step_is_another_training(tmp_path: Path) -> None:
    """The test above can fail: without accumulation the small batches end 1e-4 and more away."""
    whole, parts = (trained(linear(batch_size=batch), tmp_path / str(batch)) for batch in (8, 4))
    assert max(float(abs(whole[name] - parts[name]).max()) for name in whole) > 1e-4


def test_the_rates_end_where_they_should(tmp_path: Path) -> None:
    spec = awkward(
        epochs=3, batch_size=4, accumulate_grad_batches=4
    )  # 6 batches: two steps an epoch
    trained(spec, tmp_path)
    found = [float(row["lr_all"]) for row in history(tmp_path)]
    assert found == pytest.approx(
        [rate(spec.param_groups[0].schedule, epoch) for epoch in (1, 2, 3)]
    )


def test_the_batches_of_one_step_draw_apart(tmp_path: Path) -> None:
    drawn: list[Tensor] = []

    def preprocess(images: Tensor, training: bool) -> Tensor:
        if training:
            drawn.append(torch.rand(4))
        return images.permute(0, 3, 1, 2) / 255

    def draws(folder: str, **config: Any) -> list[Tensor]:
        drawn.clear()
        trained(replace(linear(batch_size=4, **config), preprocess=preprocess), tmp_path / folder)
        return list(drawn)

    one, several = draws("one"), draws("several", accumulate_grad_batches=3)
    assert len({each.numpy().tobytes() for each in one}) == len(one) == 12  # two epochs of six
    assert all(torch.equal(own, other) for own, other in zip(one, several, strict=True))


# --- a plateau, an early end


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_rates_fall_as_torch_lets_them(patience: int) -> None:
    scores = np.random.default_rng(patience).integers(0, 12, 60).astype(float) + 30
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=0.9, patience=patience, threshold=0.0
    )
    spec, own = linear(), 1.0
    for epoch, score in enumerate(scores):
        theirs.step(score)
        best = int(scores[: epoch + 1].argmin())
        own *= 0.9 if lowers(waited(spec, best, epoch), patience) else 1.0
        assert own == pytest.approx(optimiser.param_groups[0]["lr"])
    assert own < 1


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_a_training_ends_where_lightning_ends_it(patience: int) -> None:
    scores = np.random.default_rng(patience).integers(0, 12, 60).astype(float)
    theirs = EarlyStopping("mae", min_delta=0.0, patience=patience)
    spec = linear(early_stopping_patience=patience)
    for epoch in range(len(scores)):
        stops, _ = theirs._evaluate_stopping_criteria(torch.tensor(scores[epoch]))
        best = int(scores[: epoch + 1].argmin())
        assert ended(spec, best, epoch) == stops
        if stops:
            return
    pytest.fail("never ended")


def test_none_waits_for_nothing() -> None:
    assert not lowers(1000, "none")
    assert not ended(linear(), 0, 1000)


def test_epochs_without_all_parts_do_not_count() -> None:
    """A head alone gets no further than it can; the backbone would never have its turn."""
    late = after(5, warmup_cosine(10, 1, 1e-3, 0))
    spec = linear()
    spec = replace(spec, param_groups=[*spec.param_groups, part("late", spec.network, late)])
    assert [start_epoch(each.schedule) for each in spec.param_groups] == [0, 5]
    assert start_epoch(warmup_cosine(10, 3, 1.0, 0.0)) == 0
    assert [waited(spec, 1, epoch) for epoch in range(8)] == [0, 0, 0, 0, 0, 1, 2, 3]
    assert [waited(spec, 6, epoch) for epoch in (6, 7, 9)] == [0, 1, 3]


def test_the_lower_rate_is_learned_with_and_told(tmp_path: Path) -> None:
    """Errors rise from the second epoch on: rates are lowered after it, and after every other."""
    scores = [3.0, 2.0, 4.0, 5.0, 6.0, 7.0]
    flat = [part("all", linear().network, FLAT)]

    def spec(**config: Any) -> TrainingSpec:
        own = linear(batch_size=8, epochs=6, **config)
        return scored(replace(own, param_groups=[part("all", own.network, FLAT)]), scores)

    assert rate(flat[0].schedule, 99) == 1e-3
    trained(spec(), tmp_path / "plain")
    trained(spec(plateau_patience=1, plateau_factor=0.5), tmp_path / "lowered")
    rates = [float(row["lr_all"]) for row in history(tmp_path / "lowered")]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4])
    own, other = ([row["own"] for row in history(tmp_path / name)] for name in ("lowered", "plain"))
    # The fifth epoch is the first that learns with it: its first step too, so from there on they part.
    assert [one == two for one, two in zip(own, other, strict=True)] == [True] * 4 + [False] * 2


def test_the_lowered_step_is_the_very_next(tmp_path: Path) -> None:
    """Rates times 1e-12 after the third epoch: nothing moves any more, not by a single step."""
    spec = linear(batch_size=8, epochs=5, plateau_patience=1, plateau_factor=1e-12)
    trained(scored(spec, [1.0, 2.0, 3.0, 4.0, 5.0]), tmp_path)
    own = [row["own"] for row in history(tmp_path)]
    assert len(set(own[:3])) == 3
    assert own[2] == own[3] == own[4]


def test_the_training_ends_early_with_the_best_weights(tmp_path: Path) -> None:
    scores = [3.0, 2.0, 1.0, 4.0, 5.0, 0.0]
    whole = trained(scored(linear(epochs=3), scores), tmp_path / "three")
    ended_early = trained(
        scored(linear(epochs=6, early_stopping_patience=2), scores), tmp_path / "six"
    )
    assert [row["mae"] for row in history(tmp_path / "six")] == ["3.0", "2.0", "1.0", "4.0", "5.0"]
    assert whole.keys() == ended_early.keys()
    fourth = scored(linear(epochs=6, early_stopping_patience=3), scores)
    trained(fourth, tmp_path / "patient")
    assert len(history(tmp_path / "patient")) == 6


def test_the_epoch_rule_s_ties_are_watched_too(tmp_path: Path) -> None:
    """The first figure stands still and the second gets better: no plateau, no end."""
    falling = iter(range(9, 0, -1))

    def spec(second: bool) -> TrainingSpec:
        own = linear(epochs=6, early_stopping_patience=2)
        return replace(
            own,
            metrics=lambda outputs, targets: {"f1": 0.5, "loss": float(next(falling))},
            rank=lambda row: (-row["f1"], row["loss"] if second else 0.0),
        )

    for second, epochs in ((True, 6), (False, 3)):
        trained(spec(second), tmp_path / str(second))
        assert len(history(tmp_path / str(second))) == epochs


@pytest.mark.parametrize("dies_after", [1, 3, 4, 6, 7])
@pytest.mark.parametrize("checkpoint_every", [1, 2, 5])
def test_killed_anywhere_it_goes_on_to_the_same_bytes(
    tmp_path: Path, dies_after: int, checkpoint_every: int
) -> None:
    """Lowered after epochs 4 and 6, ended with 8; two batches a step; states every few epochs."""
    scores = [5.0, 4.0, 4.5, 4.6, 4.7, 4.8, 4.9, 4.95, 1.0, 1.0]

    def spec() -> TrainingSpec:
        return awkward(
            epochs=10, batch_size=4, accumulate_grad_batches=2,
            plateau_patience=1, plateau_factor=0.5, early_stopping_patience=6,
        )  # fmt: skip

    trained(scored(spec(), scores), tmp_path / "whole")
    assert len(history(tmp_path / "whole")) == 8
    killed = tmp_path / "killed"
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trained(scored(spec(), scores, dies_after), killed, checkpoint_every=checkpoint_every)
    done = dies_after // checkpoint_every * checkpoint_every
    states = [each.name for each in (killed / "resume").glob("*.ckpt")]
    assert states == ([f"epoch-{done - 1:04d}.ckpt"] if done else [])
    trained(scored(spec(), scores[done:]), killed, checkpoint_every=checkpoint_every)
    for name in (WEIGHTS, HISTORY):
        one, other = ((tmp_path / run / "model" / name) for run in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 1)])
def test_killed_it_goes_on_under_another_runtime_to_the_same_bytes(
    tmp_path: Path, before: int, after: int
) -> None:
    """Workers are started before the loop tells them the epoch; the best one comes after the kill."""
    scores = [5.0, 4.0, 3.0, 2.0, 1.0]
    trained(scored(awkward(epochs=5, batch_size=4), scores), tmp_path / "whole")
    killed = tmp_path / "killed"
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trained(scored(awkward(epochs=5, batch_size=4), scores, 3), killed, num_workers=before)
    trained(
        scored(awkward(epochs=5, batch_size=4), scores[3:]), killed,
        num_workers=after, prefetch_factor=3, checkpoint_every=2, checkpoint_keep="all",
    )  # fmt: skip
    for name in (WEIGHTS, HISTORY):
        one, other = ((tmp_path / run / "model" / name) for run in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("keep", ["all", 2])
def test_from_any_of_its_states_it_goes_on_to_the_same_bytes(
    tmp_path: Path, keep: int | str
) -> None:
    """The best epoch is the fifth; weights of it lie there already when an earlier state is taken up."""
    scores = [5.0, 4.0, 4.5, 4.6, 1.0, 4.8, 4.9, 4.95, 4.9, 4.9]

    def spec(dies_after: int | None = None, first: int = 0) -> TrainingSpec:
        return scored(awkward(epochs=8, batch_size=4), scores[first:], dies_after)

    trained(spec(), tmp_path / "whole")
    killed = tmp_path / "killed"
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trained(spec(dies_after=6), killed, checkpoint_keep=keep)
    states = sorted(each.name for each in (killed / "resume").glob("*.ckpt"))
    newest = [f"epoch-{number:04d}.ckpt" for number in range(6)]
    assert states == (newest if keep == "all" else newest[-2:])
    shutil.copytree(killed, tmp_path / "left")
    for name in states:
        shutil.rmtree(killed)
        shutil.copytree(tmp_path / "left", killed)
        for newer in states[states.index(name) + 1 :]:
            (killed / "resume" / newer).unlink()
        trained(spec(first=int(name[6:10]) + 1), killed, checkpoint_keep=keep)
        for kept in (WEIGHTS, HISTORY):
            one, other = ((tmp_path / run / "model" / kept) for run in ("whole", "killed"))
            assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("damage", ["truncated", "overwritten"])
def test_a_damaged_state_is_told_and_the_one_before_it_taken(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = [5.0, 4.0, 3.0, 2.0, 1.0]
    config: dict[str, Any] = {"epochs": 4, "batch_size": 4}
    trained(scored(awkward(**config), scores), tmp_path / "whole")
    killed = tmp_path / "killed"
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trained(scored(awkward(**config), scores, dies_after=3), killed, checkpoint_keep=2)
    state = killed / "resume" / "epoch-0002.ckpt"
    content = bytearray(state.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"\0" * 64
    state.write_bytes(content[:middle] if damage == "truncated" else content)
    trained(scored(awkward(**config), scores[2:]), killed)
    assert "epoch-0002.ckpt is damaged; the state before it is taken" in capsys.readouterr().out
    for name in (WEIGHTS, HISTORY):
        one, other = ((tmp_path / run / "model" / name) for run in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()


def test_killed_after_its_end_it_trains_no_further(tmp_path: Path) -> None:
    """The state of the last epoch stands, the outputs do not."""
    scores = [1.0, 2.0, 3.0]
    spec = linear(epochs=9, early_stopping_patience=2)
    trained(scored(spec, scores), tmp_path)
    first = (tmp_path / "model" / WEIGHTS).read_bytes()
    (tmp_path / "model" / WEIGHTS).unlink()
    trained(
        scored(linear(epochs=9, early_stopping_patience=2), []), tmp_path
    )  # an epoch more would fail
    assert (tmp_path / "model" / WEIGHTS).read_bytes() == first
    assert len(history(tmp_path)) == 3
