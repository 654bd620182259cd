"""What a data scientist would fit per series: statsforecast's classics, and a negative binomial.

It owns the fits; `intervals.py` turns them into quantiles of sums. Everything is fitted anew per series and
origin on the last two years at most. For the past windows that errors are taken from, AutoETS and AutoTheta
keep the form they chose at the origin, which favours them and saves hours. Where demand was not observed,
the mean of the same weekday stands in.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import statsforecast.models as statsforecast
from scipy.stats import nbinom

from histories import Case
from scoring import LEVEL

LONGEST = {"day": 730, "week": 157}  # periods of history that a model is given
LEAST = 8  # periods; with fewer the mean is forecast
Arrays = dict[str, np.ndarray]
Model = Callable[[int], Any]


@dataclass(frozen=True)
class Kind:
    """A model of statsforecast.

    make: the model for a season of so many periods
    weekly: season given to it where periods are weeks
    windows: past windows that its errors are taken from
    longest: days of history it is given
    again: a fitted model and a season → the model of the form that was chosen, for the past windows
    """

    make: Model
    weekly: int
    windows: int
    longest: int = 730
    again: Callable[[Any, int], Any] = lambda model, _: model


def _ets_again(model: Any, season: int) -> Any:
    form = getattr(model, "model_", {}).get("components", "ANNN")
    return statsforecast.AutoETS(season_length=season, model=form[:3], damped=form[3] == "D")


def _theta_again(model: Any, season: int) -> Any:
    form = getattr(model, "model_", {}).get("modeltype", "STM")
    return statsforecast.AutoTheta(season_length=season, model=form)


KINDS: dict[str, Kind] = {
    "SeasonalNaive": Kind(statsforecast.SeasonalNaive, 52, 8),
    "SBA": Kind(lambda _: statsforecast.CrostonSBA(), 1, 8),
    "TSB": Kind(lambda _: statsforecast.TSB(0.1, 0.1), 1, 8),
    "AutoTheta": Kind(lambda season: statsforecast.AutoTheta(season_length=season), 52, 3, 730, _theta_again),
    # Without a yearly season more than a year adds nothing but hours.
    "AutoETS": Kind(lambda season: statsforecast.AutoETS(season_length=season), 1, 3, 365, _ets_again),
}


def offsets(case: Case, windows: int) -> np.ndarray:
    """How many periods before the origin each fit ends: 0 is the forecast, the others give past errors.

    Windows of the whole horizon that do not overlap, as the library takes them. Where the history is too
    short for two, which the library refuses, shorter windows that overlap stand in.
    """
    shortest = int(case.origins[0]) + 1
    able = min(windows, (shortest - 14) // case.ahead)
    if able >= 2:
        return case.ahead * np.arange(able + 1)
    return np.array([0, *(h for h in case.horizons if h < shortest - 14)])


def history_of(case: Case, i: int, end: int, longest: int) -> np.ndarray:
    """(t,) units: series i before period number `end`, gaps filled; ten periods of its mean if too short."""
    panel = case.panel
    begin = max(int(panel.first[i]), end - longest)
    values = panel.quantity[i, begin:end].astype(float)
    seen = np.isfinite(values)
    if len(values) < LEAST or not seen.any():
        return np.full(10, values[seen].mean() if seen.any() else 0.0)
    phase = panel.calendar.phase[begin:end]
    for day in np.unique(phase[~seen]):
        like = values[seen & (phase == day)]
        values[~seen & (phase == day)] = (like if len(like) else values[seen]).mean()
    return values


def fit(kind: Kind, case: Case) -> Arrays:
    """Forecasts from every origin and from the windows before it.

    mean: (m, K, H) units; sigma: (m, K) root mean squared one-step error; offsets: (K,); seconds: (K,)
    """
    folds, back = case.folds, offsets(case, kind.windows)
    shape = (len(folds.series), len(back))
    mean, sigma, seconds = np.zeros((*shape, case.ahead)), np.zeros(shape), np.zeros(len(back))
    season = 7 if case.daily else kind.weekly
    longest = kind.longest if case.daily else LONGEST["week"]
    for r, (i, origin) in enumerate(zip(folds.series, folds.origin, strict=True)):
        model = kind.make(season)
        for k, offset in enumerate(back):
            begun = time.perf_counter()
            history = history_of(case, i, int(origin) + 1 - int(offset), longest)
            mean[r, k], sigma[r, k] = _forecast(model, history, case.ahead)
            seconds[k] += time.perf_counter() - begun
            model = kind.again(model, season) if k == 0 else model
    return {"mean": mean, "sigma": sigma, "offsets": back, "seconds": seconds}


def _forecast(model: Any, history: np.ndarray, ahead: int) -> tuple[np.ndarray, float]:
    """Mean (H,) and deviation of the one-step errors of a year; the mean where no fit succeeds."""
    mean, fitted = np.full(ahead, history.mean()), np.full(len(history), history.mean())
    if history.any():
        try:
            model.fit(history)
            said = model.predict(ahead)["mean"], model.predict_in_sample()["fitted"]
        except (ValueError, ZeroDivisionError, IndexError, RuntimeError, np.linalg.LinAlgError):
            said = mean, fitted
        if np.isfinite(said[0]).all():
            mean, fitted = said
    errors = (history - fitted)[-365:]
    errors = errors[np.isfinite(errors)]
    return mean, float(np.sqrt(np.mean(errors**2))) if len(errors) else float(history.std())


def negative_binomial(case: Case) -> Arrays:
    """Mean of the last weeks; variance of that mean's own past errors over each horizon.

    mean: (m, 1, H) units; quantiles: (m, g, levels) units; seconds: (1,)
    """
    folds, begun = case.folds, time.perf_counter()
    quantiles = np.zeros((len(folds.series), len(case.horizons), len(LEVEL)))
    rate = np.zeros(len(folds.series))
    for r, (i, origin) in enumerate(zip(folds.series, folds.origin, strict=True)):
        history = history_of(case, i, int(origin) + 1, LONGEST[case.panel.period.name])
        rate[r], quantiles[r] = _negative_binomial(history, case.horizons, 56 if case.daily else 13)
    mean = np.repeat(rate[:, None, None], case.ahead, axis=2)
    return {"mean": mean, "quantiles": quantiles, "seconds": np.array([time.perf_counter() - begun])}


def _negative_binomial(history: np.ndarray, horizons: np.ndarray, window: int) -> tuple[float, np.ndarray]:
    running = np.concatenate([[0.0], np.cumsum(history)])
    length = len(history)
    back = min(window, length)
    rate = (running[length] - running[length - back]) / back
    out = np.empty((len(horizons), len(LEVEL)))
    for g, h in enumerate(horizons):
        at = np.arange(min(window, max(length // 2, 1)), length - h + 1)
        low = np.maximum(at - window, 0)
        said = (running[at] - running[low]) / np.maximum(at - low, 1) * h
        error = running[at + h] - running[at] - said if len(at) else np.zeros(1)
        mean = max(rate * h, 1e-6)
        variance = max(float(np.mean(error**2)), mean * 1.0001)
        out[g] = nbinom.ppf(LEVEL, mean * mean / (variance - mean), mean / variance)
    return rate, out


FITS: dict[str, Callable[[Case], Arrays]] = {
    "negative binomial": negative_binomial,
    **{name: partial(fit, kind) for name, kind in KINDS.items()},
}
