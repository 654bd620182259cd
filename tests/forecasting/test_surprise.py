"""Surprise: a planted week stands out, ordinary ones do not, and nothing is said where nobody could tell."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting.backtest import build_folds
from forecasting.baselines import Baseline
from forecasting.calibration import calibrate
from forecasting.models import DemandModel
from forecasting.panel import Panel
from forecasting.surprise import RAREST, once_in, surprise


@pytest.fixture(scope="module")
def model(panel: Panel) -> DemandModel:
    candidate = Baseline("moving_average")
    folds = build_folds(panel, 28, 6, 0)
    early = candidate.fit(panel, folds.fitted, 28, 0, 1)
    calibration = calibrate(early.predict(panel, folds.series, folds.origin, folds.horizons), folds.actual)
    fitted = candidate.fit(panel, panel.length - 1, 28, 0, 1)
    return DemandModel(fitted, calibration, panel.as_of.date().isoformat(), about={"horizon": 28})


def with_last(panel: Panel, series: int, days: int, daily: float) -> Panel:
    quantity = panel.quantity.copy()
    quantity[series, -days:] = daily
    return replace(panel, quantity=quantity)


def test_ordinary_weeks_are_ordinary(model: DemandModel, panel: Panel) -> None:
    found = surprise(model, panel)
    assert len(found) == panel.series
    assert (found["demand_once_in"] >= 1).all()
    assert found["demand_once_in"].median() < 20
    assert set(found["demand_days"]) <= {1.0, 7.0}
    assert (found["demand_seen"] >= 0).all()


@pytest.mark.parametrize(("days", "daily"), [(1, 120.0), (7, 60.0), (7, 0.0)])
def test_a_planted_window_stands_out_alone(model: DemandModel, panel: Panel, days: int, daily: float) -> None:
    before, series = surprise(model, panel)["demand_once_in"], panel.series - 1  # the one that sells most
    after = surprise(model, with_last(panel, series, days, daily))
    assert after.loc[series, "demand_once_in"] > 1000
    # The others know of it at most what they learn of all that sell beside them.
    assert np.allclose(np.delete(after["demand_once_in"], series), np.delete(before, series), rtol=0.02)
    above = after.loc[series, "demand_seen"] > after.loc[series, "demand_expected"]
    assert above == (daily > 0)


def test_what_was_not_observed_is_not_judged(model: DemandModel, panel: Panel) -> None:
    quantity = panel.quantity.copy()
    quantity[3, -1] = np.nan
    found = surprise(model, replace(panel, quantity=quantity)).loc[3]
    assert found.isna().all()


def test_the_odds_are_two_sided_and_bounded() -> None:
    seen = np.array([5.0, 5.0, 5.0, np.nan])
    odds = once_in(seen, np.array([0.5, 0.01, 1.0, 0.5]), np.array([0.5, 0.99, 0.0, 0.5]))
    assert odds[:3].tolist() == [1.0, 50.0, RAREST]
    assert np.isnan(odds[3])
