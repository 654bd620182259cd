"""Several processes on one store: none waits in vain, nothing is doubled or lost."""

import subprocess
import sys
from typing import Any

import pandas as pd

from serving.store.alerts import AlertFilter
from serving.store.store import Store

WORKER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import pandas as pd
from serving.settings import Settings
from serving.store.store import Store
from serving.watching import Seen, keep_watch

url, folder = sys.argv[1:]
tables = {name: pd.read_parquet(f"{folder}/{name}.parquet") for name in ("thresholds", "positions", "orders")}
changes = [
    {"name": "overstock", "pending_days": 1},
    {"name": "trial", "kind": "stockout_risk", "tiers": {"notice": 0.05}, "mode": "shadow", "priority": 1},
]
settings = Settings(
    workspace=Path(folder),
    database_url=url,
    rule_changes=changes,
    channels={"log": {"kind": "log"}},
    owners={"planner": {"capacity": 4}},
)
suppliers = pd.DataFrame({"supplier": ["Acme"], "open_orders": 9.0, "overdue": 6.0})
print("ready", flush=True)
sys.stdin.readline()
store = Store.open(url)
today = pd.Timestamp("2026-03-09")
for day in range(6):
    at = datetime(2026, 3, 9 + day, 7, tzinfo=UTC)
    as_of = today + pd.Timedelta(days=day - 1)
    store.publish(as_of, f"data-{day}", "model-1", tables, at=at)
    facts = tables["positions"].assign(on_hand=lambda frame: frame["on_hand"] * (1 + (-1) ** day * 0.3))
    seen = Seen(as_of, today + pd.Timedelta(days=day), facts, suppliers, pd.DataFrame({"source": []}))
    keep_watch(store, seen, settings, at)
store.close()
"""


def test_processes_at_once_do_what_one_would_do(database: str, shop: Any, tmp_path: Any) -> None:
    for name, frame in shop.tables.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, database, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:  # all of them find an empty database, which each must bring to the present schema
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _, errors = worker.communicate(timeout=180)
        assert worker.returncode == 0, errors
    store = Store.open(database)
    alerts = store.open_alerts()
    assert len(alerts) > 10
    assert not alerts.duplicated(["rule", "sku", "location"]).any()
    assert store.snapshot().as_of == pd.Timestamp("2026-03-13").date()
    lived = store.alerts(AlertFilter(state="all"), 10_000).rows
    assert not lived["alert_id"].duplicated().any()
    assert (lived["rule"] == "supplier_late").sum() == 1
    # A day brings an owner its capacity, and critical alerts as many again.
    brought = lived.dropna(subset=["attention_on"])
    by_day = brought.groupby("attention_on")
    assert by_day.size().max() <= 8
    assert by_day["tier"].agg(lambda tier: (tier != "critical").sum()).max() <= 4
    shadow = store.standing([], pd.Timestamp("2026-03-14").date()).shadow.open_alerts
    assert len(shadow) > 0
    assert not shadow.duplicated(["rule", "sku", "location"]).any()
    told = store.outbox.find(limit=100_000)
    assert len({notice["notice_id"] for notice in told}) == len(told)
    openings = [notice["alert_id"] for notice in told if notice["event"] == "opened"]
    assert len(openings) >= len(lived)
    for alert_id in alerts["alert_id"]:
        life = store.alert(alert_id)[1]["event"].tolist()
        # Whoever came first opened it; it cannot have ended more often than it began.
        assert life[0] == "opened"
        assert life.count("opened") == 1
        assert life.count("resolved") == life.count("reopened")
    store.close()
