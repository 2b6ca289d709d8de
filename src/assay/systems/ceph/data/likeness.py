"""Whether points lie on their own films, and what a film that they do not lie on looks most like.

Around each landmark a patch is cut, in the face's own pose and scale, and held against the mean of all
other films' patches: a whole set has to be more like itself than with the next film's points, and a
single film like the others. What is wrong with all films alike is seen by the profile's edge (see
`profile_edge`), on which `hypotheses` are tried; so are they on each film that is unlike the others.

Measured on 60 real films and 240 phantom films stored at 256 and 128 px, by bootstraps of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.manifest.index import OK
from assay.systems.ceph.data.anatomy import FEWEST, FEWEST_ROWS, AnatomyFault, numbers
from assay.systems.ceph.data.checks import findings_check, points_of
from assay.systems.ceph.data.films import Images, joined, lay_films, surroundings
from assay.systems.ceph.data.hypotheses import (
    Hypothesis,
    film_changes,
    hypotheses,
    likeliest,
    moves_points,
)
from assay.systems.ceph.data.landmarks import COUNT
from assay.systems.ceph.data.profile_edge import profile_edge

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.systems.ceph.data.films import Films
    from assay.systems.ceph.data.mean_face import Floats

Bools = npt.NDArray[np.bool_]
Fetch = Callable[[pl.Series], Images]  # digests → stored images (n, size, size, 3)
SIDE = np.arange(-8.0, 9.0, 2.0)  # mm around a landmark
PATCH = (SIDE[:, None] + 1j * SIDE[None]).ravel()
EVERY = tuple(range(COUNT))
# Likeness above the control's, of 10 films or more: real 0.54, phantom 0.41–0.47; of films that were
# flipped, transposed or shuffled at most 0.15.
GAIN = 0.2
# A film is looked into below this share of the median film's likeness: the least sound one has 0.83 of
# it (real) and 0.9 (phantom), points 0.97 × as far out at most 0.65.
UNLIKE = 0.75
# What undoing what is wrong with one film has to win: of sound ones nothing wins more than −0.15.
BETTER = 0.1
# What undoing it has to win of the profile's edge, in the median film: of 10 sound films at most 0.17
# and in 99 of 100 draws 0.10, of 20 at most 0.07; 0.93 × wins 0.5 and more.
EDGE_GAIN = 0.15
EDGE_TIE, LIKE_TIE = 0.1, 0.03  # a plainer cause that gains as much is the one that is told
UNKNOWN = "no other film, and nothing that was tried makes it so: told, no fault"
FEWEST_FILMS = 10  # that a median edge is taken of
SPOKESMEN = 60  # films that speak for the set or a part, and for all that are unlike
GIVEN = "a film whose own points are given for {}"
NEIGHBOURS = {"next": 1, "previous": -1}
PORTION = 100  # films in memory at once


def check_films(table: pl.DataFrame, fetch: Fetch) -> Check:
    """Return the check of a manifest's usable rows against the stored images."""
    rows = table.filter(pl.col("status") == OK)
    grey = np.concatenate([
        fetch(part["digest"])[..., 1] for part in rows.iter_slices(PORTION)
    ])  # fmt: skip
    extent = rows.select("width", "height").to_numpy().astype(np.float64)
    spacing = rows["spacing"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    films = lay_films(grey, points_of(rows, "target"), extent, spacing)
    parts = {
        kind: {str(name): (rows[kind] == name).fill_null(value=False).to_numpy()
               for name in rows[kind].drop_nulls().unique().sort()}
        for kind in ("machine", "subset")
    }  # fmt: skip
    findings = off_their_films(films, parts, rows["sample_id"].to_list())
    said = "the points lie on what their films show"
    strange = [each for each in findings if each.reason.endswith(UNKNOWN)]
    check = findings_check("films", said, [each for each in findings if each not in strange], rows)
    if strange:  # an unusual head is no fault
        more = findings_check("films", said, strange, rows)
        return replace(check, found=f"{check.found}; {more.found}", rows=[*check.rows, *more.rows])
    if findings or not np.isnan(fit_of(films)[0]):
        return check
    return replace(check, found="not judged: too few films with points")


def fit_of(films: Films) -> tuple[float, float]:
    """Return the likeness of films with their own points, and with the next film's; NaN: unknown."""
    after = films.with_places_of(np.roll(np.arange(len(films)), 1))
    return _mean_likeness(films), _mean_likeness(after)


def off_their_films(
    films: Films, parts: Mapping[str, Mapping[str, Bools]], names: list[str]
) -> list[AnatomyFault]:
    """Find a set, parts of it, or films whose points lie elsewhere, and say what they look most like.

    Args:
        films: those of a set.
        parts: kind (machine, subset) → part → which films (n,).
        names: of the films.
    """
    own, other = fit_of(films)
    if np.isnan(own) or np.isnan(other):
        return []
    wrong = _of_most(films)
    if wrong is not None:
        for kind, members in parts.items():
            findings, sound, off = _of_parts(films, kind, members)
            if findings:
                return findings + _single(films, sound, ~off, names)
        if _fits(wrong.undone(films)):
            return [AnatomyFault((), f"the whole set looks most like {wrong.what}")]
    every = np.ones(len(films), dtype=bool)
    if own - other >= GAIN:
        return _single(films, every, every, names)
    return _off_without_likeness(films, names) or [
        AnatomyFault(
            (),
            f"the points fit their images (likeness {own:.2f}) no better than others' ({other:.2f})",
        )
    ]


def _off_without_likeness(films: Films, names: list[str]) -> list[AnatomyFault]:
    """Find what makes a set fit its images after all, once undone, or the films without which it does."""
    if (cause := _cause_of_all(films)) is not None:
        return [AnatomyFault((), f"the whole set looks most like {cause}")]
    every = np.ones(len(films), dtype=bool)
    findings = _single(films, every, every, names)
    rest = np.setdiff1d(np.arange(len(films)), [row for each in findings for row in each.rows])
    return findings if _fits(films.where(rest)) else []


def _of_most(films: Films) -> Hypothesis | None:
    """Return what most of these films look like by the edge of their profiles, if not like themselves."""
    plain = profile_edge(films)
    known = np.flatnonzero(np.isfinite(plain))
    if len(known) < FEWEST_FILMS:
        return None
    chosen = known[np.linspace(0, len(known) - 1, min(len(known), SPOKESMEN)).astype(int)]
    few, plain = films.where(chosen), plain[chosen]
    tried = [each for each in hypotheses(few) if moves_points(few, each)]
    edges = np.stack([np.nan_to_num(profile_edge(each.undone(few)), nan=-1.0) for each in tried])
    gain = np.median(edges - plain, axis=1)
    return tried[likeliest(tried, gain, EDGE_TIE)] if gain.max() > EDGE_GAIN else None


def _of_parts(
    films: Films, kind: str, members: Mapping[str, Bools]
) -> tuple[list[AnatomyFault], Bools, Bools]:
    """Find parts that are wrong beside sound ones, where undoing it makes the set fit.

    Returns:
        The findings, and which films stand in sound parts and which in wrong ones; a part of few films is
        neither.
    """
    known = np.isfinite(profile_edge(films))
    judged = {name: rows for name, rows in members.items() if known[rows].sum() >= FEWEST_FILMS}
    causes = {name: _of_most(films.where(rows)) for name, rows in judged.items()}
    sound, wrong = np.zeros((2, len(films)), dtype=bool)
    for name, cause in causes.items():
        (sound if cause is None else wrong)[judged[name]] = True
    off = {name: each for name, each in causes.items() if each is not None}
    undone = [each.undone(films.where(judged[name])) for name, each in off.items()]
    if not off or not sound.any() or not _fits(joined([films.where(sound), *undone])):
        return [], sound, wrong
    return [
        AnatomyFault(numbers(judged[name]), f"{kind} {name} looks most like {each.what}")
        for name, each in off.items()
    ], sound, wrong  # fmt: skip


def _cause_of_all(films: Films) -> str | None:
    """Return what makes a set fit its images after all, once it is undone."""
    around = np.arange(len(films))
    tried = {each.what: each.undone(films) for each in film_changes()}
    for which, step in NEIGHBOURS.items():
        tried[GIVEN.format(f"the {which} one")] = films.with_points_of((around + step) % len(films))
    return next((what for what, each in tried.items() if _fits(each)), None)


def _fits(films: Films) -> bool:
    own, other = fit_of(films)
    return own - other >= GAIN


def _single(films: Films, sound: Bools, asked: Bools, names: list[str]) -> list[AnatomyFault]:
    """Find, among the asked, films that are unlike the sound ones, by what each looks most like."""
    patches = _patches(films)
    others = _others(np.where(sound[:, None, None], patches, np.nan))
    plain = _likeness(patches, others, films)
    unlike = np.flatnonzero(asked & (plain < UNLIKE * np.nanmedian(plain[sound])))
    found: dict[str, list[tuple[int, str]]] = {}
    for start in range(0, len(unlike), SPOKESMEN):
        rows = unlike[start : start + SPOKESMEN]
        few = films.where(rows)
        tried = [*_of_others(films, rows, names), *hypotheses(few)]
        if start and set(found) != {
            UNKNOWN
        }:  # of many the rest is asked what is wrong with the first
            tried = [each for each in tried if each.family in found]
        changed = [each.undone(few) for each in tried]
        like = np.stack([_likeness(_patches(each), others[rows], each) for each in changed])
        gain = np.nan_to_num(like - plain[rows], nan=-1.0)
        for place, row in enumerate(rows):
            best = tried[likeliest(tried, gain[:, place], LIKE_TIE)]
            wins = gain[:, place].max() > BETTER
            family, what = (best.family, best.what) if wins else (UNKNOWN, UNKNOWN)
            found.setdefault(family, []).append((int(row), what))
    return [
        AnatomyFault(tuple(row for row, _ in each), f"looks most like {_commonest(each)}")
        for each in found.values()
    ]


def _commonest(found: list[tuple[int, str]]) -> str:
    """Return what most of the films of one family look like; of numbers all that are told is one."""
    what = [each for _, each in found]
    first = max(what, key=what.count)
    return first if len(set(what)) == 1 else f"{first}, or nearly"


def _of_others(films: Films, rows: npt.NDArray[np.integer], names: list[str]) -> list[Hypothesis]:
    """Return that each of these films has its neighbour's points, or those of another one of them."""
    given = [(f"the {which} one", rows + step) for which, step in NEIGHBOURS.items()]
    given += [(names[row], np.full(len(rows), row)) for row in rows]
    return [Hypothesis(GIVEN.format(whose), _given(films, where)) for whose, where in given]


def _given(films: Films, rows: npt.NDArray[np.integer]) -> Callable[[Films], Films]:
    given = films.where(rows % len(films))
    return lambda few: replace(few, points=given.points, pose=given.pose)


def _mean_likeness(films: Films) -> float:
    patches = _patches(films)
    each = _likeness(patches, _others(patches), films)
    known = np.isfinite(each)
    return float(each[known].mean()) if known.any() else float("nan")


def _others(patches: Floats) -> Floats:
    """Return the mean of all other films' patches, of unit norm; NaN where they are too few to say."""
    there = np.asarray(np.isfinite(patches).all(axis=2))
    whole = np.where(there[..., None], patches, 0)
    others = whole.sum(axis=0) - whole
    others /= np.maximum(np.linalg.norm(others, axis=2, keepdims=True), 1e-9)
    others[there.sum(axis=0) - there < FEWEST_ROWS] = np.nan
    return np.asarray(others)


def _likeness(patches: Floats, others: Floats, films: Films) -> Floats:
    """Return the mean correlation (n,) over each film's landmarks; 0 where they have left the film.

    NaN where fewer landmarks are known than say anything.
    """
    alike = (patches * others).sum(axis=2)
    known = np.isfinite(alike)
    total = np.where(known, alike, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    pointed = np.isfinite(films.points).all(axis=2).sum(axis=1) >= FEWEST
    enough = len(films) > FEWEST_ROWS or np.isfinite(others).any()
    return np.where(known.sum(axis=1) >= FEWEST, total, np.where(pointed & enough, 0.0, np.nan))


def _patches(films: Films) -> Floats:
    """Return patches (n, 29, k) of zero mean and unit norm; NaN where they leave the film."""
    values = surroundings(films, PATCH, EVERY)
    values -= values.mean(axis=2, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=2, keepdims=True), 1e-9)
    return values
