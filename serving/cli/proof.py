"""The command that puts policies to the proof: replay."""

from pathlib import Path
from typing import Annotated

import typer

from ingestion.errors import UsageProblem
from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Out, Workspace, date_of, settings_of

Picture = Annotated[
    Path | None, typer.Option("--picture", help="Draw stock against service: .png, .svg or .pdf.")
]


def replay(
    periods: Annotated[int | None, typer.Option(min=2, help="Periods at the end of the history.")] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Periods until thresholds are derived anew.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the lead times that are drawn.")] = 0,
    picture: Picture = None,
    out: Out = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Order the last periods again: service, stock and cost, against the classic rules."""
    if picture is not None and picture.suffix not in (".png", ".svg", ".pdf"):
        raise UsageProblem(f"--picture must end in .png, .svg or .pdf, got {picture.name!r}; rename it")
    from serving.proof import prove

    settings = settings_of(workspace, config)
    with show.progress() as stage:
        proof = prove(settings, date_of(as_of), stage, periods, every, seed)
        table = proof.comparison
    if picture is not None:
        proof.picture().savefig(picture)
    if out is not None:
        show.deliver(table, out, as_json=False)
    show.summary(proof.summary() | ({"out": str(out)} if out else {}), json)
    if not json:
        at = table[table["setting"].isin([0.9, 0.95, 0.98])]
        columns = [
            "measure",
            "setting",
            "service",
            "stock",
            "policy",
            "stock_at_service",
            "saving",
            "low",
            "high",
        ]
        show.table(at[columns].round(3), "Stock at equal service, ours and the classic rules", 30)


COMMANDS = (replay,)
