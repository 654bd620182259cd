"""Exponential smoothing and Theta (statsforecast), one model per series, for businesses with few of them.

It owns how many are few. Such a model is fitted anew for every series, at training as well as at each
forecast, so what is kept of it is its name and the date up to which parameters are learned. Later periods
only move its state (`forward`), which costs a small part of a fit.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from forecasting.alike import YEAR
from forecasting.baselines import LOOK_BACK, SEASON, plainly
from forecasting.forecaster import Prediction
from forecasting.history import summarise
from forecasting.panel import Panel
from ingestion.errors import Problem

KINDS = ("ets", "theta")
LEAST = 12  # periods with a history that changes, before a model of its own is fitted
LONGEST_SEASON = {"ets": 24, "theta": 400}  # the library's ETS knows no longer one


def knows_year(name: str, period: str) -> bool:
    """Whether a kind of model repeats what a year brings; period: day, week or month."""
    return YEAR[period] <= SEASON[period] <= LONGEST_SEASON[name]


class _Model(Protocol):
    """What is used of a statsforecast model."""

    def fit(self, y: np.ndarray) -> "_Model": ...
    def predict(self, h: int) -> dict[str, np.ndarray]: ...
    def forward(self, y: np.ndarray, h: int) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True)
class Statistical:
    """Parameters of a family of local models.

    name: ets (additive errors, no trend, with or without season, by AICc) or theta (the
        standard Theta method; its optimised kin cost more and lost no less on the histories tried)
    most: series that such models are fitted for; a count and not a time, for the same history must give the
        same candidates on every machine
    """

    name: str
    most: int = 400

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise Problem(
                f"a statistical model must be one of {', '.join(KINDS)}, got {self.name!r}; choose one"
            )

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> "FittedStatistical":  # noqa: ARG002
        """What fits up to `origin`; Problem where more series have begun than `most`."""
        begun = int((panel.first <= origin).sum())
        if begun > self.most:
            raise Problem(
                f"a model of each series is for at most {self.most} series, "
                f"{self.name} was asked for {begun}; forecast with a model of all series, or raise `most`"
            )
        return FittedStatistical(self.name, panel.dates[origin].date().isoformat())


@dataclass(frozen=True)
class FittedStatistical:
    """Fits every series when it is asked.

    learned: ISO date of the last period that parameters are learned from
    """

    name: str
    learned: str
    reads_plans = False

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums of the mean path, with the series' own standard deviation as spread.

        Parameters are learned up to `learned` or the origin, whichever is earlier; where the series was too
        short by then, up to the origin.
        """
        summary = summarise(panel, series, origin)
        path = np.empty((len(series), int(horizons[-1])))
        path[:] = summary.rate[:, None]
        learned = int(panel.dates.searchsorted(pd.Timestamp(self.learned), side="right")) - 1
        for i in np.unique(series):
            rows = np.flatnonzero(series == i)
            self._roll(panel, int(i), (rows, origin[rows], learned), path)
        return plainly(summary, path, horizons)

    def _roll(
        self, panel: Panel, i: int, asked: tuple[np.ndarray, np.ndarray, int], path: np.ndarray
    ) -> None:
        """Paths of one series into their rows; fitted once for all origins after the learned period."""
        rows, origins, learned = asked
        models: dict[int, tuple[_Model, int] | None] = {}
        for row, at in zip(rows, origins, strict=True):
            until = min(int(at), learned) if learned - panel.first[i] >= LEAST else int(at)
            if until not in models:
                models[until] = self._fit(panel, i, until)
            found = models[until]
            if found is not None:
                model, low = found
                said = model.forward(whole(panel, i, low, int(at)), h=path.shape[1])["mean"]
                path[row] = np.where(np.isfinite(said), np.maximum(said, 0.0), path[row])

    def _fit(self, panel: Panel, i: int, until: int) -> "tuple[_Model, int] | None":
        """The model of one series and the first period it has seen; None where there is too little to fit."""
        low = max(int(panel.first[i]), until + 1 - LOOK_BACK[panel.period.name])
        values = whole(panel, i, low, until)
        if len(values) < LEAST or np.ptp(values) == 0.0:
            return None
        return _make(self.name, SEASON[panel.period.name], len(values)).fit(values), low

    def write(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002
        """Two words; parameters are found again at each forecast."""
        return {"kind": "statistical", "name": self.name, "learned": self.learned}


def read_statistical(folder: Path, parts: dict[str, Any]) -> FittedStatistical:  # noqa: ARG001
    """The model that `FittedStatistical.write` put down."""
    return FittedStatistical(parts["name"], parts["learned"])


def whole(panel: Panel, i: int, low: int, at: int) -> np.ndarray:
    """Demand of series i in the periods low … at with its gaps filled, units per period.

    A gap gets the straight line between its neighbours, once the season is taken out: a model of a series
    takes no gaps, and an empty shelf is no zero.
    """
    values = panel.quantity[i, low : at + 1].astype(float)
    seen = np.isfinite(values)
    if seen.all() or not np.nansum(values) > 0.0:
        return np.nan_to_num(values)
    season = SEASON[panel.period.name]
    place = np.arange(len(values)) % season
    count = np.bincount(place[seen], minlength=season)
    mean = values[seen].mean()
    # A tenth of a period's mean keeps places in the season apart from zero; one never seen is taken as usual.
    factor = (np.bincount(place[seen], values[seen], season) / mean + 0.1) / (count + 0.1)
    level = np.interp(np.arange(len(values)), np.flatnonzero(seen), (values / factor[place])[seen])
    return np.where(seen, values, level * factor[place])


def _make(name: str, season: int, length: int) -> _Model:
    # Loaded when used: it takes seconds, which a command that serves another model need not pay.
    library = import_module("statsforecast.models")
    season = season if 2 * season <= length and season <= LONGEST_SEASON[name] else 1
    made: _Model = library.Theta(season) if name == "theta" else library.AutoETS(season, model="ANZ")
    return made
