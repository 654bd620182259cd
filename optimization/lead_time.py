"""LeadTimes: for each source of supply, the distribution of its lead time in whole periods.

It owns how receipts, open orders, contracts and a default become one distribution per row, and the
questions put to it. Receipts of an item on a lane lean on those of the lane (supplier × location),
these on the supplier's, these on its contract or else on all suppliers'.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from ingestion.periods import Period
from optimization.contract import promised_pmf, read_terms, spread_of
from optimization.drift import since_shift, wander, yearly_drift
from optimization.overtaking import overtaking_share
from optimization.pooling import MIDDLE, TINY, gather, pool
from optimization.receipts import HALF_LIFE, observe, whole_periods

log = logging.getLogger(__name__)
LEVELS = [[], ["supplier"], ["supplier", "location"], ["supplier", "location", "sku"]]
WORDS = ["receipts of all suppliers", "receipts of the supplier", "receipts of supplier × lane"]
WORDS += ["receipts of supplier × lane × item"]
LOST = 2.0  # an open order this many times older than the longest receipt is taken for lost
MANY = 10  # receipts from which a supplier's own longest one is trusted for that


@dataclass(frozen=True)
class LeadTimes:
    """Lead-time distributions, one per row of `keys`.

    keys: (m,) frame with sku, location, supplier
    period: what a lead time is counted in
    distributions: (u, Lmax + 1) chance of 0 … Lmax whole periods, given that the order ever arrives
    which: (m,) row of `distributions`
    never: (m,) chance that an order is never delivered
    lost_after: (m,) periods after which an open order is taken for lost
    receipts: (m,) receipts behind the row's own group
    source: (m,) words: what the distribution was learned from
    on_time: (m,) share of the supplier's lines, received or due by now, that came as promised; or NaN
    lateness: (v, width) chance of arriving `earliest`, earliest + 1, … periods after the promise
    late_which: (m,) row of `lateness`, -1 where no promise was ever kept track of
    overtaking: (m,) share of the supplier's orders that take their own time: they may overtake each other
    set_aside: order rows that could not be used, by reason
    """

    keys: pd.DataFrame
    period: Period
    distributions: np.ndarray
    which: np.ndarray
    never: np.ndarray
    lost_after: np.ndarray
    receipts: np.ndarray
    source: np.ndarray
    on_time: np.ndarray
    lateness: np.ndarray
    late_which: np.ndarray
    earliest: int
    overtaking: np.ndarray
    set_aside: dict[str, int]

    @property
    def pmf(self) -> np.ndarray:
        """(m, Lmax + 1) chance of each whole number of periods, given arrival."""
        return self.distributions[self.which]

    @property
    def mean(self) -> np.ndarray:
        """(m,) periods."""
        return (self.distributions @ np.arange(self.distributions.shape[1]))[self.which]

    @property
    def typical(self) -> np.ndarray:
        """(m,) the mean in whole periods, rounded up: the lead time where one number must do."""
        return np.ceil(self.mean - 1e-9).astype(np.int64)

    @property
    def sd(self) -> np.ndarray:
        """(m,) periods."""
        values = np.arange(self.distributions.shape[1])
        mean = self.distributions @ values
        return np.sqrt(np.maximum(self.distributions @ values**2 - mean**2, 0.0))[self.which]

    def quantile(self, level: float) -> np.ndarray:
        """(m,) fewest whole periods within which an order arrives with chance `level`."""
        reached = np.cumsum(self.distributions, axis=1) >= level - 1e-9
        reached[:, -1] = True
        return reached.argmax(axis=1)[self.which]

    def residual(self, age: np.ndarray) -> np.ndarray:
        """(m, Lmax + 2) chance that an order `age` periods old arrives within 0, 1, 2, … more periods.

        age: (m,) whole periods that the order has been open without arriving (its lead time is longer)
        """
        reached = np.cumsum(self.pmf, axis=1) * (1.0 - self.never)[:, None]
        width = reached.shape[1]
        age = np.asarray(age, dtype=np.int64)
        later = np.clip(age[:, None] + np.arange(width + 1), -1, width - 1)
        by = np.where(later < 0, 0.0, np.take_along_axis(reached, np.maximum(later, 0), axis=1))
        gone = by[:, :1]
        return (by - gone) / np.maximum(1.0 - gone, 1e-12)

    def take(self, rows: np.ndarray | slice) -> "LeadTimes":
        """The same for some rows: a mask, positions or a slice."""
        keys = self.keys.iloc[np.arange(len(self.keys))[rows]].reset_index(drop=True)
        names = ("never", "lost_after", "receipts", "source", "on_time", "late_which", "overtaking")
        own = {name: getattr(self, name)[rows] for name in names}
        used, which = np.unique(self.which[rows], return_inverse=True)
        return replace(self, keys=keys, distributions=self.distributions[used], which=which.ravel(), **own)


def learn_lead_times(
    supply_orders: pd.DataFrame,
    sourcing: pd.DataFrame,
    period: Period,
    as_of: pd.Timestamp,
    *,
    default_days: float = 14.0,
    half_life_days: float = HALF_LIFE,
) -> LeadTimes:
    """Learn the lead times of the rows of `sourcing` from what is known at the end of the period `as_of`.

    supply_orders: contract table; open lines (no received_on) count as longer than their age
    sourcing: (m,) rows with sku, location, supplier and, where known, lead_time_days and
        lead_time_sd_days (0 = certain: taken as it is, whatever the receipts say)
    default_days: mean lead time where there is neither a receipt nor a contract
    half_life_days: after this many days a receipt counts half
    Order rows that cannot be used are logged with their number.
    """
    seen = observe(supply_orders, period, as_of, half_life_days)
    if seen.set_aside:
        log.warning(
            "lead times are learned without %d order rows: %s; correct ordered_on and received_on in "
            "supply_orders and load it again",
            sum(seen.set_aside.values()),
            ", ".join(f"{reason} ({count})" for reason, count in seen.set_aside.items()),
        )
    rows, never, lost_after = without_lost(seen.rows, period, as_of)
    terms = read_terms(sourcing, default_days, spread_of(rows))
    promised, promise = promised_pmf(terms["days"].to_numpy(), terms["sd"].to_numpy(), period)
    came = rows["periods"][rows["received"]]
    beyond = max(int(np.ceil(came.mean())), 1) if len(came) else 1
    values = rows["periods"].to_numpy()
    recent = rows.assign(weight=since_shift(rows, values))
    pools = pool(recent, values, LEVELS, beyond=beyond, start=_starts(terms, promised, promise))
    level, group = pools.find(terms)
    # A supplier's own promise says more than what others deliver; a certain lead time is a
    # statement about the future that no past contradicts.
    by_promise = (terms["certain"] | (level < 0) | ((level < 1) & terms["contract"])).to_numpy(dtype=bool)
    level[by_promise], group[by_promise] = len(LEVELS), promise[by_promise]
    counts = [*pools.events, *[np.zeros(0)] * (len(LEVELS) - len(pools.events)), np.zeros(len(promised))]
    offset = np.concatenate([[0], np.cumsum([len(part) for part in counts])])
    learned = [block for blocks in pools.pmf for block in blocks]
    drift = yearly_drift(rows, period.end(as_of))
    distributions, which = _compact(learned, promised, offset[level] + group, drift)
    late = rows[rows["late"].notna()].reset_index(drop=True)
    earliest = int(late["late"].min()) if len(late) else 0
    lateness, late_which = _lateness(late, earliest, terms, beyond)
    lateness_known = np.where(by_promise & terms["certain"], -1, late_which)
    return LeadTimes(
        keys=terms[["sku", "location", "supplier"]],
        period=period,
        distributions=distributions,
        which=which,
        never=np.where(terms["certain"], 0.0, _of(terms["supplier"], never, 0.0)),
        lost_after=_of(terms["supplier"], lost_after, LOST * distributions.shape[1]),
        receipts=np.concatenate(counts)[offset[level] + group].astype(float),
        source=np.where(by_promise, terms["word"], np.array([*WORDS, ""], dtype=object)[level]),
        on_time=_on_time(seen.rows, terms["supplier"]),
        lateness=lateness,
        late_which=lateness_known,
        earliest=earliest,
        overtaking=np.where(by_promise, 0.0, _of(terms["supplier"], overtaking_share(rows), 0.0)),
        set_aside=seen.set_aside,
    )


def _of(supplier: pd.Series, values: pd.Series, otherwise: float) -> np.ndarray:
    """(m,) the supplier's value, or `otherwise` where it has none."""
    return supplier.map(values).astype(float).fillna(otherwise).to_numpy()


def without_lost(
    rows: pd.DataFrame, period: Period, as_of: pd.Timestamp
) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Orders that may still come or came; share never delivered and age of a lost order by supplier.

    The share is that of orders placed long enough ago to be lost by now, whether or not they came.
    """
    came = rows[rows["received"]]
    by_supplier = came.groupby("supplier")["periods"].agg(["max", "count"])
    longest = by_supplier["max"].where(by_supplier["count"] >= MANY, came["periods"].max())
    suppliers = pd.Index(rows["supplier"].unique())
    lost_after = LOST * longest.reindex(suppliers).fillna(came["periods"].max()) + 1.0
    due = ~(rows["late"] < 0)
    tomorrow = pd.Series(period.end(as_of) + pd.Timedelta(days=1), index=rows.index)
    age = whole_periods(rows["ordered_on"], tomorrow, period) - 1
    told = (rows["received"] | due) & (age > rows["supplier"].map(lost_after).astype(float))
    lost = ~rows["received"] & told
    weight = (rows["weight"] * told).groupby(rows["supplier"]).sum()
    share = (rows["weight"] * lost).groupby(rows["supplier"]).sum() / (weight + MIDDLE)
    kept = rows[~lost].reset_index(drop=True)
    return kept.assign(periods=kept["periods"].clip(lower=0).astype(int)), share, lost_after


def _starts(terms: pd.DataFrame, promised: np.ndarray, promise: np.ndarray) -> pd.DataFrame:
    """Mean contract distribution of each supplier, that its receipts are shrunk towards."""
    told = (terms["contract"] & ~terms["certain"] & terms["supplier"].notna()).to_numpy(dtype=bool)
    code, suppliers = pd.factorize(terms["supplier"][told])
    share = 1.0 / np.bincount(code, minlength=1)[code]
    shares = csr_matrix((share, (code, promise[told])), shape=(len(suppliers), len(promised)))
    return pd.DataFrame(shares @ promised, index=suppliers)


def _compact(
    learned: list[np.ndarray], promised: np.ndarray, chosen: np.ndarray, drift: float
) -> tuple[np.ndarray, np.ndarray]:
    """The distributions in use, without an empty tail, and (m,) the one of each row.

    learned: blocks from receipts: next year's may have drifted from them; promised: (u, width), as they are
    chosen: (m,) rows of these, numbered through
    """
    used, which = np.unique(chosen, return_inverse=True)
    parts, again, first, count = [], [], 0, 0
    for block in [*learned, promised]:
        rows = block[used[(used >= first) & (used < first + len(block))] - first]
        rows = wander(rows, 0.0 if block is promised else drift)
        rows, same = np.unique(rows, axis=0, return_inverse=True)
        parts.append(rows)
        again.append(count + same.ravel())
        first, count = first + len(block), count + len(rows)
    last = 1 + max(np.flatnonzero((part > TINY).any(axis=0)).max(initial=0) for part in parts)
    out = gather(parts, np.arange(count), last)
    out /= out.sum(axis=1, keepdims=True)
    return out, np.concatenate(again)[which.ravel()]


def _lateness(
    late: pd.DataFrame, earliest: int, keys: pd.DataFrame, beyond: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distributions of periods after the promise, from `earliest` on, and the one of each key's supplier."""
    values = (late["late"] - earliest).to_numpy(dtype=np.int64)
    late = late.assign(weight=since_shift(late, values))
    pools = pool(late, values, LEVELS[:2], beyond=beyond, scaled=False)
    level, group = pools.find(keys)
    known = np.concatenate(pools.pmf[1]) if pools.pmf else np.zeros((0, 1))
    return known, np.where(level == 1, group, -1)


def _on_time(rows: pd.DataFrame, supplier: pd.Series) -> np.ndarray:
    """(m,) weighted share of each supplier's lines, received or due by now, that came as promised."""
    due = rows[rows["late"].notna() & (rows["received"] | (rows["late"] >= 0))]
    kept = (due["weight"] * (due["received"] & (due["late"] <= 0))).groupby(due["supplier"]).sum()
    return _of(supplier, kept / due["weight"].groupby(due["supplier"]).sum(), np.nan)
