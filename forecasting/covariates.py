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
    lately = origin[:, None] - np.arange(WINDOWS[panel.period.name][0])
    for k, name in enumerate(names):
        if name not in panel.covariates:
            continue
        values = panel.covariates[name]
        past = np.where(lately >= 0, values[series[:, None], np.maximum(lately, 0)], np.nan)
        out[:, :, 2 * k] = _means(past)[:, -1:]
        known = np.flatnonzero(horizons <= panel.ahead.get(name, 0))
        if len(known):
            last = horizons[known] - 1
            coming = values[series[:, None], origin[:, None] + 1 + np.arange(last.max() + 1)]
            out[:, known, 2 * k + 1] = (_means(coming) if window else coming)[:, last]
    return out


def _means(values: np.ndarray) -> np.ndarray:
    """(m, L) mean of the known ones among the first, the first two, … of each row; NaN where none is."""
    known = np.isfinite(values)
    total, count = (np.cumsum(x, axis=1, dtype=float) for x in (np.where(known, values, 0.0), known))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)
