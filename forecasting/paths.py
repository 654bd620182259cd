"""Paths: where each sample path of demand stands, period by period, in the distribution of its sums.

It owns how sums over one period, two, three belong together. Each path adds up periods of gamma demand whose
normal scores follow AR(1) with the forecast's correlation; its rank among all paths says where it stands, so
that each sum keeps its own distribution. How uneven the periods are matters: a slow item's sum over three
weeks is mostly that over two, and once in a while far above it, where a steady item's always grows. With one
law for all, sums that may not fall would have to be held up, and the later periods of slow items would be
asked for too much. Time runs by what is expected: a day on which hardly anything is asked for moves no path
to another place, or sums that may not fall would be held up again.
"""

import numpy as np
from scipy.special import gammaincinv, ndtr
from scipy.stats import norm, qmc

# Shapes of a period's gamma demand; each series takes the nearest.
SHAPES = np.geomspace(0.03, 30.0, 11)


def path_places(count: int, horizon: int, correlation: float, seed: int) -> np.ndarray:
    """(len(SHAPES), horizon, count) in (0, 1): where each path's sum stands, each place taken once.

    >>> places = path_places(256, 3, 0.0, 1)
    >>> [round(float(np.corrcoef(rows[0], rows[2])[0, 1]), 1) for rows in places[[0, -1]]]
    [0.4, 0.6]
    """
    steps = np.ascontiguousarray(_scores(count, horizon, correlation, seed).T)
    asked = gammaincinv(SHAPES[:, None, None], ndtr(steps)[None])
    ranks = np.cumsum(asked, axis=1).argsort(axis=2, kind="stable").argsort(axis=2)
    return (ranks + 0.5) / count


def _scores(count: int, horizon: int, correlation: float, seed: int) -> np.ndarray:
    """(count, horizon) normal scores of the single periods of each path: AR(1) with `correlation`, of Sobol
    points."""
    size = 1 << max(count - 1, 1).bit_length()
    points = qmc.Sobol(horizon, rng=np.random.default_rng(seed)).random(size)[:count]
    shocks = norm.ppf(np.clip(points, 1e-6, 1 - 1e-6))
    steps = np.empty_like(shocks)
    steps[:, 0] = shocks[:, 0]
    for h in range(1, horizon):
        steps[:, h] = correlation * steps[:, h - 1] + np.sqrt(1 - correlation**2) * shocks[:, h]
    return steps


def path_law(levels: np.ndarray, quantiles: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) entry of SHAPES of each series, and (n, H) step of `path_places` that stands for each period.

    quantiles: (n, ≥ H, levels) and mean: (n, H) units of the sums
    A step is a period of average demand: as many have gone by as the sums are expected to hold. The shape is
    told by the first sum that holds about one.
    """
    horizon, rows = mean.shape[1], np.arange(len(mean))
    total = mean[:, -1:].astype(np.float64)
    gone = np.where(total > 0, horizon * mean / np.where(total > 0, total, 1.0), np.arange(1, horizon + 1))
    first = (gone >= 0.5).argmax(axis=1)
    shapes = nearest_shape(levels, quantiles[rows, first], gone[rows, first])
    return shapes, np.clip(np.floor(gone + 0.5) - 1, 0, horizon - 1).astype(np.int64)


def nearest_shape(levels: np.ndarray, first: np.ndarray, periods: np.ndarray | float = 1.0) -> np.ndarray:
    """(n,) entry of SHAPES nearest to 4 / skewness² of the first period, quantiles (n, levels) at `levels`.

    periods: (n,) average ones that these stand for

    Ranks do not change when demand is shifted or scaled, so that three moments are met with one shape: a
    Poisson period of mean m, less skewed than a gamma one of its variance, follows the shape 4 m.
    """
    skew = np.maximum(_skewness(levels, first.astype(np.float64)), 1e-6)
    shape = 4.0 / np.square(skew) / periods
    return np.searchsorted(np.sqrt(SHAPES[1:] * SHAPES[:-1]), shape).astype(np.int64)


def _skewness(levels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) of distributions with quantiles `rows`, (n, levels); 0 where there is no spread.

    As in `piecewise`: even between two levels and from zero on to the lowest, an exponential tail above.
    """
    low = np.concatenate([np.zeros((len(rows), 1)), rows[:, :-1]], axis=1)
    chance, rest = np.diff(levels, prepend=0.0), 1.0 - levels[-1]
    third = max(len(levels) - 4, 0)
    tail = (rows[:, -1] - rows[:, third]) / np.log((1.0 - levels[third]) / rest)
    mean = (low + rows) @ chance / 2 + rest * (rows[:, -1] + tail)
    a, b, top = low - mean[:, None], rows - mean[:, None], rows[:, -1] - mean
    second = (a * a + a * b + b * b) @ chance / 3 + rest * (top**2 + 2 * top * tail + 2 * tail**2)
    cubes = (a + b) * (a * a + b * b) @ chance / 4
    cubes += rest * (top**3 + 3 * top**2 * tail + 6 * top * tail**2 + 6 * tail**3)
    return np.divide(cubes, second**1.5, where=second > 0, out=np.zeros(len(rows)))
