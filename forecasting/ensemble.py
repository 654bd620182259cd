"""Ensemble: the calibrated quantiles of several fitted models, averaged with weights of each segment.

It owns the segments and the weights. A weight follows from how much a model loses, on windows that it was
not calibrated on, beside the best (after Bates and Granger 1969), and not from a search for the mixture that
loses least there: what a search gains on these windows is mostly theirs, and lost on the next. Averages of
quantiles (Vincent 1912) keep the shape that their members agree on. Quantiles are weighed by their pinball
loss and means by their squared error, the losses that each of them makes least (Gneiting 2011).
"""

from collections.abc import Iterable
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
    """A fitted model, what was learned of its errors, and its weights in each of SEGMENTS.

    weight: (SEGMENTS,) of its quantiles; mean_weight: (SEGMENTS,) of its means
    """

    fitted: Fitted
    calibration: Calibration
    weight: np.ndarray
    mean_weight: np.ndarray


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
        said = []
        for member in self.members:
            told = member.fitted.predict(panel, series, origin, horizons)
            weights = member.weight[segment], member.mean_weight[segment]
            said.append((told, member.calibration.quantiles(told), *weights))
        return blend(said)

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


def blend(said: list[tuple[Prediction, np.ndarray, np.ndarray, np.ndarray]]) -> Prediction:
    """The weighted average of predictions; beside each its calibrated quantiles, and (m,) the weight of what
    is said of the distribution and of what is said of the mean."""
    predictions, rows, weights, mean_weights = zip(*said, strict=True)

    def average(parts: Iterable[np.ndarray], by: Iterable[np.ndarray]) -> np.ndarray:
        pairs = zip(parts, by, strict=True)
        return np.sum([part * weight.reshape(-1, *[1] * (part.ndim - 1)) for part, weight in pairs], axis=0)

    return Prediction(
        horizons=predictions[0].horizons,
        mean=average([p.mean for p in predictions], mean_weights),
        spread=average([p.spread for p in predictions], weights),
        sales=average([p.sales for p in predictions], mean_weights),
        levels=LEVELS,
        quantiles=average(rows, weights),
        path=average([p.path for p in predictions], mean_weights),
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
    """Weight of each model's quantiles in each of SEGMENTS; of few scored windows, those of all segments.

    quantiles: name → (m, g, LEVELS) units, on windows that the model was not calibrated on
    segment: (m,) as `segments_of`
    """
    at = np.searchsorted(LEVELS, np.array(SCORED))
    lost = {
        name: pinball(folds.actual, rows[:, :, at], np.array(SCORED)).mean(axis=2)
        for name, rows in quantiles.items()
    }
    return _weights(folds, lost, segment, power=1)


def choose_mean_weights(
    folds: Folds, means: dict[str, np.ndarray], segment: np.ndarray
) -> dict[str, np.ndarray]:
    """Weight of each model's means in each of SEGMENTS, as `choose_weights`; means: name → (m, g) units."""
    lost = {name: (mean - folds.actual) ** 2 for name, mean in means.items()}
    return _weights(folds, lost, segment, power=2)


def _weights(
    folds: Folds, lost: dict[str, np.ndarray], segment: np.ndarray, power: int
) -> dict[str, np.ndarray]:
    """name → (SEGMENTS,) weights from (m, g) losses in units^power."""
    scored = folds.clean & (folds.scale > 0) & np.isfinite(folds.actual)
    loss = np.stack([one[scored] for one in lost.values()])
    scale = folds.scale[scored]
    of_window = np.broadcast_to(segment[:, None], scored.shape)[scored]
    weights = np.repeat(_shares(loss, scale, power)[:, None], len(SEGMENTS), axis=1)
    for k in range(len(SEGMENTS)):
        rows = of_window == k
        if rows.sum() >= ENOUGH:
            weights[:, k] = _shares(loss[:, rows], scale[rows], power)
    return dict(zip(lost, weights, strict=True))


def _shares(loss: np.ndarray, scale: np.ndarray, power: int) -> np.ndarray:
    """(models,) weights that sum to one, from (models, windows) losses in units^power.

    Every window counts half alike and half by its scale, mean demand × √h: many small series must not
    outvote those that bring the money.
    """
    if not len(scale):
        return np.full(len(loss), 1.0 / len(loss))
    size = scale**power
    total = loss @ (1.0 / size + 1.0 / size.mean())
    shares = (np.maximum(total, TINY) / max(total.min(), TINY)) ** (-STEEP / power)
    return shares / shares.sum()
