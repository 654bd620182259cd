"""Preview: what changed rules would have fired, against those in force, before they are saved.

This module owns the comparison. Alerts that both would have opened for one cause are one; what differs is
told alert by alert.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from warning.kinds import TIERS
from warning.rerun import Day, Fired, rerun
from warning.rules import Rule

DIFFERENCES = (
    *("change", "rule", "sku", "location", "about", "tier", "tier_before", "opened_on", "opened_before"),
    "money_at_risk",
)
MANY = 2.0  # times as many alerts a day: more than a change usually means


@dataclass(frozen=True)
class Preview:
    """What rules would have done over some days.

    daily: date, opened, opened_before, open, open_before; before = by the rules in force. The first day opens
        all that stood already
    differences: DIFFERENCES; change is new, gone, graver, milder, earlier or later, the most money first
    notes: what to know about it
    """

    daily: pd.DataFrame
    differences: pd.DataFrame
    notes: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """The preview in a few figures; alerts a day leave the first day out, where there are more."""
        later = self.daily.iloc[1:] if len(self.daily) > 1 else self.daily
        return {
            "days": len(self.daily),
            "alerts_a_day": round(float(later["opened"].mean()), 2),
            "alerts_a_day_before": round(float(later["opened_before"].mean()), 2),
            "open_at_the_end": int(self.daily["open"].iloc[-1]),
            "open_at_the_end_before": int(self.daily["open_before"].iloc[-1]),
            **{str(name): int(count) for name, count in self.differences["change"].value_counts().items()},
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def preview(changed: Sequence[Rule], in_force: Sequence[Rule], days: Sequence[Day]) -> Preview:
    """What `changed` rules would have fired on past days, against those `in_force` now.

    Dates of rules are passed over: the question is what they do, not since when. A changed rule in shadow is
    judged as if it were live, else there would be nothing to see.
    """
    known = {rule.name: rule for rule in in_force}
    dark = [rule.name for rule in changed if rule.mode == "shadow" and rule != known.get(rule.name)]
    now = rerun([_undated(rule, live=rule.name in dark) for rule in changed], days)
    before = rerun([_undated(rule) for rule in in_force], days)
    daily = now.daily.assign(opened_before=before.daily["opened"], open_before=before.daily["open"])
    columns = ["date", "opened", "opened_before", "open", "open_before"]
    return Preview(daily[columns], _differences(now, before), tuple(_notes(daily, dark)))


def _undated(rule: Rule, *, live: bool = False) -> Rule:
    return replace(rule, valid_from=None, valid_until=None, mode="live" if live else rule.mode)


def _differences(now: Fired, before: Fired) -> pd.DataFrame:
    """Causes that only one side would have told, or both otherwise."""
    keys = ["fingerprint", "rule", "sku", "location", "about"]
    new, old = _by_cause(now.alerts), _by_cause(before.alerts)
    both = new.merge(old, on=keys, how="outer", suffixes=("", "_before"))
    severity = {tier: place for place, tier in enumerate(TIERS)}
    rise = both["tier"].map(severity) - both["tier_before"].map(severity)
    shift = both["opened_on"] - both["opened_on_before"]
    change = pd.Series("", index=both.index)
    for word, where in (
        ("later", shift > pd.Timedelta(0)),
        ("earlier", shift < pd.Timedelta(0)),
        ("milder", rise < 0),
        ("graver", rise > 0),
        ("gone", both["tier"].isna()),
        ("new", both["tier_before"].isna()),
    ):
        change = change.mask(where, word)
    money = both["money_at_risk"].fillna(both["money_at_risk_before"])
    both = both.assign(change=change, money_at_risk=money, opened_before=both["opened_on_before"])
    told = both[both["change"] != ""].sort_values("money_at_risk", ascending=False, kind="stable")
    return told[list(DIFFERENCES)].reset_index(drop=True)


def _by_cause(alerts: pd.DataFrame) -> pd.DataFrame:
    """The first opening of each cause, with the gravest tier and the largest money of all its alerts."""
    ranked = alerts.assign(severity=alerts["tier"].map(TIERS.index).astype(float))
    keys = ["fingerprint", "rule", "sku", "location", "about"]
    found = ranked.groupby(keys, as_index=False, sort=False).agg(
        severity=("severity", "max"), opened_on=("opened_on", "min"), money_at_risk=("money_at_risk", "max")
    )
    found["opened_on"] = pd.to_datetime(found["opened_on"])
    found["money_at_risk"] = found["money_at_risk"].astype(float)
    return found.assign(tier=[TIERS[int(place)] for place in found["severity"]]).drop(columns="severity")


def _notes(daily: pd.DataFrame, dark: Sequence[str]) -> list[str]:
    notes = []
    if dark:
        notes.append(f"{', '.join(dark)} would run in shadow; shown is what it would fire if it were live")
    later = daily.iloc[1:]
    if later["opened"].sum() > MANY * max(later["opened_before"].sum(), 1.0):
        notes.append("more than twice as many alerts a day as now; raise a bound, min_money or pending_days")
    return notes
