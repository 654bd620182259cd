"""Drift: each alarm stays silent while nothing changes and speaks when its own cause appears."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.drift import DriftReport, detect_drift, is_due, reasons_to_retrain
from forecasting.models import DemandModel
from forecasting.panel import Panel, build_panel
from forecasting.shifts import feature_shift, lead_time_shift, stability
from forecasting.signals import smoothed_signal, tracking_signal
from forecasting.training import train
from ingestion.periods import Period

DAYS, SINCE = 260, 35


def shop(level: float = 1.0, noise: float = 1.0, seed: int = 0) -> Panel:
    """Poisson demand of 30 series, in the last days times `level` and `noise` times as far from its mean."""
    rng = np.random.default_rng(seed)
    rate = np.geomspace(2, 30, 30)[:, None] * np.ones(DAYS)
    rate[:, -SINCE:] *= level
    spread = np.where(np.arange(DAYS) >= DAYS - SINCE, noise, 1.0)
    quantity = np.maximum(rate + (rng.poisson(rate) - rate) * spread, 0.0).round()
    dates = pd.date_range("2024-01-01", periods=DAYS)
    demand = pd.DataFrame(
        {
            "sku": np.repeat([f"s{i:02d}" for i in range(30)], DAYS),
            "location": "x",
            "date": np.tile(dates, 30),
            "quantity": quantity.ravel(),
        }
    )
    return build_panel({"demand": demand}, Period("day"), dates[-1], 28)


@pytest.fixture(scope="module")
def model() -> DemandModel:
    """What was in force before the last days; the days before them are the same in every shop of a seed."""
    return train(shop().until(DAYS - 1 - SINCE), threads=1, candidates=(Baseline("moving_average"),)).model


def alarmed(report: DriftReport) -> set[str]:
    return {check.split(",")[0] for check in report.checks.loc[report.checks["alarm"], "check"]}


def test_nothing_changed_nothing_is_said(model):
    report = detect_drift(_goes_on(1), model)
    assert report.alarms == ()
    names = set(report.checks["check"])
    assert {"tracking signal, all", "smoothed tracking signal, volume high", "coverage 0.95"} <= names
    assert any(name.startswith("feature ") for name in names)
    assert (report.learned, report.now) == (pd.Timestamp("2024-08-12"), pd.Timestamp("2024-09-16"))


def test_luck_alone_alarms_rarely(model):
    """Of the ways to go on as before, few raise any of a dozen alarms."""
    quiet = [not detect_drift(_goes_on(seed), model).alarms for seed in range(1, 9)]
    assert np.mean(quiet) >= 0.75


def _goes_on(seed: int) -> Panel:
    panel, other = shop(), shop(seed=seed)
    quantity = np.where(np.arange(DAYS) < DAYS - SINCE, panel.quantity, other.quantity)
    return replace(panel, quantity=quantity, sold=quantity)


@pytest.mark.parametrize(("level", "side"), [(1.3, "above"), (0.75, "below")])
def test_a_forecast_that_lags_behind_trips_the_tracking_signal(level, side):
    panel = shop(level)
    frozen = train(panel.until(DAYS - 1 - SINCE), threads=1, candidates=(Baseline("tsb"),)).model
    slow = DemandModel(_Frozen(frozen, panel), frozen.calibration, frozen.as_of)
    report = detect_drift(panel, slow)
    assert {"tracking signal", "smoothed tracking signal"} <= alarmed(report)
    assert any(f"demand stayed {side} the forecast" in words for words in report.alarms)


class _Frozen:
    """Goes on saying what was right before the last days."""

    def __init__(self, model: DemandModel, panel: Panel) -> None:
        self.fitted, self.panel, self.name = model.fitted, panel, "frozen"

    def predict(self, panel, series, origin, horizons):
        at = np.full(len(series), DAYS - 1 - SINCE)
        return self.fitted.predict(self.panel, series, at, horizons)

    def write(self, folder):
        return {}


def test_wilder_demand_trips_the_coverage(model):
    report = detect_drift(shop(noise=2.5), model)
    assert "coverage 0.95" in alarmed(report)
    assert any("granted to luck" in words for words in report.alarms)


def test_a_feature_that_moved_is_named(model):
    panel = shop()
    promotion = panel.promotion.copy()
    promotion[:, -SINCE:] = 0.4
    report = detect_drift(replace(panel, promotion=promotion), model)
    assert any(check.startswith("feature ") and "promotion" in check for check in alarmed(report))


def test_no_past_no_check(model):
    panel = shop().until(DAYS - 1 - SINCE)
    report = detect_drift(panel, model)
    assert report.checks.empty
    assert report.alarms == ()


def test_slower_deliveries_alarm_and_few_orders_tell_nothing(model):
    rng = np.random.default_rng(0)
    before, same, slower = rng.gamma(9, 1, 200), rng.gamma(9, 1, 40), rng.gamma(9, 1.6, 40)
    assert "lead times" not in alarmed(detect_drift(shop(), model, (before, same)))
    report = detect_drift(shop(), model, (before, slower))
    assert "lead times" in alarmed(report)
    assert report.alarms[-1].startswith("lead times of 40 orders are 1.")
    assert lead_time_shift(before, slower[:9]) is None
    assert lead_time_shift(np.full(100, 7.0), np.full(100, 8.0)).p < 1e-9
    assert not lead_time_shift(np.full(100, 7.0), np.full(100, 8.0)).alarm


def test_signals_keep_their_promise_under_independent_and_correlated_errors():
    rng = np.random.default_rng(1)
    for rho, most in ((0.0, 0.03), (0.5, 0.08)):
        passed = []
        for _ in range(1000):
            shocks = rng.normal(size=48)
            for t in range(1, 48):
                shocks[t] += rho * shocks[t - 1]
            passed.append(
                [abs(value) > limit for value, limit in (tracking_signal(shocks), smoothed_signal(shocks))]
            )
        assert (np.mean(passed, axis=0) <= most).all()


def test_the_smoothed_signal_is_that_of_a_hand_made_case():
    # MAD 1; after one error of +1 the smoothed error is 0.1, after two 0.19.
    assert smoothed_signal(np.array([1.0, 1.0]))[0] == pytest.approx(0.19)
    assert smoothed_signal(-np.ones(200))[0] == pytest.approx(-1.0, abs=1e-6)


def test_stability_is_that_of_two_bins_by_hand():
    before, now = np.repeat([0.0, 1.0], [500, 500]), np.repeat([0.0, 1.0], [200, 800])
    assert stability(before, now) == pytest.approx(
        0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5), abs=0.02
    )
    assert stability(before, np.full(1000, np.nan)) > 5


def test_a_season_is_no_shift():
    """A feature that always looks different from stretch to stretch must look more different to alarm."""
    stretch = np.repeat(np.arange(10), 100)
    season = np.column_stack(
        [stretch % 4 + np.tile(np.linspace(0, 0.5, 100), 10), np.tile(np.arange(100.0), 10)]
    )
    now = np.column_stack([np.full(100, 2.2), 40 + np.arange(100.0)])
    found = {
        shift.feature: shift.alarm for shift in feature_shift(season, stretch, now, ["season", "level"], 100)
    }
    assert found == {"season": False, "level": True}


def test_reasons_are_said_each_in_its_words():
    nothing = DriftReport(
        pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-28"), pd.DataFrame({"alarm": [], "words": []})
    )
    assert reasons_to_retrain(nothing, "a", "a") == ()
    assert not is_due(nothing.learned, nothing.now)
    later = replace(nothing, now=pd.Timestamp("2024-01-29"))
    assert (
        reasons_to_retrain(later, "", "b")[0]
        == "due: the model has learned nothing since 2024-01-01, 28 days of 28"
    )
    assert reasons_to_retrain(later, "", "b")[1].startswith("feedback: ")
    alarm = replace(nothing, checks=pd.DataFrame({"alarm": [True, False], "words": ["late", "fine"]}))
    assert reasons_to_retrain(alarm, "", "") == ("drift: late",)
