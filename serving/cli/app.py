"""The application: registers the commands and turns problems into messages and exit codes.

Exit codes: 0 fine · 1 failed · 2 usage · 3 alerts found · 4 data rejected.
"""

import logging
import os
import sys
import traceback
from pathlib import Path

import typer

from ingestion.errors import DataError, Problem
from serving.cli import data, model, service, stock
from serving.cli.show import words

app = typer.Typer(
    name="forestock",
    help="Inventory early warning: demand, dynamic thresholds, stockout risk and graded alerts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for room in (data, model, stock, service):
    for command in room.COMMANDS:
        app.command()(command)


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
        raise SystemExit(4 if isinstance(problem, DataError) else 1) from None
    except (KeyboardInterrupt, BrokenPipeError):
        # A pager that closed our output is no failure of ours, but what follows cannot be written.
        os._exit(1)
    except Exception as error:
        log = Path("forestock-error.log")
        log.write_text(traceback.format_exc(), encoding="utf-8")
        words.print(f"[bold red]✗[/] unexpected {type(error).__name__}: ", end="")
        words.print(f"{error}; the details are in {log.resolve()}, please report them", markup=False)
        raise SystemExit(1) from None
