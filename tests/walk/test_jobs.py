"""The daily job beside the service: it runs by itself, in its own process, and stops with the service."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from serving.jobs import scheduler
from serving.settings import read_settings
from serving.store.store import Store

pytestmark = pytest.mark.walk


def test_the_daily_job_loads_again_and_publishes(forestock, tmp_path: Path) -> None:
    dates = pd.date_range("2024-01-01", periods=40)
    quantity = np.random.default_rng(2).poisson(3.0, len(dates))
    tables = tmp_path / "tables"
    tables.mkdir()
    demand = pd.DataFrame({"sku": "a", "location": "s", "date": dates, "quantity": quantity})
    demand.iloc[:-1].to_csv(tables / "demand.csv", index=False)
    forestock("load", tables, "--workspace", tmp_path / "workspace")
    demand.to_csv(tables / "demand.csv", index=False)  # a day later, the file has one more row

    settings = read_settings(workspace=tmp_path / "workspace")
    store = Store.open(settings.database_url.get_secret_value())
    with scheduler(settings, 600.0, 0.5, config=None, as_of=None):
        since = time.monotonic()
        while not store.ready().ready:
            assert time.monotonic() - since < 180, (settings.workspace / "daily.log").read_text()
            time.sleep(0.5)
    assert pd.Timestamp(store.snapshot().as_of) == dates[-1]
    store.close()


def test_a_job_that_fails_leaves_its_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = read_settings(workspace=tmp_path / "workspace")
    settings.workspace.mkdir()
    with scheduler(settings, 600.0, 0.2, config=None, as_of=None):
        since = time.monotonic()
        while not caplog.records:
            assert time.monotonic() - since < 120
            time.sleep(0.2)
    assert "daily job ended with 1" in caplog.text
    assert "nothing to load" in (settings.workspace / "daily.log").read_text(encoding="utf-8")
