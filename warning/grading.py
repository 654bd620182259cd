"""Grading: how bad each position is by one rule, for all positions at once.

This module owns the tiers with their hysteresis and sensitivity. It knows nothing of alerts beyond the tier a
position already has.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from warning.kinds import SURPLUSES, TIERS
from warning.measures import at_risk, basis_of, measure, stock_of, threshold
from warning.rules import Rule
from warning.selection import factors, selected

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


def grade(rule: Rule, facts: pd.DataFrame, previous: np.ndarray, unknown: np.ndarray | None = None) -> Grade:
    """Tier of every position by one rule.

    facts: (n,) rows as `warning.facts.complete` gives them, with the columns that the rule names
    previous: (n,) tier of the open alert of this rule, 0 = none
    unknown: (n,) where nothing can be told, because the data are stale
    A tier begins at its bound (inclusive) and ends as `ends_of` says; where the rule is sensitive, bounds and
    hysteresis are divided by the factor. What cannot be measured keeps the tier it has: missing data neither
    opens nor ends an alert.
    """
    stock, basis = stock_of(rule, facts), basis_of(rule, facts)
    found = measure(rule, facts, stock, basis)
    if unknown is not None:
        found = np.where(unknown, np.nan, found)
    found = np.where(watched(rule, facts), found, -np.inf)
    units, money = at_risk(rule, facts, stock, basis)
    severities = np.array([TIERS.index(name) + 1 for name in TIERS if name in rule.tiers], dtype=np.int8)
    bounds = _bounds(rule, facts)
    rank = np.concatenate([[0], severities]).astype(np.int8)
    ease = (
        rule.hysteresis / factors(facts, rule.sensitivity)[:, None] if rule.sensitivity else rule.hysteresis
    )
    exact = EXACT * np.maximum(1.0, bounds)
    reached = rank[(found[:, None] >= bounds - exact).sum(axis=1)]
    held = rank[(found[:, None] >= ends_of(bounds, ease) - exact).sum(axis=1)]
    reached = np.where((previous == 0) & (money < rule.min_money), 0, reached)
    tier = np.maximum(reached, np.minimum(previous, held))
    tier = np.where(np.isnan(found), previous, tier)
    # An open alert may carry a tier that the rule no longer has: it takes the nearest one.
    position = np.clip(np.searchsorted(severities, tier, side="right") - 1, 0, None)
    tier = np.where((tier > 0) & ~np.isnan(found), severities[position], tier).astype(np.int8)
    bound = bounds[np.arange(len(bounds)), position] if len(bounds) == len(facts) else bounds[0, position]
    return Grade(tier, found, bound, threshold(rule, facts, basis, bound), stock, units, money)


def ends_of(bounds: np.ndarray, ease: np.ndarray | float) -> np.ndarray:
    """(rows, tiers) below which each tier ends: the ease under its bound, and above the lowest tier at the
    latest where the next one begins. A wide hysteresis keeps the alert, not its worst colour.

    bounds: (rows, tiers) ascending; ease: the hysteresis, (rows, 1) or one number

    >>> ends_of(np.array([[0.0, 0.5]]), 0.8).tolist()
    [[-0.8, 0.0]]
    """
    ends = bounds - ease
    ends[:, 1:] = np.maximum(ends[:, 1:], bounds[:, :-1])
    return ends


def _bounds(rule: Rule, facts: pd.DataFrame) -> np.ndarray:
    """(1 or n, tiers) ascending bounds; one that a factor takes beyond the kind's range stays at its end."""
    bounds = np.array([[rule.tiers[name] for name in TIERS if name in rule.tiers]], dtype=float)
    if not rule.sensitivity:
        return bounds
    return np.minimum(bounds / factors(facts, rule.sensitivity)[:, None], rule.shape.bounds[1])


def watched(rule: Rule, facts: pd.DataFrame) -> np.ndarray:
    """(n,) whether the rule applies: its selector, and no shortage of what is no longer sold."""
    applies = selected(facts, rule.selects)
    if rule.shape.subject == "item" and rule.kind not in SURPLUSES:
        applies &= ~(facts["lifecycle"] == "discontinued").to_numpy()
    return applies
