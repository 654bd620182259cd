"""Series that cannot speak for themselves: new, hardly observed, or always out of stock.

It owns how they borrow. Demand of a new item is that of a like item drawn at random, brought to its age by
`launches`; so its distribution is the mixture of its peers' distributions, which is wide on purpose.
"""

import numpy as np
from numba import njit

from forecasting.cumulative import LEVELS
from forecasting.launches import Profile, launch_of, launch_profile
from forecasting.panel import Panel

MANY = 60  # most peers that are mixed
LIKENESS = 3.0  # a peer weighs so many times as much for each attribute that it shares
SHAPE = 2.0  # gamma shape of a period's demand about a peer's rate, when own first sales are held against it


def pooled_rows(
    panel: Panel, series: np.ndarray, able: np.ndarray, mean: np.ndarray, quantiles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (m, H), quantiles (m, H, LEVELS) and the name of the way for the `series` (m,) that cannot.

    able: series that were predicted from their own history; mean, quantiles: (n, …) hold their rows
    """
    means = np.zeros((len(series), mean.shape[1]))
    rows = np.zeros((len(series), *quantiles.shape[1:]))
    names = np.full(len(series), "pooled", dtype=object)
    mass, profile = _masses(), launch_profile(panel, able)
    codes = _codes(panel)
    rate = mean[able, -1].astype(float) / mean.shape[1]
    for k, i in enumerate(series):
        if len(able):
            weight = _likeness(panel, codes, int(i), able) * _likelihood(panel, int(i), rate, profile)
            best = np.argsort(-weight, kind="stable")[:MANY]
            peers, share = able[best], weight[best] / weight[best].sum()
            growth = profile.growth(mean.shape[1], panel.length - launch_of(panel, int(i)))
            means[k] = share @ mean[peers] * growth
            rows[k] = _mixture(quantiles[peers].astype(float), share, mass, LEVELS) * growth[:, None]
        means[k], rows[k], names[k] = _own_knowledge(panel, int(i), means[k], rows[k])
    return means, rows, names


def _codes(panel: Panel) -> np.ndarray:
    """(n, attributes + 1) numbers of the words that describe each series, its sku first; -1 unknown."""
    words = {"sku": panel.keys["sku"], **{name: panel.attributes[name] for name in panel.attributes}}
    columns = []
    for said in words.values():
        text = said.to_numpy(dtype=str)
        number = np.unique(text, return_inverse=True)[1]
        columns.append(np.where(text == "", -1, number))
    return np.stack(columns, axis=1)


def _likeness(panel: Panel, codes: np.ndarray, i: int, able: np.ndarray) -> np.ndarray:
    """(able,) weight of each peer: by the attributes it shares, and how close its price is."""
    shared = ((codes[able] == codes[i]) & (codes[i] >= 0)).sum(axis=1)
    price = panel.price[:, panel.length - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(np.log(price[able] / price[i]))
    return LIKENESS**shared * np.exp(-np.where(np.isfinite(apart), apart, 1.0))


def _likelihood(panel: Panel, i: int, rate: np.ndarray, profile: Profile) -> np.ndarray:
    """(able,) how likely a peer's rate, brought to the age, would have sold what series i has sold so far.

    Negative binomial of the smallest sales, so that it is the same in pieces and in grams; the highest is 1.
    """
    stocked = np.flatnonzero(np.isfinite(panel.sold[i]) & (panel.in_stock[i] > 0))
    sold = panel.sold[i, stocked]
    if not len(stocked) or not sold.any():
        return np.ones(len(rate))
    unit = sold[sold > 0].min()
    grown = profile.at(stocked - launch_of(panel, i))
    expected = np.maximum(rate / unit * float(grown @ panel.in_stock[i, stocked]), 1e-9)
    count = float(sold.sum()) / unit
    log = count * np.log(expected) - (count + SHAPE) * np.log(SHAPE + expected)
    return np.exp(log - log.max())


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


def _masses() -> np.ndarray:
    """Probability that each of LEVELS stands for: half of the gap to either neighbour."""
    borders = np.concatenate([[0.0], 0.5 * (LEVELS[1:] + LEVELS[:-1]), [1.0]])
    return np.diff(borders)


@njit(cache=True, nogil=True)
def _mixture(quantiles: np.ndarray, share: np.ndarray, mass: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """(H, levels) quantiles of the mixture of (p, H, levels) with weights (p,) that sum to 1."""
    peers, horizon, count = quantiles.shape
    out = np.empty((horizon, count))
    for h in range(horizon):
        values, weights = np.empty(peers * count), np.empty(peers * count)
        for p in range(peers):
            for k in range(count):
                values[p * count + k] = quantiles[p, h, k]
                weights[p * count + k] = mass[k] * share[p]
        order = np.argsort(values)
        reached, at = 0.0, 0
        for k in range(count):
            while at < len(order) - 1 and reached + weights[order[at]] < levels[k]:
                reached += weights[order[at]]
                at += 1
            out[h, k] = values[order[at]]
    return out
