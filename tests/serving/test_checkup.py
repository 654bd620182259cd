"""The check-up of a real workspace: what doctor is shown, and that looking changes nothing."""

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import SecretStr
from sqlalchemy import text

from ingestion.retailer import simulate
from serving import pipeline
from serving.checkup import findings
from serving.settings import Settings, read_settings
from serving.store.database import open_engine


def whats(settings, today: str) -> str:
    return "\n".join(finding.what for finding in findings(settings, None, pd.Timestamp(today)))


def test_an_empty_workspace_names_the_missing_tables_and_makes_nothing(tmp_path: Path) -> None:
    settings = read_settings(workspace=tmp_path / "workspace")
    assert "the table demand is empty" in whats(settings, "2024-05-01")
    assert not (tmp_path / "workspace").exists()


def test_tampering_with_the_audit_and_undelivered_notices_are_found(new_shop: Any, tmp_path: Path) -> None:
    retailer = simulate(items=2, stores=1, days=100)
    retailer.write(tmp_path / "tables")
    settings = Settings(workspace=new_shop.folder, database_url=SecretStr(new_shop.url))
    pipeline.load(settings, tmp_path / "tables", lambda _stage: None)
    today = str(retailer.last_day.date())
    before = whats(settings, today)
    assert "tampered" not in before
    assert "nobody is told of alerts" in before
    with open_engine(new_shop.url).begin() as connection:
        connection.execute(text("DROP TRIGGER alert_events_no_update"))
        connection.execute(text("UPDATE alert_events SET actor = 'somebody' WHERE event_id = 2"))
    assert "the audit of alerts was tampered with" in whats(settings, today)


def test_a_loaded_workspace_tells_what_is_stale_and_untrained(tmp_path: Path) -> None:
    retailer = simulate(items=2, stores=1, days=100)
    retailer.write(tmp_path / "tables")
    settings = read_settings(workspace=tmp_path / "workspace")
    pipeline.load(settings, tmp_path / "tables", lambda _stage: None)
    fresh = whats(settings, str(retailer.last_day.date()))
    assert "no model is champion" in fresh
    assert "history is shorter than 180 days" in fresh
    assert "stale" not in fresh
    assert "the source demand is stale" in whats(
        settings, str((retailer.last_day + pd.Timedelta(days=9)).date())
    )
