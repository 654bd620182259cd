"""What a data scientist would build with mlforecast: one LightGBM over all series.

It owns the features and the two fits: a Tweedie mean with the library's conformal intervals of single
periods, and a model per quantile of single periods. Each series is divided by its mean, so that small ones
count too; gaps are filled, which the library requires.

The library pins an older pandas, so it is installed beside the project:

    pip install --no-deps mlforecast optuna colorlog
"""

import time
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from histories import Case
from peers import Arrays
from scoring import LEVEL

TREES = {
    "n_estimators": 200,
    "learning_rate": 0.07,
    "num_leaves": 31,
    "min_child_samples": 40,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.8,
    "verbosity": -1,
    "n_jobs": 1,
    "random_state": 0,
}
WINDOWS = 8  # of the horizon's length, for conformal intervals
Frame = pd.DataFrame


def filled(case: Case, origin: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, t) demand over its mean with gaps filled from the same weekday, and that mean (n,), units."""
    panel = case.panel
    values = panel.quantity[:, : origin + 1].astype(float)
    seen = np.isfinite(values)
    count = seen.sum(axis=1)
    mean = np.where(seen, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    scale = np.where(mean > 0, mean, 1.0)
    values /= scale[:, None]
    phase = panel.calendar.phase[: origin + 1]
    for day in np.unique(phase):
        part = values[:, phase == day]
        with np.errstate(invalid="ignore"):
            known = np.isfinite(part)
            usual = np.where(known, part, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        usual = np.where(known.any(axis=1), usual, np.where(mean > 0, 1.0, 0.0))
        values[:, phase == day] = np.where(known, part, usual[:, None])
    return values, scale


def frame_of(case: Case, begin: int, end: int, target: np.ndarray | None) -> Frame:
    """Long table of periods [begin, end): what is known ahead, and demand where given (n, end - begin)."""
    panel = case.panel
    n, width = panel.series, end - begin
    country = panel.calendar.of_series
    frame: dict[str, Any] = {
        "unique_id": np.repeat(np.arange(n), width),
        "ds": np.tile(panel.dates[begin:end], n),
        "promotion": panel.plan[:, begin:end].ravel(),
        "promoted": _trailing(panel.plan, 28)[:, begin:end].ravel(),
        "holiday": panel.calendar.holiday[country, begin:end].ravel(),
        "workday": panel.calendar.workday[country, begin:end].ravel(),
    }
    if panel.prices_planned:
        frame["price"] = panel.price[:, begin:end].ravel()
    if target is not None:
        frame["y"] = target.ravel()
    return pd.DataFrame(frame)


def _trailing(values: np.ndarray, width: int) -> np.ndarray:
    """(n, t) mean of the last `width` periods, fewer at the start."""
    total = np.cumsum(values, axis=1, dtype=float)
    total[:, width:] -= total[:, :-width].copy()
    return total / np.minimum(np.arange(1, values.shape[1] + 1), width)


def statics_of(case: Case, scale: np.ndarray) -> dict[str, np.ndarray]:
    """(n,) per name: codes of the attributes, and the size of the series."""
    codes = {name: pd.factorize(column)[0] for name, column in case.panel.attributes.items()}
    return {name: code for name, code in codes.items() if code.max(initial=0) > 0} | {"size": np.log(scale)}


def setup(case: Case, models: dict[str, Any], short: bool, ahead_only: bool = False) -> Any:
    """The library's forecaster with lags, rolling moments and dates.

    short: less than a hundred periods, so no long lags
    ahead_only: only lags that are known over the whole horizon, so that no forecast is fed to a later one
    """
    from mlforecast import MLForecast  # noqa: PLC0415 - installed by those who want to compare
    from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMean, RollingStd  # noqa: PLC0415

    if not case.daily:
        lags, rolled, dates = [1, 2, 3, 4, 8, 13, 26, 52], (4, 8, 13, 26, 52), ["week", "month"]
    elif short:
        lags, rolled, dates = [1, 2, 7, 14, 21, 28], (7, 14, 28), ["dayofweek"]
    else:
        lags, rolled = [1, 2, 7, 14, 21, 28, 56, 364], (7, 14, 28, 56, 182, 364)
        dates = ["dayofweek", "day", "month", "week"]
    if ahead_only:
        known = (28, 35, 42, 49, 56, 364) if case.daily else (4, 5, 6, 8, 13, 26, 52)
        lags = [lag for lag in known if lag == case.ahead or not short]
    moments = [RollingMean(width, min_samples=1) for width in rolled]
    moments += [RollingStd(width, min_samples=2) for width in rolled[1:4]] + [ExponentiallyWeightedMean(0.1)]
    return MLForecast(
        models=models,
        freq="D" if case.daily else "W-MON",
        lags=lags,
        lag_transforms={case.ahead if ahead_only else 1: moments},
        date_features=dates,
        num_threads=1,
    )


def fit(case: Case) -> Arrays:
    """Every origin anew.

    mean: (m, H) units; above: (m, H, levels) units that the library's conformal quantiles of single periods
    lie above it; steps: (m, H, levels) units, quantiles of single periods by a model each; seconds: (2,) of
    either
    """
    n, m = case.panel.series, len(case.folds.series)
    found = {"mean": np.zeros((m, case.ahead)), "above": np.zeros((m, case.ahead, len(LEVEL)))}
    found |= {"steps": np.zeros_like(found["above"]), "seconds": np.zeros(2)}
    for origin in case.origins:
        at = case.folds.origin == origin
        values, scale = filled(case, int(origin))
        statics = statics_of(case, scale)
        past = frame_of(case, 0, int(origin) + 1, values)
        past = past.assign(**{name: np.repeat(code, int(origin) + 1) for name, code in statics.items()})
        future = frame_of(case, int(origin) + 1, int(origin) + 1 + case.ahead, None)
        begun = time.perf_counter()
        mean, high = _mean(case, past, future, list(statics))
        halfway = time.perf_counter()
        steps = _quantiles(case, past, future, list(statics))
        found["seconds"] += halfway - begun, time.perf_counter() - halfway
        shape = (n, case.ahead, -1)
        found["mean"][at] = mean.reshape(n, -1) * scale[:, None]
        found["above"][at] = (high - mean[:, None]).reshape(shape) * scale[:, None, None]
        found["steps"][at] = np.sort(steps.reshape(shape), axis=2) * scale[:, None, None]
    return found


def _mean(case: Case, past: Frame, future: Frame, statics: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n × H,) Tweedie mean, and (n × H, levels) the upper ends of the conformal intervals, over scale."""
    from mlforecast.utils import PredictionIntervals  # noqa: PLC0415 - installed by those who want to compare

    length = past["ds"].nunique()
    able = min(WINDOWS, (length - 60) // case.ahead)
    # Histories too short for windows of the whole horizon get one-step errors, as the library offers.
    windows = PredictionIntervals(able, case.ahead) if able >= 2 else PredictionIntervals(14, 1)
    mean = {"mean": lightgbm.LGBMRegressor(objective="tweedie", tweedie_variance_power=1.2, **TREES)}
    forecaster = setup(case, mean, length < 100)
    forecaster.fit(past, static_features=statics, dropna=False, prediction_intervals=windows)
    sides = [round(100 * (2 * level - 1)) for level in LEVEL if level > 0.5]
    said = forecaster.predict(case.ahead, level=sides, X_df=future)
    middle = np.maximum(said["mean"].to_numpy(), 0.0)
    return middle, np.stack([middle, *(said[f"mean-hi-{side}"].to_numpy() for side in sides)], axis=1)


def _quantiles(case: Case, past: Frame, future: Frame, statics: list[str]) -> np.ndarray:
    """(n × H, levels) quantiles of single periods over scale.

    Fed with its own high quantiles, a model climbs, and a model per horizon did no better on weeks at many
    times the cost; so lags are of at least the horizon.
    """
    models = {
        f"q{level}": lightgbm.LGBMRegressor(objective="quantile", alpha=level, **TREES) for level in LEVEL
    }
    forecaster = setup(case, models, past["ds"].nunique() < 100, ahead_only=True)
    forecaster.fit(past, static_features=statics, dropna=False)
    said = forecaster.predict(case.ahead, X_df=future)
    return np.maximum(np.stack([said[name].to_numpy() for name in models], axis=1), 0.0)
