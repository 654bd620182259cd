"""Drift: signs that demand, the data or lead times have left what the model in force learned.

It owns the checks on what happened since, and when to train again. What the model would have said is asked
at past origins after its as-of date, so that every error is out of sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.backtest import Folds, folds_of, segments
from forecasting.cumulative import LEVELS
from forecasting.features import NAMES, build_rows
from forecasting.models import DemandModel
from forecasting.panel import Panel
from forecasting.shifts import SLOWER, feature_shift, lead_time_shift
from forecasting.signals import smoothed_signal, tracking_signal
from forecasting.significance import paired_difference

RETRAIN_DAYS = 28.0
WINDOW = {"day": 7, "week": 1, "month": 1}  # periods of one window that is looked back on
MOST_WINDOWS, MOST_SERIES, LEAST_ERRORS = 8, 1500, 8
COVERED, SLACK = (0.9, 0.95), 0.02
COLUMNS = ["check", "value", "limit", "alarm", "words"]


@dataclass(frozen=True)
class DriftReport:
    """What was checked since the model learned last.

    learned, now: as-of date of the model, and up to when was looked
    checks: check, value, limit, alarm, words; empty where too little has happened
    """

    learned: pd.Timestamp
    now: pd.Timestamp
    checks: pd.DataFrame

    @property
    def alarms(self) -> tuple[str, ...]:
        """Every alarm in words."""
        return tuple(self.checks.loc[self.checks["alarm"].astype(bool), "words"])


@dataclass(frozen=True)
class _Past:
    """What the model said of K windows of w periods, and what happened; m pairs of series and window.

    folds: of the m pairs, one horizon: w
    error: (m, w) units by which demand exceeded the mean, period by period; NaN where not observed
    quantiles: (m, 1, LEVELS) units of the window
    """

    folds: Folds
    error: np.ndarray
    quantiles: np.ndarray


def is_due(learned: pd.Timestamp, now: pd.Timestamp) -> bool:
    """Whether a model is so old that it is trained again whatever happened."""
    return (now - learned) / pd.Timedelta(days=1) >= RETRAIN_DAYS


def reasons_to_retrain(report: DriftReport, used: str, known: str) -> tuple[str, ...]:
    """Why to train again, in words; none if the model may stay.

    used, known: digests of the feedback that the model learned from and that is known now
    """
    age = (report.now - report.learned) / pd.Timedelta(days=1)
    since = report.learned.date()
    reasons = []
    if is_due(report.learned, report.now):
        reasons.append(
            f"due: the model has learned nothing since {since}, {age:.0f} days of {RETRAIN_DAYS:.0f}"
        )
    if used != known:
        reasons.append(
            f"feedback: corrections or event tags are not those that the model of {since} learned from"
        )
    return (*reasons, *(f"drift: {words}" for words in report.alarms))


def detect_drift(
    panel: Panel,
    model: DemandModel,
    lead_times: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0)),
    seed: int = 0,
) -> DriftReport:
    """Check what happened since the model's as-of date against what it said and what it had learned from.

    panel: as known now
    lead_times: days of orders that arrived before the model learned, and of those that arrived since
    seed: of the series that are looked at (at most MOST_SERIES) and of the bootstrap
    """
    learned = pd.Timestamp(model.as_of)
    start = panel.length - 1 - int(panel.period.index(panel.as_of)[0] - panel.period.index(learned)[0])
    series = np.sort(np.random.default_rng(seed).permutation(panel.series)[:MOST_SERIES])
    found: list[dict[str, object]] = []
    past = _look_back(panel, model, series, start)
    if past is not None:
        found += _tracking(panel, past)
        found += _coverage(past, seed)
    if 0 < start < panel.length - 1:
        found += _features(panel, series[:200], start)
    found += _lead_times(*lead_times)
    return DriftReport(learned, panel.as_of, pd.DataFrame(found, columns=COLUMNS))


def _look_back(panel: Panel, model: DemandModel, series: np.ndarray, start: int) -> _Past | None:
    """The last windows that are over since the model learned; None where there is none."""
    width = WINDOW[panel.period.name]
    origins = np.arange(max(start, 0), panel.length - width, width)[-MOST_WINDOWS:]
    if not len(origins):
        return None
    error, quantiles = [], []
    for origin in origins:
        said = model.predict(panel.until(int(origin)), width, series)
        happened = panel.quantity[series, origin + 1 : origin + 1 + width]
        error.append(happened - np.diff(said.mean, axis=1, prepend=0.0))
        quantiles.append(said.quantiles[:, -1:])
    pairs = np.tile(series, len(origins)), np.repeat(origins, len(series))
    folds = folds_of(panel, *pairs, np.array([width]), start)
    return _Past(folds, np.concatenate(error), np.concatenate(quantiles))


def _tracking(panel: Panel, past: _Past) -> Iterator[dict[str, object]]:
    """Tracking signals of the summed errors of all series and of each volume band."""
    windows = np.unique(past.folds.origin, return_inverse=True)[1]
    for band, mask in segments(panel, past.folds).items():
        if band != "all" and not band.startswith("volume"):
            continue
        total = np.zeros((int(windows.max()) + 1, past.error.shape[1]))
        np.add.at(total, windows[mask[:, 0]], np.nan_to_num(past.error[mask[:, 0]]))
        errors = total.ravel()
        if len(errors) < LEAST_ERRORS or not errors.any():
            continue
        for name, value, limit in (
            ("tracking signal", *tracking_signal(errors)),
            ("smoothed tracking signal", *smoothed_signal(errors)),
        ):
            side = "above" if value > 0 else "below"
            words = f"{band}: demand stayed {side} the forecast, {name} {value:+.2f} beyond ±{limit:.2f}"
            yield _check(f"{name}, {band}", value, limit, abs(value) > limit, words)


def _coverage(past: _Past, seed: int) -> Iterator[dict[str, object]]:
    """Whether demand stayed within the high quantiles as often as they promise, over all windows.

    The limit is 2 points and what a block bootstrap over series and windows grants to luck.
    """
    known = past.folds.clean & np.isfinite(past.folds.actual)
    if not known.any():
        return
    labels = past.folds.origin, past.folds.series
    for level in COVERED:
        row = past.quantiles[:, :, int(np.abs(LEVELS - level).argmin())]
        promised = np.where(known, level, np.nan)
        below = paired_difference(past.folds.actual < row - 1e-6, promised, *labels, seed)
        within = paired_difference(promised, past.folds.actual <= row + 1e-6, *labels, seed)
        worse = max(below, within, key=lambda one: one.mean)
        value, limit = max(worse.mean, 0.0), SLACK + worse.mean - worse.low
        words = f"demand was within its {level:g} quantile in {level - within.mean:.1%} of the windows, "
        words += f"{value:.1%} off; {limit:.1%} is granted to luck"
        yield _check(f"coverage {level:g}", value, limit, value > limit, words)


def _features(panel: Panel, series: np.ndarray, start: int) -> list[dict[str, object]]:
    """The features that shifted; the one nearest its limit where none did."""
    width, span = WINDOW[panel.period.name], panel.length - 1 - start
    origins = np.arange(panel.length - 1, max(start - 24 * span, width), -width)
    pairs = [part.ravel() for part in np.meshgrid(series, origins, indexing="ij")]
    begun = panel.first[pairs[0]] < pairs[1]
    at = pairs[1][begun]
    rows = build_rows(panel, pairs[0][begun], at, np.array([width])).features[:, 0]
    before, now = at <= start, at > start
    stretch = (start - at) // span
    whole = before & (stretch < stretch.max(initial=0))
    if not whole.any() or not now.any():
        return []
    shifts = feature_shift(rows[whole], stretch[whole], rows[now], NAMES, len(series))
    shown = [shift for shift in shifts if shift.alarm] or shifts[:1]
    return [
        _check(
            f"feature {shift.feature}",
            shift.index,
            shift.limit,
            shift.alarm,
            f"{shift.feature} is spread otherwise than in training: "
            f"stability index {shift.index:.2f}, {shift.limit:.2f} is usual",
        )
        for shift in shown
    ]


def _lead_times(before: np.ndarray, since: np.ndarray) -> Iterator[dict[str, object]]:
    found = lead_time_shift(before, since)
    if found is not None:
        words = f"lead times of {len(since)} orders are {found.ratio:.2f} times those of {len(before)} before"
        yield _check("lead times", found.ratio, SLOWER, found.alarm, words)


def _check(check: str, value: float, limit: float, alarm: bool, words: str) -> dict[str, object]:
    return {
        "check": check,
        "value": float(value),
        "limit": float(limit),
        "alarm": bool(alarm),
        "words": words,
    }
