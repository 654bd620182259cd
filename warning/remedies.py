"""Remedies: what to do about an alert, as data that a program can act upon.

This module owns the recommendation's types and the choice among them.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import pandas as pd

from warning.kinds import SURPLUSES

Type = Literal["order", "transfer", "expedite", "promote", "clear", "fix_data", "check", "watch"]
# What these kinds ask for, whatever the numbers.
ALWAYS: dict[str, Type] = {
    "stale_data": "fix_data",
    "contradictory_data": "fix_data",
    "no_position": "fix_data",
    "supplier_shift": "check",
    "abnormal_demand": "check",
}


class Recommendation(TypedDict):
    """One thing to do.

    type: order, or transfer where another place of one's own supplies; expedite (hurry what is on order);
        promote or clear (sell the surplus); fix_data; check (a person must find out why); watch
    quantity: units to order, hurry or sell
    order_by, arrives_on: ISO dates
    cost: money an order costs; value: money a surplus ties up
    then: a second thing to do, such as ordering beside expediting
    """

    type: Type
    quantity: float | None
    supplier: str | None
    order_by: str | None
    arrives_on: str | None
    cost: float | None
    value: float | None
    then: "Recommendation | None"


def recommend(alert: Mapping[str, Any]) -> Recommendation:
    """What to do about one alert; a rule that only notifies recommends no order.

    alert: kind, units_at_risk, money_at_risk, and the facts of its position

    >>> recommend({"kind": "out_of_stock", "late": 0, "inbound": 0, "order_quantity": 30,
    ...            "order_supplier": "acme"})["type"]
    'order'
    """
    kind = alert["kind"]
    if kind in ALWAYS:
        return _what(ALWAYS[kind])
    if kind == "supplier_late":
        return _what("expedite", quantity=alert.get("late"), supplier=alert.get("about"))
    if kind == "late_inbound":
        return _what("expedite", quantity=alert.get("late"), supplier=alert.get("late_supplier"))
    if kind in SURPLUSES:
        return _sell(alert)
    return _what("watch") if alert.get("notify_only") else _shortage(alert)


def _sell(alert: Mapping[str, Any]) -> Recommendation:
    """Clear what is phased out, no longer needed or not sold any more; promote the rest."""
    level = _number(alert.get("order_up_to"))
    unwanted = alert.get("lifecycle") in ("discontinued", "phase_out") or (level is not None and level <= 0)
    what: Type = "clear" if unwanted or alert["kind"] == "dead_stock" else "promote"
    return _what(what, quantity=alert.get("units_at_risk"), value=alert.get("money_at_risk"))


def _shortage(alert: Mapping[str, Any]) -> Recommendation:
    """Hurry what is overdue, order what is missing; say so where neither is possible."""
    order = None
    if _above_zero(alert.get("order_quantity")):
        order = _what(
            "transfer" if alert.get("order_kind") == "transfer" else "order",
            quantity=alert.get("order_quantity"),
            supplier=alert.get("order_supplier"),
            order_by=alert.get("order_by"),
            arrives_on=alert.get("order_arrives_on"),
            cost=alert.get("order_cost"),
        )
    if _above_zero(alert.get("late")):
        return _what("expedite", quantity=alert["late"], supplier=alert.get("late_supplier"), then=order)
    if order:
        return order
    # A projection at the end of the lead time counts what is on order already: hurrying adds nothing.
    if alert["kind"] != "low_stock" and _above_zero(alert.get("inbound")):
        return _what("expedite", quantity=alert["inbound"])
    return _what("watch" if _number(alert.get("order_quantity")) is not None else "fix_data")


def _what(
    kind: Type,
    *,
    quantity: object = None,
    supplier: object = None,
    order_by: object = None,
    arrives_on: object = None,
    cost: object = None,
    value: object = None,
    then: Recommendation | None = None,
) -> Recommendation:
    return {
        "type": kind,
        "quantity": _number(quantity),
        "supplier": supplier if isinstance(supplier, str) and supplier else None,
        "order_by": _date(order_by),
        "arrives_on": _date(arrives_on),
        "cost": _number(cost),
        "value": _number(value),
        "then": then,
    }


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)


def _above_zero(value: object) -> bool:
    number = _number(value)
    return number is not None and number > 0


def _date(value: object) -> str | None:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else None
