"""Trial: what settings of the shortage rules would have been worth over past days, segment by segment.

This module owns the figures that settings are compared by: alerts a day, hits, false and missed, and what
these cost. The alerts come from `warning.sweep`, their outcomes from `warning.judging`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from warning.history import SERIES, History
from warning.judging import judge
from warning.sweep import Readings, Setting, fire

JUDGED = ("hit", "late", "false", "missed")
WARM_UP = 14.0  # days in which what stood already opens; they are played and not counted


class Stakes(NamedTuple):
    """What outcomes cost. pace: (n,) units wanted a period; worth: (n,) money lost with each that is not
    sold;
    per_alert: money that looking into a false alert takes.
    """

    pace: np.ndarray
    worth: np.ndarray
    per_alert: float


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
        """First and last date of openings that count: those after the warm-up."""
        first, last = self.readings.dates[0], self.readings.dates[-1]
        return min(first + pd.Timedelta(days=WARM_UP), last), last


def try_settings(past: Past, settings: Mapping[str, Setting] | None = None) -> pd.DataFrame:
    """One row per warning of a shortage that was judged: sku, location, segment, opened_on, outcome, missed,
    cost.

    settings: of rules by name, other than they are
    missed: whether it came too late or not at all, though somebody could have been told in time
    cost: of a false alert, the work; of a miss, what is not sold while it comes too late
    """
    found = judge(fire(past.readings, settings), past.history).outcomes
    first, last = past.counted
    opened = pd.to_datetime(found["opened_on"])
    counts = (found["alert_id"] == found["chain"]) & found["outcome"].isin(JUDGED)
    found = found[counts & (opened >= first) & (opened <= last)]
    row = past.history.row(found)
    late = np.maximum((found["needed"] - found["time_left"].fillna(0.0)).to_numpy(dtype=float), 0.0)
    loss = late * past.stakes.pace[row] * past.stakes.worth[row]
    missed = found["avoidable"].to_numpy(dtype=bool)
    work = np.where(found["outcome"] == "false", past.stakes.per_alert, 0.0)
    return found[[*SERIES, "opened_on", "outcome"]].assign(
        segment=past.segments[row], missed=missed, cost=work + np.where(missed, np.nan_to_num(loss), 0.0)
    )


def figures(tried: pd.DataFrame, days: float) -> dict[str, float]:
    """The figures of some warnings: alerts a day, how many of each outcome, and their cost in money.

    tried: rows of `try_settings`; days: over which they opened
    """
    spoken = tried[tried["outcome"] != "missed"]
    count: dict[str, float] = {
        name: int((tried["outcome"] == name).sum()) for name in ("hit", "late", "false")
    }
    return {
        "alerts_a_day": round(len(spoken) / max(days, 1.0), 3),
        **count,
        "missed": int(tried["missed"].sum()),
        "cost": round(float(tried["cost"].sum()), 2),
    }
