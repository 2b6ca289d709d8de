"""The phantom of ceph: deterministic, anatomical, readable; its faults are the ones asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.ceph_set import CEPH, PLAIN, faults_of, manifest, params, read

from assay.gates.labels import judge_labels
from assay.manifest.index import BROKEN, OK
from assay.params import read_params
from assay.systems.ceph.data.landmarks import COUNT, PLACE, SYMBOLS
from assay.systems.ceph.data.params import CephParams
from assay.systems.ceph.data.phantom import PhantomFilm, draw_films, draw_phantom_film
from assay.systems.ceph.data.phantom_face import draw_face
from assay.systems.ceph.data.phantom_film import MACHINES
from assay.systems.ceph.data.phantom_spine import CONCAVITY, RATIO, TAPER, draw_spine
from assay.systems.ceph.data.pose import lay_on_mean
from assay.values import typed


@pytest.fixture(scope="module")
def films() -> list[PhantomFilm]:
    return list(draw_films(params(films=60, width=300)))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(folder: Path, **faults: int) -> Path:
    folder.mkdir()
    CEPH.phantom(folder, params(**faults))
    return folder


def test_equal_parameters_give_equal_bytes(tmp_path: Path) -> None:
    one, two = (bytes_of(written(tmp_path / name, films=6)) for name in ("one", "two"))
    assert one == two
    assert len(one) == 6 * 4 + 1
    other = bytes_of(written(tmp_path / "other", films=6, seed=4))
    assert not set(one.values()) & {each for name, each in other.items() if "Ceph" in name}


def test_a_film_does_not_depend_on_how_many_there_are() -> None:
    few, many = params(films=6), params(films=60)
    one, same = (draw_phantom_film(3, "train", 2, each) for each in (few, many))
    assert np.array_equal(one.grey, same.grey)
    assert np.array_equal(one.truth, same.truth)


def test_the_section_of_params_is_typed() -> None:
    content = read_params(Path(__file__).parents[2] / "params.yaml")
    section = typed(content, "ceph", CephParams)
    assert section.phantom.doubled == 0
    assert section.split.test == "published"


def test_the_phantom_passes_its_own_gate(tmp_path: Path) -> None:
    table, store = manifest(written(tmp_path / "set", films=36), tmp_path)
    assert (table["status"] == OK).all()
    assert store.pixels().std() > 0
    judged = judge_labels(table, CEPH.target, CEPH.rules(), "stop", 0.0, CEPH.name)
    assert [check.name for check in judged if not check.passed] == []


def test_planted_points_are_named_and_nothing_else(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", doubled=3, missing=2)
    faults = [each for told in faults_of(folder).values() for each in told]
    assert sorted(each.split(" ")[-1] for each in faults) == ["missing"] * 2 + ["twice"] * 3
    assert {each.split(":")[0] for each in faults if each.endswith("twice")} == {"senior"}
    assert {each.split(":")[0] for each in faults if each.endswith("missing")} == {"junior"}
    assert read(folder)["fault"].is_null().all()


def test_planted_pairs_are_identical_across_the_published_splits(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", pairs=4)
    table, _ = manifest(folder, tmp_path)
    pairs = (
        table.group_by("digest")
        .agg("subset", "group_id", "cvm")
        .filter(pl.col("subset").list.len() == 2)
    )
    assert len(table) == 28
    assert len(pairs) == 4
    for splits, groups, stages in pairs.select("subset", "group_id", "cvm").iter_rows():
        assert len(set(splits)) == 2
        assert len(set(groups)) == len(set(stages)) == 1
    assert faults_of(folder) == {}


def test_planted_broken_images_are_named(tmp_path: Path) -> None:
    table, _ = manifest(written(tmp_path / "set", broken=3), tmp_path)
    broken = table.filter(pl.col("status") == BROKEN)
    assert len(broken) == 3
    assert all(reason for reason in broken["reason"])


def test_more_faults_than_films_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one film a fault"):
        params(doubled=20, broken=20)


def test_films_are_in_the_published_proportions(films: list[PhantomFilm]) -> None:
    counts = {
        split: sum(film.split == split for film in films) for split in ("train", "valid", "test")
    }
    assert counts == {"train": 42, "valid": 9, "test": 9}
    assert [sum(film.stage == stage for film in films) for stage in range(6)] == [10] * 6


def test_each_machine_has_its_size_format_and_look(films: list[PhantomFilm]) -> None:
    by = {machine.name: [film for film in films if film.machine == machine] for machine in MACHINES}
    assert min(map(len, by.values())) >= 10
    for facts in (
        {name: {film.grey.shape for film in mine} for name, mine in by.items()},
        {name: {film.spacing for film in mine} for name, mine in by.items()},
        {name: {film.machine.extension for film in mine} for name, mine in by.items()},
    ):
        assert all(len(each) == 1 for each in facts.values())
        assert len(set.union(*map(set, facts.values()))) == len(MACHINES)
    air = {name: [np.percentile(film.grey, 20) for film in mine] for name, mine in by.items()}
    assert (
        max(air["Phantom B"])
        < min(air["Phantom A"])
        < max(air["Phantom A"])
        < min(air["Phantom C"])
    )


def test_all_landmarks_lie_on_their_film_and_in_anatomical_order(films: list[PhantomFilm]) -> None:
    for film in films:
        rows, columns = film.grey.shape
        edge = film.machine.frame * columns
        assert (film.truth > edge).all()
        assert (film.truth < [columns - edge, rows - edge]).all()
        at = dict(zip(SYMBOLS, lay_on_mean(film.truth[None]).aligned[0], strict=True))
        down = [at[symbol][1] for symbol in ("N", "Or", "ANS", "A", "UIT", "B", "Pog", "Gn", "Me")]
        assert down == sorted(down)
        back = [at[symbol][0] for symbol in ("Po", "S", "PNS", "Or", "N", "Pn")]
        assert back == sorted(back)
        assert at["Ar"][1] > at["Co"][1]
        assert at["Go"][1] > at["R"][1] > at["Ar"][1]
        assert at["UIA"][1] < at["UIT"][1]
        assert at["LIA"][1] > at["LIT"][1]
        assert at["Pog`"][0] > at["Pog"][0]
        assert at["N`"][0] > at["N"][0]


def test_faces_vary_by_few_factors() -> None:
    random = np.random.default_rng(0)
    faces = np.stack([draw_face(random.uniform(), random) for _ in range(300)]).reshape(300, -1)
    spread = np.linalg.svd(faces - faces.mean(axis=0), compute_uv=False) ** 2
    share = np.cumsum(spread) / spread.sum()
    assert share[9] > 0.85
    assert share[0] < 0.7


def test_readers_see_what_is_there_as_sharply_as_anatomy_lets_them(
    films: list[PhantomFilm],
) -> None:
    apart = np.stack([
        np.linalg.norm(film.readers["senior"] - film.readers["junior"], axis=1) * film.spacing
        for film in films
    ])  # fmt: skip
    assert 1.0 < apart.mean() < 2.0
    mean = dict(zip(SYMBOLS, apart.mean(axis=0), strict=True))
    hard, easy = ("Po", "Or", "Go", "Co"), ("S", "UIT", "LIT", "Sn", "Li")
    assert min(mean[symbol] for symbol in hard) > 1.5 * max(mean[symbol] for symbol in easy)
    middle = np.stack([
        (film.readers["senior"] + film.readers["junior"]) / 2 - film.truth for film in films
    ])  # fmt: skip
    assert np.abs(middle.mean(axis=0)).max() < 1.5
    assert all((film.readers["senior"] % 1 == 0).all() for film in films)
    assert any((film.truth % 1 != 0).any() for film in films)


def grey_at(film: PhantomFilm, symbol: str, x: float, y: float) -> float:
    """Return the mean grey of 3 × 3 px at an offset in mm of the head from a landmark."""
    turn = film.place.matrix[:, :2]
    column, row = (film.truth[PLACE[symbol]] + turn @ [x, y]).round().astype(int)
    return float(film.grey[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].mean())


# Landmark, brighter beside it, darker beside it, mm: what an orthodontist looks for there.
EDGES = [
    ("Pn", (-4, 1), (4, 0)), ("Sn", (-4, 1), (4, 2)), ("Ls", (-3, 0), (4, 0)), ("Li", (-3, 0), (4, 0)),
    ("Pog`", (-3, 0), (4, 0)), ("N`", (-3, 0), (4, 2)), ("N", (-2, -2), (3, 1)), ("S", (0, 5.4), (0, 0)),
    ("Me", (0, -1), (0, 4)), ("Pog", (-1, 0), (4, 0)), ("Gn", (-1, -1), (3, 3)), ("B", (-1, 0), (4, -1)),
    ("A", (-2, 0.5), (4, 2)), ("ANS", (-2, 0), (3, -1)), ("PNS", (2, 0), (0, -5)),
    ("Or", (0, 0), (0, -4)),
    ("Go", (0, 0), (-4, 3)), ("R", (0.5, 0), (-4, 0)), ("UIT", (-1, -3), (3, 2)),
    ("LIT", (-1, 3), (5, 5)),
    ("Po", (0, -2), (0, 3.6)),
]  # fmt: skip


@pytest.mark.parametrize(("symbol", "bright", "dark"), EDGES)
def test_a_landmark_lies_on_the_edge_that_defines_it(
    films: list[PhantomFilm], symbol: str, bright: tuple[float, float], dark: tuple[float, float]
) -> None:
    # The ring of the ear rod hides the canal; support and ruler come near the bridge of the nose.
    clear = [film for film in films if not film.machine.rods] if symbol in {"Po", "N`"} else films
    steps = [grey_at(film, symbol, *bright) - grey_at(film, symbol, *dark) for film in clear]
    assert np.mean(np.array(steps) > 0) >= 0.9, f"{symbol}: {np.percentile(steps, [0, 10, 50])}"


def measured(film: PhantomFilm) -> tuple[Any, float, float]:
    """Read concavity (3,), ratio and taper of C3 and C4 from the outlines, as a person would."""
    concavity, ratio, taper = [], [], []
    for vertebra in film.spine:
        outline, lower = vertebra.outline, vertebra.lower
        chord = lower[-1] - lower[0]
        normal = np.array([chord[1], -chord[0]]) / np.linalg.norm(chord)
        concavity.append(float(((lower - lower[0]) @ normal).max()))
        back, front = np.linalg.norm(outline[1] - lower[0]), np.linalg.norm(outline[0] - lower[-1])
        ratio.append(float(back / np.linalg.norm(chord)))
        taper.append(float(front / back))
    return np.array(concavity), float(np.mean(ratio[1:])), float(np.mean(taper[1:]))


def test_the_stage_can_be_read_from_the_drawn_vertebrae(films: list[PhantomFilm]) -> None:
    right = []
    for film in films:
        concavity, ratio, taper = measured(film)
        far = [
            np.sum(((concavity - CONCAVITY[stage]) / 0.3) ** 2)
            + ((ratio - RATIO[stage]) / 0.05) ** 2 + ((taper - TAPER[stage]) / 0.08) ** 2
            for stage in range(6)
        ]  # fmt: skip
        right.append(int(np.argmin(far)) == film.stage)
        assert all(each.concavity >= 0 for each in film.spine)
    assert np.mean(right) >= 0.95


def test_the_hollow_of_a_lower_border_is_seen_on_the_film(films: list[PhantomFilm]) -> None:
    """A millimetre above the chord of C3's lower border: bone at CS1, disc from CS4 on."""

    def darker(film: PhantomFilm) -> float:
        lower, outline = film.spine[1].lower, film.spine[1].outline
        up = np.array([0.0, -1.0])
        points = film.place.pixels(np.stack([
            (lower[0] + lower[-1]) / 2 + 0.9 * up, outline.mean(axis=0),
        ]))  # fmt: skip
        hollow, body = (
            film.grey[round(y) - 1 : round(y) + 1, round(x) - 1 : round(x) + 1].mean()
            for x, y in points
        )
        return float(hollow - body)

    early = [darker(film) for film in films if film.stage <= 1]
    late = [darker(film) for film in films if film.stage >= 3]
    assert np.mean([each < np.median(early) for each in late]) >= 0.9
    assert np.median(early) - np.median(late) > 10


def test_the_neck_stays_apart_from_jaw_and_skull() -> None:
    random = np.random.default_rng(1)
    for stage in range(6):
        spine = draw_spine(stage, np.array([-17.0, 62.0]), 0.1, random)
        bottoms = [vertebra.lower[:, 1].mean() for vertebra in spine]
        tops = [vertebra.outline[:2, 1].mean() for vertebra in spine]
        assert all(top > bottom for bottom, top in zip(bottoms, tops[1:], strict=False))


def test_the_files_have_the_published_keys(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", films=3)
    told = json.loads(next(folder.glob("*/Annotations/Ceph*/Senior*/*.json")).read_text())
    assert {"ceph_id", "landmarks", "labeled_at", "dataset_name"} == set(told)
    assert len(told["landmarks"]) == COUNT
    assert all(isinstance(each["value"]["x"], int) for each in told["landmarks"])
    stage = json.loads(next(folder.glob("*/Annotations/CVM Stages/*.json")).read_text())
    assert stage["cvm_stage"]["value"] in range(1, 7)
    assert PLAIN["films"] == 24
