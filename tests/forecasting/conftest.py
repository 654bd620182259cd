"""A small shop: series whose rates, weeks and promotions the tests know."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.panel import Panel, build_panel
from ingestion.periods import Period

Tables = dict[str, pd.DataFrame]


def make_tables(n: int = 12, days: int = 200, seed: int = 0, start: str = "2024-01-01") -> Tables:
    """Poisson demand of n series with a weekend peak and promotions that double it, announced all along."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range(start, periods=days + 60, freq="D")
    week = np.where(dates.day_of_week >= 5, 1.6, 0.76)
    rate = np.geomspace(0.2, 12, n)
    promotion = (np.arange(len(dates))[None, :] + 5 * np.arange(n)[:, None]) % 30 < 5
    demand = rng.poisson(rate[:, None] * week * np.where(promotion, 2.0, 1.0))
    frame = pd.DataFrame(
        {
            "sku": np.repeat([f"s{i:02d}" for i in range(n)], len(dates)),
            "location": "here",
            "date": np.tile(dates, n),
            "quantity": demand.ravel().astype(float),
            "promotion": promotion.ravel().astype(float),
        }
    )
    past = frame["date"] < dates[days]
    plans = frame[frame["promotion"] > 0].drop(columns="quantity").reset_index(drop=True)
    items = pd.DataFrame({"sku": frame["sku"].unique()})
    items["category"] = np.where(np.arange(n) % 2 == 0, "even", "odd")
    return {"demand": frame[past].reset_index(drop=True), "plans": plans, "items": items}


@pytest.fixture
def shop() -> Callable[..., Tables]:
    """Makes the tables of a shop."""
    return make_tables


@pytest.fixture(scope="session")
def panel() -> Panel:
    """The panel of a shop with 200 days of history and 28 of known future."""
    tables = make_tables()
    return build_panel(tables, Period("day"), tables["demand"]["date"].max(), 28)


@pytest.fixture(scope="session")
def years() -> Panel:
    """Eight series over 800 days with all that features look at: a season, prices, events, holidays, rain.

    Promotions of one series cannot be told from those of another by their dates; rain is known 9 days ahead,
    visitors only when they have been; one plan is known late, one shelf was empty for a month.
    """
    tables = make_tables(n=8, days=800, start="2022-01-01")
    rng = np.random.default_rng(3)
    demand = tables["demand"]
    season = 1.0 + 0.5 * np.sin(2 * np.pi * demand["date"].dt.day_of_year / 365)
    demand["quantity"] = np.round(demand["quantity"] * 3 * season)
    demand["in_stock"] = np.where(
        (demand["sku"] == "s05") & demand["date"].between("2022-06-01", "2022-06-30"), 0.0, 1.0
    )
    demand["price"] = np.where(demand["promotion"] > 0, 8.0, 10.0)
    demand["rain"], demand["visitors"] = rng.gamma(2.0, 3.0, (2, len(demand)))
    days = pd.date_range("2022-01-01", periods=828)
    fairs = pd.DataFrame({"date": [*days[40::97], *days[55::180]]}).assign(category="even", event="fair")
    fairs.loc[fairs.index % 3 == 2, "event"] = "market"
    fairs.loc[fairs["date"] > "2023-01-01", "known_from"] = pd.Timestamp("2022-06-30")
    late = pd.DataFrame({"date": days[620:630], "promotion": 0.7, "known_from": days[624]})
    cut = pd.DataFrame({"date": days[700:712], "sku": "s02", "price": 6.0, "known_from": days[703]})
    ahead = pd.DataFrame({"date": days[800:809], "rain": np.arange(9.0), "price": 9.0})
    plans = [
        tables["plans"].assign(promotion=lambda one: 0.3 + 0.4 * (one["sku"] > "s03")),
        fairs,
        late,
        cut,
        ahead,
    ]
    tables["plans"] = pd.concat(plans, ignore_index=True)
    return build_panel(tables, Period("day"), demand["date"].max(), 28, country="IT")


def poison(panel: Panel, origin: int) -> Panel:
    """The panel with all that was not known at the origin changed, drawn at random."""
    rng, later = np.random.default_rng(0), slice(origin + 1, None)
    parts = {name: getattr(panel, name).copy() for name in
             ("quantity", "sold", "in_stock", "closed", "promotion", "plan", "event", "price")}  # fmt: skip
    for name in ("quantity", "sold"):
        parts[name][:, later] = rng.integers(0, 999, parts[name][:, later].shape)
    for name in ("in_stock", "promotion"):
        parts[name][:, later] = rng.random(parts[name][:, later].shape)
    parts["closed"][:, later] = True
    unknown = panel.known > origin
    parts["plan"][unknown] = 1.0 - parts["plan"][unknown]
    parts["event"][panel.event_known > origin] = 1
    if panel.price_known.size:
        parts["price"][panel.price_known > origin] = 0.5
    covariates = {name: values.copy() for name, values in panel.covariates.items()}
    for name, values in covariates.items():
        values[:, origin + 1 + panel.ahead.get(name, 0) :] = 777.0
    return replace(panel, **parts, covariates=covariates)


@pytest.fixture(scope="session")
def poisoned() -> Callable[[Panel, int], Panel]:
    """Changes what was not known at an origin."""
    return poison
