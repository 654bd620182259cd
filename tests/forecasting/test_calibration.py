"""What calibration promises: levels that held, few errors that do not overreach, correlation found again."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, poisson

from forecasting.calibration import calibrate, places
from forecasting.cumulative import LEVELS
from forecasting.forecaster import Prediction

HORIZONS = np.array([1, 7, 14, 28])


def poisson_sums(m: int, seed: int, rho: float = 0.0) -> tuple[Prediction, np.ndarray]:
    """Sums of Poisson demand whose rate is known; the raw quantiles given are far too narrow."""
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.uniform(-2, 2, m))
    shocks = rng.normal(size=(m, 28))
    for t in range(1, 28):
        shocks[:, t] = rho * shocks[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
    daily = poisson.ppf(norm.cdf(shocks), rate[:, None])
    actual = np.cumsum(daily, axis=1)[:, HORIZONS - 1]
    mean = rate[:, None] * HORIZONS
    levels = np.array([0.1, 0.5, 0.95])
    raw = mean[:, :, None] * np.array([0.9, 1.0, 1.1])
    path = rate[:, None] * np.arange(1, 29)
    return Prediction(HORIZONS, mean, np.sqrt(mean), mean, levels, raw, path), actual


def test_levels_hold_on_new_windows_in_every_horizon_and_volume():
    calibration = calibrate(*poisson_sums(6000, 0))
    prediction, actual = poisson_sums(6000, 1)
    rows = calibration.quantiles(prediction)
    busy = prediction.mean[:, 0] > np.median(prediction.mean[:, 0])
    for level in (0.8, 0.9, 0.95, 0.99):
        quantile = rows[:, :, np.searchsorted(LEVELS, level)]
        for mask in (busy, ~busy):
            below = (actual[mask] < quantile[mask] - 1e-6).mean(axis=0)
            within = (actual[mask] <= quantile[mask] + 1e-6).mean(axis=0)
            assert (below - 0.03 <= level).all()
            assert (within + 0.03 >= level).all()


def test_quantiles_never_fall_in_level_or_horizon():
    prediction, actual = poisson_sums(500, 0)
    rows = calibrate(prediction, actual).quantiles(prediction)
    assert (np.diff(rows, axis=1) >= 0).all()
    assert (np.diff(rows, axis=2) >= 0).all()
    assert (rows >= 0).all()


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_the_correlation_of_errors_is_found_again(rho):
    prediction, actual = poisson_sums(3000, 2, rho)
    busy = prediction.mean[:, 0] > 1.0
    assert calibrate(prediction.take(busy), actual[busy]).correlation == pytest.approx(rho, abs=0.15)


def test_series_that_stay_at_one_place_say_nothing_of_the_correlation():
    """Many series of independent periods, beside some whose sums are always as far above their mean."""
    prediction, actual = poisson_sums(3000, 2)
    busy = prediction.mean[:, 0] > 1.0
    prediction, actual = prediction.take(busy), actual[busy]
    series = np.arange(len(actual)) // 8
    still = series >= 0.8 * series.max()
    stuck = np.where(still[:, None], prediction.mean + 1.5 * prediction.spread, actual)
    assert calibrate(prediction, stuck).correlation > 0.3
    assert calibrate(prediction, stuck, series).correlation == pytest.approx(0.0, abs=0.15)
    unknown = np.where((series < 0.55 * series.max())[:, None], np.nan, stuck)
    assert calibrate(prediction, unknown, series).correlation == pytest.approx(0.0, abs=0.15)


@pytest.mark.parametrize("m", [0, 1, 5])
def test_few_errors_give_a_wide_distribution_and_no_crash(m):
    prediction, actual = poisson_sums(m, 3)
    calibration = calibrate(prediction, actual)
    asked, _ = poisson_sums(40, 4)
    rows = calibration.quantiles(asked)
    assert np.isfinite(rows).all()
    high, low = rows[:, :, np.searchsorted(LEVELS, 0.99)], rows[:, :, np.searchsorted(LEVELS, 0.5)]
    assert (high > low + asked.spread * 0.5).all()


def test_sums_never_seen_do_not_count():
    prediction, actual = poisson_sums(2000, 5)
    hidden = actual.copy()
    hidden[:1000] = np.nan
    kept = prediction.take(np.arange(1000, 2000))
    first, second = calibrate(prediction, hidden), calibrate(kept, actual[1000:])
    np.testing.assert_array_equal(first.pooled, second.pooled)
    assert first.errors == second.errors == 4000


def test_places_are_uniform_and_share_ties():
    rows = np.tile(norm.ppf(LEVELS), (20000, 1, 1))
    place = places(rows, np.random.default_rng(0).normal(size=(20000, 1)))
    assert place.mean() == pytest.approx(0.5, abs=0.01)
    assert np.quantile(place, 0.9) == pytest.approx(0.9, abs=0.01)
    zeros = np.zeros((1, 1, len(LEVELS)))
    zeros[..., LEVELS > 0.8] = 2.0
    assert places(zeros, np.zeros((1, 1)))[0, 0] == pytest.approx(0.4)


@pytest.mark.parametrize(("selected", "believed"), [(False, 0.5), (True, 1.0)])
def test_what_errors_have_in_common_is_believed_by_half_unless_windows_are_of_one_kind(selected, believed):
    prediction, actual = poisson_sums(6000, 5)
    fair = calibrate(prediction, actual, selected=selected).pooled
    off = calibrate(prediction, actual + 0.2 * prediction.spread, selected=selected).pooled
    told = (LEVELS >= 0.1) & (LEVELS <= 0.95)  # beyond, the prior speaks as well
    np.testing.assert_allclose((off - fair)[:, :, told], 0.2 * believed, atol=1e-6)


def test_one_wild_error_does_not_become_the_tail_of_its_bin():
    prediction, actual = poisson_sums(640, 6)
    wild = actual.copy()
    wild[0, 0] += 50.0 * prediction.spread[0, 0]
    calm, told = (calibrate(prediction, one, selected=True).pooled for one in (actual, wild))
    risen = (told - calm)[:, :, np.searchsorted(LEVELS, 0.99)]
    assert 0.5 < risen.max() < 5.0  # of 80 errors the largest is the .99 quantile, 50 spreads higher
    assert np.median(risen) < 0.1


def test_a_bulk_order_of_one_series_does_not_become_the_tail_of_all():
    """A hundred series at eight origins; windows of three origins of one hold an order in bulk."""
    prediction, actual = poisson_sums(800, 9)
    series = np.arange(800) // 8
    bulk = actual.copy()
    bulk[5:8] += 300.0 * prediction.spread[5:8]
    calm, told, alone = (
        calibrate(prediction, *given, selected=True).pooled[:, :, np.searchsorted(LEVELS, 0.99)]
        for given in ((actual, series), (bulk, series), (bulk, None))
    )
    assert (alone - calm).max() > 10.0
    assert (told - calm).max() < 2.0
    assert (told >= calm - 1e-9).all()


def test_items_that_sell_nearly_never_keep_a_tail_of_their_own():
    busy, actual = poisson_sums(2000, 7)
    rng = np.random.default_rng(8)
    rare = busy.take(np.arange(1000))
    rate = np.full((1000, 1), 0.002) * HORIZONS
    rare = replace(rare, mean=rate, spread=rate, sales=rate, quantiles=rate[:, :, None] * np.ones(3))
    sold = np.cumsum(rng.binomial(np.diff(HORIZONS, prepend=0), 0.002, (1000, 4)), axis=1)
    both = replace(
        busy,
        **{
            name: np.concatenate([getattr(busy, name), getattr(rare, name)])
            for name in ("mean", "spread", "sales", "quantiles", "path")
        },
    )
    rows = calibrate(both, np.concatenate([actual, sold])).quantiles(rare)
    upper = rows[:, -1, np.searchsorted(LEVELS, 0.99)]  # a chance of 5.4 % of one within 28 days
    assert (upper.round() == 1).all()
