"""Results: the larger outputs of a run as Parquet files, and tables written for people and programs.

WORKSPACE/results/AS_OF/ holds one file per table, named by its content, and for each run a manifest, named
by its content too, which says which files belong together. That name is the run's digest: who knows it reads
this run, whatever other runs for the same date write meanwhile. `manifest.json` is the manifest written last.
What no recent manifest names is taken away once it is so old that nobody can be about to name or read it.
"""

import contextlib
import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ingestion.errors import Problem
from serving.store.paging import Page, read_cursor, write_cursor

# What a run may leave, and the order of its rows.
TABLES = {
    "forecast": ("sku", "location", "date"),  # mean and quantiles of each single period
    "cumulative": ("sku", "location", "horizon"),  # mean and quantiles of the sum of the next periods
    "risk": ("sku", "location", "date"),  # as optimization.risk gives it
    "thresholds": ("sku", "location", "valid_from"),  # of every review period that the forecast covers
    "history": ("sku", "location", "date"),  # quantity, in_stock (share 0–1), promotion
    "inbound": ("sku", "location", "date"),  # quantity on order by the date it is expected
    "suppliers": ("supplier",),  # what warning rules see of each supplier
    "sources": ("source",),  # and of each source
}
KEPT = 3  # manifests of a date whose files stay, however old
GRACE = 24 * 3600.0  # seconds for which a file that no manifest names may belong to a run that goes on
NEWEST = "manifest.json"
GROUP = 65_536  # rows of a row group: what is read at least for one item
Encoder = Callable[[pd.DataFrame], bytes]


class Absent(Problem):
    """A table that the run did not write."""


class Lost(Problem):
    """Outputs of a run that are not on this disk."""


class Results:
    """The outputs of runs under one folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = Results(Path(folder))
    ...     days = pd.DataFrame({"sku": ["b", "a"], "location": "s", "date": pd.Timestamp("2024-04-08")})
    ...     run = results.write(pd.Timestamp("2024-04-07"), {"forecast": days.assign(mean=[2.0, 1.0])})
    ...     results.read("forecast", pd.Timestamp("2024-04-07"), run=run, sku="b")["mean"].tolist()
    [2.0]
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, as_of: pd.Timestamp, tables: Mapping[str, pd.DataFrame]) -> str:
        """Keep a run's tables, named as in TABLES; the digest that names the run, for `Store.publish`."""
        for name in set(tables) - set(TABLES):
            raise Problem(f"results has no table {name!r}; use one of {', '.join(TABLES)}")
        folder = self._folder(as_of)
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {}
        for name, frame in tables.items():
            body = to_parquet(frame.sort_values(list(TABLES[name]), kind="stable"))
            manifest[name] = f"{name}-{_digest(body)}.parquet"
            _keep(folder / manifest[name], body)
        text = json.dumps({"as_of": folder.name, "tables": manifest}, indent=1, sort_keys=True).encode()
        run = _digest(text)
        _keep(folder / f"manifest-{run}.json", text)
        write_bytes(folder / NEWEST, text)
        _sweep(folder, time.time() - GRACE)
        return run

    def read(
        self,
        name: str,
        as_of: pd.Timestamp,
        *,
        run: str = "",
        sku: str | None = None,
        location: str | None = None,
    ) -> pd.DataFrame:
        """Rows of a table, of one sku, of one location or of all; empty where there is no such table.

        run: what `write` named it, as the snapshot keeps it; empty is the one written last for the date
        """
        try:
            source = self._open(name, as_of, run)
        except (Absent, Lost):
            return pd.DataFrame(columns=list(TABLES[name]))
        return source.to_table(filter=_rows(sku, location)).to_pandas()

    def page(
        self,
        name: str,
        as_of: pd.Timestamp,
        *,
        run: str = "",
        sku: str | None = None,
        location: str | None = None,
        valid_from: date | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page:
        """Up to `limit` rows in the table's order; a cursor holds while the table does not change.

        valid_from: of thresholds, only those of review periods that begin on this date
        Absent or Lost where there is no such table.
        """
        source = self._open(name, as_of, run)
        question = [run, self.digest(name, as_of, run), sku, location, valid_from and valid_from.isoformat()]
        start = read_cursor(cursor, question, [int])[0] if cursor else 0
        chosen = _rows(sku, location, valid_from)
        total = source.count_rows(filter=chosen)
        rows = _slice(source, chosen, start, limit)
        following = start + len(rows)
        return Page(rows, write_cursor(question, [following]) if following < total else None, total)

    def stream(
        self,
        name: str,
        as_of: pd.Timestamp,
        *,
        run: str = "",
        sku: str | None = None,
        location: str | None = None,
        valid_from: date | None = None,
    ) -> Iterator[pd.DataFrame]:
        """All the rows, some at a time, in the table's order; where there are none, one frame without rows.

        Absent or Lost, at once, where there is no such table.
        """
        return _parts(self._open(name, as_of, run), _rows(sku, location, valid_from))

    def digest(self, name: str, as_of: pd.Timestamp, run: str = "") -> str:
        """A name of the table's content; Absent or Lost where there is none."""
        if name not in TABLES:
            raise Problem(f"results has no table {name!r}; use one of {', '.join(TABLES)}")
        path = self._folder(as_of) / (f"manifest-{run}.json" if run else NEWEST)
        try:
            tables = json.loads(path.read_text(encoding="utf-8"))["tables"]
        except FileNotFoundError:
            raise _lost(name, as_of) from None
        if name not in tables:
            needs = "it needs counted stock (the table stock); load some, then " if name == "risk" else ""
            raise Absent(f"the run of {as_of.date()} left no {name}; {needs}run: forestock run")
        return tables[name]

    def _folder(self, as_of: pd.Timestamp) -> Path:
        return self._root / as_of.date().isoformat()

    def _open(self, name: str, as_of: pd.Timestamp, run: str) -> Any:
        """The table's file, open: it can be read to its end even if its name is taken away meanwhile."""
        for _ in range(3):  # between manifest and file a newer run may have swept up
            try:
                file = pa.OSFile(str(self._folder(as_of) / self.digest(name, as_of, run)))
            except FileNotFoundError:
                continue
            return ds.ParquetFileFormat().make_fragment(file)
        raise _lost(name, as_of)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table in the format of the suffix, in one step; the same table gives the same bytes."""
    encode = encoder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, encode(frame))


def encoder(path: Path) -> Encoder:
    """What writes the format that the suffix names."""
    encode = FORMATS.get(path.suffix.lower().lstrip("."))
    if encode is None:
        raise Problem(
            f"the suffix of an output says its format, got {path.name!r}; end it with .{', .'.join(FORMATS)}"
        )
    return encode


def write_bytes(path: Path, body: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:  # as the umask says: whoever set it knows who may read
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def to_parquet(frame: pd.DataFrame) -> bytes:
    """A table as Parquet, without anything that names the machine or the moment."""
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, sink, row_group_size=GROUP, compression="zstd")
    return sink.getvalue()


def to_arrow(frame: pd.DataFrame) -> bytes:
    """A table as an Arrow IPC stream."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def to_csv(frame: pd.DataFrame, header: bool = True) -> bytes:
    """A table as CSV in UTF-8: ISO dates, empty cells for what is missing, nested values as JSON.

    >>> to_csv(pd.DataFrame({"date": [pd.Timestamp("2024-04-08")], "x": [None]}))
    b'date,x\\n2024-04-08,\\n'
    """
    cells = {name: _plain(frame[name]) for name in frame.columns}
    for name, values in cells.items():
        cells[name] = [json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v for v in values]
    table = pd.DataFrame(cells, columns=frame.columns, dtype=object)
    return table.to_csv(index=False, header=header, lineterminator="\n").encode()


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can carry them: ISO dates, None for what is missing.

    >>> to_records(pd.DataFrame({"date": [pd.Timestamp("2024-04-08")], "x": [float("nan")]}))
    [{'date': '2024-04-08', 'x': None}]
    """
    names = [str(name) for name in frame.columns]
    columns = [_plain(frame[name]) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def to_ndjson(frame: pd.DataFrame) -> bytes:
    """A table as one JSON object a line."""
    return "".join(_json(row) + "\n" for row in to_records(frame)).encode()


def to_json(frame: pd.DataFrame) -> bytes:
    """A table as a JSON array of objects, one a line."""
    return ("[\n" + ",\n".join(_json(row) for row in to_records(frame)) + "\n]\n").encode()


FORMATS: dict[str, Encoder] = {"parquet": to_parquet, "csv": to_csv, "json": to_json, "ndjson": to_ndjson}


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)


def _plain(column: pd.Series) -> list[Any]:
    """A column's cells as plain values; single precision is given with the digits that it has."""
    if pd.api.types.is_datetime64_any_dtype(column):
        if column.dt.tz is None and (column.dropna() == column.dropna().dt.normalize()).all():
            return column.dt.strftime("%Y-%m-%d").astype(object).where(column.notna(), None).tolist()
        return [None if pd.isna(moment) else moment.isoformat() for moment in column]
    if pd.api.types.is_float_dtype(column):
        numbers = column.to_numpy(dtype=float, na_value=np.nan)
        if column.dtype == np.float32:
            numbers = np.round(numbers, 6)
        return [number if np.isfinite(number) else None for number in numbers.tolist()]
    cells = column.to_numpy(dtype=object, copy=True)
    cells[column.isna().to_numpy(dtype=bool)] = None
    return cells.tolist()


def _rows(sku: str | None, location: str | None, valid_from: date | None = None) -> Any | None:
    chosen = None
    begins = None if valid_from is None else pd.Timestamp(valid_from)
    for name, value in (("sku", sku), ("location", location), ("valid_from", begins)):
        if value is not None:
            match = ds.field(name) == value
            chosen = match if chosen is None else chosen & match
    return chosen


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def _lost(name: str, as_of: pd.Timestamp) -> Lost:
    return Lost(
        f"the {name} of {as_of.date()} is not among the results of this workspace; "
        f"serve the workspace that ran, or run: forestock run"
    )


def _keep(path: Path, body: bytes) -> None:
    """Write a file named by its content; where it is there already, it only becomes young again."""
    try:
        os.utime(path)
    except FileNotFoundError:
        write_bytes(path, body)


def _sweep(folder: Path, before: float) -> None:
    """Take away what no recent manifest names and nobody touched since `before`, seconds of the epoch."""
    ages: dict[Path, float] = {}
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run ends at the same time
            ages[path] = path.stat().st_mtime
    manifests = sorted((path for path in ages if path.match("manifest-*.json")), key=ages.__getitem__)
    stay = {path for path in ages if ages[path] >= before} | set(manifests[-KEPT:])
    named = {NEWEST}
    for path in stay & set(manifests):
        with contextlib.suppress(FileNotFoundError):
            named |= set(json.loads(path.read_bytes())["tables"].values())
    for path in set(ages) - stay:
        if path.name not in named:
            path.unlink(missing_ok=True)


def _parts(source: Any, chosen: Any | None) -> Iterator[pd.DataFrame]:
    empty = True
    for batch in source.to_batches(filter=chosen):
        if batch.num_rows:
            empty = False
            yield batch.to_pandas()
    if empty:
        yield source.physical_schema.empty_table().to_pandas()


def _slice(source: Any, chosen: Any | None, start: int, limit: int) -> pd.DataFrame:
    """Rows start … start + limit of what is chosen, reading no further."""
    parts, seen = [], 0
    for batch in source.to_batches(filter=chosen):
        part = batch.slice(max(start - seen, 0), start + limit - max(start, seen))
        seen += batch.num_rows
        if part.num_rows:
            parts.append(part)
        if seen >= start + limit:
            break
    return pa.Table.from_batches(parts, schema=source.physical_schema).to_pandas()
