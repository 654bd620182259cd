"""How demand of a new item grows after its launch, learned from the launches there have been.

It owns the profile of growth: demand by age as a share of what the item sells later.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.panel import Panel

# Age bands per period name: their width and the number of them; after the last an item has grown up.
BANDS = {"day": (7, 12), "week": (1, 12), "month": (1, 3)}
FEW = 5  # series whose launch was seen, below which nothing is learned
LOW, HIGH = 0.1, 3.0  # growth is a matter of a share, not of magnitudes


class Profile(NamedTuple):
    """Demand by age, (bands,) as a share of that of a grown-up item, and the width of a band, periods."""

    share: np.ndarray
    width: int

    def at(self, age: np.ndarray) -> np.ndarray:
        """Share at each age in periods; that of the first band before the launch, 1 once grown up.

        >>> Profile(np.array([0.4, 0.8]), 7).at(np.array([-3, 6, 7, 14])).tolist()
        [0.4, 0.4, 0.8, 1.0]
        """
        band = np.maximum(age, 0) // self.width
        return np.append(self.share, 1.0)[np.minimum(band, len(self.share))]

    def growth(self, horizon: int, age: int) -> np.ndarray:
        """(H,) sums of the shares over 1 … H periods ahead over h, for an item of some age at the first.

        >>> Profile(np.array([0.5]), 2).growth(4, 0).tolist()
        [0.5, 0.5, 0.6666666666666666, 0.75]
        """
        step = np.arange(horizon)
        return np.cumsum(self.at(age + step)) / (step + 1)


def launch_profile(panel: Panel, series: np.ndarray) -> Profile:
    """The profile of the launches among `series`; a flat one where fewer than FEW can be followed.

    Followed is what first sold well after the data begin and has been grown up for as long as growing takes.
    Each launch counts by what it sells when grown up.
    """
    width, bands = BANDS[panel.period.name]
    span = width * bands
    launched = panel.first[series]
    seen = (launched >= max(4 * width, 2)) & (launched + 2 * span <= panel.length)
    stated = panel.start[series]
    # A successor's first period is its predecessor's: no launch.
    followed = series[seen & ((stated == 0) | (np.abs(launched - stated) <= width))]
    if len(followed) < FEW:
        return Profile(np.ones(bands), width)
    young, grown = _by_age(panel.quantity, followed, panel.first, span, width)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = young / grown
    return Profile(np.clip(np.where(np.isfinite(share), share, 1.0), LOW, HIGH), width)


def launch_of(panel: Panel, i: int) -> int:
    """Number of the period in which series i is launched; where nothing says so, its first, or the next."""
    return int(panel.start[i]) or int(panel.first[i])


@njit(cache=True, nogil=True)
def _by_age(
    quantity: np.ndarray, series: np.ndarray, first: np.ndarray, span: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Summed over series: demand per observed period of each age band, and of the same series grown up."""
    bands = span // width
    young, grown = np.zeros(bands), np.zeros(bands)
    for i in series:
        later, total = 0, 0.0
        for t in range(first[i] + span, first[i] + 2 * span):
            if np.isfinite(quantity[i, t]):
                later += 1
                total += quantity[i, t]
        if later == 0 or total <= 0.0:
            continue
        for b in range(bands):
            n, amount = 0, 0.0
            for t in range(first[i] + b * width, first[i] + (b + 1) * width):
                if np.isfinite(quantity[i, t]):
                    n += 1
                    amount += quantity[i, t]
            if n > 0:
                young[b] += amount / n
                grown[b] += total / later
    return young, grown
