"""The gate: each rule blocks alone, a better challenger passes, and the cost is that of a replay by hand."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from scipy.stats import poisson

from forecasting.backtest import Folds, folds_of, losses, segments
from forecasting.cumulative import LEVELS
from forecasting.gate import SAME, decision_cost, judge
from forecasting.panel import Panel, build_panel
from forecasting.trials import Trial
from ingestion.periods import Period

RATES = np.geomspace(1, 40, 60)
GRID = np.array([1, 3, 7, 10])


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(1)
    dates = pd.date_range("2024-01-01", periods=120)
    demand = pd.DataFrame(
        {
            "sku": np.repeat([f"s{i:02d}" for i in range(60)], 120),
            "location": "x",
            "date": np.tile(dates, 60),
            "quantity": rng.poisson(RATES[:, None], (60, 120)).ravel().astype(float),
        }
    )
    return build_panel({"demand": demand}, Period("day"), dates[-1], 10)


@pytest.fixture(scope="module")
def folds(panel: Panel) -> Folds:
    series, origin = (
        part.ravel() for part in np.meshgrid(np.arange(60), 50 + 7 * np.arange(8), indexing="ij")
    )
    return folds_of(panel, series, origin, GRID, 49)


def trial(folds: Folds, name: str, factor: np.ndarray | float = 1.0) -> Trial:
    """One that knows the rates up to a factor per pair, (m,)."""
    rate = RATES[folds.series] * factor
    mean = rate[:, None] * GRID
    quantiles = poisson.ppf(LEVELS, mean[:, :, None])
    return Trial(name, False, mean, quantiles, losses(folds, quantiles), pd.DataFrame())


def band(panel: Panel, folds: Folds, name: str) -> np.ndarray:
    return segments(panel, folds)[f"volume {name}"][:, 0]


def wide(folds: Folds, rows: np.ndarray, by: float) -> Trial:
    """The truth, but too wide in some rows: more lost, everything covered, no bias."""
    truth = trial(folds, "incumbent")
    quantiles = np.where(LEVELS > 0.5, truth.quantiles + by * truth.mean[:, :, None] ** 0.5, truth.quantiles)
    quantiles = np.where(rows[:, None, None], quantiles, truth.quantiles)
    return replace(truth, quantiles=quantiles, loss=losses(folds, quantiles))


def failed(verdict) -> set[str]:
    return {
        rule.split(" ")[0].strip(",") for rule in verdict.measures.loc[~verdict.measures["passed"], "rule"]
    }


def test_a_challenger_that_knows_more_takes_the_place(panel, folds):
    verdict = judge(panel, folds, trial(folds, "truth"), trial(folds, "guess", 1.3), seed=0)
    assert verdict.promoted
    assert verdict.measures["passed"].all()
    assert len(verdict.measures) == 1 + 3 * 4 + 1 + 1
    assert re.match(
        r"truth loses [\d.]+% less per window than guess; with 95 % confidence [\d.]+% less or better$",
        verdict.reasons[0],
    )
    refused = judge(panel, folds, trial(folds, "guess", 1.3), trial(folds, "truth"), seed=0)
    assert not refused.promoted
    assert re.search(
        r"guess loses [\d.]+% more per window than truth; .* where it must be less$", refused.reasons[0]
    )


def test_a_tie_keeps_what_there_is(panel, folds):
    verdict = judge(panel, folds, trial(folds, "again"), trial(folds, "before"), seed=0)
    assert not verdict.promoted
    assert failed(verdict) == {"pinball"}
    assert "where it must be less" in verdict.reasons[0]


def test_being_better_by_luck_alone_is_not_enough(panel, folds):
    """All that is gained is gained on one series of sixty."""
    before = trial(folds, "before", np.where(folds.series == 30, 1.5, 1.0))
    verdict = judge(panel, folds, trial(folds, "lucky"), before, seed=0)
    assert verdict.measures["value"][0] > 0 > np.nanmean(trial(folds, "lucky").loss - before.loss)
    assert failed(verdict) == {"pinball"}


def test_undercoverage_of_fast_movers_blocks_alone(panel, folds):
    fast = band(panel, folds, "high")
    known = trial(folds, "truth")
    at = np.isclose(LEVELS, 0.95)
    incumbent = wide(folds, np.ones(len(fast), bool), 1.5)
    right = np.where(at, known.quantiles, incumbent.quantiles)
    incumbent = replace(incumbent, quantiles=right, loss=losses(folds, right))
    short = np.where(at & fast[:, None, None], known.mean[:, :, None] * 1.01, known.quantiles)
    challenger = replace(known, quantiles=short, loss=losses(folds, short))
    verdict = judge(panel, folds, challenger, incumbent, seed=0)
    assert not verdict.promoted
    assert verdict.measures.loc[~verdict.measures["passed"], "rule"].tolist() == [
        "coverage 0.95, volume high"
    ]
    assert verdict.reasons[0].startswith("volume high: demand is within the 0.95 quantile in")


def test_what_is_no_farther_off_than_before_does_not_block(panel, folds):
    fast = band(panel, folds, "high")
    off = np.where(fast, 0.9, 1.0)
    alone = judge(panel, folds, trial(folds, "new", off), trial(folds, "old", 1.2), seed=0)
    assert "coverage" in failed(alone)
    both = judge(
        panel, folds, trial(folds, "new", off), trial(folds, "old", np.where(fast, 0.9, 1.4)), seed=0
    )
    assert both.promoted


def limits(verdict, rule: str) -> list[float]:
    return verdict.measures.loc[verdict.measures["rule"].str.startswith(rule), "limit"].tolist()


def test_the_incumbent_s_worst_band_is_the_limit_of_every_band(panel, folds):
    """An old recipe that is off among slow movers does not hold a new one to being right among fast ones."""
    slow, fast = band(panel, folds, "low"), band(panel, folds, "high")
    new = trial(folds, "new", np.where(fast, 0.9, 1.0))
    old = trial(folds, "old", np.where(slow, 0.5, np.where(fast, 1.4, 1.2)))
    verdict = judge(panel, folds, new, old, seed=0)
    assert "coverage" not in failed(verdict)
    assert len(set(limits(verdict, "coverage 0.8"))) == 1
    rows = slow[:, None] & np.isfinite(new.loss)
    worst = 0.8 - (folds.actual <= old.quantiles[:, :, np.searchsorted(LEVELS, 0.8)] + 1e-6)[rows].mean()
    assert limits(verdict, "coverage 0.8")[0] == pytest.approx(worst)
    at_most = judge(panel, folds, replace(new, mean=new.mean * 1.3), replace(old, mean=new.mean), seed=0)
    assert "bias" in failed(at_most)


def test_bias_may_exceed_the_incumbent_s_by_five_points_and_no_more(panel, folds):
    new, old = trial(folds, "new"), wide(folds, np.ones(len(folds.series), bool), 1.0)
    old = replace(old, mean=old.mean * 0.8)
    used = np.isfinite(old.loss)
    before = abs(old.mean[used].sum() / folds.actual[used].sum() - 1.0)
    assert before == pytest.approx(0.2, abs=0.05)
    for bias, passes in ((before + 0.04, True), (before + 0.06, False)):
        factor = (1.0 + bias) * folds.actual[used].sum() / new.mean[used].sum()
        verdict = judge(panel, folds, replace(new, mean=new.mean * factor), old, seed=0)
        assert verdict.promoted == passes
        assert limits(verdict, "bias") == pytest.approx([before + 0.05])


def test_a_biased_mean_blocks_alone(panel, folds):
    challenger = trial(folds, "challenger")
    biased = replace(challenger, mean=challenger.mean * 1.2)
    verdict = judge(panel, folds, biased, wide(folds, np.ones(len(folds.series), bool), 1.0), seed=0)
    assert verdict.measures.loc[~verdict.measures["passed"], "rule"].tolist() == ["bias"]
    assert verdict.reasons[0].startswith("the mean is off by +")


def test_a_mean_that_no_gate_would_let_through_keeps_no_place_by_a_tie(panel, folds):
    """Quantiles are brought to where demand is, the mean of a plain forecast of what grows is not."""
    truth = trial(folds, "truth")
    low = replace(truth, name="low", mean=truth.mean * 0.65)
    verdict = judge(panel, folds, truth, low, seed=0)
    assert verdict.promoted
    assert "in its mean" in verdict.reasons[0]
    assert not judge(panel, folds, replace(truth, mean=truth.mean * 0.7), low, seed=0).promoted
    assert not judge(panel, folds, truth, replace(low, mean=truth.mean * 0.95), seed=0).promoted
    worse = replace(truth, loss=truth.loss * (1 + 2 * SAME))
    assert not judge(panel, folds, worse, low, seed=0).promoted


@pytest.mark.parametrize(("weeks", "first", "serves"), [(130, 100, True), (95, 70, False), (130, 60, False)])
def test_a_plain_forecast_keeps_no_place_by_a_tie_where_its_season_was_not_judged(weeks, first, serves):
    """What a peak of once a year does to it shows in no window of less than a year."""
    rng = np.random.default_rng(2)
    dates = pd.date_range("2022-01-03", periods=weeks, freq="W-MON")
    demand = pd.DataFrame(
        {
            "sku": np.repeat([f"s{i:02d}" for i in range(60)], weeks),
            "location": "x",
            "date": np.tile(dates, 60),
            "quantity": rng.poisson(RATES[:, None], (60, weeks)).ravel().astype(float),
        }
    )
    long = build_panel({"demand": demand}, Period("week"), dates[-1], 10)
    at = np.linspace(first, weeks - 4, 8).astype(int)
    series, origin = (part.ravel() for part in np.meshgrid(np.arange(60), at, indexing="ij"))
    judged = folds_of(long, series, origin, GRID, first)
    learned = trial(judged, "learned")
    plain = replace(learned, name="plain", plain=True, loss=learned.loss * (1 - SAME / 2))
    verdict = judge(long, judged, learned, plain, seed=0)
    assert verdict.promoted == serves
    assert ("knows no season" in verdict.reasons[0]) == serves
    assert not judge(long, judged, replace(learned, plain=True), plain, seed=0).promoted


def test_a_market_that_moved_is_luck_and_a_mean_that_is_always_low_is_not(panel, folds):
    """A fifth more demand than anybody knew: in a few months by chance, or in each of them alike."""
    moved = np.array([0.9, 1.4, 1.0, 1.5, 1.1, 1.45, 0.95, 1.3])[(folds.origin - 50) // 7, None]
    assert moved.mean() == pytest.approx(1.2)
    for factor, passes in ((moved, True), (1.2, False)):
        came = replace(folds, actual=folds.actual * factor)
        new, old = trial(came, "new"), trial(came, "old", 1.2)
        new, old = (
            replace(one, quantiles=quantiles, loss=losses(came, quantiles))
            for one, quantiles in (
                (new, new.quantiles * np.exp(0.2 * ndtri(LEVELS))),  # aware that the market moves
                (old, old.quantiles * 3.0),
            )
        )
        verdict = judge(panel, came, new, old, seed=0)
        assert verdict.promoted == passes
        assert ("bias" in failed(verdict)) != passes


def test_a_higher_cost_of_stocking_blocks_alone(panel, folds):
    """Much better on what hardly sells, dearer on what sells most; a little of that is within luck."""
    fast = band(panel, folds, "high")
    known = trial(folds, "truth").quantiles
    slow = wide(folds, ~fast, 1.5)
    kept = np.where(np.isclose(LEVELS, 0.9), known, slow.quantiles)
    slow = replace(slow, quantiles=kept, loss=losses(folds, kept))
    rng = np.random.default_rng(5)
    off = trial(folds, "off", np.where(fast, rng.uniform(0.9, 1.12, len(fast)), 1.0))
    verdict = judge(panel, folds, off, slow, seed=0)
    assert failed(verdict) == {"cost"}
    assert verdict.reasons[0].startswith("stocking by its quantiles costs")
    close = wide(folds, fast, 0.05)
    found = judge(panel, folds, close, slow, seed=0)
    assert found.promoted
    assert decision_cost(panel, folds, close.quantiles) > decision_cost(panel, folds, slow.quantiles)


def test_without_a_scored_window_nothing_changes(panel, folds):
    unseen = replace(folds, clean=np.zeros_like(folds.clean))
    verdict = judge(panel, unseen, trial(unseen, "new"), trial(unseen, "old", 1.5), seed=0)
    assert not verdict.promoted
    assert verdict.reasons == ("no window was scored for both new and old; load more history",)


def replayed(panel: Panel, folds: Folds, quantiles: np.ndarray) -> float:
    """The replay as one would do it on paper, series by series and day by day."""
    paid = wanted = 0.0
    origins = sorted(set(folds.origin.tolist()))
    level = LEVELS.tolist().index(0.9)
    for i in sorted(set(folds.series.tolist())):
        left = 0.0
        for at, after in zip(origins, [*origins[1:], origins[-1] + 7], strict=True):
            row = np.flatnonzero((folds.series == i) & (folds.origin == at))
            if not len(row):
                continue
            step = min(after - at, int(folds.horizons[-1]))
            days = panel.quantity[i, at + 1 : at + 1 + step]
            if np.isnan(days).any():
                continue
            stock = max(left, float(np.interp(step, folds.horizons, quantiles[row[0], :, level])))
            asked = 0.0
            for units in days:
                asked += float(units)
            left = max(stock - asked, 0.0)
            paid += 9 * max(asked - stock, 0.0) + left
            wanted += asked
    return paid / wanted


def test_the_cost_is_that_of_a_replay_on_paper(panel, folds):
    rng = np.random.default_rng(2)
    said = trial(folds, "any").quantiles * rng.uniform(0.5, 1.5, (len(folds.series), 1, 1))
    assert decision_cost(panel, folds, said) == pytest.approx(replayed(panel, folds, said))
    holes = panel.quantity.copy()
    holes[::7, 60:75] = np.nan
    holed, kept = replace(panel, quantity=holes), folds.take(folds.origin != 71)
    rows = folds.origin != 71
    assert decision_cost(holed, kept, said[rows]) == pytest.approx(replayed(holed, kept, said[rows]))


def test_the_true_quantiles_cost_least(panel, folds):
    costs = [decision_cost(panel, folds, trial(folds, "t", factor).quantiles) for factor in (0.8, 1.0, 1.25)]
    assert costs[1] == min(costs)


def test_a_cost_worked_out_by_hand_and_nothing_to_replay():
    demand = pd.DataFrame({"sku": "a", "location": "x", "date": pd.date_range("2024-01-01", periods=8),
                           "quantity": [5.0, 5, 5, 5, 3, 9, 2, 1]})  # fmt: skip
    panel = build_panel({"demand": demand}, Period("day"), pd.Timestamp("2024-01-08"), 2)
    folds = folds_of(panel, np.zeros(2, int), np.array([3, 5]), np.array([1, 2]), 3)
    quantiles = np.array([[[4.0], [10.0]], [[4.0], [6.0]]]) * np.ones(len(LEVELS))
    # 10 in stock, 12 asked: 2 lost. Then 6 in stock, 3 asked: 3 left.
    assert decision_cost(panel, folds, quantiles) == pytest.approx((2 * 9 + 3 * 1) / 15)
    end = folds_of(panel, np.zeros(1, int), np.array([7]), np.array([1, 2]), 3)
    assert np.isnan(decision_cost(panel, end, quantiles[:1]))
