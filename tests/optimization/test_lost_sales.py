"""Lost sales: the settled level against long replays, orders against answers by hand, laws."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma, nbinom, norm, poisson

from forecasting.cumulative import in_units
from optimization.lost_orders import cheapest_orders
from optimization.lost_sales import LEVELS, concerned, settle_targets
from optimization.position import Inbound
from optimization.protection import protection_demand
from optimization.replay import replay_thresholds


def terms(n: int = 1, **more) -> pd.DataFrame:
    plain = {"sku": [f"item {i:04d}" for i in range(n)], "location": "shop", "review_periods": 1}
    plain |= {"moq": 0.0, "lot_size": 0.0, "order_cost": 0.0, "whole": True}
    return pd.DataFrame(plain | more)


def aims(n: int = 1, **more) -> pd.DataFrame:
    plain = {"measure": "cost", "target": 0.8, "holding_cost": 1.0, "shortage_cost": 4.0, "unmet": "lost"}
    return pd.DataFrame(plain | more, index=range(n))


def no_orders(horizon: int) -> Inbound:
    return Inbound(pd.DataFrame({"sku": [], "location": [], "quantity": []}), np.zeros((0, horizon)))


def level_of(demand, lead_times, targets, supply=None) -> np.ndarray:
    over = protection_demand(demand, lead_times, np.full(len(demand.keys), 1))
    return in_units(over.quantile(targets["target"].to_numpy()[:, None])[:, 0], np.full(len(targets), True))


@pytest.mark.parametrize(
    ("mean", "lead", "shortage"), [(5.0, 4, 4.0), (5.0, 2, 9.0), (0.6, 3, 4.0), (2.0, 1, 19.0)]
)
def test_the_settled_level_is_near_the_best_of_long_replays(
    usual_demand, discrete_demand, lead_time_of, mean, lead, shortage
):
    """Order-up-to under lost sales has no formula: 400 series are played for 60 periods at every level.

    Known by its 17 quantiles, a law of few whole units is not known exactly: 5 % instead of 3 are allowed.
    """
    told = aims(shortage_cost=shortage, target=shortage / (1 + shortage))
    truth = np.random.default_rng(5).poisson(mean, (400, 60)).astype(float)

    def cost(at: float) -> float:
        played = replay_thresholds(truth, at, at, lead, warm_up=15)
        return float(played.stock.mean() + shortage * played.lost.mean() / played.periods)

    exact = discrete_demand([poisson(mean * h) for h in range(1, 25)])
    for demand, allowed in ((exact, 1.03), (usual_demand(np.array([mean]), 24, poisson), 1.05)):
        settled = settle_targets(demand, terms(), lead_time_of({lead: 1.0}), told)
        ours, newsvendor = (level_of(demand, lead_time_of({lead: 1.0}), t).item() for t in (settled, told))
        best = min(cost(float(at)) for at in range(1, int(newsvendor) + 6))
        assert cost(ours) <= allowed * best
        assert cost(ours) <= cost(newsvendor) + 1e-9
        assert ours <= newsvendor


@pytest.mark.parametrize("shortage", [2.0, 4.0, 19.0])
def test_without_lead_time_it_is_the_newsvendor(usual_demand, lead_time_of, shortage):
    demand = usual_demand(np.array([20.0]), 12, lambda m: nbinom(4, 4 / (4 + m)))
    settled = settle_targets(demand, terms(), lead_time_of({0: 1.0}), aims(shortage_cost=shortage))
    place = np.searchsorted(LEVELS, settled["target"].item())
    exact = shortage / (1 + shortage)
    assert LEVELS[max(place - 2, 0)] <= exact <= LEVELS[min(place + 2, len(LEVELS) - 1)]


def test_others_keep_their_target(usual_demand, lead_time_of):
    demand, lead_times = usual_demand(np.full(5, 4.0), 12, poisson), lead_time_of({2: 1.0}, 5)
    told = aims(5)
    told.loc[1, "unmet"] = "backorder"
    told.loc[2, "measure"] = "fill_rate"
    told.loc[3, "shortage_cost"] = 0.0
    supply = terms(5)
    supply.loc[4, "order_cost"] = 9.0
    assert concerned(demand, supply, lead_times, told).tolist() == [True, False, False, False, False]
    settled = settle_targets(demand, supply, lead_times, told)
    assert settled["target"].iloc[1:].tolist() == told["target"].iloc[1:].tolist()
    assert settled["target"].iloc[0] < told["target"].iloc[0]
    far = lead_time_of({11: 1.0}, 5)  # with the review exactly as far as the forecast reaches
    assert concerned(demand, supply, far, told)[0]
    assert not concerned(demand, supply, lead_time_of({12: 1.0}, 5), told).any()


@pytest.fixture
def order(usual_demand, lead_time_of):
    """Cheapest order with demand of 3 a period that is all but certain, and a lead time of 2 periods."""

    def build(available, supply=None, most=50.0, law=lambda m: norm(m, 1e-6), inbound=None, lead=None):
        demand = usual_demand(np.array([3.0]), 10, law)
        return cheapest_orders(
            demand,
            terms() if supply is None else supply,
            lead_time_of(lead or {2: 1.0}),
            aims(),
            available=np.array([available]),
            inbound=inbound or no_orders(10),
            most=np.array([most]),
        ).item()

    return build


@pytest.mark.parametrize(("on_hand", "quantity"), [(0.0, 3), (3.0, 3), (6.0, 3), (7.0, 2), (8.0, 1)])
def test_what_is_lost_before_the_order_comes_is_not_ordered_again(order, on_hand, quantity):
    """Without stock nothing sells in two periods; the third asks for 3. Backorders would ask for 9."""
    assert order(on_hand) == quantity


def test_open_orders_serve_first(order):
    frame = pd.DataFrame({"sku": "item 0000", "location": "shop", "quantity": [2.0, 2.0]})
    arrival = np.zeros((2, 10))
    arrival[[0, 1], [0, 2]] = 1.0  # one is sold before the third period, the other is there for it
    assert order(0.0, inbound=Inbound(frame, arrival)) == 1


def test_an_order_is_on_the_grid_and_within_the_most(order):
    assert order(0.0, most=2.0) == 2
    assert order(0.0, supply=terms(moq=4.0, lot_size=4.0), most=40.0) == 4
    grams = order(0.0, supply=terms(whole=False), most=20.0)
    assert grams == pytest.approx(3.0, abs=0.4 + 1e-9)


@pytest.mark.parametrize(
    ("mean", "size", "lead", "review", "shortage", "saved"),
    [
        (3.0, 1.0, {2: 1.0}, 1, 5.0, 0.02),
        (20.0, 50.0, {2: 1.0}, 1, 5.0, 0.03),
        (6.0, 2.0, {4: 1.0}, 1, 9.0, 0.03),
        (3.0, 2.0, {4: 1.0}, 4, 19.0, 0.0),
        (6.0, 4.0, {1: 0.5, 5: 0.5}, 1, 9.0, 0.0),
        (3.0, 2.0, {0: 1.0}, 1, 5.0, -0.02),
    ],
)
def test_the_orders_cost_less_than_the_best_order_up_to_level(
    usual_demand, lead_time_of, mean, size, lead, review, shortage, saved
):
    """150 shelves, long plays; the policy knows the laws of demand and lead time, and what is on its way."""
    n, warm, last = 150, 15, 60
    rng = np.random.default_rng(3)
    truth = rng.negative_binomial(size, size / (size + mean), (n, last)).astype(float)
    took = rng.choice(list(lead), (n, last), p=list(lead.values()))

    def cost(left: np.ndarray, lost: np.ndarray) -> float:
        return float(left.mean() + shortage * lost.mean())

    best, middle = np.inf, int(mean * (max(lead) + review))
    for at in range(middle // 3, 2 * middle + 8):
        played = replay_thresholds(truth, at, at, took, review=review, warm_up=warm)
        best = min(best, cost(played.stock, played.lost / played.periods))
    demand = usual_demand(np.full(n, mean), 24, lambda m: nbinom(m / mean * size, size / (size + mean)))
    lead_times, supply = lead_time_of(lead, n), terms(n, review_periods=review)
    told = settle_targets(demand, supply, lead_times, aims(n, shortage_cost=shortage))
    over = protection_demand(demand, lead_times, np.full(n, review))
    point = in_units(over.quantile(told["target"].to_numpy()[:, None])[:, 0], np.full(n, True))
    shelf, orders, arrives = point.copy(), np.zeros((n, last)), np.zeros((n, last + 30))
    left, lost = np.zeros((n, last)), np.zeros((n, last))
    for t in range(last):
        shelf = shelf + arrives[:, t]
        lost[:, t] = np.maximum(truth[:, t] - shelf, 0.0)
        shelf = left[:, t] = np.maximum(shelf - truth[:, t], 0.0)
        if t % review == 0:
            inbound = _on_the_way(demand.keys, orders, took, t, lead)
            placed = cheapest_orders(
                demand, supply, lead_times, aims(n, shortage_cost=shortage), available=shelf,
                inbound=inbound, most=np.full(n, 1000.0), seed=t,
            )  # fmt: skip
            due = shelf + arrives[:, t + 1 :].sum(axis=1) < point - 1e-6
            orders[:, t] = np.where(due, placed, 0.0)
            arrives[np.arange(n), t + 1 + took[:, t]] += orders[:, t]
    ours = cost(left[:, warm:], lost[:, warm:])
    assert ours <= (1.0 - saved) * best, (ours, best, 1 - ours / best)


def _on_the_way(keys: pd.DataFrame, orders: np.ndarray, took: np.ndarray, now: int, lead: dict[int, float]):
    """Open orders at the end of period `now`, each with its chances given that it has not come yet."""
    frames, chances = [], []
    for t in range(max(now - max(lead), 0), now):
        still = (orders[:, t] > 0) & (t + 1 + took[:, t] > now)
        ahead = {t + periods - now: chance for periods, chance in lead.items() if t + periods >= now}
        row = np.zeros(24)
        row[list(ahead)] = np.array(list(ahead.values())) / sum(ahead.values())
        frames.append(keys[still].assign(quantity=orders[still, t]))
        chances.append(np.tile(row, (still.sum(), 1)))
    return Inbound(pd.concat(frames, ignore_index=True), np.concatenate(chances)) if frames else no_orders(24)


def test_the_level_follows_cost_and_unit(usual_demand, lead_time_of):
    means = np.array([0.3, 2.0, 30.0])
    lead_times = lead_time_of({3: 0.7, 5: 0.3}, 3)

    def settled(shortage=4.0, unit=1.0):
        demand = usual_demand(means * unit, 20, lambda m: gamma(m / (2 * unit), scale=2 * unit))
        supply, told = terms(3, whole=False), aims(3, shortage_cost=shortage)
        return settle_targets(demand, supply, lead_times, told)["target"].to_numpy()

    assert (settled(20.0) >= settled(4.0)).all()
    assert (settled(4.0) >= settled(1.0)).all()
    assert settled(unit=1000.0).tolist() == settled().tolist() == settled().tolist()
