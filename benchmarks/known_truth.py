"""Levels for one who knew the truth of the simulated retailer: what no forecast can be expected to beat.

It owns the draw: demand as it might have come, weather and shocks unknown, over the true random protection
interval. Its quantiles are the levels of least stock that cover each interval with the chance asked for.
"""

import numpy as np
import pandas as pd

from ingestion.retailer import Truth
from ingestion.retailer_demand import redraw

DRAWS = 200
BLOCK = 50  # series drawn at once


def known_levels(
    truth: Truth,
    at: tuple[np.ndarray, pd.DatetimeIndex],
    terms: tuple[np.ndarray, np.ndarray],
    settings: np.ndarray,
    seed: int = 0,
) -> np.ndarray:
    """(n, T, settings) units that cover demand from each evening on with each chance.

    at: rows of n series in the truth, and T evenings
    terms: (n, Lmax + 1) true chance of a lead time of 0, 1, … days, and (n,) days between reviews
    """
    rows, dates = at
    pmfs, review = terms
    rng = np.random.default_rng(seed)
    ahead = pmfs.shape[1] + int(review.max())
    first = np.searchsorted(truth.dates, dates) + 1
    reach = np.cumsum(pmfs / pmfs.sum(axis=1, keepdims=True), axis=1)
    chance = rng.random((len(rows), DRAWS, 1))
    last = (chance > reach[:, None, :]).sum(axis=2) + review[:, None] - 1
    kind, category = (truth.keys[name].to_numpy()[rows].repeat(DRAWS) for name in ("kind", "category"))
    out = np.empty((len(rows), len(dates), len(settings)))
    for t, day in enumerate(first):
        for low in range(0, len(rows), BLOCK):
            some = slice(low, min(low + BLOCK, len(rows)))
            drawn = slice(low * DRAWS, some.stop * DRAWS)
            expected = truth.expected[rows[some], day : day + ahead].repeat(DRAWS, axis=0)
            sums = np.cumsum(redraw(rng, kind[drawn], category[drawn], expected), axis=1)
            over = sums[np.arange(len(sums)), last[some].ravel()].reshape(-1, DRAWS)
            out[some, t] = np.quantile(over, settings, axis=1, method="inverted_cdf").T
    return out
