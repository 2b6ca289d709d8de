"""What one annotation file says, point by point: a fault masks its point and is named, no more.

A key that stands twice has no value, whatever JSON readers take; NaN and Infinity are no numbers.

Landmarks: `{"ceph_id", "landmarks": [{"landmark_id" | "title" | "symbol", "value": {"x", "y"}}]}`.
CVM stage: `{"ceph_id", "cvm_stage": {"value": 1..6}}`. Further keys are allowed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.manifest.encoding import parsed_json
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


def read_points(content: bytes | str | None, film: str) -> Reading:
    """Read a landmark file about `film`; None is an absent one, text the reason against it."""
    reading = Reading()
    try:
        entries = _field(_about(content, film), "landmarks", list)
    except ValueError as fault:
        reading.faults.append(str(fault))
        return reading
    if not entries:
        reading.faults.append("landmarks is empty")
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
    _ensure_apart(reading)
    return reading


def read_stage(content: bytes | str | None, film: str) -> tuple[int | None, str | None]:
    """Return the CVM stage 0–5, or None and the fault; an absent file is no fault."""
    if content is None:
        return None, None
    try:
        stage = _field(_about(content, film), "cvm_stage", dict)
    except ValueError as fault:
        return None, str(fault)
    value = stage.get("value")
    whole = type(value) is int or (type(value) is float and value.is_integer())
    if not whole or not 1 <= value <= STAGES:
        return None, f"value {value!r}, expected 1 to {STAGES}"
    value = int(value)
    if stage.get("id") in STAGE_IDS and STAGE_IDS.index(stage["id"]) != value - 1:
        return None, f"value {value}, but the id of stage {STAGE_IDS.index(stage['id']) + 1}"
    return value - 1, None


class _Several:
    """What stands under a key that an object has twice."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __repr__(self) -> str:
        return " and ".join(map(repr, self.values)) + " under one key"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held: dict[str, list[Any]] = {}
    for key, value in pairs:
        held.setdefault(key, []).append(value)
    return {key: each[0] if len(each) == 1 else _Several(each) for key, each in held.items()}


def _decoded(content: bytes) -> Any:
    """Read JSON; a `ValueError` says why it is none."""
    try:
        return parsed_json(content, object_pairs_hook=_object, parse_constant=str)
    except UnicodeDecodeError as fault:
        raise ValueError(f"not JSON: not UTF-8 at byte {fault.start}") from None
    except json.JSONDecodeError as fault:
        raise ValueError(f"not JSON: {fault}") from None


def _about(content: bytes | str | None, film: str) -> dict[str, Any]:
    if content is None:
        raise ValueError("no file")
    if isinstance(content, str):
        raise ValueError(content)  # noqa: TRY004 - one kind of fault, told in words
    told = _decoded(content)
    if not isinstance(told, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as above
    if "ceph_id" not in told and "shapes" in told:
        raise ValueError("a LabelMe file, expected ceph_id and landmarks of the published layout")
    if told.get("ceph_id") != film:
        raise ValueError(f"ceph_id is {told.get('ceph_id')!r}, not the film's")
    return told


def _field(told: dict[str, Any], key: str, kind: type[Any]) -> Any:
    found = told.get(key)
    if isinstance(found, _Several):
        raise ValueError(f"{key} stands twice")  # noqa: TRY004 - as above
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
    value = {} if values[0] is None else values[0]
    if not isinstance(value, dict):
        reading.faults.append(f"{symbol} value is {value!r}, not an object of x and y")
        return
    pair = [value.get(axis) for axis in "xy"]
    for axis, number in zip("xy", pair, strict=True):
        if not _is_coordinate(number):
            reading.faults.append(f"{symbol} {axis} is {number!r}, not a number")
            return
    if pair == [0, 0]:
        reading.faults.append(f"{symbol} is (0, 0), which tools write for a point that nobody set")
        return
    reading.points[place] = pair


def _ensure_apart(reading: Reading) -> None:
    """Mask a file whose points are all one."""
    set_ = reading.points[np.isfinite(reading.points[:, 0])]
    if len(set_) > 2 and (set_ == set_[0]).all():
        reading.faults.append(f"all {len(set_)} points are ({set_[0, 0]:g}, {set_[0, 1]:g})")
        reading.points[:] = np.nan


def _is_coordinate(number: Any) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    return math.isfinite(number) and abs(number) < LARGEST
