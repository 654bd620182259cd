"""Rows and frames: what a table's columns become in pandas, and back.

A frame may carry more columns than its table: they go into the table's JSON column `more` and come back as
columns. Missing values are NULL in the database and NaN, NaT or None in frames.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import JSON, Boolean, Column, Connection, Date, Double, Integer, String, Table, insert
from sqlalchemy.sql import Select

from ingestion.errors import Problem

BATCH = 5_000
PLAIN: tuple[tuple[type[Any], type[Any]], ...] = ((Boolean, bool), (Integer, int))
INFINITE = (float("inf"), float("-inf"))


def to_rows(frame: pd.DataFrame, table: Table, filled: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Rows of `table` from a frame; Problem names a column that is missing.

    filled: columns of the table that the caller adds
    """
    wanted = [column for column in table.columns if column.name not in filled and column.name != "more"]
    absent = [column.name for column in wanted if not column.nullable and column.name not in frame]
    if absent:
        raise Problem(
            f"{table.name} need the columns {', '.join(absent)}, got {', '.join(map(str, frame.columns))}; "
            f"pass a frame with one row per {table.name.rstrip('s')}"
        )
    values = {column.name: _cells(frame, column) for column in wanted}
    if "more" in table.columns:
        known = {column.name for column in table.columns}
        extra = [str(name) for name in frame.columns if name not in known]
        cells = [_json_cells(frame[name]) for name in extra]
        values["more"] = [dict(zip(extra, row, strict=True)) for row in zip(*cells, strict=True)] or [
            {} for _ in range(len(frame))
        ]
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def to_frame(rows: Sequence[Any], columns: Sequence[Column[Any]]) -> pd.DataFrame:
    """A frame of query rows, its dtypes those of `columns`; `more` becomes columns of its own."""
    data: dict[str, Any] = {}
    for position, column in enumerate(columns):
        cells = [row[position] for row in rows]
        if column.name == "more":
            names = {name: None for cell in cells for name in cell or {}}
            for name in names:
                data.setdefault(name, [(cell or {}).get(name) for cell in cells])
        elif isinstance(column.type, Date):
            data[column.name] = pd.to_datetime(pd.Series(cells, dtype="object")).astype("datetime64[ns]")
        elif isinstance(column.type, Double):
            data[column.name] = np.array([np.nan if cell is None else cell for cell in cells], dtype=float)
        elif isinstance(column.type, String):
            data[column.name] = pd.Series(cells, dtype="str")
        elif isinstance(column.type, Integer):
            data[column.name] = pd.Series(cells, dtype="int64")
        else:
            data[column.name] = pd.Series(cells, dtype="object")
    return pd.DataFrame(data)


def fetch(connection: Connection, query: Select[Any], columns: Sequence[Column[Any]]) -> pd.DataFrame:
    """The rows of a query over `columns` as a frame."""
    return to_frame(connection.execute(query).fetchall(), columns)


def add(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, a batch at a time."""
    for start in range(0, len(rows), BATCH):
        connection.execute(insert(table), rows[start : start + BATCH])


def digest(rows: Sequence[dict[str, Any]]) -> str:
    """SHA-256 of rows in any order of rows and columns.

    >>> digest([{"a": 1, "b": None}, {"a": 2}]) == digest([{"a": 2}, {"b": None, "a": 1}])
    True
    """
    lines = sorted(json.dumps(row, sort_keys=True, default=str, ensure_ascii=False) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def plain(value: Any) -> Any:
    """A cell as JSON can carry it: no NaN, no numpy, dates as text.

    >>> plain(np.float32(0.5)), plain(float("nan")), plain(pd.Timestamp("2024-04-08"))
    (0.5, None, '2024-04-08')
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if value is None or (not isinstance(value, str | bool) and (pd.isna(value) or value in INFINITE)):
        return None
    if isinstance(value, datetime):
        midnight = value == datetime.combine(value.date(), datetime.min.time(), value.tzinfo)
        return value.date().isoformat() if midnight else value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    return value.isoformat() if isinstance(value, date) else value


def _cells(frame: pd.DataFrame, column: Column[Any]) -> list[Any]:
    if column.name not in frame:
        return [None] * len(frame)
    series = frame[column.name]
    if isinstance(column.type, Date):
        dates = pd.to_datetime(series)
        return _filled(dates.dt.date, dates.notna())
    if isinstance(column.type, JSON):
        return [plain(cell) for cell in series.astype(object)]
    if isinstance(column.type, Double):
        return _floats(series)
    kind = next((made for sort, made in PLAIN if isinstance(column.type, sort)), str)
    return [None if cell is None else kind(cell) for cell in _filled(series, series.notna())]


def _json_cells(series: pd.Series) -> list[Any]:
    """A column's cells as JSON can carry them, as `plain` but at once where the dtype allows."""
    if pd.api.types.is_float_dtype(series):
        return _floats(series)
    if isinstance(series.dtype, pd.StringDtype):
        return _filled(series, series.notna())
    if (
        pd.api.types.is_datetime64_any_dtype(series)
        and (series.isna() | (series == series.dt.normalize())).all()
    ):
        return _filled(series.dt.strftime("%Y-%m-%d"), series.notna())
    return [plain(cell) for cell in series.astype(object)]


def _floats(series: pd.Series) -> list[Any]:
    numbers = series.to_numpy(dtype=float, na_value=np.nan)
    cells = numbers.astype(object)
    cells[~np.isfinite(numbers)] = None
    return cells.tolist()


def _filled(series: pd.Series, known: pd.Series) -> list[Any]:
    cells = series.to_numpy(dtype=object, copy=True)
    cells[~known.to_numpy(dtype=bool)] = None
    return cells.tolist()
