"""Tuning: changes of the rules that past days speak for, within bounds, for people to approve.

This module owns which changes are tried, what they must prove, and the proposal. A change is the trigger of a
shortage rule in one segment (by its sensitivity there), the rule's hysteresis, or a segment's service target.
A rule's change is proposed if, over the days looked back on, it would have raised fewer false alerts, by more
than luck, cost no more, and missed no more, in their earlier and in their later half alike. A segment too
small to prove it by itself leans on all others. A target is proposed if it would have cost less, by more than
luck, in both halves. Where the forecast itself is off, either would only cover it up: the segment is sent to
retraining.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from warning.history import SERIES
from warning.rules import Rule
from warning.sweep import Setting
from warning.target_trial import TARGETS, TargetTrial, Windows, try_target, windows_of
from warning.trial import Past, Tried, figures, try_settings

Kind = Literal["trigger", "hysteresis", "target", "retrain", "rule"]
TUNED = ("stockout_risk", "low_stock")
TRIGGERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # of a risk: chances; of low stock: shares of what they are now
SHARES = (1.0, 2.0, 3.0, 5.0)
SELECTED = ("sku", "location", "category")  # columns by which policies tell targets
HYSTERESES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Bounds:
    """How far a proposal may go, and what it must rest on.

    trigger: lowest and highest chance that a risk may be told from
    factor: lowest and highest sensitivity
    least: warnings in the segment, without which nothing is proposed
    sure: standard errors, over series, by which false alerts must become fewer
    surer: the same for a change of one segment: where many are tried, luck favours one of them
    longer: times the days that alerts were open; more would be the same burden in fewer pieces
    off: share by which demand may differ from the forecast before that is the problem
    beyond: share of windows in which demand may pass the reorder point before that is the problem
    target: lowest and highest service target
    step: how far a target may move at once, in standard deviations of demand
    """

    trigger: tuple[float, float] = (0.2, 0.9)
    factor: tuple[float, float] = (0.25, 4.0)
    least: int = 10
    sure: float = 1.28
    surer: float = 1.64
    longer: float = 1.1
    off: float = 0.25
    beyond: float = 0.2
    target: tuple[float, float] = (0.8, 0.99)
    step: float = 0.5


@dataclass(frozen=True)
class Proposal:
    """One change, and what it would have done.

    kind: trigger, hysteresis, target, retrain where the forecast is the problem, or rule, which a person
        proposed
    column, segment: which positions it is about, such as category and dairy; "" = all
    rule: whose; "" for a target or retraining
    change: what is set, as `warning.rulebook` entries have it ({"sensitivity": …} or {"hysteresis": …}), or
        {"target": …}; empty for retraining
    undo: the same as it is now
    now, then: the figures of `warning.trial` without and with the change
    why: reasons, en and zh
    """

    kind: Kind
    column: str
    segment: str
    rule: str
    change: Mapping[str, Any]
    undo: Mapping[str, Any]
    now: Mapping[str, float]
    then: Mapping[str, float]
    why: Mapping[str, str]

    @property
    def proposal_id(self) -> str:
        """Names what would change from what to what: the same proposal has the same name."""
        said = [self.kind, self.column, self.segment, self.rule, self.change, self.undo]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def propose(past: Past, column: str, bounds: Bounds | None = None) -> list[Proposal]:
    """Changes of the shortage rules that past days speak for; what saves the most false alerts comes first.

    column: of the facts, whose values past.segments are
    Each proposal is weighed by itself against the rules in force; once one is approved, propose again.
    """
    bounds = bounds or Bounds()
    found = retrain(past, column, bounds)
    wanted = sorted(set(past.segments) - {proposal.segment for proposal in found} - {""})
    now = try_settings(past)
    for rule in (reading.rule for reading in past.readings.rules):
        if rule.kind in TUNED:
            found += _triggers(rule, column, wanted, now, past, bounds)
            found += _hysteresis(rule, now, past, bounds)
    if column in SELECTED and len(past.stakes.target):
        found += _targets(column, wanted, past, bounds)
    return sorted(found, key=lambda one: one.then.get("false", 0.0) - one.now.get("false", 0.0))


def factors_of(rule: Rule, bounds: Bounds) -> list[float]:
    """Sensitivities to try: with one, the rule's lowest bound is divided by it."""
    low = min(rule.tiers.values())
    if low <= 0:
        return []  # half of nothing is nothing
    if rule.kind == "stockout_risk":
        inside = [trigger for trigger in TRIGGERS if bounds.trigger[0] <= trigger <= bounds.trigger[1]]
        wanted = [low / trigger for trigger in inside]
    else:
        wanted = [1.0 / share for share in SHARES]
    kept = [round(factor, 4) for factor in wanted if bounds.factor[0] <= factor <= bounds.factor[1]]
    return [factor for factor in kept if abs(factor - 1.0) > 1e-3]


def retrain(past: Past, column: str, bounds: Bounds) -> list[Proposal]:
    """Segments whose demand was not what was forecast: bias, or too often beyond the reorder point."""
    table = demand_errors(past)
    found = []
    for segment, row in table.iterrows():
        if segment == "" or row["windows"] < bounds.least:
            continue
        off = abs(row["bias"]) > bounds.off
        if off or row["beyond"] > bounds.beyond:
            said = {
                "en": f"demand was {row['bias']:+.0%} off the forecast and passed the reorder point in "
                f"{row['beyond']:.0%} of {row['windows']:.0f} windows: the forecast is to be trained again",
                "zh": f"实际需求与预测相差 {row['bias']:+.0%}，{row['windows']:.0f} 个窗口中有 "
                f"{row['beyond']:.0%} 超出再订货点：应重新训练预测模型",
            }
            found.append(Proposal("retrain", column, str(segment), "", {}, {}, {}, {}, said))
    return found


def demand_errors(past: Past) -> pd.DataFrame:
    """Demand over lead time and review against what was forecast of it, by segment.

    bias: demand ÷ its forecast mean − 1; beyond: share of windows in which it passed the reorder point;
        windows:
    how many, one after the other in each series.
    """
    found = windows_of(past)
    table = pd.DataFrame(
        {
            "segment": past.segments[found.row],
            "asked": found.asked,
            "mean": found.mean,
            "point": found.point,
        }
    )
    by = table.assign(beyond=table["asked"] > table["point"]).groupby("segment")
    sums = by[["asked", "mean"]].sum()
    return pd.DataFrame(
        {"bias": sums["asked"] / sums["mean"] - 1, "beyond": by["beyond"].mean(), "windows": by.size()}
    )


def entry_of(proposal: Proposal, rule: Rule | None, *, back: bool = False) -> dict[str, Any]:
    """What the rulebook is told to carry a proposal out on the rule in force, or to take it back.

    rule: None where there is none, so that the proposal makes it
    Of a sensitivity only the proposal's own segment changes: others approved since stay.
    """
    values = proposal.undo if back else proposal.change
    if proposal.kind != "trigger" or rule is None:
        return {"name": proposal.rule, **values}
    factor = values["sensitivity"][proposal.column][proposal.segment]
    mine = {**rule.sensitivity.get(proposal.column, {}), proposal.segment: factor}
    return {"name": rule.name, "sensitivity": {**rule.sensitivity, proposal.column: mine}}


def _triggers(
    rule: Rule, column: str, wanted: list[str], now: Tried, past: Past, bounds: Bounds
) -> list[Proposal]:
    """The trigger of a rule in each segment: its own best, else the best of all where it does no harm
    here."""
    tried = {factor: try_settings(past, {rule.name: Setting(factor)}) for factor in factors_of(rule, bounds)}
    both = {factor: (now.within(wanted), rows.within(wanted)) for factor, rows in tried.items()}
    shared = _best(both, past, bounds, bounds.sure)
    found = []
    for segment in wanted:
        mine = {factor: (now.within([segment]), rows.within([segment])) for factor, rows in tried.items()}
        best = _best(mine, past, bounds, bounds.surer)
        if best is None and shared is not None and _is_better(*mine[shared], past, bounds, sure=0.0):
            best = shared
        if best is None:
            continue
        before = rule.sensitivity.get(column, {}).get(segment, 1.0)
        change, undo = (
            {"sensitivity": {column: {segment: value}}} for value in (round(before * best, 4), before)
        )
        found.append(_proposal("trigger", (column, segment), rule.name, (change, undo), mine[best], past))
    return found


def _hysteresis(rule: Rule, now: Tried, past: Past, bounds: Bounds) -> list[Proposal]:
    """The hysteresis of a rule, for all that it watches."""
    others = [value for value in HYSTERESES if abs(value - rule.hysteresis) > 1e-9]
    tried = {value: (now, try_settings(past, {rule.name: Setting(hysteresis=value)})) for value in others}
    best = _best(tried, past, bounds, bounds.sure)
    if best is None:
        return []
    values = {"hysteresis": best}, {"hysteresis": rule.hysteresis}
    return [_proposal("hysteresis", ("", ""), rule.name, values, tried[best], past)]


def _targets(column: str, wanted: list[str], past: Past, bounds: Bounds) -> list[Proposal]:
    """Another service target for each segment whose series share one."""
    every = windows_of(past)
    found = []
    for segment in wanted:
        told = np.unique(past.stakes.target[past.segments == segment])
        mine = past.segments[every.row] == segment
        if len(told) != 1 or np.isnan(told[0]) or mine.sum() < bounds.least:
            continue
        windows, now = Windows(*(part[mine] for part in every)), float(told[0])
        trials = {one: try_target(windows, past, now, one) for one in (now, *_near(now, bounds))}
        best = min(trials, key=lambda one: trials[one].cost.sum())
        if best != now and _is_cheaper(trials[now], trials[best], windows, bounds):
            found.append(_target_proposal(column, segment, (now, best), trials, past))
    return found


def _near(now: float, bounds: Bounds) -> list[float]:
    """Targets to try: within the bounds, and no further than a step from the one there is."""
    low, high = bounds.target
    return [
        one
        for one in TARGETS
        if low <= one <= high and one != now and abs(ndtri(one) - ndtri(now)) <= bounds.step
    ]


def _is_cheaper(now: TargetTrial, then: TargetTrial, windows: Windows, bounds: Bounds) -> bool:
    """Whether a target costs less, by so many standard errors over series, and in neither half more."""
    saved = now.cost - then.cost
    middle = np.median(windows.first)
    if saved[windows.first <= middle].sum() < 0 or saved[windows.first > middle].sum() < 0:
        return False
    by_series = np.bincount(windows.row, weights=saved)
    return bool(saved.sum() > bounds.sure * np.sqrt((by_series**2).sum()) > 0)


def _target_proposal(
    column: str,
    segment: str,
    values: tuple[float, float],
    trials: Mapping[float, TargetTrial],
    past: Past,
) -> Proposal:
    mine = past.segments == segment
    now, then = (
        {
            "windows": float(len(trials[value].cost)),
            "short": round(float(trials[value].short.mean()), 4),
            "left": round(float(trials[value].left.mean()), 2),
            "cost": round(float(trials[value].cost.mean() * mine.sum()), 2),
        }
        for value in values
    )
    said = {
        "en": f"over {now['windows']:.0f} windows of lead time and review {then['short']:.1%} instead of "
        f"{now['short']:.1%} were short, {then['left']:,.1f} instead of {now['left']:,.1f} units were left, "
        f"at {then['cost']:,.0f} instead of {now['cost']:,.0f} of cost a period",
        "zh": f"{now['windows']:.0f} 个提前期加补货周期窗口：断货 {now['short']:.1%} → {then['short']:.1%}，"
        f"剩余 {now['left']:,.1f} → {then['left']:,.1f} 件，"
        f"每期成本 {now['cost']:,.0f} → {then['cost']:,.0f}",
    }
    change, undo = {"target": values[1]}, {"target": values[0]}
    return Proposal("target", column, segment, "", change, undo, now, then, said)


def _best(
    tried: Mapping[float, tuple[Tried, Tried]], past: Past, bounds: Bounds, sure: float
) -> float | None:
    """The change with the fewest false alerts, of those that prove themselves; of several the cheapest.

    tried: change → without and with it; sure: as `_is_better`
    """
    proven = {
        value: (after.warnings["outcome"].eq("false").sum(), after.warnings["cost"].sum())
        for value, (now, after) in tried.items()
        if len(now.warnings) >= bounds.least and _is_better(now, after, past, bounds, sure=sure)
    }
    return min(proven, key=lambda value: proven[value]) if proven else None


def _is_better(now: Tried, after: Tried, past: Past, bounds: Bounds, *, sure: float) -> bool:
    """Whether false alerts become fewer, by so many standard errors over series, misses in no half more, and
    alerts are neither open much longer nor dearer: a miss may come later than it did, and then costs more.
    """
    rows = now.warnings, after.warnings
    if after.days.sum() > bounds.longer * now.days.sum() or rows[1]["cost"].sum() > rows[0]["cost"].sum():
        return False
    first, last = past.counted
    middle = first + (last - first) / 2
    for late in (False, True):
        missed = [
            (part["missed"] & ((pd.to_datetime(part["opened_on"]) > middle) == late)).sum() for part in rows
        ]
        if missed[1] > missed[0]:
            return False
    counts = [part[part["outcome"] == "false"].groupby(SERIES).size() for part in rows]
    fewer = counts[0].sub(counts[1], fill_value=0).to_numpy(dtype=float)
    return bool(fewer.sum() > max(sure * np.sqrt((fewer**2).sum()), 0.0))


def _proposal(
    kind: Kind,
    where: tuple[str, str],
    rule: str,
    values: tuple[Mapping[str, Any], Mapping[str, Any]],
    tried: tuple[Tried, Tried],
    past: Past,
) -> Proposal:
    first, last = past.counted
    days = (last - first).days + 1
    now, then = (figures(one, days) for one in tried)
    said = {
        "en": f"over {days} days {then['false']:.0f} instead of {now['false']:.0f} false alerts, "
        f"{then['missed']:.0f} instead of {now['missed']:.0f} missed, "
        f"{then['alerts_a_day']:.2g} instead of {now['alerts_a_day']:.2g} alerts a day, "
        f"{then['cost']:,.0f} instead of {now['cost']:,.0f} of cost",
        "zh": f"回放 {days} 天：误报 {now['false']:.0f} → {then['false']:.0f}，漏报 {now['missed']:.0f} → "
        f"{then['missed']:.0f}，每日预警 {now['alerts_a_day']:.2g} → {then['alerts_a_day']:.2g}，"
        f"成本 {now['cost']:,.0f} → {then['cost']:,.0f}",
    }
    return Proposal(kind, *where, rule, *values, now, then, said)
