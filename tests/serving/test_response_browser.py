"""Pages in a real browser: alerts worked by keyboard, one and several, rules; no complaint of the console."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from serving.api.app import create_app
from serving.settings import Settings

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture
def site(new_shop: Any) -> Iterator[str]:
    settings = Settings(workspace=new_shop.folder, owners={"buyer": {}, "head": {}})
    app = create_app(settings, new_shop.store, new_shop.results, today=lambda: date(2026, 3, 9))
    place = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{place.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-GB"), (375, "zh-CN")])
def test_an_alert_is_worked_by_keyboard(
    chromium: str, site: str, new_shop: Any, width: int, locale: str
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale)
        page, complaints = context.new_page(), []
        page.on("console", lambda told: complaints.append(told.text) if told.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site)
        page.locator(".respond-link").first.click()
        page.wait_for_url(f"{site}/alerts/*")
        alert = page.url.rpartition("/")[2]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("input[name=by]").first.press_sequentially("李娜")
        page.keyboard.press("Tab")
        page.keyboard.type("on it")
        page.keyboard.press("Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.locator("button.is-main").get_attribute("value") == "act"
        assert page.locator("input[name=by]").first.input_value() == "李娜"
        browser.close()
    events = new_shop.store.alert(alert)[1]
    assert events["event"].tolist()[-1] == "acknowledged"
    assert (events["actor"].tolist()[-1], events["detail"].tolist()[-1]["reason"]) == ("李娜", "on it")
    assert complaints == []


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-GB"), (375, "zh-CN")])
def test_two_alerts_are_picked_by_keyboard_and_a_rule_is_tried_out(
    chromium: str, site: str, new_shop: Any, width: int, locale: str
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale)
        page, complaints = context.new_page(), []
        page.on("console", lambda told: complaints.append(told.text) if told.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site)
        assert not page.locator(".bulk button.is-main").is_visible()  # nothing is picked
        for key in ("j", "x", "j", "x"):
            page.keyboard.press(key)
        boxes = page.locator("[name=alert]:checked")
        assert boxes.count() == 2
        names = [boxes.nth(place).get_attribute("value") for place in range(2)]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator(".bulk input[name=by]").fill("李娜")
        with page.expect_navigation():
            page.locator(".bulk button.is-main").click()
        assert page.url.endswith("done=2")
        for address in ("/rules", "/rules/overstock", "/review"):
            page.goto(site + address)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        page.goto(f"{site}/rules/overstock")
        page.locator("[name=tier_notice]").fill("900")
        page.locator("[name=tier_warning]").fill("")
        with page.expect_navigation():
            page.locator("button[value=preview]").click()
        assert page.locator("#preview .bars rect").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    for name in names:
        assert new_shop.store.alert(name)[0]["state"].tolist() == ["acknowledged"]
    assert complaints == []
