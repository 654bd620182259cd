"""Questions put to sums of Poisson demand, whose answers are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.periods import Period

RATES = np.array([0.3, 2.0, 20.0])
STEPS = np.arange(1, 15)


@pytest.fixture(scope="module")
def sums() -> CumulativeDemand:
    mean = RATES[:, None] * STEPS
    return CumulativeDemand(
        keys=pd.DataFrame({"sku": list("abc"), "location": "x"}),
        as_of=pd.Timestamp("2024-03-31"),
        period=Period("day"),
        quantiles=poisson.ppf(LEVELS, mean[:, :, None]).astype(np.float32),
        mean=mean.astype(np.float32),
        levels=LEVELS,
        correlation=0.3,
    )


def test_the_95_percent_of_a_fortnight_is_37_not_70(sums):
    assert sums.quantile([0.95])[1, 13, 0] == 37
    assert sums.dates[0] == pd.Timestamp("2024-04-01")


def test_cdf_and_shortage_match_the_poisson(sums):
    amount = np.array([6.0, 30.0, 290.0])
    exact = poisson.cdf(amount, RATES * 14)
    np.testing.assert_allclose(sums.cdf(amount)[:, 13], exact, atol=0.06)
    counts = np.arange(2000)
    loss = [
        (np.maximum(counts - a, 0) * poisson.pmf(counts, r * 14)).sum()
        for a, r in zip(amount, RATES, strict=True)
    ]
    np.testing.assert_allclose(sums.expected_shortage(amount)[:, 13], loss, rtol=0.1)


def test_quantile_and_cdf_are_inverse_to_each_other(sums):
    for level in (0.3, 0.77, 0.96, 0.999):
        back = sums.cdf(sums.quantile([level])[:, :, 0])
        assert (back >= level - 1e-6).all()


def test_paths_keep_every_horizons_distribution(sums):
    paths = sums.paths(4096, seed=1)
    assert (np.diff(paths, axis=2) >= 0).all()
    for level in (0.5, 0.9, 0.99):
        own = sums.quantile([level])[:, :, 0]
        np.testing.assert_allclose(np.quantile(paths, level, axis=1), own, rtol=0.08, atol=0.7)


def test_paths_of_correlated_errors_stay_on_their_side(sums):
    def persistence(rho: float) -> float:
        paths = replace(sums, correlation=rho).paths(4096)[1]
        return float(np.corrcoef(paths[:, 2], paths[:, 13])[0, 1])

    assert persistence(0.8) > persistence(0.0) + 0.1


def test_daily_means_add_up_and_quantiles_bracket_them(sums):
    mean, quantiles = sums.daily([0.1, 0.9])
    np.testing.assert_allclose(mean.sum(axis=1), sums.mean[:, -1], rtol=1e-5)
    assert (quantiles[2, :, 0] < 20).all()
    assert (quantiles[2, :, 1] > 20).all()
    taken = sums.take(np.array([False, True, True]))
    assert taken.keys["sku"].tolist() == ["b", "c"]


def test_wrong_levels_and_shapes_say_what_to_do(sums):
    with pytest.raises(ValueError, match="write 95% as"):
        sums.quantile([95])
    with pytest.raises(ValueError, match="one row per key"):
        CumulativeDemand(sums.keys[:2], sums.as_of, sums.period, sums.quantiles, sums.mean, LEVELS)
