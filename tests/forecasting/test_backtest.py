"""Folds and scores with answers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from forecasting.backtest import (
    ENOUGH_CLEAN,
    MOSTLY_CLEAN,
    Folds,
    build_folds,
    folds_of,
    losses,
    score,
    truth_of,
)
from forecasting.cumulative import LEVELS
from forecasting.features import build_rows
from forecasting.panel import Panel, build_panel
from ingestion.periods import Period


def small(in_stock: list[float]) -> Panel:
    demand = pd.DataFrame({"sku": "a", "location": "x", "date": pd.date_range("2024-01-01", periods=8),
                           "quantity": [1.0, 2, 3, 4, 0, 6, 7, 8], "in_stock": in_stock})  # fmt: skip
    return build_panel({"demand": demand}, Period("day"), pd.Timestamp("2024-01-08"), 2)


def test_windows_sum_what_followed_the_origin():
    panel = small([1.0] * 8)
    folds = folds_of(panel, np.array([0, 0]), np.array([1, 5]), np.array([1, 3]), 1)
    np.testing.assert_array_equal(folds.actual, [[3, 7], [7, np.nan]])  # the last window is not over
    np.testing.assert_array_equal(folds.clean, [[True, True], [True, False]])
    mean = np.mean([1, 2, 3, 4, 0, 6, 7, 8])
    np.testing.assert_allclose(folds.scale[0], mean * np.sqrt([1, 3]), rtol=1e-6)


def test_windows_with_stockouts_are_lower_bounds():
    panel = small([1, 1, 1, 1, 0, 1, 1, 1])
    folds = folds_of(panel, np.array([0]), np.array([3]), np.array([1, 4]), 1)
    assert not folds.clean.any()
    assert np.isnan(folds.actual[0, 0])
    assert folds.actual[0, 1] == pytest.approx(21 + unseen(panel, 3, np.array([True, False, False, False])))
    assert folds.sold[0].tolist() == [0, 21]
    quantiles = np.full((1, 2, len(LEVELS)), 11.0)
    assert np.isnan(losses(folds, quantiles)).all()
    short = losses(folds, quantiles, clean=False)[0, 1]
    assert short == pytest.approx((21 - 11) * np.mean([0.5, 0.8, 0.9, 0.95, 0.99]) / folds.scale[0, 1])


def unseen(panel: Panel, origin: int, gap: np.ndarray) -> float:
    """What the first series would have sold in the gap: the expectation, as busy as what was seen."""
    rows = build_rows(panel, np.array([0]), np.array([origin]), np.array([len(gap)]))
    expected = np.diff(rows.course[0], prepend=0.0)
    size, sold = rows.summary.size[0], panel.quantity[0, origin + 1 : origin + 1 + len(gap)][~gap].sum()
    return expected[gap].sum() * (2 * size + sold) / (2 * size + expected[~gap].sum())


def test_a_window_of_which_too_little_was_seen_is_not_known():
    panel = small([1, 1, 1, 0, 0, 0, 0, 1])
    folds = folds_of(panel, np.array([0, 0]), np.array([2, 3]), np.array([4]), 1)
    assert np.isnan(folds.actual[0, 0])  # none of four days
    gap = np.array([True, True, True, False])
    assert folds.actual[1, 0] == pytest.approx(8 + unseen(panel, 3, gap))  # one of four


def test_what_promoted_and_busy_weeks_hid_is_completed_without_bias():
    """A shelf filled for 48 a week: every fourth week promoted, at twice the demand, and busy ones,
    run empty. Means of completed windows are those of true demand."""
    rng = np.random.default_rng(0)
    series, weeks = 60, 80
    promoted = np.arange(weeks) % 4 == 3
    busy = rng.gamma(8.0, 0.125, (series, weeks))
    rate = np.repeat(4.0 * busy * np.where(promoted, 2.0, 1.0), 7, axis=1)
    wanted = rng.poisson(rate)
    before = np.cumsum(wanted.reshape(series, weeks, 7), axis=2).reshape(series, -1) - wanted
    stocked = before < 48
    days = pd.date_range("2023-01-02", periods=7 * weeks)
    demand = pd.DataFrame(
        {
            "sku": np.repeat([f"s{i:02d}" for i in range(series)], len(days)),
            "location": "x",
            "date": np.tile(days, series),
            "quantity": np.where(stocked, wanted, 0).ravel().astype(float),
            "in_stock": stocked.ravel().astype(float),
            "promotion": np.tile(np.repeat(promoted * 0.5, 7), series),
        }
    )
    tables = {"demand": demand, "plans": demand[["sku", "location", "date", "promotion"]]}
    panel = build_panel(tables, Period("day"), days[-1], 7)
    at, of = (part.ravel() for part in np.meshgrid(7 * np.arange(60, 79) - 1, np.arange(series)))
    folds = folds_of(panel, of, at, np.array([7]), 7 * 60 - 2)
    true = wanted.reshape(series, weeks, 7).sum(axis=2)[of, (at + 1) // 7]
    known = np.isfinite(folds.actual[:, 0])
    assert known.mean() > 0.95
    assert 0.1 < 1 - folds.clean.mean() < 0.6
    assert folds.actual[known, 0].sum() / true[known].sum() == pytest.approx(1.0, abs=0.03)


def windows(full: int, short: int, unseen: int) -> Folds:
    """Windows of one period, so many of each kind, demand 1, 2, 3 …; where unseen it is not known."""
    count = full + short + unseen
    actual = np.arange(1.0, count + 1)[:, None]
    actual[full + short :] = np.nan
    every = np.zeros(count, dtype=np.int64)
    clean = (np.arange(count) < full)[:, None]
    return Folds(0, np.array([1]), every, every, actual, np.nan_to_num(actual), clean, np.ones((count, 1)))


def test_while_most_shelves_were_full_empty_ones_teach_as_well():
    full = int(MOSTLY_CLEAN * 1000)
    folds = windows(full, 1000 - full, 500)
    np.testing.assert_array_equal(truth_of(folds), folds.actual)


def test_where_most_shelves_ran_empty_full_ones_teach_alone():
    full = int(MOSTLY_CLEAN * 1000) - 1
    folds = windows(full, 1000 - full, 0)
    np.testing.assert_array_equal(np.isfinite(truth_of(folds)), folds.clean)
    few = windows(ENOUGH_CLEAN - 1, 10 * ENOUGH_CLEAN, 0)
    np.testing.assert_array_equal(truth_of(few), few.actual)


def test_scores_are_the_hand_made_ones():
    panel = small([1.0] * 8)
    folds = folds_of(panel, np.array([0, 0]), np.array([1, 2]), np.array([1]), 1)  # demand 3 and 4
    quantiles = np.full((2, 1, len(LEVELS)), 3.0)
    table = score(panel, folds, np.full((2, 1), 3.5), quantiles).set_index("segment")
    row = table.loc["all"]
    assert row["bias"] == pytest.approx(0.0)
    assert (row["below_0.5"], row["within_0.5"]) == (0.0, 0.5)
    levels = np.mean([0.5, 0.8, 0.9, 0.95, 0.99])
    assert row["pinball"] == pytest.approx(levels * 1.0 / 2 / folds.scale[0, 0])
    assert row["windows"] == 2


def test_folds_start_after_what_models_may_learn_and_end_with_the_history(panel: Panel):
    folds = build_folds(panel, 28, 8, 0)
    assert folds.fitted == panel.length - 1 - 60
    assert folds.origin.min() == folds.fitted
    assert len(np.unique(folds.origin)) == 8
    assert np.isfinite(folds.actual[:, 0]).all()
    assert np.isfinite(folds.actual[folds.origin == folds.fitted]).all()
