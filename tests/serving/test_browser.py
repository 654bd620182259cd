"""The pages in a real browser, served by the real server."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from serving.api.app import create_app
from serving.results import Results
from serving.settings import Settings
from serving.store.store import Store
from serving.web.overview import item_url

DAY = date(2026, 3, 9)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 120_000  # ms: the first answer of a new clone waits for functions to be compiled


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve on a free port of loopback."""
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{place.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def site(shop: Any) -> Iterator[str]:
    settings = Settings(workspace=shop.folder, currency="CNY")
    with served(create_app(settings, shop.store, shop.results, today=lambda: DAY)) as url:
        yield url


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Callable[..., Any]]:
    yield from visiting(browser, site)


def visiting(browser: Any, site: str) -> Iterator[Callable[..., Any]]:
    """Open pages of a site; what its console or its network complains of fails the test at the end."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def go(path: str, width: int = 1440, language: str = "en-GB", scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=language, color_scheme=scheme
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda told: complaints.append(told.text) if told.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.on("request", lambda request: request.url.startswith(site) or complaints.append(request.url))
        page.goto(site + path)
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


def overflow(page: Any) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def painted(page: Any, name: str) -> int:
    """How many points of a chart's canvas are not blank."""
    page.wait_for_selector(f"#{name} canvas")
    return page.evaluate(
        """name => { const canvas = document.querySelector(`#${name} canvas`);
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let count = 0; for (let i = 3; i < data.length; i += 4) if (data[i]) count++; return count; }""",
        name,
    )


@pytest.mark.parametrize("width", [1440, 375])
def test_the_worst_alert_comes_first_with_its_numbers(visit: Any, shop: Any, width: int) -> None:
    page = visit("/", width)
    worst = shop.decision.opened.iloc[0]
    first = page.locator("tbody tr").first
    shown = first.inner_text()
    for value in (
        worst["sku"],
        worst["location"],
        f"{worst['money_at_risk']:,.0f} CNY",
        worst["remedy"],
        "Critical",
    ):
        assert value in shown
    assert overflow(page) == 0
    first.locator("summary").click()
    assert worst["reason"] in first.inner_text()
    assert overflow(page) == 0


def test_filtering_keeps_the_page_and_its_address(visit: Any, shop: Any) -> None:
    page = visit("/")
    page.evaluate("window.same = true")
    opened = shop.decision.opened
    page.select_option("select[name=tier]", "warning")
    expect(page.locator("tbody tr:not(.is-warning)")).to_have_count(0)
    expect(page.locator("tbody tr")).to_have_count(int((opened["tier"] == "warning").sum()))
    page.wait_for_url("**/?*tier=warning*")
    assert page.evaluate("window.same")  # no page was loaded: the list alone was replaced
    page.fill("input[name=q]", "nothing-like-it")
    page.wait_for_selector("text=No alert matches.")
    page.click("text=Clear filters")
    expect(page.locator("tbody tr")).to_have_count(len(opened))


def test_filtering_works_without_scripts(browser: Any, site: str, shop: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(site)
    page.select_option("select[name=tier]", "critical")
    page.click("button[type=submit]")
    expect(page.locator("tbody tr")).to_have_count(int((shop.decision.opened["tier"] == "critical").sum()))
    context.close()


def test_the_language_switch(visit: Any, shop: Any) -> None:
    page = visit("/?tier=critical")
    page.click("text=中文")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert "红色预警" in page.locator("tbody tr").first.inner_text()
    assert "tier=critical" in page.url  # the filter stays
    page.locator("[data-row]").first.click()
    page.wait_for_selector("text=建议订单")
    assert visit("/", language="zh-CN").locator("h1").inner_text().endswith("条预警待处理")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (375, "dark")])
def test_an_item_draws_its_charts(visit: Any, shop: Any, width: int, scheme: str) -> None:
    worst = shop.decision.opened.iloc[0]
    page = visit(item_url(worst["sku"], worst["location"]), width, scheme=scheme)
    assert worst["reason"] in page.locator("main").inner_text()
    for name in ("chart-stock", "chart-demand"):
        assert painted(page, name) > 2000
    assert overflow(page) == 0
    page.click("text=The numbers behind the charts")
    assert page.locator(".scroll .plain tbody tr").count() == 14
    assert overflow(page) == 0


@pytest.fixture(scope="module")
def lively(workspace: Any) -> Iterator[str]:
    """A site over a workspace that can be asked what if."""
    settings = Settings(workspace=workspace)
    store = Store.open(settings.database_url.get_secret_value())
    app = create_app(settings, store, Results(workspace / "results"), today=lambda: date(2024, 8, 8))
    with served(app) as url:
        yield url
    store.close()


@pytest.fixture
def visit_lively(browser: Any, lively: str) -> Iterator[Callable[..., Any]]:
    yield from visiting(browser, lively)


PICTURE = "document.querySelector('#chart-demand canvas')?.toDataURL()"


@pytest.mark.parametrize(("width", "language"), [(1440, "en-GB"), (375, "zh-CN")])
def test_a_what_if_on_the_keyboard(visit_lively: Any, width: int, language: str) -> None:
    page = visit_lively(item_url("s3", "Old Town"), width, language)
    page.evaluate("window.same = true")
    painted(page, "chart-demand")
    before = page.evaluate(PICTURE)
    page.focus("input[name=promotion]")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("80")
    page.keyboard.press("Enter")
    rows = page.locator("#what-if tbody tr")
    expect(rows).to_have_count(3, timeout=PATIENCE)
    assert page.evaluate("window.same")  # no page was loaded: the answer alone came
    assert "+" in rows.first.inner_text()
    page.wait_for_function(f"before => {PICTURE} !== before", arg=before)
    assert page.evaluate("document.activeElement.name") == "promotion"  # where the planner goes on
    tried = page.evaluate("JSON.parse(document.getElementById('what-if-data').textContent)")
    stored = page.evaluate("JSON.parse(document.getElementById('chart-data').textContent)")
    assert tried["date"] == stored["forecast"]["date"]
    assert sum(tried["mean"][:7]) > 1.1 * sum(stored["forecast"]["mean"][:7])
    assert len(tried["bands"]) == len(stored["forecast"]["bands"])
    assert overflow(page) == 0
    page.fill("input[name=promotion]", "")
    page.keyboard.press("Enter")
    page.wait_for_selector("#what-if .refused")  # nothing is tried out
    page.wait_for_function(f"before => {PICTURE} === before", arg=before)


def test_a_what_if_works_without_scripts(browser: Any, lively: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(lively + item_url("s3", "Old Town"))
    page.click(".what-if button")
    page.locator("#what-if tbody tr").first.wait_for()
    assert page.locator("#what-if tbody tr").count() == 3
    context.close()


def test_a_day_on_the_keyboard(visit: Any) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator("[data-row]").first
    assert first.evaluate("element => element === document.activeElement")
    address = first.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url("**/items/**")
    assert page.url.endswith(address)


def test_a_page_that_is_not_there(visit: Any, browser: Any, site: str) -> None:
    page = browser.new_page()
    assert page.goto(f"{site}/items/nope/Old%20Town").status == 404
    page.click("text=Go to the overview")
    page.wait_for_selector("tbody tr")
    page.close()
