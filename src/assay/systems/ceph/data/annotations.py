"""What one annotation file says, point by point: a fault masks its point and is named, no more.

Landmarks: `{"ceph_id", "landmarks": [{"landmark_id" | "title" | "symbol", "value": {"x", "y"}}]}`.
CVM stage: `{"ceph_id", "cvm_stage": {"value": 1..6}}`. Further keys are allowed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from assay.systems.ceph.data.landmarks import COUNT, LANDMARKS, STAGE_IDS, STAGES, SYMBOLS

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

BY_NAME = {
    key: {getattr(landmark, key): place for place, landmark in enumerate(LANDMARKS)}
    for key in ("id", "title", "symbol")
}
# What a person would call a coordinate of a film of 95 megapixels, and more.
LARGEST = 1e6


def _masked() -> Floats:
    return np.full((COUNT, 2), np.nan)


@dataclass
class Reading:
    """One reader's points on one film.

    Attributes:
        points: (29, 2) px, NaN where absent or masked.
        faults: why points are masked, in words.
        named: landmarks that the file names, by place; None where it could not be read.
    """

    points: Floats = field(default_factory=_masked)
    faults: list[str] = field(default_factory=list)
    named: frozenset[int] | None = None


def read_points(content: bytes | None, film: str) -> Reading:
    """Read a landmark file; None is an absent one, `film` the id that it has to be about."""
    reading = Reading()
    try:
        entries = _field(_about(content, film), "landmarks", list)
    except ValueError as fault:
        reading.faults.append(str(fault))
        return reading
    found: dict[int, list[Any]] = {}
    for entry in entries:
        try:
            found.setdefault(_which(entry), []).append(entry.get("value"))
        except ValueError as fault:
            reading.faults.append(str(fault))
    reading.named = frozenset(found)
    for place, values in sorted(found.items()):
        _settle(reading, place, values)
    return reading


def read_stage(content: bytes | None, film: str) -> tuple[int | None, str | None]:
    """Return the CVM stage 0–5, or None and the fault; an absent file is no fault."""
    if content is None:
        return None, None
    try:
        stage = _field(_about(content, film), "cvm_stage", dict)
    except ValueError as fault:
        return None, str(fault)
    value = stage.get("value")
    if type(value) is not int or not 1 <= value <= STAGES:
        return None, f"value {value!r}, expected 1 to {STAGES}"
    if stage.get("id") in STAGE_IDS and STAGE_IDS.index(stage["id"]) != value - 1:
        return None, f"value {value}, but the id of stage {STAGE_IDS.index(stage['id']) + 1}"
    return value - 1, None


def _about(content: bytes | None, film: str) -> dict[str, Any]:
    if content is None:
        raise ValueError("no file")
    try:
        told = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ValueError(f"not JSON: {fault}") from None
    if not isinstance(told, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of fault, told in words
    if told.get("ceph_id") != film:
        raise ValueError(f"ceph_id is {told.get('ceph_id')!r}, not the film's")
    return told


def _field(told: dict[str, Any], key: str, kind: type[Any]) -> Any:
    found = told.get(key)
    if not isinstance(found, kind):
        raise ValueError(f"no {key}")  # noqa: TRY004 - as above
    return found


def _which(entry: Any) -> int:
    """Return the landmark's place: by its id, else its title, else its symbol; all must agree.

    Raises:
        ValueError: it is none of the 29, or its names mean different ones.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"landmark {entry!r} is no object")  # noqa: TRY004
    said = {
        "id": entry.get("landmark_id"),
        "title": entry.get("title"),
        "symbol": entry.get("symbol"),
    }
    if isinstance(said["id"], str) and said["id"] not in BY_NAME["id"]:
        raise ValueError(f"unknown landmark_id {said['id']} ({said['title'] or said['symbol']})")
    places = {
        BY_NAME[key][name]
        for key, name in said.items()
        if isinstance(name, str) and name in BY_NAME[key]
    }
    if not places:
        raise ValueError(f"unknown landmark {said['title'] or said['symbol']!r}")
    if len(places) > 1:
        raise ValueError("one point named as " + " and ".join(SYMBOLS[p] for p in sorted(places)))
    return places.pop()


def _settle(reading: Reading, place: int, values: list[Any]) -> None:
    """Take the landmark's point where there is exactly one, of two finite numbers."""
    symbol = SYMBOLS[place]
    if len(values) > 1:
        reading.faults.append(f"{symbol} {'twice' if len(values) == 2 else f'{len(values)} times'}")
        return
    value = values[0] if isinstance(values[0], dict) else {}
    pair = [value.get(axis) for axis in "xy"]
    for axis, number in zip("xy", pair, strict=True):
        if not _is_coordinate(number):
            reading.faults.append(f"{symbol} {axis} is {number!r}, not a number")
            return
    reading.points[place] = pair


def _is_coordinate(number: Any) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    return math.isfinite(number) and abs(number) < LARGEST
