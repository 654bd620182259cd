"""What every command takes, and how it turns into settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from ingestion.errors import Problem, UsageProblem
from serving.settings import Settings, read_settings

if TYPE_CHECKING:  # it takes seconds to import
    from serving.store.store import Store


def writable(path: Path | None) -> Path | None:
    """Refuse a format nobody can write before minutes are spent on what to write."""
    if path is not None:
        from serving.results import encoder

        try:
            encoder(path)
        except Problem as problem:
            raise UsageProblem(str(problem)) from None
    return path


Workspace = Annotated[
    Path | None, typer.Option("--workspace", help="Folder that keeps everything (default .forestock).")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Configuration (default forestock.toml, where it exists).")
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Date up to which is known (default: last date in the data).")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File to write: .parquet, .csv, .json or .ndjson (default: CSV to stdout).",
        callback=writable,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")]


def levels_of(text: str | None, settings: Settings) -> tuple[float, ...]:
    """Quantile levels as typed on the command line, else as set."""
    if text is None:
        return settings.levels
    levels = tuple(sorted(set(numbers_of(text, "--levels"))))
    if not all(0 < level < 1 for level in levels):
        raise UsageProblem(f"--levels must lie in (0, 1), got {text!r}; write 95% as 0.95")
    return levels


def horizons_of(text: str | None) -> list[int] | None:
    """Lengths of sums, whole periods, as typed on the command line."""
    if text is None:
        return None
    numbers = numbers_of(text, "--horizons")
    if not all(number >= 1 and number == int(number) for number in numbers):
        raise UsageProblem(f"--horizons must be whole numbers from 1, got {text!r}; such as 7,14,28")
    return [int(number) for number in numbers]


def settings_of(workspace: Path | None, config: Path | None, **given: object) -> Settings:
    """Settings from defaults, the file, the environment and the command line, in rising order."""
    return read_settings(config=config, workspace=workspace, **given)


@contextmanager
def opened(workspace: Path | None, config: Path | None) -> "Iterator[tuple[Settings, Store]]":
    """Settings and their store, which is closed at the end."""
    from serving.store.store import Store

    settings = settings_of(workspace, config)
    store = Store.open(settings.database_url.get_secret_value())
    try:
        yield settings, store
    finally:
        store.close()


def date_of(text: str | None) -> pd.Timestamp | None:
    """A date as typed on the command line."""
    if text is None:
        return None
    try:
        return pd.Timestamp(pd.to_datetime(text, format="%Y-%m-%d"))
    except ValueError:
        raise UsageProblem(f"--as-of must be a date, got {text!r}; write it as 2024-12-31") from None


def numbers_of(text: str, option: str) -> list[float]:
    """Comma-separated numbers as typed on the command line."""
    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers:
        raise UsageProblem(f"{option} must be numbers separated by commas, got {text!r}; for example 7,14,28")
    return numbers


def seconds_of(text: str) -> float:
    """A length of time as typed on the command line.

    >>> seconds_of("1h"), seconds_of("90s")
    (3600.0, 90.0)
    """
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.replace(".", "", 1).isdigit() or float(number) == 0:
        raise UsageProblem(f"--every must be a length of time, got {text!r}; write it as 30m, 1h or 1d")
    return float(number) * units[unit]
