"""Who hears of what, when, and the reason where somebody does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.errors import Problem
from warning.channels.opening import configured_channels
from warning.hours import Hours
from warning.owners import configured_owners
from warning.routing import Desk, check_approvals, route

NOW = datetime(2026, 3, 9, 7, tzinfo=UTC)
NIGHT = datetime(2026, 3, 9, 23, tzinfo=UTC)
KEY = "whsec_" + "A" * 43 + "="
ROBOT = {"kind": "wecom", "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1"}
OA = {"kind": "webhook", "url": "https://oa.example/hook", "secret": KEY}


def desk(channels: dict[str, Any], owners: dict[str, Any] | None = None, approvals: str = "") -> Desk:
    opened = configured_channels(channels)
    return Desk(configured_owners(owners or {}, opened), opened, Hours(), approvals)


def alert(**change: Any) -> dict[str, Any]:
    return {"tier": "warning", "owner": "planner", "snoozed_until": None} | change


def reasons(at: Desk, event: str, row: dict[str, Any], when: datetime = NOW, **more: Any) -> dict[str, str]:
    return {found.channel: found.skipped for found in route(at, event, row, when, **more)}


def test_an_owner_is_told_on_its_channels_and_everything_on_those_that_ask_for_it() -> None:
    made = desk(
        {"dairy": ROBOT, "mail": {"kind": "log"}, "all": {"kind": "log", "everything": True}},
        {"dairy": {"selector": {"category": "Dairy"}, "channels": ["dairy"]}, "rest": {}},
    )
    assert reasons(made, "opened", alert(owner="dairy")) == {"dairy": "", "all": ""}
    assert reasons(made, "opened", alert(owner="rest")) == {"dairy": "", "mail": "", "all": ""}
    # An alert that nobody owns is the last owner's; who is told may be named.
    assert set(reasons(made, "opened", alert(owner=None))) == {"dairy", "mail", "all"}
    assert set(reasons(made, "overdue", alert(owner="rest"), owner="dairy")) == {"dairy", "all"}


def test_the_channel_of_approvals_hears_only_of_approvals() -> None:
    made = desk({"mail": {"kind": "log"}, "oa": OA}, approvals="oa")
    assert set(reasons(made, "opened", alert())) == {"mail"}


@pytest.mark.parametrize(
    ("event", "change", "more", "said"),
    [
        ("opened", {}, {}, ""),
        ("eased", {}, {}, "this was eased"),
        ("opened", {"tier": "notice"}, {}, "carries warning and worse, this was notice"),
        ("resolved", {"snoozed_until": NOW + timedelta(hours=1)}, {}, "snoozed until 2026-03-09 08:00 UTC"),
        ("opened", {"snoozed_until": NOW}, {}, ""),
        # What gets worse wakes up who put it off.
        ("raised", {"snoozed_until": NOW + timedelta(hours=1)}, {}, ""),
        ("opened", {}, {"muted": "silenced: stocktaking"}, "silenced: stocktaking"),
    ],
)
def test_a_reason_is_given_for_silence(
    event: str, change: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    made = desk({"mail": {"kind": "log", "at_least": "warning"}})
    found = reasons(made, event, alert(**change), **more)["mail"]
    assert said in found
    assert bool(said) == bool(found)


def test_only_what_is_critical_breaks_quiet_hours_and_digests() -> None:
    made = desk(
        {
            "night": {"kind": "log", "quiet": "22:00-07:00"},
            "daily": {**ROBOT, "digest": "07:30"},
        }
    )
    calm = {found.channel: found.due_at for found in route(made, "opened", alert(), NIGHT)}
    assert calm == {
        "night": datetime(2026, 3, 10, 7, tzinfo=UTC),
        "daily": datetime(2026, 3, 10, 7, 30, tzinfo=UTC),
    }
    urgent = route(made, "opened", alert(tier="critical"), NIGHT)
    assert {found.due_at for found in urgent} == {NIGHT}
    # That it is over can wait.
    over = {found.channel: found.due_at for found in route(made, "resolved", alert(tier="critical"), NIGHT)}
    assert over == calm


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"kind": "wecome"}, "channels.c.kind must be one of log, apprise, wecom.*got 'wecome'"),
        ({}, "channels.c needs kind"),
        ({"kind": "wecom"}, "channels.c needs url"),
        ({"kind": "webhook", "url": "https://a.example/"}, "channels.c needs secret"),
        ({**OA, "secret": "short"}, "channels.c.secret must be at least 24 random bytes"),
        ({**OA, "url": "http://oa.example/"}, "channels.c.url must be https, got http"),
        ({**OA, "url": "ftp://oa.example/"}, "channels.c.url must be an address, got something else"),
        ({**OA, "url": "https://10.1.2.3/"}, r"channels.c.url lies in a private range \(10.1.2.3\)"),
        ({**OA, "url": "https://[::ffff:127.0.0.1]/"}, "private range"),
        ({"kind": "log", "quiet": "late"}, "quiet must be two times of day"),
        ({"kind": "log", "digest": "often"}, "digest must be"),
        ({"kind": "log", "digest": "2d"}, "digest must be"),
        ({"kind": "log", "per_minute": 0}, "per_minute must be messages a minute"),
        ({"kind": "log", "at_least": "alarm"}, "at_least must be notice, warning or critical, got 'alarm'"),
        ({"kind": "log", "level": 3}, "channels.c has no 'level'"),
        ({"kind": "apprise", "url": "mailtoo://a:b@c.example"}, r"mailtoo://.*did you mean mailto://\?"),
        ({"kind": "apprise", "url": "me@example.org"}, "one without a scheme"),
        ({"kind": "apprise", "url": "slack://short"}, "is no complete slack:// address"),
        ({"kind": "apprise", "url": "dingtalk://abcdefgh"}, 'use kind = "dingtalk"'),
        ({"kind": "apprise", "url": "json://127.0.0.1/x"}, 'use kind = "webhook"'),
    ],
)
def test_a_channel_that_cannot_work_is_refused_at_load(channel: dict[str, Any], said: str) -> None:
    with pytest.raises(Problem, match=said):
        configured_channels({"c": channel})


def test_approvals_go_to_a_webhook() -> None:
    channels = configured_channels({"mail": {"kind": "log"}, "oa": OA})
    assert check_approvals(channels, "oa") == "oa"
    with pytest.raises(Problem, match="must be a webhook, 'mail' is log"):
        check_approvals(channels, "mail")
    with pytest.raises(Problem, match=r"names 'ao', which is none; add \[channels.ao\]"):
        check_approvals(channels, "ao")
