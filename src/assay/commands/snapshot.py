"""List a source into data/<data>.source.json, the small tracked file that ingest depends on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from assay.contract.system import System
    from assay.manifest.snapshot import Snapshot

KINDS = click.Choice(["patient", "session", "content", "sample"])

# A value of one line of YAML, without the comment behind it.
VALUE = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|.*?(?=\s+#|\s*$)""")


@click.command()
@click.argument("data")
@click.argument("source")
@click.option("--origin", help="who published it, where")
@click.option("--licence", help="under which terms")
@click.option("--consent", help="what the people agreed to")
@click.option("--group-kind", type=KINDS, help="what a group is; never above the evidence")
def command(data: str, source: str, **stated: str | None) -> None:
    """List a source, make it the one that params.yaml names, and state where it is from.

    For example: assay snapshot hemoglobin.conjunctiva ../cp_anemic --origin "Mendeley Data". Any folder
    name will do, quoted for the shell. What was stated of the same source before, and is not stated now,
    stays.
    """
    from assay.lookup import find_system
    from assay.manifest.snapshot import write_snapshot
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    snapshot = listed(root, find_system(data), source, stated)
    path = write_snapshot(root, data, snapshot).relative_to(root)
    click.echo(f"{path}: {snapshot.count or 'no'} files listed")
    if set_source(root, data, snapshot.url):
        click.echo(f"params.yaml: {data}.source is {snapshot.url}")
    click.echo(f"next: dvc repro validate@{data}, the gate of its labels")


def set_source(root: Path, data: str, source: str) -> bool:
    """Set where a set of data lies in `params.yaml`, and nothing else there; whether that is news."""
    from ruamel.yaml import YAML

    from assay.errors import AssayError
    from assay.params import read_params
    from assay.runs.files import write_text
    from assay.value_faults import PARAMS_FILE
    from assay.values import descend

    path, words = root / PARAMS_FILE, data.split(".")
    section = descend(read_params(path), words)
    if section is None or section.get("source") == source:
        return False
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    place = descend(YAML().load("".join(lines)), words)
    number, start = place.lc.value("source")
    line = lines[number]
    value = VALUE.match(line, start)
    assert value is not None
    ends = value.end()
    before, after = line[start:ends], line[ends:]
    said = _as_yaml(source)
    room = len(before) + len(after) - len(after.lstrip(" ")) - len(said)
    gap = " " * max(room, 1) if "#" in after else ""
    lines[number] = line[:start] + said + gap + after.lstrip(" ")
    text = "".join(lines)
    if descend(YAML(typ="safe").load(text), words)["source"] != source:  # it stood on several lines
        where, mend = f"{PARAMS_FILE}, line {number + 1}", f"write there: source: {said}"
        raise AssayError(where, "a source on several lines", "on one", mend)
    write_text(path, text)
    return True


def _as_yaml(text: str) -> str:
    """Return a text as YAML has it in one line, quoted where it would be something else."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        plain = YAML(typ="safe").load(f"source: {text} # comment")["source"]
    except YAMLError:
        plain = None
    return text if plain == text else json.dumps(text, ensure_ascii=False)


def listed(root: Path, system: System, source: str, stated: Mapping[str, str | None]) -> Snapshot:
    """List a source as it stands; what was stated of it before stays where nothing new is said."""
    from assay.contract.system_capabilities import SupportsClassTable
    from assay.errors import SourceError
    from assay.manifest.snapshot import PHANTOM, Snapshot, listing_digest, read_snapshot
    from assay.manifest.source import Source

    try:
        before = read_snapshot(system.name, root).model_dump()
    except SourceError:  # absent or damaged: this very call writes it anew
        before = {}
    kept = before if before.get("url") == source.rstrip("/") else {}
    said = {key: value or kept.get(key) for key, value in stated.items()}
    facts: dict[str, Any] = {"url": source.rstrip("/")}
    if source != PHANTOM:
        place = Source(source, root)
        listing = system.read(place)
        said["group_kind"] = said["group_kind"] or listing.group_kind
        if isinstance(system, SupportsClassTable):
            print(f"also: {system.remembered(root, facts['url'], listing).relative_to(root)}")
        files = listing.files(system.views)
        found = listing_digest(place, files, listing.tables)
        facts |= {"count": len(files), "listing_digest": found}
    return Snapshot.model_validate(facts | {key: value for key, value in said.items() if value})
