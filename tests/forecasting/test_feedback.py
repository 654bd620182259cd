"""Feedback changes the cells that it names and nothing else, and only from the day it was written."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.calibration import calibrate
from forecasting.feedback import apply_feedback, known_feedback, learned_from
from forecasting.models import DemandModel
from forecasting.panel import build_panel
from forecasting.value_added import ADDED, count_unscored, score_overrides
from ingestion.periods import Period

DAY = Period("day")
AS_OF = pd.Timestamp("2024-01-20")


def demand(period: str = "D") -> pd.DataFrame:
    dates = pd.date_range("2024-01-01", periods=20, freq=period)
    return pd.DataFrame(
        {
            "sku": np.repeat(["a", "b"], 20),
            "location": "x",
            "date": np.tile(dates, 2),
            "quantity": np.tile(np.arange(20.0), 2),
            "in_stock": np.nan,
            "price": 2.0,
        }
    )


def feedback(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["kind", "subject", "value", "at"]).assign(author="ann", reason="")
    return frame.assign(at=pd.to_datetime(frame["at"]).astype("datetime64[ns]"))


def correction(subject: str, value: str, at: str = "2024-01-19") -> tuple[str, str, str, str]:
    return "demand_correction", subject, value, at


def corrected(
    *rows: tuple[str, str, str, str], period: Period = DAY, **more: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    return apply_feedback({"demand": demand(), "feedback": feedback(*rows), **more}, period, AS_OF)


def quantities(frame: pd.DataFrame, sku: str, date: str) -> list[float]:
    return frame.loc[(frame["sku"] == sku) & (frame["date"] == pd.Timestamp(date)), "quantity"].tolist()


def test_a_correction_replaces_one_cell():
    found = corrected(correction("a@x@2024-01-06", "40"))["demand"]
    before = demand()
    changed = (found["quantity"] != before["quantity"]).to_numpy()
    assert found.loc[changed, ["sku", "quantity", "price"]].to_numpy().tolist() == [["a", 40.0, 2.0]]
    assert found.loc[changed, "date"].tolist() == [pd.Timestamp("2024-01-06")]


def test_missing_masks_a_range_of_every_sku_of_a_place():
    tables = corrected(correction("*@x@2024-01-05..2024-01-07", "Missing"))
    panel = build_panel(tables, DAY, AS_OF, 3)
    assert np.flatnonzero(np.isnan(panel.quantity[0])).tolist() == [4, 5, 6]
    assert np.flatnonzero(np.isnan(panel.quantity[1])).tolist() == [4, 5, 6]


def test_what_was_written_after_the_date_is_not_seen():
    late = correction("a@x@2024-01-06", "40", at="2024-01-21")
    pd.testing.assert_frame_equal(corrected(late)["demand"], demand())
    assert learned_from(feedback(late), DAY, AS_OF) == ("", 0)
    assert learned_from(feedback(late), DAY, pd.Timestamp("2024-01-21")).rows == 1


def test_the_last_row_about_a_cell_wins_whatever_the_order_in_the_file():
    first, last = correction("a@x@2024-01-06", "40"), correction("a@x@2024-01-06", "50", at="2024-01-20")
    for rows in ((first, last), (last, first)):
        found = corrected(*rows)["demand"]
        assert quantities(found, "a", "2024-01-06") == [50.0]
    # A range and a single date overlap: again the later one.
    masked = correction("a@x@2024-01-01..2024-01-09", "missing", at="2024-01-18")
    found = corrected(first, masked)["demand"].query("sku == 'a'").head(9)
    assert found["in_stock"].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]


def test_twice_is_as_once():
    rows = [correction("a@x@2024-01-06", "40"), correction("*@*@2024-01-02", "missing"),
            ("event_tag", "*@x@2024-01-10..2024-01-12", "fair", "2024-01-09")]  # fmt: skip
    once = corrected(*rows)
    twice = apply_feedback(once, DAY, AS_OF)
    for name in once:
        pd.testing.assert_frame_equal(once[name], twice[name])


def test_a_correction_of_a_week_stands_for_all_its_records():
    week = Period("week")
    tables = corrected(correction("a@x@2024-01-10", "70"), period=week)
    panel = build_panel(tables, week, pd.Timestamp("2024-01-08"), 2)
    assert panel.quantity.tolist() == [[sum(range(7)), 70.0], [sum(range(7)), sum(range(7, 14))]]


def test_a_cell_without_a_row_is_filled_but_nothing_outside_a_series_life(caplog):
    whole = demand()
    gone = (whole["sku"] == "a") & whole["date"].isin(pd.to_datetime(["2024-01-01", "2024-01-06"]))
    holed = whole[~gone]
    rows = [correction("a@x@2024-01-06", "7"), correction("a@x@2024-01-01", "9"),
            correction("a@x@2024-02-01", "9"), correction("ghost@x@2024-01-06", "9")]  # fmt: skip
    found = apply_feedback({"demand": holed, "feedback": feedback(*rows)}, DAY, AS_OF)["demand"]
    assert len(found) == len(holed) + 1
    assert quantities(found, "a", "2024-01-06") == [7.0]
    assert "1 demand corrections are about no series" in caplog.text


def test_an_event_tag_becomes_a_plan_known_from_its_day():
    day = [pd.Timestamp("2024-01-01")]
    plans = pd.DataFrame({"start": day, "end": day, "sku": ["a"], "location": ["x"], "quantity": [5.0]})
    plans = pd.concat([plans, plans])  # two equal plans are two
    tag = ("event_tag", "*@x@2024-01-22..2024-01-23", "fair", "2024-01-15")
    stray = ("event_tag", "ghost@x@2024-01-22", "fair", "2024-01-15")
    found = corrected(tag, stray, plans=plans)["plans"]
    assert len(found) == 3
    row = found.iloc[2]
    assert (row["event"], row["location"], row["known_from"]) == ("fair", "x", pd.Timestamp("2024-01-15"))
    assert pd.isna(row["sku"])
    panel = build_panel(corrected(tag, plans=plans), DAY, AS_OF, 4)
    assert panel.event_names == ("fair",)
    assert panel.event[panel.event_of[0]].tolist() == [0] * 21 + [1, 1, 0]
    assert set(panel.event_known[panel.event_of[0], 21:23]) == {14}


def test_overrides_and_verdicts_leave_the_training_data_alone():
    rows = [("override", "a@x@2024-01-06", "99", "2024-01-05"), ("verdict", "alert 1", "false", "2024-01-05")]
    pd.testing.assert_frame_equal(corrected(*rows)["demand"], demand())
    assert learned_from(feedback(*rows), DAY, AS_OF).rows == 0


def test_the_digest_names_what_training_learns_from():
    one, other = correction("a@x@2024-01-06", "40"), correction("b@x@2024-01-06", "40")
    assert learned_from(feedback(one, other), DAY, AS_OF) == learned_from(feedback(other, one), DAY, AS_OF)
    digests = {learned_from(feedback(row), DAY, AS_OF).digest for row in (one, other)}
    assert len(digests) == 2


@pytest.fixture
def model() -> DemandModel:
    panel = build_panel({"demand": demand()}, DAY, AS_OF, 7)
    fitted = Baseline("moving_average")
    said = fitted.predict(panel, np.array([0]), np.array([5]), np.array([1, 2]))
    return DemandModel(fitted, calibrate(said, np.ones((1, 2))), "2024-01-01")


def test_overrides_are_scored_against_model_and_naive_once_they_are_over(model):
    panel = build_panel({"demand": demand()}, DAY, AS_OF, 7)
    rows = known_feedback(
        feedback(
            ("override", "a@x@2024-01-16..2024-01-17", "30", "2024-01-14"),
            ("override", "b@x@2024-01-15", "0", "2024-01-15"),
            ("override", "a@x@2024-01-20..2024-01-22", "9", "2024-01-14"),  # not over
            ("override", "a@x@2024-01-12", "9", "2024-01-13"),  # told when it was past
            ("override", "nope@x@2024-01-15", "9", "2024-01-13"),
        ),
        DAY,
        AS_OF,
    )
    found = score_overrides(panel, rows, lambda _date: model)
    # Until 14 January a sold 0 … 13: 6.5 a day, and a week before the two days 8 and 9.
    first, second, overall = found.to_dict("records")
    assert (first["actual"], first["override"], first["naive"]) == (15 + 16, 30, 8 + 9)
    assert first["model"] == pytest.approx(13.0)
    assert [first[name] for name in ADDED] == pytest.approx([14 - 18, 18 - 1])
    assert (second["actual"], second["naive"]) == (14, 7)
    assert [second[name] for name in ADDED] == pytest.approx([7 - 7.5, 7.5 - 14])
    assert [overall[name] for name in ADDED] == pytest.approx([-4.5, 10.5])
    assert score_overrides(panel, rows, lambda _date: None).empty
    lost = {"about no known series": 1, "written after their first date": 1}
    assert count_unscored(panel, rows, lambda _date: model) == lost
    assert count_unscored(panel, rows[:0], lambda _date: model) == {}
    early = count_unscored(panel, rows, lambda _date: None)
    assert early == lost | {"written before a model was in force": 2}
    hidden = panel.quantity.copy()
    hidden[0, 15] = np.nan  # a@x on 16 January
    blind = count_unscored(replace(panel, quantity=hidden), rows, lambda _date: model)
    assert blind == lost | {"about periods in which demand was not fully observed": 1}
