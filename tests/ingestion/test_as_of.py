"""Nothing recorded after the as-of period is given out, whatever table it stands in."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.contracts import TABLES
from ingestion.errors import Problem
from ingestion.loading import load
from ingestion.warehouse import Warehouse

AS_OF = pd.Timestamp("2024-01-10")


def tables() -> dict[str, pd.DataFrame]:
    dates = pd.date_range("2024-01-01", "2024-01-10")
    return {
        "items": pd.DataFrame({"sku": ["a", "b"], "colour": ["red", "blue"]}),
        "demand": pd.DataFrame({"sku": "a", "location": "x", "date": dates, "quantity": 2.0, "heat": 1.0}),
        "stock": pd.DataFrame({"sku": ["a"], "location": "x", "as_of": AS_OF, "on_hand": 4}),
        "lots": pd.DataFrame(
            {
                "sku": "a",
                "location": "x",
                "as_of": [AS_OF],
                "lot": "1",
                "quantity": 4,
                "expires_on": dates[-1],
            }
        ),
        "plans": pd.DataFrame({"date": [dates[-1]], "promotion": 0.2, "known_from": [dates[0]]}),
        "supply_orders": pd.DataFrame(
            {
                "order_id": ["1", "2"],
                "sku": "a",
                "location": "x",
                "supplier": "s",
                "quantity": 9,
                "ordered_on": pd.to_datetime(["2024-01-02", "2024-01-03"]),
                "received_on": pd.to_datetime(["2024-01-08", None]),
                "received_quantity": [9, None],
            }
        ),
        "feedback": pd.DataFrame(
            {"kind": "verdict", "subject": "a", "value": "false", "author": "q", "at": [dates[-1]]}
        ),
    }


def poison(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The same with what nobody could know on the as-of date."""
    later = pd.date_range("2024-01-11", periods=3)
    said = dict(tables)
    more = pd.DataFrame(
        {"sku": "a", "location": "x", "date": later, "quantity": 1e6, "heat": 9.0, "new": 7.0}
    )
    said["demand"] = pd.concat([tables["demand"], more])
    said["stock"] = pd.concat([tables["stock"], tables["stock"].assign(as_of=later[0], on_hand=1e6)])
    said["lots"] = pd.concat([tables["lots"], tables["lots"].assign(as_of=later[0], quantity=1e6)])
    said["plans"] = pd.concat([tables["plans"], tables["plans"].assign(known_from=later[0], promotion=1.0)])
    orders = tables["supply_orders"]
    orders = orders.assign(received_on=orders["received_on"].fillna(later[1]))
    orders["received_quantity"] = orders["received_quantity"].fillna(1)
    again = orders.iloc[[1]].assign(received_on=later[2], received_quantity=8)
    new = orders.iloc[[0]].assign(order_id="3", ordered_on=later[0], received_on=later[1])
    said["supply_orders"] = pd.concat([orders, again, new])
    said["feedback"] = pd.concat([tables["feedback"], tables["feedback"].assign(at=later[0], value="hit")])
    return said


def warehouse_of(root: Path, said: dict[str, pd.DataFrame], period: str = "day") -> Warehouse:
    folder = root / "tables"
    folder.mkdir(parents=True)
    for name, table in said.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    warehouse = Warehouse(root / "workspace")
    report = load(folder, {"workspace": {"period": period}}, warehouse)
    assert report.quarantined.empty, report.quarantined
    return warehouse


def test_poison_after_the_date_changes_nothing(tmp_path: Path) -> None:
    clean, poisoned = warehouse_of(tmp_path / "a", tables()), warehouse_of(tmp_path / "b", poison(tables()))
    assert clean.digest() != poisoned.digest()
    assert clean.digest(AS_OF) == poisoned.digest(AS_OF)
    for table in TABLES:
        pd.testing.assert_frame_equal(clean.read(table, AS_OF), poisoned.read(table, AS_OF))


def test_the_cut_is_at_the_end_of_the_period(tmp_path: Path) -> None:
    warehouse = warehouse_of(tmp_path, poison(tables()), period="week")
    # Wednesday's week runs from Monday the 8th to Sunday the 14th.
    assert warehouse.read("demand", pd.Timestamp("2024-01-10"))["date"].max() == pd.Timestamp("2024-01-13")
    assert warehouse.read("demand", pd.Timestamp("2024-01-03"))["date"].max() == pd.Timestamp("2024-01-07")


def test_later_receipts_leave_one_open_row_per_line(tmp_path: Path) -> None:
    orders = warehouse_of(tmp_path, poison(tables())).read("supply_orders", AS_OF)
    assert orders["order_id"].tolist() == ["1", "2"]
    assert orders["received_on"].isna().tolist() == [False, True]
    assert orders["received_quantity"].isna().tolist() == [False, True]


def test_every_contract_column_comes_with_its_dtype(tmp_path: Path) -> None:
    warehouse = warehouse_of(tmp_path, tables())
    for table, contract in TABLES.items():
        frame = warehouse.read(table)
        assert list(frame.columns[: len(contract.columns)]) == list(contract.columns)
        assert {name: str(frame[name].dtype) for name in contract.columns} == contract.dtypes
        keys = list(contract.keys)
        pd.testing.assert_frame_equal(frame, frame.sort_values(keys, kind="stable"), check_like=False)
    assert warehouse.read("items")["colour"].tolist() == ["red", "blue"]
    assert warehouse.read("demand")["heat"].tolist() == [1.0] * 10


def test_columns_can_be_chosen_and_must_exist(tmp_path: Path) -> None:
    warehouse = warehouse_of(tmp_path, tables())
    assert list(warehouse.read("demand", AS_OF, ["date", "quantity"]).columns) == ["date", "quantity"]
    assert list(warehouse.read("supply_orders", AS_OF, ["quantity"]).columns) == ["quantity"]
    with pytest.raises(Problem, match="no column 'colour'"):
        warehouse.read("demand", columns=["colour"])
    with pytest.raises(Problem, match="no table"):
        warehouse.read("sales")


def test_dates_and_period_of_demand(tmp_path: Path) -> None:
    warehouse = warehouse_of(tmp_path, tables())
    assert (warehouse.first_date(), warehouse.last_date()) == (pd.Timestamp("2024-01-01"), AS_OF)
    with pytest.raises(Problem, match="holds no demand"):
        Warehouse(tmp_path / "nothing").last_date()


def test_batches_are_the_whole(tmp_path: Path) -> None:
    said = tables()
    said["demand"] = said["demand"].assign(date=pd.date_range("2023-12-27", periods=10))
    warehouse = warehouse_of(tmp_path, said)
    parts = list(warehouse.batches("demand"))
    assert [len(part) for part in parts] == [5, 5]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), warehouse.read("demand"))


rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "ü", "商"]),
        st.sampled_from(["x", "y"]),
        st.dates(min_value=pd.Timestamp("2020-01-01").date(), max_value=pd.Timestamp("2022-12-31").date()),
        st.floats(0, 1e9, allow_nan=False).map(lambda v: round(v, 3)),
        st.one_of(st.none(), st.floats(0, 1)),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:3],
)


@settings(max_examples=8, deadline=None)
@given(rows=rows, suffix=st.sampled_from(["csv", "parquet", "xlsx"]))
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple], suffix: str
) -> None:
    table = pd.DataFrame(rows, columns=["sku", "location", "date", "quantity", "in_stock"])
    table["in_stock"] = table["in_stock"].astype("float64")
    folder = tmp_path_factory.mktemp("trip")
    {
        "csv": lambda: table.to_csv(folder / "demand.csv", index=False),
        "parquet": lambda: table.to_parquet(folder / "demand.parquet", index=False),
        "xlsx": lambda: table.to_excel(folder / "demand.xlsx", index=False),
    }[suffix]()
    warehouse = Warehouse(folder / "workspace")
    load(folder, {}, warehouse)
    wanted = table.assign(date=pd.to_datetime(table["date"]).astype("datetime64[ns]"))
    wanted = wanted.sort_values(["sku", "location", "date"], ignore_index=True)
    got = warehouse.read("demand")[list(table.columns)]
    assert got[["sku", "location", "date"]].equals(wanted[["sku", "location", "date"]])
    np.testing.assert_allclose(got["quantity"], wanted["quantity"], rtol=1e-15)
    np.testing.assert_allclose(got["in_stock"], wanted["in_stock"], rtol=1e-12)
