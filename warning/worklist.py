"""The worklist: what each owner takes up today, what waits, and what belongs together.

This module owns attention. An owner is brought no more new alerts on a day than the capacity allows, the most
money at risk first; the rest waits in the queue until tomorrow, or until it is looked up. Alerts with one
supplier and one place are one group, for one call or one order settles them.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from warning.alerts import rank
from warning.kinds import TIERS
from warning.silences import Silence, covering

NOW, QUEUED, SILENCED = "now", "queued", "silenced"
ATTENTION = ("attention", "attention_on", "muted")
URGENT = 2  # capacities that critical alerts may use up: they seldom can wait until tomorrow


def attend(
    alerts: pd.DataFrame,
    silences: Sequence[Silence],
    capacity: Mapping[str, int],
    today: date,
    at: datetime,
) -> pd.DataFrame:
    """What each unresolved alert gets: ATTENTION, row by row.

    alerts: with owner, tier, money_at_risk, units_at_risk, rank's other columns, what silences select by, and
        the attention and attention_on that they have
    capacity: owner → new alerts a day; who is not named takes all
    attention: now; queued, beyond the owner's capacity; or silenced. What is `now` stays so, unless silenced
    attention_on: business date on which it was brought to its owner
    muted: why its owner is not told; "" where the owner is
    """
    quiet = covering(alerts, silences, at)
    hushed = pd.notna(quiet)
    before = alerts["attention"].to_numpy(dtype=object)
    waits = (before != NOW) & ~hushed
    given = (alerts["attention_on"] == today).to_numpy()
    owner = alerts["owner"].fillna("").to_numpy(dtype=object)
    chosen = np.zeros(len(alerts), dtype=bool)
    for name in dict.fromkeys(owner[waits]):
        mine = owner == name
        used = int((mine & given).sum())
        order = _in_rank(alerts, np.flatnonzero(mine & waits))
        chosen[_within(alerts, order, capacity.get(name), used)] = True
    left = waits & ~chosen
    beyond = [f"queued: beyond the {capacity.get(name)} alerts a day that {name} takes up" for name in owner]
    attention = np.where(hushed, SILENCED, np.where(left, QUEUED, NOW)).astype(object)
    muted = np.where(hushed, quiet, np.where(left, beyond, "")).astype(object)
    since = alerts["attention_on"].astype(object).to_numpy(copy=True)
    since[chosen] = today
    return pd.DataFrame(dict(zip(ATTENTION, (attention, since, muted), strict=True)), index=alerts.index)


def groups(alerts: pd.DataFrame) -> pd.DataFrame:
    """What belongs together: location, supplier, alerts, tier (the worst), money_at_risk, worst (alert_id).

    alerts: in the order of `rank`; a group's place is its money's. Unknown money counts as none.
    """
    keyed = alerts.assign(
        supplier=alerts["supplier"].fillna(""),
        money=alerts["money_at_risk"].fillna(0.0),
        severity=alerts["tier"].map(TIERS.index),
    )
    found = keyed.groupby(["location", "supplier"], sort=False, as_index=False).agg(
        alerts=("alert_id", "size"),
        severity=("severity", "max"),
        money_at_risk=("money", "sum"),
        worst=("alert_id", "first"),
    )
    found = found.assign(tier=[TIERS[place] for place in found["severity"]])
    columns = ["location", "supplier", "alerts", "tier", "money_at_risk", "worst"]
    return found.sort_values("money_at_risk", ascending=False, kind="stable")[columns].reset_index(drop=True)


def _in_rank(alerts: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """The same rows in the order they deserve work."""
    return rank(alerts.iloc[rows].assign(row=rows))["row"].to_numpy(dtype=np.int64)


def _within(alerts: pd.DataFrame, order: np.ndarray, capacity: int | None, used: int) -> np.ndarray:
    """Of the waiting rows in their order, those that today's capacity still allows."""
    if capacity is None:
        return order
    first = order[: max(capacity - used, 0)]
    rest = order[len(first) :]
    critical = rest[(alerts["tier"].iloc[rest] == "critical").to_numpy()]
    more = max(URGENT * capacity - used - len(first), 0)
    return np.concatenate([first, critical[:more]])
