"""Readers: files as streams of raw rows that remember where they stood.

Owns encodings, separators and broken lines. Row numbers are those a spreadsheet shows (the header is row 1);
rows of Parquet files and databases, which have no header row, count from 1.
"""

import codecs
import csv
import gzip
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, is_zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ingestion.errors import DataError
from ingestion.parsing import guess_decimal, plain_name
from ingestion.sources import Source

CHUNK = 1_000_000  # rows of a Parquet file held at once
BLOCK = 64 << 20  # bytes of a text file held at once
SAMPLE = 4 << 20  # bytes from which encoding and separator are told
BROKEN = "�"  # what a byte that does not fit the encoding becomes
SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or an archive; if it is a workbook, name it .xlsx",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as .xlsx",
    b"PAR1": "a Parquet file; name it .parquet",
}


@dataclass(frozen=True)
class Chunk:
    """Some rows of one file.

    raw: the columns as the file names them
    rows: (n,) row numbers
    decimal: how the file writes 1.5
    broken: lines that are no rows: row, rule, value, remedy
    unread: further columns of the file, which nobody asked for
    """

    file: str
    raw: pd.DataFrame
    rows: np.ndarray
    decimal: str = "."
    broken: pd.DataFrame | None = None
    unread: tuple[str, ...] = ()


def read_file(path: Path, name: str, source: Source, columns: list[str] | None = None) -> Iterator[Chunk]:
    """The rows of one file, in chunks.

    name: how messages call the file
    columns: the ones that are needed, in whatever case, or None for all; absent ones are passed over
    """
    if path.stat().st_size == 0:
        raise DataError(f"{name} is empty: not even a header. Export it again, or take it out of the folder")
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in ("parquet", "pq"):
        yield from _parquet(path, name, columns)
    elif suffix in ("xlsx", "xlsm"):
        yield _excel(path, name, source)
    elif suffix in ("csv", "tsv", "txt"):
        yield from _csv(path, name, source)
    else:
        raise DataError(f"{name}: files ending in .{suffix} are not read; save it as CSV, Excel or Parquet")


def _parquet(path: Path, name: str, columns: list[str] | None) -> Iterator[Chunk]:
    try:
        with pq.ParquetFile(path) as file:
            there = file.schema_arrow.names
            asked = None if columns is None else {plain_name(column) for column in columns}
            wanted = there if asked is None else [c for c in there if plain_name(c) in asked]
            unread = tuple(c for c in there if c not in wanted)
            first, count = 1, 0
            for batch in file.iter_batches(CHUNK, columns=wanted):
                raw = batch.to_pandas()
                yield Chunk(name, raw, np.arange(first, first + len(raw)), unread=unread)
                first, count = first + len(raw), count + 1
            if count == 0:
                yield Chunk(name, file.schema_arrow.empty_table().to_pandas(), np.arange(0), unread=unread)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{name} is not a whole Parquet file ({_first_line(error)}); export it again"
        ) from error


def _excel(path: Path, name: str, source: Source) -> Chunk:
    if not is_zipfile(path):
        raise DataError(
            f"{name} is no Excel workbook, whatever its name says; save it as .xlsx again, or name it .csv "
            "if it is text"
        )
    try:
        raw = pd.read_excel(path, sheet_name=source.sheet, header=source.skip_rows, dtype=object)
    except (BadZipFile, OSError, ValueError, KeyError) as error:
        message = f"{name} cannot be read as an Excel workbook ({_first_line(error)}); save it as .xlsx again"
        raise DataError(message) from error
    raw.columns = pd.Index([str(column).strip() for column in raw.columns])
    rows = np.arange(len(raw)) + source.skip_rows + 2
    some = raw.notna().any(axis=1).to_numpy()
    return Chunk(name, raw[some].reset_index(drop=True), rows[some])


def _csv(path: Path, name: str, source: Source) -> Iterator[Chunk]:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            sample = file.read(SAMPLE)
        for signature, told in SIGNATURES.items():
            if sample.startswith(signature):
                raise DataError(f"{name} is no text, whatever its name says: it is {told}")
        encoding = source.encoding or guess_encoding(sample)
        head = sample.decode(encoding, errors="replace").lstrip("\ufeff")
        separator = source.separator or guess_separator(head, source.skip_rows)
        names = _header(head, separator, source.skip_rows, name)
        with opened(path, "rb") as file:
            yield from _stream(Recoded(file, encoding), name, source, separator, names)
    except LookupError as error:
        raise DataError(f"{name}: there is no encoding {source.encoding!r}; try utf-8 or gb18030") from error
    except (pa.ArrowInvalid, OSError, EOFError, csv.Error) as error:
        raise DataError(
            f"{name} cannot be read as a table ({_first_line(error)}); export it again"
        ) from error


def _header(head: str, separator: str, skip: int, name: str) -> list[str]:
    lines = csv.reader(head.splitlines(keepends=True), delimiter=separator)
    names = next((line for i, line in enumerate(lines) if i >= skip), [])
    twice = sorted({n.strip() for n in names if n.strip() and names.count(n) > 1})
    if twice:
        raise DataError(f"{name} has two columns named {twice[0]!r}; rename one of them")
    if not any(n.strip() for n in names):
        raise DataError(
            f"{name} has no header in its row {skip + 1}; set skip_rows to the rows above the header"
        )
    return names


def _stream(file: "Recoded", name: str, source: Source, separator: str, names: list[str]) -> Iterator[Chunk]:
    broken: list[Any] = []

    def set_aside(row: Any) -> str:
        broken.append((row.number, row.actual_columns, row.text))
        return "skip"

    reader = pa_csv.open_csv(
        pa.PythonFile(file, mode="r"),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK, skip_rows=source.skip_rows),
        parse_options=pa_csv.ParseOptions(
            delimiter=separator,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=set_aside,
        ),
        # Everything is text until its contract says what it is: 007 is not 7.
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )
    first, decimal, told, given = source.skip_rows + 2, source.decimal, 0, False
    for batch in reader:
        raw = batch.to_pandas()
        raw.columns = pd.Index([column.strip() for column in raw.columns])
        if decimal is None:
            decimal = guess_decimal(raw.head(1000)) if separator == ";" else "."
        # Broken lines are counted where they stand, but are not among the rows of the batch.
        bad = [number for number, _, _ in broken if number >= first]
        rows = np.setdiff1d(np.arange(first, first + len(raw) + len(bad)), bad)[: len(raw)]
        first = int(rows[-1]) + 1 if len(rows) else first
        some = raw.notna().any(axis=1).to_numpy()
        lines, told = _broken(broken[told:], len(names)), len(broken)
        yield Chunk(name, raw[some].reset_index(drop=True), rows[some], decimal, lines)
        given = True
    if not given:
        empty = pd.DataFrame({n.strip(): pd.Series(dtype="str") for n in names})
        yield Chunk(name, empty, np.arange(0), decimal or ".", _broken(broken, len(names)))


def _broken(lines: list[Any], width: int) -> pd.DataFrame | None:
    told = [
        (number, f"has {count} values under {width} columns", text)
        for number, count, text in lines
        if text.strip()
    ]
    if not told:
        return None
    frame = pd.DataFrame(told, columns=["row", "rule", "value"])
    return frame.assign(remedy="put values that contain the separator into quotes; give every column a value")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


class Recoded(io.RawIOBase):
    """A byte stream as UTF-8; bytes that do not fit its encoding become U+FFFD, so that one line suffers."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._ready = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with UTF-8."""
        while not self._ready:
            read = self._file.read(1 << 20)
            self._ready = self._decoder.decode(read, final=not read).encode()
            if not read:
                break
        given = self._ready[: len(buffer)]
        buffer[: len(given)] = given
        self._ready = self._ready[len(given) :]
        return len(given)


def guess_encoding(sample: bytes) -> str:
    """The encoding of a whole file; a few lines that do not fit are left for quarantine.

    >>> guess_encoding("商品,数量".encode("gb18030"))
    'gb18030'
    >>> guess_encoding(b"sku,qty\\n" + b"a,1\\n" * 99 + b"\\xe9,2")
    'utf-8'
    """
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if sample.startswith(mark):
            return encoding
    lines = sample.splitlines()
    odd = [i for i, line in enumerate(lines) if not line.isascii() and not _fits(line, "utf-8")]
    if not odd or (odd[0] > 0 and len(odd) < 0.1 * len(lines)):
        return "utf-8"
    high = b"".join(lines[i] for i in odd)
    # Chinese text comes in pairs of high bytes; Latin accents stand alone between letters.
    paired = sum(a >= 0xA1 and b >= 0xA1 for a, b in itertools.pairwise(high))
    chinese = paired > 0.6 * sum(byte >= 0x80 for byte in high)
    return "gb18030" if chinese else "cp1252"


def _fits(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def guess_separator(head: str, skip: int = 0) -> str:
    """Comma, semicolon, tab or bar: whichever the header has most of.

    >>> guess_separator("sku;date;price, net")
    ';'
    """
    lines = head.splitlines()
    line = lines[skip] if len(lines) > skip else ""
    return max(",;\t|", key=line.count)
