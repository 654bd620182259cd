"""Commands about notices: notify test, why, list, redrive."""

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any

import typer

from serving.cli import show
from serving.cli.options import Config, Json, Workspace, opened, settings_of

app = typer.Typer(name="notify", help="Who is told, on which channel, and what became of it.")
LISTED = ("notice_id", "channel", "event", "owner", "state", "attempts", "created_at", "reason")


@app.command("test")
def try_channel(
    channel: Annotated[str, typer.Argument(help="A name from \\[channels].")],
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send a test message on a channel now, and say whether it arrived."""
    from serving.delivering import send_test

    send_test(settings_of(workspace, config).desk, channel)
    show.summary({"channel": channel, "arrived": True}, json)


@app.command("why")
def why(
    alert: Annotated[str, typer.Argument(help="As `alerts list` gives it; its first characters will do.")],
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Say who was told of an alert, and why somebody was not."""
    from serving.telling import why

    with opened(workspace, config) as (settings, store):
        found = why(store, settings.desk, store.alert_named(alert))
    if json:
        show.summary(found, True)
        return
    show.words.print(f"The alert belongs to {found['owner']}.", markup=False, highlight=False)
    for line in found["said"]:
        show.words.print(f"• {line}", markup=False, highlight=False)


@app.command("list")
def list_notices(
    state: Annotated[str | None, typer.Option(help="queued, sent, dead or skipped.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Notices as they stand, the newest first."""
    with opened(workspace, config) as (settings, store):
        found = store.outbox.find(state=state, channel=channel, limit=limit)
    if json:
        show.summary({"notices": [{name: each[name] for name in LISTED} for each in found]}, True)
        return
    if not found:
        show.words.print("There is no such notice.")
    for each in found:
        show.words.print(_line(each, settings.desk.hours.zone), markup=False, highlight=False, soft_wrap=True)


def _line(notice: dict[str, Any], zone: tzinfo) -> str:
    """Two lines for people: what became of it, and its name with the reason."""
    count = f"{notice['attempts']} attempt{'' if notice['attempts'] == 1 else 's'}"
    made = notice["created_at"].astimezone(zone)
    what = f"{notice['state']:<8}{made:%Y-%m-%d %H:%M}  {notice['event']}, {count}"
    reason = f": {notice['reason']}" if notice["reason"] else ""
    return (
        f"{what}  {notice['channel']} → {notice['owner'] or 'nobody'}\n        {notice['notice_id']}{reason}"
    )


@app.command("redrive")
def redrive(
    notices: Annotated[
        list[str] | None, typer.Argument(help="Names of notices; all that were given up.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send what was given up once more, under the same names."""
    from serving.delivering import deliver_once

    with opened(workspace, config) as (settings, store):
        count = store.outbox.redrive(datetime.now(UTC), channel, notices or ())
    url = settings.database_url.get_secret_value()
    show.summary({"queued": count} | deliver_once(url, settings.desk).summary(), json)
