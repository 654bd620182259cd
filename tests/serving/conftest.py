"""A small shop with plausible rows: what builders of the rooms before would have published."""

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from forecasting.gbm import Gbm
from forecasting.training import train
from serving import pipeline
from serving.api.app import create_app
from serving.results import Results
from serving.settings import Settings
from serving.store.store import Store
from warning.engine import Decision, evaluate
from warning.rules import default_rules

AS_OF = pd.Timestamp("2026-03-08")
TODAY = pd.Timestamp("2026-03-09")
AT = datetime(2026, 3, 9, 7, 0, tzinfo=UTC)
HORIZON = 28
NAMES = [
    *("Whole milk 1 l", "Oat drink 1 l", "Free-range eggs ×10", "Rye bread", "Fusilli 500 g", "Penne 500 g"),
    *(
        "Basmati rice 1 kg",
        "纯牛奶 250ml×12",
        "酱油 500ml",
        "长粒香米 5kg",
        "Olive oil 750 ml",
        "Tomato passata",
    ),
    *(
        "Dark chocolate 70 %",
        "Coffee beans 1 kg",
        "Green tea 50 bags",
        "Sparkling water 6×1.5 l",
        "Apples, loose (kg)",
    ),
    *("Bananas (kg)", "Washing powder 2 kg", "Paper towels ×4"),
]
CATEGORIES = ["Dairy", "Dairy", "Dairy", "Bakery", "Pasta", "Pasta", "Staples", "Dairy", "Staples", "Staples"]
LOCATIONS = ["Harbour St", "Old Town", "仓库-北京"]
SUPPLIERS = ["Northern Dairy", "Gustav & Co", "华北食品"]


@dataclass(frozen=True)
class Shop:
    """A store and results with one snapshot and its alerts."""

    url: str
    folder: Path
    store: Store
    results: Results
    facts: pd.DataFrame
    thresholds: pd.DataFrame
    orders: pd.DataFrame
    decision: Decision
    as_of: pd.Timestamp = AS_OF
    today: pd.Timestamp = TODAY
    at: datetime = AT

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {"thresholds": self.thresholds, "positions": self.facts, "orders": self.orders}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop that tests may read and must not change."""
    folder = tmp_path_factory.mktemp("shop")
    made = open_shop(folder, f"sqlite:///{folder}/store.db")
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def closed_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop that nobody has open: making its tables anew takes longer than most tests."""
    folder = tmp_path_factory.mktemp("closed")
    open_shop(folder, f"sqlite:///{folder}/store.db").store.close()
    return folder


@pytest.fixture
def new_shop(closed_shop: Path, tmp_path: Path) -> Iterator[Shop]:
    """A shop of the test's own."""
    made = copied_shop(closed_shop, tmp_path)
    yield made
    made.store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/any.db"
        return
    server = os.environ.get("FORESTOCK_TEST_POSTGRES")
    if not server:
        pytest.skip("FORESTOCK_TEST_POSTGRES names no PostgreSQL server to test with")
    schema = f"forestock_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def any_shop(database: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop of the test's own, on each kind of database."""
    made = open_shop(tmp_path, database)
    yield made
    made.store.close()


@pytest.fixture
def empty_store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/empty.db")
    yield store
    store.close()


def open_shop(folder: Path, url: str) -> Shop:
    facts, thresholds, orders, decision, outputs = make_rows()
    store, results = Store.open(url), Results(folder / "results")
    made = Shop(url, folder, store, results, facts, thresholds, orders, decision)
    run = results.write(AS_OF, outputs)
    store.publish(AS_OF, "data-1", "model-1", made.tables, results_digest=run, at=AT)
    store.apply(decision, AT)
    return made


def copied_shop(closed: Path, folder: Path) -> Shop:
    """What `open_shop` makes, copied from the folder of one that is closed."""
    shutil.copytree(closed, folder, dirs_exist_ok=True)
    facts, thresholds, orders, decision, _ = make_rows()
    url = f"sqlite:///{folder}/store.db"
    return Shop(
        url, folder, Store.open(url), Results(folder / "results"), facts, thresholds, orders, decision
    )


@cache
def make_rows() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Decision, dict[str, pd.DataFrame]]:
    facts = make_facts()
    decision = evaluate(facts, default_rules(), TODAY, pd.DataFrame())
    levels = make_thresholds(facts)
    outputs = make_results(facts) | {"thresholds": make_thresholds_ahead(levels)}
    return facts, levels, make_orders(facts), decision, outputs


def make_facts() -> pd.DataFrame:
    """60 positions: most are healthy, some run short, some hold too much, one was never counted."""
    rng = np.random.default_rng(7)
    n = len(NAMES) * len(LOCATIONS)
    item = np.arange(n) // len(LOCATIONS)
    demand = rng.gamma(2.0, 6.0, n) + 1
    lead = rng.integers(2, 9, n)
    safety = np.round(demand * np.sqrt(lead + 1) * 0.8)
    reorder = np.round(safety + demand * lead)
    target = np.round(reorder + demand * 4)
    share = rng.choice([0.0, 0.12, 0.5, 0.9, 1.0, 2.4], n, p=[0.06, 0.08, 0.12, 0.34, 0.34, 0.06])
    on_hand = np.round(target * share)
    on_hand[17] = np.nan
    inbound = np.where(rng.random(n) < 0.3, np.round(demand * 5), 0.0)
    risk = np.clip(1.1 - (on_hand + 0.6 * inbound) / reorder, 0.002, 0.999)
    lost = np.maximum(demand * lead - on_hand - inbound, 0) * risk
    cost = np.round(rng.gamma(2.0, 1.5, len(NAMES)) + 0.4, 2)[item]
    return pd.DataFrame(
        {
            "sku": [f"{'SKU' if i % 7 else 'A/B'}-{1000 + i}" for i in item],
            "location": np.array(LOCATIONS)[np.arange(n) % len(LOCATIONS)],
            "name": np.array(NAMES)[item],
            "category": np.array(CATEGORIES * 2)[item],
            "on_hand": on_hand,
            "inbound": inbound,
            "reserved": np.where(rng.random(n) < 0.2, np.round(on_hand * 0.1), 0.0),
            "late": np.where(rng.random(n) < 0.05, inbound, 0.0),
            "projected": on_hand + inbound - demand * lead,
            "safety_stock": safety,
            "reorder_point": reorder,
            "order_up_to": target,
            "overstock_level": np.round(target * 1.5),
            "stockout_probability": risk,
            "expected_lost_units": lost,
            "expected_lost_money": lost * cost * 1.6,
            "unavoidable_lost_units": lost * 0.4,
            "days_to_stockout": np.where(risk > 0.3, np.round(on_hand / demand, 1), np.nan),
            "unit_cost": cost,
            "unit_price": np.round(cost * 1.6, 2),
            "lead_time_q50": lead.astype(float),
            "lead_time_q90": lead + 3.0,
            "order_quantity": np.where(
                on_hand + inbound < reorder, np.round(target - on_hand - inbound), 0.0
            ),
            "order_cost": np.where(on_hand + inbound < reorder, np.round(target - on_hand - inbound), 0.0)
            * cost,
            "order_supplier": np.array(SUPPLIERS)[item % 3],
            "order_by": TODAY,
            "order_arrives_on": TODAY + pd.to_timedelta(lead, unit="D"),
            "data_as_of": AS_OF,
            "data_digest": "data-1",
            "model_version": "model-1",
            "demand_mean": demand,
        }
    )


def make_thresholds(facts: pd.DataFrame, as_of: pd.Timestamp = AS_OF) -> pd.DataFrame:
    safety = facts["safety_stock"]
    return pd.DataFrame(
        {
            "sku": facts["sku"],
            "location": facts["location"],
            "valid_from": as_of + pd.Timedelta(days=1),
            "valid_until": as_of + pd.Timedelta(days=2),
            "measure": "cycle_service",
            "target": 0.95,
            "supplier": facts["order_supplier"],
            "lead_time_mean": facts["lead_time_q50"] + 0.4,
            "lead_time_q50": facts["lead_time_q50"],
            "lead_time_q90": facts["lead_time_q90"],
            "lead_time_q95": facts["lead_time_q90"] + 1,
            "review_periods": 1.0,
            "protection_mean": facts["reorder_point"] - safety,
            "protection_sd": safety / 1.65,
            "protection_q50": facts["reorder_point"] - safety,
            "protection_q90": facts["reorder_point"] - safety * 0.2,
            "protection_q95": facts["reorder_point"],
            "protection_q99": facts["reorder_point"] + safety * 0.4,
            "safety_stock": safety,
            "reorder_point": facts["reorder_point"],
            "order_up_to": facts["order_up_to"],
            "overstock_level": facts["overstock_level"],
            "from_demand": safety * 0.6,
            "from_lead_time": safety * 0.3,
            "from_review": safety * 0.1,
            "explanation": "Most of the safety stock covers demand that is hard to foresee.",
            "lead_time_source": "receipts of supplier × lane",
            "model_version": "model-1",
            "data_as_of": as_of,
            "content_hash": [f"{i:08x}" for i in range(len(facts))],
            "explanation_zh": "安全库存主要用于应对难以预测的需求。",
            "beyond_horizon": 0.0,
            "never_delivered": 0.01,
        }
    )


def make_thresholds_ahead(levels: pd.DataFrame) -> pd.DataFrame:
    """Four review periods of two days: in the third, levels are twice those in force."""
    parts = []
    for step in range(4):
        days = pd.Timedelta(days=2 * step)
        dates = {name: levels[name] + days for name in ("valid_from", "valid_until")}
        more = {
            name: levels[name] * (2 if step == 2 else 1)
            for name in ("safety_stock", "reorder_point", "order_up_to", "overstock_level")
        }
        parts.append(levels.assign(**dates, **more))
    return pd.concat(parts, ignore_index=True)


def make_orders(facts: pd.DataFrame) -> pd.DataFrame:
    wanted = facts[facts["order_quantity"] > 0]
    return pd.DataFrame(
        {
            "kind": "purchase",
            "sku": wanted["sku"],
            "location": wanted["location"],
            "supplier": wanted["order_supplier"],
            "quantity": wanted["order_quantity"],
            "order_on": wanted["order_by"],
            "arrives_on": wanted["order_arrives_on"],
            "unit_cost": wanted["unit_cost"],
            "cost": wanted["order_cost"],
            "position": wanted["on_hand"] + wanted["inbound"],
            "reason": "position below the reorder point",
        }
    ).reset_index(drop=True)


def make_results(facts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """90 days of history, 28 days ahead, for every position."""
    rng = np.random.default_rng(11)
    past = pd.date_range(end=AS_OF, periods=90)
    ahead = pd.date_range(AS_OF + pd.Timedelta(days=1), periods=HORIZON)
    parts: dict[str, list[pd.DataFrame]] = {
        name: [] for name in ("history", "forecast", "cumulative", "risk", "inbound")
    }
    for row in facts.itertuples():
        key = {"sku": row.sku, "location": row.location}
        mean = float(row.demand_mean)
        shape = 1 + 0.25 * np.sin(np.arange(90 + HORIZON) * 2 * np.pi / 7)
        out = np.zeros(90, dtype=bool)
        if row.on_hand == 0:
            out[-4:] = True
        out[30:33] = True
        sold = np.where(out, 0, rng.poisson(mean * shape[:90]))
        promo = np.zeros(90)
        promo[50:57] = 0.2
        parts["history"].append(
            pd.DataFrame(
                {
                    **key,
                    "date": past,
                    "quantity": sold * (1 + promo),
                    "in_stock": 1.0 - out,
                    "promotion": promo,
                }
            )
        )
        level = mean * shape[90:]
        spread = np.sqrt(level * 2.2)
        bands = {
            f"q{q}": np.maximum(level + z * spread, 0)
            for q, z in ((0.05, -1.6), (0.25, -0.7), (0.5, 0), (0.75, 0.7), (0.95, 1.6))
        }
        parts["forecast"].append(
            pd.DataFrame({**key, "date": ahead, "mean": level, **bands}).astype({"mean": "float32"})
        )
        total = np.cumsum(level)
        steps = np.array([7, 14, 28])
        parts["cumulative"].append(
            pd.DataFrame({**key, "horizon": steps, "mean": total[steps - 1], "q0.95": total[steps - 1] * 1.3})
        )
        arrives = ahead[min(int(row.lead_time_q50), HORIZON - 1)]
        on_hand = 0.0 if np.isnan(row.on_hand) else row.on_hand
        expected = np.maximum(on_hand - total + np.where(ahead >= arrives, row.inbound, 0), 0)
        chance = np.maximum.accumulate(np.clip(1.2 - expected / (2 * mean + 1), 0.001, 0.999))
        parts["risk"].append(
            pd.DataFrame(
                {
                    **key,
                    "date": ahead,
                    "horizon": np.arange(1, HORIZON + 1),
                    "stockout_probability": chance,
                    "expected_on_hand": expected,
                    "expected_lost_units": np.cumsum(np.where(expected <= 0, level, 0)),
                    "expected_lost_money": np.cumsum(np.where(expected <= 0, level, 0)) * row.unit_price,
                    "unavoidable_probability": chance * 0.5,
                    "unavoidable_lost_units": 0.0,
                }
            )
        )
        if row.inbound > 0:
            parts["inbound"].append(pd.DataFrame({**key, "date": [arrives], "quantity": [row.inbound]}))
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which a run was published, with a small model; tests must not change it."""
    folder = tmp_path_factory.mktemp("workspace")
    write_tables(folder / "tables")
    settings = Settings(workspace=folder, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        small = (Gbm(trees=30),)
        patch.setattr("serving.walk.train", partial(train, candidates=small, origins=4))
        pipeline.run(settings, folder / "tables", None, lambda _: None)
    return folder


def write_tables(folder: Path, n: int = 6, days: int = 220) -> None:
    """Series s0, s1, … of two categories; promotions of depth 0.4 double demand; plans go on for 40 days."""
    folder.mkdir()
    dates, rng = pd.date_range("2024-01-01", periods=days + 40), np.random.default_rng(5)
    skus = [f"s{k}" for k in range(n)]
    promoted = (np.arange(len(dates))[None, :] + 7 * np.arange(n)[:, None]) % 28 < 6
    rate = np.geomspace(2, 20, n)[:, None] * np.where(dates.day_of_week >= 5, 1.5, 0.8)
    everything = pd.DataFrame(
        {
            "sku": np.repeat(skus, len(dates)),
            "location": "Old Town",
            "date": np.tile(dates, n),
            "quantity": rng.poisson(rate * np.where(promoted, 2.0, 1.0)).ravel(),
            "promotion": 0.4 * promoted.ravel(),
        }
    )
    past = everything["date"] < dates[days]
    plans = everything[~past & (everything["promotion"] > 0)].drop(columns="quantity")
    tables = {
        "demand": everything[past],
        "plans": plans.assign(event="flyer"),
        "items": pd.DataFrame({"sku": skus, "category": ["even", "odd"] * (n // 2)}),
        "stock": pd.DataFrame({"sku": skus, "location": "Old Town", "as_of": dates[days - 1], "on_hand": 60}),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


@pytest.fixture
def web(new_shop: Any) -> Iterator[TestClient]:
    """The pages of a shop with two owners, from their own address."""
    settings = Settings(workspace=new_shop.folder, owners={"buyer": {}, "head": {}})
    app = create_app(settings, new_shop.store, new_shop.results, today=lambda: date(2026, 3, 9))
    with TestClient(app, base_url="http://127.0.0.1:8000", headers={"Accept-Language": "en"}) as client:
        yield client
