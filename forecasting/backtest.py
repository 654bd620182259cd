"""Rolling origins: what a forecaster would have said, what happened, and how far apart they were.

It owns the folds and the scores. Windows in which every shelf was stocked are clean; in the others demand
is at least what was sold, so they are scored apart, as lower bounds.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from forecasting.cumulative import LEVELS
from forecasting.features import build_rows
from forecasting.forecaster import LEAST_OBSERVED, knots
from forecasting.panel import Panel
from forecasting.shelves import SHAPE

SCORED = (0.5, 0.8, 0.9, 0.95, 0.99)
SPAN = {"day": 112, "week": 26, "month": 12}  # periods that origins are spread over, at least two horizons
ENOUGH_CLEAN = 200  # windows with full shelves from which errors are learned
MOSTLY_CLEAN = 0.5  # share of the windows seen from which on those with empty shelves are believed as well
LEAST_SEEN = 0.25  # share of a window that must be observed for what was not to be told from it
MOST_SERIES = 1500  # series in the folds: more do not change a choice
BLOCK = 4000  # series whose means are taken at once: memory is bounded by it


@dataclass(frozen=True)
class Folds:
    """Pairs of series and origin to predict, and what then happened.

    fitted: number of the last period that a model may have learned from
    horizons: (g,) periods
    series, origin: (m,)
    actual: (m, g) units; NaN where too little of the window was observed; completed where some is missing
    sold: (m, g) units sold in the window, a lower bound; NaN where the window is not over
    clean: (m, g) bool, the whole window was observed with full shelves
    scale: (m, g) mean demand per period × √h, units: pinball loss over it is free of scale
    """

    fitted: int
    horizons: np.ndarray
    series: np.ndarray
    origin: np.ndarray
    actual: np.ndarray
    sold: np.ndarray
    clean: np.ndarray
    scale: np.ndarray

    def take(self, rows: np.ndarray) -> "Folds":
        """Some of the pairs."""
        parts = (self.series, self.origin, self.actual, self.sold, self.clean, self.scale)
        return Folds(self.fitted, self.horizons, *(part[rows] for part in parts))


def build_folds(panel: Panel, horizon: int, origins: int, seed: int) -> Folds:
    """Evenly spaced origins over the last part of the history, after a point where models are fitted.

    The last part is long enough to hold more than one mood of the market, and at most 30% of the history, so
    that a model has enough to learn from.
    """
    grid = knots(horizon)
    length = panel.length
    span = int(min(max(2 * horizon, SPAN[panel.period.name]), max(0.3 * length, 2)))
    # Before that series borrow, and nobody asks a model; its errors there would tell of no forecast.
    able = min(LEAST_OBSERVED[panel.period.name], length) - 1
    fitted = max(length - 1 - span, able)
    shortest = min(int(grid[-1]), 7 if panel.period.name == "day" else 2)
    at = np.unique(np.linspace(fitted, max(length - 1 - shortest, fitted), origins).astype(int))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(panel.series)[:MOST_SERIES])
    series, origin = (part.ravel() for part in np.meshgrid(chosen, at, indexing="ij"))
    begun = panel.first[series] <= origin
    return folds_of(panel, series[begun], origin[begun], grid, fitted)


def folds_of(
    panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray, fitted: int
) -> Folds:
    """What happened after the pairs (series[k], origin[k]) over each horizon."""
    # Sums take eight bytes a cell, and of many series few are in the folds.
    rows, place = np.unique(series, return_inverse=True)
    quantity, sold, in_stock = (part[rows] for part in (panel.quantity, panel.sold, panel.in_stock))
    observed = np.isfinite(quantity)
    pairs = (place, origin, horizons)
    total = _sums(np.nan_to_num(quantity.astype(float)), *pairs)
    full = _sums(observed & (in_stock >= 1.0), *pairs)
    over = origin[:, None] + horizons[None, :] < panel.length
    seen = _sums(observed, *pairs)
    actual = np.where(over & (seen >= LEAST_SEEN * horizons), total, np.nan)
    short = np.flatnonzero((np.isfinite(actual) & (seen < horizons)).any(axis=1))
    if len(short):
        actual[short] += _unseen(panel, series[short], origin[short], horizons, total[short])
    least = np.where(over, _sums(np.nan_to_num(sold.astype(float)), *pairs), np.nan)
    count = observed.sum(axis=1)
    mean = np.where(count > 0, np.nansum(quantity.astype(float), axis=1) / np.maximum(count, 1), 0.0)
    scale = mean[place][:, None] * np.sqrt(horizons)[None, :]
    return Folds(fitted, horizons, series, origin, actual, least, over & (full == horizons), scale)


def _unseen(
    panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """(m, g) demand expected of the periods of each window that were not observed, units.

    As expected at the origin, promotions included, times how busy the observed rest was: with a gamma factor
    of shape a for that, demand q where e was expected leaves one of mean (a + q) / (a + e), in sales.
    Shelves run empty in promoted and busy weeks: leaving these out, or scaling up the plain days of a week,
    would leave a truth that is calmer than demand.
    """
    rows = build_rows(panel, series, origin, horizons)
    expected = np.diff(rows.course, axis=1, prepend=0.0)
    at = origin[:, None] + np.arange(1, expected.shape[1] + 1)[None, :]
    inside = np.minimum(at, panel.length - 1)
    observed = np.isfinite(panel.quantity[series[:, None], inside]) & (at < panel.length)
    met = np.cumsum(np.where(observed, expected, 0.0), axis=1)[:, horizons - 1]
    size = np.where(rows.summary.size > 0, rows.summary.size, 1.0)[:, None]
    return (rows.course[:, horizons - 1] - met) * (SHAPE * size + total) / (SHAPE * size + met)


def truth_of(folds: Folds) -> np.ndarray:
    """(m, g) demand that errors are learned from; NaN where nothing is to be learned.

    Shelves run empty when demand is high, so windows with full shelves are the calm ones. While most windows
    are of that kind, the others count as well, with what their empty shelves hid completed. Where most are
    not, what was completed would be most of what is learned, and the full ones count alone.
    """
    seen, clean = np.isfinite(folds.actual).sum(), folds.clean.sum()
    if clean >= MOSTLY_CLEAN * seen or clean < ENOUGH_CLEAN:
        return folds.actual
    return np.where(folds.clean, folds.actual, np.nan)


def _sums(values: np.ndarray, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray) -> np.ndarray:
    """(m, g) sums of `values` (n, T) over the horizons after each origin, cut at the end."""
    running = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=running[:, 1:])
    end = np.minimum(origin[:, None] + 1 + horizons[None, :], values.shape[1])
    return running[series[:, None], end] - running[series, origin + 1][:, None]


def pinball(actual: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Pinball loss of quantiles (…, levels) against actual (…), units.

    >>> pinball(np.array([10.0, 2.0]), np.array([[8.0], [8.0]]), np.array([0.9])).ravel().round(2).tolist()
    [1.8, 0.6]
    """
    off = actual[..., None] - quantiles
    return np.maximum(levels * off, (levels - 1.0) * off)


def losses(folds: Folds, quantiles: np.ndarray, clean: bool = True) -> np.ndarray:
    """(m, g) scaled pinball loss, mean over SCORED; NaN where the window is not scored.

    quantiles: (m, g, LEVELS) units
    clean: score clean windows; else the partial ones, where only falling short of what was sold counts
    """
    levels = np.array(SCORED)
    given = quantiles[:, :, np.searchsorted(LEVELS, levels)]
    with np.errstate(invalid="ignore", divide="ignore"):
        if clean:
            loss = pinball(np.where(folds.clean, folds.actual, np.nan), given, levels)
        else:
            short = np.maximum(folds.sold[:, :, None] - given, 0.0) * levels
            loss = np.where(folds.clean[:, :, None], np.nan, short)
        return np.where(folds.scale > 0, loss.mean(axis=2) / folds.scale, np.nan)


def score(panel: Panel, folds: Folds, mean: np.ndarray, quantiles: np.ndarray) -> pd.DataFrame:
    """Scores per segment: all, thirds of volume, intermittency classes, horizon bands.

    mean, quantiles: (m, g) and (m, g, LEVELS) units
    Columns: segment, windows, pinball (scaled, clean windows), pinball_partial, bias (share of demand), and
    per scored level the coverage as P(Y < q) (below) and P(Y ≤ q) (within).
    """
    table = {"pinball": losses(folds, quantiles), "pinball_partial": losses(folds, quantiles, clean=False)}
    used = np.isfinite(table["pinball"])
    off = np.where(used, mean - folds.actual, np.nan)
    for level in SCORED:
        row = quantiles[:, :, np.searchsorted(LEVELS, level)]
        table[f"below_{level}"] = np.where(used, folds.actual < row - 1e-6, np.nan)
        table[f"within_{level}"] = np.where(used, folds.actual <= row + 1e-6, np.nan)
    rows = []
    for name, mask in segments(panel, folds).items():
        demand = folds.actual[mask & used].sum()
        found = {key: _mean(values[mask]) for key, values in table.items()}
        bias = np.nansum(off[mask]) / demand if demand > 0 else np.nan
        rows.append({"segment": name, "windows": int((mask & used).sum()), "bias": bias} | found)
    return pd.DataFrame(rows)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def segments(panel: Panel, folds: Folds) -> dict[str, np.ndarray]:
    """Masks (m, g) of the segments that scores are reported for."""
    volume, zeros = panel.memo.once("volume and zeros", lambda: _volume_and_zeros(panel))
    third = np.searchsorted(np.quantile(volume, [1 / 3, 2 / 3]), volume)
    every = np.ones(folds.actual.shape, dtype=bool)
    parts = {"all": every}
    parts |= {
        f"volume {name}": (third == k)[folds.series][:, None] & every
        for k, name in enumerate(("low", "mid", "high"))
    }
    for name, mask in (
        ("steady", zeros < 0.25),
        ("intermittent", (zeros >= 0.25) & (zeros < 0.75)),
        ("rare", zeros >= 0.75),
    ):
        parts[name] = mask[folds.series][:, None] & every
    borders = [0, 7, 14, 28, 10_000] if panel.period.name == "day" else [0, 1, 2, 4, 10_000]
    for low, high in pairwise(borders):
        band = (folds.horizons > low) & (folds.horizons <= high)
        if band.any():
            parts[f"horizon {low + 1}-{int(folds.horizons[band].max())}"] = band[None, :] & every
    return parts


def _volume_and_zeros(panel: Panel) -> np.ndarray:
    """(2, n) mean demand per observed period, units, and the share of these without any."""
    out = np.empty((2, panel.series))
    for low in range(0, panel.series, BLOCK):
        quantity = panel.quantity[low : low + BLOCK]
        observed = np.isfinite(quantity)
        count = np.maximum(observed.sum(axis=1), 1)
        out[0, low : low + BLOCK] = np.nansum(quantity, axis=1) / count
        out[1, low : low + BLOCK] = (quantity == 0).sum(axis=1) / count
    return out
