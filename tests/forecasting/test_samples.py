"""What global models learn from: windows that empty shelves cut short teach no other mean than whole ones."""

import numpy as np
import pandas as pd
import pytest

from forecasting.features import build_rows
from forecasting.panel import build_panel
from forecasting.samples import targets_of
from ingestion.periods import Period

RATE, SERIES, WEEKS = 3.0, 300, 24


@pytest.mark.parametrize("weekly_stock", [18, 24, 1000])
def test_shelves_that_run_empty_when_demand_is_high_leave_the_mean_as_it_is(weekly_stock: int):
    """Whether a day is observed is known before it begins, so that its surprise is zero on average (Wald)."""
    rng = np.random.default_rng(0)
    wanted = rng.poisson(RATE, (SERIES, WEEKS, 7))
    before = np.cumsum(wanted, axis=2) - wanted
    stocked = (before < weekly_stock).reshape(SERIES, -1)
    days = pd.date_range("2024-01-01", periods=7 * WEEKS)
    demand = pd.DataFrame(
        {
            "sku": np.repeat([f"s{i:03d}" for i in range(SERIES)], len(days)),
            "location": "here",
            "date": np.tile(days, SERIES),
            "quantity": np.where(stocked, wanted.reshape(SERIES, -1), 0).ravel().astype(float),
            "in_stock": stocked.ravel().astype(float),
        }
    )
    panel = build_panel({"demand": demand}, Period("day"), days[-1], 1)
    series, at = (part.ravel() for part in np.meshgrid(np.arange(SERIES), np.arange(100, 160)))
    horizons = np.array([3, 7])
    rows = build_rows(panel, series, at, horizons)
    path = np.tile(RATE * np.arange(1, 8), (len(series), 1))
    _, target, weight = targets_of((path, path), panel, (at, rows), rng)
    assert np.average(target, weights=weight) == pytest.approx(1.0, abs=0.01)


def test_a_promoted_day_that_was_not_seen_counts_with_its_whole_uplift():
    """Four plain days of 3 and one promoted of 9 on a base that says 3 and 6: without the promoted day, 12
    of 21 were to be seen, and the window teaches 21 over a base of 18."""
    quantity = np.full(40, 3.0)
    days = pd.date_range("2024-01-01", periods=40)
    demand = pd.DataFrame({"sku": "a", "location": "here", "date": days, "quantity": quantity})
    panel = build_panel({"demand": demand.drop(index=32)}, Period("day"), days[-1], 1, "missing")
    pair = np.zeros(1, dtype=np.int64), np.array([29])
    rows = build_rows(panel, *pair, np.array([5]))
    base, course = (np.cumsum([[3.0, 3.0, promoted, 3.0, 3.0]], axis=1) for promoted in (6.0, 9.0))
    _, target, weight = targets_of((base, course), panel, (pair[1], rows), np.random.default_rng(0))
    assert weight == pytest.approx(12 / 21)
    assert target == pytest.approx(21 / 18)
