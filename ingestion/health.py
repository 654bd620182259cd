"""DataHealth: what to know about the data before trusting what is computed from it.

Counts, freshness, gaps, length of history, and the contradictions that `reconciliation` finds. A pure
function of the warehouse and the as-of date; memory holds one year of demand at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ingestion.contracts import TABLES
from ingestion.periods import Period
from ingestion.reconciliation import (
    SERIES,
    disagreeing,
    packs_in_demand,
    packs_in_receipts,
    reconcile,
)
from ingestion.slips import Finding, slips
from ingestion.warehouse import Warehouse

SHORT, YEAR = 180, 365  # days of history
SILENT = {"day": 14, "week": 2, "month": 1}  # periods without any row of a place that need no word
ENDED = 90  # days without a row up to the newest, after which a series seems to have ended
OFTEN = 0.5  # share of the other periods in which a place must have rows, or its silences are usual
MOVING = ("demand", "stock", "lots")  # tables that go stale; orders come when they come
CONTRADICTION = "correct the source that is wrong; until then trust neither of the figures"


@dataclass(frozen=True)
class DataHealth:
    """The state of the data.

    tables: table, rows, first, last
    freshness: source, table, last, behind_days (against the newest source), stale
    series: sku, location, first, last, periods, gaps; one row per series of demand
    history_days: from the first to the last date of demand
    reconciliation: pairs of stock counts that do not fit what moved between them
    sold_without_stock: sku, location, date, quantity of sales while the shelf was empty
    packs: sku, pack, seen_in, for quantities that look like packs
    findings: kind, subject, message, remedy; the above in words
    """

    tables: pd.DataFrame
    freshness: pd.DataFrame
    series: pd.DataFrame
    history_days: int
    reconciliation: pd.DataFrame
    sold_without_stock: pd.DataFrame
    packs: pd.DataFrame
    findings: pd.DataFrame


@dataclass
class _Demand:
    """What one pass over demand, year by year, gathers."""

    spans: list[pd.DataFrame] = field(default_factory=list)
    dates: list[pd.Series] = field(default_factory=list)
    quantities: list[pd.DataFrame] = field(default_factory=list)
    unstocked: list[pd.DataFrame] = field(default_factory=list)
    counted: list[pd.DataFrame] = field(default_factory=list)
    places: list[pd.DataFrame] = field(default_factory=list)


def inspect(warehouse: Warehouse, as_of: pd.Timestamp | None = None) -> DataHealth:
    """The health of what a warehouse holds, as known at the end of the period of `as_of`."""
    period = warehouse.period
    stock = warehouse.read("stock", as_of)
    orders = warehouse.read("supply_orders", as_of)
    gathered = _gather(warehouse, as_of, stock, period)
    series = _series(gathered, period)
    demand = _joined(gathered.counted, ["sku", "location", "date", "quantity"])
    pairs = reconcile(stock, demand, orders, period)
    # Without a record of receipts every delivery would look like a contradiction.
    off = disagreeing(pairs) if len(orders) else pairs.iloc[:0]
    packs = pd.concat(
        [
            packs_in_demand(_joined(gathered.quantities, ["sku", "quantity"]).drop_duplicates()).assign(
                seen_in="demand"
            ),
            packs_in_receipts(pairs).assign(seen_in="supply_orders"),
        ],
        ignore_index=True,
    )
    late = int((orders["promised_on"] < orders["ordered_on"]).sum())
    health = DataHealth(
        tables=_tables(warehouse, as_of),
        freshness=freshness(warehouse, as_of, period),
        series=series,
        history_days=_history_days(series, period),
        reconciliation=off,
        sold_without_stock=_joined(gathered.unstocked, [*SERIES, "date", "quantity"]),
        packs=packs,
        findings=pd.DataFrame(),
    )
    dated = {"demand": pd.concat(gathered.dates)} if gathered.dates else {}
    dated |= {"stock": _rows_by_date(stock["as_of"]), "supply_orders": _rows_by_date(orders["ordered_on"])}
    names = {name: series[name].tolist() for name in SERIES}
    told = all(holding.absent for holding in warehouse.manifest.of("demand"))
    said = [*slips(dated, names, period), *_findings(health, late, told)]
    if not told and gathered.places:
        said += _silences(pd.concat(gathered.places, ignore_index=True).drop_duplicates(), period)
    if len(series):
        said += _ended(series, warehouse.absence(as_of), warehouse.read("items", as_of))
    found = pd.DataFrame(said, columns=["kind", "subject", "message", "remedy"])
    return replace(health, findings=found)


def _gather(warehouse: Warehouse, as_of: pd.Timestamp | None, stock: pd.DataFrame, period: Period) -> _Demand:
    gathered = _Demand()
    several = stock[stock.duplicated(SERIES, keep=False)][SERIES].drop_duplicates()
    counted = pd.MultiIndex.from_frame(several)
    columns = [*SERIES, "date", "quantity", "in_stock"]
    for year in warehouse.batches("demand", as_of, columns):
        index = period.index(year["date"])
        by_series = year.assign(period=index).groupby(SERIES, sort=False)
        span = by_series.agg(first=("date", "min"), last=("date", "max"), periods=("period", "nunique"))
        gathered.spans.append(span.reset_index())
        gathered.dates.append(_rows_by_date(year["date"]))
        gathered.places.append(year[["location"]].assign(period=index).drop_duplicates())
        sold = year[year["quantity"] > 0]
        gathered.quantities.append(sold[["sku", "quantity"]].drop_duplicates())
        gathered.unstocked.append(sold.loc[sold["in_stock"] == 0, [*SERIES, "date", "quantity"]])
        if len(counted):
            of_counted = pd.MultiIndex.from_frame(year[SERIES]).isin(counted)
            gathered.counted.append(year.loc[of_counted, [*SERIES, "date", "quantity"]])
    return gathered


def _rows_by_date(dates: pd.Series) -> pd.Series:
    return dates.value_counts().sort_index()


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if filled:
        return pd.concat(filled, ignore_index=True)
    dtypes = TABLES["demand"].dtypes
    return pd.DataFrame({name: pd.Series(dtype=dtypes[name]) for name in columns})


def _series(gathered: _Demand, period: Period) -> pd.DataFrame:
    if not gathered.spans:
        return pd.DataFrame(columns=[*SERIES, "first", "last", "periods", "gaps"])
    spans = pd.concat(gathered.spans, ignore_index=True).groupby(SERIES, as_index=False)
    series = spans.agg(first=("first", "min"), last=("last", "max"), periods=("periods", "sum"))
    life = period.index(series["last"]) - period.index(series["first"]) + 1
    # A week that spans New Year is met in both years.
    return series.assign(gaps=np.maximum(life - series["periods"], 0))


def _history_days(series: pd.DataFrame, period: Period) -> int:
    if series.empty:
        return 0
    return (period.end(series["last"].max()) - series["first"].min()).days + 1


def freshness(warehouse: Warehouse, as_of: pd.Timestamp | None, period: Period) -> pd.DataFrame:
    """How far each source lags behind the newest: source, table, last, behind_days, stale."""
    rows = []
    for holding in warehouse.manifest.holdings:
        span = holding.span()
        if span is not None:
            # What is dated later says nothing about how fresh the source was then.
            if as_of is None:
                last = warehouse.last_reached(holding)
            else:
                known = span[1] <= period.end(as_of)
                last = span[1] if known else warehouse.last_recorded(holding, as_of)
            if last is not None:
                rows.append((holding.name, holding.table, last))
    frame = pd.DataFrame(rows, columns=["source", "table", "last"])
    if frame.empty:
        return frame.assign(behind_days=0, stale=False)
    moving = frame["table"].isin(MOVING)
    newest = frame["last"][moving].max() if moving.any() else frame["last"].max()
    behind = (newest - frame["last"]).dt.days.clip(lower=0)
    return frame.assign(behind_days=behind, stale=moving & (behind > max(7.0, 2 * period.days)))


def _tables(warehouse: Warehouse, as_of: pd.Timestamp | None) -> pd.DataFrame:
    rows = []
    for table in warehouse.tables():
        contract = TABLES[table]
        dated = contract.recorded if contract.recorded in contract.required else None
        frame = warehouse.read(table, as_of, [dated or contract.keys[0]])
        span = (frame[dated].min(), frame[dated].max()) if dated else (pd.NaT, pd.NaT)
        rows.append((table, len(frame), *span))
    return pd.DataFrame(rows, columns=["table", "rows", "first", "last"])


def _silences(places: pd.DataFrame, period: Period) -> Iterator[Finding]:
    """Places without any row for long inside their life, while others had rows.

    places: location and period, one row where the place has any row of demand
    """
    every, longest = np.unique(places["period"].to_numpy()), SILENT[period.name]
    found = []
    for name, at in places.groupby("location", sort=True)["period"]:
        own = np.sort(at.to_numpy())
        apart, others = np.diff(own), np.diff(np.searchsorted(every, own)) - 1
        often = len(own) >= OFTEN * (own[-1] - own[0] + 2 - apart)
        for k in np.flatnonzero((apart > longest + 1) & (others > longest) & often):
            found.append((others[k], str(name), own[k] + 1, own[k + 1] - 1))
    if not found:
        return
    _, name, first, last = max(found, key=lambda one: one[0])
    count, (begin, end) = len({one[1] for one in found}), period.dates(np.array([first, last]))
    message = (
        f"{count} places have no row at all for more than {longest} {period.name}s and then rows again, "
        f"while others have some, such as {name} from {begin:%Y-%m-%d} to {period.end(end):%Y-%m-%d}: it "
        "counts as zero sales"
    )
    remedy = (
        'say absent = "closed" in the source if they were shut, "missing" if their rows are lost, or "zero" '
        "if nothing was sold"
    )
    yield "silent_places", "demand", message, remedy


def _ended(series: pd.DataFrame, absent: str | pd.DataFrame, items: pd.DataFrame) -> Iterator[Finding]:
    """Series without rows for long up to now that are forecast at their last level all the same.

    absent: as `Warehouse.absence` gives it; where it is zero, a series without rows sells nothing
    """
    words = series[SERIES].assign(absent=absent) if isinstance(absent, str) else absent
    known = series.merge(words, on=SERIES)
    quiet = (known["last"].max() - known["last"]).dt.days > ENDED
    ended = known[quiet & (known["absent"] != "zero")].sort_values("last", kind="stable")
    if "lifecycle" in items:
        out = items.loc[items["lifecycle"].isin(["phase_out", "discontinued"]), "sku"]
        ended = ended[~ended["sku"].isin(out)]
    if len(ended):
        first = ended.iloc[0]
        message = (
            f"{len(ended)} of {len(series)} series have no row for more than {ENDED} days, such as "
            f"{first['sku']} at {first['location']} since {first['last']:%Y-%m-%d}: as absent rows are said "
            "not to mean zero, they are forecast at their last level"
        )
        remedy = 'say lifecycle = "discontinued" in items of what is no longer sold, or absent = "zero"'
        yield "ended_series", "demand", message, remedy


def _findings(health: DataHealth, impossible_promises: int, told: bool) -> Iterator[Finding]:
    """told: whether it is said what an absent row of demand means."""
    if len(health.series):
        yield from _history_findings(health, told)
    for row in health.freshness[health.freshness["stale"]].itertuples():
        message = f"ends on {row.last:%Y-%m-%d}, {row.behind_days} days before the newest source"
        yield "stale", str(row.source), message, "load a newer export of it"
    off = health.reconciliation
    if len(off):
        worst = off.iloc[0]
        message = (
            f"{len(off)} stock counts do not fit opening + in − out; the worst is {worst['sku']} at "
            f"{worst['location']} on {worst['closed_on']:%Y-%m-%d}, off by {worst['difference']:+g}"
        )
        yield "reconciliation", "stock", message, CONTRADICTION
    if len(health.sold_without_stock):
        message = f"{len(health.sold_without_stock)} rows sell something while in_stock is 0"
        yield "sold_without_stock", "demand", message, CONTRADICTION
    for where, rows in health.packs.groupby("seen_in", sort=True):
        first = rows.iloc[0]
        message = f"{len(rows)} items look counted in packs, such as {first['sku']} by {first['pack']:g}"
        yield "packs", str(where), message, "set units for the source if one system counts packs"
    if impossible_promises:
        message = f"{impossible_promises} orders are promised before they were placed"
        yield "promised_before_ordered", "supply_orders", message, "such promises are not used; correct them"


def _history_findings(health: DataHealth, told: bool) -> Iterator[Finding]:
    days, series = health.history_days, health.series
    if days < SHORT:
        message = f"{days} days of history, fewer than {SHORT}: a plain fallback model is used"
        yield "short_history", "demand", message, "load older sales if they exist"
    if days < YEAR:
        message = f"{days} days of history, less than a year: no yearly season can be learned"
        yield "no_yearly_season", "demand", message, "load at least a year of sales"
    gaps = series[series["gaps"] > 0]
    if len(gaps) and not told:
        message = f"{len(gaps)} of {len(series)} series have absent periods, {int(gaps['gaps'].sum())} in all"
        yield "gaps", "demand", message, "say what an absent row means: absent = zero, closed or missing"
