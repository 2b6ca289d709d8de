"""The section "Tables" of docs/bad-input.md: each line is planted, and its promise seen."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import polars as pl
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
    planted,
    table,
    write_source,
)  # fmt: skip
from tests.planted.test_bad_workbooks import book

from assay.errors import SourceError
from assay.gates.labels import judge_labels
from assay.manifest.published import read_published

FACTS = ("sample_id", "hb", "group")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_source(tmp_path / "set")


def value(text: str) -> Plant:
    return line(f"b.png,{text},pb")


def semicolons(text: str) -> str:
    return text.replace(",", ";")


def commas(text: str) -> str:
    return semicolons(text).replace("9.", "9,")


def renamed(name: str) -> Plant:
    return lambda folder: (folder / TABLE).rename(folder / name) and None


def moved(*places: str) -> Plant:
    def spoil(folder: Path) -> None:
        content = (folder / TABLE).read_bytes()
        (folder / TABLE).unlink()
        for place in places:
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / TABLE).write_bytes(content)
            for each in folder.glob("*.png"):
                (folder / place / each.name).write_bytes(each.read_bytes())
        for each in folder.glob("*.png"):
            each.unlink()

    return spoil


def quoted(text: str) -> str:
    return "".join(f'"{row}"\n' for row in text.replace(",", '","').split())


def noted(text: str) -> str:
    """Add a column whose fields hold what Unicode, but no file, ends lines with."""
    header, *rows = text.split()
    return "\n".join([f"{header},note", *(f"{row},x\u2028y\x0bz\x85" for row in rows)])


def turned(text: str) -> str:
    rows = [row.split(",") for row in text.split()]
    return "\n".join(f"more,{patient},{path},{hb}" for path, hb, patient in rows)


def german(text: str) -> str:
    return text.replace("pb", "Müller").replace("pc", "Größe")


def korean(text: str) -> str:
    return text.replace("pb", "김철수").replace("pc", "이영희")


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
TABLES: dict[str, Plant] = {
    "missing column": table(lambda text: text.replace("hb_value", "hb")),
    "column named twice": table(
        lambda text: text.replace("patient_id", "patient_id,hb_value").replace("\n", ",9\n")
    ),
    "another separator": table(lambda text: text.replace(",", "|")),
    "title above the header": table(lambda text: "Hb of 2024\n" + text),
    "empty table": table(lambda text: ""),
    "blank lines only": table(lambda text: "\n , ,\n\n"),
    "header and no line": table(lambda text: text.partition("\n")[0]),
    "UTF-16": table(lambda text: text.encode("utf-16")),
    "UTF-16 without a mark": table(lambda text: text.encode("utf-16-le")),
    "Windows-1252": table(lambda text: german(text).encode("cp1252")),
    "EUC-KR": table(lambda text: korean(text).encode("euc-kr")),
    "CP949": table(lambda text: korean(text).replace("희", "힣").encode("cp949")),
    "a byte of no encoding": table(lambda text: text.encode().replace(b"pc", b"p\x81")),
    "workbook named .csv": table(lambda text: book()),
    "old workbook named .csv": table(lambda text: b"\xd0\xcf\x11\xe0\xa1\xb1" + b"\0" * 99),
    "gzip named .csv": table(lambda text: gzip.compress(text.encode())),
    "PDF named .csv": table(lambda text: b"%PDF-1.7\n"),
    "web page named .csv": table(lambda text: "\n<!DOCTYPE html>\n<html><body>sign in"),
    "a server's error": table(lambda text: '<?xml version="1.0"?><Error><Code>AccessDenied'),
    "a server's answer in JSON": table(lambda text: '{"message": "Not Found"}'),
    "pointer of Git LFS": table(lambda text: LFS),
    "pointer of DVC": table(lambda text: f"outs:\n- md5: 0\n  path: {TABLE}\n"),
    "no table": lambda folder: (folder / TABLE).unlink(),
    "table named in another case": renamed("Conj_Folder2.CSV"),
    "table of another name": renamed("hb 2024.csv"),
    "workbook where a CSV is read": renamed("conj_folder2.xlsx"),
    "table of DVC, not pulled": renamed("conj_folder2.csv.dvc"),
    "two tables one folder down": moved("one", "two"),
    "too few fields": line("b.png,9.1"),
    "too many fields": line("b.png,9.1,pb,more"),
    "one word": line("b.png"),
    "unclosed quotation mark": line('"b.png,9.1,pb'),
    "quotation mark that only closes": line('b.png,9.1,pb"'),
    "field over two lines": line('b.png,9.1,"p\nb"'),
    "text after a quoted field": line('"b".png,9.1,pb'),
    "quotation marks within a bare field": line('b.png,9.1,p"x,"b'),
    "the header again": line(",".join(COLUMNS)),
    "NUL byte": line("b\0.png,9.1,pb"),
    "text in a number": value("ten"),
    "decimal comma": value('"9,1"'),
    "thousands with a comma": value('"1,234.5"'),
    "point and comma in one number": value('"1.234,5"'),
    "thousand or decimal": table(lambda text: commas(text).replace("9,1", "1.234")),
    "NaN": value("NaN"),
    "infinite number": value("inf"),
    "1_000": value("1_000"),
    "0x10": value("0x10"),
    "digits of Arabic": value("١٢"),
    "digits of full width": value("９.１"),
    "number with its unit": value("9.1 g/dL"),
    "decimal comma with its unit": value('"9,1 g/dL"'),
    "bound": value("<5"),
    "percentage": value("45%"),
    "error of a spreadsheet": value("#N/A"),
    "date that Excel made": value("09.Mai"),
    "date in numbers": value("2024-05-09"),
    "time": value("9:10"),
    "empty label": value(""),
    "label of blanks that cannot be seen": value("\u00a0\u200b"),
    "empty patient": line("b.png,9.1, "),
    "duplicate row": table(lambda text: text + "a.png,9.0,pa\n"),
    "two labels for one file": table(lambda text: text + "a.png,12.0,pa\n"),
    "byte order mark": table(lambda text: text.encode("utf-8-sig")),
    "byte order marks within quotes": table(lambda text: '\ufeff"\ufeffimage_path"' + text[10:]),
    "quoted fields": table(quoted),
    "semicolons": table(semicolons),
    "semicolons and decimal commas": table(commas),
    "semicolons, points and commas": table(lambda text: semicolons(text).replace("9.1", "9,1")),
    "sep=; in the first line": table(lambda text: "sep=;\n" + commas(text)),
    "sep=@ in the first line": table(lambda text: "sep=@\n" + text.replace(",", "@")),
    "tabs": table(lambda text: text.replace(",", "\t")),
    "Windows' ends of lines": table(lambda text: text.replace("\n", "\r\n")),
    "old Mac's ends of lines": table(lambda text: text.replace("\n", "\r")),
    "all three ends of lines": table(lambda text: text.replace("\n", "\r", 1).replace("\n", "\r\n", 1)),
    "no end of the last line": table(lambda text: text.rstrip()),
    "blank lines": table(lambda text: "\n" + text.replace("\n", "\n\n")),
    "lines of separators alone": table(lambda text: text + ",,\n,,\n"),
    "end of a DOS text": table(lambda text: text + "\x1a"),
    "line separators of Unicode in a field": table(noted),
    "blanks around headers": table(lambda text: text.replace("hb_value", " \u00a0hb_value\u200b ")),
    "blanks around fields": table(lambda text: text.replace(",9.1,", " ,\t9.1\u3000,\u200b")),
    "separators at the end of lines": table(lambda text: text.replace("\n", ",,\n")),
    "separators at the end of rows": table(lambda text: re.sub(r"(\d,p.)", r"\1,", text)),
    "separators at the end of the header": table(lambda text: text.replace("\n", ",\n", 1)),
    "columns in another order, and more": table(turned),
    "1e1": table(lambda text: text.replace("9.1", "91e-1")),
    "plus sign": table(lambda text: text.replace("9.1", "+9.10")),
    "table one folder down": moved("published/here"),
}  # fmt: skip


def test_every_line_is_planted() -> None:
    assert set(promises.promised("Tables")) == set(TABLES)


@pytest.mark.parametrize(("plant", "outcome", "told"), planted("Tables", TABLES, "refused"))
def test_a_table_that_cannot_be_trusted_is_refused(
    folder: Path, plant: Plant, outcome: str, told: str
) -> None:
    plant(folder)
    with pytest.raises(SourceError) as refused:
        ingested(folder)
    assert told in f"{refused.value.found}; {refused.value.mend}"
    assert refused.value.expected


@pytest.mark.parametrize(("plant", "outcome", "told"), planted("Tables", TABLES, *ROWS))
def test_a_bad_row_is_told_and_no_line_is_lost(
    folder: Path, plant: Plant, outcome: str, told: str
) -> None:
    plant(folder)
    found = assert_told(folder, outcome, told)
    share = judge_labels(found, "hb", SYSTEM.rules(), "stop", 0.0, SYSTEM.name)[0]
    assert not share.passed
    assert len(share.rows) == ROWS.index(outcome) + 1


@pytest.mark.parametrize(("plant", "outcome", "told"), planted("Tables", TABLES, "read"))
def test_what_is_unusual_but_clear_is_read(
    folder: Path, plant: Plant, outcome: str, told: str
) -> None:
    plain, _ = ingested(folder)
    plant(folder)
    found, _ = ingested(folder)
    assert set(found["status"]) == {"ok"}
    assert found.select(FACTS).equals(plain.select(FACTS))


def test_rows_are_held_against_lines_at_length() -> None:
    """An unclosed quotation mark in line 301 of 710 costs that line, and no other."""
    lines = [",".join(COLUMNS), *(f"{row}.png,9.5,p{row}" for row in range(710))]
    lines[300] = '"' + lines[300]
    found = read_published("\n".join(lines).encode(), "t.csv", COLUMNS)
    assert len(found) == 710
    assert found.filter(pl.col("fault").is_not_null())["line"].to_list() == [301]
    assert found["line"].to_list() == list(range(2, 712))
