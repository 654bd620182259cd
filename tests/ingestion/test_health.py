"""What the data say against themselves, each planted and found; and silence where all is well."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.contracts import TABLES
from ingestion.health import DataHealth
from ingestion.loading import load
from ingestion.periods import Period
from ingestion.reconciliation import disagreeing, packs_in_demand, packs_in_receipts, reconcile
from ingestion.warehouse import Warehouse


def health(tmp_path: Path, **tables: pd.DataFrame) -> DataHealth:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return load(folder, {}, Warehouse(tmp_path / "workspace")).health


def sales(days: int, start: str = "2023-01-01", **more: object) -> pd.DataFrame:
    dates = pd.date_range(start, periods=days)
    return pd.DataFrame({"sku": "a", "location": "x", "date": dates, "quantity": 3.0}).assign(**more)


def kinds(found: DataHealth) -> set[str]:
    return set(found.findings["kind"])


def test_history_is_measured_in_days(tmp_path: Path) -> None:
    for days, said in (
        (179, {"short_history", "no_yearly_season"}),
        (180, {"no_yearly_season"}),
        (365, set()),
    ):
        place = tmp_path / str(days)
        place.mkdir()
        found = health(place, demand=sales(days))
        assert found.history_days == days
        assert kinds(found) == said


def test_gaps_and_stale_sources_are_found(tmp_path: Path) -> None:
    demand = sales(400).drop(index=[5, 6])
    stock = pd.DataFrame({"sku": ["a"], "location": "x", "as_of": [pd.Timestamp("2024-01-10")], "on_hand": 5})
    found = health(tmp_path, demand=demand, stock=stock)
    assert found.series["gaps"].tolist() == [2]
    stale = found.freshness.set_index("source")
    assert stale.loc["stock", "behind_days"] == 25
    assert stale["stale"].to_dict() == {"demand": False, "stock": True}
    assert {"gaps", "stale"} <= kinds(found)


def absent_means(tmp_path: Path, demand: pd.DataFrame, word: str | None) -> pd.DataFrame:
    folder = tmp_path / f"{word}"
    folder.mkdir()
    demand.to_parquet(folder / "demand.parquet")
    source = {"path": "demand.parquet"} | ({"absent": word} if word else {})
    return load(folder, {"sources": {"demand": source}}, Warehouse(folder / "workspace")).health.findings


def test_who_has_said_what_an_absent_row_means_is_not_asked_again(tmp_path: Path) -> None:
    demand = sales(400).drop(index=[5, 6])
    assert "gaps" in set(absent_means(tmp_path, demand, None)["kind"])
    assert absent_means(tmp_path, demand, "zero").empty


def test_a_place_that_was_silent_while_others_sold_is_found(tmp_path: Path) -> None:
    open_ = pd.concat([sales(400, location=place) for place in ("x", "y", "z")], ignore_index=True)
    day = (open_["date"] - open_["date"].min()).dt.days
    y, z = open_["location"] == "y", open_["location"] == "z"
    rebuilt = y & day.between(100, 114)
    holidays, late = day.between(200, 230), z & (day < 60)
    demand = open_[~rebuilt & ~holidays & ~late]
    found = absent_means(tmp_path, demand, None).set_index("kind")
    message, remedy = found.loc["silent_places", ["message", "remedy"]]
    assert "1 places" in message
    assert "y from 2023-04-11 to 2023-04-25" in message
    assert 'absent = "closed"' in remedy
    assert '"missing"' in remedy
    for word in ("zero", "closed", "missing"):
        assert absent_means(tmp_path, demand, word).empty
    seldom = open_[~(z & (day % 20 > 0))]  # silent for nineteen days again and again
    shorter = open_[~(y & day.between(100, 113))]
    for k, usual in enumerate((seldom, shorter)):
        place = tmp_path / str(k)
        place.mkdir()
        assert "silent_places" not in set(absent_means(place, usual, None)["kind"])


def test_series_that_ended_unsaid_are_found(tmp_path: Path) -> None:
    running, ended = sales(400), sales(400).iloc[:-91].assign(sku="b")
    demand = pd.concat([running, ended], ignore_index=True)
    for word in ("closed", "missing"):
        message, remedy = absent_means(tmp_path, demand, word).set_index("kind").loc["ended_series"].iloc[1:]
        assert "1 of 2 series" in message
        assert "b at x since 2023-11-05" in message
        assert "discontinued" in remedy
    assert absent_means(tmp_path, demand, "zero").empty
    late = pd.concat([running, sales(400).iloc[:-90].assign(sku="b")], ignore_index=True)
    said = pd.DataFrame({"sku": ["a", "b"], "lifecycle": ["active", "discontinued"]})
    for k, tables in enumerate(({"demand": late}, {"demand": demand, "items": said})):
        folder = tmp_path / str(k)
        folder.mkdir()
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet")
        sources = {"demand": {"path": "demand.parquet", "absent": "closed"}}
        sources |= {"items": {"path": "items.parquet"}} if "items" in tables else {}
        found = load(folder, {"sources": sources}, Warehouse(folder / "workspace")).health.findings
        assert "ended_series" not in set(found["kind"])


def test_sales_from_an_empty_shelf_are_found(tmp_path: Path) -> None:
    demand = sales(400, in_stock=1.0)
    demand.loc[9, "in_stock"] = 0.0
    found = health(tmp_path, demand=demand)
    assert found.sold_without_stock["date"].tolist() == [pd.Timestamp("2023-01-10")]


def walk(seed: int, days: int = 60) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Stock, demand and receipts of four series that agree."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2024-01-01", periods=days)
    series = pd.MultiIndex.from_product([["a", "b"], ["x", "y"], dates], names=["sku", "location", "date"])
    flows = series.to_frame(index=False).assign(quantity=rng.poisson(3.0, len(series)).astype(float))
    come = rng.random(len(flows)) < 0.2
    received = np.where(come, rng.integers(1, 30, len(flows)), 0).astype(float)
    level = 500 + (received - flows["quantity"]).groupby([flows["sku"], flows["location"]]).cumsum()
    counted = rng.random(len(flows)) < 0.3
    stock = flows.assign(as_of=flows["date"], on_hand=level)[counted][["sku", "location", "as_of", "on_hand"]]
    orders = flows[come].assign(
        ordered_on=flows["date"], received_on=flows["date"], kind="purchase", supplier="s"
    )
    orders = orders.assign(quantity=received[come], received_quantity=np.nan)
    return stock.reset_index(drop=True), flows, orders


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_reconciliation_equals_a_naive_loop(seed: int) -> None:
    stock, demand, orders = walk(seed)
    stock.loc[len(stock) // 2, "on_hand"] += 7
    pairs = reconcile(stock, demand, orders, Period("day"))
    rows = []
    for (sku, place), counts in stock.groupby(["sku", "location"]):
        ordered = counts.sort_values("as_of").to_dict("records")
        for one, two in pairwise(ordered):
            mine = demand[(demand["sku"] == sku) & (demand["location"] == place)]
            sold = mine[(mine["date"] > one["as_of"]) & (mine["date"] <= two["as_of"])]["quantity"].sum()
            into = orders[(orders["sku"] == sku) & (orders["location"] == place)]
            inside = (into["received_on"] > one["as_of"]) & (into["received_on"] <= two["as_of"])
            got = into[inside]["quantity"].sum()
            rows.append((sku, place, two["as_of"], got, sold, two["on_hand"] - (one["on_hand"] + got - sold)))
    naive = pd.DataFrame(rows, columns=["sku", "location", "closed_on", "received", "sold", "difference"])
    pd.testing.assert_frame_equal(pairs[list(naive.columns)], naive, check_dtype=False)
    assert set(disagreeing(pairs)["difference"].abs()) == {7.0}


def test_a_transfer_leaves_the_place_that_sends_it() -> None:
    dates = pd.to_datetime(["2024-01-01", "2024-01-05"])
    stock = pd.DataFrame({"sku": "a", "location": "depot", "as_of": dates, "on_hand": [9.0, 5.0]})
    demand = pd.DataFrame({"sku": "a", "location": "depot", "date": dates, "quantity": 0.0})
    moved = {"sku": ["a"], "location": "shop", "supplier": "depot", "kind": "transfer", "quantity": 4.0}
    orders = pd.DataFrame(moved).assign(
        ordered_on=dates[0] + pd.Timedelta(days=1), received_on=dates[1], received_quantity=np.nan
    )
    under_way = orders.assign(received_on=pd.NaT)  # it has left all the same
    for moved_so in (orders, under_way):
        assert reconcile(stock, demand, moved_so, Period("day"))["difference"].tolist() == [0.0]


def test_reconciliation_reaches_the_report(tmp_path: Path) -> None:
    stock, demand, orders = walk(3)
    stock.loc[5, "on_hand"] -= 11
    orders = orders.assign(order_id=[str(i) for i in range(len(orders))])
    columns = [name for name in TABLES["supply_orders"].columns if name in orders]
    found = health(tmp_path, stock=stock, demand=demand, supply_orders=orders[columns])
    assert found.reconciliation["difference"].abs().tolist() == [11.0, 11.0]
    assert "off by" in found.findings.set_index("kind").loc["reconciliation", "message"]


def test_packs_are_seen_in_demand_and_in_receipts() -> None:
    sold = pd.DataFrame({"sku": ["a"] * 5 + ["b"] * 5, "quantity": [6, 12, 24, 18, 30, 6, 7, 8, 9, 10.0]})
    assert packs_in_demand(sold).to_dict("records") == [{"sku": "a", "pack": 6.0}]
    stock, demand, orders = walk(4)
    orders["quantity"] = np.where(orders["sku"] == "a", orders["quantity"] / 12, orders["quantity"])
    packs = packs_in_receipts(reconcile(stock, demand, orders, Period("day")))
    assert packs.to_dict("records") == [{"sku": "a", "pack": 12.0}]
