"""Classes: ABC by what a series turns over, XYZ by how unevenly it is asked for; computed, never typed in.

They are selectors of policies beside sku, category and place, so that a target follows an item when it moves
to another class.
"""

import numpy as np
import pandas as pd

from ingestion.periods import Period

PREFIX = "class:"
A, B = 0.8, 0.95  # shares of turnover that end classes A and B
X, Y = 0.5, 1.0  # coefficients of variation that end classes X and Y
YEAR, BUCKET = 364, 28  # days that are looked back on, and that make one figure of demand


def classify(
    keys: pd.DataFrame, demand: pd.DataFrame | None, worth: pd.Series, period: Period
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) class A, B or C and (n,) class X, Y or Z of each key, from the last year of `demand`.

    demand: sku, location, date, quantity; worth: (n,) money a unit, NaN counts as 1
    A holds the series that turn over most, up to and with the one that completes 80 % of all; B up to 95 %.
    X has a coefficient of variation of four-week demand (of single periods, if those are longer) of at most
    .5, Y of at most 1; without two such figures since the first sale, or without demand, a series is Z and C.
    """
    n = len(keys)
    abc, xyz = np.full(n, "C", dtype=object), np.full(n, "Z", dtype=object)
    if demand is None or demand.empty:
        return abc, xyz
    sold = _buckets(keys, demand, period)
    money = np.nansum(sold, axis=1) * worth.fillna(1.0).to_numpy(dtype=float)
    order = np.argsort(-money, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(money[order])[:-1]]) / max(money.sum(), 1e-12)
    abc[order] = np.where(before < A, "A", np.where(before < B, "B", "C"))
    abc[money <= 0] = "C"
    count = np.isfinite(sold).sum(axis=1)
    mean = np.nansum(sold, axis=1) / np.maximum(count, 1)
    spread = np.sqrt(np.nansum((sold - mean[:, None]) ** 2, axis=1) / np.maximum(count - 1, 1))
    uneven = np.divide(spread, mean, where=mean > 0, out=np.full(n, np.inf))
    xyz = np.where(uneven <= X, "X", np.where(uneven <= Y, "Y", "Z")).astype(object)
    xyz[count < 2] = "Z"
    return abc, xyz


def asks_for_classes(policies: pd.DataFrame | None) -> bool:
    """Whether any policy's selector names a class: "class:A", "class:Z" or "class:AX"."""
    if policies is None or "selector" not in policies:
        return False
    return bool(policies["selector"].dropna().astype("str").str.startswith(PREFIX).any())


def _buckets(keys: pd.DataFrame, demand: pd.DataFrame, period: Period) -> np.ndarray:
    """(n, buckets) units of each four weeks, the latest last; NaN before a series' first sale."""
    index = pd.MultiIndex.from_frame(keys[["sku", "location"]])
    row = index.get_indexer(pd.MultiIndex.from_frame(demand[["sku", "location"]]))
    step = period.index(pd.DatetimeIndex(demand["date"]))
    width = max(round(BUCKET / period.days), 1)
    count = max(round(YEAR / (width * period.days)), 1)
    place = count - 1 - (step.max() - step) // width
    kept = (row >= 0) & (place >= 0)
    units = np.nan_to_num(demand["quantity"].to_numpy(dtype=float))
    flat = np.bincount(row[kept] * count + place[kept], units[kept], minlength=len(keys) * count)
    sold = flat.reshape(len(keys), count)
    # The bucket of the first sale is seldom whole; a series that is younger says nothing before it.
    seen = row >= 0
    first = np.full(len(keys), count)
    np.minimum.at(first, row[seen], place[seen])
    sold[np.arange(count)[None, :] < first[:, None]] = np.nan
    return sold
