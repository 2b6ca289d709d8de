"""The gates' pages: offending rows with their pictures, whole in one file, nothing of EXIF in it."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.ingest import SIZE, indexed

from assay.gates.labels import judge_labels, label_profile
from assay.gates.verdict import Verdict
from assay.lookup import find_system
from assay.manifest.source import Source
from assay.pages.gate import write_gate_page

SYSTEM = find_system("hemoglobin.conjunctiva")
SECRETS = (b"Nkawie Hospital", b"Canon EOS 5D", b"Exif", b"GPS")
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def photograph(path: Path, seed: int) -> None:
    """Write a JPEG that says where and with what it was taken."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0110] = "Nkawie Hospital", "Canon EOS 5D"
    exif.get_ifd(0x8825).update({1: "N", 2: (6.0, 40.0, 12.0), 3: "W", 4: (1.0, 48.0, 3.0)})
    noise = np.random.default_rng(seed).integers(60, 200, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, exif=exif)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a page on two copies with two labels, a label in g/L, and a name in script tags."""
    folder = tmp_path / "set"
    folder.mkdir()
    names = ["a.jpg", "b.jpg", "c.jpg", "<script>alert(1)</script>.jpg"]
    for seed, name in enumerate(["a.jpg", "c.jpg"]):
        photograph(folder / name, seed)
    shutil.copyfile(folder / "a.jpg", folder / "b.jpg")
    assert SECRETS[0] in (folder / "b.jpg").read_bytes()
    rows = [f"{name},{hb},{name}" for name, hb in zip(names, (9, 12.5, 112, 10), strict=True)]
    (folder / "conj_folder2.csv").write_text("\n".join(["image_path,hb_value,patient_id", *rows]))
    source = Source("set", tmp_path)
    table, store = indexed(source, SYSTEM.read(source), tmp_path)
    stored = {"base": "set", "images": store.folder.name, "size": SIZE, "fit": "stretch"}
    facts = {"target": "hb", "source": "set", **stored}
    checks = judge_labels(table, "hb", SYSTEM.rules(), "stop", 0.0, SYSTEM.name)
    verdict = Verdict(
        "labels", SYSTEM.name, checks, {"label by subset": label_profile(table, "hb")}
    )
    page = tmp_path / "labels.html"
    write_gate_page(verdict, page, tmp_path, table, facts)
    return page


def test_a_page_shows_the_pictures_of_the_rows_and_nothing_of_their_metadata(made: Path) -> None:
    content = made.read_bytes()
    pictures = [base64.b64decode(found) for found in re.findall(rb"base64,([\w+/=]+)", content)]
    assert len(pictures) >= 3  # the two copies, and the one in g/L
    assert len(set(pictures)) == 2
    for place in (content, *pictures):
        assert not [secret for secret in SECRETS if secret in place]
    for picture in pictures:
        assert Image.open(io.BytesIO(picture)).size == (SIZE, SIZE)


def test_a_page_reaches_for_nothing_outside_and_runs_nothing(made: Path) -> None:
    content = made.read_text()
    assert not re.search(r"(?:src|href)=\"(?!data:)", content)
    assert "<script" not in content
    assert "&lt;script&gt;" in content


@pytest.mark.browser
def test_a_person_sees_what_stopped_first_with_its_pictures(made: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(made.as_uri())
        first = page.locator("section").first
        assert first.locator("h2").inner_text().startswith("STOP")
        shown = page.locator("#identical-images img")
        assert shown.count() == 2
        assert shown.evaluate_all("all => all.every(one => one.complete && one.naturalWidth > 0)")
        assert page.locator("#identical-images figcaption b").all_inner_texts() == [
            "hb 9",
            "hb 12.5",
        ]
        browser.close()
