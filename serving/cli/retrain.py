"""The command about learning again: retrain."""

from typing import Annotated

import pandas as pd
import typer

from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Workspace, date_of, settings_of


def retrain(
    force: Annotated[bool, typer.Option("--force", help="Train again whatever is found.")] = False,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Train again when due (28 days), after drift or on new feedback; say which, and what was checked."""
    from serving import pipeline, retraining
    from serving.walk import Walk

    settings = settings_of(workspace, config)
    with show.progress() as stage:
        found = retraining.retrain(Walk(settings, date_of(as_of), stage), force=force)
    trained = {} if found.report is None else pipeline.summary_of_training(found.report)
    show.summary(trained | found.summary(), json)
    if json:
        return
    if found.drift is not None and len(found.drift.checks):
        checks = found.drift.checks[["check", "value", "limit", "alarm"]].round(3)
        show.table(checks, f"Drift since {found.drift.learned.date()}", 40)
    if len(found.value_added):
        rows = found.value_added.assign(
            **{name: pd.to_datetime(found.value_added[name]).dt.date for name in ("start", "end")}
        )
        show.table(rows.round(2), "What overrides added, in units of absolute error", 20)


COMMANDS = (retrain,)
