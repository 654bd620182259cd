"""The replay's clock and measures: textbook answers by simulation, laws of conservation, no look-ahead."""

import numpy as np
import pytest
from scipy.stats import gamma, norm, poisson

from ingestion.errors import Problem
from ingestion.periods import Period
from optimization.replay import covered, replay_thresholds, sample_lead_times


def poisson_demand(mean: float, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, shape).astype(float)


def naive(demand, levels, lead, terms, backorder):
    """One series with lists and words: (orders, unmet per period, on hand at the end of each period)."""
    (low, high), (review, lot, moq, opening) = levels, terms
    net, pipeline, orders, unmet, left = opening, [], [], [], []
    for t, wanted in enumerate(demand):
        net += sum(q for day, q in pipeline if day == t)
        pipeline = [(day, q) for day, q in pipeline if day > t]
        given = min(wanted, max(net, 0))
        net -= wanted if backorder else given
        unmet.append(wanted - given)
        left.append(net)
        position = net + sum(q for _, q in pipeline)
        quantity = 0.0
        if t % review == 0 and position < low[t]:
            grid = [max(moq, lot) + k * lot for k in range(200)]
            enough = next(q for q in grid if position + q >= low[t])
            quantity = max([q for q in grid if position + q <= high[t]] + [enough])
            pipeline.append((t + 1 + lead[t], quantity))
        orders.append(quantity)
    return orders, unmet, left


def test_periodic_review_reaches_the_textbook_service_and_fill_rate():
    # Poisson(4) a period, lead time 2, review 1, order-up-to 15: cycle service .844416, fill rate .903163
    demand = poisson_demand(4, (400, 1050))
    got = replay_thresholds(demand, 15, 15, 2, backorder=True, warm_up=50).measures()
    assert got["cycle_service"] == pytest.approx(0.844416, abs=0.002)
    assert got["fill_rate"] == pytest.approx(0.903163, abs=0.002)


@pytest.mark.parametrize(
    ("lead", "target", "waits", "leaves"),
    [(7, 0.8, 0.834, 0.925), (7, 0.95, 0.963, 0.980), (2, 0.95, 0.962, 0.971)],
)
def test_backorder_levels_serve_more_where_sales_are_lost(lead, target, waits, leaves):
    """The same level, demand waiting or leaving: what left makes room, so the shelf is empty less often."""
    level = poisson(4 * (lead + 1)).ppf(target)
    demand = poisson_demand(4, (100, 1100))
    waiting, lost = (
        replay_thresholds(demand, level, level, lead, backorder=kind, warm_up=100) for kind in (True, False)
    )
    assert waiting.measures()["cycle_service"] == pytest.approx(waits, abs=0.006)
    assert lost.measures()["cycle_service"] == pytest.approx(leaves, abs=0.006)
    assert target < waiting.measures()["cycle_service"] < lost.measures()["cycle_service"]
    assert 1 < lost.measures()["mean_stock"] / waiting.measures()["mean_stock"] < 1.15


def test_fixed_quantity_reaches_the_textbook_fill_rate():
    # Lead-time demand N(100, 30) and no undershoot: half a unit a period, lead time N(200, 60) periods;
    # the position falls from s + 1/2 to s, where it is below s + 1/4 and the order goes out.
    rng = np.random.default_rng(1)
    lead = np.maximum(np.rint(rng.normal(200, 60, (1500, 6000))), 0).astype(int)
    s = 133.4375
    got = replay_thresholds(
        np.full(lead.shape, 0.5), s + 0.25, s + 200, lead, backorder=True, warm_up=1200
    ).measures()
    assert got["fill_rate"] == pytest.approx(0.99, abs=0.001)
    assert got["cycle_service"] == pytest.approx(0.8675, abs=0.006)


def test_without_lead_time_each_period_is_a_newsvendor():
    demand = poisson_demand(50, (200, 600))
    level = 56
    got = replay_thresholds(demand, level, level, 0, warm_up=1).measures()
    assert got["cycle_service"] == pytest.approx(poisson.cdf(level, 50), abs=0.004)
    left = sum(poisson.pmf(k, 50) * (level - k) for k in range(level))
    assert got["mean_stock"] == pytest.approx(left, abs=0.1)
    assert got["lost_units"] == pytest.approx(left - level + 50, abs=0.02)


@pytest.mark.parametrize("review", [1, 3, 7])
def test_cycle_service_is_the_chance_that_demand_over_lead_time_and_review_stays_within_the_level(review):
    # A mixture of lead times that wait in line; of orders that arrive together the first waited longest.
    pmf = np.array([0.0, 0.0, 0.6, 0.0, 0.4])
    lead = sample_lead_times(
        np.repeat(pmf[None], 500, axis=0), 900, np.random.default_rng(2), overtaking=0.0, review=review
    )
    demand = poisson_demand(2, lead.shape, seed=3)
    level = 2.0 * (4 + review) + 1
    got = replay_thresholds(demand, level, level, lead, review=review, backorder=True, warm_up=40).measures()
    reviews = np.arange(40, 890, review) // review * review
    arrival = reviews + lead[:, reviews]
    first = np.diff(arrival, axis=1, prepend=-1) > 0
    chance = np.bincount(lead[:, reviews][first]) / first.sum()
    expected = sum(p * poisson.cdf(level, 2 * (length + review)) for length, p in enumerate(chance))
    assert got["cycle_service"] == pytest.approx(expected, abs=0.006)


def test_the_clock_agrees_with_a_loop_in_words():
    rng = np.random.default_rng(4)
    for _ in range(60):
        n, periods = 3, 40
        demand = rng.poisson(3, (n, periods)).astype(float)
        high = rng.integers(8, 30, (n, periods)).astype(float)
        low = high - rng.integers(0, 6, (n, periods))
        lead = rng.integers(0, 9, (n, periods))
        review, lot, moq = rng.integers(1, 5, n), rng.integers(1, 8, n), rng.integers(1, 10, n)
        opening = rng.integers(0, 20, n).astype(float)
        backorder = bool(rng.integers(2))
        got = replay_thresholds(
            demand,
            low,
            high,
            lead,
            review=review,
            lot_size=lot,
            moq=moq,
            opening=opening,
            backorder=backorder,
        )
        for i in range(n):
            orders, unmet, left = naive(
                demand[i], (low[i], high[i]), lead[i], (review[i], lot[i], moq[i], opening[i]), backorder
            )
            assert got.orders[i].tolist() == orders
            assert got.lost[i] == pytest.approx(sum(unmet))
            assert got.stock[i] == pytest.approx(np.maximum(left, 0).mean())
            assert got.closing[i] == pytest.approx(left[-1])


@pytest.mark.parametrize("backorder", [True, False])
@pytest.mark.parametrize("warm_up", [0, 17])
def test_nothing_appears_or_vanishes(backorder, warm_up):
    rng = np.random.default_rng(5)
    demand = rng.poisson(3, (50, 80)).astype(float)
    inbound = rng.binomial(1, 0.1, demand.shape) * 6.0
    lead = rng.integers(0, 12, demand.shape)
    got = replay_thresholds(
        demand, 12, 20, lead, opening=5.0, inbound=inbound, backorder=backorder, warm_up=warm_up
    )
    out = got.demand if backorder else got.met
    np.testing.assert_allclose(got.opening + got.received - out, got.closing)
    if warm_up == 0:
        ordered = got.orders.sum(axis=1) + inbound.sum(axis=1)
        np.testing.assert_allclose(ordered, got.received + got.outstanding)


def test_later_demand_changes_no_earlier_order():
    demand = poisson_demand(3, (40, 60))
    poisoned = demand.copy()
    poisoned[:, 31:] = 1e6
    lead = np.random.default_rng(6).integers(0, 5, demand.shape)
    first, second = (replay_thresholds(d, 12, 18, lead).orders for d in (demand, poisoned))
    np.testing.assert_array_equal(first[:, :31], second[:, :31])
    assert (first[:, 31:] != second[:, 31:]).any()


def test_thresholds_of_a_period_decide_the_order_of_that_period_only():
    low = np.full((1, 6), -1.0)
    low[0, 3] = 100.0
    got = replay_thresholds(np.ones((1, 6)), low, 100.0, 1, opening=50.0)
    assert got.orders[0].tolist() == [0, 0, 0, 54, 0, 0]


def test_reviews_can_be_said_period_by_period():
    demand, lead = poisson_demand(3, (2, 40)), 2
    every_third, twice = np.arange(40) % 3 == 0, np.isin(np.arange(40), [11, 30])
    got = replay_thresholds(demand, 20, 20, lead, review=np.stack([every_third, twice]))
    np.testing.assert_array_equal(got.orders[0], replay_thresholds(demand, 20, 20, lead, review=3).orders[0])
    assert np.flatnonzero(got.orders[1]).tolist() == [11, 30]


def test_an_order_is_on_the_shelf_after_its_full_lead_time():
    # Decided at the end of period 0 with lead time 2: on the shelf for period 3, so 1 and 2 are lost.
    got = replay_thresholds(np.full((1, 4), 2.0), 1.0, 10.0, 2, opening=2.0)
    assert got.orders[0].tolist() == [10, 0, 0, 0]
    assert got.lost.tolist() == [4.0]
    assert got.closing.tolist() == [8.0]


def test_cycles_run_from_arrival_to_arrival():
    # One unit a period. Arrivals at 2 (ordered 0) and 6 (ordered 3); the shelf is empty in 5: one bad cycle
    # of the two that are complete at 6 and, in turn, at the arrival in 8 (ordered 5 and 7, together).
    low, high = np.full((1, 10), -1.0), np.full((1, 10), 100.0)
    lead = np.zeros((1, 10), dtype=int)
    for day, level, length in ((0, 4, 1), (3, 7, 2), (5, 9, 2), (7, 9, 0)):
        low[0, day], high[0, day], lead[0, day] = level, level, length
    got = replay_thresholds(np.ones((1, 10)), low, high, lead, opening=2.0)
    assert got.orders[0].tolist() == [3, 0, 0, 6, 0, 3, 0, 2, 0, 0]
    assert (got.cycles[0], got.served[0], got.lost[0]) == (2, 1, 1)


def test_quantities_are_those_of_the_plan():
    # Reorder point 20, order-up-to 31, lots of 12: the position 17 orders 12 (to 29), 5 orders 24 (to 29).
    for opening, quantity in ((18.0, 12.0), (6.0, 24.0), (21.0, 0.0)):
        got = replay_thresholds(np.ones((1, 1)), 20, 31, 1, opening=opening, lot_size=12, moq=12)
        assert got.orders[0, 0] == quantity


def test_more_stock_never_serves_worse():
    demand = poisson_demand(4, (200, 300))
    service = [
        replay_thresholds(demand, s, s, 3, backorder=True, warm_up=20).measures()["cycle_service"]
        for s in (12, 16, 20, 24)
    ]
    assert service == sorted(service)


def test_summary_holds_the_estimate_and_covers_the_truth():
    # (R, S) with lead time 0: the truth is the newsvendor's chance, and 95 % intervals should mostly hold it.
    truth, held = norm.cdf(1.0), 0
    for seed in range(40):
        demand = np.maximum(np.random.default_rng(seed).normal(50, 8, (60, 40)), 0)
        got = replay_thresholds(demand, 58, 58, 0)
        row = got.summary(draws=200, seed=seed).set_index("measure").loc["cycle_service"]
        assert row["low"] <= row["value"] <= row["high"]
        held += row["low"] <= truth <= row["high"]
    assert held >= 33


def test_summary_reports_groups_apart():
    demand = np.vstack([np.full((3, 20), 2.0), np.full((2, 20), 50.0)])
    groups = np.array(["slow"] * 3 + ["fast"] * 2)
    table = replay_thresholds(demand, 10, 10, 0, period=Period("week")).summary(groups, draws=20)
    fill = table[table["measure"] == "fill_rate"].set_index("group")["value"]
    assert fill["slow"] == 1.0
    assert fill["fast"] == pytest.approx(0.2)
    turns = table[table["measure"] == "turns"].set_index("group")["value"]
    assert turns["slow"] == pytest.approx(2 * 365.25 / 7 / 8)


def test_sampled_lead_times_follow_their_chances_and_wait_in_line_when_told():
    pmfs = np.array([[0.2, 0.0, 0.8], [0.0, 0.5, 0.5]])
    lead = sample_lead_times(pmfs, 20000, np.random.default_rng(7))
    assert (lead[0] == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert set(np.unique(lead[1])) == {1, 2}
    queued = sample_lead_times(pmfs[1:], 500, np.random.default_rng(8), overtaking=0.0)
    assert (np.diff(queued + np.arange(500), axis=1) >= 0).all()


@pytest.mark.parametrize("review", [1, 3, 7])
def test_orders_that_wait_in_line_keep_their_chances_and_levels_their_service(review):
    """Contracts of 14 ± 4 days: what the thresholds call a service of .95 is one when it is played."""
    pmf = np.diff(gamma(12.0, scale=14.0 / 12.0).cdf(np.arange(-1, 41)))
    pmf /= pmf.sum()
    rng = np.random.default_rng(5)
    lead = sample_lead_times(np.tile(pmf, (300, 1)), 900, rng, overtaking=0.0, review=review)
    at = lead[:, ::review][:, 40:]
    assert (np.diff(lead[:, ::review] + review * np.arange(lead[:, ::review].shape[1])) >= 0).all()
    assert np.bincount(at.ravel(), minlength=41) / at.size == pytest.approx(pmf, abs=0.01)
    assert lead[:, :20].mean(axis=0) == pytest.approx(at.mean(), abs=0.8)  # also those that wait for none
    values = np.arange(600)
    within = sum(p * poisson.cdf(values, 4 * (length + review)) for length, p in enumerate(pmf))
    level = float(values[np.searchsorted(within, 0.95)])
    demand = poisson_demand(4, lead.shape, seed=6)
    play = {"review": review, "backorder": True, "warm_up": 60}
    got = replay_thresholds(demand, level, level, lead, **play).measures()
    assert got["cycle_service"] == pytest.approx(0.95, abs=0.03)
    alone = sample_lead_times(np.tile(pmf, (300, 1)), 900, rng)
    freed = replay_thresholds(demand, level, level, alone, **play).measures()
    assert freed["cycle_service"] > got["cycle_service"]


def test_two_humps_far_apart_take_their_own_time():
    pmf = np.zeros((1, 21))
    pmf[0, [5, 20]] = 0.8, 0.2
    lead = sample_lead_times(pmf, 20000, np.random.default_rng(9), overtaking=0.0)
    assert (lead == 20).mean() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"demand": np.array([[1.0, -1.0]])}, "not negative"),
        ({"demand": np.array([[1.0, np.nan]])}, "finite"),
        ({"reorder_point": 9.0}, "must not exceed"),
        ({"lead_time": -1}, "lead times"),
        ({"order_up_to": np.nan}, "finite"),
        ({"review": 0}, "review"),
        ({"warm_up": 2}, "warm_up"),
    ],
)
def test_bad_input_is_refused_with_its_remedy(change, words):
    arguments = {"demand": np.ones((1, 2)), "reorder_point": 3.0, "order_up_to": 5.0, "lead_time": 1}
    with pytest.raises(Problem, match=words):
        replay_thresholds(**(arguments | change))


def test_covered_is_the_mixture_of_what_came_true():
    rng = np.random.default_rng(9)
    demand = rng.poisson(2, (30, 12)).astype(float)
    pmfs = rng.dirichlet(np.ones(5), 30)
    review = rng.integers(0, 8, 30)
    level = rng.integers(0, 25, 30).astype(float)
    by_hand = [
        sum(p * (demand[i, : length + review[i]].sum() <= level[i]) for length, p in enumerate(pmfs[i]))
        for i in range(30)
    ]
    np.testing.assert_allclose(covered(demand, level, pmfs, review), by_hand)
    with pytest.raises(Problem, match="14 periods"):
        covered(demand, level, pmfs, 10)
