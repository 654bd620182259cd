"""Commands about data: init, load, doctor."""

import tomllib
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Workspace, date_of, settings_of, writable

MAPPING = Path("forestock.toml")
QUARANTINED = 25  # lines about rows that were set aside


def init(
    folder: Annotated[Path, typer.Argument(help="Folder with the files to look at.")] = Path(),
    out: Annotated[Path, typer.Option("--out", help="Where to write the mapping.")] = MAPPING,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Write a commented forestock.toml, guessing the mapping from the files in FOLDER."""
    from ingestion.errors import Problem
    from ingestion.mapping import propose

    del workspace, config, as_of  # a mapping comes before there is any of them
    text = propose(folder)
    if out.exists() and not force:
        raise Problem(f"{out} exists already; name another file with --out, or overwrite it with --force")
    out.write_text(text, encoding="utf-8")
    if json:
        show.summary({"out": str(out), "sources": sorted(tomllib.loads(text).get("sources", {}))}, True)
    show.words.print(f"Wrote [bold]{out}[/]. Read it, correct what is marked, then: forestock load {folder}")


def load(
    folder: Annotated[Path | None, typer.Argument(help="Folder with the tables.")] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows set aside, with their records: .csv, .json, .parquet.", callback=writable
        ),
    ] = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Read, check and store all tables; bad rows wait in quarantine (exit code 4)."""
    from serving import pipeline
    from serving.results import write_table

    settings = settings_of(workspace, config)
    with show.progress() as stage:
        report = pipeline.load(settings, folder, stage, date_of(as_of))
    if quarantine is not None:
        write_table(report.quarantined, quarantine)
    show.summary(pipeline.summary_of_load(report), json)
    if not json:
        show.words.print(f"[dim]health[/] {len(report.health.findings)} findings")
        if len(report.health.findings):
            show.table(report.health.findings, "What to know about these data", 10)
        if len(report.quarantined):
            show.table(_gathered(report.quarantined), "Quarantined rows", QUARANTINED)
            if quarantine is None:
                show.words.print("Each of them with its record: --quarantine FILE.csv", highlight=False)
    if len(report.quarantined):
        raise typer.Exit(4)


def _gathered(quarantined: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are, or, where they are many, one line for each rule with its first row and value."""
    columns = ["file", "row", "column", "rule", "value", "remedy"]
    if len(quarantined) <= QUARANTINED:
        return quarantined[columns]
    rule = quarantined["rule"].str.replace(r" of row .*", "", regex=True)  # each repeat names another row
    fault = quarantined.assign(rule=rule).groupby(["file", "column", "rule"], sort=False)
    lines = fault.agg(rows=("row", "size"), **{name: (name, "first") for name in ("row", "value", "remedy")})
    columns = ["file", "rows", "first row", "column", "rule", "value", "remedy"]
    return lines.reset_index().rename(columns={"row": "first row"})[columns]


def doctor(
    workspace: Workspace = None, config: Config = None, as_of: AsOf = None, json: Json = False
) -> None:
    """Say what is stale, missing, unsafe or misconfigured, and the remedy."""
    from serving import checkup

    settings = settings_of(workspace, config)
    findings = checkup.findings(settings, date_of(as_of), pd.Timestamp.now().normalize())
    if json:
        show.summary({"findings": [vars(finding) for finding in findings]}, True)
    elif findings:
        for finding in findings:
            colour = {"error": "red", "warning": "yellow"}.get(finding.severity, "cyan")
            show.words.print(f"[{colour}]{finding.severity:<8}[/] ", end="")
            text = f"{finding.what} ({finding.value}) → {finding.remedy}"
            show.words.print(text, markup=False, highlight=False)
    else:
        show.words.print("Nothing found.")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


COMMANDS = (init, load, doctor)
