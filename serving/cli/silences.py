"""Commands about silences: silences list, add, end."""

from datetime import UTC, datetime
from typing import Annotated

import pandas as pd
import typer

from ingestion.errors import UsageProblem
from serving.cli import show
from serving.cli.options import Config, Json, Workspace, opened

app = typer.Typer(name="silences", help="Quiet about some alerts for a while, with a reason and an end.")


@app.command("list")
def list_silences(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """The silences that hold or will."""
    with opened(workspace, config) as (_, store):
        found = store.silences.list(None if everything else datetime.now(UTC))
    lines = [
        {
            "silence_id": one.silence_id,
            "of": ", ".join(f"{column}={'/'.join(values)}" for column, values in one.selector.items()),
            "until": f"{one.ends_at:%Y-%m-%d %H:%M} UTC",
            "author": one.author,
            "reason": one.reason,
        }
        for one in found
    ]
    if json:
        show.summary({"silences": lines}, True)
    elif lines:
        show.table(pd.DataFrame(lines), "Silences", 100)
    else:
        show.words.print("Nothing is silenced.")


@app.command("add")
def add_silence(
    of: Annotated[
        list[str], typer.Argument(help="Of what: column=value, such as location=S1 rule=overstock.")
    ],
    until: Annotated[str, typer.Option(help="Its end: 2024-06-03 or 2024-06-03T12:00.")],
    author: Annotated[str, typer.Option(help="Who wants it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Silence the alerts that meet all of these; they are kept, but nobody is told and no list shows them."""
    from warning.silences import covering, make_silence

    selector: dict[str, list[str]] = {}
    for pair in of:
        column, equals, value = pair.partition("=")
        if not equals:
            raise UsageProblem(f"a silence is of column=value, got {pair!r}; write location=S1")
        selector.setdefault(column, []).append(value)
    try:
        end = datetime.fromisoformat(until)
    except ValueError:
        raise UsageProblem(f"--until must be a date or time, got {until!r}; write 2024-06-03") from None
    now = datetime.now(UTC)
    with opened(workspace, config) as (settings, store):
        end = end if end.tzinfo else end.replace(tzinfo=settings.desk.hours.zone)
        silence = make_silence(selector, reason, author, now, end.astimezone(UTC))
        store.silences.add(silence, now)
        store.attend(now, settings.desk)
        covered = int(pd.notna(covering(store.open_alerts(), [silence], now)).sum())
    end_said = f"{silence.ends_at:%Y-%m-%d %H:%M} UTC"
    show.summary({"silence_id": silence.silence_id, "until": end_said, "covers_now": covered}, json)


@app.command("end")
def end_silence(
    silence_id: Annotated[str, typer.Argument(help="As `silences list` gives it.")],
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """End a silence now; what is still open comes to its owners."""
    now = datetime.now(UTC)
    with opened(workspace, config) as (settings, store):
        silence = store.silences.end(silence_id, now)
        store.attend(now, settings.desk)
    show.summary({"silence_id": silence.silence_id, "ended": f"{silence.ends_at:%Y-%m-%d %H:%M} UTC"}, json)
