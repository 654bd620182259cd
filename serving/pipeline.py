"""The pipeline: what each command does with a walk, and where it leaves the result.

load fills the warehouse; the walk computes; publish leaves a snapshot and the larger tables; watch decides
on alerts and keeps them; run is all of it in order.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand
from forecasting.training import TrainingReport
from ingestion import loading
from ingestion.errors import Problem
from ingestion.health import inspect
from ingestion.reporting import LoadReport
from ingestion.warehouse import Warehouse
from serving.results import Results, write_bytes
from serving.retraining import heed_feedback
from serving.settings import Settings
from serving.store.store import Store
from serving.walk import Stage, Walk
from serving.watching import Watched, keep_watch, look_back, seen_by

SHOWN_DAYS = 400.0  # of history that the item page draws
SUMS = {"day": (7, 14, 28), "week": (1, 2, 4), "month": (1, 2, 3)}
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the fan that the item page draws, beside the asked levels
LAST_FOLDER = "last-load.json"
log = logging.getLogger(__name__)


def load(
    settings: Settings, folder: Path | None, stage: Stage, as_of: pd.Timestamp | None = None
) -> LoadReport:
    """Read, check and store all tables; without a folder, those of the folder loaded last.

    as_of: up to when the data's health is reported; everything is stored
    """
    remembered = settings.workspace / LAST_FOLDER
    if folder is None and remembered.exists():
        folder = Path(json.loads(remembered.read_text(encoding="utf-8"))["folder"])
    if folder is None and not settings.tables:
        raise Problem("there is nothing to load: name a folder, or describe [sources.…] in forestock.toml")
    stage("reading and checking tables")
    warehouse = Warehouse(settings.workspace / "warehouse")
    report = loading.load(folder, settings.ingestion, warehouse)
    if folder is not None:
        write_bytes(remembered, json.dumps({"folder": str(folder.resolve())}).encode())
    return report if as_of is None else replace(report, health=inspect(warehouse, as_of))


def daily_forecast(demand: CumulativeDemand, horizon: int | None, levels: Sequence[float]) -> pd.DataFrame:
    """Per sku, location and date: mean and quantiles of that period alone, units."""
    steps = horizon or demand.horizon
    mean, quantiles = demand.daily(list(levels))
    frame = demand.keys.loc[np.repeat(np.arange(len(demand.keys)), steps)].reset_index(drop=True)
    frame = frame.assign(date=np.tile(demand.dates[:steps], len(demand.keys)), mean=mean[:, :steps].ravel())
    return frame.assign(**_columns(levels, quantiles[:, :steps]), **_method(demand, steps))


def cumulative_forecast(
    demand: CumulativeDemand, horizons: Sequence[int] | None, levels: Sequence[float]
) -> pd.DataFrame:
    """Per sku, location and horizon: mean and quantiles of the sum over that many periods, units."""
    sums = sorted(set(horizons or SUMS[demand.period.name]))
    at = np.array(sums) - 1
    frame = demand.keys.loc[np.repeat(np.arange(len(demand.keys)), len(sums))].reset_index(drop=True)
    frame = frame.assign(horizon=np.tile(sums, len(demand.keys)), mean=demand.mean[:, at].ravel())
    return frame.assign(
        **_columns(levels, demand.quantile(list(levels))[:, at]), **_method(demand, len(sums))
    )


def _columns(levels: Sequence[float], quantiles: np.ndarray) -> dict[str, np.ndarray]:
    return {f"q{level:g}": quantiles[:, :, k].ravel() for k, level in enumerate(levels)}


def _method(demand: CumulativeDemand, repeats: int) -> dict[str, np.ndarray]:
    """Which model made each row, so that a fallback shows."""
    return {"method": np.repeat(np.asarray(demand.method, dtype=object), repeats)}


def risk_ahead(walk: Walk, horizon: int | None) -> pd.DataFrame:
    """The risk of the next `horizon` periods, by default all that are forecast."""
    risk = walk.risk
    return risk[risk["horizon"] <= (horizon or walk.horizon)].reset_index(drop=True)


def orders_to_place(walk: Walk) -> pd.DataFrame:
    """The recommended orders; needs counted stock, and tells how many series are left out for want of it."""
    walk.require_counts("plan")
    position, lifecycle = walk.position, walk.supply["lifecycle"]
    left_out = position["on_hand"].isna().to_numpy() & (lifecycle != "discontinued").to_numpy()
    if left_out.any():
        log.warning(
            "%d of %d series have no stock count up to %s (the latest is of %s) and are not planned; "
            "load their counts into stock (sku, location, as_of, on_hand)",
            left_out.sum(),
            len(position),
            walk.period.end(walk.as_of).date(),
            position["counted_on"].max().date(),
        )
    return walk.orders


def publish(walk: Walk, store: Store) -> None:
    """Leave what the walk computed where pages and programs read it."""
    walk.stage("publishing")
    tables = {"thresholds": walk.thresholds, "positions": walk.facts, "orders": walk.orders}
    larger = {
        "forecast": daily_forecast(walk.demand, None, sorted({*BANDS, *walk.settings.levels})),
        "cumulative": cumulative_forecast(walk.demand, None, walk.settings.levels),
        "thresholds": walk.thresholds_ahead(words=False),
        "history": _history(walk),
        "inbound": _inbound(walk),
        "suppliers": walk.supplier_facts,
        "sources": walk.sources,
    }
    if walk.position["on_hand"].notna().any():
        larger["risk"] = walk.risk
    written = Results(walk.settings.workspace / "results").write(walk.as_of, larger)
    store.publish(
        walk.as_of, walk.digest, walk.model.version, tables, results_digest=written, at=datetime.now(UTC)
    )


def _history(walk: Walk) -> pd.DataFrame:
    """What was sold over the last year or so, as the item page draws it."""
    panel = walk.panel
    count = min(panel.length, int(SHOWN_DAYS / panel.period.days))
    rows = np.repeat(np.arange(panel.series), count)
    frame = panel.keys.loc[rows].reset_index(drop=True)
    frame = frame.assign(
        date=np.tile(panel.dates[panel.length - count : panel.length], panel.series),
        quantity=panel.sold[:, -count:].ravel(),
        in_stock=panel.in_stock[:, -count:].ravel(),
        promotion=np.nan_to_num(panel.promotion[:, -count:]).ravel(),
    )
    return frame[np.isfinite(frame["quantity"])].reset_index(drop=True)


def _inbound(walk: Walk) -> pd.DataFrame:
    orders = walk.inbound.orders[["sku", "location", "expected_on", "quantity"]]
    orders = orders.rename(columns={"expected_on": "date"}).dropna(subset=["date"])
    return orders.groupby(["sku", "location", "date"], as_index=False)[["quantity"]].sum()


def watch(walk: Walk) -> Watched:
    """Evaluate the rules against the walk's facts, publish what they rest on, keep the alerts.

    For a date before the one in force it tells what would have been raised and changes no alert.
    """
    store = Store.open(walk.settings.database_url.get_secret_value())
    try:
        seen = seen_by(walk)
        latest = store.ready().snapshot
        publish(walk, store)
        walk.stage("evaluating warnings")
        if latest is not None and walk.as_of < pd.Timestamp(latest.as_of):
            return look_back(store, seen, walk.settings)
        return keep_watch(store, seen, walk.settings)
    finally:
        store.close()


def run(settings: Settings, folder: Path | None, as_of: pd.Timestamp | None, stage: Stage) -> Watched:
    """The daily job: load → train if due or on new feedback → thresholds → risk → watch."""
    report = load(settings, folder, stage)
    walk = Walk(settings, as_of, stage)
    heed_feedback(walk)
    return replace(watch(walk), quarantined=len(report.quarantined))


def summary_of_load(report: LoadReport) -> dict[str, Any]:
    """What a load did, in a few words."""
    return {
        "accepted": report.accepted,
        "quarantined": len(report.quarantined),
        "unchanged": report.unchanged,
        "history_days": report.health.history_days,
        "reconciliation_differences": len(report.health.reconciliation),
        **({"left_out": report.left_out} if report.left_out else {}),
        **({"repeats": report.repeats} if report.repeats else {}),
        **({"ignored_columns": report.ignored_columns} if report.ignored_columns else {}),
        **({"ignored_files": report.ignored_files} if report.ignored_files else {}),
        **({"notes": list(report.notes)} if report.notes else {}),
    }


def summary_of_training(report: TrainingReport) -> dict[str, Any]:
    """What training decided and why."""
    return {
        "champion": report.champion,
        "beats_the_baselines": report.earned,
        "why": report.why,
        "as_of": report.model.as_of,
        "horizon": report.model.about["horizon"],
        **({"notes": list(report.notes)} if report.notes else {}),
        "backtest": comparison(report).to_dict("records"),
    }


def comparison(report: TrainingReport) -> pd.DataFrame:
    """Candidates by their loss over all windows: pinball, bias and the share of demand within 95 %."""
    table = report.scores[report.scores["segment"] == "all"].sort_values("pinball")
    table = table[["candidate", "windows", "pinball", "bias", "below_0.95", "within_0.95"]]
    return table.round(4).reset_index(drop=True)
