"""Commands about demand: train, forecast."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from ingestion.errors import UsageProblem
from serving.cli import show
from serving.cli.options import (
    AsOf,
    Config,
    Json,
    Out,
    Workspace,
    date_of,
    horizons_of,
    levels_of,
    settings_of,
)

if TYPE_CHECKING:  # these take seconds to import
    from forecasting.cumulative import CumulativeDemand
    from serving.walk import Walk
    from serving.what_if import Form


def train(workspace: Workspace = None, config: Config = None, as_of: AsOf = None, json: Json = False) -> None:
    """Fit candidates, backtest, log to MLflow; promote a champion or say why not."""
    from serving import pipeline
    from serving.walk import Walk

    settings = settings_of(workspace, config)
    with show.progress() as stage:
        report = Walk(settings, date_of(as_of), stage).train()
    show.summary(pipeline.summary_of_training(report), json)
    if not json:
        show.table(pipeline.comparison(report), "Backtest on all windows, the best first")


def forecast(
    horizon: Annotated[int | None, typer.Option(min=1, help="Periods ahead, each by itself.")] = None,
    cumulative: Annotated[bool, typer.Option("--cumulative", help="Sums over the next periods.")] = False,
    horizons: Annotated[str | None, typer.Option(help="Lengths of the sums, such as 7,14,28.")] = None,
    levels: Annotated[str | None, typer.Option(help="Quantile levels in (0, 1), such as 0.5,0.95.")] = None,
    plans: Annotated[
        Path | None, typer.Option(help="Plans to try out: what if these were announced now?")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="The plans tried out stand instead of all stored ones.")
    ] = False,
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Forecast demand: per sku, location and date, or of the sum over the next periods."""
    from serving import pipeline
    from serving.walk import Walk

    if replace and plans is None:
        raise UsageProblem("--replace needs plans to replace the stored ones; add --plans FILE")
    settings = settings_of(workspace, config)
    wanted = levels_of(levels, settings)
    sums = horizons_of(horizons)

    def form(demand: "CumulativeDemand") -> pd.DataFrame:
        if cumulative or sums:
            return pipeline.cumulative_forecast(demand, sums, wanted)
        return pipeline.daily_forecast(demand, horizon, wanted)

    with show.progress() as stage:
        walk = Walk(settings, date_of(as_of), stage, horizon=max([horizon or 0, *(sums or [])]) or None)
        frame = form(walk.demand) if plans is None else _tried_out(walk, plans, replace, form)
    show.deliver(frame, out, json)


def _tried_out(walk: "Walk", plans: Path, instead: bool, form: "Form") -> pd.DataFrame:
    """The forecast under plans that are tried out, beside the one without them."""
    from serving import what_if

    try:
        found = what_if.try_out(walk, plans, instead=instead)
    except what_if.RejectedError as problem:
        show.table(problem.faults, "Rejected rows; nothing was computed", 25)
        raise
    for note in found.notes:
        show.words.print(note, markup=False, highlight=False)
    return found.side_by_side(form)


COMMANDS = (train, forecast)
