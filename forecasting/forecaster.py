"""What every candidate model is: something fitted on a panel up to an origin that predicts sums ahead.

It owns the interface. A forecaster states a mean, a spread and perhaps raw quantiles of each sum;
`calibration` turns them into a distribution that has been checked against what happened.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from forecasting.panel import Panel

LEAST_OBSERVED = {"day": 7, "week": 3, "month": 2}  # periods before a series can speak for itself


@dataclass(frozen=True)
class Prediction:
    """Sums of demand over g horizons for m pairs of series and origin, before calibration.

    horizons: (g,) periods, ascending
    mean: (m, g) units
    spread: (m, g) units, the size that an error is expected to have; above zero
    sales: (m, g) expected number of periods with a sale, free of scale: what errors look like depends on it
    levels, quantiles: (q,) and (m, g, q) raw quantiles in units; q may be 0
    path: (m, H) structural expectation of the sums over 1 … H periods, H the last horizon; shapes what lies
        between the horizons
    """

    horizons: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    sales: np.ndarray
    levels: np.ndarray
    quantiles: np.ndarray
    path: np.ndarray

    def take(self, rows: np.ndarray) -> "Prediction":
        """Some of the pairs: a mask or positions."""
        return Prediction(
            self.horizons,
            self.mean[rows],
            self.spread[rows],
            self.sales[rows],
            self.levels,
            self.quantiles[rows],
            self.path[rows],
        )


class Fitted(Protocol):
    """A fitted forecaster."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    @property
    def reads_plans(self) -> bool:
        """Whether promotions, prices and events ahead change what it says."""

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums after origin[k] of series[k], (m,) each, from what was known at the end of that period."""

    def write(self, folder: Path) -> dict[str, Any]:
        """Put large parts into `folder` and give the small ones, fit for JSON."""


class Forecaster(Protocol):
    """A model that can be fitted; parameters are its fields."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> Fitted:
        """Learn from what was known at the end of period `origin`, for sums up to `horizon` periods."""


def between(prediction: Prediction, values: np.ndarray) -> np.ndarray:
    """(m, H, k) values brought from the asked horizons (m, g, k) to every one, along the expected path.

    A value moves from one asked horizon to the next as the expectation does, so that a weekend or a promotion
    between them shows where it is.
    """
    grid, horizon = prediction.horizons, int(prediction.horizons[-1])
    path = np.concatenate(
        [np.zeros((len(values), 1)), np.maximum.accumulate(prediction.path, axis=1)], axis=1
    )
    values = np.concatenate([np.zeros((len(values), 1, values.shape[2])), values], axis=1)
    ends = np.concatenate([[0], grid])
    step = np.arange(1, horizon + 1)
    right = np.searchsorted(ends, step)
    left = right - 1
    width = path[:, ends[right]] - path[:, ends[left]]
    even = (step - ends[left]) / (ends[right] - ends[left])
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(width > 0, (path[:, step] - path[:, ends[left]]) / width, even[None, :])
    return values[:, left] + (values[:, right] - values[:, left]) * share[:, :, None]


def knots(horizon: int) -> np.ndarray:
    """Horizons at which models are asked, ascending up to `horizon`; between them sums are interpolated.

    >>> knots(30).tolist()
    [1, 2, 3, 4, 5, 7, 10, 14, 21, 28, 30]
    """
    grid = [1, 2, 3, 4, 5, 7, 10, 14, 21, 28, 42, 56, 84, 112, 168, 224, 364, 560]
    return np.array([h for h in grid if h < horizon] + [horizon])
