"""The section Pairs of docs/bad-input.md: each of its lines is planted, and what it promises is seen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests import promises
from tests.ingest import indexed

from assay.contract.checks import Check
from assay.gates.labels import judge_labels
from assay.gates.units import judge_units
from assay.lookup import find_system
from assay.manifest.source import Source
from assay.systems.hemoglobin.data.fusion import TABLE
from assay.systems.hemoglobin.data.phantom_fusion import COLUMNS

SYSTEM = find_system("hemoglobin.fusion")
PEOPLE = {1: (13.1, 34.5, "F"), 2: (9.4, 61, "M"), 3: (11.8, 22, "F"), 4: (10.2, 47, "M"),
          5: (14.6, 29.5, "F"), 6: (12.3, 55, "M")}  # fmt: skip
HANDS = {"L": "left", "R": "right"}
SIDES = ("LL", "LR", "RL", "RR")
Rows = list[dict[str, str]]
Plant = Callable[[Path], object]


def write_set(folder: Path) -> None:
    """Write six people's pairs; lines 2–5 are person 1's, line 6 is 2-LL."""
    rows: Rows = []
    for number, person in enumerate(PEOPLE):
        for place, (view, hand) in enumerate((v, h) for v in ("nail", "eye") for h in HANDS):
            path = folder / f"{HANDS[hand]}_{view}" / f"{person}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(4 * number + place).integers(0, 255, (20, 20, 3))
            Image.fromarray(noise.astype(np.uint8)).save(path)
        for side in SIDES:
            nail, eye = (HANDS[letter] for letter in side)
            paths = f"{nail}_nail/{person}.png", f"{eye}_eye/{person}.png"
            hb, age, gender = PEOPLE[person]
            values = (*paths, hb, person, side, age, gender)
            rows.append(dict(zip(COLUMNS, map(str, values), strict=True)))
    write(folder, rows)


def write(folder: Path, rows: Rows) -> None:
    pl.DataFrame(rows, dict.fromkeys(COLUMNS, pl.String)).write_csv(folder / TABLE)


def rows_of(folder: Path) -> Rows:
    return pl.read_csv(folder / TABLE, infer_schema=False).to_dicts()


def edited(change: Callable[[Rows], object]) -> Plant:
    def plant(folder: Path) -> None:
        rows = rows_of(folder)
        change(rows)
        write(folder, rows)

    return plant


def at(line: int, **values: str | None) -> Plant:
    return edited(lambda rows: rows[line - 2].update(values))  # type: ignore[arg-type]


def all_of(column: str, change: Callable[[str], str]) -> Plant:
    def plant(rows: Rows) -> None:
        for row in rows:
            row[column] = change(row[column])

    return edited(plant)


def copied(name: str, to: str) -> Plant:
    return lambda folder: shutil.copyfile(folder / name, folder / to)


def exchanged(first: int, second: int, column: str) -> Plant:
    def plant(rows: Rows) -> None:
        one, other = rows[first - 2], rows[second - 2]
        one[column], other[column] = other[column], one[column]

    return edited(plant)


def columns_exchanged(rows: Rows) -> None:
    for row in rows:
        nail, eye = COLUMNS[:2]
        row[nail], row[eye] = row[eye], row[nail]


def hands_exchanged(rows: Rows) -> None:
    for row in rows[:4]:
        row["side"] = row["side"].translate(str.maketrans("LR", "RL"))


def unlisted(folder: Path) -> None:
    """Give line 6 and 7, the pairs of 2's left nail, a photograph named after 3 that no other row has."""
    (folder / "more").mkdir()
    shutil.move(folder / "left_nail/2.png", folder / "more/3.png")
    for line in (6, 7):
        at(line, nail_image_path="more/3.png")(folder)


PLANTS: dict[str, Plant] = {
    "gender of neither word": at(3, gender="X"),
    "gender as a number beside words": at(3, gender="1"),
    "gender 2 among 0 and 1": lambda folder: [
        all_of("gender", lambda text: str("FM".index(text)))(folder), at(3, gender="2")(folder)
    ],
    "empty gender": at(3, gender=None),
    "age in words": at(3, age="forty"),
    "age with its unit": at(3, age="40 y"),
    "empty age": at(3, age=None),
    "Hb in words": at(3, hb_value="low"),
    "side of one word": at(3, side="left"),
    "empty side": at(3, side=None),
    "patient without an id": at(3, patient_id=None),
    "no path of the eye": at(3, conj_image_path=None),
    "nail that is not there": at(3, nail_image_path="left_nail/1.jpeg"),
    "pair listed twice": edited(lambda rows: rows.append(dict(rows[1]))),
    "pair listed with another Hb": edited(lambda rows: rows.append({**rows[1], "hb_value": "9"})),
    "impossible age": all_of("age", lambda text: "250" if text == "61" else text),
    "ages in months": all_of("age", lambda text: str(12 * float(text))),
    "Hb in g/L": all_of("hb_value", lambda text: str(10 * float(text))),
    "another person's nail": at(3, nail_image_path="left_nail/2.png"),
    "another person's eye under the own name": copied("left_eye/2.png", "left_eye/1.png"),
    "a nail named after another person": unlisted,
    "one photograph as nail and eye": at(3, conj_image_path="left_nail/1.png"),
    "a copy of the nail as the eye": copied("left_nail/1.png", "left_eye/1.png"),
    "nail and eye exchanged": edited(columns_exchanged),
    "a person with two Hb": at(3, hb_value="9.9"),
    "a person with two ages": at(3, age="35"),
    "a person with two genders": at(3, gender="M"),
    "side twice": at(3, side="LL"),
    "sides of two rows exchanged": exchanged(3, 4, "side"),
    "left and right exchanged in a person": edited(hands_exchanged),
    "nails of two rows exchanged": exchanged(2, 4, "nail_image_path"),
    "one photograph as left and right": copied("left_eye/1.png", "right_eye/1.png"),
    "a missing pair": edited(lambda rows: rows.pop(2)),
    "gender as words": all_of("gender", lambda text: {"F": "Female", "M": "MALE"}[text]),
    "gender as numbers": all_of("gender", lambda text: str("FM".index(text))),
    "gender as decimals": all_of("gender", lambda text: f"{'FM'.index(text)}.0"),
    "side in words": all_of("side", lambda text: f"{HANDS[text[0]]}_{HANDS[text[1]].title()}"),
    "side with a dash": all_of("side", lambda text: "-".join(text.lower())),
    "paths with backslashes": all_of("nail_image_path", lambda text: text.replace("/", "\\")),
    "pairs one folder down": lambda folder: [
        (folder / "in").mkdir(),
        *(shutil.move(path, folder / "in") for path in list(folder.iterdir()) if path.name != "in"),
    ],
}  # fmt: skip
PROMISED = promises.promised("Pairs")
ROWS = {"row": 1, "both rows": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_set(tmp_path / "set")
    return tmp_path / "set"


def manifest(folder: Path) -> pl.DataFrame:
    source = Source(folder.name, folder.parent)
    table, _ = indexed(source, SYSTEM.read(source), folder.parent / "kept", SYSTEM.views)
    return table


def judged(table: pl.DataFrame) -> list[Check]:
    facts = (SYSTEM.target, SYSTEM.rules(), "stop", 1.0, SYSTEM.name, SYSTEM.covariates)
    checks = [*judge_labels(table, *facts), *SYSTEM.checks(table)]
    return [*checks, *judge_units(table, SYSTEM, "stop")]


def of(*outcomes: str) -> list[str]:
    return [fault for fault, (outcome, _) in PROMISED.items() if outcome in outcomes]


def test_every_line_is_planted() -> None:
    assert set(PROMISED) == set(PLANTS)
    assert len(PROMISED) >= 15


def test_a_sound_set_passes(folder: Path) -> None:
    table = manifest(folder)
    assert (table["status"] == "ok").all()
    assert [check.name for check in judged(table) if not check.passed] == []
    assert table["sample_id"][0] == "1-LL"
    assert table.unique("group", maintain_order=True)["gender"].to_list() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("fault", of(*ROWS))
def test_a_bad_row_is_told_and_no_other_is_lost(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    outcome, told = PROMISED[fault]
    table = manifest(folder)
    broken = table.filter(status="broken")
    assert len(broken) == ROWS[outcome]
    assert len(table) == len(rows_of(folder))
    assert all(told in reason for reason in broken["reason"])


@pytest.mark.parametrize("fault", of("stops"))
def test_what_cannot_be_true_stops_and_names_its_rows(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    table = manifest(folder)
    assert (table["status"] == "ok").all()
    failed = [check for check in judged(table) if not check.passed]
    [check] = [check for check in failed if PROMISED[fault][1] in f"{check.name}: {check.found}"]
    known = set(table["sample_id"])
    for row in check.rows:
        assert set(row.get("samples", [row.get("sample_id")])) <= known
    assert check.rows
    assert f"assay snapshot {SYSTEM.name} <source>" in check.mend


@pytest.mark.parametrize("fault", of("told"))
def test_what_is_told_does_not_stop(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    checks = judged(manifest(folder))
    assert all(check.passed for check in checks)
    assert any(PROMISED[fault][1] in check.found for check in checks)


@pytest.mark.parametrize("fault", of("read"))
def test_what_is_unusual_but_clear_is_read(folder: Path, fault: str) -> None:
    plain = manifest(folder)
    PLANTS[fault](folder)
    table = manifest(folder)
    facts = ["sample_id", "group", "side", "hb", "age", "gender", "status", "reason",
             "nail_digest", "conjunctiva_digest"]  # fmt: skip
    assert table.select(facts).equals(plain.select(facts))


def test_names_that_say_nothing_are_no_fault(folder: Path) -> None:
    """Numbers that are nobody's id, `thumbnails`, `bright`: words count, and only whole ones."""

    def renamed(rows: Rows) -> None:
        names: dict[str, str] = {}
        for row in rows:
            for column in COLUMNS[:2]:
                new = names.setdefault(row[column], f"thumbnails/bright_{len(names) + 7}.png")
                (folder / "thumbnails").mkdir(exist_ok=True)
                shutil.copyfile(folder / row[column], folder / new)
                row[column] = new

    edited(renamed)(folder)
    assert [check.name for check in judged(manifest(folder)) if not check.passed] == []
