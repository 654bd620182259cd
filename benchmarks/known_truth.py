"""Levels for one who knew the true distributions of the simulated retailer: a measure of what is left to win.

It owns the draw: demand as it might have come, over the true random lead time and the review after it.
Weather and shocks are drawn anew; those of today, which last for days, are not known either. From the draws
follow the levels of least stock: for cycle service quantiles, for fill rates the levels that reach them.
"""

import numpy as np
import pandas as pd

from ingestion.retailer import Truth
from ingestion.retailer_demand import redraw
from optimization.replay import sample_lead_times

DRAWS = 200
BLOCK = 50  # series drawn at once


def known_levels(
    truth: Truth,
    at: tuple[np.ndarray, pd.DatetimeIndex],
    terms: tuple[np.ndarray, np.ndarray],
    targets: tuple[np.ndarray, np.ndarray],
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """(n, T, chances) units that cover demand from each evening on, and (n, T, rates) that fill it.

    at: rows of n series in the truth, and T evenings
    terms: (n, Lmax + 1) true chance of a lead time of 0, 1, … days, and (n,) days between reviews
    targets: chances of covering the protection interval, and fill rates
    """
    (rows, dates), (pmfs, review), (chances, rates) = at, terms, targets
    rng = np.random.default_rng(seed)
    ahead = pmfs.shape[1] + int(review.max())
    first = np.searchsorted(truth.dates, dates) + 1
    lead = sample_lead_times(pmfs, DRAWS, rng)
    last = lead + review[:, None]
    kind, category = (truth.keys[name].to_numpy()[rows].repeat(DRAWS) for name in ("kind", "category"))
    cover = np.empty((len(rows), len(dates), len(chances)))
    fill = np.empty((len(rows), len(dates), len(rates)))
    for t, day in enumerate(first):
        for low in range(0, len(rows), BLOCK):
            some = slice(low, min(low + BLOCK, len(rows)))
            drawn = slice(low * DRAWS, some.stop * DRAWS)
            expected = truth.expected[rows[some], day : day + ahead].repeat(DRAWS, axis=0)
            demand = redraw(rng, kind[drawn], category[drawn], expected)
            sums = np.cumsum(np.pad(demand, ((0, 0), (1, 0))), axis=1)
            each = np.arange(len(sums))
            before, over = (sums[each, steps[some].ravel()].reshape(-1, DRAWS) for steps in (lead, last))
            cover[some, t] = np.quantile(over, chances, axis=1, method="inverted_cdf").T
            fill[some, t] = _fill_levels(before, over, rates)
    return cover, fill


def _fill_levels(before: np.ndarray, over: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """(series, rates) least whole units of each fill rate: one less what falls short after the review, but
    not before it, over what the review brings.

    before, over: (series, draws) units over the lead time, and over lead time and review
    """
    asked = (over - before).mean(axis=1, keepdims=True)
    low = np.zeros((len(over), len(rates)))
    high = np.repeat(over.max(axis=1, keepdims=True), len(rates), axis=1)
    while (high > low).any():
        middle = np.floor((low + high) / 2)
        short = [
            np.maximum(sums[:, :, None] - middle[:, None, :], 0.0).mean(axis=1) for sums in (over, before)
        ]
        enough = short[0] - short[1] <= (1.0 - rates) * asked
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return high
