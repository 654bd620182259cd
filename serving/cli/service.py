"""Commands that put the rooms together: run, serve, demo."""

import contextlib
import socket
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from ingestion.errors import Problem
from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Workspace, date_of, seconds_of, settings_of
from serving.settings import Settings
from serving.store.snapshots import Snapshot

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on (default 127.0.0.1).")]
Port = Annotated[int | None, typer.Option("--port", help="Port (default 8000).")]


def run(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with the tables (default: the last loaded).")
    ] = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """The daily job: load → train if due → thresholds → risk → watch, and tell what is new."""
    from serving import pipeline
    from serving.delivering import deliver_once

    settings = settings_of(workspace, config)
    with show.progress() as stage:
        result = pipeline.run(settings, folder, date_of(as_of), stage)
        stage("delivering notices")
        told = deliver_once(settings.database_url.get_secret_value(), settings.desk)
    show.summary(result.summary() | told.summary(), json)
    if not json:
        show.alerts(result.shown)
    if result.quarantined:
        raise typer.Exit(4)
    if len(result.shown):
        raise typer.Exit(3)


def serve(
    host: Host = None,
    port: Port = None,
    every: Annotated[str, typer.Option(help="How often the daily job runs; 0 = never.")] = "1d",
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
) -> None:
    """Serve the pages and the API, and run the daily job on schedule."""
    settings = settings_of(workspace, config, host=host, port=port)
    _serve(settings, None if every == "0" else seconds_of(every), as_of, config)


def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop after the summary.")] = False,
    items: Annotated[int, typer.Option(min=5, help="Items of the simulated retailer.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed, another retailer.")] = 0,
    host: Host = None,
    port: Port = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """The whole walk on a simulated retailer, then serve it."""
    from ingestion.retailer import simulate
    from serving import pipeline

    settings = settings_of(workspace or Path(".forestock/demo"), config, host=host, port=port)
    with show.progress() as stage:
        stage("simulating a retailer")
        folder = settings.workspace / "tables"
        simulate(seed=seed, items=items).write(folder)
        result = pipeline.run(settings, folder, date_of(as_of), stage)
    show.summary(result.summary(), json)
    if not json:
        show.words.print("\nThe three worst:")
        show.alerts(result.shown, 3)
    if not no_serve:
        # The simulated business lives on the day after its data, whatever the calendar says.
        morning = (result.as_of + pd.Timedelta(days=1)).date()
        _serve(settings, None, as_of, config, today=lambda: morning)


def _serve(
    settings: Settings,
    every: float | None,
    as_of: str | None,
    config: Path | None,
    today: Callable[[], date] = date.today,
) -> None:
    import uvicorn

    from serving.api.app import create_app
    from serving.delivering import deliver_while
    from serving.doctor import Evidence, open_door
    from serving.jobs import scheduler
    from serving.results import Results
    from serving.store.store import Store

    store = Store.open(settings.database_url.get_secret_value())
    app = create_app(settings, store, Results(settings.workspace / "results"), today=today)
    if not store.ready().ready:
        show.words.print("Nothing has been computed yet; in another window: forestock run DIR")
    for finding in open_door(Evidence(pd.Timestamp(today()), host=settings.host)):
        show.words.print(f"[red]{finding.what}[/] ({finding.value}): {finding.remedy}")
    place = _listen(settings.host, settings.port)
    port = place.getsockname()[1]
    show.words.print(f"Serving on [bold]http://{settings.host}:{port}[/] — stop with Ctrl+C")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    first = _left(every, store.ready().snapshot)
    with (
        scheduler(settings, every, first, config=config, as_of=as_of),
        deliver_while(settings.database_url.get_secret_value(), settings.desk),
        contextlib.suppress(KeyboardInterrupt),  # Ctrl+C is how serving ends
    ):
        server.run(sockets=[place])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Problem(f"cannot listen on {host}:{port}: {error.strerror}; name another --port") from None


def _left(every: float | None, snapshot: Snapshot | None) -> float:
    """Seconds until the daily job is due: at once where nothing was published."""
    if every is None or snapshot is None:
        return 0.0
    return max(0.0, every - (datetime.now(UTC) - snapshot.created_at).total_seconds())


COMMANDS = (run, serve, demo)
