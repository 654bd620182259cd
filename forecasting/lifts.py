"""What a promotion of some depth sells, as a multiple of what would be sold without it.

It owns the shape of that answer and its estimate from promoted periods; whose periods, and how far a series
is believed, is said in `structure.py`. The lift is exp(slope × depth), the semi-logarithmic response of
Blattberg and Wisniewski (1989): each further step of the depth multiplies demand by as much as the one
before. A line through the shallow promotions, which are the many, was a quarter too low for the deepest.
"""

import numpy as np
from numba import njit

MOST_LIFT = 21.0  # more than this multiple no promotion is believed to sell
DEPTHS = 100  # depths are told apart to this part of the whole
NEWTON = 12  # steps to the slope; each squares what is left to go
# The structural expectation trusts half of what a usual promotion was found to sell more: what is more, the
# model learns, and may then be told never to expect less of a deeper promotion. How much more the deeper ones
# sell it trusts wholly, for the model of sums does not see the depth.
TRUSTED = 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def lift_of(slope: float, depth: float) -> float:
    """Demand under a promotion as a multiple of demand without.

    >>> round(lift_of(np.log(3.0), 1.0), 6), lift_of(5.0, 0.0)
    (3.0, 1.0)
    """
    return min(np.exp(slope * depth), MOST_LIFT) if depth > 0.0 else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def trusted_lift(slope: float, depth: float, usual_depth: float) -> float:
    """The part of a lift that the structural expectation takes: half the gain up to the usual depth, and
    beyond it as much more as the lift itself is.

    >>> round(trusted_lift(np.log(3.0), 1.0, 1.0), 6)
    2.0
    """
    half = 1.0 + TRUSTED * (lift_of(slope, min(depth, usual_depth)) - 1.0)
    return half * lift_of(slope, depth) / lift_of(slope, usual_depth) if depth > usual_depth else half


@njit(cache=True, nogil=True, error_model="numpy")
def place_of(depth: float) -> int:
    """Number of a depth, 0 … DEPTHS; a promotion of any depth is one of at least the first."""
    return max(round(min(depth, 1.0) * DEPTHS), 1)


@njit(cache=True, nogil=True, error_model="numpy")
def mean_depth(plain: np.ndarray) -> float:
    """Mean depth of promoted periods; 1 without any; plain: as for `slope_from`."""
    total = plain.sum()
    return (plain * np.arange(DEPTHS + 1)).sum() / DEPTHS / total if total > 0.0 else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def slope_from(plain: np.ndarray, promoted: float) -> float:
    """The slope at which the lifts of what promoted periods would have sold add up to what they sold.

    plain: (DEPTHS + 1,) demand expected without promotion in the periods of each depth
    promoted: demand in all of them, the same unit; where it is less than expected without, the slope is 0

    >>> plain = np.zeros(DEPTHS + 1)
    >>> plain[20], plain[40] = 30.0, 10.0
    >>> round(slope_from(plain, 30.0 * np.exp(4.0 * 0.2) + 10.0 * np.exp(4.0 * 0.4)), 6)
    4.0
    """
    total = plain.sum()
    if total <= 0.0 or promoted <= total:
        return 0.0
    # The slope is at most what one lift at the mean depth needs, which sells less than lifts around it
    # (Jensen), and what any depth needs that alone sold all: from above Newton's steps fall to the root.
    depth = mean_depth(plain)
    slope = np.log(promoted / total) / depth
    for k in range(1, len(plain)):
        if plain[k] > 0.0:
            slope = min(slope, np.log(promoted / plain[k]) * DEPTHS / k)
    for _ in range(NEWTON):
        found, steep = 0.0, 0.0
        for k in range(1, len(plain)):
            if plain[k] > 0.0:
                lifted = plain[k] * np.exp(slope * k / DEPTHS)
                found += lifted
                steep += lifted * k / DEPTHS
        slope -= (found - promoted) / steep
    return min(max(slope, 0.0), np.log(MOST_LIFT) / depth)
