"""Ways: the sample paths of demand as compiled walks read them off a row of quantiles.

The law of the paths is `forecasting.paths`; here each place in a distribution becomes two entries of a row
and their weights, once for all series.
"""

from typing import NamedTuple

import numpy as np

from forecasting.cumulative import CumulativeDemand
from forecasting.paths import path_law, path_places
from optimization.sums import Picks, picks


class Ways(NamedTuple):
    """How paths run through the sums of each series.

    picks: of arrays (len(SHAPES), horizon, count), how to read a series' row of quantiles at each step
    which: (n,) entry of SHAPES that each series follows
    steps: (n, horizon) step of these arrays that stands for each period of a series
    """

    picks: Picks
    which: np.ndarray
    steps: np.ndarray


def ways(demand: CumulativeDemand, count: int, seed: int, horizon: int | None = None) -> Ways:
    """`count` paths of every series over `horizon` periods, default all that are forecast."""
    horizon = horizon or demand.horizon
    places = path_places(count, horizon, demand.correlation, seed)
    chosen = picks(demand.levels, places)
    narrow = chosen._replace(low=chosen.low.astype(np.int32), high=chosen.high.astype(np.int32))
    return Ways(narrow, *path_law(demand.levels, demand.quantiles, demand.mean[:, :horizon]))
