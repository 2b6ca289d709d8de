"""The gates of the door, each one question about a case, answered with what it compared."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from assay.contract.checks import Check
from assay.contract.scored import scoring_stage
from assay.errors import AssayError
from assay.gates.leakage import unsought
from assay.learning.claims import OUT_OF_FOLD, is_in_sample, rests_on
from assay.manifest.layout import Layout
from assay.manifest.snapshot import UNSTATED
from assay.registry.ledger import entries, is_cut, is_shallow
from assay.registry.mlflow_version import folder_of
from assay.registry.origin import changed_source
from assay.registry.predictions import predict_with
from assay.registry.promotion_context import PromotionContext
from assay.registry.seal import budget_of, known_look
from assay.runs.files import read_json
from assay.runs.git import git
from assay.runs.record import RECORD
from assay.tracking.paired import Paired
from assay.tracking.store import open_store

Gate = Callable[[PromotionContext], Check]
Floats = npt.NDArray[np.float32]
SERVED = "the registered model predicts what was scored, to a thousandth"


def ledger(case: PromotionContext) -> Check:
    """Ask whether the ledger is whole."""
    expected, count = "every entry it ever had", len(entries(case.root))
    if is_shallow(case.root):
        mend = "git fetch --unshallow"
        return Check("ledger", False, expected, "a shallow clone knows a part", count, (), mend)
    cut = is_cut(case.root)
    found = f"the branch lost entries up to {cut[:12]}" if cut else "whole"
    return Check("ledger", not cut, expected, found, count, mend="assay doctor")


def content(case: PromotionContext) -> Check:
    """Ask whether the commit holds the model, and its lock agrees with its own tree."""
    name, version = case.scored.name, case.candidate
    expected = "a dvc.lock that holds this model, and inputs as in its commit"
    if git(case.root, "cat-file", "-t", version.commit) != "commit":
        found = f"commit {version.commit[:12]} is not in this clone"
        return Check("content", False, expected, found, 0, (), "git fetch --all --tags")
    lost = [path for path, md5 in _digests(case).items() if case.pinned.outs.get(path) != md5]
    stage = scoring_stage(case.scored)
    lost += case.pinned.deviations(stage)
    held = ", ".join(f"{file} {md5[:8]}" for file, md5 in version.files.items())
    found = ", ".join(lost) or f"commit {version.commit[:12]} holds {held}"
    mend = f"dvc repro {stage}, commit, assay register {name}"
    return Check("content", not lost, expected, found, len(case.pinned.outs), lost, mend)


def served(case: PromotionContext) -> Check:
    """Ask the registered model for validation rows; it must say what the evaluation scored.

    One of several folds is asked fold by fold, each its own rows: its combined answer nobody scored.
    """
    try:
        rows, count, places = case.validation()
        model = case.record["model"]
        folds = rows.columns["fold"] if model.get("folds") else None
        said = predict_with(case.root, case.candidate, rows, model, folds)
    except AssayError as fault:
        check = _refused("served", SERVED, fault)
    else:
        scored = case.rows.predictions[places]
        check = judge_served(case.scored.name, said, scored, len(rows), count)
    if check.passed or not check.mend.startswith("assay sync"):
        return check
    # A file that was changed in its place moves nothing by which a sync would notice.
    name, number = case.candidate.task, case.candidate.number
    folder = folder_of(open_store(case.root), case.root, name, number)
    return replace(check, mend=f"rm -r {folder} && {check.mend}") if folder else check


def judge_served(task: str, said: Floats, scored: Floats, asked: int, count: int) -> Check:
    """Hold what was said (n, outputs), asked about some of `count` rows, against what was scored."""
    mend = f"assay sync; where it stays, assay register {task}"
    if said.shape != scored.shape:
        found = f"{said.shape} predictions, {scored.shape} were scored"
        return Check("served", False, SERVED, found, asked, (), mend)
    # What neither says anything of is alike; what one alone does leaves the largest no number.
    neither = np.isnan(said) & np.isnan(scored)
    apart = np.where(neither, 0, np.abs(said - scored))
    limit = 1e-3 * max(1.0, float(np.nanmax(np.abs(scored))))
    worst = float(apart.max())
    drawn = f" of {count:,}" if asked < count else ""
    found = f"{asked}{drawn} validation rows, at most {worst:.2g} apart"
    return Check("served", worst <= limit, SERVED, found, asked, (), mend)


def verdicts(case: PromotionContext) -> Check:
    """Ask for the verdicts of labels, leakage and preflight on these very digests."""
    layout = Layout(case.scored.data)
    paths = {"labels": layout.labels_verdict, "leakage": layout.leakage_verdict}
    for part in case.scored.parts or [case.scored.name]:
        told = f"preflight of {part}" if case.scored.parts else "preflight"
        paths[told] = layout.reports.parent / part / "preflight.json"
    said = {name: read_json(case.pinned.file(path)) for name, path in paths.items()}
    failed = [name for name, verdict in said.items() if not verdict["passed"]]
    counts = {name: len(verdict["checks"]) for name, verdict in said.items()}
    found = ", ".join(
        f"{name} {'failed' if name in failed else 'passed'} ({counts[name]})" for name in said
    )
    found += unsought(said["leakage"])
    return Check("verdicts", not failed, "all passed", found, sum(counts.values()), failed)


def selection(case: PromotionContext) -> Check:
    """Ask whether rows that trained the model's parts chose or weighed them."""
    name, model = case.scored.name, case.record["model"]
    how = model.get("selection", "nothing chosen")
    expected = f"{OUT_OF_FOLD}: no part chosen or weighed by rows that trained one"
    mend = f"dvc exp run -S {name}.model.select.selection={OUT_OF_FOLD}"
    passed = not is_in_sample(model)
    return Check("selection", passed, expected, how, model.get("compared", 1), (), mend)


def source(case: PromotionContext) -> Check:
    """Ask where the data come from, and whether they are still there as they were."""
    data, name = case.record["data"], case.scored.data
    fault = changed_source(case.root, case.record)
    unstated = data.get("provenance") == UNSTATED
    found = (
        "provenance unstated" if unstated else f"{data['source']}, {data['files']} files, stated"
    )
    place = shlex.quote(data["source"])
    mend = f"assay snapshot {name} {place} --origin … --licence … --consent …, dvc repro"
    if fault:
        found, mend = fault.found, fault.mend
    expected = "a snapshot that states origin and agrees with the source"
    return Check(
        "source", not unstated and not fault, expected, found, int(data["files"]), (), mend
    )


def subjects(case: PromotionContext) -> Check:
    """Ask whether enough independent subjects were compared."""
    least = case.params.promote.min_groups
    if not isinstance(case.compared, Paired):
        return Check("subjects", False, f"at least {least}", case.compared.found, 0)
    count = case.compared.groups
    found = _rests(case, case.compared)
    if case.compared.relabelled or case.compared.only_other:
        found += (
            f" ({case.compared.only_one} and {case.compared.only_other} rows of one side alone,"
            f" {case.compared.relabelled} relabelled)"
        )
    if case.replaced:
        found += f", {len(case.replaced)} whose picture was replaced left out"
    mend = f"more data, or, stated in git, {case.scored.name}.promote.min_groups"
    return Check("subjects", count >= least, f"at least {least}", found, count, (), mend)


def better(case: PromotionContext) -> Check:
    """Ask whether the candidate is better than the champion, beyond chance and beyond its seeds.

    By the last epoch of both, where both have one: these very rows chose the best.
    """
    expected = "better on the same subjects, interval beyond zero and beyond what seeds change"
    if not isinstance(case.compared, Paired):
        return _refused("better", expected, case.compared)
    headline = case.scored.headline
    found = case.compared.last or case.compared.differences[headline.metric]
    gain = headline.gain(found.one, found.other)
    spread = 0.0
    if case.noise:
        is_last = case.compared.last and math.isfinite(case.noise.last)
        spread = case.noise.last if is_last else case.noise.spread
    passed = found.is_beyond_zero and gain > spread
    over = f"champion v{case.champion.number}" if case.champion else "the trivial predictor"
    digits, unit = headline.digits, f" {headline.unit}" if headline.unit else ""
    noise = "no seeds measured"
    if case.noise:
        noise = f"{case.noise.seeds} seeds differ by {spread:.{digits}f}"
    epoch = "last epoch" if case.compared.last else "best epoch, which these rows chose"
    if case.scored.parts:
        epoch = "best epochs"
    text = (
        f"{headline.name} {found.value:+.{digits}f} [{found.low:+.{digits}f},"
        f" {found.high:+.{digits}f}]{unit} against {over} on the same"
        f" {_rests(case, case.compared)}, {noise}, by the {epoch}"
    )
    return Check("better", passed, expected, text, case.compared.rows)


def looks(case: PromotionContext) -> Check:
    """Ask whether the test set may be looked at, or was, for this version."""
    expected = "a look left, or this version's own look"
    try:
        known = known_look(case.root, case.candidate)
        left = budget_of(case.root, case.candidate)
    except AssayError as fault:
        return _refused("looks", expected, fault)
    found = f"{left.used} of {left.looks} used" + (", this version's among them" if known else "")
    mend = f"a new split, or, stated in git, {case.scored.data}.seal.looks"
    return Check("looks", bool(known) or not left.is_spent, expected, found, left.looks, (), mend)


def reproduction(case: PromotionContext) -> Check:  # noqa: ARG001 - a gate like the others
    """Ask for a verdict of a rebuild; until there is one, it does not block."""
    return Check("reproduction", True, "rebuilt with equal weights", "not run", 0)


def _digests(case: PromotionContext) -> dict[str, str]:
    """Return path → digest of what the version is; of a pipeline the files are its parts' own."""
    own, version = f"models/{case.scored.name}", case.candidate
    folder = "models" if case.scored.parts else own
    files = {f"{folder}/{name}": md5 for name, md5 in version.files.items()}
    return {**files, f"{own}/{RECORD}": version.record}


def _rests(case: PromotionContext, compared: Paired) -> str:
    return rests_on(case.record["data"]["group_kind"], compared.groups, compared.rows)


def _refused(name: str, expected: str, fault: AssayError) -> Check:
    return Check(name, False, expected, f"{fault.where}: {fault.found}", 0, (), fault.mend)


GATES: dict[str, Gate] = {
    gate.__name__: gate
    for gate in (
        *(ledger, content, served, verdicts, selection, source),
        *(subjects, better, looks, reproduction),
    )
}
# What no reason can stand in for: a version that is in no commit cannot be pinned, a ledger that lost
# entries proves nothing, a model that says other than what was scored has no score, nor has one that
# training rows chose, and looks beyond the budget are what the budget is against.
ABSOLUTE = {"ledger", "content", "served", "selection", "looks"}
