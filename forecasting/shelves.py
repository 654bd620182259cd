"""What no row means, and what an empty or half-empty shelf hides: recorded sales become demand.

It owns the three ways to treat hidden demand. Empty shelves sell nothing; learning that as zero demand causes
the next stockout.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cells import PAIR
from ingestion.errors import Problem

ABSENT = ("zero", "closed", "missing")
HIDDEN = ("mask", "impute", "ignore")
# Below this share of the period on the shelf, what was sold says too little. Above it sales are divided by
# the root of the share: shelves empty late in a day that was already a good one, so that dividing by the
# share itself would count the best hours of the best days twice.
LEAST_IN_STOCK = 0.5
# Where less is usual, in smallest sales a period, a sale itself empties the shelf: leaving such periods out
# would leave out the sales and keep the zeros.
RARE = 3.0
# Periods differ in how busy they are, as if by a gamma factor of this shape. Measured on simulated stockouts
# of known demand: with 1 what is completed comes out 3% too high where shelves are often empty, with 3 it
# comes out 6% too low where they rarely are.
SHAPE = 2.0
MEMORY = 28.0  # days in which the weight of what was usual falls to 1/e
# Sundays, holidays and a week between them come again each year. A place that is shut for longer is rebuilt:
# what it does not sell then says nothing of the next year.
LONG_SHUT = 14.0  # days


class Shelves(NamedTuple):
    """Demand with its gaps; arrays as in `Panel`."""

    quantity: np.ndarray
    sold: np.ndarray
    in_stock: np.ndarray
    closed: np.ndarray
    first: np.ndarray


def check_words(absent: str | pd.DataFrame, hidden: str) -> None:
    """Refuse words for absent rows or hidden demand that mean nothing."""
    said = {absent} if isinstance(absent, str) else set(absent["absent"])
    for name, words, known in (("absent", said, ABSENT), ("hidden", {hidden}, HIDDEN)):
        for word in words - set(known):
            raise Problem(
                f"{name} must be one of {', '.join(known)}, got {word!r}; mend it in forestock.toml"
            )


def absent_of(keys: pd.DataFrame, absent: str | pd.DataFrame) -> np.ndarray:
    """(n,) what no row means for each series; zero where a frame does not say."""
    if isinstance(absent, str):
        return np.full(len(keys), absent, dtype=object)
    return keys.merge(absent, on=PAIR, how="left")["absent"].fillna("zero").to_numpy(dtype=object)


def demand_of(
    sold: np.ndarray, in_stock: np.ndarray, absent: np.ndarray, hidden: str, memory: float
) -> Shelves:
    """Demand from sales.

    sold: (n, T) units as recorded, NaN without a row; changed in place
    in_stock: (n, T) share of the period on the shelf, NaN where it was not recorded; changed in place
    absent: (n,) what no row means after the series' first: "zero", "closed" or "missing"
    hidden: what becomes of demand that met an empty shelf: "mask": it is missing, save in periods mostly in
        stock, which are scaled up; "impute": the part out of stock gets what was usual before; "ignore":
        sales are taken for demand
    memory: periods in which the weight of what was usual falls to 1/e
    """
    recorded = np.isfinite(sold)
    length = sold.shape[1]
    first = np.where(recorded.any(axis=1), recorded.argmax(axis=1), length).astype(np.int64)
    gap = ~recorded & (np.arange(length) >= first[:, None])
    np.copyto(sold, np.float32(0.0), where=gap & (absent != "missing")[:, None])
    np.copyto(in_stock, np.float32(1.0), where=~np.isfinite(in_stock) | ~recorded)
    np.clip(in_stock, 0.0, 1.0, out=in_stock)
    quantity = sold.copy()
    if hidden != "ignore":
        _complete(quantity, in_stock, hidden == "impute", np.exp(-1.0 / memory))
    closed = gap & (absent == "closed")[:, None]
    if closed.any():
        # Its first days stay as they are: nobody knew then how long it would be.
        _forget(quantity, closed, max(round(LONG_SHUT * memory / MEMORY), 1))
    return Shelves(quantity, sold, in_stock, closed, first)


@njit(cache=True, nogil=True)
def _forget(quantity: np.ndarray, closed: np.ndarray, most: int) -> None:
    """What is shut for longer than `most` periods in a row is not observed from then on, in place."""
    for i in range(closed.shape[0]):
        run = 0
        for t in range(closed.shape[1]):
            run = run + 1 if closed[i, t] else 0
            if run > most:
                quantity[i, t] = np.nan


@njit(cache=True, nogil=True)
def _complete(quantity: np.ndarray, in_stock: np.ndarray, impute: bool, keep: float) -> None:
    """Sales of periods partly or fully out of stock become demand or NaN, in place.

    With usual demand of m customers and a gamma factor of shape a for how busy the period is, a share s that
    sold to q leaves a factor of mean (a + q) / (a + m s), so that the rest expects (1 - s) m times that. A
    customer takes the smallest quantity ever sold. Only what was before the period is used: a panel cut back
    equals one built then.
    """
    for i in range(quantity.shape[0]):
        total, weight, least = 0.0, 0.0, np.inf
        for t in range(quantity.shape[1]):
            sold, share = quantity[i, t], in_stock[i, t]
            if not np.isfinite(sold):
                continue
            if sold > 0.0:
                least = min(least, sold)
            if share < 1.0:
                usual = total / weight if weight > 0.0 else np.inf
                rare = share > 0.0 and usual < RARE * least
                if usual < np.inf and (impute or (rare and share < LEAST_IN_STOCK)):
                    busy = (SHAPE + sold / least) / (SHAPE + usual * share / least)
                    quantity[i, t] = sold + (1.0 - share) * usual * busy
                else:
                    quantity[i, t] = sold / np.sqrt(share) if share >= LEAST_IN_STOCK else np.nan
            total = keep * total + sold
            weight = keep * weight + share
