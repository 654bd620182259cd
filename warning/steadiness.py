"""Steadiness: what keeps a wavering measure from opening alert after alert.

This module owns the two waits around an alert's life: pending, for which a breach must last before it opens,
and cooldown, within which a cause that returns is the same alert again. The third, hysteresis, holds a tier
while the measure is near its bound (`warning.grading`). What a person resolved is believed for the cooldown,
unless it gets worse.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from warning.facts import IDENTITY
from warning.kinds import TIERS
from warning.rules import Rule

PENDING = ("rule", *IDENTITY, "since")
ENDED = (
    *("alert_id", "rule", *IDENTITY, "tier", "state", "opened_on", "resolved_on", "resolution"),
)  # of alerts that are over
BY_HAND = "by hand"  # the resolution of what a person resolved
FINAL = "reviewed"  # a state after which a cause that returns is a new alert


def _none(columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})


@dataclass(frozen=True)
class Past:
    """What an evaluation must know of earlier ones, beside the alerts that are open.

    pending: rule, sku, location, about, since: breaches that have not lasted long enough yet
    ended: alerts that are over (ENDED), at least those of the longest cooldown
    """

    pending: pd.DataFrame = field(default_factory=lambda: _none(PENDING))
    ended: pd.DataFrame = field(default_factory=lambda: _none(ENDED))


@dataclass(frozen=True)
class Waits:
    """One rule's past at each of n positions.

    since: (n,) date on which the breach began, NaT where there was none
    over: (n,) row in `ended` of the alert that cools down, -1 where there is none
    settled: (n,) tier up to which a person has settled it, 0 = none
    """

    since: np.ndarray
    over: np.ndarray
    settled: np.ndarray
    ended: pd.DataFrame


def waits_of(rule: Rule, past: Past, index: pd.MultiIndex, today: pd.Timestamp) -> Waits:
    """What the past says of a rule at each position.

    index: IDENTITY of the n positions
    """
    since = np.full(len(index), np.datetime64("NaT", "ns"))
    over = np.full(len(index), -1)
    settled = np.zeros(len(index), dtype=np.int8)
    if past.pending.empty and past.ended.empty:
        return Waits(since, over, settled, past.ended)
    waiting = past.pending[(past.pending["rule"] == rule.name).to_numpy()]
    place = rows_in(index, waiting)
    begun = pd.to_datetime(waiting["since"]).to_numpy(dtype="datetime64[ns]")
    since[place[place >= 0]] = begun[place >= 0]
    ended = past.ended[(past.ended["rule"] == rule.name).to_numpy()]
    ended = ended.assign(resolved_on=pd.to_datetime(ended["resolved_on"]))
    ended = ended[(ended["resolved_on"] + pd.Timedelta(days=rule.cooldown_days) >= today).to_numpy()]
    ended = ended.sort_values("resolved_on", kind="stable").reset_index(drop=True)
    if rule.cooldown_days:
        place = rows_in(index, ended)
        by_hand = (ended["resolution"] == BY_HAND).to_numpy()
        returns = ~by_hand & (ended["state"] != FINAL).to_numpy() & (place >= 0)
        over[place[returns]] = np.flatnonzero(returns)  # of several the last to end
        held = by_hand & (place >= 0)
        settled[place[held]] = ended["tier"].map(TIERS.index).to_numpy()[held] + 1
    return Waits(since, over, settled, ended)


def ripe(rule: Rule, breach: np.ndarray, tier: np.ndarray, waits: Waits, today: pd.Timestamp) -> np.ndarray:
    """(n,) breaches that have lasted long enough to open, or whose alert only cools down.

    tier: (n,) that each would open with; what a person settled opens only if worse
    """
    since = np.where(np.isnat(waits.since), today.to_datetime64(), waits.since)
    long = today.to_datetime64() - since >= np.timedelta64(rule.pending_days, "D")
    return breach & (tier > waits.settled) & (long | (waits.over >= 0))


def still_pending(
    rule: Rule, facts: pd.DataFrame, pending: np.ndarray, waits: Waits, today: pd.Timestamp
) -> pd.DataFrame:
    """PENDING of the (n,) breaches that must last longer."""
    rows = np.flatnonzero(pending)
    since = np.where(np.isnat(waits.since[rows]), today.to_datetime64(), waits.since[rows])
    return facts.iloc[rows][list(IDENTITY)].assign(rule=rule.name, since=since)[list(PENDING)]


def rows_in(index: pd.MultiIndex, frame: pd.DataFrame) -> np.ndarray:
    """(rows,) place of each row of a frame with IDENTITY in the index, -1 where there is none."""
    if frame.empty or not len(index):
        return np.full(len(frame), -1)
    keys = frame[list(IDENTITY)].astype(object)
    return index.get_indexer(pd.MultiIndex.from_frame(keys.where(keys.notna(), "").astype(str)))
