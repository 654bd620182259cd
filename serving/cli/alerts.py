"""Commands about alerts: list, show, the steps of their lives, and the drafts that come of them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer

from ingestion.errors import UsageProblem
from serving.cli import show
from serving.cli.options import Config, Json, Workspace, opened

if TYPE_CHECKING:  # they take seconds to import
    from serving.settings import Settings
    from serving.store.lifecycle import Said
    from serving.store.store import Store

app = typer.Typer(
    name="alerts", help="The worklist: take alerts up, act on them, and follow them to their end."
)
Alert = Annotated[str, typer.Argument(help="As `alerts list` gives it; its first characters will do.")]
By = Annotated[str, typer.Option("--by", help="Who takes the step.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]
LISTED = ("alert_id", "tier", "state", "owner", "deadline", "sku", "location", "title")
DRAFTED = ("draft_id", "kind", "sku", "location", "supplier", "quantity", "cost", "order_by", "state")
FEWEST = 6  # characters of an alert's name


@app.command("list")
def list_alerts(
    state: Annotated[str, typer.Option(help="unresolved, all, or one state.")] = "unresolved",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Alerts, the most money at risk first."""
    from serving.results import to_records
    from serving.store.alerts import AlertFilter
    from warning.lifecycle import STATES

    if state not in ("unresolved", "all", *STATES):
        raise UsageProblem(f"--state is unresolved, all, {', '.join(STATES)}, got {state!r}; choose one")
    with opened(workspace, config) as (settings, store):
        page = store.alerts(AlertFilter(state=state), limit)
    if json:
        show.summary({"total": page.total, "alerts": to_records(page.rows)}, True)
    else:
        due = pd.to_datetime(page.rows["deadline"], utc=True).dt.tz_convert(settings.desk.hours.zone)
        table = page.rows[list(LISTED)].assign(
            alert_id=page.rows["alert_id"].str[:8], deadline=due.dt.strftime("%Y-%m-%d %H:%M")
        )
        show.table(table, f"{page.total} alerts", limit)


@app.command("show")
def show_alert(alert: Alert, workspace: Workspace = None, config: Config = None, json: Json = False) -> None:
    """One alert with every step of its life."""
    from serving.results import to_records

    with opened(workspace, config) as (_, store):
        found, events = store.alert(_whole(store, alert))
    if json:
        show.summary({"alert": to_records(found)[0], "events": to_records(events)}, True)
        return
    show.alerts(found)
    show.table(events, "What happened", 100)


def _step(name: str, step: str, what: str) -> None:
    """A command that takes one step."""

    @app.command(name, help=what)
    def take(
        alert: Alert,
        by: By,
        reason: Why = "",
        workspace: Workspace = None,
        config: Config = None,
        json: Json = False,
    ) -> None:
        with opened(workspace, config) as (settings, store):
            responses = store.responses(settings.desk)
            answer = responses.step(_whole(store, alert), step, _said(by, reason))
        _tell(answer, json)


_step("ack", "acknowledge", "Take an alert up.")
_step("act", "act", "Act on an alert: drafts what it recommends, once per cause.")
_step("resolve", "resolve", "Say that an alert is settled.")
_step("review", "review", "Say that a settled alert was looked at once more.")


@app.command("assign")
def assign(
    alert: Alert,
    owner: Annotated[str, typer.Argument(help="One of \\[owners].")],
    by: By,
    reason: Why = "",
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Hand an alert to another owner."""
    with opened(workspace, config) as (settings, store):
        answer = store.responses(settings.desk).assign(_whole(store, alert), owner, _said(by, reason))
    _tell(answer, json)


@app.command("snooze")
def snooze(
    alert: Alert,
    by: By,
    until: Annotated[str, typer.Option(help="2024-06-03 or 2024-06-03T12:00; now takes it up again.")],
    reason: Why = "",
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Put an alert off until a time."""
    with opened(workspace, config) as (settings, store):
        moment = None if until == "now" else _moment(until, settings)
        answer = store.responses(settings.desk).snooze(_whole(store, alert), moment, _said(by, reason))
    _tell(answer, json)


@app.command("comment")
def comment(
    alert: Alert,
    text: Annotated[str, typer.Argument(help="What to remember.")],
    by: By,
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Leave a remark with an alert."""
    with opened(workspace, config) as (settings, store):
        answer = store.responses(settings.desk).comment(_whole(store, alert), _said(by, text))
    _tell(answer, json)


@app.command("drafts")
def list_drafts(
    state: Annotated[str, typer.Option(help="pending, or one state; all of them by default.")] = "",
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """What was drafted from alerts: orders, transfers, clearances."""
    with opened(workspace, config) as (_, store):
        found = store.responses().drafts(state=state or None, limit=1000)
    if json:
        show.summary({"drafts": found}, True)
    elif found:
        _lines(found, "Drafts")
    else:
        show.words.print("Nothing was drafted.")


@app.command("decide")
def decide(
    draft: Annotated[str, typer.Argument(help="As `alerts drafts` gives it.")],
    decision: Annotated[str, typer.Argument(help="approved, rejected, placed or withdrawn.")],
    by: By,
    reason: Why = "",
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Decide on a draft."""
    with opened(workspace, config) as (settings, store):
        answer = store.responses(settings.desk).decide(draft, decision, _said(by, reason))
    show.summary({name: answer["draft"][name] for name in DRAFTED}, json)


def _said(by: str, reason: str) -> "Said":
    from serving.store.lifecycle import Said

    return Said(by, datetime.now(UTC), reason)


def _whole(store: "Store", start: str) -> str:
    """The name of the one alert that begins like this."""
    if len(start) < FEWEST:
        raise UsageProblem(
            f"an alert is named by {FEWEST} characters at least, got {start!r}; write more of it"
        )
    return store.alert_named(start)


def _moment(text: str, settings: "Settings") -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(f"--until must be a date or time, got {text!r}; write 2024-06-03T12:00") from None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=settings.desk.hours.zone)
    return zoned.astimezone(UTC)


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    """What a step made of an alert."""
    if as_json:
        show.summary(answer, True)
        return
    alert = answer["alert"]
    show.summary({name: alert[name] for name in LISTED if alert.get(name) is not None}, False)
    for name, title in (("drafts", "Drafted"), ("covered", "Drafted already")):
        if answer.get(name):
            _lines(answer[name], title)


def _lines(drafts: list[dict[str, Any]], title: str) -> None:
    """Drafts without a grid: their ids must stay whole on a narrow screen, to be decided on."""
    text = pd.DataFrame(drafts)[list(DRAFTED)].to_string(index=False, na_rep="")
    show.words.print(f"[bold]{title}[/]")
    show.words.print(text, markup=False, highlight=False, soft_wrap=True)
