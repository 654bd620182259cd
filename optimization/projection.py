"""The projection of stock: sample paths of demand and arrivals played forward, one series after another.

It owns the compiled walk over the paths. Paths of demand share one set of levels among all series; each
open order draws its arrival from its own distribution, independent of demand and of other orders.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cumulative import CumulativeDemand
from optimization.lead_time import LeadTimes
from optimization.paths import Ways, ways
from optimization.position import Inbound
from optimization.sums import compiled_rows

SHUFFLES = 32  # independent orders of the draws; a series with more open orders uses them again


@dataclass(frozen=True)
class Projection:
    """Stock as projected; arrays (n, H) float32, each at the end of every period ahead.

    stockout: chance that demand has gone unmet by then; on_hand: expected units
    lost: expected units short so far, late or lost
    early, early_lost: the same before an order that goes out as soon as it can could be on the shelf
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


class Expiry(NamedTuple):
    """Lots of series i are entries offset[i] … offset[i + 1], what expires first first.

    step: (k,) 0-based step from whose start on a lot cannot be sold any more
    units: (k,) units of it and of those before it, less what of the shelf is promised
    """

    offset: np.ndarray
    step: np.ndarray
    units: np.ndarray


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
    wait: np.ndarray | None = None,
    expiry: Expiry | None = None,
    paths: int = 256,
    seed: int = 0,
) -> Projection:
    """Project each series over `horizon` periods; shelf and lead_times row by row as demand.

    wait: (n,) periods that go by before an order can go out, default none
    expiry: lots on the shelf that may expire on it, default none; demand takes what expires first
    """
    way = ways(demand, paths, seed, horizon)
    rng = np.random.default_rng(seed)
    draws = np.array([rng.permutation(paths) for _ in range(SHUFFLES)])
    arrivals = arrivals_of(demand.keys, lead_times, inbound, horizon)
    wait = np.zeros(len(demand.keys), dtype=np.int64) if wait is None else wait
    if expiry is None:
        nothing = np.zeros(0, dtype=np.int64)
        expiry = Expiry(np.zeros(len(demand.keys) + 1, dtype=np.int64), nothing, np.zeros(0))
    return Projection(*_project(compiled_rows(demand), way, shelf, expiry, arrivals, draws, wait))


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
    rows: np.ndarray,
    way: Ways,
    shelf: Shelf,
    expiry: Expiry,
    arrivals: Arrivals,
    draws: np.ndarray,
    wait: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    horizon, count = way.picks.low.shape[1:]
    n = rows.shape[0]
    out = np.empty((5, n, horizon), dtype=np.float32)
    asked, one, gone = np.empty((horizon, count)), np.empty((5, horizon)), np.zeros((horizon, count))
    weights, fresh = np.full(count, 1.0 / count), np.empty(count, dtype=np.int32)
    for i in range(n):
        first, last = arrivals.offset[i], arrivals.offset[i + 1]
        steps = np.empty((last - first, count), dtype=np.int32)
        _draw_steps(arrivals.fresh[arrivals.which[i]], 1.0 - arrivals.never[i], draws[0], fresh)
        for j in range(first, last):
            shuffle = 1 + (j - first) % (len(draws) - 1)
            _draw_steps(arrivals.reached[j], 1.0, draws[shuffle], steps[j - first])
        _ask(rows[i], way, i, shelf.whole[i], asked)
        perishes = expiry.offset[i + 1] > expiry.offset[i]
        if perishes:
            _expire(asked, expiry, i, gone)
        supply = (steps, arrivals.quantity[first:last], fresh + wait[i], gone)
        follow_paths(asked, weights, supply, (shelf.available[i], shelf.backorder[i]), one)
        if perishes:
            gone[:] = 0.0
        out[:, i] = one
    return out[0], out[1], out[2], out[3], out[4]


@njit(cache=True, nogil=True)
def _draw_steps(reached: np.ndarray, share: float, places: np.ndarray, steps: np.ndarray) -> None:
    """Fill (count,) `steps` with 0-based steps, each as often as share · reached makes it likely.

    reached: (H,) chance of being there by each step; places: (count,) 0 … count - 1, shuffled
    """
    count, step = len(places), 0
    by_place = np.empty(count, dtype=np.int32)
    for place in range(count):
        while step < len(reached) and share * reached[step] < (place + 0.5) / count:
            step += 1
        by_place[place] = step
    for s in range(count):
        steps[s] = by_place[places[s]]


@njit(cache=True, nogil=True)
def _ask(rows: np.ndarray, way: Ways, i: int, whole: bool, asked: np.ndarray) -> None:
    """Fill (H, count) `asked` with the units of each step of each path; sums never fall along it."""
    which = way.which[i]
    low, high = way.picks.low[which], way.picks.high[which]
    of_low, of_high = way.picks.of_low[which], way.picks.of_high[which]
    before = np.zeros(asked.shape[1])
    for h in range(asked.shape[0]):
        row, units, at = rows[h], asked[h], way.steps[i, h]
        for s in range(len(units)):
            units[s] = of_low[at, s] * row[low[at, s]] + of_high[at, s] * row[high[at, s]]
        if whole:
            for s in range(len(units)):
                units[s] = np.floor(units[s] + 0.5)
        for s in range(len(units)):
            after = max(before[s], units[s])
            units[s] = after - before[s]
            before[s] = after


@njit(cache=True, nogil=True)
def _expire(asked: np.ndarray, expiry: Expiry, i: int, gone: np.ndarray) -> None:
    """Add to (H, count) `gone` the units of series i that expire unsold before each step of each path.

    Demand takes what expires first: by the expiry of a lot the waste is what it had not asked for of this lot
    and those before it, or the waste before.
    """
    for s in range(asked.shape[1]):
        sold, wasted, h = 0.0, 0.0, 0
        for j in range(expiry.offset[i], expiry.offset[i + 1]):
            while h < expiry.step[j]:
                sold += asked[h, s]
                h += 1
            left = expiry.units[j] - sold
            if left > wasted:
                gone[h, s] += left - wasted
                wasted = left


# Sums over paths may be taken in any order, so that several paths are followed at once.
@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def follow_paths(
    asked: np.ndarray,
    weights: np.ndarray,
    supply: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    shelf: tuple[float, bool],
    out: np.ndarray,
) -> None:
    """Play one series forward and fill `out`, (5, H): stockout, on_hand, lost, early, early_lost.

    asked: (H, count) demand of each step of each path; weights: (count,) summing to one
    supply: steps (J, count), 0-based, at whose start each order comes (H or more: not within sight);
        its quantity (J,); the step at which an order that goes out as soon as it can comes (count,); and the
        units that expire on the shelf at the start of each step (H, count)
    shelf: units available now, below 0 what is owed; whether unmet demand waits
    Within a period what arrives is there first. A shelf is out when demand asks for more than there is.
    """
    steps, quantity, fresh, gone = supply
    horizon, count = asked.shape
    if np.isnan(shelf[0]):
        out[:] = np.nan
        return
    net, fine, coming = np.full(count, shelf[0]), np.ones(count), -gone
    for j in range(len(quantity)):
        for s in range(count):
            if steps[j, s] < horizon:
                coming[steps[j, s], s] += quantity[j]
    for h in range(horizon):
        first, hand, lost, early, early_lost = 0.0, 0.0, 0.0, 0.0, 0.0
        for s in range(count):
            there = net[s] + coming[h, s]
            left = there - asked[h, s]
            out_now, before = 1.0 if left < -1e-6 else 0.0, 1.0 if h < fresh[s] else 0.0
            passes, short = weights[s] * out_now * fine[s], weights[s] * out_now * min(asked[h, s], -left)
            first += passes
            early += before * passes
            lost += short
            early_lost += before * short
            fine[s] = min(fine[s], 1.0 - out_now)
            hand += weights[s] * max(left, 0.0)
            # Even where unmet demand is lost, what was promised before is owed until it is there.
            net[s] = left if shelf[1] else max(left, min(there, 0.0))
        out[0, h], out[1, h], out[2, h], out[3, h], out[4, h] = first, hand, lost, early, early_lost
    for h in range(1, horizon):
        for k in (0, 2, 3, 4):
            out[k, h] += out[k, h - 1]
