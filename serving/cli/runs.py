"""Commands about trainings that were recorded: runs."""

from typing import Annotated, Any

import pandas as pd
import typer

from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Out, Workspace, date_of, settings_of

# Columns as a person reads them, and the decimals that tell candidates apart; --json and --out have all.
SHOWN = {
    "candidate": ("candidate", 0),
    "pinball": ("pinball", 4),
    "coverage_0.9": ("≤q0.9", 3),
    "coverage_0.95": ("≤q0.95", 3),
    "bias": ("bias", 3),
    "cost": ("cost", 3),
    "seconds": ("s", 1),
    "difference": ("difference", 4),
    "p": ("p", 3),
    "significance": ("so it is", 0),
}


def runs(
    limit: Annotated[int, typer.Option(min=1, help="Trainings to list, the newest first.")] = 10,
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """List trainings and compare their candidates: accuracy, coverage, bias, cost, time, significance."""
    from forecasting.comparison import compare
    from forecasting.tracking import listing
    from serving.walk import identity

    settings = settings_of(workspace, config)
    with show.progress() as stage:
        stage("reading runs")
        known = identity(settings.workspace)
        found = listing.runs(settings.tracking_uri, date_of(as_of), workspace=known, limit=limit)
    table = compare(found)
    if out is not None:
        show.deliver(table, out, json)
    elif json:
        show.summary({"trainings": _trainings(table)}, True)
    elif table.empty:
        show.words.print("No training was recorded yet. Make one: forestock train")
    else:
        _show(table)


def _trainings(table: pd.DataFrame) -> list[dict[str, Any]]:
    """One entry per training with its candidates; what is not known is null."""
    shared = ["training", "started", "as_of", "gate"]
    found = []
    for _, part in table.groupby("training", sort=False):
        rows = part.drop(columns=shared).astype(object)
        about = part[shared].astype(str).iloc[0].to_dict()
        found.append(about | {"candidates": rows.where(rows.notna(), None).to_dict("records")})
    return found


def _show(table: pd.DataFrame) -> None:
    """The candidates of each training in lines, without a grid: ten columns must fit a narrow screen."""
    for _, part in table.groupby("training", sort=False):
        first = part.iloc[0]
        lines = pd.DataFrame(
            {
                name: part[column].map(f"{{:.{decimals}f}}".format, na_action="ignore")
                if decimals
                else part[column]
                for column, (name, decimals) in SHOWN.items()
            }
        )
        gate = f", gate: {first['gate']}" if first["gate"] else ""
        show.words.print(
            f"[bold]{first['started']:%Y-%m-%d %H:%M} UTC[/], data as of {first['as_of']}{gate}, "
            f"run {first['training'][:8]}",
            highlight=False,
        )
        text = lines.to_string(index=False, na_rep="")
        show.words.print(text, markup=False, highlight=False, soft_wrap=True)


COMMANDS = (runs,)
