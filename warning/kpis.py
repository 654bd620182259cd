"""KPIs: the figures by which a month of inventory is judged, each one formula.

This module owns the formulas; `warning.kpi_catalogue` their names, units and directions. Shares lie in 0–1. A
figure whose denominator is nothing is NaN: there was nothing to measure.
"""

import numpy as np

from warning.outcomes import rates

HOUR = np.timedelta64(3600, "s")


def inventory_turnover(used: np.ndarray, on_hand: np.ndarray, cost: np.ndarray, year: float) -> float:
    """Times a year that the stock is turned over: cost of what was used in a year ÷ mean value of stock.

    used: (n, T) units sold or consumed; on_hand: (n, T) units at the end of each period
    cost: (n,) money a unit; year: periods in a year

    Two units a day at 5 are 3650 a year; 40 units on the shelf are worth 200.

    >>> inventory_turnover(np.full((1, 30), 2.0), np.full((1, 30), 40.0), np.array([5.0]), 365)
    18.25
    """
    return _ratio(np.nansum(used.T * cost) / used.shape[1] * year, capital_tied_up(on_hand, cost))


def stockout_rate(short: np.ndarray, watched: np.ndarray) -> float:
    """Share of series and periods in which demand went unmet, of those watched.

    short, watched: (n, T) bool

    >>> stockout_rate(np.array([[True, False, False, False]]), np.ones((1, 4), dtype=bool))
    0.25
    """
    return _ratio((short & watched).sum(), watched.sum())


def slow_moving_share(on_hand: np.ndarray, used: np.ndarray, cost: np.ndarray, longest: float) -> float:
    """Share of the value of stock that lies where it lasts longer than `longest` periods at the present pace.

    on_hand: (n,) units now; used: (n, T) units of the last T periods; cost: (n,) money a unit

    100 pieces of which 1 goes a day last longer than 90 days, 100 of which 4 go do not.

    >>> used = np.repeat([[1.0], [4.0]], 30, axis=1)
    >>> slow_moving_share(np.array([100.0, 100.0]), used, np.array([1.0, 3.0]), 90)
    0.25
    """
    pace = np.nanmean(used, axis=1) if used.size else np.zeros(len(on_hand))
    value = np.nan_to_num(on_hand * cost)
    return _ratio(value[np.nan_to_num(on_hand) > pace * longest].sum(), value.sum())


def overstock_rate(on_hand: np.ndarray, level: np.ndarray, cost: np.ndarray) -> float:
    """Share of the value of stock that lies above the overstock level.

    on_hand, level: (n,) units; cost: (n,) money a unit

    >>> overstock_rate(np.array([30.0, 10.0]), np.array([20.0, 12.0]), np.array([2.0, 2.0]))
    0.25
    """
    return _ratio(np.nansum(np.maximum(on_hand - level, 0.0) * cost), np.nansum(on_hand * cost))


def material_shortage_rate(needed: np.ndarray, short: np.ndarray) -> float:
    """Share of the needs of materials that met an empty shelf: components and periods with a need.

    needed: (n, T) units that production asked for; short: (n, T) bool

    >>> material_shortage_rate(np.array([[5.0, 0.0, 5.0, 5.0]]), np.array([[False, True, True, False]]))
    0.3333333333333333
    """
    asked = np.nan_to_num(needed) > 0
    return _ratio((short & asked).sum(), asked.sum())


def capital_tied_up(on_hand: np.ndarray, cost: np.ndarray) -> float:
    """Mean value of stock, money at cost. on_hand: (n, T) units; cost: (n,) money a unit.

    >>> capital_tied_up(np.array([[10.0, 30.0], [0.0, 4.0]]), np.array([2.0, 5.0]))
    50.0
    """
    if not on_hand.size:
        return float("nan")
    return float(np.nansum(np.nan_to_num(on_hand).mean(axis=1) * cost))


def storage_cost(on_hand: np.ndarray, holding: np.ndarray) -> float:
    """Money that keeping the stock cost. holding: (n,) money per unit left at a period's end.

    >>> storage_cost(np.array([[10.0, 30.0], [0.0, 4.0]]), np.array([0.01, 0.1]))
    0.8
    """
    return float(np.nansum(np.nan_to_num(on_hand).T * holding))


def markdown_and_expiry_loss(
    sold: np.ndarray, regular: np.ndarray, paid: np.ndarray, expired: np.ndarray, cost: np.ndarray
) -> float:
    """Money lost on what had to be cleared: price given up on units cleared, and the cost of units expired.

    sold: (k,) units sold while they were cleared; regular, paid: (k,) money a unit before and then
    expired: (n,) units; cost: (n,) money a unit

    >>> loss = markdown_and_expiry_loss
    >>> loss(np.array([20.0]), np.array([10.0]), np.array([7.0]), np.array([5.0]), np.array([6.0]))
    90.0
    """
    return float(np.nansum(sold * np.maximum(regular - paid, 0.0)) + np.nansum(expired * cost))


def days_of_cover(on_hand: np.ndarray, used: np.ndarray, cost: np.ndarray, days: float) -> float:
    """Days that the stock lasts at the present pace: its value ÷ the value used a day.

    on_hand: (n,) units now; used: (n, T) units; cost: (n,) money a unit; days: length of a period

    >>> days_of_cover(np.array([40.0]), np.full((1, 30), 2.0), np.array([5.0]), 1)
    20.0
    """
    if not used.size:
        return float("nan")
    return _ratio(np.nansum(on_hand * cost), np.nansum(np.nanmean(used, axis=1) * cost) / days)


def handling_timeliness(deadline: np.ndarray, handled: np.ndarray, now: np.datetime64) -> float:
    """Share of alerts acted upon by their deadline, of those whose deadline is over or that were acted upon.

    deadline, handled: (m,) datetime64, NaT where there is none or nobody has

    Of four, one in time, one late, one not at all; the fourth has time left.

    >>> when = lambda *days: np.array(days, dtype="datetime64[D]")
    >>> due = when("2024-05-02", "2024-05-02", "2024-05-02", "2024-05-09")
    >>> round(handling_timeliness(due, when("2024-05-01", "2024-05-03", "NaT", "NaT"), due[0] + 1), 3)
    0.333
    """
    has = ~np.isnat(deadline)
    due = has & ((deadline < now) | ~np.isnat(handled))
    return _ratio((due & (handled <= deadline)).sum(), due.sum())


def response_time(opened: np.ndarray, answered: np.ndarray) -> float:
    """Hours from opening to the first answer, the median of the alerts that were answered.

    >>> when = np.array(["2024-05-01T08", "2024-05-01T09"], dtype="datetime64[h]")
    >>> response_time(when, when + np.array([2, 5], dtype="timedelta64[h]"))
    3.5
    """
    answer = ~np.isnat(opened) & ~np.isnat(answered)
    return float(np.median((answered - opened)[answer] / HOUR)) if answer.any() else float("nan")


def hit_rate(labels: np.ndarray) -> float:
    """Share of the alerts judged that were right and in time, hit ÷ (hit + late + false).

    >>> hit_rate(np.array(["hit", "hit", "hit", "late", "false", "pending"]))
    0.6
    """
    return rates(labels, np.zeros(len(labels), dtype=bool))["hit_rate"]


def false_rate(labels: np.ndarray) -> float:
    """Share of the alerts judged after which nothing would have happened, false ÷ (hit + late + false).

    >>> false_rate(np.array(["hit", "hit", "hit", "late", "false", "pending"]))
    0.2
    """
    return rates(labels, np.zeros(len(labels), dtype=bool))["false_rate"]


def missed_rate(labels: np.ndarray, avoidable: np.ndarray) -> float:
    """Share of the shortages of which nobody was told in time, avoidable ÷ (hit + avoidable).

    avoidable: (m,) bool, of those missed and late: what could not have been foreseen does not count

    >>> missed_rate(np.array(["hit", "hit", "hit", "missed", "late"]), np.array([False] * 3 + [True, False]))
    0.25
    """
    return rates(labels, avoidable)["missed_rate"]


def forecast_value_added(actual: np.ndarray, model: np.ndarray, naive: np.ndarray) -> float:
    """Share of the naive forecast's error that the model takes away, 1 − Σ|model − actual| ÷ Σ|naive −
    actual|.

    >>> forecast_value_added(np.array([10.0, 20.0]), np.array([12.0, 19.0]), np.array([6.0, 22.0]))
    0.5
    """
    return 1.0 - _ratio(np.nansum(np.abs(model - actual)), np.nansum(np.abs(naive - actual)))


def accepted_share(accepted: np.ndarray) -> float:
    """Share of the suggestions decided upon that were accepted. accepted: (k,) 1, 0, NaN = undecided.

    >>> accepted_share(np.array([1.0, 1.0, 0.0, np.nan]))
    0.6666666666666666
    """
    decided = ~np.isnan(accepted)
    return _ratio(np.nansum(accepted), decided.sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
