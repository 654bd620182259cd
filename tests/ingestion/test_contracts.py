"""Each rule of each contract catches what breaks it, and says how to mend it."""

from pathlib import Path
from typing import Any

import pytest

from ingestion.contracts import TABLES
from ingestion.loading import LoadReport, load
from ingestion.warehouse import Warehouse

GOOD: dict[str, dict[str, Any]] = {
    "items": {
        "sku": "a",
        "unit_cost": 1,
        "shelf_life_days": 9,
        "lifecycle": "active",
        "launched_on": "2024-01-01",
    },
    "locations": {"location": "x", "capacity": 5},
    "demand": {
        "sku": "a",
        "location": "x",
        "date": "2024-01-01",
        "quantity": 0.5,
        "in_stock": True,
        "price": 2,
    },
    "plans": {"start": "2024-01-01", "end": "2024-01-07", "promotion": 0.3, "known_from": "2023-12-01"},
    "stock": {"sku": "a", "location": "x", "as_of": "2024-01-01", "on_hand": 0},
    "lots": {
        "sku": "a",
        "location": "x",
        "as_of": "2024-01-01",
        "lot": "1",
        "quantity": 1,
        "expires_on": "2024-02-01",
    },
    "supply_orders": {
        "order_id": "1",
        "kind": "Purchase",
        "sku": "a",
        "location": "x",
        "supplier": "s",
        "quantity": 1,
        "ordered_on": "2024-01-01",
        "received_on": "2024-01-01",
    },
    "sourcing": {"sku": "a", "location": "x", "supplier": "s", "lot_size": 0, "review_periods": 1, "moq": 0},
    "bill_of_materials": {"parent": "a", "component": "b", "quantity_per": 2, "scrap": 0.05},
    "policies": {
        "selector": "*",
        "measure": "cost",
        "holding_cost": 0.2,
        "shortage_cost": 1,
        "unmet": "lost",
    },
    "feedback": {"kind": "verdict", "subject": "a", "value": "false", "author": "q", "at": "2024-01-01"},
}
CELLS = "must be sku@location@date, or sku@location@first..last"
QUANTITY = "must be a quantity of one date, or missing for a demand_correction"
UNITS = "must be units of at least 0 for an override"
OUTCOME = "must be one of hit, late, false, missed for a verdict"
CORRECTION = {"kind": "demand_correction", "subject": "a@x@2024-02-03", "value": "3"}
BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("items", {"unit_cost": -1}, "unit_cost", "must be at least 0"),
    ("items", {"lifecycle": "retired"}, "lifecycle", "must be one of active, new, phase_out, discontinued"),
    ("items", {"replaces": "a"}, "replaces", "must differ from sku"),
    ("items", {"launched_on": "soon"}, "launched_on", "is not a date"),
    ("demand", {"in_stock": 3}, "in_stock", "must lie in 0–1"),
    ("demand", {"promotion": -0.1}, "promotion", "must lie in 0–1"),
    ("demand", {"quantity": "inf"}, "quantity", "is not a number"),
    ("demand", {"date": "1900-01-01"}, "date", "must lie in 1970–2100"),
    ("plans", {"start": "", "end": ""}, "date", "needs a date, or a start and an end"),
    ("plans", {"end": "2023-12-31"}, "end", "must not lie before start"),
    ("stock", {"on_hand": -1}, "on_hand", "must be at least 0"),
    ("lots", {"expires_on": ""}, "expires_on", "is missing"),
    ("supply_orders", {"received_on": "2023-12-31"}, "received_on", "must not lie before ordered_on"),
    ("supply_orders", {"kind": "gift"}, "kind", "must be one of purchase, transfer, production"),
    ("sourcing", {"review_periods": 0}, "review_periods", "must be above 0"),
    ("sourcing", {"lead_time_days": -3}, "lead_time_days", "must be at least 0"),
    ("sourcing", {"order_weekdays": "Mo, Do"}, "order_weekdays", "must name weekdays"),
    ("sourcing", {"order_weekdays": "Montag"}, "order_weekdays", "must name weekdays"),
    ("bill_of_materials", {"component": "a"}, "component", "must differ from parent"),
    ("bill_of_materials", {"scrap": 1}, "scrap", "must be below 1"),
    ("policies", {"measure": "fill_rate"}, "target", "is needed unless the measure is cost"),
    ("policies", {"measure": ""}, "target", "is needed unless the measure is cost"),
    ("policies", {"target": 1}, "target", "must be below 1"),
    (
        "feedback",
        {"kind": "rumour"},
        "kind",
        "must be one of verdict, demand_correction, override, event_tag",
    ),
    ("feedback", {"kind": "event_tag", "subject": "a"}, "subject", CELLS),
    ("feedback", {"kind": "event_tag", "subject": "a@x@2024-02-30"}, "subject", CELLS),
    ("feedback", {"kind": "event_tag", "subject": "a@x@2024-02-03..2024-02-01"}, "subject", CELLS),
    ("feedback", {"kind": "override", "subject": "*@x@2024-02-03", "value": "3"}, "subject", CELLS),
    ("feedback", {"kind": "override", "subject": "a@x@2024-02-03", "value": "many"}, "value", UNITS),
    ("feedback", {"kind": "override", "subject": "a@x@2024-02-03", "value": "missing"}, "value", UNITS),
    ("feedback", {"kind": "override", "subject": "a@x@2024-02-03", "value": "-5"}, "value", UNITS),
    ("feedback", {"value": "rubbish"}, "value", OUTCOME),
    ("feedback", {"value": "pending"}, "value", OUTCOME),
    ("feedback", CORRECTION | {"value": "-3"}, "value", QUANTITY),
    ("feedback", CORRECTION | {"subject": "a@x@2024-02-03..2024-02-05"}, "value", QUANTITY),
]


def loaded(tmp_path: Path, table: str, row: dict[str, Any]) -> LoadReport:
    rows = [{key: value for key, value in row.items() if value != ""}]
    # A first row keeps every column there, so that an empty one is a missing value and not a missing column.
    rows = [GOOD[table] | {FREE[table]: "first"}, *rows]
    return load(None, {table: rows}, Warehouse(tmp_path))


FREE = {
    "items": "sku",
    "locations": "location",
    "demand": "sku",
    "plans": "sku",
    "stock": "sku",
    "lots": "sku",
    "supply_orders": "order_id",
    "sourcing": "sku",
    "bill_of_materials": "parent",
    "policies": "selector",
    "feedback": "subject",
}


@pytest.mark.parametrize("table", list(TABLES))
def test_a_good_row_is_taken(tmp_path: Path, table: str) -> None:
    report = loaded(tmp_path, table, GOOD[table])
    assert report.quarantined.empty, report.quarantined
    assert report.accepted == {table: 2}


@pytest.mark.parametrize(
    "change",
    [
        CORRECTION,
        CORRECTION | {"subject": "*@x@2024-02-03..2024-02-05", "value": "missing"},
        CORRECTION | {"kind": "override", "subject": "a@b@x@2024-02-03..2024-02-09", "value": "0.5"},
        {"kind": "event_tag", "subject": "*@*@2024-02-03", "value": "heat wave"},
    ],
)
def test_feedback_about_cells_is_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    assert loaded(tmp_path, "feedback", GOOD["feedback"] | change).accepted == {"feedback": 2}


@pytest.mark.parametrize(("table", "change", "column", "rule"), BROKEN)
def test_a_broken_row_is_named(
    tmp_path: Path, table: str, change: dict[str, Any], column: str, rule: str
) -> None:
    report = loaded(tmp_path, table, GOOD[table] | change)
    assert report.accepted == {table: 1}
    row = report.quarantined.iloc[0]
    assert (row["column"], row["rule"]) == (column, rule)
    assert len(row["remedy"]) > 10


@pytest.mark.parametrize("table", list(TABLES))
def test_every_rule_has_a_remedy_and_every_key_a_column(table: str) -> None:
    contract = TABLES[table]
    assert all(rule.remedy and rule.name == name for (_, name), rule in contract.rules.items())
    assert set(contract.keys) <= set(contract.columns)
    assert contract.partition is None or not contract.unique or contract.partition in contract.keys
    assert contract.recorded is None or contract.recorded in contract.dates
    assert list(contract.schema.columns) == list(contract.columns)


def test_a_policy_of_cost_may_leave_the_costs_to_each_item(tmp_path: Path) -> None:
    row = {"selector": "*", "measure": "cost"}
    assert loaded(tmp_path, "policies", row).accepted == {"policies": 2}


def test_a_lot_size_of_zero_means_any_quantity(tmp_path: Path) -> None:
    loaded(tmp_path, "sourcing", GOOD["sourcing"])
    assert Warehouse(tmp_path).read("sourcing")["lot_size"].isna().all()
