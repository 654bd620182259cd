"""Plain, statistical and linear candidates: the libraries as oracles, and laws where these say nothing."""

import numpy as np
import pandas as pd
import pytest
import statsforecast.models as statsforecast

from forecasting.baselines import KINDS, MEMORY, SEASON, Baseline
from forecasting.panel import Panel, build_panel
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


@pytest.mark.parametrize("kind", KINDS)
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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "seasonal_naive"])
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


def test_the_moving_average_forgets_and_the_long_run_mean_does_not():
    quantity = np.repeat([[8.0, 2.0]], MEMORY["day"], axis=1).reshape(1, -1)
    panel = panel_of(quantity)
    one, at = np.array([0]), np.array([panel.length - 1])
    assert Baseline("moving_average").predict(panel, one, at, np.array([10])).mean.tolist() == [[20.0]]
    assert Baseline("long_run_mean").predict(panel, one, at, np.array([10])).mean.tolist() == [[50.0]]


def test_an_unknown_plain_forecast_is_refused():
    with pytest.raises(Problem, match=r"one of moving_average.*'croston'"):
        Baseline("croston")
