"""Shelf lives that are no whole number of periods: bread in weeks, fish in months."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import poisson

from ingestion.periods import Period
from optimization.perishing import perishable_targets, sellable, shelf_periods
from optimization.protection import protection_demand


@pytest.fixture
def over(usual_demand, lead_time_of):
    """Poisson(40) a week, lead time and review of one week each, nine series."""
    demand = usual_demand(np.full(9, 40.0), 12, poisson, Period("week"))
    return protection_demand(demand, lead_time_of({1: 1.0}, 9), np.ones(9, dtype=np.int64))


def test_a_part_of_a_period_sells_its_part(over):
    days = np.array([np.nan, 1, 3, 6, 7, 9, 14, 14.9, 20])
    life = shelf_periods(pd.DataFrame({"shelf_life_days": days}), 7.0)
    found = sellable(over, life)
    assert np.isinf(found[0])
    assert_allclose(found[1:], 40 + 40 / 7 * np.floor(days[1:]), atol=1)


def test_the_level_of_cost_rises_with_every_day_of_shelf_life(over):
    days = np.array([1, 2, 3, 4, 5, 6, 7, 10, 14])
    life = shelf_periods(pd.DataFrame({"shelf_life_days": days}), 7.0)
    level = perishable_targets(over, life, np.full(9, 0.95), np.full(9, 0.1), np.full(9, 2.0))
    assert (np.diff(level) >= 0).all()
    assert level[0] < level[5] < level[8]
