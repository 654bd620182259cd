"""Which series and periods a plan row covers, and how what it says is laid there.

A row names a date or a start and end, and any of sku, location and category; what it leaves out it means all
of. It owns the grid that plans are laid on.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from ingestion.periods import Period

ALWAYS = -1  # number of the period at whose end a plan became known, where it always was
WEIGHT = {"sku": 4, "location": 2, "category": 1}  # how specific a row is that names one of these
LONG_AGO = pd.Timestamp("1970-01-01")


@dataclass(frozen=True)
class Grid:
    """The cells that plans are laid on: n series × (length + horizon) periods from number `begin`.

    names: (n,) frame of sku, location and category, "" where unknown
    """

    names: pd.DataFrame
    period: Period
    begin: int
    length: int
    horizon: int

    @property
    def shape(self) -> tuple[int, int]:
        """(n, T + H)."""
        return len(self.names), self.length + self.horizon

    @property
    def bounds(self) -> np.ndarray:
        """(T + H + 1,) days since 1970 on which the periods begin."""
        starts = self.period.dates(self.begin + np.arange(self.shape[1] + 1))
        return np.asarray(starts, dtype="datetime64[D]").astype(np.int64)


class Reach(NamedTuple):
    """Pairs of plan rows and series, the most specific row of a series last.

    row, series: (pairs,)
    first, last: (rows,) days since 1970 that a row covers
    low, high: (rows,) periods [low, high) of the grid that a row covers
    known: (rows,) int16 number of the period at whose end the row was known
    bounds: (T + H + 1,) days on which the periods begin
    """

    row: np.ndarray
    series: np.ndarray
    first: np.ndarray
    last: np.ndarray
    low: np.ndarray
    high: np.ndarray
    known: np.ndarray
    bounds: np.ndarray


def by_day(rows: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Plan rows whose dates are days where rows are dated by day: where most periods of what a row names have
    several dates, less than a week apart. Elsewhere a date stands for its whole period.
    """
    if period.name == "day" or "date" not in rows:
        return rows
    dated = rows["date"].notna()
    for name in {"start", "end"} & set(rows):
        dated &= rows[name].isna()
    names = [name for name in WEIGHT if name in rows]
    cells = rows.loc[dated, [*names, "date"]].drop_duplicates()
    cells["period"] = period.index(cells["date"])
    dates = cells.sort_values("date").groupby([*names, "period"], dropna=False)["date"]
    often, apart = (dates.size() > 1).mean(), dates.diff().dt.days.median()
    if not (often > 0.5 and apart < 7):
        return rows
    end = rows["end"] if "end" in rows else pd.Series(pd.NaT, index=rows.index)
    return rows.assign(end=pd.to_datetime(end).where(~dated, pd.to_datetime(rows["date"])))


def reach_of(rows: pd.DataFrame, grid: Grid) -> Reach:
    """Every series that each plan row covers, and when; rows: those that state one and the same thing."""
    rows = by_day(rows, grid.period)
    row, series = _series_of(rows, grid)
    first, last = _span(rows, grid)
    bounds = grid.bounds
    low = np.searchsorted(bounds, first, side="right") - 1
    high = np.searchsorted(bounds, last, side="right")
    width = grid.shape[1]
    low, high = np.clip(low, 0, width), np.clip(high, 0, width)
    return Reach(row, series, first, last, low, high, _known_from(rows, grid), bounds)


def classes_of(rows: pd.DataFrame, grid: Grid) -> tuple[Grid, np.ndarray]:
    """A grid with one series for all that the rows cannot tell apart, and which one stands for each of n."""
    words = {}
    for name in WEIGHT:
        known = grid.names[name]
        said = rows[name].dropna().astype("str").unique() if name in rows else ()
        words[name] = known.where(known.isin(said), "")
    table = pd.DataFrame(words)
    number = table.groupby(list(WEIGHT), sort=True).ngroup().to_numpy()
    first = np.unique(number, return_index=True)[1]
    return replace(grid, names=table.iloc[first].reset_index(drop=True)), number


def _known_from(rows: pd.DataFrame, grid: Grid) -> np.ndarray:
    """Number of the period at whose end each row was known, (rows,) int16."""
    if "known_from" not in rows:
        return np.full(len(rows), ALWAYS, dtype=np.int16)
    stated = pd.to_datetime(rows["known_from"])
    number = grid.period.index(stated.fillna(LONG_AGO)) - grid.begin
    return np.where(stated.notna(), np.maximum(number, ALWAYS), ALWAYS).astype(np.int16)


def _span(rows: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """First and last day of each row, as days since 1970; a date is its whole period."""

    def column(name: str) -> pd.Series:
        return pd.to_datetime(rows[name]) if name in rows else pd.Series(pd.NaT, index=rows.index)

    date, start, end = column("date"), column("start"), column("end")
    first = start.fillna(date).fillna(end)
    number = grid.period.index(date.fillna(LONG_AGO))
    whole = pd.Series(grid.period.dates(number + 1) - pd.Timedelta(days=1), index=rows.index)
    # A row with a start alone has an open end.
    beyond = grid.period.dates(np.array([grid.begin + grid.shape[1]]))[0]
    last = end.fillna(whole.where(date.notna())).fillna(beyond)
    days = (np.asarray(part, dtype="datetime64[D]").astype(np.int64) for part in (first, last))
    return next(days), next(days)


def _series_of(rows: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of row and series: every series that agrees with what the row names."""
    names = [name for name in WEIGHT if name in rows]
    asked, has, sizes = {}, {}, {}
    specific = np.zeros(len(rows), dtype=np.int64)
    for name in names:
        has[name], values = pd.factorize(grid.names[name], sort=True)
        sizes[name] = len(values)
        # -1: names what no series has
        asked[name] = pd.Index(values).get_indexer(rows[name].astype("str"))
        specific += WEIGHT[name] * rows[name].notna().to_numpy()
    pairs = []
    for pattern in np.unique(specific):
        chosen = np.flatnonzero(specific == pattern)
        wanted, own = np.zeros(len(chosen), dtype=np.int64), np.zeros(len(grid.names), dtype=np.int64)
        for name in names:
            if pattern & WEIGHT[name]:
                code = asked[name][chosen]
                wanted = np.where((wanted < 0) | (code < 0), -1, wanted * sizes[name] + code)
                own = own * sizes[name] + has[name]
        order = np.argsort(own, kind="stable")
        low, high = (np.searchsorted(own[order], wanted, side=side) for side in ("left", "right"))
        count = high - low
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        pairs.append((np.repeat(chosen, count), order[np.repeat(low, count) + within]))
    if not pairs:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.concatenate([row for row, _ in pairs]), np.concatenate([series for _, series in pairs])


@njit(cache=True, nogil=True)
def paint(values: np.ndarray, reach: Reach, out: np.ndarray) -> None:
    """Lay each row's value (rows,) on the cells it covers, the most specific row last."""
    for k in range(len(reach.row)):
        r, i = reach.row[k], reach.series[k]
        for t in range(reach.low[r], reach.high[r]):
            out[i, t] = values[r]


def deepest(depth: np.ndarray, reach: Reach, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, share of days covered and since when that was known, (n, T + H) each, float32 twice and int16.

    depth: (rows,) of each row; of several that cover a day the deepest counts, and a cell has the mean of its
        days, 0 where no row covers them. It is known when the last of its rows is.
    """
    shape = len(grid.names), int(reach.bounds[-1] - reach.bounds[0])
    daily, known = np.full(shape, -1.0, dtype=np.float32), np.full(shape, ALWAYS, dtype=np.int16)
    _paint_deepest(depth, reach, daily, known)
    share = _mean_of(daily >= 0.0, reach.bounds)
    np.maximum(daily, 0.0, out=daily)
    return _mean_of(daily, reach.bounds), share, _latest_of(known, reach.bounds)


@njit(cache=True, nogil=True)
def _paint_deepest(depth: np.ndarray, reach: Reach, out: np.ndarray, known: np.ndarray) -> None:
    begin, end = reach.bounds[0], reach.bounds[-1]
    for k in range(len(reach.row)):
        r, i = reach.row[k], reach.series[k]
        value, since = np.float32(depth[r]), reach.known[r]
        for day in range(max(reach.first[r], begin), min(reach.last[r] + 1, end)):
            t = day - begin
            if value > out[i, t] or (value == out[i, t] and since < known[i, t]):
                out[i, t] = value
                known[i, t] = since


def mean_stated(values: np.ndarray, reach: Reach, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Mean of what rows state of the days of each cell, NaN where none states anything, and since when it was
    known: (n, T + H) float32 and int16.

    values: (rows,) of each row; of several that cover a day the most specific is right, of equals the last
    """
    shape = len(grid.names), int(reach.bounds[-1] - reach.bounds[0])
    daily, known = np.full(shape, np.nan, dtype=np.float32), np.full(shape, ALWAYS, dtype=np.int16)
    _paint_days(values.astype(np.float32), reach, daily, known)
    stated = np.isfinite(daily)
    np.nan_to_num(daily, copy=False)
    with np.errstate(invalid="ignore"):
        mean = _mean_of(daily, reach.bounds) / _mean_of(stated, reach.bounds)
    return mean, _latest_of(known, reach.bounds)


@njit(cache=True, nogil=True)
def _paint_days(values: np.ndarray, reach: Reach, out: np.ndarray, known: np.ndarray) -> None:
    begin, end = reach.bounds[0], reach.bounds[-1]
    for k in range(len(reach.row)):
        r, i = reach.row[k], reach.series[k]
        for day in range(max(reach.first[r], begin), min(reach.last[r] + 1, end)):
            out[i, day - begin] = values[r]
            known[i, day - begin] = reach.known[r]


def _mean_of(daily: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(n, periods) float32 mean over the days of each period; daily: (n, days)."""
    if _are_days(bounds):
        return daily.astype(np.float32, copy=False)
    total = np.add.reduceat(daily, bounds[:-1] - bounds[0], axis=1, dtype=np.float32)
    return (total / np.diff(bounds)).astype(np.float32)


def _latest_of(daily: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(n, periods) largest of the days of each period; daily: (n, days)."""
    return daily if _are_days(bounds) else np.maximum.reduceat(daily, bounds[:-1] - bounds[0], axis=1)


def _are_days(bounds: np.ndarray) -> bool:
    return bool(bounds[-1] - bounds[0] == len(bounds) - 1)


@njit(cache=True, nogil=True)
def spread(amount: np.ndarray, reach: Reach, out: np.ndarray) -> None:
    """Add each row's amount, spread over all cells that it covers by the days covered."""
    days = np.zeros(len(amount))
    for step in range(2):
        for k in range(len(reach.row)):
            r, i = reach.row[k], reach.series[k]
            for t in range(reach.low[r], reach.high[r]):
                if step == 0:
                    days[r] += _share(reach, r, t)
                elif days[r] > 0.0:
                    out[i, t] += amount[r] * _share(reach, r, t) / days[r]


@njit(cache=True, nogil=True)
def _share(reach: Reach, r: int, t: int) -> float:
    """Share of the days of period t that row r covers."""
    begin, end = reach.bounds[t], reach.bounds[t + 1]
    covered = min(end, reach.last[r] + 1) - max(begin, reach.first[r])
    return max(covered, 0) / (end - begin)
