"""A small shop: series whose rates, weeks and promotions the tests know."""

from collections.abc import Callable

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
