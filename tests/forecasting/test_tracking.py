"""Runs kept in a real MLflow and found again as of a date."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.gbm import Gbm
from forecasting.models import load_model
from forecasting.training import train
from ingestion.errors import Problem

tracking = pytest.importorskip("forecasting.tracking")


@pytest.fixture(scope="module")
def report(panel):
    return train(panel, threads=1, candidates=(Baseline("tsb"), Gbm(rows=4000, trees=10)))


def aged(report, as_of: str, earned: bool = True):
    return replace(report, model=replace(report.model, as_of=as_of), earned=earned)


def test_a_run_is_logged_registered_and_found_as_of_its_date(report, panel, tmp_path):
    uri, folder = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "models"
    assert tracking.in_force(uri, folder, pd.Timestamp("2030-01-01")) is None
    assert not (tmp_path / "mlflow.db").exists()
    history = (("2024-03-01", True), ("2024-05-01", True), ("2024-06-01", False))
    kept = [
        tracking.record(aged(report, as_of, earned), uri, folder, data_digest="d" * 64)
        for as_of, earned in history
    ]
    assert tracking.in_force(uri, folder, pd.Timestamp("2024-02-29")) is None
    for as_of, expected in (("2024-03-01", 0), ("2024-04-30", 0), ("2024-05-20", 1), ("2025-01-01", 2)):
        found = tracking.in_force(uri, folder, pd.Timestamp(as_of))
        assert (found.version, found.as_of) == (kept[expected].version, kept[expected].as_of)
    expected = report.model.predict(panel, 14).quantiles
    np.testing.assert_array_equal(found.predict(panel, 14).quantiles, expected)

    client = tracking.MlflowClient(uri, uri)
    champion = client.get_model_version_by_alias(tracking.NAME, "champion")
    assert champion.tags["as_of"] == "2024-05-01"  # the last did not beat the plain forecasts
    run = client.get_run(champion.run_id)
    assert run.data.params["champion"] == report.champion
    assert run.data.tags["data_digest"] == "d" * 64
    scores = report.scores.set_index(["candidate", "segment"])["pinball"]
    assert run.data.metrics["tsb/volume high/pinball"] == pytest.approx(scores["tsb", "volume high"])
    names = {item.path for item in client.list_artifacts(champion.run_id)}
    assert names == {"model", "scores.csv", "calibration.png"}
    assert run.inputs.dataset_inputs[0].dataset.digest == "d" * 36

    files = folder / champion.run_id / "artifacts" / "model"
    model = load_model(files)
    replace(model, about={"other": 1}).save(files)  # a sound model, but not the one that was registered
    with pytest.raises(Problem, match="as registered"):
        tracking.in_force(uri, folder, pd.Timestamp("2024-05-20"))
