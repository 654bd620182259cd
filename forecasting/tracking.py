"""Training runs in MLflow: recorded, registered, and found again as they were known at a date.

The only module that imports MLflow, which takes seconds to load: callers import it when they train or look
for the model in force. What serves is read from the model's own files, never from a pickle.
"""

import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

# Set before the import, which is when MLflow reads it: it must not report to anyone.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow.artifacts
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from forecasting.backtest import SCORED
from forecasting.calibration import places
from forecasting.models import DemandModel, load_model
from forecasting.training import TrainingReport
from ingestion.errors import Problem

NAME = "forestock-demand"
EXPERIMENT = "forestock"
CHAMPION = "champion"
FILES = Path("artifacts") / "model"  # where MLflow puts a run's model, below the folder of the run
MEASURES = ("pinball", "pinball_partial", "bias", *(f"within_{level}" for level in SCORED))

for noisy in ("mlflow", "alembic"):
    logging.getLogger(noisy).setLevel(logging.WARNING)


def record(
    report: TrainingReport,
    tracking_uri: str,
    folder: Path,
    data_digest: str,
    *,
    code_version: str = "",
    workspace: str = "",
    look_ahead: bool = False,
) -> DemandModel:
    """Log a training run, register its model, and give the model with its version.

    tracking_uri: MLflow store, such as sqlite:////path/mlflow.db
    folder: where artifacts are kept when the store is a local file; a server has its own place
    data_digest: content hash of the data as known at the as-of date
    workspace: name of whose model it is, where several share a server
    look_ahead: made for one longer look ahead than the workspace needs; others do not find it
    The alias `champion` moves only to a model that beat the plain forecasts, and never back in time.
    """
    client = MlflowClient(tracking_uri, tracking_uri)
    experiment = _experiment(client, tracking_uri, folder)
    run = client.create_run(experiment, run_name=f"{report.champion} {report.model.as_of}").info
    with TemporaryDirectory() as place:
        files = Path(place)
        kept = report.model.save(files / "model")
        client.log_artifacts(run.run_id, str(files / "model"), "model")
        report.scores.to_csv(files / "scores.csv", index=False)
        client.log_artifact(run.run_id, str(files / "scores.csv"))
    client.log_figure(run.run_id, draw_calibration(report), "calibration.png")
    client.log_inputs(run.run_id, [DatasetInput(Dataset("warehouse", data_digest[:36], "local", "{}"))])
    tags = {
        "as_of": kept.as_of,
        "content": kept.version,
        "data_digest": data_digest,
        "code_version": code_version,
        "horizon": str(kept.about["horizon"]),
        "workspace": workspace,
        "look_ahead": str(look_ahead),
        "why": report.why,
    }
    client.log_batch(
        run.run_id,
        metrics=_metrics(report),
        params=[Param(key, str(value)) for key, value in report.parameters.items()],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
    client.set_terminated(run.run_id)
    _register(client, run.run_id, f"{run.artifact_uri}/model", tags, report.earned)
    return kept


def in_force(
    tracking_uri: str,
    folder: Path,
    as_of: pd.Timestamp,
    horizon: int = 1,
    *,
    workspace: str = "",
    look_ahead: bool = False,
) -> DemandModel | None:
    """The newest registered model that learned from nothing after `as_of`; None where there is none.

    horizon: periods ahead that it must have learned; workspace: as it was recorded
    look_ahead: whether a model that was made for one longer look ahead may answer

    Raises Problem where its files are not those that were registered.
    """
    database = urlsplit(tracking_uri)
    if database.scheme == "sqlite" and not Path(database.path.removeprefix("/") or ".").exists():
        return None  # asking MLflow would make the database
    client = MlflowClient(tracking_uri, tracking_uri)
    found = newest(client, as_of, horizon, workspace=workspace, look_ahead=look_ahead)
    if found is None:
        return None
    files = folder / str(found.run_id) / FILES
    if not files.is_dir():
        files.parent.mkdir(parents=True, exist_ok=True)
        mlflow.artifacts.download_artifacts(
            artifact_uri=found.source, dst_path=str(files.parent), tracking_uri=tracking_uri
        )
    model = load_model(files)
    if model.version != found.tags["content"]:
        raise Problem(
            f"model {found.version} must be {found.tags['content']} as registered, its files are "
            f"{model.version}; restore {files} or train again"
        )
    return model


def newest(
    client: MlflowClient,
    as_of: pd.Timestamp,
    horizon: int = 1,
    *,
    workspace: str = "",
    look_ahead: bool = False,
) -> ModelVersion | None:
    """The registered version with the latest data up to `as_of`, of those that learned `horizon` periods.

    Of several the one with the shortest horizon, then the one registered last.
    """
    limit = as_of.date().isoformat()
    try:
        versions = client.search_model_versions(f"name = '{NAME}'")
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise Problem(
                f"the model registry does not answer: {error.message}; try again once it does"
            ) from None
        return None
    known = [
        version
        for version in versions
        if version.tags.get("as_of", "9999") <= limit
        and version.tags.get("workspace") == workspace
        and int(version.tags["horizon"]) >= horizon
        and (look_ahead or version.tags["look_ahead"] == "False")
    ]
    # A model made for a longer look ahead must not change what shorter ones say.
    return max(known, key=lambda v: (v.tags["as_of"], -int(v.tags["horizon"]), int(v.version)), default=None)


def _experiment(client: MlflowClient, tracking_uri: str, folder: Path) -> str:
    """The experiment's id; a local one keeps its artifacts in `folder`, also after the workspace moved."""
    local = tracking_uri.startswith("sqlite:")
    place = folder.resolve().as_uri() if local else None
    name = EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is not None and place is not None and found.artifact_location != place:
        name = f"{EXPERIMENT} in {folder.resolve()}"
        found = client.get_experiment_by_name(name)
    return str(
        found.experiment_id if found is not None else client.create_experiment(name, artifact_location=place)
    )


def _register(client: MlflowClient, run: str, source: str, tags: dict[str, str], earned: bool) -> None:
    try:
        client.create_registered_model(NAME)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(NAME, source, run, tags=tags)
    if not earned:
        return
    try:
        before = client.get_model_version_by_alias(NAME, CHAMPION).tags.get("as_of", "")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        before = ""
    if before <= tags["as_of"]:
        client.set_registered_model_alias(NAME, CHAMPION, version.version)


def _metrics(report: TrainingReport) -> list[Metric]:
    """Every measure of every candidate and segment, the winner's overall ones under plain names too."""
    found = []
    for row in report.scores.to_dict("records"):
        prefix = f"{row['candidate']}/{row['segment']}/"
        for measure in MEASURES:
            value = float(row[measure])
            if np.isfinite(value):
                found.append(Metric(prefix + measure, value, 0, 0))
                if row["candidate"] == report.champion and row["segment"] == "all":
                    found.append(Metric(measure, value, 0, 0))
    return found


def draw_calibration(report: TrainingReport) -> Figure:
    """Of the judged windows: the share within each quantile, and demand's place in its distribution."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    scores = report.scores[report.scores["candidate"] == report.champion].set_index("segment")
    for segment in [name for name in scores.index if name == "all" or name.startswith("volume")]:
        left.plot(
            SCORED, [scores.loc[segment, f"within_{level}"] for level in SCORED], marker="o", label=segment
        )
    left.plot([0.5, 1], [0.5, 1], color="grey", linewidth=0.8)
    left.set(xlabel="level", ylabel="share of windows within", title=f"Coverage of {report.champion}")
    left.legend()
    clean = report.folds.clean & np.isfinite(report.folds.actual)
    place = places(report.predicted, np.nan_to_num(report.folds.actual))[clean]
    if len(place):
        right.hist(place, bins=20, range=(0, 1), density=True)
    right.axhline(1.0, color="grey", linewidth=0.8)
    right.set(xlabel="place of demand in its distribution", title="Flat if calibrated")
    return figure
