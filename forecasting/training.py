"""Training: candidates are fitted, judged by rolling origins, and the best that earns it becomes the model.

It owns the trials and the choice. A learned model serves only if it passes the gate against the recipe in
force, or against the best plain forecast where none is; else that one serves, and the report says why.
"""

import logging
import os
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecasting.backtest import Folds, build_folds, losses, score, truth_of
from forecasting.baselines import KINDS, Baseline
from forecasting.calibration import Calibration, calibrate
from forecasting.cumulative import LEVELS, in_units
from forecasting.ensemble import NAME as ENSEMBLE
from forecasting.ensemble import (
    NEARLY,
    Ensemble,
    Member,
    Said,
    blend,
    choose_mean_weights,
    choose_weights,
    segments_of,
)
from forecasting.forecaster import Fitted, Forecaster, Prediction, between
from forecasting.gate import SAME, Verdict, decision_cost, judge, year_unjudged, yields
from forecasting.gbm import Gbm
from forecasting.linear import Linear
from forecasting.models import DemandModel
from forecasting.panel import Panel
from forecasting.samples import ahead_of
from forecasting.statistical import KINDS as LOCAL
from forecasting.statistical import Statistical, knows_year
from forecasting.trials import Trial
from ingestion.errors import Problem

log = logging.getLogger(__name__)
LEAST_PERIODS = {"day": 28, "week": 16, "month": 12}  # below, no global model is tried
# The average goes first while it loses at most this multiple of the least: which model is best by a hair
# need not be so next time, and an average errs less than most of its members (Bates and Granger 1969).
TIE = 1.01
Members = dict[str, np.ndarray]  # name → (m, g, LEVELS) quantiles of what is averaged


@dataclass(frozen=True)
class TrainingReport:
    """What training found.

    model: what serves from now on
    champion: its name; earned: whether a learned model won over the plain ones
    why: the reason in words
    scores: per candidate and segment; columns as `backtest.score`, with candidate first
    folds: the windows it was judged on
    predicted: (m, g, LEVELS) the winner's quantiles on these windows
    parameters: what to log of the training
    notes: what a reader of the forecasts should know
    trials: of the candidates on these windows, the champion's first
    verdict: of the gate, None where nothing was to be beaten
    """

    model: DemandModel
    champion: str
    earned: bool
    why: str
    scores: pd.DataFrame
    folds: Folds
    predicted: np.ndarray
    parameters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True)
class _Tried:
    """A candidate fitted before the folds, what it says about them, and its processor seconds."""

    forecaster: Forecaster
    fitted: Fitted
    prediction: Prediction
    seconds: float


@dataclass(frozen=True)
class _Average:
    """Weights of the quantiles and of the means of each member in each segment, what they say together about
    the folds, and the processor seconds of all.
    """

    weights: dict[str, tuple[np.ndarray, np.ndarray]]
    prediction: Prediction
    seconds: float


@dataclass(frozen=True)
class _Run:
    """What every step of one training needs: data, folds, their two halves, the truth, the way.

    later: (m,) bool, pairs of the later origins. All models are fitted before the first origin; what is
        learned of the size of their errors in one half is judged in the other, and every window once
    way: horizon, seed and threads of every fit
    """

    panel: Panel
    folds: Folds
    later: np.ndarray
    truth: np.ndarray
    way: tuple[int, int, int]

    def learned(self, prediction: Prediction, rows: np.ndarray | None = None) -> Calibration:
        """What the errors of a prediction of all pairs say; rows: (m,) bool, default all."""
        selected = np.isfinite(self.truth).sum() < np.isfinite(self.folds.actual).sum()
        every = np.ones(len(self.truth), dtype=bool) if rows is None else rows
        part, series = prediction.take(every), self.folds.series[every]
        return calibrate(part, self.truth[every], series, selected=bool(selected))

    def across(self, prediction: Prediction) -> np.ndarray:
        """(m, g, LEVELS) quantiles, of each half calibrated on the other."""
        rows = np.empty((len(self.later), len(self.folds.horizons), len(LEVELS)))
        for half in (self.later, ~self.later):
            rows[half] = self.learned(prediction, ~half).quantiles(prediction.take(half))
        return rows

    def squares(self, prediction: Prediction) -> np.ndarray:
        """(m, H) squared errors of the means of single periods over mean demand, which is what they are worth
        where demand comes in counts; NaN where demand is not wholly known.
        """
        folds, panel = self.folds, self.panel
        said = np.diff(between(prediction, prediction.mean[:, :, None])[:, :, 0], axis=1, prepend=0.0)
        actual, in_stock = (
            ahead_of(values, folds.series, folds.origin, said.shape[1])
            for values in (panel.quantity, panel.in_stock)
        )
        usual = folds.scale[:, :1] / np.sqrt(folds.horizons[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((in_stock >= 1.0) & (usual > 0), (said - actual) ** 2 / usual, np.nan)


def train(
    panel: Panel,
    horizon: int | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
    origins: int = 8,
    candidates: tuple[Forecaster, ...] | None = None,
    incumbent: str | None = None,
) -> TrainingReport:
    """Fit all candidates, judge them, and fit the best on everything up to the as-of date.

    horizon: longest sum that is learned, periods; default the panel's
    threads: fits at once; default one a core; results do not depend on it
    origins: rolling origins of the backtest
    candidates: default `default_candidates`
    incumbent: name of the recipe in force; default the best plain forecast
    """
    horizon = min(horizon or panel.horizon, panel.horizon)
    folds = build_folds(panel, horizon, origins, seed)
    way = horizon, seed, threads or os.cpu_count() or 1
    run = _Run(panel, folds, _second_half(folds), truth_of(folds), way)
    tried = _try_all(run, candidates or default_candidates())
    across = {name: run.across(one.prediction) for name, one in tried.items()}
    trials = {name: _trial(run, one, across[name]) for name, one in tried.items()}
    short = _short(run)
    members = {name: rows for name, rows in across.items() if _can_join(trials, name, short)}
    average = _average(run, tried, members) if len(members) > 1 else None
    if average is not None:
        said = average.prediction.mean, average.prediction.quantiles, average.seconds
        of = {"members": sorted(members)}
        trials[ENSEMBLE] = _judged(run, ENSEMBLE, said, of, pd.Series(dtype=float))
    name, verdict, why = _decide(run, trials, incumbent)
    fitted, calibration = _finish(run, tried, average, name)
    about = {"why": why, "horizon": horizon, "seed": seed, "origins": len(np.unique(folds.origin))}
    ordered = (trials.pop(name), *trials.values())
    scores = pd.concat([one.scores.assign(candidate=one.name) for one in ordered], ignore_index=True)
    return TrainingReport(
        model=DemandModel(fitted, calibration, panel.as_of.date().isoformat(), about=about),
        champion=name,
        earned=not ordered[0].plain,
        why=why,
        scores=scores[["candidate", *scores.columns.drop("candidate")]],
        folds=folds,
        predicted=ordered[0].quantiles,
        parameters=_parameters(panel, horizon, seed, origins, ordered[0]),
        notes=panel.notes,
        trials=ordered,
        verdict=verdict,
    )


def default_candidates() -> tuple[Forecaster, ...]:
    """The plain forecasts, local models where series are few, and the models of all series."""
    return (
        *(Baseline(kind) for kind in KINDS),
        Statistical("ets"),
        Statistical("theta"),
        Linear(),
        Gbm(),
        Gbm("lightgbm_steps", base="steps"),
    )


def _try_all(run: _Run, candidates: tuple[Forecaster, ...]) -> dict[str, _Tried]:
    """Each candidate fitted before the folds, and what it says about them."""
    tried = {}
    panel, folds = run.panel, run.folds
    past = panel.until(folds.fitted)  # cut once: what one candidate finds out about it the next need not
    for candidate in candidates:
        short = folds.fitted + 1 < LEAST_PERIODS[panel.period.name]
        if short and candidate.name not in KINDS:
            log.info("history is too short for %s, it is not tried", candidate.name)
            continue
        begun = time.process_time()
        try:
            fitted = candidate.fit(past, folds.fitted, *run.way)
            said = fitted.predict(panel, folds.series, folds.origin, folds.horizons)
        except Problem as reason:
            log.info("%s is not tried: %s", candidate.name, reason)
            continue
        tried[candidate.name] = _Tried(candidate, fitted, said, time.process_time() - begun)
    if not tried:
        raise Problem("no candidate could be fitted; keep at least one baseline among the candidates")
    return tried


def _trial(run: _Run, one: _Tried, across: np.ndarray) -> Trial:
    parameters = {key: value for key, value in vars(one.forecaster).items() if key != "name"}
    importance = pd.Series(getattr(one.fitted, "importance", {}), dtype=float).sort_values(ascending=False)
    said = one.prediction.mean, across, one.seconds
    return _judged(run, one.forecaster.name, said, parameters, importance)


def _judged(
    run: _Run,
    name: str,
    said: tuple[np.ndarray, np.ndarray, float],
    parameters: dict[str, Any],
    importance: pd.Series,
) -> Trial:
    """The record of what was said about the folds: (m, g) means, (m, g, LEVELS) quantiles, seconds."""
    mean, raw, seconds = said
    folds = run.folds
    quantiles = in_units(raw, run.panel.whole[folds.series, None, None])
    return Trial(
        name=name,
        plain=name in KINDS,
        mean=mean,
        quantiles=quantiles,
        loss=losses(folds, quantiles),
        scores=score(run.panel, folds, mean, quantiles),
        cost=decision_cost(run.panel, folds, quantiles),
        seconds=seconds,
        parameters=parameters,
        importance=importance,
    )


def _can_join(trials: dict[str, Trial], name: str, short: frozenset[str] = frozenset()) -> bool:
    """Whether a candidate is averaged with others: it loses hardly more than the best, and is no plain
    forecast where a learned one is the best. Plain ones know neither season nor plans: in a calm month that
    hardly shows, and the peak after it is missed by all that they weigh. Nor do those of `short` know it.
    """
    loss = {key: _mean_loss(one, trials) for key, one in trials.items()}
    best = min(loss, key=lambda key: loss[key])
    unaware = {key for key, trial in trials.items() if trial.plain} | short
    return bool(loss[name] <= NEARLY * loss[best]) and (best in unaware or name not in unaware)


def _short(run: _Run) -> frozenset[str]:
    """Models of one series alone that know no year, where less than one was judged; else none."""
    period = run.panel.period.name
    unjudged = year_unjudged(run.panel, run.folds)
    return frozenset(kind for kind in LOCAL if unjudged and not knows_year(kind, period))


def _average(run: _Run, tried: dict[str, _Tried], members: Members) -> _Average:
    """What the members say together, with weights that follow from all folds: those that would serve.

    They are a formula of a few losses and no search, so that the folds they are told by judge them as well.
    Weights of some folds for others would trust, at each failure of a model, the one that is about to fail.
    """
    folds = run.folds
    segment = segments_of(run.panel, folds.series, folds.origin)
    of_sums = choose_weights(folds, members, segment)
    of_means = choose_mean_weights({name: run.squares(tried[name].prediction) for name in members}, segment)
    weights = {name: (of_sums[name], of_means[name]) for name in members}
    return _Average(
        weights,
        blend(
            [
                Said(tried[name].prediction, said, *(part[segment] for part in weights[name]))
                for name, said in members.items()
            ]
        ),
        sum(tried[name].seconds for name in members),
    )


def _finish(
    run: _Run, tried: dict[str, _Tried], average: _Average | None, name: str
) -> tuple[Fitted, Calibration]:
    """The recipe fitted on everything, with what all folds say about its errors."""

    def refitted(one: str) -> Fitted:
        return tried[one].forecaster.fit(run.panel, run.panel.length - 1, *run.way)

    if average is None or name != ENSEMBLE:
        return refitted(name), run.learned(tried[name].prediction)
    parts = tuple(
        Member(refitted(one), run.learned(tried[one].prediction), *weights)
        for one, weights in average.weights.items()
    )
    return Ensemble(parts), run.learned(average.prediction)


def _decide(run: _Run, trials: dict[str, Trial], incumbent: str | None) -> tuple[str, Verdict | None, str]:
    """The recipe to serve, the gate's verdict on the challenger, and why."""
    loss = {name: _mean_loss(one, trials) for name, one in trials.items()}
    plain = {name: loss[name] for name in loss if trials[name].plain}
    if not np.isfinite(list(loss.values())).any():
        name = next(iter(plain or loss))
        return name, None, f"no window could be scored, so {name} serves; load more history"
    order = sorted(loss, key=lambda name: loss[name] / (TIE if name == ENSEMBLE else 1.0))
    held = incumbent if incumbent in trials else next((name for name in order if name in plain), order[0])

    def may_serve(name: str) -> bool:
        """Whether one loses less than what is held, or as much where a tie does not keep that."""
        if name == held or loss[name] > (1 + SAME) * loss[held]:
            return False
        tied = run.panel, run.folds, trials[name], trials[held]
        return loss[name] < loss[held] or bool(yields(*tied, seed=run.way[1]))

    better = [name for name in order if may_serve(name)]
    if not better:
        return held, None, f"{held} loses {loss[held]:.3f} per window, least of {len(loss)} candidates"
    verdicts = {}
    for name in better:
        verdicts[name] = judge(run.panel, run.folds, trials[name], trials[held], seed=run.way[1])
        if verdicts[name].promoted:
            break
    # Where none is promoted, the reasons that matter are those of the one that came closest.
    told = name if verdicts[name].promoted else better[0]
    change = f"{told} loses {loss[told]:.3f} per window, {_less(1 - loss[told] / loss[held])} than {held}"
    serves = name if verdicts[name].promoted else held
    return serves, verdicts[told], f"{change}; {serves} serves: {'; '.join(verdicts[told].reasons)}"


def _less(share: float) -> str:
    return f"{abs(share):.1%} {'less' if share >= 0 else 'more'}"


def _mean_loss(trial: Trial, trials: dict[str, Trial]) -> float:
    """Mean loss over the windows that all trials are scored on; infinite without any."""
    scored = np.logical_and.reduce([np.isfinite(one.loss) for one in trials.values()])
    return float(trial.loss[scored].mean()) if scored.any() else float("inf")


def _second_half(folds: Folds) -> np.ndarray:
    """(m,) bool, pairs of the later origins."""
    at = np.unique(folds.origin)
    return folds.origin >= at[len(at) // 2] if len(at) > 1 else np.ones(len(folds.origin), dtype=bool)


def _parameters(panel: Panel, horizon: int, seed: int, origins: int, champion: Trial) -> dict[str, Any]:
    own = {f"{champion.name}.{key}": value for key, value in champion.parameters.items()}
    return {
        "series": panel.series,
        "periods": panel.length,
        "period": panel.period.name,
        "as_of": panel.as_of.date().isoformat(),
        "horizon": horizon,
        "seed": seed,
        "origins": origins,
        "champion": champion.name,
    } | own
