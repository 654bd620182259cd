"""The projection of stock: sample paths of demand and arrivals played forward, one series after another.

It owns the compiled walk over the paths. Paths of demand share one set of levels among all series; each
open order draws its arrival from its own distribution, independent of demand and of other orders.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cumulative import CumulativeDemand, path_levels
from optimization.lead_time import LeadTimes
from optimization.position import Inbound
from optimization.sums import Picks, compiled_rows, picks

SHUFFLES = 32  # independent orders of the draws; a series with more open orders uses them again


@dataclass(frozen=True)
class Projection:
    """Stock as projected; arrays (n, H) float32, each at the end of every period ahead.

    stockout: chance that demand has gone unmet by then; on_hand: expected units
    lost: expected units short so far, late or lost
    early, early_lost: the same before an order placed today could be on the shelf
    """

    stockout: np.ndarray
    on_hand: np.ndarray
    lost: np.ndarray
    early: np.ndarray
    early_lost: np.ndarray


class Arrivals(NamedTuple):
    """Open orders of series i are entries offset[i] … offset[i + 1].

    quantity: (k,) units; reached: (k, H) chance of being on the shelf by each step
    fresh: (u, H) the same for an order placed today, if it ever comes; which: (n,) row of it for each
    series; never: (n,) chance that it does not
    """

    offset: np.ndarray
    quantity: np.ndarray
    reached: np.ndarray
    fresh: np.ndarray
    which: np.ndarray
    never: np.ndarray


class Shelf(NamedTuple):
    """Per series: units available now, whether unmet demand waits, whether units are whole."""

    available: np.ndarray
    backorder: np.ndarray
    whole: np.ndarray


def project_stock(
    demand: CumulativeDemand,
    shelf: Shelf,
    lead_times: LeadTimes,
    inbound: Inbound,
    horizon: int,
    *,
    paths: int = 256,
    seed: int = 0,
) -> Projection:
    """Project each series over `horizon` periods; shelf and lead_times row by row as demand."""
    walk = path_levels(paths, horizon, demand.correlation, seed)
    # Ranks keep what the walk says about paths and give each horizon its distribution without sampling error.
    way = picks(demand.levels, (walk.argsort(axis=0).argsort(axis=0) + 0.5) / paths)
    rng = np.random.default_rng(seed)
    draws = (np.array([rng.permutation(paths) for _ in range(SHUFFLES)]) + 0.5) / paths
    arrivals = arrivals_of(demand.keys, lead_times, inbound, horizon)
    return Projection(*_project(compiled_rows(demand), way, shelf, arrivals, draws))


def arrivals_of(keys: pd.DataFrame, lead_times: LeadTimes, inbound: Inbound | None, horizon: int) -> Arrivals:
    """What the compiled walk needs of open orders (None: there are none) and of an order placed today."""
    fresh = np.cumsum(
        _to_width(lead_times.distributions, horizon), axis=1
    )  # lead time 0: there from step 1 on
    if inbound is None:
        offset, nothing = np.zeros(len(keys) + 1, dtype=np.int64), np.zeros(0)
        return Arrivals(offset, nothing, np.zeros((0, horizon)), fresh, lead_times.which, lead_times.never)
    index = keys.assign(row=np.arange(len(keys)))[["sku", "location", "row"]]
    orders = inbound.orders[["sku", "location"]].merge(index, on=["sku", "location"], how="left")
    row = orders["row"].to_numpy(dtype=float)
    known = np.flatnonzero(~np.isnan(row))
    order = known[np.argsort(row[known].astype(np.int64), kind="stable")]
    offset = np.searchsorted(row[order].astype(np.int64), np.arange(len(keys) + 1))
    reached = np.cumsum(_to_width(inbound.arrival[order], horizon), axis=1)
    quantity = inbound.orders["quantity"].to_numpy(dtype=float)[order]
    return Arrivals(offset, quantity, reached, fresh, lead_times.which, lead_times.never)


def _to_width(rows: np.ndarray, width: int) -> np.ndarray:
    kept = rows[:, :width]
    return np.pad(kept, ((0, 0), (0, width - kept.shape[1])))


@njit(cache=True, nogil=True)
def _project(
    rows: np.ndarray, way: Picks, shelf: Shelf, arrivals: Arrivals, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    count, horizon = way.low.shape
    n = rows.shape[0]
    out = np.empty((5, n, horizon), dtype=np.float32)
    paths, one = np.empty((count, horizon)), np.empty((5, horizon))
    weights, fresh = np.full(count, 1.0 / count), np.empty(count, dtype=np.int64)
    for i in range(n):
        first, last = arrivals.offset[i], arrivals.offset[i + 1]
        steps = np.empty((count, last - first), dtype=np.int64)
        comes = max(1.0 - arrivals.never[i], 1e-12)
        for s in range(count):
            fresh[s] = np.searchsorted(arrivals.fresh[arrivals.which[i]], draws[0, s] / comes)
            for j in range(first, last):
                shuffle = 1 + (j - first) % (len(draws) - 1)
                steps[s, j - first] = np.searchsorted(arrivals.reached[j], draws[shuffle, s])
        demand_paths(rows[i], way, shelf.whole[i], paths)
        supply = (steps, arrivals.quantity[first:last], fresh)
        follow_paths(paths, weights, supply, (shelf.available[i], shelf.backorder[i]), one)
        out[:, i] = one
    return out[0], out[1], out[2], out[3], out[4]


@njit(cache=True, nogil=True)
def demand_paths(rows: np.ndarray, way: Picks, whole: bool, paths: np.ndarray) -> None:
    """Fill (count, H) `paths` with cumulative units that never fall."""
    for s in range(paths.shape[0]):
        before = 0.0
        for h in range(paths.shape[1]):
            units = way.of_low[s, h] * rows[h, way.low[s, h]] + way.of_high[s, h] * rows[h, way.high[s, h]]
            before = max(before, np.floor(units + 0.5) if whole else units)
            paths[s, h] = before


@njit(cache=True, nogil=True)
def follow_paths(
    paths: np.ndarray,
    weights: np.ndarray,
    supply: tuple[np.ndarray, np.ndarray, np.ndarray],
    shelf: tuple[float, bool],
    out: np.ndarray,
) -> None:
    """Play one series forward and fill `out`, (5, H): stockout, on_hand, lost, early, early_lost.

    paths: (count, H) cumulative demand; weights: (count,) summing to one
    supply: steps (count, J), 0-based, at whose start each order comes (H or more: not within sight);
        its quantity (J,); and the step at which an order placed today comes (count,)
    shelf: units available now; whether unmet demand waits
    Within a period what arrives is there first. A shelf is out when demand asks for more than there is.
    """
    steps, quantity, fresh = supply
    horizon = paths.shape[1]
    out[:] = np.nan if np.isnan(shelf[0]) else 0.0
    coming = np.zeros(horizon)
    for s in range(paths.shape[0]):
        coming[:] = 0.0
        for j in range(len(quantity)):
            if steps[s, j] < horizon:
                coming[steps[s, j]] += quantity[j]
        _follow_one(paths[s], coming, (weights[s], fresh[s]), shelf, out)
    for h in range(1, horizon):
        for k in (0, 2, 3, 4):
            out[k, h] += out[k, h - 1]


@njit(cache=True, nogil=True)
def _follow_one(
    path: np.ndarray, coming: np.ndarray, drawn: tuple[float, int], shelf: tuple[float, bool], out: np.ndarray
) -> None:
    """Add one path with its (weight, step at which an order placed today comes) to `out`."""
    weight, fresh = drawn
    net, before, passed = shelf[0], 0.0, False
    for h in range(len(path)):
        asked = path[h] - before
        before = path[h]
        net += coming[h] - asked
        if net < -1e-6:
            short = weight * min(asked, -net)
            first = 0.0 if passed else weight
            passed = True
            out[0, h] += first
            out[2, h] += short
            if h < fresh:
                out[3, h] += first
                out[4, h] += short
            net = net if shelf[1] else 0.0
        out[1, h] += weight * max(net, 0.0)
