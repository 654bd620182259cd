"""Versions of the model in MLflow's registry: which one is in force at a date, and whether to trust it.

It owns a version's tags: as of when it is known, what it can do, and which seal its files must have. The
registry is where trust starts (see `persisted`): files are compared with it before any is parsed.
"""

import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.artifacts
import pandas as pd
from mlflow.entities.logged_model import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from forecasting.models import DemandModel, load_model
from forecasting.persisted import digest_of, sign
from forecasting.tracking.store import MODEL, NATIVE, exists, open_store
from ingestion.errors import Problem

CHAMPION = "champion"
CLAIMS = ("manifest", "as_of", "horizon", "workspace", "look_ahead")  # what a signature is of


def in_force(
    tracking_uri: str,
    folder: Path,
    as_of: pd.Timestamp,
    horizon: int = 1,
    *,
    workspace: str = "",
    look_ahead: bool = False,
    signing_key: str = "",
) -> DemandModel | None:
    """The newest registered model that learned from nothing after `as_of`; None where there is none.

    folder: where its files are kept, or are put when they come from a server
    horizon: periods ahead that it must have learned; workspace: as it was recorded
    look_ahead: whether a model that was made for one longer look ahead may answer
    signing_key: secret that it must be signed with; "" where versions are not signed

    Raises Problem where its files are not those that were registered.
    """
    if not exists(tracking_uri):
        return None
    client = open_store(tracking_uri)
    found = newest(client, as_of, horizon, workspace=workspace, look_ahead=look_ahead)
    if found is None:
        return None
    _check_signature(found, signing_key)
    files = folder / "models" / _model_id(found) / "artifacts" / NATIVE
    if not files.is_dir():
        _fetch(f"{found.source}/{NATIVE}", files, tracking_uri)
    digest, registered = digest_of(files), found.tags.get("manifest", "")
    if digest != registered:
        raise Problem(
            f"model {found.version} must have the files that were registered ({registered[:12] or 'none'}), "
            f"{files} has others ({digest[:12]}); restore them or train again"
        )
    return load_model(files)


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
        versions = client.search_model_versions(f"name = '{MODEL}'")
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


def recipe_in_force(tracking_uri: str, as_of: pd.Timestamp, workspace: str = "") -> str | None:
    """Name of the candidate that serves as of a date, which others must beat; None before any training."""
    if not exists(tracking_uri):
        return None
    found = newest(open_store(tracking_uri), as_of, workspace=workspace)
    return None if found is None else found.tags.get("recipe")


def register(
    client: MlflowClient,
    run: str,
    model: LoggedModel,
    tags: Mapping[str, str],
    signing_key: str,
    earned: bool,
) -> None:
    """Make a logged model a version with `tags`; CHAMPION moves to it if it earned that and is no older.

    The first model gets the alias in any case, so that it always names one.
    """
    try:
        client.create_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # The registry does not tell later which logged model a version is, so a tag does.
    known = {**tags, "model_id": model.model_id}
    if signing_key:
        known["signature"] = sign({name: known[name] for name in CLAIMS}, signing_key)
    # Not models:/ID as source: the registry would look for that in MLflow's global store, not in this one.
    source = model.artifact_location
    version = client.create_model_version(MODEL, source, run, tags=known, model_id=model.model_id)
    try:
        before = client.get_model_version_by_alias(MODEL, CHAMPION).tags.get("as_of", "")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        before = None
    if before is None or (earned and before <= tags["as_of"]):
        client.set_registered_model_alias(MODEL, CHAMPION, version.version)


def _model_id(found: ModelVersion) -> str:
    """Id of the logged model, which is the name of its folder and so must not lead elsewhere."""
    name = str(found.tags.get("model_id", ""))
    if not re.fullmatch("m-[0-9a-f]+", name):
        raise Problem(
            f"model {found.version} must name a logged model such as m-12ab, its model_id is {name!r}; "
            "train again"
        )
    return name


def _check_signature(found: ModelVersion, key: str) -> None:
    """Refuse a version that was not signed with `key`, where there is one."""
    signed = str(found.tags.get("signature", ""))
    claims = {name: found.tags.get(name, "") for name in CLAIMS}
    if key and not hmac.compare_digest(sign(claims, key), signed):
        raise Problem(
            f"model {found.version} must be signed with this workspace's key, its signature is "
            f"{signed[:12] or 'missing'}; train again, or correct mlflow.signing_key"
        )


def _fetch(source: str, files: Path, tracking_uri: str) -> None:
    """Bring the sealed folder of a version from where the server keeps it, whole or not at all."""
    files.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=files.parent) as place:
        try:
            got = mlflow.artifacts.download_artifacts(
                artifact_uri=source, dst_path=place, tracking_uri=tracking_uri
            )
        except (MlflowException, OSError) as error:
            raise Problem(
                f"the model's files must be at {source}, reading them fails: {error}; "
                "restore them or train again"
            ) from None
        Path(got).rename(files)
