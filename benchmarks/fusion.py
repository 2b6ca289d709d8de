"""What sharing frozen features saves a grid of fusion trainings, and what a training costs besides.

    python benchmarks/fusion.py [frozen] [passes] [overhead] [grid] [--trainings 20]

Made-up rows of the fusion kind: 22 patients of 4 pairs at 64 px, tiny networks of timm, the study's 60
epochs of phase 1. Each part compares its ways in one run, so that the ratios hold on a busy machine too;
CPU seconds are of the one process.

- `frozen`: an epoch, frozen and thawed, and whole trainings: on shared stored views; on the same, asked
  anew in each epoch (`recomputed`: the source without sharing is here); augmented on the fly, as people
  do. Goals against those that share nothing: 10 times less on frozen epochs, 3 times in all.
- `passes`: photographs that a backbone is asked for in frozen epochs, counted by a hook, against 250
  trainings that each ask anew. Goals: 100 times fewer with 8 views, 800 times without augmentation. And a
  small grid trained in all three ways: shared and recomputed must say and choose the same, to the byte;
  how far augmentation on the fly is from them is told.
- `overhead`: a training of the demo's size as a job against a bare loop of the same steps: no Lightning,
  no files. Goal: at most 0.1 s in process; in processes and on Ray it is told.
- `grid`: pairs of five by five backbones, five folds, with and without demographics, by two processes
  in one command; the same command again; and `plain_fusion.py`, which a careful person would write, six
  of it, two at a time, and extrapolated. Goals: 8 minutes for 250, 3 s for the second call, 2 times less
  than plain. `--trainings` takes as few pairs as have so many; all 250 by `--trainings 250`.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from assay.code.write import write_code
from assay.contract.grid import GridRun
from assay.jobs.driver import run_jobs
from assay.jobs.executor import Executor
from assay.jobs.grid import grid_jobs
from assay.jobs.job import Job
from assay.jobs.outcome import finished
from assay.jobs.processes import Processes
from assay.jobs.progress import JobProgress
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.learning.schedules import factor
from assay.manifest.layout import Layout
from assay.manifest.parts import read_trainval, validation_fold
from assay.manifest.storage import PixelStorage
from assay.manifest.table import write_table
from assay.params import read_params
from assay.runs.files import file_digest
from assay.runs.record import OUT_OF_FOLD
from assay.sections.machine import Runtime
from assay.systems.hemoglobin.networks.frozen import (
    Frozen,
    Views,
    ask_backbone,
    digests_of,
    draw_views,
    run_trunk,
)
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.inputs import StoredViews
from assay.systems.hemoglobin.networks.parted import Steps
from assay.systems.hemoglobin.tasks import fusion_learner
from assay.systems.hemoglobin.tasks.fusion import FUSION
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS
from assay.systems.hemoglobin.tasks.fusion_grid import member_params
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_stored import kept_views
from assay.values import on_machine

ROOT = Path(__file__).parents[1]
PLAIN = ROOT / "benchmarks" / "plain_fusion.py"
FIVE = ["test_resnet", "test_byobnet", "test_convnext", "test_efficientnet", "test_efficientnet_gn"]
PATIENTS, FOLDS, SIZE, WHOLE, SAMPLE = 22, 5, 64, 250, 6
STUDY = {
    "epochs": 60, "frozen_epochs": 10, "head_warmup_epochs": 5, "head_lr": 5e-4,
    "head_lr_final": 5e-6, "backbone_lr": 1e-4, "backbone_lr_final": 1e-6,
}  # fmt: skip
SHORT = {**STUDY, "epochs": 6, "frozen_epochs": 3, "head_warmup_epochs": 1, "head_lr": 5e-3}
WAYS = ("shared", "recomputed", "on the fly")


def section(nails: int, eyes: int, **train: Any) -> dict[str, Any]:
    """Return the section of a grid of phase 1 on so many backbones a side, with the study's head."""
    declared = read_params(ROOT / "params.yaml")
    own = copy.deepcopy(on_machine(declared[FUSION.name], {"machine": declared["machine"]}))
    sides = {"nail": FIVE[:nails], "conjunctiva": FIVE[:eyes]}
    own["model"] |= {**sides, "phases": [1], "hidden": [512, 256]}
    own["train"] |= {**STUDY, **train}
    return dict(own)


def write_rows(folder: Path) -> None:
    """Write rows whose photographs redden with Hb: as `split` leaves them, and for the plain script."""
    random = np.random.default_rng(0)
    hb = random.uniform(8, 16, PATIENTS)
    shown = random.integers(0, 255, (2, PATIENTS, 2, SIZE, SIZE, 3), dtype=np.uint8)
    shown[..., 0] = hb[None, :, None, None, None] * 12 + random.integers(0, 20, shown.shape[:-1])
    pairs = [(p, a, b) for p in range(PATIENTS) for a in (0, 1) for b in (0, 1)]
    patient = np.array([p for p, _, _ in pairs])
    images = np.stack([np.stack([shown[0, p, a], shown[1, p, b]]) for p, a, b in pairs])
    columns = {
        "sample_id": np.array([f"{p:02d}-{a}{b}" for p, a, b in pairs]), "group_id": patient,
        "hb": hb[patient], "age": 20.0 + patient, "gender": patient % 2.0, "fold": patient % FOLDS,
    }  # fmt: skip
    layout = Layout(MEMBER.data)
    storage = PixelStorage(MEMBER.data, str(folder), "images", SIZE, "stretch", VIEWS)
    facts = {**storage.facts(), "folds": FOLDS, "split_digest": "made up", "group_kind": "patient"}
    write_table(folder / layout.trainval, pl.DataFrame(columns), facts)
    np.save(folder / layout.trainval_pixels, images)
    named = {"group": patient, **{name: columns[name] for name in ("hb", "age", "gender", "fold")}}
    np.savez(folder / "rows.npz", images=images, **named)
    (folder / ".dvc").mkdir()


class Recomputed(StoredViews):
    """The same views as `StoredViews`, asked anew each time: what it says, without what is stored."""

    def __init__(self, learner: Any, stored: Sequence[Frozen], network: FusionNetwork) -> None:
        super().__init__(stored, network)
        backbones, rows = learner.backbones(SIZE), read_trainval(MEMBER.data)[0]
        self.parted = [each.parted for each in backbones]
        self.seen = [
            seen_views(kept_views(backbone, learner.params.train), kept, rows.images[view][:])
            for view, backbone, kept in zip(VIEWS, backbones, stored, strict=True)
        ]

    def __call__(self, rows: Tensor, training: bool) -> tuple[Tensor, ...]:
        """Return the network's inputs."""
        count = self.stored[0].maps.shape[1]
        views = torch.randint(count, rows.shape) if training else torch.zeros_like(rows)
        inputs: list[Tensor] = []
        for parted, seen, row, view in zip(self.parted, self.seen, rows.T, views.T, strict=True):
            images = seen[row.numpy(), view.numpy()]
            if self.network.is_thawed:
                inputs += run_trunk(parted, torch.from_numpy(images))
            else:
                inputs.append(
                    torch.from_numpy(ask_backbone(parted, images)[2 if self.network.is_late else 3])
                )
        return tuple(inputs)


def seen_views(views: Views, kept: Frozen, images: Any) -> Any:
    """Return the images of all views of each photograph, by its slot."""
    found: dict[int, Any] = {}
    for digest, image in zip(digests_of(images), images, strict=True):
        slot = kept.place[digest]
        if slot not in found:
            found[slot] = np.stack(list(draw_views(views, digest, image)))
    return np.stack([found[slot] for slot in range(len(found))])


@contextlib.contextmanager
def by(way: str) -> Iterator[None]:
    """Have trainings fed in a way; the section says `stored_views` 0 for that on the fly."""
    if way != "recomputed":
        yield
        return
    whole = fusion_learner.FusionLearner.prepare_with

    def prepare_with(self: Any, *arguments: Any) -> Any:
        with mock.patch.object(fusion_learner, "StoredViews", partial(Recomputed, self)):
            return whole(self, *arguments)

    with mock.patch.object(fusion_learner.FusionLearner, "prepare_with", prepare_with):
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what is printed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def jobs_for(own: dict[str, Any]) -> dict[tuple[str, int], Job]:
    """Return all jobs of a grid."""
    layout = Layout(MEMBER.data)
    read = {str(path): file_digest(path) for path in (layout.trainval, layout.trainval_pixels)}
    return grid_jobs(FUSION, own, read, range(FOLDS))


def of_way(own: dict[str, Any], way: str) -> dict[str, Any]:
    """Return the section for a way of being fed."""
    return {**own, "train": {**own["train"], "stored_views": 0}} if way == "on the fly" else own


def a_store() -> JobStore:
    """Return an empty store."""
    return JobStore(Path.cwd(), Path(tempfile.mkdtemp(dir=Path.cwd())))


def done(jobs: Sequence[Job], store: JobStore, watch: Any = None) -> tuple[float, float]:
    """Do jobs one after the other; return wall and CPU seconds of one."""
    wall, cpu = time.perf_counter(), time.process_time()
    with quiet():
        for job in jobs:
            run_job(job, store, Runtime(), watch)
    return (time.perf_counter() - wall) / len(jobs), (time.process_time() - cpu) / len(jobs)


def frozen_epochs() -> None:
    """Tell what epochs and trainings cost in each way."""
    own = section(2, 1)
    with quiet():
        FUSION.prepare(read_trainval(MEMBER.data)[0], FUSION.configurations(own))
        done(list(jobs_for(section(1, 1, **SHORT)).values())[:1], a_store())
    thaws, found = STUDY["frozen_epochs"], {}
    for way in WAYS:
        frozen, thawed, whole = [], [], []
        for job in list(jobs_for(of_way(own, way)).values())[::10]:
            ticks: list[float] = []
            with by(way):
                note = partial(lambda to, _: to.append(time.process_time()), ticks)
                whole.append(done([job], a_store(), note)[1])
            took = np.diff(ticks)
            frozen += [*took[: thaws - 1]]
            thawed += [*took[thaws:]]
        found[way] = statistics.median(frozen), statistics.median(thawed), sum(whole) / len(whole)
    for way, values in found.items():
        times = [value / kept for value, kept in zip(values, found["shared"], strict=True)]
        print(f"  {way:11s} a frozen epoch {1000 * values[0]:6.1f} ms ({times[0]:.1f} ×), a thawed one"
              f" {1000 * values[1]:6.1f} ms ({times[1]:.1f} ×), a training {values[2]:.2f} s"
              f" ({times[2]:.1f} ×)")  # fmt: skip


@contextlib.contextmanager
def counted() -> Iterator[list[int]]:
    """Count the images that trunks are shown, of padded batches all."""
    shown: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, Steps) and inputs[0].shape[1] == 3:
            shown.append(len(inputs[0]))

    hook = nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield shown
    finally:
        hook.remove()


def passes() -> None:
    """Tell how often backbones are asked, and whether the grid says the same in each way."""
    rows = read_trainval(MEMBER.data)[0]
    anew = WHOLE * STUDY["frozen_epochs"] * len(rows) * len(VIEWS)
    print(f"  recomputed: {WHOLE} trainings × {STUDY['frozen_epochs']} frozen epochs × {len(rows)} rows"
          f" × {len(VIEWS)} views = {anew:,} passes")  # fmt: skip
    for views, augment in ((8, ["hflip", "vflip", "crop", "tilt"]), (1, [])):
        own = section(5, 5, stored_views=views, augment=augment, seed=1)
        with counted() as shown, quiet():
            FUSION.prepare(rows, FUSION.configurations(own))
        # What checks a network while it is built shows it one image.
        asked = sum(each for each in shown if each > 1)
        print(f"  shared, {views} views: {asked:,} passes counted, {anew / asked:.0f} times fewer")
    own = section(2, 2, **SHORT)
    with quiet():
        FUSION.prepare(rows, FUSION.configurations(own))
    said, chosen = {}, {}
    for way in WAYS:
        jobs, store = jobs_for(of_way(own, way)), a_store()
        with by(way), counted() as shown:
            done(list(jobs.values()), store)
        results = {name: store.result(job) for name, job in jobs.items()}
        said[way] = [(path / OUT_OF_FOLD).read_bytes() for path in results.values()]
        with quiet():
            chosen[way] = FUSION.choose_trainings(results, rows, own)
        chosen[way] = list(dict.fromkeys(name for name, _ in chosen[way]))
        maes = [float(np.mean(np.abs(one))) for one in errors(results.values(), rows)]
        print(f"  {len(jobs)} trainings, {way}: {sum(shown):,} images shown, MAE {np.mean(maes):.3f};"
              f" finalists {', '.join(chosen[way])}")  # fmt: skip
    assert said["shared"] == said["recomputed"]
    assert chosen["shared"] == chosen["recomputed"]
    print("  shared and recomputed: equal bytes out of fold, equal finalists")


def errors(folders: Any, rows: Any) -> Iterator[Any]:
    """Yield the errors of each training on the rows that validate it."""
    hb = dict(zip(rows.columns["sample_id"].tolist(), rows.columns["hb"].tolist(), strict=True))
    for folder in folders:
        table = pl.read_parquet(folder / OUT_OF_FOLD)
        true = np.array([hb[each] for each in table["sample_id"]])
        yield table["best"].to_numpy()[:, 0] - true


def bare(job: Job) -> Callable[[], None]:
    """Return the same steps as a loop on one page: same network, inputs, optimizer, validation."""
    params = member_params({**job.params[FUSION.name]})
    train, valid = validation_fold(read_trainval(MEMBER.data)[0], job.fold)
    ready = MEMBER.learner(params).prepare(train, valid)
    spec, network, how = ready.spec, ready.spec.network, ready.spec.config
    learned, held = (
        [torch.from_numpy(each) for each in (d.images, d.targets, d.covariates) if each is not None]
        for d in (ready.train, ready.valid)
    )

    def loop() -> None:
        groups = [{"params": list(part.parameters), "lr": part.peak} for part in spec.param_groups]
        optimizer = torch.optim.AdamW(groups, weight_decay=how.weight_decay)
        steps = -(-len(train) // how.batch_size)
        factors = [factor(part.schedule, part.peak, steps) for part in spec.param_groups]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        for epoch in range(how.epochs):
            network.train()
            for part in spec.param_groups:
                part.enter(epoch)
            for batch in torch.split(torch.randperm(len(train)), how.batch_size):
                inputs, targets = spec.transform(*[each[batch] for each in learned], training=True)
                optimizer.zero_grad()
                spec.loss(network(inputs), targets).backward()
                optimizer.step()
                schedule.step()
            network.eval()
            with torch.inference_mode():
                inputs, targets = spec.transform(*held, training=False)
                spec.metrics(network(inputs).numpy(), targets.numpy())

    return loop


def overhead(count: int = 20) -> None:
    """Tell what a job of the demo's size costs beyond its own steps."""
    own = section(2, 2, epochs=4, frozen_epochs=2, head_warmup_epochs=1)
    own["model"] |= {"hidden": [64, 32], "levels_width": 32, "phases": [1, 2]}
    own["train"]["phase2"] |= {"epochs": 4, "frozen_epochs": 2, "head_warmup_epochs": 1}
    with quiet():
        FUSION.prepare(read_trainval(MEMBER.data)[0], FUSION.configurations(own))
    jobs = list(jobs_for(own).values())[: 2 * count : 2]
    done(jobs[:2], a_store())
    whole, steps, store = [], [], a_store()
    for job in jobs:
        loop = bare(job)
        wall, cpu = time.perf_counter(), time.process_time()
        loop()
        steps.append((time.perf_counter() - wall, time.process_time() - cpu))
        whole.append(done([job], store))
    (wall, cpu), (own_wall, own_cpu) = np.median(whole, 0), np.median(steps, 0)
    more_wall, more_cpu = np.median(np.subtract(whole, steps), 0)
    print(f"  4 epochs, bare {own_wall:.3f} s ({own_cpu:.3f} CPU), as a job {wall:.3f} s ({cpu:.3f} CPU):"
          f" {more_wall:.3f} s more ({more_cpu:.3f} CPU)")  # fmt: skip
    work = partial(run_job, runtime=Runtime())
    beside(jobs, own_wall, "a process each", lambda store: Processes(work, store, 1))
    if find_spec("ray"):
        from assay.jobs.ray_cluster import RayCluster

        beside(jobs, own_wall, "Ray", lambda store: RayCluster(work, store))
    else:
        print("  Ray: not installed")


def beside(
    jobs: Sequence[Job], steps: float, name: str, make: Callable[[JobStore], Executor]
) -> None:
    """Tell what jobs cost that other processes do, all after the first, which starts them."""
    took = []
    for some in (jobs[:1], jobs):
        store = a_store()
        began = time.perf_counter()
        with quiet():
            executor = make(store)
            for outcome in run_jobs(some, executor, store, JobProgress(MEMBER, some, store)):
                finished(outcome)
        took.append((time.perf_counter() - began) * executor.slots)
    each = (took[1] - took[0]) / (len(jobs) - 1)
    print(f"  by {name}: {each:.3f} s a job and process, {each - steps:.3f} s more than its steps;"
          f" the first {took[0]:.1f} s")  # fmt: skip


def sized(trainings: int) -> tuple[int, int]:
    """Return the fewest backbones a side that have so many trainings."""
    sides = [(a, b) for a in range(1, 6) for b in range(1, a + 1) if a * b * 2 * FOLDS >= trainings]
    return min(sides, key=lambda each: each[0] * each[1])


def train_grid(nails: int, eyes: int) -> None:
    """Train the grid as the stage does, and print the seconds; of a process of its own."""
    own, began = section(nails, eyes), time.perf_counter()
    with quiet():
        inputs, runtime = {"data/made-up": "1"}, Runtime(n_jobs=2)
        FUSION.train_grid(GridRun(Path.cwd(), own, {FUSION.name: own}, inputs, "k", runtime))
    print(time.perf_counter() - began)


def grid(trainings: int) -> None:
    """Tell what the grid takes, again, and by plain scripts."""
    sides = sized(trainings)
    count = sides[0] * sides[1] * 2 * FOLDS
    command = [sys.executable, __file__, "train", *map(str, sides)]
    first, second = (float(subprocess.check_output(command, text=True)) for _ in range(2))
    print(f"  {count} trainings by two processes {first:.1f} s, {first / count:.2f} s each;"
          f" again {second:.2f} s", flush=True)  # fmt: skip
    pairs = [(nail, eye) for nail in FIVE[: sides[0]] for eye in FIVE[: sides[1]]]
    chosen = [pairs[at * len(pairs) // SAMPLE] for at in range(SAMPLE)]
    began = time.perf_counter()
    place = Path(tempfile.mkdtemp(dir=Path.cwd()))
    for turn in range(0, SAMPLE, 2):
        running = [
            subprocess.Popen(
                [sys.executable, PLAIN, "rows.npz", place / str(at), *chosen[at], *each]
            )
            for at in (turn, turn + 1)
            for each in [map(str, (at % FOLDS, at % 2, STUDY["epochs"], STUDY["frozen_epochs"]))]
        ]
        for each in running:
            assert each.wait() == 0
    plain = (time.perf_counter() - began) / SAMPLE
    print(f"  plain: {SAMPLE} two at a time, {plain:.2f} s each, {plain * count:.0f} s for {count}"
          f" (extrapolated): {plain * count / first:.1f} times as long")  # fmt: skip
    if count < WHOLE:
        print(f"  all {WHOLE}, extrapolated: {first / count * WHOLE / 60:.1f} min")


def main() -> None:
    """Measure the parts that are asked for, in a folder of its own."""
    parser = argparse.ArgumentParser()
    parts = {"frozen": frozen_epochs, "passes": passes, "overhead": overhead}
    parser.add_argument(
        "parts", nargs="*", default=[*parts, "grid"], help="frozen passes overhead grid"
    )
    parser.add_argument("--trainings", type=int, default=20)
    asked = parser.parse_args()
    if "DVC_ROOT" not in os.environ:
        measure_apart()
        return
    for part in asked.parts:
        print(f"{part}: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        parts.get(part, partial(grid, asked.trainings))()


def measure_apart() -> None:
    """Run this again in a folder that has rows and a package of its own, as Ray's workers want it."""
    from tests.studies import own_source

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_rows(folder)
        own_source(folder)
        shutil.copy(ROOT / "requirements.lock", folder)
        with contextlib.chdir(folder):
            write_code("hemoglobin")
        command = [sys.executable, __file__, *sys.argv[1:]]
        env = {**os.environ, "PYTHONPATH": str(folder / "src"), "DVC_ROOT": place}
        subprocess.run(command, cwd=folder, env=env, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train_grid(*map(int, sys.argv[2:]))
    else:
        sys.path.insert(0, str(ROOT))
        main()
