"""Sources: what is stale is blind where nothing fresh tells of it, and figures that disagree are counted."""

from pathlib import Path

import pandas as pd
import pytest

from ingestion.contracts import TABLES
from ingestion.loading import load
from ingestion.warehouse import Warehouse
from serving.sources import blind_positions, source_facts

DAYS = pd.date_range("2024-01-01", periods=60)
AS_OF = DAYS[-1]


def sales(location: str, days: pd.DatetimeIndex = DAYS, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"sku": "a", "location": location, "date": days, "quantity": 2.0}).assign(**more)


def counts(location: str, *as_of: pd.Timestamp, on_hand: float = 50.0) -> pd.DataFrame:
    return pd.DataFrame({"sku": "a", "location": location, "as_of": as_of, "on_hand": on_hand})


@pytest.fixture
def warehouse(tmp_path: Path):
    def make(**sources: pd.DataFrame) -> Warehouse:
        folder = tmp_path / "in"
        folder.mkdir()
        config = {}
        for name, frame in sources.items():
            frame.to_csv(folder / f"{name}.csv", index=False)
            config[name] = {"table": name.partition("-")[0], "path": f"{name}.csv"}
        found = Warehouse(tmp_path / "warehouse")
        report = load(folder, {"sources": config}, found)
        assert not len(report.quarantined)
        return found

    return make


def facts_of(warehouse: Warehouse) -> pd.DataFrame:
    tables = {name: warehouse.read(name, AS_OF) for name in TABLES}
    return source_facts(warehouse, tables, warehouse.period, AS_OF).set_index("source")


def blind(warehouse: Warehouse, *locations: str) -> list[str | None]:
    keys = pd.DataFrame({"sku": "a", "location": locations})
    found = blind_positions(warehouse, facts_of(warehouse).reset_index(), keys, AS_OF)
    return [None if pd.isna(name) else str(name) for name in found["stale_source"]]


def test_only_what_rests_on_the_stale_source_is_blind(warehouse):
    found = warehouse(
        **{
            "demand-north": sales("n"),
            "demand-south": sales("s", DAYS[:-10]),
            "stock": pd.concat([counts("n", AS_OF), counts("s", AS_OF)]),
        }
    )
    facts = facts_of(found)
    assert facts["stale"].to_dict() == {"demand-north": False, "demand-south": True, "stock": False}
    assert facts.loc["demand-south", ["behind_days", "positions"]].tolist() == [10, 1]
    assert facts["positions"].to_dict() == {"demand-north": 1, "demand-south": 1, "stock": 2}
    assert blind(found, "n", "s", "t") == [None, "demand-south", None]


def test_what_a_fresh_source_tells_of_too_is_not_blind(warehouse):
    found = warehouse(
        **{
            "demand-old": sales("s", DAYS[:-10]),
            "demand-new": sales("s", DAYS[-9:]),
            "stock": counts("s", AS_OF),
        }
    )
    assert facts_of(found)["stale"].to_dict()["demand-old"]
    assert blind(found, "s") == [None]


def test_old_counts_blind_what_they_count(warehouse):
    found = warehouse(
        **{"demand": sales("s"), "stock-a": counts("s", DAYS[-20]), "stock-b": counts("t", AS_OF)}
    )
    assert blind(found, "s", "t") == ["stock-a", None]


def test_nothing_is_blind_where_all_is_fresh(warehouse):
    assert blind(warehouse(demand=sales("s"), stock=counts("s", AS_OF)), "s") == [None]


def test_counts_that_do_not_fit_are_counted_per_source_with_the_worst_told(warehouse):
    orders = pd.DataFrame(
        {
            "order_id": ["1"],
            "sku": "a",
            "location": "n",
            "supplier": "x",
            "quantity": 9.0,
            "ordered_on": [DAYS[0]],
            "received_on": [DAYS[5]],
        }
    )
    # Between the counts of n and s 20 were sold and nothing came: 50 → 30 fits, 50 → 70 does not.
    right = pd.concat([counts("n", DAYS[-11]), counts("n", AS_OF, on_hand=30.0)])
    wrong = pd.concat([counts("s", DAYS[-11]), counts("s", AS_OF, on_hand=70.0)])
    found = warehouse(
        **{
            "demand": pd.concat([sales("n"), sales("s")]),
            "stock-right": right,
            "stock-wrong": wrong,
            "supply_orders": orders,
        }
    )
    facts = facts_of(found)
    assert facts["contradictions"].to_dict() == {"demand": 0, "stock-right": 0, "stock-wrong": 1}
    assert facts.loc["stock-wrong", "details"] == (
        f"The largest: a at s, counted 70 on {AS_OF:%Y-%m-%d}, +40 against opening + in − out."
    )


def test_sales_from_an_empty_shelf_are_counted_while_they_are_recent(warehouse):
    odd = sales("s", in_stock=1.0)
    odd.loc[[3, 55], "in_stock"] = 0.0
    facts = facts_of(
        warehouse(**{"demand-odd": odd, "demand-old": sales("t").assign(in_stock=[0.0] * 20 + [1.0] * 40)})
    )
    assert facts["contradictions"].to_dict() == {"demand-odd": 1, "demand-old": 0}
    assert "a at s on 2024-02-25" in facts.loc["demand-odd", "details"]


def test_what_comes_later_does_not_make_a_source_fresh(warehouse):
    """On the day of judgement the south had sent nothing for ten days, whatever it sent afterwards."""
    late = DAYS[-1] + pd.Timedelta(days=5)
    silent = DAYS[:-15].append(pd.DatetimeIndex([late]))
    found = warehouse(**{"demand-north": sales("n"), "demand-south": sales("s", silent)})
    facts = facts_of(found)
    assert facts["stale"].to_dict() == {"demand-north": False, "demand-south": True}
    assert facts.loc["demand-south", "behind_days"] == 15
