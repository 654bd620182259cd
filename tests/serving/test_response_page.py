"""The alert page: what it shows, what its forms do, and whose forms it takes."""

import html
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.api.app import create_app
from serving.settings import Settings

HERE = "http://127.0.0.1:8000"
OWNERS = {"buyer": {"escalate_to": "head"}, "head": {}}


@pytest.fixture
def web(new_shop: Any) -> Iterator[TestClient]:
    settings = Settings(
        workspace=new_shop.folder, owners=OWNERS, channels={"here": {"kind": "log"}}, currency="CNY"
    )
    app = create_app(settings, new_shop.store, new_shop.results, today=lambda: date(2026, 3, 9))
    with TestClient(app, base_url=HERE, headers={"Accept-Language": "en"}) as client:
        yield client


@pytest.fixture
def alert(new_shop: Any) -> str:
    rows = new_shop.store.open_alerts().sort_values("money_at_risk", ascending=False).to_dict("records")
    return next(row["alert_id"] for row in rows if row["recommendation"]["type"] == "order")


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def send(web: TestClient, alert: str, origin: str | None = HERE, **form: str) -> Any:
    headers = {"Origin": origin} if origin else {}
    return web.post(f"/alerts/{alert}", data=form, headers=headers, follow_redirects=False)


def test_the_page_names_the_item_and_not_its_number_twice(web: TestClient, alert: str, new_shop: Any) -> None:
    told = new_shop.store.alert(alert)[0].iloc[0]
    facts = new_shop.facts.set_index(["sku", "location"])
    name = facts.loc[(told["sku"], told["location"]), "name"]
    head = text_of(web.get(f"/alerts/{alert}").text.partition('<header class="item-head">')[2][:600])
    assert f"{name} · {told['sku']} · {told['location']}" in head


def test_a_person_takes_an_alert_from_step_to_step(web: TestClient, alert: str, new_shop: Any) -> None:
    page = web.get(f"/alerts/{alert}").text
    assert 'value="acknowledge"' in page
    assert 'value="act"' not in page
    answer = send(web, alert, do="acknowledge", by="Li Na 李娜", reason="on it")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/alerts/{alert}")
    page = web.get(f"/alerts/{alert}").text
    assert 'value="act"' in page
    assert 'value="Li Na 李娜"' in page  # who she is was remembered
    assert "taken up Li Na 李娜 on it" in text_of(page)
    assert send(web, alert, do="act", by="Li Na").status_code == 303
    page = text_of(web.get(f"/alerts/{alert}").text)
    assert "Drafts" in page
    (draft,) = new_shop.store.responses().drafts(alert_id=alert)
    assert f"{draft['quantity']:,.0f}" in page
    assert send(web, alert, do="resolve", by="Li Na").status_code == 303
    assert send(web, alert, do="review", by="Li Na").status_code == 303
    page = web.get(f"/alerts/{alert}").text
    assert 'value="snooze"' not in page
    assert "State reviewed" in text_of(page)


def test_the_page_hands_over_and_puts_off(web: TestClient, alert: str, new_shop: Any) -> None:
    assert send(web, alert, do="assign", owner="buyer", by="wang").status_code == 303
    assert send(web, alert, do="snooze", days="3", by="wang", reason="in transit").status_code == 303
    row = new_shop.store.alert(alert)[0].iloc[0]
    assert row["owner"] == "buyer"
    assert row["snoozed_until"] is not None
    assert 'value="take_up"' in web.get(f"/alerts/{alert}").text
    assert send(web, alert, do="take_up", by="wang").status_code == 303
    assert send(web, alert, do="comment", by="wang", reason="<b>bold</b>").status_code == 303
    assert "<b>bold</b>" not in web.get(f"/alerts/{alert}").text


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"do": "resolve", "by": "x"}, 409, "acknowledge it first"),
        ({"do": "acknowledge", "by": " "}, 400, "got nobody"),
        ({"do": "dance", "by": "x"}, 400, "use its buttons"),
        ({"do": "snooze", "by": "x", "days": "1000"}, 400, "within 90 days"),
        ({"do": "assign", "by": "x", "owner": "nobody"}, 400, "an owner is one of"),
        ({"do": "comment", "by": "x", "reason": "y" * 40000}, 400, "at most 32768 bytes"),
    ],
)
def test_what_cannot_be_done_is_said_on_a_page(
    web: TestClient, alert: str, form: dict[str, str], status: int, said: str
) -> None:
    answer = send(web, alert, **form)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert said in text_of(answer.text)


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:9999"])
def test_a_form_of_another_page_changes_nothing(
    web: TestClient, alert: str, origin: str | None, new_shop: Any
) -> None:
    answer = send(web, alert, origin, do="acknowledge", by="mallory")
    assert answer.status_code == 403
    assert new_shop.store.alert(alert)[0]["state"].tolist() == ["open"]
    other = web.post(
        f"/alerts/{alert}",
        data={"do": "acknowledge", "by": "mallory"},
        headers={"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
    )
    assert other.status_code == 403


def test_the_worklist_and_the_item_lead_to_the_alert(web: TestClient, alert: str, new_shop: Any) -> None:
    assert f'href="/alerts/{alert}"' in web.get("/").text
    row = new_shop.store.alert(alert)[0].iloc[0]
    sku, location = (row[name].replace("/", "%2F") for name in ("sku", "location"))
    assert f'href="/alerts/{alert}"' in web.get(f"/items/{sku}/{location}").text
    assert web.get("/alerts/nothing").status_code == 404


def test_the_page_speaks_chinese(web: TestClient, alert: str) -> None:
    page = text_of(web.get(f"/alerts/{alert}", headers={"Accept-Language": "zh"}).text)
    assert "当前状态" in page
    assert "状态 待处理" in page
    assert "触发 系统" in page
