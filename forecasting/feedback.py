"""Feedback in the training data: demand that was corrected, and events that planners told of.

It owns what a row of feedback changes before the panel is laid out. An override changes nothing: it is kept,
and `value_added` scores it once its periods are over. Subjects are written as `ingestion.subjects` says.
"""

import hashlib
import logging
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ingestion.periods import Period
from ingestion.subjects import EVERY, cells_of, quantities_of

PAIR = ["sku", "location"]
CELL = [*PAIR, "step"]
TRAINS = ("demand_correction", "event_tag")  # kinds that change what a model learns from

log = logging.getLogger(__name__)


class Learned(NamedTuple):
    """Feedback that a model learns from: a digest of twelve hexadecimal digits, "" of none, and its rows."""

    digest: str
    rows: int


def known_feedback(feedback: pd.DataFrame, period: Period, as_of: pd.Timestamp) -> pd.DataFrame:
    """Rows about cells that were written by the end of the period of `as_of`, in the order of writing.

    Beside the contract's columns: sku, location, start and end of the subject. Of rows of one kind about one
    subject the last stands.
    """
    rows = feedback[(feedback["kind"] != "verdict") & (feedback["at"] <= period.end(as_of))]
    rows = rows.sort_values("at", kind="stable").drop_duplicates(["kind", "subject"], keep="last")
    rows = rows.reset_index(drop=True)
    return pd.concat([rows, cells_of(rows["subject"])], axis=1)


def learned_from(feedback: pd.DataFrame, period: Period, as_of: pd.Timestamp) -> Learned:
    """The feedback that changes the training data, as known at the end of the period of `as_of`."""
    rows = known_feedback(feedback, period, as_of)
    rows = rows.loc[rows["kind"].isin(TRAINS), ["kind", "subject", "value", "at"]]
    said = rows.sort_values(["kind", "subject"], ignore_index=True).to_csv(index=False)
    return Learned(hashlib.sha256(said.encode()).hexdigest()[:12] if len(rows) else "", len(rows))


def apply_feedback(
    tables: Mapping[str, pd.DataFrame], period: Period, as_of: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    """The tables as feedback corrects them, as known at the end of the period of `as_of`; twice is as once.

    A demand correction sets the demand of its cell (a series in a period): its quantity, as if it had been on
    the shelf throughout, or missing. An event tag becomes a row of `plans`, known from the day it was
    written. A correction of a series without demand, or of a period before its first, changes nothing.
    """
    feedback = tables.get("feedback")
    if feedback is None or not len(feedback):
        return dict(tables)
    rows = known_feedback(feedback, period, as_of)
    corrections = rows[rows["kind"] == "demand_correction"]
    tags = rows[rows["kind"] == "event_tag"]
    changed = dict(tables)
    if len(corrections):
        changed["demand"] = _corrected(tables["demand"], corrections, period, as_of)
    if len(tags):
        changed["plans"] = _tagged(tables, tags)
    return changed


def _corrected(
    demand: pd.DataFrame, corrections: pd.DataFrame, period: Period, as_of: pd.Timestamp
) -> pd.DataFrame:
    cells = _cells(demand, corrections, period, int(period.index(as_of)[0]))
    step = period.index(demand["date"])
    inside = pd.MultiIndex.from_arrays([demand["sku"], demand["location"], step]).isin(
        pd.MultiIndex.from_frame(cells[CELL])
    )
    # A period may hold several records: the correction is of them all, what else they say is averaged.
    told = demand[inside].assign(step=step[inside])
    numbers = told.columns.difference([*CELL, "date", "quantity", "in_stock"])
    said = told.groupby(CELL, as_index=False)[["date"]].min()
    said = said.assign(**told.groupby(CELL, as_index=False)[list(numbers)].mean()[list(numbers)])
    new = cells.merge(said, on=CELL, how="left")
    new["date"] = new["date"].fillna(pd.Series(period.dates(new["step"].to_numpy()), index=new.index))
    whole = pd.concat([demand[~inside], new.drop(columns="step").astype({"date": demand["date"].dtype})])
    return whole.sort_values([*PAIR, "date"], kind="stable", ignore_index=True)


def _cells(demand: pd.DataFrame, corrections: pd.DataFrame, period: Period, last: int) -> pd.DataFrame:
    """Every cell that is corrected, once: sku, location, step (number of the period), quantity, in_stock."""
    first = demand.groupby(PAIR, as_index=False)[["date"]].min()
    first["first"] = period.index(first["date"])
    units = quantities_of(corrections["value"])
    rows = corrections.assign(
        row=np.arange(len(corrections)),
        low=period.index(corrections["start"]),
        high=np.minimum(period.index(corrections["end"]), last),
        quantity=np.nan_to_num(units),
        in_stock=np.isfinite(units).astype(float),
    )
    pairs = _series_of(rows[["row", *PAIR, "low", "high", "quantity", "in_stock"]], first)
    unmatched = len(rows) - pairs["row"].nunique()
    if unmatched:
        log.warning("%d demand corrections are about no series with demand; check their subjects", unmatched)
    low = pairs[["low", "first"]].max(axis=1).to_numpy()
    count = np.maximum(pairs["high"].to_numpy() - low + 1, 0)
    at = np.repeat(np.arange(len(pairs)), count)
    cells = pairs.iloc[at].assign(step=low[at] + np.arange(len(at)) - (np.cumsum(count) - count)[at])
    cells = cells.sort_values("row", kind="stable").drop_duplicates(CELL, keep="last")
    return cells[[*CELL, "quantity", "in_stock"]].reset_index(drop=True)


def _series_of(rows: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    """Pairs of each row and the series that it names, where `*` names every sku or location."""
    every = rows[PAIR] == EVERY
    pairs = []
    for pattern, part in rows.groupby([every["sku"], every["location"]], sort=True):
        named = [name for name, is_every in zip(PAIR, pattern, strict=True) if not is_every]
        about = part.drop(columns=[name for name in PAIR if name not in named])
        pairs.append(about.merge(series, on=named) if named else about.merge(series, how="cross"))
    return pd.concat(pairs, ignore_index=True)


def _tagged(tables: Mapping[str, pd.DataFrame], tags: pd.DataFrame) -> pd.DataFrame:
    """The plans with a row for each event tag; a tag must not make a series that nothing else knows."""
    plans = tables.get("plans", pd.DataFrame(columns=["start", "end", *PAIR, "event", "known_from"]))
    new = tags.assign(event=tags["value"], known_from=tags["at"])
    new = new[["start", "end", *PAIR, "event", "known_from"]]
    known = [table[PAIR].dropna() for table in (tables["demand"], plans) if set(PAIR) <= set(table)]
    series = pd.MultiIndex.from_frame(pd.concat(known).drop_duplicates())
    strange = ~(new[PAIR] == EVERY).any(axis=1) & ~pd.MultiIndex.from_frame(new[PAIR]).isin(series)
    if strange.any():
        log.warning("%d event tags are about no known series; check their subjects", strange.sum())
    new = new[~strange].assign(**{name: new[name].mask(new[name] == EVERY) for name in PAIR})
    kinds = {name: plans[name].dtype for name in new if name in plans and len(plans)}
    whole = pd.concat([plans, new.astype(kinds)], ignore_index=True) if len(plans) else new
    again = whole.duplicated() & (whole.index >= len(plans))  # plans of equal quantities are two plans
    return whole[~again].reset_index(drop=True)
