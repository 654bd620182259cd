"""Watching: one evaluation of the warnings, from what the rules see to alerts that are kept.

It owns the order of the steps: the rules in force, what stands from before, the decision, who answers for
what is new, and the transaction that keeps all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from ingestion.warehouse import Warehouse
from serving.settings import Settings
from serving.store.store import Store
from warning.alerts import rank
from warning.engine import Decision, evaluate
from warning.facts import KEYS
from warning.owners import Owner, check_columns, owners_of
from warning.worklist import NOW, QUEUED, SILENCED, groups

if TYPE_CHECKING:  # an engine that runs as its own process needs no model
    from serving.walk import Walk


@dataclass(frozen=True)
class Seen:
    """What the rules see on one date.

    as_of: first date of the last complete period that is known; today: the business date, its last
    facts, suppliers, sources: of items, suppliers and sources, as `warning.facts` names their columns
    degraded: why these are older figures than there should be; "" where they are not
    """

    as_of: pd.Timestamp
    today: pd.Timestamp
    facts: pd.DataFrame
    suppliers: pd.DataFrame
    sources: pd.DataFrame
    degraded: str = ""


@dataclass(frozen=True)
class Watched:
    """What an evaluation of the warnings found.

    open: all alerts that are open now, the most money at risk first
    opened, resolved: how many began and ended with this evaluation
    shadow: how many alerts rules in shadow would have open
    degraded: as for Seen
    """

    as_of: pd.Timestamp
    series: int
    open: pd.DataFrame
    opened: int
    resolved: int
    quarantined: int = 0
    shadow: int = 0
    degraded: str = ""

    @property
    def shown(self) -> pd.DataFrame:
        """The open alerts that their owners are brought."""
        return self.open[self.open["attention"] == NOW] if "attention" in self.open else self.open

    def attention(self, kind: str) -> int:
        """How many of the open alerts get this attention."""
        return int((self.open["attention"] == kind).sum()) if "attention" in self.open else 0

    @property
    def groups(self) -> pd.DataFrame:
        """What of it belongs together, by place and supplier, the most money first."""
        return groups(self.shown)

    def summary(self) -> dict[str, Any]:
        """The result in a few words, for people and programs."""
        tiers = self.open["tier"].value_counts()
        return {
            "as_of": self.as_of.date().isoformat(),
            "items_watched": self.series,
            "alerts_open": len(self.open),
            "by_tier": {tier: int(tiers.get(tier, 0)) for tier in ("critical", "warning", "notice")},
            "money_at_risk": round(float(self.open["money_at_risk"].sum()), 2),
            "opened": self.opened,
            "resolved": self.resolved,
            "queued": self.attention(QUEUED),
            "silenced": self.attention(SILENCED),
            "in_shadow": self.shadow,
            "quarantined": self.quarantined,
            **({"degraded": self.degraded} if self.degraded else {}),
            "together": self.groups.head(3).to_dict("records"),
            "worst": [
                {key: str(row[key]) for key in ("tier", "sku", "location", "title", "reason", "remedy")}
                for row in self.shown.head(3).to_dict("records")
            ],
        }


def business_date(settings: Settings, store: Store) -> date:
    """The business date that was evaluated last; today where none was."""
    snapshot = store.ready().snapshot
    if snapshot is None:
        return datetime.now(settings.desk.hours.zone).date()
    period = Warehouse(settings.workspace / "warehouse").period
    return period.end(pd.Timestamp(snapshot.as_of)).date()


def seen_by(walk: "Walk") -> Seen:
    """What the rules see at a walk's date."""
    version = walk.model.version
    return Seen(
        walk.as_of,
        walk.period.end(walk.as_of),
        walk.facts,
        walk.supplier_facts.assign(data_as_of=walk.as_of, data_digest=walk.digest, model_version=version),
        walk.sources.assign(data_as_of=walk.as_of, data_digest=walk.digest, model_version=version),
    )


def look_back(store: Store, seen: Seen, settings: Settings) -> Watched:
    """What would have been raised on a past date, without the alerts that came later; nothing is kept."""
    rules = store.rules(settings.rules).in_force(seen.today.date())
    before = store.open_alerts().head(0)
    decision = evaluate(
        *(seen.facts, rules, seen.today, before, settings.currency),
        suppliers=seen.suppliers,
        sources=seen.sources,
    )
    shadow = len(decision.shadow.opened)
    return Watched(
        seen.as_of, len(seen.facts), rank(decision.opened), 0, 0, shadow=shadow, degraded=seen.degraded
    )


def keep_watch(store: Store, seen: Seen, settings: Settings, at: datetime | None = None) -> Watched:
    """Evaluate the rules in force on what they see, and keep alerts, audit and notices in one transaction.

    at: the moment, with its time zone; None is now
    """
    desk = settings.desk
    check_columns(desk.owners, seen.facts.columns)
    rules = store.rules(settings.rules).in_force(seen.today.date())
    before = store.standing(rules, seen.today.date())
    decision = evaluate(
        *(seen.facts, rules, seen.today, before.open_alerts, settings.currency),
        past=before.past,
        shadow=before.shadow,
        suppliers=seen.suppliers,
        sources=seen.sources,
    )
    owned = replace(decision, opened=_owned(decision, seen, desk.owners))
    applied = store.apply(owned, at or datetime.now(UTC), desk)
    return Watched(
        seen.as_of,
        len(seen.facts),
        rank(store.open_alerts()),
        applied.opened,
        applied.resolved,
        shadow=len(decision.shadow.opened) + len(decision.shadow.updated),
        degraded=seen.degraded,
    )


def _owned(decision: Decision, seen: Seen, owners: Mapping[str, Owner]) -> pd.DataFrame:
    """New alerts with who answers for them: the owner of the item, the supplier or the source."""
    by: dict[tuple[str, str, str], str] = {}
    for key, frame in (("", seen.facts), ("supplier", seen.suppliers), ("source", seen.sources)):
        names = owners_of(frame, owners)
        nothing = [""] * len(frame)
        parts = (
            [nothing, nothing, frame[key].astype(str)]
            if key
            else [*(frame[k].astype(str) for k in KEYS), nothing]
        )
        by |= dict(zip(zip(*parts, strict=True), names, strict=True))
    opened = decision.opened
    places = zip(opened["sku"], opened["location"], opened["about"], strict=True)
    return opened.assign(owner=[by[place] for place in places])
