"""Plans on the panel's grid: promotions, prices, quantities and covariates known ahead, and since when.

It owns which plan row reaches which series and period. A row names a date or a start and end, and any of
sku, location and category; what it leaves out it means all of.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ingestion.periods import Period

ALWAYS, NEVER = -1, 32767  # numbers of the period at whose end a plan became known


@dataclass(frozen=True)
class Grid:
    """The cells that plans are laid on: n series × (length + horizon) periods from number `begin`."""

    keys: pd.DataFrame
    category: pd.Series | None
    period: Period
    begin: int
    length: int
    horizon: int

    @property
    def shape(self) -> tuple[int, int]:
        """(n, T + H)."""
        return len(self.keys), self.length + self.horizon


@dataclass(frozen=True)
class _Reach:
    """Pairs of plan rows and the cells they cover, with the share of the cell's days covered."""

    row: np.ndarray
    series: np.ndarray
    step: np.ndarray
    share: np.ndarray


def promotions(
    plans: pd.DataFrame | None, grid: Grid, recorded: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Promotion as it happened (n, T), as planned (n, T + H), and since when the plan was known.

    recorded: (n, T) depth in the demand rows, NaN where they say nothing

    A recorded promotion without a plan row counts as planned where plans begin only after the history
    (then they simply were not kept), and as a surprise else: a model must not expect at a past origin
    what no plan could have told it.
    """
    n, width = grid.shape
    plan = np.zeros((n, width), dtype=np.float32)
    known = np.full((n, width), ALWAYS, dtype=np.int16)
    covered = np.zeros((n, width), dtype=bool)
    rows = _with(plans, "promotion")
    if len(rows):
        reach = _reach(rows, grid)
        depth = rows["promotion"].to_numpy(dtype=float)[reach.row] * reach.share
        at = (reach.series, reach.step)
        np.maximum.at(plan, at, depth.astype(np.float32))
        covered[at] = True
        known[at] = NEVER
        np.minimum.at(known, at, _known_from(rows, grid)[reach.row])
    past = slice(0, grid.length)
    happened = np.where(np.isfinite(recorded), recorded, plan[:, past]).astype(np.float32)
    unplanned = (happened > 0) & ~covered[:, past]
    kept = covered[:, past].any() and covered[:, past][happened > 0].mean() > 0.5
    ahead = covered[:, grid.length :].any()
    plan[:, past] = np.where(unplanned, happened, plan[:, past])
    if kept or not ahead:
        steps = np.broadcast_to(np.arange(grid.length, dtype=np.int16), happened.shape)
        known[:, past] = np.where(unplanned, steps, known[:, past])
    return happened, plan, known


def prices(plans: pd.DataFrame | None, grid: Grid, recorded: np.ndarray) -> tuple[np.ndarray, bool]:
    """Price per cell (n, T + H), the last known carried on; and whether plans state future prices."""
    price = np.full(grid.shape, np.nan, dtype=np.float32)
    rows = _with(plans, "price")
    if len(rows):
        reach = _reach(rows, grid)
        price[reach.series, reach.step] = rows["price"].to_numpy(dtype=float)[reach.row]
    planned = bool(np.isfinite(price[:, grid.length :]).any())
    price[:, : grid.length] = np.where(np.isfinite(recorded), recorded, price[:, : grid.length])
    last = np.maximum.accumulate(np.where(np.isfinite(price), np.arange(grid.shape[1]), -1), axis=1)
    carried = np.take_along_axis(price, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, carried, np.nan).astype(np.float32), planned


def quantities(plans: pd.DataFrame | None, grid: Grid) -> np.ndarray:
    """(n, H) float32 units planned per period; a row without a sku plans nothing in particular."""
    total = np.zeros(grid.shape, dtype=np.float32)
    rows = _with(plans, "quantity")
    rows = rows[rows["sku"].notna()] if "sku" in rows else rows[:0]
    if len(rows):
        reach = _reach(rows, grid)
        # A quantity is of the whole row, so it is spread over the cells that the row covers.
        spread = reach.share / np.bincount(reach.row, weights=reach.share, minlength=len(rows))[reach.row]
        np.add.at(
            total, (reach.series, reach.step), rows["quantity"].to_numpy(dtype=float)[reach.row] * spread
        )
    return total[:, grid.length :]


def covariates(
    plans: pd.DataFrame | None, grid: Grid, mean: Callable[[str], np.ndarray], names: list[str]
) -> dict[str, np.ndarray]:
    """Each covariate (n, T + H): history as recorded, future only where plans give it, else NaN.

    mean: gives a demand column on the grid, (n, T)
    """
    found = {}
    for name in names:
        values = np.full(grid.shape, np.nan, dtype=np.float32)
        values[:, : grid.length] = mean(name)
        rows = _with(plans, name)
        if len(rows):
            reach = _reach(rows, grid)
            future = reach.step >= grid.length
            values[reach.series[future], reach.step[future]] = rows[name].to_numpy(dtype=float)[
                reach.row[future]
            ]
        found[name] = values
    return found


def _with(plans: pd.DataFrame | None, column: str) -> pd.DataFrame:
    """Plan rows that state a value in `column`."""
    if plans is None or column not in plans:
        return pd.DataFrame()
    value: Any = pd.to_numeric(plans[column], errors="coerce")
    rows = plans.assign(**{column: value})
    return rows[value.notna()].reset_index(drop=True)


def _known_from(rows: pd.DataFrame, grid: Grid) -> np.ndarray:
    """Number of the period at whose end each row was known, (rows,) int16."""
    if "known_from" not in rows:
        return np.full(len(rows), ALWAYS, dtype=np.int16)
    stated = pd.to_datetime(rows["known_from"])
    number = grid.period.index(stated.fillna(pd.Timestamp("1970-01-01"))) - grid.begin
    return np.where(stated.notna(), np.maximum(number, ALWAYS), ALWAYS).astype(np.int16)


def _span(rows: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """First and last day of each row, as whole days; a date is its whole period."""

    def column(name: str) -> pd.Series:
        return pd.to_datetime(rows[name]) if name in rows else pd.Series(pd.NaT, index=rows.index)

    date, start, end = column("date"), column("start"), column("end")
    first = start.fillna(date).fillna(end)
    number = grid.period.index(date.fillna(pd.Timestamp("1970-01-01")))
    whole = pd.Series(grid.period.dates(number + 1) - pd.Timedelta(days=1), index=rows.index)
    # A row with a start alone has an open end.
    last = end.fillna(whole.where(date.notna())).fillna(
        grid.period.dates(np.array([grid.begin + grid.shape[1]]))[0]
    )
    return np.asarray(first, dtype="datetime64[D]"), np.asarray(last, dtype="datetime64[D]")


def _reach(rows: pd.DataFrame, grid: Grid) -> _Reach:
    """Every cell of the grid that each plan row covers."""
    row, series = _series_of(rows, grid)
    first, last = _span(rows, grid)
    low = np.clip(grid.period.index(pd.DatetimeIndex(first)) - grid.begin, 0, grid.shape[1])
    high = np.clip(grid.period.index(pd.DatetimeIndex(last)) - grid.begin + 1, 0, grid.shape[1])
    count = np.maximum(high - low, 0)[row]
    pair = np.repeat(np.arange(len(row)), count)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    step = low[row[pair]] + within
    bounds = np.asarray(grid.period.dates(grid.begin + np.arange(grid.shape[1] + 1)), dtype="datetime64[D]")
    begins, ends = bounds[step], bounds[step + 1]
    day = np.timedelta64(1, "D")
    overlap = np.minimum(ends, last[row[pair]] + day) - np.maximum(begins, first[row[pair]])
    share = overlap / (ends - begins)
    return _Reach(row[pair], series[pair], step, np.clip(share, 0.0, 1.0))


def _series_of(rows: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of row and series: every series that agrees with what the row names."""
    series = grid.keys.assign(
        category="" if grid.category is None else grid.category.to_numpy(), series=np.arange(len(grid.keys))
    )
    names = [name for name in ("sku", "location", "category") if name in rows and rows[name].notna().any()]
    stated = rows[names].notna().assign(row=np.arange(len(rows)))
    pairs = []
    for named, group in stated.groupby(names, sort=True) if names else [((), stated)]:
        on = [name for name, is_named in zip(names, named, strict=True) if is_named]
        part = rows.iloc[group["row"]].assign(row=group["row"].to_numpy())
        pairs.append(
            part.merge(series, on=on)[["row", "series"]]
            if on
            else part[["row"]].merge(series[["series"]], how="cross")
        )
    found = pd.concat(pairs).sort_values(["row", "series"])
    return found["row"].to_numpy(), found["series"].to_numpy()
