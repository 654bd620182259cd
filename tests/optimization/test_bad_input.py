"""Bad input, from files to orders: a clear word or a stated fallback, and no series lost on the way."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.contracts import TABLES
from ingestion.loading import load
from ingestion.periods import Period
from ingestion.warehouse import Warehouse
from optimization.lead_time import learn_lead_times
from optimization.lots import lots_on_shelf
from optimization.overstock import expected_waste, overstock_outlook
from optimization.planning import recommend_orders
from optimization.position import expect_arrivals, on_shelf
from optimization.risk import stockout_risk
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

DAY, DAYS = Period("day"), 40
AS_OF = pd.Timestamp("2024-03-31")
SKUS = ["tea", "rice", "salt"]


def tables(**changed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Three items, sold four a day, five on the shelf, from a supplier that takes six days."""
    dates = pd.date_range(end=AS_OF, periods=30)
    keys = pd.DataFrame({"sku": SKUS, "location": "shop"})
    demand = keys.merge(pd.DataFrame({"date": dates}), how="cross").assign(quantity=4.0)
    sourcing = keys.assign(supplier="maker", unit_cost=2.0, lead_time_days=6.0, lead_time_sd_days=0.0)
    stock = keys.assign(as_of=AS_OF, on_hand=5.0)
    plain = {"demand": demand, "sourcing": sourcing, "stock": stock}
    return plain | {"policies": pd.DataFrame({"selector": ["*"], **RULE, "target": [0.9]})} | changed


RULE = {"measure": "cycle_service", "unmet": "lost"}


@pytest.fixture
def decide(tmp_path: Path):
    """Loads tables and takes the whole way: report of the load, and what each stage says of all series."""

    def build(given: dict[str, pd.DataFrame]):
        for name, frame in given.items():
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
        warehouse = Warehouse(tmp_path / "warehouse")
        report = load(tmp_path, {"workspace": {"period": "day"}}, warehouse)
        read = {name: warehouse.read(name, AS_OF) for name in TABLES}
        keys = pd.DataFrame({"sku": SKUS, "location": "shop"})
        sums = np.tile(4.0 * np.arange(1, DAYS + 1), (len(keys), 1))
        rows = poisson(sums[:, :, None]).ppf(LEVELS).astype(np.float32)
        demand = CumulativeDemand(keys, AS_OF, DAY, rows, sums.astype(np.float32), LEVELS)
        supply = supply_terms(keys, read, DAY, AS_OF)
        orders = read["supply_orders"]
        lead_times = learn_lead_times(orders, supply, DAY, AS_OF)
        targets = set_targets(supply, read["policies"], DAY)
        terms = demand, supply, lead_times, targets
        levels = derive_thresholds(*terms)
        position = on_shelf(keys, read["stock"], read["demand"], orders, DAY, AS_OF)
        inbound = expect_arrivals(orders, read["sourcing"], DAY, AS_OF, DAYS)
        now = {"position": position, "inbound": inbound}
        life = supply["shelf_life_days"].to_numpy(dtype=float)
        lots = lots_on_shelf(position, life, read["lots"], orders, DAY, AS_OF)
        outlook = overstock_outlook(demand, supply, targets, position=position, lots=lots)
        risk = stockout_risk(*terms, steps=np.array([7]), **now)
        within = lead_times.typical + supply["review_periods"].to_numpy(dtype=np.int64)
        waste = expected_waste(demand, supply, position=position, lots=lots, within=within)
        plan = recommend_orders(*terms, thresholds=levels, expiring=waste, **now)
        for frame in (levels, risk, outlook):
            assert frame["sku"].tolist() == SKUS, "no series is lost"
        assert np.isfinite(levels[["reorder_point", "order_up_to", "safety_stock"]]).all(axis=None)
        return report, levels.set_index("sku"), risk.set_index("sku"), plan.set_index("sku"), inbound

    return build


def words(report) -> list[str]:
    return [f"{row.column} {row.rule}: {row.remedy}" for row in report.quarantined.itertuples()]


def test_plain_tables_are_planned(decide):
    report, levels, risk, plan, _ = decide(tables())
    assert report.quarantined.empty
    assert levels["reorder_point"].tolist() == [poisson(28).ppf(0.9)] * 3
    assert plan.index.tolist() == SKUS
    assert (risk["stockout_probability"] > 0.99).all()


def test_no_lead_time_anywhere_is_the_default_and_says_so(decide):
    """14 days on average, and nobody knows how many exactly."""
    sourcing = tables()["sourcing"].drop(columns=["lead_time_days", "lead_time_sd_days"])
    _, levels, _, plan, _ = decide(tables(sourcing=sourcing))
    assert (levels["lead_time_source"] == "default").all()
    assert levels["lead_time_mean"].between(14, 15).all()
    assert (levels["from_lead_time"] > 0).all()
    assert levels["explanation"].str.contains("of lead time by default").all()
    assert levels["explanation_zh"].str.contains("依据默认值").all()
    assert plan.index.tolist() == SKUS


def test_no_source_at_all_is_planned_from_the_default(decide):
    _, levels, _, plan, _ = decide({name: t for name, t in tables().items() if name != "sourcing"})
    assert (levels["lead_time_source"] == "default").all()
    assert plan.index.tolist() == SKUS
    assert (plan["supplier"].fillna("") == "").all()
    assert plan["cost"].isna().all()


def test_a_zero_lot_is_no_lot_and_a_negative_one_is_set_aside(decide):
    sourcing = tables()["sourcing"].assign(lot_size=[0.0, -6.0, 10.0], moq=0.0)
    report, levels, _, plan, _ = decide(tables(sourcing=sourcing))
    assert words(report) == ["lot_size must be above 0: correct the number"]
    assert plan.index.tolist() == SKUS
    assert plan.loc["tea", "quantity"] == levels.loc["tea", "reorder_point"] - 5
    assert plan.loc["salt", "quantity"] % 10 == 0
    # The row of rice is in quarantine, so rice has no source: planned all the same, from the default.
    assert levels.loc["rice", "lead_time_source"] in ("default", "receipts of all suppliers")


def test_negative_stock_is_set_aside_with_the_remedy(decide):
    """Rice is not counted then: levels, but neither risk nor orders are told."""
    stock = tables()["stock"].assign(on_hand=[5.0, -3.0, 500.0])
    report, _, risk, plan, _ = decide(tables(stock=stock))
    assert words(report) == ["on_hand must be at least 0: count again: a shelf cannot hold less than nothing"]
    assert risk["stockout_probability"].isna().tolist() == [False, True, False]
    assert plan.index.tolist() == ["tea"]


def test_a_negative_count_from_elsewhere_is_owed_and_ordered():
    """Frames that did not pass a load: three units owed are ordered beside the level."""
    keys = pd.DataFrame({"sku": ["tea"], "location": ["shop"]})
    stock = keys.assign(as_of=AS_OF, on_hand=-3.0)
    sold = keys.assign(date=AS_OF, quantity=1.0)
    none = pd.DataFrame(columns=["sku", "location", "supplier", "quantity", "ordered_on", "received_on"])
    found = on_shelf(keys, stock, sold, none, DAY, AS_OF)
    assert found["on_hand"].tolist() == [-3.0]
    assert lots_on_shelf(found, np.array([5.0]), none, none, DAY, AS_OF).empty


@pytest.mark.parametrize("target", [0.0, 1.0, 95.0])
def test_impossible_targets_are_set_aside_and_the_default_holds(decide, target):
    policies = pd.DataFrame({"selector": ["*", "rice"], **RULE, "target": [0.9, target]})
    report, levels, *_ = decide(tables(policies=policies))
    (word,) = words(report)
    assert word.startswith("target must be ")
    assert "write 95% as 0.95" in word
    assert levels["target"].tolist() == [0.9] * 3


def test_lots_that_do_not_add_up_to_the_count_or_are_over_long_ago(decide):
    """Of 50 units in lots 5 are counted, the last to expire; rice is over, and ordered again in full."""
    lots = pd.DataFrame(
        {"sku": ["tea", "tea", "rice"], "location": "shop", "as_of": AS_OF, "lot": ["a", "b", "c"]}
    )
    days = pd.to_timedelta([2, 30, -9], unit="D")
    lots = lots.assign(quantity=[30.0, 20.0, 5.0], expires_on=AS_OF + days)
    report, levels, _, plan, _ = decide(tables(lots=lots))
    assert report.quarantined.empty
    assert plan["expiring"].tolist() == [0, 5, 0]
    assert plan.loc["rice", "quantity"] == levels.loc["rice", "reorder_point"]
    assert plan.loc["tea", "quantity"] == levels.loc["tea", "reorder_point"] - 5
    assert "− 5 expiring" in plan.loc["rice", "reason"]


def orders(*rows: tuple[str, int, int | None, int | None], **more) -> pd.DataFrame:
    """Supplier, and days before the as-of date on which an order was placed, received and promised for."""
    table = pd.DataFrame(rows, columns=["supplier", "ordered_on", "received_on", "promised_on"])
    for name in ("ordered_on", "received_on", "promised_on"):
        table[name] = AS_OF - pd.to_timedelta(table[name].astype(float), unit="D")
    plain = {"order_id": [f"o{k}" for k in range(len(table))], "sku": "tea", "location": "shop"}
    return table.assign(**plain, quantity=40.0, **more)


def test_an_unknown_supplier_is_learned_from_all_and_what_it_owes_is_counted(decide):
    """Receipts are of another supplier; the open order comes from one that sourcing does not know."""
    history = [("other", 60 + k, 50 + k, None) for k in range(30)]
    sourcing = tables()["sourcing"].drop(columns=["lead_time_days", "lead_time_sd_days"])
    sourcing = sourcing.assign(supplier="nobody knows")
    _, levels, _, plan, inbound = decide(
        tables(sourcing=sourcing, supply_orders=orders(*history, ("stranger", 8, None, None)))
    )
    assert (levels["lead_time_source"] == "receipts of all suppliers").all()
    assert levels["lead_time_q50"].between(9, 11).all()
    assert inbound.orders["supplier"].tolist() == ["stranger"]
    assert inbound.arrival[0, :6].sum() > 0.8
    assert plan.loc["tea", "inbound"] == 40
    assert plan.loc["rice", "inbound"] == 0


def test_an_order_promised_before_it_was_placed_has_no_promise(decide):
    """It comes when its supplier usually comes, is not overdue, and the check of the data names it."""
    history = [("maker", 60 + k, 54 + k, None) for k in range(30)]
    wrong = orders(*history, ("maker", 2, None, 30))
    plain = orders(*history, ("maker", 2, None, None))
    report, levels, _, _, inbound = decide(tables(supply_orders=wrong))
    _, expected, _, _, without = decide(tables(supply_orders=plain))
    assert report.quarantined.empty
    assert "1 orders are promised before they were placed" in [f.message for f in _findings(report)]
    np.testing.assert_array_equal(inbound.arrival, without.arrival)
    assert inbound.orders["overdue"].tolist() == [False]
    assert inbound.orders["promised_on"].isna().all()
    pd.testing.assert_frame_equal(levels, expected)


def _findings(report) -> list:
    return list(report.health.findings.itertuples())
