"""Identify what is on photographs, with the models of this checkout."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.pipeline import Named, Pipeline, PipelineParams, Reader, TrainedModel

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
HIDDEN = "."
MANY = 10  # photographs from which on a bar shows how far it is


@click.command()
@click.argument("system")
@click.argument("photographs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--mode", help="what is done with a photograph; the system's first mode by default")
@click.option("--conf", type=click.FloatRange(0, 1, max_open=True),
              help="score of a box from which it counts as found")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(
    system: str, photographs: tuple[Path, ...], mode: str | None, conf: float | None, as_json: bool
) -> None:
    """Say what is on PHOTOGRAPHS (files, or folders of them).

    Nothing chooses the mode but you, and no mode falls back on another. A file that cannot be read is
    told, passed over, and counted at the end.
    """
    from rich.console import Console
    from rich.progress import track

    from assay.errors import AssayError
    from assay.runs.root import find_root

    here, root = Path.cwd(), find_root(Path.cwd())
    files = list(_files(here / each for each in photographs))
    if not files:
        raise AssayError(
            ", ".join(map(str, photographs)), "no photographs", f"files {' '.join(EXTENSIONS)}"
        )
    with chdir(root):
        pipeline, chosen, read, seen = _prepared(root, system, mode, conf)
    shown = track(
        files,
        "photographs",
        disable=len(files) < MANY,
        transient=True,
        console=Console(stderr=True),
    )
    found = [(file, *_identified(file, read, *seen)) for file in shown]
    if as_json:
        click.echo(json.dumps(_document(pipeline.name, chosen, found), ensure_ascii=False))
    else:
        click.echo("\n".join(line for each in found for line in _lines(*each)))
    broken = sum(1 for _, named, _ in found if named is None)
    if broken:
        click.echo(f"{broken} of {len(found)} could not be read", err=True)
    if broken == len(found):
        raise SystemExit(1)


def _prepared(
    root: Path, system: str, mode: str | None, conf: float | None
) -> tuple[Pipeline, str, Reader, tuple[int, str]]:
    """Return the pipeline, the mode, what reads a photograph, and how one is opened."""
    from assay.errors import AssayError
    from assay.params import read_params
    from assay.pipeline import find_pipeline, read_models, seen_as
    from assay.value_faults import PARAMS_FILE
    from assay.values import typed

    pipeline = find_pipeline(system)
    chosen = mode or next(iter(pipeline.modes))
    if chosen not in pipeline.modes:
        raise AssayError(f"--mode {chosen}", "no such mode", f"one of {', '.join(pipeline.modes)}")
    if conf is not None and chosen not in pipeline.finding:
        raise AssayError(
            f"--conf {conf:g}", f"mode {chosen} looks for no boxes",
            f"a mode that does: {', '.join(pipeline.finding)}",
            f"assay predict {system} … --mode {pipeline.finding[0]} --conf {conf:g}",
        )  # fmt: skip
    content = read_params(root / PARAMS_FILE)
    if conf is not None:
        content[pipeline.name]["use"]["conf"] = conf
    own: PipelineParams = typed(content, pipeline.name, pipeline.params)
    models: dict[str, TrainedModel] = read_models(pipeline.modes[chosen])
    pipeline.ensure_fits(own, models)
    seen = seen_as(pipeline.name, models)
    if remark := pipeline.remark(chosen, models):
        click.echo(remark, err=True)
    return pipeline, chosen, pipeline.reader(chosen, models, own, root), seen


def _files(places: Iterable[Path]) -> Iterator[Path]:
    """Return files as they are, and of folders every photograph below, sorted; hidden ones not."""
    for place in places:
        if not place.is_dir():
            yield place
            continue
        for path in sorted(place.rglob("*")):
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith(HIDDEN):
                yield path


def _identified(
    file: Path, read: Reader, size: int, fit: str
) -> tuple[Sequence[Named] | None, str]:
    """Return what is on a photograph; or nothing, and the reason why it cannot be read."""
    from assay.manifest.images import open_image
    from assay.manifest.source import Source

    source, uri = Source(str(file.parent), file.parent), str(file.resolve())
    opened = open_image(source, uri, source.stamp(uri), size, fit=fit)
    return (None, opened.reason) if opened.pixels is None else (read(opened), "")


def _document(name: str, mode: str, found: Iterable[tuple[Path, Any, str]]) -> dict[str, Any]:
    told = [
        {"file": str(file), "reason": reason} if named is None
        else {"file": str(file), "found": [asdict(each) for each in named]}
        for file, named, reason in found
    ]  # fmt: skip
    return {"pipeline": name, "mode": mode, "photographs": told}


def _lines(file: Path, named: Sequence[Named] | None, reason: str) -> list[str]:
    """Return a photograph's lines for people."""
    if named is None:
        return [f"{file}: cannot be read: {reason}"]
    if not named:
        return [f"{file}: nothing found"]
    return [f"{file}:", *(_line(each) for each in named)]


def _line(each: Named) -> str:
    said = f"  {each.code:10} {each.chance:4.0%}  {each.name or 'name unknown'}"
    if each.box is None:
        return said
    x, y, width, height = each.box
    return f"{said}  · score {each.score:.2f} at {x:.0f}, {y:.0f}, {width:.0f} × {height:.0f} px"
