"""The paired block bootstrap: its limits hold under the null, and a true difference is found."""

import numpy as np
import pytest

from forecasting.significance import luck, paired_difference

SERIES, ORIGINS = np.repeat(np.arange(40), 5), np.tile(np.arange(5), 40)


def losses(rng: np.random.Generator, of_series: float, of_origin: float, noise: float) -> np.ndarray:
    """(200, 3) differences of mean zero with an effect of the series, one of the origin, and noise."""
    effect = rng.normal(0, of_series, 40)[SERIES] + rng.normal(0, of_origin, 5)[ORIGINS]
    return effect[:, None] + rng.normal(0, noise, (200, 3))


@pytest.mark.parametrize(
    ("effects", "least", "most"),
    [
        ((1.0, 0.0, 0.5), 0.02, 0.085),
        ((0.0, 0.5, 1.0), 0.01, 0.085),
        ((1.0, 0.5, 1.0), 0.01, 0.085),
        ((0.0, 0.0, 1.0), 0.0, 0.03),
    ],
)
def test_a_true_zero_is_called_an_improvement_as_rarely_as_promised(effects, least, most):
    rng = np.random.default_rng(3)
    zero = np.zeros((200, 3))
    runs = [paired_difference(losses(rng, *effects), zero, ORIGINS, SERIES, k, 400) for k in range(400)]
    below = np.mean([run.high < 0 for run in runs])
    assert least <= below <= most
    assert np.mean([run.low > 0 for run in runs]) <= 0.085
    assert below == np.mean([run.p < 0.05 for run in runs])


def test_windows_taken_for_independent_would_promise_too_much():
    """The reason for blocks: with a common shock per origin a plain bootstrap errs five times as often."""
    rng = np.random.default_rng(4)
    off = [losses(rng, 0.0, 0.5, 1.0).ravel() for _ in range(400)]
    plain = np.mean([one.mean() + 1.645 * one.std() / np.sqrt(one.size) < 0 for one in off])
    assert plain > 0.25


def test_a_true_difference_is_found_and_its_size_lies_within_the_limits():
    rng = np.random.default_rng(5)
    found, within = 0, 0
    for k in range(200):
        old = 3.0 + losses(rng, 0.3, 0.1, 0.5)
        new = old - 0.4 + losses(rng, 0.1, 0.1, 0.3)
        answer = paired_difference(new, old, ORIGINS, SERIES, k, 400)
        found += answer.high < 0
        within += answer.low < -0.4 < answer.high
    assert found > 190
    assert within >= 170  # 90 % of 200, less the luck of 200 draws


def test_a_window_counts_only_where_both_were_scored():
    old = np.ones((200, 3))
    new = np.where(np.arange(3) == 0, np.nan, 0.9 * old)
    old[:, 1] = np.nan
    assert paired_difference(new, old, ORIGINS, SERIES, 0).mean == pytest.approx(-0.1)
    nothing = paired_difference(np.full((200, 3), np.nan), old, ORIGINS, SERIES, 0)
    assert np.isnan(nothing.mean)
    assert (nothing.high, nothing.p) == (np.inf, 1.0)


def test_one_window_proves_nothing_and_one_origin_is_taken_as_given():
    one = paired_difference(np.array([[0.5]]), np.array([[1.0]]), np.zeros(1), np.zeros(1), 0)
    assert (one.mean, one.high, one.p) == (-0.5, np.inf, 1.0)
    rng = np.random.default_rng(6)
    old = rng.gamma(2.0, size=(50, 1))
    assert paired_difference(0.9 * old, old, np.zeros(50), np.arange(50), 0).high < 0


def test_the_same_seed_gives_the_same_answer_and_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(7)
    new, old = losses(rng, 1, 1, 1), losses(rng, 1, 1, 1)
    order = rng.permutation(200)
    first = paired_difference(new, old, ORIGINS, SERIES, 9)
    assert first == paired_difference(new, old, ORIGINS, SERIES, 9)
    other = paired_difference(new[order], old[order], ORIGINS[order], SERIES[order], 9)
    assert first.high == pytest.approx(other.high)


def test_a_ratio_is_off_by_more_than_luck_as_rarely_as_promised():
    rng = np.random.default_rng(6)
    of = rng.gamma(2.0, 10.0, (200, 3))
    of[rng.random((200, 3)) < 0.2] = np.nan
    low = high = 0
    for k in range(400):
        found = of * (0.8 + 0.1 * losses(rng, 0.3, 0.5, 0.5))
        known = np.isfinite(found)
        off, reach = found[known].sum() / of[known].sum() - 0.8, luck(found, of, ORIGINS, SERIES, k, 400)
        low, high = low + (off < -reach), high + (off > reach)
    assert 4 <= low <= 34
    assert 4 <= high <= 34


def test_luck_of_nothing_is_none_and_of_a_single_window_not_to_be_told():
    assert luck(np.full((4, 2), np.nan), np.ones((4, 2)), ORIGINS[:4], SERIES[:4], 0) == 0.0
    assert luck(np.zeros((4, 2)), np.zeros((4, 2)), ORIGINS[:4], SERIES[:4], 0) == 0.0
    assert luck(np.ones((1, 2)), np.ones((1, 2)), ORIGINS[:1], SERIES[:1], 0) == np.inf
