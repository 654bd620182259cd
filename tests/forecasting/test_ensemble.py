"""The ensemble: weights found again, averages that are those on paper, files that say the same."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from forecasting.backtest import Folds, folds_of, losses
from forecasting.baselines import Baseline
from forecasting.calibration import Calibration, calibrate
from forecasting.cumulative import LEVELS
from forecasting.ensemble import (
    ENOUGH,
    SEGMENTS,
    Ensemble,
    Member,
    Said,
    blend,
    choose_mean_weights,
    choose_weights,
    segments_of,
)
from forecasting.forecaster import Prediction
from forecasting.linear import Linear
from forecasting.models import DemandModel, load_model
from forecasting.panel import Panel, build_panel
from forecasting.persisted import seal
from ingestion.errors import Problem
from ingestion.periods import Period

GRID = np.array([1, 4, 7])
RATE = np.geomspace(4, 40, 120)


@pytest.fixture(scope="module")
def folds() -> Folds:
    """Windows of Poisson demand whose rates are known."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-01-01", periods=80)
    demand = pd.DataFrame({"sku": np.repeat([f"s{k:03d}" for k in range(120)], 80), "location": "x",
                           "date": np.tile(dates, 120),
                           "quantity": rng.poisson(RATE[:, None], (120, 80)).ravel() * 1.0})  # fmt: skip
    panel = build_panel({"demand": demand}, Period("day"), dates[-1], 7)
    series, origin = (
        part.ravel() for part in np.meshgrid(np.arange(120), np.arange(30, 72, 4), indexing="ij")
    )
    return folds_of(panel, series, origin, GRID, 29)


def truth(folds: Folds) -> np.ndarray:
    return poisson.ppf(LEVELS, (RATE[folds.series, None] * GRID)[:, :, None])


def test_a_weight_follows_from_what_a_model_loses_beside_the_best(folds: Folds):
    right, off = truth(folds), (RATE[folds.series, None] * GRID)[:, :, None] ** 0.5
    said = {"best": right + 0.5 * off, "near": right + 0.52 * off, "far": right + 3 * off}
    weights = choose_weights(folds, said, np.full(len(folds.series), 3))
    worth = (1.0 + folds.scale / folds.scale[folds.clean].mean())[folds.clean]
    lost = {name: np.average(losses(folds, rows)[folds.clean], weights=worth) for name, rows in said.items()}
    assert 1.002 < lost["near"] / lost["best"] < 1.02
    for k in range(len(SEGMENTS)):
        assert sum(weights[name][k] for name in said) == pytest.approx(1.0)
        ratio = weights["near"][k] / weights["best"][k]
        assert ratio == pytest.approx((lost["near"] / lost["best"]) ** -20, rel=1e-6)
        assert weights["far"][k] < 1e-6


def test_equals_share_alike_where_nothing_can_be_scored(folds: Folds):
    said = {"a": truth(folds), "b": truth(folds) * 2}
    unseen = replace(folds, clean=np.zeros_like(folds.clean))
    assert choose_weights(unseen, said, np.full(len(folds.series), 3))["b"].tolist() == [0.5] * 4


def test_a_segment_with_few_windows_takes_the_weights_of_all(folds: Folds):
    right = truth(folds)
    odd = folds.series < 5  # 165 windows
    half = folds.series >= 60  # 1980 windows
    segment = np.where(odd, 1, np.where(half, 2, 3))
    assert (odd.sum() * len(GRID), half.sum() * len(GRID)) == (165, 1980)
    assert 165 < ENOUGH < 1980
    there, elsewhere = (half[:, None, None], (~half)[:, None, None])
    said = {"a": np.where(elsewhere, right * 2, right), "b": np.where(there, right * 2, right)}
    weights = choose_weights(folds, said, segment)
    assert [weights["a"][2], weights["b"][3]] == pytest.approx([1.0, 1.0])  # each where it is right
    assert weights["a"][1] == weights["a"][0] > 0.0  # "b" is right in the few windows, but they are few
    for k in range(len(SEGMENTS)):
        assert weights["a"][k] + weights["b"][k] == pytest.approx(1.0)


def test_windows_that_were_not_clean_do_not_count(folds: Folds):
    right = truth(folds)
    dirty = folds.series % 2 == 0
    said = {
        "a": np.where(dirty[:, None, None], right * 9, right),
        "b": np.where(dirty[:, None, None], right, right * 2),
    }
    hidden = replace(folds, clean=folds.clean & ~dirty[:, None])
    assert choose_weights(hidden, said, np.full(len(dirty), 3))["a"].tolist() == [1.0] * 4


def test_a_mean_s_weight_follows_from_the_squared_errors_of_single_periods():
    rng = np.random.default_rng(0)
    noise = rng.gamma(1.0, 1.0, (600, 7))
    noise[::50, 3] = np.nan
    squares = {"best": noise, "near": noise * 1.02, "far": noise * 2.0}
    squares["far"][0, 0] = np.nan  # what one cannot be judged by, none is
    segment = np.where(np.arange(600) < 300, 3, 1)
    weights = choose_mean_weights(squares, segment)
    for k in range(len(SEGMENTS)):
        assert sum(weights[name][k] for name in squares) == pytest.approx(1.0)
        assert weights["near"][k] / weights["best"][k] == pytest.approx(1.02**-10, rel=1e-6)
        assert weights["far"][k] / weights["best"][k] == pytest.approx(2.0**-10, rel=1e-6)
    there = {"a": np.where(segment[:, None] == 3, 1.0, 9.0) * noise, "b": 3.0 * noise}
    weights = choose_mean_weights(there, segment)
    assert (weights["a"][3], weights["b"][1]) == pytest.approx((1.0, 1.0), abs=1e-3)
    unknown = {name: np.full((3, 7), np.nan) for name in ("a", "b")}
    assert choose_mean_weights(unknown, np.array([3, 3, 3]))["a"].tolist() == [0.5] * 4


def prediction(rng: np.random.Generator, m: int) -> Prediction:
    path = np.cumsum(rng.gamma(2.0, 1.0, (m, 7)), axis=1)
    mean = path[:, GRID - 1] * 1.1
    nothing = np.empty((m, len(GRID), 0))
    return Prediction(GRID, mean, np.sqrt(mean), mean, np.empty(0), nothing, path)


def test_a_blend_of_one_is_that_one_and_of_two_the_average_row_by_row():
    rng = np.random.default_rng(0)
    one, two = prediction(rng, 2), prediction(rng, 2)
    rows = [np.sort(rng.gamma(2.0, 3.0, (2, len(GRID), len(LEVELS)))) for _ in range(2)]
    alone = blend([Said(one, rows[0], np.ones(2), np.ones(2))])
    for name in ("mean", "spread", "sales", "path"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(one, name))
    np.testing.assert_array_equal(alone.quantiles, rows[0])
    np.testing.assert_array_equal(alone.levels, LEVELS)
    both = blend(
        [
            Said(one, rows[0], np.array([1.0, 0.3]), np.array([1.0, 0.6])),
            Said(two, rows[1], np.array([0.0, 0.7]), np.array([0.0, 0.4])),
        ]
    )
    np.testing.assert_array_equal(both.mean[0], one.mean[0])
    np.testing.assert_allclose(both.mean[1], 0.6 * one.mean[1] + 0.4 * two.mean[1])
    np.testing.assert_allclose(both.path[1], 0.6 * one.path[1] + 0.4 * two.path[1])
    np.testing.assert_allclose(both.quantiles[1], 0.3 * rows[0][1] + 0.7 * rows[1][1])


def test_segments_tell_short_from_rare_from_steady(years: Panel):
    quantity = np.ones_like(years.quantity)
    quantity[1, ::2] = 0.0  # every other day
    quantity[2] = 0.0
    quantity[2, ::10] = 5.0
    quantity[3, :750] = np.nan  # fifty days
    young = replace(years, quantity=quantity, first=np.where(np.arange(8) == 3, 750, 0))
    at = np.full(4, 799)
    names = [SEGMENTS[k] for k in segments_of(young, np.arange(4), at)]
    assert names == ["steady", "intermittent", "rare", "short"]
    assert segments_of(young, np.array([0]), np.array([80])).tolist() == [0]


def fitted(panel: Panel) -> tuple[Ensemble, Calibration]:
    """A baseline and a linear model, each trusted elsewhere, calibrated on later origins."""
    series, origin = (part.ravel() for part in np.meshgrid(np.arange(panel.series), np.arange(150, 190, 5)))
    folds = folds_of(panel, series, origin, np.array([1, 7, 10]), 149)
    parts = []
    for model, weight, of_means in (
        (Baseline("sba"), [0.5, 1.0, 0.2, 0.0], [0.5, 1.0, 0.4, 0.0]),
        (Linear(pairs=1500), [0.5, 0.0, 0.8, 1.0], [0.5, 0.0, 0.6, 1.0]),
    ):
        member = model.fit(panel, 149, 10, 0, 1)
        said = member.predict(panel, series, origin, folds.horizons)
        weights = np.array(weight), np.array(of_means)
        parts.append(Member(member, calibrate(said, folds.actual), *weights))
    whole = Ensemble(tuple(parts))
    return whole, calibrate(whole.predict(panel, series, origin, folds.horizons), folds.actual)


def test_an_ensemble_is_read_back_as_it_was(panel: Panel, tmp_path):
    ensemble, calibration = fitted(panel)
    model = DemandModel(ensemble, calibration, panel.as_of.date().isoformat())
    model.save(tmp_path)
    again = load_model(tmp_path)
    assert again.name == "ensemble"
    assert again.predict(panel, 10).quantiles.tobytes() == model.predict(panel, 10).quantiles.tobytes()
    asked = np.arange(12), np.full(12, 199), GRID
    one, two = (kept.predict(panel, *asked) for kept in (ensemble, again.fitted))
    for name in ("mean", "spread", "sales", "quantiles", "path"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_model_of_a_version_without_weights_of_means_asks_to_be_trained_again(panel: Panel, tmp_path):
    ensemble, calibration = fitted(panel)
    DemandModel(ensemble, calibration, panel.as_of.date().isoformat()).save(tmp_path)
    parts = json.loads((tmp_path / "model.json").read_text())
    for one in parts["model"]["members"]:
        del one["mean_weight"]
    (tmp_path / "model.json").write_text(json.dumps(parts))
    seal(tmp_path)
    with pytest.raises(Problem, match=r"does not state its 'mean_weight'.*train again"):
        load_model(tmp_path)


def test_each_series_gets_the_weights_of_its_segment(panel: Panel):
    ensemble, _ = fitted(panel)
    series, at = np.arange(12), np.full(12, 199)
    segment = segments_of(panel, series, at)
    assert set(segment) > {1, 3}
    said = ensemble.predict(panel, series, at, GRID)
    baseline, linear = (one.fitted.predict(panel, series, at, GRID) for one in ensemble.members)
    np.testing.assert_array_equal(said.mean[segment == 3], linear.mean[segment == 3])
    np.testing.assert_array_equal(said.mean[segment == 1], baseline.mean[segment == 1])
    mixed = segment == 2
    np.testing.assert_allclose(said.mean[mixed], 0.4 * baseline.mean[mixed] + 0.6 * linear.mean[mixed])
    np.testing.assert_allclose(said.spread[mixed], 0.2 * baseline.spread[mixed] + 0.8 * linear.spread[mixed])
    alone = ensemble.predict(panel, series[4:5], at[4:5], GRID)
    np.testing.assert_array_equal(alone.quantiles, said.quantiles[4:5])
