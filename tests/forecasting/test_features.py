"""The compiled features against naive loops over frames."""

import numpy as np
import pandas as pd
import pytest

from forecasting.features import NAMES, build_rows
from forecasting.panel import Panel, build_panel
from ingestion.periods import Period

HORIZONS = np.array([1, 3, 7, 14])


def feature(rows, name: str) -> np.ndarray:
    return rows.features[:, :, NAMES.index(name)]


@pytest.fixture(scope="module")
def pairs(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    series, origin = np.meshgrid(np.arange(panel.series), np.array([60, 120, 180, 195]))
    return series.ravel(), origin.ravel()


@pytest.fixture(scope="module")
def rows(panel: Panel, pairs):
    return build_rows(panel, *pairs, HORIZONS)


def test_path_actual_and_window_features(panel: Panel, pairs, rows):
    base = rows.summary
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        for j, h in enumerate(HORIZONS):
            ahead = np.arange(at + 1, at + 1 + h)
            promotion = panel.plan[i, ahead]
            factor = base.profile[k, panel.calendar.phase[ahead]] * (1 + base.uplift[k] * promotion)
            assert rows.expected[k, j] == pytest.approx(base.level[k] * factor.sum())
            inside = ahead[ahead < panel.length]
            assert rows.actual[k, j] == pytest.approx(panel.quantity[i, inside].sum())
            assert rows.complete[k, j] == pytest.approx(1.0 if len(inside) == h else 0.0)
            assert feature(rows, "promotion")[k, j] == pytest.approx(promotion.mean(), abs=1e-6)
            assert feature(rows, "composition")[k, j] == pytest.approx(factor.mean(), rel=1e-5)
            first = np.flatnonzero(promotion > 0)
            expected = first[0] + 1 if len(first) else HORIZONS[-1] + 1
            assert feature(rows, "until_promotion")[k, j] == expected


def test_lags_match_a_naive_loop(panel: Panel, pairs, rows):
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        past = pd.Series(panel.quantity[i, max(panel.first[i], 0) : at + 1].astype(float))
        sales = past[past > 0]
        lag = rows.summary.lags[k]
        rate = rows.summary.rate[k]
        assert rate == pytest.approx(past.mean())
        assert lag[NAMES.index("zero_share")] == pytest.approx((past == 0).mean(), abs=1e-6)
        assert lag[NAMES.index("since_sale")] == len(past) - 1 - sales.index[-1]
        assert lag[NAMES.index("biggest")] == pytest.approx(past.max() / rate, rel=1e-5)
        assert lag[NAMES.index("cv_recent")] == pytest.approx(past.iloc[-56:].std(ddof=0) / rate, rel=1e-4)
        assert lag[NAMES.index("observed")] == len(past)
        phase = panel.calendar.phase[panel.first[i] : at + 1][-28:]
        promotion = panel.promotion[i, panel.first[i] : at + 1][-28:]
        weight = rows.summary.profile[k, phase] * (1 + rows.summary.uplift[k] * promotion)
        explained = past.iloc[-28:].sum() / weight.sum() / rows.summary.level[k]
        assert lag[NAMES.index("rate_2")] == pytest.approx(explained, rel=1e-4)


def test_the_expectation_finds_rate_week_and_promotion(panel: Panel, rows):
    busy = rows.summary.series >= 8
    late = busy & (rows.summary.origin >= 180)
    true = np.geomspace(0.2, 12, 12)[rows.summary.series]
    assert np.abs(rows.summary.level[late] / true[late] - 1).max() < 0.25
    np.testing.assert_allclose(rows.summary.profile[late].mean(axis=0), [0.76] * 5 + [1.6] * 2, atol=0.12)
    assert rows.summary.uplift[late].mean() == pytest.approx(1.0, abs=0.2)


def test_features_are_free_of_scale(shop):
    tables = shop()
    grams = {**tables, "demand": tables["demand"].assign(quantity=tables["demand"]["quantity"] * 1000)}
    as_of = tables["demand"]["date"].max()
    few, many = (build_panel(t, Period("day"), as_of, 14) for t in (tables, grams))
    pairs = np.arange(few.series), np.full(few.series, few.length - 1)
    small, large = build_rows(few, *pairs, HORIZONS), build_rows(many, *pairs, HORIZONS)
    np.testing.assert_allclose(small.features, large.features, rtol=1e-4)
    np.testing.assert_allclose(small.path * 1000, large.path, rtol=1e-6)


def test_nothing_after_the_origin_is_seen(panel: Panel, rows, pairs):
    rng = np.random.default_rng(0)
    poisoned = panel.quantity.copy()
    poisoned[:, 121:] = rng.integers(0, 999, poisoned[:, 121:].shape)
    promotion = panel.promotion.copy()
    promotion[:, 121:] = 0.77
    changed = Panel(**{**vars(panel), "quantity": poisoned, "promotion": promotion})
    again = build_rows(changed, *pairs, HORIZONS)
    known = pairs[1] <= 120
    np.testing.assert_array_equal(rows.features[known], again.features[known])
    np.testing.assert_array_equal(rows.path[known], again.path[known])


def test_a_plan_not_yet_known_is_not_expected(panel: Panel):
    plan, known = panel.plan.copy(), panel.known.copy()
    plan[:, 150:] = 0.5
    known[:, 150:] = 160
    changed = Panel(**{**vars(panel), "plan": plan, "known": known})
    series = np.arange(panel.series)
    before, after = (build_rows(changed, series, np.full_like(series, at), HORIZONS) for at in (155, 165))
    assert (feature(before, "promotion") == 0).all()
    np.testing.assert_allclose(feature(after, "promotion"), 0.5)
