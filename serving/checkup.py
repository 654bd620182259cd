"""The check-up: gathers what `doctor` looks at from the workspace. Looking changes nothing."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd

from forecasting.calendar import known_until
from ingestion.health import MOVING, inspect
from ingestion.warehouse import Warehouse
from serving.doctor import Evidence, Finding, examine
from serving.pitfalls import PLANNER, Working, pitfalls
from serving.settings import Settings
from serving.store.store import Store
from serving.walk import identity
from warning.facts import complete_all
from warning.history import SERIES
from warning.kinds import SHORTAGES

LATELY = pd.Timedelta(days=60)  # in which an alert may have led to an order that came


def findings(settings: Settings, as_of: pd.Timestamp | None, today: pd.Timestamp) -> list[Finding]:
    """What is stale, never reviewed, unsafe or misconfigured, the worst first.

    today: business date that ages are counted to
    """
    warehouse = Warehouse(settings.workspace / "warehouse")
    there = settings.workspace.exists()
    evidence = Evidence(
        today=today,
        tables=warehouse.tables(),
        rules=settings.rules,
        host=settings.host,
        workspace_mode=settings.workspace.stat().st_mode if there else None,
        workspace_writable=os.access(settings.workspace, os.W_OK) if there else None,
    )
    if "demand" not in warehouse.tables():
        return examine(evidence)
    health = inspect(warehouse, as_of)
    moving = health.freshness[health.freshness["table"].isin(MOVING)]
    evidence = replace(
        evidence,
        freshness=moving.rename(columns={"last": "last_date"}),
        period_days=warehouse.period.days,
        demand_first=warehouse.first_date(),
        demand_last=warehouse.last_date(),
        policies=warehouse.read("policies", as_of),
    )
    evidence = _published(_model(evidence, settings, as_of or warehouse.last_date()), settings)
    data = [
        Finding("warning", str(row.message), str(row.subject), str(row.remedy))
        for row in health.findings.itertuples()
        if row.kind not in ("stale", "short_history")  # said above in other words
    ]
    order = ("error", "warning", "note")
    worked = pitfalls(_worked(settings, warehouse, evidence, as_of))
    return sorted([*examine(evidence), *data, *worked], key=lambda finding: order.index(finding.severity))


def _model(evidence: Evidence, settings: Settings, as_of: pd.Timestamp) -> Evidence:
    from forecasting.tracking import registry  # the tracking library takes seconds to import

    models, whose = settings.workspace / "models", identity(settings.workspace)
    found = registry.in_force(
        settings.tracking_uri, models, as_of, workspace=whose, signing_key=settings.signing_key
    )
    if found is None:
        return replace(evidence, champion="")
    days = found.about["horizon"] * evidence.period_days
    return replace(
        evidence,
        champion=found.name,
        trained_on=pd.Timestamp(found.as_of),
        horizon_end=as_of + pd.Timedelta(days=days),
        holidays_until=known_until(settings.country) if settings.country else None,
    )


def _published(evidence: Evidence, settings: Settings) -> Evidence:
    """Open alerts, rules and what they watch, the age of thresholds; nothing where nothing was published."""
    url = settings.database_url.get_secret_value()
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return evidence
    store = Store.open(url)
    try:
        counts: Counter[str] = Counter()
        for (_, state), count in store.outbox.count().items():
            counts[state] += count
        evidence = replace(
            evidence,
            alerts=store.open_alerts(),
            rules=store.rules(settings.rules).in_force(evidence.today.date()),
            audit=store.responses(settings.desk).verify(),
            notices=counts,
            channels=len(settings.desk.channels),
        )
        snapshot = store.ready().snapshot
        if snapshot is not None:
            as_of = pd.Timestamp(snapshot.as_of)
            evidence = replace(evidence, thresholds_changed_on=as_of, watched=_watched(store, as_of))
    finally:
        store.close()
    return evidence


def _watched(store: Store, as_of: pd.Timestamp) -> pd.DataFrame | None:
    """What the rules saw of items on a date; None where nothing was."""
    kept = store.facts_of(as_of)
    return None if kept is None or kept[1].empty else complete_all(kept[1], None, None)["item"]


def _worked(
    settings: Settings, warehouse: Warehouse, evidence: Evidence, as_of: pd.Timestamp | None
) -> Working:
    """How alerts are worked; of what was never published only the tables."""
    working = Working(evidence.today, known=_known(warehouse, as_of), owners=_names_owners(settings))
    if evidence.alerts is None:
        return working
    store = Store.open(settings.database_url.get_secret_value())
    try:
        first = min(store.outcomes.first_spoken().values(), default=None)
        reviewed = store.outcomes.last_review()
        lately = evidence.today - LATELY
        told = store.outcomes.alerts(lately.date(), evidence.today.date())
        snapshot = store.ready().snapshot
        kept = None if snapshot is None else store.facts_of(pd.Timestamp(snapshot.as_of))
    finally:
        store.close()
    working = replace(
        working,
        alerts=evidence.alerts,
        first_alert=None if first is None else pd.Timestamp(first),
        last_review=None if reviewed is None else pd.Timestamp(reviewed.replace(tzinfo=None)),
    )
    if kept is None or "overstock_level" not in kept[1]:
        return working
    short = told[told["kind"].isin(SHORTAGES)][SERIES].drop_duplicates()
    now = kept[1].merge(short, on=SERIES)
    over = (now["on_hand"] + now["inbound"].fillna(0.0)) > now["overstock_level"].astype(float)
    return replace(working, warned=len(now), over=int(over.sum()))


def _known(warehouse: Warehouse, as_of: pd.Timestamp | None) -> dict[str, float]:
    """Share of the series of demand that each table of the same places knows."""
    sold = pd.MultiIndex.from_frame(warehouse.read("demand", as_of, SERIES).drop_duplicates())
    found: dict[str, float] = {}
    for name in ("stock", "sourcing"):
        if name in warehouse.tables():
            there = pd.MultiIndex.from_frame(warehouse.read(name, as_of, SERIES).drop_duplicates())
            found[name] = float(sold.isin(there).mean())
    return found


def _names_owners(settings: Settings) -> bool:
    return list(settings.desk.owners) != [PLANNER]
