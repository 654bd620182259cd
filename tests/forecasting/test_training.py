"""The choice of the model, and training on histories that are too short for one."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from forecasting.alike import YEAR
from forecasting.backtest import build_folds, losses, truth_of
from forecasting.baselines import KINDS, Baseline
from forecasting.cumulative import LEVELS
from forecasting.ensemble import NEARLY
from forecasting.forecaster import Prediction
from forecasting.gate import SAME, judge
from forecasting.gbm import Gbm
from forecasting.panel import Panel, build_panel
from forecasting.training import TIE, _can_join, _decide, _Run, _short, train
from forecasting.trials import Trial
from ingestion.periods import Period

QUICK = (Baseline("moving_average"), Baseline("tsb"), Gbm(pairs=3000, trees=30))
RATES = np.geomspace(1, 40, 40)


@dataclass(frozen=True)
class Oracle:
    """Knows the rate of every series up to a factor, and how busy its periods are; learns nothing."""

    name: str
    factor: float = 1.0

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> "Oracle":
        """The same at every origin."""
        return self

    def predict(
        self,
        panel: Panel,
        series: np.ndarray,
        origin: np.ndarray,
        horizons: np.ndarray,
    ) -> Prediction:
        """Sums of the rate."""
        path = (RATES * self.factor)[series, None] * np.arange(1, horizons[-1] + 1)
        mean = path[:, horizons - 1]
        none = np.empty((*mean.shape, 0))
        return Prediction(horizons, mean, np.sqrt(mean), mean, np.empty(0), none, path)

    def write(self, folder: Path) -> dict[str, Any]:
        """Nothing to keep."""
        return {"kind": "oracle", "name": self.name}


@dataclass(frozen=True)
class Startled(Oracle):
    """Knows the rates but at one origin, where it expects `factor` times as much."""

    at: int = 0

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums of the rate."""
        known = replace(self, factor=1.0)
        calm, wild = (Oracle.predict(one, panel, series, origin, horizons).mean for one in (known, self))
        mean = np.where((origin == self.at)[:, None], wild, calm)
        return replace(Oracle.predict(known, panel, series, origin, horizons), mean=mean)


@pytest.fixture(scope="module")
def steady() -> Panel:
    """Poisson demand of known rates without weekday or promotion."""
    rng = np.random.default_rng(5)
    dates = pd.date_range("2024-01-01", periods=200)
    n = len(RATES)
    frame = pd.DataFrame({"sku": np.repeat([f"s{k:02d}" for k in range(n)], 200), "location": "x",
                          "date": np.tile(dates, n),
                          "quantity": rng.poisson(RATES[:, None], (n, 200)).ravel() * 1.0})  # fmt: skip
    return build_panel({"demand": frame}, Period("day"), dates[-1], 14)


def test_a_model_that_knows_the_rates_takes_the_place_of_a_plain_one(steady: Panel):
    report = train(steady, threads=1, candidates=(Baseline("seasonal_naive"), Oracle("truth")))
    assert (report.champion, report.earned) == ("truth", True)
    assert report.verdict is not None
    assert report.verdict.promoted
    assert [one.name for one in report.trials] == ["truth", "seasonal_naive"]
    np.testing.assert_array_equal(report.predicted, report.trials[0].quantiles)
    assert "truth serves" in report.why


def test_a_tie_keeps_the_plain_forecast_and_the_incumbent(steady: Panel):
    report = train(steady, threads=1, candidates=(Oracle("one"), Oracle("two"), Baseline("seasonal_naive")),
                   incumbent="two")  # fmt: skip
    assert report.champion == "two"
    assert not report.verdict
    plain = train(steady, threads=1, candidates=(Baseline("long_run_mean"), Oracle("bad", 2.0)))
    assert (plain.champion, plain.earned) == ("long_run_mean", False)


def trial_of(run: _Run, name: str, factor: float, mean: float = 1.0) -> Trial:
    """What one that knows the rates up to a factor would have said about the windows."""
    folds = run.folds
    sums = RATES[folds.series, None] * folds.horizons
    quantiles = poisson.ppf(LEVELS, factor * sums[:, :, None])
    return Trial(name, name in KINDS, mean * sums, quantiles, losses(folds, quantiles), pd.DataFrame())


@pytest.fixture(scope="module")
def run(steady: Panel) -> _Run:
    folds = build_folds(steady, 14, 8, 0)
    later = folds.origin >= np.unique(folds.origin)[4]
    return _Run(steady, folds, later, truth_of(folds), (14, 0, 1))


def decide(run: _Run, *trials: Trial, incumbent: str | None = None):
    return _decide(run, {one.name: one for one in trials}, incumbent)


def test_where_the_best_is_refused_the_next_best_is_tried(run: _Run):
    plain = trial_of(run, "sba", 1.3)
    biased, modest = trial_of(run, "biased", 1.0, mean=1.6), trial_of(run, "modest", 1.05)
    name, verdict, why = decide(run, plain, biased, modest)
    assert name == "modest"
    assert verdict.promoted
    assert why.startswith("modest loses")
    assert not judge_alone(run, biased, plain).promoted


def judge_alone(run: _Run, challenger: Trial, incumbent: Trial):
    return judge(run.panel, run.folds, challenger, incumbent, seed=0)


def test_where_all_are_refused_the_one_in_force_serves_and_the_closest_is_told(run: _Run):
    plain = trial_of(run, "sba", 1.3)
    first, second = trial_of(run, "first", 1.0, mean=1.6), trial_of(run, "second", 1.05, mean=1.6)
    name, verdict, why = decide(run, plain, second, first)
    assert name == "sba"
    assert not verdict.promoted
    assert why.startswith("first loses")
    assert "sba serves" in why
    assert "the mean is off" in why


def test_the_incumbent_is_what_must_be_beaten(run: _Run):
    plain, held, new = trial_of(run, "sba", 1.3), trial_of(run, "held", 1.0), trial_of(run, "new", 1.1)
    assert decide(run, plain, held, new, incumbent="held")[0] == "held"
    assert decide(run, plain, held, new, incumbent="gone")[0] == "held"
    assert decide(run, plain, new, incumbent="held")[0] == "new"


def test_one_that_loses_as_much_takes_the_place_of_a_mean_that_is_far_off(run: _Run):
    held, new = trial_of(run, "sba", 1.0, mean=0.6), trial_of(run, "new", 1.0)
    name, _, why = decide(run, held, replace(new, loss=(1 + 0.5 * SAME) * new.loss))
    assert name == "new"
    assert why.startswith("new loses")
    assert "0.5% more than sba" in why
    assert decide(run, held, replace(new, loss=(1 + 1.5 * SAME) * new.loss))[0] == "sba"


@pytest.mark.parametrize(("times", "serves"), [(0.999 * TIE, "ensemble"), (1.001 * TIE, "modest")])
def test_an_average_goes_first_where_it_is_nearly_as_good(run: _Run, times: float, serves: str):
    plain, modest = trial_of(run, "sba", 1.3), trial_of(run, "modest", 1.05)
    average = replace(modest, name="ensemble", loss=times * modest.loss)
    assert decide(run, plain, modest, average)[0] == serves


def test_plain_forecasts_are_averaged_only_where_no_learned_one_is_the_best(run: _Run):
    """In a calm month one that knows no season does nearly as well, and would weigh on the peak after it."""
    best, near, far = (trial_of(run, *one) for one in (("best", 1.0), ("near", 1.02), ("far", 2.0)))
    sba, tsb = trial_of(run, "sba", 1.01), trial_of(run, "tsb", 1.03)
    assert np.nanmean(tsb.loss) < NEARLY * np.nanmean(best.loss)
    trials = {one.name: one for one in (sba, tsb, best, near, far)}
    assert [name for name in trials if _can_join(trials, name)] == ["best", "near"]
    assert [name for name in trials if _can_join(trials, name, frozenset({"near"}))] == ["best"]
    del trials["best"]
    assert [name for name in trials if _can_join(trials, name)] == ["sba", "tsb", "near"]


@pytest.mark.parametrize(
    ("period", "years", "short"),
    [("day", 2.5, {"ets", "theta"}), ("week", 2.5, {"ets"}), ("month", 2.5, set()), ("week", 1.5, set())],
)
def test_models_that_know_no_year_are_short_until_one_was_judged(period: str, years: float, short: set[str]):
    """Two years and more are known, and the judged origins lie within less than one."""
    length = int(years * YEAR[period])
    dates = Period(period).range(pd.Timestamp("2021-01-04"), length)
    demand = pd.DataFrame({"date": dates, "quantity": 3.0}).assign(sku="a", location="s")
    panel = build_panel({"demand": demand}, Period(period), dates[-1], 4)
    folds = build_folds(panel, 4, 8, seed=0)
    assert _short(_Run(panel, folds, folds.origin > 0, folds.actual, (4, 0, 1))) == short


@pytest.mark.parametrize("fails", [(1, 5), (3, 4), (3, 5)])
def test_an_average_is_judged_with_the_weights_that_would_serve(
    steady: Panel, run: _Run, fails: tuple[int, int]
):
    """Each model fails once: weights told by other origins than the judged would trust the one that fails."""
    at = np.unique(run.folds.origin)[list(fails)]
    one, other = (Startled(name, 1.3, int(k)) for name, k in zip(("one", "other"), at, strict=True))
    report = train(steady, 14, threads=1, candidates=(Baseline("seasonal_naive"), one, other))
    loss = {trial.name: np.nanmean(trial.loss) for trial in report.trials}
    assert loss["ensemble"] < 0.99 * min(loss["one"], loss["other"])
    assert report.champion == "ensemble"


def test_only_windows_that_all_were_scored_on_count(run: _Run):
    good, bad = trial_of(run, "sba", 1.0), trial_of(run, "tsb", 1.3)
    hidden = np.where(np.arange(len(good.loss))[:, None] % 2 == 0, good.loss + 99.0, good.loss)
    partly = np.where(np.arange(len(bad.loss))[:, None] % 2 == 0, np.nan, bad.loss)
    name, verdict, _ = decide(run, replace(good, loss=hidden), replace(bad, loss=partly))
    assert (name, verdict) == ("sba", None)
    nothing = np.full_like(good.loss, np.nan)
    name, verdict, why = decide(run, replace(good, loss=nothing), replace(bad, loss=nothing))
    assert (name, verdict) == ("sba", None)
    assert "no window could be scored" in why


def test_promotions_earn_the_global_model_its_place(shop):
    tables = shop(n=20, days=300)
    panel = build_panel(tables, Period("day"), tables["demand"]["date"].max(), 14)
    report = train(panel, threads=1, candidates=QUICK)
    assert report.champion == "lightgbm"
    assert report.earned
    every = report.scores[report.scores["segment"] == "all"].set_index("candidate")
    assert every.loc["lightgbm", "pinball"] < every.loc["tsb", "pinball"]
    assert abs(every.loc["lightgbm", "bias"]) < 0.1
    for level in (0.8, 0.9, 0.95):
        assert every.loc["lightgbm", f"below_{level}"] - 0.05 <= level
        assert every.loc["lightgbm", f"within_{level}"] + 0.05 >= level
    assert "fewer than 365" in report.notes[0]


@pytest.mark.parametrize("days", [1, 2, 5, 12, 30])
def test_a_short_history_trains_a_plain_forecast(shop, days):
    tables = shop(n=4, days=days)
    panel = build_panel(tables, Period("day"), tables["demand"]["date"].max(), 28)
    report = train(panel, threads=1, candidates=QUICK)
    demand = report.model.predict(panel, 28)
    assert np.isfinite(demand.quantiles).all()
    assert not report.earned
    assert "fewer than 180" in report.notes[0]


@pytest.mark.parametrize("name", ["week", "month"])
def test_weeks_and_months_train(shop, name):
    tables = shop(n=10, days=900)
    period = Period(name)
    panel = build_panel(tables, period, period.dates(period.index(tables["demand"]["date"].max()) - 1)[0], 6)
    report = train(panel, threads=1, candidates=QUICK)
    demand = report.model.predict(panel, 6)
    busy = panel.quantity[-1, -12:].mean() * 6
    assert demand.mean[-1, -1] == pytest.approx(busy, rel=0.25)
    assert demand.period == period


def test_all_zero_demand_trains():
    demand = pd.DataFrame({"sku": "a", "location": "x", "date": pd.date_range("2024-01-01", periods=90),
                           "quantity": 0.0})  # fmt: skip
    panel = build_panel({"demand": demand}, Period("day"), pd.Timestamp("2024-03-30"), 14)
    report = train(panel, threads=1, candidates=QUICK)
    assert (report.model.predict(panel, 14).mean == 0).all()
    assert "no window could be scored" in report.why
