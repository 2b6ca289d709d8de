"""The section "Published sets" of docs/bad-input.md: sets of hemoglobin as their authors publish them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import openpyxl
import polars as pl
import pytest
from PIL import Image
from tests import promises
from tests.ingest import indexed

from assay.errors import SourceError
from assay.gates.labels import judge_labels
from assay.lookup import find_system
from assay.manifest.source import Source

SYSTEM = find_system("hemoglobin.conjunctiva")
SHEET = "Anemia_Data_Collection_Sheet.csv"
HEADER = (
    "IMAGE_ID,HB_LEVEL,Severity,Age(Months),GENDER,REMARK,HOSPITAL,"
    "CITY/TOWN,MUNICIPALITY/DISTRICT,REGION"
)
CHILDREN = {  # line → what is in it; line 3 is spoilt
    2: "Image_001,9.8,Moderate,6,Female,Anemic,Nkawie,N,A,Ashanti",
    3: "Image_002,10.2,Mild,24,Male,Anemic,Ejusu,E,E,Ashanti",
    4: "Image_003,11.1,Non-Anemic,12,Male,Non-anemic,Ejusu,E,E,Ashanti",
    5: "Image_004,6.9,Severe,30,Male,Anemic,,E,E,Ashanti",
}
VIEWS = (".jpg", "_palpebral.png", "_forniceal.png", "_forniceal_palpebral.png")
BOOK = "Italy/Italy.xlsx"
ITALY = [
    ("Number", "Hgb", "Gender", "Age", "Note"),
    (1, 13.2, "M", 40, None),
    (2, "12.5", "F", 51, ""),
]
Plant = Callable[[Path], object]


def picture(number: int, form: str = "PNG") -> bytes:
    noise = np.random.default_rng(number).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, form)
    return stream.getvalue()


def write_children(folder: Path, lines: Sequence[str] = tuple(CHILDREN.values())) -> None:
    folder.mkdir()
    (folder / SHEET).write_text("\n".join([HEADER, *lines]) + "\n")
    for number, line in enumerate(CHILDREN.values()):
        fields = line.split(",")
        place = folder / fields[5] / f"{fields[0]}.png"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(picture(number))


def write_book(folder: Path, rows: Sequence[Sequence[object]], name: str = BOOK) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    book.save(folder / name)


def write_countries(folder: Path) -> None:
    write_book(folder, ITALY)
    write_book(folder, [ITALY[0], (1, 9.9, "F", 30, None)], "India/India.xlsx")
    people = ("Italy/1", "Italy/2", "India/1")
    for number, place in enumerate((person, view) for person in people for view in VIEWS):
        person, view = place
        (folder / person).mkdir(exist_ok=True)
        form = "JPEG" if view == ".jpg" else "PNG"
        (folder / person / f"2020_{person[-1]}{view}").write_bytes(picture(number, form))


def in_line(change: Callable[[str], str], line: int = 3) -> Plant:
    lines = [change(text) if number == line else text for number, text in CHILDREN.items()]
    return lambda folder: (folder / SHEET).write_text("\n".join([HEADER, *lines]) + "\n")


def field(found: str, planted: str) -> Plant:
    return in_line(lambda text: text.replace(found, planted, 1))


def in_row(*row: object) -> Plant:
    return lambda folder: write_book(folder, [*ITALY[:2], row])


def moved(name: str, to: str) -> Plant:
    return lambda folder: shutil.move(folder / name, folder / to)


def copied(name: str, to: str) -> Plant:
    return lambda folder: shutil.copyfile(folder / name, folder / to)


def removed(name: str) -> Plant:
    return lambda folder: (folder / name).unlink()


def folder2(*lines: str) -> Plant:
    rows = ["image_path,hb_value,patient_id", *lines]
    return lambda folder: (folder / "conj_folder2.csv").write_text("\n".join(rows) + "\n")


SAME = (
    "Anemic/Image_001.png,9.8,Image_001", "Anemic/Image_002.png,10.2,Image_002",
    "Non-anemic/Image_003.png,11.1,Image_003", "Anemic/Image_004.png,6.9,Image_004",
)  # fmt: skip
ONE = "2020_2"  # of the person who is spoilt, on row 3 of Italy
CP_ANEMIC: dict[str, Plant] = {
    "REMARK against the Hb": in_line(lambda text: text.replace("10.2,Mild", "11.2,Non-Anemic")),
    "Severity against the Hb": field("10.2", "9.2"),
    "Hb in g/L in one row": field("10.2", "102"),
    "unknown REMARK": field(",Anemic", ",anaemia"),
    "unknown Severity": field("Mild", "light"),
    "empty IMAGE_ID": field("Image_002", ""),
    "image in the other folder": moved("Anemic/Image_002.png", "Non-anemic/Image_002.png"),
    "row without an image": removed("Anemic/Image_002.png"),
    "image without a row": copied("Anemic/Image_002.png", "Anemic/Image_009.png"),
    "image of two files": copied("Anemic/Image_002.png", "Anemic/Image_002.jpg"),
    "image twice in the sheet": in_line(lambda text: f"{text}\n{text.replace('10.2', '10.3')}"),
    "two tables that differ": folder2(SAME[0], SAME[1].replace("10.2", "10.3"), *SAME[2:]),
    "image in one table only": folder2(SAME[0], *SAME[2:]),
    "CSV and workbook of one sheet": lambda folder: write_book(
        folder,
        [line.split(",") for line in (folder / SHEET).read_text().splitlines()],
        SHEET.replace("csv", "xlsx"),
    ),
    "sheet without HOSPITAL": lambda folder: (folder / SHEET).write_text(
        (folder / SHEET).read_text().replace("HOSPITAL", "SITE")
    ),
    "two tables that agree": folder2(*SAME),
    "sheet as a workbook": lambda folder: (
        write_book(
            folder,
            [line.split(",") for line in (folder / SHEET).read_text().splitlines()],
            SHEET.replace("csv", "xlsx"),
        ),
        (folder / SHEET).unlink(),
    ),
    "REMARK in another case": field(",Anemic", ",ANEMIC"),
    "sheet one folder down": lambda folder: [
        (folder / "CP-AnemiC").mkdir(),
        *(moved(name, f"CP-AnemiC/{name}")(folder) for name in ("Anemic", "Non-anemic", SHEET)),
    ],
    "IMAGE_ID with its extension": field("Image_002", "Image_002.png"),
}
EYES_DEFY: dict[str, Plant] = {
    "Hgb is `_`": in_row(2, "_", "F", 51, "Hgb not available"),
    "decimal comma in a workbook": in_row(2, "12,5", "F", 51, ""),
    "Hgb as a date": in_row(2, "12-May", "F", 51, ""),
    "empty Hgb": in_row(2, None, "F", 51, ""),
    "Number is no number": in_row("2b", 12.5, "F", 51, ""),
    "person twice in a workbook": lambda folder: write_book(
        folder, [*ITALY, (2, 12.6, "F", 51, "")]
    ),
    "person without a folder": lambda folder: shutil.rmtree(folder / "Italy/2"),
    "folder without a row": lambda folder: write_book(folder, ITALY[:2]),
    "no palpebral image": removed(f"Italy/2/{ONE}_palpebral.png"),
    "no photograph": removed(f"Italy/2/{ONE}.jpg"),
    "name that says no view": moved(f"Italy/2/{ONE}_forniceal.png", f"Italy/2/{ONE}_fundus.png"),
    "second download": copied(f"Italy/2/{ONE}_palpebral.png", f"Italy/2/{ONE}_palpebral(1).png"),
    "two files of one view": copied(f"Italy/2/{ONE}_palpebral.png", "Italy/2/new_palpebral.png"),
    "two folders of one Number": lambda folder: shutil.copytree(
        folder / "Italy/2", folder / "Italy/002"
    ),
    "two workbooks of a country": lambda folder: shutil.copyfile(
        folder / BOOK, folder / "Italy.xlsx"
    ),
    "country without its workbook": removed(BOOK),
    "workbook that is a link to nowhere": lambda folder: [
        (folder / BOOK).unlink(), (folder / BOOK).symlink_to("nowhere"),
    ],
    "conj_folder1.csv beside workbooks": lambda folder: (folder / "conj_folder1.csv").write_text(
        "image_path,hb_value,patient_id\nItaly/1/2020_1.jpg,13.2,1\n"
    ),
    "misspelt view": moved(f"Italy/2/{ONE}_palpebral.png", f"Italy/2/{ONE}_papebral.png"),
    "no fornix": lambda folder: [
        path.unlink() for path in (folder / "Italy/2").glob("*_forniceal*.png")
    ],
    "workbooks beside the folders": moved(BOOK, "Italy.xlsx"),
    "set one folder down": lambda folder: [
        (folder / "dataset anemia").mkdir(),
        *(moved(name, f"dataset anemia/{name}")(folder) for name in ("India", "Italy")),
    ],
}  # fmt: skip
PLANTS = CP_ANEMIC | EYES_DEFY
PROMISED = promises.promised("Published sets")


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    place = tmp_path / "set"
    (write_children if request.node.callspec.params["fault"] in CP_ANEMIC else write_countries)(
        place
    )
    return place


def ingested(folder: Path) -> pl.DataFrame:
    source = Source("set", folder.parent)
    table, _ = indexed(source, SYSTEM.read(source), folder.parent)
    return table


def of(outcome: str) -> list[str]:
    return [fault for fault, row in PROMISED.items() if row[0] == outcome]


def test_every_line_is_planted() -> None:
    assert set(PROMISED) == set(PLANTS)


@pytest.mark.parametrize("fault", of("refused"))
def test_two_tables_of_one_thing_are_refused(folder: Path, fault: str) -> None:
    PLANTS[fault](folder)
    with pytest.raises(SourceError) as refused:
        ingested(folder)
    assert PROMISED[fault][1] in refused.value.found


@pytest.mark.parametrize("fault", [*of("row"), *of("both rows"), *of("person")])
def test_a_bad_row_is_told_and_no_other_is_lost(folder: Path, fault: str) -> None:
    sound = ingested(folder)
    assert (sound["status"] == "ok").all()
    PLANTS[fault](folder)
    outcome, told = PROMISED[fault]
    table = ingested(folder)
    broken = table.filter(pl.col("status") == "broken")
    assert all(any(each in reason for each in told.split(" / ")) for reason in broken["reason"])
    if outcome == "person":
        assert set(broken["group"]) <= {"f1:Italy/2", "f1:Italy/2b"}
    else:
        assert len(broken) == (2 if outcome == "both rows" else 1)
    # Every sound row but the spoilt ones is there, as it was.
    facts = ("sample_id", "hb", "group", "digest")
    kept = table.filter(pl.col("status") == "ok").select(facts)
    before = sound.filter(pl.col("group").is_in(["f2:Image_002", "f1:Italy/2"]).not_())
    assert before.select(facts).join(kept, on=facts, how="anti").is_empty()
    share = judge_labels(table, "hb", SYSTEM.rules(), "stop", 0.0, SYSTEM.name)[0]
    assert {row["reason"] for row in share.rows} == set(broken["reason"])


@pytest.mark.parametrize("fault", of("read"))
def test_what_is_unusual_but_clear_is_read(folder: Path, fault: str) -> None:
    plain = ingested(folder)
    PLANTS[fault](folder)
    table = ingested(folder)
    assert (table["status"] == "ok").all()
    facts = ("sample_id", "digest", "hb", "group")
    facts = facts[1:] if fault == "misspelt view" else facts
    some = table.select(facts).join(plain.select(facts), on=facts, how="anti", nulls_equal=True)
    assert some.is_empty()
    assert len(table) == len(plain) - (2 if fault == "no fornix" else 0)


def test_parts_are_told_apart(tmp_path: Path) -> None:
    write_children(tmp_path / "set")
    table = ingested(tmp_path / "set").sort("sample_id")
    assert table["clinic"].to_list() == ["Nkawie", "Ejusu", None, "Ejusu"]
    shutil.rmtree(tmp_path / "set")
    write_countries(tmp_path / "set")
    counts = ingested(tmp_path / "set")["subset"].value_counts().sort("subset").rows()
    assert counts == [("India", 4), ("Italy", 8)]
    assert set(SYSTEM.parts) <= set(table.columns)
