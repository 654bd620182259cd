"""Grading: how bad each position is by one rule, for all positions at once.

This module owns each kind's measure, the tiers with their hysteresis, the limit in units and the money at
risk. It knows nothing of alerts beyond the tier a position already has.
"""

import difflib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from warning.facts import available
from warning.rules import TIERS, Rule

EXACT = 1e-9  # so that 90 of 100 is 10 % below in binary arithmetic too


@dataclass(frozen=True)
class Grade:
    """One rule's opinion of n positions.

    tier: (n,) 0 none, 1 notice, 2 warning, 3 critical
    measure: (n,) distance, larger is worse; NaN = cannot be told, -inf = does not apply
    bound: (n,) the tier's bound on the measure; the lowest bound where there is no tier
    threshold: (n,) that bound in units of stock
    stock: (n,) the units that were compared
    units: (n,) units at risk: lost sales, or the surplus
    money: (n,) money at risk; NaN = unknown
    """

    tier: np.ndarray
    measure: np.ndarray
    bound: np.ndarray
    threshold: np.ndarray
    stock: np.ndarray
    units: np.ndarray
    money: np.ndarray


def grade(rule: Rule, facts: pd.DataFrame, previous: np.ndarray) -> Grade:
    """Tier of every position by one rule.

    facts: (n,) rows as `warning.facts.complete` gives them
    previous: (n,) tier of the open alert of this rule, 0 = none
    A tier begins at its bound (inclusive) and ends below bound − hysteresis. What cannot be measured keeps
    the tier it has: missing data neither opens nor ends an alert.
    """
    stock, basis = _stock(rule, facts), _basis(rule, facts)
    measure = np.where(_watched(rule, facts), _measure(rule, facts, stock, basis), -np.inf)
    units, money = _at_risk(rule, facts, stock, basis)
    severities = np.array([TIERS.index(name) + 1 for name in TIERS if name in rule.tiers], dtype=np.int8)
    bounds = np.array([rule.tiers[name] for name in TIERS if name in rule.tiers])
    rank = np.concatenate([[0], severities]).astype(np.int8)
    reached = rank[(measure[:, None] >= bounds - EXACT).sum(axis=1)]
    held = rank[(measure[:, None] >= bounds - rule.hysteresis - EXACT).sum(axis=1)]
    reached = np.where((previous == 0) & (money < rule.min_money), 0, reached)
    tier = np.maximum(reached, np.minimum(previous, held))
    tier = np.where(np.isnan(measure), previous, tier)
    # An open alert may carry a tier that the rule no longer has: it takes the nearest one.
    position = np.clip(np.searchsorted(severities, tier, side="right") - 1, 0, None)
    tier = np.where((tier > 0) & ~np.isnan(measure), severities[position], tier).astype(np.int8)
    bound = bounds[position]
    threshold = _threshold(rule, facts, basis, bound)
    return Grade(tier, measure, bound, threshold, stock, units, money)


def _watched(rule: Rule, facts: pd.DataFrame) -> np.ndarray:
    """(n,) whether the rule applies: its selector, and no shortage of what is no longer sold."""
    watched = np.ones(len(facts), dtype=bool)
    for column, values in rule.selects.items():
        if column not in facts:
            close = difflib.get_close_matches(column, facts.columns, 1)
            remedy = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(facts.columns)}"
            raise Problem(f"rule {rule.name!r} selects by {column!r}, which no position has; {remedy}")
        watched &= facts[column].astype(str).isin(values).to_numpy()
    if rule.kind != "overstock":
        watched &= ~(facts["lifecycle"] == "discontinued").to_numpy()
    return watched


def _stock(rule: Rule, facts: pd.DataFrame) -> np.ndarray:
    """(n,) units the rule compares; where no projection is known, what is available now."""
    now = available(facts)
    if rule.stock == "position":
        return now + facts["inbound"].to_numpy()
    if rule.stock == "projected":
        projected = facts["projected"].to_numpy()
        return np.where(np.isnan(projected) | np.isnan(now), now, projected)
    return now


def _basis(rule: Rule, facts: pd.DataFrame) -> np.ndarray:
    if rule.basis == "none":
        return np.full(len(facts), np.nan)
    return facts[rule.basis].to_numpy()


def _measure(rule: Rule, facts: pd.DataFrame, stock: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(n,) the measure of the rule's kind, by the table in `warning.rules`."""
    unknown = np.isnan(stock)
    if rule.kind == "no_position":
        return np.where(unknown, 0.0, -np.inf)
    if rule.kind == "stockout_risk":
        return np.where(unknown, np.nan, facts["stockout_probability"].to_numpy())
    if rule.kind == "out_of_stock":
        # Nobody misses what is not meant to be stocked; an unknown level is no reason for silence.
        unwanted = (facts["order_up_to"] <= 0).to_numpy() & ~unknown
        scale = np.where(basis > 0, basis, 1.0)
        return np.where(unwanted, -np.inf, -stock / scale)
    positive = basis > 0
    share = (stock - basis) / np.where(positive, basis, 1.0)
    if rule.kind == "low_stock":
        return np.where(positive | unknown | np.isnan(basis), -share, -np.inf)
    # Against a level of zero any stock is infinitely too much.
    empty = np.where(stock > 0, np.inf, -np.inf)
    return np.where(positive | unknown | np.isnan(basis), share, empty)


def _threshold(rule: Rule, facts: pd.DataFrame, basis: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """(n,) units at which the tier begins; for a risk, the reorder point that would keep it in bounds."""
    if rule.kind == "no_position":
        return np.full(len(facts), np.nan)
    if rule.kind == "out_of_stock":
        return np.zeros(len(facts))
    if rule.kind == "stockout_risk":
        return facts["reorder_point"].to_numpy()
    return basis * (1 - bound if rule.kind == "low_stock" else 1 + bound)


def _at_risk(
    rule: Rule, facts: pd.DataFrame, stock: np.ndarray, basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Units and money at risk, (n,) each.

    A shortage risks the expected lost money as told, else lost units at their price, else at their cost; an
    overstock ties up, at cost, its surplus above the basis, or above the order-up-to level where the basis
    is the overstock level: that one says when it is too much, not how much is healthy.
    """
    cost = facts["unit_cost"].to_numpy()
    if rule.kind == "overstock":
        healthy = basis
        if rule.basis == "overstock_level":
            healthy = np.fmin(facts["order_up_to"].to_numpy(), basis)
        surplus = np.maximum(stock - np.maximum(healthy, 0.0), 0.0)
        return surplus, surplus * cost
    price = facts["unit_price"].fillna(facts["unit_cost"])
    lost, money = facts["expected_lost_units"], facts["expected_lost_money"]
    # A lost unit costs something: no money for it means that nobody said how much.
    told = money.where((money > 0) | (lost <= 0))
    return lost.to_numpy(), told.fillna(lost * price).to_numpy()
