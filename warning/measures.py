"""Measures: how far each position is on a rule's one distance, and what it has at risk there.

This module owns the arithmetic of every kind, by the table in `warning.kinds`. A measure is NaN where it
cannot be told and −inf where it does not apply.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from warning.facts import available
from warning.rules import Rule

FEW = 3  # overdue lines from which a supplier is late as such; fewer are told order by order
Measure = Callable[[Rule, pd.DataFrame, np.ndarray, np.ndarray], np.ndarray]


def stock_of(rule: Rule, facts: pd.DataFrame) -> np.ndarray:
    """(n,) units the rule compares; where no projection is known, what is available now."""
    if rule.shape.subject != "item":
        return np.full(len(facts), np.nan)
    now = available(facts)
    if rule.stock == "position":
        return now + facts["inbound"].to_numpy()
    if rule.stock == "projected":
        projected = facts["projected"].to_numpy()
        return np.where(np.isnan(projected) | np.isnan(now), now, projected)
    return now


def basis_of(rule: Rule, facts: pd.DataFrame) -> np.ndarray:
    """(n,) units of the level that the stock is compared with; NaN where the kind has none."""
    if rule.basis == "none":
        return np.full(len(facts), np.nan)
    return facts[rule.basis].to_numpy()


def measure(rule: Rule, facts: pd.DataFrame, stock: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(n,) the measure of the rule's kind.

    facts: (n,) as `warning.facts.complete` gives them; stock, basis: as `stock_of` and `basis_of`
    """
    return MEASURES[rule.kind](rule, facts, stock, basis)


def threshold(rule: Rule, facts: pd.DataFrame, basis: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """(n,) units at which the tier of that bound begins; for a risk, the reorder point that would keep it
    in bounds; NaN where the measure is not about units.
    """
    if rule.kind == "out_of_stock":
        return np.zeros(len(facts))
    if rule.kind == "stockout_risk":
        return facts["reorder_point"].to_numpy()
    if rule.kind in ("low_stock", "overstock"):
        return basis * (1 - bound if rule.kind == "low_stock" else 1 + bound)
    return np.full(len(facts), np.nan)


def at_risk(
    rule: Rule, facts: pd.DataFrame, stock: np.ndarray, basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Units and money at risk, (n,) each; NaN = unknown.

    A shortage risks the expected lost money as told, else lost units at their price, else at their cost. A
    surplus ties up, at cost, what lies above the basis, or above the order-up-to level where the basis is the
    overstock level: that one says when it is too much, not how much is healthy. Slow and dead stock tie up
    what does not pay to keep, where that is known. An expiry loses what will not be sold in time.
    """
    cost = facts["unit_cost"].to_numpy() if "unit_cost" in facts else np.full(len(facts), np.nan)
    if rule.kind == "expiry":
        units = facts["expiring_units"].to_numpy()
        return units, units * cost
    if rule.kind in ("slow_stock", "dead_stock"):
        return _too_slow(rule, facts, stock, cost)
    if rule.kind == "overstock":
        healthy = basis
        if rule.basis == "overstock_level":
            healthy = np.fmin(facts["order_up_to"].to_numpy(), basis)
        surplus = np.maximum(stock - np.maximum(healthy, 0.0), 0.0)
        return surplus, surplus * cost
    lost, money = facts["expected_lost_units"], facts["expected_lost_money"]
    price = facts["unit_price"].fillna(facts["unit_cost"]) if "unit_price" in facts else np.nan
    # A lost unit costs something: no money for it means that nobody said how much.
    told = money.where((money > 0) | (lost <= 0) | lost.isna())
    return lost.to_numpy(), told.fillna(lost * price).to_numpy()


def _too_slow(
    rule: Rule, facts: pd.DataFrame, stock: np.ndarray, cost: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    everything = np.maximum(stock, 0.0)
    if rule.kind == "dead_stock":
        return everything, everything * cost
    healthy = np.maximum(facts["order_up_to"].to_numpy(), 0.0)
    surplus = facts["units_to_clear"].fillna(pd.Series(np.maximum(everything - healthy, 0.0), facts.index))
    money = facts["money_to_clear"].fillna(surplus * cost)
    return surplus.to_numpy(), money.to_numpy()


def _stale(_rule: Rule, facts: pd.DataFrame, _stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    return np.where(facts["stale"] > 0, facts["behind_days"], -np.inf)


def _contradictory(_rule: Rule, facts: pd.DataFrame, _stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    off, whole = facts["contradictions"].to_numpy(), facts["positions"].to_numpy()
    share = np.minimum(off / np.where(whole > 0, whole, np.nan), 1.0)
    return np.where(off > 0, np.where(np.isnan(share), 1.0, share), -np.inf)


def _no_position(_rule: Rule, _facts: pd.DataFrame, stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(stock), 0.0, -np.inf)


def _supplier_late(_rule: Rule, facts: pd.DataFrame, _stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    overdue, lines = facts["overdue"].to_numpy(), facts["open_orders"].to_numpy()
    return np.where(overdue >= FEW, overdue / np.maximum(lines, 1.0), -np.inf)


def _supplier_shift(_rule: Rule, facts: pd.DataFrame, _stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    # A trend that nobody can tell from luck any more neither begins nor ends a shift; one gone does.
    trend = facts["trend"].to_numpy()
    return np.where(facts["shifted"] > 0, trend, np.where(trend > 0, np.nan, -np.inf))


def _out_of_stock(_rule: Rule, facts: pd.DataFrame, stock: np.ndarray, basis: np.ndarray) -> np.ndarray:
    # Nobody misses what is not meant to be stocked; an unknown level is no reason for silence.
    unwanted = (facts["order_up_to"] <= 0).to_numpy() & ~np.isnan(stock)
    scale = np.where(basis > 0, basis, 1.0)
    return np.where(unwanted, -np.inf, -stock / scale)


def _stockout_risk(_rule: Rule, facts: pd.DataFrame, stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(stock), np.nan, facts["stockout_probability"].to_numpy())


def _low_stock(_rule: Rule, _facts: pd.DataFrame, stock: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return np.where(_is_comparable(stock, basis), -_share(stock, basis), -np.inf)


def _overstock(_rule: Rule, _facts: pd.DataFrame, stock: np.ndarray, basis: np.ndarray) -> np.ndarray:
    # Against a level of zero any stock is infinitely too much.
    empty = np.where(stock > 0, np.inf, -np.inf)
    return np.where(_is_comparable(stock, basis), _share(stock, basis), empty)


def _share(stock: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return (stock - basis) / np.where(basis > 0, basis, 1.0)


def _is_comparable(stock: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return (basis > 0) | np.isnan(stock) | np.isnan(basis)


def _late_inbound(_rule: Rule, facts: pd.DataFrame, _stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    days = facts["late_days"].to_numpy()
    return np.where(facts["late"] > 0, days, -np.inf)


def _expiry(_rule: Rule, facts: pd.DataFrame, stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    chance = 1.0 - facts["sell_before_expiry_probability"].to_numpy()
    perishes = np.where(np.isnan(chance) | (stock <= 0), -np.inf, chance)
    return np.where(np.isnan(stock), np.nan, perishes)


def _dead_stock(_rule: Rule, facts: pd.DataFrame, stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    days = facts["days_since_sale"].to_numpy()
    return np.where(np.isnan(stock), np.nan, np.where((stock > 0) & ~np.isnan(days), days, -np.inf))


def _slow_stock(_rule: Rule, facts: pd.DataFrame, stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(stock), np.nan, np.where(stock > 0, facts["days_of_cover"], -np.inf))


def _abnormal_demand(_rule: Rule, facts: pd.DataFrame, _stock: np.ndarray, _basis: np.ndarray) -> np.ndarray:
    return facts["demand_once_in"].to_numpy()


MEASURES: dict[str, Measure] = {
    "stale_data": _stale,
    "contradictory_data": _contradictory,
    "no_position": _no_position,
    "supplier_late": _supplier_late,
    "supplier_shift": _supplier_shift,
    "out_of_stock": _out_of_stock,
    "stockout_risk": _stockout_risk,
    "low_stock": _low_stock,
    "late_inbound": _late_inbound,
    "expiry": _expiry,
    "dead_stock": _dead_stock,
    "slow_stock": _slow_stock,
    "overstock": _overstock,
    "abnormal_demand": _abnormal_demand,
}
