"""The warehouse: what was loaded, kept as partitioned Parquet, and read as of a date.

Owns the cut: what is recorded after the as-of period is not given out. Under the root, `manifest.json` says
which files count; `parts/TABLE/…parquet` hold accepted rows by source and year, `quarantine/…` the rest.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from ingestion.contracts import TABLES
from ingestion.errors import Problem
from ingestion.fields import Contract
from ingestion.manifest import Holding, Manifest, Part, read_manifest
from ingestion.periods import Period
from ingestion.quality import QUARANTINE, gather


class Warehouse:
    """The tables of one workspace.

    root: folder that holds them; it need not exist before the first load
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def manifest(self) -> Manifest:
        """The current state."""
        return read_manifest(self.root)

    @property
    def period(self) -> Period:
        """The clock of the workspace."""
        return self.manifest.period

    @property
    def absent(self) -> str:
        """What an absent demand row means within a series' life: zero, closed or missing; zero where sources
        say different things, see `absence`.
        """
        said = {holding.absent or "zero" for holding in self.manifest.of("demand")}
        return said.pop() if len(said) == 1 else "zero"

    def absence(self, as_of: pd.Timestamp | None = None) -> str | pd.DataFrame:
        """What an absent demand row means: one word, or sku, location and absent where sources differ.

        A series that several sources give rows of follows the last of them. as_of: as in `read`
        """
        manifest = self.manifest
        cut = None if as_of is None else manifest.period.end(pd.Timestamp(as_of))
        sources = [
            (holding.absent or "zero", [self.root / p.file for p in holding.parts if _within(p, cut, None)])
            for holding in manifest.of("demand")
        ]
        said = {word for word, files in sources if files}
        return _series_by_word(sources, cut) if len(said) > 1 else (*said, self.absent)[0]

    def series_of(self, as_of: pd.Timestamp | None, tables: Sequence[str]) -> pd.DataFrame:
        """source, table, sku and location: which series each source of these tables tells of up to a date."""
        manifest = self.manifest
        cut = None if as_of is None else manifest.period.end(pd.Timestamp(as_of))
        found = []
        for name in tables:
            recorded = _contract(name).recorded or "date"
            for holding in manifest.of(name):
                files = [self.root / part.file for part in holding.parts if _within(part, cut, None)]
                if files:
                    pairs = _distinct_series(files, recorded, cut)
                    found.append(pairs.assign(source=holding.name, table=name))
        columns = ["source", "table", "sku", "location"]
        return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)

    def last_recorded(self, holding: Holding, as_of: pd.Timestamp) -> pd.Timestamp | None:
        """Last date of a source's rows up to the end of the period of `as_of`; None where there is none."""
        cut = self.manifest.period.end(pd.Timestamp(as_of))
        files = [str(self.root / part.file) for part in holding.parts if _within(part, cut, None)]
        recorded = _contract(holding.table).recorded
        if not files or recorded is None:
            return None
        with duckdb.connect() as connection:
            rows = connection.read_parquet(files, union_by_name=True)
            rows = rows.filter(f"{_quote(recorded)} <= TIMESTAMP_NS '{cut:%Y-%m-%d}'")
            found = rows.aggregate(f"max({_quote(recorded)}) AS last").to_arrow_table().to_pandas()
        last = found["last"].iloc[0]
        return None if pd.isna(last) else pd.Timestamp(last)

    def tables(self) -> list[str]:
        """Names of the tables that hold rows, in the order of the contracts."""
        manifest = self.manifest
        return [name for name in TABLES if any(holding.rows for holding in manifest.of(name))]

    def first_date(self) -> pd.Timestamp:
        """First date of demand."""
        return self._span()[0]

    def last_date(self) -> pd.Timestamp:
        """Last date of demand: the as-of date where none is given.

        Of dates that lie in the future only where all do: a mistyped year must not move the day.
        """
        latest = self._span()[1]
        if latest <= self._reached():
            return latest
        lasts = [self.last_reached(holding) for holding in self.manifest.of("demand")]
        return max((day for day in lasts if day is not None and day <= self._reached()), default=latest)

    def last_reached(self, holding: Holding) -> pd.Timestamp | None:
        """Last date of a source's rows that is not in the future; its last where all are, None without."""
        span = holding.span()
        if span is None or span[1] <= self._reached():
            return None if span is None else span[1]
        return self.last_recorded(holding, self._reached()) or span[1]

    def _reached(self) -> pd.Timestamp:
        """End of the period that it is by now anywhere on earth."""
        return self.manifest.period.end(pd.Timestamp.now().normalize() + pd.Timedelta(days=1))

    def _span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        spans = [span for holding in self.manifest.of("demand") if (span := holding.span()) is not None]
        if not spans:
            raise Problem(f"{self.root} holds no demand; load a demand table first")
        return min(first for first, _ in spans), max(last for _, last in spans)

    def read(
        self, table: str, as_of: pd.Timestamp | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The rows of a table as known at the end of the period of `as_of`, sorted by key.

        columns: the ones wanted; None for all of the contract and all attributes or covariates

        Text is `str`, dates are datetime64[ns] at midnight, numbers and flags float64; what no row has is NA.
        Receipts after the cut are blanked: their orders are open again, each line once.
        """
        contract = _contract(table)
        try:
            return self._select(contract, self.manifest, as_of, columns)
        except duckdb.IOException:
            # A load has switched states since the manifest was read, and swept the old files.
            return self._select(contract, self.manifest, as_of, columns)

    def batches(
        self, table: str, as_of: pd.Timestamp | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[pd.DataFrame]:
        """The same rows, year by year, so that memory holds one year only."""
        contract, manifest = _contract(table), self.manifest
        years = {part.year for holding in manifest.of(table) for part in holding.parts}
        for year in sorted(years):
            yield self._select(contract, manifest, as_of, columns, year=year)

    def digest(self, as_of: pd.Timestamp | None = None) -> str:
        """SHA-256 of all that `read` gives as of a date, with the period and the meaning of absence."""
        tables = {table: self.read(table, as_of) for table in self.tables()}
        absent = self.absence(as_of)
        told = absent if isinstance(absent, str) else digest_frames({"absent": absent})
        said = f"{self.period} {told} {digest_frames(tables)}"
        return hashlib.sha256(said.encode()).hexdigest()

    def quarantine(self) -> pd.DataFrame:
        """All rows set aside: file, row, column, rule, value, remedy, table, source, record."""
        kept = [h.quarantine for h in self.manifest.holdings if h.quarantine is not None]
        return gather([pd.read_parquet(self.root / part.file) for part in kept])[QUARANTINE]

    def _select(
        self,
        contract: Contract,
        manifest: Manifest,
        as_of: pd.Timestamp | None,
        columns: Sequence[str] | None,
        *,
        year: str | None = None,
    ) -> pd.DataFrame:
        holdings = manifest.of(contract.name)
        cut = None if as_of is None else manifest.period.end(pd.Timestamp(as_of))
        # As in every query, a name is the same in either case; the first spelling stands.
        spelled: dict[str, str] = {}
        for name in (name for holding in holdings for name in holding.extras):
            spelled.setdefault(name.lower(), name)
        extras = list(spelled.values())
        everything = [*contract.columns, *extras]
        for name in columns or ():
            if name not in everything:
                raise Problem(f"{contract.name} has no column {name!r}; it has {', '.join(everything)}")
        sources = [[self.root / p.file for p in h.parts if _within(p, cut, year)] for h in holdings]
        wanted = everything if columns is None else list(columns)
        reopened = cut is not None and contract.name == "supply_orders"
        read = everything if reopened else wanted
        dtypes = dict.fromkeys(extras, "str" if contract.extra == "text" else "float64") | contract.dtypes
        if not any(sources):
            frame = pd.DataFrame({name: pd.Series(dtype=dtypes[name]) for name in read})
        else:
            frame = _query(contract, [files for files in sources if files], cut, read)
            frame = frame.astype({name: dtypes[name] for name in read})
        if cut is not None and reopened:
            frame = _reopen(frame, contract, cut)[wanted]
        if cut is not None and columns is None:
            # A covariate that nobody had recorded yet must not show that it will exist.
            frame = frame.drop(columns=[name for name in extras if frame[name].isna().all()])
        return frame


def _contract(table: str) -> Contract:
    if table not in TABLES:
        raise Problem(f"there is no table {table!r}; the tables are {', '.join(TABLES)}")
    return TABLES[table]


def _within(part: Part, cut: pd.Timestamp | None, year: str | None) -> bool:
    if year is not None and part.year != year:
        return False
    return cut is None or part.first is None or pd.Timestamp(part.first) <= cut


def _query(
    contract: Contract, sources: Sequence[Sequence[Path]], cut: pd.Timestamp | None, wanted: Sequence[str]
) -> pd.DataFrame:
    """Rows of all sources, a later one winning on keys, cut and sorted."""
    recorded = contract.recorded
    needed = dict.fromkeys([*contract.keys, *wanted, *([recorded] if recorded else [])])
    with duckdb.connect() as connection:
        rows: duckdb.DuckDBPyRelation | None = None
        for rank, files in enumerate(sources):
            given = connection.read_parquet([str(path) for path in files], union_by_name=True)
            there = {name.lower() for name in given.columns}
            columns = [f"{_quote(c) if c.lower() in there else 'NULL'} AS {_quote(c)}" for c in needed]
            given = given.project(", ".join([*columns, f"{rank} AS _rank"]))
            rows = given if rows is None else rows.union(given)
        if rows is None:
            raise AssertionError("a query needs a source")
        if cut is not None and recorded is not None:
            when = _quote(recorded)
            rows = rows.filter(f"{when} IS NULL OR {when} <= TIMESTAMP_NS '{cut:%Y-%m-%d}'")
        keys = [_quote(key) for key in contract.keys]
        if len(sources) > 1 and contract.unique:
            latest = f"row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY _rank DESC) AS _nth"
            rows = rows.project(f"*, {latest}").filter("_nth = 1")
        # Rows that may share keys need every column to come out in one order.
        order = keys if contract.unique else [*keys, "_rank", *map(_quote, wanted)]
        rows = rows.order(", ".join(f"{column} NULLS LAST" for column in order))
        frame: pd.DataFrame = rows.project(", ".join(map(_quote, wanted))).to_arrow_table().to_pandas()
    return frame


def _series_by_word(sources: Sequence[tuple[str, Sequence[Path]]], cut: pd.Timestamp | None) -> pd.DataFrame:
    """sku, location and the word of the last source that gives rows of the pair up to the cut, sorted."""
    found = [_distinct_series(files, "date", cut).assign(absent=word) for word, files in sources if files]
    pairs = pd.concat(found).drop_duplicates(["sku", "location"], keep="last")
    return pairs.sort_values(["sku", "location"], ignore_index=True)


def _distinct_series(files: Sequence[Path], recorded: str, cut: pd.Timestamp | None) -> pd.DataFrame:
    """sku and location of what files hold up to the cut, each once."""
    with duckdb.connect() as connection:
        rows = connection.read_parquet([str(path) for path in files], union_by_name=True)
        if cut is not None:
            rows = rows.filter(f"{_quote(recorded)} <= TIMESTAMP_NS '{cut:%Y-%m-%d}'")
        pairs: pd.DataFrame = rows.project("sku, location").distinct().to_arrow_table().to_pandas()
    return pairs.astype("str")


def _quote(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _reopen(orders: pd.DataFrame, contract: Contract, cut: pd.Timestamp) -> pd.DataFrame:
    """Orders as they stood at the cut: later receipts are not known, and each line is open once."""
    later = orders["received_on"] > cut
    known = {name: orders[name].mask(later) for name in ("received_on", "received_quantity")}
    orders = orders.assign(**known)
    again = orders["received_on"].isna() & orders[list(contract.keys)].duplicated()
    return orders[~again].sort_values(list(contract.keys), kind="stable", ignore_index=True)


def digest_frames(tables: Mapping[str, pd.DataFrame]) -> str:
    """SHA-256 of named frames: names, columns and values, whatever the order of the names."""
    whole = hashlib.sha256()
    for name in sorted(tables):
        frame = tables[name]
        whole.update(f"{name}:{','.join(frame.columns)}:{len(frame)};".encode())
        if len(frame):
            whole.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return whole.hexdigest()
