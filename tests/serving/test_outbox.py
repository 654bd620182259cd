"""The outbox: written with what gives the reason, told once by any number of workers, until it arrives."""

import json
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from serving.delivering import Courier, Delivered, deliver_once, deliver_while
from serving.store.claims import Outbox, Outcome
from warning.channels.opening import configured_channels
from warning.channels.sending import Message, UndeliveredError
from warning.engine import evaluate
from warning.owners import configured_owners
from warning.routing import Channel, Desk
from warning.rules import default_rules

LEASE = timedelta(seconds=60)


def desk(**channels: dict[str, Any]) -> Desk:
    opened = configured_channels(channels)
    return Desk(configured_owners({}, opened), opened)


def log(**more: Any) -> dict[str, Any]:
    return {"kind": "log", "per_minute": 6000, **more}


class Post:
    """A clock that stands still, and a sender that keeps what it is given."""

    def __init__(self, shop: Any, made: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now: datetime = shop.at
        self.sent: list[tuple[str, Message]] = []
        self.refusal: UndeliveredError | None = None
        self._lock = threading.Lock()
        monkeypatch.setattr("serving.delivering.open_channel", self._open)
        self.outbox: Outbox = shop.store.outbox
        self.courier = self.hire(made)

    def hire(self, made: Desk) -> Courier:
        return Courier(self.outbox, made, clock=lambda: self.now, chance=lambda: 0.0)

    def deliver(self, later: float = 0.0) -> Delivered:
        self.now += timedelta(seconds=later)
        return self.courier.deliver()

    def _open(self, channel: Channel, _clock: Any) -> Any:
        def send(message: Message) -> None:
            with self._lock:
                if self.refusal is not None:
                    raise self.refusal
                self.sent.append((channel.name, message))

        return send


def told(shop: Any, made: Desk) -> None:
    """Evaluate tomorrow's facts, in which a third of the shelves changed, with a desk."""
    facts = shop.facts.assign(on_hand=shop.facts["on_hand"].where(shop.facts.index % 3 > 0, 0.0))
    decision = evaluate(facts, default_rules(), shop.today + pd.Timedelta(days=1), shop.store.open_alerts())
    shop.store.apply(decision, shop.at, made)


def test_a_notice_is_written_with_its_event_once(any_shop: Any) -> None:
    made = desk(mail=log(), chat=log(at_least="critical"))
    told(any_shop, made)
    notices = any_shop.store.outbox.find(limit=10_000)
    found = Counter(each["event"] for each in notices if each["channel"] == "mail")
    events = pd.concat([any_shop.store.alert(alert)[1] for alert in {each["alert_id"] for each in notices}])
    later = events["event"].value_counts()
    assert found["opened"] > 3
    assert found["resolved"] == later["resolved"]
    assert found["raised"] + found["eased"] == later.get("tier_changed", 0)
    assert len({each["notice_id"] for each in notices}) == len(notices)
    told(any_shop, made)
    assert any_shop.store.outbox.find(limit=10_000) == notices
    # What the other channel does not carry is kept with the reason.
    quiet = [each for each in notices if each["channel"] == "chat" and each["tier"] != "critical"]
    assert quiet
    assert all(each["state"] == "skipped" for each in quiet)
    assert all("critical and worse" in each["reason"] for each in quiet if each["event"] != "eased")


def test_a_decision_that_is_not_kept_tells_nothing(any_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the last step of the transaction fails")

    monkeypatch.setattr("serving.store.alerts.drafts.settle", fail)
    before = len(any_shop.store.open_alerts())
    with pytest.raises(RuntimeError):
        told(any_shop, desk(mail=log()))
    assert any_shop.store.outbox.find() == []
    assert len(any_shop.store.open_alerts()) == before


def test_what_is_due_is_sent_once_and_then_no_more(any_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk(mail=log(), chat=log())
    told(any_shop, made)
    queued = {each["notice_id"] for each in any_shop.store.outbox.find(state="queued", limit=10_000)}
    post = Post(any_shop, made, monkeypatch)
    assert post.deliver() == Delivered(sent=len(queued))
    assert sorted(message.message_id for _, message in post.sent) == sorted(queued)
    assert post.deliver() == Delivered()
    assert set(any_shop.store.outbox.count()) == {
        (channel, state)
        for channel in ("mail", "chat")
        for state in ("sent", "skipped")
        if (channel, state) in any_shop.store.outbox.count()
    }


def test_several_workers_at_once_send_nothing_twice(any_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk(mail=log(), chat=log(), wire=log())
    told(any_shop, made)
    queued = any_shop.store.outbox.find(state="queued", limit=10_000)
    post = Post(any_shop, made, monkeypatch)
    workers = [threading.Thread(target=courier.deliver) for courier in [post.hire(made) for _ in range(4)]]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Counter(message.message_id for _, message in post.sent) == Counter(
        each["notice_id"] for each in queued
    )


def test_a_claim_that_ends_is_another_workers_under_the_same_name(any_shop: Any) -> None:
    made = desk(mail=log(per_minute=4))  # one at a time
    told(any_shop, made)
    outbox, channel = any_shop.store.outbox, made.channels["mail"]
    (first,) = outbox.claim(channel, "a", any_shop.at, LEASE, most=1, at_once=10)
    later = any_shop.at + LEASE
    taken = outbox.claim(channel, "b", later - timedelta(seconds=1), LEASE, most=1, at_once=1)
    assert first.parcel_id not in {each.parcel_id for each in taken}
    second = outbox.claim(channel, "b", later + timedelta(seconds=30), LEASE, most=1, at_once=10)[0]
    assert (second.parcel_id, second.attempts) == (first.parcel_id, 2)
    # The first worker comes back and says that it failed: it has no say any more.
    outbox.settle(first, "a", Outcome("dead", "late"), later)
    assert outbox.find(state="dead") == []
    # That it arrived counts all the same, and the second cannot undo it.
    outbox.settle(first, "a", Outcome("sent", ""), later)
    outbox.settle(second, "b", Outcome("dead", "too late"), later)
    (row,) = [each for each in outbox.find(limit=10_000) if each["notice_id"] == first.parcel_id]
    assert row["state"] == "sent"


def test_failures_are_tried_again_later_and_given_up_in_the_end(
    any_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = desk(mail=log())
    told(any_shop, made)
    post = Post(any_shop, made, monkeypatch)
    post.refusal = UndeliveredError("HTTP 500")
    first = post.deliver()
    assert (first.sent, first.dead) == (0, 0)
    assert first.retry > 0
    assert post.deliver() == Delivered()
    assert post.deliver(14) == Delivered()
    assert post.deliver(1) == first  # the first pause is half of thirty seconds at least
    notice = any_shop.store.outbox.find(state="queued")[0]
    assert (notice["attempts"], notice["reason"]) == (2, "HTTP 500")
    while post.deliver(3600).dead == 0:
        pass
    dead = any_shop.store.outbox.find(state="dead", limit=10_000)
    assert {each["attempts"] for each in dead} == {12}
    said = any_shop.store.outbox.attempts(dead[0]["notice_id"])
    assert [each["outcome"] for each in said] == ["retry"] * 11 + ["dead"]
    # Driven again, it goes out under its old name.
    post.refusal = None
    assert any_shop.store.outbox.redrive(post.now, ids=[dead[0]["notice_id"]]) == 1
    assert post.deliver() == Delivered(sent=1)
    assert post.sent[0][1].message_id == dead[0]["notice_id"]
    assert any_shop.store.outbox.redrive(post.now, "mail") == len(dead) - 1


def test_what_is_hopeless_is_given_up_at_once(any_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk(mail=log())
    told(any_shop, made)
    post = Post(any_shop, made, monkeypatch)
    post.refusal = UndeliveredError("code 93000: invalid webhook url", final=True)
    assert post.deliver().dead == len(any_shop.store.outbox.find(state="dead", limit=10_000)) > 0


def test_a_receiver_that_throttles_is_left_alone(any_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk(mail=log(together=1), chat=log())
    told(any_shop, made)
    post = Post(any_shop, made, monkeypatch)
    post.refusal = UndeliveredError("send too fast", rest=600)
    post.deliver()
    post.refusal = None
    assert post.deliver(599) == Delivered()
    assert post.deliver(1).sent > 0
    assert post.deliver(3600).dead == 0


def test_a_channel_sends_no_more_than_it_may(any_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk(mail=log(per_minute=8))
    told(any_shop, made)
    post, times = Post(any_shop, made, monkeypatch), []
    for _ in range(300):
        times += [post.now] * post.deliver().sent
        post.now += timedelta(seconds=1)
    assert len(times) > 8
    for start in times:
        assert sum(start <= at < start + timedelta(minutes=1) for at in times) <= 8


def test_a_command_stays_for_what_only_the_rate_of_a_channel_holds_back(
    any_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = desk(mail=log(per_minute=60))
    told(any_shop, made)
    post = Post(any_shop, made, monkeypatch)
    waiting = len(post.outbox.find(state="queued", limit=10_000))
    assert waiting > 15  # more than may go at once

    def sleep(seconds: float) -> None:
        post.now += timedelta(seconds=seconds)

    monkeypatch.setattr("serving.delivering.time.sleep", sleep)
    post.refusal = UndeliveredError("HTTP 429: too many messages", rest=600.0)
    assert deliver_once(any_shop.url, made, lambda: post.now).sent == 0  # a rest is not waited for
    post.refusal, post.now = None, post.now + timedelta(seconds=3600)
    assert deliver_once(any_shop.url, made, lambda: post.now, patience=0.0).sent == 15
    assert deliver_once(any_shop.url, made, lambda: post.now).sent == waiting - 15


def test_a_flood_and_a_digest_go_out_as_one_message(any_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1"
    made = desk(
        robot={"kind": "wecom", "url": url, "per_minute": 6000},
        daily={"kind": "dingtalk", "url": url, "digest": "08:00", "per_minute": 6000},
    )
    told(any_shop, made)
    post, outbox = Post(any_shop, made, monkeypatch), any_shop.store.outbox
    post.refusal = UndeliveredError("HTTP 503")
    post.deliver()
    post.refusal = None
    post.deliver(3600)
    sent = [message for channel, message in post.sent if channel == "robot"]
    notices = outbox.find(channel="robot", state="sent", limit=10_000)
    assert len(notices) > 5
    assert len(sent) == -(-len(notices) // 5)  # five fit into what WeCom takes
    assert {each["id"] for message in sent for each in message.events} == {
        each["notice_id"] for each in notices
    }
    # What a message holds was fixed when it was first tried.
    assert {each["parcel"] for each in notices} == {message.message_id for message in sent}
    calm = [each for each in outbox.find(channel="daily", state="sent", limit=10_000) if not urgent(each)]
    assert len(calm) > 1
    assert {each["sent_at"] for each in calm} == {any_shop.at + timedelta(hours=1)}
    assert len({each["parcel"] for each in calm}) == -(-len(calm) // 20)


def urgent(notice: dict[str, Any]) -> bool:
    return notice["tier"] == "critical" and notice["event"] != "resolved"


def test_an_unforeseen_failure_of_a_sender_says_nothing_of_what_it_was_given(
    any_shop: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = desk(mail=log())
    told(any_shop, made)
    post = Post(any_shop, made, monkeypatch)
    post.refusal = ValueError("canary93d2f1c0")  # type: ignore[assignment]
    assert post.deliver().retry > 0
    assert "canary93d2f1c0" not in caplog.text
    assert {each["reason"] for each in any_shop.store.outbox.find(state="queued")} == {
        "unforeseen ValueError"
    }


def test_serving_delivers_and_lets_time_pass_in_the_background(
    any_shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made, outbox = desk(here=log()), any_shop.store.outbox
    told(any_shop, made)
    late = any_shop.at + timedelta(days=7)
    until = time.monotonic() + 60
    with deliver_while(any_shop.url, made, lambda: late):
        while outbox.find(state="queued", limit=1) or not _overdue(outbox):
            assert time.monotonic() < until
            time.sleep(0.05)
    sent = {each["notice_id"] for each in outbox.find(state="sent", limit=10_000)}
    logged = [record for record in caplog.records if record.name == "warning.channels.log"]
    assert {json.loads(record.getMessage())["id"] for record in logged} == sent
    assert _overdue(outbox)


def _overdue(outbox: Outbox) -> list[dict[str, Any]]:
    return [each for each in outbox.find(limit=10_000) if each["event"] == "overdue"]


def test_without_channels_nothing_is_queued(any_shop: Any) -> None:
    told(any_shop, Desk())
    assert any_shop.store.outbox.find() == []
