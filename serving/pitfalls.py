"""Pitfalls: how warning goes wrong although every figure is right, and the remedy.

It owns the checks of how alerts are worked: data that do not meet, alerts that belong to nobody, months that
nobody looked back on, and buying too much after too many alerts. Like `serving.doctor` it looks at what
others gather.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from serving.doctor import Finding

MEETING = 0.9  # share of the series of demand that a table of the same places must know
UNREVIEWED = 45.0  # days: a month, and two weeks to look back on it
BOUGHT, OVER = 10, 0.2  # shelves warned of as short; share of them that may hold too much since
PLANNER = "planner"  # who answers where the workspace names nobody


@dataclass(frozen=True)
class Working:
    """How alerts are worked; None or nothing = not looked at, and the check stays silent.

    known: table → share of the series of demand that it knows
    alerts: open alerts: owner, deadline; owners: whether the workspace names any
    first_alert: date of the first alert there was; last_review: when a month was looked back on last
    warned, over: shelves warned of as short in the last weeks, and those of them that hold too much by now
    """

    today: pd.Timestamp
    known: Mapping[str, float] = field(default_factory=dict)
    alerts: pd.DataFrame | None = None
    owners: bool = True
    first_alert: pd.Timestamp | None = None
    last_review: pd.Timestamp | None = None
    warned: int = 0
    over: int = 0


def pitfalls(working: Working) -> list[Finding]:
    """All that was found.

    >>> pitfalls(Working(pd.Timestamp("2024-05-31"), warned=20, over=10))[0].value
    '10 of 20'
    """
    checks = (data_islands, ownerless_alerts, never_reviewed, bought_too_much)
    return [finding for check in checks for finding in check(working)]


def data_islands(working: Working) -> list[Finding]:
    """Tables that speak of other items or places than demand does: two systems, two names for one thing."""
    remedy = (
        "the systems name items or places otherwise: map one to the other under [sources] in forestock.toml"
    )
    return [
        Finding(
            "warning", f"the table {name} does not know what is sold", f"{share:.0%} of the series", remedy
        )
        for name, share in working.known.items()
        if share < MEETING
    ]


def ownerless_alerts(working: Working) -> list[Finding]:
    """Alerts that nobody answers for, or that may wait for ever."""
    if working.alerts is None or working.alerts.empty:
        return []
    found = []
    owner = working.alerts["owner"]
    nobody = int((owner.isna() | (owner.astype(str) == "")).sum())
    if nobody:
        remedy = "describe who answers for what under [owners.NAME] in forestock.toml"
        found.append(Finding("warning", "alerts have no owner", str(nobody), remedy))
    elif not working.owners and (owner == PLANNER).all():
        remedy = "describe who answers for what under [owners.NAME] in forestock.toml"
        found.append(Finding("note", "all alerts go to one nameless planner", str(len(owner)), remedy))
    endless = int(working.alerts["deadline"].isna().sum())
    if endless:
        remedy = "alerts of before owners were known have none: run forestock watch"
        found.append(Finding("warning", "alerts have no deadline", str(endless), remedy))
    return found


def never_reviewed(working: Working) -> list[Finding]:
    """Alerts that nobody ever looked back on, so that nobody knows how many of them were right."""
    if working.first_alert is None:
        return []
    since = working.last_review if working.last_review is not None else working.first_alert
    age = (working.today - since) / pd.Timedelta(days=1)
    if age <= UNREVIEWED:
        return []
    what = (
        "alerts were never reviewed" if working.last_review is None else "alerts were not reviewed for long"
    )
    return [Finding("warning", what, f"{age:.0f} days", "run: forestock review --out report.html")]


def bought_too_much(working: Working) -> list[Finding]:
    """Shelves that were warned of as short and hold too much by now: too many alerts make people buy too
    much.
    """
    if working.warned < BOUGHT or working.over <= OVER * working.warned:
        return []
    remedy = (
        "order what alerts recommend, no more; and see which of them were false: forestock review --proposals"
    )
    what = "shelves that were warned of as short hold too much by now"
    return [Finding("warning", what, f"{working.over} of {working.warned}", remedy)]
