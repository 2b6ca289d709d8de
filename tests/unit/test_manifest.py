"""Images, groups, conflicts, split: each on small tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.commands.snapshot import listed
from assay.errors import AssayError, SourceError
from assay.gates.leakage import judge_leakage
from assay.learning.vision.geometry import Frame
from assay.lookup import find_system
from assay.manifest import snapshot
from assay.manifest.conflicts import apply_policy, identical
from assay.manifest.groups import join_groups
from assay.manifest.images import LETTERBOX, Opened, open_image
from assay.manifest.snapshot import (
    Snapshot,
    listing_digest,
    provenance,
    read_snapshot,
    write_snapshot,
)
from assay.manifest.source import Source
from assay.manifest.split import assign
from assay.runs.files import atomic_write


def saved(image: Image.Image, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, form)
    return stream.getvalue()


GREY = Image.new("L", (20, 10), 100)
GREY.paste(200, (10, 0, 20, 10))


def opened(folder: Path, content: bytes, decoder: str = "pillow") -> Opened:
    (folder / "x.png").write_bytes(content)
    source = Source(".", folder)
    return open_image(source, "x.png", source.stamp("x.png"), 8, decoder)


def test_a_usable_file_is_pixels_and_digest(tmp_path: Path) -> None:
    found = opened(tmp_path, saved(GREY))
    assert (found.width, found.height, found.format, found.reason) == (20, 10, "PNG", "")
    assert found.pixels is not None
    assert found.pixels.shape == (8, 8, 3)
    assert (found.pixels[:, :3] == 100).all()
    assert (found.pixels[:, 5:] == 200).all()


def test_transparency_is_laid_on_black(tmp_path: Path) -> None:
    """The published crops hide an arbitrary colour below their transparent ground."""
    cut = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    cut.putpixel((3, 3), (9, 200, 9, 255))
    pixels = opened(tmp_path, saved(cut)).pixels
    assert pixels is not None
    assert pixels[3, 3].tolist() == [9, 200, 9]
    assert pixels.sum() == 218


def test_the_two_decoders_differ_by_little(tmp_path: Path) -> None:
    pytest.importorskip("simplejpeg", reason="simplejpeg is an extra")
    y, x = np.mgrid[0:640, 0:480] / 640
    smooth = np.dstack([255 * x, 255 * y, 128 + 100 * np.sin(9 * x)]).astype(np.uint8)
    content = saved(Image.fromarray(smooth), "JPEG")
    one, two = (opened(tmp_path, content, name).pixels for name in ("pillow", "simplejpeg"))
    assert one is not None
    assert two is not None
    assert np.abs(one.astype(int) - two).mean() < 1  # grey levels


def test_groups_join_over_chains_of_ids_and_contents() -> None:
    group = pl.Series(["a", "a", "b", "c", "d"])
    digest = pl.Series(["1", "2", "2", "3", None])
    assert join_groups(group, digest).to_list() == ["a", "a", "a", "c", "d"]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30),
)
@settings(max_examples=100, deadline=None)
def test_joined_groups_are_the_coarsest_needed(pairs: list[tuple[int, int]]) -> None:
    group = pl.Series([f"g{g}" for g, _ in pairs])
    digest = pl.Series([f"d{d}" for _, d in pairs])
    joined = join_groups(group, digest).to_list()
    parent = {node: node for g, d in pairs for node in (f"g{g}", f"d{d}")}

    def top(node: str) -> str:
        while parent[node] != node:
            node = parent[node]
        return node

    for g, d in pairs:
        parent[top(f"g{g}")] = top(f"d{d}")
    for i, (g, _) in enumerate(pairs):
        for j, (h, _) in enumerate(pairs):
            assert (joined[i] == joined[j]) == (top(f"g{g}") == top(f"g{h}"))


def manifest(rows: list[tuple[str, str, str, float, str]]) -> pl.DataFrame:
    names = ["sample_id", "group_id", "digest", "hb", "status"]
    return pl.DataFrame(rows, names, orient="row").with_columns(reason=pl.lit(""))


CONFLICT = manifest(
    [
        ("a", "a", "1", 9.0, "ok"),
        ("b", "b", "1", 12.0, "ok"),
        ("c", "c", "2", 9.0, "ok"),
        ("d", "d", "2", 9.0, "ok"),
        ("e", "e", "3", 9.0, "ok"),
    ]
)


def test_identical_images_are_counted_apart_from_conflicts() -> None:
    same = identical(CONFLICT, "hb")
    assert same.select("digest", "rows", "labels").rows() == [("1", 2, 2), ("2", 2, 1)]


@pytest.mark.parametrize(
    ("policy", "statuses", "reason"),
    [
        ("stop", ["ok"] * 5, ""),
        ("drop", ["dropped", "dropped", "ok", "ok", "ok"], "conflict: dropped"),
        ("group", ["ok"] * 5, "conflict: grouped"),
    ],
)
def test_policy_sets_status_and_reason(policy: str, statuses: list[str], reason: str) -> None:
    decided = apply_policy(CONFLICT, "hb", policy)
    assert decided["status"].to_list() == statuses
    assert decided["reason"].to_list() == [reason, reason, "", "", ""]


@given(
    st.lists(st.integers(0, 25), min_size=60, max_size=150),
    st.integers(0, 100),
    st.sampled_from([0.1, 0.2, "none"]),
)
@settings(max_examples=30, deadline=None)
def test_no_group_stands_in_two_parts(groups: list[int], seed: int, share: Any) -> None:
    from hypothesis import assume

    assume(len(set(groups)) >= 14)
    labels = np.random.default_rng(seed).uniform(8, 16, len(groups))
    table = pl.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(len(groups))],
            "group": [f"g{g}" for g in groups],
            "group_id": [f"g{g}" for g in groups],
            "digest": [f"d{i}" for i in range(len(groups))],
            "hb": labels,
            "status": "ok",
        }
    )
    splits = assign(table, "hb", share, folds=4, bins=3, seed=seed)
    pairs = pl.DataFrame(schema={"sample_a": pl.String, "sample_b": pl.String, "inliers": pl.Int64})
    assert splits.equals(assign(table, "hb", share, folds=4, bins=3, seed=seed))
    assert [
        check.name for check in judge_leakage(table, splits, pairs, "set") if not check.passed
    ] == []
    assert ((splits["fold"] == -1) == (splits["split"] == "test")).all()
    assert (share == "none") == (splits["split"] != "test").all()


def test_folds_are_balanced_on_the_label() -> None:
    random = np.random.default_rng(0)
    count = 1000
    table = pl.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(count)],
            "group_id": [f"g{i // 2}" for i in range(count)],
            "hb": np.repeat(random.uniform(8, 16, count // 2), 2),
        }
    )
    splits = assign(table, "hb", 0.1, folds=9, bins=5, seed=1)
    means = table.join(splits, on="sample_id").group_by("fold").agg(pl.col("hb").mean(), pl.len())
    assert means["len"].min() >= 90
    assert means["len"].max() <= 110
    assert means["hb"].max() - means["hb"].min() < 0.5


def test_too_few_groups_are_refused_with_a_way_out() -> None:
    table = CONFLICT.with_columns(group_id=pl.lit("one"))
    with pytest.raises(AssayError, match="1 groups cannot be cut into 4 parts"):
        assign(table, "hb", "none", folds=4, bins=2, seed=1)


def test_a_killed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def dies(aside: Path) -> None:
        aside.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(path, dies)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_source_that_changed_since_its_snapshot_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "a set"
    source.mkdir()
    (source / "a.png").write_bytes(b"1")
    files, place = ["a.png"], Source("a set", tmp_path)
    facts = {"url": "a set", "count": 1, "group_kind": "patient"}
    write_snapshot(tmp_path, "toy", Snapshot(**facts, listing_digest=None))
    first, kind = provenance("toy", "a set", files, [], place)
    assert kind == "patient"
    write_snapshot(tmp_path, "toy", Snapshot(**facts, listing_digest=first["listing_digest"]))
    assert provenance("toy", "a set", files, [], place)[0]["provenance"] == "stated"
    assert provenance("toy", "other", files, [], place)[0]["provenance"] == "unstated"
    (source / "a.png").write_bytes(b"12")
    with pytest.raises(SourceError, match="assay snapshot toy 'a set'"):
        provenance("toy", "a set", files, [], place)


def test_a_label_edited_without_a_change_of_size_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest() -> str:
        return listing_digest(Source("set", tmp_path), ["t.csv"], ["t.csv"])

    (tmp_path / "set").mkdir()
    table = tmp_path / "set" / "t.csv"
    table.write_text("hb\n9.5\n")
    before = digest()
    table.write_text("hb\n9.6\n")
    assert digest() != before
    monkeypatch.setattr(snapshot, "READ_BYTES", 3)  # larger tables are not opened
    assert digest() == listing_digest(Source("set", tmp_path), ["t.csv"], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"url": "set", "count": -1}', "count: Input should be greater than or equal to 0"),
        ('{"url": "set", "licence": ""}', "licence: String should have at least 1 character"),
        ('{"url": "set", "group_kind": "eye"}', "group_kind: Input should be 'patient'"),
        ('{"url": "set", "license": "MIT"}', "license: Extra inputs are not permitted"),
        ('{"url": "set", "listing_digest": "abc"}', "listing_digest: String should match"),
    ],
)
def test_a_snapshot_is_checked_field_by_field(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "data" / "toy.source.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(SourceError) as refused:
        read_snapshot("toy", tmp_path)
    assert told in refused.value.found
    assert "licence" in refused.value.expected


@pytest.mark.parametrize("content", ["{", "[]", '{"count": 3}'])
def test_a_damaged_snapshot_is_told_and_the_printed_way_out_works(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "data" / "hemoglobin.conjunctiva.source.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(SourceError, match=r"assay snapshot hemoglobin\.conjunctiva"):
        read_snapshot("hemoglobin.conjunctiva", tmp_path)
    system = find_system("hemoglobin.conjunctiva")
    assert (
        listed(tmp_path, system, "phantom", {"origin": None, "group_kind": None}).url == "phantom"
    )


@pytest.mark.parametrize("shape", [(301, 200), (200, 300), (120, 121), (64, 64)])
def test_a_letterboxed_image_keeps_its_middle_and_one_scale(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    """A spot of light must lie where the geometry says, to a tenth of a stored pixel."""
    width, height = shape
    spot = (0.7 * width, 0.35 * height)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    light = np.exp(-((across - spot[0]) ** 2 + (down - spot[1]) ** 2) / (2 * (0.06 * width) ** 2))
    Image.fromarray((255 * light).astype(np.uint8)).save(tmp_path / "spot.png")
    source = Source(str(tmp_path), tmp_path)
    uri = source.uri("spot.png")
    opened = open_image(source, uri, source.stamp(uri), 48, fit=LETTERBOX)
    assert opened.pixels is not None
    seen = opened.pixels[..., 0].astype(float)
    seen[seen < 8] = 0
    found = np.array([(seen.sum(0) * np.arange(48)).sum(), (seen.sum(1) * np.arange(48)).sum()])
    expected = Frame(width, height, 48).stored(np.array([[spot]]))[0, 0]
    assert np.abs(found / seen.sum() - expected).max() < 0.1
