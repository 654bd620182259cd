"""Messages: an alert in a planner's words.

This module owns how numbers are written and which sentences make a title, a reason with its arithmetic and a
remedy. The numbers come from the alert; the sentences from `warning.wording`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeGuard

import pandas as pd

from warning import wording
from warning.kinds import KINDS, SURPLUSES
from warning.remedies import Recommendation
from warning.wording import Language

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
    words = _Words(alert, language)
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


class _Words(dict[str, str]):
    """Every number of an alert as text, written when a sentence asks for it."""

    def __init__(self, alert: Mapping[str, Any], language: Language) -> None:
        super().__init__(location=alert["location"], about=alert["about"])
        self._alert, self._language = alert, language

    def __missing__(self, name: str) -> str:
        if name in TOLD:
            self[name] = TOLD[name](self, self._alert, self._language)
        elif name in DATES:
            self[name] = _day(self._alert.get(name), self._language)
        else:
            self[name] = quantity(self._alert.get(name), self._language)
        return self[name]


def _item(_words: _Words, alert: Mapping[str, Any], _language: Language) -> str:
    name = alert.get("name")
    return f"{alert['sku']} ({name})" if name and name != alert["sku"] else alert["sku"]


def _details(_words: _Words, alert: Mapping[str, Any], language: Language) -> str:
    said = alert.get("details" if language == "en" else "details_zh")
    return said if isinstance(said, str) else ""


def _share(_words: _Words, alert: Mapping[str, Any], _language: Language) -> str:
    return percent(abs(alert["measure"])) if math.isfinite(alert["measure"]) else ""


def _measured(_words: _Words, alert: Mapping[str, Any], language: Language) -> str:
    measure = alert["measure"]
    return quantity(float(round(measure)) if math.isfinite(measure) else math.nan, language)


def _odds(_words: _Words, alert: Mapping[str, Any], language: Language) -> str:
    measure = alert["measure"]
    return quantity(float(f"{measure:.2g}"), language) if math.isfinite(measure) else ""


def _limit(words: _Words, alert: Mapping[str, Any], language: Language) -> str:
    told = alert["kind"] in wording.LIMITS and alert["bound"]
    return (wording.LIMITS[alert["kind"]][language] if told else "{threshold}").format_map(words)


def _level(_words: _Words, alert: Mapping[str, Any], language: Language) -> str:
    return wording.LEVEL_WORDS[alert["basis"]][language] if alert["basis"] in wording.LEVEL_WORDS else ""


# What is not simply one of the alert's quantities.
TOLD: dict[str, Callable[[_Words, Mapping[str, Any], Language], str]] = {
    "item": _item,
    "details": _details,
    "share": _share,
    "measured": _measured,
    "odds": _odds,
    "limit": _limit,
    "level": _level,
    "chance": lambda _words, alert, _language: percent(alert["measure"]),
    "bound": lambda _words, alert, _language: percent(alert["bound"]),
    "bound_number": lambda _words, alert, language: quantity(alert["bound"], language),
    "basis": lambda _words, alert, language: quantity(alert.get(alert["basis"]), language),
    "stock_word": lambda _words, alert, language: wording.STOCK_WORDS[alert["compared"]][language],
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
