"""Training: candidates are fitted, judged by rolling origins, and the best becomes the model.

It owns the choice. The global model serves only if it beats the best plain forecast on the same windows;
else the plain forecast serves, and the report says why.
"""

import logging
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecasting.backtest import Folds, build_folds, losses, score
from forecasting.baselines import KINDS, Baseline
from forecasting.calibration import calibrate
from forecasting.forecaster import Fitted, Forecaster, Prediction
from forecasting.gbm import Gbm
from forecasting.models import DemandModel
from forecasting.panel import Panel
from ingestion.errors import Problem

log = logging.getLogger(__name__)
LEAST_PERIODS = {"day": 28, "week": 16, "month": 12}  # below, no global model is tried


@dataclass(frozen=True)
class TrainingReport:
    """What training found.

    model: what serves from now on
    champion: its name; earned: whether a learned model won over the plain ones
    why: the reason in words
    scores: per candidate and segment; columns as `backtest.score`, with candidate first
    folds: the windows it was judged on
    predicted: (m, g, LEVELS) the winner's quantiles on the judged windows
    parameters: what to log of the training
    notes: what a reader of the forecasts should know
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


def train(
    panel: Panel,
    horizon: int | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
    origins: int = 8,
    candidates: tuple[Forecaster, ...] | None = None,
) -> TrainingReport:
    """Fit all candidates, judge them, and fit the best on everything up to the as-of date.

    horizon: longest sum that is learned, periods; default the panel's
    threads: of LightGBM; default the free cores; results do not depend on it
    origins: rolling origins of the backtest
    candidates: default the plain forecasts and the global model
    """
    horizon = min(horizon or panel.horizon, panel.horizon)
    threads = threads or free_cores()
    folds = build_folds(panel, horizon, origins, seed)
    tried = _try_all(panel, folds, horizon, candidates or default_candidates(), (seed, threads))
    judged = _second_half(folds)
    verdicts = {}
    tables = []
    for forecaster, fitted, prediction in tried:
        learned = calibrate(prediction.take(~judged), folds.actual[~judged])
        part, said = folds.take(judged), prediction.take(judged)
        quantiles = learned.quantiles(said)
        verdicts[fitted.name] = losses(part, quantiles), quantiles
        tables.append(score(panel, part, said.mean, quantiles).assign(candidate=forecaster.name))
    name, why = choose({key: loss for key, (loss, _) in verdicts.items()})
    forecaster, _, prediction = next(entry for entry in tried if entry[0].name == name)
    final = forecaster.fit(panel, panel.length - 1, horizon, seed, threads)
    about = {"why": why, "horizon": horizon, "seed": seed, "origins": len(np.unique(folds.origin))}
    model = DemandModel(
        final, calibrate(prediction, folds.actual), panel.as_of.date().isoformat(), about=about
    )
    scores = pd.concat(tables, ignore_index=True)
    scores = scores[["candidate", *scores.columns.drop("candidate")]]
    return TrainingReport(
        model=model,
        champion=name,
        earned=name not in KINDS,
        why=why,
        scores=scores,
        folds=folds.take(judged),
        predicted=verdicts[name][1],
        parameters=_parameters(panel, horizon, seed, origins, forecaster),
        notes=panel.notes,
    )


def default_candidates() -> tuple[Forecaster, ...]:
    """The plain forecasts and the global model."""
    return (*(Baseline(kind) for kind in KINDS), Gbm())


def free_cores() -> int:
    """Cores that nobody uses now, at least one: LightGBM waits for its slowest thread."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return int(np.clip((os.cpu_count() or 1) - round(load), 1, 8))


def choose(loss: dict[str, np.ndarray]) -> tuple[str, str]:
    """The candidate to serve and why, from losses (m, g) on the same windows, NaN where not scored.

    >>> flat = np.ones((4, 1))
    >>> choose({"sba": flat, "lightgbm": 0.8 * flat})
    ('lightgbm', 'lightgbm loses 0.800 per window, 20.0% less than sba, the best plain forecast')
    """
    scored = np.logical_and.reduce([np.isfinite(part) for part in loss.values()])
    if not scored.any():
        plain = next((name for name in loss if name in KINDS), next(iter(loss)))
        return plain, f"no window could be scored, so {plain} serves; load more history"
    mean = {name: float(part[scored].mean()) for name, part in loss.items()}
    plain = min((name for name in mean if name in KINDS), key=lambda name: mean[name], default="")
    best = min(mean, key=lambda name: mean[name])
    if not plain:
        return best, f"{best} loses {mean[best]:.3f} per window; no plain forecast was tried"
    learned = [name for name in mean if name not in KINDS]
    if not learned:
        return (
            plain,
            f"{plain} loses {mean[plain]:.3f} per window, least of the plain forecasts; no other was tried",
        )
    best = min(learned, key=lambda name: mean[name])
    change = abs(1 - mean[best] / mean[plain]) if mean[plain] > 0 else 0.0
    if mean[best] < mean[plain]:
        return best, (
            f"{best} loses {mean[best]:.3f} per window, "
            f"{change:.1%} less than {plain}, the best plain forecast"
        )
    return (
        plain,
        f"{plain} loses {mean[plain]:.3f} per window and {best} {change:.1%} more, so {plain} serves",
    )


def _try_all(
    panel: Panel, folds: Folds, horizon: int, candidates: tuple[Forecaster, ...], way: tuple[int, int]
) -> list[tuple[Forecaster, Fitted, Prediction]]:
    """Each candidate fitted before the folds, and what it says about them."""
    tried = []
    for candidate in candidates:
        short = folds.fitted + 1 < LEAST_PERIODS[panel.period.name]
        if short and candidate.name not in KINDS:
            log.warning("history is too short for %s, it is not tried", candidate.name)
            continue
        try:
            fitted = candidate.fit(panel, folds.fitted, horizon, *way)
        except Problem as reason:
            log.warning("%s is not tried: %s", candidate.name, reason)
            continue
        tried.append((candidate, fitted, fitted.predict(panel, folds.series, folds.origin, folds.horizons)))
    if not tried:
        raise Problem("no candidate could be fitted; keep at least one baseline among the candidates")
    return tried


def _second_half(folds: Folds) -> np.ndarray:
    """(m,) bool, pairs of the later origins: errors are learned on the earlier, judged on the later."""
    at = np.unique(folds.origin)
    return folds.origin >= at[len(at) // 2] if len(at) > 1 else np.ones(len(folds.origin), dtype=bool)


def _parameters(panel: Panel, horizon: int, seed: int, origins: int, champion: Forecaster) -> dict[str, Any]:
    own = {f"{champion.name}.{key}": value for key, value in vars(champion).items() if key != "name"}
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
