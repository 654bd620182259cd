"""Ensemble: the calibrated quantiles of several fitted models, averaged with weights of each segment.

It owns the segments and the weights. A weight follows from how much a model loses, on windows that it was
not calibrated on, beside the best (after Bates and Granger 1969), and not from a search for the mixture that
loses least there: what a search gains on these windows is mostly theirs, and lost on the next. Averages of
quantiles (Vincent 1912) keep the shape that their members agree on. Quantiles of sums are weighed by their
pinball loss, means by the root mean squared error of single periods, each by the loss that it makes least:
two models may know a month equally well, and only one of them its days.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from forecasting.alike import YEAR
from forecasting.backtest import SCORED, Folds, pinball
from forecasting.calibration import Calibration
from forecasting.cumulative import LEVELS
from forecasting.forecaster import Fitted, Prediction
from forecasting.history import LAGS, summarise
from forecasting.panel import Panel

NAME = "ensemble"
SEGMENTS = ("short", "rare", "intermittent", "steady")
NEARLY = 1.05  # only models that lose at most this multiple of the best one's loss are averaged
STEEP = 20.0  # a model that loses 1 % more than the best weighs 1.01^-20 of it, one that loses 5 % more .38
TINY = 1e-12  # units of loss; less is none
ENOUGH = 1500  # scored windows that a segment needs for weights of its own


@dataclass(frozen=True)
class Member:
    """A fitted model, what was learned of its errors, and the weights of its quantiles and of its means in
    each of SEGMENTS.
    """

    fitted: Fitted
    calibration: Calibration
    weight: np.ndarray
    mean_weight: np.ndarray


class Said(NamedTuple):
    """What a member says of m pairs: its prediction, (m, g, LEVELS) calibrated quantiles, (m,) weights of the
    quantiles and of the means.
    """

    prediction: Prediction
    quantiles: np.ndarray
    weight: np.ndarray
    mean_weight: np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """Members with some weight; predicts as each of them would, and averages."""

    members: tuple[Member, ...]
    name: str = NAME

    @property
    def reads_plans(self) -> bool:
        """Whether a member does."""
        return any(member.fitted.reads_plans for member in self.members)

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums with a whole distribution: the raw quantiles lie at LEVELS."""
        segment = segments_of(panel, series, origin)
        said = [(m, m.fitted.predict(panel, series, origin, horizons)) for m in self.members]
        return blend(
            [Said(p, m.calibration.quantiles(p), m.weight[segment], m.mean_weight[segment]) for m, p in said]
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Each member's files and calibration, and the weights."""
        return {
            "kind": "ensemble",
            "name": self.name,
            "members": [
                {
                    "model": member.fitted.write(folder),
                    "calibration": member.calibration.write(folder, member.fitted.name),
                    "weight": dict(zip(SEGMENTS, member.weight.tolist(), strict=True)),
                    "mean_weight": dict(zip(SEGMENTS, member.mean_weight.tolist(), strict=True)),
                }
                for member in self.members
            ],
        }


def blend(said: list[Said]) -> Prediction:
    """The weighted average of what the members say."""

    def average(parts: list[np.ndarray], weights: list[np.ndarray]) -> np.ndarray:
        total = np.zeros(parts[0].shape)
        for part, weight in zip(parts, weights, strict=True):
            total += part * weight.reshape(-1, *[1] * (part.ndim - 1))
        return total

    weights, mean_weights = [one.weight for one in said], [one.mean_weight for one in said]
    return Prediction(
        horizons=said[0].prediction.horizons,
        mean=average([one.prediction.mean for one in said], mean_weights),
        spread=average([one.prediction.spread for one in said], weights),
        sales=average([one.prediction.sales for one in said], weights),
        levels=LEVELS,
        quantiles=average([one.quantiles for one in said], weights),
        path=average([one.prediction.path for one in said], mean_weights),
    )


def segments_of(panel: Panel, series: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """(m,) position in SEGMENTS of each pair: by length of the history, then by how often nothing is sold."""
    lags = summarise(panel, series, origin).lags
    observed, zeros = (lags[:, LAGS.index(name)] for name in ("observed", "zero_share"))
    by_zeros = np.select([zeros >= 0.75, zeros >= 0.25], [1, 2], 3)
    return np.where(observed < YEAR[panel.period.name] / 4, 0, by_zeros)


def choose_weights(
    folds: Folds, quantiles: dict[str, np.ndarray], segment: np.ndarray
) -> dict[str, np.ndarray]:
    """Weight of each model's quantiles in each of SEGMENTS; one with few scored windows has those of all.

    quantiles: name → (m, g, LEVELS) units, on windows that the model was not calibrated on
    segment: (m,) as `segments_of`
    """
    scored = folds.clean & (folds.scale > 0) & np.isfinite(folds.actual)
    at = np.searchsorted(LEVELS, np.array(SCORED))
    said = np.stack([rows[:, :, at][scored] for rows in quantiles.values()])
    actual, scale = folds.actual[scored], folds.scale[scored]
    of_window = np.broadcast_to(segment[:, None], scored.shape)[scored]

    def lost(rows: np.ndarray) -> np.ndarray:
        # Every window counts half alike and half by its scale, mean demand × √h: many small series must not
        # outvote those that bring the money.
        worth = 1.0 / scale[rows] + 1.0 / scale[rows].mean()
        levels = np.array(SCORED)
        return np.array([pinball(actual[rows], one[rows], levels).mean(axis=1) @ worth for one in said])

    return _by_segment(list(quantiles), of_window, lost)


def choose_mean_weights(squares: dict[str, np.ndarray], segment: np.ndarray) -> dict[str, np.ndarray]:
    """Weight of each model's means in each of SEGMENTS; one with few known periods has those of all.

    squares: name → (m, H) squared errors of single periods over the series' mean demand; NaN where demand is
        not known
    segment: (m,) as `segments_of`
    """
    known = np.logical_and.reduce([np.isfinite(part) for part in squares.values()])
    parts = np.stack([part[known] for part in squares.values()])
    of_period = np.broadcast_to(segment[:, None], known.shape)[known]
    return _by_segment(list(squares), of_period, lambda rows: np.sqrt(parts[:, rows].sum(axis=1)))


def _by_segment(
    names: list[str], segment: np.ndarray, lost: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    """Name → (SEGMENTS,) weights; lost: (models,) losses of some rows, a mask of `segment`."""
    weights = np.full((len(names), len(SEGMENTS)), 1.0 / len(names))
    every = np.ones(len(segment), dtype=bool)
    for k in range(len(SEGMENTS) if every.any() else 0):
        rows = segment == k
        weights[:, k] = _shares(lost(rows if rows.sum() >= ENOUGH else every))
    return dict(zip(names, weights, strict=True))


def _shares(lost: np.ndarray) -> np.ndarray:
    """(models,) weights that sum to one, from what each loses."""
    shares = (np.maximum(lost, TINY) / max(lost.min(), TINY)) ** -STEEP
    return shares / shares.sum()
