"""Perishing: the level that costs least when what is not sold within its shelf life is lost.

It owns the weighing of expiry against holding and shortage. Ordered up to S, what the lead time and a shelf
life after it do not ask for of these S units has expired by then, first in first out: E[S - D(L + m)]⁺ a
review (Nahmias 1976, Myopic approximations for the perishable inventory problem; an upper bound where a lot
is still sold when the next ones come).
"""

import numpy as np
import pandas as pd

from optimization.protection import ProtectionDemand

FEW = 0.01  # level of demand below which nothing is held for


def shelf_periods(supply: pd.DataFrame, days: float) -> np.ndarray:
    """(n,) periods that a unit can be sold in after its receipt, of whole days; -1 where it keeps.

    >>> shelf_periods(pd.DataFrame({"shelf_life_days": [14.0, 3.5, np.nan]}), 7.0).round(3).tolist()
    [2.0, 0.429, -1.0]
    """
    life = supply["shelf_life_days"].to_numpy(dtype=float)
    return np.where(np.isfinite(life), np.floor(np.nan_to_num(life)) / days, -1.0)


def perishable_targets(
    over: ProtectionDemand, life: np.ndarray, target: np.ndarray, held: np.ndarray, worth: np.ndarray
) -> np.ndarray:
    """(n,) level of demand over lead time and review to cover: at most `target`, less where units expire.

    The level S solves p·(1 - F(S)) = h·F(S) + c·G(S), all convex in S: F is demand over lead time and review,
    G over lead time and shelf life, p the shortage cost that makes `target` right for units that keep.
    life: (n,) periods; held: money of holding a unit for a review interval, h; worth: money lost with an
    expired unit, c, above 0
    """
    missed = held * target / (1.0 - target)
    short, long, share = _around(over, life)
    low, high = np.zeros(len(life)), over.quantile(target[:, None])[:, 0]
    for _ in range(48):
        middle = 0.5 * (low + high)
        reached = over.cdf(middle)
        unsold = (1.0 - share) * short.cdf(middle) + share * long.cdf(middle)
        dear = held * reached + worth * unsold >= missed * (1.0 - reached)
        low, high = np.where(dear, low, middle), np.where(dear, middle, high)
    return np.clip(np.minimum(over.cdf(high), target), FEW, None)


def sellable(over: ProtectionDemand, life: np.ndarray) -> np.ndarray:
    """(n,) units that are as likely as not asked for in lead time and shelf life; inf where they keep."""
    out, limited = np.full(len(life), np.inf), life >= 0
    if limited.any():
        short, long, share = _around(over.take(limited), life[limited])
        out[limited] = (1.0 - share) * short.quantile(0.5)[:, 0] + share * long.quantile(0.5)[:, 0]
    return out


def _around(
    over: ProtectionDemand, life: np.ndarray
) -> tuple[ProtectionDemand, ProtectionDemand, np.ndarray]:
    """Demand over the lead time and the whole periods below and above `life`, and the share of the latter."""
    whole = np.floor(life + 1e-9)
    share = np.maximum(life - whole, 0.0)
    short = whole.astype(np.int64)
    return over.lasting(short), over.lasting(short + (share > 0)), share
