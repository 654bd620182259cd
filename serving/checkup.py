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
from serving.settings import Settings
from serving.store.store import Store
from serving.walk import identity


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
    return sorted([*examine(evidence), *data], key=lambda finding: order.index(finding.severity))


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
    """Open alerts and the age of the thresholds; nothing where nothing was published."""
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
            evidence = replace(evidence, thresholds_changed_on=pd.Timestamp(snapshot.as_of))
    finally:
        store.close()
    return evidence
