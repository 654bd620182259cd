"""What a panel remembers is what would be found anew, and never what was found about another panel."""

from dataclasses import replace

import numpy as np

from forecasting import memo
from forecasting.features import build_rows
from forecasting.memo import Memo
from forecasting.panel import Panel

HORIZONS = np.array([1, 7, 28])


def features(panel: Panel, origin: int) -> np.ndarray:
    series = np.arange(panel.series)
    return build_rows(panel, series, np.full_like(series, origin), HORIZONS).features


def test_asked_again_it_says_what_a_panel_that_was_never_asked_says(years: Panel):
    fresh = replace(years)
    for origin in (500, 799, 500):
        found = features(years, origin)
        np.testing.assert_array_equal(found, features(years, origin))
        np.testing.assert_array_equal(found, features(replace(fresh), origin))


def test_a_changed_panel_remembers_nothing_of_the_one_before(years: Panel):
    before = features(years, 700)
    double = replace(years, quantity=years.quantity * np.float32(1 + np.arange(years.length) % 2))
    assert not np.array_equal(before, features(double, 700), equal_nan=True)
    cut = years.until(700)
    assert cut.memo is not years.memo
    np.testing.assert_array_equal(features(cut, 700), before)


def test_what_is_too_large_to_keep_is_found_anew(monkeypatch):
    monkeypatch.setattr(memo, "MOST", 100)
    kept, asked = Memo(), []

    def find(size: int) -> np.ndarray:
        asked.append(size)
        return np.zeros(size, dtype=np.uint8)

    for size in (60, 60, 70, 70, 40, 40):
        assert len(kept.once(size, lambda size=size: find(size))) == size
    assert asked == [60, 70, 70, 40]
