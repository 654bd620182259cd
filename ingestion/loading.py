"""Loading: all sources of a workspace into its warehouse, in one step that happens wholly or not at all.

Owns the order (master data first, what refers to it after), what may be skipped because nothing changed, and
the switch. A load that ends in an error, or is killed, leaves the warehouse as it was.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ingestion import periods
from ingestion.contracts import TABLES
from ingestion.databases import address
from ingestion.errors import DataError, Problem
from ingestion.fields import Contract
from ingestion.manifest import Holding, Manifest, switch, sync_folder
from ingestion.quality import Known
from ingestion.reporting import LoadReport, report_on
from ingestion.sources import (
    Source,
    listing,
    no_such_file,
    read_sources,
    read_workspace,
    unused_files,
)
from ingestion.staging import stage
from ingestion.warehouse import Warehouse

BUILDING, LOCK, KEPT = "building", ".lock", ("parts", "quarantine")

log = logging.getLogger(__name__)


def load(folder: Path | None, config: Mapping[str, Any], warehouse: Warehouse) -> LoadReport:
    """Load the sources that `config` names and the files in `folder` named after tables.

    folder: where relative paths start; None where every source is a database or inline
    config: the parsed forestock.toml, with secrets already resolved

    What other sources gave in earlier loads stays. Raises DataError for files that are no tables or lack a
    required column, Problem for a mapping that cannot be; in both cases nothing changes.
    """
    if folder is not None and not folder.is_dir():
        raise Problem(f"there is no folder {folder}; name the folder that holds the tables")
    workspace = read_workspace(config)
    sources = read_sources(config, folder)
    with _building(warehouse) as building:
        before = warehouse.manifest
        there, notes = _present(sources, folder, before)
        notes += _abandoned(sources, before)
        after = _stage_all(there, folder, warehouse.root, before, building, notes)
        _refuse_nothing(there, after)
        period = workspace.period or _guess_period(after, warehouse.root)
        after = replace(after, period=period)
        unchanged = after == before
        if not unchanged:
            switch(warehouse.root, after, building)
            log.info("loaded %d sources", len(there))
    holdings = [holding for source in there if (holding := after.get(source.name)) is not None]
    return report_on(holdings, unchanged, warehouse, notes, unused_files(folder, there) if folder else [])


def _abandoned(sources: Sequence[Source], before: Manifest) -> list[str]:
    """A word on what earlier loads gave to today's tables and nothing describes any more."""
    names, filled = {source.name for source in sources}, {source.table for source in sources}
    return [
        f"{held.name}: not among today's sources, its {held.rows} rows of {held.table} from an earlier load "
        "stay beside them; where it was renamed, load everything into a new workspace"
        for held in before.holdings
        if held.name not in names and held.table in filled
    ]


@contextmanager
def _building(warehouse: Warehouse) -> Iterator[Path]:
    """A folder to build in, alone; what an earlier, killed load left is swept before and after."""
    warehouse.root.mkdir(parents=True, exist_ok=True)
    with (warehouse.root / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"another load into {warehouse.root} is running; wait until it has ended") from None
        _sweep(warehouse)
        building = warehouse.root / BUILDING
        building.mkdir()
        try:
            yield building
        finally:
            _sweep(warehouse)


def _sweep(warehouse: Warehouse) -> None:
    shutil.rmtree(warehouse.root / BUILDING, ignore_errors=True)
    files = warehouse.manifest.files()
    for place in KEPT:
        for path in sorted((warehouse.root / place).rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(warehouse.root).as_posix() not in files:
                path.unlink()


def _present(
    sources: Sequence[Source], folder: Path | None, before: Manifest
) -> tuple[list[Source], list[str]]:
    """The sources that can be read now, master data first; the others keep what they gave before."""
    there, notes = [], []
    for source in sources:
        if source.path is None or source.files:
            there.append(source)
        elif before.get(source.name) is None and folder is not None:
            raise no_such_file(source, folder)
        else:
            notes.append(f"{source.name}: no file fits {source.path!r}; what it gave before stays")
    if not there and folder is None:
        raise DataError(
            "the configuration names no source; describe one under [sources.NAME], or name a folder"
        )
    if not there and folder is not None:
        raise DataError(
            f"{folder} holds no table, but {listing(folder)}. Name files after tables, such as demand.csv "
            f"({', '.join(TABLES)}), as CSV, Excel (.xlsx) or Parquet, or let forestock init write a mapping "
            "for the files that are there"
        )
    order = list(TABLES)
    return sorted(there, key=lambda source: order.index(source.table)), notes


def _stage_all(
    sources: Sequence[Source],
    folder: Path | None,
    root: Path,
    before: Manifest,
    building: Path,
    notes: list[str],
) -> Manifest:
    """The state after all sources; one whose rows are all bad keeps what it gave, with a word in `notes`."""
    after = before
    for number, source in enumerate(sources):
        contract = TABLES[source.table]
        known = _known(contract, after, root)
        names = {path: _relative(path, folder) for path in source.files}
        fingerprint = _fingerprint(source, names, known)
        held = before.get(source.name)
        if held is not None and held.fingerprint == fingerprint and source.url is None and _whole(held, root):
            continue
        log.info("reading %s into %s", source.name, source.table)
        staged = stage(source, contract, known, names, building / f"{number:03d}")
        _publish(building / f"{number:03d}" / "done", root)
        if held is not None and held.rows and staged.quarantine is not None and not staged.rows:
            # A spoilt export is no correction: it must not take away what was good.
            told = f"none of the {staged.quarantine.rows} rows of {', '.join(staged.files)} is good"
            notes.append(f"{source.name}: {told}; the {held.rows:,} rows that it gave before stay")
            after = after.with_holding(replace(held, fingerprint="", quarantine=staged.quarantine))
            continue
        after = after.with_holding(replace(staged, fingerprint=fingerprint))
    return after.in_order([source.name for source in sources])


def _known(contract: Contract, manifest: Manifest, root: Path) -> Known:
    """What the master tables of this state know, for each column that refers to one which holds rows."""
    known = {}
    for column, table, key in contract.references:
        parts = [part.file for holding in manifest.of(table) for part in holding.parts]
        if parts:
            values = pd.concat([pd.read_parquet(root / part, columns=[key])[key] for part in parts])
            known[column] = pd.Index(values.unique()).sort_values()
    return known


def _relative(path: Path, folder: Path | None) -> str:
    inside = folder is not None and path.is_relative_to(folder)
    return path.relative_to(folder).as_posix() if inside and folder is not None else path.name


def _fingerprint(source: Source, names: Mapping[Path, str], known: Known) -> str:
    said = {k: v for k, v in asdict(replace(source, url=None, files=())).items() if v is not None}
    if source.url is not None:
        said["url"] = address(source).render_as_string(hide_password=True)
    whole = hashlib.sha256(json.dumps([said, rules_digest()], sort_keys=True, default=str).encode())
    for path, name in names.items():
        with path.open("rb") as file:
            whole.update(f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()};".encode())
    for column, values in known.items():
        hashed = hashlib.sha256("\n".join(values).encode()).hexdigest()
        whole.update(f"{column}:{hashed};".encode())
    return whole.hexdigest()


@cache
def rules_digest() -> str:
    """Hash of this package's own code: when a rule changes, sources are read again."""
    whole = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


def _whole(holding: Holding, root: Path) -> bool:
    aside = () if holding.quarantine is None else (holding.quarantine,)
    return all((root / part.file).exists() for part in (*holding.parts, *aside))


def _publish(done: Path, root: Path) -> None:
    """Move finished files to their places, where nothing reads them before the switch."""
    for path in sorted(done.rglob("*.parquet")):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        target = root / path.relative_to(done)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        sync_folder(target.parent)


def _refuse_nothing(sources: Sequence[Source], after: Manifest) -> None:
    holdings = [holding for source in sources if (holding := after.get(source.name)) is not None]
    if not any(h.rows or h.quarantine or h.left_out for h in holdings):
        files = ", ".join(name for holding in holdings for name in holding.files) or "the sources"
        raise DataError(f"{files}: headers only, no rows. Export the tables again. Nothing was loaded")


def _guess_period(manifest: Manifest, root: Path) -> periods.Period:
    parts = [part.file for holding in manifest.of("demand") for part in holding.parts]
    if not parts:
        return manifest.period
    dates = [pd.read_parquet(root / part, columns=["date"])["date"].drop_duplicates() for part in parts]
    return periods.guess(pd.concat(dates))
