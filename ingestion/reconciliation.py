"""Reconciliation: whether the figures of different systems agree.

Opening stock + receipts − sales should be closing stock; what disagrees is shown, never corrected.
"""

import numpy as np
import pandas as pd

from ingestion.periods import Period

SERIES = ["sku", "location"]


def reconcile(
    stock: pd.DataFrame, demand: pd.DataFrame, supply_orders: pd.DataFrame, period: Period
) -> pd.DataFrame:
    """Each pair of successive stock counts of a series: what came in, what went out, what is unexplained.

    stock: sku, location, as_of, on_hand; counted at the end of its period
    demand: sku, location, date, quantity; supply_orders: as its contract

    Gives sku, location, opened_on, closed_on, opening, closing, received, sold, difference (closing −
    expected), in units; only pairs that lie within the dates of demand.
    """
    counts = stock.sort_values([*SERIES, "as_of"], ignore_index=True)
    same = counts.duplicated(SERIES).to_numpy()
    later, earlier = counts[same], counts[np.append(same, False)[1 : len(same) + 1]]
    pairs = later[SERIES].assign(
        opened_on=earlier["as_of"].to_numpy(),
        closed_on=later["as_of"],
        opening=earlier["on_hand"].to_numpy(),
        closing=later["on_hand"],
    )
    if demand.empty or pairs.empty:
        return pairs.assign(received=0.0, sold=0.0, difference=0.0).iloc[:0]
    known = period.index(pairs["closed_on"]) <= period.index(demand["date"].max())
    known &= period.index(pairs["opened_on"]) >= period.index(demand["date"].min()) - 1
    pairs = pairs[known].reset_index(drop=True)
    into, out_of = _movements(supply_orders)
    received = _between(into, pairs, period) - _between(out_of, pairs, period)
    sold = _between(demand[[*SERIES, "date", "quantity"]], pairs, period)
    pairs = pairs.assign(received=received, sold=sold)
    return pairs.assign(difference=pairs["closing"] - (pairs["opening"] + received - sold))


def disagreeing(pairs: pd.DataFrame, tolerance: float = 0.01) -> pd.DataFrame:
    """Pairs that are off by more than half a unit and `tolerance` of what moved, the worst first."""
    moved = pairs["received"].abs() + pairs["sold"]
    off = pairs["difference"].abs() > np.maximum(0.5, tolerance * moved)
    return pairs[off].sort_values("difference", key=abs, ascending=False, kind="stable", ignore_index=True)


def _movements(supply_orders: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Receipts at their location, and transfers, also those under way, as they leave where they come from."""
    done = supply_orders["received_on"].notna()
    units = supply_orders["received_quantity"].where(done).fillna(supply_orders["quantity"])
    into = supply_orders[SERIES].assign(date=supply_orders["received_on"], quantity=units)
    out_of = into.assign(location=supply_orders["supplier"], date=supply_orders["ordered_on"])
    return into[done], out_of[supply_orders["kind"].astype("object") == "transfer"]


def _between(flows: pd.DataFrame, pairs: pd.DataFrame, period: Period) -> np.ndarray:
    """(pairs,) sum of the flows of each pair's series after its opening period up to its closing one."""
    series = pd.MultiIndex.from_frame(pairs[SERIES].drop_duplicates())
    code = series.get_indexer(pd.MultiIndex.from_frame(flows[SERIES]))
    inside = code >= 0
    low = min(period.index(pairs["opened_on"]).min(initial=0), 0)
    when = period.index(flows["date"][inside]) - low
    wide = int(max(when.max(initial=0), (period.index(pairs["closed_on"]) - low).max(initial=0))) + 2
    at = code[inside] * wide + when
    order = np.argsort(at, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(flows["quantity"].to_numpy(dtype=float)[inside][order])])
    base = series.get_indexer(pd.MultiIndex.from_frame(pairs[SERIES])) * wide - low

    def up_to(dates: pd.Series) -> np.ndarray:
        return total[np.searchsorted(at[order], base + period.index(dates), side="right")]

    # A series' sum up to its opening holds all earlier series too; the difference does not.
    return np.round(up_to(pairs["closed_on"]) - up_to(pairs["opened_on"]), 6)


def packs_in_demand(quantities: pd.DataFrame, least: float = 4, rows: int = 5) -> pd.DataFrame:
    """Items that are only ever sold in multiples of one number: perhaps pieces here are packs elsewhere.

    quantities: distinct (sku, quantity) pairs, zero left out
    least: smallest common divisor that looks like a pack
    rows: distinct quantities needed before saying so

    >>> packs_in_demand(pd.DataFrame({"sku": "a", "quantity": [12.0, 24, 36, 48, 72]})).to_dict("records")
    [{'sku': 'a', 'pack': 12.0}]
    """
    sold = quantities.sort_values("sku", kind="stable")
    units = np.round(sold["quantity"].to_numpy(dtype=float)).astype(np.int64)
    starts = np.flatnonzero(~sold["sku"].duplicated().to_numpy())
    if not len(starts):
        return pd.DataFrame({"sku": pd.Series(dtype="str"), "pack": pd.Series(dtype="float64")})
    whole = np.logical_and.reduceat(units == sold["quantity"].to_numpy(), starts)
    pack = np.gcd.reduceat(units, starts).astype(float)
    seen = np.diff(np.append(starts, len(units)))
    found = pd.DataFrame({"sku": sold["sku"].to_numpy()[starts], "pack": pack})
    return found[whole & (pack >= least) & (seen >= rows)].reset_index(drop=True)


def packs_in_receipts(pairs: pd.DataFrame, rows: int = 3) -> pd.DataFrame:
    """Items whose stock rises by the same whole multiple of what was received: receipts counted in packs.

    rows: stock intervals with receipts needed before saying so
    """
    moved = pairs[pairs["received"] > 0]
    ratio = (moved["closing"] - moved["opening"] + moved["sold"]) / moved["received"]
    by_sku = ratio.groupby(moved["sku"], sort=True)
    middle, seen = by_sku.median(), by_sku.size()
    spread = by_sku.agg(lambda r: float(np.median(np.abs(r - np.median(r)))))
    pack = middle.round()
    looks = (pack >= 2) & (seen >= rows) & ((middle - pack).abs() < 0.05 * pack) & (spread < 0.05 * pack)
    return pd.DataFrame({"sku": pack.index[looks].astype("str"), "pack": pack[looks].to_numpy()})
