"""Several alerts at once, on the page and over HTTP: done for each, refused for each, silenced together."""

import html
import re
from typing import Any
from urllib.parse import parse_qsl

from fastapi.testclient import TestClient

HERE = "http://127.0.0.1:8000"


def send(web: TestClient, alerts: list[str], **form: str) -> Any:
    data = {**form, "alert": alerts}
    return web.post("/alerts", data=data, headers={"Origin": HERE}, follow_redirects=False)


def picked(page: str) -> list[str]:
    return re.findall(r'name="alert" value="(\w+)"', page)


def states(shop: Any, alerts: list[str], column: str = "state") -> list[Any]:
    return [shop.store.alert(name)[0][column].iloc[0] for name in alerts]


def test_what_is_picked_is_taken_up_handed_over_and_put_off_together(web: TestClient, new_shop: Any) -> None:
    page = web.get("/?tier=warning").text
    three = picked(page)[:3]
    assert len(three) == 3
    assert 'name="at_tier" value="warning"' in page
    answer = send(web, three, do="acknowledge", by="Li Na 李娜", reason="mine", at_tier="warning")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?tier=warning&done=3")
    assert "Done with 3 alerts." in web.get(answer.headers["location"]).text
    assert states(new_shop, three) == ["acknowledged"] * 3
    assert send(web, three, do="assign", owner="buyer", by="x").status_code == 303
    assert states(new_shop, three, "owner") == ["buyer"] * 3
    assert set(three) <= set(picked(web.get("/?owner=buyer").text))
    assert not set(three) & set(picked(web.get("/?owner=head").text))
    assert send(web, three, do="snooze", days="3", by="x").status_code == 303
    assert all(until is not None for until in states(new_shop, three, "snoozed_until"))
    for name in three:
        assert new_shop.store.alert(name)[1]["event"].tolist()[-3:] == ["acknowledged", "assigned", "snoozed"]


def test_what_cannot_be_done_is_said_of_each_and_the_rest_is_done(web: TestClient, new_shop: Any) -> None:
    first, second = picked(web.get("/").text)[:2]
    send(web, [first], do="acknowledge", by="x")
    answer = send(web, [first, second, "nobody"], do="acknowledge", by="x")
    said = html.unescape(answer.text)
    assert answer.status_code == 409
    assert "Done with 1 alert." in said
    assert "an alert is acknowledged after it was opened, this one is acknowledged" in said
    assert "there is no alert 'nobody'" in said
    assert states(new_shop, [first, second]) == ["acknowledged"] * 2
    for form, status in (
        ({"do": "acknowledge", "by": " "}, 400),
        ({"do": "dance", "by": "x"}, 400),
        ({"do": "silence", "by": "x", "days": "7"}, 400),  # without a reason
    ):
        assert send(web, [second], **form).status_code == status
    assert send(web, [], do="act", by="x").status_code == 400
    elsewhere = web.post(
        "/alerts", data={"alert": second, "do": "act", "by": "x"}, headers={"Origin": "http://a"}
    )
    assert elsewhere.status_code == 403


def test_several_causes_are_silenced_at_once_and_one_click_ends_it(web: TestClient, new_shop: Any) -> None:
    two = picked(web.get("/").text)[:2]
    assert send(web, two, do="silence", by="ann", reason="stock-take", days="7").status_code == 303
    assert states(new_shop, two, "attention") == ["silenced"] * 2
    assert not set(two) & set(picked(web.get("/").text))
    page = web.get("/rules").text
    assert "2 causes" in page
    assert "stock-take" in page
    (silence,) = re.findall(r'name="silence" value="(\w+)"', page)
    form = {"do": "end", "silence": silence, "by": "ann"}
    assert (
        web.post("/silences", data=form, headers={"Origin": HERE}, follow_redirects=False).status_code == 303
    )
    assert states(new_shop, two, "attention") == ["now"] * 2


def test_the_same_over_http_once_per_key(web: TestClient, new_shop: Any) -> None:
    two = picked(web.get("/").text)[:2]
    ask = {"alerts": [*two, "nobody"], "do": "acknowledge", "by": "bot"}
    answers = [web.post("/v1/alerts:respond", json=ask, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["done"] == answers[1].json()["done"] == two
    (refused,) = answers[0].json()["refused"]
    assert (refused["alert_id"], refused["status"]) == ("nobody", 404)
    assert [new_shop.store.alert(name)[1]["event"].tolist().count("acknowledged") for name in two] == [1, 1]
    again = web.post("/v1/alerts:respond", json=ask).json()
    assert {one["status"] for one in again["refused"]} == {404, 409}
    assert web.post("/v1/alerts:respond", json=ask | {"do": "dance"}).status_code == 422
    assert web.post("/v1/alerts:respond", json=ask | {"do": "snooze"}).json()["done"] == []


def test_what_one_order_settles_is_one_click_away(web: TestClient, new_shop: Any) -> None:
    opened = new_shop.decision.opened
    counts = opened[opened["supplier"].fillna("") != ""].groupby(["location", "supplier"]).size()
    page = web.get("/").text
    links = re.findall(r'<a href="(/\?location=[^"]*supplier=[^"]*)"', page)
    assert len(links) == min((counts > 1).sum(), 8) > 0
    address = html.unescape(links[0])
    place = dict(parse_qsl(address.removeprefix("/?")))
    mine = picked(web.get(address).text)
    assert len(mine) == counts[(place["location"], place["supplier"])] > 1
    rows = opened.set_index("alert_id").loc[mine]
    assert set(rows["location"]) == {place["location"]}
    assert set(rows["supplier"]) == {place["supplier"]}
