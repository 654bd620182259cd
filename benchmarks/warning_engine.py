"""How long the warning engine takes: 100,000 positions by the default rules, on the cores it is given.

Positions are drawn at random, such that about one in five raises an alert. Timed are the first evaluation
(all of these open), the next day's (most go on, some end, some begin), the first without words (as previews
and tuning use it), and keeping the first decision in a SQLite store. The first must find as many alerts as a
plain count of the facts says.

    .venv/bin/python benchmarks/warning_engine.py --positions 100000
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from serving.store.store import Store
from warning.engine import Decision, evaluate
from warning.rules import default_rules

TODAY = pd.Timestamp("2024-05-01")
LIMIT = 10.0  # seconds


def draw(count: int, seed: int) -> pd.DataFrame:
    """Facts of so many positions of 500 places and 200 suppliers."""
    rng = np.random.default_rng(seed)
    cover = rng.gamma(4.0, 8.0, count)
    safety = rng.gamma(2.0, 15.0, count) + 1.0
    on_hand = np.round(np.where(rng.random(count) < 0.01, 0.0, safety + rng.gamma(2.0, 20.0, count)))
    risk = np.where(rng.random(count) < 0.06, rng.uniform(0.3, 1.0, count), rng.uniform(0.0, 0.25, count))
    price = rng.gamma(2.0, 8.0, count)
    return pd.DataFrame(
        {
            "sku": [f"sku-{k % (count // 500 + 1)}" for k in range(count)],
            "location": [f"place-{k // (count // 500 + 1)}" for k in range(count)],
            "name": "An item with a name",
            "category": np.char.add("category-", (np.arange(count) % 40).astype(str)),
            "on_hand": on_hand,
            "inbound": np.round(rng.gamma(1.0, 10.0, count)),
            "projected": on_hand - rng.gamma(2.0, 5.0, count),
            "safety_stock": safety,
            "reorder_point": 2 * safety,
            "order_up_to": 3 * safety,
            "overstock_level": np.where(rng.random(count) < 0.05, 0.5 * on_hand, 2 * on_hand + 1),
            "stockout_probability": risk,
            "expected_lost_units": 10 * risk,
            "days_to_stockout": np.where(risk > 0.5, 5.0, np.nan),
            "days_of_cover": cover,
            "days_since_sale": rng.integers(0, 60, count).astype(float),
            "demand_once_in": np.where(rng.random(count) < 0.002, 5000.0, 3.0),
            "demand_seen": 50.0,
            "demand_expected": 10.0,
            "demand_days": 7.0,
            "sell_before_expiry_probability": np.where(rng.random(count) < 0.02, 0.5, np.nan),
            "expiring_units": 5.0,
            "first_expiry_on": TODAY,
            "unit_cost": price / 2,
            "unit_price": price,
            "order_quantity": np.where(risk > 0.3, 40.0, 0.0),
            "order_cost": 20 * price,
            "order_by": TODAY,
            "supplier": np.char.add("supplier-", (np.arange(count) % 200).astype(str)),
            "order_supplier": np.char.add("supplier-", (np.arange(count) % 200).astype(str)),
        }
    )


def expected(facts: pd.DataFrame) -> int:
    """How many shortages, surpluses, expiries and surprises the default rules must find, counted plainly."""
    short = (
        (facts["on_hand"] <= 0)
        | (facts["stockout_probability"] >= 0.5)
        | ((facts["safety_stock"] - facts["projected"]) / facts["safety_stock"] >= 0.0)
    )
    surplus = (facts["on_hand"] > 0) & (
        (facts["on_hand"] >= facts["overstock_level"]) | (facts["days_of_cover"] >= 180)
    )
    spoils = (1 - facts["sell_before_expiry_probability"] >= 0.3) & (facts["on_hand"] > 0)
    return int(short.sum() + surplus.sum() + spoils.sum() + (facts["demand_once_in"] >= 1000).sum())


def timed(label: str, facts: pd.DataFrame, before: pd.DataFrame, day: int, *, words: bool) -> Decision:
    """One evaluation, with how long it took."""
    started, worked = time.perf_counter(), time.process_time()
    today = TODAY + pd.Timedelta(days=day)
    decision = evaluate(facts, default_rules(), today, before, "CNY", words=words)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    found = len(decision.opened), len(decision.updated), len(decision.resolved)
    counts = "  ".join(
        f"{name} {count:>7,}" for name, count in zip(("opened", "updated", "ended"), found, strict=True)
    )
    print(f"{label:<34} {seconds:7.2f} s, {worked:5.2f} s of a core   {counts}")
    if words and seconds > LIMIT:
        print(f"{'':<34} more than {LIMIT:g} s")
    return decision


def main() -> None:
    """Time it and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    facts, none = draw(asked.positions, asked.seed), pd.DataFrame()
    evaluate(facts.head(10), default_rules(), TODAY, none)  # imports and caches
    first = timed("first day", facts, none, 0, words=True)
    if len(first.opened) != expected(facts):
        raise SystemExit(f"{len(first.opened)} alerts, a plain count says {expected(facts)}")
    later = draw(asked.positions, asked.seed + 1)
    changes = np.random.default_rng(asked.seed).random(len(facts)) < 0.2
    next_day = pd.concat([facts[~changes], later[changes]], ignore_index=True)
    timed("next day, a fifth changed", next_day, first.opened, 1, words=True)
    timed("first day without words", facts, none, 0, words=False)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/store.db")
        started = time.perf_counter()
        applied = store.apply(first, datetime(2024, 5, 1, 7, tzinfo=UTC))
        seconds = time.perf_counter() - started
        print(f"{'keeping the first day (SQLite)':<34} {seconds:7.2f} s   kept {applied.opened:,}")
        store.close()


if __name__ == "__main__":
    main()
