"""Lead times: censoring, shrinkage, contracts, dirty and partial receipts, real deliveries."""

import runpy
import tomllib
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from ingestion.errors import Problem
from ingestion.loading import load
from ingestion.periods import Period
from ingestion.warehouse import Warehouse
from optimization.drift import moves, since_shift, wander, yearly_drift
from optimization.lead_time import learn_lead_times
from optimization.pooling import stretch
from optimization.position import expect_arrivals
from optimization.receipts import observe, open_lines

DAY = Period("day")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "lead_times.py"
AS_OF = pd.Timestamp("2024-06-30")
KEY = {"sku": "a", "location": "x", "supplier": "s"}


def order(days: int, number: int = 0, still_open: bool = False, ago: int | None = None, **more) -> dict:
    """Received after `days`, or open for `days`; placed 100 days ago if received."""
    placed = AS_OF - pd.Timedelta(days=ago if ago is not None else days if still_open else 100)
    came = pd.NaT if still_open else placed + pd.Timedelta(days=days)
    row = {"order_id": str(number), "quantity": 10.0, "ordered_on": placed, "received_on": came}
    return KEY | row | more


def table(*orders: dict) -> pd.DataFrame:
    return pd.DataFrame([row | {"order_id": f"{k}"} for k, row in enumerate(orders)])


def rows(**more) -> pd.DataFrame:
    return pd.DataFrame([KEY | more])


def learn(orders, sourcing=None, period=DAY, **more):
    sourcing = rows() if sourcing is None else sourcing
    return learn_lead_times(orders, sourcing, period, AS_OF, **{"half_life_days": np.inf, **more})


def test_open_orders_are_censored():
    """Case 16: 5, 7, 7+, 9, 12+, 15."""
    open_ = {"still_open": True}
    found = learn(table(order(5), order(7), order(7, **open_), order(9), order(12, **open_), order(15)))
    survival = 1 - np.cumsum(found.pmf[0])
    assert round(survival[9], 4) == 0.4444
    assert found.residual(np.array([8]))[0, 3] == pytest.approx(1 / 3, abs=1e-12)
    assert found.residual(np.array([-1]))[0, 10] == pytest.approx(1 - survival[9], abs=1e-12)
    received_only = learn(table(order(5), order(7), order(9), order(15)))
    assert received_only.mean < found.mean  # what censoring forgets


def test_many_receipts_speak_for_themselves_and_few_lean_on_others():
    others = [order(30 + k % 5, sku="b", supplier="t") for k in range(60)]
    few = learn(table(*others, order(5)))
    many = learn(table(*others, *[order(5) for _ in range(200)]))
    none = learn(table(*others))
    assert many.pmf[0, 5] > 0.95
    assert 5 < few.mean < none.mean
    assert few.quantile(0.95) >= many.quantile(0.95)
    assert none.source.tolist() == ["receipts of all suppliers"]
    assert many.source.tolist() == ["receipts of supplier × lane × item"]
    assert [int(x.receipts[0]) for x in (none, few, many)] == [60, 1, 200]


def test_recent_receipts_count_more():
    orders = table(*[order(20, ago=400) for _ in range(20)], *[order(5, ago=60) for _ in range(20)])
    assert learn(orders, half_life_days=60).mean < 6
    assert_allclose(learn(orders).mean, 12.5)


def test_the_contract_is_the_prior_where_there_is_nothing():
    sourcing = rows(lead_time_days=12.0, lead_time_sd_days=3.0)
    nothing = learn(table(order(30, supplier="t")), sourcing)
    assert nothing.source.tolist() == ["contract"]
    assert nothing.mean[0] == pytest.approx(12.5, abs=0.1)  # days are rounded up to whole ones
    assert nothing.sd[0] == pytest.approx(3, abs=0.1)
    some = learn(table(*[order(20) for _ in range(5)]), sourcing)
    assert 13 < some.mean[0] < 20
    assert some.source.tolist() == ["receipts of supplier × lane × item"]


@pytest.mark.parametrize(("days", "months"), [(31, 1), (62, 2), (92, 3)])
def test_a_contract_of_whole_months_takes_no_month_more(days, months):
    certain = rows(lead_time_days=float(days), lead_time_sd_days=0.0)
    nearly = rows(lead_time_days=days - 3.0, lead_time_sd_days=1.0)
    nothing = table(order(30, supplier="t"))
    assert learn(nothing, certain, Period("month")).quantile(0.5).tolist() == [months]
    assert learn(nothing, nearly, Period("month")).quantile(0.99).tolist() == [months]


def test_a_certain_lead_time_is_taken_at_its_word():
    sourcing = rows(lead_time_days=14.0, lead_time_sd_days=0.0)
    found = learn(table(*[order(20) for _ in range(50)]), sourcing, Period("week"))
    assert (found.pmf[0] > 0).nonzero()[0].tolist() == [2]
    assert found.source.tolist() == ["contract, certain"]


def test_the_default_says_so():
    empty = table(order(5)).iloc[:0]
    found = learn(empty, default_days=10.0)
    assert found.source.tolist() == ["default"]
    assert found.mean[0] == pytest.approx(10.5, abs=0.1)
    assert_allclose(found.pmf.sum(axis=1), 1)
    with pytest.raises(Problem, match="default lead time"):
        learn(empty, default_days=-1.0)


def test_dirty_rows_are_set_aside_and_counted():
    dirty = [order(5, ordered_on=pd.NaT), order(-3), order(1500, ago=1600), order(1200, ago=1600)]
    found = learn(table(*[order(5) for _ in range(8)], *dirty))
    assert found.mean.tolist() == [5]
    assert found.set_aside == {
        "no order date": 1,
        "received before it was ordered": 1,
        "lead time above 1096 days": 2,
    }


def test_rows_set_aside_are_told(caplog):
    wrong = order(5, ago=100, received_on=AS_OF - pd.Timedelta(days=300))
    learn(table(order(5), wrong, order(7, ordered_on=pd.NaT), order(8, ordered_on=pd.NaT)))
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith("lead times are learned without 3 order rows: ")
    assert "no order date (2)" in said
    assert "received before it was ordered (1)" in said
    assert "correct ordered_on and received_on" in said
    caplog.clear()
    learn(table(order(5), order(7)))
    assert not caplog.records


def test_each_receipt_counts_by_its_share():
    line = {"order_id": "1", "line": "1", "quantity": 10.0}
    first = order(4, received_quantity=6.0) | line
    second = order(10, received_quantity=4.0) | line
    found = learn(pd.DataFrame([first, second]))
    assert_allclose(found.pmf[0, [4, 10]], [0.6, 0.4])
    half = observe(pd.DataFrame([first]), DAY, AS_OF, np.inf).rows
    assert half[["received", "weight"]].to_numpy().tolist() == [[True, 0.6], [False, 0.4]]
    assert open_lines(pd.DataFrame([first]), AS_OF, DAY)["quantity"].tolist() == [4.0]
    nearly = pd.DataFrame([order(4, received_quantity=9.8) | line])
    assert open_lines(nearly, AS_OF, DAY).empty


def test_what_happens_after_the_as_of_date_changes_nothing():
    known = table(*[order(5 + k) for k in range(6)], order(3, still_open=True))
    later = known.copy()
    later.loc[6, "received_on"] = AS_OF + pd.Timedelta(days=1)
    poison = KEY | {"order_id": "z", "quantity": 1.0, "ordered_on": AS_OF + pd.Timedelta(days=2)}
    later = pd.concat([later, pd.DataFrame([poison])], ignore_index=True)
    one, two = learn(known), learn(later)
    assert one.distributions.tobytes() == two.distributions.tobytes()
    assert open_lines(known, AS_OF, DAY)["order_id"].tolist() == ["6"]
    assert open_lines(later, AS_OF, DAY)["order_id"].tolist() == ["6"]


def test_an_order_that_never_came_is_lost_not_late():
    """Twenty receipts within 10 days and one order open for 200."""
    found = learn(table(*[order(5 + k % 6) for k in range(20)], order(200, still_open=True)))
    assert found.never[0] == pytest.approx(1 / 26)
    assert found.quantile(0.99)[0] <= 10
    assert found.residual(np.array([-1]))[0, -1] == pytest.approx(25 / 26)


@pytest.mark.parametrize("longest", [12, 60])
def test_orders_too_young_to_be_lost_do_not_speak_against_it(longest):
    """An order a day for two years, every fifth of which never comes, whatever the others take."""
    days = [longest - k % 7 for k in range(730)]
    orders = [
        order(days[k], ago=k, still_open=k % 5 == 0 or days[k] > k, promised_on=pd.NaT) for k in range(730)
    ]
    found = learn(table(*orders), half_life_days=180.0)
    assert found.never[0] == pytest.approx(0.2, abs=0.01)


def test_the_promise_is_scored():
    late = [order(10, promised_on=AS_OF - pd.Timedelta(days=95)) for _ in range(3)]
    punctual = [order(10, promised_on=AS_OF - pd.Timedelta(days=90)) for _ in range(9)]
    assert learn(table(*late, *punctual)).on_time.tolist() == [0.75]


@pytest.mark.parametrize(("name", "days", "expected"), [("day", 9, 9), ("week", 9, 2), ("month", 31, 1)])
def test_days_become_whole_periods(name, days, expected):
    placed = pd.Timestamp("2024-01-01")
    row = KEY | {"order_id": "1", "quantity": 1.0, "ordered_on": placed}
    row["received_on"] = placed + pd.Timedelta(days=days)
    assert learn(pd.DataFrame([row] * 3), period=Period(name)).quantile(0.5).tolist() == [expected]


def test_stretching_keeps_mass_and_moves_the_mean():
    pmf = np.zeros((2, 50))
    pmf[:, 3:9] = 1 / 6
    moved = stretch(pmf, np.array([1.0, 2.3]))
    assert_allclose(moved[0], pmf[0])
    assert_allclose(moved.sum(axis=1), 1)
    assert (moved[1] @ np.arange(50) + 1) / (pmf[1] @ np.arange(50) + 1) == pytest.approx(2.3)


def arrivals(*orders: dict, steps: int = 40, sourcing: pd.DataFrame | None = None):
    sourcing = rows() if sourcing is None else sourcing
    return expect_arrivals(table(*orders), sourcing, DAY, AS_OF, steps, half_life_days=np.inf)


@pytest.mark.parametrize("wrong", [365, 27_000])
def test_one_wrong_promise_does_not_move_the_others(wrong):
    """Twenty deliveries of each of two suppliers 0, 1 or 2 days late, but for one promise."""
    history = [
        order(12, promised_on=AS_OF - pd.Timedelta(days=88 + k % 3), supplier="st"[k % 2]) for k in range(40)
    ]
    open_ = [
        order(4, still_open=True, promised_on=AS_OF + pd.Timedelta(days=20), supplier=name) for name in "st"
    ]
    history[0]["promised_on"] += pd.Timedelta(days=wrong)
    found = learn(table(*history, *open_))
    late = found.earliest + np.arange(found.lateness.shape[1])
    assert len(late) < 500
    assert_allclose(found.lateness[:, (late >= 0) & (late <= 2)].sum(axis=1), 1, atol=0.06)


def test_an_open_order_comes_by_its_residual_lead_time():
    """Half of the lead times are 10, half 20 days; after 12 days only 20 is left: on the shelf on step 8."""
    history = [order(10 + 10 * (k % 2)) for k in range(400)]
    found = arrivals(*history, order(12, still_open=True))
    assert found.arrival[0, 7] > 0.99
    assert found.orders["expected_on"].tolist() == [AS_OF + pd.Timedelta(days=8)]


@pytest.mark.parametrize("promised", [False, True])
def test_the_longer_an_order_is_out_the_likelier_it_never_comes(promised):
    """A fifth never comes, the others evenly in 5 … 12 days: at age a, .8·(12 - a)/8 of them still may."""
    rng, ages = np.random.default_rng(2), np.arange(2, 600)
    days, comes = rng.integers(5, 13, len(ages)), rng.random(len(ages)) >= 0.2
    history = [
        order(int(d), ago=int(a)) if c and d <= a else order(int(a), still_open=True)
        for d, a, c in zip(days, ages, comes, strict=True)
    ]
    for row in history if promised else []:
        row["promised_on"] = row["ordered_on"] + pd.Timedelta(days=9)
    young, late, overdue = (order(age, still_open=True) for age in (4, 10, 14))
    if promised:
        for row in (young, late, overdue):
            row["promised_on"] = row["ordered_on"] + pd.Timedelta(days=9)
    found = arrivals(*history, young, late, overdue).arrival[-3:].sum(axis=1)
    assert_allclose(found[:2], [0.8, 0.2 / 0.4], atol=0.08)
    assert found[2] < 0.15


def test_a_promise_moves_an_order_and_an_overdue_one_comes_soon():
    def promised(days: int, late: int) -> dict:
        return order(days, promised_on=AS_OF - pd.Timedelta(days=100 - days + late))

    history = [promised(10, k % 3) for k in range(300)]  # 0, 1 or 2 days late, a third each
    far = order(1, still_open=True, promised_on=AS_OF + pd.Timedelta(days=30))
    just_due = order(12, still_open=True, promised_on=AS_OF - pd.Timedelta(days=1))
    forgotten = order(18, still_open=True, promised_on=AS_OF - pd.Timedelta(days=8))
    found = arrivals(*history, far, just_due, forgotten).arrival
    assert_allclose(found[0, [29, 30, 31]], 1 / 3, atol=0.01)
    assert found[1, 0] == pytest.approx(1, abs=0.02)
    assert_allclose(found[2, :10], 0.1, atol=0.02)
    assert found[2, 10:].sum() < 0.05


@pytest.mark.parametrize(("name", "days"), [("week", 7), ("month", 28)])
def test_an_overdue_order_does_not_come_in_a_period_that_is_over(name, days):
    """0, 1 or 2 periods late, a third each; of one promised within the period before this only 2 is left."""
    period = Period(name)
    now = period.start(pd.DatetimeIndex([AS_OF]))[0]
    promise = now - pd.Timedelta(days=4)
    history = [
        order(110, promised_on=AS_OF - pd.Timedelta(days=90 + days * (k % 3)), ago=200) for k in range(300)
    ]
    overdue = order(60, still_open=True, promised_on=promise)
    orders = table(*history, overdue)
    found = expect_arrivals(orders, rows(), period, now, 6, half_life_days=np.inf).arrival
    assert_allclose(found[0, :2], [0.0, 1.0], atol=0.03)


def test_a_certain_promise_is_kept_and_overdue_means_next():
    sourcing = rows(lead_time_days=14.0, lead_time_sd_days=0.0)
    planned = order(3, still_open=True, promised_on=AS_OF + pd.Timedelta(days=6))
    unsaid = order(3, still_open=True)
    overdue = order(20, still_open=True, promised_on=AS_OF - pd.Timedelta(days=3))
    found = arrivals(planned, unsaid, sourcing=sourcing).arrival
    assert found[0, 5] == found[1, 10] == 1
    assert arrivals(overdue, sourcing=sourcing, steps=14).arrival[0].sum() == pytest.approx(1)


def test_real_deliveries_of_the_following_year(shared_data):
    """SCMS: near nominal, and sharper than the plain empirical and the normal fit."""
    benchmark = runpy.run_path(str(BENCHMARK))
    orders = benchmark["deliveries"](shared_data / "scms_deliveries.csv.gz")
    for years in ([2010, 2011, 2012, 2013], [2011, 2012, 2013]):
        table = benchmark["scores"](orders, years)
        mean = table.groupby("method").mean()
        assert mean.loc["ours", "pinball"] < 0.85 * mean.loc[["plain", "normal"], "pinball"].min()
        within = mean.loc["ours", [f"within q{level:g}" for level in benchmark["LEVELS"]]]
        assert_allclose(within, benchmark["LEVELS"], atol=0.04)
        by_year = table.pivot_table(index="year", columns="method", values="pinball")
        assert (by_year["ours"] < by_year[["plain", "normal"]].min(axis=1)).all()


def history_of(levels: dict[str, list[int]], each: int, rng: np.random.Generator) -> pd.DataFrame:
    """Orders a week apart; the lead time of supplier s in its k-th half-year is about levels[s][k] days."""
    parts = []
    for supplier, days in levels.items():
        for k, level in enumerate(days):
            placed = AS_OF - pd.Timedelta(days=182 * (len(days) - k) + 60)
            placed = placed + pd.to_timedelta(rng.integers(0, 182, each), unit="D")
            taken = pd.to_timedelta(np.maximum(rng.normal(level, 0.1 * level, each).round(), 1), unit="D")
            parts.append(
                pd.DataFrame({"supplier": supplier, "ordered_on": placed, "received_on": placed + taken})
            )
    out = pd.concat(parts, ignore_index=True).assign(sku="a", location="x", quantity=1.0)
    return out.assign(order_id=np.arange(len(out)).astype(str))


def one_a_week(days: Callable[[int], int], supplier: str = "s") -> list[dict]:
    """A year of orders; days(k): what the one placed k days ago takes, still open if that is not over."""
    taken = {ago: days(ago) for ago in range(364, -1, -7)}
    return [
        order(ago if took > ago else took, ago=ago, still_open=took > ago, supplier=supplier)
        for ago, took in taken.items()
    ]


def test_a_supplier_who_takes_twice_as_long_for_two_months_is_believed():
    """8 … 12 days, since 60 days ago 16 … 24: half of the new ones take 20 or longer, not a tenth."""
    orders = table(*one_a_week(lambda ago: (1 + (ago <= 60)) * (8 + ago // 7 % 5)))
    found = learn(orders, half_life_days=180.0)
    assert found.mean[0] == pytest.approx(20, abs=2.5)
    assert found.quantile(0.9)[0] >= 22
    sooner = table(*one_a_week(lambda ago: (1 + (ago > 60)) * (8 + ago // 7 % 5)))
    assert learn(sooner, half_life_days=180.0).mean[0] == pytest.approx(10, abs=2.5)


def test_what_luck_or_young_orders_do_is_no_shift():
    rng = np.random.default_rng(0)
    orders = [
        row
        for k in range(100)
        for row in one_a_week(lambda _: int(np.ceil(rng.gamma(6, 4))), supplier=f"s{k:02d}")
    ]
    # The slow item alone is ordered of late.
    orders += [
        row | {"sku": "bc"[took > 20]}
        for took in (5, 30)
        for row in one_a_week(lambda _, took=took: took, supplier="t")
        if took > 20 or row["ordered_on"] < AS_OF - pd.Timedelta(days=90)
    ]
    seen = observe(table(*orders), DAY, AS_OF).rows
    less = since_shift(seen, seen["periods"].to_numpy(dtype=int)) < seen["weight"]
    shifted = less.groupby(seen["supplier"]).any()
    assert shifted.mean() <= 0.04
    assert not shifted["t"]


def test_steady_suppliers_have_no_drift_and_wandering_ones_widen_the_forecast():
    rng = np.random.default_rng(0)
    steady = history_of({f"s{k}": [20] * 8 for k in range(12)}, 25, rng)
    walks = {f"s{k}": (20 * np.exp(np.cumsum(rng.normal(0, 0.2, 8)))).astype(int).tolist() for k in range(12)}
    wandering = history_of(walks, 25, rng)
    none, some = (yearly_drift(observe(o, DAY, AS_OF).rows, AS_OF) for o in (steady, wandering))
    assert none < 0.03
    assert 0.1 < some < 0.5
    early = wandering[wandering["received_on"] > AS_OF - pd.Timedelta(days=400)]
    assert yearly_drift(observe(early, DAY, AS_OF).rows, AS_OF) == 0  # too short to tell


def test_lines_of_one_order_are_one_piece_of_evidence():
    rng = np.random.default_rng(1)
    orders = history_of({"s": [20] * 4}, 10, rng)
    lines = pd.concat([orders] * 5, ignore_index=True).assign(line=np.arange(5 * len(orders)).astype(str))
    dates = (AS_OF - pd.Timedelta(days=365), AS_OF, AS_OF - pd.Timedelta(days=1500))
    one, five = (moves(observe(table, DAY, AS_OF, np.inf).rows, *dates) for table in (orders, lines))
    assert_allclose(five["move"], one["move"])
    assert_allclose(five["variance"], one["variance"], rtol=0.1)


@pytest.mark.parametrize("drift", [0.0, 0.1, 0.3])
def test_wandering_keeps_the_middle_and_spreads_the_logarithm(drift):
    pmf = np.zeros((1, 200))
    pmf[0, 100:130] = 1 / 30
    logs = [np.log1p(np.arange(p.shape[1])) for p in (pmf, wander(pmf, drift))]
    moved = wander(pmf, drift)[0]
    assert moved.sum() == pytest.approx(1)
    mean = [logs[0] @ pmf[0], logs[1] @ moved]
    assert mean[1] == pytest.approx(mean[0], abs=1e-3)
    variance = [(logs[0] - mean[0]) ** 2 @ pmf[0], (logs[1] - mean[1]) ** 2 @ moved]
    assert variance[1] - variance[0] == pytest.approx(drift**2, abs=1e-3)


def test_one_contract_of_years_makes_no_other_item_wide():
    """2,000 items with receipts of their own, of 20 suppliers: memory for their rows once, not many times."""
    items = [{"sku": f"i{k}", "supplier": f"s{k % 20}"} for k in range(2_000)]
    took = np.random.default_rng(2).integers(3, 30, (3, len(items)))
    orders = table(*(order(int(took[k, i]), **item) for k in range(3) for i, item in enumerate(items)))
    sourcing = pd.DataFrame([KEY | item for item in items])
    usual = learn(orders, sourcing)
    for name in ("s7", "new"):  # with the other items of a supplier, and with none
        far = {"supplier": name, "lead_time_days": 1000.0, "lead_time_sd_days": 300.0}
        wide = pd.concat([sourcing, pd.DataFrame([KEY | {"sku": "far"} | far])], ignore_index=True)
        tracemalloc.start()
        found = learn(orders, wide)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.mean[-1] == pytest.approx(1000.5, abs=1) or name == "s7"
        assert peak < 3 * found.distributions.nbytes
        others = (sourcing["supplier"] != name).to_numpy()
        width, kept = usual.distributions.shape[1], np.flatnonzero(others)
        assert_allclose(found.pmf[kept, :width], usual.pmf[kept], atol=1e-9)


def test_the_loader_gives_the_same_lead_times(shared_data, tmp_path):
    """Through the mapping in docs/examples: only what has no order date, or a wrong one, is missing."""
    examples = Path(__file__).parents[2] / "docs" / "examples"
    warehouse = Warehouse(tmp_path)
    report = load(shared_data, tomllib.loads((examples / "scms.toml").read_text("utf-8")), warehouse)
    assert report.accepted == {"supply_orders": 3040}
    as_of = pd.Timestamp("2011-12-31")
    orders = warehouse.read("supply_orders", as_of)
    keys = orders[["sku", "location", "supplier"]].drop_duplicates(ignore_index=True)
    loaded = learn_lead_times(orders, keys, DAY, as_of)
    read = runpy.run_path(str(BENCHMARK))["deliveries"]
    raw = learn_lead_times(read(shared_data / "scms_deliveries.csv.gz"), keys, DAY, as_of)
    assert loaded.set_aside == {}
    assert_allclose(loaded.mean, raw.mean, rtol=1e-6)
    assert loaded.quantile(0.95).max() > 200
