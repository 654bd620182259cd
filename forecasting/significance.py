"""Whether one forecast's losses are lower than another's by more than the luck of these series and origins.

It owns the comparison of two candidates on the same windows, and the luck in one's shares and bias; the gate
decides by them, run tables show the comparison.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

LEVEL = 0.95  # of each one-sided limit


@dataclass(frozen=True)
class Difference:
    """Mean loss of a less that of b, over the windows on which both were scored.

    mean: below zero where a loses less; NaN where no window was scored for both
    low, high: one-sided limits, each passed with a chance of 5 %; together a 90 % interval
    p: chance of a mean this low or lower if a were no better than b
    """

    mean: float
    low: float
    high: float
    p: float


UNKNOWN = Difference(float("nan"), float("-inf"), float("inf"), 1.0)


def paired_difference(
    a: np.ndarray, b: np.ndarray, origin: np.ndarray, series: np.ndarray, seed: int, draws: int = 2000
) -> Difference:
    """Compare losses by a paired block bootstrap over series and origins.

    a, b: (m, g) losses on the same windows, NaN where not scored; only windows scored in both count
    origin, series: (m,) labels of the rows
    draws: resamples

    Windows of one origin share its weather, windows of one series its habits. So series and origins are
    resampled, each with all its windows: the pigeonhole bootstrap (Owen 2007, Annals of Applied Statistics 1,
    386-411), whose variance is right where either matters and too wide, never too narrow, where neither does.
    Resampling k blocks shows (k - 1) / k of their variance, hence the rescaling (Rao and Wu 1988). Few blocks
    know little of their variance, so the limits are Student's (Cameron and Miller 2015, Journal of Human
    Resources 50, section VI), with the degrees of freedom that Satterthwaite (1946) gives to a sum of two
    variances. A single series or origin cannot be resampled: then the answer is conditional on it.

    >>> rng = np.random.default_rng(0)
    >>> old, row = rng.gamma(2.0, size=(60, 3)), np.arange(60)
    >>> paired_difference(0.8 * old, old, row % 6, row // 6, seed=1).high < 0
    True
    >>> paired_difference(old, old, row % 6, row // 6, seed=1)
    Difference(mean=0.0, low=0.0, high=0.0, p=0.5)
    """
    off = a - b
    known = np.isfinite(off)
    if not known.any():
        return UNKNOWN
    mean, error, freedom = _ratio(off, np.ones_like(off), origin, series, seed, draws)
    if not np.isfinite(error):
        return Difference(mean, float("-inf"), float("inf"), 1.0)
    reach = float(student.ppf(LEVEL, freedom)) * error
    p = float(student.cdf(mean / error, freedom)) if error > 0 else float(np.heaviside(mean, 0.5))
    return Difference(mean, mean - reach, mean + reach, p)


def luck(
    found: np.ndarray, of: np.ndarray, origin: np.ndarray, series: np.ndarray, seed: int, draws: int = 2000
) -> float:
    """How far the ratio sum(found) / sum(of) is off by luck at most: passed with a chance of 5 % on one side.

    found, of: (m, g) of the same windows, NaN in either where not counted
    origin, series, draws: as `paired_difference`, whose resampling this is

    What a month does to all series alike is in it: a market that rose makes every honest mean too low.
    Infinite where there is one series and one origin, 0 where nothing is counted.
    """
    if not np.where(np.isfinite(found), np.nan_to_num(of), 0.0).sum() > 0:
        return 0.0
    _, error, freedom = _ratio(found, of, origin, series, seed, draws)
    return float(student.ppf(LEVEL, freedom)) * error if np.isfinite(error) else float("inf")


def _ratio(
    found: np.ndarray, of: np.ndarray, origin: np.ndarray, series: np.ndarray, seed: int, draws: int
) -> tuple[float, float, float]:
    """The ratio of the sums of two (m, g) arrays where both are known, its standard error, infinite if not to
    be told, and the degrees of freedom of that.
    """
    known = np.isfinite(found) & np.isfinite(of)
    total = float(of[known].sum())
    ratio = float(found[known].sum()) / total
    # How far each block pulls the ratio: the linearised statistic, so that no resample divides by nothing.
    pull = np.where(known, found - ratio * of, 0.0).sum(axis=1) / total
    used = known.any(axis=1)
    of_series, count = _blocks(series[used])
    of_origin, times = _blocks(origin[used])
    if max(count, times) == 1:
        return ratio, float("inf"), 1.0
    table = np.bincount(of_series * times + of_origin, weights=pull[used], minlength=count * times)
    table = table.reshape(count, times)
    rng = np.random.default_rng(seed)
    moved = _weights(rng, count, draws) @ table
    error = float((moved * _weights(rng, times, draws)).sum(axis=1).std())
    return ratio, error, _freedom(table)


def _blocks(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Number of each row's block, and how many blocks there are."""
    names, block = np.unique(labels, return_inverse=True)
    return block, len(names)


def _freedom(table: np.ndarray) -> float:
    """Degrees of freedom of the summed variance of rows and columns, (rows, columns) pulls."""
    parts = [(np.square(table.sum(axis=1 - axis)).sum(), table.shape[axis] - 1) for axis in (0, 1)]
    parts = [(variance * (k + 1) / k, k) for variance, k in parts if k > 0]
    total = sum(variance for variance, _ in parts)
    lost = sum(variance**2 / k for variance, k in parts)
    return float(total**2 / lost) if lost > 0 else float(min(k for _, k in parts))


def _weights(rng: np.random.Generator, blocks: int, draws: int) -> np.ndarray:
    """(draws, blocks) how often each block is drawn, rescaled about one to show the whole variance."""
    if blocks == 1:
        return np.ones((draws, 1))
    drawn = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws)
    return 1.0 + (drawn - 1.0) * np.sqrt(blocks / (blocks - 1))
