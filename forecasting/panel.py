"""Panel: the history as dense arrays, series × periods, and the known future beside it.

It owns the meaning of an absent row, of an empty shelf and of a plan. Takes the warehouse's tables as they
were known at the as-of date; every model reads the panel and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from forecasting import plans as planning
from forecasting.calendar import Calendar, build_calendar
from forecasting.cells import Cells, pairs_of
from forecasting.memo import Memo
from forecasting.reach import LONG_AGO, Grid
from forecasting.series import covariates_of, find_series
from forecasting.shelves import MEMORY, absent_of, check_words, demand_of
from forecasting.succession import fade_replaced, find_heirs, inherit
from ingestion.errors import DataError, Problem
from ingestion.periods import Period


@dataclass(frozen=True)
class Panel:
    """History of T periods and the known future of H more, for n series.

    keys: (n,) frame of sku and location, sorted
    period, as_of: the clock and the last complete period
    quantity: (n, T) float32 units; NaN where demand was not observed: no row, empty shelf, not yet sold, shut
        for long
    sold: (n, T) float32 units as recorded, a lower bound where the shelf was empty; NaN without a row
    in_stock: (n, T) float32 share of the period on the shelf
    closed: (n, T) bool, no row because the place was shut; sold is 0 there
    promotion: (n, T) float32 depth or flag, as it happened
    plan: (n, T + H) float32 promotion as planned
    known: (n, T + H) int16 number of the period at whose end the plan was known; -1 always
    price: (n, T + H) float32 money per unit, NaN unknown; the future from plans, else the last known
    price_known: (n, T + H) int16 number of the period at whose end the price was known; -1 always.
        Empty, (0, 0), where all were
    prices_planned: whether plans state prices ahead, so that a window's price may be used
    event: (k, T + H) int16 named event in each cell: code c is event_names[c - 1], 0 none; the kind of a
        promotion is its event. Series share k courses of events
    event_known: (k, T + H) int16 number of the period at whose end the event was known; -1 always
    event_of: (n,) row of each series in the two above
    event_names: names in alphabetical order, of the events known at the as-of date
    planned_quantity: (n, H) float32 units of production or project demand
    covariates: name → (n, T + H) float32; NaN where not known, so the future unless planned
    ahead: name → periods, for covariates that plans give so far beyond the as-of date; the others are known
        only once they are over
    attributes: (n, …) frame of text: category, location, … "" where unknown
    first: (n,) number of the first observed period, of the item or of what it replaces; T without history
    start: (n,) number of the period in which the item is launched, at the latest its first with demand; 0
        where neither is known
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
    price_known: np.ndarray
    prices_planned: bool
    event: np.ndarray
    event_known: np.ndarray
    event_of: np.ndarray
    event_names: tuple[str, ...]
    planned_quantity: np.ndarray
    covariates: dict[str, np.ndarray]
    ahead: dict[str, int]
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

    @cached_property
    def memo(self) -> Memo:
        """What was found out about this very panel; a changed one begins with an empty memo."""
        return Memo()

    @property
    def observed(self) -> np.ndarray:
        """(n, T) bool, where demand is known."""
        return np.isfinite(self.quantity)

    @cached_property
    def whole(self) -> np.ndarray:
        """(n,) bool, whether a series is sold in whole units; without any sale, whether all others are.

        What it was lent by the item it replaces does not count: a share of whole units is none.
        """
        told = np.isfinite(self.sold) & (np.arange(self.length) >= self.start[:, None])
        parts = (told & (self.sold != np.round(self.sold))).any(axis=1)
        return np.where(told.any(axis=1), ~parts, not parts.any())

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
            name: np.where(
                np.arange(values.shape[1]) > origin + self.ahead.get(name, 0), np.float32(np.nan), values
            )
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
    absent: str | pd.DataFrame = "zero",
    country: str | None = None,
    hidden: str = "mask",
) -> Panel:
    """The panel of all series as known at the end of the period that contains `as_of`.

    tables: demand, and plans, items, locations where there are any, as the warehouse reads them
    horizon: periods of known future, H ≥ 1
    absent: what no row means after a series' first: "zero", "closed" (zero because shut) or "missing"; or a
        frame of sku, location and absent, where sources differ
    country: ISO code for holidays where `locations.country` says none
    hidden: what becomes of demand that met an empty shelf: "mask", "impute" or "ignore", see `shelves`
    Raises Problem for impossible arguments, DataError where there is nothing to forecast.
    """
    check_words(absent, hidden)
    if horizon < 1:
        raise Problem(f"horizon must be at least one period, got {horizon}; pass how far ahead to forecast")
    last = int(period.index(as_of)[0])
    demand, step, begin = _past(tables["demand"], period, last)
    pairs = pairs_of(demand)
    plans = planning.known_plans(tables.get("plans"), period.end(as_of))
    found = find_series({**tables, "plans": plans}, pairs.keys, period, country)
    if not len(found.keys):
        raise DataError(
            "there must be at least one series to forecast, found no demand, plan or new item; load demand"
        )
    length = last + 1 - begin
    names = found.keys.assign(category=found.attributes.get("category", ""))
    grid = Grid(names, period, begin, length, horizon)
    cells = Cells(found.keys, demand, pairs, step, length)
    del pairs, step  # 12 bytes a row, of which there may be a hundred million
    dates = period.dates(begin + np.arange(length + horizon))
    own = demand_of(
        cells.total("quantity"),
        cells.mean("in_stock"),
        absent_of(found.keys, absent),
        hidden,
        MEMORY / period.days,
    )
    planned = _plans(plans, grid, cells, covariates_of(demand))
    heirs = find_heirs(found.keys, tables.get("items"), tables.get("stock"), period.end(as_of))
    happened = {name: planned[name] for name in ("promotion", "plan", "known")}
    panel = Panel(
        keys=found.keys,
        period=period,
        as_of=dates[length - 1],
        **inherit(own, happened, heirs, period.days)._asdict(),
        **planned,
        attributes=found.attributes,
        start=_start(found.launched, own.first, grid),
        fade=fade_replaced(found.fade, heirs, own.first < length, period),
        calendar=build_calendar(dates, period, found.countries),
    )
    return replace(panel, notes=(*panel.calendar.notes, *_notes(panel)))


def _start(launched: pd.Series, first: np.ndarray, grid: Grid) -> np.ndarray:
    """(n,) number of the period in which each item is launched: what sells has been launched."""
    stated = grid.period.index(launched.fillna(LONG_AGO)) - grid.begin
    return np.where(first < grid.length, np.minimum(np.maximum(stated, 0), first), np.maximum(stated, 0))


def _past(demand: pd.DataFrame, period: Period, last: int) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Demand up to the period number `last`, each row's period counted from the first, and the first."""
    index = period.index(demand["date"]) if len(demand) else np.empty(0, dtype=np.int64)
    later = index > last
    if later.any():
        demand, index = demand[~later], index[~later]
    begin = int(index.min(initial=last))
    return demand, (index - begin).astype(np.int32), begin


def _plans(plans: pd.DataFrame, grid: Grid, cells: Cells, covariates: list[str]) -> dict[str, Any]:
    """All fields that plans have a say in."""
    promotion, plan, known = planning.promotions(plans, grid, cells.mean("promotion"))
    price, price_known, prices_planned = planning.prices(plans, grid, cells.mean("price"))
    events = planning.events(plans, grid)
    values, ahead = planning.covariates(plans, grid, cells.mean, covariates)
    return {
        "promotion": promotion,
        "plan": plan,
        "known": known,
        "price": price,
        "price_known": price_known,
        "prices_planned": prices_planned,
        "event": events.code,
        "event_known": events.known,
        "event_of": events.of_series,
        "event_names": events.names,
        "planned_quantity": planning.quantities(plans, grid),
        "covariates": values,
        "ahead": ahead,
    }


def _notes(panel: Panel) -> list[str]:
    days = panel.history_days
    if days < 180:
        return [f"history is {days:.0f} days, fewer than 180: forecasts lean on pooled experience"]
    return [f"history is {days:.0f} days, fewer than 365: no yearly season is fitted"] if days < 365 else []
