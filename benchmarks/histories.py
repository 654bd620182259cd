"""The histories that forecasts are compared on, and how each is walked.

It owns the data sets: which columns become demand, promotions, prices and holidays, and the origins. To add
one, write a function from the data folder to a `Case` and name it in `CASES`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.backtest import Folds, folds_of
from forecasting.panel import Panel, build_panel
from ingestion.periods import Period

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Case:
    """A data set and how it is walked.

    panel: all of the history; a method at an origin sees `panel.until(origin)` and nothing else
    horizons: (g,) periods that are summed
    origins: (o,) numbers of the last period known, ascending
    folds: every pair of series and origin, series first: m = series × origins rows, and what then happened
    promotes: whether promotions must show their worth
    """

    name: str
    panel: Panel
    horizons: np.ndarray
    origins: np.ndarray
    folds: Folds
    promotes: bool = False

    @property
    def ahead(self) -> int:
        """Longest horizon, periods."""
        return int(self.horizons[-1])

    @property
    def daily(self) -> bool:
        """Whether a period is a day."""
        return self.panel.period.name == "day"


def pasta(data: Path) -> Case:
    """118 grocery items, four years of days, promotions known ahead."""
    return replace(walked("pasta", _pasta(data), Period("day"), ("closed", "IT"), (8, 21)), promotes=True)


def pasta_weeks(data: Path) -> Case:
    """The same items in whole weeks, promoted by the share of their days."""
    return walked("pasta_weeks", _pasta(data), Period("week"), ("closed", "IT"), (8, 4))


def _pasta(data: Path) -> Tables:
    frame = pd.read_parquet(data / "pasta" / "daily.parquet").rename(columns={"value": "quantity"})
    frame = frame.assign(sku=frame["brand"] + frame["product"].astype("str"), location="store")
    frame["date"] = frame["date"].astype("datetime64[ns]")
    items = frame[["sku", "brand"]].drop_duplicates().assign(category="pasta")
    return {
        "demand": frame[["sku", "location", "date", "quantity", "promotion"]],
        "plans": frame[["sku", "location", "date", "promotion"]],
        "items": items,
    }


def freshretail(data: Path) -> Case:
    """500 store-items, 90 days, hours out of stock, discounts and promotions known ahead."""
    frame = pd.read_parquet(data / "freshretail" / "daily.parquet")
    demand = pd.DataFrame(
        {
            "sku": frame["product_id"].astype("str"),
            "location": frame["store_id"].astype("str"),
            "date": frame["dt"].astype("datetime64[ns]"),
            "quantity": frame["sale_amount"].astype(float),
            "in_stock": 1 - frame["stockout_hours_6_22"] / 16,
            "price": frame["discount"].astype(float),
            "promotion": frame["activity_flag"].astype(float),
        }
    )
    items = pd.DataFrame(
        {
            "sku": demand["sku"],
            "category": frame["first_category_id"].astype("str"),
            "subcategory": frame["second_category_id"].astype("str"),
        }
    )
    plans = demand[["sku", "location", "date", "promotion", "price"]]
    tables = {"demand": demand, "plans": plans, "items": items.drop_duplicates("sku")}
    return walked("freshretail", tables, Period("day"), ("missing", "CN"), (7, 3))


def vn2(data: Path) -> Case:
    """599 store-items, three years of weeks, weeks out of stock masked."""
    demand = pd.read_parquet(data / "vn2" / "demand.parquet")
    items = pd.read_parquet(data / "vn2" / "items.parquet").drop_duplicates("sku")
    items = items[["sku", "Department", "ProductGroup"]]
    items.columns = pd.Index(["sku", "category", "subcategory"])
    tables = {"demand": demand.assign(in_stock=demand["in_stock"].astype(float)), "items": items}
    return walked("vn2", tables, Period("week"), ("missing", None), (9, 3))


CASES: dict[str, Callable[[Path], Case]] = {
    "pasta": pasta,
    "freshretail": freshretail,
    "vn2": vn2,
    "pasta_weeks": pasta_weeks,
}


def walked(
    name: str, tables: Tables, period: Period, reading: tuple[str, str | None], walk: tuple[int, int]
) -> Case:
    """The case of some tables as `build_panel` takes them.

    reading: what an absent row means, and the country of the holidays
    walk: number of origins and periods between two, counted back from the last that can be scored
    """
    absent, country = reading
    horizons = np.array([7, 14, 28]) if period.name == "day" else np.array([1, 2, 3, 4])
    last = tables["demand"]["date"].max()
    panel = build_panel(tables, period, last, int(horizons[-1]), absent, country)
    if "price" in tables.get("plans", pd.DataFrame()):
        panel = replace(panel, prices_planned=True)  # the plans end with the history here
    count, step = walk
    origins = panel.length - 1 - int(horizons[-1]) - step * np.arange(count)[::-1]
    pairs = np.meshgrid(np.arange(panel.series), origins, indexing="ij")
    folds = folds_of(panel, pairs[0].ravel(), pairs[1].ravel(), horizons, int(origins[0]))
    return Case(name, panel, horizons, origins, folds)


def without_promotions(case: Case) -> Case:
    """The same case to a model that is told of no promotion, past or planned."""
    panel = case.panel
    silent = replace(panel, promotion=np.zeros_like(panel.promotion), plan=np.zeros_like(panel.plan))
    return replace(case, panel=silent)
