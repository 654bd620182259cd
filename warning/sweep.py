"""Sweep: many settings of the shortage rules over the same past days, in arrays.

This module owns what the rules read off each day, once, and a replay of the engine's decision that is quick
enough to be repeated for every setting. It opens and ends what `warning.rerun` does, which a test holds it
to; it knows neither words nor money at risk beyond what min_money asks for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from warning.facts import complete
from warning.grading import EXACT, ends_of, grade
from warning.history import SERIES
from warning.inhibition import blinded
from warning.kinds import SHORTAGES, TIERS
from warning.measures import basis_of
from warning.rerun import Day
from warning.rules import Rule, in_order
from warning.selection import factors

NEVER = np.iinfo(np.int64).min // 2  # a day before all days


class Setting(NamedTuple):
    """How a rule is set otherwise: a further sensitivity, (n,) or one number, and its hysteresis; None as it
    is."""

    factor: np.ndarray | float = 1.0
    hysteresis: float | None = None


@dataclass(frozen=True)
class Reading:
    """What one rule reads off n positions on T days: its measure, the money at risk, the level in units and
    the sensitivity there, (n, T) each. A position that is gone has the measure -inf.
    """

    rule: Rule
    measure: np.ndarray
    money: np.ndarray
    basis: np.ndarray
    factor: np.ndarray


@dataclass(frozen=True)
class Readings:
    """What all shortage rules read, in the order in which they speak.

    keys: (n,) sku, location; dates: (T,) business dates
    point, mean: (n, T) reorder point, and mean demand over lead time and review, units; NaN where unknown
    """

    keys: pd.DataFrame
    dates: pd.DatetimeIndex
    rules: tuple[Reading, ...]
    point: np.ndarray
    mean: np.ndarray


def read(rules: Sequence[Rule], days: Sequence[Day], keys: pd.DataFrame) -> Readings:
    """What the live shortage rules read off each day, for the positions `keys`, (n,) sku and location."""
    spoken = [rule for rule in in_order(rules) if rule.kind in SHORTAGES and rule.mode == "live"]
    shape = (len(keys), len(days))
    grids = {
        rule.name: {
            "measure": np.full(shape, -np.inf),
            "money": np.full(shape, np.nan),
            "basis": np.full(shape, np.nan),
            "factor": np.ones(shape),
        }
        for rule in spoken
    }
    point, mean = np.full(shape, np.nan), np.full(shape, np.nan)
    index = pd.MultiIndex.from_frame(keys[SERIES].astype(str))
    for t, day in enumerate(days):
        facts = complete(day.facts)
        row = index.get_indexer(pd.MultiIndex.from_frame(facts[SERIES]))
        here, at = row >= 0, row[row >= 0]
        blind = blinded(facts, "item")
        for rule in spoken:
            found = grade(rule, facts, np.zeros(len(facts), dtype=np.int8), blind)
            values = {"measure": found.measure, "money": found.money, "basis": basis_of(rule, facts)}
            values["factor"] = factors(facts, rule.sensitivity)
            for name, value in values.items():
                grids[rule.name][name][at, t] = value[here]
        wanted = ~(facts["lifecycle"] == "discontinued").to_numpy() & here
        point[row[wanted], t] = facts["reorder_point"].to_numpy()[wanted]
        mean[row[wanted], t] = (facts["reorder_point"] - facts["safety_stock"]).to_numpy()[wanted]
    readings = tuple(Reading(rule, **grids[rule.name]) for rule in spoken)
    dates = pd.DatetimeIndex([day.today for day in days]).normalize()
    return Readings(keys[SERIES].reset_index(drop=True), dates, readings, point, mean)


def fire(readings: Readings, settings: Mapping[str, Setting] | None = None) -> pd.DataFrame:
    """The alerts that would have been: alert_id, rule, kind, sku, location, opened_on, resolved_on,
    threshold.

    settings: by the rule's name; resolved_on is NaT where an alert was open on the last day
    """
    day = readings.dates.to_numpy().astype("datetime64[D]").astype(np.int64)
    books = [_Book(reading, (settings or {}).get(reading.rule.name, Setting())) for reading in readings.rules]
    for t in range(len(day)):
        spoken = np.zeros(len(readings.keys), dtype=bool)
        for book in books:
            spoken |= book.step(t, day, spoken)
    parts = [book.alerts(readings) for book in books]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole.assign(alert_id=np.arange(len(whole)).astype(str))


@dataclass
class _Book:
    """One rule's alerts while the days go by."""

    reading: Reading
    setting: Setting
    severity: np.ndarray = field(init=False)  # of the alert that is open, 0 = none
    current: np.ndarray = field(init=False)  # number of the last alert of each position, -1 = none yet
    ended: np.ndarray = field(init=False)  # day on which that one ended
    since: np.ndarray = field(init=False)  # day on which a breach began that waits
    opened: list[tuple[int, int, float]] = field(init=False, default_factory=list)
    resolved: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.reading.measure)
        self.severity = np.zeros(n, dtype=np.int8)
        self.current = np.full(n, -1)
        self.ended, self.since = np.full(n, NEVER), np.full(n, NEVER)

    def step(self, t: int, day: np.ndarray, silenced: np.ndarray) -> np.ndarray:
        """Play one day; gives where the rule speaks at its end, (n,)."""
        rule, today = self.reading.rule, day[t]
        tier, bound, unknown = self._grade(t)
        open_ = self.severity > 0
        true = (tier > 0) & ~silenced
        waiting = self.since > NEVER
        cooling = (self.ended + rule.cooldown_days >= today) & (rule.cooldown_days > 0)
        long = today - np.where(waiting, self.since, today) >= rule.pending_days
        fresh = true & ~open_ & (long | cooling)
        stays = fresh | (true & open_)
        pending = (true & ~stays) | (unknown & waiting & ~open_)
        self.since = np.where(pending, np.where(waiting, self.since, today), NEVER)
        for row in np.flatnonzero(open_ & ~stays):
            self.resolved[self.current[row]] = t
            self.ended[row] = today
        for row in np.flatnonzero(fresh):
            if cooling[row]:
                del self.resolved[self.current[row]]
            else:
                self.current[row] = len(self.opened)
                self.opened.append((int(row), t, float(self.reading.basis[row, t] * (1 - bound[row]))))
        self.severity = np.where(stays, np.where(unknown, self.severity, tier), 0).astype(np.int8)
        return stays

    def alerts(self, readings: Readings) -> pd.DataFrame:
        """All that opened."""
        rows, first, limits = (
            (list(column) for column in zip(*self.opened, strict=True)) if self.opened else ([], [], [])
        )
        moments = np.append(readings.dates.to_numpy(), np.datetime64("NaT"))
        ends = moments[[self.resolved.get(number, -1) for number in range(len(rows))]]
        low = self.reading.rule.kind == "low_stock"
        return (
            readings.keys.iloc[rows]
            .reset_index(drop=True)
            .assign(
                rule=self.reading.rule.name,
                kind=self.reading.rule.kind,
                opened_on=readings.dates[first],
                resolved_on=ends,
                threshold=np.array(limits, dtype=float) if low else np.nan,
                bound=np.nan,
                units_at_risk=np.nan,
            )
        )

    def _grade(self, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tier, its bound, and where nothing can be told, (n,) each; as `warning.grading.grade`."""
        rule, measure = self.reading.rule, self.reading.measure[:, t]
        factor = (self.reading.factor[:, t] * self.setting.factor)[:, None]
        severities = np.array([TIERS.index(name) + 1 for name in TIERS if name in rule.tiers], dtype=np.int8)
        bounds = np.array([[rule.tiers[name] for name in TIERS if name in rule.tiers]], dtype=float)
        bounds = np.minimum(bounds / factor, rule.shape.bounds[1])
        rank = np.concatenate([[0], severities]).astype(np.int8)
        ease = (rule.hysteresis if self.setting.hysteresis is None else self.setting.hysteresis) / factor
        exact = EXACT * np.maximum(1.0, bounds)
        reached = rank[(measure[:, None] >= bounds - exact).sum(axis=1)]
        held = rank[(measure[:, None] >= ends_of(bounds, ease) - exact).sum(axis=1)]
        poor = (self.severity == 0) & (self.reading.money[:, t] < rule.min_money)
        tier = np.maximum(np.where(poor, 0, reached), np.minimum(self.severity, held))
        unknown = np.isnan(measure)
        tier = np.where(unknown, self.severity, tier)
        place = np.clip(np.searchsorted(severities, tier, side="right") - 1, 0, None)
        tier = np.where((tier > 0) & ~unknown, severities[place], tier).astype(np.int8)
        return tier, bounds[np.arange(len(bounds)), place], unknown
