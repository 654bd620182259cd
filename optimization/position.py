"""The position of each series: what is on the shelf, what is on its way, and when that is likely to come.

It owns the count rolled forward to the as-of date, and the arrival of open orders. An order with a promise
arrives around the promise as late as its supplier usually is; one without, as long after its placing as its
lead time says; in both cases given that it has not arrived yet. So an order far ahead does not hide a
stockout, and an overdue one is neither counted as here nor forgotten.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ingestion.periods import Period
from optimization.lead_time import LeadTimes, learn_lead_times
from optimization.receipts import COLUMNS, HALF_LIFE, first_start, open_lines, whole_periods

SERIES = ["sku", "location"]
LIKELY = 0.5  # chance of coming in time from which an open order counts


@dataclass(frozen=True)
class Inbound:
    """Open orders and when they will be on the shelf.

    orders: (k,) frame: order_id, line, kind, sku, location, supplier, quantity (still to come),
        ordered_on, promised_on, expected_on (median, NaT if later than the steps or lost), overdue
    arrival: (k, steps) chance of being on the shelf from the start of step 1, 2, …; the rest is later
        or never
    """

    orders: pd.DataFrame
    arrival: np.ndarray

    def of(self, keys: pd.DataFrame) -> "Inbound":
        """Only the orders of the series in `keys`."""
        index = pd.MultiIndex.from_frame(keys[SERIES])
        wanted = pd.MultiIndex.from_frame(self.orders[SERIES]).isin(index)
        return Inbound(self.orders[wanted].reset_index(drop=True), self.arrival[wanted])

    def within(self, steps: np.ndarray) -> np.ndarray:
        """(k,) chance that each order is on the shelf by its `steps`, (k,) periods from the as-of date."""
        reached = np.concatenate([np.zeros((len(self.arrival), 1)), np.cumsum(self.arrival, axis=1)], axis=1)
        last = np.clip(np.asarray(steps, dtype=np.int64), 0, self.arrival.shape[1])
        return reached[np.arange(len(reached)), last]

    def after(self, periods: int) -> "Inbound":
        """The orders as they will stand `periods` from now: those that likely come by then are gone.

        Of the others it is known by then that they have not come.
        """
        gone = self.within(np.full(len(self.arrival), periods))
        open_still = gone < LIKELY
        later = self.arrival[open_still, periods:] / (1.0 - gone[open_still])[:, None]
        return Inbound(self.orders[open_still].reset_index(drop=True), later)


def on_shelf(
    keys: pd.DataFrame,
    stock: pd.DataFrame,
    demand: pd.DataFrame,
    supply_orders: pd.DataFrame,
    period: Period,
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """What is on the shelf at the end of the period `as_of`: the latest count of each key, rolled forward.

    Columns, in the keys' order: sku, location, on_hand, reserved, counted_on, rolled.
    stock, demand, supply_orders: contract tables; what is dated after the period does not count
    on_hand: counted + rolled; NaN where it was never counted; reserved: as counted, 0 where not given
    rolled: units received less units sold or sent elsewhere since the count, which holds at the end of the
        period of its date. It never takes the shelf below nothing: what was sold then had come unrecorded.
    """
    out = _counts(keys, stock, period, as_of)
    counted = out["on_hand"].to_numpy(dtype=float)
    known, now = out["counted_on"].notna().to_numpy(), period.index(as_of)[0]
    since = np.full(len(out), now)
    since[known] = period.index(pd.DatetimeIndex(out["counted_on"][known]))
    arrived, sent = _arrived(supply_orders), _sent(supply_orders, period, as_of)
    sold = demand.reindex(columns=[*SERIES, "date", "quantity"])
    index = pd.MultiIndex.from_frame(out[SERIES])
    moved = [_since(flow, index, since, now, period) for flow in (arrived, sold, sent)]
    on_hand = np.maximum(counted + moved[0] - moved[1] - moved[2], np.minimum(counted, 0.0))
    return out.assign(on_hand=on_hand, rolled=on_hand - counted)


def _counts(keys: pd.DataFrame, stock: pd.DataFrame, period: Period, as_of: pd.Timestamp) -> pd.DataFrame:
    """The latest count of each key by the end of the period: sku, location, on_hand, reserved, counted_on."""
    table = stock.reindex(columns=[*SERIES, "on_hand", "reserved", "as_of"])
    table = table.rename(columns={"as_of": "counted_on"}).astype(
        {"sku": "str", "location": "str", "on_hand": "float64", "reserved": "float64"}
    )
    table["counted_on"] = pd.to_datetime(table["counted_on"])
    table = table[(table["counted_on"] <= period.end(as_of)) & table["on_hand"].notna()]
    latest = table.sort_values("counted_on", kind="stable").drop_duplicates(SERIES, keep="last")
    out = keys[SERIES].reset_index(drop=True).merge(latest, on=SERIES, how="left")
    return out.assign(reserved=out["reserved"].fillna(0.0))


def _arrived(supply_orders: pd.DataFrame) -> pd.DataFrame:
    """Receipts at their location: sku, location, date, quantity."""
    columns = [*SERIES, "quantity", "received_on", "received_quantity"]
    orders = supply_orders.reindex(columns=columns)
    done = orders[orders["received_on"].notna()]
    units = done["received_quantity"].fillna(done["quantity"])
    return done[SERIES].assign(date=done["received_on"], quantity=units)


def _sent(supply_orders: pd.DataFrame, period: Period, as_of: pd.Timestamp) -> pd.DataFrame:
    """Transfers, on the day they leave the location that supplies them: sku, location, date, quantity.

    What of one has not come yet has left all the same: it is inbound where it goes to.
    """
    columns = [*SERIES, "supplier", "quantity", "ordered_on"]
    orders = supply_orders.reindex(columns=COLUMNS)
    orders = orders[orders["kind"].astype("object") == "transfer"]
    done = orders[pd.to_datetime(orders["received_on"]) <= period.end(as_of)]
    units = done["received_quantity"].fillna(done["quantity"])
    rest = open_lines(orders, as_of, period)
    moved = pd.concat([part[columns] for part in (done.assign(quantity=units), rest) if len(part)] or [done])
    return moved[["sku", "quantity"]].assign(location=moved["supplier"], date=moved["ordered_on"])


def _since(
    flow: pd.DataFrame, index: pd.MultiIndex, since: np.ndarray, now: int, period: Period
) -> np.ndarray:
    """(n,) units of `flow` (sku, location, date, quantity) after each series' period `since`, up to `now`."""
    dates = pd.to_datetime(flow["date"])
    first = period.dates(np.array([since.min(initial=now) + 1]))[0]
    flow = flow[(dates >= first) & (dates < period.dates(np.array([now + 1]))[0])]
    row = index.get_indexer(pd.MultiIndex.from_frame(flow[SERIES]))
    later = (row >= 0) & (period.index(pd.DatetimeIndex(flow["date"])) > since[row])
    units = np.nan_to_num(flow["quantity"].to_numpy(dtype=float))
    return np.bincount(row[later], units[later], minlength=len(index))


def due_within(keys: pd.DataFrame, inbound: Inbound, interval: np.ndarray) -> np.ndarray:
    """(n,) units of open orders that more likely than not are on the shelf within `interval`, (n,) periods.

    What an alert and an order count as on the way: the one within the lead time (LeadTimes.typical), the
    other within lead time and review.
    """
    row = pd.MultiIndex.from_frame(keys[SERIES]).get_indexer(pd.MultiIndex.from_frame(inbound.orders[SERIES]))
    known = row >= 0
    steps = np.zeros(len(row), dtype=np.int64)
    steps[known] = np.asarray(interval, dtype=np.int64)[row[known]]
    near = known & (inbound.within(steps) >= LIKELY)
    return np.bincount(row[near], inbound.orders["quantity"].to_numpy(dtype=float)[near], minlength=len(keys))


def expect_arrivals(
    supply_orders: pd.DataFrame,
    sourcing: pd.DataFrame,
    period: Period,
    as_of: pd.Timestamp,
    steps: int,
    *,
    default_days: float = 14.0,
    half_life_days: float = HALF_LIFE,
) -> Inbound:
    """Open orders as known at the end of the period `as_of`, and their arrival over the next `steps` periods.

    supply_orders, sourcing: contract tables; the other arguments as in learn_lead_times
    """
    orders = open_lines(supply_orders, as_of, period)
    keys = ["sku", "location", "supplier"]
    terms = sourcing.reindex(columns=[*keys, "lead_time_days", "lead_time_sd_days"]).drop_duplicates(keys)
    terms = terms.astype(dict.fromkeys(keys, "str"))
    lead_times = learn_lead_times(
        supply_orders,
        orders[keys].merge(terms, on=keys, how="left"),
        period,
        as_of,
        default_days=default_days,
        half_life_days=half_life_days,
    )
    arrival = _arrival(orders, lead_times, as_of, steps)
    reached = np.cumsum(arrival, axis=1) >= 0.5
    dates = period.dates(period.index(as_of)[0] + 1 + reached.argmax(axis=1))
    expected = pd.Series(dates).where(pd.Series(reached.any(axis=1)))
    overdue = (orders["promised_on"] <= period.end(as_of)).to_numpy()
    return Inbound(orders.assign(expected_on=expected, overdue=overdue), arrival)


def _arrival(orders: pd.DataFrame, lead_times: LeadTimes, as_of: pd.Timestamp, steps: int) -> np.ndarray:
    period = lead_times.period
    soon = np.where(lead_times.sd > 0, np.maximum(lead_times.typical, 1), 1)
    now = period.index(as_of)[0]
    placed, promise = orders["ordered_on"], orders["promised_on"]
    start = pd.Series(period.dates(np.full(len(orders), now + 1)))
    tomorrow = pd.Series(np.full(len(orders), period.end(as_of) + pd.Timedelta(days=1)))
    age, late = (
        np.nan_to_num(whole_periods(since, tomorrow, period) - 1.0, nan=-1.0).astype(np.int64)
        for since in (placed, promise)
    )
    # Step at which value 0 of the distribution would arrive: the placing, or the promise at its earliest.
    from_placing = first_start(placed.fillna(start), period) - now
    due = first_start(promise.fillna(start), period) - now
    promised, learned = promise.notna().to_numpy(), lead_times.late_which >= 0
    usual = np.where(learned, -lead_times.earliest, lead_times.quantile(0.5))
    from_promise = due - usual
    # A promise nobody's lateness was learned for makes a delivery later than usual, never earlier, unless
    # the lead time is certain.
    trusted = learned | (lead_times.sd < 1e-9)
    base = np.where(trusted, from_promise, np.maximum(from_promise, from_placing))
    base = np.where(promised, base, from_placing)
    by_promise = promised & learned
    # An order placed or promised within a period has outlived what would have come by the next one's start.
    least = np.where(by_promise, late + due, age + from_placing) + 1 - base
    pmf = np.where(by_promise, lead_times.late_which + len(lead_times.distributions), lead_times.which)
    arrival = _conditional(
        _stack(lead_times),
        pmf,
        steps,
        base=base,
        least=np.maximum(least, 0),
        soon=soon,
        never=lead_times.never,
    )
    overdue = ~(promise > period.end(as_of)).to_numpy()
    lost = (age > lead_times.lost_after) & overdue
    return np.where(lost[:, None], 0.0, arrival)


def _stack(lead_times: LeadTimes) -> np.ndarray:
    """Lead times, then lateness, as rows of one width."""
    parts = [lead_times.distributions, lead_times.lateness]
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])


def _conditional(
    rows: np.ndarray,
    which: np.ndarray,
    steps: int,
    *,
    base: np.ndarray,
    least: np.ndarray,
    soon: np.ndarray,
    never: np.ndarray,
) -> np.ndarray:
    """(k, steps) chance of arriving at step base + value, given that value ≥ least.

    never: (k,) chance, when the order was placed, that it never comes
    Older than anything seen, an order is taken to come on any of the next `soon` steps, if its supplier has
    delivered all so far.
    """
    width = rows.shape[1]
    tail = np.concatenate([np.cumsum(rows[:, ::-1], axis=1)[:, ::-1], np.zeros((len(rows), 1))], axis=1)
    left = tail[which, np.minimum(least, width)]
    step = np.arange(1, steps + 1)
    value = step - base[:, None]
    inside = (value >= least[:, None]) & (value < width)
    chance = np.where(inside, rows[which[:, None], np.clip(value, 0, width - 1)], 0.0)
    evenly = np.where(step <= soon[:, None], 1.0 / soon[:, None], 0.0)
    comes = np.where(left[:, None] > 1e-6, chance / np.maximum(left, 1e-6)[:, None], evenly)
    # The longer an order is out, the more likely it is one of those that never come.
    still = (1.0 - never) * left
    return comes * np.where(never > 0.0, still / np.maximum(still + never, 1e-12), 1.0)[:, None]
