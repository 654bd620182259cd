"""ProtectionDemand: demand until the next order can help, over a lead time that is itself uncertain.

It owns the mixture over the protection interval, F(x) = Σ P(L = l)·F(x; l + R), and what is asked of
it. No normal approximation: a late supplier's second hump stays where it is. Where a supplier's orders
overtake each other, the interval is that of `exposure`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from forecasting.cumulative import CumulativeDemand
from optimization.exposure import Intervals, exposures
from optimization.lead_time import LeadTimes
from optimization.sums import Sums, sum_cdf, sum_cdf_and_slope, sum_moments, sum_quantile, sum_shortage, sums
from optimization.supply import Orders

FINE = 1e-7  # relative width at which a search stops: what single precision keeps of a quantile
NINE_TENTHS = 1.2816  # standard deviations above the median of a normal law
EXACT = 1e-10  # difference in chance at which it stops


@dataclass(frozen=True)
class ProtectionDemand:
    """Demand of each series over its own random interval of lead time + review.

    sums: the demand; lead: mixtures of lead times; which: (n,) mixture of each series
    review: (n,) whole periods added to the lead time
    unmet: signed weights of losses that add up to units unmet a period, as `exposure`
    """

    sums: Sums
    lead: Intervals
    which: np.ndarray
    review: np.ndarray
    unmet: Intervals

    def quantile(self, levels: np.ndarray | float) -> np.ndarray:
        """(n, k) units that demand stays within with the chances `levels`, (n, k) or (k,)."""
        wanted = np.atleast_1d(np.asarray(levels, dtype=float))
        if not ((wanted > 0) & (wanted < 1)).all():
            raise ValueError(f"levels must lie in (0, 1), got {wanted[(wanted <= 0) | (wanted >= 1)][0]!r}")
        wanted = np.ascontiguousarray(np.broadcast_to(wanted, (len(self.which), wanted.shape[-1])))
        return _quantiles(self.sums, self.lead, self.which, self.review, wanted)

    def cdf(self, amount: np.ndarray) -> np.ndarray:
        """(n,) chance that demand is at most `amount`, (n,) units."""
        return _chances(self.sums, self.lead, self.which, self.review, np.asarray(amount, dtype=float))

    def shortage(self, amount: np.ndarray) -> np.ndarray:
        """(n,) expected units of demand above `amount`, (n,) units: the loss function n(amount)."""
        return _losses(self.sums, self.lead, self.which, self.review, np.asarray(amount, dtype=float))

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (from the forecast mean) and standard deviation (from its quantiles), (n,) units each."""
        return _moments(self.sums, self.lead, self.which, self.review)

    def fill_level(self, target: np.ndarray, unit: np.ndarray | float = 0.0) -> np.ndarray:
        """(n,) units: order-up-to level with the fill rate `target`, (n,) in (0, 1).

        1 - [n(S; L+R) - n(S; L)] / E[demand over R], demand met late counts as unmet (Snyder & Shen 4.3.4).
        What is asked for once S is used up is unmet, so S is more than what the lead time alone asks for with
        chance `target`. Of slow items that is all that is known: whole quantiles of L and of L + R are alike.
        Where not even the highest quantile over L + R asks for anything, S is that of the formula.
        unit: (n,) 1 where units are whole, so that S is one more
        """
        asked = np.asarray(target, dtype=float)
        least = self.lead_only().quantile(asked[:, None])[:, 0]
        asks = self.quantile(float(self.sums.levels[-1]))[:, 0] > 0
        least = np.where(asks, least + unit, 0.0)
        return np.maximum(_fill_levels(self.sums, self.unmet, self.which, asked), least)

    def certain(self) -> np.ndarray:
        """(n,) whether the lead time has only one value."""
        return (np.diff(self.lead.offset) == 1)[self.which]

    def take(self, rows: np.ndarray) -> "ProtectionDemand":
        """The same for some series: a mask or positions."""
        part = Sums(self.sums.levels, *(array[rows] for array in self.sums[1:]))
        return replace(self, sums=part, which=self.which[rows], review=self.review[rows])

    def lasting(self, periods: np.ndarray) -> "ProtectionDemand":
        """The same over the lead time and (n,) whole `periods` after it."""
        return replace(self, review=np.ascontiguousarray(periods, dtype=np.int64))

    def lead_only(self) -> "ProtectionDemand":
        """The same without the review period."""
        return self.lasting(np.zeros_like(self.review))

    def at_mean_lead_time(self) -> "ProtectionDemand":
        """The same with every lead time known to be its mean (split between the two whole numbers around)."""
        lead = self.lead
        mean = np.add.reduceat(lead.steps * lead.chance, lead.offset[:-1])
        low = np.floor(mean + 1e-6).astype(np.int64)
        high_share = np.clip(mean - low, 0.0, 1.0)
        steps = np.stack([low, low + 1], axis=1).ravel()
        chance = np.stack([1.0 - high_share, high_share], axis=1).ravel()
        fixed = Intervals(np.arange(0, len(steps) + 1, 2), steps, chance)
        return replace(self, lead=fixed)


def protection_demand(
    demand: CumulativeDemand, lead_times: LeadTimes, review: np.ndarray, orders: Orders | None = None
) -> ProtectionDemand:
    """Demand over lead time + review; `lead_times` and `review` (whole periods) row by row as `demand`.

    orders: what each brings, default what the last review interval asked for: large ones make orders rarer
        than reviews, and those far apart do not overtake each other
    """
    if not len(demand.keys) == len(lead_times.which) == len(review):
        raise ValueError(
            f"demand has {len(demand.keys)} rows, lead_times {len(lead_times.which)}, review {len(review)}; "
            "pass one row of each per series"
        )
    review = np.ascontiguousarray(review, dtype=np.int64)
    apart = None if orders is None else _apart(demand, lead_times, review, orders)
    borne = exposures(lead_times.distributions, lead_times.which, review, lead_times.overtaking, apart)
    return ProtectionDemand(sums(demand), borne.lead, borne.which, review, borne.unmet)


def _apart(demand: CumulativeDemand, lead_times: LeadTimes, review: np.ndarray, orders: Orders) -> np.ndarray:
    """(n, 2) periods between two orders, whole reviews: a standard deviation less and more than the mean.

    A lot is ordered as often as it is sold; up to a level, what was sold since the review before is ordered
    as well, half a review interval's demand on average. Time to sell Q units of pace λ with a variance of
    σ² a period has a variance of about σ²Q/λ³ (renewal theory), both those of the protection interval.
    """
    steps = np.clip(lead_times.typical + review, 1, demand.horizon)
    rows, every = np.arange(len(steps)), np.maximum(review, 1)
    mean = demand.mean[rows, steps - 1].astype(float)
    low, high = np.searchsorted(demand.levels, [0.5, 0.9])
    sums = demand.quantiles[rows, steps - 1]
    sd = (sums[:, min(high, len(demand.levels) - 1)] - sums[:, low]).astype(float) / NINE_TENTHS
    brings = np.where(orders.large, orders.cycle, 0.0)
    longest = lead_times.distributions.shape[1] + every
    known, most = mean > 0, 2.0 * longest
    lasts = np.minimum(np.divide(brings * steps, mean, where=known, out=np.zeros(len(steps))), most)
    spread = np.divide(sd, mean, where=known, out=np.zeros(len(steps))) * np.sqrt(lasts * steps)
    mean_reviews = lasts / every + 0.5 * (orders.lot < orders.cycle)
    reviews = mean_reviews[:, None] + np.outer(spread / every, [-1.0, 1.0])
    return np.maximum(np.floor(reviews + 0.5), 1).astype(np.int64) * every[:, None]


@njit(cache=True, nogil=True)
def _quantiles(
    sums: Sums, lead: Intervals, which: np.ndarray, review: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    out = np.empty(wanted.shape)
    for i in range(len(which)):
        first, last = lead.offset[which[i]], lead.offset[which[i] + 1]
        for k in range(wanted.shape[1]):
            # Sums never fall with the interval, so the mixture's quantile lies between those of its ends.
            low = sum_quantile(sums, i, lead.steps[first] + review[i], wanted[i, k])
            high = sum_quantile(sums, i, lead.steps[last - 1] + review[i], wanted[i, k])
            if high > low:
                high = _solve(sums, lead, (i, first, last), review[i], (wanted[i, k], low, high))
            out[i, k] = high
    return out


@njit(cache=True, nogil=True)
def _solve(
    sums: Sums,
    lead: Intervals,
    at: tuple[int, int, int],
    review: int,
    search: tuple[float, float, float],
) -> float:
    """Smallest amount in [low, high] that the mixture stays within with chance `wanted`.

    Newton steps, and a bisection after one that gains too little: exact after few steps where the
    distribution is smooth, and no more than twice the steps of bisection where it jumps.
    """
    wanted, low, high = search
    if _mixed(sums, lead, at, review, low) >= wanted:
        return low
    amount, before = 0.5 * (low + high), 1.0
    while high - low > FINE * high:
        chance, slope = _mixed_and_slope(sums, lead, at, review, amount)
        excess = chance - wanted
        if abs(excess) < EXACT:
            return amount
        if excess > 0.0:
            high = amount
        else:
            low = amount
        gained = abs(excess) < 0.5 * before
        before = abs(excess) if gained else 1.0
        amount = amount - excess / slope if gained and slope > 0.0 else low
        if not low < amount < high:
            amount = 0.5 * (low + high)
    return high


@njit(cache=True, nogil=True)
def _mixed_and_slope(
    sums: Sums, lead: Intervals, at: tuple[int, int, int], review: int, amount: float
) -> tuple[float, float]:
    """Chance of at most `amount` as in _mixed, and how fast it rises there."""
    chance, slope = 0.0, 0.0
    for j in range(at[1], at[2]):
        part, rise = sum_cdf_and_slope(sums, at[0], lead.steps[j] + review, amount)
        chance += lead.chance[j] * part
        slope += lead.chance[j] * rise
    return chance, slope


@njit(cache=True, nogil=True)
def _mixed(sums: Sums, lead: Intervals, at: tuple[int, int, int], review: int, amount: float) -> float:
    """Chance of at most `amount` of series at[0] over the mixture entries at[1] … at[2]."""
    chance = 0.0
    for j in range(at[1], at[2]):
        chance += lead.chance[j] * sum_cdf(sums, at[0], lead.steps[j] + review, amount)
    return chance


@njit(cache=True, nogil=True)
def lost_over(sums: Sums, lead: Intervals, at: tuple[int, int, int], review: int, amount: float) -> float:
    """Expected excess above `amount` of series at[0] over the mixture entries at[1] … at[2]."""
    units = 0.0
    for j in range(at[1], at[2]):
        units += lead.chance[j] * sum_shortage(sums, at[0], lead.steps[j] + review, amount)
    return units


@njit(cache=True, nogil=True)
def _chances(
    sums: Sums, lead: Intervals, which: np.ndarray, review: np.ndarray, amount: np.ndarray
) -> np.ndarray:
    out = np.empty(len(which))
    for i in range(len(which)):
        at = (i, lead.offset[which[i]], lead.offset[which[i] + 1])
        out[i] = _mixed(sums, lead, at, review[i], amount[i])
    return out


@njit(cache=True, nogil=True)
def _losses(
    sums: Sums, lead: Intervals, which: np.ndarray, review: np.ndarray, amount: np.ndarray
) -> np.ndarray:
    out = np.empty(len(which))
    for i in range(len(which)):
        at = (i, lead.offset[which[i]], lead.offset[which[i] + 1])
        out[i] = lost_over(sums, lead, at, review[i], amount[i])
    return out


@njit(cache=True, nogil=True)
def _moments(
    sums: Sums, lead: Intervals, which: np.ndarray, review: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = np.empty(len(which)), np.empty(len(which))
    for i in range(len(which)):
        first, second, within = 0.0, 0.0, 0.0
        for j in range(lead.offset[which[i]], lead.offset[which[i] + 1]):
            part, variance = sum_moments(sums, i, lead.steps[j] + review[i])
            first += lead.chance[j] * part
            second += lead.chance[j] * part * part
            within += lead.chance[j] * variance
        mean[i] = first
        sd[i] = np.sqrt(max(within + second - first * first, 0.0))
    return mean, sd


@njit(cache=True, nogil=True)
def _fill_levels(sums: Sums, unmet: Intervals, which: np.ndarray, target: np.ndarray) -> np.ndarray:
    out = np.zeros(len(which))
    for i in range(len(which)):
        at = (i, unmet.offset[which[i]], unmet.offset[which[i] + 1])
        wanted = lost_over(sums, unmet, at, 0, 0.0)
        allowed = (1.0 - target[i]) * wanted
        if wanted <= 0.0:
            continue
        low, high = 0.0, wanted
        while lost_over(sums, unmet, at, 0, high) > allowed:
            low, high = high, 2.0 * high
        while high - low > FINE * high:
            middle = 0.5 * (low + high)
            if lost_over(sums, unmet, at, 0, middle) > allowed:
                low = middle
            else:
                high = middle
        out[i] = high
    return out
