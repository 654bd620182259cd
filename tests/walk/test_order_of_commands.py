"""The order of commands does not change what they say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.walk, pytest.mark.usefixtures("few_candidates")]
DAYS = pd.date_range("2024-01-01", periods=200)


def tables(folder: Path, mean: float) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(3)
    demand = [
        pd.DataFrame({"sku": sku, "location": "s", "date": DAYS, "quantity": rng.poisson(mean, len(DAYS))})
        for sku in "abc"
    ]
    pd.concat(demand).to_csv(folder / "demand.csv", index=False)
    counts = pd.DataFrame({"sku": list("abc"), "location": "s", "as_of": DAYS[-1], "on_hand": 2 * mean})
    counts.to_csv(folder / "stock.csv", index=False)
    return folder


def test_a_longer_look_ahead_leaves_the_thresholds_alone(forestock, tmp_path: Path) -> None:
    forestock("load", tables(tmp_path / "tables", 4.0))
    forestock("train", "--as-of", DAYS[-9].date())
    forestock("thresholds", "--out", "before.csv")
    forestock("forecast", "--horizon", 60, "--out", "far.csv")
    forestock("thresholds", "--out", "after.csv")
    assert len(pd.read_csv(tmp_path / "far.csv")) == 180
    assert (tmp_path / "before.csv").read_bytes() == (tmp_path / "after.csv").read_bytes()


def test_two_workspaces_on_one_model_server_do_not_share_models(forestock, tmp_path: Path) -> None:
    config = tmp_path / "forestock.toml"
    config.write_text(f'[mlflow]\ntracking_uri = "sqlite:///{tmp_path}/shared.db"\n', encoding="utf-8")
    means = {}
    for name, mean in (("small", 4.0), ("large", 100.0)):
        there = ["--workspace", tmp_path / name]
        forestock("load", tables(tmp_path / f"{name}-tables", mean), *there)
        forestock("thresholds", *there, "--out", f"{name}.csv")
        means[name] = set(pd.read_csv(tmp_path / f"{name}.csv")["model_version"])
    assert means["small"].isdisjoint(means["large"])


def test_watching_twice_opens_nothing_twice_and_an_earlier_date_changes_nothing(
    forestock, tmp_path: Path
) -> None:
    forestock("load", tables(tmp_path / "tables", 4.0))
    first = forestock("watch", "--json", expect=3).summary
    again = forestock("watch", "--json", expect=3).summary
    assert (first["opened"], again["opened"], again["resolved"]) == (first["alerts_open"], 0, 0)
    earlier = forestock("watch", "--as-of", DAYS[-30].date(), "--json", expect=(0, 3)).summary
    assert (earlier["opened"], earlier["resolved"]) == (0, 0)
    last = forestock("watch", "--json", expect=3).summary
    assert (last["opened"], last["resolved"], last["alerts_open"]) == (0, 0, first["alerts_open"])
