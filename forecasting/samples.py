"""What global models learn from: a bounded sample of pairs, and demand after them as a multiple of a base.

It owns the draw and the targets; `gbm` and `linear` fit to them.
"""

import numpy as np

from forecasting.features import Rows, build_rows
from forecasting.forecaster import knots
from forecasting.history import WINDOWS
from forecasting.panel import Panel

MOST_OFF = 15.0  # a target is cut at this multiple of its expectation: one such row must not steer a mean
# Share of a window that must be observed for it to teach. Low, for a shelf runs empty when demand is high:
# asking for more leaves the calm windows, and the mean comes out low by what they are calmer.
LEAST_SEEN = 0.25
PER_PAIR = 3  # horizons drawn of each pair
OFTEN = 1.5  # times that each pair may be drawn on average: few series have no more to tell


def training_rows(
    panel: Panel, origin: int, horizon: int, pairs: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (rows, names), targets and weights (rows,) on the structural base, of what was over then."""
    rng = np.random.default_rng(seed)
    panel = panel.until(origin)
    grid = knots(horizon)
    grid = grid[grid <= max(origin // 2, 1)]
    series, at = training_pairs(panel, pairs, rng)
    rows = build_rows(panel, series, at, grid)
    return targets_of((rows.path, rows.course), panel, (at, rows), rng)


def training_pairs(panel: Panel, most: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Series and origins (m,) to learn from: at most 100 distinct origins of the last three years.

    What all series do together is summed up once per origin, hence few of them.
    """
    origin, name = panel.length - 1, panel.period.name
    shortest = WINDOWS[name][1]
    low = min(max(origin // 5, shortest), max(origin - 2, 0))
    low = max(low, origin - 3 * WINDOWS[name][-1])
    origins = np.unique(np.linspace(low, max(origin - 1, low), 100).astype(int))
    most = min(most, int(OFTEN * panel.series * len(origins)))
    series, at = rng.integers(0, panel.series, most), rng.choice(origins, most)
    young = panel.first[series] > at - shortest // 3
    return series[~young], at[~young]


def targets_of(
    paths: tuple[np.ndarray, np.ndarray],
    panel: Panel,
    pairs: tuple[np.ndarray, Rows],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (rows, names), demand as a multiple of the base, and weights of windows that teach.

    paths: (m, H) sums of the base, and of what tells how demand is spread over a window: one with gaps
        teaches with the share of the second that was observed
    """
    at, rows = pairs
    base, course = paths
    actual = ahead_of(panel.quantity, rows.summary.series, at, course.shape[1])
    seen = np.where(np.isfinite(actual), np.diff(course, axis=1, prepend=0.0), 0.0)
    last = rows.horizons - 1
    total, seen = (np.cumsum(part, axis=1)[:, last] for part in (np.nan_to_num(actual), seen))
    base = base[:, last]
    over = at[:, None] + rows.horizons[None, :] < panel.length
    with np.errstate(invalid="ignore", divide="ignore"):
        complete = np.where(over, seen / course[:, last], 0.0)
        target = total / (base * complete)
    used = (complete >= LEAST_SEEN) & (base > 0) & (rng.random(base.shape) < PER_PAIR / len(last))
    return rows.features[used], np.minimum(target[used], MOST_OFF), complete[used]


def ahead_of(values: np.ndarray, series: np.ndarray, at: np.ndarray, horizon: int) -> np.ndarray:
    """(m, H) values of the periods after each origin, NaN beyond the history."""
    step = at[:, None] + np.arange(1, horizon + 1)[None, :]
    last = values.shape[1] - 1
    found = values[series[:, None], np.minimum(step, last)].astype(float)
    return np.where(step <= last, found, np.nan)
