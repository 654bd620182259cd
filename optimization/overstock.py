"""Overstock: how long the shelf lasts, what will not sell before it expires, and what does not pay to keep.

It owns the outlook of what is on hand against demand alone: orders on the way come after it. Paths of demand
take the lots in the order in which they expire.
"""

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cumulative import CumulativeDemand
from forecasting.paths import path_law, path_places
from optimization.lots import periods_left
from optimization.sums import Sums, sum_quantile, sums
from optimization.targets import Defaults

MOST = 3650.0  # days of cover that are counted; what lasts longer is not told apart
RECOVERED = 0.5  # share of the unit cost that a cleared unit brings in
COLUMNS = [
    "sku", "location", "days_of_cover", "days_of_cover_q90", "units_to_clear", "money_to_clear",
    "expiring_units", "sell_before_expiry_probability", "first_expiry_on",
]  # fmt: skip


def overstock_outlook(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    position: pd.DataFrame,
    lots: pd.DataFrame,
    recovered: float = RECOVERED,
    paths: int = 256,
    seed: int = 0,
) -> pd.DataFrame:
    """What becomes of the stock of each series if nothing else comes, COLUMNS, in demand's order.

    demand: (n,) series; supply, targets, position: row by row as demand; lots: as lots.lots_on_shelf gives it
    recovered: share of the unit cost that clearing a unit brings in, in [0, 1)
    days_of_cover: days within which the shelf is sold with chance ½, days_of_cover_q90: with chance .9; what
        is promised or expired already does not count. At most MOST: so long lasts what nobody asks for
    expiring_units: units expected to expire unsold, those expired already among them
    sell_before_expiry_probability: that every unit is sold in time; NaN where nothing expires
    first_expiry_on: last day of sale of the unit that expires first; NaT where nothing expires
    units_to_clear: units whose chance of being needed before they expire or stop paying is below `recovered`,
        what clearing brings of what keeping would save; money_to_clear: their cost, NaN where it is unknown
    A unit that is kept saves the cost of its replacement; it stops paying when holding it has cost what
    clearing would lose: after (1 - recovered) · unit cost / holding cost periods.
    A series never counted (on_hand NaN) has no outlook: NaN.
    """
    if not 0.0 <= recovered < 1.0:
        raise ValueError(f"recovered must lie in [0, 1), got {recovered!r}; write 50% as 0.5")
    period, n = demand.period, len(demand.keys)
    whole = supply["whole"].to_numpy(dtype=bool)
    on_hand = position["on_hand"].to_numpy(dtype=float)
    reserved = position["reserved"].to_numpy(dtype=float)
    most = int(MOST / period.days)
    left = periods_left(lots["expires_on"], period, demand.as_of, most + 1)
    row = lots["row"].to_numpy(dtype=np.int64)
    quantity = lots["quantity"].to_numpy(dtype=float)
    expired = np.bincount(row, np.where(left == 0, quantity, 0.0), minlength=n)
    sellable = np.maximum(on_hand - reserved - expired, 0.0)
    ahead = sums(demand)
    cover = _covers(ahead, sellable - 0.5 * whole, np.array([0.5, 0.9]), most) * period.days
    cover[np.isnan(on_hand)] = np.nan
    places = _places(demand, paths, seed)
    limit = np.minimum(_paying(supply, targets, period.days, recovered), most).astype(np.int64)
    stays = (np.searchsorted(row, np.arange(n + 1)), quantity, left)
    unsold, in_time, clear = _left_over(ahead, places, stays, (reserved, whole, limit), (recovered, most))
    first = lots.groupby("row")["expires_on"].min().reindex(range(n))
    never_counted, perishes = np.isnan(on_hand), first.notna().to_numpy()
    clear[never_counted], unsold[never_counted] = np.nan, np.nan
    return demand.keys[["sku", "location"]].assign(
        days_of_cover=np.minimum(cover[:, 0], MOST),
        days_of_cover_q90=np.minimum(cover[:, 1], MOST),
        units_to_clear=clear,
        money_to_clear=clear * supply["unit_cost"].to_numpy(dtype=float),
        expiring_units=unsold,
        sell_before_expiry_probability=np.where(perishes, in_time, np.nan),
        first_expiry_on=first.to_numpy(),
    )[COLUMNS]


def expected_waste(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    *,
    position: pd.DataFrame,
    lots: pd.DataFrame,
    within: np.ndarray,
    paths: int = 256,
    seed: int = 0,
) -> np.ndarray:
    """(n,) units of counted lots that are expected to expire unsold in the next `within`, (n,) periods.

    What an order must replace although it is on hand; in whole units where supply["whole"]. What only
    receipts tell of lots (lots["source"]) does not count: orders rest on what somebody has seen.
    """
    counted = lots[lots["source"] == "lot"]
    row = counted["row"].to_numpy(dtype=np.int64)
    most = int(MOST / demand.period.days)
    left = periods_left(counted["expires_on"], demand.period, demand.as_of, most + 1)
    left = np.where(left > within[row], most + 1, left)
    n, whole = len(demand.keys), supply["whole"].to_numpy(dtype=bool)
    reserved = position["reserved"].to_numpy(dtype=float)
    stays = (np.searchsorted(row, np.arange(n + 1)), counted["quantity"].to_numpy(dtype=float), left)
    shelf = (reserved, whole, np.full(n, most + 1))
    places = _places(demand, paths, seed)
    unsold = _left_over(sums(demand), places, stays, shelf, (0.5, most))[0]
    return np.where(whole, np.floor(unsold + 0.5), unsold)


def _places(demand: CumulativeDemand, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(shapes, count, H) where each path's sum stands, (n,) which of the shapes a series follows, and (n, H)
    which of the H steps stands for each period."""
    places = path_places(count, demand.horizon, demand.correlation, seed)
    law = path_law(demand.levels, demand.quantiles, demand.mean)
    return np.ascontiguousarray(places.transpose(0, 2, 1)), *law


def _paying(supply: pd.DataFrame, targets: pd.DataFrame, days: float, recovered: float) -> np.ndarray:
    """(n,) whole periods after which holding a unit has cost what clearing it would lose."""
    worth = supply["unit_cost"].to_numpy(dtype=float)
    share = targets["holding_cost"].to_numpy(dtype=float) / np.where(worth > 0, worth, np.nan)
    share = np.where(np.isnan(share), Defaults().holding_rate * days / 365.25, share)
    return np.floor(np.divide(1.0 - recovered, share, where=share > 0, out=np.full(len(share), 1e9)))


@njit(cache=True, nogil=True)
def _covers(ahead: Sums, amount: np.ndarray, chances: np.ndarray, most: int) -> np.ndarray:
    """(n, k) fewest periods whose demand reaches `amount`, (n,) units, with each chance; at most `most`."""
    out = np.empty((len(amount), len(chances)))
    for i in range(len(amount)):
        for k in range(len(chances)):
            short, enough = 0, 1  # demand of `short` periods does not reach the amount
            if amount[i] <= 0.0:
                out[i, k] = 0.0
                continue
            while enough < most and sum_quantile(ahead, i, enough, 1.0 - chances[k]) < amount[i]:
                short, enough = enough, min(2 * enough, most)
            while enough - short > 1:
                middle = (short + enough) // 2
                if sum_quantile(ahead, i, middle, 1.0 - chances[k]) < amount[i]:
                    short = middle
                else:
                    enough = middle
            out[i, k] = enough
    return out


@njit(cache=True, nogil=True)
def _left_over(
    ahead: Sums,
    places: tuple[np.ndarray, np.ndarray, np.ndarray],
    stays: tuple[np.ndarray, np.ndarray, np.ndarray],
    shelf: tuple[np.ndarray, np.ndarray, np.ndarray],
    bounds: tuple[float, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) mean of what expires, chance that nothing does, and quantile `recovered` of what is left over.

    places: as `_places`; beyond H a path stays where it stood at H
    stays: lots offset[i] … offset[i + 1] of series i; their units; periods in which they can be sold
    shelf: units promised, whether units are whole, periods after which a unit left over does not pay
    bounds: `recovered`, and the periods up to which an expiry counts as one
    With Q_j units in the lots up to j, of which expiry e_j is the last, the path's waste by then is
    max(waste before, Q_j - promised - D(e_j)): demand takes what expires first.
    """
    offset, quantity, left = stays
    reserved, whole, limit = shelf
    recovered, most = bounds
    levels, which, steps = places
    n, paths = len(reserved), levels.shape[1]
    unsold, in_time, clear = np.zeros(n), np.zeros(n), np.zeros(n)
    over = np.empty(paths)
    last = max(int(np.ceil(recovered * paths - 1e-9)) - 1, 0)
    for i in range(n):
        level = levels[which[i]][:, steps[i]]
        for s in range(paths):
            held, waste, kept, sold, soon = 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(offset[i], offset[i + 1]):
                held += quantity[j]
                if left[j] == 0:
                    waste, kept = held, held
                    continue
                stay = min(left[j], limit[i])
                soon = max(soon, _sum_on(ahead, i, stay, level[s], whole[i]))
                kept = max(kept, held - reserved[i] - soon)
                if left[j] <= most:
                    sold = (
                        max(soon, sold) if stay == left[j] else _sum_on(ahead, i, left[j], level[s], whole[i])
                    )
                    waste = max(waste, held - reserved[i] - sold)
            unsold[i] += waste / paths
            in_time[i] += (waste <= 1e-6) / paths
            over[s] = kept
        clear[i] = np.sort(over)[last]
    return unsold, in_time, clear


@njit(cache=True, nogil=True)
def _sum_on(ahead: Sums, i: int, periods: int, level: np.ndarray, whole: bool) -> float:
    """Units that series i sells within `periods` on a path that stands at `level`, (H,)."""
    if periods <= 0:
        return 0.0
    units = sum_quantile(ahead, i, periods, level[min(periods, len(level)) - 1])
    return float(np.floor(units + 0.5)) if whole else units
