"""The MLflow store that is asked: its client, its names, and whether it is there at all."""

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

# Set before the import, which is when MLflow reads them: it must not report to anyone, draw bars or write to
# stdout, which belongs to data.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow.tracking import MlflowClient

MODEL = "forestock-demand"  # as registered
EXPERIMENT = "forestock"
NATIVE = "artifacts/native"  # the sealed folder within the model that MLflow loads
LONGEST_TEXT = 4000  # characters of a tag

for noisy in ("mlflow", "alembic"):
    logging.getLogger(noisy).setLevel(logging.WARNING)


def open_store(tracking_uri: str) -> MlflowClient:
    """The store's client; a local store is made where there is none."""
    return MlflowClient(tracking_uri, tracking_uri)


def exists(tracking_uri: str) -> bool:
    """Whether there is a store to ask; MLflow would make a local one."""
    place = urlsplit(tracking_uri)
    return place.scheme != "sqlite" or Path(place.path.removeprefix("/") or ".").exists()
