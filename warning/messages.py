"""Messages: an alert in a planner's words.

This module owns how numbers are written and which sentences make a title, a reason with its arithmetic and a
remedy. The numbers come from the alert; the sentences from `warning.wording`.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

import pandas as pd

from warning import wording
from warning.kinds import KINDS, SURPLUSES
from warning.remedies import Recommendation
from warning.wording import Language

QUANTITIES = (
    *("on_hand", "reserved", "inbound", "projected"),
    *("safety_stock", "reorder_point", "threshold", "stock", "late"),
    *("expiring_units", "demand_seen", "demand_expected", "demand_days"),
    *("overdue", "open_orders", "positions", "contradictions"),
)
DATES = ("last", "first_expiry_on")
MONEY_OF_SURPLUS = {
    "slow_stock": wording.TIED_UP,
    "dead_stock": wording.TIED_UP,
    "expiry": wording.SPOILT,
}


class Message(NamedTuple):
    """An alert in words: one line; why, with the arithmetic; what to do, by when, at what cost."""

    title: str
    reason: str
    remedy: str


def quantity(value: Any, language: Language = "en") -> str:
    """Units as a person writes them: three digits or more, and no more decimals than that takes.

    >>> quantity(12.0), quantity(3.456), quantity(36.34), quantity(1234.5), quantity(float("nan"))
    ('12', '3.46', '36.3', '1,234', 'unknown')
    """
    if not isinstance(value, int | float) or math.isnan(value):
        return wording.UNKNOWN[language]
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if digits else text
    return "0" if text == "-0" else text


def percent(value: float) -> str:
    """A share in percent that never claims certainty it does not have.

    >>> percent(0.624), percent(0.9987), percent(1.0), percent(2.5)
    ('62%', '>99%', '100%', '250%')
    """
    return ">99%" if 0.995 <= value < 1 else f"{value:.0%}"


def write(
    alert: Mapping[str, Any], what: Recommendation, language: Language = "en", currency: str = ""
) -> Message:
    """The words of one alert.

    alert: a row as `warning.alerts.describe` makes it
    what: the recommendation for it
    currency: written after amounts of money
    """
    words = _words(alert, language)
    return Message(
        wording.TITLES[_story(alert)][language].format_map(words),
        _reason(alert, words, language, currency),
        _remedy(alert, what, language, currency),
    )


def _reason(alert: Mapping[str, Any], words: Mapping[str, str], language: Language, currency: str) -> str:
    """Why: the comparison that failed, the numbers behind it, and what is at risk."""
    kind = alert["kind"]
    text = wording.CAUSES[_story(alert)][language].format_map(words)
    if KINDS[kind].subject != "item":
        return text.strip()
    text += wording.POSITION[language].format_map(words)
    if kind == "no_position":
        return text
    units = quantity(alert["units_at_risk"], language)
    money = _money(alert["money_at_risk"], currency, wording.VALUE[language])
    if kind in MONEY_OF_SURPLUS:
        return text + MONEY_OF_SURPLUS[kind][language].format(units=units, money=money)
    if kind == "overstock":
        healthy = quantity(alert["stock"] - alert["units_at_risk"], language)
        return text + wording.SURPLUS[language].format(healthy=healthy, units=units, money=money)
    days = alert["days_to_stockout"]
    if kind != "out_of_stock" and _known(days):
        text += wording.DAYS[language].format(days=quantity(float(round(days))))
    if _known(alert["units_at_risk"]):
        text += wording.LOST[language].format(units=units, money=money)
        late = alert.get("unavoidable_lost_units")
        if _known(late) and round(late, 2) > 0:
            text += wording.UNAVOIDABLE[language].format(late=quantity(late, language))
        text += wording.STOP[language]
    return text


def _remedy(alert: Mapping[str, Any], what: Recommendation, language: Language, currency: str) -> str:
    """What to do, by when, at what cost."""
    story = _story(alert)
    if story in wording.ADVICE:
        return wording.ADVICE[story][language].format(about=alert["about"])
    if alert.get("notify_only") and what["type"] == "watch":
        return wording.ADVICE["notify_only"][language]
    overdue = _known(alert.get("late")) and alert["late"] > 0
    text = _do(what, language, currency, wording.OVERDUE[language] if overdue else "")
    if what["then"] is not None:
        text += (" " if language == "en" else "") + _do(what["then"], language, currency, "")
    if alert["kind"] in SURPLUSES and _known(alert["inbound"]) and alert["inbound"] > 0:
        text += wording.HOLD[language].format(inbound=quantity(alert["inbound"], language))
    return text


def _do(what: Recommendation, language: Language, currency: str, overdue: str) -> str:
    when = wording.BY[language].format(what["order_by"]) if what["order_by"] else ""
    arrives = wording.ARRIVES[language].format(what["arrives_on"]) if what["arrives_on"] else ""
    if what["type"] in ("order", "transfer"):
        money = _money(what["cost"], currency, wording.COSTS[language]) + arrives
    else:
        money = _money(what["value"], currency, wording.VALUE[language])
    return wording.REMEDIES[what["type"]][language].format(
        quantity=quantity(what["quantity"], language),
        supplier=wording.FROM[what["type"]][language].format(what["supplier"]) if what["supplier"] else "",
        when=when,
        money=money,
        overdue=overdue,
    )


def _words(alert: Mapping[str, Any], language: Language) -> dict[str, str]:
    """Every number of an alert as text."""
    words = {name: quantity(alert.get(name), language) for name in QUANTITIES}
    words |= {name: _day(alert.get(name), language) for name in DATES}
    kind, basis, name = alert["kind"], alert["basis"], alert.get("name")
    measure, bound = alert["measure"], alert["bound"]
    words["bound"] = percent(bound)
    limit = wording.LIMITS[kind][language] if kind in wording.LIMITS and bound else "{threshold}"
    details = alert.get("details" if language == "en" else "details_zh")
    return words | {
        "item": f"{alert['sku']} ({name})" if name and name != alert["sku"] else alert["sku"],
        "location": alert["location"],
        "about": alert["about"],
        "details": details if isinstance(details, str) else "",
        "chance": percent(measure),
        "share": percent(abs(measure)) if math.isfinite(measure) else "",
        "measured": quantity(float(round(measure)) if math.isfinite(measure) else math.nan, language),
        "odds": quantity(float(f"{measure:.2g}"), language) if math.isfinite(measure) else "",
        "bound_number": quantity(bound, language),
        "limit": limit.format_map(words),
        "level": wording.LEVEL_WORDS[basis][language] if basis in wording.LEVEL_WORDS else "",
        "basis": quantity(alert.get(basis), language),
        "stock_word": wording.STOCK_WORDS[alert["compared"]][language],
    }


def _story(alert: Mapping[str, Any]) -> str:
    """Which sentences tell the alert: its kind's, those of stock nobody needs, or of a breach that is over.

    Hysteresis holds an alert a little longer than its breach; it must not say what is no longer true.
    """
    kind, measure = alert["kind"], alert["measure"]
    if kind == "abnormal_demand":
        return f"{kind}_high" if alert["demand_seen"] >= alert["demand_expected"] else f"{kind}_low"
    if kind in ("low_stock", "overstock") and -math.inf < measure < 0:
        return f"{kind}_easing"
    return "unneeded" if kind == "overstock" and not math.isfinite(measure) else str(kind)


def _day(value: Any, language: Language) -> str:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else wording.UNKNOWN[language]


def _known(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not math.isnan(value)


def _money(value: Any, currency: str, phrase: str) -> str:
    """Money in a phrase; nothing where it is unknown."""
    return phrase.format(f"{value:,.0f} {currency}".strip()) if _known(value) else ""
