"""Plans on the panel's grid: promotions, events, prices, quantities, covariates, and since when they stand.

It owns what a plan says of a cell; `reach` says which cells a plan row covers. Where several rows state a
price or a covariate of one day, or an event of one cell, the most specific row is right, of equals the last.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from forecasting.reach import (
    ALWAYS,
    Grid,
    classes_of,
    deepest,
    mean_stated,
    paint,
    reach_of,
    spread,
)

PLAN_COLUMNS = [
    "date", "start", "end", "sku", "location", "category",
    "promotion", "price", "event", "quantity", "known_from",
]  # fmt: skip


class Events(NamedTuple):
    """Named events, k distinct courses of them.

    names: what code 1, 2, … stands for
    code: (k, T + H) int16, 0 without an event
    known: (k, T + H) int16 number of the period at whose end the event was known; -1 always
    of_series: (n,) which course each series follows
    """

    names: tuple[str, ...]
    code: np.ndarray
    known: np.ndarray
    of_series: np.ndarray


def known_plans(plans: pd.DataFrame | None, as_of_end: pd.Timestamp) -> pd.DataFrame:
    """The plan rows that were known by the end of a date; later ones must not even lend their names."""
    if plans is None:
        return pd.DataFrame()
    if "known_from" not in plans:
        return plans.reset_index(drop=True)
    later = pd.to_datetime(plans["known_from"]) > as_of_end
    return plans[~later].reset_index(drop=True)


def promotions(
    plans: pd.DataFrame, grid: Grid, recorded: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Promotion as it happened (n, T), as planned (n, T + H), and since when the plan was known.

    recorded: (n, T) depth in the demand rows, NaN where they say nothing

    Of several plans for a day the deepest counts, and a cell has the mean of its days. A recorded promotion
    without a plan row counts as planned where plans begin only after the history (then they simply were not
    kept), and as a surprise else: a model must not expect at a past origin what no plan could have told it.
    """
    plan, share = np.zeros((2, *grid.shape), dtype=np.float32)
    known = np.full(grid.shape, ALWAYS, dtype=np.int16)
    rows = _with(plans, "promotion")
    if len(rows):
        plan, share, known = deepest(rows["promotion"].to_numpy(dtype=float), reach_of(rows, grid), grid)
    covered = share > 0.0
    past = slice(0, grid.length)
    happened = np.where(np.isfinite(recorded), recorded, plan[:, past])
    unplanned = (happened > 0) & ~covered[:, past]
    kept = covered[:, past].any() and covered[:, past][happened > 0].mean() > 0.5
    ahead = covered[:, grid.length :].any()
    np.copyto(plan[:, past], happened, where=unplanned)
    if kept or not ahead:
        np.copyto(known[:, past], np.arange(grid.length, dtype=np.int16), where=unplanned)
    return happened, plan, known


def events(plans: pd.DataFrame, grid: Grid) -> Events:
    """Every row that names an event, also the kind of a promotion, on the cells that it covers."""
    rows = plans[_words(plans["event"]) != ""] if "event" in plans else plans[:0]
    rows = rows.reset_index(drop=True)
    few, of_series = classes_of(rows, grid)
    words = _words(rows["event"]) if len(rows) else pd.Series(dtype="str")
    names = tuple(sorted(words.unique()))
    code = np.zeros(few.shape, dtype=np.int16)
    known = np.full(few.shape, ALWAYS, dtype=np.int16)
    if names:
        numbers = np.searchsorted(np.array(names, dtype=object), words.to_numpy(dtype=object)) + 1
        reach = reach_of(rows, few)
        paint(numbers.astype(np.int16), reach, code)
        paint(reach.known, reach, known)
    return Events(names, code, known, of_series)


def _words(column: pd.Series) -> "pd.Series[str]":
    return column.astype("str").fillna("").str.strip()


def prices(plans: pd.DataFrame, grid: Grid, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Price per cell (n, T + H), the last known carried on; since when; whether plans state any ahead.

    The second, since when it was known, is empty, (0, 0), where no plan says when it was announced.
    """
    price = np.full(grid.shape, np.nan, dtype=np.float32)
    known = np.empty((0, 0), dtype=np.int16)
    rows = _with(plans, "price")
    rows = rows[rows["price"] > 0].reset_index(drop=True) if len(rows) else rows
    if len(rows):
        price, since = mean_stated(rows["price"].to_numpy(), reach_of(rows, grid), grid)
        known = since if (since != ALWAYS).any() else known
    planned = bool(np.isfinite(price[:, grid.length :]).any())
    past = price[:, : grid.length]
    np.copyto(past, recorded, where=np.isfinite(recorded))
    _carry_on(price, known)
    return price, known, planned


@njit(cache=True, nogil=True)
def _carry_on(values: np.ndarray, known: np.ndarray) -> None:
    """Each row's last finite value in place of NaN, with since when it was known, where that is told."""
    for i in range(values.shape[0]):
        for t in range(1, values.shape[1]):
            if np.isnan(values[i, t]):
                values[i, t] = values[i, t - 1]
                if len(known):
                    known[i, t] = known[i, t - 1]


def quantities(plans: pd.DataFrame, grid: Grid) -> np.ndarray:
    """(n, H) float32 units planned per period; a row without a sku plans nothing in particular."""
    total = np.zeros(grid.shape, dtype=np.float32)
    rows = _with(plans, "quantity")
    rows = rows[rows["sku"].notna()].reset_index(drop=True) if "sku" in rows else rows[:0]
    if len(rows):
        spread(rows["quantity"].to_numpy(dtype=float), reach_of(rows, grid), total)
    return np.ascontiguousarray(total[:, grid.length :])


def covariates(
    plans: pd.DataFrame, grid: Grid, mean: Callable[[str], np.ndarray], names: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Each covariate (n, T + H), NaN where not known, and for how many periods ahead plans give it.

    mean: gives a demand column on the grid, (n, T); what is recorded there goes before what was planned
    names: covariates of the demand rows; those of the plans are found here

    A covariate that no plan gives beyond the history is not among the second: it is known when it is over.
    """
    found, ahead = {}, {}
    planned = [
        name
        for name in plans.columns.difference(PLAN_COLUMNS)
        if pd.api.types.is_numeric_dtype(plans[name]) and plans[name].notna().any()
    ]
    for name in dict.fromkeys([*names, *planned]):
        values = np.full(grid.shape, np.nan, dtype=np.float32)
        rows = _with(plans, name)
        if len(rows):
            values, _ = mean_stated(rows[name].to_numpy(), reach_of(rows, grid), grid)
        future = np.flatnonzero(np.isfinite(values[:, grid.length :]).any(axis=0))
        if len(future):
            ahead[name] = int(future[-1]) + 1
        recorded = mean(name)
        np.copyto(values[:, : grid.length], recorded, where=np.isfinite(recorded))
        found[name] = values
    return found, ahead


def _with(plans: pd.DataFrame, column: str) -> pd.DataFrame:
    """Plan rows that state a value in `column`."""
    if column not in plans:
        return pd.DataFrame()
    value = pd.Series(pd.to_numeric(plans[column], errors="coerce"))
    rows = plans.assign(**{column: value})
    return rows[value.notna()].reset_index(drop=True)
