"""The walk on real data sets, with their mapping files, within the time and memory that were promised."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ingestion.warehouse import Warehouse

pytestmark = pytest.mark.walk
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
LEVELS = ["safety_stock", "reorder_point", "order_up_to", "overstock_level"]


def with_counts(tmp_path: Path, data: Path, mapping: str, demand: pd.DataFrame) -> Path:
    """The example's mapping and a made-up stock count, three days of sales each, where the data have none."""
    recent = demand[demand["date"] > demand["date"].max() - pd.Timedelta(days=28)]
    mean = recent.groupby(["sku", "location"], as_index=False)["quantity"].mean()
    counts = mean.assign(on_hand=(3 * mean["quantity"]).round(1), as_of=demand["date"].max().date())
    counts[["sku", "location", "as_of", "on_hand"]].to_csv(tmp_path / "counts.csv", index=False)
    config = tmp_path / "forestock.toml"
    source = f'\n[sources.counts]\ntable = "stock"\npath = "{tmp_path / "counts.csv"}"\n'
    text = (EXAMPLES / mapping).read_text(encoding="utf-8")
    at = text.index("[[policies]]") if "[[policies]]" in text else len(text)
    config.write_text(text[:at] + source + text[at:], encoding="utf-8")
    return config


def walk(forestock, tmp_path: Path, data: Path, config: Path) -> dict[str, pd.DataFrame]:
    """load → train → forecast → thresholds → risk → plan → watch through the command line."""
    there = ["--workspace", tmp_path / "workspace", "--config", config]
    forestock("load", data, *there)
    forestock("train", *there)
    frames = {}
    for name, command in {
        "forecast": ["forecast", "--horizon", 8],
        "cumulative": ["forecast", "--cumulative", "--horizons", "1,2,4,7"],
        "thresholds": ["thresholds", "--today"],
        "risk": ["risk", "--horizon", 6],
        "plan": ["plan"],
    }.items():
        out = tmp_path / f"{name}.parquet"
        forestock(*command, *there, "--out", out)
        frames[name] = pd.read_parquet(out)
    forestock("watch", *there, expect=(0, 3))
    return frames


def check(frames: dict[str, pd.DataFrame], series: int) -> None:
    """Laws that every output keeps."""
    cumulative = frames["cumulative"].sort_values(["sku", "location", "horizon"])
    quantiles = cumulative.filter(regex="^q0").to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= -1e-6).all(), "quantiles fall in level"
    shape = (series, -1, quantiles.shape[1])
    assert (np.diff(quantiles.reshape(shape), axis=1) >= -1e-6).all(), "quantiles fall in horizon"
    thresholds = frames["thresholds"]
    assert len(thresholds) == series
    assert np.isfinite(thresholds[LEVELS]).all(axis=None)
    assert (thresholds["reorder_point"] <= thresholds["order_up_to"] + 1e-9).all()
    parts = thresholds[["from_demand", "from_lead_time", "from_review"]].sum(axis=1)
    np.testing.assert_allclose(parts, thresholds["safety_stock"], atol=1e-6)
    assert thresholds["explanation"].str.len().min() > 20
    risk = frames["risk"].sort_values(["sku", "location", "horizon"])
    chance = risk["stockout_probability"].to_numpy().reshape(series, -1)
    assert ((chance >= 0) & (chance <= 1 + 1e-6)).all()
    assert (np.diff(chance, axis=1) >= -1e-6).all(), "risk falls with a longer horizon"


def test_pasta(forestock, shared_data: Path, tmp_path: Path) -> None:
    raw = pd.read_parquet(shared_data / "pasta" / "daily.parquet")
    demand = raw.assign(sku=raw["brand"] + "-" + raw["product"], location="all", quantity=raw["value"])
    config = with_counts(tmp_path, shared_data, "pasta.toml", demand)
    frames = walk(forestock, tmp_path, shared_data / "pasta", config)
    check(frames, 118)


def test_freshretail(forestock, shared_data: Path, tmp_path: Path) -> None:
    raw = pd.read_parquet(shared_data / "freshretail" / "daily.parquet")
    demand = raw.rename(
        columns={"product_id": "sku", "store_id": "location", "dt": "date", "sale_amount": "quantity"}
    )
    config = with_counts(tmp_path, shared_data, "freshretail.toml", demand)
    frames = walk(forestock, tmp_path, shared_data / "freshretail", config)
    check(frames, 500)


def test_vn2(forestock, shared_data: Path, tmp_path: Path) -> None:
    frames = walk(forestock, tmp_path, shared_data / "vn2", EXAMPLES / "vn2.toml")
    check(frames, 599)
    thresholds = frames["thresholds"]
    # Ordered at the end of a week with two full weeks in between: three weeks of demand to cover.
    assert (thresholds["lead_time_q95"] == 2).all()
    assert (thresholds["review_periods"] == 1).all()
    # A lost sale needs no later order: the level that is cheapest when played is below the newsvendor's.
    assert thresholds["target"].between(0.01, 1 / 1.2 + 1e-6).all()
    assert thresholds["target"].nunique() > 3
    plan = frames["plan"]
    assert (plan["quantity"] % 1 == 0).all()
    assert (plan["order_on"] == pd.Timestamp("2024-04-15")).all()
    assert (plan["arrives_on"] == pd.Timestamp("2024-04-29")).all()


def test_lead_times_of_raw_deliveries(forestock, shared_data: Path, tmp_path: Path) -> None:
    there = ["--workspace", tmp_path / "workspace", "--config", EXAMPLES / "scms.toml"]
    ran = forestock("load", shared_data, *there, "--json", expect=4)
    warehouse = Warehouse(tmp_path / "workspace" / "warehouse")
    orders, apart = warehouse.read("supply_orders"), warehouse.quarantine()
    assert len(orders) + len(apart) == 3370, "every direct delivery is stored or in quarantine"
    assert ran.summary["left_out"] == {"deliveries": 4384}
    assert apart["remedy"].str.len().min() > 10
    assert (orders["received_on"].dropna() >= orders.loc[orders["received_on"].notna(), "ordered_on"]).all()
