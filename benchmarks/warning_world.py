"""A simulated retailer in which things go wrong on purpose, watched day by day, with its truth.

It owns what is planted: stores that forget to order, suppliers that slow down, stock counts that waver, and a
source that falls silent; and the facts that the rules see on each day, which are kept in a folder, since they
take the most time. Nothing here knows of a rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.models import DemandModel
from ingestion.loading import load
from ingestion.periods import Period
from ingestion.retailer import Retailer, simulate
from ingestion.retailer_catalogue import SUPPLIERS
from ingestion.retailer_supply import Troubles
from ingestion.warehouse import Warehouse
from serving.settings import Settings
from serving.walk import Walk
from serving.watching import seen_by
from warning.counterfactual import Orders
from warning.history import History
from warning.rerun import Day

SERIES = ["sku", "location"]
DAY = Period("day")
SILENT = "S03"  # the store whose source stops
MOVING = {"demand": "sales", "stock": "counts"}
FORGET = 0.12  # of the series in a block of days
BLOCK = 45
SLOW = ("Northern Plains", "Jiangnan Trading")
SLOWER = 9  # days
WAVER = 0.35  # of what is on hand


@dataclass(frozen=True)
class World:
    """A retailer with its planted troubles; days are counted from the first of its history.

    first, last: of the days that are watched
    troubles: as planted
    silent: first and last day on which the source of SILENT tells nothing new
    wavering: (series, days) counts that are wrong by WAVER, up on one day and down on the next
    """

    retailer: Retailer
    first: int
    last: int
    troubles: Troubles
    silent: tuple[int, int]
    wavering: np.ndarray

    @property
    def keys(self) -> pd.DataFrame:
        """(n,) sku, location, category, supplier, kind."""
        return self.retailer.truth.keys

    def date(self, day: int) -> pd.Timestamp:
        """The date of a day."""
        return self.retailer.truth.dates[day]

    def history(self, lead: np.ndarray, review: np.ndarray) -> History:
        """What really happened; lead, review: (n,) days as forestock has them."""
        tables, truth = self.retailer.tables, self.retailer.truth
        days, start = self.last + 1, int(DAY.index(truth.dates[0])[0])
        sales = self._grid(tables["demand"], "date", "quantity")
        orders = tables["supply_orders"]
        came = orders["received_on"].notna().to_numpy()
        arrived = np.full(len(orders), 2 * days)
        arrived[came] = DAY.index(orders["received_on"][came]) - start
        wanted = truth.quantity[:, :days].astype(float)
        return History(
            keys=self.keys[SERIES],
            period=DAY,
            first=start,
            wanted=wanted,
            expected=truth.expected[:, :days].astype(float),
            available=self.stock(),
            short=wanted > np.nan_to_num(sales) + 1e-6,
            seen=~np.isnan(sales) & ~self._unseen(),
            orders=Orders(
                self.row(orders),
                DAY.index(orders["ordered_on"]) - start,
                arrived,
                orders["received_quantity"].fillna(orders["quantity"]).to_numpy(dtype=float),
            ),
            due=DAY.index(orders["promised_on"]) - start,
            lead=lead,
            review=review,
            backorder=np.zeros(len(self.keys), dtype=bool),
            lots=pd.DataFrame(columns=[*SERIES, "as_of", "lot", "quantity", "expires"]),
        )

    def stock(self) -> np.ndarray:
        """(n, days) units on the shelf at the end of each day."""
        tables, days = self.retailer.tables, self.last + 1
        start = int(DAY.index(self.retailer.truth.dates[0])[0])
        sales = np.nan_to_num(self._grid(tables["demand"], "date", "quantity"))
        counts = tables["stock"].sort_values("as_of", kind="stable").drop_duplicates(SERIES)
        opening = np.zeros(len(self.keys))
        before = counts[DAY.index(counts["as_of"]) < start]
        opening[self.row(before)] = before["on_hand"]
        receipts = tables["supply_orders"].dropna(subset=["received_on"])
        received = np.zeros((len(self.keys), days))
        at = self.row(receipts), DAY.index(receipts["received_on"]) - start
        np.add.at(received, at, receipts["received_quantity"].to_numpy(dtype=float))
        return opening[:, None] + np.cumsum(received - sales, axis=1)

    def row(self, frame: pd.DataFrame) -> np.ndarray:
        """(rows,) series of each row."""
        return pd.MultiIndex.from_frame(self.keys[SERIES]).get_indexer(
            pd.MultiIndex.from_frame(frame[SERIES])
        )

    def _grid(self, frame: pd.DataFrame, dated: str, column: str) -> np.ndarray:
        start = int(DAY.index(self.retailer.truth.dates[0])[0])
        out = np.full((len(self.keys), self.last + 1), np.nan)
        out[self.row(frame), DAY.index(frame[dated]) - start] = frame[column]
        return out

    def _unseen(self) -> np.ndarray:
        out = np.zeros((len(self.keys), self.last + 1), dtype=bool)
        silent = (self.keys["location"] == SILENT).to_numpy()
        out[silent, self.silent[0] : self.silent[1] + 1] = True
        return out


def build(seed: int = 0, *, items: int, stores: int, history: int, watched: int) -> World:
    """A retailer of items × stores with `history` days before the first day that is watched."""
    days = history + watched
    size = {"items": items, "stores": stores, "days": days, "future_days": 0}
    keys = simulate(seed, **size).truth.keys
    rng = np.random.default_rng(seed + 1)
    terms = {supplier.name: supplier for supplier in SUPPLIERS}
    reach = np.array([terms[name].contract + terms[name].review + 18 for name in keys["supplier"]])
    forgotten = np.zeros((len(keys), days), dtype=bool)
    for block in range(history, days - 20, BLOCK):
        for row in np.flatnonzero(rng.random(len(keys)) < FORGET):
            begin = block + int(rng.integers(0, 25))
            forgotten[row, begin : begin + reach[row]] = True
    slower = np.zeros((len(keys), days), dtype=np.int64)
    for number, name in enumerate(SLOW):
        rows = np.flatnonzero(keys["supplier"] == name)
        for begin in range(history + 15 + 30 * number, days, 90):
            slower[rows, begin : begin + 20] = SLOWER
    troubles = Troubles(forgotten, slower)
    wavering = np.zeros((len(keys), days), dtype=bool)
    chosen = rng.choice(np.flatnonzero(keys["location"] != SILENT), max(len(keys) // 15, 2), replace=False)
    wavering[chosen, history + 20 : history + 65] = True
    silent = (history + 30, history + 50)
    retailer = simulate(seed, **size, troubles=troubles)
    return World(retailer, history, days - 1, troubles, silent, wavering)


def tables_on(world: World, day: int) -> dict[str, pd.DataFrame]:
    """The tables that the retailer's systems would give on a day; later rows are left in, for `as_of` to cut.

    While a source is silent, what it would tell later is not there at all.
    """
    tables = dict(world.retailer.tables)
    begin, end = world.silent
    tables["stock"] = _wavered(world, tables["stock"])
    if begin <= day <= end:
        last = world.date(begin - 1)
        for name, dated in (("demand", "date"), ("stock", "as_of")):
            table = tables[name]
            tables[name] = table[(table["location"] != SILENT) | (table[dated] <= last)]
    return tables


def watch(world: World, folder: Path, model: DemandModel | None = None) -> Iterator[Day]:
    """What the rules see on each day that is watched; kept in `folder`, and read from there the next time.

    The model is trained once, on what was known on the evening before the first day, unless one is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = [
        Settings(workspace=folder / name, country="CN", mlflow_tracking_uri=f"sqlite:///{folder}/mlflow.db")
        for name in ("complete", "silent")
    ]
    loaded: set[int] = set()
    for day in range(world.first, world.last + 1):
        path = folder / f"{day}.facts.parquet"
        if not path.exists():
            which = int(world.silent[0] <= day <= world.silent[1])
            if which not in loaded:
                _load(tables_on(world, day), settings[which].workspace)
                loaded.add(which)
            if model is None:
                if 0 not in loaded:
                    _load(tables_on(world, world.first), settings[0].workspace)
                    loaded.add(0)
                model = Walk(settings[0], world.date(world.first - 1)).model
            _look(world, settings[which], day, model, folder)
        yield _read(folder, day)


def terms(world: World, days: list[Day]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) lead time and review of each series, days, as forestock has them on the last day."""
    facts = days[-1].facts.set_index(SERIES)[["lead", "review"]]
    found = facts.reindex(pd.MultiIndex.from_frame(world.keys[SERIES])).fillna(7).to_numpy(dtype=np.int64)
    return found[:, 0], found[:, 1]


def _look(world: World, settings: Settings, day: int, model: DemandModel, folder: Path) -> None:
    walk = Walk(settings, world.date(day))
    walk.use(model)
    walk.tables["items"] = _items_on(world, walk.tables["items"], day)
    seen = seen_by(walk)
    facts = seen.facts.assign(
        lead=walk.lead_times.typical, review=walk.supply["review_periods"].to_numpy(dtype=float)
    )
    for name, frame in (("suppliers", seen.suppliers), ("sources", seen.sources), ("facts", facts)):
        path = folder / f"{day}.{name}.parquet"
        frame.to_parquet(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)


def _read(folder: Path, day: int) -> Day:
    names = ("facts", "suppliers", "sources")
    facts, suppliers, sources = (pd.read_parquet(folder / f"{day}.{name}.parquet") for name in names)
    return Day(pd.Timestamp(facts["data_as_of"].iloc[0]), facts, suppliers, sources)


def _items_on(world: World, items: pd.DataFrame, day: int) -> pd.DataFrame:
    """The items with the lifecycle they had on a day: nothing is discontinued while it is still sold."""
    last = world.retailer.tables["demand"].groupby("sku")["date"].max()
    gone = items["sku"].map(last) < world.date(day)
    return items.assign(lifecycle=np.where(gone, "discontinued", "active"))


def _wavered(world: World, stock: pd.DataFrame) -> pd.DataFrame:
    """Counts with those of the wavering series, each day, off by WAVER."""
    row, day = np.nonzero(world.wavering)
    units = world.stock()[row, day] * (1 + WAVER * np.where(day % 2, 1.0, -1.0))
    counts = world.keys.iloc[row][SERIES].reset_index(drop=True)
    counts = counts.assign(as_of=world.retailer.truth.dates[day], on_hand=np.round(units))
    return pd.concat([stock, counts], ignore_index=True).drop_duplicates([*SERIES, "as_of"], keep="last")


def _load(tables: dict[str, pd.DataFrame], workspace: Path) -> None:
    """Load the tables, demand and stock of SILENT from sources of their own."""
    folder = workspace / "in"
    folder.mkdir(parents=True, exist_ok=True)
    sources = {}
    for name, table in tables.items():
        if name not in MOVING:
            table.to_parquet(folder / f"{name}.parquet", index=False)
            continue
        mine = table["location"] == SILENT
        for source, part in ((MOVING[name], table[~mine]), (f"{MOVING[name]}_{SILENT}", table[mine])):
            part.to_parquet(folder / f"{source}.parquet", index=False)
            sources[source] = {"table": name, "path": f"{source}.parquet"}
    load(folder, {"workspace": {"period": "day"}, "sources": sources}, Warehouse(workspace / "warehouse"))
