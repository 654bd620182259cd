"""Drift: how far lead times wander from what is known of them, and whether a supplier's have shifted.

It owns the comparison of a supplier's deliveries before and after a day. Receipts tell the past; next year's
deliveries come from a level that has moved on, by as much as it moved from year to year before.
"""

import numpy as np
import pandas as pd

from optimization.pooling import codes, stretch

YEAR = pd.Timedelta(days=365)
WORTH = 200.0  # deliveries that the guess of no drift counts as
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
