"""Alerts over HTTP: legal steps, each done once; approvals signed, fresh and answered once."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook

from serving.api.app import create_app
from serving.settings import Settings
from warning.lifecycle import STEPS

KEY = "whsec_" + "A" * 43 + "="
CANARY = "canary93d2f1c0"
CHANNELS = {
    "chat": {
        "kind": "wecom",
        "url": f"https://qyapi.weixin.qq.com/send?key={CANARY}",
        "at_least": "critical",
    },
    "oa": {"kind": "webhook", "url": "https://oa.example/hook", "secret": KEY},
}
OWNERS = {"buyer": {"channels": ["chat"]}}


def client_of(shop: Any, **more: Any) -> TestClient:
    settings = Settings(workspace=shop.folder, channels=CHANNELS, owners=OWNERS, **more)
    app = create_app(settings, shop.store, shop.results, today=lambda: date(2026, 3, 9))
    return TestClient(app, base_url="http://127.0.0.1:8000")


@pytest.fixture
def api(new_shop: Any) -> Iterator[TestClient]:
    with client_of(new_shop, approvals_channel="oa") as client:
        yield client


@pytest.fixture
def alert(api: TestClient) -> str:
    """The alert with the most money at risk that asks for an order."""
    rows = api.get("/v1/alerts", params={"limit": 100}).json()["data"]
    return next(row["alert_id"] for row in rows if row["recommendation"]["type"] == "order")


def step(api: TestClient, alert: str, name: str, key: str | None = None, **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return api.post(f"/v1/alerts/{alert}:{name}", json={"by": "li.na", **more}, headers=headers)


def acted(api: TestClient, alert: str) -> dict[str, Any]:
    assert step(api, alert, "acknowledge").status_code == 200
    answer = step(api, alert, "act")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_only_the_next_step_is_taken(api: TestClient, alert: str) -> None:
    for number, name in enumerate(STEPS):
        for other in (*STEPS[:number], *STEPS[number + 1 :]):
            refused = step(api, alert, other)
            assert refused.status_code == 409
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["remedy"]
        assert step(api, alert, name).status_code == 200
    found = api.get(f"/v1/alerts/{alert}").json()
    assert found["alert"]["state"] == "reviewed"
    assert [each["actor"] for each in found["events"]] == ["engine", *["li.na"] * 4]


def test_a_step_with_a_key_is_taken_once(api: TestClient, alert: str) -> None:
    first = step(api, alert, "acknowledge", key="k1")
    assert step(api, alert, "acknowledge", key="k1").json() == first.json()
    assert step(api, alert, "act", key="k1").status_code == 422
    assert step(api, alert, "acknowledge", key="k2").status_code == 409
    assert [each["event"] for each in api.get(f"/v1/alerts/{alert}").json()["events"]] == [
        "opened",
        "acknowledged",
    ]


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("acknowledge", {}, 422),
        ("acknowledge", {"by": ""}, 422),
        ("acknowledge", {"by": "  "}, 400),
        ("acknowledge", {"by": "li.na", "who": "me"}, 422),
        ("assign", {"by": "li.na", "owner": "byer"}, 400),
        ("snooze", {"by": "li.na", "until": "2020-01-01T00:00:00Z"}, 400),
        ("snooze", {"by": "li.na", "until": "2030-01-01T00:00:00"}, 422),
        ("comment", {"by": "li.na", "reason": " "}, 400),
        ("forget", {"by": "li.na"}, 405),
    ],
)
def test_what_cannot_be_meant_is_refused(
    api: TestClient, alert: str, name: str, body: dict[str, Any], status: int
) -> None:
    answer = api.post(f"/v1/alerts/{alert}:{name}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["remedy"]


def test_an_unknown_alert_is_not_found_and_a_form_of_another_page_changes_nothing(
    api: TestClient, alert: str
) -> None:
    assert step(api, "0" * 32, "acknowledge").status_code == 404
    body = json.dumps({"by": "mallory"})
    for media in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = api.post(f"/v1/alerts/{alert}:acknowledge", content=body, headers={"Content-Type": media})
        assert answer.status_code == 415
    assert api.get(f"/v1/alerts/{alert}").json()["alert"]["state"] == "open"


def test_it_can_be_assigned_put_off_and_remarked_upon(api: TestClient, alert: str) -> None:
    assert step(api, alert, "assign", owner="buyer").json()["alert"]["owner"] == "buyer"
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert step(api, alert, "snooze", until=until).json()["alert"]["snoozed_until"]
    assert step(api, alert, "snooze", until=None).json()["alert"]["snoozed_until"] is None
    assert step(api, alert, "comment", reason="called them").status_code == 200
    events = api.get(f"/v1/alerts/{alert}").json()["events"]
    assert [each["event"] for each in events] == ["opened", "assigned", "snoozed", "taken_up", "commented"]


def test_acting_drafts_once_and_asks_for_approval(api: TestClient, alert: str, new_shop: Any) -> None:
    (draft,) = acted(api, alert)["drafts"]
    assert (draft["kind"], draft["state"], draft["alert_id"]) == ("order", "requested", alert)
    listed = api.get("/v1/drafts", params={"state": "pending"}).json()["data"]
    assert [each["draft_id"] for each in listed] == [draft["draft_id"]]
    (asked,) = new_shop.store.outbox.find(channel="oa", state="queued")
    assert asked["message"]["draft"]["quantity"] == draft["quantity"]


def callback(
    api: TestClient, body: dict[str, Any] | bytes, *, name: str = "m-1", late: float = 0, key: str = KEY
) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = datetime.now(UTC) - timedelta(seconds=late)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(name, at, content.decode()),
    }
    return api.post("/v1/approvals", content=content, headers=headers)


def test_an_approval_comes_back_signed_and_is_done_once(api: TestClient, alert: str) -> None:
    (draft,) = acted(api, alert)["drafts"]
    body = {"draft_id": draft["draft_id"], "decision": "approved", "by": "oa:wang", "reason": "within budget"}
    first = callback(api, body)
    assert first.status_code == 200, first.text
    assert (first.json()["draft"]["state"], first.json()["draft"]["decided_by"]) == ("approved", "oa:wang")
    events = api.get(f"/v1/alerts/{alert}").json()["events"]
    assert [each["event"] for each in events][-1] == "draft_decided"
    # Replayed, it gets the same answer and changes nothing.
    for _ in range(3):
        assert callback(api, body).json() == first.json()
    assert api.get(f"/v1/alerts/{alert}").json()["events"] == events
    # The same id with another content, and a decision that does not follow, are refused.
    assert callback(api, {**body, "decision": "rejected"}).status_code == 422
    assert callback(api, {**body, "decision": "rejected"}, name="m-2").status_code == 409
    # As a CloudEvent it is the same decision.
    event = {"specversion": "1.0", "id": "m-3", "data": {**body, "decision": "placed"}}
    assert callback(api, event, name="m-3").json()["draft"]["state"] == "placed"


def test_what_is_unsigned_late_or_malformed_is_refused_and_changes_nothing(
    api: TestClient, alert: str
) -> None:
    (draft,) = acted(api, alert)["drafts"]
    body = {"draft_id": draft["draft_id"], "decision": "approved", "by": "oa"}
    other = "whsec_" + "B" * 43 + "="
    assert callback(api, body, late=301).status_code == 401
    assert callback(api, body, late=-330).status_code == 401
    assert callback(api, body, key=other).status_code == 401
    assert api.post("/v1/approvals", json=body).status_code == 401
    assert callback(api, b"approve it").status_code == 400
    assert callback(api, b"[]").status_code == 422
    assert callback(api, {**body, "decision": "perhaps"}).status_code == 422
    assert callback(api, {**body, "draft_id": "nothing"}).status_code == 404
    assert callback(api, {**body, "reason": "x" * 300_000}).status_code == 413
    (kept,) = api.get("/v1/drafts").json()["data"]
    assert kept["state"] == "requested"


def test_without_an_approvals_channel_there_is_nothing_to_call_back(new_shop: Any) -> None:
    with client_of(new_shop) as api:
        answer = callback(api, {"draft_id": "x", "decision": "approved", "by": "oa"})
    assert answer.status_code == 404
    assert "name a channel under [approvals]" in answer.json()["remedy"]


def test_a_person_decides_on_a_draft_as_well(api: TestClient, alert: str) -> None:
    (draft,) = acted(api, alert)["drafts"]
    ask = {"decision": "rejected", "by": "li.na", "reason": "the season is over"}
    answer = api.post(f"/v1/drafts/{draft['draft_id']}:decide", json=ask)
    assert answer.json()["draft"]["state"] == "rejected"
    ask["decision"] = "approved"
    assert api.post(f"/v1/drafts/{draft['draft_id']}:decide", json=ask).status_code == 409


def test_why_somebody_was_told_or_not(api: TestClient, alert: str, new_shop: Any) -> None:
    step(api, alert, "assign", owner="buyer")
    found = api.get(f"/v1/alerts/{alert}/notices").json()
    # The alert was opened before there was a channel.
    assert found["notices"] == []
    assert found["owner"] == "buyer"
    assert found["unheard"] == {"oa": "buyer is told on chat; add it to owners.buyer.channels"}
    desk = Settings(workspace=new_shop.folder, channels=CHANNELS, owners=OWNERS).desk
    late = datetime.now(UTC) + timedelta(days=7)
    new_shop.store.responses(desk).pass_time(late)
    said = api.get(f"/v1/alerts/{alert}/notices").json()["said"]
    assert any("chat: overdue" in line for line in said)
    assert api.get("/v1/alerts/nothing/notices").status_code == 404


def test_no_answer_says_a_secret(api: TestClient, alert: str, caplog: pytest.LogCaptureFixture) -> None:
    acted(api, alert)
    said = [
        api.get(f"/v1/alerts/{alert}/notices").text,
        api.get(f"/v1/alerts/{alert}").text,
        api.get("/v1/drafts").text,
        api.get("/v1/openapi.json").text,
        api.get("/metrics").text,
        callback(api, {}, key="whsec_" + "C" * 43 + "=").text,
        step(api, alert, "assign", owner=CANARY[:4]).text,
        caplog.text,
    ]
    for text in said:
        assert CANARY not in text
        assert KEY.removeprefix("whsec_") not in text
