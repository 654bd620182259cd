"""Replay: order by thresholds against a demand that is already known to us, never to the policy.

Owns the clock of a warehouse (receive, sell, decide), the measures of service and stock, and their confidence
intervals. Thresholds come from `thresholds` or from any rule to be compared with.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from ingestion.errors import Problem
from ingestion.periods import Period

TINY = 1e-9
WHOLE = "whole periods; round them up"
LONGER = 1.1  # mean of lead times that wait in line over what it should be, up to which they may


@dataclass(frozen=True)
class Replay:
    """What the thresholds achieved, series by series; all but `orders` count only periods after the warm-up.

    orders: (n, T) units ordered at the end of each period
    cycles, served: (n,) replenishment cycles, and those that ended without unmet demand (`replay_thresholds`)
    demand, met: (n,) units wanted, and units given from the shelf in the period they were wanted
    ready: (n,) periods that ended with something on the shelf
    stock: (n,) on hand at the end of a period, units, mean over the periods
    opening, received, closing: (n,) units on hand (less backorders) before, come in during, and left after
    outstanding: (n,) units still under way at the end
    periods: number of periods measured
    year: periods in a year
    """

    orders: np.ndarray
    cycles: np.ndarray
    served: np.ndarray
    demand: np.ndarray
    met: np.ndarray
    ready: np.ndarray
    stock: np.ndarray
    opening: np.ndarray
    received: np.ndarray
    closing: np.ndarray
    outstanding: np.ndarray
    periods: int
    year: float

    @property
    def lost(self) -> np.ndarray:
        """(n,) units that were not on the shelf when wanted; under backorders they were given later."""
        return self.demand - self.met

    def measures(self, weight: np.ndarray | None = None) -> dict[str, float]:
        """Measures over all series, each counted `weight` times, (n,).

        cycle_service: share of replenishment cycles without unmet demand
        fill_rate: share of demand met from the shelf
        ready_rate: share of periods that end with something on the shelf
        mean_stock: on hand at the end of a period, units a series
        turns: units met a year per unit of mean stock
        lost_units: units a series and period
        """
        w = np.ones(len(self.demand)) if weight is None else np.asarray(weight, dtype=float)
        met, stock = w @ self.met, w @ self.stock
        return {
            "cycle_service": _ratio(w @ self.served, w @ self.cycles),
            "fill_rate": _ratio(met, w @ self.demand),
            "ready_rate": _ratio(w @ self.ready, w.sum() * self.periods),
            "mean_stock": _ratio(stock, w.sum()),
            "turns": _ratio(met / self.periods * self.year, stock),
            "lost_units": _ratio(w @ self.lost, w.sum() * self.periods),
        }

    def summary(
        self, groups: np.ndarray | None = None, confidence: float = 0.95, draws: int = 500, seed: int = 0
    ) -> pd.DataFrame:
        """Measures with bootstrap intervals over series: group, series, measure, value, low, high.

        groups: (n,) label of each series; without it, one group "all"
        """
        labels = np.full(len(self.demand), "all") if groups is None else np.asarray(groups)
        rng = np.random.default_rng(seed)
        tail = (1 - confidence) / 2
        rows = []
        for label in pd.unique(labels):
            member = (labels == label).astype(float)
            count = int(member.sum())
            weights = rng.multinomial(count, member / count, size=draws)
            resampled = pd.DataFrame([self.measures(w) for w in weights])
            for name, value in self.measures(member).items():
                low, high = resampled[name].quantile([tail, 1 - tail])
                rows.append((label, count, name, value, low, high))
        return pd.DataFrame(rows, columns=["group", "series", "measure", "value", "low", "high"])


def replay_thresholds(
    demand: np.ndarray,
    reorder_point: np.ndarray | float,
    order_up_to: np.ndarray | float,
    lead_time: np.ndarray | int,
    *,
    review: np.ndarray | int = 1,
    lot_size: np.ndarray | float = 0.0,
    moq: np.ndarray | float = 0.0,
    opening: np.ndarray | float | None = None,
    inbound: np.ndarray | None = None,
    backorder: np.ndarray | bool = False,
    warm_up: int = 0,
    period: Period | None = None,
) -> Replay:
    """Order by thresholds, period by period: receive at its start, sell, decide at its end.

    At the end of every `review`-th period (the first, then R later), or of those said, a series whose
    inventory position is below its reorder point orders as `planning` does: the most of the grid moq,
    moq + lot, … that keeps the position within the order-up-to level, and at least what brings it to the
    reorder point. An order decided at the end of period t with lead time L is on the shelf at the start of
    period t + 1 + L.

    A **replenishment cycle** runs from one arrival to the last period before the next. An arrival is that
    of any order; where the reorder point is the order-up-to level, every review makes one, also with nothing
    to order. Orders that arrive together are one arrival. A cycle is served when no demand in it went
    unmet. Under backorders with lead times that do not cross, cycle service is then
    P(demand over L + R ≤ S) for (R, S), and P(lead-time demand ≤ position when ordering) for (s, Q).

    demand: (n, T) units wanted, not negative
    reorder_point, order_up_to: (n, T) as known at each period's end, (n,) or one number, units
    lead_time: (n, T) whole periods that an order decided at the end of each period takes, (n,) or one number
    review: (n,) periods between reviews, or one number, or (n, T) bool, the periods that end with a review
    lot_size, moq: (n,) units or one number; lot 0 = any quantity
    opening: (n,) units on the shelf at first; default: the first order-up-to level
    inbound: (n, T) units already ordered that arrive at the start of each period
    backorder: (n,) or one bool: unmet demand waits; otherwise it is lost
    warm_up: first periods that are played and not measured; a cycle counts if it ends after them
    period: for turns a year

    >>> played = replay_thresholds(np.full((1, 6), 2.0), 5.0, 8.0, 1)
    >>> played.orders[0].tolist(), played.closing.tolist(), played.measures()["cycle_service"]
    ([0.0, 4.0, 0.0, 4.0, 0.0, 4.0], [4.0], 1.0)
    """
    wanted = np.ascontiguousarray(demand, dtype=np.float64)
    if wanted.ndim != 2 or not np.isfinite(wanted).all() or (wanted < 0).any():
        raise Problem(
            "demand must be finite, not negative and (series, periods); fill or clip it before a replay"
        )
    n, periods = wanted.shape
    if not 0 <= warm_up < periods:
        raise Problem(f"warm_up must lie in 0 … {periods - 1} periods, got {warm_up}; replay a longer demand")
    low, high = (_matrix(x, n, periods) for x in (reorder_point, order_up_to))
    if (low > high).any():
        raise Problem("the reorder point must not exceed the order-up-to level; raise the order-up-to level")
    policy = _Policy(
        low,
        high,
        _matrix(lead_time, n, periods).astype(np.int64),
        _reviews(review, n, periods),
        _vector(lot_size, n),
        np.maximum(_vector(moq, n), _vector(lot_size, n)),
        np.zeros((n, periods)) if inbound is None else _matrix(inbound, n, periods),
    )
    if (policy.lead < 0).any():
        raise Problem(f"lead times must be 0 or more {WHOLE}")
    start = high[:, 0].copy() if opening is None else _vector(opening, n)
    waits = np.ascontiguousarray(np.broadcast_to(np.asarray(backorder, dtype=np.bool_), (n,)))
    orders, totals = _play(wanted, policy, start, waits, warm_up)
    cycles, served, total, met, ready, stock, first, received, closing, outstanding = totals
    return Replay(
        orders, cycles, served, total, met, ready, stock, first, received, closing, outstanding,
        periods - warm_up, 365.25 / (period or Period()).days,
    )  # fmt: skip


def sample_lead_times(
    pmfs: np.ndarray,
    periods: int,
    rng: np.random.Generator,
    *,
    overtaking: np.ndarray | float = 1.0,
    review: np.ndarray | int = 1,
) -> np.ndarray:
    """(n, periods) lead time of an order decided at the end of each period, whole periods.

    pmfs: (n, Lmax + 1) chance of 0, 1, … periods
    overtaking: (n,) chance that the orders of a series take each its own time; otherwise one waits for that
        of the review before it, and all keep their chances. Where they cannot, as with two humps far apart,
        each takes its own time.
    review: (n,) periods between reviews, or one number

    >>> sample_lead_times(np.array([[0.0, 0.0, 1.0]]), 3, np.random.default_rng(0)).tolist()
    [[2, 2, 2]]
    """
    chance = rng.random((len(pmfs), periods))
    reach = np.cumsum(pmfs, axis=1)
    reach = reach / reach[:, -1:]
    apart = np.broadcast_to(np.asarray(review, dtype=np.int64), (len(pmfs),))
    share = np.broadcast_to(np.asarray(overtaking, dtype=float), (len(pmfs),))
    alone = share >= 1.0 if (share >= 1.0).all() else rng.random(len(pmfs)) < share
    drawn_by, keeps = _waiting(reach, apart)
    waits = ~alone & keeps
    # The first orders have nothing to wait for: they draw from the chances themselves.
    lead = _drawn(chance, reach)
    rows = np.flatnonzero(waits)
    queued = np.arange(periods) >= apart[rows, None]
    lead[rows] = np.where(queued, _drawn(chance[rows], drawn_by[rows]), lead[rows])
    for t in range(int(apart[rows].min(initial=periods)), periods):
        late = rows[apart[rows] <= t]
        lead[late, t] = np.maximum(lead[late, t], lead[late, t - apart[late]] - apart[late])
    return lead


def _drawn(chance: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(n, periods) whole periods that uniform draws, (n, periods), stand for."""
    return (chance[:, :, None] >= reach[:, None, :]).sum(axis=2)


def _waiting(reach: np.ndarray, apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, Lmax + 1) chances to draw from, of at most 0, 1, … periods, and (n,) whether `reach` is kept by it.

    Orders `apart` periods after each other that draw from G and wait for the one before have
    F(x) = G(x)·G(x + R)·…, so G(x) = F(x) / F(x + R). Where G would fall, F is missed and orders take longer.
    """
    n, width = reach.shape
    place = np.minimum(np.arange(width)[None, :] + apart[:, None], width - 1)
    ahead = np.take_along_axis(reach, place, axis=1)
    exact = np.divide(reach, ahead, where=ahead > TINY, out=np.zeros((n, width)))
    drawn_by = np.minimum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
    kept = drawn_by.copy()
    for x in range(width - 1, -1, -1):
        inside = x + apart < width
        kept[inside, x] *= kept[inside, x + apart[inside]]
    mean, longer = (1.0 - reach).sum(axis=1), (1.0 - kept).sum(axis=1)
    return drawn_by, longer <= LONGER * mean + TINY


def covered(
    demand: np.ndarray, level: np.ndarray, lead_times: np.ndarray, review: np.ndarray | int
) -> np.ndarray:
    """(n,) chance, over its random lead time, that true demand over L + R stays within an order-up-to level.

    The plain statement behind a target of cycle service: the mean over many series and dates should reach it.

    demand: (n, H) true units of the periods after the level was derived; H ≥ longest lead time + review
    level: (n,) units
    lead_times: (n, Lmax + 1) true chance of 0, 1, … periods
    review: (n,) periods or one number

    >>> covered(np.full((1, 9), 2.0), np.array([10.0]), np.array([[0.0, 0.0, 0.0, 0.0, 0.7, 0.3]]), 1).item()
    0.7
    """
    steps = np.arange(lead_times.shape[1]) + np.broadcast_to(np.asarray(review), (len(demand),))[:, None]
    longest = int(steps[lead_times > 0].max())
    if longest > demand.shape[1]:
        raise Problem(
            f"true demand must reach {longest} periods ahead, the longest lead time and review, "
            f"got {demand.shape[1]}; give more periods"
        )
    sums = np.cumsum(np.column_stack([np.zeros(len(demand)), demand]), axis=1)
    within = np.take_along_axis(sums, np.minimum(steps, demand.shape[1]), axis=1) <= level[:, None] + 1e-9
    return (lead_times * within).sum(axis=1)


class _Policy(NamedTuple):
    """The arguments of `replay_thresholds` for the compiled clock, each (n, T) or (n,); review is (n, T)."""

    low: np.ndarray
    high: np.ndarray
    lead: np.ndarray
    review: np.ndarray
    lot: np.ndarray
    least: np.ndarray
    inbound: np.ndarray


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _reviews(review: np.ndarray | int, n: int, periods: int) -> np.ndarray:
    """(n, periods) bool, the periods that end with a review."""
    said = np.asarray(review)
    if said.dtype == np.bool_:
        return np.ascontiguousarray(np.broadcast_to(said, (n, periods)))
    if (said < 1).any():
        raise Problem(f"review periods must be 1 or more {WHOLE}")
    apart = np.broadcast_to(said.astype(np.int64), (n,))
    return np.arange(periods)[None, :] % apart[:, None] == 0


def _vector(value: np.ndarray | float, n: int) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)))


def _matrix(value: np.ndarray | float, n: int, periods: int) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise Problem(
            "thresholds, lead times and inbound must be finite; give every series and period a number"
        )
    return np.ascontiguousarray(np.broadcast_to(array[:, None] if array.ndim == 1 else array, (n, periods)))


@njit(cache=True, nogil=True)
def _quantity(room: float, missing: float, least: float, lot: float) -> float:
    """Most of least, least + lot, … within `room`, but enough to cover what is `missing` > 0; units."""
    if lot <= 0.0:
        return max(room, least)
    most = least + np.floor((room - least) / lot + 1e-9) * lot if room >= least else 0.0
    return max(most, least + np.ceil(max(missing - least, 0.0) / lot - 1e-9) * lot)


@njit(cache=True, nogil=True)
def _play(
    demand: np.ndarray, policy: _Policy, start: np.ndarray, backorder: np.ndarray, warm_up: int
) -> tuple[np.ndarray, np.ndarray]:
    """Orders (n, T), and the totals of `Replay` in its order, (10, n)."""
    n, periods = demand.shape
    orders, totals = np.zeros((n, periods)), np.zeros((10, n))
    for i in range(n):
        due = policy.inbound[i].copy()
        failures = np.zeros(periods + 1)  # periods with unmet demand before each period
        arrives = np.zeros(periods, dtype=np.bool_)
        net, outstanding, total = start[i], due.sum(), totals[:, i]
        for t in range(periods):
            if t == warm_up:
                total[6] = net
            outstanding -= due[t]
            net += due[t]
            met = min(demand[i, t], max(net, 0.0))
            net -= demand[i, t] if backorder[i] else met
            # A backlog left from before is unmet demand too: the cycle it stands in is not served.
            failures[t + 1] = failures[t] + (1.0 if met < demand[i, t] or net < 0.0 else 0.0)
            if t >= warm_up:
                total[2] += demand[i, t]
                total[3] += met
                total[4] += 1.0 if net > 0.0 else 0.0
                total[5] += max(net, 0.0) / (periods - warm_up)
                total[7] += due[t]
            room = policy.high[i, t] - net - outstanding
            missing = policy.low[i, t] - net - outstanding
            # Under order-up-to every review is a chance to order, taken or not.
            if policy.review[i, t] and (missing > TINY or policy.high[i, t] - policy.low[i, t] <= TINY):
                arrival = t + 1 + policy.lead[i, t]
                if missing > TINY:
                    orders[i, t] = _quantity(room, missing, policy.least[i], policy.lot[i])
                outstanding += orders[i, t]
                if arrival < periods:
                    arrives[arrival] = True
                    due[arrival] += orders[i, t]
        total[8], total[9] = net, outstanding
        _count_cycles(arrives, failures, warm_up, total)
    return orders, totals


@njit(cache=True, nogil=True)
def _count_cycles(arrives: np.ndarray, failures: np.ndarray, warm_up: int, total: np.ndarray) -> None:
    """Add the cycles that end after the warm-up, and those among them without a failure."""
    before = -1
    for t in range(len(arrives)):
        if arrives[t]:
            if before >= 0 and t > warm_up:
                total[0] += 1.0
                total[1] += 1.0 if failures[t] == failures[before] else 0.0
            before = t
