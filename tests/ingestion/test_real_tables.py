"""The four real data sets load through the mappings in docs/examples, row for row."""

import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ingestion.loading import LoadReport, load
from ingestion.mapping import propose
from ingestion.periods import Period
from ingestion.warehouse import Warehouse

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def config(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text(encoding="utf-8"))


def loaded(name: str, folder: Path, root: Path) -> tuple[LoadReport, Warehouse]:
    warehouse = Warehouse(root)
    return load(folder, config(name), warehouse), warehouse


def test_pasta(shared_data: Path, tmp_path: Path) -> None:
    report, warehouse = loaded("pasta", shared_data / "pasta", tmp_path)
    assert report.accepted == {"items": 118, "demand": 170_274, "plans": 170_274}
    assert report.quarantined.empty
    raw = pd.read_parquet(shared_data / "pasta" / "daily.parquet")
    demand = warehouse.read("demand")
    assert demand["quantity"].sum() == raw["value"].sum()
    assert demand["promotion"].mean() == pytest.approx(raw["promotion"].mean())
    assert warehouse.absent == "missing"
    assert sorted(warehouse.read("items")["brand"].unique()) == ["B1", "B2", "B3", "B4"]
    # Half a year in, nothing of the second half is known; the plans of it are.
    half = pd.Timestamp("2014-06-30")
    assert warehouse.read("demand", half)["date"].max() == half
    assert len(warehouse.read("plans", half)) == 170_274


def test_freshretail(shared_data: Path, tmp_path: Path) -> None:
    report, warehouse = loaded("freshretail", shared_data / "freshretail", tmp_path)
    assert report.accepted == {"items": 234, "locations": 349, "demand": 45_000, "plans": 45_000}
    raw = pd.read_parquet(shared_data / "freshretail" / "daily.parquet")
    demand = warehouse.read("demand")
    assert demand["in_stock"].mean() == pytest.approx(1 - raw["stockout_hours_6_22"].mean() / 16)
    assert demand["price"].isna().sum() == (raw["discount"] == 0).sum() == 90
    assert demand["promotion"].max() < 1
    assert "precpt" in demand
    assert "stockout_mask" not in demand
    assert report.ignored_columns["sales"] == ("stockout_hours", "stockout_mask")
    assert "short_history" in set(report.health.findings["kind"])


def test_vn2(shared_data: Path, tmp_path: Path) -> None:
    report, warehouse = loaded("vn2", shared_data / "vn2", tmp_path)
    assert report.accepted == {
        "items": 297,
        "locations": 67,
        "demand": 94_043,
        "stock": 599,
        "supply_orders": 423,
        "sourcing": 599,
        "policies": 1,
    }
    assert report.quarantined.empty
    assert warehouse.period == Period("week", 0)
    assert set(warehouse.read("demand")["in_stock"]) == {0.0, 1.0}
    orders = warehouse.read("supply_orders")
    assert orders["quantity"].sum() == 1699
    assert (orders["promised_on"] - orders["ordered_on"]).unique().tolist() == [pd.Timedelta(days=14)]
    policy = warehouse.read("policies").iloc[0]
    assert (policy["holding_cost"], policy["shortage_cost"], policy["unmet"]) == (0.2, 1.0, "lost")


def test_scms(shared_data: Path, tmp_path: Path) -> None:
    report, warehouse = loaded("scms", shared_data, tmp_path)
    assert report.left_out == {"deliveries": 4384}
    assert report.accepted == {"supply_orders": 3040}
    rules = report.quarantined.groupby(["column", "rule", "value"]).size().to_dict()
    assert rules[("ordered_on", "is not a date", "Date Not Captured")] == 328
    negative = report.quarantined[report.quarantined["column"] == "received_on"]
    assert negative["rule"].tolist() == ["must not lie before ordered_on"] * 2
    assert 4384 + 3040 + len(report.quarantined) == 7754
    orders = warehouse.read("supply_orders")
    assert orders["ordered_on"].dt.year.between(2006, 2013).all()
    assert "Côte d'Ivoire" in set(orders["location"])
    # As of the end of 2010, orders that arrived later are open.
    then = warehouse.read("supply_orders", pd.Timestamp("2010-12-31"))
    known = orders[orders["ordered_on"] <= "2010-12-31"]
    assert len(then) == len(known)
    assert then["received_on"].isna().sum() == (known["received_on"] > "2010-12-31").sum() > 0


def test_a_second_load_finds_nothing_to_do(shared_data: Path, tmp_path: Path) -> None:
    loaded("vn2", shared_data / "vn2", tmp_path)
    assert loaded("vn2", shared_data / "vn2", tmp_path)[0].unchanged


@pytest.mark.parametrize(("name", "rows"), [("pasta", 170_274), ("freshretail", 45_000), ("vn2", 94_043)])
def test_what_is_proposed_loads_every_sale(shared_data: Path, tmp_path: Path, name: str, rows: int) -> None:
    report = load(shared_data / name, tomllib.loads(propose(shared_data / name)), Warehouse(tmp_path))
    assert report.accepted["demand"] == rows
    assert report.quarantined.empty
