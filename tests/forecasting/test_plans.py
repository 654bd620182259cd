"""What plans say of each cell: events and their names, the most specific row, covariates known ahead."""

import numpy as np
import pandas as pd
import pytest

from forecasting.features import NAMES, build_rows
from forecasting.panel import Panel, build_panel
from ingestion.periods import Period

DAY = Period("day")
DAYS = pd.date_range("2024-01-01", periods=10)
AS_OF = DAYS[-1]


def demand(*pairs: tuple[str, str], **columns) -> pd.DataFrame:
    parts = [pd.DataFrame({"sku": sku, "location": place, "date": DAYS, "quantity": 1.0, **columns})
             for sku, place in pairs]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def plans(*rows: dict) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows))
    for name in ("date", "start", "end", "known_from"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name])
    return frame


def build(rows: pd.DataFrame, plan: pd.DataFrame, horizon: int = 4, **tables) -> Panel:
    return build_panel({"demand": rows, "plans": plan, **tables}, DAY, AS_OF, horizon)


def events_of(panel: Panel, series: int) -> list[str]:
    names = ("", *panel.event_names)
    return [names[code] for code in panel.event[panel.event_of[series]]]


def test_an_event_reaches_all_it_does_not_exclude_and_the_most_specific_wins():
    rows = demand(("a", "x"), ("a", "y"), ("b", "x"))
    panel = build(rows, plans(
        {"start": "2024-01-03", "end": "2024-01-12", "event": "fair"},
        {"date": "2024-01-04", "location": "x", "event": " street party "},
        {"date": "2024-01-04", "sku": "a", "promotion": 0.3, "event": "coupon"},
        {"date": "2024-01-05", "sku": "gone", "event": "nothing"},
    ))  # fmt: skip
    assert panel.event_names == ("coupon", "fair", "nothing", "street party")
    assert events_of(panel, 0)[3] == events_of(panel, 1)[3] == "coupon"
    assert events_of(panel, 2)[3] == "street party"
    for series in range(3):
        rest = events_of(panel, series)
        assert rest[:2] == ["", ""]
        assert rest[2:3] + rest[4:12] == ["fair"] * 9
        assert rest[12:] == ["", ""]
    assert panel.plan[:2, 3].tolist() == [pytest.approx(0.3)] * 2


def test_an_event_is_known_from_the_day_it_was_announced():
    plan = plans(
        {"date": "2024-01-06", "event": "sale", "known_from": "2024-01-03"},
        {"date": "2024-01-12", "event": "secret", "known_from": "2024-01-11"},
        {"date": "2024-01-13", "event": "feast", "known_from": None},
    )
    panel = build(demand(("a", "x")), plan)
    assert panel.event_names == ("feast", "sale")  # what is announced after the as-of date has no name yet
    assert panel.event_known[0, 5] == 2
    assert panel.event_known[0, 12] == -1
    assert panel.event[0, 11] == 0


def test_without_events_one_empty_course_serves_all():
    panel = build(demand(("a", "x"), ("b", "x")), pd.DataFrame())
    assert panel.event.shape == (1, 14)
    assert panel.event.sum() == 0
    assert panel.event_of.tolist() == [0, 0]


def test_series_that_events_cannot_tell_apart_share_a_course():
    pairs = [(sku, place) for sku in "abcdef" for place in "xyz"]
    plan = plans({"date": "2024-01-04", "location": "x", "event": "party"},
                 {"date": "2024-01-05", "location": "y", "sku": "c", "event": "tasting"})  # fmt: skip
    panel = build(demand(*pairs), plan)
    assert panel.event.shape[0] == 6  # (c or not) × (x, y, elsewhere)
    for series, (sku, place) in enumerate(panel.keys.to_numpy()):
        said = {(3, "party")} if place == "x" else {(4, "tasting")} if (sku, place) == ("c", "y") else set()
        assert {(t, name) for t, name in enumerate(events_of(panel, series)) if name} == said


def test_of_two_promotions_the_deeper_counts_from_when_it_was_known():
    plan = plans(
        {"date": "2024-01-12", "promotion": 0.1, "known_from": "2024-01-02"},
        {"date": "2024-01-12", "sku": "a", "promotion": 0.4, "known_from": "2024-01-08"},
    )
    for order in (plan, plan[::-1].reset_index(drop=True)):
        panel = build(demand(("a", "x"), ("b", "x")), order)
        assert panel.plan[:, 11].tolist() == [pytest.approx(0.4), pytest.approx(0.1)]
        assert panel.known[:, 11].tolist() == [7, 1]


def test_the_most_specific_price_holds():
    plan = plans({"start": "2024-01-11", "end": "2024-01-13", "sku": "a", "price": 7.0},
                 {"start": "2024-01-11", "end": "2024-01-12", "price": 9.0},
                 {"date": "2024-01-14", "price": 0.0})  # fmt: skip
    panel = build(demand(("a", "x"), ("b", "x"), price=8.0), plan)
    assert panel.price[:, 10:].tolist() == [[7, 7, 7, 7], [9, 9, 9, 9]]
    assert panel.prices_planned


def test_a_covariate_that_plans_give_is_ahead_and_the_others_are_not():
    rows = demand(("a", "x"), ("b", "y"), visitors=5.0, warmth=np.arange(10.0))
    plan = plans(
        {"date": "2024-01-11", "warmth": 20.0},
        {"date": "2024-01-12", "location": "y", "warmth": 30.0},
        {"date": "2024-01-05", "sku": "a", "school": 1.0},
        {"date": "2024-01-14", "school": 0.0},
    )
    panel = build(rows, plan)
    assert panel.ahead == {"school": 4, "warmth": 2}
    np.testing.assert_array_equal(panel.covariates["warmth"][0], [*range(10), 20, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(panel.covariates["warmth"][1], [*range(10), 20, 30, np.nan, np.nan])
    assert np.isnan(panel.covariates["visitors"][:, 10:]).all()
    assert panel.covariates["school"][0, 4] == 1
    early = panel.until(5)
    np.testing.assert_array_equal(early.covariates["warmth"][0, :9], [*range(8), np.nan])
    assert np.isnan(early.covariates["visitors"][:, 6:]).all()
    assert np.isfinite(panel.covariates["visitors"][:, 6:10]).all()  # the panel itself is as it was


def test_a_price_announced_later_is_not_seen_at_an_origin_before_it(shop):
    tables = shop(n=2, days=120)
    dates = pd.date_range("2024-01-01", periods=150)
    price = pd.DataFrame(
        {
            "start": dates[[0, 100, 125]],
            "end": dates[[99, 110, 130]],
            "price": [10.0, 5.0, 5.0],
            "known_from": dates[[0, 102, 110]],
        }
    )

    def at(day: int) -> tuple[float, ...]:
        """Price of the next two weeks over the usual one, from the whole history and from what there was."""
        whole = {"demand": tables["demand"], "plans": price}
        then = {
            "demand": tables["demand"][tables["demand"]["date"] <= dates[day]],
            "plans": price[price["known_from"] <= dates[day]],
        }
        panels = (
            build_panel(one, Period("day"), end, 28) for one, end in ((whole, dates[119]), (then, dates[day]))
        )
        column, horizon = NAMES.index("price"), np.array([14])
        return tuple(
            float(build_rows(panel, np.array([0]), np.array([day]), horizon).features[0, 0, column])
            for panel in panels
        )

    assert at(95) == (1.0, 1.0)
    seen, told = at(103)
    assert seen == told < 0.8


WEEK = Period("week")


def weekly(rows: pd.DataFrame, plan: pd.DataFrame) -> Panel:
    """Two weeks of history, two ahead; the weeks begin on 1, 8, 15 and 22 January."""
    return build_panel({"demand": rows, "plans": plan}, WEEK, pd.Timestamp("2024-01-14"), 2)


def by_day(first: str, last: str, **said) -> list[dict]:
    return [{"date": day, "sku": "a", **said} for day in pd.date_range(first, last)]


def test_plans_dated_by_day_cover_their_days_of_a_week():
    plan = plans(
        *by_day("2024-01-11", "2024-01-12", promotion=0.7, price=7.0),
        *by_day("2024-01-15", "2024-01-17", promotion=0.7, price=7.0, warmth=10.0),
        *by_day("2024-01-18", "2024-01-21", promotion=0.35, price=9.0, warmth=20.0),
        *by_day("2024-01-22", "2024-01-23", promotion=0.7, price=7.0),
        {"start": "2024-01-25", "end": "2024-01-28", "sku": "a", "promotion": 0.35},
    )
    panel = weekly(demand(("a", "x"), ("b", "x")), plan)
    np.testing.assert_allclose(panel.plan[0], [0.0, 0.2, 0.5, 0.4], rtol=1e-6)
    np.testing.assert_allclose(panel.promotion[0], [0.0, 0.2], rtol=1e-6)
    np.testing.assert_allclose(panel.price[0, 1:], [7.0, (3 * 7 + 4 * 9) / 7, 7.0], rtol=1e-6)
    np.testing.assert_allclose(panel.covariates["warmth"][0, 2], (3 * 10 + 4 * 20) / 7, rtol=1e-6)
    assert not panel.plan[1].any()


def test_a_week_is_known_when_the_last_of_its_days_is():
    early, late = (by_day(*days, promotion=0.7, known_from=since) for days, since in (
        (("2024-01-15", "2024-01-17"), "2024-01-01"), (("2024-01-18", "2024-01-21"), "2024-01-09"),
    ))  # fmt: skip
    panel = weekly(demand(("a", "x")), plans(*early, *late))
    assert panel.plan[0, 2] == pytest.approx(0.7)
    assert panel.known[0, 2] == 1


def test_plans_dated_by_week_cover_whole_weeks():
    plan = plans(
        {"date": "2024-01-08", "sku": "a", "promotion": 0.3},
        {"date": "2024-01-15", "sku": "a", "promotion": 0.3},
        {"date": "2024-01-22", "sku": "a", "promotion": 0.3},
        {"date": "2024-01-24", "sku": "a", "promotion": 0.4},
    )
    panel = weekly(demand(("a", "x")), plan)
    np.testing.assert_allclose(panel.plan[0], [0.0, 0.3, 0.3, (2 * 0.3 + 5 * 0.4) / 7], rtol=1e-6)


BY_WEEK = [{"date": day, "sku": "a", "promotion": 0.35} for day in ("2024-01-08", "2024-01-15", "2024-01-22")]


@pytest.mark.parametrize(
    "others",
    [
        [{"date": day, "warmth": 10.0} for day in pd.date_range("2024-01-01", "2024-01-28")],
        [{"date": day, "event": "fair"} for day in pd.date_range("2024-01-15", "2024-01-17")],
        by_day("2024-01-15", "2024-01-28", promotion=0.1, known_from="2024-01-20"),
    ],
    ids=["a covariate", "an event", "what is not known yet"],
)
def test_what_else_is_dated_by_day_does_not_make_days_of_weeks(others):
    panel = weekly(demand(("a", "x")), plans(*BY_WEEK, *others))
    np.testing.assert_allclose(panel.plan[0], [0.0, 0.35, 0.35, 0.35], rtol=1e-6)


def test_plans_dated_by_week_are_no_days_of_a_month():
    days = pd.date_range("2023-10-01", "2024-03-31")
    rows = pd.DataFrame({"sku": "a", "location": "x", "date": days, "quantity": 1.0})
    weeks = [
        {"date": day, "sku": "a", "promotion": 0.3}
        for day in pd.date_range("2023-10-02", "2024-03-25", freq="7D")
    ]
    panel = build_panel({"demand": rows, "plans": plans(*weeks)}, Period("month"), days[-1], 1)
    assert (panel.plan[0, :6] > 0.23).all()
