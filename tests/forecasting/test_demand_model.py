"""The checks that every model passes, and the series that cannot speak for themselves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.backtest import build_folds
from forecasting.baselines import KINDS, Baseline
from forecasting.calibration import calibrate
from forecasting.cumulative import LEVELS
from forecasting.forecaster import Forecaster, Prediction
from forecasting.gbm import Gbm
from forecasting.linear import Linear
from forecasting.models import DemandModel, load_model
from forecasting.panel import Panel, build_panel
from forecasting.statistical import KINDS as STATISTICAL
from forecasting.statistical import Statistical
from forecasting.training import train
from ingestion.errors import Problem
from ingestion.periods import Period

DAY = Period("day")
FORECASTERS: list[Forecaster] = [
    *(Baseline(kind) for kind in KINDS),
    *(Statistical(kind) for kind in STATISTICAL),
    Linear(pairs=1500),
    Gbm(pairs=1500, trees=15),
    Gbm("lightgbm_steps", base="steps", pairs=1500, trees=15),
]
GLOBAL = FORECASTERS[-3:]
every_model = pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda one: one.name)


def fit(forecaster: Forecaster, panel: Panel, threads: int = 1, horizon: int = 28) -> DemandModel:
    folds = build_folds(panel, horizon, 6, 0)
    early = forecaster.fit(panel, folds.fitted, horizon, 0, threads)
    calibration = calibrate(early.predict(panel, folds.series, folds.origin, folds.horizons), folds.actual)
    final = forecaster.fit(panel, panel.length - 1, horizon, 0, threads)
    return DemandModel(final, calibration, panel.as_of.date().isoformat(), about={"horizon": horizon})


def sound(demand) -> None:
    assert np.isfinite(demand.quantiles).all()
    assert np.isfinite(demand.mean).all()
    assert (demand.quantiles >= 0).all()
    assert (np.diff(demand.quantiles, axis=1) >= 0).all()
    assert (np.diff(demand.quantiles, axis=2) >= 0).all()
    assert (np.diff(demand.mean, axis=1) >= 0).all()


def odd_tables(shop) -> dict[str, pd.DataFrame]:
    """The shop with all-zero, short, always-empty and new series beside the ordinary ones."""
    tables = shop()
    dates = pd.date_range("2024-01-01", periods=200)

    def series(sku: str, days: int, quantity: float, in_stock: float = 1.0) -> pd.DataFrame:
        return pd.DataFrame({"sku": sku, "location": "here", "date": dates[-days:], "quantity": quantity,
                             "promotion": 0.0, "in_stock": in_stock})  # fmt: skip

    extra = [series("zero", 200, 0.0), series("short", 3, 5.0), series("one", 1, 2.0),
             series("empty", 200, 0.0, 0.0), series("nearly", 200, 30.0, 0.3)]  # fmt: skip
    tables["demand"] = pd.concat([tables["demand"].assign(in_stock=1.0), *extra], ignore_index=True)
    new = pd.DataFrame({"sku": ["new", "later"], "category": "even", "lifecycle": "new",
                        "launched_on": [pd.NaT, dates[-1] + pd.Timedelta(days=11)]})  # fmt: skip
    tables["items"] = pd.concat([tables["items"].assign(lifecycle="active"), new], ignore_index=True)
    tables["sourcing"] = pd.DataFrame({"sku": ["new", "later"], "location": "here", "supplier": "s"})
    return tables


@every_model
def test_odd_series_get_sound_distributions(forecaster, shop):
    tables = odd_tables(shop)
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), 28)
    demand = fit(forecaster, panel).predict(panel, 28)
    sound(demand)
    at = {sku: k for k, sku in enumerate(demand.keys["sku"])}
    method = dict(zip(demand.keys["sku"], demand.method, strict=True))
    assert method["s05"] == forecaster.name
    assert {method[sku] for sku in ("short", "one", "empty", "new", "later")} == {"pooled"}
    usual = np.median(demand.mean[:12, -1])
    assert demand.mean[at["zero"], -1] < 0.1 * usual
    assert demand.mean[at["new"], -1] > 0
    assert demand.mean[at["nearly"], 0] >= 30  # it sold 30 in the third of a day that the shelf was full
    assert (demand.mean[at["later"], :10] == 0).all()
    assert demand.mean[at["later"], -1] > 0


def test_whole_units_add_up_to_whole_sums(shop):
    """What is sold in parts keeps its parts."""
    tables = shop()
    demand = tables["demand"].assign(quantity=tables["demand"]["quantity"].round())
    for weighed in (None, demand["sku"].iloc[0]):
        told = demand.assign(quantity=demand["quantity"] + 0.25 * (demand["sku"] == weighed))
        panel = build_panel(tables | {"demand": told}, DAY, demand["date"].max(), 28)
        quantiles = fit(Baseline("sba"), panel).predict(panel, 28).quantiles
        whole = (quantiles == np.round(quantiles)).all(axis=(1, 2))
        assert whole.tolist() == (panel.keys["sku"] != weighed).tolist()


@every_model
def test_nothing_after_the_as_of_date_changes_a_byte(forecaster, shop):
    tables = shop()
    rng = np.random.default_rng(1)
    late = tables["demand"]["date"] > "2024-06-01"
    poisoned = tables["demand"].copy()
    poisoned.loc[late, "quantity"] = rng.integers(0, 999, late.sum())
    poisoned.loc[late, "promotion"] = 0.9
    answers = []
    for demand in (tables["demand"], poisoned):
        panel = build_panel({**tables, "demand": demand}, DAY, pd.Timestamp("2024-06-01"), 28)
        answers.append(fit(forecaster, panel).predict(panel, 28))
    assert answers[0].quantiles.tobytes() == answers[1].quantiles.tobytes()
    assert answers[0].mean.tobytes() == answers[1].mean.tobytes()


@every_model
def test_saved_and_loaded_it_says_the_same(forecaster, panel: Panel, tmp_path):
    model = fit(forecaster, panel)
    saved = model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.version == saved.version == model.save(tmp_path / "copy").version
    assert again.predict(panel, 20).quantiles.tobytes() == model.predict(panel, 20).quantiles.tobytes()
    assert (again.name, again.as_of, again.about) == (model.name, model.as_of, model.about)
    file = tmp_path / "model" / "model-pooled.parquet"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(bytes(whole))
    with pytest.raises(Problem, match=r"model-pooled\.parquet"):
        load_model(tmp_path / "model")


@every_model
def test_fitted_twice_it_says_the_same(forecaster, panel: Panel):
    """On one thread and on two."""
    one, two = (fit(forecaster, panel, threads) for threads in (1, 2))
    assert one.predict(panel, 28).quantiles.tobytes() == two.predict(panel, 28).quantiles.tobytes()
    assert one.calibration.pooled.tobytes() == two.calibration.pooled.tobytes()


def test_an_ensemble_passes_through_files_and_answers_as_before(panel: Panel, tmp_path):
    members = (Linear(pairs=1500), Gbm(pairs=1500, trees=15), Gbm("other", pairs=1500, trees=15, leaves=4))
    report = train(panel, threads=1, candidates=members, incumbent="ensemble")
    assert report.champion == "ensemble", report.why
    report.model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    said = again.predict(panel, 28)
    sound(said)
    assert said.quantiles.tobytes() == report.model.predict(panel, 28).quantiles.tobytes()
    assert again.save(tmp_path / "copy").version == again.version


def test_the_sum_of_a_promoted_window_is_larger(panel: Panel):
    model = fit(Gbm(pairs=5000, trees=40), panel)
    plain, promoted = np.zeros_like(panel.plan), np.ones_like(panel.plan)
    low, high = (model.predict(replace(panel, plan=plan), 14) for plan in (plain, promoted))
    busy = slice(6, 12)
    assert (high.mean[busy, -1] > 1.3 * low.mean[busy, -1]).all()
    assert (high.mean >= low.mean).all()


def test_phased_out_items_fade(shop):
    tables = shop()
    tables["items"]["lifecycle"] = ["phase_out"] * 4 + ["discontinued"] * 4 + ["active"] * 4
    as_of = tables["demand"]["date"].max()
    fading = build_panel(tables, DAY, as_of, 60)
    model = fit(Baseline("moving_average"), fading)
    steady = replace(fading, fade=np.ones(12))
    share = model.predict(fading, 60).mean / model.predict(steady, 60).mean
    daily = np.diff(model.predict(fading, 60).mean, axis=1)
    np.testing.assert_allclose(daily[:4, 41] / daily[:4, 13], 0.5, rtol=0.02)  # half of it gone in 28 days
    assert (daily[4:8, -1] < 0.01 * daily[4:8, 0]).all()
    np.testing.assert_allclose(share[8:], 1.0)


def test_a_new_item_is_as_uncertain_as_its_peers_are_different(shop):
    tables = odd_tables(shop)
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), 28)
    demand = fit(Baseline("moving_average"), panel).predict(panel, 28)
    at = demand.keys["sku"].tolist().index("new")
    median, high = (demand.quantiles[at, -1, np.searchsorted(LEVELS, level)] for level in (0.5, 0.95))
    even = demand.mean[[0, 2, 4, 6, 8, 10], -1]
    assert even.min() < median < even.max()
    assert high > even[-2]


def test_a_plan_is_all_that_is_known():
    plans = pd.DataFrame({"sku": ["motor"], "location": "plant", "quantity": 60.0})
    plans = plans.assign(start=pd.Timestamp("2024-01-02"), end=pd.Timestamp("2024-01-11"))
    demand = pd.DataFrame({"sku": ["x"], "location": ["plant"], "date": [pd.Timestamp("2024-01-01")],
                           "quantity": [1.0]})  # fmt: skip
    panel = build_panel({"demand": demand, "plans": plans}, DAY, pd.Timestamp("2024-01-01"), 12)
    said = DemandModel(Baseline("sba"), calibrate(*_nothing()), "2024-01-01").predict(panel, 12)
    sound(said)
    assert said.method.tolist() == ["planned", "pooled"]
    np.testing.assert_allclose(said.mean[0], np.minimum(np.arange(1, 13) * 6.0, 60.0), rtol=1e-5)


def _nothing() -> tuple[Prediction, np.ndarray]:
    empty = np.empty((0, 1))
    return Prediction(np.array([1]), empty, empty, empty, np.empty(0), np.empty((0, 1, 0)), empty), empty


def test_a_panel_cut_back_is_forecast_as_one_built_then(shop):
    tables = shop()
    early = build_panel(tables, DAY, pd.Timestamp("2024-06-01"), 14)
    late = build_panel(tables, DAY, tables["demand"]["date"].max(), 14).until(early.length - 1)
    model = fit(Baseline("tsb"), early, horizon=14)
    np.testing.assert_array_equal(model.predict(early, 14).quantiles, model.predict(late, 14).quantiles)


def test_a_horizon_beyond_the_panel_is_refused(panel: Panel):
    with pytest.raises(Problem, match="knows 28 periods ahead"):
        fit(Baseline("tsb"), panel).predict(panel, 29)
