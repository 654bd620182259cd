"""The mixture over the protection interval: textbook cases, an oracle on integers, simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from scipy.stats import gamma, nbinom, norm, poisson, rv_discrete

from optimization.king import king_safety_stock
from optimization.lot_sizing import fill_lot_level, lot_level
from optimization.protection import protection_demand


def over(demand, lead_times, review=0):
    return protection_demand(demand, lead_times, np.full(len(demand.keys), review))


def test_king_is_kept_as_the_baseline():
    """Case 9."""
    found = king_safety_stock(2500, 500, 7, np.arange(8), 0.9)
    assert_allclose(found, [1695, 3625, 6628, 9760, 12927, 16109, 19298, 22491], atol=1)


def test_bimodal_lead_time(continuous_demand, lead_time_of):
    """Case 10: the rare late delivery does not matter at 80 %, King would hold three times as much."""
    demand = continuous_demand([norm(2500 * h, 500 * np.sqrt(h)) for h in range(1, 29)])
    level = over(demand, lead_time_of({4: 0.875, 28: 0.125})).quantile(0.8)
    assert level.round().tolist() == [[11368]]
    # King adds to the mean of 7 periods with a lead-time deviation of 24·√(.875·.125)
    king = 2500 * 7 + king_safety_stock(2500, 500, 7, 24 * np.sqrt(0.875 * 0.125), 0.8)
    assert king.round() == 34237


def test_negative_binomial_over_a_random_lead_time(discrete_demand, lead_time_of):
    """Case 11."""
    demand = discrete_demand([nbinom(1.5 * h, 1.5 / 5.5) for h in range(1, 16)])
    protection = over(demand, lead_time_of({5: 0.5, 10: 0.3, 15: 0.2}))
    mean, sd = protection.moments()
    assert_allclose([mean.item(), sd.item() ** 2], [34, 368.667], rtol=2e-6)
    assert_allclose(protection.quantile([0.90, 0.95, 0.99]), [[62, 70, 86]], atol=1e-4)


def test_the_quantile_of_a_sum_is_not_the_sum_of_quantiles(discrete_demand, lead_time_of, usual_demand):
    """Case 12, on the exact grid and on the grid that models use."""
    laws = [poisson(2 * h) for h in range(1, 15)]
    assert_allclose(over(discrete_demand(laws), lead_time_of({14: 1.0})).quantile(0.95), 37, atol=1e-5)
    usual = usual_demand(np.array([2.0]), 14, poisson)
    assert_allclose(over(usual, lead_time_of({13: 1.0}), review=1).quantile(0.95), 37, atol=1e-5)
    assert 14 * poisson(2).ppf(0.95) == 70


@pytest.mark.parametrize(
    ("law", "amount", "loss"),
    [(nbinom(4, 0.2), 14, 4.44730), (gamma(2, scale=3), 4, 2.63597), (norm(50, 8), 60.4, 8 * 0.0455280)],
)
def test_loss_functions(law, amount, loss, request, lead_time_of):
    """Case 8; the normal one at 1.3 deviations above a mean that keeps it positive."""
    discrete = isinstance(law.dist, rv_discrete)
    build = request.getfixturevalue("discrete_demand" if discrete else "continuous_demand")
    found = over(build([law]), lead_time_of({1: 1.0})).shortage(np.array([float(amount)]))
    assert_allclose(found, loss, rtol=1e-5)


def test_fill_rate_of_a_fixed_order_quantity(continuous_demand, lead_time_of):
    """Case 13: s with 1 - [n(s) - n(s + Q)]/Q = .99."""
    protection = over(continuous_demand([norm(100, 30)]), lead_time_of({1: 1.0}))

    def fill(s: float) -> float:
        return (
            1 - (protection.shortage(np.array([s])) - protection.shortage(np.array([s + 200]))).item() / 200
        )

    level = brentq(lambda s: fill(s) - 0.99, 50, 250)
    assert round(level, 3) == pytest.approx(133.437, abs=1e-3)
    assert lot_level(protection, np.array([200.0]), np.array([0.99])) == pytest.approx(level, abs=1e-4)
    assert round(protection.cdf(np.array([level])).item(), 4) == 0.8675


def test_periodic_review_reaches_the_textbook_service(discrete_demand, lead_time_of):
    """Case 14, and back from its fill rate to its level."""
    demand = discrete_demand([poisson(4 * h) for h in range(1, 4)])
    protection = over(demand, lead_time_of({2: 1.0}), review=1)
    level = np.array([15.0])
    assert round(protection.cdf(level).item(), 6) == 0.844416
    lost = protection.shortage(level) - protection.lead_only().shortage(level)
    assert round(1 - lost.item() / 4, 6) == 0.903163
    assert_allclose(protection.fill_level(np.array([0.903163])), 15, atol=1e-4)


@pytest.mark.parametrize("target", [0.9, 0.95, 0.98])
@pytest.mark.parametrize("lot", [1, 6])
def test_slow_items_reach_their_fill_rate_though_quantiles_do_not_tell_days_apart(
    usual_demand, lead_time_of, target, lot
):
    """Of .03 to .2 a day ten days and eleven have the same whole quantiles, as if nobody came on a day."""
    means, many = np.array([0.03, 0.1, 0.2]), np.arange(200)
    demand = usual_demand(means, 12, lambda mean: nbinom(3 * mean, 0.75))
    protection = over(demand, lead_time_of({10: 1.0}, 3), review=1)
    asked, unit = np.full(3, target), np.ones(3)
    found = protection.fill_level(asked, unit)
    if lot > 1:
        found = fill_lot_level(protection, np.full(3, lot - 1.0), asked, unit)
    for mean, level in zip(means, np.ceil(found - 1e-4), strict=True):
        later, lead = (nbinom(3 * mean * h, 0.75).pmf(many) for h in (11, 10))
        short = np.maximum(many - level - np.arange(lot)[:, None], 0.0)
        assert 1 - (short @ later - short @ lead).mean() / mean > target - 0.015


def test_mixture_against_enumeration(discrete_demand, lead_time_of):
    laws = [poisson(1.3 * h) for h in range(1, 12)]
    of = {0: 0.1, 2: 0.4, 3: 0.2, 9: 0.3}
    protection = over(discrete_demand(laws), lead_time_of(of), review=2)
    values = np.arange(60)
    cdf = sum(p * laws[lead + 1].cdf(values) for lead, p in of.items())
    found = [protection.cdf(np.array([float(v)])).item() for v in values]
    assert_allclose(found, cdf, atol=1e-8)
    levels = np.array([0.2, 0.5, 0.9, 0.97, 0.999])
    assert_allclose(protection.quantile(levels)[0], [values[cdf >= level][0] for level in levels], atol=1e-4)


def test_quantiles_on_the_models_grid_against_simulation(usual_demand, lead_time_of):
    """17 levels are enough: half a point of two million draws of a bimodal mixture, 1 % of their spread."""
    demand = usual_demand(np.array([30.0]), 20, lambda mean: gamma(mean / 8, scale=8))
    protection = over(demand, lead_time_of({3: 0.8, 15: 0.2}), review=2)
    rng = np.random.default_rng(5)
    h = np.where(rng.random(2_000_000) < 0.8, 5, 17)
    draws = rng.gamma(30 * h / 8, 8)
    levels = [0.5, 0.8, 0.9, 0.95, 0.98]
    reached = [(draws <= level).mean() for level in protection.quantile(levels)[0]]
    assert_allclose(reached, levels, atol=0.005)
    mean, sd = protection.moments()
    assert_allclose([mean.item(), sd.item()], [draws.mean(), draws.std()], rtol=0.01)


def test_beyond_the_horizon_demand_goes_on_growing(usual_demand, lead_time_of):
    """Independent demand known for 28 periods, asked for 56: close to the law of 56."""

    def law(mean):
        return gamma(mean / 3, scale=3)

    short = over(usual_demand(np.array([5.0]), 28, law), lead_time_of({55: 1.0}), review=1)
    long = over(usual_demand(np.array([5.0]), 56, law), lead_time_of({55: 1.0}), review=1)
    assert_allclose(short.moments()[0], long.moments()[0], rtol=1e-5)
    assert_allclose(short.moments()[1], long.moments()[1], rtol=0.02)
    levels = [0.1, 0.5, 0.9, 0.99]
    assert_allclose(short.quantile(levels), long.quantile(levels), rtol=0.02)
    amounts = np.array([300.0])
    assert_allclose(short.shortage(amounts), long.shortage(amounts), rtol=0.05)


def test_what_sells_a_few_times_a_year_is_held_for_its_fill_rate(usual_demand, lead_time_of):
    """Over ten days nothing is asked for with a chance of .9 or more; without stock nothing is ever met."""
    means = np.array([1e-5, 0.002, 0.005, 0.01])
    demand = usual_demand(means, 12, poisson)
    protection = over(demand, lead_time_of({10: 1.0}, 4), review=1)
    assert protection.lead_only().quantile(0.9).tolist() == [[0]] * 4
    found = protection.fill_level(np.full(4, 0.9), np.ones(4))
    assert (found[1:] >= 1).all()
    assert found[0] == 0  # once in centuries


def test_nothing_asked_and_no_interval(usual_demand, lead_time_of):
    zero = usual_demand(np.array([0.0]), 5, lambda mean: poisson(np.maximum(mean, 1e-12)))
    protection = over(zero, lead_time_of({2: 0.5, 9: 0.5}), review=1)
    assert protection.quantile([0.5, 0.99]).tolist() == [[0, 0]]
    assert protection.shortage(np.array([0.0])).item() == pytest.approx(0, abs=1e-9)
    assert protection.fill_level(np.array([0.9])).tolist() == [0]
    some = usual_demand(np.array([4.0]), 5, poisson)
    assert over(some, lead_time_of({0: 1.0})).quantile(0.9).tolist() == [[0]]


def test_levels_outside_the_unit_interval_are_refused(usual_demand, lead_time_of):
    protection = over(usual_demand(np.array([4.0]), 5, poisson), lead_time_of({1: 1.0}))
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        protection.quantile([0.5, 1.0])
