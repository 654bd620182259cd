"""Ensemble: the calibrated quantiles of several fitted models, averaged with weights of each segment.

It owns the segments and the weights. A weight follows from how much a model loses, on windows that it was
not calibrated on, beside the best (after Bates and Granger 1969), and not from a search for the mixture that
loses least there: what a search gains on these windows is mostly theirs, and lost on the next. Averages of
quantiles (Vincent 1912) keep the shape that their members agree on.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """A fitted model, what was learned of its errors, and its weight in each of SEGMENTS."""

    fitted: Fitted
    calibration: Calibration
    weight: np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """Members with some weight; predicts as each of them would, and averages."""

    members: tuple[Member, ...]
    name: str = NAME

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums with a whole distribution: the raw quantiles lie at LEVELS."""
        segment = segments_of(panel, series, origin)
        said = [
            (m, m.fitted.predict(panel, series, origin, horizons), m.weight[segment]) for m in self.members
        ]
        return blend([(p, m.calibration.quantiles(p), weight) for m, p, weight in said])

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
                }
                for member in self.members
            ],
        }


def blend(said: list[tuple[Prediction, np.ndarray, np.ndarray]]) -> Prediction:
    """The weighted average of predictions; beside each its calibrated quantiles and weights, (m,)."""

    def average(parts: list[np.ndarray]) -> np.ndarray:
        total = np.zeros(parts[0].shape)
        for part, (_, _, weight) in zip(parts, said, strict=True):
            total += part * weight.reshape(-1, *[1] * (part.ndim - 1))
        return total

    return Prediction(
        horizons=said[0][0].horizons,
        mean=average([p.mean for p, _, _ in said]),
        spread=average([p.spread for p, _, _ in said]),
        sales=average([p.sales for p, _, _ in said]),
        levels=LEVELS,
        quantiles=average([rows for _, rows, _ in said]),
        path=average([p.path for p, _, _ in said]),
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
    """Weight of each model in each of SEGMENTS; a segment with few scored windows has those of all.

    quantiles: name → (m, g, LEVELS) units, on windows that the model was not calibrated on
    segment: (m,) as `segments_of`
    """
    scored = folds.clean & (folds.scale > 0) & np.isfinite(folds.actual)
    names = list(quantiles)
    at = np.searchsorted(LEVELS, np.array(SCORED))
    said = np.stack([quantiles[name][:, :, at][scored] for name in names])
    truth = folds.actual[scored], folds.scale[scored]
    of_window = np.broadcast_to(segment[:, None], scored.shape)[scored]
    overall = _shares(said, *truth)
    weights = np.repeat(overall[:, None], len(SEGMENTS), axis=1)
    for k in range(len(SEGMENTS)):
        rows = of_window == k
        if rows.sum() >= ENOUGH:
            weights[:, k] = _shares(said[:, rows], truth[0][rows], truth[1][rows])
    return dict(zip(names, weights, strict=True))


def _shares(said: np.ndarray, actual: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(models,) weights that sum to one, from (models, windows, levels) quantiles in units.

    Every window counts half alike and half by its scale, mean demand × √h: many small series must not
    outvote those that bring the money.
    """
    if not len(actual):
        return np.full(len(said), 1.0 / len(said))
    worth = 1.0 / scale + 1.0 / scale.mean()
    loss = np.array([pinball(actual, one, np.array(SCORED)).mean(axis=1) @ worth for one in said])
    shares = (np.maximum(loss, TINY) / max(loss.min(), TINY)) ** -STEEP
    return shares / shares.sum()
