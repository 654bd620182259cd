"""Reporting: what a load did, for people and programs.

Takes what the warehouse holds after the switch; loading the same again gives the same report.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ingestion.contracts import TABLES
from ingestion.health import DataHealth, inspect
from ingestion.manifest import Holding
from ingestion.warehouse import Warehouse


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    accepted: table → rows that its sources of this load gave
    unchanged: the warehouse was, and is, in the state that these sources ask for
    quarantined: file, row, column, rule, value, remedy, table, source, record; one row per bad row
    left_out: source → rows that its own mapping drops
    repeats: source → identical rows that were counted once
    ignored_columns: source → columns of its files that were not taken
    ignored_files: data files in the folder that no source reads
    notes: what else a user should know
    """

    accepted: dict[str, int]
    unchanged: bool
    quarantined: pd.DataFrame
    left_out: dict[str, int]
    repeats: dict[str, int]
    ignored_columns: dict[str, tuple[str, ...]]
    ignored_files: tuple[str, ...]
    notes: tuple[str, ...]
    health: DataHealth


def _notes(holdings: Sequence[Holding], warehouse: Warehouse) -> list[str]:
    notes = [
        f"{', '.join(holding.files)}: a header and no rows"
        for holding in holdings
        if holding.files and not (holding.rows or holding.quarantine or holding.left_out)
    ]
    manifest = warehouse.manifest
    for table, contract in TABLES.items():
        of_table = [holding for holding in manifest.of(table) if holding.rows]
        if len(of_table) > 1 and contract.unique:
            twice = sum(h.rows for h in of_table) - len(warehouse.read(table, columns=contract.keys[:1]))
            if twice:
                told = ", ".join(holding.name for holding in of_table)
                notes.append(f"{table}: {twice} keys are given by more than one of {told}; the later stands")
    return notes


def report_on(
    holdings: Sequence[Holding],
    unchanged: bool,
    warehouse: Warehouse,
    notes: Sequence[str],
    unused: Sequence[str],
) -> LoadReport:
    """The report on the sources of one load, from what the warehouse holds of them.

    notes: what was noticed before the switch
    unused: files that no source reads
    """
    accepted = dict.fromkeys((holding.table for holding in holdings), 0)
    for holding in holdings:
        accepted[holding.table] += holding.rows
    aside = warehouse.quarantine()
    return LoadReport(
        accepted=accepted,
        unchanged=unchanged,
        quarantined=aside[aside["source"].isin([h.name for h in holdings])].reset_index(drop=True),
        left_out={h.name: h.left_out for h in holdings if h.left_out},
        repeats={h.name: h.repeats for h in holdings if h.repeats},
        ignored_columns=_ignored(holdings),
        ignored_files=tuple(unused),
        notes=(*notes, *_notes(holdings, warehouse)),
        health=inspect(warehouse),
    )


def _ignored(holdings: Sequence[Holding]) -> dict[str, tuple[str, ...]]:
    """Columns that no source of the same files takes."""
    ignored = {}
    for holding in holdings:
        same = [set(other.ignored) for other in holdings if other.files == holding.files and other.files]
        nobody = tuple(name for name in holding.ignored if all(name in other for other in same))
        if nobody:
            ignored[holding.name] = nobody
    return ignored
