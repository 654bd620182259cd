"""`forestock replay` on the simulated retailer: measures, comparison and picture."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.panel import build_panel
from ingestion.periods import Period
from ingestion.retailer import simulate
from serving.settings import Settings


@pytest.mark.walk
@pytest.mark.usefixtures("few_candidates")
def test_the_last_weeks_are_ordered_again(forestock, tmp_path):
    simulate(seed=0, items=20).write(tmp_path / "tables")
    forestock("load", "tables")
    ran = forestock("replay", "--periods", 42, "--out", "c.csv", "--picture", "curve.svg", "--json")
    said = ran.summary
    assert said["series"] > 30
    assert 0.85 < float(said["cycle_service"].split()[0]) <= 1
    assert float(said["mean_stock"].split()[0]) > 0
    table = pd.read_csv(tmp_path / "c.csv")
    assert set(table["policy"]) == {"King", "z·σ·√L", "fixed min/max"}
    assert set(table["measure"]) == {"cycle_service", "fill_rate"}
    one = {"cycle_service": 1 / 300, "fill_rate": 0.0005}  # more stock moves cycles: one of them may be lost
    for (measure, _), curve in table.groupby(["measure", "policy"]):
        assert (np.diff(curve["stock"]) > 0).all()
        assert (np.diff(curve["service"]) > -one[measure]).all()
    assert "<svg" in (tmp_path / "curve.svg").read_text(encoding="utf-8")
    assert forestock("replay", "--periods", 42, "--json").summary == {
        k: v for k, v in said.items() if k != "out"
    }
    assert "needs more periods" in forestock("replay", "--periods", 5, expect=1).words
    assert "--picture must end in" in forestock("replay", "--picture", "curve.bmp", expect=2).words


@pytest.mark.walk
def test_what_is_sold_later_changes_no_earlier_threshold(forestock, tmp_path):
    """A hundredfold last week: the thresholds derived before it are the same."""
    from serving.proof import prove

    retailer = simulate(seed=1, items=8, days=300)
    retailer.write(tmp_path / "tables")
    forestock("load", "tables")
    last = retailer.last_day
    settings = Settings(workspace=tmp_path / ".forestock", threads=1)
    plain = prove(settings, last, lambda _: None, periods=42, every=7)
    demand = pd.read_parquet(tmp_path / "tables" / "demand.parquet")
    late = demand["date"] > last - pd.Timedelta(days=7)
    demand.loc[late, "quantity"] = demand.loc[late, "quantity"] * 100
    demand.to_parquet(tmp_path / "tables" / "demand.parquet")
    forestock("load", "tables")
    poisoned = prove(settings, last, lambda _: None, periods=42, every=7)
    assert poisoned.published.orders[:, :-7].tobytes() == plain.published.orders[:, :-7].tobytes()
    assert poisoned.published.lost.sum() > plain.published.lost.sum()


@pytest.mark.walk
@pytest.mark.usefixtures("few_candidates")
def test_a_review_decides_from_its_own_evening_on(forestock, tmp_path, monkeypatch):
    """An order of the evening of day d rests on the latest review by d, the first shelf on the one before."""
    from serving import proof

    retailer = simulate(seed=1, items=4, days=200)
    retailer.write(tmp_path / "tables")
    forestock("load", "tables")
    settings = Settings(workspace=tmp_path / ".forestock", threads=1)
    derive, play, played = proof._derive, proof.replay_thresholds, []

    def dated(walk):
        day = np.full(len(walk.demand.keys), (walk.as_of - retailer.last_day).days, dtype=float)
        return replace(derive(walk), reorder_point=day + 100, order_up_to=day + 100)

    def recorded(demand, point, up_to, *more, **world):
        played.append((point[0] - 100, np.asarray(world["opening"])[0] - 100))
        return play(demand, point, up_to, *more, **world)

    monkeypatch.setattr(proof, "_derive", dated)
    monkeypatch.setattr(proof, "replay_thresholds", recorded)
    proof.prove(settings, retailer.last_day, lambda _: None, periods=42, every=7)
    point, opening = played[-1]
    evenings = np.arange(-41, 1)
    assert opening == -42
    assert point.tolist() == np.minimum(evenings // 7 * 7, -7).tolist()


@pytest.mark.walk
@pytest.mark.usefixtures("few_candidates")
def test_orders_go_out_on_the_suppliers_order_days_only(forestock, tmp_path):
    from serving.proof import prove

    retailer = simulate(seed=1, items=6, days=200)
    sourcing = retailer.tables["sourcing"].drop(columns="review_periods").assign(order_weekdays="Tue, Fri")
    sourcing.loc[::2, "order_weekdays"] = None
    replace(retailer, tables={**retailer.tables, "sourcing": sourcing}).write(tmp_path / "tables")
    forestock("load", "tables")
    settings = Settings(workspace=tmp_path / ".forestock", threads=1)
    proof = prove(settings, retailer.last_day, lambda _: None, periods=42)
    # What is decided in the evening goes out on the day after.
    days = pd.date_range(end=retailer.last_day, periods=42) + pd.Timedelta(days=1)
    weekdays = proof.keys.merge(sourcing, on=["sku", "location"], how="left")["order_weekdays"]
    bound = weekdays.notna().to_numpy()
    ordered = [
        set(days.day_of_week[(proof.published.orders[rows] > 0).any(axis=0)]) for rows in (bound, ~bound)
    ]
    assert ordered[0] == {1, 4}
    assert len(ordered[1]) == 7


def test_of_a_place_that_was_shut_for_months_nothing_was_asked():
    from serving import histories, proof

    dates = pd.date_range("2024-01-01", periods=200)
    frame = pd.DataFrame({"sku": "a", "location": "x", "date": dates, "quantity": 5.0})
    shut = (dates >= dates[120]) & (dates < dates[180])
    panel = build_panel({"demand": frame[~shut]}, Period("day"), dates[-1], 7, "closed")
    wanted, estimated = proof._demand(panel, np.array([0]), 100)
    assert wanted[0].tolist() == [5.0] * 20 + [0.0] * 60 + [5.0] * 20
    assert estimated == 0
    assert histories._wanted(panel, 100).tolist() == wanted.tolist()
