"""Tuning: changes of the rules that past days speak for, within bounds, for people to approve.

This module owns which changes are tried, what they must prove, and the proposal. A change is the trigger of a
shortage rule in one segment (by its sensitivity there) or a rule's hysteresis. It is proposed if, over the
days looked back on, it would have cost less and missed no more, in their earlier and in their later half
alike. Where the forecast itself is off, a trigger would only cover it up: the segment is sent to retraining.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from warning.rules import Rule
from warning.sweep import Setting
from warning.trial import Past, figures, try_settings

Kind = Literal["trigger", "hysteresis", "target", "retrain"]
TUNED = ("stockout_risk", "low_stock")
TRIGGERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # of a risk: chances; of low stock: shares of what they are now
SHARES = (1.0, 2.0, 3.0, 5.0)
HYSTERESES = (0.05, 0.1, 0.2, 0.3)
EVERYTHING = "*"


@dataclass(frozen=True)
class Bounds:
    """How far a proposal may go, and what it must rest on.

    trigger: lowest and highest chance that a risk may be told from
    factor: lowest and highest sensitivity
    least: warnings in the segment, without which nothing is proposed
    gain: share of the cost that a change must save
    off: share by which demand may differ from the forecast before that is the problem
    beyond: share of windows in which demand may pass the reorder point before that is the problem
    """

    trigger: tuple[float, float] = (0.2, 0.9)
    factor: tuple[float, float] = (0.25, 4.0)
    least: int = 10
    gain: float = 0.05
    off: float = 0.25
    beyond: float = 0.2


@dataclass(frozen=True)
class Proposal:
    """One change, and what it would have done.

    kind: trigger, hysteresis, target, or retrain where the forecast is the problem
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
    """Triggers of the shortage rules that past days speak for, segment by segment; the dearest faults first.

    column: of the facts, whose values past.segments are
    Each rule is tried with those before it as proposed, because of one cause the first speaks.
    """
    bounds = bounds or Bounds()
    sent = retrain(past, column, bounds)
    wanted = sorted(set(past.segments) - {proposal.segment for proposal in sent} - {""})
    settings: dict[str, Setting] = {}
    found: list[Proposal] = []
    for rule in (reading.rule for reading in past.readings.rules):
        if rule.kind not in TUNED:
            continue
        now = try_settings(past, settings)
        tried = {
            factor: try_settings(past, {**settings, rule.name: Setting(factor)})
            for factor in factors_of(rule, bounds)
        }
        chosen = np.ones(len(past.segments))
        for segment in wanted:
            best = _best(now, tried, past, bounds, segment)
            if best is not None:
                found.append(_trigger(rule, column, segment, best, (now, tried[best]), past))
                chosen[past.segments == segment] = best
        settings[rule.name] = Setting(chosen)
    return [*sorted(found, key=lambda one: one.then["cost"] - one.now["cost"]), *sent]


def steadier(past: Past, bounds: Bounds | None = None) -> list[Proposal]:
    """Hysteresis of each shortage rule, for all that it watches."""
    bounds, found = bounds or Bounds(), []
    whole = replace(past, segments=np.full(len(past.segments), EVERYTHING, dtype=object))
    now = try_settings(whole)
    for rule in (reading.rule for reading in past.readings.rules):
        if rule.kind not in TUNED:
            continue
        others = [value for value in HYSTERESES if abs(value - rule.hysteresis) > 1e-9]
        tried = {value: try_settings(whole, {rule.name: Setting(hysteresis=value)}) for value in others}
        best = _best(now, tried, whole, bounds, EVERYTHING)
        if best is not None:
            change, undo = {"hysteresis": best}, {"hysteresis": rule.hysteresis}
            found.append(_proposal("hysteresis", ("", ""), rule.name, change, undo, (now, tried[best]), past))
    return found


def factors_of(rule: Rule, bounds: Bounds) -> list[float]:
    """Sensitivities to try: with one, the rule's lowest bound is divided by it."""
    low = min(rule.tiers.values())
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
    history, readings = past.history, past.readings
    first = history.column(pd.Series(readings.dates))
    interval = history.lead + history.review
    rows = []
    for row in range(len(history.keys)):
        total = np.concatenate([[0.0], np.cumsum(history.wanted[row])])
        free = -1
        for t, now in enumerate(first):
            end = now + interval[row]
            if now < free or end >= history.periods or not readings.mean[row, t] > 0:
                continue
            asked = total[end + 1] - total[now + 1]
            rows.append((past.segments[row], asked, readings.mean[row, t], readings.point[row, t]))
            free = end + 1
    table = pd.DataFrame(rows, columns=["segment", "asked", "mean", "point"]).dropna()
    by = table.assign(beyond=table["asked"] > table["point"]).groupby("segment")
    sums = by[["asked", "mean"]].sum()
    return pd.DataFrame(
        {"bias": sums["asked"] / sums["mean"] - 1, "beyond": by["beyond"].mean(), "windows": by.size()}
    )


def _best(
    now: pd.DataFrame,
    tried: Mapping[float, pd.DataFrame],
    past: Past,
    bounds: Bounds,
    segment: str,
) -> float | None:
    """The factor that costs least in a segment, of those that miss no more in either half of the days."""
    mine = now[now["segment"] == segment]
    if len(mine) < bounds.least:
        return None
    first, last = past.counted
    middle = first + (last - first) / 2
    best, cost = None, float(mine["cost"].sum()) * (1 - bounds.gain)
    for factor, everything in tried.items():
        rows = everything[everything["segment"] == segment]
        halves = (pd.to_datetime(frame["opened_on"]) <= middle for frame in (mine, rows))
        before, after = (np.asarray(half) for half in halves)
        missed = [
            (rows["missed"].to_numpy() & side).sum() <= (mine["missed"].to_numpy() & other).sum()
            for side, other in ((after, before), (~after, ~before))
        ]
        found = float(rows["cost"].sum())
        if all(missed) and found < cost - 1e-9:
            best, cost = factor, found
    return best


def entry_of(proposal: Proposal, rule: Rule, *, back: bool = False) -> dict[str, Any]:
    """What the rulebook is told to carry a proposal out on the rule in force, or to take it back.

    Of a sensitivity only the proposal's own segment changes: others approved since stay.
    """
    values = proposal.undo if back else proposal.change
    if proposal.kind == "hysteresis":
        return {"name": rule.name, **values}
    factor = values["sensitivity"][proposal.column][proposal.segment]
    mine = {**rule.sensitivity.get(proposal.column, {}), proposal.segment: factor}
    return {"name": rule.name, "sensitivity": {**rule.sensitivity, proposal.column: mine}}


def _trigger(
    rule: Rule,
    column: str,
    segment: str,
    factor: float,
    tried: tuple[pd.DataFrame, pd.DataFrame],
    past: Past,
) -> Proposal:
    before = rule.sensitivity.get(column, {}).get(segment, 1.0)
    after = round(before * factor, 4)
    change, undo = ({"sensitivity": {column: {segment: value}}} for value in (after, before))
    return _proposal("trigger", (column, segment), rule.name, change, undo, tried, past)


def _proposal(
    kind: Kind,
    where: tuple[str, str],
    rule: str,
    change: Mapping[str, Any],
    undo: Mapping[str, Any],
    tried: tuple[pd.DataFrame, pd.DataFrame],
    past: Past,
) -> Proposal:
    first, last = past.counted
    days = (last - first).days + 1
    column, segment = where
    now, then = (figures(rows[rows["segment"] == segment] if segment else rows, days) for rows in tried)
    said = {
        "en": f"over {days} days {then['false']:.0f} instead of {now['false']:.0f} false alerts, "
        f"{then['missed']:.0f} instead of {now['missed']:.0f} missed, "
        f"{then['cost']:,.0f} instead of {now['cost']:,.0f} of cost",
        "zh": f"回放 {days} 天：误报 {now['false']:.0f} → {then['false']:.0f}，漏报 {now['missed']:.0f} → "
        f"{then['missed']:.0f}，成本 {now['cost']:,.0f} → {then['cost']:,.0f}",
    }
    return Proposal(kind, column, segment, rule, change, undo, now, then, said)
