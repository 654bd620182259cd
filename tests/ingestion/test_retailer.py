"""The simulated retailer: what its tables say agrees with its truth, and its oddities are there."""

import time

import numpy as np
import pandas as pd
import pytest

from ingestion.contracts import TABLES
from ingestion.errors import Problem
from ingestion.retailer import Retailer, simulate
from ingestion.retailer_catalogue import SUPPLIERS
from ingestion.retailer_demand import redraw
from ingestion.retailer_supply import Troubles

KEY = ["sku", "location"]


@pytest.fixture(scope="module")
def retailer() -> Retailer:
    return simulate()


@pytest.fixture(scope="module")
def observed(retailer: Retailer) -> pd.DataFrame:
    """Sales beside true demand, supplier and kind."""
    truth = retailer.truth.demand.rename(columns={"quantity": "wanted"})
    return retailer.tables["demand"].merge(truth, on=[*KEY, "date"]).merge(retailer.truth.keys, on=KEY)


def received(retailer: Retailer) -> pd.DataFrame:
    orders = retailer.tables["supply_orders"]
    first = orders[orders["received_on"].notna()].drop_duplicates("order_id")
    return first.assign(lead=(first["received_on"] - first["ordered_on"]).dt.days)


def test_default_size_is_simulated_within_five_seconds():
    began = time.perf_counter()
    tables = simulate(seed=1).tables
    assert time.perf_counter() - began < 5
    assert len(tables["items"]) == 200
    assert len(tables["locations"]) == 3
    assert tables["demand"]["date"].nunique() == 730


def test_the_seed_alone_decides():
    one, same, other = (simulate(seed=s, items=20, days=200) for s in (3, 3, 4))
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, same.tables[name])
    np.testing.assert_array_equal(one.truth.quantity, same.truth.quantity)
    assert not one.tables["demand"].equals(other.tables["demand"])


@pytest.mark.parametrize(
    "name", ["items", "locations", "demand", "plans", "stock", "supply_orders", "sourcing"]
)
def test_tables_keep_their_contracts(retailer, name):
    table, contract = retailer.tables[name], TABLES[name]
    fields = {field.name for field in contract.fields}
    assert set(table.columns) - fields <= ({"temperature"} if name == "demand" else set())
    assert {f.name for f in contract.fields if f.required} <= set(table.columns)
    keys = [k for k in contract.keys if k in table]
    assert not table.duplicated(keys).any()
    for reference in set(KEY) & set(keys):
        parent = retailer.tables["items" if reference == "sku" else "locations"][reference]
        assert table[reference].dropna().isin(parent).all()


def test_empty_shelves_hide_demand(observed):
    assert (observed["quantity"] <= observed["wanted"]).all()
    whole = observed[observed["in_stock"] == 1]
    assert (whole["quantity"] == whole["wanted"]).all()
    assert (observed.loc[observed["in_stock"] == 0, "quantity"] == 0).all()
    assert 0.03 <= (observed["in_stock"] < 1).mean() <= 0.08
    # What was sold is less than what was wanted, by more than a forecaster could ignore.
    assert 0.85 < observed["quantity"].sum() / observed["wanted"].sum() < 0.97


def test_stock_reconciles_with_sales_and_receipts(retailer):
    stock, sales, orders = (retailer.tables[t] for t in ("stock", "demand", "supply_orders"))
    flow = pd.concat(
        [
            sales.assign(units=-sales["quantity"])[[*KEY, "date", "units"]],
            orders.dropna(subset="received_on").rename(
                columns={"received_on": "date", "received_quantity": "units"}
            )[[*KEY, "date", "units"]],
        ]
    )
    daily = flow.pivot_table(index=KEY, columns="date", values="units", aggfunc="sum", fill_value=0.0)
    running = daily.cumsum(axis=1).reset_index().melt(KEY, var_name="date", value_name="moved")
    counted = stock.sort_values("as_of").merge(
        running.astype({"date": stock["as_of"].dtype}),
        left_on=[*KEY, "as_of"],
        right_on=[*KEY, "date"],
        how="left",
    )
    counted["moved"] = counted["moved"].fillna(0.0)
    step = counted.groupby(KEY)[["on_hand", "moved"]].diff().dropna()
    np.testing.assert_allclose(step["on_hand"], step["moved"])
    assert counted["as_of"].max() == retailer.last_day
    assert (stock["on_hand"] >= 0).all()


def test_receipts_follow_each_suppliers_true_lead_times(retailer):
    orders = received(retailer)
    orders = orders[orders["ordered_on"] < retailer.last_day - pd.Timedelta(days=60)]  # all of them arrived
    for supplier in SUPPLIERS:
        lead = orders.loc[orders["supplier"] == supplier.name, "lead"].to_numpy()
        share = np.bincount(lead, minlength=len(supplier.pmf)) / len(lead)
        assert np.abs(share.cumsum() - supplier.pmf.cumsum()).max() < 1.95 / np.sqrt(len(lead))
        np.testing.assert_allclose(retailer.truth.pmf(supplier.name), supplier.pmf)


def test_suppliers_differ_in_kind():
    by_kind = {s.kind: [] for s in SUPPLIERS}
    for s in SUPPLIERS:
        days = np.arange(len(s.pmf))
        mean = days @ s.pmf
        by_kind[s.kind].append((s, mean, np.sqrt((days - mean) ** 2 @ s.pmf)))
    assert all(sd < 0.3 for _, _, sd in by_kind["steady"])
    assert all(mean > s.contract + 2 for s, mean, _ in by_kind["late"])
    for s, mean, sd in by_kind["skewed"]:
        assert ((np.arange(len(s.pmf)) - mean) ** 3 @ s.pmf) / sd**3 > 0.9
    for s, mean, _ in by_kind["bimodal"]:
        assert s.pmf[round(mean)] < 0.06 < s.pmf.max()  # the mean is a day on which hardly anything comes


def test_orders_cross_arrive_in_parts_and_stay_open(retailer):
    orders = retailer.tables["supply_orders"]
    lines = received(retailer).sort_values("ordered_on")
    assert (lines.groupby(KEY)["received_on"].diff() < pd.Timedelta(0)).sum() > 100
    parts = orders[orders.duplicated("order_id", keep=False)]
    came = parts.groupby("order_id")[["received_quantity", "quantity"]].agg(
        {"received_quantity": "sum", "quantity": "max"}
    )
    closed = parts.groupby("order_id")["received_on"].count() == 2
    assert closed.sum() > 100
    assert (came["received_quantity"] == came["quantity"])[closed].all()
    pending = orders[orders["received_on"].isna()]
    assert pending["received_quantity"].isna().all()
    assert not pending.duplicated("order_id").any()
    assert (pending["ordered_on"] > retailer.last_day - pd.Timedelta(days=45)).all()
    assert len(pending) > 100
    assert (orders["received_on"].dropna() <= retailer.last_day).all()
    assert (orders["ordered_on"] <= retailer.last_day).all()


def test_orders_keep_to_lots_and_minimum(retailer):
    orders = retailer.tables["supply_orders"].merge(retailer.tables["sourcing"], on=[*KEY, "supplier"])
    assert (orders["quantity"] >= orders["moq"]).all()
    assert (((orders["quantity"] - orders["moq"]) % orders["lot_size"]) == 0).all()
    promise = (orders["promised_on"] - orders["ordered_on"]).dt.days
    assert (promise == orders["lead_time_days"]).all()


def test_promotions_are_announced_ahead_and_reach_into_the_future(retailer, observed):
    plans = retailer.tables["plans"]
    assert (plans["known_from"] <= plans["start"] - pd.Timedelta(days=35)).all()
    assert (plans["known_from"] <= retailer.last_day).all()
    assert ((plans["start"] > retailer.last_day) & plans["promotion"].notna()).sum() > 10
    assert len(retailer.truth.plans) > len(plans)  # some are not announced yet
    promotions = plans[plans["promotion"].notna()].sort_values("start")
    days = observed.sort_values("date")
    told = pd.merge_asof(
        days, promotions[["sku", "start", "end", "promotion"]], left_on="date", right_on="start", by="sku"
    )
    planned = np.where(told["date"] <= told["end"], told["promotion_y"], 0.0)
    np.testing.assert_allclose(told["promotion_x"], planned)


def test_promotions_lift_demand_and_leave_a_dip(observed):
    days = observed.sort_values([*KEY, "date"])
    before = days.groupby(KEY)["promotion"].shift(1)
    after = (days["promotion"] == 0) & (before > 0)
    plain = days.groupby(KEY)["expected"].transform("median")
    lift = (days["expected"] / plain)[plain > 0]
    deep, none = days["promotion"] >= 0.3, days["promotion"] == 0
    assert lift[deep].median() > 1.8 * lift[none].median()
    assert lift[after].median() < 0.95 * lift[none].median()


def test_demand_scatters_around_its_expectation_with_memory_and_overdispersion(retailer):
    truth = retailer.truth
    steady = (truth.expected > 3).all(axis=1)
    assert truth.quantity.sum() / truth.expected.sum() == pytest.approx(1, abs=0.03)
    error = (truth.quantity - truth.expected)[steady]
    scaled = error / np.sqrt(truth.expected[steady])
    assert scaled.var() > 1.3  # a Poisson has 1
    lag = (scaled[:, 1:] * scaled[:, :-1]).mean() / scaled.var()
    assert lag > 0.05


def test_season_weekday_and_festivals_move_demand(retailer):
    truth, dates = retailer.truth, retailer.truth.dates
    kinds = truth.keys["category"].to_numpy()
    ice = truth.expected[kinds == "ice cream"].sum(axis=0)
    assert ice[dates.month == 7].mean() > 3 * ice[dates.month == 1].mean()
    snacks = truth.expected[kinds == "snacks"].sum(axis=0)
    eve = (dates >= "2024-02-03") & (dates < "2024-02-10")
    month_before = (dates >= "2024-01-01") & (dates < "2024-01-20")
    assert snacks[eve].mean() > 1.5 * snacks[month_before].mean()
    total = truth.expected.sum(axis=0)
    assert total[dates.day_of_week == 5].mean() > 1.1 * total[dates.day_of_week == 1].mean()


def test_volumes_reach_from_fast_to_intermittent(retailer):
    truth = retailer.truth
    kinds = truth.keys["kind"].to_numpy()
    mean = {kind: truth.quantity[kinds == kind].mean() for kind in ("fast", "medium", "slow", "intermittent")}
    assert mean["fast"] > 3 * mean["medium"] > 9 * mean["slow"] > 27 * mean["intermittent"] > 0
    assert (truth.quantity[kinds == "intermittent"] == 0).mean() > 0.85


def test_items_come_and_go(retailer):
    items, demand = retailer.tables["items"], retailer.tables["demand"]
    span = demand.groupby("sku")["date"].agg(["min", "max"]).join(items.set_index("sku"))
    late = span["launched_on"] > demand["date"].min()
    assert late.sum() >= 10
    assert (span["min"] == span["launched_on"])[late].all()
    gone = span["lifecycle"] == "discontinued"
    assert (span["max"] < retailer.last_day).eq(gone).all()
    assert gone.sum() >= 5
    heirs = items.dropna(subset="replaces")
    assert len(heirs) >= 5
    old = span.loc[heirs["replaces"]]
    assert (old["lifecycle"] == "discontinued").all()
    assert (old["category"].to_numpy() == heirs["category"].to_numpy()).all()
    assert (items["lifecycle"] == "phase_out").sum() >= 5


def test_truth_has_every_day_of_history_and_future(retailer):
    truth = retailer.truth
    assert truth.quantity.shape == truth.expected.shape == (600, 820)
    assert truth.dates[729] == retailer.last_day
    assert truth.quantity[:, 730:].sum() > 0
    assert len(truth.demand) == 600 * 820


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_write_keeps_the_truth_apart(tmp_path, suffix):
    small = simulate(items=5, stores=1, days=60)
    small.write(tmp_path / "tables", suffix)
    assert {p.name for p in (tmp_path / "tables").iterdir()} == {f"{t}.{suffix}" for t in small.tables}
    assert set(small.tables) <= set(TABLES)
    small.write(tmp_path / "tables", suffix, truth=tmp_path / "truth")
    assert (tmp_path / "truth" / f"lead_times.{suffix}").exists()
    read = pd.read_csv if suffix == "csv" else pd.read_parquet
    back = read(tmp_path / "tables" / f"demand.{suffix}")
    assert back["quantity"].tolist() == small.tables["demand"]["quantity"].tolist()


@pytest.mark.parametrize("size", [{"items": 1, "stores": 1, "days": 30, "future_days": 0}, {"items": 3}])
def test_small_retailers_are_whole(size):
    small = simulate(**size)
    assert len(small.tables["stock"]) > 0
    assert (small.tables["demand"]["quantity"] >= 0).all()


def test_troubles_stop_and_slow_orders_and_leave_demand_alone():
    size = {"seed": 2, "items": 10, "stores": 1, "days": 200}
    plain = simulate(**size)
    forgotten, slower = np.zeros((10, 200), dtype=bool), np.zeros((10, 200), dtype=int)
    none = simulate(**size, troubles=Troubles(forgotten, slower))
    pd.testing.assert_frame_equal(none.tables["supply_orders"], plain.tables["supply_orders"])
    forgotten[:, 100:140], slower[:, 150:160] = True, 30
    troubled = simulate(**size, troubles=Troubles(forgotten, slower))
    np.testing.assert_array_equal(troubled.truth.quantity, plain.truth.quantity)
    first = plain.truth.dates[0]
    orders = received(troubled).assign(day=lambda table: (table["ordered_on"] - first).dt.days - 1)
    assert not orders["day"].between(100, 139).any()
    assert len(orders[orders["day"].between(150, 159)]) > 0
    assert orders.loc[orders["day"].between(150, 159), "lead"].min() >= 32
    assert orders.loc[orders["day"] < 100, "lead"].max() < 32


@pytest.mark.parametrize(
    ("size", "words"),
    [({"items": 0}, "items"), ({"days": 7}, "days"), ({"start": "2031-01-01"}, "calendar")],
)
def test_senseless_sizes_are_refused(size, words):
    with pytest.raises(Problem, match=words):
        simulate(**size)


def test_what_might_have_been_wanted_has_the_expected_mean_and_lasting_shocks():
    rng = np.random.default_rng(0)
    kind, category = np.repeat(["fast", "intermittent"], 2000), np.full(4000, "ice cream")
    drawn = redraw(rng, kind, category, np.full((4000, 20), 8.0))
    assert drawn.min() >= 0
    for mine in (kind == "fast", kind == "intermittent"):
        assert drawn[mine].mean() == pytest.approx(8.0, rel=0.02)
    next_to, far = (np.corrcoef(drawn[:2000, 0], drawn[:2000, k])[0, 1] for k in (1, 19))
    assert next_to > 0.1
    assert abs(far) < 0.08
