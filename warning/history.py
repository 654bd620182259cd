"""History: what happened to stock, demand and orders, as arrays that outcomes and KPIs are told from.

This module owns their shapes and units. Who gathers them decides what an empty shelf hid of demand.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ingestion.periods import Period
from warning.counterfactual import Orders

SERIES = ["sku", "location"]


@dataclass(frozen=True)
class History:
    """What happened to n series over T periods, as it is known today.

    keys: (n,) frame with sku, location; period: the clock; first: number of the first period
    wanted: (n, T) units asked for, estimated where the shelf was empty; NaN = nobody knows
    expected: (n, T) units that one who knew season, prices and promotions had to expect; where nobody knows
        it, those asked for
    available: (n, T) units on the shelf at the end of each period, less what was reserved; NaN = nobody knows
    short: (n, T) whether demand went unmet
    seen: (n, T) whether the series was watched with fresh data at the end of each period
    orders: supply orders; due: (k,) period at whose start each was promised or else usual
    lead, review: (n,) periods; backorder: (n,) whether unmet demand waits
    lots: sku, location, as_of (period number), quantity, expires (period number of the last day of sale)
    """

    keys: pd.DataFrame
    period: Period
    first: int
    wanted: np.ndarray
    expected: np.ndarray
    available: np.ndarray
    short: np.ndarray
    seen: np.ndarray
    orders: Orders
    due: np.ndarray
    lead: np.ndarray
    review: np.ndarray
    backorder: np.ndarray
    lots: pd.DataFrame

    @property
    def periods(self) -> int:
        """T."""
        return self.wanted.shape[1]

    def row(self, frame: pd.DataFrame) -> np.ndarray:
        """(rows,) series of each row with sku and location; -1 where there is none."""
        return pd.MultiIndex.from_frame(self.keys[SERIES]).get_indexer(
            pd.MultiIndex.from_frame(frame[SERIES].astype(str))
        )

    def column(self, dates: pd.Series) -> np.ndarray:
        """(rows,) period of each date, counted from the first; T where there is none."""
        known = dates.notna().to_numpy()
        out = np.full(len(dates), self.periods, dtype=np.int64)
        out[known] = self.period.index(pd.DatetimeIndex(dates[known])) - self.first
        return out
