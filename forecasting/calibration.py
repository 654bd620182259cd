"""From a forecaster's mean, spread and raw quantiles to a distribution that held in the past.

It owns two corrections learned from rolling origins, both binned by how many sales the sum expects: pooled
errors about the mean, and conformal shifts of the raw quantiles. Cumulative errors are used as they are, so
that their growth with the horizon is learned and not assumed.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from scipy.special import ndtri
from scipy.stats import norm

from forecasting.cumulative import LEVELS, monotone
from forecasting.forecaster import Prediction

BANDS = np.array([3.5, 10.5, 21.5])  # borders between horizon bands, periods
BINS = 8  # bins of expected sales
# What errors have in common is taken back by half, at most by this many spreads: the origins it was learned
# from lie close together in time and share one trend, which the next months need not have. Measured: on real
# and simulated histories that loses less than all of it or none of it.
DOUBT = 0.2
ENOUGH = 60  # errors that a bin must have before it is split from its neighbours
# Above this level a bin knows little: the largest of its 100 errors is its .99 quantile. There it leans on
# the tail that all bins have together, by half where it has this many errors beyond the level. Bins of items
# that sell rarely, whose width from median to this level is less, in spreads, have tails of their own.
HIGH, LEAN, NARROW = 0.8, 60.0, 0.75
# One order in bulk is in every window that holds it, at several origins and horizons: what one series did
# once would be the tail of a whole bin. Errors about the mean count up to ALONE times what so many series
# reach, one more of each ten; those of raw quantiles, which know an item's own peaks, up to WILD times.
SEVERAL, EACH, ALONE, WILD = 3, 10, 1.5, 10.0
STILL = 0.5  # share of what scores of a series usually move by; one that moves less is still
MIDDLE, TOP = (int(np.searchsorted(LEVELS, level)) for level in (0.5, HIGH))
PRIOR = np.expm1(0.6 * ndtri(LEVELS) - 0.18) * 1.5  # where errors are few, in spreads: wide and skewed


@dataclass(frozen=True)
class Calibration:
    """What was learned from past errors.

    edges: (bins - 1,) borders of the bins of expected sales
    pooled: (bands, bins, LEVELS) quantiles of (demand - mean) / spread
    shift: (bands, bins, LEVELS) shift of the raw quantiles, in spreads; empty without raw quantiles
    correlation: of successive periods' errors
    errors: how many errors it was learned from
    """

    edges: np.ndarray
    pooled: np.ndarray
    shift: np.ndarray
    correlation: float
    errors: int

    def quantiles(self, prediction: Prediction) -> np.ndarray:
        """(m, g, LEVELS) units: the average of pooled errors about the mean and the shifted raw quantiles.

        A prediction that states all LEVELS, such as an average of calibrated ones, stands as it is.
        """
        if len(prediction.levels) == len(LEVELS):
            return monotone(prediction.quantiles)
        band = np.searchsorted(BANDS, prediction.horizons)[None, :]
        cell = np.searchsorted(self.edges, prediction.sales)
        spread = prediction.spread[:, :, None]
        rows = prediction.mean[:, :, None] + self.pooled[band, cell] * spread
        if len(prediction.levels):
            raw = at_levels(prediction.levels, prediction.quantiles) + self.shift[band, cell] * spread
            rows = 0.5 * (np.maximum(rows, 0.0) + np.maximum(raw, 0.0))
        return monotone(rows)

    def write(self, folder: Path, prefix: str) -> dict[str, Any]:
        """Put the tables into `folder` as Parquet and give the rest, fit for JSON."""
        for name in ("pooled", "shift"):
            table = getattr(self, name)
            if table.shape[2]:
                frame = pd.DataFrame(table.reshape(-1, table.shape[2]), columns=[f"{p}" for p in LEVELS])
                frame.to_parquet(folder / f"{prefix}-{name}.parquet")
        return {
            "prefix": prefix,
            "edges": self.edges.tolist(),
            "shape": list(self.pooled.shape),
            "shifted": bool(self.shift.shape[2]),
            "correlation": self.correlation,
            "errors": self.errors,
        }


def read_calibration(folder: Path, parts: dict[str, Any]) -> Calibration:
    """What `Calibration.write` put down."""
    shape = tuple(parts["shape"])

    def table(name: str) -> np.ndarray:
        return pd.read_parquet(folder / f"{parts['prefix']}-{name}.parquet").to_numpy().reshape(shape)

    shift = table("shift") if parts["shifted"] else np.zeros((*shape[:2], 0))
    return Calibration(
        np.array(parts["edges"]), table("pooled"), shift, parts["correlation"], parts["errors"]
    )


def calibrate(
    prediction: Prediction,
    actual: np.ndarray,
    series: np.ndarray | None = None,
    *,
    selected: bool = False,
) -> Calibration:
    """Learn from predictions at past origins and what demand was.

    prediction: of m pairs of series and origin, at g horizons
    series: (m,) number of the series of each pair; None where each is of another
    actual: (m, g) units, NaN where the sum is not known
    selected: these windows are of one kind, with full shelves; what their errors have in common comes of that
        more than of a trend and is kept whole about the mean
    """
    known = np.isfinite(actual)
    sales = prediction.sales[known]
    count = int(np.clip(len(sales) // (ENOUGH * (len(BANDS) + 1)), 1, BINS))
    edges = np.unique(np.quantile(sales, np.arange(1, count) / count)) if len(sales) else np.empty(0)
    cell = np.searchsorted(edges, prediction.sales)
    band = np.broadcast_to(np.searchsorted(BANDS, prediction.horizons), actual.shape)
    error = (actual - prediction.mean) / prediction.spread
    whose = None if series is None else np.broadcast_to(series[:, None], actual.shape)
    shape = (len(BANDS) + 1, len(edges) + 1, len(LEVELS))
    bins = {(b, c): _enough(known, band, cell, b, c) for b in range(shape[0]) for c in range(shape[1])}
    own, pooled = np.zeros(shape), np.zeros(shape)
    shift = np.zeros(shape if len(prediction.levels) else (*shape[:2], 0))
    for place, rows in bins.items():
        own[place] = _levels_of(_reached(error, whose, rows))
    width = own[:, :, TOP] - own[:, :, MIDDLE]
    alike = width >= NARROW
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (error - own[band, cell, TOP]) / width[band, cell]
    of_all = known & alike[band, cell]
    tail = _levels_of(_reached(beyond, whose, of_all))
    raw = at_levels(prediction.levels, prediction.quantiles) if len(prediction.levels) else None
    off = None if raw is None else (actual[:, :, None] - raw) / prediction.spread[:, :, None]
    for place, rows in bins.items():
        pooled[place] = own[place]
        if alike[place]:
            pooled[place] = _leaning(own[place], own[place][TOP] + tail * width[place], rows.sum())
        if rows.any() and not selected:
            pooled[place] -= _doubted(error[rows].mean())
        if off is not None:
            shift[place] = _shifts(_reached(off, whose, rows, WILD))
    pooled.sort(axis=2)
    unfinished = Calibration(edges, pooled, shift, 0.0, int(known.sum()))
    correlation = _correlation(prediction, actual, series, unfinished)
    return replace(unfinished, correlation=correlation)


def _enough(known: np.ndarray, band: np.ndarray, cell: np.ndarray, b: int, c: int) -> np.ndarray:
    """Rows of a bin; of its whole band, then of all, where the bin holds too few."""
    for rows in (known & (band == b) & (cell == c), known & (cell == c), known & (band == b)):
        if rows.sum() >= ENOUGH:
            return rows
    return known


def _reached(
    errors: np.ndarray, whose: np.ndarray | None, rows: np.ndarray, most: float = ALONE
) -> np.ndarray:
    """The errors (m, g, …) of some rows (m, g) bool, cut at `most` times what SEVERAL series reach.

    whose: (m, g) number of the series; None where each is of another, so that none is in several windows
    """
    some = errors[rows]
    if whose is None:
        return some
    order = np.argsort(whose[rows], kind="stable")
    first = np.flatnonzero(np.diff(whose[rows][order], prepend=-1))
    several = min(SEVERAL, 1 + len(first) // EACH)
    if several < 2:
        return some
    reached = np.sort(np.maximum.reduceat(some[order], first, axis=0), axis=0)[-several]
    return np.minimum(some, reached + (most - 1) * np.abs(reached))


def _levels_of(errors: np.ndarray) -> np.ndarray:
    """Quantiles of errors at LEVELS; few errors lean on the prior."""
    if not len(errors):
        return PRIOR
    ordered = np.quantile(errors, LEVELS, method="weibull")
    # Full weight from where at least one error is expected to lie beyond the level.
    weight = np.minimum(len(errors) * np.minimum(LEVELS, 1 - LEVELS), 1.0)
    return weight * ordered + (1 - weight) * np.maximum(PRIOR, np.where(LEVELS > 0.5, ordered, PRIOR))


def _leaning(own: np.ndarray, of_all: np.ndarray, count: int) -> np.ndarray:
    """(LEVELS,) what `count` errors of a bin say, above HIGH averaged with what those of all bins say."""
    beyond = count * (1 - LEVELS)
    weight = np.where(LEVELS > HIGH, beyond / (beyond + LEAN), 1.0)
    return weight * own + (1 - weight) * of_all


def _shifts(off: np.ndarray) -> np.ndarray:
    """For each level the shift of its raw quantile after which the level is met, (LEVELS,) spreads.

    The (n + 1)-quantile is the conformal one (Romano, Patterson and Candès 2019); few errors shift little.
    """
    if not len(off):
        return np.zeros(len(LEVELS))
    found = np.array([np.quantile(off[:, k], level, method="weibull") for k, level in enumerate(LEVELS)])
    found *= np.minimum(len(off) * np.minimum(LEVELS, 1 - LEVELS) / 2.0, 1.0)
    return found - _doubted(found)


def _doubted(common: np.ndarray) -> np.ndarray:
    """What of a shift that errors share is not believed, spreads."""
    return np.clip(0.5 * common, -DOUBT, DOUBT)


def at_levels(levels: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Quantiles (…, q) brought to LEVELS (…, len(LEVELS)), straight in the normal score of the level.

    >>> score = np.array([[-1.2816, 0.0, 1.2816]])
    >>> at_levels(np.array([0.1, 0.5, 0.9]), score).round(2)[0, [7, 12, 15]].tolist()
    [0.0, 1.28, 2.33]
    """
    score, wanted = ndtri(levels), ndtri(LEVELS)
    right = np.clip(np.searchsorted(score, wanted), 1, len(score) - 1)
    share = (wanted - score[right - 1]) / (score[right] - score[right - 1])
    return quantiles[..., right - 1] * (1 - share) + quantiles[..., right] * share


def _correlation(
    prediction: Prediction, actual: np.ndarray, series: np.ndarray | None, calibration: Calibration
) -> float:
    """Correlation of successive periods' errors that explains how the sums' errors go together.

    For each pair of horizons the correlation of the errors' normal scores is compared with that of the sums
    of an AR(1); the coefficient with the least squared difference is taken. Series whose score hardly moves
    are left out: one that is always at the same place differs from others, and says nothing of its periods.
    """
    rows = calibration.quantiles(prediction)
    score = norm.ppf(np.clip(places(rows, np.nan_to_num(actual)), 0.002, 0.998))
    score[~np.isfinite(actual)] = np.nan
    told = np.isfinite(score).any(axis=1)
    if series is not None and told.any():
        moves = _moves(score, series)
        score[moves < STILL * np.median(moves[told])] = np.nan
    pairs, found = [], []
    for a in range(len(prediction.horizons)):
        for b in range(a + 1, len(prediction.horizons)):
            both = np.isfinite(score[:, a]) & np.isfinite(score[:, b])
            if both.sum() >= ENOUGH and score[both, a].std() > 0 and score[both, b].std() > 0:
                pairs.append((prediction.horizons[a], prediction.horizons[b]))
                found.append(np.corrcoef(score[both, a], score[both, b])[0, 1])
    if not pairs:
        return 0.0
    candidates = np.linspace(0.0, 0.9, 19)
    misses = [float(np.square(_sums_correlation(rho, pairs) - found).sum()) for rho in candidates]
    return float(candidates[int(np.argmin(misses))])


def _moves(score: np.ndarray, series: np.ndarray) -> np.ndarray:
    """(m,) standard deviation of the scores (m, g) of the whole series of each row; NaN is none."""
    known = np.isfinite(score)
    values = np.where(known, score, 0.0)
    count, total, squares = (
        np.bincount(series, part.sum(axis=1))[series] for part in (known, values, values**2)
    )
    count = np.maximum(count, 1)
    return np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0.0))


def _sums_correlation(rho: float, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Correlation of the sums over a and b periods of an AR(1) with coefficient `rho`."""
    longest = max(b for _, b in pairs)
    lag = np.abs(np.subtract.outer(np.arange(longest), np.arange(longest)))
    covariance = np.where(lag == 0, 1.0, np.power(float(rho), lag))
    total = np.cumsum(np.cumsum(covariance, axis=0), axis=1)
    return np.array(
        [total[a - 1, b - 1] / np.sqrt(total[a - 1, a - 1] * total[b - 1, b - 1]) for a, b in pairs]
    )


def places(rows: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """(m, g) level that each amount (m, g) has in its row of quantiles (m, g, LEVELS); mid-level on ties.

    Uniform in (0, 1) over many windows if the distributions are right.
    """
    return _places(LEVELS, rows.astype(float), amount.astype(float))


@njit(cache=True, nogil=True)
def _places(levels: np.ndarray, rows: np.ndarray, amount: np.ndarray) -> np.ndarray:
    out = np.empty(amount.shape)
    for i in range(amount.shape[0]):
        for h in range(amount.shape[1]):
            low = np.searchsorted(rows[i, h], amount[i, h], side="left")
            high = np.searchsorted(rows[i, h], amount[i, h], side="right")
            if low < high:  # a tie: anywhere from the first of the equal levels to the last
                out[i, h] = 0.5 * ((levels[low] if low > 0 else 0.0) + levels[high - 1])
            elif low == 0:
                out[i, h] = 0.5 * levels[0]
            elif low == len(levels):
                out[i, h] = 0.5 * (levels[-1] + 1.0)
            else:
                width = rows[i, h, low] - rows[i, h, low - 1]
                share = (amount[i, h] - rows[i, h, low - 1]) / width
                out[i, h] = levels[low - 1] + share * (levels[low] - levels[low - 1])
    return out
