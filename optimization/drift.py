"""Drift: how far lead times wander from what is known of them, and whether a supplier's have shifted.

It owns the comparison of a supplier's deliveries before and after a day. Receipts tell the past; next year's
deliveries come from a level that has moved on, by as much as it moved from year to year before. Once a
supplier's level has surely moved, what it was before tells little of the next delivery.
"""

import numpy as np
import pandas as pd

from optimization.pooling import codes, stretch

YEAR = pd.Timedelta(days=365)
WORTH = 200.0  # deliveries that the guess of no drift counts as
CUTS = pd.to_timedelta(np.arange(30, 181, 30), unit="D")  # how long ago a shift may have begun
FEWEST = 5  # days with orders on either side of it
SURE = 3.0  # standard errors, which luck passes in one of a hundred suppliers
FAR = 0.2  # change of the mean place among earlier lead times that is worth forgetting them
FORGOTTEN = 0.05  # what is left of the weight of an order from before the shift
NODES, SHARES = np.polynomial.hermite_e.hermegauss(5)
SHARES = SHARES / SHARES.sum()


def moves(rows: pd.DataFrame, cut: pd.Timestamp, until: pd.Timestamp, since: pd.Timestamp) -> pd.DataFrame:
    """Each supplier's deliveries of `cut` < day ≤ `until` against those of `since` < day ≤ `cut`.

    rows: observations with supplier, order_id, periods, received_on (NaT = open, not compared) and weight
    Indexed by supplier: move (difference of the mean logarithms of 1 + periods), variance (of that
    difference, had nothing moved), deliveries (after). Lines of one order are one piece of evidence: they
    travel together. Suppliers with fewer than two orders on either side are left out.
    """
    came = rows["received_on"]
    logs = np.log1p(rows["periods"].clip(lower=0).to_numpy(dtype=float))
    after = _level(rows, logs, np.ones(len(rows)), came.gt(cut) & came.le(until))
    weight = rows["weight"].to_numpy(dtype=float)
    before = _level(rows, logs, weight, came.gt(since) & came.le(cut))
    before, after = before.align(after, join="inner", axis=0)
    return pd.DataFrame(
        {
            "move": after["mean"] - before["mean"],
            "variance": after["variance"] + before["variance"],
            "deliveries": after["lines"],
        }
    )


def _level(rows: pd.DataFrame, logs: np.ndarray, weight: np.ndarray, chosen: pd.Series) -> pd.DataFrame:
    """Weighted mean and its variance of each supplier's chosen rows; suppliers of at least two orders."""
    at = chosen.to_numpy(dtype=bool)
    part, logs, weight = rows[at], logs[at], weight[at]
    code, names = codes(part, ["supplier"])
    count = len(names)
    orders = (
        part["order_id"].groupby(part["supplier"]).nunique().reindex(names["supplier"]).to_numpy(dtype=float)
    )
    lines, total = np.bincount(code, minlength=count), np.bincount(code, weight, minlength=count)
    mean = np.bincount(code, weight * logs, minlength=count) / total
    spread = np.bincount(code, weight * (logs - mean[code]) ** 2, minlength=count) / total
    spread *= lines / np.maximum(lines - 1, 1)
    effective = total**2 / np.bincount(code, weight**2, minlength=count) * orders / lines
    table = pd.DataFrame(
        {"mean": mean, "variance": spread / effective, "lines": lines}, index=pd.Index(names["supplier"])
    )
    return table[orders >= 2]


def yearly_drift(rows: pd.DataFrame, now: pd.Timestamp) -> float:
    """Standard deviation of a year's move of a supplier's lead time, in logarithms.

    Every past year's end is taken for today: the mean of the year after it against the weighted mean known
    by then, squared, less what sampling explains, averaged over suppliers and years by deliveries. It is one
    number for all: of a single supplier there are too few years to tell it. It leans on no drift, as if
    that were WORTH more deliveries; a history of less than a year and a half gives 0.

    rows: observations as for `moves`, received by `now`
    """
    first = rows["received_on"].min()
    excess, deliveries = 0.0, WORTH
    cut = now - YEAR
    while cut - first >= YEAR / 2:
        seen = moves(rows, cut, cut + YEAR, first - YEAR)
        excess += float(((seen["move"] ** 2 - seen["variance"]) * seen["deliveries"]).sum())
        deliveries += float(seen["deliveries"].sum())
        cut -= YEAR
    return float(np.sqrt(max(excess / deliveries, 0.0)))


def wander(pmf: np.ndarray, drift: float) -> np.ndarray:
    """(groups, width or more) distributions whose level is uncertain by a lognormal factor.

    pmf: (groups, width) chance of 0, 1, … periods; drift: standard deviation of the factor's logarithm

    >>> wander(np.array([[0.0, 0.0, 1.0]]), 0.0).tolist()
    [[0.0, 0.0, 1.0]]
    >>> spread = wander(np.array([[0.0] * 9 + [1.0]]), 0.2)[0]
    >>> round(float(np.log1p(np.arange(len(spread))) @ spread), 2), round(float(np.log(10)), 2)
    (2.3, 2.3)
    """
    if drift <= 0.0:
        return pmf
    longest = float(np.exp(NODES[-1] * drift))
    wide = np.pad(pmf, ((0, 0), (0, int(np.ceil(pmf.shape[1] * (longest - 1.0))))))
    factors = np.exp(NODES * drift)
    parts = [share * stretch(wide, np.full(len(wide), f)) for f, share in zip(factors, SHARES, strict=True)]
    return np.asarray(sum(parts))


def since_shift(rows: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """(n,) weights of observations: from before a sure shift of their supplier they count FORGOTTEN.

    rows, values: as for `last_shift`, with weight
    """
    since = last_shift(rows, values).reindex(rows["supplier"]).to_numpy()
    before = rows["ordered_on"].to_numpy() <= since
    return np.where(before, FORGOTTEN, 1.0) * rows["weight"].to_numpy(dtype=float)


def last_shift(rows: pd.DataFrame, values: np.ndarray) -> pd.Series:
    """Day after which each supplier's orders surely take other times than those before; NaT where none is.

    Of an order placed after a cut its place among those before it of the same series is taken, in (0, 1), one
    that is still open to be anywhere above its age. Were all alike, the mean place would be one half. Orders
    of one day are one piece of evidence. Of several cuts the surest counts.
    rows: observations with supplier, location, sku, ordered_on and received
    values: (n,) whole periods that they took
    Indexed by supplier.
    """
    if not len(rows):
        return pd.Series(dtype="datetime64[ns]")
    series, _ = codes(rows, ["supplier", "location", "sku"])
    day, days = codes(rows, ["supplier", "ordered_on"])
    of, names = codes(days, ["supplier"])
    placed = days["ordered_on"].to_numpy()
    key, waits = series * (int(values.max()) + 2) + values, ~rows["received"].to_numpy(dtype=bool)
    surest, since = np.full(len(names), SURE), np.full(len(names), np.datetime64("NaT"), placed.dtype)
    for cut in placed.max() - CUTS.to_numpy():
        place, known = _places(series, key, waits, (placed <= cut)[day])
        seen = np.bincount(day[known], minlength=len(days))
        mean = np.bincount(day[known], place, minlength=len(days)) / np.maximum(seen, 1)
        sure = _moved(of, mean, (seen > 0) & (placed <= cut), (seen > 0) & (placed > cut))
        since[sure > surest] = cut
        surest = np.maximum(surest, sure)
    return pd.Series(since, index=pd.Index(names["supplier"]))


def _places(
    series: np.ndarray, key: np.ndarray, waits: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean place of each observation among those `before` of its series, and (n,) which have any.

    key: (n,) values, series after series; waits: (n,) whether the value is only known to be exceeded
    """
    count = np.bincount(series[before], minlength=series.max() + 1)
    first = np.concatenate([[0], np.cumsum(count)])[series]
    known = count[series] > 0
    earlier = np.sort(key[before])
    below, within = (np.searchsorted(earlier, key[known], side) - first[known] for side in ("left", "right"))
    top = count[series[known]]
    return 0.5 * (np.where(waits[known], top, below) + within) / top, known


def _moved(of: np.ndarray, mean: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Standard errors by which each supplier's days `after` lie off those before; 0 where not FAR.

    of, mean: (days,) supplier and mean place
    """
    sides = []
    for days in (before, after):
        count = np.bincount(of[days], minlength=of.max() + 1)
        total, squares = (np.bincount(of[days], mean[days] ** k, minlength=len(count)) for k in (1, 2))
        sides.append((count, total / np.maximum(count, 1), squares - total**2 / np.maximum(count, 1)))
    (earlier, was, around), (later, now, nearby) = sides
    enough = (np.minimum(earlier, later) >= FEWEST) & (np.abs(now - was) >= FAR)
    variance = (around + nearby) / np.maximum(earlier + later - 2, 1)
    spread = np.sqrt(variance * (1.0 / np.maximum(earlier, 1) + 1.0 / np.maximum(later, 1)))
    return np.where(enough, np.abs(now - was) / np.maximum(spread, 1e-9), 0.0)
