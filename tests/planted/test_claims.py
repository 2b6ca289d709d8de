"""The founding documents' claims, and each fault of a claim planted alone."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from ruamel.yaml import YAML

from assay.contract.checks import Check
from assay.errors import AssayError
from assay.gates.claims import Claim, Gain
from assay.gates.claims_file import read_claims
from assay.gates.claims_judge import judge_claim, judge_gain
from assay.lookup import find_task
from assay.runs.files import write_json
from assay.runs.summary import FEWEST, remarks, summary
from assay.tracking.comparison import Ranking, Row
from assay.tracking.comparison_table import show

ROOT = Path(__file__).parents[2]
FOUNDING = ROOT / "examples" / "claims" / "founding.yaml"
HONEST: dict[str, Any] = {
    "metric": "mae", "value": 0.88, "unit": "g/dL", "set": "a1b2", "subjects": 32, "rows": 64,
    "group_kind": "patient", "spread": 2.1, "r2": 0.8, "best_of": 1,
    "interval": {"low": 0.62, "high": 1.18, "drawn": "patient", "by": "patient"},
}  # fmt: skip
DRAWN_BY_IMAGE = HONEST["interval"] | {"drawn": "sample"}
FEW = "4 patients: too few to say"
WIDE = "not better than its own spread: RMSE is 1.146 × the SD of its labels"


def claim(**changed: Any) -> Claim:
    return Claim.model_validate(HONEST | changed)


def refused(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


def remarked(checks: list[Check]) -> list[str]:
    return [check.found for check in checks if check.passed]


def gain(stated: Any = "difference", before: Any = None, **changed: Any) -> Gain:
    return Gain(claim(**{"value": 1.0} | (before or {})), claim(**changed), stated)


def test_the_founding_claims_are_refused_and_remarked() -> None:
    claims, gains = read_claims(FOUNDING)
    found = {name: judge_claim(each) for name, each in claims.items()}
    assert {name: refused(checks) for name, checks in found.items()} == {
        "nail": [], "fusion": ["best of"], "ensemble": []
    }  # fmt: skip
    assert "the best of 250, and the statement does not say so" in found["fusion"][0].found
    assert remarked(found["nail"]) == ["the best of 13 is optimistic", "none given"]
    assert remarked(found["fusion"]) == [FEW, "none given"]
    assert remarked(found["ensemble"]) == [FEW, WIDE, "none given"]
    [lower] = gains.values()
    assert lower.text() == "MAE 0.792 → 0.208 g/dL, -73.7 %"
    assert refused(judge_gain(lower)) == ["sets", "rests on"]


def test_an_honest_claim_and_an_honest_gain_pass() -> None:
    for near in ({}, {"subjects": FEWEST}, {"spread": 0.89}, {"r2": 1e-6}):
        assert judge_claim(claim(**near)) == []
    assert judge_gain(gain()) == judge_gain(gain("per cent")) == []
    assert judge_gain(gain(before={"value": -0.3})) == []  # as a difference, that is


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        ({"best_of": 250}, "best of"),
        ({"best_of": None}, "best of"),
        ({"best_of": None, "says_so": True}, "best of"),
        ({"group_kind": "sample"}, "interval"),
        ({"group_kind": "content"}, "interval"),
        ({"group_kind": "session"}, "interval"),
        ({"interval": DRAWN_BY_IMAGE}, "interval"),
    ],
)
def test_a_planted_fault_is_refused_alone(planted: dict[str, Any], name: str) -> None:
    checks = judge_claim(claim(**planted))
    assert (refused(checks), remarked(checks)) == ([name], [])


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"subjects": FEWEST - 1}, "9 patients: too few to say"),
        ({"spread": 0.88}, "not better than its own spread: the mean of its labels has 0.88"),
        ({"metric": "acc", "best": 1.0, "value": 0.5, "spread": 0.6}, "not better than its own"),
        ({"spread": None, "r2": -0.313}, "RMSE is 1.146 × the SD of its labels"),
        ({"r2": 0.0}, "RMSE is 1.000 × the SD of its labels"),
        ({"metric": "r2", "best": 1.0, "value": -6.238, "r2": None, "spread": None}, "2.690 ×"),
        ({"best_of": 250, "says_so": True}, "the best of 250 is optimistic"),
        ({"interval": DRAWN_BY_IMAGE | {"by": "sample"}}, "by image"),
        ({"interval": HONEST["interval"] | {"by": "session"}}, "by session"),
        ({"interval": None}, "none given"),
        ({"spread": None, "r2": None}, "nothing to compare with"),
    ],
)
def test_a_weakness_is_remarked_alone_and_refuses_nothing(
    planted: dict[str, Any], said: str
) -> None:
    [only] = judge_claim(claim(**planted))
    assert only.passed
    assert said in only.found


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        (gain(set="c3d4"), "sets"),
        (gain(subjects=31), "sets"),  # one name, other people
        (gain(rows=63), "sets"),
        (gain(metric="rmse"), "measures"),
        (gain(unit="mmol/L"), "measures"),
        (gain("per cent", before={"value": 0.0}), "per cent"),
        (gain("per cent", before={"value": -0.3}), "per cent"),
        (gain(best_of=250), "rests on"),
        (gain(before={"best_of": None}), "rests on"),
    ],
)
def test_a_gain_with_one_fault_is_refused_for_it_alone(planted: Gain, name: str) -> None:
    assert refused(judge_gain(planted)) == [name]
    assert planted.text()


def test_r2_alone_gives_the_ratio_of_error_and_spread() -> None:
    """The remark's figure is the one that the labels themselves give."""
    random = np.random.default_rng(42)
    labels = random.normal(12, 0.4, 16)
    errors = random.normal(0, 0.6, 16)
    r2 = 1 - float((errors**2).mean() / labels.var())
    ratio = math.sqrt(float((errors**2).mean())) / float(labels.std())
    [said] = remarked(judge_claim(claim(r2=r2)))
    assert f"RMSE is {ratio:.3f} ×" in said


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("value", "0.88", "claim one · value: found '0.88'; expected a valid number"),
        ("value", float("nan"), "claim one · value: found nan; expected a finite number"),
        ("valeu", 1.0, "claim one · valeu: unknown field; did you mean value?"),
        ("group_kind", "person", "claim one · group_kind: found 'person'; expected 'patient',"),
        ("rows", 31, "claim one: fields disagree; expected a row a subject at least"),
        ("best_of", 0, "claim one · best_of: found 0; expected greater than or equal to 1"),
        ("r2", 1.2, "claim one · r2: found 1.2; expected less than or equal to 1"),
        ("interval", HONEST["interval"] | {"low": 2}, "claim one · interval: fields disagree"),
        ("interval", {"low": 0, "high": 1}, "claim one · interval.by: missing; expected what the"),
        ("interval", {"hihg": 1}, "claim one · interval.hihg: unknown field; did you mean high?"),
    ],
)  # fmt: skip
def test_a_bad_field_is_refused_with_claim_and_field(
    key: str, value: Any, said: str, tmp_path: Path
) -> None:
    assert said in told(tmp_path, {"claims": {"one": HONEST | {key: value}}})


@pytest.mark.parametrize("key", ["metric", "value", "set", "subjects", "group_kind", "best_of"])
def test_what_decides_cannot_be_left_out(key: str, tmp_path: Path) -> None:
    left = {name: value for name, value in HONEST.items() if name != key}
    meaning = Claim.model_fields[key].description
    said = told(tmp_path, {"claims": {"one": left}})
    assert f"claim one · {key}: missing; expected {meaning}" in said


def test_all_faults_of_a_file_are_told(tmp_path: Path) -> None:
    claims = {"one": HONEST | {"rows": "x"}, "two": HONEST | {"unit": 1}}
    said = told(tmp_path, {"claims": claims, "gain": {}})
    assert "3 fault(s)" in said
    assert "claim one · rows" in said
    assert "claim two · unit" in said
    assert "gain: unknown field; did you mean gains?" in said


def test_a_gain_names_claims_that_exist(tmp_path: Path) -> None:
    gains = {"lower": {"before": "one", "after": "oen", "stated": "difference"}}
    said = told(tmp_path, {"claims": {"one": HONEST}, "gains": gains})
    assert "gain lower · after: found 'oen'; did you mean one?" in said


@pytest.mark.parametrize("text", ["", "- 1", "claims: {}", "claims: {a: 1}", "claims: {1: {}}"])
def test_what_holds_no_claims_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(AssayError, match=r"claims\.yaml: \d+ fault"):
        read_claims(path)


def told(folder: Path, content: Any) -> str:
    path = folder / "claims.yaml"
    YAML(typ="safe").dump(content, path)
    with pytest.raises(AssayError) as refusal:
        read_claims(path)
    return refusal.value.render()


def run(path: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "assay", "claims", str(path)],
        capture_output=True, text=True, check=False, cwd=path.parent, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_command_refuses_the_founding_claims() -> None:
    code, out, err = run(FOUNDING)
    assert code == 1
    assert "  STOP  best of: the best of 250, and the statement does not say so\n" in out
    assert "  STOP  sets: 0.792 on nail test part, 82 patients, 82 rows; 0.208 on fusion" in out
    assert f"  note  subjects: {FEW}\n" in out
    assert f"  note  spread: {WIDE}\n" in out
    assert err.startswith(f"error: gate claims of {FOUNDING}: fusion · best of: ")
    assert "73-per-cent · sets:" in err


def test_the_command_passes_honest_and_weak_claims(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    weak = HONEST | {"subjects": 4, "rows": 4}
    YAML(typ="safe").dump({"claims": {"one": HONEST, "weak": weak}}, path)
    code, out, err = run(path)
    assert (code, err) == (0, "")
    assert "one  MAE 0.88 g/dL [0.62, 1.18] by patient · a1b2, 32 patients, 64 rows\n  ok " in out
    assert f"  note  subjects: {FEW}" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [("claims: [", "not YAML"), ("a: 1\na: 2", "duplicate key"), (None, "no such file")],
)
def test_the_command_tells_what_is_no_file_of_claims(
    content: str | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "claims.yaml"
    if content is not None:
        path.write_text(content)
    code, out, err = run(path)
    assert (code, out) == (1, "")
    assert said in err
    assert "Traceback" not in err


def scores(r2: float = 0.8, skill: float = 0.5, groups: int = 32) -> dict[str, Any]:
    plain = {"mae": 0.88, "r2": r2, "skill": skill, "acc_1.0": 0.6, "acc_0.5": 0.4}
    found = {name: {"value": each, "low": each, "high": each} for name, each in plain.items()}
    return {**found, "groups": groups, "rows": 2 * groups}


def test_the_remarks_of_a_result() -> None:
    for sound in ({}, {"groups": FEWEST}, {"r2": float("nan")}):
        assert remarks(scores(**sound), "patients") == []
    assert remarks(scores(groups=4), "patients") == [FEW]
    for skill in (0.2, -0.2):  # one remark for both
        assert remarks(scores(-0.313, skill), "patients") == [WIDE]
    assert remarks(scores(skill=0.0), "patients") == ["not better than the trivial predictor"]


def test_the_line_of_a_result_ends_with_its_remarks() -> None:
    task = find_task("toy-level")
    facts = {"group_kind": "patient", "source": "phantom"}
    assert summary(task, scores(), facts).endswith(" · 32 patients · phantom")
    by_image = summary(task, scores(groups=4), facts | {"group_kind": "sample"})
    assert by_image.endswith(" · 4 images, by image · phantom · 4 images: too few to say")


def test_the_results_command_prints_them(fresh: Any) -> None:
    """From files as a run leaves them; only their numbers are planted."""
    task = "hemoglobin-conjunctiva"
    facts = {"group_kind": "patient", "source": "phantom"}
    record = {"data": facts, "stage": f"train@{task}", "key": "none"}
    write_json(fresh.folder / "reports" / task / "metrics.json", scores(-0.313, groups=4))
    write_json(fresh.folder / "models" / task / "run.json", record)
    assert f"4 patients · phantom · {FEW} · {WIDE}\n" in fresh.assay("results", task)


def test_a_comparison_says_each_remark_once_and_of_whom() -> None:
    def row(value: str, **planted: Any) -> Row:
        return Row(value, {}, {}, "phantom", "code", scores(groups=4, **planted), frozenset(), 0)

    task = find_task("toy-level")
    printed = io.StringIO()
    console = Console(file=printed, width=100, highlight=False, markup=False)
    rows = [row("net_a"), row("net_b", r2=-0.313)]
    alone = Ranking([row("net_c")], {}, "other data (x)")
    show(task, "model.backbone", [Ranking(rows, {}, ""), alone], console)
    first, last = printed.getvalue().split("Not comparable")
    assert "\n4 groups: too few to say\n" in first
    assert "\nnet_b: not better than its own spread: RMSE is 1.146 ×" in first
    assert first.count("too few") == last.count("too few") == 1
