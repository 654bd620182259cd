"""What a method said about the folds of a case, and how far from the truth it was.

It owns the scores. Only windows with full shelves are scored against demand; in the others what was sold is a
lower bound, and only falling short of it counts. Every series counts alike, or by its volume, however many of
its windows are scored.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecasting.backtest import SCORED, Folds, pinball
from histories import Case

LEVEL = np.array(SCORED)
TIE = 1e-6  # units; closer than this is equal
MANY = 200  # windows; of fewer a coverage tells little
Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Said:
    """What a method said on the m = series × origins rows of a case, series first.

    mean_daily: (m, H) units, mean of each single period ahead
    quantiles: (m, g, levels) units, quantiles of the sums at LEVEL
    seconds: of fitting and predicting at all origins; memory: peak, GiB
    """

    mean_daily: np.ndarray
    quantiles: np.ndarray
    seconds: float = float("nan")
    memory: float = float("nan")


def scores(case: Case, said: Said) -> dict[str, Any]:
    """All figures of one method; those weighted both ways are {"equal": …, "volume": …}."""
    weights = weights_of(case)
    loss, partial = scaled_losses(case, said.quantiles)
    mean = loss.mean(axis=3)
    return {
        "pinball": _both(mean, weights),
        **{f"pinball {level}": _both(loss[..., k], weights) for k, level in enumerate(SCORED)},
        "shortfall where partly out of stock": _both(partial.mean(axis=3), weights),
        "origins": [_both(mean[:, k], weights) for k in range(len(case.origins))],
        **coverage(case, said),
        "bias": bias(case, said),
        "rmsse": rmsse(case, said, weights),
        "seconds": said.seconds,
        "memory": said.memory,
    }


def weights_of(case: Case) -> Weights:
    """(n,) weight of each series: alike, and by mean demand per period."""
    volume = case.folds.scale[:: len(case.origins), 0] / np.sqrt(case.horizons[0])
    return {"equal": (volume > 0).astype(float), "volume": volume}


def scaled_losses(case: Case, quantiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, origins, g, levels) pinball over scale in clean windows, shortfall in others; NaN elsewhere."""
    folds = case.folds
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(folds.scale > 0, folds.scale, np.nan)[:, :, None]
        clean = np.where(folds.clean, folds.actual, np.nan)
        sold = np.where(folds.clean, np.nan, folds.sold)
        short = np.maximum(sold[:, :, None] - quantiles, 0.0) * LEVEL
        loss = pinball(clean, quantiles, LEVEL) / scale
    shape = (case.panel.series, len(case.origins), *quantiles.shape[1:])
    return loss.reshape(shape), (short / scale).reshape(shape)


def _both(values: np.ndarray, weights: Weights, root: bool = False) -> dict[str, float]:
    return {name: weighed(values, weight, root) for name, weight in weights.items()}


def weighed(values: np.ndarray, weight: np.ndarray, root: bool = False) -> float:
    """Weighted mean over series (n,) of the mean of each one's values (n, …), NaN left out.

    root: take the root of each series' mean first

    >>> weighed(np.array([[1.0, 3.0], [np.nan, 4.0]]), np.array([1.0, 3.0]))
    3.5
    """
    rows = values.reshape(len(values), -1)
    known = np.isfinite(rows)
    count = known.sum(axis=1)
    mean = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(count, 1)
    weight = np.where(count > 0, weight, 0.0)
    return float((np.sqrt(mean) if root else mean) @ weight / weight.sum()) if weight.sum() > 0 else np.nan


def thirds(case: Case) -> np.ndarray:
    """(m,) third of volume that each row's series is in, 0 lowest."""
    volume = case.folds.scale[:, 0]
    return np.searchsorted(np.quantile(volume, [1 / 3, 2 / 3]), volume)


def coverage(case: Case, said: Said) -> dict[str, Any]:
    """How far each level lies outside [P(Y < q), P(Y ≤ q)], per horizon, over all and per third of volume.

    `coverage`: one row per group, horizon and level, with `sold`, the share of all windows, also those partly
    out of stock, whose sales were at most q: more than the level, or the quantile is surely too low;
    `miss`: the largest above the median per group, and `miss of many`: of those with many windows
    """
    third = thirds(case)
    groups = {"all": np.full(len(third), True)}
    groups |= {name: third == k for k, name in enumerate(("low third", "middle third", "high third"))}
    rows: list[dict[str, Any]] = [
        {"group": group, "horizon": int(h)} | row
        for group, members in groups.items()
        for g, h in enumerate(case.horizons)
        for row in _levels(case.folds, members, g, said.quantiles[:, g])
    ]
    judged = [row for row in rows if row["level"] > 0.5]
    many = [row for row in judged if row["windows"] >= MANY]
    return {"coverage": rows, "miss": _worst(judged, groups), "miss of many": _worst(many, groups)}


def _worst(rows: list[dict[str, Any]], groups: Iterable[str]) -> dict[str, float]:
    return {
        group: max((row["miss"] for row in rows if row["group"] == group), default=0.0) for group in groups
    }


def _levels(folds: Folds, members: np.ndarray, g: int, given: np.ndarray) -> list[dict[str, Any]]:
    """One row per level, of the windows of one group and horizon; given: (m, levels) units."""
    some = members & (folds.scale[:, g] > 0) & np.isfinite(folds.sold[:, g])
    clean = some & folds.clean[:, g]
    if not clean.any():
        return []
    actual = folds.actual[clean, g][:, None]
    below = (actual < given[clean] - TIE).mean(axis=0)
    within = (actual <= given[clean] + TIE).mean(axis=0)
    sold = (folds.sold[some, g][:, None] <= given[some] + TIE).mean(axis=0)
    miss = np.maximum(np.maximum(below - LEVEL, LEVEL - within), 0.0)
    columns = {"level": LEVEL, "below": below, "within": within, "miss": miss, "sold": sold}
    count = {"windows": int(clean.sum()), "of": int(some.sum())}
    return [{name: float(values[k]) for name, values in columns.items()} | count for k in range(len(LEVEL))]


def bias(case: Case, said: Said) -> float:
    """Mean of the sums over what came, less one, over clean windows."""
    used = case.folds.clean & (case.folds.scale > 0)
    mean = np.cumsum(said.mean_daily, axis=1)[:, case.horizons - 1]
    return float(mean[used].sum() / case.folds.actual[used].sum() - 1)


def rmsse(case: Case, said: Said, weights: Weights) -> dict[str, dict[str, float]]:
    """Root mean squared error of the mean of single periods, over the naive error before the first origin.

    On all periods with full shelves, and on those with a promotion planned.
    """
    panel, folds = case.panel, case.folds
    history = panel.quantity[:, : int(case.origins[0]) + 1].astype(float)
    with np.errstate(invalid="ignore"):
        naive = np.diff(history, axis=1) ** 2
    count = np.isfinite(naive).sum(axis=1)
    naive_error = np.nansum(naive, axis=1) / np.maximum(count, 1)
    at = folds.origin[:, None] + 1 + np.arange(case.ahead)
    row = folds.series[:, None]
    actual = np.where(panel.in_stock[row, at] >= 1.0, panel.quantity[row, at], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = (said.mean_daily - actual) ** 2 / np.where(naive_error > 0, naive_error, np.nan)[row]
    promoted = np.where(panel.plan[row, at] > 0, error, np.nan)
    n = panel.series
    return {
        "all days": _both(error.reshape(n, -1), weights, root=True),
        "promotion days": _both(promoted.reshape(n, -1), weights, root=True),
    }
