"""The picture of an exchange curve: stock against service, one line a policy."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import norm

from optimization.exchange import Curve

TICKS = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])
NAMES = {"cycle_service": "cycles without a stockout", "fill_rate": "units served from the shelf"}


def exchange_picture(curves: Sequence[Curve], measure: str, value: np.ndarray | None, unit: str) -> Figure:
    """Stock (units or money, mean of a series at a period's end) against service, on the normal scale.

    measure: cycle_service or fill_rate; value: (n,) worth of a unit, default 1; unit: word beside the stock
    """
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for curve in curves:
        n = len(curve.replays[0].demand)
        worth = np.ones(n) if value is None else value
        service, stock = curve.points(measure, np.ones((1, n)), worth)
        order = np.argsort(stock[0])
        places = norm.ppf(np.clip(service[0][order], 0.3, 0.999))
        axes.plot(stock[0][order], places, marker="o", markersize=3, label=curve.policy)
    axes.set_yticks(norm.ppf(TICKS), [f"{100 * tick:g} %" for tick in TICKS])
    axes.set_xlabel(f"mean stock of a series, {unit}")
    axes.set_ylabel(NAMES[measure])
    axes.set_title("What service costs in stock")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return figure
