"""Staging: one source, from its files to finished parts, without touching what is already there.

Rows are read and judged in chunks and laid down by year, so that memory holds a chunk and then a year, never
the whole. A part is named by the hash of its bytes: the same rows give the same file.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ingestion.databases import read_query
from ingestion.fields import Contract
from ingestion.manifest import Holding, Part
from ingestion.quality import Known, find_faults, gather, quarantine, quarantine_repeats, repeated
from ingestion.readers import Chunk, read_file
from ingestion.shaping import (
    check_columns,
    choose_extras,
    needed_columns,
    recognise,
    shape,
    unused_columns,
)
from ingestion.sources import Source

UNDATED = "all"


def stage(
    source: Source, contract: Contract, known: Known, names: Mapping[Path, str], folder: Path
) -> Holding:
    """Read, shape and check a source; write its parts under `folder`/done, and leave the fingerprint open.

    known: column → values that master data know, for the columns that refer to some
    names: how messages call each file
    """
    folder.mkdir(parents=True)
    bad: list[pd.DataFrame] = []
    ignored: dict[str, None] = {}
    extras: list[str] | None = None
    left_out = 0
    for count, given in enumerate(read_source(source, contract, names)):
        chunk = recognise(given, source, contract)
        check_columns(chunk, source, contract)
        if extras is None and len(chunk.raw):
            extras = choose_extras(chunk, source, contract)
        ignored.update(dict.fromkeys(unused_columns(chunk.raw.columns, source, contract, extras or ())))
        ignored.update(dict.fromkeys(chunk.unread))
        shaped = shape(chunk, source, contract, extras or ())
        left_out += len(chunk.rows) - len(shaped.kept)
        faults = find_faults(shaped, chunk, contract, known)
        bad.append(quarantine(faults, chunk, shaped, contract.name, source.name))
        rows = shaped.typed.assign(_file=chunk.file, _row=chunk.rows[shaped.kept])
        _lay_down(rows.drop(index=pd.Index(faults["position"])), contract, folder / "chunks", count)
    parts, again, repeats = _finish(source, contract, folder)
    quarantined = gather([*bad, *again])
    aside = _write(quarantined, folder, "quarantine", UNDATED, None) if len(quarantined) else None
    return Holding(
        name=source.name,
        table=source.table,
        fingerprint="",
        files=tuple(names[path] for path in source.files),
        parts=tuple(parts),
        quarantine=aside,
        left_out=left_out,
        repeats=repeats,
        ignored=tuple(ignored),
        extras=tuple(extras or ()),
        absent=source.absent,
    )


def read_source(source: Source, contract: Contract, names: Mapping[Path, str]) -> Iterator[Chunk]:
    """The raw rows of a source, whatever it is."""
    if source.url is not None:
        yield from read_query(source)
    elif source.rows is not None:
        raw = pd.DataFrame([dict(row) for row in source.rows])
        yield Chunk("forestock.toml", raw, np.arange(1, len(raw) + 1))
    else:
        columns = needed_columns(source, contract)
        for path in source.files:
            yield from read_file(path, names[path], source, columns)


def _lay_down(rows: pd.DataFrame, contract: Contract, folder: Path, count: int) -> None:
    years: Iterable[tuple[object, pd.DataFrame]] = [(UNDATED, rows)]
    if contract.partition is not None:
        year = rows[contract.partition].dt.year.astype("Int64").astype("str").fillna(UNDATED)
        years = rows.groupby(year.to_numpy(), sort=True)
    for name, group in years:
        target = folder / str(name)
        target.mkdir(parents=True, exist_ok=True)
        group.to_parquet(target / f"{count:06d}.parquet", index=False)


def _finish(source: Source, contract: Contract, folder: Path) -> tuple[list[Part], list[pd.DataFrame], int]:
    """Join the chunks of each year, set repeats aside, sort, write."""
    parts, bad, repeats = [], [], 0
    for year in sorted((folder / "chunks").iterdir()) if (folder / "chunks").exists() else ():
        chunks = [pd.read_parquet(path) for path in sorted(year.iterdir())]
        frame = pd.concat(chunks, ignore_index=True)
        if source.add_up:
            frame = _added_up(frame, contract)
        keep, faults = repeated(frame, contract, source.distinct)
        repeats += len(frame) - int(keep.sum()) - len(faults)
        if len(faults):
            bad.append(quarantine_repeats(frame, faults, contract.name, source.name))
        rows = frame[keep].drop(columns=["_file", "_row"])
        rows = rows.sort_values(list(contract.keys), kind="stable", ignore_index=True)
        if len(rows):
            parts.append(_write(rows, folder, f"parts/{contract.name}", year.name, contract.recorded))
    return parts, bad, repeats


def _added_up(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """One row per key: the sum of what was sold, the highest promotion, and the mean of everything else."""
    keys = list(contract.keys)
    ways = dict.fromkeys([name for name in frame.columns if name not in keys], "mean")
    ways |= {"quantity": "sum", "promotion": "max", "_file": "first", "_row": "first"}
    return frame.groupby(keys, sort=False, as_index=False).agg(ways)[list(frame.columns)]


def _write(rows: pd.DataFrame, folder: Path, place: str, year: str, recorded: str | None) -> Part:
    draft = folder / "draft.parquet"
    rows.to_parquet(draft, index=False, compression="zstd")
    with draft.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    part = Part(f"{place}/{year}-{digest[:24]}.parquet", year, len(rows))
    target = folder / "done" / part.file
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(target)
    if recorded is None or rows[recorded].isna().any():
        return part
    return replace(part, first=f"{rows[recorded].min():%Y-%m-%d}", last=f"{rows[recorded].max():%Y-%m-%d}")
