"""Rows of two views, from their photographs to a trained network; what is judged is each image."""

from __future__ import annotations

import re
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.pairs_set import (
    ALIKE,
    BROKEN,
    CONFLICT,
    COPY,
    KEYS,
    PAIRS,
    SIDES,
    TABLE,
    VIEWS,
    name_of,
    prepare,
    stage,
)

from assay.commands import show
from assay.contract.system import ensure_views
from assay.errors import AssayError, GateError, UnreadableError
from assay.gates.labels import judge_labels
from assay.gates.leakage import judge_leakage
from assay.lookup import find_system
from assay.manifest.conflicts import apply_policy, conflicting, identical
from assay.manifest.groups import join_groups
from assay.manifest.index import BROKEN as IS_BROKEN
from assay.manifest.index import DROPPED, OK, index_images
from assay.manifest.layout import Layout
from assay.manifest.listing import deduplicate
from assay.manifest.parts import read_rows, read_trainval, validation_fold
from assay.manifest.source import Source
from assay.manifest.storage import read_storage
from assay.manifest.store import ImageStore
from assay.manifest.table import read_table, write_table
from assay.pages.thumbnails import SIDE, thumbnails
from assay.runs.files import read_json
from assay.stages import ingest, leakage, similar, split, validate
from assay.tracking.changes import repictured

LAYOUT = Layout("pairs")
_listening: list[list[str]] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    for heard in _listening if event == "open" else ():
        heard.append(str(arguments[0]))


sys.addaudithook(_listen)


@contextmanager
def opens() -> Iterator[Counter[str]]:
    """Count the photographs that this process opens, whichever way."""
    counted, heard = Counter[str](), list[str]()
    _listening.append(heard)
    try:
        yield counted
    finally:
        _listening.remove(heard)
    counted.update("/".join(Path(path).parts[-2:]) for path in heard if path.endswith(".png"))


@contextmanager
def project(root: Path, **planted: Any) -> Iterator[Path]:
    """Work in a folder that holds the set, which the stages know."""
    root.mkdir(exist_ok=True)
    prepare(root, **planted)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("DVC_ROOT", str(root))
        for each in (ingest, validate, similar, split):
            patch.setattr(each, "find_system", lambda _: PAIRS)
        yield root


def manifest_of(root: Path) -> pl.DataFrame:
    return read_table(root / LAYOUT.manifest, "ingest")[0]


def rows_of(key: tuple[int, str, str]) -> set[str]:
    """Return the two rows in which a photograph stands."""
    person, view, side = key
    nail, eye = ({side} if view == own else set(SIDES) for own in VIEWS)
    return {f"p{person}-{one}-{other}" for one in nail for other in eye}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Go through all data stages; conflicts are dropped."""
    with project(tmp_path_factory.mktemp("pairs")) as root:
        for name, each in (
            ("ingest", ingest), ("validate", validate), ("similar", similar), ("split", split),
            ("leakage", leakage),
        ):  # fmt: skip
            each.main(stage(name, root))
        yield root


def test_each_file_is_opened_once(tmp_path: Path) -> None:
    with project(tmp_path) as root:
        with opens() as first:
            ingest.main(stage("ingest", root))
        assert first == dict.fromkeys(map(name_of, KEYS), 1)
        with opens() as again:
            ingest.main(stage("ingest", root))
        assert not again
        changed = root / "set" / name_of(BROKEN)
        Image.linear_gradient("L").save(changed)
        with opens() as third:
            ingest.main(stage("ingest", root))
        assert third == {name_of(BROKEN): 1}
        assert not (manifest_of(root)["status"] == IS_BROKEN).any()


def test_a_file_of_two_rows_of_one_view_is_opened_once_too(tmp_path: Path) -> None:
    Image.linear_gradient("L").save(tmp_path / "x.png")
    listing = pl.DataFrame({"sample_id": ["a", "b"], "uri": "x.png", "item": [0, 1]})
    listing = listing.with_columns(fault=pl.lit(None, pl.String))
    store = ImageStore(tmp_path / "images", 16)
    with opens() as counted:
        table = index_images(listing, Source(".", tmp_path), store, 16, "pillow")
    assert list(counted.values()) == [1]
    assert table["status"].to_list() == [OK, OK]


def test_a_broken_photograph_breaks_its_rows_and_is_named(made: Path) -> None:
    table = manifest_of(made)
    broken = table.filter(status=IS_BROKEN)
    assert len(table) == 48
    assert set(broken["sample_id"]) == rows_of(BROKEN)
    assert all(reason.startswith("nail: damaged") for reason in broken["reason"])
    assert broken["nail_stored"].to_list() == [False, False]
    assert broken["conjunctiva_stored"].all()
    for view in VIEWS:
        for name in ("uri", "digest", "bytes", "format", "width", "height", "stored"):
            assert f"{view}_{name}" in table.columns
    assert not {"uri", "digest", "stored", "nail_path"} & set(table.columns)


def test_a_row_without_one_of_its_photographs_is_broken_and_told(tmp_path: Path) -> None:
    with project(tmp_path) as root:
        lines = (root / "set" / TABLE).read_text().splitlines()
        lines[1] = re.sub(",conjunctiva/[^,]+", ",", lines[1])
        (root / "set" / TABLE).write_text("\n".join(lines) + "\n")
        for name, each in (("ingest", ingest), ("validate", validate), ("similar", similar)):
            each.main(stage(name, root))
        [row] = manifest_of(root).filter(sample_id="p0-left-left").to_dicts()
        said = {check["name"]: check for check in read_json(LAYOUT.labels_verdict)["checks"]}
    assert (row["status"], row["reason"]) == (IS_BROKEN, "conjunctiva: no path is listed")
    assert (row["nail_stored"], row["conjunctiva_stored"]) == (True, False)
    assert "p0-left-left" in {each["sample_id"] for each in said["broken"]["rows"]}


def test_a_path_that_strays_is_named_by_its_view_and_a_pairing_listed_twice_is_told() -> None:
    files = {"nail_uri": ["a", "a", "a", "../b"], "eye_uri": ["c", "d", "d", "c"]}
    table = pl.DataFrame({"sample_id": ["1", "2", "3", "4"], **files, "item": 0, "hb": 9.0})
    told = deduplicate(table.with_columns(fault=pl.lit(None, pl.String)), ["nail", "eye"])
    twice, strays = "listed twice: the same as line 2", "nail: the path leaves the source's folder"
    assert told["fault"].to_list() == [None, None, twice, strays]


def test_a_conflict_drops_every_row_that_shows_its_image(made: Path) -> None:
    dropped = manifest_of(made).filter(status=DROPPED)
    assert set(dropped["sample_id"]) == rows_of(CONFLICT[0]) | rows_of(CONFLICT[1])


def test_under_stop_the_label_gate_refuses_and_counts_copies_alone(tmp_path: Path) -> None:
    with project(tmp_path) as root:
        ingest.main(stage("ingest", root, "stop"))
        with pytest.raises(GateError, match="1 with different hb"):
            validate.main(stage("validate", root, "stop"))
        checks = {check["name"]: check for check in read_json(LAYOUT.labels_verdict)["checks"]}
    failed = [name for name, check in checks.items() if not check["passed"]]
    assert failed == ["identical images"]
    # A photograph that stands in two rows of its person is neither copy nor conflict.
    assert checks["identical images"]["found"].startswith("2 groups of identical images (8 rows)")
    assert checks["file names"]["found"].startswith("0 of 47 files")  # one is broken
    assert {row["nail_uri"] for row in checks["broken"]["rows"]} == {f"set/{name_of(BROKEN)}"}
    assert {"nail_digest_present", "conjunctiva_digest_present", "age_present"} <= checks.keys()


def shown(nail: list[str], eye: list[str], hb: list[float]) -> pl.DataFrame:
    """Return a manifest whose files are called as their contents."""
    files = {
        "nail_uri": nail,
        "nail_digest": nail,
        "conjunctiva_uri": eye,
        "conjunctiva_digest": eye,
    }
    ids = [f"s{row}" for row in range(len(hb))]
    return pl.DataFrame({"sample_id": ids, **files, "hb": hb, "status": OK, "reason": ""})


@pytest.mark.parametrize(
    ("nail", "eye"),
    [(["1", "1", "2"], ["3", "4", "5"]), (["1", "2", "6"], ["3", "3", "5"]),
     (["1", "2", "6"], ["3", "1", "5"])],
    ids=["first", "second", "across"],
)  # fmt: skip
def test_a_conflict_is_seen_in_any_view(nail: list[str], eye: list[str]) -> None:
    told = apply_policy(shown(nail, eye, [9, 12, 10]), "hb", "drop")
    assert told["status"].to_list() == [DROPPED, DROPPED, OK]
    alike = apply_policy(shown(nail, eye, [9, 9, 10]), "hb", "drop")
    assert alike["status"].to_list() == [OK] * 3


def test_a_row_that_shows_one_photograph_in_both_views_is_told() -> None:
    same = identical(shown(["1", "2"], ["1", "3"], [9, 10]), "hb")
    assert same["samples"].to_list() == [["s0", "s0"]]
    assert conflicting(same).is_empty()


def test_groups_join_through_any_view(made: Path) -> None:
    table = manifest_of(made)
    people = table.group_by("group_id").agg(pl.col("group").unique().sort())
    joined = {tuple(group) for group in people["group"].to_list() if len(group) > 1}
    assert joined == {("p2", "p3"), ("p7", "p8")}
    one, other = pl.Series(["1", "2", None]), pl.Series(["3", "4", "1"])
    assert join_groups(pl.Series(["a", "b", "c"]), one, other).to_list() == ["a", "b", "a"]


def test_similar_images_are_pairs_of_other_photographs(made: Path) -> None:
    pairs, how = read_table(made / LAYOUT.similar, "similar")
    used = manifest_of(made).filter(status=OK)
    contents = pl.concat(used[f"{view}_digest"].alias("digest") for view in VIEWS).n_unique()
    assert how["images"] == how["opened"] == contents < 2 * len(used)
    [pair] = pairs.select("sample_a", "sample_b").to_dicts()
    assert pair["sample_a"] in rows_of(ALIKE[1])
    assert pair["sample_b"] in rows_of(ALIKE[0])


def test_a_part_is_one_file_of_which_views_are_slices(made: Path) -> None:
    rows, facts = read_trainval("pairs")
    stored = np.load(made / LAYOUT.trainval_pixels, mmap_mode="r")
    assert stored.shape == (len(rows), 2, 16, 16, 3)
    assert facts["views"] == ["nail", "conjunctiva"] == list(rows.images)
    for view, images in rows.images.items():
        assert images.base is not None
        for row in (0, len(rows) - 1):
            with Image.open(made / rows.columns[f"{view}_uri"][row]) as image:
                own = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
            assert np.array_equal(images[row], own)
    assert np.array_equal(rows.stacked[:], stored)
    assert np.array_equal(rows.where(rows.columns["fold"] == 1).stacked[[2, 0]],
                          stored[rows.columns["fold"] == 1][[2, 0]])  # fmt: skip
    with pytest.raises(ValueError, match="one of the views nail, conjunctiva"):
        _ = rows.image
    test, sealed = read_table(made / LAYOUT.sealed, "split")
    assert len(read_rows(made / LAYOUT.sealed_pixels, test, read_storage(sealed, "pairs"))) > 0


def test_nothing_is_copied_where_rows_of_views_are_chosen(tmp_path: Path) -> None:
    count, size = 400, 48
    path = tmp_path / "part.npy"
    whole = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 2, size, size, 3))
    whole.flush()
    table = pl.DataFrame({"sample_id": map(str, range(count)), "fold": np.arange(count) % 4})
    facts = {"base": "", "images": "", "size": size, "fit": "stretch", "views": ["nail", "eye"]}
    tracemalloc.start()
    rows = read_rows(path, table, read_storage(facts, "pairs"))
    train, _ = validation_fold(rows, 0)
    stacked = train.stacked
    chosen = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    batch = stacked[:8]
    fetched = tracemalloc.get_traced_memory()[1] - tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    copied = np.ascontiguousarray(train.images["eye"][:])  # the planted mistake
    seen = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert chosen < whole.nbytes / 20
    assert fetched < 3 * batch.nbytes
    assert seen > copied.nbytes > whole.nbytes / 4
    for images in (*rows.images.values(), *(each.backend.array for each in train.images.values())):
        assert np.shares_memory(images, next(iter(rows.images.values())).base)


def test_originals_are_opened_by_view_and_told_by_row(tmp_path: Path) -> None:
    with project(tmp_path, copies=[], broken=[]) as root:
        pixels = []
        for copy in ("full", "none"):
            ingest.main(stage("ingest", root, copy=copy))
            write_table(LAYOUT.similar, similar.EMPTY, {})
            split.main(stage("split", root, copy=copy))
            rows, _ = read_trainval("pairs")
            pixels.append(rows.stacked[:])
        assert np.array_equal(*pixels)
        nail, eye = (rows.columns[f"{view}_uri"] for view in VIEWS)
        for uri in (nail[0], eye[len(rows) - 1]):
            (root / uri).write_bytes(b"gone")
        lost = np.flatnonzero((nail == nail[0]) | (eye == eye[-1]))
        with pytest.raises(UnreadableError) as told:
            rows.stacked[:]
        assert told.value.rows == lost.tolist()


def test_the_leakage_gate_sees_an_image_of_either_view(made: Path) -> None:
    table, splits = manifest_of(made), read_table(made / LAYOUT.splits, "split")[0]
    pairs, _ = read_table(made / LAYOUT.similar, "similar")
    assert all(check.passed for check in judge_leakage(table, splits, pairs, "pairs"))
    moved = rows_of(COPY[0]) | {row for row in table["sample_id"] if row.startswith("p3-")}
    apart = splits.with_columns(
        fold=pl.when(pl.col("sample_id").is_in(list(moved))).then(9).otherwise("fold")
    )
    alone = table.with_columns(group_id="group")  # as if nobody had joined them
    failed = {c.name: c for c in judge_leakage(alone, apart, pairs, "pairs") if not c.passed}
    assert list(failed) == ["identical images"]
    assert set(failed["identical images"].rows[0]["samples"]) == rows_of(COPY[0]) | rows_of(COPY[1])


def test_a_covariate_that_is_absent_is_refused(made: Path) -> None:
    table = manifest_of(made)
    for age, passes in ((pl.col("age"), True), (pl.lit(None, pl.Float64), False)):
        told = table.with_columns(
            age=pl.when(pl.col("sample_id") == "p0-left-left").then(age).otherwise("age")
        )
        checks = judge_labels(told, "hb", [], "drop", 0.1, "pairs", PAIRS.covariates)
        assert {check.name: check.passed for check in checks}["age_present"] is passes


def test_another_picture_is_told_in_either_view(made: Path, tmp_path: Path) -> None:
    before = made / LAYOUT.trainval
    table, facts = read_table(before, "split")
    for view in VIEWS:
        digest = f"{view}_digest"
        chosen = table[digest] == table[digest][0]
        write_table(
            tmp_path / view,
            table.with_columns(pl.when(chosen).then(pl.lit("x")).otherwise(digest).alias(digest)),
            facts,
        )
        assert repictured(before, tmp_path / view) == set(table.filter(chosen)["sample_id"])
    assert repictured(before, before) == set()


def test_thumbnails_show_the_views_side_by_side(made: Path) -> None:
    table, facts = read_table(made / LAYOUT.manifest, "ingest")
    sizes = []
    for sample in ("p0-left-left", min(rows_of(BROKEN))):  # the one has both, the other one alone
        [url] = thumbnails(made, read_storage(facts, "pairs"), table, [sample]).values()
        sizes.append(picture(url).size)
    assert sizes == [(32, 16), (16, 16)]
    assert SIDE > 16


def test_a_row_is_shown_with_its_views_side_by_side(made: Path, tmp_path: Path) -> None:
    rows, _ = read_trainval("pairs")
    show._draw("pairs", rows.where(np.array([2])), tmp_path / "row.png", is_cut=False)
    with Image.open(tmp_path / "row.png") as image:
        assert np.array_equal(np.asarray(image), np.hstack(list(rows.stacked[2])))


def picture(url: str) -> Image.Image:
    import base64
    import io

    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_views_that_cannot_be_are_refused_at_once() -> None:
    class Other:
        name, views = "other", {"image": "uri", "depth": "depth_uri"}

    ensure_views(PAIRS)
    for views in (Other.views, {"nail": "uri"}, {"image": "path"}, {}):
        Other.views = views
        with pytest.raises(AssayError, match="other: views"):
            ensure_views(Other())


def test_rows_of_arrays_have_one_view(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = find_system("spectra")
    ensure_views(arrays)
    monkeypatch.setattr(type(arrays), "views", PAIRS.views)
    with pytest.raises(AssayError, match="rows of arrays"):
        ensure_views(arrays)
