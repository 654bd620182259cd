"""The demo as a visitor meets it: the program itself, from its first word to the page in a real browser."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.walk
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 240  # seconds until the page must be there, on a machine that does other things too


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, object]]]:
    """Address of the served demo, and the summary that it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serving.cli", "demo", "--items", "12", "--port", str(port), "--json"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (folder / "out").open("wb") as out, (folder / "words").open("wb") as words:
        program = subprocess.Popen(command, cwd=folder, env=kept, stdout=out, stderr=words)
        url, since = f"http://127.0.0.1:{port}", time.monotonic()
        try:
            while not _answers(url):
                said = (folder / "words").read_text(encoding="utf-8")
                assert program.poll() is None, said
                assert time.monotonic() - since < PATIENCE, said
                time.sleep(0.5)
            yield url, json.loads((folder / "out").read_text(encoding="utf-8"))
            program.send_signal(signal.SIGINT)
            assert program.wait(timeout=30) == 0
        finally:  # one that came up too late would train and serve on beside the tests that follow
            program.kill()
            program.wait()
    assert "Traceback" not in (folder / "words").read_text(encoding="utf-8")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_summary_tells_a_planner_what_matters(demo: tuple[str, dict[str, object]]) -> None:
    _, summary = demo
    assert summary["items_watched"] == 36
    assert summary["alerts_open"] == sum(summary["by_tier"].values()) > 0
    assert summary["money_at_risk"] > 0
    assert len(summary["worst"]) == 3
    assert all(worst["reason"] and worst["remedy"] for worst in summary["worst"])


def test_the_page_shows_the_worst_alert_without_a_complaint(
    demo: tuple[str, dict[str, object]], chromium: str
) -> None:
    url, summary = demo
    alerts = httpx.get(f"{url}/v1/alerts").json()["data"]
    assert alerts[0]["title"] == summary["worst"][0]["title"]
    worst = next(alert for alert in alerts if alert["sku"])  # a supplier or a source may come before
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("console", lambda told: complaints.append(told.text) if told.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        first = page.locator("tbody tr").filter(has=page.locator("a[data-row]")).first
        for value in (worst["sku"], worst["location"], f"{worst['money_at_risk']:,.0f}", worst["remedy"]):
            assert value in first.inner_text()
        first.locator("summary").click()
        assert worst["reason"] in first.inner_text()
        first.locator("a[data-row]").click()
        page.wait_for_selector("canvas")
        assert worst["sku"] in page.inner_text("main")
        browser.close()
    assert complaints == []


def test_what_is_forecast_can_be_asked_for(demo: tuple[str, dict[str, object]]) -> None:
    url, _ = demo
    worst = next(alert for alert in httpx.get(f"{url}/v1/alerts").json()["data"] if alert["sku"])
    asked = {"sku": worst["sku"], "location": worst["location"]}
    for path in ("forecasts", "thresholds", "risk"):
        rows = httpx.get(f"{url}/v1/{path}", params=asked).json()["data"]
        assert rows, path
        assert {row["sku"] for row in rows} == {worst["sku"]}
