"""Surprise: how far out the demand of the last days lies, by what the model would have said of them.

It owns the comparison of what just happened with the forecast made before it: of the last period and of the
last week or so, the one that lies further out counts.
"""

import numpy as np
import pandas as pd

from forecasting.models import DemandModel
from forecasting.panel import Panel

WINDOWS = {"day": (1, 7), "week": (1,), "month": (1,)}  # periods that are looked back on
RAREST = 1e6  # windows: what is rarer is not told apart
COLUMNS = ["demand_seen", "demand_expected", "demand_days", "demand_once_in"]


def surprise(model: DemandModel, panel: Panel) -> pd.DataFrame:
    """One row per series of the panel, COLUMNS: the window that lies furthest out.

    demand_seen, demand_expected: units of the window, and what was expected of it before it began
    demand_days: its length; demand_once_in: one window in how many has demand so far out on either side
    All NaN where the window was not wholly observed, or the series has no forecast of its own yet.
    """
    best = pd.DataFrame({name: np.full(panel.series, np.nan) for name in COLUMNS})
    for width in WINDOWS[panel.period.name]:
        if panel.length <= width or panel.horizon < width:
            continue
        found = _window(model, panel, width)
        further = found["demand_once_in"].to_numpy() > np.nan_to_num(best["demand_once_in"].to_numpy())
        best = found.where(pd.Series(further), best)
    return best


def once_in(seen: np.ndarray, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """(n,) one window in how many lies as far out as `seen` on either side, at most RAREST; NaN unobserved.

    below, above: (n,) chance of at most, of at least as much

    >>> once_in(np.array([9.0]), np.array([0.9995]), np.array([0.0005])).tolist()
    [1000.0]
    """
    chance = np.minimum(2.0 * np.minimum(below, above), 1.0)
    return np.where(np.isnan(seen), np.nan, 1.0 / np.maximum(chance, 1.0 / RAREST)).round(6)


def _window(model: DemandModel, panel: Panel, width: int) -> pd.DataFrame:
    seen = panel.quantity[:, -width:].astype(float).sum(axis=1)
    before = model.predict(panel.until(panel.length - 1 - width), width)
    pooled = np.asarray(before.method) == "pooled"
    seen = np.where(pooled, np.nan, seen)
    # Units are counted whole: so many or fewer reaches half a unit further, as does so many or more.
    half = np.where(seen == np.round(seen), 0.5, 0.0)
    low = before.cdf(np.nan_to_num(seen + half))[:, -1]
    high = 1.0 - before.cdf(np.nan_to_num(np.maximum(seen - half, 0.0)))[:, -1]
    rare = once_in(seen, low, np.where(seen <= 0, 1.0, high))
    known = ~np.isnan(rare)
    return pd.DataFrame(
        {
            "demand_seen": seen,
            "demand_expected": np.where(known, before.mean[:, -1], np.nan),
            "demand_days": np.where(known, width * panel.period.days, np.nan),
            "demand_once_in": rare,
        }
    )
