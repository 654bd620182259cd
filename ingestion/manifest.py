"""The manifest: the one small file that says what a warehouse holds.

Owns its form and the switch from one state to the next: everything else is written beside it first, and a
single atomic rename makes it true. Killed at any point, a load leaves the old state or the new one.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ingestion.errors import Problem
from ingestion.periods import Period

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True)
class Part:
    """A Parquet file of one source and one year.

    file: relative to the root; named by the hash of its bytes
    year: of the dates in it, or "all"
    rows: how many
    first, last: ISO dates that bound the date on which the rows were recorded; None where some have none
    """

    file: str
    year: str
    rows: int
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True)
class Holding:
    """What one source gave.

    fingerprint: hash of its files, its mapping, the rules and what it refers to; equal means nothing to do
    parts: the accepted rows
    quarantine: the rows set aside, or None
    left_out: rows that the mapping itself drops
    repeats: identical rows that were collapsed
    ignored: columns of the files that were not taken
    extras: attribute or covariate columns
    absent: what an absent demand row means
    """

    name: str
    table: str
    fingerprint: str
    files: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    quarantine: Part | None = None
    left_out: int = 0
    repeats: int = 0
    ignored: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    absent: str | None = None

    @property
    def rows(self) -> int:
        """Accepted rows."""
        return sum(part.rows for part in self.parts)

    def span(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """First and last date of the rows, or None for a table without dates."""
        first = [part.first for part in self.parts if part.first]
        last = [part.last for part in self.parts if part.last]
        return (pd.Timestamp(min(first)), pd.Timestamp(max(last))) if first and last else None


@dataclass(frozen=True)
class Manifest:
    """What a warehouse holds: sources in order, a later one standing above an earlier one."""

    period: Period = field(default_factory=Period)
    holdings: tuple[Holding, ...] = ()

    def of(self, table: str) -> list[Holding]:
        """The holdings of one table, in order."""
        return [holding for holding in self.holdings if holding.table == table]

    def get(self, source: str) -> Holding | None:
        """What a source gave, if it was ever loaded."""
        return next((holding for holding in self.holdings if holding.name == source), None)

    def files(self) -> set[str]:
        """All files that belong to this state."""
        parts = [part for holding in self.holdings for part in holding.parts]
        parts += [h.quarantine for h in self.holdings if h.quarantine is not None]
        return {part.file for part in parts}

    def with_holding(self, new: Holding) -> "Manifest":
        """The state after one source was loaded; what the others gave stays."""
        if self.get(new.name) is None:
            return replace(self, holdings=(*self.holdings, new))
        return replace(self, holdings=tuple(new if h.name == new.name else h for h in self.holdings))

    def in_order(self, names: Sequence[str]) -> "Manifest":
        """The same with the named sources in that order, in the places that they hold together."""
        ordered = iter([h for name in names if (h := self.get(name)) is not None])
        return replace(self, holdings=tuple(next(ordered) if h.name in names else h for h in self.holdings))

    def to_json(self) -> str:
        """Text that is equal for equal states."""
        told = {"format": FORMAT, **asdict(self)}
        return json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    @property
    def digest(self) -> str:
        """Hash of the state."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def read_manifest(root: Path) -> Manifest:
    """The current state; an empty one where nothing was loaded yet."""
    try:
        told = json.loads((root / NAME).read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise Problem(
                f"{root} was written by another version of forestock; load the data into a new workspace"
            )
        holdings = tuple(_holding(said) for said in told["holdings"])
        return Manifest(Period(**told["period"]), holdings)
    except FileNotFoundError:
        return Manifest()
    except (ValueError, KeyError, TypeError) as error:
        message = f"{root / NAME} is damaged ({error}); delete {root} and load the data again"
        raise Problem(message) from error


def _holding(said: dict[str, Any]) -> Holding:
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in said.items()
    }
    parts = tuple(Part(**part) for part in plain.pop("parts"))
    aside = plain.pop("quarantine")
    return Holding(**plain, parts=parts, quarantine=Part(**aside) if aside else None)


def switch(root: Path, manifest: Manifest, building: Path) -> None:
    """Make `manifest` the state of the warehouse, durably and at once.

    building: a folder on the same disk, for the file before it is renamed
    """
    draft = building / NAME
    with draft.open("w", encoding="utf-8") as file:
        file.write(manifest.to_json())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(root / NAME)
    sync_folder(root)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
