"""Commands about demand: train, forecast."""

from typing import Annotated

import typer

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
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Forecast demand: per sku, location and date, or of the sum over the next periods."""
    from serving import pipeline
    from serving.walk import Walk

    settings = settings_of(workspace, config)
    wanted = levels_of(levels, settings)
    sums = horizons_of(horizons)
    with show.progress() as stage:
        walk = Walk(settings, date_of(as_of), stage, horizon=max([horizon or 0, *(sums or [])]) or None)
        if cumulative or sums:
            frame = pipeline.cumulative_forecast(walk, sums, wanted)
        else:
            frame = pipeline.daily_forecast(walk, horizon, wanted)
    show.deliver(frame, out, json)


COMMANDS = (train, forecast)
