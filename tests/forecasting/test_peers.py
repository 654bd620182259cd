"""What groups do, and what named days did, against naive loops; a series is no peer of its own."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting import membership
from forecasting.features import NAMES, build_rows
from forecasting.membership import GROUPINGS, draw_members, groups_of
from forecasting.occasions import DOUBT, lifts_at
from forecasting.panel import Panel
from forecasting.peers import NEAR, moved_at, peers_at, span_of
from forecasting.structure import MEMORY, pool_at

HORIZONS = np.array([1, 3, 7, 14])
ORIGINS = (300, 622, 627, 799)
EVENTS = 2


def flags(panel: Panel, at: int) -> np.ndarray:
    """(n, at + 15) whether promoted, as it happened and then as it was planned at the origin."""
    ahead = slice(at + 1, at + 15)
    planned = (panel.known[:, ahead] <= at) & (panel.plan[:, ahead] > 0)
    return np.concatenate([panel.promotion[:, : at + 1] > 0, planned], axis=1).astype(float)


@pytest.mark.parametrize("at", ORIGINS)
def test_of_promotions_a_series_sees_only_those_of_the_others(years: Panel, at: int):
    series = np.arange(years.series)
    rows = build_rows(years, series, np.full_like(series, at), HORIZONS)
    promoted = flags(years, at)
    for i in series:
        for name, mates in (("all", series), ("category", series[series % 2 == i % 2])):
            other = promoted[mates[mates != i]].mean(axis=0)
            for j, h in enumerate(HORIZONS):
                share = other[at + 1 : at + 1 + h].mean()
                change = share - other[at - 27 : at + 1].mean()
                said = [rows.features[i, j, NAMES.index(f"{name}_{what}")] for what in ("promoted", "change")]
                np.testing.assert_allclose(said, [share, change], atol=1.01e-4)  # rounded to a ten-thousandth


def test_its_own_promotion_changes_no_feature_of_a_group(years: Panel):
    at, one = np.array([627]), np.array([3])
    every = [k for k, name in enumerate(NAMES) if name.split("_")[0] in GROUPINGS and k >= 23]
    plan = years.plan.copy()
    plan[3, 628:] = np.where(plan[3, 628:] > 0, 0.0, 0.9)
    before, after = (
        build_rows(panel, one, at, HORIZONS).features for panel in (years, replace(years, plan=plan))
    )
    assert (before != after).any()
    np.testing.assert_array_equal(before[:, :, every], after[:, :, every])


@pytest.mark.parametrize("at", ORIGINS)
def test_a_group_moves_as_the_mean_of_its_series_measured_by_their_own_means(years: Panel, at: int):
    span = span_of(years)
    past = slice(max(at + 1 - span, 0), at + 1)
    usual = np.exp(pool_at(years, at).slope * years.promotion[:, past].astype(float))
    assert pool_at(years, at).slope > 0.5
    demand = pd.DataFrame(years.quantity[:, past].astype(float) / usual)
    multiple = demand.div(demand.mean(axis=1), axis=0)
    course = peers_at(years, at)
    assert course.shape == (3, len(GROUPINGS), 2, span + 28 + NEAR["day"])
    seen = slice(span - demand.shape[1], span)
    for g in range(2):
        np.testing.assert_allclose(course[0, 1, g, seen], multiple[g::2].mean(), rtol=1e-6)
        np.testing.assert_allclose(
            course[1, 1, g, span : span + 14], flags(years, at)[g::2, at + 1 :].mean(axis=0)
        )
    np.testing.assert_allclose(course[0, 0, 0, seen], multiple.mean(), rtol=1e-6)
    assert np.isnan(course[0, :, :, span:]).all()
    series = np.arange(years.series)
    rows = build_rows(years, series, np.full_like(series, at), HORIZONS)
    recent = multiple.mean().iloc[-28:].mean() / multiple.mean().iloc[-364:].mean()
    np.testing.assert_allclose(rows.features[:, :, NAMES.index("all_recent")], recent, rtol=1e-5)


@pytest.mark.parametrize("at", ORIGINS)
def test_where_like_series_stand_is_their_recent_past_over_their_year(years: Panel, at: int):
    course = peers_at(years, at)[0, 1, :, : span_of(years)]
    for g in range(2):
        known = course[g][np.isfinite(course[g])]
        fade = np.exp((np.arange(len(known)) - len(known) + 1) / MEMORY["day"])
        stands = (fade @ known / fade.sum()) / known[-364:].mean() if len(known) >= 328 else 1.0
        np.testing.assert_allclose(moved_at(years, at)[g::2], stands, rtol=1e-6)


def test_a_group_of_one_is_none_and_neither_is_one_of_everything(years: Panel):
    groups = groups_of(years)
    assert (groups[0] == 0).all()
    assert groups[1].tolist() == [0, 1] * 4
    assert (groups[2:] == -1).all()  # one location, and neither subcategory nor brand
    alone = replace(years, attributes=years.attributes.assign(category=list("abcdefgh")))
    assert (groups_of(alone)[1] == -1).all()
    rows = build_rows(years, np.arange(8), np.full(8, 300), HORIZONS)
    names = [k for k, name in enumerate(NAMES) if name.startswith("location_")]
    assert np.isnan(rows.features[:, :, names]).all()


def test_of_many_series_enough_of_each_group_are_members_every_time(monkeypatch):
    monkeypatch.setattr(membership, "MOST", 100)
    groups = np.stack([np.zeros(1000, int), np.where(np.arange(1000) < 40, 1, 0)])
    chosen = draw_members(groups)
    assert 100 <= chosen.sum() <= 100 + 2 * 30
    assert chosen[:40].sum() >= 30
    np.testing.assert_array_equal(chosen, draw_members(groups))


def naive_lift(panel: Panel, members: range, name: int, at: int) -> float:
    """Demand on days of a name over ordinary days within four weeks; half a day without effect is added."""
    multiples = []
    for i in members:
        event = np.where(panel.event_known[panel.event_of[i]] <= at, panel.event[panel.event_of[i]], 0)
        holiday = panel.calendar.occasion[0]
        for t in range(at + 1):
            named = event[t] == name or (holiday[t] > 0 and holiday[t] + EVENTS == name)
            if not named or np.isnan(panel.quantity[i, t]):
                continue
            near = [s for s in range(max(t - 28, 0), min(t + 28, at) + 1)
                    if event[s] == 0 and holiday[s] == 0 and np.isfinite(panel.quantity[i, s])]  # fmt: skip
            usual = panel.quantity[i, near].astype(float).mean() if len(near) >= 14 else 0.0
            if usual > 0:
                multiples.append(panel.quantity[i, t] / usual)
    if not multiples:
        return 1.0
    days = len(multiples) / len(members)
    return (np.mean(multiples) * days + DOUBT) / (days + DOUBT)


@pytest.mark.parametrize("at", [100, 799])
def test_lifts_of_named_days_match_a_naive_loop(years: Panel, at: int):
    assert len(years.event_names) == EVENTS
    lifts = lifts_at(years, at)
    assert (lifts[:, 0] == 1).all()
    assert (lifts[:, 1:] != 1).any()
    for g in range(2):
        found = [naive_lift(years, range(g, 8, 2), name, at) for name in range(1, lifts.shape[1])]
        np.testing.assert_allclose(lifts[g, 1:], found, rtol=1e-6)


def test_a_window_gets_the_lifts_of_the_names_that_are_known(years: Panel):
    at, names = 180, NAMES.index("occasion_lift")
    rows = build_rows(years, np.arange(8), np.full(8, at), np.arange(1, 29))
    lifts = lifts_at(years, at)
    for i in range(8):
        event, known = (
            part[years.event_of[i], at + 1 : at + 29] for part in (years.event, years.event_known)
        )
        holiday = years.calendar.occasion[0, at + 1 : at + 29]
        own = lifts[i % 2]
        daily = own[np.where(known <= at, event, 0)] + own[np.where(holiday > 0, holiday + EVENTS, 0)] - 1.0
        np.testing.assert_allclose(rows.features[i, :, names], np.cumsum(daily) / np.arange(1, 29), rtol=1e-5)
