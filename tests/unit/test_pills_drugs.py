"""Class ids that stay, EDI codes both ways, and typed refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.pills_set import PILLS, edit, labels, made, read

from assay.errors import AssayError
from assay.manifest.source import Source
from assay.systems.pills.data.codes import ClassTable, NotFoundError, read_classes, write_classes
from assay.systems.pills.data.drugs import edi_codes, gather_drugs
from assay.systems.pills.data.index import build_index
from assay.systems.pills.data.phantom_drugs import k_code


def test_ids_stay_when_drugs_arrive_in_any_order() -> None:
    first = ClassTable().extended(["K-000300", "K-000100"])
    assert first.codes == ("K-000100", "K-000300")
    grown = first.extended(["K-000200", "K-000050", "K-000300"])
    assert [grown.id(code) for code in first.codes] == [0, 1]
    assert grown.codes[2:] == ("K-000050", "K-000200")
    assert grown == first.extended({"K-000050", "K-000300", "K-000200"})


def test_an_unknown_code_or_id_is_no_label() -> None:
    table = ClassTable(("K-000100",))
    for ask in (lambda: table.id("K-000200"), lambda: table.code(1), lambda: table.code(-1)):
        with pytest.raises(NotFoundError):
            ask()


def test_the_tracked_table_only_grows(tmp_path: Path) -> None:
    assert len(read_classes(tmp_path)) == 0
    table = ClassTable(("K-000100", "K-000300"), ("a",))
    write_classes(tmp_path, table)
    assert read_classes(tmp_path) == table
    with pytest.raises(AssayError, match="ids would change"):
        write_classes(tmp_path, ClassTable(("K-000300", "K-000100")))
    path = write_classes(tmp_path, table.extended(["K-000200"], "b"))
    assert read_classes(tmp_path).sources == ("a", "b")
    path.write_text('{"codes": ["K-1", "K-1"], "sources": []}')
    with pytest.raises(AssayError, match="stands twice"):
        read_classes(tmp_path)
    path.write_text("[]")
    with pytest.raises(AssayError, match="not a class table"):
        read_classes(tmp_path)


def test_a_listed_source_knows_all_its_drugs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = made(tmp_path / "set")
    source = Source("set", tmp_path)
    first = PILLS.read(source)
    assert first.table["fault"].is_null().all()
    write_classes(tmp_path, ClassTable(("K-000001", k_code(2))))
    tried = PILLS.read(source).table
    assert tried["fault"].is_null().all()
    assert set(tried["classes"].explode()) == {1, 2, 3, 4}
    PILLS.remembered(tmp_path, "set", first)
    assert read_classes(tmp_path).codes[:2] == ("K-000001", k_code(2))
    assert PILLS.read(source).table.equals(tried)
    table = read_classes(tmp_path)
    (tmp_path / "data/pills.classes.json").unlink()
    write_classes(tmp_path, ClassTable(table.codes[:-1], table.sources))
    faults = set(read(folder)["fault"].drop_nulls())
    assert faults == {f"unknown class: {table.codes[-1]}"}


def test_edi_codes_are_looked_up_both_ways(tmp_path: Path) -> None:
    folder = made(tmp_path / "set", classes=10)
    classes = ClassTable().extended(k_code(number) for number in range(10))
    drugs = gather_drugs(build_index(folder, tmp_path / "index"), classes)
    assert drugs.of_edi("640000020") == [1]
    assert drugs.of_edi("A00000020") == [1, 6]
    assert drugs.edi_of(3) == ["640000040", "640000041"]
    assert drugs.edi_of(8) == []
    assert drugs.without_edi() == [k_code(8)]
    assert drugs.of_class(0)["dl_name"] == "모형정 1호"
    for ask in (lambda: drugs.of_edi("640000099"), lambda: drugs.of_class(10)):
        with pytest.raises(NotFoundError):
            ask()
    for code, ids in drugs.ids_of.items():
        assert all(code in drugs.edi_of(number) for number in ids)
    assert edi_codes(" 643303740,A01200351,,") == ["643303740", "A01200351"]
    assert edi_codes(None) == []


def test_drug_metadata_is_the_same_bytes_again(tmp_path: Path) -> None:
    folder = made(tmp_path / "set")
    classes = ClassTable().extended(k_code(number) for number in range(4))
    for name in ("one", "two"):
        gather_drugs(build_index(folder, tmp_path / name), classes).write(tmp_path / f"{name}.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    told = json.loads((tmp_path / "one.json").read_text())
    assert told["num_classes"] == 4
    assert told["drug_metadata"]["1"]["K-code"] == k_code(1)
    assert told["edi_to_class_id"]["640000030"] == [2]


def test_forms_have_ids_that_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tablets and capsules as `form_code_name` says; a form listed before keeps its id."""
    monkeypatch.chdir(tmp_path)
    folder = made(tmp_path / "set")
    source = Source("set", tmp_path)
    capsule, tablet = "경질캡슐제, 산제", "나정"
    listing = PILLS.read(source)
    told = listing.table.explode("form_names", "form_ids").select("form_names", "form_ids")
    assert set(told.rows()) == {(capsule, 0), (tablet, 1)}
    write_classes(tmp_path, ClassTable(forms=(tablet,)))
    PILLS.remembered(tmp_path, "set", listing)
    assert read_classes(tmp_path).forms == (tablet, capsule)
    again = PILLS.read(source).table.explode("form_names", "form_ids")
    assert set(again.select("form_names", "form_ids").rows()) == {(capsule, 1), (tablet, 0)}
    with pytest.raises(AssayError, match="ids would change"):
        write_classes(tmp_path, ClassTable(read_classes(tmp_path).codes, forms=(capsule,)))
    for path in labels(folder):
        edit(path, lambda label: label["images"][0].pop("form_code_name"))
    unstated = read(folder)
    assert unstated["fault"].is_null().all()
    assert unstated["form_ids"].explode().is_null().all()
