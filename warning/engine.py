"""The engine: facts × rules × what was open → what opens, what goes on, what ends.

This module owns the decision: one alert per rule and subject until it ends, and one alert per cause. It
writes nothing; the same input gives the same decision, today being an argument.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from warning.alerts import ALERT_COLUMNS, blank, describe, finish, rank
from warning.facts import IDENTITY, complete_all
from warning.grading import Grade, grade, watched
from warning.inhibition import Voices, blinded
from warning.kinds import KINDS, TIERS, Subject
from warning.rules import Rule, in_order
from warning.selection import check_columns, selected
from warning.steadiness import PENDING, Past, ripe, rows_in, still_pending, waits_of

ENDED = ("resolved", "reviewed")  # states of alerts that are over


def _no_alerts() -> pd.DataFrame:
    return pd.DataFrame(columns=list(ALERT_COLUMNS))


def _none_pending() -> pd.DataFrame:
    return pd.DataFrame(columns=list(PENDING))


@dataclass(frozen=True)
class Changes:
    """What one evaluation found; the first three frames have ALERT_COLUMNS, the most money at risk first.

    opened: new alerts; state open. Those of change "reopened" are earlier alerts that return within their
        cooldown, under the identity they had
    updated: open alerts that are still true, measured anew, in the state they had; change is same, escalated
        or eased from previous_tier, or no_data: it could not be measured and stays as it was, data_state says
        why (unknown or stale)
    resolved: open alerts that ended; resolution is cleared, superseded (an earlier rule speaks for the same
        cause), retired (the rule is gone or watches it no more), gone (the position is) or duplicate
    pending: rule, sku, location, about, since of breaches that have not lasted long enough to open
    """

    opened: pd.DataFrame = field(default_factory=_no_alerts)
    updated: pd.DataFrame = field(default_factory=_no_alerts)
    resolved: pd.DataFrame = field(default_factory=_no_alerts)
    pending: pd.DataFrame = field(default_factory=_none_pending)


@dataclass(frozen=True)
class Decision(Changes):
    """What one evaluation found of the rules that are live, and of those in shadow.

    shadow: what the rules in shadow would have done; recorded, neither shown nor notified
    today: the business date it was made for; None where nobody said
    """

    shadow: Changes = field(default_factory=Changes)
    today: pd.Timestamp | None = None


@dataclass(frozen=True)
class Shadow:
    """What the rules in shadow have open, and their past."""

    open_alerts: pd.DataFrame = field(default_factory=_no_alerts)
    past: Past = field(default_factory=Past)


def evaluate(
    facts: pd.DataFrame,
    rules: Sequence[Rule],
    today: pd.Timestamp,
    open_alerts: pd.DataFrame,
    currency: str = "",
    *,
    past: Past | None = None,
    shadow: Shadow | None = None,
    suppliers: pd.DataFrame | None = None,
    sources: pd.DataFrame | None = None,
    words: bool = True,
) -> Decision:
    """Alerts that begin, go on and end today.

    facts: all watched positions, one row per sku and location, columns as in `warning.facts`; suppliers and
        sources likewise, where supplier and data rules are to speak
    rules: names distinct; of the rules for one cause the earlier kind, then the earlier rule, speaks
    today: business date
    open_alerts: alerts so far (alert_id, rule, sku, location, about, tier, state, opened_on and what else the
        store kept); may be empty; ended ones are ignored
    currency: written after amounts of money
    words: whether alerts get title, reason, remedy and recommendation; without, it takes half the time
    past, shadow: what earlier evaluations left, where rules have pending times or cooldowns, or are in shadow
    Problem where a rule names a column that nobody has.
    """
    ordered = in_order(rules)
    seen = complete_all(facts, suppliers, sources)
    check_columns(ordered, {subject: list(frame.columns) for subject, frame in seen.items()})
    today = pd.Timestamp(today).normalize().as_unit("ns")
    shadow = shadow or Shadow()
    voices = Voices()
    live = _Book(open_alerts, past or Past(), seen, today, voices)
    dark = _Book(shadow.open_alerts, shadow.past, seen, today, Voices(over=voices))
    for rule in ordered:
        if not rule.is_in_force(today.date()):
            continue
        frame = seen[rule.shape.subject]
        if frame.empty:
            continue
        here = np.full(len(frame), rule.mode == "live")
        if rule.pilot:
            here &= selected(frame, rule.is_live_at)
        live.judge(rule, frame, here)
        if not here.all():
            dark.judge(rule, frame, ~here)
    return Decision(
        **vars(live.changes(currency, words=words)), shadow=dark.changes(currency, words=False), today=today
    )


class _Book:
    """The alerts of one side, live or shadow, while the rules are gone through in their order."""

    def __init__(
        self,
        open_alerts: pd.DataFrame,
        past: Past,
        seen: Mapping[Subject, pd.DataFrame],
        today: pd.Timestamp,
        voices: Voices,
    ) -> None:
        self._live, self._doubles = _live(open_alerts)
        self._past, self._today, self._voices = past, today, voices
        self._rule = self._live["rule"].to_numpy(dtype=object)
        self._severity = self._live["severity"].to_numpy()
        self._index = {
            subject: pd.MultiIndex.from_frame(frame[list(IDENTITY)]) for subject, frame in seen.items()
        }
        self._blind = {subject: blinded(frame, subject) for subject, frame in seen.items()}
        self._place = np.full(len(self._live), -1)
        for subject, index in self._index.items():
            mine = (self._live["subject"] == subject).to_numpy()
            self._place[mine] = rows_in(index, self._live[mine])
        self._resolution = np.where(self._place < 0, "gone", "retired").astype(object)
        self._opened: list[pd.DataFrame] = []
        self._updated: list[pd.DataFrame] = []
        self._unmeasured: list[pd.DataFrame] = []
        self._pending: list[pd.DataFrame] = []

    def judge(self, rule: Rule, facts: pd.DataFrame, here: np.ndarray) -> None:
        """Note what one rule finds at the (n,) positions that are `here`."""
        subject, today = rule.shape.subject, self._today
        mine = np.flatnonzero((self._rule == rule.name) & (self._place >= 0))
        mine = mine[here[self._place[mine]]]
        alert = np.full(len(facts), -1)
        alert[self._place[mine]] = mine
        previous = np.zeros(len(facts), dtype=np.int8)
        previous[self._place[mine]] = self._severity[mine]
        found = grade(rule, facts, previous, self._blind[subject])
        taken = self._voices.silenced(rule, facts)
        true = (found.tier > 0) & here & ~taken
        waits = waits_of(rule, self._past, self._index[subject], today)
        fresh = ripe(rule, true & (alert < 0), found.tier, waits, today)
        stays = fresh | (true & (alert >= 0))
        # A breach that cannot be measured today neither ends its waiting nor completes it.
        unknown = np.isnan(found.measure) & here & ~np.isnat(waits.since)
        pending = (true & ~stays & (waits.settled == 0)) | (unknown & (alert < 0))
        place = self._place[mine]
        ends = np.where(watched(rule, facts.iloc[place]), "cleared", "retired").astype(object)
        ends = np.where(taken[place], "superseded", ends)
        self._resolution[mine] = np.where(stays[place], "", ends)
        self._note(rule, found, facts, np.flatnonzero(stays & (alert >= 0)), alert)
        if fresh.any():
            self._open(rule, found, facts, np.flatnonzero(fresh), waits.over, waits.ended)
        if pending.any():
            self._pending.append(still_pending(rule, facts, pending, waits, today))
        self._voices.speak(rule, facts, stays)

    def _note(
        self, rule: Rule, found: Grade, facts: pd.DataFrame, rows: np.ndarray, alert: np.ndarray
    ) -> None:
        """Open alerts that go on: measured anew, or as they were where that cannot be done."""
        known = ~np.isnan(found.measure[rows])
        again, blind = rows[known], rows[~known]
        if len(again):
            now = describe(rule, found, facts, again, self._today)
            self._updated.append(_carry(now, self._live.iloc[alert[again]]))
        if len(blind):
            stale = self._blind[rule.shape.subject][blind]
            before = self._live.iloc[alert[blind]]
            self._unmeasured.append(
                before.assign(
                    change="no_data",
                    previous_tier=before["tier"],
                    data_state=np.where(stale, "stale", "unknown").astype(object),
                )
            )

    def _open(
        self,
        rule: Rule,
        found: Grade,
        facts: pd.DataFrame,
        rows: np.ndarray,
        over: np.ndarray,
        ended: pd.DataFrame,
    ) -> None:
        """Alerts that begin; what only cools down goes on under its old identity."""
        returns = over[rows] >= 0
        now = describe(rule, found, facts, rows, self._today)
        if returns.any():
            before = ended.iloc[over[rows[returns]]]
            names = ["alert_id", "opened_on", "previous_tier", "change"]
            now = now.assign(alert_id=None)
            now.loc[returns, names] = before.assign(previous_tier=before["tier"], change="reopened")[
                names
            ].to_numpy()
            now["opened_on"] = pd.to_datetime(now["opened_on"])
        self._opened.append(now)

    def changes(self, currency: str, *, words: bool) -> Changes:
        """All that was noted, once every rule has been heard."""
        make = finish if words else blank
        measured = [make(self._updated, currency), *(part[list(ALERT_COLUMNS)] for part in self._unmeasured)]
        measured = [part for part in measured if len(part)]
        updated = rank(pd.concat(measured, ignore_index=True)) if measured else _no_alerts()
        over = [
            self._live.assign(resolution=self._resolution)[self._resolution != ""],
            self._doubles,
        ]
        pending = pd.concat(self._pending, ignore_index=True) if self._pending else _none_pending()
        return Changes(make(self._opened, currency), updated, _end(over, self._today), pending)


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
    subjects = frame["kind"].map({kind: shape.subject for kind, shape in KINDS.items()})
    frame["subject"] = frame["subject"].astype(object).fillna(subjects).fillna("item")
    frame["about"] = frame["about"].astype(object).fillna("")
    frame = frame.sort_values(["opened_on", "alert_id"], kind="stable").reset_index(drop=True)
    repeats = frame.duplicated(["rule", *IDENTITY])
    return frame[~repeats].reset_index(drop=True), frame[repeats].assign(resolution="duplicate")


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
        return _no_alerts()
    over = pd.concat(parts, ignore_index=True).assign(previous_tier=lambda frame: frame["tier"])
    over = over.assign(state="resolved", resolved_on=today, updated_on=today, change="resolved")
    return over[list(ALERT_COLUMNS)]
