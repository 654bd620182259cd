"""Commands about stock: thresholds, risk, plan, suppliers, watch."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Out, Workspace, date_of, seconds_of, settings_of
from serving.settings import Settings

if TYPE_CHECKING:  # it takes seconds to import
    from serving.watching import Watched


def thresholds(
    today: Annotated[bool, typer.Option("--today", help="Only those in force, one row each.")] = False,
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Safety stock, reorder point, order-up-to and overstock level of every sku at every location.

    For each review period that the forecast covers, from valid_from to valid_until: they move before a season
    or a planned promotion does.
    """
    from serving.walk import Walk

    with show.progress() as stage:
        walk = Walk(settings_of(workspace, config), date_of(as_of), stage)
        frame = walk.thresholds if today else walk.thresholds_ahead()
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
    from serving import pipeline
    from serving.walk import Walk

    with show.progress() as stage:
        frame = pipeline.orders_to_place(Walk(settings_of(workspace, config), date_of(as_of), stage))
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
    api: Annotated[
        str | None, typer.Option(help="Address of a service to fetch everything from: http://HOST:PORT.")
    ] = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Evaluate the warnings and tell what is new, once or again and again (exit code 3: there are alerts)."""
    from ingestion.errors import Problem, UsageProblem
    from serving.delivering import deliver_while

    if api is not None and as_of is not None:
        raise UsageProblem("--as-of looks back in one's own data, not with --api; leave one of them out")
    settings = settings_of(workspace, config)
    if every is None:
        if len(_watch_once(settings, api, as_of, json).shown):
            raise typer.Exit(3)
        return
    pause = seconds_of(every)
    while True:
        try:
            _watch_once(settings, api, as_of, json, stays=False)  # delivery goes on below
        except Problem as problem:
            # What is out of reach now may be back the next time.
            show.words.print(f"✗ not evaluated: {problem}", style="red", markup=False, highlight=False)
        with deliver_while(settings.database_url.get_secret_value(), settings.desk):
            time.sleep(pause)


def _watch_once(
    settings: Settings, api: str | None, as_of: str | None, json: bool, *, stays: bool = True
) -> "Watched":
    from serving.delivering import PATIENCE, deliver_once

    with show.progress() as stage:
        result = _evaluate(settings, api, as_of, stage)
        stage("delivering notices")
        patience = PATIENCE if stays else 0.0
        told = deliver_once(settings.database_url.get_secret_value(), settings.desk, patience=patience)
    show.summary(result.summary() | told.summary(), json)
    if not json:
        show.alerts(result.shown)
    return result


def _evaluate(
    settings: Settings, api: str | None, as_of: str | None, stage: Callable[[str], None]
) -> "Watched":
    """One evaluation, of the workspace's own data or of what a service tells."""
    if api is None:
        from serving import pipeline
        from serving.walk import Walk

        return pipeline.watch(Walk(settings, date_of(as_of), stage))
    from serving.store.store import Store
    from serving.upstream import Upstream
    from serving.watching import keep_watch

    stage(f"asking {api}")
    now = datetime.now(UTC)
    seen = Upstream(api, settings.workspace / "upstream").see(now)
    stage("evaluating warnings")
    store = Store.open(settings.database_url.get_secret_value())
    try:
        return keep_watch(store, seen, settings, now)
    finally:
        store.close()


COMMANDS = (thresholds, risk, plan, suppliers, watch)
