"""Plans that are tried out: what they cover changes, nothing else does, and no panel is built anew."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from forecasting.backtest import build_folds
from forecasting.baselines import Baseline
from forecasting.calibration import calibrate
from forecasting.gbm import Gbm
from forecasting.models import DemandModel
from forecasting.overlay import lay_over, reached
from forecasting.panel import Panel, build_panel
from ingestion.periods import Period

DAY = Period("day")
COLUMNS = ["start", "end", "sku", "location", "category", "promotion", "price", "event"]


def rows(panel: Panel, *given: dict) -> pd.DataFrame:
    """Plan rows whose `days` are counted from the first period ahead."""
    made = []
    for row in given:
        first, last = row.pop("days", (0, panel.horizon - 1))
        ahead = panel.dates[panel.length :]
        made.append({"start": ahead[first], "end": panel.period.end(ahead[last]), **row})
    frame = pd.DataFrame(made, columns=COLUMNS)
    return frame.astype({"promotion": float, "price": float, "event": "str"})


def ahead(panel: Panel, name: str) -> np.ndarray:
    return getattr(panel, name)[:, panel.length :]


def named(panel: Panel) -> np.ndarray:
    """(n, H) names of the events ahead."""
    words = np.array(["", *panel.event_names], dtype=object)
    return words[panel.event[panel.event_of][:, panel.length :]]


def same(one: Panel, other: Panel, skip: tuple[str, ...] = ()) -> None:
    for field in fields(Panel):
        if field.name not in skip and isinstance(getattr(one, field.name), np.ndarray):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)


@pytest.mark.parametrize("period", [DAY, Period("week"), Period("month")], ids=lambda one: one.name)
def test_laid_over_nothing_they_are_as_if_they_had_been_stored(shop, period: Period) -> None:
    tables = shop(n=5, days=130)
    bare = {**tables, "plans": tables["plans"].iloc[:0]}
    as_of = tables["demand"]["date"].max()
    panel = build_panel(bare, period, as_of, 3)
    said = rows(
        panel,
        {"days": (0, 1), "category": "odd", "promotion": 0.2, "event": "flyer"},
        {"days": (1, 2), "sku": "s01", "promotion": 0.5},
        {"days": (2, 2), "promotion": 0.1, "event": "strike"},
    )
    said["start"] += pd.Timedelta(days=2 if period.name != "day" else 0)  # part of a week or month
    tried, stored = lay_over(panel, said), build_panel({**bare, "plans": said}, period, as_of, 3)
    assert (tried.plan > 0).any()
    np.testing.assert_array_equal(ahead(tried, "plan"), ahead(stored, "plan"))
    assert (named(tried) == named(stored)).all()
    assert set(named(tried).ravel()) == {"", "flyer", "strike"}
    assert (tried.known <= panel.length - 1).all()
    assert (tried.event_known <= panel.length - 1).all()
    same(panel, lay_over(panel, said.iloc[:0]))


def test_what_is_not_covered_stands(shop) -> None:
    tables = shop()
    tables["plans"]["event"] = "catalogue"
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), 28)
    before = {name: getattr(panel, name).copy() for name in ("plan", "price", "event")}
    tried = lay_over(
        panel,
        rows(
            panel,
            {"days": (21, 27), "sku": "s04", "promotion": 0.0},
            {"days": (5, 6), "category": "odd", "promotion": 0.4, "event": "flyer"},
        ),
    )
    at = {sku: k for k, sku in enumerate(panel.keys["sku"])}
    covered = np.zeros_like(ahead(panel, "plan"), dtype=bool)
    covered[at["s04"], 21:28] = True
    odd = panel.attributes["category"].to_numpy() == "odd"
    covered[odd, 5:7] = True
    np.testing.assert_array_equal(ahead(tried, "plan")[~covered], ahead(panel, "plan")[~covered])
    assert ahead(panel, "plan")[at["s04"], 20:25].all()  # one day of it is left
    assert (ahead(tried, "plan")[at["s04"], 21:28] == 0).all()
    assert (named(tried)[at["s04"], 21:28] == "").all()  # the kind went with its promotion
    np.testing.assert_array_equal(ahead(tried, "plan")[odd, 5:7], np.float32(0.4))
    assert (named(tried)[odd, 5:7] == "flyer").all()
    assert (named(tried)[~covered] == named(panel)[~covered]).all()
    assert not (named(panel)[~odd] == "flyer").any()
    np.testing.assert_array_equal(tried.plan[:, : panel.length], panel.plan[:, : panel.length])
    for name, value in before.items():  # the panel itself is as it was
        np.testing.assert_array_equal(getattr(panel, name), value)


def test_a_week_covered_in_part_keeps_its_depth_for_the_rest(shop) -> None:
    tables = shop(n=2, days=140)
    week = Period("week")
    as_of = tables["demand"]["date"].max()
    monday = week.dates(week.index(as_of) + 1)[0]
    whole = pd.DataFrame(
        {"start": [monday], "end": [monday + pd.Timedelta(days=6)], "sku": "s00", "promotion": 0.7}
    )
    panel = build_panel({**tables, "plans": whole}, week, as_of, 2)
    said = whole.assign(end=monday + pd.Timedelta(days=2), promotion=0.0)  # three of seven days
    np.testing.assert_allclose(ahead(lay_over(panel, said), "plan")[0], [0.4, 0.0], rtol=1e-6)


def test_a_price_ends_with_its_row_and_concerns_no_other(shop) -> None:
    tables = shop(n=3, days=120)
    tables["demand"]["price"] = 10.0
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), 7)
    assert not panel.prices_planned
    tried = lay_over(panel, rows(panel, {"days": (2, 3), "sku": "s01", "price": 8.0}))
    assert tried.prices_planned
    assert ahead(tried, "price")[1].tolist() == [10.0, 10.0, 8.0, 8.0, 10.0, 10.0, 10.0]
    assert np.isnan(ahead(tried, "price")[[0, 2]]).all()


def test_instead_of_all_that_is_stored(shop) -> None:
    tables = shop()
    tables["plans"]["event"] = "catalogue"
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), 28)
    tried = lay_over(panel, rows(panel, {"days": (0, 0), "sku": "s03", "promotion": 0.3}), instead=True)
    assert (ahead(panel, "plan") > 0).sum() > 20
    assert (ahead(tried, "plan") > 0).sum() == 1
    assert (named(tried) == "").all()
    out = rows(panel, {"promotion": 0.0})[["start", "end", "promotion"]]  # no other column need be there
    assert (named(lay_over(panel, out)) == "").all()


def test_which_rows_reach_what(shop) -> None:
    tables = shop(n=4)
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), 7)
    said = rows(
        panel,
        {"sku": "s01", "promotion": 0.1},
        {"sku": "nobody", "promotion": 0.1},
        {"sku": "s02", "category": "odd", "promotion": 0.1},  # s02 is even
        {"sku": "s00", "promotion": 0.1},
        {"sku": "s00", "promotion": 0.1},
    )
    said.loc[3, ["start", "end"]] = panel.dates[panel.length - 5 : panel.length - 3]
    said.loc[4, ["start", "end"]] = panel.dates[-1] + pd.to_timedelta([1, 2], unit="D")
    found = reached(panel, said)
    assert found.series.tolist() == [False, True, False, False]
    assert found.unnamed.tolist() == [False, True, True, False, False]
    assert found.outside.tolist() == [False, False, False, True, True]


@pytest.fixture(scope="module")
def model(panel: Panel) -> DemandModel:
    folds, gbm = build_folds(panel, 28, 6, 0), Gbm(trees=15)
    fitted = gbm.fit(panel, panel.length - 1, 28, 0, 1)
    learned = calibrate(fitted.predict(panel, folds.series, folds.origin, folds.horizons), folds.actual)
    return DemandModel(fitted, learned, panel.as_of.date().isoformat())


def test_some_series_are_told_as_among_all(model: DemandModel, shop) -> None:
    tables = shop()
    tables["items"]["lifecycle"] = ["phase_out", *["active"] * 11]
    new = pd.DataFrame({"sku": ["new"], "category": "even", "lifecycle": "new"})
    tables["items"] = pd.concat([tables["items"], new], ignore_index=True)
    tables["sourcing"] = pd.DataFrame({"sku": ["new"], "location": "here", "supplier": "s"})
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), 28)
    everyone = model.predict(panel, 28)
    for series in ([3], [11, 0, 5], [0], [], list(range(panel.series))):
        some = model.predict(panel, 28, np.array(series, dtype=int))
        assert some.keys["sku"].tolist() == everyone.keys["sku"].iloc[series].tolist()
        np.testing.assert_array_equal(some.quantiles, everyone.quantiles[series])
        np.testing.assert_array_equal(some.mean, everyone.mean[series])
        assert some.method.tolist() == everyone.method[series].tolist()
    assert everyone.method[0] == "pooled"
    plain = DemandModel(Baseline("moving_average"), model.calibration, model.as_of)
    np.testing.assert_array_equal(
        plain.predict(panel, 9, np.array([2])).mean, plain.predict(panel, 9).mean[[2]]
    )


def test_the_answer_is_that_of_plans_that_had_been_stored(model: DemandModel, shop) -> None:
    tables = shop()
    bare, as_of = {**tables, "plans": tables["plans"].iloc[:0]}, tables["demand"]["date"].max()
    panel = build_panel(bare, DAY, as_of, 28)
    said = rows(panel, {"days": (4, 8), "sku": "s05", "promotion": 1.0, "event": "flyer"})
    stored = model.predict(build_panel({**bare, "plans": said}, DAY, as_of, 28), 28)
    before, tried = model.predict(panel, 28), model.predict(lay_over(panel, said), 28)
    np.testing.assert_array_equal(tried.quantiles, stored.quantiles)
    np.testing.assert_array_equal(tried.mean, stored.mean)
    at = panel.keys["sku"].tolist().index("s05")
    assert tried.mean[at, -1] > 1.05 * before.mean[at, -1]
