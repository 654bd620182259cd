"""Panel: the history as dense arrays, series × periods, and the known future beside it.

It owns the meaning of an absent row, of an empty shelf and of a plan. Takes the warehouse's tables as they
were known at the as-of date; every model reads the panel and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from forecasting import plans as planning
from forecasting.calendar import Calendar, build_calendar
from forecasting.series import covariates_of, find_series
from ingestion.errors import DataError, Problem
from ingestion.periods import Period

# Below this share of the period on the shelf, what was sold says too little. Above it sales are divided by
# the root of the share: shelves empty late in a day that was already a good one, so that dividing by the
# share itself would count the best hours of the best days twice.
LEAST_IN_STOCK = 0.5
ABSENT = ("zero", "closed", "missing")


@dataclass(frozen=True)
class Panel:
    """History of T periods and the known future of H more, for n series.

    keys: (n,) frame of sku and location, sorted
    period, as_of: the clock and the last complete period
    quantity: (n, T) float32 units; NaN where demand was not observed: no row, empty shelf, not yet sold
    sold: (n, T) float32 units as recorded, a lower bound where the shelf was empty; NaN without a row
    in_stock: (n, T) float32 share of the period on the shelf
    closed: (n, T) bool, no row because the place was shut; quantity is 0 there
    promotion: (n, T) float32 depth or flag, as it happened
    plan: (n, T + H) float32 promotion as planned
    known: (n, T + H) int16 number of the period at whose end the plan was known; -1 always
    price: (n, T + H) float32 money per unit, NaN unknown; the future from plans, else the last known
    prices_planned: whether plans state prices ahead, so that a window's price may be used
    planned_quantity: (n, H) float32 units of production or project demand
    covariates: name → (n, T + H) float32; NaN where not known, so the future unless planned
    attributes: (n, …) frame of text: category, location, … "" where unknown
    first: (n,) number of the first observed period; T without history
    start: (n,) number of the period in which the item is launched; 0 where that is not stated
    fade: (n,) share of demand that is left after one more period; 1 unless the item is phased out
    calendar: holidays of each series' country over T + H
    notes: what a reader of forecasts should know about these data
    """

    keys: pd.DataFrame
    period: Period
    as_of: pd.Timestamp
    quantity: np.ndarray
    sold: np.ndarray
    in_stock: np.ndarray
    closed: np.ndarray
    promotion: np.ndarray
    plan: np.ndarray
    known: np.ndarray
    price: np.ndarray
    prices_planned: bool
    planned_quantity: np.ndarray
    covariates: dict[str, np.ndarray]
    attributes: pd.DataFrame
    first: np.ndarray
    start: np.ndarray
    fade: np.ndarray
    calendar: Calendar
    notes: tuple[str, ...] = field(default=())

    @property
    def series(self) -> int:
        """Number of series."""
        return self.quantity.shape[0]

    @property
    def length(self) -> int:
        """Periods of history, T."""
        return self.quantity.shape[1]

    @property
    def horizon(self) -> int:
        """Periods of known future, H."""
        return self.plan.shape[1] - self.length

    @property
    def observed(self) -> np.ndarray:
        """(n, T) bool, where demand is known."""
        return np.isfinite(self.quantity)

    @property
    def dates(self) -> pd.DatetimeIndex:
        """First dates of the T + H periods."""
        last = self.period.index(self.as_of)[0]
        return self.period.dates(last + 1 - self.length + np.arange(self.length + self.horizon))

    def until(self, origin: int) -> "Panel":
        """The panel as it was at the end of period number `origin`: later history becomes the future."""
        if origin == self.length - 1:
            return self
        past: dict[str, Any] = {
            name: np.ascontiguousarray(getattr(self, name)[:, : origin + 1])
            for name in ("quantity", "sold", "in_stock", "closed", "promotion")
        }
        ahead = {
            name: np.where(np.arange(values.shape[1]) > origin, np.float32(np.nan), values)
            for name, values in self.covariates.items()
        }
        return replace(
            self,
            **past,
            covariates=ahead,
            as_of=self.dates[origin],
            first=np.minimum(self.first, origin + 1),
        )

    @property
    def history_days(self) -> float:
        """Days from the first observation of any series to the as-of date."""
        return (self.length - int(self.first.min(initial=self.length))) * self.period.days


def build_panel(
    tables: Mapping[str, pd.DataFrame],
    period: Period,
    as_of: pd.Timestamp,
    horizon: int,
    absent: str = "zero",
    country: str | None = None,
) -> Panel:
    """The panel of all series as known at the end of the period that contains `as_of`.

    tables: demand, and plans, items, locations where there are any, as the warehouse reads them
    horizon: periods of known future, H ≥ 1
    absent: what no row means after a series' first: "zero", "closed" (zero because shut) or "missing"
    country: ISO code for holidays where `locations.country` says none
    Raises Problem for impossible arguments, DataError where there is nothing to forecast.
    """
    if absent not in ABSENT:
        raise Problem(
            f"absent must be one of {', '.join(ABSENT)}, got {absent!r}; mend demand.absent in forestock.toml"
        )
    if horizon < 1:
        raise Problem(f"horizon must be at least one period, got {horizon}; pass how far ahead to forecast")
    last = int(period.index(as_of)[0])
    demand = tables["demand"]
    demand = demand[period.index(demand["date"]) <= last] if len(demand) else demand
    found = find_series({**tables, "demand": demand}, period, country)
    if not len(found.keys):
        raise DataError(
            "there must be at least one series to forecast, found no demand, plan or new item; load demand"
        )
    begin = int(period.index(demand["date"]).min()) if len(demand) else last
    length = last + 1 - begin
    category = found.attributes.get("category")
    grid = planning.Grid(found.keys, category, period, begin, length, horizon)
    cells = _Cells(found.keys, demand, period, begin, length)
    plans = tables.get("plans")
    promotion, plan, known = planning.promotions(plans, grid, cells.mean("promotion"))
    price, prices_planned = planning.prices(plans, grid, cells.mean("price"))
    dates = period.dates(begin + np.arange(length + horizon))
    launched = period.index(found.launched.fillna(dates[0])) - begin
    panel = Panel(
        keys=found.keys,
        period=period,
        as_of=dates[length - 1],
        **_history(cells, absent),
        promotion=promotion,
        plan=plan,
        known=known,
        price=price,
        prices_planned=prices_planned,
        planned_quantity=planning.quantities(plans, grid),
        covariates=planning.covariates(plans, grid, cells.mean, covariates_of(demand)),
        attributes=found.attributes,
        start=np.maximum(launched, 0),
        fade=found.fade,
        calendar=build_calendar(dates, period, found.countries),
    )
    return replace(panel, notes=(*panel.calendar.notes, *_notes(panel)))


def _history(cells: "_Cells", absent: str) -> dict[str, Any]:
    """Demand with its gaps: what no row means, and what an empty or half-empty shelf hides."""
    sold = cells.total("quantity")
    recorded = np.isfinite(sold)
    length = sold.shape[1]
    first = np.where(recorded.any(axis=1), recorded.argmax(axis=1), length).astype(np.int64)
    inside = np.arange(length)[None, :] >= first[:, None]
    unrecorded = inside & ~recorded
    sold = np.where(unrecorded, np.float32(np.nan if absent == "missing" else 0.0), sold)
    in_stock = np.where(recorded, np.clip(np.nan_to_num(cells.mean("in_stock"), nan=1.0), 0.0, 1.0), 1.0)
    share = np.maximum(in_stock, LEAST_IN_STOCK)
    quantity = np.where(in_stock >= LEAST_IN_STOCK, sold / np.sqrt(share), np.nan)
    return {
        "quantity": quantity.astype(np.float32),
        "sold": sold.astype(np.float32),
        "in_stock": in_stock.astype(np.float32),
        "closed": unrecorded if absent == "closed" else np.zeros_like(recorded),
        "first": first,
    }


class _Cells:
    """Demand rows brought to the dense grid: which cell each row falls into."""

    def __init__(self, keys: pd.DataFrame, demand: pd.DataFrame, period: Period, begin: int, length: int):
        self.demand, self.shape = demand, (len(keys), length)
        series = pd.MultiIndex.from_frame(keys).get_indexer(
            pd.MultiIndex.from_frame(demand[["sku", "location"]])
        )
        self.cell = series.astype(np.int64) * length + (period.index(demand["date"]) - begin)

    def _sum(self, values: np.ndarray) -> np.ndarray:
        size = self.shape[0] * self.shape[1]
        return np.bincount(self.cell, weights=values, minlength=size).reshape(self.shape)

    def total(self, column: str) -> np.ndarray:
        """Sums per cell, NaN where no row has a value."""
        values = self._values(column)
        known = np.isfinite(values)
        return np.where(self._sum(known) > 0, self._sum(np.where(known, values, 0.0)), np.nan).astype(
            np.float32
        )

    def mean(self, column: str) -> np.ndarray:
        """Means per cell, NaN where no row has a value; a price of zero is no price."""
        values = self._values(column)
        known = np.isfinite(values) & ((values > 0) if column == "price" else True)
        count = self._sum(known)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self._sum(np.where(known, values, 0.0)) / np.where(count > 0, count, np.nan)).astype(
                np.float32
            )

    def _values(self, column: str) -> np.ndarray:
        if column not in self.demand:
            return np.full(len(self.demand), np.nan)
        return pd.to_numeric(self.demand[column]).to_numpy(dtype=float, na_value=np.nan)


def _notes(panel: Panel) -> list[str]:
    days = panel.history_days
    if days < 180:
        return [f"history is {days:.0f} days, fewer than 180: forecasts lean on pooled experience"]
    return [f"history is {days:.0f} days, fewer than 365: no yearly season is fitted"] if days < 365 else []
