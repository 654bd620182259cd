"""The engine: facts × rules × open alerts → what opens, what goes on, what ends.

This module owns the decision: one alert per rule, sku and location until it ends, and one alert per cause.
It writes nothing; the same input gives the same decision, today being an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from warning.alerts import ALERT_COLUMNS, describe, finish
from warning.facts import complete
from warning.grading import grade
from warning.rules import KINDS, TIERS, Rule

ENDED = ("resolved", "reviewed")  # states of alerts that are over


@dataclass(frozen=True)
class Decision:
    """What one evaluation found; each frame has ALERT_COLUMNS, the most money at risk first.

    opened: new alerts; state open
    updated: open alerts that are still true, measured anew, in the state they had; change is same,
        escalated or eased from previous_tier
    resolved: open alerts that ended; resolution is cleared, superseded (an earlier rule speaks for the same
        cause), retired (the rule is gone), gone (the position is) or duplicate
    Open alerts that could not be measured are in none of them: they stay as they are.
    """

    opened: pd.DataFrame
    updated: pd.DataFrame
    resolved: pd.DataFrame


def evaluate(
    facts: pd.DataFrame,
    rules: Sequence[Rule],
    today: pd.Timestamp,
    open_alerts: pd.DataFrame,
    currency: str = "",
) -> Decision:
    """Alerts that begin, go on and end today.

    facts: all watched positions, one row per sku and location, columns as in `warning.facts`
    rules: names distinct; of the rules for one cause the earlier kind, then the earlier rule, speaks
    today: business date
    open_alerts: alerts so far (alert_id, rule, sku, location, tier, state, opened_on and what else the
        store kept); may be empty; ended ones are ignored
    currency: written after amounts of money
    """
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise Problem(f"rule names must be distinct, got {', '.join(names)}; rename the second of a pair")
    facts, today = complete(facts), pd.Timestamp(today).normalize().as_unit("ns")
    live, doubles = _live(open_alerts)
    place = _places(facts, live)
    spoken: dict[str, np.ndarray] = {}
    opened, updated = [], []
    resolution = np.where(place < 0, "gone", "retired").astype(object)
    for rule in sorted(rules, key=lambda rule: list(KINDS).index(rule.kind)):
        mine = np.flatnonzero((live["rule"] == rule.name).to_numpy() & (place >= 0))
        alert = np.full(len(facts), -1)
        alert[place[mine]] = mine
        previous = np.zeros(len(facts), dtype=np.int8)
        previous[place[mine]] = live["severity"].to_numpy()[mine]
        found = grade(rule, facts, previous)
        taken = spoken.setdefault(_cause(rule), np.zeros(len(facts), dtype=bool))
        stays = (found.tier > 0) & ~taken
        ends = np.where(taken, "superseded", "cleared").astype(object)
        resolution[mine] = np.where(stays, "", ends)[place[mine]]
        again = np.flatnonzero(stays & (alert >= 0) & ~np.isnan(found.measure))
        fresh = np.flatnonzero(stays & (alert < 0))
        if len(fresh):
            opened.append(describe(rule, found, facts, fresh, today))
        if len(again):
            updated.append(_carry(describe(rule, found, facts, again, today), live.iloc[alert[again]]))
        spoken[_cause(rule)] = taken | stays
    over = [live.assign(resolution=resolution)[resolution != ""], doubles]
    return Decision(finish(opened, currency), finish(updated, currency), _end(over, today))


def _cause(rule: Rule) -> str:
    return "shortage" if rule.is_shortage else rule.kind


def _live(open_alerts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open alerts with their severity, and apart those that only repeat an earlier one."""
    frame = open_alerts.reindex(columns=pd.Index(ALERT_COLUMNS).union(open_alerts.columns, sort=False))
    frame = frame[~frame["state"].isin(ENDED)].copy()
    severity = frame["tier"].map({tier: i + 1 for i, tier in enumerate(TIERS)})
    if severity.isna().any():
        value = frame.loc[severity.isna(), "tier"].iloc[0]
        raise Problem(f"an open alert's tier must be one of {', '.join(TIERS)}, got {value!r}; correct it")
    frame["severity"] = severity.astype(np.int8)
    frame["opened_on"] = pd.to_datetime(frame["opened_on"])
    frame = frame.sort_values(["opened_on", "alert_id"], kind="stable").reset_index(drop=True)
    repeats = frame.duplicated(["rule", "sku", "location"])
    return frame[~repeats].reset_index(drop=True), frame[repeats].assign(resolution="duplicate")


def _places(facts: pd.DataFrame, live: pd.DataFrame) -> np.ndarray:
    """(alerts,) row of each alert's position in the facts, -1 where there is none."""
    keys = ["sku", "location"]
    rows = pd.MultiIndex.from_frame(live[keys].astype(str))
    return pd.MultiIndex.from_frame(facts[keys]).get_indexer(rows)


def _carry(now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Alerts measured anew, with the identity and state of the open ones, row by row."""
    rise = now["tier"].map(TIERS.index).to_numpy() - (before["severity"].to_numpy() - 1)
    return now.assign(
        alert_id=before["alert_id"].to_numpy(),
        state=before["state"].to_numpy(),
        opened_on=before["opened_on"].to_numpy(),
        previous_tier=before["tier"].to_numpy(),
        change=np.select([rise > 0, rise < 0], ["escalated", "eased"], "same").astype(object),
    )


def _end(parts: list[pd.DataFrame], today: pd.Timestamp) -> pd.DataFrame:
    """Alerts that are over, as they were last measured."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(ALERT_COLUMNS))
    over = pd.concat(parts, ignore_index=True).assign(previous_tier=lambda frame: frame["tier"])
    over = over.assign(state="resolved", resolved_on=today, updated_on=today, change="resolved")
    return over[list(ALERT_COLUMNS)]
