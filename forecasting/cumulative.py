"""CumulativeDemand: the distribution of the sum of demand over the next h periods.

What every later room uses. It owns the grid of levels and the questions that can be put to the sums;
models make it, calibration corrects it, optimization reads it.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numba import njit

from forecasting import piecewise
from forecasting.paths import path_law, path_places
from ingestion.periods import Period

LEVELS = np.array(
    [0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995],
    dtype=np.float64,
)
BLOCK = 1000  # series whose sample paths are drawn at once: memory is bounded by it


@dataclass(frozen=True)
class CumulativeDemand:
    """Demand summed over the next 1 … H periods, as quantiles.

    keys: (n,) frame with sku and location
    as_of: first date of the last complete period; the sums start with the period after it
    period: what one step of the horizon is
    quantiles: (n, H, levels) float32 units, never falling in level or horizon
    mean: (n, H) float32 units, never falling in horizon
    levels: (levels,) ascending, in (0, 1)
    correlation: of two successive periods' forecast errors, in (-1, 1); shapes the sample paths
    method: (n,) name of the model that made each row
    """

    keys: pd.DataFrame
    as_of: pd.Timestamp
    period: Period
    quantiles: np.ndarray
    mean: np.ndarray
    levels: np.ndarray
    correlation: float = 0.0
    method: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit and distributions that fall in level."""
        n, horizon = self.mean.shape
        if self.quantiles.shape != (n, horizon, len(self.levels)) or len(self.keys) != n:
            raise ValueError(
                f"quantiles must be (series, horizon, level) = ({n}, {horizon}, {len(self.levels)}), "
                f"got {self.quantiles.shape} for {len(self.keys)} keys; pass one row per key"
            )

    @property
    def horizon(self) -> int:
        """Longest sum, periods."""
        return self.mean.shape[1]

    @property
    def dates(self) -> pd.DatetimeIndex:
        """First dates of the periods that the sums run over, (H,)."""
        return self.period.dates(self.period.index(self.as_of)[0] + 1 + np.arange(self.horizon))

    def take(self, rows: np.ndarray | slice) -> "CumulativeDemand":
        """The same for some series: a mask, positions or a slice."""
        method = None if self.method is None else self.method[rows]
        keys = self.keys.iloc[np.arange(len(self.keys))[rows]].reset_index(drop=True)
        return replace(self, keys=keys, quantiles=self.quantiles[rows], mean=self.mean[rows], method=method)

    def quantile(self, levels: np.ndarray | list[float]) -> np.ndarray:
        """(n, H, len(levels)) units: the sums' quantiles at any levels in (0, 1)."""
        wanted = np.asarray(levels, dtype=float)
        if not ((wanted > 0) & (wanted < 1)).all():
            raise ValueError(f"levels must lie in (0, 1), got {wanted.tolist()}; write 95% as 0.95")
        return _quantiles(self.levels, self.quantiles, wanted)

    def cdf(self, amount: np.ndarray) -> np.ndarray:
        """(n, H) chance that the sum over h periods is at most `amount`, (n,) or (n, H) units."""
        return _each(self.levels, self.quantiles, self._per_horizon(amount), False)

    def expected_shortage(self, amount: np.ndarray) -> np.ndarray:
        """(n, H) units by which the sum over h periods exceeds `amount`, (n,) or (n, H), on average."""
        return _each(self.levels, self.quantiles, self._per_horizon(amount), True)

    def _per_horizon(self, amount: np.ndarray) -> np.ndarray:
        amount = np.asarray(amount, dtype=float)
        return np.ascontiguousarray(
            np.broadcast_to(amount[:, None] if amount.ndim == 1 else amount, self.mean.shape)
        )

    def paths(self, count: int, seed: int = 0) -> np.ndarray:
        """(n, count, H) units: joint sample paths of the sums, never falling along the horizon.

        `forecasting.paths` says where each path stands in each sum's distribution, and the sums' own
        quantiles turn that into units, so that each horizon keeps its distribution.
        """
        places = path_places(count, self.horizon, self.correlation, seed)
        law = path_law(self.levels, self.quantiles, self.mean)
        return np.maximum.accumulate(_sample(self.levels, self.quantiles, places, law), axis=2)

    def daily(
        self, levels: np.ndarray | list[float], count: int = 512, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n, H) and quantiles (n, H, levels) of each single period, for charts; units."""
        mean = np.diff(self.mean, axis=1, prepend=0.0)
        quantiles = np.empty((*mean.shape, len(levels)))
        for low in range(0, len(mean), BLOCK):
            rows = np.arange(low, min(low + BLOCK, len(mean)))
            steps = np.diff(self.take(rows).paths(count, seed), axis=2, prepend=0.0)
            quantiles[rows] = np.moveaxis(np.quantile(steps, np.asarray(levels, dtype=float), axis=1), 0, 2)
        return mean, quantiles


def monotone(quantiles: np.ndarray) -> np.ndarray:
    """(n, H, levels) units made never to fall in level or horizon, and never negative."""
    return np.maximum.accumulate(np.maximum(np.sort(quantiles, axis=2), 0.0), axis=1)


def in_units(quantiles: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quantiles in units, the nearest whole ones where `whole`, of a shape that fits: whole units add up to
    whole sums.

    Nearest, for a sum of k units stands for all from k - ½ to k + ½: the whole number next to a quantile is
    the smallest that suffices. Rounding up would hold half a unit too much.

    >>> in_units(np.array([[0.4, 1.5], [0.4, 1.5]]), np.array([[True], [False]])).tolist()
    [[0.0, 2.0], [0.4, 1.5]]
    """
    return np.where(whole, np.floor(quantiles + np.float32(0.5)), quantiles)


@njit(cache=True, nogil=True)
def _quantiles(levels: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    out = np.empty((rows.shape[0], rows.shape[1], len(wanted)))
    for i in range(rows.shape[0]):
        for h in range(rows.shape[1]):
            for k in range(len(wanted)):
                out[i, h, k] = piecewise.quantile(levels, rows[i, h], wanted[k])
    return out


@njit(cache=True, nogil=True)
def _each(levels: np.ndarray, rows: np.ndarray, amount: np.ndarray, loss: bool) -> np.ndarray:
    out = np.empty(amount.shape)
    for i in range(rows.shape[0]):
        for h in range(rows.shape[1]):
            if loss:
                out[i, h] = piecewise.shortage(levels, rows[i, h], amount[i, h])
            else:
                out[i, h] = piecewise.cdf(levels, rows[i, h], amount[i, h])
    return out


@njit(cache=True, nogil=True)
def _sample(
    levels: np.ndarray, rows: np.ndarray, places: np.ndarray, law: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    which, steps = law
    out = np.empty((rows.shape[0], places.shape[2], rows.shape[1]), dtype=np.float32)
    for i in range(rows.shape[0]):
        for s in range(places.shape[2]):
            for h in range(rows.shape[1]):
                out[i, s, h] = piecewise.quantile(levels, rows[i, h], places[which[i], steps[i, h], s])
    return out
