"""Classic rules by hand, and savings at equal service where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm, poisson

from optimization.classic import Facts, fixed_cover, king, past_demand, root_of_time
from optimization.exchange import Curve, compare
from optimization.pictures import exchange_picture
from optimization.replay import replay_thresholds, sample_lead_times

LEVELS = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])


def facts(mean=10.0, sd=3.0, interval=4.0, interval_sd=1.0) -> Facts:
    return Facts(*(np.full((1, 2), value) for value in (mean, sd, interval, interval_sd)))


def test_classic_levels_by_hand():
    assert_allclose(king(facts(), 0.95), 40 + norm.ppf(0.95) * np.sqrt(4 * 9 + 100))
    assert_allclose(root_of_time(facts(), 0.95), 40 + norm.ppf(0.95) * 6)
    assert_allclose(king(facts(interval_sd=0.0), 0.9), root_of_time(facts(), 0.9))
    rising = facts()._replace(mean=np.array([[10.0, 20.0]]))
    assert fixed_cover(rising, 7.0).tolist() == [[70.0, 70.0]]


def test_past_demand_sees_the_window_and_no_empty_shelf():
    quantity = np.array([[100.0, 4.0, np.nan, 6.0], [0.0, 0.0, 0.0, 0.0]])
    observed = np.array([[True, True, False, True], [False, False, False, False]])
    mean, sd = past_demand(quantity, observed, 3)
    assert mean.tolist() == [5.0, 0.0]
    assert sd.tolist() == [1.0, 0.0]


@pytest.fixture(scope="module")
def played():
    """120 series of Poisson demand with a level each: levels that know each mean, and one that does not."""
    rng = np.random.default_rng(3)
    means = np.exp(rng.uniform(np.log(1), np.log(12), 120))
    demand = rng.poisson(means[:, None], (120, 300)).astype(float)

    def play(levels):
        return replay_thresholds(demand, levels, levels, 2, backorder=True, warm_up=20)

    exact = tuple(play(poisson(3 * means).ppf(level)) for level in LEVELS)
    more = tuple(play(1.5 * poisson(3 * means).ppf(level)) for level in LEVELS)
    cover = np.linspace(0.5, 14.0, 28)
    same = tuple(play(np.full(120, units * means.mean())) for units in cover)
    return (
        means,
        Curve("exact", LEVELS, exact),
        Curve("half more", LEVELS, more),
        Curve("one level", cover, same),
    )


def test_a_policy_saves_nothing_against_itself(played):
    _, exact, _, _ = played
    table = compare(exact, [exact])
    assert_allclose(table["saving"], 0, atol=1e-12)
    assert_allclose(table[["low", "high"]], 0, atol=1e-12)
    assert_allclose(table["service_at_stock"], table["service"], atol=1e-12)


def test_what_serves_as_well_is_not_stocked_beyond_the_least_that_does():
    """Of a rival's settings that serve alike the one with the least stock counts, not the most wasteful."""
    demand = np.full((3, 60), 2.0)

    def play(level: float):
        return replay_thresholds(demand, level, level, 1, warm_up=5)

    ours = Curve("ours", np.array([0.9]), (play(8.0),))
    rival = Curve("rival", np.arange(4.0), tuple(play(level) for level in (3.0, 8.0, 20.0, 100.0)))
    found = compare(ours, [rival]).iloc[0]
    assert (found["service"], found["saving"]) == (1.0, 0.0)
    assert found["stock_at_service"] == found["stock"]


def test_the_saving_is_read_between_the_settings(played):
    """At the service of 90 %, against a straight line through the other's neighbouring points."""
    _, exact, _, one = played
    table = compare(exact, [one]).set_index("setting")
    service = np.array([r.measures()["cycle_service"] for r in one.replays])
    stock = np.array([r.measures()["mean_stock"] for r in one.replays])
    wanted = table.loc[0.9, "service"]
    k = np.searchsorted(service, wanted)
    assert stock[k - 1] <= table.loc[0.9, "stock_at_service"] <= stock[k]
    assert 0.2 < table.loc[0.9, "saving"] < 0.8
    assert table.loc[0.9, "low"] < table.loc[0.9, "saving"] < table.loc[0.9, "high"]
    assert table.loc[0.9, "service_at_stock"] < wanted


def test_out_of_reach_is_nan(played):
    _, exact, more, _ = played
    table = compare(more, [exact]).set_index("setting")
    assert np.isnan(table.loc[0.99, "stock_at_service"])


def test_groups_reach_their_own_service(played):
    """Where every series is a group of its own size class, one level each costs less than one for all."""
    means, exact, _, one = played
    classes = np.digitize(means, [3.0, 6.0])
    whole, by_class = (compare(exact, [one], groups=g).set_index("setting") for g in (None, classes))
    assert by_class.loc[0.8, "stock_at_service"] < whole.loc[0.8, "stock_at_service"]
    total = 0.0
    for k in range(3):
        ours, other = (_of(curve, classes == k) for curve in (exact, one))
        alone = compare(ours, [other]).set_index("setting").loc[0.8, "stock_at_service"]
        total += alone * (classes == k).mean()
    assert by_class.loc[0.8, "stock_at_service"] == pytest.approx(total)


def _of(curve: Curve, rows: np.ndarray) -> Curve:
    names = ("cycles", "served", "demand", "met", "ready", "stock")
    parts = (replace(r, **{name: getattr(r, name)[rows] for name in names}) for r in curve.replays)
    return replace(curve, replays=tuple(parts))


def test_worth_weighs_stock_and_not_service(played):
    _, exact, _, one = played
    plain, scaled = compare(exact, [one]), compare(exact, [one], value=np.full(120, 3.0))
    assert_allclose(scaled["stock"], 3 * plain["stock"])
    assert_allclose(scaled["saving"], plain["saving"], atol=1e-12)
    assert_allclose(scaled["service"], plain["service"])
    with pytest.raises(ValueError, match="cycle_service, fill_rate"):
        compare(exact, [one], "ready_rate")


def test_king_pays_for_a_second_hump():
    """Lead time 2 with .85, 14 with .15: what the mixture asks for at 80 % is less than King's."""
    rng = np.random.default_rng(0)
    pmf = np.zeros((60, 15))
    pmf[:, [2, 14]] = [0.85, 0.15]
    demand = rng.poisson(10.0, (60, 500)).astype(float)
    lead = sample_lead_times(pmf, 500, rng)

    def play(level):
        return replay_thresholds(demand, level, level, lead, backorder=True, warm_up=50)

    mean, sd = pmf[0] @ np.arange(15), np.sqrt(pmf[0] @ np.arange(15) ** 2 - (pmf[0] @ np.arange(15)) ** 2)
    known = Facts(*(np.full((60, 500), x) for x in (10.0, np.sqrt(10.0), mean + 1, sd)))
    targets = np.array([0.3, 0.6, 0.8, 0.9, 0.95, 0.99, 0.9999])
    classic = Curve("King", targets, tuple(play(king(known, t)) for t in targets))
    at_80 = play(poisson(30).ppf(0.80 / 0.85))
    assert at_80.measures()["mean_stock"] < classic.replays[2].measures()["mean_stock"]


def test_the_picture_draws_every_policy(played, tmp_path):
    _, exact, more, one = played
    figure = exchange_picture([exact, more, one], "cycle_service", None, "units")
    assert [line.get_label() for line in figure.axes[0].get_lines()] == ["exact", "half more", "one level"]
    figure.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000
