"""The smooth season of a group: what the year does to it, told from all of its weeks at once.

It owns the fit, a regression on a few waves. One window of last year also tells that year's weather and luck;
waves fitted to every week tell less of either.
"""

import numpy as np
from numba import njit

YEAR_LENGTH = {"day": 365.25, "week": 365.25 / 7, "month": 12.0}  # periods from one season to the next
BLOCK = {"day": 7, "week": 1, "month": 1}  # periods that are one observation
LEAST = 1.0  # years of observations that waves are fitted to
WAVES = 3  # from one a year on
# Ridge penalty of each wave: every year of observations brings as much, so that it is a share of what they
# say. The trend's is ten times that, for little more than a year cannot tell it from a wave.
DOUBT = 5.0


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_season(course: np.ndarray, span: int, year: float, block: int) -> np.ndarray:
    """(T,) season of every period, a multiple, without trend; NaN where too little was seen.

    course: (T,) demand of the group, NaN unknown, of which the first `span` periods are looked at
    year, block: as YEAR_LENGTH and BLOCK
    """
    width, seen = 2 + 2 * WAVES, 0
    left, right, row = np.zeros((width, width)), np.zeros(width), np.empty(width)
    for k in range(span // block):
        high = span - k * block
        total, count = 0.0, 0
        for t in range(high - block, high):
            if np.isfinite(course[t]):
                total += course[t]
                count += 1
        if total > 0.0:
            seen += 1
            _at(high - 0.5 * (block + 1) - span, year, row)
            left += row.reshape(-1, 1) * row
            right += row * np.log(total / count)
    out = np.full(len(course), np.nan)
    if seen * block < LEAST * year:
        return out
    doubt = DOUBT * seen * block / year
    for a in range(1, width):
        left[a, a] += 10.0 * doubt if a == 1 else doubt
    found = np.linalg.solve(left, right)
    for t in range(len(course)):
        _at(t - span, year, row)
        out[t] = np.exp((row[2:] * found[2:]).sum())
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _at(t: float, year: float, out: np.ndarray) -> None:
    """Level, trend and waves, t periods after the first of the horizon."""
    out[0], out[1] = 1.0, t / year
    for k in range(WAVES):
        turn = 2.0 * np.pi * (k + 1) * t / year
        out[2 + 2 * k], out[3 + 2 * k] = np.sin(turn), np.cos(turn)
