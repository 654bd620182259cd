"""Plain, statistical and linear candidates: the libraries as oracles, and laws where these say nothing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsforecast.models as statsforecast
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from forecasting import statistical
from forecasting.baselines import KINDS, MEMORY, SEASON, Baseline
from forecasting.features import NAMES
from forecasting.linear import FittedLinear, Linear, read_linear, scale_of
from forecasting.panel import Panel, build_panel
from forecasting.statistical import Statistical, read_statistical, whole
from forecasting.training import train
from ingestion.errors import Problem
from ingestion.periods import Period

DAY = Period("day")
ORACLES = {
    "moving_average": lambda: statsforecast.WindowAverage(MEMORY["day"]),
    "long_run_mean": statsforecast.HistoricAverage,
    "seasonal_naive": lambda: statsforecast.SeasonalNaive(SEASON["day"]),
    "sba": statsforecast.CrostonSBA,
    "tsb": lambda: statsforecast.TSB(alpha_d=0.1, alpha_p=0.1),
    "adida": statsforecast.ADIDA,
}


@pytest.fixture(scope="module")
def random_panel() -> Panel:
    """Forty series from lumpy to smooth, 100 days, every shelf full."""
    return panel_of(lumpy(40, 100))


def lumpy(n: int, days: int) -> np.ndarray:
    """(n, days) counts; series differ in size and in how rarely they sell."""
    rng = np.random.default_rng(4)
    rate, share = rng.gamma(1.0, 4.0, n), rng.uniform(0.05, 1.0, n)
    return rng.poisson(rate[:, None], (n, days)) * (rng.random((n, days)) < share[:, None]) * 1.0


def panel_of(quantity: np.ndarray, in_stock: np.ndarray | None = None) -> Panel:
    """The panel of daily demand (n, T), known a fortnight ahead."""
    n, days = quantity.shape
    dates = pd.date_range("2024-01-01", periods=days)
    demand = pd.DataFrame(
        {
            "sku": np.repeat([f"s{k:03d}" for k in range(n)], days),
            "location": "here",
            "date": np.tile(dates, n),
            "quantity": quantity.ravel(),
        }
    )
    if in_stock is not None:
        demand["in_stock"] = in_stock.ravel()
    return build_panel({"demand": demand}, DAY, dates[-1], 14)


def every_pair(panel: Panel, *origins: int) -> tuple[np.ndarray, np.ndarray]:
    """Every series at every origin."""
    series, origin = np.meshgrid(np.arange(panel.series), origins, indexing="ij")
    return series.ravel(), origin.ravel()


@pytest.mark.parametrize("kind", ORACLES)
def test_a_plain_forecast_is_the_library_s(kind: str, random_panel: Panel):
    series, origin = every_pair(random_panel, 59, 99)
    said = Baseline(kind).predict(random_panel, series, origin, np.array([1, 14])).path
    compared = 0
    for k, (i, at) in enumerate(zip(series, origin, strict=True)):
        history = random_panel.quantity[i, : at + 1].astype(float)
        if np.count_nonzero(history):
            expected = ORACLES[kind]().forecast(y=history, h=14)["mean"]
            np.testing.assert_allclose(np.diff(said[k], prepend=0.0), expected, rtol=2e-4)
            compared += 1
    assert compared > 70


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "seasonal" not in kind])
def test_hidden_demand_is_skipped_by_a_plain_forecast(kind: str):
    full = lumpy(20, 90)
    hidden = np.arange(90) % 3 == 1
    gapped = np.where(hidden, 0.0, np.nan) + np.zeros((20, 1))
    gapped[:, ~hidden] = full[:, : (~hidden).sum()]
    panel = panel_of(gapped, np.where(hidden, 0.0, 1.0) + np.zeros((20, 1)))
    short = panel_of(full[:, : (~hidden).sum()])
    busy = np.flatnonzero((full[:, :60] > 0).sum(axis=1) > 2)
    at = np.full(len(busy), 0)
    horizons = np.array([14])
    with_gaps = Baseline(kind).predict(panel, busy, at + 89, horizons).mean
    without = Baseline(kind).predict(short, busy, at + 59, horizons).mean
    np.testing.assert_allclose(with_gaps, without, rtol=1e-9)


def test_a_seasonal_naive_takes_a_hidden_day_from_the_week_before():
    quantity = np.tile(np.arange(1.0, 8.0), (1, 4))
    quantity[0, -3] = 0.0
    in_stock = np.ones_like(quantity)
    in_stock[0, -3] = 0.0
    panel = panel_of(quantity, in_stock)
    said = Baseline("seasonal_naive").predict(panel, np.array([0]), np.array([27]), np.array([7]))
    assert np.diff(said.path[0], prepend=0.0).tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_a_seasonal_mean_is_that_of_each_weekday_as_far_as_it_was_seen(random_panel: Panel):
    history = random_panel.quantity[:, :60].astype(float)
    history[:, [57, 58]] = 0.0
    in_stock = np.ones_like(history)
    in_stock[:, 57] = 0.0
    in_stock[:, 58 % 7 :: 7] = 0.0
    panel = panel_of(np.where(in_stock > 0, history, 0.0), in_stock)
    series, origin = every_pair(panel, 59)
    path = np.diff(Baseline("seasonal_mean").predict(panel, series, origin, np.array([14])).path, prepend=0.0)
    seen = np.where(in_stock > 0, history, np.nan)
    for h in range(14):
        same = seen[:, (60 + h) % 7 :: 7]
        expected = np.nanmean(seen if np.isnan(same).all() else same, axis=1)
        sold = np.nansum(seen, axis=1) > 0
        np.testing.assert_allclose(path[sold, h], expected[sold], rtol=1e-6)


def test_closed_sundays_are_known_to_a_few_items_without_a_model():
    """Three series tell no gate that a learned model is better, and every day is not like another."""
    rng = np.random.default_rng(3)
    week = np.array([1.0, 1.0, 1.0, 1.2, 1.5, 1.7, 0.0])
    quantity = rng.poisson(np.array([[5.0], [20.0], [60.0]]) * week[np.arange(280) % 7]) * 1.0
    report = train(panel_of(quantity), threads=1, candidates=tuple(Baseline(kind) for kind in KINDS))
    assert report.champion == "seasonal_mean"
    daily = np.diff(report.model.predict(panel_of(quantity), 14).mean, axis=1, prepend=0.0)
    assert (daily[:, 6] < 0.05 * daily[:, 0]).all()


def test_the_moving_average_forgets_and_the_long_run_mean_does_not():
    quantity = np.repeat([[8.0, 2.0]], MEMORY["day"], axis=1).reshape(1, -1)
    panel = panel_of(quantity)
    one, at = np.array([0]), np.array([panel.length - 1])
    assert Baseline("moving_average").predict(panel, one, at, np.array([10])).mean.tolist() == [[20.0]]
    assert Baseline("long_run_mean").predict(panel, one, at, np.array([10])).mean.tolist() == [[50.0]]


def test_an_unknown_plain_forecast_is_refused():
    with pytest.raises(Problem, match=r"one of moving_average.*'croston'"):
        Baseline("croston")


def weekly(n: int, days: int) -> np.ndarray:
    """(n, days) counts with a weekend peak, the same Poisson demand every week."""
    week = np.array([0.6, 0.6, 0.8, 1.0, 1.2, 1.6, 1.2])
    rate = np.geomspace(2.0, 20.0, n)[:, None] * np.resize(week, days)
    return np.random.default_rng(7).poisson(rate).astype(float)


@pytest.mark.parametrize("name", statistical.KINDS)
def test_a_statistical_model_is_the_library_s_where_it_was_fitted(name: str):
    panel = panel_of(weekly(3, 90))
    fitted = Statistical(name).fit(panel, 79, 14, 0, 1)
    said = fitted.predict(panel, np.arange(3), np.full(3, 79), np.array([14])).path
    for i in range(3):
        oracle = statsforecast.Theta(7) if name == "theta" else statsforecast.AutoETS(7, model="ANZ")
        expected = oracle.forecast(y=panel.quantity[i, :80].astype(float), h=14)["mean"]
        np.testing.assert_allclose(np.diff(said[i], prepend=0.0), expected, rtol=1e-6)


@pytest.mark.parametrize("name", statistical.KINDS)
def test_later_periods_move_a_statistical_model_s_state_alone(name: str):
    quantity = weekly(2, 120)
    panel = panel_of(quantity)
    doubled = panel_of(np.where(np.arange(120) < 80, quantity, 2.0 * quantity))
    fitted = Statistical(name).fit(panel, 79, 14, 0, 1)
    series, origin = every_pair(panel, 79, 119)
    before = fitted.predict(panel, series, origin, np.array([14])).mean.reshape(2, 2)
    after = fitted.predict(doubled, series, origin, np.array([14])).mean.reshape(2, 2)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after[:, 1] > before[:, 1]).all()  # little where the past has shown a steady level
    alone = fitted.predict(doubled, series[1:2], origin[1:2], np.array([14])).mean
    np.testing.assert_array_equal(alone, after[:1, 1:])


def test_a_statistical_model_is_for_few_series(tmp_path):
    panel = panel_of(weekly(6, 60))
    with pytest.raises(Problem, match=r"at most 5 series, ets was asked for 6; .*raise `most`"):
        Statistical("ets", most=5).fit(panel, 59, 14, 0, 1)
    with pytest.raises(Problem, match="one of ets, theta, got 'arima'"):
        Statistical("arima")
    fitted = Statistical("theta", most=6).fit(panel, 59, 14, 0, 1)
    assert fitted.learned == "2024-02-29"
    assert read_statistical(tmp_path, fitted.write(tmp_path)) == fitted
    assert list(tmp_path.iterdir()) == []


def test_series_that_begin_later_do_not_count_against_a_statistical_model():
    panel = panel_of(weekly(6, 60))
    later = replace(panel, first=np.array([0, 0, 0, 40, 40, 40]))
    assert Statistical("ets", most=3).fit(later, 39, 14, 0, 1).learned == "2024-02-09"
    with pytest.raises(Problem, match="asked for 6"):
        Statistical("ets", most=3).fit(later, 40, 14, 0, 1)


def test_gaps_are_filled_with_the_season_about_the_line_between_neighbours():
    week = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    quantity = np.tile(week, (1, 12)) * 10.0
    hidden = np.zeros_like(quantity, dtype=bool)
    hidden[0, [20, 21, 40]] = True
    panel = panel_of(np.where(hidden, 0.0, quantity), 1.0 - hidden)
    np.testing.assert_allclose(whole(panel, 0, 0, 83), quantity[0], rtol=0.05)
    none = replace(panel, quantity=np.full_like(panel.quantity, np.nan))
    assert not whole(none, 0, 0, 83).any()
    nothing = replace(panel, quantity=np.where(hidden, np.nan, 0.0).astype(np.float32))
    assert not whole(nothing, 0, 0, 83).any()


@pytest.fixture(scope="module")
def linear(panel: Panel) -> FittedLinear:
    """The linear model of the shop, fitted on 150 of 200 days."""
    return Linear(pairs=3000).fit(panel, 149, 28, 0, 1)


def test_the_linear_model_finds_the_rate_week_and_uplift(linear: FittedLinear, panel: Panel):
    """Demand is Poisson with known rates: what is expected of the sum is known too."""
    rate = np.geomspace(0.2, 12, 12)
    busy = np.arange(5, 12)
    horizons = np.array([7, 28])
    said = linear.predict(panel, busy, np.full(len(busy), 171), horizons).mean
    ahead = slice(172, 200)
    week = np.where(panel.dates[ahead].day_of_week >= 5, 1.6, 0.76)
    path = np.cumsum(rate[busy, None] * week * (1.0 + panel.plan[busy, ahead]), axis=1)
    off = said / path[:, horizons - 1] - 1.0
    assert abs(off.mean()) < 0.05
    assert np.abs(off).max() < 0.25  # a level is known from four weeks of Poisson counts


def test_the_linear_model_is_read_back_as_it_was_and_one_row_at_a_time(
    linear: FittedLinear, panel: Panel, tmp_path
):
    parts = linear.write(tmp_path)
    again = read_linear(tmp_path, parts)
    series, at, horizons = np.arange(12), np.full(12, 199), np.array([1, 28])
    every = linear.predict(panel, series, at, horizons)
    assert again.predict(panel, series, at, horizons).mean.tobytes() == every.mean.tobytes()
    one = linear.predict(panel, series[4:5], at[4:5], horizons)
    assert one.mean.tobytes() == every.mean[4:5].tobytes()
    assert one.spread.tobytes() == every.spread[4:5].tobytes()
    text = (tmp_path / "linear.json").read_text().replace('"horizon"', '"astrology"')
    (tmp_path / "linear.json").write_text(text)
    with pytest.raises(Problem, match="astrology are not; train again"):
        read_linear(tmp_path, parts)


def test_a_linear_model_does_not_depend_on_how_many_cores_there_are(panel: Panel):
    kept = []
    for cores in (1, 2, 4):
        with threadpool_limits(cores):
            kept.append(Linear().fit(panel, 190, 28, 0, 1))
    assert len({one.mean.tobytes() + one.spread.tobytes() for one in kept}) == 1


def test_columns_are_bounded_and_gaps_stand_at_the_mean():
    rng = np.random.default_rng(0)
    features = np.ones((1000, len(NAMES)), dtype=np.float32)
    rate, run = NAMES.index("rate_0"), NAMES.index("rate_1")
    features[:, rate] = rng.gamma(2.0, 1.0, 1000)
    features[:, run] = np.where(rng.random(1000) < 0.3, np.nan, rng.gamma(2.0, 1.0, 1000))
    features[:, NAMES.index("age")] = np.arange(1000)
    scale = scale_of(features, yearly=True)
    assert scale.names == ("rate_0", "rate_1")
    assert scale.gaps.tolist() == [False, True]
    odd = features[:3].copy()
    odd[:, [rate, run]] = np.array([[1e9, np.nan], [np.inf, -np.inf], [-5.0, 0.0]])
    columns = scale.columns(odd)
    assert np.isfinite(columns).all()
    assert columns[0, 0] == (scale.high[0] - scale.centre[0]) / scale.width[0]
    assert columns[1, :2].tolist() == [0.0, 0.0]
    assert columns[:, -1].tolist() == [1.0, 1.0, 0.0]


def test_the_linear_model_asks_for_enough_to_learn_from():
    with pytest.raises(Problem, match="at least 200 windows"):
        Linear(pairs=60).fit(panel_of(weekly(3, 60)), 59, 14, 0, 1)
    with pytest.raises(Problem, match="some with demand"):
        Linear(pairs=700).fit(panel_of(np.zeros((5, 90))), 89, 14, 0, 1)


def test_the_linear_model_learns_nothing_from_what_comes_once_a_year_before_it_came_twice():
    features = np.random.default_rng(0).gamma(2.0, 1.0, (500, len(NAMES))).astype(np.float32)
    short, long = scale_of(features, yearly=False).names, scale_of(features, yearly=True).names
    assert {"holidays", "workdays", "year_sin"} <= set(long) - set(short)
    assert {"rate_0", "horizon", "promotion"} <= set(short)


def test_a_short_history_does_not_teach_the_linear_model_its_shocks():
    """What all series did together in six weeks is one thing that happened, however many series there are."""
    rng, rate = np.random.default_rng(1), np.geomspace(1, 20, 80)[:, None]
    off = []
    for _ in range(16):
        shocks = lfilter([0.15], [1, -0.8], rng.normal(size=44))
        panel = panel_of(rng.poisson(rate * np.exp(shocks)) * 1.0)
        fits = [Linear(once=once).fit(panel, 43, 14, 0, 1) for once in (0.0, Linear.once)]
        asked = panel, np.arange(80), np.full(80, 43), np.array([14])
        off.append([np.abs(np.log(fit.predict(*asked).mean / (14 * rate))).mean() for fit in fits])
    plain, careful = np.mean(off, axis=0)
    assert careful < 0.85 * plain
    long = panel_of(rng.poisson(rate, (80, 900)) * 1.0)
    assert Linear().fit(long, 899, 14, 0, 1).parameters["alpha"] == Linear.alpha


def test_the_spread_of_a_learned_model_is_wide_where_much_is_expected():
    """Counts alone are off by √3 as much where three times as many are expected, and demand by no less."""
    day = np.arange(900)
    rate = np.geomspace(5, 50, 30)[:, None] * np.exp(0.55 * np.sin(2 * np.pi * day / 365.25))
    panel = panel_of(np.random.default_rng(2).poisson(rate) * 1.0)
    fitted = Linear().fit(panel, 899, 14, 0, 1)
    busy, calm = (
        fitted.predict(panel, np.arange(30), np.full(30, origin), np.array([14])) for origin in (814, 634)
    )
    times = (busy.mean / calm.mean).mean()
    assert 2.0 < times < 4.0
    assert (busy.spread / calm.spread).mean() > np.sqrt(times)
