"""Hard input through the command line: a clear message and the right exit code, never a traceback."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.walk
DAYS = pd.date_range("2024-01-01", periods=120)


def demand(quantity: object, sku: str = "a", dates: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    return pd.DataFrame({"sku": sku, "location": "s", "date": dates, "quantity": quantity})


def write(folder: Path, **tables: pd.DataFrame) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def poisson(mean: float, sku: str = "a") -> pd.DataFrame:
    return demand(np.random.default_rng(1).poisson(mean, len(DAYS)), sku)


def test_an_empty_folder(forestock, tmp_path: Path) -> None:
    ran = forestock("load", write(tmp_path / "tables"), expect=4)
    assert "demand" in ran.words


def test_tables_without_rows(forestock, tmp_path: Path) -> None:
    folder = write(tmp_path / "tables", demand=demand(1.0).head(0))
    ran = forestock("load", folder, expect=(0, 4))
    assert "demand" in ran.words
    for command in (["train"], ["forecast"], ["thresholds"], ["risk"], ["plan"], ["watch"]):
        assert "demand" in forestock(*command, expect=1).words


def test_nothing_loaded_at_all(forestock) -> None:
    assert "load" in forestock("forecast", expect=1).words
    assert "folder" in forestock("load", expect=1).words
    assert "no folder" in forestock("load", "nowhere", expect=1).words


def test_a_missing_column_names_the_file_and_the_remedy(forestock, tmp_path: Path) -> None:
    folder = write(tmp_path / "tables", demand=demand(1.0).drop(columns="date"))
    ran = forestock("load", folder, expect=4)
    assert "demand.csv" in ran.words
    assert "date" in ran.words


def test_one_row(forestock, tmp_path: Path) -> None:
    forestock("load", write(tmp_path / "tables", demand=demand(3.0).head(1)))
    forestock("forecast", "--horizon", 7, "--out", tmp_path / "forecast.csv")
    frame = pd.read_csv(tmp_path / "forecast.csv")
    assert len(frame) == 7
    assert np.isfinite(frame.filter(regex="mean|^q")).all(axis=None)


def test_demand_that_is_always_zero(forestock, tmp_path: Path) -> None:
    counts = pd.DataFrame({"sku": ["a"], "location": "s", "as_of": DAYS[-1], "on_hand": 5})
    forestock("run", write(tmp_path / "tables", demand=demand(0.0), stock=counts), expect=(0, 3))
    forestock("thresholds", "--out", tmp_path / "thresholds.csv")
    levels = pd.read_csv(tmp_path / "thresholds.csv")
    assert (levels[["safety_stock", "reorder_point"]] == 0).all(axis=None)
    forestock("risk", "--out", tmp_path / "risk.csv")
    assert (pd.read_csv(tmp_path / "risk.csv")["stockout_probability"] == 0).all()


def test_an_item_without_history(forestock, tmp_path: Path) -> None:
    history = pd.concat([poisson(4.0, "a"), poisson(6.0, "b")])
    items = pd.DataFrame(
        {"sku": ["a", "b", "fresh"], "category": "x", "lifecycle": ["active", "active", "new"]}
    )
    counts = pd.DataFrame({"sku": ["a", "b", "fresh"], "location": "s", "as_of": DAYS[-1], "on_hand": 5})
    forestock("run", write(tmp_path / "tables", demand=history, items=items, stock=counts), expect=(0, 3))
    forestock("forecast", "--cumulative", "--horizons", "7", "--out", tmp_path / "sums.csv")
    sums = pd.read_csv(tmp_path / "sums.csv").set_index("sku")
    assert sums.loc["fresh", "mean"] > 0, "a new item sells like its neighbours until it tells otherwise"
    assert sums.loc["fresh", "q0.95"] > sums.loc["fresh", "mean"]


def test_a_horizon_past_the_known_holidays(forestock, tmp_path: Path) -> None:
    config = tmp_path / "forestock.toml"
    config.write_text('[workspace]\ncountry = "CN"\n', encoding="utf-8")
    late = pd.date_range("2029-09-01", periods=120)
    quantity = np.random.default_rng(1).poisson(4.0, len(late))
    forestock("load", write(tmp_path / "tables", demand=demand(quantity, dates=late)))
    ran = forestock("forecast", "--horizon", 30, "--out", tmp_path / "forecast.csv")
    assert "holidays of CN" in ran.words
    assert len(pd.read_csv(tmp_path / "forecast.csv")) == 30


def test_without_any_count_risk_and_plan_say_what_to_load(forestock, tmp_path: Path) -> None:
    weeks = pd.date_range("2023-01-02", periods=54, freq="W-MON")
    forestock("load", write(tmp_path / "tables", demand=demand(4.0, dates=weeks)))
    for command in ("risk", "plan"):
        words = " ".join(forestock(command, "--as-of", "2024-01-08", expect=1).words.split())
        assert f"{command} needs stock counts, there is none up to 2024-01-14" in words
        assert "on_hand" in words


@pytest.mark.usefixtures("few_candidates")
def test_plan_tells_of_series_that_were_never_counted(forestock, tmp_path: Path) -> None:
    counts = pd.DataFrame({"sku": ["a"], "location": "s", "as_of": DAYS[-3], "on_hand": 0})
    history = pd.concat([poisson(4.0, "a"), poisson(4.0, "b")])
    forestock("load", write(tmp_path / "tables", demand=history, stock=counts))
    words = " ".join(forestock("plan", "--out", tmp_path / "plan.csv").words.split())
    assert f"1 of 2 series have no stock count up to {DAYS[-1].date()}" in words
    assert f"the latest is of {DAYS[-3].date()}" in words
    assert pd.read_csv(tmp_path / "plan.csv")["sku"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["forecast", "--as-of", "31.12.2024"], "2024-12-31"),
        (["forecast", "--levels", "95"], "0.95"),
        (["forecast", "--cumulative", "--horizons", "0,7"], "whole numbers"),
        (["forecast", "--cumulative", "--horizons", "week"], "7,14,28"),
        (["forecast", "--out", "forecast.docx"], ".parquet"),
        (["watch", "--every", "soon"], "30m"),
    ],
)
def test_wrong_arguments_are_refused_with_the_remedy(forestock, tmp_path: Path, arguments, said) -> None:
    forestock("load", write(tmp_path / "tables", demand=poisson(4.0)))
    assert said in " ".join(forestock(*arguments, expect=2).words.split())


@pytest.mark.parametrize(
    ("date", "said"), [("1999-01-01", "before the first"), ("2031-01-01", "after the last")]
)
def test_a_date_without_data_is_refused(forestock, tmp_path: Path, date: str, said: str) -> None:
    forestock("load", write(tmp_path / "tables", demand=poisson(4.0)))
    assert said in " ".join(forestock("thresholds", "--as-of", date, expect=1).words.split())


def test_orders_that_are_all_open_load(forestock, tmp_path: Path) -> None:
    order = {"order_id": "Q", "sku": "a", "location": "s", "supplier": "x", "quantity": 30}
    orders = pd.DataFrame([order | {"ordered_on": DAYS[-1], "promised_on": "", "received_on": ""}])
    ran = forestock("load", write(tmp_path / "tables", demand=poisson(4.0), supply_orders=orders), "--json")
    assert ran.summary["accepted"]["supply_orders"] == 1


@pytest.mark.usefixtures("few_candidates")
def test_what_is_discontinued_is_not_bought(forestock, tmp_path: Path) -> None:
    items = pd.DataFrame({"sku": ["a", "b"], "lifecycle": ["active", "discontinued"]})
    counts = pd.DataFrame({"sku": ["a", "b"], "location": "s", "as_of": DAYS[-1], "on_hand": 0})
    history = pd.concat([poisson(4.0, "a"), poisson(4.0, "b")])
    forestock("load", write(tmp_path / "tables", demand=history, items=items, stock=counts))
    forestock("plan", "--out", tmp_path / "plan.csv")
    assert pd.read_csv(tmp_path / "plan.csv")["sku"].tolist() == ["a"]


def test_usage_errors_end_with_2(forestock) -> None:
    forestock("forecast", "--horizon", "far", expect=2)
    forestock("predict", expect=2)
