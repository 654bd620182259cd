"""The doctor: what is stale, never reviewed, unsafe or misconfigured, and the remedy.

This module owns the checks and their limits. It looks at evidence that others gather and touches nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from optimization.validity import expired
from warning.rules import Rule
from warning.selection import selected

Severity = Literal["error", "warning", "note"]
NAMED = 5  # things that one finding names
LOOPBACK = ("127.0.0.1", "localhost", "::1")
NEEDED = {
    "demand": ("nothing can be forecast", "load sales or consumption as the table demand"),
    "stock": ("neither risk nor alerts can be told", "load counts as the table stock"),
    "supply_orders": (
        "lead times are the contract's or a default",
        "load orders and receipts as supply_orders",
    ),
    "sourcing": ("no order can name its supplier, cost or lot", "load suppliers per item as sourcing"),
}


@dataclass(frozen=True)
class Finding:
    """One thing to mend: how bad, what, the value found, and what to do."""

    severity: Severity
    what: str
    value: str
    remedy: str


@dataclass(frozen=True)
class Limits:
    """When something counts as too old or too short, days."""

    stale_data: float = 3
    unchanged_thresholds: float = 30
    old_model: float = 30
    short_history: float = 180
    unreviewed_alert: float = 7


@dataclass(frozen=True)
class Evidence:
    """What is known of a workspace; None = not looked at, and the check stays silent.

    today: business date
    tables: names of the tables that hold rows
    freshness: source, last_date of each source; period_days is added to the allowed age
    demand_first, demand_last: first and last date of demand
    champion: name of the champion model; empty = there is none
    trained_on, thresholds_changed_on: dates
    alerts: open alerts: state, opened_on
    rules: warning rules in force, with those whose dates are over
    watched: positions that the rules saw last, columns as in `warning.facts`
    host: where the service listens
    horizon_end: last date that is forecast; holidays_until: last date with known holidays
    policies: policies as loaded
    audit: what is wrong with the chain of events; empty = nothing
    notices: how many there are in each state; channels: how many are configured
    workspace_mode: permission bits of the workspace folder; workspace_writable: whether it can be written
    """

    today: pd.Timestamp
    tables: Sequence[str] | None = None
    freshness: pd.DataFrame | None = None
    period_days: float = 1.0
    demand_first: pd.Timestamp | None = None
    demand_last: pd.Timestamp | None = None
    champion: str | None = None
    trained_on: pd.Timestamp | None = None
    thresholds_changed_on: pd.Timestamp | None = None
    alerts: pd.DataFrame | None = None
    rules: Sequence[Rule] | None = None
    watched: pd.DataFrame | None = None
    host: str | None = None
    horizon_end: pd.Timestamp | None = None
    holidays_until: pd.Timestamp | None = None
    policies: pd.DataFrame | None = None
    audit: str | None = None
    notices: Mapping[str, int] | None = None
    channels: int | None = None
    workspace_mode: int | None = None
    workspace_writable: bool | None = None
    limits: Limits = field(default_factory=Limits)


def examine(evidence: Evidence) -> list[Finding]:
    """All findings, the worst first.

    >>> examine(Evidence(pd.Timestamp("2024-05-01"), champion=""))[0].remedy
    'run: forestock train'
    """
    found = [finding for check in CHECKS for finding in check(evidence)]
    order = ("error", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def missing_tables(evidence: Evidence) -> list[Finding]:
    """Tables without which a part of the walk cannot be done."""
    if evidence.tables is None:
        return []
    return [
        Finding(
            "error" if name == "demand" else "warning", f"the table {name} is empty: {why}", "0 rows", remedy
        )
        for name, (why, remedy) in NEEDED.items()
        if name not in evidence.tables
    ]


def stale_data(evidence: Evidence) -> list[Finding]:
    """Sources whose last date is further back than a period and the limit."""
    if evidence.freshness is None:
        return []
    allowed = evidence.limits.stale_data + evidence.period_days
    dated = evidence.freshness.dropna(subset=["last_date"])
    dates = pd.DatetimeIndex(dated["last_date"])
    ages = (evidence.today - dates).days
    remedy = f"load it again, or find out why it stopped; at most {allowed:.0f} days are allowed"
    return [
        Finding("warning", f"the source {source} is stale", f"last date {day.date()}, {age} days ago", remedy)
        for source, day, age in zip(dated["source"], dates, ages, strict=True)
        if age > allowed
    ]


def short_history(evidence: Evidence) -> list[Finding]:
    """Too little demand for the models to learn from."""
    first, last, limit = evidence.demand_first, evidence.demand_last, evidence.limits.short_history
    if first is None or last is None or (days := _days(first, last) + evidence.period_days) >= limit:
        return []
    remedy = "load older demand; until then a fallback model without a season is used"
    return [Finding("warning", f"history is shorter than {limit:.0f} days", f"{days:.0f} days", remedy)]


def model_state(evidence: Evidence) -> list[Finding]:
    """No champion, or one that has not learned for long."""
    if evidence.champion == "":
        remedy = "run: forestock train"
        return [Finding("error", "no model is champion, so nothing can be forecast", "none", remedy)]
    limit = evidence.limits.old_model
    return _aged(evidence, evidence.trained_on, limit, "the champion is old", "run: forestock train")


def unchanged_thresholds(evidence: Evidence) -> list[Finding]:
    """Thresholds that nobody renewed: dynamic in name only."""
    limit, what = evidence.limits.unchanged_thresholds, "thresholds have not changed for long"
    return _aged(evidence, evidence.thresholds_changed_on, limit, what, "schedule `forestock run` every day")


def unattended_alerts(evidence: Evidence) -> list[Finding]:
    """Alerts that stayed open, without anybody acknowledging them, beyond the limit."""
    if evidence.alerts is None or evidence.alerts.empty:
        return []
    limit = evidence.limits.unreviewed_alert
    age = (evidence.today - pd.to_datetime(evidence.alerts["opened_on"])).dt.days
    count = int(((evidence.alerts["state"] == "open") & (age > limit)).sum())
    if not count:
        return []
    remedy = "work the list, or make the rules fire less often: raise a bound or min_money"
    return [Finding("warning", f"alerts older than {limit:.0f} days are unanswered", str(count), remedy)]


def broken_audit(evidence: Evidence) -> list[Finding]:
    """Events of alerts that were changed, removed or added behind the service's back."""
    if not evidence.audit:
        return []
    remedy = "find out who wrote to the database; restore alert_events from a backup taken before that"
    return [Finding("error", "the audit of alerts was tampered with", evidence.audit, remedy)]


def undelivered_notices(evidence: Evidence) -> list[Finding]:
    """Notices that were given up, and alerts of which nobody is told at all."""
    found = []
    if evidence.notices is not None and (dead := evidence.notices.get("dead", 0)):
        remedy = "run `forestock notify list --state dead`, mend the channel, then `forestock notify redrive`"
        found.append(Finding("warning", "notices were given up", str(dead), remedy))
    if evidence.channels == 0 and evidence.alerts is not None and len(evidence.alerts):
        remedy = (
            "describe a channel under [channels.NAME] in forestock.toml, then: forestock notify test NAME"
        )
        found.append(Finding("note", "nobody is told of alerts", "no channel", remedy))
    return found


def one_sided_rules(evidence: Evidence) -> list[Finding]:
    """Only a lower or only an upper limit."""
    if evidence.rules is None:
        return []
    kinds = {"a lower": False, "an upper": False}
    for rule in evidence.rules:
        if rule.mode == "shadow" or not rule.is_in_force(evidence.today.date()):
            continue
        kinds["a lower"] |= rule.is_shortage
        kinds["an upper"] |= rule.kind == "overstock"
    names = ", ".join(rule.name for rule in evidence.rules) or "no rule"
    return [
        Finding("warning", f"no rule sets {side} limit", names, f"enable a rule of this kind: {kind}")
        for side, kind in (("a lower", "stockout_risk"), ("an upper", "overstock"))
        if not kinds[side]
    ]


def idle_rules(evidence: Evidence) -> list[Finding]:
    """Rules that warn of nothing: their time is over, or nothing has what they select by."""
    found = []
    for rule in evidence.rules or ():
        if rule.valid_until is not None and rule.valid_until < evidence.today.date():
            remedy = "save it with a later valid_until, or with enabled = false to withdraw it"
            value = f"since {rule.valid_until}"
            found.append(Finding("warning", f"the rule {rule.name} is no longer in force", value, remedy))
        elif evidence.watched is not None and rule.shape.subject == "item":
            found += _strangers(rule, evidence.watched)
    return found


def open_door(evidence: Evidence) -> list[Finding]:
    """A service that others can reach and that asks nobody for a key."""
    if evidence.host is None or evidence.host in LOOPBACK:
        return []
    remedy = "listen on 127.0.0.1, or put a proxy that authenticates before it"
    return [
        Finding("error", "the service is open to the network without authentication", evidence.host, remedy)
    ]


def unknown_holidays(evidence: Evidence) -> list[Finding]:
    """A horizon that reaches beyond the holidays that are published."""
    end, known = evidence.horizon_end, evidence.holidays_until
    if end is None or known is None or end <= known:
        return []
    value = f"forecast until {end.date()}, holidays until {known.date()}"
    remedy = "upgrade `holidays` and `chinesecalendar` once published, or write the days as events in plans"
    return [Finding("note", "the horizon passes the known holidays", value, remedy)]


def expired_policies(evidence: Evidence) -> list[Finding]:
    """Overrides whose time is over: the rule below them holds again."""
    if evidence.policies is None:
        return []
    over = expired(evidence.policies, evidence.today)
    if over.empty:
        return []
    days = pd.DatetimeIndex(over["valid_until"])
    shown = [f"{name} until {day.date()}" for name, day in zip(over["selector"], days, strict=True)]
    value = ", ".join(shown[:NAMED]) + (f" and {len(shown) - NAMED} more" if len(shown) > NAMED else "")
    remedy = "take these rows out of policies, or give a later valid_until; the rule below them holds now"
    return [Finding("note", "policies have expired", value, remedy)]


def workspace_permissions(evidence: Evidence) -> list[Finding]:
    """A workspace that cannot be written, or that everybody can change."""
    found = []
    if evidence.workspace_writable is False:
        remedy = "give the account that runs forestock the right to write, or name another --workspace"
        found.append(Finding("error", "the workspace cannot be written", "read-only", remedy))
    if evidence.workspace_mode is not None and evidence.workspace_mode & 0o002:
        value = oct(evidence.workspace_mode & 0o777)
        found.append(
            Finding("error", "every account can change the workspace", value, "run: chmod o-w on it")
        )
    return found


CHECKS: tuple[Callable[[Evidence], list[Finding]], ...] = (
    missing_tables,
    stale_data,
    short_history,
    model_state,
    unchanged_thresholds,
    unattended_alerts,
    broken_audit,
    undelivered_notices,
    one_sided_rules,
    idle_rules,
    open_door,
    unknown_holidays,
    expired_policies,
    workspace_permissions,
)


def _strangers(rule: Rule, watched: pd.DataFrame) -> list[Finding]:
    """A selector or a pilot that no position meets, often by a slip of the pen."""
    what = {
        f"the rule {rule.name} watches nothing": rule.selects,
        f"the rule {rule.name} is live nowhere": rule.is_live_at,
    }
    remedy = "see how these values are written in items and locations, and correct the rule"
    return [
        Finding("warning", words, ", ".join(f"{name} {'/'.join(each)}" for name, each in by.items()), remedy)
        for words, by in what.items()
        if set(by) <= set(watched.columns) and not selected(watched, by).any()
    ]


def _days(first: pd.Timestamp, last: pd.Timestamp) -> float:
    return (last - first) / pd.Timedelta(days=1)


def _aged(
    evidence: Evidence, since: pd.Timestamp | None, limit: float, what: str, remedy: str
) -> list[Finding]:
    if since is None or (age := _days(since, evidence.today)) <= limit:
        return []
    value = f"{since.date()}, {age:.0f} days ago; the limit is {limit:.0f}"
    return [Finding("warning", what, value, remedy)]
