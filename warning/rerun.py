"""Rerun: rules over successive days in memory, as if they had been in force then.

This module owns how the days are joined: what one decision leaves open is what the next one starts from, as a
store would have kept it. Nothing is written, and no words are made.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from warning.alerts import ALERT_COLUMNS
from warning.engine import Decision, evaluate
from warning.kinds import TIERS
from warning.rules import Rule
from warning.steadiness import ENDED, Past

COLUMNS = (
    *("alert_id", "fingerprint", "rule", "rule_version", "kind", "sku", "location", "about", "supplier"),
    *("tier", "money_at_risk", "opened_on", "resolved_on", "threshold", "bound", "units_at_risk"),
)
AT_FIRST = ("opened_on", "threshold", "bound", "units_at_risk")  # as they were when it opened
COUNTS = ("date", "opened", "open")


@dataclass(frozen=True)
class Day:
    """What was to be seen at the end of one business date, as `warning.engine.evaluate` takes it."""

    today: pd.Timestamp
    facts: pd.DataFrame
    suppliers: pd.DataFrame | None = None
    sources: pd.DataFrame | None = None


@dataclass(frozen=True)
class Fired:
    """What rules would have done.

    alerts: COLUMNS, one row per alert: its gravest tier, its largest money, AT_FIRST as they were when it
        opened, NaT resolved_on where it was still open on the last day
    daily: COUNTS, one row per day: how many began on it, and were open at its end
    """

    alerts: pd.DataFrame
    daily: pd.DataFrame


def rerun(rules: Sequence[Rule], days: Iterable[Day]) -> Fired:
    """What rules would have fired on successive days, starting with nothing open.

    days: in the order of their dates
    """
    seen: list[pd.DataFrame] = []
    counts = []
    for day, decision, held in decisions(rules, days):
        counts.append((day.today.normalize(), len(decision.opened), len(held)))
        seen += [decision.opened, decision.updated, decision.resolved]
    return Fired(_lives(seen), pd.DataFrame(counts, columns=list(COUNTS)))


def decisions(rules: Sequence[Rule], days: Iterable[Day]) -> Iterator[tuple[Day, Decision, pd.DataFrame]]:
    """Each day, what the engine decides on it, and what is open then; nothing is open before the first."""
    held, past = pd.DataFrame(columns=list(ALERT_COLUMNS)), Past()
    for day in days:
        decision = evaluate(
            *(day.facts, rules, day.today, held),
            past=past,
            suppliers=day.suppliers,
            sources=day.sources,
            words=False,
        )
        held, past = after(decision, held, past)
        yield day, decision, held


def after(decision: Decision, held: pd.DataFrame, past: Past) -> tuple[pd.DataFrame, Past]:
    """What is open once a decision is kept, and the past that the next evaluation knows.

    held, past: what the decision was made from
    """
    gone = set(decision.resolved["alert_id"]) | set(decision.updated["alert_id"])
    parts = [held[~held["alert_id"].isin(gone)], decision.updated, decision.opened]
    parts = [part for part in parts if len(part)]
    now = pd.concat(parts, ignore_index=True) if parts else decision.opened
    ended = [part for part in (past.ended, decision.resolved[list(ENDED)]) if len(part)]
    over = pd.concat(ended, ignore_index=True) if ended else past.ended
    return now, Past(decision.pending, over[~over["alert_id"].isin(set(now["alert_id"]))])


def _lives(seen: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row per alert from all that was said of it, day by day."""
    parts = [part for part in seen if len(part)]
    if not parts:
        dated = dict.fromkeys(("opened_on", "resolved_on"), "datetime64[ns]")
        return pd.DataFrame(columns=list(COLUMNS)).astype(dated)
    told = pd.concat(parts, ignore_index=True)
    told["severity"] = told["tier"].map(TIERS.index)
    by = told.groupby("alert_id", sort=False)
    last = by.tail(1).set_index("alert_id")
    out = last.assign(
        severity=by["severity"].max(),
        money_at_risk=by["money_at_risk"].max(),
        **{name: by[name].first() for name in AT_FIRST},
    )
    out = out.assign(tier=[TIERS[int(place)] for place in out["severity"]]).reset_index()
    out = out.sort_values(["opened_on", "alert_id"], kind="stable")
    return out[list(COLUMNS)].reset_index(drop=True)
