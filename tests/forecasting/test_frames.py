"""A frame asked of a model means what the same tables mean in a workspace."""

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.frames import Reading, answer, split
from forecasting.gbm import Gbm
from forecasting.panel import build_panel
from forecasting.training import train
from ingestion.errors import Problem
from ingestion.periods import Period

DAYS = Reading(Period("day"))


@pytest.fixture(scope="module")
def model(panel):
    return train(panel, threads=1, candidates=(Baseline("tsb"), Gbm(trees=10))).model


@pytest.fixture
def frame(shop):
    return framed(shop())


def framed(tables, days=28):
    """The tables of a shop as one frame: history, and the plans of the next days."""
    demand = tables["demand"]
    dates = pd.date_range(demand["date"].max() + pd.Timedelta(days=1), periods=days)
    future = demand[["sku", "location"]].drop_duplicates().merge(pd.DataFrame({"date": dates}), how="cross")
    future = future.merge(tables["plans"], how="left", on=["sku", "location", "date"])
    return pd.concat([demand, future], ignore_index=True).merge(tables["items"], on="sku")


def test_a_frame_answers_as_the_tables_it_was_made_of(model, panel, frame):
    said = answer(model, frame, DAYS, [14, 7, 7], [0.5, 0.95])
    demand = model.predict(panel, 14)
    assert list(said) == ["sku", "location", "horizon", "mean", "q0.5", "q0.95"]
    assert said["horizon"].tolist() == [7, 14] * panel.series
    assert said["sku"].tolist() == np.repeat(panel.keys["sku"], 2).tolist()
    np.testing.assert_allclose(said["mean"], demand.mean[:, [6, 13]].ravel())
    np.testing.assert_allclose(said["q0.95"], demand.quantile([0.95])[:, [6, 13], 0].ravel())


def test_types_that_files_give_are_understood(model, frame):
    number = frame["sku"].str[1:].astype(int)
    typed = frame.assign(sku=number, date=frame["date"].dt.strftime("%Y-%m-%d"))
    typed["promotion"] = typed["promotion"].astype("Float64")
    expected = answer(model, frame.assign(sku=number.astype(str)), DAYS)
    pd.testing.assert_frame_equal(answer(model, typed, DAYS), expected)
    assert expected["horizon"].unique().tolist() == [7, 14, 28]


def test_nothing_after_the_as_of_date_but_plans_is_read(model, frame):
    poisoned = frame.copy()
    after = poisoned["date"] > pd.Timestamp("2024-06-30")
    poisoned.loc[after, "quantity"] = 1e6
    poisoned.loc[after, "in_stock"] = 0.0
    said = answer(model, poisoned, DAYS, [7], as_of="2024-06-30")
    pd.testing.assert_frame_equal(said, answer(model, frame, DAYS, [7], as_of="2024-06-30"))
    unplanned = frame.assign(promotion=frame["promotion"].where(~after, 0.0))
    assert not said.equals(answer(model, unplanned, DAYS, [7], as_of="2024-06-30"))


def test_a_quantity_that_was_not_observed_is_no_zero(model, frame):
    recent = (frame["date"] > "2024-06-20") & (frame["date"] < "2024-07-10")
    hole = answer(model, frame.assign(quantity=frame["quantity"].mask(recent)), DAYS, [14])
    zeros = frame.assign(quantity=frame["quantity"].mask(recent, 0.0))
    empty = answer(model, zeros.assign(in_stock=np.where(recent, 0.0, 1.0)), DAYS, [14])
    pd.testing.assert_frame_equal(hole, empty)
    zero, whole = (answer(model, given, DAYS, [14])["mean"].sum() for given in (zeros, frame))
    assert hole["mean"].sum() == pytest.approx(whole, rel=0.1)
    assert zero < 0.8 * whole


def test_sales_count_as_demand_where_shelves_are_ignored(model, frame):
    recent = (frame["date"] > "2024-06-20") & (frame["date"] < "2024-07-10")
    sold_out = frame.assign(quantity=frame["quantity"].mask(recent, 0.0), in_stock=np.where(recent, 0.0, 1.0))
    ignoring = Reading(Period("day"), hidden="ignore")
    said = answer(model, sold_out, ignoring, [14])
    pd.testing.assert_frame_equal(said, answer(model, sold_out.drop(columns="in_stock"), DAYS, [14]))
    assert said["mean"].sum() < 0.8 * answer(model, sold_out, DAYS, [14])["mean"].sum()


def test_columns_go_to_the_tables_they_describe(frame):
    told = frame.assign(country="DE", colour="red", temperature=20.0, category=7, in_stock=True)
    tables, last = split(told.assign(in_stock=told["in_stock"].astype(float)), Period("day"), "")
    assert last == pd.Timestamp("2024-07-18")
    assert set(tables["items"]) == {"sku", "category", "colour"}
    assert tables["locations"].to_dict("records") == [{"location": "here", "country": "DE"}]
    assert set(tables["plans"]) == {"sku", "location", "date", "promotion", "temperature"}
    assert "temperature" in tables["demand"]
    assert len(tables["demand"]) + len(tables["plans"]) == len(frame)


@pytest.mark.parametrize(
    ("dates", "as_of", "last"),
    [
        (pd.date_range("2024-01-01", "2024-02-28"), "", "2024-02-19"),  # a Wednesday: its week is not over
        (pd.date_range("2024-01-01", "2024-03-03"), "", "2024-02-26"),
        (pd.date_range("2024-01-01", "2024-02-26", freq="7D"), "", "2024-02-26"),  # named by their first day
        (pd.date_range("2024-01-01", "2024-02-26", freq="7D"), "2024-02-19", "2024-02-19"),
        (pd.date_range("2024-01-01", "2024-02-26", freq="7D"), "2024-02-22", "2024-02-12"),
    ],
)
def test_only_complete_weeks_count(dates, as_of, last):
    frame = pd.DataFrame({"sku": "a", "location": "x", "date": dates, "quantity": 1.0})
    tables, found = split(frame, Period("week"), as_of)
    assert found == pd.Timestamp(last)
    panel = build_panel(tables, Period("week"), found, 2)
    assert panel.as_of == found


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"horizons": [0]}, "whole numbers from 1, got"),
        ({"horizons": [2.5]}, "whole numbers"),
        ({"horizons": [29]}, "up to 28 days, got 29"),
        ({"levels": [95]}, "write 95% as 0.95"),
        ({"levels": []}, "levels must lie"),
        ({"as_of": "soon"}, "write it as 2024-12-31"),
        ({"as_of": "2023-01-01"}, "must not lie before the first complete day"),
    ],
)
def test_what_cannot_be_meant_is_refused(model, frame, asked, words):
    with pytest.raises(Problem, match=words):
        answer(model, frame, DAYS, **asked)


def test_frames_that_cannot_be_read_are_refused(model, frame):
    for bad, words in (
        (frame.drop(columns=["quantity"]), "without quantity"),
        (frame.iloc[:0], "got 0 rows"),
        (frame.assign(date="soon"), "'date' must hold dates"),
        (
            frame.assign(date="03/04/2024"),
            "'date' must hold dates, got '03/04/2024', which is none for certain",
        ),
        (frame.assign(price="dear"), "'price' must hold numbers"),
        (frame.assign(event=0), "'event' names events in words"),
        (frame.assign(quantity=-1.0), "must be a number from 0, got -1; net returns at the source"),
        (frame.assign(quantity=np.inf), "'quantity' must be a number from 0, got inf"),
        (frame.assign(promotion=30.0), "'promotion' must lie in 0–1, got 30; write 30% as 0.3"),
        (frame.assign(in_stock=80.0), "'in_stock' must lie in 0–1, got 80; write 95% as 0.95"),
        (frame.assign(quantity=np.nan), "every quantity in it is missing"),
    ):
        with pytest.raises(Problem, match=words):
            answer(model, bad, DAYS)


def test_an_event_is_no_attribute_of_its_item_but_names_its_days(frame):
    day = frame["date"].drop_duplicates().sort_values()
    named = frame.assign(event=np.where(frame["date"].isin(day.iloc[[50, -3]]), "fair", None))
    tables, last = split(named, DAYS.period, "")
    assert "event" not in tables["items"]
    assert "event" not in tables["demand"]
    panel = build_panel(tables, DAYS.period, last, 28)
    assert panel.event_names == ("fair",)
    at = panel.dates.get_indexer(pd.DatetimeIndex(day.iloc[[50, -3]]))
    assert (panel.event[panel.event_of][:, at] == 1).all()
    assert (panel.event[panel.event_of] == 1).sum() == 2 * panel.series
