"""Trial: what settings of the shortage rules would have been worth over past days, segment by segment.

This module owns the figures that settings are compared by: alerts a day, hits, false and missed, and what
these cost. The alerts come from `warning.sweep`, their outcomes from `warning.judging`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from warning.history import SERIES, History
from warning.judging import judge
from warning.sweep import Readings, Setting, fire

JUDGED = ("hit", "late", "false", "missed")
DAY = np.timedelta64(1, "D")
WARM_UP = 14.0  # days in which what stood already opens; they are played and not counted


class Stakes(NamedTuple):
    """What outcomes cost. pace: (n,) units wanted a period; worth: (n,) money lost with each that is not
    sold;
    per_alert: money that looking into a false alert takes.
    holding: (n,) money per unit and period; target: (n,) service that levels are told for, NaN where they are
    told for something else. Empty where no target is to be tried.
    """

    pace: np.ndarray
    worth: np.ndarray
    per_alert: float
    holding: np.ndarray = np.empty(0)
    target: np.ndarray = np.empty(0)


@dataclass(frozen=True)
class Past:
    """What to try settings on: what the rules read, what happened, and what is at stake.

    readings, history, stakes: of the same n series
    segments: (n,) label of the segment that each series belongs to; "" = none
    """

    readings: Readings
    history: History
    segments: np.ndarray
    stakes: Stakes

    @property
    def counted(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First and last date that count: those after the warm-up."""
        first, last = self.readings.dates[0], self.readings.dates[-1]
        return min(first + pd.Timedelta(days=WARM_UP), last), last


class Tried(NamedTuple):
    """What settings would have done on the days that count.

    warnings: one row per warning of a shortage that was open and was judged: sku, location, segment,
        opened_on, outcome, missed (too late or not at all, though somebody could have been told in time),
        cost (of a false alert the work; of a miss what is not sold while it comes too late)
    days: (n,) days for which each series had an alert open, whenever that had opened: what stays open for
        long is no less of a burden than what comes often
    segments: (n,) as in Past
    """

    warnings: pd.DataFrame
    days: np.ndarray
    segments: np.ndarray

    def within(self, segments: Collection[str]) -> "Tried":
        """Only what is about the series of some segments."""
        mine = np.isin(self.segments, list(segments))
        rows = self.warnings["segment"].isin(segments)
        return Tried(self.warnings[rows], np.where(mine, self.days, 0.0), self.segments)


def try_settings(past: Past, settings: Mapping[str, Setting] | None = None) -> Tried:
    """What settings of rules, by name, would have done; a rule that is not named stays as it is."""
    fired = fire(past.readings, settings)
    found = judge(fired, past.history).outcomes
    first, last = past.counted
    end = fired["resolved_on"].fillna(last + pd.Timedelta(days=1))
    # What opened before counts if it is open still, so that never to end is no way to be forgotten.
    ends = dict(zip(fired["alert_id"], end, strict=True))
    spoken = zip(found["alert_id"], pd.to_datetime(found["opened_on"]), strict=True)
    ended = pd.Series([ends.get(*one) for one in spoken], index=found.index, dtype="datetime64[ns]")
    ended = ended.groupby(found["chain"]).transform("max")
    counts = (found["alert_id"] == found["chain"]) & found["outcome"].isin(JUDGED)
    found = found[counts & (ended >= first) & (pd.to_datetime(found["opened_on"]) <= last)]
    row = past.history.row(found)
    late = np.maximum((found["needed"] - found["time_left"].fillna(0.0)).to_numpy(dtype=float), 0.0)
    loss = late * past.stakes.pace[row] * past.stakes.worth[row]
    missed = found["avoidable"].to_numpy(dtype=bool)
    work = np.where(found["outcome"] == "false", past.stakes.per_alert, 0.0)
    warnings = found[[*SERIES, "opened_on", "outcome"]].assign(
        segment=past.segments[row], missed=missed, cost=work + np.where(missed, np.nan_to_num(loss), 0.0)
    )
    begin = np.maximum(fired["opened_on"].to_numpy(), first.to_datetime64())
    open_for = np.maximum((end.to_numpy() - begin) / DAY, 0.0)
    days = np.bincount(past.history.row(fired), weights=open_for, minlength=len(past.segments))
    return Tried(warnings, days, past.segments)


def figures(tried: Tried, days: float) -> dict[str, float]:
    """Alerts a day and open at once, how many of each outcome, and their cost in money.

    days: over which they opened
    """
    labels = tried.warnings["outcome"]
    count: dict[str, float] = {name: int((labels == name).sum()) for name in ("hit", "late", "false")}
    return {
        "alerts_a_day": round(int((labels != "missed").sum()) / max(days, 1.0), 3),
        "open": round(float(tried.days.sum()) / max(days, 1.0), 2),
        **count,
        "missed": int(tried.warnings["missed"].sum()),
        "cost": round(float(tried.warnings["cost"].sum()), 2),
    }
