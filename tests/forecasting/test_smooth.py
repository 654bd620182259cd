"""The smooth season: waves found again, noise mostly not, and nothing told from less than a year."""

import numpy as np
import pytest

from forecasting.smooth import BLOCK, YEAR_LENGTH, smooth_season

T = np.arange(900)


def season(height: float) -> np.ndarray:
    return np.exp(height * np.cos(2 * np.pi * T / YEAR_LENGTH["day"]))


def fitted(course: np.ndarray, span: int = 800) -> np.ndarray:
    course = course.copy()
    course[span:] = 999.0  # what comes is not looked at
    return smooth_season(course, span, YEAR_LENGTH["day"], BLOCK["day"])


def test_a_wave_is_found_with_its_height_drawn_in_a_little():
    found = fitted(5.0 * season(0.4))
    height = np.log(found).max()
    assert 0.3 < height < 0.4
    assert np.corrcoef(np.log(found), np.log(season(1.0)))[0, 1] > 0.999
    np.testing.assert_allclose(found, fitted(500.0 * season(0.4)))  # a multiple: free of scale


def test_it_has_no_trend_and_no_weekday():
    grown = fitted(np.exp(0.3 * T / 365) * np.where(T % 7 >= 5, 2.0, 0.6))
    assert np.abs(np.log(grown)).max() < 0.06
    assert abs(np.log(grown[730] / grown[0])) < 0.01


def test_of_noise_little_is_left():
    rng = np.random.default_rng(0)
    weekly = np.repeat(np.exp(rng.normal(0, 0.2, 130)), 7)[:900]
    assert np.log(fitted(weekly)).std() < 0.06


def test_gaps_are_passed_over():
    course = season(0.4)
    course[300:330] = np.nan
    np.testing.assert_allclose(fitted(course), fitted(season(0.4)), rtol=0.03)


@pytest.mark.parametrize("name", ["day", "week", "month"])
def test_less_than_a_year_tells_no_season(name):
    year = int(YEAR_LENGTH[name])
    course = np.ones(year + year // 4)
    short, long = (
        smooth_season(course, n, YEAR_LENGTH[name], BLOCK[name]) for n in (year - BLOCK[name], len(course))
    )
    assert np.isnan(short).all()
    np.testing.assert_allclose(long, 1.0)


def test_nothing_sold_is_no_season():
    assert np.isnan(fitted(np.zeros(900))).all()
