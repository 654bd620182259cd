"""The plain forecasts that a model must beat: averages, seasonal ones, SBA, TSB and ADIDA, compiled.

Each reads one series up to the origin and nothing else; periods of hidden demand are skipped. They state a
mean path; how far such paths were off before is left to calibration, which pools it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from forecasting.alike import YEAR
from forecasting.forecaster import Prediction
from forecasting.history import Summary, summarise
from forecasting.panel import Panel
from ingestion.errors import Problem

MEMORY = {"day": 56, "week": 13, "month": 6}  # periods that the moving average looks back
LOOK_BACK = {"day": 728, "week": 156, "month": 60}
SEASON = YEAR | {"day": 7}
KINDS = ("moving_average", "long_run_mean", "seasonal_naive", "seasonal_mean", "sba", "tsb", "adida")

_AVERAGE, _MEAN, _NAIVE, _SEASONAL, _SBA, _TSB, _ADIDA = range(len(KINDS))
_ALPHA = 0.1  # smoothing of Croston's sizes and intervals and of TSB's sizes and chances
_ALPHAS = (0.1, 0.3)  # between which ADIDA chooses
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)


@dataclass(frozen=True)
class Baseline:
    """One plain forecast; fitting it is choosing it.

    name: one of KINDS
    """

    name: str
    reads_plans = False

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise Problem(
                f"a plain forecast must be one of {', '.join(KINDS)}, got {self.name!r}; choose one"
            )

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> "Baseline":  # noqa: ARG002
        """The same: a plain forecast learns at prediction, from the series alone."""
        return self

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums of the mean path, with the series' own standard deviation as spread."""
        summary = summarise(panel, series, origin)
        name = panel.period.name
        path = np.empty((len(series), int(horizons[-1])))
        path[:] = summary.rate[:, None]
        low = np.maximum(panel.first[series], origin + 1 - LOOK_BACK[name])
        _paths(
            KINDS.index(self.name),
            panel.quantity,
            np.stack([series, low, origin + 1]),
            (MEMORY[name], SEASON[name]),
            path,
        )
        return plainly(summary, path, horizons)

    def write(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002
        """The kind is all there is."""
        return {"kind": "baseline", "name": self.name}


def plainly(summary: Summary, path: np.ndarray, horizons: np.ndarray) -> Prediction:
    """The prediction of a model that states no more than units per period, `path` (m, H).

    The spread is the series' standard deviation × √h.
    """
    path = np.cumsum(path, axis=1)
    mean = path[:, horizons - 1]
    spread = summary.sd[:, None] * np.sqrt(horizons)[None, :]
    size = np.where(summary.size > 0, summary.size, 1.0)[:, None]
    none = np.empty((*mean.shape, 0))
    return Prediction(horizons, mean, np.maximum(spread, 1e-9), mean / size, np.empty(0), none, path)


@njit(cache=True, nogil=True, error_model="numpy")
def _paths(
    kind: int, quantity: np.ndarray, pairs: np.ndarray, look: tuple[int, int], out: np.ndarray
) -> None:
    """Units per period into `out` (m, H), which keeps what it holds where too little was observed.

    pairs: (3, m) series, first period looked at, period after the last
    look: periods of the moving average, periods of a season
    """
    for k in range(pairs.shape[1]):
        past = quantity[pairs[0, k], pairs[1, k] : pairs[2, k]]
        seen = past[np.isfinite(past)].astype(np.float64)
        if len(seen) < 2 or not seen.any():
            continue
        if kind == _NAIVE:
            _repeat(past, look[1] if len(past) >= look[1] else 1, seen.mean(), out[k])
        elif kind == _SEASONAL:
            _phases(past, look[1] if len(past) >= look[1] else 1, seen.mean(), out[k])
        else:
            out[k] = max(_rate(kind, seen, look[0]), 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _rate(kind: int, seen: np.ndarray, memory: int) -> float:
    """Units per period from (t,) observed periods, some of them with demand."""
    if kind == _AVERAGE:
        return seen[-memory:].mean()
    if kind == _SBA:
        return _sba(seen)
    if kind == _TSB:
        return _smooth((seen != 0.0).astype(np.float64), _ALPHA) * _smooth(seen[seen > 0.0], _ALPHA)
    if kind == _ADIDA:
        return _adida(seen)
    return seen.mean()


@njit(cache=True, nogil=True)
def _repeat(past: np.ndarray, season: int, mean: float, out: np.ndarray) -> None:
    """The latest season again; a hidden period is taken from the season before, at last from the mean."""
    for h in range(len(out)):
        t = len(past) - season + h % season
        while t >= 0 and not np.isfinite(past[t]):
            t -= season
        out[h] = past[t] if t >= 0 else mean


@njit(cache=True, nogil=True)
def _phases(past: np.ndarray, season: int, mean: float, out: np.ndarray) -> None:
    """The mean of each phase of the season, of its weekday or its week of the year; never seen, the mean."""
    for h in range(len(out)):
        total, count = 0.0, 0
        for t in range(len(past) - season + h % season, -1, -season):
            if np.isfinite(past[t]):
                total += past[t]
                count += 1
        out[h] = total / count if count > 0 else mean


@njit(cache=True, nogil=True)
def _smooth(values: np.ndarray, alpha: float) -> float:
    """Simple exponential smoothing that starts at the first value."""
    level = values[0]
    for t in range(1, len(values)):
        level = alpha * values[t] + (1.0 - alpha) * level
    return level


@njit(cache=True, nogil=True)
def _sba(seen: np.ndarray) -> float:
    """Smoothed size of a sale over smoothed interval, less 5% (Syntetos and Boylan 2005)."""
    at = np.flatnonzero(seen)
    between = np.empty(len(at))
    last = -1
    for k in range(len(at)):
        between[k] = at[k] - last
        last = at[k]
    return (1.0 - _ALPHA / 2.0) * _smooth(seen[at], _ALPHA) / _smooth(between, _ALPHA)


@njit(cache=True, nogil=True)
def _adida(seen: np.ndarray) -> float:
    """Smoothed sums over the mean interval between sales, per period (Nikolopoulos et al. 2011)."""
    at = np.flatnonzero(seen)
    span = max(int(np.round((at[-1] + 1) / len(at))), 1)
    chunks = len(seen) // span
    sums = seen[len(seen) - chunks * span :].reshape(chunks, span).sum(axis=1)
    return _smooth(sums, _best_alpha(sums)) / span


@njit(cache=True, nogil=True)
def _best_alpha(values: np.ndarray) -> float:
    """The smoothing with the least squared one-step errors, by golden section."""
    low, high = _ALPHAS
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    left_miss, right_miss = _miss(values, left), _miss(values, right)
    while high - low > 1e-5:
        if left_miss < right_miss:
            high, right, right_miss = right, left, left_miss
            left = high - _GOLDEN * (high - low)
            left_miss = _miss(values, left)
        else:
            low, left, left_miss = left, right, right_miss
            right = low + _GOLDEN * (high - low)
            right_miss = _miss(values, right)
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
def _miss(values: np.ndarray, alpha: float) -> float:
    """Sum of squared one-step errors of simple exponential smoothing."""
    level, total = values[0], 0.0
    for t in range(1, len(values)):
        off = values[t] - level
        total += off * off
        level += alpha * off
    return total
