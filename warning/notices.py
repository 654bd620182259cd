"""Notices: what people and programs are told about an alert.

This module owns the texts around an alert's own words (which event, the figures, who by when), how several
become one digest, and the event that programs receive. An alert's title, reason and remedy come with it, in
both languages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from warning.messages import quantity
from warning.wording import Language

LINE = 300  # characters of one alert in a digest
FIGURES = ("on_hand", "inbound", "projected", "threshold")

EVENTS = {
    "opened": {"en": "", "zh": ""},
    "reopened": {"en": "Back again: ", "zh": "再次出现："},
    "raised": {"en": "Worse: ", "zh": "升级："},
    "eased": {"en": "Better: ", "zh": "缓和："},
    "resolved": {"en": "Resolved: ", "zh": "已解除："},
    "overdue": {"en": "Overdue: ", "zh": "逾期未处理："},
    "woken": {"en": "Snooze over: ", "zh": "暂缓到期："},
    "approval": {"en": "Please approve: ", "zh": "请审批："},
    "test": {"en": "Test: ", "zh": "测试："},
}
ELSEWHERE = {"en": "Another alert speaks for it: ", "zh": "已由其他预警代替："}
UNWATCHED = {"en": "No longer watched: ", "zh": "不再监控："}
# What is said of an end, by its resolution, where the cause may well go on.
ENDS = {"superseded": ELSEWHERE, "duplicate": ELSEWHERE, "retired": UNWATCHED, "gone": UNWATCHED}
TIERS = {
    "critical": {"en": "critical", "zh": "紧急"},
    "warning": {"en": "warning", "zh": "警告"},
    "notice": {"en": "notice", "zh": "提示"},
}
FIGURE_WORDS = {
    "on_hand": {"en": "on hand", "zh": "在库"},
    "inbound": {"en": "inbound", "zh": "在途"},
    "projected": {"en": "projected", "zh": "预计"},
    "threshold": {"en": "limit", "zh": "限值"},
}
BEFORE = {"en": "Before: {}", "zh": "解除前：{}"}
WHY = {"en": "Why: {}", "zh": "原因：{}"}
DO = {"en": "Do: {}", "zh": "建议：{}"}
MONEY = {"en": "At risk: {}", "zh": "风险金额：{}"}
OWNER = {"en": "{owner}, by {deadline}", "zh": "{owner}，{deadline} 前处理"}
MARK = {"en": "No. {}", "zh": "编号 {}"}
OVER = {"en": "resolved", "zh": "已解除"}
MANY = {"en": "{n} notices: {tiers}", "zh": "{n} 条预警：{tiers}"}
TEST_TITLE = {"en": "This channel works.", "zh": "此通道可用。"}
TEST_REASON = {"en": "forestock was asked to test it.", "zh": "这是 forestock 的测试消息。"}


@dataclass(frozen=True)
class Notice:
    """One thing to tell on one channel.

    notice_id: the same in every attempt, so that who receives it twice can tell
    event: a key of EVENTS
    message: the alert as it was then, as JSON; of an approval also `draft`
    """

    notice_id: str
    event: str
    message: Mapping[str, Any]
    created_at: datetime


class Text(NamedTuple):
    """A message for people."""

    subject: str
    body: str


def write_text(notices: Sequence[Notice], language: Language, zone: ZoneInfo) -> Text:
    """One notice in full, or several as a digest; each is named by its id."""
    if len(notices) == 1:
        return _one(notices[0], language, zone)
    ranked = sorted(notices, key=lambda notice: -_severity(notice))
    over = [notice.event == "resolved" for notice in notices]
    tiers = [notice.message.get("tier") for notice, ended in zip(notices, over, strict=True) if not ended]
    parts = [f"{words[language]} {tiers.count(tier)}" for tier, words in TIERS.items() if tier in tiers]
    parts += [f"{OVER[language]} {sum(over)}"] if any(over) else []
    subject = MANY[language].format(n=len(notices), tiers=", ".join(parts))
    return Text(subject, "\n".join(_line(notice, language) for notice in ranked))


def write_event(notice: Notice) -> dict[str, Any]:
    """One notice for programs, as a CloudEvent (version 1.0)."""
    return {
        "specversion": "1.0",
        "id": notice.notice_id,
        "source": "forestock",
        "type": f"forestock.alert.{notice.event}",
        "time": notice.created_at.isoformat(),
        "datacontenttype": "application/json",
        "data": dict(notice.message),
    }


def test_message() -> dict[str, Any]:
    """What `notify test` tells."""
    return {
        "title": TEST_TITLE["en"],
        "title_zh": TEST_TITLE["zh"],
        "reason": TEST_REASON["en"],
        "reason_zh": TEST_REASON["zh"],
        "tier": "notice",
    }


def _one(notice: Notice, language: Language, zone: ZoneInfo) -> Text:
    message = notice.message
    if notice.event == "resolved":
        told = (_figures(notice, language), MARK[language].format(notice.notice_id))
        return Text(_headline(notice, language), "\n".join(line for line in told if line))
    lines = [_figures(notice, language)]
    if message.get("money_at_risk") is not None:
        amount = f"{message['money_at_risk']:,.0f} {message.get('currency') or ''}".strip()
        lines.append(MONEY[language].format(amount))
    lines += [
        phrase[language].format(said)
        for phrase, name in ((WHY, "reason"), (DO, "remedy"))
        if (said := _said(message, name, language))
    ]
    if message.get("owner") and message.get("deadline"):
        deadline = datetime.fromisoformat(message["deadline"]).astimezone(zone)
        lines.append(OWNER[language].format(owner=message["owner"], deadline=f"{deadline:%Y-%m-%d %H:%M}"))
    lines.append(MARK[language].format(notice.notice_id))
    return Text(_headline(notice, language), "\n".join(line for line in lines if line))


def _headline(notice: Notice, language: Language) -> str:
    tier = TIERS.get(str(notice.message.get("tier")), {}).get(language, "")
    bracket = f"[{tier}] " if language == "en" else f"【{tier}】"
    event = ENDS.get(notice.message.get("resolution") or "", EVENTS[notice.event])[language]
    return f"{bracket if tier else ''}{event}{_said(notice.message, 'title', language)}"


def _line(notice: Notice, language: Language) -> str:
    remedy = "" if notice.event == "resolved" else _said(notice.message, "remedy", language)
    told = (_headline(notice, language), _figures(notice, language), remedy)
    said = " — ".join(part for part in told if part)
    if len(said) > LINE:
        said = said[: LINE - 1] + "…"
    return f"• {said} ({notice.notice_id})"


def _figures(notice: Notice, language: Language) -> str:
    """The numbers that decide, where there are any; of a resolved alert those of when it last was true."""
    known = {name: notice.message[name] for name in FIGURES if notice.message.get(name) is not None}
    text = " · ".join(
        f"{FIGURE_WORDS[name][language]} {quantity(value, language)}" for name, value in known.items()
    )
    return BEFORE[language].format(text) if text and notice.event == "resolved" else text


def _said(message: Mapping[str, Any], name: str, language: Language) -> str:
    own = message.get(f"{name}_{language}") if language != "en" else None
    return str(own or message.get(name) or "")


def _severity(notice: Notice) -> int:
    """Place in a digest: what is over asks for nothing, and comes last."""
    if notice.event == "resolved":
        return -2
    order = ("notice", "warning", "critical")
    tier = notice.message.get("tier")
    return order.index(tier) if tier in order else -1
