"""Overstock: days of cover by their law, expiry against a day-by-day simulation, what to clear by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from ingestion.periods import Period
from optimization.lots import expired_units, lots_on_shelf, periods_left
from optimization.overstock import COLUMNS, MOST, expected_waste, overstock_outlook

DAY = Period("day")
AS_OF = pd.Timestamp("2024-03-31")
DAYS = 28


def shelf(on_hand: list[float], reserved: float = 0.0) -> pd.DataFrame:
    keys = {"sku": [f"item {i:04d}" for i in range(len(on_hand))], "location": "shop"}
    return pd.DataFrame(keys | {"on_hand": on_hand, "reserved": reserved})


def parts(*lots: tuple[float, int | None], row: int = 0) -> pd.DataFrame:
    """Lots of one series: units, and days after the as-of date up to which they can be sold."""
    days = [pd.NaT if life is None else AS_OF + pd.Timedelta(days=life) for _, life in lots]
    return pd.DataFrame({"row": row, "quantity": [float(q) for q, _ in lots], "expires_on": days})


@pytest.fixture
def outlook(usual_demand):
    """Poisson demand of `mean` a day, unit cost 2, holding .01 a day."""

    def build(lots: pd.DataFrame, position: pd.DataFrame, mean: float = 2.0, **more):
        n = len(position)
        demand = usual_demand(np.full(n, mean), DAYS, lambda m: poisson(np.maximum(m, 1e-12)))
        supply = pd.DataFrame({"whole": True, "unit_cost": 2.0}, index=range(n))
        targets = pd.DataFrame({"holding_cost": 0.01}, index=range(n))
        options = {name: more.pop(name) for name in ("recovered", "paths") if name in more}
        supply = supply.assign(**{key: value for key, value in more.items() if key != "holding_cost"})
        targets = targets.assign(holding_cost=more.get("holding_cost", 0.01))
        return overstock_outlook(demand, supply, targets, position=position, lots=lots, **options)

    return build


def test_days_of_cover_are_quantiles_of_the_day_of_the_last_sale(outlook):
    """Sold by day h with the chance that Poisson(2h) reaches what is on hand; three are promised."""
    found = outlook(parts((13, None)), shelf([13.0], reserved=3.0))
    assert found.columns.tolist() == COLUMNS
    days = np.arange(1, DAYS + 1)
    chance = poisson(2 * days).sf(9)
    row = found.iloc[0]
    assert row["days_of_cover"] == days[chance >= 0.5][0] == 5
    assert row["days_of_cover_q90"] == days[chance >= 0.9][0]
    assert [row["expiring_units"], row["units_to_clear"]] == [0, 0]
    assert np.isnan(row["sell_before_expiry_probability"])
    assert pd.isna(row["first_expiry_on"])


@pytest.mark.parametrize(("units", "life"), [(10, 5), (20, 7), (4, 3), (30, 28)])
def test_one_lot_against_its_law(outlook, units, life):
    row = outlook(parts((units, life)), shelf([float(units)]), paths=1024).iloc[0]
    law, values = poisson(2 * life), np.arange(units + 1)
    assert row["expiring_units"] == pytest.approx(law.pmf(values) @ (units - values), abs=0.1)
    assert row["sell_before_expiry_probability"] == pytest.approx(law.sf(units - 1), abs=0.01)
    assert row["first_expiry_on"] == AS_OF + pd.Timedelta(days=life)


def first_expired_first_out(lots: list[tuple[float, int]], reserved: float, mean: float) -> np.ndarray:
    """Units that expire on each of many simulated shelves, sold day by day, what expires first first."""
    rng = np.random.default_rng(11)
    wasted = []
    for _ in range(20_000):
        left = [[units, life] for units, life in lots]
        waste = sum(units for units, life in left if life == 0)
        left = [lot for lot in left if lot[1] > 0]
        for day in range(max(life for _, life in lots) + 1):
            waste += sum(units for units, life in left if life < day)
            left = [lot for lot in left if lot[1] >= day]
            asked = rng.poisson(mean) if day else reserved
            for lot in left:
                taken = min(asked, lot[0])
                lot[0] -= taken
                asked -= taken
        wasted.append(waste + sum(units for units, _ in left))
    return np.array(wasted)


@pytest.mark.parametrize(
    ("lots", "reserved"),
    [([(6, 2), (9, 6), (12, 11)], 0.0), ([(3, 0), (8, 3), (5, 4)], 2.0), ([(1, 1), (30, 9)], 4.0)],
)
def test_lots_against_a_day_by_day_simulation(outlook, lots, reserved):
    position = shelf([float(sum(units for units, _ in lots))], reserved)
    row = outlook(parts(*lots), position, paths=4096).iloc[0]
    wasted = first_expired_first_out(lots, reserved, 2.0)
    assert row["expiring_units"] == pytest.approx(wasted.mean(), abs=0.15)
    assert row["sell_before_expiry_probability"] == pytest.approx((wasted == 0).mean(), abs=0.02)


def test_what_an_order_must_replace(usual_demand):
    """5 have expired, and 12 may sell within 3 days: not all will. What is only inferred does not count."""
    demand = usual_demand(np.full(2, 2.0), DAYS, poisson)
    supply = pd.DataFrame({"whole": True}, index=range(2))
    one = parts((5, 0), (12, 3), (40, 9))
    lots = pd.concat([one.assign(source="lot"), one.assign(row=1, source="receipt")], ignore_index=True)
    position = shelf([57.0, 57.0])

    def waste(days: int) -> list[float]:
        asked = {"position": position, "lots": lots, "within": np.array([days, days])}
        return expected_waste(demand, supply, **asked).tolist()

    law, values = poisson(6), np.arange(12)
    assert waste(2) == [5, 0]
    assert waste(3) == [5 + np.round(law.pmf(values) @ (12 - values)), 0]
    assert waste(9)[0] > 30
    assert expired_units(lots, 2, DAY, AS_OF).tolist() == [5, 0]


def test_what_does_not_pay_is_to_be_cleared(outlook):
    """Half of 2 is lost by clearing and paid for holding after 100 days: 200 of 260 are needed till then."""
    found = outlook(parts((260, None)), shelf([260.0]), holding_cost=0.01).iloc[0]
    beyond = 260 - poisson(200).ppf(0.5)
    assert found["units_to_clear"] == pytest.approx(beyond, abs=2)
    assert found["money_to_clear"] == pytest.approx(2 * found["units_to_clear"])
    dear = outlook(parts((260, None)), shelf([260.0]), holding_cost=0.02).iloc[0]
    assert dear["units_to_clear"] == pytest.approx(160, abs=2)
    worthless = outlook(parts((260, None)), shelf([260.0]), recovered=0.0).iloc[0]
    assert worthless["units_to_clear"] == pytest.approx(0, abs=2)
    assert np.isnan(
        outlook(parts((260, None)), shelf([260.0]), unit_cost=np.nan, holding_cost=np.nan)["money_to_clear"]
    ).all()


def test_what_expires_is_to_be_cleared(outlook):
    row = outlook(parts((30, 5), (4, 20)), shelf([34.0])).iloc[0]
    assert row["units_to_clear"] == 30 - poisson(10).ppf(0.5)
    assert row["units_to_clear"] == pytest.approx(row["expiring_units"], abs=1)


def test_nobody_asks(outlook):
    row = outlook(parts((7, None)), shelf([7.0]), mean=0.0).iloc[0]
    assert [row["days_of_cover"], row["days_of_cover_q90"], row["units_to_clear"]] == [MOST, MOST, 7]


def test_an_empty_and_an_uncounted_shelf(outlook):
    found = outlook(parts(), shelf([0.0, np.nan]))
    assert found[["days_of_cover", "units_to_clear", "expiring_units"]].iloc[0].tolist() == [0, 0, 0]
    assert found.drop(columns=["sku", "location"]).iloc[1].isna().all()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    units=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), min_size=1, max_size=4),
    more=st.integers(0, 20),
    reserved=st.integers(0, 10),
)
def test_more_stock_lasts_longer_and_wastes_no_less(outlook, units, more, reserved):
    units = sorted(units, key=lambda lot: lot[1])
    plenty = [*units[:-1], (units[-1][0] + more, units[-1][1])]
    one, two = (
        outlook(parts(*lots), shelf([float(sum(q for q, _ in lots))], float(reserved))).iloc[0]
        for lots in (units, plenty)
    )
    for name in ("days_of_cover", "days_of_cover_q90", "expiring_units", "units_to_clear"):
        assert two[name] >= one[name] - 1e-9
    assert one["days_of_cover"] <= one["days_of_cover_q90"]
    assert 0 <= one["expiring_units"] <= sum(q for q, _ in units)
    assert two["sell_before_expiry_probability"] <= one["sell_before_expiry_probability"] + 1e-9


def counted(*rows: tuple[str, str, str, float, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sku", "as_of", "lot", "quantity", "expires_on"])
    dates = {name: pd.to_datetime(table[name]) for name in ("as_of", "expires_on")}
    return table.assign(location="shop", **dates)


def received(*rows: tuple[str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sku", "received_on", "quantity"])
    table = table.assign(location="shop", order_id="o", received_quantity=np.nan)
    return table.assign(received_on=pd.to_datetime(table["received_on"]))


def shown(lots: pd.DataFrame) -> list[tuple[str, float, str, str]]:
    days = lots["expires_on"].dt.strftime("%m-%d").fillna("")
    return list(zip(lots["sku"], lots["quantity"], days, lots["source"], strict=True))


def test_lots_by_hand():
    """Item 0: the last count, less what was sold of the first to expire, and a receipt since then. Item 1
    has no lots and takes what came last. Item 2 has neither, item 3 keeps for ever, item 4 is not counted."""
    lots = counted(
        ("item 0000", "2024-03-20", "old", 99, "2024-03-25"),
        ("item 0000", "2024-03-28", "b", 10, "2024-04-09"),
        ("item 0000", "2024-03-28", "a", 10, "2024-04-02"),
        ("item 0000", "2024-04-01", "later", 50, "2024-05-01"),
        ("stranger", "2024-03-28", "x", 10, "2024-04-02"),
    )
    orders = received(
        ("item 0000", "2024-03-27", 70),
        ("item 0000", "2024-03-30", 6),
        ("item 0001", "2024-03-10", 40),
        ("item 0001", "2024-03-28", 5),
        ("item 0001", "2024-04-01", 9),
        ("item 0003", "2024-03-28", 5),
    )
    position = shelf([20.0, 9.0, 3.0, 4.0, np.nan])
    life = np.array([10.0, 7.0, 7.0, np.nan, 7.0])
    assert shown(lots_on_shelf(position, life, lots, orders, DAY, AS_OF)) == [
        ("item 0000", 4.0, "04-02", "lot"),
        ("item 0000", 6.0, "04-08", "receipt"),
        ("item 0000", 10.0, "04-09", "lot"),
        ("item 0001", 4.0, "03-16", "receipt"),
        ("item 0001", 5.0, "04-03", "receipt"),
        ("item 0002", 3.0, "04-07", "unknown"),
        ("item 0003", 4.0, "", "unknown"),
    ]


def test_no_tables_at_all():
    position = shelf([5.0, 0.0])
    nothing = pd.DataFrame(columns=["sku", "location"])
    found = lots_on_shelf(position, np.array([np.nan, 3.0]), nothing, nothing, DAY, AS_OF)
    assert shown(found) == [("item 0000", 5.0, "", "unknown")]


def test_weeks_count_only_when_they_are_over_by_the_last_day_of_sale():
    """The as-of week ends on Sunday 7 April; what sells up to Saturday week has not even one whole week."""
    days = pd.Series(pd.to_datetime(["2024-04-07", "2024-04-13", "2024-04-14", "2024-04-20"]))
    assert periods_left(days, Period("week"), pd.Timestamp("2024-04-01"), 9).tolist() == [0, 0, 1, 1]
