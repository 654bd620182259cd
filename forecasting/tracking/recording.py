"""A training recorded in MLflow: its run, a run nested in it for each candidate, and the model that serves.

It owns what is logged under which name. Calls are few and hold many values each, for each is a transaction
or a request: a training of eight candidates is recorded in seconds.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import mlflow.pyfunc
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
from mlflow.entities.logged_model import LoggedModel
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from forecasting.comparison import against_champion
from forecasting.evidence import measures, write_evidence
from forecasting.models import DemandModel
from forecasting.panel import Panel
from forecasting.persisted import digest_of
from forecasting.tracking import served_model
from forecasting.tracking.registry import register
from forecasting.tracking.store import EXPERIMENT, LONGEST_TEXT, open_store
from forecasting.training import TrainingReport
from forecasting.trials import Trial


@dataclass(frozen=True)
class Source:
    """What a training was made from.

    data_digest: content hash of the data as known at the as-of date
    code_version: of forestock
    workspace: name of whose model it is, where several share a server
    look_ahead: made for one longer look ahead than the workspace needs; others do not find it
    absent, country, hidden: how the data were read, as `frames.Reading`
    feedback: rows of people's words that it learned from, or that asked for it; kept as feedback.csv
    """

    data_digest: str
    code_version: str = ""
    workspace: str = ""
    look_ahead: bool = False
    absent: str = "zero"
    country: str | None = None
    hidden: str = "mask"
    feedback: pd.DataFrame | None = None


def record(
    report: TrainingReport,
    panel: Panel,
    tracking_uri: str,
    folder: Path,
    source: Source,
    signing_key: str = "",
) -> DemandModel:
    """Log a training and its candidates, register the model, and give the model with its version.

    panel: that it was trained on
    tracking_uri: MLflow store, such as sqlite:////path/mlflow.db
    folder: where artifacts are kept when the store is a local file; a server has its own place
    signing_key: secret that the version is signed with, see `persisted`; "" for none
    """
    client = open_store(tracking_uri)
    experiment = _experiment(client, tracking_uri, folder)
    common = {name: getattr(source, name) for name in ("data_digest", "code_version", "workspace")}
    common["as_of"] = report.model.as_of
    name = f"{report.champion} {report.model.as_of}"
    with TemporaryDirectory() as place, _run(client, experiment, name, common | {"kind": "training"}) as run:
        files = Path(place)
        kept = report.model.save(files / "native")
        known = common | _about(report, source, kept, digest_of(files / "native"))
        for trial in report.trials:
            own = common | {"mlflow.parentRunId": run}
            with _run(client, experiment, trial.name, own | _role(trial, report)) as nested:
                _log_trial(client, nested, report, trial, panel, files / "trials" / trial.name)
                _log_data(client, nested, panel, source)
        if source.feedback is not None and len(source.feedback):
            source.feedback.to_csv(files / "trials" / report.trials[0].name / "feedback.csv", index=False)
        _log_training(client, run, report, known, files / "trials" / report.trials[0].name)
        _log_data(client, run, panel, source)
        logged = _log_model(client, experiment, run, panel, source, files)
        register(client, run, logged, known, signing_key, report.earned and not source.look_ahead)
    return kept


def _about(report: TrainingReport, source: Source, kept: DemandModel, manifest: str) -> dict[str, str]:
    """Tags of the version, by which it is found and trusted."""
    return {
        "content": kept.version,
        "manifest": manifest,
        "horizon": str(kept.about["horizon"]),
        "look_ahead": str(source.look_ahead),
        "recipe": report.champion,
        "why": report.why[:LONGEST_TEXT],
    }


@contextmanager
def _run(client: MlflowClient, experiment: str, name: str, tags: dict[str, str]) -> Iterator[str]:
    """The id of a run that is over when its block is; failed where the block fails."""
    run = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    try:
        yield run
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


def _role(trial: Trial, report: TrainingReport) -> dict[str, str]:
    return {
        "kind": "candidate",
        "candidate": trial.name,
        "plain": str(trial.plain),
        "champion": str(trial is report.trials[0]),
    }


def _log_training(
    client: MlflowClient, run: str, report: TrainingReport, tags: dict[str, str], files: Path
) -> None:
    """What is true of the training as a whole: its champion's evidence in `files`, scores, the verdict."""
    report.scores.to_csv(files / "candidates.csv", index=False)
    verdict = report.verdict
    if verdict is not None:
        verdict.measures.to_csv(files / "gate.csv", index=False)
        reasons = "; ".join(verdict.reasons)[:LONGEST_TEXT]
        tags = tags | {"gate": "promoted" if verdict.promoted else "kept", "gate_reasons": reasons}
    _log(client, run, measures(report.trials[0]), report.parameters, tags)
    client.log_artifacts(run, str(files))


def _log_trial(
    client: MlflowClient, run: str, report: TrainingReport, trial: Trial, panel: Panel, files: Path
) -> None:
    """One candidate: what it was fitted with, how it fared by segment, how far from the champion."""
    write_evidence(files, panel, report.folds, trial)
    seed = int(report.parameters.get("seed", 0))
    found = measures(trial) | against_champion(trial, report.trials[0], report.folds, seed)
    _log(client, run, found, {"seed": seed} | trial.parameters, {})
    client.log_artifacts(run, str(files))


def _log(
    client: MlflowClient,
    run: str,
    metrics: Mapping[str, float],
    params: Mapping[str, Any],
    tags: Mapping[str, str],
) -> None:
    client.log_batch(
        run,
        metrics=[Metric(name, value, 0, 0) for name, value in metrics.items()],
        params=[Param(name, str(value)[:LONGEST_TEXT]) for name, value in params.items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )


def _log_data(client: MlflowClient, run: str, panel: Panel, source: Source) -> None:
    """The data a run learned from, by digest; MLflow keeps 36 characters of it, the tag has all."""
    profile = json.dumps({"series": panel.series, "periods": panel.length, "period": panel.period.name})
    data = Dataset("warehouse", source.data_digest[:36], "local", "{}", profile=profile)
    client.log_inputs(run, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])


def _log_model(
    client: MlflowClient, experiment: str, run: str, panel: Panel, source: Source, files: Path
) -> LoggedModel:
    """The model as MLflow loads it, with the sealed files/native in it; see `served_model`.

    Not `mlflow.pyfunc.log_model`, which needs a global store and an active run: a service that trains in one
    thread and answers in another has neither.
    """
    logged = client.create_logged_model(experiment, name="demand", source_run_id=run)
    described = Model(
        artifact_path=logged.artifact_location,
        run_id=run,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
    )
    reading = {"absent": source.absent, "country": source.country or "", "hidden": source.hidden}
    mlflow.pyfunc.save_model(
        path=str(files / "packed"),
        mlflow_model=described,
        python_model=str(Path(served_model.__file__)),
        artifacts={"native": str(files / "native")},
        input_example=served_model.EXAMPLE,
        signature=served_model.signature(
            list(panel.covariates), panel.attributes.columns.astype(str).tolist()
        ),
        model_config=reading | {"period": panel.period.name, "weekday": panel.period.weekday},
        # Named, so that MLflow need not import everything to find out, which takes half a minute.
        pip_requirements=[f"forestock=={version('forestock')}", f"mlflow=={mlflow.__version__}"],
    )
    client.log_model_artifacts(logged.model_id, str(files / "packed"))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run, [LoggedModelOutput(logged.model_id, 0)])
    return logged


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
