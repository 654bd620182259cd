"""What a person sees: words and progress on stderr, data on stdout."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.results import to_csv, to_json, write_table

words = Console(stderr=True)


@contextmanager
def progress() -> Iterator[Any]:
    """A spinner with the stage at work, and how long it took; gives the function that names a stage."""
    started = time.monotonic()
    with words.status("starting") as status:

        def stage(name: str) -> None:
            seconds = time.monotonic() - started
            status.update(name)
            if not words.is_terminal:
                words.print(f"{seconds:6.1f} s  {name}", highlight=False)

        yield stage


def summary(values: dict[str, Any], as_json: bool) -> None:
    """The command's result in a few lines, or as JSON on stdout."""
    if as_json:
        sys.stdout.write(json.dumps(values, default=str, ensure_ascii=False) + "\n")
        sys.stdout.flush()  # what follows may serve for days
        return
    for name, value in values.items():
        if isinstance(value, list) and not all(isinstance(line, str) for line in value):
            continue  # tables are shown as tables
        lines = value if isinstance(value, list) else [_plain(value)]
        for label, line in zip([name.replace("_", " "), *[""] * len(lines)], lines, strict=False):
            words.print(f"[dim]{label:<22}[/] ", end="")
            words.print(line, markup=False, highlight=False)


def _plain(value: Any) -> str:
    """A value as a person writes it.

    >>> _plain({"demand": 1200, "stock": 3}), _plain({"sales": ("cashier", "till")}), _plain(False)
    ('demand 1,200, stock 3', 'sales cashier, till', 'no')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(said)}" for name, said in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def table(frame: pd.DataFrame, title: str, rows: int = 20) -> None:
    """The first rows of a frame as a table on stderr."""
    grid = Table(title=title, title_justify="left", header_style="bold")
    for column in frame.columns:
        grid.add_column(str(column), overflow="fold")
    for row in frame.head(rows).itertuples(index=False):
        grid.add_row(*(Text("" if pd.isna(cell) else str(cell)) for cell in row))  # [workspace] is no markup
    words.print(grid)
    if len(frame) > rows:
        words.print(f"… and {len(frame) - rows} more")


def lines(frame: pd.DataFrame) -> None:
    """A table without a grid: many columns must fit a narrow screen."""
    words.print(frame.to_string(index=False, na_rep=""), markup=False, highlight=False, soft_wrap=True)


def deliver(frame: pd.DataFrame, out: Path | None, as_json: bool) -> None:
    """Write a command's data to its file, or as CSV to stdout; with JSON, stdout tells where it went."""
    if out is None:
        sys.stdout.write((to_json(frame) if as_json else to_csv(frame)).decode())
        return
    write_table(frame, out)
    if as_json:
        summary({"rows": len(frame), "out": str(out)}, True)
    else:
        words.print(f"{len(frame):,} rows → {out}", highlight=False)


def alerts(frame: pd.DataFrame, rows: int = 10) -> None:
    """The worst open alerts with their reason and remedy, as a planner reads them."""
    colour = {"critical": "red", "warning": "dark_orange", "notice": "yellow"}
    for alert in frame.head(rows).itertuples():
        words.print(f"[{colour[str(alert.tier)]}]● {alert.tier:<8}[/] ", end="")
        words.print(str(alert.title), style="bold", markup=False, highlight=False)
        words.print(f"           {alert.reason}", markup=False, highlight=False)
        words.print(f"           → {alert.remedy}", markup=False, highlight=False)
    if len(frame) > rows:
        words.print(f"… and {len(frame) - rows} more: forestock serve")
