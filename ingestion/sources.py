"""Sources: where each table comes from, as `forestock.toml` says or as the names of the files say.

Owns the meaning of every key under `[workspace]` and `[sources.NAME]`; `readers` opens the files and
`shaping` applies the mapping.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ingestion.contracts import TABLES
from ingestion.errors import DataError, Problem
from ingestion.periods import Period

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".xlsx", ".xlsm", ".parquet", ".pq")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ABSENT = ("zero", "closed", "missing")


@dataclass(frozen=True)
class Source:
    """One source of one table. A source is the full truth about what it gave: loaded again, it replaces that.

    name: as in [sources.NAME]
    table: the contract it fills
    path: file or glob, relative to the folder that is loaded; or url and query of a database; or inline rows
    columns: source column → contract column; columns that bear a contract's names need no entry
    constants: contract column → value
    templates: contract column → text such as "{brand}-{product}"
    expressions: contract column → arithmetic such as "1 - hours / 16"
    words: contract column → {word in the file: value}
    units: contract column → multiplier, such as pieces per pack
    date_format: strptime format, several to try, or one of these per contract column
    missing: further words that mean nothing
    keep, drop: source column → values whose rows alone are taken, or left out
    distinct: the file repeats rows, such as items per store; identical ones count once
    add_up: demand comes as single sales: the rows of one sku, location and date are one row of their sum
    attributes, covariates: further columns to keep; all that fit when it is not said
    absent: what an absent demand row means: zero, closed or missing
    """

    name: str
    table: str
    path: str | None = None
    url: str | None = field(default=None, repr=False)
    query: str | None = None
    rows: tuple[Mapping[str, Any], ...] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    expressions: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    date_format: Any = ()
    missing: Sequence[str] = ()
    keep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    drop: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    distinct: bool = False
    add_up: bool = False
    attributes: Sequence[str] | None = None
    covariates: Sequence[str] | None = None
    absent: str | None = None
    sheet: str | int = 0
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    skip_rows: int = 0
    files: tuple[Path, ...] = ()

    @property
    def extra(self) -> Sequence[str] | None:
        """The further columns named to be kept, or None for all that fit."""
        return self.attributes if self.attributes is not None else self.covariates

    def formats(self, column: str) -> list[str]:
        """Date formats to try for a contract column."""
        said = self.date_format
        if isinstance(said, Mapping):
            said = said.get(column, ())
        return [said] if isinstance(said, str) else list(said)


@dataclass(frozen=True)
class Workspace:
    """What `[workspace]` says: the period, and None where the data shall tell."""

    period: Period | None = None


def read_workspace(config: Mapping[str, Any]) -> Workspace:
    """The `[workspace]` section: period = day, week or month; week_starts = a weekday."""
    said = config.get("workspace", {})
    name, weekday = said.get("period"), str(said.get("week_starts", "monday")).lower()
    if weekday not in WEEKDAYS:
        raise Problem(f"week_starts in [workspace] must be a weekday in English, got {weekday!r}")
    if name is None and "week_starts" in said:
        raise Problem('week_starts in [workspace] needs a week to start; write period = "week" beside it')
    if name is None:
        return Workspace()
    if name not in ("day", "week", "month"):
        raise Problem(f"period in [workspace] must be day, week or month, got {name!r}")
    return Workspace(Period(name, WEEKDAYS.index(weekday) if name == "week" else 0))


def read_sources(config: Mapping[str, Any], folder: Path | None) -> list[Source]:
    """All sources: the configured, the tables written into the configuration, and files named after tables.

    A file named after a table is left to the configured source of that table, if there is one. Sources whose
    files are absent come back without files.
    """
    configured = [_configured(name, said) for name, said in config.get("sources", {}).items()]
    found = [_with_files(source, folder) for source in configured]
    found += [_inline(table, config[table]) for table in TABLES if table in config]
    told = {source.table for source in configured}
    taken = {path for source in found for path in source.files}
    if folder is not None:
        found += [s for s in _named_files(folder, taken) if s.table not in told]
    return found


def unused_files(folder: Path, sources: Sequence[Source]) -> list[str]:
    """Names of files in the folder that no source reads, whatever they are, but for configurations."""
    taken = {path for source in sources for path in source.files}
    return [
        path.name
        for path in sorted(folder.iterdir())
        if path.is_file() and path not in taken and not path.name.startswith(".") and path.suffix != ".toml"
    ]


def _configured(name: str, said: Mapping[str, Any]) -> Source:
    where = f"[sources.{name}]"
    known = {f.name for f in fields(Source)} - {"name", "files"}
    for key in said:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"
            raise Problem(f"{where} has an unknown key {key!r}{hint}")
    table = said.get("table", name)
    if table not in TABLES:
        raise Problem(f"{where} needs table = one of {', '.join(TABLES)}; got {table!r}")
    given = [key for key in ("path", "url", "rows") if key in said]
    if len(given) != 1 or ("url" in said) != ("query" in said):
        raise Problem(
            f"{where} needs one of path, or url and query, or rows; got {', '.join(given) or 'none'}"
        )
    source = Source(name=name, table=table, **{k: v for k, v in said.items() if k != "table"})
    _check_types(where, source)
    _check_targets(where, source)
    return source


def _check_types(where: str, source: Source) -> None:
    for key in ("columns", "constants", "templates", "expressions", "words", "units", "keep", "drop"):
        if not isinstance(getattr(source, key), Mapping):
            raise Problem(f"{where} {key} must be a table, such as {key} = {{ quantity = … }}")
    for key in ("keep", "drop"):
        for column, values in getattr(source, key).items():
            if isinstance(values, str) or not isinstance(values, Sequence):
                raise Problem(f'{where} {key} must list values, such as {key} = {{ "{column}" = ["…"] }}')
    for column, factor in source.units.items():
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise Problem(f"{where} units.{column} must be a number to multiply by, got {factor!r}")


def _check_targets(where: str, source: Source) -> None:
    contract = TABLES[source.table]
    if source.absent is not None and source.absent not in ABSENT:
        raise Problem(f"{where} absent must be one of {', '.join(ABSENT)}, got {source.absent!r}")
    if source.add_up and source.table != "demand":
        raise Problem(f"{where} add_up works for demand alone; leave it out for {source.table}")
    fitting = {"text": "attributes", "number": "covariates", None: None}[contract.extra]
    for key in ("attributes", "covariates"):
        if getattr(source, key) is not None and key != fitting:
            raise Problem(f"{where} fills {source.table}, which takes no {key}; leave the key out")
    if contract.extra is not None:
        return
    made = [*source.columns.values(), *source.constants, *source.templates, *source.expressions]
    for column in made:
        if column not in contract.columns:
            known = ", ".join(contract.columns)
            raise Problem(
                f"{where} fills a column {column!r} that {source.table} does not have; it has {known}"
            )


def _with_files(source: Source, folder: Path | None) -> Source:
    if source.path is None:
        return source if source.rows is None else replace(source, rows=tuple(source.rows))
    if folder is None:
        raise Problem(f"[sources.{source.name}] reads {source.path}: name the folder it lies in")
    path = Path(source.path)
    found = [path] if path.is_absolute() else sorted(folder.glob(source.path))
    return replace(source, files=tuple(p for p in found if p.is_file()))


def _inline(table: str, rows: Any) -> Source:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise Problem(f"write the rows of {table} in the configuration as [[{table}]] … one block per row")
    return Source(name=f"{table} in the configuration", table=table, rows=tuple(rows))


def _named_files(folder: Path, taken: set[Path]) -> list[Source]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        table = re.split(r"\.", path.name.lower(), maxsplit=1)[0]
        if table in TABLES:
            fitting = [p for p in inside if p.name.lower().endswith(SUFFIXES) and p not in taken]
            found.setdefault(table, []).extend(fitting)
    return [
        Source(name=table, table=table, path=f"{table}.*", files=tuple(found[table]))
        for table in TABLES
        if found.get(table)
    ]


def no_such_file(source: Source, folder: Path) -> DataError:
    """The error for a source that was never loaded and finds no file."""
    return DataError(
        f"[sources.{source.name}]: no file fits {source.path!r} in {folder}; the folder holds "
        f"{listing(folder)}. Correct path, which is relative to the folder that is loaded"
    )


def listing(folder: Path) -> str:
    """What lies in a folder, as messages tell it."""
    return ", ".join(sorted(p.name for p in folder.iterdir())[:20]) or "nothing"
