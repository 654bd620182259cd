"""Pictures of a trial: whether its quantiles held, where its errors lie, and which features it used.

It owns the figures that are kept with a run; `evidence` gives the numbers, and writes both.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from forecasting.backtest import SCORED, Folds
from forecasting.trials import Trial

SIZE, DPI = (8.0, 3.6), 72
MOST_POINTS = 2000
MOST_FEATURES = 12


def calibration_picture(trial: Trial, places: np.ndarray) -> Figure:
    """Share of windows within each quantile by volume, and the histogram of demand's places.

    places: (k,) levels in (0, 1) that demand had in its distribution, flat if calibrated
    """
    figure, (left, right) = _pair()
    scores = trial.scores.set_index("segment")
    for segment in [name for name in scores.index if name == "all" or name.startswith("volume")]:
        shares = [scores.loc[segment, f"within_{level}"] for level in SCORED]
        left.plot(SCORED, shares, marker="o", label=segment)
    left.plot([0.5, 1], [0.5, 1], color="grey", linewidth=0.8)
    _label(left, "level", "share of windows within", f"Coverage of {trial.name}")
    left.legend(fontsize="small")
    if len(places):
        share, edges = np.histogram(places, bins=20, range=(0, 1), density=True)
        right.stairs(share, edges, fill=True)
    right.axhline(1.0, color="grey", linewidth=0.8)
    _label(right, "place of demand in its distribution", "", "Flat if calibrated")
    return figure


def residual_picture(trial: Trial, folds: Folds) -> Figure:
    """Demand less the mean, per window against the mean, and its middle and spread by horizon; scale-free."""
    figure, (left, right) = _pair()
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.where(folds.clean & (folds.scale > 0), (folds.actual - trial.mean) / folds.scale, np.nan)
        size = np.log10(1.0 + trial.mean)
    row, column = np.nonzero(np.isfinite(off))
    some = slice(None, None, max(len(row) // MOST_POINTS, 1))
    left.plot(size[row[some], column[some]], off[row[some], column[some]], ".", markersize=2)
    left.axhline(0.0, color="grey", linewidth=0.8)
    _label(left, "log10(1 + mean units)", "(demand - mean) / scale", trial.name)
    told = np.isfinite(off).any(axis=0)
    if told.any():
        low, under, middle, over, high = np.nanquantile(off[:, told], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
        horizons = folds.horizons[told]
        right.fill_between(horizons, low, high, alpha=0.2)
        right.fill_between(horizons, under, over, alpha=0.3)
        right.plot(horizons, middle, marker="o")
    right.axhline(0.0, color="grey", linewidth=0.8)
    _label(right, "horizon, periods", "", "Middle half, and 5 % to 95 %")
    return figure


def importance_picture(importance: pd.Series) -> Figure:
    """The features that gained most, by share of the gain, the largest on top."""
    figure = Figure(figsize=(SIZE[0] * 0.75, SIZE[1]), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    top = importance.head(MOST_FEATURES)[::-1]
    axes.barh(np.arange(len(top)), top.to_numpy(dtype=float))
    _label(axes, "share of the gain", "", "")
    axes.set_yticks(np.arange(len(top)), [str(name) for name in top.index], fontsize="x-small")
    figure.subplots_adjust(left=0.35, right=0.97, top=0.97, bottom=0.15)
    return figure


def _pair() -> tuple[Figure, np.ndarray]:
    """A figure with two places side by side."""
    figure = Figure(figsize=SIZE, dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.08, right=0.98, top=0.9, bottom=0.15, wspace=0.25)
    return figure, axes


def _label(axes: Axes, x: str, y: str, title: str) -> None:
    """Name the axes; with few ticks and a title that is not moved about, for they take most of the time."""
    axes.locator_params(nbins=4)
    axes.set(xlabel=x, ylabel=y)
    axes.set_title(title, y=1.0)
