"""Outcomes: whether each alert was right, and in time, and which stockouts nobody was warned of.

This module owns the labels and how they are told from what happened. An alert is judged against the world in
which nobody acted on it (`warning.counterfactual`), so that a stockout it helped to prevent counts as a hit.

| outcome | means |
|---|---|
| hit | untouched, the shelf would have been short, and there was at least the time that acting takes |
| late | it would have been short, but before an order placed at the alert could have come |
| false | it would not have been short while the alert spoke, nor within lead time and review after that |
| missed | demand went unmet and no alert had spoken before |
| pending | what the alert speaks of is not over yet |
| unjudged | only people can tell: the kind makes no claim about stock, or a number is missing |

A stock that is low is also right to be told of where, untouched, it would have fallen below the limit that
was told, though demand was still met. A surplus is judged by what would have been left of it, an expiry by
what would have expired.
"""

from typing import NamedTuple

import numpy as np

from warning.counterfactual import Untouched

OUTCOMES = ("hit", "late", "false", "missed", "pending", "unjudged")
LEFT = 0.5  # share of the units at risk that must be left for a surplus to have been one


class Judged(NamedTuple):
    """Outcomes of m alerts: label (m,) text; time_left (m,) whole periods between the alert and what it
    warned of, NaN where nothing came; prevented (m,) whether it would have come and did not.
    """

    label: np.ndarray
    time_left: np.ndarray
    prevented: np.ndarray


def judge_shortages(
    untouched: Untouched,
    actual_at: np.ndarray,
    available: np.ndarray,
    *,
    limit: np.ndarray,
    spoke: np.ndarray,
    lead: np.ndarray,
    review: np.ndarray,
) -> Judged:
    """Outcomes of alerts of too little.

    actual_at: (m,) period after the alert, counted from 1, in which the shelf really was short first; 0 =
        never
    available: (m,) units on the shelf then; NaN = unknown, so unjudged
    limit: (m,) units below which the alert said that stock would be by the end of the lead time; NaN = it
        spoke of a stockout alone
    spoke: (m,) periods that the alert stayed open after the one in which it opened
    lead, review: (m,) periods that an order takes, and between two chances to order

    An order placed at the end of the alert's period is on the shelf from period lead + 1 on, so a hit leaves
    at least `lead` full periods. Every day that it is open, an alert claims that the shelf will be short
    within lead time + review unless somebody orders.
    """
    window = spoke + lead + review
    # Less on the shelf cannot serve more: where the real one was short, the untouched one was too.
    really = (actual_at > 0) & ((untouched.short_at == 0) | (actual_at < untouched.short_at))
    short_at = np.where(really, actual_at, untouched.short_at)
    within = (short_at > 0) & (short_at <= window)
    over = untouched.known >= window
    inside = np.arange(untouched.left.shape[1]) < (spoke + np.maximum(lead, 1))[:, None]
    low = (inside & (untouched.left < limit[:, None])).any(axis=1)
    label = np.select(
        [np.isnan(available), within & (short_at > lead), within, low, over],
        ["unjudged", "hit", "late", "hit", "false"],
        "pending",
    ).astype(object)
    came = (actual_at > 0) & (actual_at <= window)
    prevented = within & ~came & over & (label != "unjudged")
    return Judged(label, np.where(within, short_at - 1.0, np.nan), prevented)


def judge_surpluses(untouched: Untouched, at_risk: np.ndarray, interval: np.ndarray) -> Judged:
    """Outcomes of alerts of too much: a hit if, nothing ordered or cleared, most of the surplus was left.

    at_risk: (m,) units that the alert called too much; NaN = unknown
    interval: (m,) lead time + review: until then, stock in hand saves an order
    There is no deadline, so none is late; time_left stays NaN.
    """
    last = np.clip(interval, 1, untouched.left.shape[1]) - 1
    left = untouched.left[np.arange(len(last)), last]
    over = untouched.known >= interval
    label = np.select(
        [np.isnan(at_risk), ~over, left >= LEFT * at_risk], ["unjudged", "pending", "hit"], "false"
    ).astype(object)
    nothing = np.full(len(last), np.nan)
    return Judged(label, nothing, np.zeros(len(last), dtype=bool))


def judge_expiries(
    lost: np.ndarray, first: np.ndarray, really: np.ndarray, known: np.ndarray, needed: np.ndarray
) -> Judged:
    """Outcomes of alerts of stock that expires: a hit if, untouched, any of it would have, in time to sell
    it.

    lost: (m,) units that would have expired; first: (m,) period, counted from 1, in which they would first,
        or in which the first lot expires where none would
    really: (m,) units that did expire
    known: (m,) periods of which demand is known; needed: (m,) periods that selling it off takes
    """
    some = lost > 0
    label = np.select(
        [known < first, some & (first - 1 >= needed), some], ["pending", "hit", "late"], "false"
    ).astype(object)
    time_left = np.where(some, first - 1.0, np.nan)
    return Judged(label, time_left, some & (really < lost) & (label != "pending"))


def stockouts(short: np.ndarray, lead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Series and first period of every stockout.

    short: (n, T) whether demand went unmet; lead: (n,) periods
    A shelf that is short again before an order placed at the last time could have come has not recovered: it
        is
    the same stockout.

    >>> rows, first = stockouts(np.array([[0, 1, 1, 0, 1, 0, 0, 0, 1]], dtype=bool), np.array([2]))
    >>> first.tolist()
    [1, 8]
    """
    row, period = np.nonzero(short)
    new = np.ones(len(row), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (np.diff(period) > lead[row[1:]] + 1)
    return row[new], period[new]


def warned(
    stockout: tuple[np.ndarray, np.ndarray],
    alerts: tuple[np.ndarray, np.ndarray, np.ndarray],
    lead: np.ndarray,
    review: np.ndarray,
) -> np.ndarray:
    """(k,) how each stockout was announced: "in time", "late" or "missed".

    stockout: (k,) series and first period
    alerts: (m,) series, period in which it opened and period in which it ended (the last where it has not) of
        alerts of too little
    lead, review: (n,) periods
    In time: an alert spoke at the last chance to order, `lead` full periods before, or between it and the
    chance before that. Late: one spoke only after that, be it once the shelf was out already; missed: none
    did before an order placed then could have come.
    """
    series, first = stockout
    row, opened, ended = alerts
    out = np.full(len(series), "missed", dtype=object)
    for k, (place, period) in enumerate(zip(series, first, strict=True)):
        deadline = period - 1 - lead[place]
        mine = (row == place) & (opened <= period + lead[place]) & (ended > deadline - review[place])
        if (mine & (opened <= deadline)).any():
            out[k] = "in time"
        elif mine.any():
            out[k] = "late"
    return out


def foreseeable(
    stockout: tuple[np.ndarray, np.ndarray],
    seen: np.ndarray,
    short: np.ndarray,
    expected: Untouched,
    lead: np.ndarray,
    review: np.ndarray,
) -> np.ndarray:
    """(k,) whether a warning was possible one lead time ahead.

    seen: (n, T) whether the position was watched with fresh data at the end of each period
    short: (n, T) whether demand went unmet
    expected: (k,) the shelf from that deadline on as one had to expect it then: the demand to expect, and the
        orders of then coming when they were due
    lead, review: (n,) periods
    Not possible: before anybody watched; while the shelf was out already; and where nobody had to expect the
    shelf to be short within lead time and review, as when the shortage comes from an order that was late.
    """
    row, first = stockout
    deadline = first - 1 - lead[row]
    inside = deadline >= 0
    at = np.where(inside, deadline, 0)
    near = (expected.short_at > 0) & (expected.short_at <= lead[row] + review[row])
    return inside & seen[row, at] & ~short[row, at] & near


def rates(labels: np.ndarray, avoidable: np.ndarray) -> dict[str, float]:
    """Shares of outcomes: hit_rate and false_rate of the alerts judged, missed_rate of the shortages.

    labels: (m,) of alerts and of missed stockouts
    avoidable: (m,) whether it was late or missed though somebody could have been told in time, and nobody was
    hit_rate = hit / (hit + late + false), false_rate = false / the same. missed_rate = avoidable / (hit +
    avoidable): what comes too late to act upon is missed as well.

    >>> found = rates(np.array(["hit", "hit", "hit", "false", "missed"]), np.array([False] * 4 + [True]))
    >>> {name: round(value, 2) for name, value in found.items()}
    {'hit_rate': 0.75, 'false_rate': 0.25, 'missed_rate': 0.25}
    """
    count = {name: int((labels == name).sum()) for name in OUTCOMES}
    spoken = count["hit"] + count["late"] + count["false"]
    missed = int((np.isin(labels, ["late", "missed"]) & avoidable).sum())
    came = count["hit"] + missed
    return {
        "hit_rate": count["hit"] / spoken if spoken else float("nan"),
        "false_rate": count["false"] / spoken if spoken else float("nan"),
        "missed_rate": missed / came if came else float("nan"),
    }
