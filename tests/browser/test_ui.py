"""The MLflow UI over a synced store, in a real browser: what a person sees is there."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import TASK, Project, environment

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ui(synced: Project) -> Iterator[str]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    synced.assay("register", TASK)
    port = free_port()
    log = (synced.folder / "ui.log").open("wb")
    server = subprocess.Popen(
        ["make", "ui", f"PORT={port}", "-o", ".venv/.runtime"], cwd=synced.folder, stdout=log,
        stderr=log, env=environment(PYTHONPATH="src"), start_new_session=True,
    )  # fmt: skip
    place = f"http://127.0.0.1:{port}"
    try:
        _wait(place)
        yield place
    finally:
        subprocess.run(["pkill", "-9", "-s", str(server.pid)], check=False)
        server.wait(timeout=30)


def experiment(place: str) -> str:
    """Return the number of the task's experiment."""
    question = f"{place}/api/2.0/mlflow/experiments/get-by-name?experiment_name={TASK}"
    with urllib.request.urlopen(question, timeout=30) as answer:
        return str(json.load(answer)["experiment"]["experiment_id"])


def _wait(place: str) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{place}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the MLflow server did not start within two minutes")


def test_a_person_finds_run_curves_pictures_and_candidate(ui: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(60_000)
        page.goto(f"{ui}/#/experiments/{experiment(ui)}/runs?workflowType=machine_learning")
        run = page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$"))
        expect(run.first).to_be_visible(timeout=60_000)
        page.screenshot(path=tmp_path / "runs.png")
        run.first.click()
        for text in ("vs mean", "final/skill", "model.backbone", f"train@{TASK}", "trainval"):
            expect(page.get_by_text(text).first).to_be_attached(timeout=60_000)
        page.screenshot(path=tmp_path / "run.png")
        page.get_by_role("tab", name="Model metrics").click()
        expect(page.get_by_text("curve/mae").first).to_be_visible(timeout=60_000)
        page.screenshot(path=tmp_path / "curves.png")
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text("pictures").last.click()
        page.get_by_text("scatter.png").last.click()
        picture = page.locator("img[src^='blob:']")
        expect(picture.first).to_be_visible(timeout=60_000)
        page.screenshot(path=tmp_path / "picture.png")
        page.goto(f"{ui}/#/models/{TASK}")
        expect(page.get_by_text("candidate").first).to_be_visible(timeout=60_000)
        page.screenshot(path=tmp_path / "model.png")
        browser.close()
