"""The section "Ids and paths" of docs/bad-input.md: each line is planted, and its promise seen."""

from __future__ import annotations

import unicodedata
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import promises
from tests.bad_tables import (
    COLUMNS,
    ROWS,
    SYSTEM,
    TABLE,
    Plant,
    assert_told,
    ingested,
    line,
    picture,
    planted,
    table,
    write_source,
)  # fmt: skip

from assay.gates.ids import judge_ids
from assay.gates.labels import judge_labels
from assay.stages.ingest import _decide

HEADING = "Ids and paths"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_source(tmp_path / "set")


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def ids(one: str, other: str) -> Plant:
    """Write two rows of people whose ids are these."""
    return table(lambda text: text.replace("pa\n", f"{one}\n").replace("pb\n", f"{other}\n"))


def two_folders(folder: Path) -> None:
    """`1` in the first table and `01` in the second are people of two studies."""
    ids("01", "pb")(folder)
    picture(5).save(folder / "e.png")
    (folder / "conj_folder1.csv").write_text(",".join(COLUMNS) + "\ne.png,9.4,1\n")


def ids_of_files(folder: Path) -> None:
    """Name each row's person after its file, as tables without people do."""
    rows = [",".join(COLUMNS)]
    for place, name in enumerate(("1", "01", "2")):
        picture(place).save(folder / f"{name}.png")
        rows.append(f"{name}.png,9.{place},{name}")
    (folder / TABLE).write_text("\n".join(rows))


IDS: dict[str, Plant] = {
    "blank": ids("P 12", "P12"),
    "another case": ids("P12", "p12"),
    "NBSP": ids("P\u00a012", "P12"),
    "ideographic blank": ids("P\u300012", "P12"),
    "blank without a width": ids("P\u200b12", "P12"),
    "mark of direction": ids("P\u200e12", "P12"),
    "digits and letters of full width": ids("Ｐ１２", "P12"),
    "composed and decomposed Hangul": ids(nfc("김철수"), nfd("김철수")),
    "composed and decomposed accent": ids(nfc("é1"), nfd("é1")),
    "leading zeros": ids("007", "7"),
    "zeros within": ids("P-007-A", "P-7-A"),
    "trailing .0": ids("3", "3.0"),
    "en dash": ids("1-12", "1–12"),
    "minus sign": ids("1-12", "1\u221212"),
    "underscore for dash": ids("P_12", "P-12"),
    "dash or none": ids("P-12", "P12"),
    "blank for dash": ids("1 12", "1-12"),
    "accent or none": ids("José", "Jose"),
    "Cyrillic letter": ids("\u041012", "A12"),
    "dash between other digits": ids("1-12", "11-2"),
    "blank between other digits": ids("1 12", "11 2"),
    "decimal zeros": ids("1.05", "1.5"),
    "1 and 01 of two tables": two_folders,
    "ids of files": ids_of_files,
}  # fmt: skip


def path(stated: str, *files: str) -> Plant:
    """State a path for the second row, whose picture lies at `files`."""

    def spoil(folder: Path) -> None:
        line(f'"{stated}",9.1,pb')(folder)
        content = (folder / "b.png").read_bytes()
        (folder / "b.png").unlink()
        for each in files:
            (folder / each).parent.mkdir(exist_ok=True)
            (folder / each).write_bytes(content)

    return spoil


PATHS: dict[str, Plant] = {
    "decomposed in the table": path(nfd("눈.png"), nfc("눈.png")),
    "decomposed on the disk": path(nfc("눈.png"), nfd("눈.png")),
    "backslashes": path(r"x\눈.png", "x/눈.png"),
    "./ before": path("./b.png", "b.png"),
    "double slash": path("x//b.png", "x/b.png"),
    "x/../ before": path("x/../b.png", "b.png"),
    "blank before a slash": path("x /b.png", "x/b.png"),
    "blank at the end of a file's name": path("b.png", "b.png "),
    "blank without a width in a path": path("b\u200b.png", "b.png"),
    "another case of a path": path("b.png", "B.PNG"),
    "another extension": path("b.png", "b.jpg"),
    "another folder": path("photos/b.png", "b.png"),
    "path of Windows": path(r"C:\study\b.png", "b.png"),
    "path as in a URL": path("%EB%88%88.png", "눈.png"),
    "composed and decomposed file": path(r"x\눈.png", nfc("x/눈.png"), nfd("x/눈.png")),
    "path that leaves the source": path("x/../../b.png", "b.png"),
    "one file under two paths": table(lambda text: text + "./a.png,9.0,pa\n"),
}


def test_every_line_is_planted() -> None:
    assert set(promises.promised(HEADING)) == set(IDS | PATHS)


@pytest.mark.parametrize(("plant", "outcome", "told"), planted(HEADING, PATHS, *ROWS))
def test_a_path_without_its_file_is_told(
    folder: Path, plant: Plant, outcome: str, told: str
) -> None:
    plant(folder)
    assert_told(folder, outcome, told)


@pytest.mark.parametrize(("plant", "outcome", "told"), planted(HEADING, PATHS, "read"))
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_path_is_that_of_the_one_file_that_it_can_mean(
    folder: Path, plant: Plant, outcome: str, told: str, is_packed: bool
) -> None:
    plain, _ = ingested(folder)
    plant(folder)
    base = folder
    if is_packed:
        base = folder.with_suffix(".zip")
        with zipfile.ZipFile(base, "w") as archive:
            for each in folder.rglob("*.*"):
                archive.write(each, f"set/{each.relative_to(folder)}")
    found, _ = ingested(base)
    assert set(found["status"]) == {"ok"}
    assert found["digest"].sort().equals(plain["digest"].sort())


@pytest.mark.parametrize(("plant", "outcome", "told"), planted(HEADING, IDS, "joined"))
def test_an_id_in_two_safe_spellings_is_one_person(
    folder: Path, plant: Plant, outcome: str, told: str
) -> None:
    plant(folder)
    found, kind = ingested(folder)
    assert found["group_id"].n_unique() == 3
    assert judge_ids(found, kind, "stop", SYSTEM.name).passed
    checks = judge_labels(found, "hb", SYSTEM.rules(), "stop", 0.0, SYSTEM.name)
    assert told in next(check.found for check in checks if check.name == "spellings")


@pytest.mark.parametrize(("plant", "outcome", "told"), planted(HEADING, IDS, "stops"))
def test_ids_that_may_be_one_persons_stop_until_somebody_says(
    folder: Path, plant: Plant, outcome: str, told: str
) -> None:
    plant(folder)
    found, kind = ingested(folder)
    check = judge_ids(found, kind, "stop", SYSTEM.name)
    assert not check.passed
    assert told in check.found
    assert check.rows[0]["samples"] == ["f2:a.png", "f2:b.png"]
    for policy, groups in (("stop", 4), ("group", 3), ("keep", 4)):
        said = SimpleNamespace(conflict="stop", spelling=policy)
        ingest = SimpleNamespace(hb_min=0.0, hb_max=30.0)
        params = SimpleNamespace(policy=said, ingest=ingest)
        decided = _decide(found.drop("group_id"), SYSTEM, params, kind)
        assert decided["group_id"].n_unique() == groups
        assert judge_ids(decided, kind, policy, SYSTEM.name).passed == (policy != "stop")
        assert policy == "stop" or f"-S {SYSTEM.name}.policy.spelling={policy}" in check.mend


@pytest.mark.parametrize(("plant", "outcome", "told"), planted(HEADING, IDS, "kept"))
def test_ids_that_only_seem_alike_are_two_people(
    folder: Path, plant: Plant, outcome: str, told: str
) -> None:
    plant(folder)
    found, kind = ingested(folder)
    check = judge_ids(found, kind, "stop", SYSTEM.name)
    assert check.passed
    assert told in check.found
    assert found["group_id"].n_unique() == len(found)
