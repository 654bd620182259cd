"""Commands about stock: thresholds, risk, plan, suppliers, watch."""

import time
from typing import Annotated

import typer

from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Out, Workspace, date_of, seconds_of, settings_of


def thresholds(
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Safety stock, reorder point, order-up-to and overstock level of every sku at every location."""
    from serving.walk import Walk

    with show.progress() as stage:
        frame = Walk(settings_of(workspace, config), date_of(as_of), stage).thresholds
    show.deliver(frame, out, json)


def risk(
    horizon: Annotated[int | None, typer.Option(min=1, help="Periods ahead.")] = None,
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Probability of having stocked out by each period ahead, with what would be lost."""
    from serving import pipeline
    from serving.walk import Walk

    with show.progress() as stage:
        walk = Walk(settings_of(workspace, config), date_of(as_of), stage, horizon=horizon)
        frame = pipeline.risk_ahead(walk, horizon)
    show.deliver(frame, out, json)


def plan(
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Recommend orders: what, how much, from whom, by when, at what cost."""
    from serving.walk import Walk

    with show.progress() as stage:
        frame = Walk(settings_of(workspace, config), date_of(as_of), stage).orders
    show.deliver(frame, out, json)


def suppliers(
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Rate suppliers: on time, lead time and its spread, trend; those that have shifted come first."""
    from serving.walk import Walk

    with show.progress() as stage:
        frame = Walk(settings_of(workspace, config), date_of(as_of), stage).suppliers
    show.deliver(frame, out, json)


def watch(
    every: Annotated[str | None, typer.Option(help="Repeat, such as 1h, 30m or 1d.")] = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Evaluate the warnings and tell what is new, once or again and again (exit code 3: there are alerts)."""
    from serving import pipeline
    from serving.delivering import deliver_once, deliver_while
    from serving.walk import Walk

    settings = settings_of(workspace, config)
    pause = seconds_of(every) if every else None
    while True:
        with show.progress() as stage:
            result = pipeline.watch(Walk(settings, date_of(as_of), stage))
            stage("delivering notices")
            told = deliver_once(settings.database_url.get_secret_value(), settings.desk)
        show.summary(result.summary() | told.summary(), json)
        if not json:
            show.alerts(result.open)
        if pause is None:
            break
        with deliver_while(settings.database_url.get_secret_value(), settings.desk):
            time.sleep(pause)
    if len(result.open):
        raise typer.Exit(3)


COMMANDS = (thresholds, risk, plan, suppliers, watch)
