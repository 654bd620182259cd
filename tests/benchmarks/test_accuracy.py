"""The measuring stick itself: scores worked by hand, peers as their libraries make them, and no foresight."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsforecast.models import CrostonSBA
from statsforecast.utils import ConformalIntervals

import intervals
import peers
import peers_mlforecast
from histories import Case, walked
from ingestion.periods import Period
from kept import kept
from scoring import LEVEL, Said, scores
from showing import OURS, must_show


@pytest.fixture(scope="module")
def case() -> Case:
    """Four items over 150 days, one of them hardly on the shelf for a day, walked at three origins."""
    rng = np.random.default_rng(1)
    dates = pd.date_range("2024-01-01", periods=150)
    demand = pd.concat(
        [
            pd.DataFrame(
                {
                    "sku": f"S{k}",
                    "location": "L",
                    "date": dates,
                    "quantity": rng.poisson(2.0 + 3 * k, 150).astype(float),
                    "in_stock": np.where((np.arange(150) == 140) & (k == 0), 0.1, 1.0),
                    "promotion": (rng.random(150) < 0.2).astype(float),
                }
            )
            for k in range(4)
        ]
    )
    return walked("small", {"demand": demand}, Period("day"), ("zero", None), (3, 7))


def constant(case: Case, quantile: np.ndarray) -> Said:
    """Says the truth shifted: quantiles (levels,) units above what happened."""
    at = case.folds.origin[:, None] + 1 + np.arange(case.ahead)
    mean = case.panel.quantity[case.folds.series[:, None], at]
    return Said(np.nan_to_num(mean), case.folds.sold[:, :, None] + quantile)


def test_the_truth_scores_nothing(case: Case) -> None:
    found = scores(case, constant(case, np.zeros(5)))
    assert found["pinball"] == {"equal": 0.0, "volume": 0.0}
    assert found["miss"] == {"all": 0.0, "low third": 0.0, "middle third": 0.0, "high third": 0.0}
    assert found["rmsse"]["promotion days"]["equal"] == 0.0


def test_one_unit_too_many_costs_one_less_the_level_over_the_scale(case: Case) -> None:
    found = scores(case, constant(case, np.ones(5)))
    clean, scale = case.folds.clean, case.folds.scale
    series = [np.mean([1 / s for s in scale[rows][clean[rows]]]) for rows in np.arange(12).reshape(4, 3)]
    assert found["pinball 0.9"]["equal"] == pytest.approx(0.1 * np.mean(series))
    assert found["miss"]["all"] == pytest.approx(0.2)  # everything lies below the 0.8 quantile


def test_windows_partly_out_of_stock_count_only_what_fell_short_of_sales(case: Case) -> None:
    assert not case.folds.clean.all()
    key = "shortfall where partly out of stock"
    assert scores(case, constant(case, np.ones(5)))[key]["equal"] == 0.0
    assert scores(case, constant(case, -np.ones(5)))[key]["equal"] > 0.0


def test_conformal_intervals_are_the_librarys(case: Case) -> None:
    one = replace(case, origins=case.origins[:1], folds=case.folds.take(np.array([0])))
    fitted = peers.fit(peers.Kind(lambda _: CrostonSBA(), 1, 2), one)
    mean, above = fitted["mean"][:, 0], intervals.conformal(intervals.errors_of(one, fitted))
    history = peers.history_of(one, 0, int(one.origins[0]) + 1, 730)
    model = CrostonSBA(prediction_intervals=ConformalIntervals(n_windows=2, h=28))
    said = model.forecast(y=history, h=28, level=[60, 80, 90, 98])
    for k, side in enumerate((60, 80, 90, 98), start=1):
        np.testing.assert_allclose(mean[0] + above[0, :, k], said[f"hi-{side}"], rtol=1e-5)


def learned(case: Case) -> peers.Arrays:
    """The fits of mlforecast, which is not installed with the project."""
    pytest.importorskip("mlforecast", reason="pip install --no-deps mlforecast optuna colorlog")
    return peers_mlforecast.fit(case)


@pytest.mark.parametrize("name", ["SBA", "SeasonalNaive", "negative binomial", "LightGBM"])
def test_no_peer_sees_past_its_origin(case: Case, name: str, monkeypatch) -> None:
    monkeypatch.setitem(peers_mlforecast.TREES, "n_estimators", 5)
    origin = case.origins[:1]
    first = replace(case, origins=origin, folds=case.folds.take(case.folds.origin == origin[0]))
    poisoned = first.panel.quantity.copy()
    poisoned[:, origin[0] + 1 :] = 1e6
    later = replace(first, panel=replace(first.panel, quantity=poisoned))
    fit = (peers.FITS | {"LightGBM": learned})[name]
    found, again = fit(first), fit(later)
    for part in found.keys() - {"seconds"}:
        np.testing.assert_array_equal(found[part], again[part])


def test_independent_widths_add_as_squares_and_joint_ones_as_they_are() -> None:
    mean, above = np.zeros((1, 4)), np.full((1, 4, 1), 3.0)
    assert intervals.summed(mean, above, np.array([4]), together=False).item() == pytest.approx(6.0)
    assert intervals.summed(mean, above, np.array([4]), together=True).item() == pytest.approx(12.0)


def test_the_best_of_the_classics_is_one_of_them(case: Case) -> None:
    fits = {name: peers.FITS[name](case) for name in ("SBA", "SeasonalNaive")}
    found = intervals.classics(case, fits)
    best = found["best of normal √h"].quantiles
    one = [(best == found[f"{name} normal √h"].quantiles).all(axis=(1, 2)) for name in fits]
    assert (one[0] | one[1]).all()


def test_promises_fail_for_one_that_is_its_peer(case: Case) -> None:
    off = constant(case, np.ones(5))
    found = scores(case, replace(off, mean_daily=off.mean_daily + 1))
    rows = must_show({OURS: found, "peer": found}, {OURS: OURS, "peer": "a"})
    passed = {row["what"]: row["passed"] for row in rows}
    assert not passed["pinball, equal, against a, c"]
    assert passed["RMSSE, all days, equal"]
    assert not passed["miss of a level, all"]


def test_fits_are_kept_until_the_data_change(case: Case, tmp_path) -> None:
    made = []

    def make(_: Case) -> dict[str, np.ndarray]:
        made.append(1)
        return {"levels": LEVEL}

    for _ in range(2):
        assert (kept(case, "peer", make, peers, tmp_path)["levels"] == LEVEL).all()
    other = replace(case, panel=replace(case.panel, quantity=case.panel.quantity + 1))
    kept(other, "peer", make, peers, tmp_path)
    assert len(made) == 2
