"""Lead times from words instead of receipts: what a contract or a default promises, with an honest spread."""

import numpy as np
import pandas as pd
from scipy.stats import gamma

from ingestion.errors import Problem
from ingestion.periods import Period

SPREAD = 0.3  # standard deviation over mean where no receipts tell it
FEW = 20  # receipts beyond the first of each lane
TAIL = 1e-4
MOST = 3660  # periods; a longer lead time is not planned for


def promised_pmf(days: np.ndarray, sd_days: np.ndarray, period: Period) -> tuple[np.ndarray, np.ndarray]:
    """(u, width) chance of each whole number of periods, for gamma lead times rounded up; (m,) row of each.

    days, sd_days: (m,) mean and standard deviation; a deviation of 0 is a certain lead time

    >>> [found.tolist() for found in promised_pmf(np.array([14.0] * 2), np.zeros(2), Period("week"))]
    [[[0.0, 0.0, 1.0]], [0, 0]]
    >>> promised_pmf(np.array([3.0]), np.array([1.0]), Period("day"))[0][0, :5].round(3).tolist()
    [0.0, 0.004, 0.149, 0.392, 0.301]
    """
    terms = np.stack([np.asarray(days, dtype=float), np.asarray(sd_days, dtype=float)], axis=1)
    terms, which = np.unique(terms, axis=0, return_inverse=True)  # few contracts differ
    days, sd_days = terms.T
    certain = (sd_days <= 0) | (days <= 0)
    shape = np.where(certain, 1.0, (days / np.where(certain, 1.0, sd_days)) ** 2)
    scale = np.where(certain, 1.0, days / shape)
    fixed = np.minimum(period.from_days(np.maximum(days, 0.0)), MOST)
    last = np.where(certain, fixed, period.from_days(gamma.ppf(1.0 - TAIL, shape, scale=scale)))
    columns = int(min(last.max(initial=0) + 1, MOST + 1))
    edges = np.arange(columns) * period.longest
    cdf = gamma.cdf(edges[None, :], shape[:, None], scale=scale[:, None])
    cdf[:, -1] = 1.0
    pmf = np.diff(cdf, axis=1, prepend=0.0)
    pmf[certain] = np.arange(columns) == fixed[certain, None]
    return pmf, which.ravel()


def read_terms(sourcing: pd.DataFrame, default_days: float, spread: float) -> pd.DataFrame:
    """What `sourcing` promises, row by row: sku, location, supplier, days, sd, certain, contract, word.

    default_days: mean lead time of rows without lead_time_days
    spread: standard deviation over mean, for rows without lead_time_sd_days
    """
    if not 0 <= default_days < MOST:
        raise Problem(f"the default lead time must lie in [0, {MOST}) days, got {default_days!r}; give days")
    columns = ["sku", "location", "supplier", "lead_time_days", "lead_time_sd_days"]
    rows = sourcing.reindex(columns=columns).reset_index(drop=True)
    told = pd.to_numeric(rows["lead_time_days"]).astype(float)
    told = told.where((told >= 0) & (told < MOST))
    days = told.fillna(default_days)
    sd = pd.to_numeric(rows["lead_time_sd_days"]).astype(float).where(told.notna()).fillna(spread * days)
    certain = told.notna() & (sd <= 0)
    word = np.where(certain, "contract, certain", np.where(told.notna(), "contract", "default"))
    keys = rows[["sku", "location", "supplier"]]
    return keys.assign(days=days, sd=sd, certain=certain, contract=told.notna(), word=word)


def spread_of(rows: pd.DataFrame) -> float:
    """Standard deviation over mean of lead times on one lane, from receipts; SPREAD where they are few.

    rows: observations with supplier, location, periods, received, weight
    """
    came = rows[rows["received"]]
    lanes = came.groupby(["supplier", "location"])
    free = len(came) - lanes.ngroups
    if free < FEW:
        return SPREAD
    logs = np.log(came["periods"].to_numpy(dtype=float).clip(min=0.5))
    lane = lanes.ngroup().to_numpy()
    mean = np.bincount(lane, logs) / np.bincount(lane)
    variance = float(((logs - mean[lane]) ** 2).sum()) / free
    return float(np.sqrt(np.expm1(min(variance, 1.0))))
