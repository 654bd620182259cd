"""The application: registers the commands and turns problems into messages and exit codes.

Exit codes: 0 fine · 1 failed · 2 usage · 3 alerts found · 4 data rejected.
"""

import contextlib
import logging
import os
import sys
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ingestion.errors import DataError, Problem, UsageProblem
from serving.cli import (
    alerts,
    data,
    model,
    notify,
    proof,
    retrain,
    review,
    rules,
    runs,
    service,
    silences,
    stock,
)
from serving.cli.show import words

app = typer.Typer(
    name="forestock",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for room in (data, model, retrain, runs, stock, proof, service):
    for command in room.COMMANDS:
        app.command()(command)
for group in (alerts, notify, review, rules, silences):
    app.add_typer(group.app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"forestock {version('forestock')}")
        raise typer.Exit


@app.callback()
def about(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Inventory early warning: demand, dynamic thresholds, stockout risk and graded alerts."""


def main() -> None:
    """Run one command; never show a traceback."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", force=True
    )
    try:
        app()
    except Problem as problem:
        words.print(f"[bold red]✗[/] {type(problem).__name__}: ", end="")
        words.print(str(problem), markup=False, highlight=False)
        code = 4 if isinstance(problem, DataError) else 2 if isinstance(problem, UsageProblem) else 1
        raise SystemExit(code) from None
    except (KeyboardInterrupt, BrokenPipeError):
        # A pager that closed our output is no failure of ours, but what follows cannot be written.
        os._exit(1)
    except Exception as error:
        words.print(f"[bold red]✗[/] unexpected {type(error).__name__}: ", end="")
        words.print(f"{error}; {_details(traceback.format_exc())}, please report it", markup=False)
        raise SystemExit(1) from None


def _details(text: str) -> str:
    """Keep a traceback where its reader finds it, and say where."""
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        path = folder / "forestock-error.log"
        with contextlib.suppress(OSError):
            path.write_text(text, encoding="utf-8")
            return f"the details are in {path}"
    return "the details could not be written anywhere"
