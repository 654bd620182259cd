"""Paths: periods between the sums of a path are asked for as the law of a period says, for slow items too."""

import numpy as np
import pytest
from scipy.stats import gamma, nbinom, poisson

from forecasting.paths import SHAPES, nearest_shape, path_places
from optimization.paths import ways
from optimization.sums import compiled_rows

COUNT = 1024


@pytest.fixture
def steps(usual_demand):
    """(count, H) units of each period on the paths of one series whose periods are gamma of a shape."""

    def build(shape: float, horizon: int = 6) -> np.ndarray:
        demand = usual_demand([3.0], horizon, lambda mean: gamma(shape * mean / 3.0, scale=3.0 / shape))
        way = ways(demand, COUNT, 0)
        low, of_low, high, of_high = (part[way.which[0]] for part in way.picks)
        row = compiled_rows(demand)[0]
        at = np.arange(horizon)[:, None]
        sums = np.maximum.accumulate(of_low * row[at, low] + of_high * row[at, high], axis=0)
        return np.diff(sums, axis=0, prepend=0.0).T

    return build


@pytest.mark.parametrize("shape", [0.15, 0.5, 2.0, 20.0])
def test_every_period_asks_for_as_much_as_its_law_says(steps, shape):
    asked = steps(shape)
    assert asked.mean(axis=0) == pytest.approx(3.0, rel=0.06)
    assert asked[:, -1].std() == pytest.approx(3.0 / np.sqrt(shape), rel=0.15)
    assert abs(np.corrcoef(asked[:, 0], asked[:, -1])[0, 1]) < 0.1


def test_each_place_is_taken_once():
    places = path_places(100, 4, 0.3, 0)
    assert places.shape == (len(SHAPES), 4, 100)
    np.testing.assert_allclose(
        np.sort(places, axis=2), np.broadcast_to((np.arange(100) + 0.5) / 100, places.shape)
    )


def test_correlation_makes_high_periods_follow_high_ones():
    def together(correlation: float) -> float:
        places = path_places(COUNT, 6, correlation, 0)[5]
        return float(np.corrcoef(places[0], places[5])[0, 1])

    assert together(0.8) > together(0.4) > together(0.0)


def test_a_series_follows_the_shape_of_its_own_periods(usual_demand):
    """The 17 quantiles tell the skewness of a very uneven period to within one step."""
    for k, shape in enumerate(SHAPES):
        demand = usual_demand([5.0], 3, lambda mean, k=shape: gamma(k * mean / 5.0, scale=5.0 / k))
        assert abs(nearest_shape(demand.levels, demand.quantiles[:, 0])[0] - k) <= (shape < 0.1)


@pytest.mark.parametrize(
    ("law", "over"),
    [
        (poisson, (2.0, 8)),
        (lambda mean: nbinom(0.5 * mean, 1 / 3), (1.0, 6)),
        (lambda mean: nbinom(0.05 * mean, 1 / 21), (6.0, 40)),
    ],
)
def test_two_periods_in_a_row_are_as_high_as_often_as_they_should(usual_demand, law, over):
    """One Gaussian walk for all has a third to a fifth fewer of these, and sums that fall."""
    mean, high = over
    demand = usual_demand([mean], 12, law)
    way = ways(demand, COUNT, 0)
    low, of_low, up, of_up = (part[way.which[0]] for part in way.picks)
    row, at = compiled_rows(demand)[0], np.arange(12)[:, None]
    sums = np.floor(of_low * row[at, low] + of_up * row[at, up] + 0.5)
    asked = np.diff(np.maximum.accumulate(sums, axis=0), axis=0, prepend=0.0)
    often = (asked[5:11] + asked[6:12] > high).mean()
    assert often == pytest.approx(law(2 * mean).sf(high), rel=0.15)


def test_nothing_ever_asked_for_is_no_error(usual_demand):
    demand = usual_demand([5.0], 3, lambda mean: gamma(mean, scale=1.0))
    none = demand.__class__(
        demand.keys, demand.as_of, demand.period, 0 * demand.quantiles, 0 * demand.mean, demand.levels
    )
    assert SHAPES[nearest_shape(none.levels, none.quantiles[:, 0])].tolist() == [SHAPES[-1]]
