"""Classic rules: the order-up-to levels that replays compare with.

They know a mean and a standard deviation of past demand and of the lead time, and nothing of what is ahead.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from optimization.king import king_safety_stock


class Facts(NamedTuple):
    """What a classic rule knows at each of T dates, (n, T) each.

    mean, sd: units of demand in one period; interval, interval_sd: lead time + review, periods
    """

    mean: np.ndarray
    sd: np.ndarray
    interval: np.ndarray
    interval_sd: np.ndarray


def past_demand(quantity: np.ndarray, observed: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) mean and standard deviation of one period's demand over the last `window` observed periods.

    quantity, observed: (n, T) units, and whether they were seen (an empty shelf was not); a series never
    seen has 0

    >>> past_demand(np.array([[9.0, 1.0, 3.0, 8.0]]), np.array([[True, True, True, False]]), 3)
    (array([2.]), array([1.]))
    """
    kept = observed[:, -window:]
    rows = np.where(kept, quantity[:, -window:], 0.0).astype(float)
    count = np.maximum(kept.sum(axis=1), 1)
    mean = rows.sum(axis=1) / count
    spread = np.where(kept, (rows - mean[:, None]) ** 2, 0.0).sum(axis=1) / count
    return mean, np.sqrt(spread)


def king(facts: Facts, target: float) -> np.ndarray:
    """(n, T) units: demand over the interval and King's safety stock z·√(L·σ² + d²·σ_L²)."""
    return facts.mean * facts.interval + king_safety_stock(*facts, target)


def root_of_time(facts: Facts, target: float) -> np.ndarray:
    """(n, T) units: demand over the interval and z·σ·√L, the lead time taken for certain."""
    return facts.mean * facts.interval + norm.ppf(target) * facts.sd * np.sqrt(facts.interval)


def fixed_cover(facts: Facts, periods: float) -> np.ndarray:
    """(n, T) units: one level for good, so many `periods` of the demand known on the first date."""
    return np.repeat(facts.mean[:, :1], facts.mean.shape[1], axis=1) * periods
