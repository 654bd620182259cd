"""Fill rates where sales are lost: how much of the formula's level serves the share that is asked for.

It owns that share of the level. The formula of `protection` lets unmet demand wait, and the next arrival
serves it first; where it is lost, the shelf is fuller than the formula thinks and a lower level will do. The
level is found by play in the world of `lost_sales`, with nothing to pay but a unit lost.
"""

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cumulative import CumulativeDemand
from optimization.lead_time import LeadTimes
from optimization.lost_sales import World, demand_paths, leads_of, play, playable, world_of
from optimization.projection import Arrivals, arrivals_of
from optimization.protection import protection_demand
from optimization.supply import Orders
from optimization.thresholds import reorder_levels, round_up

FINE = 1e-3  # of the formula's level: how near the level is sought where units are many or not whole


def settle_fill_rates(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets: pd.DataFrame,
    *,
    paths: int = 256,
    seed: int = 0,
) -> pd.DataFrame:
    """`targets` with the column `level_share` where sales are lost and a fill rate is asked for.

    All row by row as demand. level_share: (n,) in (0, 1], what the formula's reorder point is multiplied by:
    the lowest level that reaches the target on the series' own paths; 1 for all other series.
    """
    by_fill = (targets["measure"] == "fill_rate").to_numpy()
    chosen = np.flatnonzero(by_fill & playable(demand, supply, lead_times, targets))
    share = np.ones(len(targets))
    if not len(chosen):
        return targets.assign(level_share=share)
    part, terms, lead, told = (
        demand.take(chosen), supply.iloc[chosen], lead_times.take(chosen), targets.iloc[chosen]
    )  # fmt: skip
    world = world_of(part, terms, lead, told, paths, seed)
    world = world._replace(
        last=np.full(len(chosen), demand.horizon),
        holding=np.zeros(len(chosen)),
        shortage=np.ones(len(chosen)),
    )
    orders = Orders(world.least, world.lot, world.whole)
    formula, _ = reorder_levels(protection_demand(part, lead, world.review, orders), told, orders)
    # As for the formula, an order that never comes is none.
    fresh = arrivals_of(part.keys, lead, None, demand.horizon)._replace(never=np.zeros(len(chosen)))
    aims = round_up(formula, world.whole), told["target"].to_numpy(dtype=float), lead.overtaking
    level = _lowest_levels(world, fresh, aims)
    share[chosen] = np.minimum(np.divide(level, formula, where=formula > 0, out=np.ones(len(level))), 1.0)
    return targets.assign(level_share=share)


@njit(cache=True, nogil=True)
def _lowest_levels(
    world: World, fresh: Arrivals, aims: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """(n,) lowest level, units, that serves the share asked for; in `world` only a unit lost costs, 1.

    aims: (n,) highest level, units; share to serve; share of the orders that may overtake others
    """
    most, share, overtaking = aims
    horizon, paths = world.way.picks.low.shape[1:]
    out = most.copy()
    cumulative, due = np.empty((paths, horizon)), np.empty(horizon)
    for i in range(len(most)):
        demand_paths(world, i, cumulative)
        leads = leads_of(world, fresh, i)
        _wait_in_line(world, i, fresh.fresh[fresh.which[i]], leads, int(overtaking[i] * paths + 0.5))
        low, near = 0.0, max(1.0 if world.whole[i] else 0.0, FINE * most[i])
        while out[i] - low > near:
            middle = 0.5 * (low + out[i])
            middle = np.floor(middle) if world.whole[i] else middle
            if _serves(world, i, (middle, share[i]), cumulative, due, leads):
                out[i] = middle
            else:
                low = middle
    return out


@njit(cache=True, nogil=True)
def _wait_in_line(world: World, i: int, reach: np.ndarray, leads: np.ndarray, first: int) -> None:
    """Change (paths, H + 1) `leads`, from path `first` on, so that no order comes before the one before it.

    reach: (H,) chance F(x) of a lead time of at most x = 0, 1, … periods, which orders keep that draw from
    G(x) = F(x) / F(x + R) and wait for the one before: F(x) = G(x)·G(x + R)·…; where G would fall, from less.
    """
    horizon, review = len(reach), world.review[i]
    drawn_by, least = np.empty(horizon), 1.0
    for x in range(horizon - 1, -1, -1):
        ahead = reach[x + review] if x + review < horizon else 1.0
        least = min(least, reach[x] / max(ahead, 1e-12))
        drawn_by[x] = least
    for s in range(first, len(leads)):
        for k in range(review, horizon + 1, review):
            drawn = np.searchsorted(drawn_by, world.draws[k, s])
            leads[s, k] = max(drawn, leads[s, k - review] - review)


@njit(cache=True, nogil=True)
def _serves(
    world: World,
    i: int,
    aim: tuple[float, float],
    cumulative: np.ndarray,
    due: np.ndarray,
    leads: np.ndarray,
) -> bool:
    """Whether ordering up to a level serves a share, `aim`, of demand over whole review intervals.

    Paths begin in the midst of things: what earlier reviews ordered is on its way, the share of what is asked
    for, and the position lies anywhere within a lot above the level. They count where the first orders of
    all have arrived, as far as the forecast reaches.
    """
    level, share = aim
    last, review, paths = world.last[i], world.review[i], len(cumulative)
    counted = last - max((last - leads[:, 0].max()) // review, 1) * review
    pace = share * cumulative[:, last - 1].mean() * review / last
    asked, lost = 0.0, 0.0
    for s in range(paths):
        lead = min(leads[s, 0], last - review)
        orders = lead // review + 1
        each = min(pace, level / orders)
        due[:] = 0.0
        ordered = 0.0
        for k in range(orders):
            so_far = np.floor((k + 1) * each + 0.5) if world.whole[i] else (k + 1) * each
            due[lead - k * review] = so_far - ordered
            ordered = so_far
        above = world.least[i] * (s + 0.5) / paths
        above = np.floor(above) if world.whole[i] else above
        start = (level + above - ordered, level, 0.0, counted)
        lost += play(world, i, cumulative[s], due, leads[s], start)
        asked += cumulative[s, last - 1] - (cumulative[s, counted - 1] if counted > 0 else 0.0)
    return lost <= (1.0 - share) * asked
