"""The compiled features of single periods against naive loops, and the laws that they keep."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting.alike import back_to, year_before
from forecasting.features import build_rows
from forecasting.occasions import lifts_at
from forecasting.panel import Panel
from forecasting.season import FADE, REACH
from forecasting.steps import NAMES, Steps, build_steps
from forecasting.structure import MEMORY

H = 14
COVARIATES = ("rain", "visitors")
ORIGINS = (60, 300, 622, 627, 799)


def feature(steps: Steps, name: str) -> np.ndarray:
    return steps.features[:, :, NAMES.index(name)]


def lift(slope: np.ndarray | float, depth: np.ndarray) -> np.ndarray:
    return np.minimum(np.exp(slope * depth), 21.0)


def planned(panel: Panel, i: int, at: int) -> np.ndarray:
    """Depth of the next periods, of what was known at the origin."""
    ahead = slice(at + 1, at + 1 + H)
    return np.where(panel.known[i, ahead] <= at, panel.plan[i, ahead], 0.0)


@pytest.fixture(scope="module")
def pairs(years: Panel) -> tuple[np.ndarray, np.ndarray]:
    series, origin = np.meshgrid(np.arange(years.series), np.array(ORIGINS))
    return series.ravel(), origin.ravel()


@pytest.fixture(scope="module")
def steps(years: Panel, pairs) -> Steps:
    return build_steps(years, *pairs, H, COVARIATES)


def test_what_steps_expect_adds_up_to_the_path_of_the_sums(years: Panel, pairs, steps: Steps):
    rows = build_rows(years, *pairs, np.array([1, H]))
    np.testing.assert_allclose(np.cumsum(steps.expected, axis=1), rows.path, rtol=1e-6)
    np.testing.assert_array_equal(steps.summary.lags, rows.summary.lags)
    depth = np.stack([planned(years, i, at) for i, at in zip(*pairs, strict=True)])
    np.testing.assert_allclose(feature(steps, "planned"), depth)
    slope, usual = steps.summary.slope[:, None], steps.summary.depth[:, None]
    np.testing.assert_allclose(feature(steps, "lift"), lift(slope, depth), rtol=1e-5)
    week = steps.summary.level[:, None] * feature(steps, "weekday_factor") * feature(steps, "season_soft")
    half = 0.5 + 0.5 * lift(slope, np.minimum(depth, usual))
    trusted = half * lift(slope, np.maximum(depth, usual)) / lift(slope, usual)
    np.testing.assert_allclose(steps.expected, week * trusted, rtol=1e-5)


def test_place_in_a_promotion_and_promoted_periods_before(years: Panel, pairs, steps: Steps):
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        flags = [*(years.promotion[i, max(at - 57, 0) : at + 1] > 0), *(planned(years, i, at) > 0)]
        back = len(flags) - H
        for h in range(H):
            t = back + h
            sign, run, left = 1 if flags[t] else -1, 0, 0
            while run < 30 and t - run >= 0 and flags[t - run] == flags[t]:
                run += 1
            while left < 30 and t + left < len(flags) and flags[t + left] == flags[t]:
                left += 1
            assert feature(steps, "run")[k, h] == sign * run
            assert feature(steps, "left")[k, h] == sign * left
            for name, n in (("short", 7), ("middle", 14), ("long", 28)):
                share = sum(flags[max(t - n, 0) : t]) / n
                assert feature(steps, f"flags_{name}")[k, h] == pytest.approx(share, abs=1e-6)


def test_a_promotion_that_starts_ahead_is_placed_by_hand(years: Panel):
    plan = np.zeros_like(years.plan)
    plan[:, 802:805] = 0.4
    calm = replace(
        years, plan=plan, promotion=np.zeros_like(years.promotion), known=np.full_like(years.known, -1)
    )
    steps = build_steps(calm, np.array([0]), np.array([799]), 7)
    assert feature(steps, "run")[0].tolist() == [-30, -30, 1, 2, 3, -1, -2]
    assert feature(steps, "left")[0].tolist() == [-2, -1, 3, 2, 1, -2, -1]
    np.testing.assert_allclose(feature(steps, "flags_short")[0] * 7, [0, 0, 0, 1, 2, 3, 3], atol=1e-5)


def test_what_the_same_weekday_did_lately(years: Panel, pairs, steps: Steps):
    phase, base = years.calendar.phase, steps.summary
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        for h in range(H):
            same = [t for t in range(at, max(at - 84, -1), -1)
                    if phase[t] == phase[at + 1 + h] and years.observed[i, t]]  # fmt: skip
            for n in (4, 8):
                seen = same[:n]
                weight = lift(base.slope[k], years.promotion[i, seen].astype(float)).sum()
                ratio = years.quantity[i, seen].sum() / weight / base.level[k] if len(seen) == n else np.nan
                np.testing.assert_allclose(feature(steps, f"same_{n}")[k, h], min(ratio, 20.0), rtol=1e-4)


def test_rates_with_and_without_promotion(years: Panel, pairs, steps: Steps):
    base = steps.summary
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        past = np.arange(max(at - 363, 0), at + 1)
        past = past[years.observed[i, past] & ~years.closed[i, past]]
        for name, wanted in (("promoted", True), ("plain", False)):
            used = past[(years.promotion[i, past] > 0) == wanted]
            week = base.profile[k, years.calendar.phase[used]].sum()
            rate = min(years.quantity[i, used].sum() / week / base.level[k], 20.0)
            np.testing.assert_allclose(feature(steps, f"{name}_rate")[k], rate, rtol=1e-4)


def test_season_names_and_others_around_a_step(years: Panel, pairs, steps: Steps):
    lifts = {at: lifts_at(years, at) for at in ORIGINS}
    holiday, occasion = years.calendar.holiday[0], years.calendar.occasion[0]
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        event = np.where(years.event_known <= at, years.event, 0)[years.event_of[i]]
        others = [s for s in range(8) if s != i]
        promoted = np.mean([planned(years, s, at) > 0 for s in others], axis=0)
        np.testing.assert_allclose(feature(steps, "all_promoted")[k], promoted, atol=1e-4)
        for h in range(H):
            t, own = at + 1 + h, lifts[at][i % 2]
            days = [feature(steps, f"holiday{end}")[k, h] for end in ("_before", "", "_after")]
            # The day before the step, the step, and the day after it.
            assert [days[1], days[0], days[2]] == holiday[[t, t - 1, min(t + 1, 827)]].tolist()
            lift = own[event[t]] + own[occasion[t] + 2 if occasion[t] > 0 else 0] - 1.0
            assert feature(steps, "occasion_lift")[k, h] == pytest.approx(lift, rel=1e-5)


def test_a_step_s_season_is_that_of_the_week_around_it(years: Panel, steps: Steps):
    demand, at = years.quantity.astype(float), 799
    like = year_before(years.calendar.occasion[0], "day")
    for i in range(years.series):
        k = ORIGINS.index(at) * years.series + i
        usual = lift(steps.summary.slope[k], years.promotion[i].astype(float))
        for h in range(H):
            total = weight = 0.0
            for back, worth in ((1, 1.0), (2, FADE)):
                lately = np.arange(at + 1 - int(REACH * MEMORY["day"]), at + 1)
                before, fade = np.array([back_to(like, t, back) for t in lately]), np.exp((lately - at) / 28)
                fade = fade * ((before >= 0) & np.isfinite(demand[i, before]))
                level = fade @ np.nan_to_num(demand[i, before]) / (fade @ usual[before])
                week = np.array([back_to(like, t, back) for t in range(at + 1 + h - 3, at + 1 + h + 4)])
                week = week[(week >= 0) & np.isfinite(demand[i, week])]
                total += worth * demand[i, week].sum()
                weight += worth * level * usual[week].sum()
            assert feature(steps, "season")[k, h] == pytest.approx(min(total / weight, 20.0), rel=1e-4)
            group, firm, soft = (feature(steps, f"season_{name}")[k, h] for name in ("group", "firm", "soft"))
            assert min(group, total / weight) <= firm * 1.0001
            assert firm <= max(group, total / weight) * 1.0001
            assert abs(soft - group) <= abs(firm - group) + 1e-5


def test_a_promoted_step_tells_its_run_and_what_promotions_sold(years: Panel, pairs, steps: Steps):
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        flags = np.r_[years.promotion[i, : at + 1] > 0, planned(years, i, at) > 0]
        level, profile = steps.summary.level[k], steps.summary.profile[k]
        last = np.flatnonzero(flags[: at + 1])
        latest = np.nan
        if len(last) and at - last[-1] < 200:
            begin = end = last[-1]
            while begin > 0 and flags[begin - 1]:
                begin -= 1
            run = np.arange(begin, end + 1)
            run = run[years.observed[i, run]]
            weight = (profile[years.calendar.phase[run]] * level).sum()
            latest = min(years.quantity[i, run].sum() / weight, 20.0) if weight > 0 else np.nan
        assert feature(steps, "last_rate")[k] == pytest.approx(np.full(H, latest), rel=1e-4, nan_ok=True)
        for h in range(H):
            t = at + 1 + h
            began, whole, rate = (feature(steps, name)[k, h] for name in ("began", "whole", "run_rate"))
            if not flags[t]:
                assert np.isnan([began, whole, rate]).all()
                continue
            begin = t
            while begin > 0 and flags[begin - 1] and t - begin < 29:
                begin -= 1
            assert began == years.calendar.phase[begin]
            assert whole == abs(feature(steps, "run")[k, h]) + abs(feature(steps, "left")[k, h]) - 1
            assert rate == pytest.approx(latest if begin <= at else np.nan, rel=1e-4, nan_ok=True)


def test_a_covariate_is_that_of_the_step_as_far_as_it_is_known(years: Panel, pairs, steps: Steps):
    columns = steps.features[:, :, len(NAMES) :]
    for k, (i, at) in enumerate(zip(*pairs, strict=True)):
        rain = years.covariates["rain"][i]
        np.testing.assert_allclose(columns[k, :, 0], rain[at - 6 : at + 1].mean(), rtol=1e-5)
        np.testing.assert_allclose(columns[k, :9, 1], rain[at + 1 : at + 10], rtol=1e-5)
    assert np.isnan(columns[:, 9:, 1]).all()
    assert np.isnan(columns[:, :, 3]).all()


def test_features_of_steps_are_free_of_scale(years: Panel, pairs, steps: Steps):
    grams = replace(years, quantity=years.quantity * 1024, sold=years.sold * 1024)
    large = build_steps(grams, *pairs, H, COVARIATES)
    np.testing.assert_allclose(steps.features, large.features, rtol=1e-4)
    np.testing.assert_allclose(steps.expected * 1024, large.expected, rtol=1e-6)


@pytest.mark.parametrize("origin", [300, 622])
def test_nothing_after_the_origin_is_seen_by_a_step(years: Panel, pairs, steps: Steps, poisoned, origin: int):
    again = build_steps(poisoned(years, origin), *pairs, H, COVARIATES)
    known = pairs[1] <= origin
    assert not np.array_equal(steps.features[~known], again.features[~known], equal_nan=True)
    np.testing.assert_array_equal(steps.features[known], again.features[known])
    np.testing.assert_array_equal(steps.expected[known], again.expected[known])
