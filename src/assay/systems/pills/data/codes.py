"""The class table: K-codes in the order in which they were first listed; an id, once given, stays.

`data/pills.classes.json` is tracked; a listing adds codes that are new, sorted, behind the known ones.
So ids depend neither on the order of a folder nor on which drugs arrive later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import polars as pl

from assay.errors import AssayError
from assay.runs.files import write_json
from assay.systems.pills.data.names import WHOLE_CODE

PLACE = Path("data/pills.classes.json")


class NotFoundError(AssayError):
    """A code, an id or an EDI code that the table does not have."""


@dataclass(frozen=True)
class ClassTable:
    """K-codes by id.

    Attributes:
        codes: the code of each id.
        sources: where they were listed; of these sources every code is known.
        forms: dosage form of each id of its own, as published (`form_code_name`), apart from the codes.
    """

    codes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def ids(self) -> dict[str, int]:
        return {code: number for number, code in enumerate(self.codes)}

    def id(self, code: str) -> int:
        """Return the id of a K-code.

        Raises:
            NotFoundError: it is not in the table; there is no id that stands for "none".
        """
        if code not in self.ids:
            raise NotFoundError(
                code, "no such K-code in the class table", f"one of {len(self)}",
                "assay snapshot pills <source>",
            )  # fmt: skip
        return self.ids[code]

    def code(self, number: int) -> str:
        """Return the K-code of an id.

        Raises:
            NotFoundError: it is not in the table.
        """
        if not 0 <= number < len(self.codes):
            raise NotFoundError(f"class {number}", "no such id", f"0 to {len(self) - 1}")
        return self.codes[number]

    def extended(
        self, codes: Iterable[str], source: str = "", forms: Iterable[str] = ()
    ) -> ClassTable:
        """Return the table with new codes and forms, sorted, behind the known ones."""
        told = {*self.sources, source} - {""}
        return ClassTable(_grown(self.codes, codes), tuple(sorted(told)), _grown(self.forms, forms))


def read_classes(root: Path) -> ClassTable:
    """Read the tracked table below `root`; an absent one is empty.

    Raises:
        AssayError: the file is not a class table, has a code or a form twice, or a code that is none.
    """
    path = root / PLACE
    if not path.exists():
        return ClassTable()
    expected, mend = (
        "codes, sources and forms, lists of names, each once",
        f"git checkout -- {path}",
    )
    try:
        told = msgspec.json.decode(path.read_bytes(), type=dict[str, list[str]])
        table = ClassTable(
            tuple(told["codes"]), tuple(told["sources"]), tuple(told.get("forms", ()))
        )
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError) as fault:
        found = f"not a class table: {type(fault).__name__} {fault}"
        raise AssayError(str(path), found, expected, mend) from None
    for what, names in (("code", table.codes), ("form", table.forms)):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise AssayError(str(path), f"a {what} stands twice: {twice[0]}", expected, mend)
    strange = [code for code in table.codes if not re.match(WHOLE_CODE, code)]
    if strange:
        raise AssayError(str(path), f"no K-code: '{strange[0]}'", "K- and six digits", mend)
    return table


def write_classes(root: Path, table: ClassTable) -> Path:
    """Write the table below `root`, and return its path.

    Raises:
        AssayError: it would take an id from a code that has it.
    """
    before = read_classes(root)
    if table.codes[: len(before)] != before.codes or (
        table.forms[: len(before.forms)] != before.forms
    ):
        raise AssayError(
            str(root / PLACE), "ids would change", "codes are only ever added behind the others"
        )
    told = {"codes": table.codes, "sources": table.sources, "forms": table.forms}
    write_json(root / PLACE, {name: list(each) for name, each in told.items()})
    return root / PLACE


def classes_for(table: pl.DataFrame, known: ClassTable, base: str) -> ClassTable:
    """Return the classes of a source: the tracked ones, behind them the codes of one not listed yet."""
    if base in known.sources:
        return known
    sound = table.filter(pl.col("fault").is_null())
    return known.extended(sound["codes"].explode().drop_nulls().unique())


def forms_of(table: pl.DataFrame) -> set[str]:
    """Return the dosage forms that labels state; some state none."""
    return set(table["form_names"].explode().drop_nulls()) - {""}


def with_forms(table: pl.DataFrame, known: ClassTable) -> pl.DataFrame:
    """Add `form_ids` (of each pill's dosage form, null where its label states none)."""
    every = known.extended((), forms=forms_of(table)).forms
    ids = {name: number for number, name in enumerate(every)}
    return table.with_columns(
        form_ids=pl.col("form_names").list.eval(
            pl.element().replace_strict(ids, default=None, return_dtype=pl.Int64)
        )
    )


def _grown(known: tuple[str, ...], found: Iterable[str]) -> tuple[str, ...]:
    return (*known, *sorted(set(found) - set(known)))
