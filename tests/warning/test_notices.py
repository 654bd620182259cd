"""What people and programs are told, word for word."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from warning.channels.sending import fitted
from warning.notices import EVENTS, Notice, Text, write_event, write_text

NOW = datetime(2026, 3, 9, 1, tzinfo=UTC)
HERE = ZoneInfo("Asia/Shanghai")
ALERT: dict[str, Any] = {
    "tier": "critical",
    "title": "milk at north: 92% chance of running out",
    "title_zh": "north milk：断货概率 92%",
    "reason": "The chance of running out is 92% (limit 50%).",
    "reason_zh": "断货的概率为 92%（限值 50%）。",
    "remedy": "Order 120 from acme by 2026-03-09, cost 240 CNY.",
    "remedy_zh": "2026-03-09 前向 acme 订购 120，金额 240 CNY。",
    "on_hand": 12.0,
    "inbound": 0.0,
    "projected": -8.5,
    "threshold": 31.0,
    "money_at_risk": 1234.0,
    "currency": "CNY",
    "owner": "dairy",
    "deadline": "2026-03-09T10:00:00+00:00",
}


def notice(event: str = "opened", number: int = 1, **change: Any) -> Notice:
    return Notice(f"id-{number}", event, ALERT | change, NOW)


def test_a_message_carries_the_numbers_why_and_what_to_do() -> None:
    assert write_text([notice()], "en", HERE) == Text(
        "[critical] milk at north: 92% chance of running out",
        "on hand 12 · inbound 0 · projected -8.5 · limit 31\n"
        "At risk: 1,234 CNY\n"
        "Why: The chance of running out is 92% (limit 50%).\n"
        "Do: Order 120 from acme by 2026-03-09, cost 240 CNY.\n"
        "dairy, by 2026-03-09 18:00\n"
        "No. id-1",
    )
    assert write_text([notice("overdue")], "zh", HERE) == Text(
        "【紧急】逾期未处理：north milk：断货概率 92%",
        "在库 12 · 在途 0 · 预计 -8.5 · 限值 31\n"
        "风险金额：1,234 CNY\n"
        "原因：断货的概率为 92%（限值 50%）。\n"
        "建议：2026-03-09 前向 acme 订购 120，金额 240 CNY。\n"
        "dairy，2026-03-09 18:00 前处理\n"
        "编号 id-1",
    )


def test_what_is_not_known_is_not_said() -> None:
    bare = Notice("id-1", "resolved", {"tier": "notice", "title": "acme is late"}, NOW)
    assert write_text([bare], "en", HERE) == Text("[notice] Resolved: acme is late", "No. id-1")
    # There is no Chinese title: better an English one than none.
    assert write_text([bare], "zh", HERE).subject == "【提示】已解除：acme is late"


def test_several_become_a_digest_that_names_each_the_worst_first_and_what_is_over_last() -> None:
    three = [notice(number=1, tier="notice"), notice("resolved", 2), notice(number=3, tier="warning")]
    text = write_text(three, "en", HERE)
    assert text.subject == "3 notices: warning 1, notice 1, resolved 1"
    lines = text.body.splitlines()
    assert [line.rpartition("(")[2] for line in lines] == ["id-3)", "id-1)", "id-2)"]
    assert lines[0] == (
        "• [warning] milk at north: 92% chance of running out — "
        "on hand 12 · inbound 0 · projected -8.5 · limit 31 — "
        "Order 120 from acme by 2026-03-09, cost 240 CNY. (id-3)"
    )
    assert write_text(three, "zh", HERE).subject == "3 条预警：警告 1, 提示 1, 已解除 1"


def test_what_is_over_asks_for_nothing_and_its_figures_are_those_of_before() -> None:
    over = notice("resolved", resolution="cleared")
    assert write_text([over], "en", HERE) == Text(
        "[critical] Resolved: milk at north: 92% chance of running out",
        "Before: on hand 12 · inbound 0 · projected -8.5 · limit 31\nNo. id-1",
    )
    line = write_text([over, notice(number=2)], "zh", HERE).body.splitlines()[1]
    assert line == (
        "• 【紧急】已解除：north milk：断货概率 92% — 解除前：在库 12 · 在途 0 · 预计 -8.5 · 限值 31 (id-1)"
    )


def test_an_alert_whose_cause_goes_on_is_not_called_resolved() -> None:
    taken = write_text([notice("resolved", resolution="superseded")], "en", HERE).subject
    assert taken == "[critical] Another alert speaks for it: milk at north: 92% chance of running out"
    retired = write_text([notice("resolved", resolution="retired")], "zh", HERE).subject
    assert retired == "【紧急】不再监控：north milk：断货概率 92%"


def test_a_figure_that_is_not_known_is_left_out() -> None:
    assert (
        "on hand 12 · inbound 0 · projected -8.5\n" in write_text([notice(threshold=None)], "en", HERE).body
    )


def test_programs_receive_a_cloud_event() -> None:
    event = write_event(notice("raised"))
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "time")} == {
        "specversion": "1.0",
        "id": "id-1",
        "source": "forestock",
        "type": "forestock.alert.raised",
        "time": "2026-03-09T01:00:00+00:00",
    }
    assert event["data"] == ALERT


def test_every_event_has_words_in_both_languages() -> None:
    for event in EVENTS:
        for language in ("en", "zh"):
            assert write_text([notice(event)], language, HERE).subject  # type: ignore[arg-type]


@settings(deadline=None)  # a busy machine is no failure
@given(
    subject=st.text(max_size=80).map(lambda text: text.replace("\n", " ")),
    body=st.text(max_size=400),
    most=st.integers(60, 300),
)
def test_a_text_that_is_cut_fits_and_keeps_its_name(subject: str, body: str, most: int) -> None:
    text = Text(subject, f"{body}\nNo. 0123456789abcdef0123456789abcdef")
    found = fitted(text, most)
    assert len(found.encode()) <= most
    assert found.endswith("\nNo. 0123456789abcdef0123456789abcdef")


def test_a_moment_is_told_in_local_time() -> None:
    late = notice(deadline=(NOW + timedelta(hours=20)).isoformat())
    assert "by 2026-03-10 05:00" in write_text([late], "en", HERE).body
