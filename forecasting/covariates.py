"""Covariates as features: what each did lately and, where it is known ahead, what it will do in the window.

It owns the limit of what may be seen: at an origin a covariate is known as far ahead as plans give it beyond
the as-of date, and else only up to the origin.
"""

import numpy as np

from forecasting.history import WINDOWS
from forecasting.panel import Panel

MOST = 12  # covariates that become features


def covariates_for(panel: Panel) -> tuple[str, ...]:
    """Names of the covariates that become features, in alphabetical order."""
    return tuple(sorted(panel.covariates)[:MOST])


def columns_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of their features.

    >>> columns_of(("rain",))
    ('rain_recent', 'rain_ahead')
    """
    return tuple(f"{name}_{what}" for name in names for what in ("recent", "ahead"))


def around(
    panel: Panel,
    names: tuple[str, ...],
    pairs: tuple[np.ndarray, np.ndarray],
    horizons: np.ndarray,
    window: bool,
) -> np.ndarray:
    """(m, g, 2 per name) float32 mean of the week up to the origin, and ahead; NaN where not known.

    pairs: series and origin, (m,) each; a name that the panel does not have is not known anywhere
    window: ahead is the mean over the window of each horizon, else the value of its last period
    """
    series, origin = pairs
    out = np.full((len(series), len(horizons), 2 * len(names)), np.nan, dtype=np.float32)
    week = WINDOWS[panel.period.name][0]
    for k, name in enumerate(names):
        if name not in panel.covariates:
            continue
        values = panel.covariates[name][series].astype(float)
        sums = _running(np.nan_to_num(values)), _running(np.isfinite(values))
        begin = np.maximum(origin + 1 - week, 0)
        out[:, :, 2 * k] = _mean(sums, begin, origin + 1)[:, None]
        for j, h in enumerate(horizons):
            low = origin + 1 if window else origin + h
            known = h <= panel.ahead.get(name, 0)
            out[:, j, 2 * k + 1] = _mean(sums, low, origin + 1 + h) if known else np.nan
    return out


def _running(values: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _mean(sums: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    row = np.arange(len(low))
    total, count = (part[row, high] - part[row, low] for part in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)
