"""Risk: the chance of running out, period by period, in spite of what is on its way.

It owns what the projection of stock means to a planner: first passage (out by then, not out then), units
and money lost, the part that even the next order comes too late to avert, and the date to order by.
"""

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cumulative import CumulativeDemand
from ingestion.errors import Problem
from optimization.lead_time import LeadTimes
from optimization.lots import periods_left
from optimization.order_days import order_days
from optimization.position import Inbound
from optimization.projection import Expiry, Shelf, project_stock

COLUMNS = [
    "sku", "location", "date", "horizon", "stockout_probability", "expected_on_hand", "expected_lost_units",
    "expected_lost_money", "unavoidable_probability", "unavoidable_lost_units", "order_by",
]  # fmt: skip


def stockout_risk(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets: pd.DataFrame,
    *,
    position: pd.DataFrame,
    inbound: Inbound,
    lots: pd.DataFrame | None = None,
    horizon: int | None = None,
    steps: np.ndarray | None = None,
    paths: int = 256,
    seed: int = 0,
) -> pd.DataFrame:
    """Risk of each series at the end of each period ahead, long, COLUMNS.

    demand: (n,) series; supply, lead_times, targets, position: row by row as demand
    lots: as lots.lots_on_shelf gives them; what is left of a counted one after its last day of sale is off
        the shelf. Of those over already the position is to be free.
    horizon: periods ahead, default the forecast's; steps: which of them to report, default all
    expected_lost_units: short by then, lost or late; money: at the target's shortage cost
    unavoidable_…: the part before an order could arrive that goes out on the next order day
    order_by: first date of the last period in which an order can go out and still arrives before the shelf is
        empty with the chance of the target (the next one, where even that is too late); NaT if that lies
        beyond
    A series never counted (on_hand NaN) has NaN risk.
    """
    horizon = demand.horizon if horizon is None else horizon
    if not 1 <= horizon <= demand.horizon:
        raise Problem(
            f"risk can look 1 to {demand.horizon} periods ahead with this forecast, got {horizon}; "
            "forecast further or ask for less"
        )
    shelf = Shelf(
        np.array(position["on_hand"] - position["reserved"], dtype=float),
        np.array(targets["unmet"] == "backorder", dtype=bool),
        np.array(supply["whole"], dtype=bool),
    )
    following = supply["next_order"].to_numpy(dtype=np.int64)
    expiry = None if lots is None else _expiry(demand, position, lots, horizon)
    risk = project_stock(
        demand,
        shelf,
        lead_times,
        inbound,
        horizon,
        wait=following - 1,
        expiry=expiry,
        paths=paths,
        seed=seed,
    )
    wanted = np.arange(1, horizon + 1) if steps is None else np.asarray(steps, dtype=np.int64)
    at, count = wanted - 1, len(demand.keys)
    allowed = 1.0 - targets["target"].to_numpy(dtype=float)
    placed = (lead_times.distributions, lead_times.which, lead_times.never)
    last = latest_order(risk.stockout, placed, allowed)
    days = order_days(supply["order_weekdays"], demand.period, demand.as_of, horizon)
    until = np.maximum.accumulate(np.where(days, np.arange(1, horizon + 1), 0), axis=1)
    step = np.maximum(until[np.arange(count), np.maximum(last, 1) - 1], following)
    dates = demand.period.dates(demand.period.index(demand.as_of)[0] + step)
    order_by = pd.Series(dates).where(last > 0)
    out = (
        demand.keys[["sku", "location"]].loc[np.repeat(np.arange(count), len(wanted))].reset_index(drop=True)
    )
    lost = risk.lost[:, at].astype(float)
    money = lost * targets["shortage_cost"].to_numpy()[:, None]
    return out.assign(
        date=np.tile(demand.dates[at], count),
        horizon=np.tile(wanted, count),
        stockout_probability=risk.stockout[:, at].ravel().astype(float),
        expected_on_hand=risk.on_hand[:, at].ravel().astype(float),
        expected_lost_units=lost.ravel(),
        expected_lost_money=money.ravel(),
        unavoidable_probability=risk.early[:, at].ravel().astype(float),
        unavoidable_lost_units=risk.early_lost[:, at].ravel().astype(float),
        order_by=np.repeat(order_by.to_numpy(), len(wanted)),
    )[COLUMNS]


def _expiry(demand: CumulativeDemand, position: pd.DataFrame, lots: pd.DataFrame, horizon: int) -> Expiry:
    """Counted lots whose last day of sale lies within the horizon; what is promised is of those first."""
    counted = lots[lots["source"] == "lot"]
    left = periods_left(counted["expires_on"], demand.period, demand.as_of, horizon)
    inside = (left > 0) & (left < horizon)
    row = counted["row"].to_numpy(dtype=np.int64)[inside]
    units = counted["quantity"].astype(float)[inside].groupby(row).cumsum().to_numpy()
    units = units - position["reserved"].to_numpy(dtype=float)[row]
    return Expiry(np.searchsorted(row, np.arange(len(position) + 1)), left[inside], units)


@njit(cache=True, nogil=True)
def latest_order(
    stockout: np.ndarray, placed: tuple[np.ndarray, np.ndarray, np.ndarray], allowed: np.ndarray
) -> np.ndarray:
    """(n,) last step at whose start an order still comes before the shelf is empty; 0 if beyond the horizon.

    stockout: (n, H) chance of having run out by the end of each step
    placed: (u, Lmax + 1) chances of the lead time if the order comes; (n,) row of them; (n,) chance that
        it never comes
    allowed: (n,) chance of coming too late that is accepted
    An order at step k with lead time l is there from step k + l on, so it is late if the shelf was out by
    the end of step k + l - 1; one that never comes, if the shelf is ever out. Step 1, today's order, is
    given even where that is too late.
    """
    lead_times, which, never = placed
    n, horizon = stockout.shape
    out = np.zeros(n, dtype=np.int64)
    for i in range(n):
        if not stockout[i, horizon - 1] > allowed[i]:
            continue
        for k in range(1, horizon + 1):
            late = never[i] * stockout[i, horizon - 1]
            for lead in range(lead_times.shape[1]):
                before = min(k + lead - 1, horizon)
                if before > 0:
                    late += (1.0 - never[i]) * lead_times[which[i], lead] * stockout[i, before - 1]
            if late > allowed[i]:
                out[i] = max(k - 1, 1)
                break
        if out[i] == 0:
            out[i] = horizon
    return out
