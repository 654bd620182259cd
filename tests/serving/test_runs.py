"""`forestock runs`, on trainings that were really recorded."""

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.panel import build_panel
from forecasting.tracking import recording
from forecasting.training import train
from ingestion.periods import Period
from serving.cli.app import main
from serving.settings import read_settings
from serving.walk import identity


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with two trainings of two plain forecasts, as of different days."""
    folder = tmp_path_factory.mktemp("workspace")
    rng = np.random.default_rng(1)
    dates = pd.date_range("2024-01-01", periods=150)
    sold = rng.poisson(np.repeat([0.5, 2.0, 5.0, 9.0], len(dates)))
    demand = pd.DataFrame({"sku": np.repeat(list("abcd"), len(dates)), "location": "here",
                           "date": np.tile(dates, 4), "quantity": sold.astype(float)})  # fmt: skip
    panel = build_panel({"demand": demand}, Period("day"), dates[-1], 7)
    report = train(panel, threads=1, candidates=(Baseline("tsb"), Baseline("seasonal_naive")))
    settings = read_settings(workspace=folder)
    source = recording.Source("d" * 64, workspace=identity(folder))
    for as_of in ("2024-05-01", "2024-05-29"):
        model = replace(report.model, as_of=as_of)
        recording.record(
            replace(report, model=model), panel, settings.tracking_uri, folder / "models", source
        )
    return folder


@pytest.fixture
def forestock(tmp_path, monkeypatch, capsys):
    """Runs `forestock runs` with arguments; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["forestock", "runs", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def test_trainings_come_with_their_candidates(forestock, workspace):
    code, out, _ = forestock("--workspace", workspace, "--json")
    trainings = json.loads(out)["trainings"]
    assert (code, [training["as_of"] for training in trainings]) == (0, ["2024-05-29", "2024-05-01"])
    for training in trainings:
        best, other = training["candidates"]
        assert {best["candidate"], other["candidate"]} == {"tsb", "seasonal_naive"}
        assert best["champion"]
        assert (best["significance"], best["difference"]) == ("champion", None)
        assert other["difference"] > 0
        assert other["low"] < other["difference"] < other["high"]
        assert other["significance"] == ("worse" if other["low"] > 0 else "unclear")
        assert 0 <= best["coverage_0.9"] <= 1
        assert best["seconds"] > 0


def test_the_list_is_cut_and_looks_back(forestock, workspace, tmp_path):
    out = tmp_path / "runs.parquet"
    assert forestock("--workspace", workspace, "--limit", 1, "--out", out)[0] == 0
    assert set(pd.read_parquet(out)["as_of"]) == {"2024-05-29"}
    _, text, _ = forestock("--workspace", workspace, "--as-of", "2024-05-15", "--json")
    assert [training["as_of"] for training in json.loads(text)["trainings"]] == ["2024-05-01"]
    assert forestock("--workspace", workspace, "--limit", 0)[0] == 2


def test_people_see_a_table_per_training(forestock, workspace):
    code, out, words = forestock("--workspace", workspace)
    assert (code, out) == (0, "")
    assert words.count("seasonal_naive") == 2
    assert "data as of 2024-05-29" in words


def test_before_any_training_it_says_how_to_make_one(forestock, tmp_path):
    code, _, words = forestock("--workspace", tmp_path / "new")
    assert code == 0
    assert "forestock train" in words
    assert json.loads(forestock("--workspace", tmp_path / "new", "--json")[1]) == {"trainings": []}
