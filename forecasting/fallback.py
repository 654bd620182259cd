"""Series that cannot speak for themselves: new, hardly observed, or always out of stock.

It owns how they borrow. Demand of a new item is that of a like item drawn at random, so its distribution is
the mixture of its peers' distributions, which is wide on purpose.
"""

import numpy as np
from numba import njit

from forecasting.cumulative import LEVELS
from forecasting.panel import Panel

ALIKE = ("subcategory", "category", "brand", "location")  # attributes by which peers are found, best first
FEW, MANY = 5, 60  # fewest peers that count, most that are mixed


def pooled_rows(
    panel: Panel, series: np.ndarray, able: np.ndarray, mean: np.ndarray, quantiles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (m, H), quantiles (m, H, LEVELS) and the name of the way for the `series` (m,) that cannot.

    able: series that were predicted from their own history; mean, quantiles: (n, …) hold their rows
    """
    means = np.zeros((len(series), mean.shape[1]))
    rows = np.zeros((len(series), *quantiles.shape[1:]))
    names = np.full(len(series), "pooled", dtype=object)
    weight = _masses()
    words = panel.attributes[[name for name in ALIKE if name in panel.attributes]].to_numpy(dtype=str)
    mixed: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]] = {}
    for k, i in enumerate(series):
        kind = tuple(words[i])
        if kind not in mixed and len(able):
            peers = _peers(words, int(i), able)
            mixture = _mixture(quantiles[peers].astype(float), weight, LEVELS)
            mixed[kind] = mean[peers].mean(axis=0), mixture
        if len(able):
            means[k], rows[k] = mixed[kind]
        means[k], rows[k], names[k] = _own_knowledge(panel, int(i), means[k], rows[k])
    return means, rows, names


def _own_knowledge(
    panel: Panel, i: int, mean: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, object]:
    """The borrowed distribution brought to what is known: the series' plan, or what it sold at least."""
    planned = np.cumsum(panel.planned_quantity[i, : len(mean)].astype(float))
    if len(planned) == len(mean) and planned[-1] > 0:
        return planned, planned[:, None] * _shape(mean, rows), "planned"
    stocked = panel.in_stock[i] * np.isfinite(panel.sold[i])
    seen = float(stocked.sum())
    # What it sold while it was on the shelf stands for a rate that its peers may not reach.
    rate = float(np.nansum(panel.sold[i])) / seen if seen >= 1.0 else 0.0
    floor = rate * np.arange(1, len(mean) + 1)
    if rate > 0 and (mean < floor).all():
        return floor, floor[:, None] * _shape(mean, rows), "pooled"
    return mean, rows, "pooled"


def _shape(mean: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(H, LEVELS) quantiles as multiples of the mean; a gamma-like spread where nothing can be borrowed."""
    default = np.maximum(-np.log1p(-LEVELS), 0.02)  # exponential: as uncertain as demand of known mean can be
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mean[:, None] > 0, rows / mean[:, None], default[None, :])


def _peers(words: np.ndarray, i: int, able: np.ndarray) -> np.ndarray:
    """Series with history that are most like series i: the first attribute (a column) that enough share."""
    for column in words.T:
        alike = able[column[able] == column[i]] if column[i] else able[:0]
        if len(alike) >= FEW:
            return _spread_out(alike)
    return _spread_out(able)


def _spread_out(series: np.ndarray) -> np.ndarray:
    return (
        series[np.linspace(0, len(series) - 1, min(MANY, len(series))).astype(int)] if len(series) else series
    )


def _masses() -> np.ndarray:
    """Probability that each of LEVELS stands for: half of the gap to either neighbour."""
    borders = np.concatenate([[0.0], 0.5 * (LEVELS[1:] + LEVELS[:-1]), [1.0]])
    return np.diff(borders)


@njit(cache=True, nogil=True)
def _mixture(quantiles: np.ndarray, mass: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """(H, levels) quantiles of the equal mixture of (p, H, levels)."""
    peers, horizon, count = quantiles.shape
    out = np.empty((horizon, count))
    for h in range(horizon):
        values, weights = np.empty(peers * count), np.empty(peers * count)
        for p in range(peers):
            for k in range(count):
                values[p * count + k] = quantiles[p, h, k]
                weights[p * count + k] = mass[k] / peers
        order = np.argsort(values)
        reached, at = 0.0, 0
        for k in range(count):
            while at < len(order) - 1 and reached + weights[order[at]] < levels[k]:
                reached += weights[order[at]]
                at += 1
            out[h, k] = values[order[at]]
    return out
