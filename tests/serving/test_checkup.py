"""The check-up of a real workspace: what doctor is shown, and that looking changes nothing."""

from pathlib import Path

import pandas as pd

from ingestion.retailer import simulate
from serving import pipeline
from serving.checkup import findings
from serving.settings import read_settings


def whats(settings, today: str) -> str:
    return "\n".join(finding.what for finding in findings(settings, None, pd.Timestamp(today)))


def test_an_empty_workspace_names_the_missing_tables_and_makes_nothing(tmp_path: Path) -> None:
    settings = read_settings(workspace=tmp_path / "workspace")
    assert "the table demand is empty" in whats(settings, "2024-05-01")
    assert not (tmp_path / "workspace").exists()


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
