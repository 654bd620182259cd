"""Paths: where each sample path of demand stands, period by period, in the distribution of its sums.

It owns how sums over one period, two, three belong together. Each path adds up periods of gamma demand whose
normal scores follow AR(1) with the forecast's correlation; its rank among all paths says where it stands, so
that each sum keeps its own distribution. How uneven the periods are matters: a slow item's sum over three
weeks is mostly that over two, and once in a while far above it, where a steady item's always grows. With one
law for all, sums that may not fall would have to be held up, and the later periods of slow items would be
asked for too much.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv, ndtr

from forecasting.cumulative import CumulativeDemand, path_scores
from optimization.sums import Picks, picks

# Shapes of a period's gamma demand; each series takes the nearest.
SHAPES = np.geomspace(0.03, 30.0, 11)


class Ways(NamedTuple):
    """How paths run through the sums of each series.

    picks: of arrays (len(SHAPES), horizon, count), how to read a series' row of quantiles at each step
    which: (n,) entry of SHAPES that each series follows
    """

    picks: Picks
    which: np.ndarray


def ways(demand: CumulativeDemand, count: int, seed: int, horizon: int | None = None) -> Ways:
    """`count` paths of every series over `horizon` periods, default all that are forecast."""
    places = path_places(count, horizon or demand.horizon, demand.correlation, seed)
    chosen = picks(demand.levels, places)
    narrow = chosen._replace(low=chosen.low.astype(np.int32), high=chosen.high.astype(np.int32))
    return Ways(narrow, nearest_shape(demand))


def path_places(count: int, horizon: int, correlation: float, seed: int) -> np.ndarray:
    """(len(SHAPES), horizon, count) in (0, 1): where each path's sum stands, each place taken once.

    >>> places = path_places(256, 3, 0.0, 1)
    >>> [round(float(np.corrcoef(rows[0], rows[2])[0, 1]), 1) for rows in places[[0, -1]]]
    [0.4, 0.6]
    """
    steps = np.ascontiguousarray(path_scores(count, horizon, correlation, seed).T)
    asked = gammaincinv(SHAPES[:, None, None], ndtr(steps)[None])
    ranks = np.cumsum(asked, axis=1).argsort(axis=2, kind="stable").argsort(axis=2)
    return (ranks + 0.5) / count


def nearest_shape(demand: CumulativeDemand) -> np.ndarray:
    """(n,) entry of SHAPES nearest to 4 / skewness² of the first period.

    Ranks do not change when demand is shifted or scaled, so that three moments are met with one shape: a
    Poisson period of mean m, less skewed than a gamma one of its variance, follows the shape 4 m.
    """
    skew = np.maximum(_skewness(demand.levels, demand.quantiles[:, 0].astype(np.float64)), 1e-6)
    return np.searchsorted(np.sqrt(SHAPES[1:] * SHAPES[:-1]), 4.0 / np.square(skew)).astype(np.int64)


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
