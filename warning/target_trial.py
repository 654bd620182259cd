"""Target trial: what another service target would have cost over past days, segment by segment.

This module owns the comparison. A target is a quantile of demand over lead time + review; what another one
would have been is read off the reorder points that were told, by the normal law's ratio of quantiles. Each
window of lead time + review is then held against what was really asked for.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from warning.trial import Past

TARGETS = (0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99)


class Windows(NamedTuple):
    """m windows of lead time + review, one after the other in each series.

    row: (m,) series; first: (m,) column of the readings, at whose end it begins
    asked, mean, point: (m,) units asked for in it, expected of it, and the reorder point told for it
    """

    row: np.ndarray
    first: np.ndarray
    asked: np.ndarray
    mean: np.ndarray
    point: np.ndarray


class TargetTrial(NamedTuple):
    """What a target would have meant over m windows.

    cost: (m,) money per period; short: (m,) whether more was asked for than the level held; left: (m,) units
    """

    cost: np.ndarray
    short: np.ndarray
    left: np.ndarray


def windows_of(past: Past) -> Windows:
    """All windows whose demand is known by now, and of which something was forecast."""
    history, readings = past.history, past.readings
    first = history.column(pd.Series(readings.dates))
    interval = history.lead + history.review
    rows = []
    for row in range(len(history.keys)):
        total = np.concatenate([[0.0], np.cumsum(history.wanted[row])])
        free = -1
        for t, now in enumerate(first):
            end = now + interval[row]
            if now < free or end >= history.periods or not readings.mean[row, t] > 0:
                continue
            asked = total[end + 1] - total[now + 1]
            rows.append((row, t, asked, readings.mean[row, t], readings.point[row, t]))
            free = end + 1
    table = pd.DataFrame(rows, columns=list(Windows._fields)).dropna()
    index = {name: table[name].to_numpy(dtype=np.int64) for name in ("row", "first")}
    return Windows(
        **index, **{name: table[name].to_numpy(dtype=float) for name in ("asked", "mean", "point")}
    )


def level_at(mean: np.ndarray, point: np.ndarray, told: float, target: float) -> np.ndarray:
    """(m,) the reorder point of another target.

    told: target that `point` was told for

    >>> level_at(np.array([100.0]), np.array([116.449]), 0.95, 0.99).round(1).tolist()
    [123.3]
    """
    return mean + (point - mean) * ndtri(target) / ndtri(told)


def try_target(windows: Windows, past: Past, told: float, target: float) -> TargetTrial:
    """What a target would have cost on some windows.

    A unit above what was asked for is held, at h a period; a unit short costs its worth p, once in each of
    the R periods between two chances to order: cost = h·(S − D)⁺ + (p ÷ R)·(D − S)⁺, whose best target is
    the newsvendor's p ÷ (p + h·R).
    """
    level = level_at(windows.mean, windows.point, told, target)
    over, under = np.maximum(level - windows.asked, 0.0), np.maximum(windows.asked - level, 0.0)
    review = np.maximum(past.history.review[windows.row], 1)
    stakes = past.stakes
    cost = stakes.holding[windows.row] * over + stakes.worth[windows.row] / review * under
    return TargetTrial(cost, under > 0, over)
