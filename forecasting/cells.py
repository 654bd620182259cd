"""Demand rows on the panel's grid: which pair of sku and location a row is of, and which cell it falls into.

It owns how many rows become one dense array; it works on whole numbers, for rows may be a hundred million.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

PAIR = ["sku", "location"]


@dataclass(frozen=True)
class Pairs:
    """The distinct pairs of sku and location among rows.

    keys: (p,) frame of sku and location, in no particular order
    of_row: (rows,) int64 number of each row's pair
    """

    keys: pd.DataFrame
    of_row: np.ndarray


def pairs_of(rows: pd.DataFrame) -> Pairs:
    """Pairs of the rows; fastest where sku and location are categorical.

    >>> rows = pd.DataFrame({"sku": ["b", "a", "b"], "location": ["x", "x", "x"]})
    >>> pairs_of(rows).keys["sku"].tolist(), pairs_of(rows).of_row.tolist()
    (['b', 'a'], [0, 1, 0])
    """
    (sku, skus), (location, locations) = (_numbered(rows[name]) for name in PAIR)
    # In place: at 60 million rows each copy is half a gigabyte.
    sku = sku.astype(np.int64)
    sku *= max(len(locations), 1)
    sku += location
    of_row, found = pd.factorize(sku)
    first, second = np.divmod(np.asarray(found), max(len(locations), 1))
    keys = pd.DataFrame({"sku": skus.take(first), "location": locations.take(second)}).astype("str")
    return Pairs(keys, of_row)


def _numbered(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Number of each row's value, and the values."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column.cat.codes), column.cat.categories
    number, values = pd.factorize(column)
    return np.asarray(number), pd.Index(values)


class Cells:
    """Demand rows brought to n series × T periods: sums and means of their columns per cell.

    keys: (n,) frame of sku and location, sorted; every pair is among them
    step: (rows,) number of each row's period, 0 … T - 1
    length: number of periods, T
    """

    def __init__(
        self, keys: pd.DataFrame, demand: pd.DataFrame, pairs: Pairs, step: np.ndarray, length: int
    ) -> None:
        self.demand, self.shape = demand, (len(keys), length)
        series = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(pairs.keys))
        few = len(keys) * length < 2**31
        self._cell = series.astype(np.int32 if few else np.int64)[pairs.of_row]
        self._cell *= length
        self._cell += step

    def total(self, column: str) -> np.ndarray:
        """Sums per cell (n, T) float32, NaN where no row has a value."""
        return self._sum(self._values(column), -np.inf)[0]

    def mean(self, column: str) -> np.ndarray:
        """Means per cell (n, T) float32, NaN where no row has a value; a price of zero is no price."""
        total, count = self._sum(self._values(column), 0.0 if column == "price" else -np.inf)
        total /= np.maximum(count, 1, out=count)
        return total

    def _sum(self, values: np.ndarray, above: float) -> tuple[np.ndarray, np.ndarray]:
        total = np.full(self.shape, np.nan, dtype=np.float32)
        count = np.zeros(self.shape, dtype=np.uint16)
        if len(values):
            _add(self._cell, values, above, total.reshape(-1), count.reshape(-1))
        return total, count

    def _values(self, column: str) -> np.ndarray:
        if column not in self.demand:
            return np.empty(0)
        values = self.demand[column]
        if isinstance(values.dtype, np.dtype) and values.dtype.kind == "f":
            return values.to_numpy()
        return pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan)


@njit(cache=True, nogil=True)
def _add(cell: np.ndarray, values: np.ndarray, above: float, total: np.ndarray, count: np.ndarray) -> None:
    """Add the values that are finite and above a bound to their cells."""
    for k in range(len(cell)):
        if np.isfinite(values[k]) and values[k] > above:
            i = cell[k]
            total[i] = values[k] if count[i] == 0 else total[i] + values[k]
            count[i] += 1
