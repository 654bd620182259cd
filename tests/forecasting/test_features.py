"""The compiled features of windows against naive loops, and the laws that they keep."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.features import NAMES, Rows, build_rows
from forecasting.history import EXTREME, GROWS
from forecasting.lifts import TRUSTED
from forecasting.panel import Panel
from forecasting.steps import NAMES as STEP_NAMES
from forecasting.steps import build_steps
from ingestion.errors import Problem

HORIZONS = np.array([1, 3, 7, 14])
COVARIATES = ("rain", "visitors")


def feature(rows: Rows, name: str) -> np.ndarray:
    return rows.features[:, :, NAMES.index(name)]


def pairs_at(panel: Panel, *origins: int) -> tuple[np.ndarray, np.ndarray]:
    series, origin = np.meshgrid(np.arange(panel.series), origins)
    return series.ravel(), origin.ravel()


def planned(panel: Panel, i: int, at: int, last: int) -> np.ndarray:
    """Depth of the next periods, of what was known at the origin."""
    ahead = slice(at + 1, at + 1 + last)
    return np.where(panel.known[i, ahead] <= at, panel.plan[i, ahead], 0.0)


def lift(slope: float, depth: np.ndarray) -> np.ndarray:
    return np.minimum(np.exp(slope * depth), 21.0)


def trusted(slope: float, depth: np.ndarray, usual: float) -> np.ndarray:
    """Half of what a promotion sells more, and what one beyond the usual depth sells beside the usual."""
    half = 0.5 + 0.5 * lift(slope, np.minimum(depth, usual))
    return half * lift(slope, np.maximum(depth, usual)) / lift(slope, np.array(usual))


@pytest.fixture(scope="module")
def pairs(years: Panel) -> tuple[np.ndarray, np.ndarray]:
    return pairs_at(years, 60, 300, 499, 622, 627, 799)


@pytest.fixture(scope="module")
def rows(years: Panel, pairs) -> Rows:
    return build_rows(years, *pairs, HORIZONS, COVARIATES)


def test_the_path_has_the_season_and_trusts_half_of_the_usual_lift(years: Panel, pairs, rows: Rows):
    base = rows.summary
    steps = build_steps(years, *pairs, int(HORIZONS[-1]))
    season = steps.features[:, :, STEP_NAMES.index("season_soft")]
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        for j, h in enumerate(HORIZONS):
            ahead = np.arange(at + 1, at + 1 + h)
            week = base.profile[k, years.calendar.phase[ahead]] * season[k, :h]
            factor = week * trusted(base.slope[k], planned(years, i, at, h), base.depth[k])
            assert rows.expected[k, j] == pytest.approx(base.level[k] * factor.sum(), rel=1e-5)
            assert rows.plain[k, j] == pytest.approx(base.level[k] * week.sum(), rel=1e-5)
            assert feature(rows, "horizon")[k, j] == h
            assert feature(rows, "composition")[k, j] == pytest.approx(week.mean(), rel=1e-5)
            sales = base.level[k] * week.sum() / base.size[k]
            assert feature(rows, "sales_expected")[k, j] == pytest.approx(sales, rel=1e-5)
            whole = week * lift(base.slope[k], planned(years, i, at, h))
            assert rows.course[k, h - 1] == pytest.approx(base.level[k] * whole.sum(), rel=1e-5)
    assert TRUSTED == 0.5


def test_the_same_number_of_periods_just_passed(years: Panel, pairs, rows: Rows):
    base = rows.summary
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        for j, h in enumerate(HORIZONS):
            past = np.arange(at + 1 - h, at + 1)
            past = past[years.observed[i, past]]
            week = base.profile[k, years.calendar.phase[past]]
            weight = (week * lift(base.slope[k], years.promotion[i, past].astype(float))).sum()
            ratio = min(years.quantity[i, past].sum() / weight / base.level[k], 20.0)
            assert feature(rows, "same_length")[k, j] == pytest.approx(ratio, rel=1e-4)


def test_promotion_is_seen_as_flags_and_never_as_depth(years: Panel, pairs, rows: Rows):
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        before = (years.promotion[i, at - 27 : at + 1] > 0).mean()
        flags = [*(years.promotion[i, : at + 1] > 0), *(planned(years, i, at, 14) > 0)]
        for j, h in enumerate(HORIZONS):
            window = flags[at + 1 : at + 1 + h]
            assert feature(rows, "promotion")[k, j] == pytest.approx(np.mean(window), abs=1e-6)
            assert feature(rows, "promotion_change")[k, j] == pytest.approx(
                np.mean(window) - before, abs=1e-6
            )
            assert feature(rows, "promotion_first")[k, j] == flags[at + 1]
            until = window.index(True) + 1 if True in window else HORIZONS[-1] + 1
            assert feature(rows, "until_promotion")[k, j] == until
            # Fresh is a promoted period that has fewer than three promoted ones right before it.
            fresh = [flags[t] and not all(flags[t - 3 : t]) for t in range(at + 1, at + 1 + h)]
            assert feature(rows, "fresh")[k, j] == pytest.approx(np.mean(fresh), abs=1e-6)
    deeper = replace(years, plan=np.minimum(2.0 * years.plan, 1.0))
    names = ("promotion", "promotion_change", "promotion_first", "until_promotion", "fresh")
    again = build_rows(deeper, *pairs, HORIZONS)
    for name in names:
        np.testing.assert_array_equal(feature(rows, name), feature(again, name))
    assert (again.path >= rows.path).all()
    assert (again.path > rows.path).any()


def test_lags_match_a_naive_loop(panel: Panel):
    pairs = pairs_at(panel, 60, 120, 180, 195)
    rows = build_rows(panel, *pairs, HORIZONS)
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
        weight = rows.summary.profile[k, phase] * lift(rows.summary.slope[k], promotion.astype(float))
        explained = past.iloc[-28:].sum() / weight.sum() / rows.summary.level[k]
        assert lag[NAMES.index("rate_2")] == pytest.approx(explained, rel=1e-4)


def test_days_and_prices_of_the_window(years: Panel, pairs, rows: Rows):
    off, price = years.calendar.holiday[0], years.price
    assert off.sum() > 20
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        usual = np.nanmean(price[i, max(at - 55, 0) : at + 1])
        assert feature(rows, "price_now")[k, 0] == pytest.approx(price[i, at] / usual, rel=1e-5)
        for j, h in enumerate(HORIZONS):
            end = at + 1 + h
            assert feature(rows, "holidays")[k, j] == off[at + 1 : end].sum()
            assert feature(rows, "holidays_before")[k, j] == off[at - 6 : at + 1].sum()
            assert feature(rows, "holidays_after")[k, j] == off[end : end + 7].sum()
            assert feature(rows, "until_holiday")[k, j] == years.calendar.until[0, at + h]
            ratio = price[i, at + 1 : end].mean() / usual
            assert feature(rows, "price")[k, j] == pytest.approx(ratio, rel=1e-5)


def test_the_expectation_finds_rate_week_and_promotion(panel: Panel):
    rows = build_rows(panel, *pairs_at(panel, 60, 120, 180, 195), HORIZONS)
    busy = rows.summary.series >= 8
    late = busy & (rows.summary.origin >= 180)
    true = np.geomspace(0.2, 12, 12)[rows.summary.series]
    assert np.abs(rows.summary.level[late] / true[late] - 1).max() < 0.25
    np.testing.assert_allclose(rows.summary.profile[late].mean(axis=0), [0.76] * 5 + [1.6] * 2, atol=0.12)
    assert np.exp(rows.summary.slope[late]).mean() == pytest.approx(2.0, abs=0.2)


def test_covariates_are_seen_as_far_ahead_as_plans_give_them(years: Panel, pairs, rows: Rows):
    columns = rows.features[:, :, len(NAMES) :]
    assert columns.shape[2] == 4
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        for c, name in enumerate(COVARIATES):
            values = years.covariates[name][i]
            np.testing.assert_allclose(columns[k, :, 2 * c], values[at - 6 : at + 1].mean(), rtol=1e-5)
            for j, h in enumerate(HORIZONS):
                ahead = values[at + 1 : at + 1 + h].mean() if h <= years.ahead.get(name, 0) else np.nan
                np.testing.assert_allclose(columns[k, j, 2 * c + 1], ahead, rtol=1e-5)
    assert years.ahead == {"rain": 9}
    assert np.isfinite(columns[:, :3, 1]).all()
    assert np.isnan(columns[:, 3, 1]).all()
    assert np.isnan(columns[:, :, 3]).all()


def test_a_covariate_that_the_panel_lacks_is_known_nowhere(panel: Panel):
    rows = build_rows(panel, *pairs_at(panel, 100), HORIZONS, ("rain",))
    assert np.isnan(rows.features[:, :, len(NAMES) :]).all()


@pytest.mark.parametrize("build", [build_rows, lambda *asked: build_steps(*asked[:3], int(asked[3][-1]))])
def test_no_more_is_asked_than_the_panel_knows_ahead(panel: Panel, build):
    series, origin = np.arange(2), np.array([150, 199])
    build(panel, series, origin, np.array([1, 28]))
    with pytest.raises(Problem, match="knows 28 periods ahead, got horizon 29"):
        build(panel, series, origin, np.array([1, 29]))
    build(panel, series, origin - 1, np.array([1, 29]))


def test_features_are_free_of_scale(years: Panel, pairs, rows: Rows):
    grams = replace(years, quantity=years.quantity * 1024, sold=years.sold * 1024)
    large = build_rows(grams, *pairs, HORIZONS, COVARIATES)
    np.testing.assert_allclose(rows.features, large.features, rtol=1e-4)
    np.testing.assert_allclose(rows.path * 1024, large.path, rtol=1e-6)


@pytest.mark.parametrize("origin", [499, 622])
def test_nothing_after_the_origin_is_seen(years: Panel, rows: Rows, pairs, poisoned, origin: int):
    changed = poisoned(years, origin)
    assert (changed.plan != years.plan).any()
    again = build_rows(changed, *pairs, HORIZONS, COVARIATES)
    known = pairs[1] <= origin
    assert not np.array_equal(rows.features[~known], again.features[~known], equal_nan=True)
    np.testing.assert_array_equal(rows.features[known], again.features[known])
    np.testing.assert_array_equal(rows.path[known], again.path[known])


def test_a_plan_not_yet_known_is_not_expected(panel: Panel):
    plan, known = panel.plan.copy(), panel.known.copy()
    plan[:, 150:] = 0.5
    known[:, 150:] = 160
    changed = replace(panel, plan=plan, known=known)
    series = np.arange(panel.series)
    before, after = (build_rows(changed, series, np.full_like(series, at), HORIZONS) for at in (155, 165))
    assert (feature(before, "promotion") == 0).all()
    assert (feature(after, "promotion") == 1).all()
    base = after.summary
    half = [trusted(*pair) for pair in zip(base.slope, np.full(len(series), 0.5), base.depth, strict=True)]
    np.testing.assert_allclose(after.expected, after.plain * np.array(half)[:, None])


def test_a_busy_window_is_off_by_more_than_a_calm_one(years: Panel, rows: Rows):
    """Errors of the calm half of a year must not be what is expected in the busy one."""
    summary, horizons = rows.summary, rows.horizons
    usual = summary.rate[:, None] * horizons
    plain = summary.sd[:, None] * np.sqrt(horizons)
    np.testing.assert_allclose(summary.deviation(usual, horizons), plain)
    np.testing.assert_allclose(summary.deviation(2.0 * usual, horizons), plain * 2.0**GROWS)
    for far in (0.0, 1e6):
        cut = EXTREME ** (GROWS if far else -GROWS)
        np.testing.assert_allclose(summary.deviation(far * usual, horizons), plain * cut)
