"""The no-action replay: what stock would have done had nobody acted on an alert.

This module owns the world without the alert: what was on the shelf then and what was already on order meet
the demand that came, and nothing else. An order placed after the alert, be it because of it or not, is left
out; so a stockout that somebody prevented still shows.
"""

from typing import NamedTuple

import numpy as np

TINY = 1e-6  # units that rounding leaves


class Orders(NamedTuple):
    """Supply orders, (k,) each; periods are numbered as the columns of what is replayed.

    row: series; placed: period by whose end the order was known; arrived: period at whose start it was on the
    shelf, beyond the last where it has not come; quantity: units
    """

    row: np.ndarray
    placed: np.ndarray
    arrived: np.ndarray
    quantity: np.ndarray


class Untouched(NamedTuple):
    """What would have happened, for m alerts over the H periods after each.

    short_at: (m,) period, counted from 1, in which demand first went unmet; 0 = in none that is known
    left: (m, H) units on the shelf at the end of each; NaN where demand is not known yet
    known: (m,) periods of which demand is known
    """

    short_at: np.ndarray
    left: np.ndarray
    known: np.ndarray


def after(values: np.ndarray, row: np.ndarray, opened: np.ndarray, steps: int) -> np.ndarray:
    """(m, steps) what `values`, (n, T), say of each alert's series in the periods after it; NaN beyond T.

    >>> after(np.array([[1.0, 2.0, 3.0]]), np.array([0]), np.array([1]), 2).tolist()
    [[3.0, nan]]
    """
    column = opened[:, None] + 1 + np.arange(steps)
    inside = (column >= 0) & (column < values.shape[1])
    return np.where(inside, values[row[:, None], np.where(inside, column, 0)], np.nan)


def known_then(
    orders: Orders, row: np.ndarray, opened: np.ndarray, steps: int, expected: np.ndarray | None = None
) -> np.ndarray:
    """(m, steps) units that arrive in the periods after each alert from orders placed by its end.

    row, opened: (m,) series and period of each alert
    expected: (k,) period at which each order is taken to come, instead of when it did; what was overdue by
        the alert is then not counted on

    >>> orders = Orders(*map(np.array, ([0, 0], [4, 6], [7, 7], [10.0, 5.0])))
    >>> known_then(orders, np.array([0]), np.array([5]), 3).tolist()
    [[0.0, 10.0, 0.0]]
    """
    out = np.zeros((len(row), steps))
    by_row = np.argsort(orders.row, kind="stable")
    first = np.searchsorted(orders.row[by_row], row, side="left")
    count = np.searchsorted(orders.row[by_row], row, side="right") - first
    alert = np.repeat(np.arange(len(row)), count)
    within = np.arange(len(alert)) - np.repeat(np.cumsum(count) - count, count)
    order = by_row[np.repeat(first, count) + within]
    comes = orders.arrived if expected is None else expected
    step = comes[order] - opened[alert] - 1
    open_ = (orders.placed[order] <= opened[alert]) & (orders.arrived[order] > opened[alert])
    kept = open_ & (step >= 0) & (step < steps)
    np.add.at(out, (alert[kept], step[kept]), orders.quantity[order[kept]])
    return out


def without_action(
    available: np.ndarray, wanted: np.ndarray, inbound: np.ndarray, backorder: np.ndarray | bool = False
) -> Untouched:
    """Play each alert's shelf forward with nothing but what it had then.

    available: (m,) units on the shelf when the alert opened, less what was reserved; NaN = nobody knew
    wanted: (m, H) units asked for in each period after, NaN from where it is not known yet
    inbound: (m, H) units that arrive at the start of each period, of orders placed by then
    backorder: (m,) or one bool: unmet demand waits; otherwise it is lost

    A shelf of 5 with 4 to come meets a demand of 3 a period until the fourth:

    >>> found = without_action(np.array([5.0]), np.full((1, 5), 3.0), np.array([[0, 4.0, 0, 0, 0]]))
    >>> int(found.short_at[0]), found.left[0].tolist()
    (4, [2.0, 3.0, 0.0, 0.0, 0.0])
    """
    steps = wanted.shape[1]
    net = available.astype(float)
    left, short_at = np.full(wanted.shape, np.nan), np.zeros(len(net), dtype=np.int64)
    for step in range(steps):
        there = net + inbound[:, step]
        net = there - wanted[:, step]
        short_at = np.where((short_at == 0) & (net < -TINY), step + 1, short_at)
        # What was promised before is owed until it is there, also where unmet demand is lost.
        net = np.where(backorder, net, np.maximum(net, np.minimum(there, 0.0)))
        left[:, step] = np.maximum(net, 0.0)
    known = np.cumprod(~np.isnan(wanted), axis=1).sum(axis=1)
    return Untouched(short_at, left, np.where(np.isnan(available), 0, known))


def expired(quantity: np.ndarray, expires: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, int]:
    """Units of each lot of one shelf that would be left when it expires, nothing being done about it.

    quantity: (k,) units of each lot now; expires: (k,) last period, counted from 1, in which it may be sold
    wanted: (H,) units asked for in each period; the lot that expires first is sold first

    Returns units left, (k,), NaN where the expiry lies beyond the demand that is known; and the first period
    in which a lot expires with something left, 0 for none.

    >>> left, first = expired(np.array([6.0, 9.0]), np.array([2, 4]), np.full(4, 2.0))
    >>> left.tolist(), first
    ([2.0, 5.0], 2)
    """
    left, known = quantity.astype(float), int(np.cumprod(~np.isnan(wanted)).sum())
    for period in range(1, known + 1):
        asked = wanted[period - 1]
        for lot in np.argsort(expires, kind="stable"):
            if expires[lot] >= period:
                taken = min(left[lot], asked)
                left[lot] -= taken
                asked -= taken
    lost = (expires <= known) & (left > 0)
    first = int(expires[lost].min()) if lost.any() else 0
    return np.where(expires <= known, left, np.nan), first
