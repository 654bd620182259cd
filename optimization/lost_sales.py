"""Lost sales: what an empty shelf cannot sell is gone, so the levels that cost least are simulated.

It owns the search for the level of demand to cover, and the world that levels, fill rates (`lost_fill`) and
orders (`lost_orders`) are played in. The newsvendor level p / (p + h·R) lets a backlog wait for the order it
caused; when sales are lost, part of what was ordered for them is left over, and a lower level is cheaper
(Zipkin 2008, Old and new methods for lost-sales inventory systems). No formula is near enough for all items,
so each is played on its own paths of demand.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cumulative import CumulativeDemand, in_units
from optimization.lead_time import LeadTimes
from optimization.paths import Ways, ways
from optimization.projection import Arrivals, arrivals_of
from optimization.protection import protection_demand
from optimization.sums import compiled_rows
from optimization.supply import orders_of

LEVELS = np.array([0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99])
LOOK = 3  # protection intervals played ahead, where the forecast reaches


class World(NamedTuple):
    """Demand and supply as the compiled clock needs them, n series.

    rows: (n, H, levels) quantiles of cumulative demand; way: paths through them
    draws: (k, paths) shuffled chances
    pace: (n, H) expected demand of the protection interval from each step on over that of the first
    least, lot: (n,) smallest order and step above it; review, typical, last: (n,) periods: between reviews,
        of a usual lead time, played ahead
    holding, shortage: (n,) money per unit left at a period's end, and per unit of a lost sale
    whole: (n,) whether units are whole
    """

    rows: np.ndarray
    way: Ways
    draws: np.ndarray
    pace: np.ndarray
    least: np.ndarray
    lot: np.ndarray
    review: np.ndarray
    typical: np.ndarray
    last: np.ndarray
    holding: np.ndarray
    shortage: np.ndarray
    whole: np.ndarray


def playable(
    demand: CumulativeDemand, supply: pd.DataFrame, lead_times: LeadTimes, targets: pd.DataFrame
) -> np.ndarray:
    """(n,) whether a series loses what it cannot sell, and is forecast far enough to play.

    A cost of ordering makes orders rare: those follow the economic order quantity instead.
    """
    interval = lead_times.typical + supply["review_periods"].to_numpy(dtype=np.int64)
    lost = (targets["unmet"] == "lost").to_numpy()
    return lost & ~(supply["order_cost"].to_numpy() > 0) & (interval <= demand.horizon)


def concerned(
    demand: CumulativeDemand, supply: pd.DataFrame, lead_times: LeadTimes, targets: pd.DataFrame
) -> np.ndarray:
    """(n,) whether a series is `playable` and held for cost."""
    by_cost = (targets["measure"] == "cost").to_numpy()
    priced = (targets["holding_cost"] > 0).to_numpy() & (targets["shortage_cost"] > 0).to_numpy()
    return by_cost & priced & playable(demand, supply, lead_times, targets)


def settle_targets(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets: pd.DataFrame,
    *,
    paths: int = 256,
    seed: int = 0,
) -> pd.DataFrame:
    """`targets` with the level of each series held for cost under lost sales replaced by the cheapest.

    All row by row as demand. The level is a chance of covering demand over lead time + review, one of LEVELS:
    the order-up-to policy at that quantile costs least on the series' own paths, from a shelf that starts at
    its level on.
    """
    chosen = np.flatnonzero(concerned(demand, supply, lead_times, targets))
    if not len(chosen):
        return targets
    part, terms, lead = demand.take(chosen), supply.iloc[chosen], lead_times.take(chosen)
    whole = terms["whole"].to_numpy(dtype=bool)
    review = terms["review_periods"].to_numpy(dtype=np.int64)
    over = protection_demand(part, lead, review, orders_of(terms))
    levels = in_units(over.quantile(LEVELS), whole[:, None])
    world = world_of(part, terms, lead, targets.iloc[chosen], paths, seed)
    fresh = arrivals_of(part.keys, lead, None, demand.horizon)
    cost = _cost_of_levels(world, fresh, np.ascontiguousarray(levels))
    level = targets["target"].to_numpy(dtype=float).copy()
    level[chosen] = LEVELS[cost.argmin(axis=1)]
    return targets.assign(target=level)


def world_of(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets: pd.DataFrame,
    paths: int,
    seed: int,
) -> World:
    """What is played: `paths` of demand, and lead times drawn from `seed`; all row by row as demand."""
    horizon = demand.horizon
    rng = np.random.default_rng(seed)
    # Every review step draws the lead time of its order in an order of its own.
    draws = (np.array([rng.permutation(paths) for _ in range(horizon + 1)]) + 0.5) / paths
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    typical = np.asarray(lead_times.typical, dtype=np.int64)
    interval = np.minimum(typical + review, horizon)
    lot = supply["lot_size"].to_numpy(dtype=np.float64)
    whole = supply["whole"].to_numpy(dtype=bool)
    lot = np.where(lot > 0, lot, np.where(whole, 1.0, 0.0))
    return World(
        rows=compiled_rows(demand),
        way=ways(demand, paths, seed),
        draws=draws,
        pace=_pace(demand.mean.astype(np.float64), interval),
        least=np.maximum(supply["moq"].to_numpy(dtype=np.float64), lot),
        lot=lot,
        review=review,
        typical=typical,
        last=np.minimum(LOOK * interval, horizon),
        holding=targets["holding_cost"].to_numpy(dtype=np.float64),
        shortage=targets["shortage_cost"].to_numpy(dtype=np.float64),
        whole=whole,
    )


def _pace(mean: np.ndarray, interval: np.ndarray) -> np.ndarray:
    """(n, H) expected demand of the `interval` periods after each step, as a multiple of the first ones'.

    The last interval that the forecast reaches stands for those after it.
    """
    n, horizon = mean.shape
    sums = np.concatenate([np.zeros((n, 1)), mean], axis=1)
    first = np.minimum(np.arange(horizon)[None, :], (horizon - interval)[:, None])
    rows = np.arange(n)[:, None]
    ahead = sums[rows, first + interval[:, None]] - sums[rows, first]
    return ahead / np.maximum(ahead[:, :1], 1e-9)


@njit(cache=True, nogil=True)
def _cost_of_levels(world: World, fresh: Arrivals, levels: np.ndarray) -> np.ndarray:
    """(n, levels) mean cost of ordering up to each of `levels`, (n, levels) units.

    The shelf starts at the level; cost counts from the step on at which the first order can come.
    """
    n, count = levels.shape
    horizon, paths = world.way.picks.low.shape[1:]
    out = np.zeros((n, count))
    cumulative, due = np.empty((paths, horizon)), np.empty(horizon)
    for i in range(n):
        demand_paths(world, i, cumulative)
        leads = leads_of(world, fresh, i)
        for k in range(count):
            if k > 0 and levels[i, k] == levels[i, k - 1]:
                out[i, k] = out[i, k - 1]
                continue
            for s in range(paths):
                start = (levels[i, k], levels[i, k], 0.0, min(world.typical[i], world.last[i] - 1))
                due[:] = 0.0
                out[i, k] += play(world, i, cumulative[s], due, leads[s], start)
    return out / paths


@njit(cache=True, nogil=True)
def demand_paths(world: World, i: int, paths: np.ndarray) -> None:
    """Fill (count, H) `paths` with cumulative units of series i that never fall, path by path."""
    row, way, kind = world.rows[i], world.way.picks, world.way.which[i]
    for s in range(paths.shape[0]):
        before = 0.0
        for h in range(paths.shape[1]):
            at = world.way.steps[i, h]
            units = way.of_low[kind, at, s] * row[h, way.low[kind, at, s]]
            units += way.of_high[kind, at, s] * row[h, way.high[kind, at, s]]
            before = max(before, np.floor(units + 0.5) if world.whole[i] else units)
            paths[s, h] = before


@njit(cache=True, nogil=True)
def leads_of(world: World, arrivals: Arrivals, i: int) -> np.ndarray:
    """(paths, H + 1) lead time of an order placed before each step."""
    horizon, paths = world.way.picks.low.shape[1:]
    out = np.empty((paths, horizon + 1), dtype=np.int64)
    reach, comes = arrivals.fresh[arrivals.which[i]], max(1.0 - arrivals.never[i], 1e-12)
    for k in range(horizon + 1):
        for s in range(paths):
            out[s, k] = np.searchsorted(reach, world.draws[k, s] / comes)
    return out


@njit(cache=True, nogil=True)
def _steps(missing: float, least: float, lot: float) -> int:
    """Place in the grid 0, least, least + lot, … of the smallest quantity that covers `missing`."""
    if missing <= 1e-9:
        return 0
    if missing <= least or lot <= 0.0:
        return 1
    return 1 + int(np.ceil((missing - least) / lot - 1e-9))


@njit(cache=True, nogil=True)
def play(
    world: World,
    i: int,
    path: np.ndarray,
    due: np.ndarray,
    leads: np.ndarray,
    start: tuple[float, float, float, int],
) -> float:
    """Cost of one path of series i: arrivals, then sales, then, where it is time, a review.

    due: (H,) units that arrive at each step; filled with what is ordered on the way
    start: units on the shelf, order-up-to level, quantity ordered now, first step whose cost counts
    """
    shelf, level, quantity, counted = start
    horizon = world.last[i]
    outstanding = due.sum() + quantity
    if leads[0] < len(due):
        due[leads[0]] += quantity
    cost, before = 0.0, 0.0
    for t in range(horizon):
        shelf += due[t]
        outstanding -= due[t]
        asked = path[t] - before
        before = path[t]
        sold = min(asked, shelf)
        shelf -= sold
        if t >= counted:
            cost += world.holding[i] * shelf + world.shortage[i] * (asked - sold)
        if (t + 1) % world.review[i] == 0 and t + 1 < horizon:
            # Without demand nothing is missing, though the mean in single precision may rise by a trace.
            wanted = level * world.pace[i, t + 1] - 1e-6 * level
            wanted = np.floor(wanted + 0.5) if world.whole[i] else wanted
            missing = wanted - shelf - outstanding
            if world.lot[i] > 0.0:
                place = _steps(missing, world.least[i], world.lot[i])
                order = world.least[i] + (place - 1) * world.lot[i] if place > 0 else 0.0
            else:
                order = max(missing, world.least[i]) if missing > 1e-9 else 0.0
            if order > 0.0:
                outstanding += order
                if t + 1 + leads[t + 1] < len(due):
                    due[t + 1 + leads[t + 1]] += order
    return cost
