"""SIGKILL at any point of a load leaves the old state or the new, and the next one ends like any other."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    scratch = tmp_path_factory.mktemp("killed")
    before, after = scratch / "before", scratch / "after"
    dates = pd.date_range("2023-12-01", periods=60).strftime("%Y-%m-%d")
    for folder, lift, extra in ((before, 0, "x"), (after, 5, "-1")):
        folder.mkdir()
        demand = pd.DataFrame(
            {"sku": "a", "location": "north", "date": dates, "quantity": range(lift, 60 + lift)}
        )
        demand["quantity"] = demand["quantity"].astype("str")
        demand.loc[7, "quantity"] = extra
        demand.to_csv(folder / "demand.csv", index=False)
        (folder / "items.csv").write_text(f"sku,name\na,{folder.name}\n")
    (before / "stock.csv").write_text("sku,location,as_of,on_hand\na,north,2024-01-01,3\n")
    script = Path(__file__).with_name("killed_loads.py")
    command = [sys.executable, str(script), str(before), str(after), str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_many_loads_were_really_killed(outcome: dict[str, int]) -> None:
    assert outcome["kills"] >= 20


def test_each_kill_leaves_the_old_state_or_the_new(outcome: dict[str, list[str]]) -> None:
    assert outcome["old"] != outcome["new"]
    assert set(outcome["states"]) == {outcome["old"], outcome["new"]}


def test_the_next_load_ends_byte_for_byte_like_an_undisturbed_one(outcome: dict[str, list[bool]]) -> None:
    assert all(outcome["ends"])
