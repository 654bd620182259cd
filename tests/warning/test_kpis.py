"""KPIs: one small shop worked by hand, every figure named, and the directions that must hold."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warning import kpis
from warning.kpi_catalogue import KPIS

# Four days: tea, worth 5, sells 2 a day from 8 down to nothing; salt, worth 1, sells 1 a day from 100.
USED = np.array([[2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
ON_HAND = np.array([[6.0, 4.0, 2.0, 0.0], [99.0, 98.0, 97.0, 96.0]])
COST = np.array([5.0, 1.0])
GOLDEN = {
    # 11 a day of cost × 365 = 4015 ÷ a mean stock of 3 × 5 + 97.5 = 112.5
    "inventory_turnover": (kpis.inventory_turnover(USED, ON_HAND, COST, 365), 4015 / 112.5),
    # one of eight item-days, one of them not watched
    "stockout_rate": (
        kpis.stockout_rate(
            np.array([[False, False, False, True], [False] * 4]), np.array([[True] * 4, [True] * 3 + [False]])
        ),
        1 / 7,
    ),
    # 20 tea last 10 days and 96 salt 96: of the value of 100 + 96, that of salt
    "slow_moving_share": (kpis.slow_moving_share(np.array([20.0, 96.0]), USED, COST, 90), 96 / 196),
    # acted upon in time: 2 of the 3 that were due
    "handling_timeliness": (
        kpis.handling_timeliness(
            np.array(["2024-05-02", "2024-05-02", "2024-05-02", "2024-05-20", "NaT"], dtype="datetime64[D]"),
            np.array(["2024-05-02", "2024-05-01", "2024-05-04", "NaT", "2024-05-01"], dtype="datetime64[D]"),
            np.datetime64("2024-05-05"),
        ),
        2 / 3,
    ),
    # salt 6 above 90: 6 ÷ (20 × 5 + 96)
    "overstock_rate": (kpis.overstock_rate(np.array([20.0, 96.0]), np.array([30.0, 90.0]), COST), 6 / 196),
    # four needs, one of which met an empty shelf; the empty shelf that nobody needed does not count
    "material_shortage_rate": (
        kpis.material_shortage_rate(
            np.array([[4.0, 4.0], [4.0, 4.0], [0.0, 0.0]]),
            np.array([[False, True], [False, False], [True, True]]),
        ),
        1 / 4,
    ),
    "capital_tied_up": (kpis.capital_tied_up(ON_HAND, COST), 112.5),
    # 12 unit-days of tea at .02, 390 of salt at .001
    "storage_cost": (kpis.storage_cost(ON_HAND, np.array([0.02, 0.001])), 0.24 + 0.39),
    # 10 tea cleared at 6 instead of 8, 2 at more than before; 3 salt expired
    "markdown_and_expiry_loss": (
        kpis.markdown_and_expiry_loss(
            np.array([10.0, 2.0]), np.array([8.0, 8.0]), np.array([6.0, 9.0]), np.array([0.0, 3.0]), COST
        ),
        20 + 3,
    ),
    # 20 × 5 + 96 = 196 of value, 11 a day
    "days_of_cover": (kpis.days_of_cover(np.array([20.0, 96.0]), USED, COST, 1), 196 / 11),
    # 1, 3 and 10 hours; the fourth was never answered
    "response_time": (
        kpis.response_time(
            np.array(["2024-05-01T08"] * 4, dtype="datetime64[h]"),
            np.array(["2024-05-01T09", "2024-05-01T18", "2024-05-01T11", "NaT"], dtype="datetime64[h]"),
        ),
        3.0,
    ),
    "hit_rate": (
        kpis.hit_rate(np.array(["hit"] * 5 + ["late", "false", "false", "pending", "missed"])),
        5 / 8,
    ),
    "false_rate": (
        kpis.false_rate(np.array(["hit"] * 5 + ["late", "false", "false", "pending", "missed"])),
        2 / 8,
    ),
    # missed and late of 5 + 2 shortages; the late delivery that nobody could foresee is left out
    "missed_rate": (
        kpis.missed_rate(
            np.array(["hit"] * 5 + ["late", "missed", "late"]), np.array([False] * 5 + [True, True, False])
        ),
        2 / 7,
    ),
    # off by 1 + 2 where the naive forecast is off by 4 + 8
    "forecast_value_added": (
        kpis.forecast_value_added(np.array([10.0, 20.0]), np.array([11.0, 18.0]), np.array([6.0, 28.0])),
        0.75,
    ),
    "accepted_share": (kpis.accepted_share(np.array([1.0, 1.0, 1.0, 0.0, np.nan])), 0.75),
}


@pytest.mark.parametrize("name", KPIS)
def test_worked_by_hand(name):
    found, expected = GOLDEN[name]
    assert found == pytest.approx(expected, abs=1e-12)


def test_every_figure_has_a_formula_a_unit_and_both_names():
    formulas = {
        name
        for name, made in inspect.getmembers(kpis, inspect.isfunction)
        if made.__module__ == kpis.__name__ and not name.startswith("_")
    }
    assert formulas == set(KPIS) == set(GOLDEN)
    for kpi in KPIS.values():
        assert kpi.better in ("up", "down")
        assert kpi.en.isascii()
        assert not kpi.zh.isascii()
        assert not kpi.formula_zh.isascii()
    assert len({kpi.zh for kpi in KPIS.values()}) == len(KPIS)


def test_nothing_to_measure_is_no_figure():
    nothing = np.zeros((0, 0))
    assert math.isnan(kpis.inventory_turnover(np.zeros((1, 3)), np.zeros((1, 3)), np.ones(1), 365))
    assert math.isnan(kpis.stockout_rate(nothing.astype(bool), nothing.astype(bool)))
    assert math.isnan(kpis.hit_rate(np.array(["pending"])))
    assert math.isnan(kpis.accepted_share(np.array([np.nan])))
    assert math.isnan(
        kpis.response_time(np.array(["NaT"], "datetime64[h]"), np.array(["NaT"], "datetime64[h]"))
    )
    assert math.isnan(kpis.days_of_cover(np.ones(1), np.zeros((1, 0)), np.ones(1), 1))


@given(st.floats(1.0, 1e4), st.floats(1.1, 10.0))
def test_more_stock_turns_over_slower_and_costs_more(stock, more):
    used, cost = np.full((1, 5), 3.0), np.array([2.0])
    held = np.full((1, 5), stock)
    assert kpis.inventory_turnover(used, held * more, cost, 365) < kpis.inventory_turnover(
        used, held, cost, 365
    )
    assert kpis.capital_tied_up(held * more, cost) > kpis.capital_tied_up(held, cost)
    assert kpis.storage_cost(held * more, cost) > kpis.storage_cost(held, cost)
    assert kpis.days_of_cover(held[:, 0] * more, used, cost, 1) > kpis.days_of_cover(
        held[:, 0], used, cost, 1
    )
