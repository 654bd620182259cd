"""`forestock retrain`: what makes a model learn again, said in words, and what overrides were worth."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from forecasting.feedback import learned_from
from serving.retraining import lead_times_around
from serving.settings import read_settings
from serving.store.store import Store
from serving.walk import Walk
from warning.tuning import Proposal

pytestmark = [pytest.mark.walk, pytest.mark.usefixtures("few_candidates")]
DATES = pd.date_range("2024-01-01", periods=120)


def sales(level: float = 1.0) -> pd.DataFrame:
    """Six items whose demand is multiplied by `level` from day 90 on."""
    rng = np.random.default_rng(4)
    rate = np.array([2.0, 4, 6, 9, 14, 20])[:, None] * np.where(np.arange(120) < 90, 1.0, level)
    return pd.DataFrame(
        {
            "sku": np.repeat([f"s{i}" for i in range(6)], 120),
            "location": "x",
            "date": np.tile(DATES, 6),
            "quantity": rng.poisson(rate).ravel(),
        }
    )


def write(folder: Path, *feedback: tuple[str, str, str, str], level: float = 1.0, until: int = 120) -> Path:
    folder.mkdir(exist_ok=True)
    rows = sales(level)
    rows[rows["date"] < DATES[0] + pd.Timedelta(days=until)].to_csv(folder / "demand.csv", index=False)
    if feedback:
        table = pd.DataFrame(feedback, columns=["kind", "subject", "value", "at"]).assign(author="ann")
        table.to_csv(folder / "feedback.csv", index=False)
    return folder


def test_a_recent_model_stays_until_feedback_comes_or_it_is_asked(forestock, tmp_path: Path) -> None:
    there = ["--workspace", tmp_path / "workspace"]
    forestock("load", write(tmp_path / "tables", until=90), *there)
    first = forestock("retrain", *there, "--json").summary
    assert first["because"] == ["first: no model is in force yet"]
    assert first["retrained"]
    again = forestock("retrain", *there, "--json").summary
    assert not again["retrained"]
    assert again["drift"] == []
    assert again["because"][0].startswith("nothing")

    corrections = [
        ("demand_correction", "s5@x@2024-03-20", "500", "2024-03-30"),
        ("override", "s5@x@2024-03-29", "3", "2024-03-28"),
        ("event_tag", "*@x@2024-04-04", "fair", "2024-03-30"),
    ]
    forestock("load", write(tmp_path / "tables", *corrections, until=90), *there)
    heard = forestock("retrain", *there, "--json").summary
    assert [reason.split(":")[0] for reason in heard["because"]] == ["feedback"]
    assert heard["feedback_rows"] == 2
    walk = Walk(read_settings(workspace=tmp_path / "workspace"))
    assert walk.kept_model is not None
    assert (
        walk.kept_model.about["feedback"]
        == learned_from(walk.tables["feedback"], walk.period, walk.as_of).digest
    )
    assert walk.panel.quantity[5, 79] == 500  # what is learned
    assert walk.tables["demand"].query("quantity == 500").empty  # what left the shelf
    assert not forestock("retrain", *there, "--json").summary["retrained"]
    assert forestock("retrain", *there, "--force", "--json").summary["because"] == ["asked: trained by force"]


def test_demand_that_left_the_forecast_is_drift_and_age_is_due(forestock, tmp_path: Path) -> None:
    there = ["--workspace", tmp_path / "workspace"]
    overrides = [("override", "s5@x@2024-04-02..2024-04-04", "120", "2024-04-01")]
    overrides += [("override", "nope@x@2024-04-02", "9", "2024-04-01")]
    forestock("load", write(tmp_path / "tables", *overrides, level=2.5), *there)
    forestock("train", *there, "--as-of", DATES[91].date())
    early = forestock("retrain", *there, "--as-of", DATES[93].date(), "--json").summary
    assert not early["retrained"]
    late = forestock("retrain", *there, "--json").summary
    assert late["retrained"]
    assert {reason.split(":")[0] for reason in late["because"]} == {"due", "drift"}
    assert late["because"][0] == "due: the model has learned nothing since 2024-04-01, 28 days of 28"
    assert any(check["check"].startswith("tracking signal") and check["alarm"] for check in late["drift"])
    assert late["learned_until"] == DATES[91].date().isoformat()
    # Planners knew of the change: 120 for three days at 50 is nearer than what a model of the old days said.
    assert late["overrides_added"] > 0
    assert late["overrides_unscored"] == {"about no known series": 1}
    words = forestock("retrain", *there).words
    assert "What overrides added" in words


def test_the_daily_job_heeds_feedback(forestock, tmp_path: Path) -> None:
    there = ["--workspace", tmp_path / "workspace"]
    forestock("run", write(tmp_path / "tables"), *there, expect=(0, 3))
    row = ("demand_correction", "*@x@2024-04-20..2024-04-25", "missing", "2024-04-26")
    forestock("run", write(tmp_path / "tables", row), *there, expect=(0, 3))
    walk = Walk(read_settings(workspace=tmp_path / "workspace"))
    assert walk.kept_model is not None
    assert walk.kept_model.about["feedback"] == walk.feedback.digest != ""


def test_lead_times_are_told_apart_by_when_they_came() -> None:
    days = [
        ("2024-01-01", "2024-01-08"),
        ("2024-02-20", "2024-03-05"),
        ("2024-03-01", "2024-04-01"),
        ("2021-01-01", "2021-01-09"),
        ("2024-03-05", None),
    ]
    orders = pd.DataFrame(days, columns=["ordered_on", "received_on"])
    orders = orders.apply(pd.to_datetime)
    before, since = lead_times_around(orders, pd.Timestamp("2024-03-01"), pd.Timestamp("2024-03-31"))
    assert before.tolist() == [7.0]
    assert since.tolist() == [14.0]


def test_a_review_and_verdicts_are_heard_and_the_run_names_them(forestock, tmp_path: Path) -> None:
    there = ["--workspace", tmp_path / "workspace"]
    correction = ("demand_correction", "s5@x@2024-03-20", "500", "2024-03-30")
    said = [("verdict", f"alert{k}", "false" if k < 7 else "hit", "2024-03-30") for k in range(10)]
    late = ("verdict", "later", "false", "2024-05-01")  # nobody knew it then
    forestock("load", write(tmp_path / "tables", correction, *said, late, until=90), *there)
    settings = read_settings(workspace=tmp_path / "workspace")
    store = Store.open(settings.database_url.get_secret_value())
    why = {"en": "demand was +60% off the forecast", "zh": "偏差 60%"}
    asked = Proposal("retrain", "category", "dairy", "", {}, {}, {}, {}, why)
    first = forestock("retrain", *there, "--json").summary
    assert first["verdicts"] == {"false": 7, "hit": 3}
    store.proposals.offer([asked], datetime(2024, 3, 31, tzinfo=UTC))
    heard = forestock("retrain", *there, "--json").summary
    assert [reason.split(":")[0] for reason in heard["because"]] == ["review"]
    assert "+60% off" in heard["because"][0]
    assert store.proposals.get(asked.proposal_id).state == "approved"
    store.close()
    assert not forestock("retrain", *there, "--json").summary["retrained"]
    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name("forestock")
    runs = client.search_runs(
        [experiment.experiment_id], "tags.kind = 'training'", order_by=["start_time DESC"]
    )
    kinds = runs[0].data.params["feedback_kinds"]
    assert set(kinds.split(", ")) == {"verdict 10", "demand_correction 1", "retrain_proposal 1"}
    rows = pd.read_csv(client.download_artifacts(runs[0].info.run_id, "feedback.csv"))
    assert set(rows["kind"]) == {"verdict", "demand_correction", "retrain_proposal"}
    assert "later" not in set(rows["subject"])
