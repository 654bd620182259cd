"""Thresholds: textbook levels, laws for any input, the split of safety stock and its words, targets."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import gamma, nbinom, poisson

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.errors import DataError
from ingestion.periods import Period
from optimization.supply import supply_terms
from optimization.targets import Defaults, set_targets
from optimization.thresholds import COLUMNS, derive_thresholds

DAY = Period("day")
PART = r"([-0-9.,]+(?: less)?)"
ENGLISH = (
    rf"\. ([0-9.,]+) of it is safety stock: {PART} for uncertain demand, {PART} for uncertain delivery, "
)
ENGLISH += rf"{PART} for review"
CHINESE = r"安全库存([0-9.,]+)：需求波动(减?[0-9.,]+)，交期波动(减?[0-9.,]+)，复核与批量(减?[0-9.,]+)。"
lawful = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def terms(n: int = 1, **more) -> pd.DataFrame:
    plain = {
        "sku": [f"item {i:04d}" for i in range(n)],
        "location": "shop",
        "supplier": "maker",
        "category": "food",
        "unit_cost": 2.0,
        "unit_price": 5.0,
        "moq": 0.0,
        "lot_size": 0.0,
        "review_periods": 1,
        "order_weekdays": None,
        "order_cost": 0.0,
        "shelf_life_days": np.nan,
        "whole": True,
    }
    return pd.DataFrame(plain | more)


def aims(n: int = 1, **more) -> pd.DataFrame:
    plain = {"measure": "cycle_service", "target": 0.95, "holding_cost": 0.01, "shortage_cost": 3.0}
    plain |= {"unmet": "lost", "overstock_factor": 1.2}
    return pd.DataFrame(plain | more, index=range(n))


def usual(mean: float, law) -> CumulativeDemand:
    """One series with demand of `mean` a day on the product's own grid of levels, 28 days."""
    sums = mean * np.arange(1.0, 29.0)[None]
    rows = law(sums[:, :, None]).ppf(LEVELS).astype(np.float32)
    keys = pd.DataFrame({"sku": ["item 0000"], "location": ["shop"]})
    return CumulativeDemand(keys, pd.Timestamp("2024-03-31"), DAY, rows, sums.astype(np.float32), LEVELS)


@pytest.fixture
def levels_of(usual_demand, lead_time_of):
    """Thresholds of one series with Poisson demand of `mean` a day, or of the law given."""

    def build(mean=4.0, lead=None, law=poisson, supply=None, targets=None):
        demand = usual_demand(np.array([mean]), 28, law)
        lead_times = lead_time_of(lead or {2: 1.0})
        supply, targets = terms() if supply is None else supply, aims() if targets is None else targets
        return derive_thresholds(demand, supply, lead_times, targets, "v1").iloc[0]

    return build


def test_columns_and_dates(levels_of):
    row = levels_of(supply=terms(review_periods=7))
    assert row.index.tolist() == COLUMNS
    assert str(row["valid_from"].date()) == "2024-04-01"
    assert str(row["valid_until"].date()) == "2024-04-07"
    assert str(row["data_as_of"].date()) == "2024-03-31"
    assert row["model_version"] == "v1"
    assert len(row["content_hash"]) == 64


def test_a_certain_lead_time_gives_the_textbook_base_stock(levels_of):
    """Poisson(4) a day, lead time 2, review 1: Poisson(12) at 95 %; one level, nothing from delivery."""
    row = levels_of()
    level = poisson(12).ppf(0.95)
    assert row["reorder_point"] == row["order_up_to"] == level
    assert row["safety_stock"] == pytest.approx(level - 12)
    assert row["overstock_level"] == pytest.approx(1.2 * level)
    assert row["from_lead_time"] == 0
    assert row["from_demand"] == pytest.approx(poisson(8).ppf(0.95) - 8, abs=0.35)


def test_review_adds_to_the_interval(levels_of):
    row = levels_of(supply=terms(review_periods=7))
    assert row["reorder_point"] == poisson(36).ppf(0.95)
    assert row["protection_mean"] == pytest.approx(36)
    assert row["from_review"] > 0


def test_an_uncertain_lead_time_accounts_for_its_part(levels_of):
    certain, uncertain = levels_of(lead={6: 1.0}), levels_of(lead={4: 0.5, 8: 0.5})
    assert uncertain["protection_mean"] == pytest.approx(certain["protection_mean"])
    assert uncertain["from_lead_time"] > 3
    assert uncertain["from_demand"] > 0


def test_lots_a_minimum_and_the_cost_of_ordering_lift_the_upper_level(levels_of):
    """Ordered x below the reorder point with chance P(D ≥ x) / 4, two days are covered: 17 for 18."""
    plain, lots = levels_of(), levels_of(supply=terms(moq=24.0, lot_size=12.0))
    below = np.arange(1, 25)
    served = [(poisson.sf(below - 1, 4) / 4) @ poisson.cdf(level - below, 8) for level in (16, 17)]
    assert served[0] < 0.95 <= served[1]
    assert [plain["reorder_point"], lots["reorder_point"]] == [18, 17]
    assert lots["order_up_to"] == lots["reorder_point"] + 23
    # √(2 · 50 · 4 / 0.01) = 200
    economic = levels_of(supply=terms(order_cost=50.0), targets=aims(holding_cost=0.01))
    assert economic["order_up_to"] == economic["reorder_point"] + 199


def test_with_lots_the_safety_stock_is_what_the_order_finds_on_the_shelf(levels_of):
    """Of Poisson(28) a review, (E[D²] + E[D]) / 2 E[D] = 15 are below s when it is ordered, 8 sell after."""
    row = levels_of(supply=terms(review_periods=7, lot_size=168.0), targets=aims(target=0.98))
    assert row["safety_stock"] == pytest.approx(row["reorder_point"] - 8 - 15, abs=0.1)
    assert row["from_demand"] + row["from_lead_time"] + row["from_review"] == pytest.approx(
        row["safety_stock"]
    )
    assert row["from_lead_time"] == 0
    assert min(row["from_demand"], row["from_review"]) > 3
    assert "23.0 expected" in row["explanation"]
    assert row["protection_mean"] == pytest.approx(36)


def test_fractions_stay_fractions(levels_of):
    row = levels_of(supply=terms(whole=False), law=lambda mean: gamma(mean / 2, scale=2))
    assert row["reorder_point"] == row["order_up_to"]
    assert row["reorder_point"] == pytest.approx(gamma(12 / 2, scale=2).ppf(0.95), rel=1e-5)
    assert row["reorder_point"] % 1 > 0.001


def test_fill_rate_asks_for_less_stock_than_cycle_service(levels_of):
    """Case 14 read backwards: Poisson(4), L 2, R 1, fill .903163 is reached by 15 and not by 14."""
    at = levels_of(targets=aims(measure="fill_rate", target=0.9031))
    assert at["reorder_point"] in (15, 16)  # the models' grid of levels is coarser than the exact answer
    service, fill = levels_of(), levels_of(targets=aims(measure="fill_rate"))
    assert fill["reorder_point"] <= service["reorder_point"]


def test_zero_demand_needs_nothing(levels_of):
    row = levels_of(mean=0.0, law=lambda mean: poisson(np.maximum(mean, 1e-12)))
    numbers = row[["safety_stock", "reorder_point", "order_up_to", "overstock_level", "from_demand"]]
    assert (numbers.astype(float) == 0).all()
    assert "No safety stock: what is expected is already enough." in row["explanation"]


def test_a_low_target_floors_safety_stock_and_says_so(levels_of):
    row = levels_of(targets=aims(target=0.2))
    assert row["reorder_point"] < row["protection_mean"]
    assert row["safety_stock"] == 0
    assert "No safety stock: the target asks for less than is expected." in row["explanation"]
    assert "无需安全库存：目标低于预计需求。" in row["explanation_zh"]


def test_the_sentence_carries_the_numbers(levels_of):
    row = levels_of(mean=40.0, lead={4: 0.5, 8: 0.5})
    for words in (row["explanation"], row["explanation_zh"]):
        assert f"{row['reorder_point']:.0f}" in words
        assert "280" in words
        assert "95%" in words
    assert "6 days of lead time by receipts of the supplier, 1 day of review" in row["explanation"]


def test_beyond_the_forecast_is_said(levels_of):
    row = levels_of(lead={2: 0.7, 60: 0.3})
    assert row["beyond_horizon"] == pytest.approx(0.3)
    assert "30% of deliveries take longer than the forecast reaches" in row["explanation"]
    assert row["protection_mean"] == pytest.approx(4 * (0.7 * 3 + 0.3 * 61), rel=1e-4)


def test_the_hash_follows_the_content(levels_of):
    one, same, other = levels_of(), levels_of(), levels_of(targets=aims(target=0.96))
    assert one["content_hash"] == same["content_hash"] != other["content_hash"]


def parts_in(words: str, pattern: str, less: str) -> list[float]:
    """Safety stock and its three parts as a sentence tells them."""
    found = [text.replace(",", "") for text in re.search(pattern, words).groups()]
    return [-float(re.sub("[^0-9.]", "", text)) if less in text else float(text) for text in found]


@lawful
@example(  # parts larger than their whole
    mean=0.75, size=8.0, short=0, more=0, late=0.125, review=1, target=0.9375, measure="fill_rate", lot=6.0,
    whole=False,
)  # fmt: skip
@given(
    mean=st.floats(0.05, 200),
    size=st.floats(0.3, 20),
    short=st.integers(0, 6),
    more=st.integers(0, 15),
    late=st.floats(0.05, 0.5),
    review=st.integers(1, 7),
    target=st.floats(0.01, 0.995),
    measure=st.sampled_from(["cycle_service", "fill_rate", "cost"]),
    lot=st.sampled_from([0.0, 6.0, 50.0]),
    whole=st.booleans(),
)
def test_parts_add_up_and_levels_are_in_order(levels_of, **at):
    """In numbers and in both sentences."""
    row = levels_of(
        mean=at["mean"],
        lead={at["short"]: 1 - at["late"], at["short"] + at["more"] + 1: at["late"]},
        law=lambda mean: nbinom(at["size"], at["size"] / (at["size"] + mean)),
        supply=terms(review_periods=at["review"], lot_size=at["lot"], whole=at["whole"]),
        targets=aims(target=at["target"], measure=at["measure"]),
    )
    parts = row["from_demand"] + row["from_lead_time"] + row["from_review"]
    assert parts == pytest.approx(row["safety_stock"], abs=1e-9)
    if row["safety_stock"] > 0:
        told = parts_in(row["explanation"], ENGLISH, "less"), parts_in(row["explanation_zh"], CHINESE, "减")
        for safety, *rest in told:
            assert sum(rest) == pytest.approx(safety, abs=1e-9)
            assert safety == pytest.approx(row["safety_stock"], rel=0.05)
    else:
        assert "No safety stock" in row["explanation"]
    assert 0 <= row["safety_stock"] <= row["reorder_point"] <= row["order_up_to"]
    quantiles = row[["protection_q50", "protection_q90", "protection_q95", "protection_q99"]].astype(float)
    assert (np.diff(quantiles) >= -1e-5).all()


@lawful
@given(
    mean=st.floats(0.5, 100),
    lead=st.integers(1, 10),
    targets=st.tuples(st.floats(0.5, 0.98), st.floats(0.001, 0.015)),
    unit=st.sampled_from([0.001, 0.1, 1000.0]),
)
def test_levels_rise_with_the_target_and_scale_with_the_unit(levels_of, mean, lead, targets, unit):
    low, more = targets

    def level(target, factor=1.0):
        return levels_of(
            mean=mean * factor,
            lead={lead: 0.8, 2 * lead: 0.2},
            law=lambda m: gamma(m / (3 * factor), scale=3 * factor),
            supply=terms(whole=False),
            targets=aims(target=target),
        )[["safety_stock", "reorder_point", "order_up_to", "overstock_level"]].astype(float)

    base = level(low)
    assert (level(low + more) >= base - 1e-6).all()
    # kg or g: equal to what single precision keeps of quantiles
    assert_allclose(level(low, unit), unit * base, rtol=1e-4, atol=1e-5 * unit * mean * lead)


@lawful
@given(mean=st.floats(1, 50), narrow=st.floats(2, 20), factor=st.floats(1.1, 4), target=st.floats(0.8, 0.99))
def test_levels_rise_with_the_spread_of_demand(levels_of, mean, narrow, factor, target):
    def level(size):
        def law(sums):
            return gamma(sums * size / mean, scale=mean / size)

        return levels_of(mean, law=law, supply=terms(whole=False), targets=aims(target=target))[
            "reorder_point"
        ]

    assert level(narrow / factor) >= level(narrow) - 1e-3 * mean


@lawful
@given(mean=st.floats(1, 50), lead=st.integers(4, 9), spread=st.integers(1, 3), target=st.floats(0.9, 0.99))
def test_levels_rise_with_the_spread_of_the_lead_time(levels_of, mean, lead, spread, target):
    def level(by):
        of = {lead - by: 0.25, lead: 0.5, lead + by: 0.25} if by else {lead: 1.0}
        supply, law = terms(whole=False), lambda m: gamma(m, scale=1)
        return levels_of(mean, of, law, supply, aims(target=target))["reorder_point"]

    assert level(spread) >= level(spread - 1) - 1e-3 * mean


@lawful
@given(
    mean=st.floats(0.1, 100),
    lead=st.integers(0, 20),
    review=st.integers(1, 7),
    target=st.floats(0.02, 0.99),
)
def test_a_certain_lead_time_gives_the_level_of_its_fixed_interval(levels_of, mean, lead, review, target):
    def law(sums):
        return gamma(sums / 3, scale=3)

    supply = terms(whole=False, review_periods=review)
    row = levels_of(mean, {lead: 1.0}, law, supply, aims(target=target))
    fixed = usual(mean, law).quantile([target])[0, lead + review - 1, 0]
    assert row["reorder_point"] == pytest.approx(fixed, rel=1e-5)
    assert row["from_lead_time"] == 0


@pytest.mark.parametrize("selector", ["item 0000", "sku:item 0000", "food", "category:food", "shop", "*"])
def test_each_selector_finds_its_series(selector):
    policies = pd.DataFrame({"selector": [selector], "measure": ["fill_rate"], "target": [0.9]})
    found = set_targets(terms(), policies, DAY)
    assert found[["selector", "measure", "target"]].iloc[0].tolist() == [selector, "fill_rate", 0.9]


def test_the_most_specific_policy_wins():
    words = ["*", "shop", "food", "item 0001"]
    policies = pd.DataFrame(
        {"selector": words, "measure": "cycle_service", "target": [0.9, 0.91, 0.92, 0.93]}
    )
    supply = terms(3)
    supply.loc[2, "category"] = "tools"
    assert set_targets(supply, policies, DAY)["target"].tolist() == [0.92, 0.93, 0.91]
    supply.loc[2, "location"] = "depot"
    assert set_targets(supply, policies, DAY)["target"].tolist() == [0.92, 0.93, 0.90]


def test_without_policies_the_defaults_hold():
    found = set_targets(terms(), None, DAY, Defaults(target=0.9, holding_rate=0.365)).iloc[0]
    assert found["target"] == 0.9
    assert found["holding_cost"] == pytest.approx(2 * 0.365 / 365.25)
    assert found["shortage_cost"] == 3  # the margin


def test_a_policy_of_a_target_alone_is_a_cycle_service_of_lost_sales():
    found = set_targets(terms(), pd.DataFrame({"selector": ["food"], "target": [0.99]}), DAY).iloc[0]
    assert found[["measure", "target", "unmet"]].tolist() == ["cycle_service", 0.99, "lost"]


def test_a_cost_target_is_the_newsvendor_level():
    row = {"selector": "*", "measure": "cost", "holding_cost": 0.2, "shortage_cost": 1.0, "unmet": "lost"}
    policies = pd.DataFrame([row])
    assert set_targets(terms(), policies, DAY)["target"].round(4).tolist() == [0.8333]
    weekly = set_targets(terms(review_periods=4), policies, DAY)["target"].iloc[0]
    assert weekly == pytest.approx(1 / 1.8)
    unknown = set_targets(terms(), policies.assign(shortage_cost=np.nan, holding_cost=0.0), DAY).iloc[0]
    assert [unknown["measure"], unknown["target"]] == ["cycle_service", 0.95]


def test_a_cost_target_without_costs_is_told(caplog):
    policies = pd.DataFrame({"selector": ["*", "item 0001"], "measure": ["cost", "fill_rate"], "target": 0.9})
    supply = terms(3)
    set_targets(supply, policies, DAY)
    assert not caplog.records
    supply.loc[[1, 2], "unit_cost"] = np.nan  # item 0001 has a target of its own
    found = set_targets(supply, policies, DAY)
    assert found["measure"].tolist() == ["cost", "fill_rate", "cycle_service"]
    assert "cycle service 0.95 for 1 series whose costs are unknown; give unit_cost" in caplog.text


def test_a_selector_that_fits_nothing_is_told_with_what_is_near(caplog):
    words = ["itme 0000", "category:foood", "zzz", "*", "category:food", "item 0000", None]
    policies = pd.DataFrame({"selector": words, "measure": "cycle_service", "target": 0.9})
    assert set_targets(terms(), policies, DAY)["target"].tolist() == [0.9]
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith("3 policy selectors fit no series")
    assert "'itme 0000' (did you mean 'item 0000'" in said
    assert "'category:foood' (did you mean 'category:food'" in said
    assert "'zzz';" in said
    caplog.clear()
    set_targets(terms(), policies[3:6], DAY)
    set_targets(terms().iloc[:0], policies, DAY)  # no series today: nothing to compare with
    assert not caplog.records


@pytest.mark.parametrize("target", [0.0, 1.0, 95.0])
def test_impossible_targets_are_refused(target):
    policies = pd.DataFrame({"selector": ["*"], "measure": ["cycle_service"], "target": [target]})
    with pytest.raises(DataError, match=r"write 95% as 0\.95"):
        set_targets(terms(), policies, DAY)


def test_the_best_source_is_chosen():
    keys, tuesday = pd.DataFrame({"sku": ["a", "b"], "location": ["x", "x"]}), pd.Timestamp("2024-04-02")
    sourcing = pd.DataFrame(
        {
            "sku": "a",
            "location": "x",
            "supplier": ["dear", "cheap", "last"],
            "unit_cost": [3.0, 2.0, 1.0],
            "priority": [1, 1, 2],
            "order_weekdays": ["Mon, Thu", "wed", None],
        }
    )
    items = pd.DataFrame({"sku": ["a", "b"], "unit_cost": [9.0, 7.0], "category": "food"})
    demand = pd.DataFrame({"sku": ["a", "b"], "quantity": [1.0, 1.5]})
    tables = {"sourcing": sourcing, "items": items, "demand": demand}
    found = supply_terms(keys, tables, DAY, tuesday)
    assert found["supplier"].tolist() == ["cheap", ""]
    assert found["unit_cost"].tolist() == [2, 7]
    assert found["review_periods"].tolist() == [7, 1]
    assert found["next_order"].tolist() == [1, 1]
    assert supply_terms(keys, tables, DAY, tuesday + pd.Timedelta(days=1))["next_order"].tolist() == [7, 1]
    weekly = supply_terms(keys, tables, Period("week"), pd.Timestamp("2024-04-01"))
    assert weekly[["review_periods", "next_order"]].eq(1).all(axis=None)
    assert found["whole"].tolist() == [True, False]
    assert supply_terms(keys, {}, DAY, tuesday)["moq"].tolist() == [0, 0]
    with pytest.raises(DataError, match="write them as 'Mon, Thu'"):
        supply_terms(keys, {"sourcing": sourcing.assign(order_weekdays="someday")}, DAY, tuesday)
