"""Exposure: over how many periods of demand an order-up-to level must last, where orders may overtake.

It owns the step from lead times to intervals. Just before an order arrives, the level has to bear what was
asked for since the last review, and the size of every order that is still under way: of those the demand
of their own review interval. Where orders come in the order they were placed in, that is demand over lead
time + review. Where each takes its own time, a late one is overtaken by the next, which ends the wait: long
intervals are rarer then than late orders are (Bradley and Robinson 2005, Improved base-stock approximations
for independent stochastic lead times with order crossover).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

TINY = 1e-12  # chances that sums of chances leave behind
BLOCK = 1_000  # cases whose intervals are made at a time


class Intervals(NamedTuple):
    """Mixtures of intervals: entries offset[k] … offset[k + 1] of steps (periods) and their chance."""

    offset: np.ndarray
    steps: np.ndarray
    chance: np.ndarray


class Exposures(NamedTuple):
    """The intervals of n series.

    which: (n,) mixture of each series, in both
    lead: periods of demand beyond the review interval that are borne just before an arrival
    unmet: signed weights of the loss function over so many periods, that add up to units unmet a period
    """

    which: np.ndarray
    lead: Intervals
    unmet: Intervals


def exposures(
    distributions: np.ndarray,
    which: np.ndarray,
    review: np.ndarray,
    overtaking: np.ndarray,
    apart: np.ndarray | None = None,
) -> Exposures:
    """Intervals of series with given lead times, (u, Lmax + 1), row which[i] for series i.

    review: (n,) whole periods; 0 = at any time, for which orders are taken to come as they were placed
    overtaking: (n,) share of the orders that take their own time, in [0, 1]
    apart: (n, 2) whole periods between two orders where lots make them rarer than reviews, one as likely as
        the other; default review. The further apart, the fewer are overtaken: from the longest lead time none

    With lead times of 4 (.8) or 14 (.2) and a review every 7, an order placed next is there before the late
    one: 11 periods or 18 are borne, of the late one's own arrival 14 or 21, not 11 (.8) or 21 (.2).

    >>> row = np.array([[0, 0, 0, 0, 0.8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.2]])
    >>> found = exposures(row, np.array([0]), np.array([7]), np.array([1.0]))
    >>> dict(zip((7 + found.lead.steps).tolist(), found.lead.chance.round(2).tolist()))
    {11: 0.64, 14: 0.16, 18: 0.16, 21: 0.04}
    """
    share = np.where(review > 0, np.round(overtaking * 100), 0)
    between = (
        np.stack([review, review], axis=1) if apart is None else np.minimum(apart, distributions.shape[1])
    )
    between = np.where(share[:, None] > 0, np.maximum(np.maximum(review, 1)[:, None], between), 0)
    cases = np.column_stack([which, np.maximum(review, 0), share, between])
    found, which = np.unique(cases.astype(np.int64), axis=0, return_inverse=True)
    width = distributions.shape[1] + 2 * int(found[:, [1, 3, 4]].max(initial=1)) + 2
    distributions = np.ascontiguousarray(distributions, dtype=np.float64)
    blocks = [found[at : at + BLOCK] for at in range(0, max(len(found), 1), BLOCK)]
    parts = [[intervals(rows) for rows in _rows(distributions, block, width)] for block in blocks]
    lead, unmet = (_joined(kind) for kind in zip(*parts, strict=True))
    return Exposures(np.ascontiguousarray(which.ravel()), lead, unmet)


def intervals(rows: np.ndarray) -> Intervals:
    """(u, width) chances of 0, 1, … periods without their empty columns."""
    row, steps = np.nonzero(np.abs(rows) > TINY)
    offset = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(rows)))])
    return Intervals(offset, steps.astype(np.int64), rows[row, steps])


def _joined(parts: tuple[Intervals, ...]) -> Intervals:
    counts = np.concatenate([np.diff(part.offset) for part in parts])
    offset = np.concatenate([[0], np.cumsum(counts)])
    return Intervals(offset, *(np.concatenate(of) for of in list(zip(*parts, strict=True))[1:]))


@njit(cache=True, nogil=True)
def _rows(distributions: np.ndarray, cases: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(cases, width) chances of periods beyond the review, and weights of the losses over 0, 1, … periods."""
    lead, unmet = np.zeros((len(cases), width)), np.zeros((len(cases), width))
    for c in range(len(cases)):
        pmf, share = distributions[cases[c, 0]], cases[c, 2] / 100.0
        pmf = pmf[: np.flatnonzero(pmf)[-1] + 1]  # others may reach much further
        apart = max(cases[c, 1], 1)
        for k in range(len(pmf)):
            lead[c, k] += (1.0 - share) * pmf[k]
            unmet[c, k + apart] += (1.0 - share) * pmf[k] / apart
            unmet[c, k] -= (1.0 - share) * pmf[k] / apart
        if share > 0.0:
            before, always = _overtaken(pmf, cases[c, 3], width)
            if cases[c, 4] != cases[c, 3]:
                rarer, seldom = _overtaken(pmf, cases[c, 4], width)
                before, always = 0.5 * (before + rarer), 0.5 * (always + seldom)
            for k in range(width):
                lead[c, k] += share * before[k]
                later = always[k + 1] if k + 1 < width else 0.0
                unmet[c, k] += share * (always[k] - later)
        unmet[c, 0] = 0.0  # nothing is lost over no time
    return lead, unmet


@njit(cache=True, nogil=True)
def _overtaken(pmf: np.ndarray, review: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Chances of the periods borne, when every order draws its own lead time; R periods are between two.

    First beyond these R, just before an arrival; then in all, at the end of any period. The period stands
    v = 1 … R after a review whose orders are j = 0, 1, … reviews old; such an order is under way if its lead
    time is v + jR or more, and about to come if it is just that.
    """
    orders = (len(pmf) - 1) // review + 1
    before, always = np.zeros(width), np.zeros(width)
    reach = np.cumsum(pmf)
    for v in range(1, review + 1):
        # Number of orders under way: in all cases, and in those in which none is about to come.
        some, none = np.zeros(orders + 1), np.zeros(orders + 1)
        some[0] = 1.0
        none[0] = 1.0 - pmf[0] if v == review else 1.0  # what is ordered now and at once there
        for j in range(orders):
            age = v + j * review
            here = pmf[age] if age < len(pmf) else 0.0
            later = 1.0 - reach[age] if age < len(pmf) else 0.0
            for k in range(j + 1, -1, -1):
                less = (some[k - 1], none[k - 1]) if k > 0 else (0.0, 0.0)
                some[k] = some[k] * (1.0 - here - later) + less[0] * (here + later)
                none[k] = none[k] * (1.0 - here - later) + less[1] * later
        for k in range(orders + 1):
            borne = v + k * review
            if borne < width:
                always[borne] += some[k] / review
            if some[k] > none[k] and 0 <= borne - review < width:
                before[borne - review] += some[k] - none[k]
    return before / before.sum(), always
