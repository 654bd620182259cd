"""The plain forecasts that a model must beat: moving average, seasonal naive, SBA and TSB (statsforecast).

Each reads one series up to the origin and nothing else. They state a mean path; the spread of their sums is
left to calibration, which pools how far such means were off before.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from forecasting.forecaster import Prediction
from forecasting.history import YEAR, summarise
from forecasting.panel import Panel
from ingestion.periods import Name

MEMORY = {"day": 56, "week": 13, "month": 6}  # periods that the moving average looks back
LOOK_BACK = {"day": 728, "week": 156, "month": 60}
KINDS = ("moving_average", "seasonal_naive", "sba", "tsb")


@dataclass(frozen=True)
class Baseline:
    """One plain forecast; fitting it is choosing it.

    name: moving_average, seasonal_naive, sba or tsb
    """

    name: str

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> "Baseline":  # noqa: ARG002
        """The same: a plain forecast learns at prediction, from the series alone."""
        return self

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums of the mean path, with the series' own standard deviation as spread."""
        summary = summarise(panel, series, origin)
        path = np.empty((len(series), int(horizons[-1])))
        for k, (i, at) in enumerate(zip(series, origin, strict=True)):
            low = max(int(panel.first[i]), int(at) + 1 - LOOK_BACK[panel.period.name])
            history = panel.quantity[i, low : at + 1]
            said = self._path(history, panel.period.name, path.shape[1], summary.rate[k])
            path[k] = np.where(np.isfinite(said), said, summary.rate[k])
        path = np.cumsum(path, axis=1)
        mean = path[:, horizons - 1]
        spread = summary.sd[:, None] * np.sqrt(horizons)[None, :]
        size = np.where(summary.size > 0, summary.size, 1.0)[:, None]
        none = np.empty((*mean.shape, 0))
        return Prediction(horizons, mean, np.maximum(spread, 1e-9), mean / size, np.empty(0), none, path)

    def _path(self, history: np.ndarray, period: Name, horizon: int, rate: float) -> np.ndarray:
        """(horizon,) units per period; where demand was not observed the series' rate stands in."""
        observed = history[np.isfinite(history)].astype(float)
        if len(observed) < 2 or not observed.any():
            return np.full(horizon, rate)
        if self.name == "seasonal_naive":
            season = 7 if period == "day" else YEAR[period]
            history = np.where(np.isfinite(history), history, observed.mean()).astype(float)
            return _mean_of(self.name, history, horizon, season if len(history) >= season else 1)
        return _mean_of(self.name, observed, horizon, min(MEMORY[period], len(observed)))

    def write(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002
        """The kind is all there is."""
        return {"kind": "baseline", "name": self.name}


def _mean_of(name: str, history: np.ndarray, horizon: int, window: int) -> np.ndarray:
    # Loaded when used: it takes seconds, which a command that serves the global model need not pay.
    library = import_module("statsforecast.models")
    model = {
        "moving_average": lambda: library.WindowAverage(window),
        "seasonal_naive": lambda: library.SeasonalNaive(window),
        "sba": library.CrostonSBA,
        "tsb": lambda: library.TSB(alpha_d=0.1, alpha_p=0.1),
    }[name]()
    return np.maximum(model.forecast(y=history, h=horizon)["mean"], 0.0)
